"""``tkstudies sort``: order records by a column, or take the first of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError

app = options.application()


@app.command()
def sort(
    files: options.Files = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Order by this (repeatable, or a,b; default: keys).",
        ),
    ] = None,
    descending: Annotated[bool, typer.Option("--descending", help="Largest first.")] = False,
    one_per: Annotated[
        str,
        typer.Option(
            "--one-per",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Only the first row of each value.",
        ),
    ] = "",
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=0, help="Only the first N rows.")
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Order records; rows without a value come last, ties keep their order.

    \b
    Numbers come before words. The default order is run_number, reco,
    lumisection_number.

    \b
    Examples:
      tkstudies sort --by t2 --descending --one-per run_number --top 3 pca.jsonl
      tkstudies sort < runs.jsonl
    """
    named = options.words(by)
    columns = named or ("run_number", "reco", "lumisection_number")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines)
    rows = list(records.lines())
    for column in (*named, one_per):
        if rows and column and not any(column in row for _, row in rows):
            raise InputError(f"no record has a column {column}; {console.alternatives(column, rows[0][1])}")
    for column in reversed(columns):
        rows.sort(key=lambda pair, column=column: _place(pair[1].get(column)), reverse=descending)
        rows.sort(key=lambda pair, column=column: pair[1].get(column) is None)
    written: set[Any] = set()
    with jsonl.Writer(output) as writer:
        for line, row in rows:
            value = jsonl.encode(row.get(one_per)) if one_per else None
            if writer.written == top or (one_per and value in written):
                continue
            written.add(value)
            writer.write_line(line)
    options.report_skipped(records)


def _place(value: Any) -> tuple[int, Any]:
    """Where a value stands among values of any type."""
    if isinstance(value, bool | int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, str(value))
