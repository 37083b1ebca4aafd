"""``tkstudies merge``: join tables onto a stream of records."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import options

app = options.application()


class How(str, Enum):
    """Which left rows come out."""

    left = "left"
    inner = "inner"


@app.command()
def merge(
    right: Annotated[list[str], typer.Argument(metavar="RIGHT...", help="Files to join, one after the other.")],
    on: options.On = None,
    how: Annotated[How, typer.Option("--how", help="Keep all left rows, or only those found everywhere.")] = How.left,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix",
            metavar="PREFIX",
            help="Keep colliding right columns under this prefix instead of dropping them.",
        ),
    ] = "",
    many: Annotated[
        bool, typer.Option("--many", help="A right key that repeats repeats the left row; default: its first row.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Join tables onto the records of standard input.

    \b
    Every left row comes out once, in its order, with its own values. The key is
    the first of run_number+reco+lumisection_number, run_number+lumisection_number,
    run_number+reco, run_number and fill_number of which both sides have values;
    columns joined by fill_number get the prefix fill__. A column that the left side
    has too is dropped, which is told if a value is lost by it, or kept under
    --prefix: two tables with the same columns go in as one (cat a b). Which columns
    the left side has is told by its first megabyte, which is read before joining.

    \b
    Examples:
      tkstudies merge oms_runs.jsonl oms_fills.jsonl features.jsonl < runs.jsonl > joined.jsonl
      tkstudies merge --prefix doctor_ doctor.jsonl < runs.jsonl
    """
    from tkstudies.analysis.tables.join import Join, LeftRows
    from tkstudies.analysis.tables.rightside import load_table

    keys = options.words(on)
    left = options.reader(inputs, skip_bad_lines=skip_bad_lines, expected="left-hand records")
    options.check_stdin_once(left, right)
    readers = [jsonl.Reader([name], skip_bad_lines=skip_bad_lines) for name in right]

    with jsonl.Writer(output) as writer:
        rows = LeftRows(left, keys)
        if not rows:
            options.report_skipped(left)
            return
        side = rows.side()
        tables = [load_table(reader.sources[0], reader, side, keys, many, prefix) for reader in readers]
        join = Join(rows, tables, inner=how is How.inner, prefix=prefix)
        for line in join:
            writer.write_line(line)
    join.losses().tell()
    options.report_skipped(left, *readers)
