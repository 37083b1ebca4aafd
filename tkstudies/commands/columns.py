"""``tkstudies columns``: what the columns mean, and what those of a file hold."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def columns(
    files: options.Files = None,
    about: Annotated[str, typer.Option("--about", metavar="COLUMN", help="Only what explains this column.")] = "",
    inputs: options.Inputs = None,
    output: options.Output = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Tell what all columns mean, or what the columns of files hold.

    \b
    Without a file: the catalogue of the columns that tkstudies makes, as records
    with column, unit, type, meaning, command. There * stands for any text and #
    for a number; fill__era is explained by era.
    With files: one record for each of their columns, with type, filled (not null)
    and records, smallest, median, largest, distinct, commonest, meaning, unit.
    Numbers wait on disk: about 120 MB of memory do for files of any size, unless
    a column has more than 8 million numbers (8 bytes each). More than 10,000
    different texts of a column aren't counted (distinct: null). A folder gives what
    one file with all its rows gives, whatever --jobs.

    \b
    Examples:
      tkstudies columns | tkstudies filter 'command = oms fills'
      tkstudies columns --about fill__peak_pileup
      tkstudies columns study.jsonl | tkstudies select column filled smallest largest
      tkstudies columns ten_years/ --jobs 4
    """
    from tkstudies.analysis.tables import catalogue

    for file in files or ():
        if file in catalogue.names() and not os.path.exists(file):
            raise UsageError(f"{file}: no such file (the column is explained by --about {file})")
    records = options.named_reader(inputs, files, skip_bad_lines=skip_bad_lines)
    if about and records:
        raise UsageError("--about explains a column of the catalogue: without files")
    if records is None:
        entries = catalogue.find(about) if about else catalogue.entries()
        if not entries:
            others = console.alternatives(about, catalogue.names())
            raise UsageError(f"--about {about!r}: no command makes such a column; {others}")
        jsonl.write((entry._asdict() for entry in entries), output)
        return

    from tkstudies.analysis.tables.profile import profile_of
    from tkstudies.shards.reducing import shards
    from tkstudies.shardwise import merged

    with shards(jobs, output, records) as (rows,):
        profile = merged(rows.read(profile_of))
        if not jsonl.write(profile.rows(), output) and profile.records:
            console.say("all records are empty")
    options.report_skipped(records)
