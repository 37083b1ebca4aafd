"""``tkstudies merge``: join tables onto a stream of records."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Annotated

import typer

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
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
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
    With --jobs N several processes join the files of a folder, and -o NAME/ writes a
    file for each: every process holds all right-hand tables.

    \b
    Examples:
      tkstudies merge oms_runs.jsonl oms_fills.jsonl features.jsonl < runs.jsonl > joined.jsonl
      tkstudies merge --prefix doctor_ doctor.jsonl < runs.jsonl
      tkstudies merge --jobs 4 oms_runs.jsonl -i ten_years/ -o joined/
    """
    from tkstudies.analysis.tables.merging import Merge
    from tkstudies.shards.mapping import map_files

    left = options.reader(inputs, skip_bad_lines=skip_bad_lines, expected="left-hand records")
    options.check_stdin_once(left, right)
    options.check_read_often(right, output, jobs)
    make = partial(Merge, right, options.words(on), how is How.inner, prefix, many, left.sources, skip_bad_lines)
    merged = map_files(make, left, output, jobs)
    merged.losses().tell()
    options.report_skipped(left, *merged.readers)
