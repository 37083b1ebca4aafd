"""``tkstudies label``: add the columns that certification studies derive."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from tkstudies import console
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def label(
    files: options.Files = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="LABEL",
            autocompletion=completion.labels,
            help="Add only these (repeatable, or with commas).",
        ),
    ] = None,
    exclude_commissioning: Annotated[
        bool, typer.Option("--exclude-commissioning", help="Drop all rows of a run with a commissioning row.")
    ] = False,
    exclude_special: Annotated[bool, typer.Option("--exclude-special", help="Drop rows of special runs.")] = False,
    exclude_open: Annotated[bool, typer.Option("--exclude-open", help="Drop rows whose state is OPEN.")] = False,
    in_order: Annotated[
        bool, typer.Option("--sorted", help="The rows of a run stand together: hand them on run by run.")
    ] = False,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Add a column with this value in every row (repeatable)."),
    ] = None,
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Add derived columns: runtype, is_bad, status_summary, bad_reason, ...

    \b
    is_commissioning and has_* hold for every row of a run as soon as they hold for
    one, so the rows wait for the end of the input (or of the run, with --sorted).
    What can't be known is null. Several processes (--jobs), and -o NAME/, which
    writes a file for each file of a folder, need all rows of a run in one file.

    \b
    is_bad is the notebook's rule: what isn't GOOD is bad. is_certified_good and
    is_certified_bad ask what somebody signed: null for rows that nobody signed, and
    where EXCLUDED, STANDBY, NOTSET or LOWSTAT decide. A table of TkDQMDoctor alone is
    labelled by its doctor_* columns.

    \b
    --set adds a column of your own beside the labels (--only NAME: without them).
    VALUE is a number, true, false, null or a text, as filter reads it: '"12"' is a
    text. A value that the rows had under that name is replaced, which is told.

    \b
    Examples:
      tkstudies label study.jsonl | tkstudies filter 'is_bad = true'
      tkstudies label --only is_bad,bad_reason < study.jsonl
      tkstudies label --exclude-commissioning --exclude-special --exclude-open < study.jsonl
      tkstudies label --set table=today --set week=23 --only table,week < study.jsonl
      tkstudies label --jobs 4 ten_years/ -o labelled/
    """
    from tkstudies.analysis.tables.labelling import Labelling
    from tkstudies.analysis.tables.labels import LABELS, select
    from tkstudies.shards.mapping import map_files

    own = _constants(constants)
    names = [name for name in options.words(only) if name not in own]
    excluded = {"commissioning": exclude_commissioning, "special": exclude_special, "open": exclude_open}
    make = partial(
        Labelling,
        select(names) if only else tuple(LABELS),
        exclude=[name for name, is_wanted in excluded.items() if is_wanted],
        in_order=in_order,
        constants=own,
    )
    make()  # a mistake in the options is told before that in a file
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    labelling = map_files(make, records, output, jobs)
    labelling.losses().tell()
    if labelling.dropped:
        console.say(f"{console.counted(labelling.dropped, 'row')} dropped")
    options.report_skipped(records)


def _constants(given: list[str] | None) -> dict[str, Any]:
    from tkstudies.analysis.tables.literals import Problem, constant

    found = {}
    for text in given or ():
        name, separator, value = (part.strip() for part in text.partition("="))
        if not (name and separator and value):
            raise UsageError(f"--set {text!r}: expected NAME=VALUE, such as week=23 (NAME='\"\"' is an empty text)")
        if name in found:
            raise UsageError(f"--set {name}: it is set twice")
        try:
            found[name] = constant(value)
        except Problem as problem:
            raise UsageError(f"--set {text!r}: {problem}") from None
    return found
