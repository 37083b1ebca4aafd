"""``tkstudies rank``: the most similar good runs of each run, as candidates for its reference."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError
from tkstudies.records import Record, row_key

app = options.application()


class By(str, Enum):
    """What similar means."""

    conditions = "conditions"
    dqm = "dqm"
    both = "both"


@app.command()
def rank(
    files: options.Files = None,
    by: Annotated[
        By, typer.Option("--by", help="Similar conditions, or similar histograms (pc1, pc2, ... of pca).")
    ] = By.conditions,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Conditions to compare (repeatable; commas).",
        ),
    ] = None,
    columns: options.OldColumns = None,
    top: Annotated[int, typer.Option("--top", "-n", metavar="N", min=1, help="Candidates for each run.")] = 3,
    run: Annotated[list[str] | None, typer.Option("--run", metavar="RUNS", help="Rank for these runs only.")] = None,
    golden: Annotated[
        str, typer.Option("--golden", metavar="FILE", help="Good are the runs of this certification JSON.")
    ] = "",
    prefer_used: Annotated[
        str,
        typer.Option(
            "--prefer-used", metavar="FILE", help="First those that shifters use: records with reference_run_number."
        ),
    ] = "",
    min_lumisections: Annotated[
        int, typer.Option("--min-lumisections", min=0, metavar="N", help="Shorter runs are no candidates.")
    ] = 100,
    typical: Annotated[
        bool, typer.Option("--typical", help="The runs nearest to the centre of the last good ones, by histograms.")
    ] = False,
    last: Annotated[int, typer.Option("--last", min=10, metavar="N", help="With --typical: so many good runs.")] = 100,
    reference: Annotated[
        int | None,
        typer.Option("--reference", metavar="RUN", help="With --typical: the present one (else the latest used)."),
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Find the most similar good runs of each run: candidates for its reference.

    \b
    Candidates are earlier runs of the same reco and kind (run type, beams, energy,
    field) of at least --min-lumisections that are certified good: is_certified_good
    and not partly bad, special or of low statistics; in tables without it is_bad
    false (where it is unknown: tracking GOOD); or those of --golden instead.
    Conditions are energy, b_field, init_lumi, end_lumi (fill__peak_pileup if no row
    has them), recorded_lumi and fill__bunches_colliding, each in units of its spread
    over the candidates. A column that a candidate lacks counts as a difference of
    1.4; candidates with fewer than half of the columns come last.
    For a lumisection they are lumisections of earlier runs.
    Candidates that shifters use as references (reference_run_number of the rows, or
    of --prefer-used) come first, unless they are more than 5 farther away than the
    nearest.
    One record per run and candidate: rank, candidate_run_number, distance,
    columns_compared, and contribution_COLUMN, which add up to distance squared.

    \b
    With --typical one record for each reco and kind and each of --top runs: those
    nearest to the centre of the features of the last good runs, and whether the
    present reference is still as near as 95 % of these, or since which run not.

    \b
    Examples:
      tkstudies rank 317591 study.jsonl
      tkstudies rank --prefer-used doctor.jsonl study.jsonl
      tkstudies pca --keep all study.jsonl | tkstudies rank --by both --top 5
      tkstudies rank --golden golden.json study.jsonl | tkstudies filter 'rank = 1'
      tkstudies rank --typical --top 1 study.jsonl
    """
    from tkstudies.analysis.multivariate.candidates import distinct, goodness, is_short, nearest, uses, why_none

    numbers, files = options.runs_among(files)
    run = [*(run or []), *numbers]
    if typical and (condition or columns or run or prefer_used or by is not By.conditions):
        raise UsageError("--typical looks at features of all runs: leave out --by, --condition, --run, --prefer-used")
    if reference is not None and not typical:
        raise UsageError("--reference goes with --typical")
    chosen = options.words([*(condition or []), *(columns or [])])
    runs = options.split_numbers(run, "run")
    certified = options.certification(golden) if golden else None
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    options.check_stdin_once(records, [prefer_used], "both the runs and the references: name a file for one of them")
    with records.located():
        rows, repeated = distinct(records)
    options.require_records(records, "no runs to rank: ")
    if not rows:
        raise InputError("no runs to rank: no records with a run_number")
    names = [] if typical else _columns(rows, by, chosen)
    rule = goodness(rows, certified)
    good = [row for row in rows if rule.holds(row)]
    if not good:
        advice = "" if golden else ": label the rows, or give --golden"
        raise InputError(f"no run is certified good ({golden or rule.text}){advice}")
    losses = console.Losses()
    losses.add(repeated, "row", "left out: same run (or lumisection) and reco as before")
    short = [row for row in good if is_short(row, min_lumisections)]
    good = [row for row in good if not is_short(row, min_lumisections)]
    if typical:
        from tkstudies.analysis.multivariate.typical import typical_runs

        jsonl.write(typical_runs(rows, good, losses, top=top, last=last, reference=reference), output)
        losses.tell()
        return options.report_skipped(records)
    wanted = [row for row in rows if not runs or _is_among(row, runs)]
    if not wanted:
        raise InputError(f"--run {', '.join(run or [])}: no such run in the input")
    used = _uses(prefer_used) if prefer_used else uses(rows) or None
    alone = []
    with jsonl.Writer(output) as writer:
        for row, found in zip(wanted, nearest(wanted, good, names, top, used), strict=True):
            if not found:
                alone.append(row)
            for record in found:
                writer.write(record)
    if short:
        text = f"of fewer than {min_lumisections} lumisections {'is' if len(short) == 1 else 'are'} no candidate"
        console.say(f"{console.counted(len(short), 'good row')} {text}{'' if len(short) == 1 else 's'}")
    for reason, count in why_none(alone, good, names, short).items():
        advice = "--min-lumisections takes shorter ones" if reason.endswith("too short") else ""
        losses.add(count, "row", f"without a candidate: {reason}", advice=advice)
    if prefer_used and used and used.keys().isdisjoint(row_key(row).run_number for row in good):
        losses.note(f"--prefer-used {prefer_used}: none of its reference runs ({len(used):,}) is a candidate")
    losses.tell()
    options.report_skipped(records)


