"""What the shell offers when a column name is being typed."""

from __future__ import annotations

import os
from itertools import islice

import typer

_MOST_FILES = 30
_MOST_LINES = 200  # of a file: the first rows of a join may lack columns


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Columns of the files on the command line so far, else of the record files in this folder, and the labels.

    In a list such as ``pixel,str`` the last name is completed.
    """
    before, comma, name = incomplete.rpartition(",")
    found = dict.fromkeys(column for file in _files(ctx) for column in _columns(file))
    if not found:
        import glob

        from tkstudies.analysis.tables.labels import LABELS

        files = sorted(glob.glob("*.jsonl") + glob.glob("*.jsonl.gz"))[:_MOST_FILES]
        found = dict.fromkeys(column for file in files for column in _columns(file))
        found.update(dict.fromkeys(LABELS))
    return [before + comma + column for column in sorted(found) if column.startswith(name)]


def _files(ctx: typer.Context) -> list[str]:
    named = [*(ctx.params.get("inputs") or ()), *(ctx.params.get("files") or ()), *ctx.args]
    return [name for name in named if os.path.isfile(name)]


def _columns(file: str) -> list[str]:
    from tkstudies import jsonl
    from tkstudies.errors import TkstudiesError

    found: dict[str, None] = {}
    try:
        for record in islice(jsonl.read(file, skip_bad_lines=True), _MOST_LINES):
            found.update(dict.fromkeys(record))
    except TkstudiesError:
        pass  # not a file of records: nothing to offer
    return list(found)
