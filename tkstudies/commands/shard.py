"""``tkstudies shard``: a table as the files of a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies.commands import options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def shard(
    output: Annotated[str, typer.Option("-o", "--output", metavar="NAME/", help="The folder that is written.")],
    files: options.Files = None,
    runs_per_file: options.RunsPerFile = None,
    size: Annotated[
        str, typer.Option("--size", metavar="SIZE", help="So many bytes in each file instead, e.g. 100MB.")
    ] = "",
    inputs: options.Inputs = None,
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Cut a table into the files of a folder, which other commands read as the table that they are together.

    \b
    The rows of a run stay together, in their order, whatever the order of the runs.
    A file is called by its first and last run, such as 317291-317340.jsonl. Tables
    without run numbers are cut by fill_number. A second call writes what is missing
    or has changed; runs that come behind all others change the last file only.
    With --jobs other commands work on several files at once.

    \b
    Examples:
      tkstudies shard study.jsonl -o shards/
      tkstudies dqm --collection all runs.jsonl | tkstudies shard --size 100MB -o shards_of_hists/
      tkstudies shard --runs-per-file 200 study.jsonl -o shards/
      tkstudies filter 'strip = BAD' shards/ --jobs 2
    """
    from tkstudies.shards import groups
    from tkstudies.shards.cut import Table, cut

    if size and runs_per_file:
        raise UsageError("--size and --runs-per-file exclude each other")
    output = options.output_folder(output, "tkstudies shard")
    most = groups.size_in_bytes(size) if size else runs_per_file or groups.RUNS_PER_FILE
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines)
    table = Table(records)
    table.count()
    parts = groups.by_size(table.sizes, most) if size else groups.by_number(table.rows, most)
    cut(table, parts, output, ["shard", "size" if size else "runs", most])
    options.report_skipped(records)
