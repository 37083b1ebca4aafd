"""``tkstudies select``: keep some columns of every record, as ``cut`` does with fields."""

from __future__ import annotations

import fnmatch
import os
from itertools import chain
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def select(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN...", autocompletion=completion.columns, help="Column names, e.g. pixel 'Hits.*'."
        ),
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop these columns and keep the others.")] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Keep the columns that match the shell patterns, in the order of the patterns.

    \b
    Examples:
      tkstudies select run_number reco problem_names < problems.jsonl
      tkstudies select --drop '*.entries' '*.integral' -i features.jsonl
    """
    wanted = options.words(patterns)
    files = [pattern for pattern in wanted if os.path.isfile(pattern)]
    if files and not inputs:
        raise UsageError(f"{files[0]} is a file: name it with -i")
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    known: dict[tuple[str, ...], list[str]] = {}
    met: set[str] = set()
    with jsonl.Writer(output) as writer:
        for record in records:
            columns = tuple(record)
            if columns not in known:
                matches = {pattern: fnmatch.filter(columns, pattern) for pattern in wanted}
                met.update(pattern for pattern, found in matches.items() if found)
                chosen = list(dict.fromkeys(chain.from_iterable(matches.values())))
                known[columns] = [c for c in columns if c not in chosen] if drop else chosen
            writer.write({column: record[column] for column in known[columns]})
    columns = dict.fromkeys(chain.from_iterable(known))
    for pattern in wanted:
        if writer.written and pattern not in met:
            console.warn(f"no column matches {pattern}; {console.alternatives(pattern, columns)}")
    options.report_skipped(records)
