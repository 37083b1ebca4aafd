"""``tkstudies select``: keep some columns of every record, as ``cut`` does with fields."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def select(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN... [FILE]...", autocompletion=completion.columns, help="Column names, e.g. pixel 'Hits.*'."
        ),
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop these columns and keep the others.")] = False,
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Keep the columns that match the shell patterns, in the order of the patterns.

    \b
    Examples:
      tkstudies select run_number reco 'Hits.*.mean' < study.jsonl
      tkstudies select --drop '*.entries' 'Seeds.*' features.jsonl
    """
    from tkstudies.analysis.tables.select import Selection
    from tkstudies.shards.mapping import map_files

    given, inputs = options.with_files(patterns, inputs)
    wanted = options.words(given)
    if not wanted:
        raise UsageError("name columns to keep, e.g. run_number 'Hits.*'")
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    selection = map_files(partial(Selection, wanted, drop), records, output, jobs)
    selection.losses().tell()
    options.report_skipped(records)
