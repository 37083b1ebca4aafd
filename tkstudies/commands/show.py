"""``tkstudies show``: records as a table for people."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError
from tkstudies.records import Record

app = options.application()

_ROWS = 40  # that a terminal shows by default
_RECORDS = 5  # the same of --vertical
_ENDINGS = (".jsonl", ".ndjson", ".json", ".gz", ".txt", ".csv", ".part")


class Target(str, Enum):
    """What to write."""

    text = "text"
    markdown = "markdown"


@app.command()
def show(
    files: options.Files = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            "-c",
            metavar="PATTERN",
            autocompletion=completion.columns,
            help="Only keys and these, e.g. pixel,'Hits.*.mean' (repeatable).",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All columns on a terminal, too: one block of them below the other.")
    ] = False,
    head: Annotated[int | None, typer.Option("--head", "-n", metavar="N", min=1, help="Only the first N rows.")] = None,
    vertical: Annotated[
        bool, typer.Option("--vertical", help="A line for each column, and the addresses of the run.")
    ] = False,
    to: Annotated[Target, typer.Option("--to", help="Plain text, or Markdown for an elog.")] = Target.text,
    digits: Annotated[
        int, typer.Option("--digits", metavar="N", min=1, max=17, help="Significant digits of numbers.")
    ] = 5,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Show records as a table: keys first, then statuses, then the other columns.

    \b
    On a terminal: the columns that fit, and the first 40 rows (--head N for more).
    In a pipe or file: all rows and columns, uncut, without colours. Null is -, an
    empty text "". For programs take the records themselves, or export.

    \b
    Examples:
      tkstudies show study.jsonl
      tkstudies show study.jsonl --columns 'Hits.*.mean,bad_reason' | less -S
      tkstudies filter 'run_number = 317640' -i study.jsonl | tkstudies show --vertical
      tkstudies filter 'is_bad = true' < study.jsonl | tkstudies show -c comment --to markdown
    """
    from tkstudies.texttable.drawing import Drawing, is_terminal

    for file in files or ():
        if not os.path.exists(file) and file != jsonl.STDIN and not file.endswith(_ENDINGS) and os.sep not in file:
            raise UsageError(f"{file}: no such file (columns are chosen with --columns {file})")
    if vertical and to is Target.markdown:
        raise UsageError("--vertical and --to markdown exclude each other")
    is_screen = to is Target.text and output == jsonl.STDOUT and is_terminal()
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines)
    usual = (_RECORDS if vertical else _ROWS) if is_screen else None
    rows = Rows(records, head or usual, looks_on=not head)
    drawing = Drawing(
        rows,
        _chosen(rows, options.words(columns)),
        digits=digits,
        width=shutil.get_terminal_size().columns if is_screen else None,
    )
    if vertical:
        lines = drawing.vertical()
    elif to is Target.markdown:
        lines = drawing.markdown()
    else:
        lines = drawing.table(every)
    jsonl.write_lines(_with_more(lines, rows), output)
    if len(rows) and not rows.columns:
        console.say("all records are empty")
    options.report_skipped(records)


class Rows:
    """The rows to show, held as lines, to be gone through as often as one likes.

    Args:
        most: Read no more than so many.
        looks_on: Find out whether there are more, for which the next one has to come.

    Attributes:
        columns: All their columns, as they came.
        has_more: Are there more rows than were read, as far as that was looked at?
    """

    def __init__(self, records: jsonl.Reader, most: int | None, looks_on: bool):
        self.columns: dict[str, None] = {}
        self.has_more = False
        self._lines: list[bytes] = []
        for line, record in records.lines():
            if len(self._lines) == most:
                self.has_more = True
                break
            self._lines.append(line)
            self.columns.update(dict.fromkeys(record))
            if len(self._lines) == most and not looks_on:
                break

    def __iter__(self) -> Iterator[Record]:
        return map(jsonl.decode, self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def _chosen(rows: Rows, patterns: Sequence[str]) -> list[str]:
    """The keys and the columns that match the patterns, in the order of these; none if there are no patterns."""
    from tkstudies.texttable.columns import keys

    chosen = dict.fromkeys(keys(rows.columns)) if patterns else {}
    for pattern in patterns:
        found = [pattern] if pattern in rows.columns else fnmatch.filter(rows.columns, pattern)
        chosen.update(dict.fromkeys(found))
        if not found and rows.columns:
            where = f" in the first {console.counted(len(rows), 'row')}" if rows.has_more else ""
            console.warn(f"no column matches {pattern}{where}; {console.alternatives(pattern, rows.columns)}")
    return list(chosen)


def _with_more(lines: Iterable[bytes], rows: Rows) -> Iterator[bytes]:
    """The lines, and that there are more rows if nobody asked for so few."""
    yield from lines
    if rows.has_more:
        yield f"... more than these {console.counted(len(rows), 'row')} (--head N, or all of them: | less -S)".encode()