def _uses(file: str) -> dict[int, int]:
    """How often each run is the reference of another."""
    from tkstudies.analysis.multivariate.candidates import uses

    found = uses(jsonl.read(file, expected="records with reference_run_number"))
    if not found:
        raise InputError(
            f"{jsonl.shown(file)}: no record has a reference_run_number: "
            "give what 'tkstudies doctor references' or 'tkstudies doctor runs' wrote"
        )
    return found


def _is_among(row: Record, runs: Sequence[tuple[int, int]]) -> bool:
    return any(low <= row_key(row).run_number <= high for low, high in runs)


def _columns(rows: Sequence[Record], by: By, chosen: Sequence[str]) -> list[str]:
    """The columns to compare; says which conditions aren't compared, and why."""
    from tkstudies.analysis.multivariate.candidates import choose_components, choose_conditions, twin_of

    names: list[str] = []
    if by is not By.dqm:
        choice = choose_conditions(rows, chosen)
        names += choice.columns
        if choice.absent:
            console.warn(f"not compared, no row has it: {', '.join(choice.absent)}")
        if choice.of_fill:
            console.say(
                "no row has init_lumi or end_lumi: fill__peak_pileup, that of the whole fill, is compared instead"
            )
        for column, units in choice.mixed.items():
            console.say(f"{column} is in different units ({', '.join(units)}): {twin_of(column)} is compared instead")
    elif chosen:
        raise UsageError("--condition names conditions, which --by dqm doesn't compare")
    if by is not By.conditions:
        components = choose_components(rows)
        if not components:
            raise InputError(f"--by {by.value}: no columns pc1, pc2, ...: run pca --keep all before")
        names += components
        console.warn(
            f"--by {by.value}: the run with the most similar histograms has the same faults and hides them; "
            "for a reference choose --by conditions"
        )
    return list(dict.fromkeys(names))
