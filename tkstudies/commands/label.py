"""``tkstudies label``: add the columns that certification studies derive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError

app = options.application()


@app.command()
def label(
    files: options.Files = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="LABEL", help="Add only these (repeatable, or with commas)."),
    ] = None,
    exclude_commissioning: Annotated[
        bool, typer.Option("--exclude-commissioning", help="Drop all rows of a run with a commissioning row.")
    ] = False,
    exclude_special: Annotated[
        bool, typer.Option("--exclude-special", help="Drop rows of special runs.")
    ] = False,
    exclude_open: Annotated[
        bool, typer.Option("--exclude-open", help="Drop rows whose state is OPEN.")
    ] = False,
    in_order: Annotated[
        bool, typer.Option("--sorted", help="The rows of a run stand together: hand them on run by run.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Add derived columns: runtype, is_bad, status_summary, bad_reason, ...

    \b
    is_commissioning and has_* hold for every row of a run as soon as they hold for
    one, so the rows wait for the end of the input (or of the run, with --sorted).
    What can't be known is null.

    \b
    Examples:
      tkstudies label study.jsonl | tkstudies filter 'is_bad = true'
      tkstudies label --only is_bad,bad_reason < study.jsonl
      tkstudies label --exclude-commissioning --exclude-special --exclude-open < study.jsonl
    """
    from tkstudies.analysis.tables import labels

    names = labels.select(options.words(only)) if only else tuple(labels.LABELS)
    spreading = [name for name in names if name in labels.SPREADING]
    row_wise = [name for name in names if name in labels.ROW_WISE]
    needed = list(dict.fromkeys([*["is_commissioning"] * exclude_commissioning, *spreading]))
    exclusions = {
        "--exclude-commissioning": ("run_class_name", "rda_name") if exclude_commissioning else (),
        "--exclude-special": ("run_class_name", "rda_name") if exclude_special else (),
        "--exclude-open": ("rda_state",) if exclude_open else (),
    }
    idle = {option: columns for option, columns in exclusions.items() if columns}
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    dropped = 0

    def wanted(record: dict[str, Any], of_run: dict[str, Any]) -> bool:
        return not (
            (exclude_commissioning and of_run["is_commissioning"])
            or (exclude_special and labels.is_special(record))
            or (exclude_open and record.get("rda_state") == "OPEN")
        )

    with jsonl.Writer(output) as writer:
        for group in _groups(records.lines(), in_order) if needed else ([pair] for pair in records.lines()):
            of_runs = labels.RunLabels(needed)
            held = []
            for line, record in group:
                of_runs.observe(record)
                held.append((line, record if in_order or not needed else None))
            for line, known in held:
                record = known or jsonl.decode(line)
                of_run = of_runs.apply(record)
                if idle:
                    idle = {o: columns for o, columns in idle.items() if not any(map(record.get, columns))}
                if not wanted(record, of_run):
                    dropped += 1
                    continue
                labelled = labels.label_record(record, row_wise)
                labelled.update((name, of_run[name]) for name in spreading)
                writer.write(labelled)
    for option, columns in idle.items() if writer.written else ():
        console.warn(f"{option} excluded nothing: no record has {' or '.join(columns)}")
    if dropped:
        console.say(f"{console.counted(dropped, 'row')} dropped")
    options.report_skipped(records)


def _groups(lines: Iterable[tuple[bytes, Any]], in_order: bool) -> Iterator[Iterable[tuple[bytes, Any]]]:
    """The rows that must be seen together: those of a run if the input is sorted, else all."""
    if not in_order:
        yield lines
        return
    seen: set[Any] = set()
    group: list[tuple[bytes, Any]] = []
    for line, record in lines:
        run = record.get("run_number")
        if group and run != group[-1][1].get("run_number"):
            yield group
            group = []
        if not group and run in seen:
            raise InputError(
                f"--sorted: run {run} comes again after other runs: sort the input or leave --sorted out"
            )
        seen.add(run)
        group.append((line, record))
    if group:
        yield group
