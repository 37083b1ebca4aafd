"""``tkstudies sort``: order records by a column, or take the first of them."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options

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
    descending: Annotated[bool, typer.Option("--descending", "-r", help="Largest first.")] = False,
    one_per: Annotated[
        str,
        typer.Option(
            "--one-per", metavar="COLUMN", autocompletion=completion.columns, help="Only the first row of each value."
        ),
    ] = "",
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=0, help="Only the first N rows.")] = None,
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
    from tkstudies.analysis.tables.sort import sorted_lines

    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines)
    console.say_memory(1.2 * jsonl.size_of(records.sources))
    jsonl.write_lines(sorted_lines(records, options.words(by), descending, one_per, top), output)
    options.report_skipped(records)
