"""``tkstudies select``: keep some columns of every record, as ``cut`` does with fields."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options

app = options.application()


@app.command()
def select(
    patterns: Annotated[
        list[str], typer.Argument(metavar="PATTERN...", help="Column names, e.g. pixel 'Hits.*'.")
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop these columns and keep the others.")] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Keep the columns that match one of the shell patterns, in the records' own order.

    \b
    Examples:
      tkstudies select run_number reco problem_names < problems.jsonl
      tkstudies select --drop '*.entries' '*.integral' -i features.jsonl
    """
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    chosen: dict[str, bool] = {}
    met: set[str] = set()
    with jsonl.Writer(output) as writer:
        for record in records:
            for column in record.keys() - chosen.keys():
                matching = [pattern for pattern in patterns if fnmatchcase(column, pattern)]
                met.update(matching)
                chosen[column] = bool(matching) != drop
            writer.write({column: value for column, value in record.items() if chosen[column]})
    unknown = [pattern for pattern in patterns if pattern not in met]
    if unknown and writer.written:
        console.warn(f"no column matches {', '.join(unknown)}; columns are {console.listed(chosen)}")
    options.report_skipped(records)
