"""``tkstudies pivot``: long to wide."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


def _names(*names: str, help: str) -> typer.models.OptionInfo:
    return typer.Option(*names, metavar="COLUMN", autocompletion=completion.columns, help=help)


@app.command()
def pivot(
    files: options.Files = None,
    columns: Annotated[
        list[str] | None, _names("--columns", help="Its values become columns (repeatable, or a,b).")
    ] = None,
    values: Annotated[
        list[str] | None, _names("--values", help="What the new columns hold (repeatable; default: all others).")
    ] = None,
    index: Annotated[
        list[str] | None, _names("--index", help="What a row is about (repeatable; default: the other keys).")
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Turn the values of a column into columns: the rows of a run become one row.

    \b
    The new columns are called VALUE__COLUMN, such as express__tracking. A cell
    that no row has is null. Of several rows for one cell the first counts, which
    is told if they differ. Rows and columns stay in order of first appearance;
    all rows are held in memory.

    \b
    Examples:
      tkstudies pivot --columns reco --values pixel,strip,tracking < runs.jsonl \\
          | tkstudies filter 'express__tracking != prompt__tracking'
      tkstudies diff doctor.jsonl < runs.jsonl | tkstudies pivot --columns column --values left,right
      tkstudies compare hists.jsonl 317512 317527 \\
          | tkstudies pivot --index run_number --columns reco,name --values max_pull
    """
    from tkstudies.analysis.tables.pivot import Pivot

    turned = options.words(columns)
    if not turned:
        raise UsageError("--columns COLUMN: whose values become columns? e.g. --columns reco --values tracking")
    wide = Pivot(turned, options.words(index), options.words(values))
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines)
    for record in records:
        wide.add(record)
    jsonl.write(wide.rows(), output)
    wide.losses().tell()
    options.report_skipped(records)
