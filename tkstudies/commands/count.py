"""``tkstudies count``: how many rows have which values, and sums over them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


class Each(str, Enum):
    """For what a summed value counts once."""

    row = "row"
    run = "run"
    fill = "fill"
    lumisection = "lumisection"


@app.command()
def count(
    columns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COLUMN]... [FILE]...",
            autocompletion=completion.columns,
            help="Count by these; none: all rows together.",
        ),
    ] = None,
    sums: Annotated[
        list[str] | None,
        typer.Option(
            "--sum",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Add this up, too, e.g. recorded_lumi (repeatable).",
        ),
    ] = None,
    each: Annotated[
        Each | None, typer.Option("--each", help="A summed value counts once for each of these [default: see above].")
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Count rows by the values of columns, the most frequent first.

    \b
    One record for each combination of values: these, rows, share (of all rows),
    runs (different ones), and COLUMN_sum for each --sum. Null is a value, too.
    Luminosities are added in pb^-1, each run once (columns fill__...: each fill,
    rows of lumisections: each lumisection); other numbers once for each row.
    The files of a folder are counted one by one: the same for every --jobs, and
    sums are those of one file with all rows to 1e-9.

    \b
    Examples:
      tkstudies count tracking reco < study.jsonl | tkstudies show
      tkstudies count bad_reason --sum recorded_lumi study.jsonl
      tkstudies count --sum lumisections --each run < runs.jsonl
      tkstudies count tracking ten_years/ --jobs 4
    """
    from tkstudies.analysis.tables.counts import Counting
    from tkstudies.shards.reducing import shards
    from tkstudies.shardwise import merged

    given, inputs = options.with_files(columns, inputs)
    wanted = options.words(given)
    if each and not sums:
        raise UsageError("--each is for --sum")
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    counting = Counting(wanted, options.words(sums), each.value if each else "")
    with shards(jobs, output, records) as (rows,):
        counts = merged(rows.read(counting))
    jsonl.write(counts.records(), output)
    counts.losses().tell()
    options.report_skipped(records)
