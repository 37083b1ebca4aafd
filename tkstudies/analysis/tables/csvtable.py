"""The records of a CSV table, whoever has written it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any

from tkstudies.analysis.tables.cells import (
    bare_value,
    from_readable,
    has_decimal_comma,
    is_infinite,
    is_list_of_numbers,
    is_number,
)
from tkstudies.analysis.tables.csvrows import Cell, Row, rows_of
from tkstudies.analysis.tables.dialect import NOTHING_KNOWN, Choices, Dialect, dialect_of, lines_of_text
from tkstudies.console import Losses, counted
from tkstudies.jsonl import BadRecord
from tkstudies.records import Record

_LINES_TO_LEARN_FROM = 200


class CsvTable:
    """A table of which the first lines tell how it is written.

    Args:
        stream: The bytes of the file.
        choices: What is known about it.
        losses: Where it is noted what the records don't hold of it.
        source: What the table is called there.
    """

    def __init__(
        self, stream: Any, choices: Choices = NOTHING_KNOWN, *, losses: Losses | None = None, source: str = ""
    ):
        self._stream = stream
        self._choices = choices
        self._losses = Losses() if losses is None else losses
        self._source = source
        self._infinite = self._comments = self._numbers_in_quotes = 0

    def records(self) -> Iterator[tuple[int, Record | BadRecord]]:
        """Yield each record with the number of its first line; for a row that isn't one, why.

        A row goes on over line ends while a quote is open. Blank lines count only in a table of one column, where
        they are a null.

        Raises:
            BadRecord: The first row can't be a header, or it is no table.
        """
        lines = lines_of_text(self._stream, self._choices.encoding)
        try:
            beginning = list(islice(lines, _LINES_TO_LEARN_FROM))
            dialect = dialect_of(beginning, self._choices)
            if dialect is None:  # records without columns
                yield from ((number, {}) for number, _ in chain(beginning[1:], lines))
                return
            yield from self._records(rows_of(chain(beginning[dialect.skipped :], lines), dialect.delimiter), dialect)
        finally:
            lines.close()
        self._note()

    def _records(self, rows: Iterator[Row], dialect: Dialect) -> Iterator[tuple[int, Record | BadRecord]]:
        header, value = dialect.header, self._value_of(dialect)
        names, unnamed, comments = header.names, header.unnamed, dialect.comments
        awaits_header = header.is_first_row
        for number, cells, inner in rows:
            if isinstance(cells, BadRecord):
                yield number, cells
                continue
            if not cells:
                if len(names) > 1 or awaits_header:
                    continue
                cells = [(None, "")]
            if cells[0][1].startswith("#") and (comments or len(cells) != len(names)):
                comments = True
                self._comments += 1
                continue
            if awaits_header:
                awaits_header = False
                continue
            if len(cells) != len(names):
                cells = _fitted(cells, names, unnamed)
                if isinstance(cells, BadRecord):
                    yield number, cells
                    continue
            if inner:
                self._look_inside(number, inner, dialect)
            try:
                record = dict(zip(names, map(value, cells), strict=True))
            except BadRecord as error:
                yield number, error
                continue
            for name in unnamed:
                if record[name] is None:
                    del record[name]
            yield number, record

    def _value_of(self, dialect: Dialect) -> Callable[[Cell], Any]:
        """What a cell of this table stands for."""
        comma, german = bool(dialect.comma), dialect.delimiter in ";\t"
        doubtful = not self._choices.decimal and dialect.comma is not None and dialect.delimiter != ","
        quoted_numbers, count_numbers = self._choices.quoted_numbers, dialect.header.all_quoted

        def bare(text: str) -> Any:
            if doubtful and (_is_against_commas(text) if comma else has_decimal_comma(text)):
                raise BadRecord(
                    f"{text}: other numbers have a decimal {'comma' if comma else 'point'} (--decimal , or .)"
                )
            found = bare_value(text, comma=comma, german=german)
            if found is None and (is_infinite(text) or is_number(text)):
                self._infinite += 1
            return found

        def value(cell: Cell) -> Any:
            quoted, text = cell
            if quoted is None:
                return bare(text) if text else None
            if quoted_numbers and (is_number(quoted) or has_decimal_comma(quoted)):
                return bare(quoted)
            if count_numbers and is_number(quoted):
                self._numbers_in_quotes += 1
            return from_readable(quoted)

        return value

    def _look_inside(self, number: int, inner: list[str], dialect: Dialect) -> None:
        """Note it if a quoted cell has swallowed lines that look like rows."""
        cells = len(dialect.header.names)
        alike = sum(line.count(dialect.delimiter) == cells - 1 for line in inner)
        if cells > 1 and alike:
            lines = counted(alike, "line")
            where = f"{self._source}, line {number}" if self._source else f"line {number}"
            self._losses.note(f"{where}: a cell in quotes holds {lines} that look like rows: is a quote out of place?")

    def _note(self) -> None:
        add = partial(self._losses.add, source=self._source)
        add(self._infinite, "cell", "with infinity or a division by zero read as null")
        add(self._comments, "comment line", "left out")
        advice = "--quoted-numbers reads them as numbers"
        add(self._numbers_in_quotes, "number", "in quotes read as text, as all cells are in quotes", advice=advice)


def _is_against_commas(text: str) -> bool:
    return ("." in text and is_number(text)) or is_list_of_numbers(text)


def _fitted(cells: list[Cell], names: tuple[str, ...], unnamed: frozenset[str]) -> list[Cell] | BadRecord:
    """As many cells as names: the line ends of some programs have a delimiter too many or too few."""
    if len(cells) == len(names) + 1 and cells[-1] == (None, ""):
        return cells[:-1]
    if len(cells) == len(names) - 1 and names[-1] in unnamed:
        return [*cells, (None, "")]
    return BadRecord(f"{counted(len(cells), 'cell')}, but {counted(len(names), 'column')}")
