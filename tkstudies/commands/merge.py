"""``tkstudies merge``: join tables onto a stream of records."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options

app = options.application()


class How(str, Enum):
    """Which left rows come out."""

    left = "left"
    inner = "inner"


@app.command()
def merge(
    right: Annotated[
        list[str], typer.Argument(metavar="RIGHT...", help="Files to join, one after the other.")
    ],
    on: options.On = None,
    how: Annotated[
        How, typer.Option("--how", help="Keep all left rows, or only those found everywhere.")
    ] = How.left,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix", help="Keep colliding right columns under this prefix instead of dropping them."
        ),
    ] = "",
    many: Annotated[
        bool,
        typer.Option("--many", help="A right key that repeats repeats the left row; default: its first row."),
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
    has too is dropped, or kept under --prefix: two tables with the same columns go
    in as one (cat a b). Which columns the left side has is told by its first
    megabyte, which is read before joining.

    \b
    Examples:
      tkstudies merge oms_runs.jsonl oms_fills.jsonl < runs.jsonl > study.jsonl
      tkstudies merge --on run_number --prefix old_ last_week.jsonl < today.jsonl
    """
    from tkstudies.analysis.tables.join import Join, KeyedRows, LeftRows, load_table

    keys = options.words(on)
    left = options.reader(inputs, skip_bad_lines=skip_bad_lines, expected="left-hand records")
    options.check_stdin_once(left, right)
    readers = [jsonl.Reader([name], skip_bad_lines=skip_bad_lines) for name in right]

    with jsonl.Writer(output) as writer:
        keyed = KeyedRows(keys)
        rows = LeftRows(left.lines(keyed.decode), keyed)
        if not rows:
            options.report_skipped(left)
            return
        side = rows.side()
        tables = []
        for reader in readers:
            keyed = KeyedRows(keys)
            lines = reader.lines(keyed.decode)
            tables.append(load_table(reader.sources[0], lines, side, keys, many, prefix, keyed))
        join = Join(rows, tables, inner=how is How.inner, prefix=prefix)
        for line in join:
            writer.write_line(line)
    _report(join, tables, prefix)
    options.report_skipped(left, *readers)


def _report(join, tables, prefix: str) -> None:
    for column in dict.fromkeys(column for table in tables for column in table.dropped):
        also, another = (f", and so is {prefix}{column}", "another ") if prefix else ("", "")
        console.warn(
            f"{column} is on both sides{also}: the right one is dropped ({another}--prefix keeps it)"
        )
    for column, number in join.late.items():
        console.warn(
            f"{column} is on both sides, on the left only from row {number} on: the rows before have the right one"
        )
    for table in tables:
        keys = " and ".join(table.keys)
        if table.keyless:
            rows = console.counted(table.keyless, "row")
            console.warn(f"{table.name}: {rows} without {keys} not joined")
        if table.duplicates:
            rows = console.counted(table.duplicates, "row")
            console.warn(
                f"{table.name}: {rows} with a repeated {keys} dropped (the first stays; --many keeps all)"
            )
        if not table.matched and table.rows:
            console.warn(f"{table.name}: no left row has a {keys} that is in it: nothing joined")
