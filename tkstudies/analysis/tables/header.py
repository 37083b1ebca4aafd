"""Which line of a table names its columns, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import NamedTuple

from tkstudies.analysis.tables.cells import has_decimal_comma, is_data, is_missing
from tkstudies.analysis.tables.csvrows import Row, cells_of
from tkstudies.jsonl import BadRecord

_PLAIN_NAME = re.compile(r'[^"#\[{,;|\t\r\n\s](?:[^",;|\t\r\n]*[^",;|\t\r\n\s])?')
_YEARS = range(1990, 2100)


class Cell(NamedTuple):
    """What stands in quotes (None without quotes), and what stands without."""

    quoted: str | None
    bare: str

    @property
    def text(self) -> str:
        """What it says, however it is written."""
        return self.bare if self.quoted is None else self.quoted


@dataclass(frozen=True)
class Header:
    """The names of the columns.

    Attributes:
        names: One for each column.
        unnamed: Those that have none in the table; their nulls tell nothing.
        is_first_row: Does the first row of the table hold them?
        all_quoted: Are all cells of the first two rows in quotes, needed or not?
    """

    names: tuple[str, ...]
    unnamed: frozenset[str] = frozenset()
    is_first_row: bool = True
    all_quoted: bool = False


def is_plain_name(name: str) -> bool:
    """May a name stand without quotes in a header, and still be read as this name?

    >>> [is_plain_name(name) for name in ("run_number", "a b", "a;b", "12", "true", "#run", "sep=,", "")]
    [True, True, False, False, False, False, False, False]
    """
    return bool(_PLAIN_NAME.fullmatch(name)) and not is_data(name) and name[:4].lower() != "sep="


def header_of(comment: str, rows: Sequence[Row], delimiter: str, *, names: Sequence[str], forced: bool) -> Header:
    """The names of a table's columns.

    Args:
        comment: The last line above the rows that begins with ``#``, or nothing.
        rows: The first rows.
        names: What the user calls the columns.
        forced: The first row has the names, whatever it looks like.

    Raises:
        BadRecord: The first row can't be a header.
    """
    cells = [row.cells if isinstance(row.cells, BadRecord) else list(starmap(Cell, row.cells)) for row in rows]
    first = cells[0] if cells else []
    if names:
        return Header(tuple(names), is_first_row=_texts(first) == list(names))
    commented = _cells_of(comment.lstrip("# "), delimiter)
    if comment and _names_columns(comment, commented, first):
        return _header([cell.text for cell in commented], is_first_row=False)
    if isinstance(first, BadRecord):
        raise BadRecord(f"its first line is no header: {first}")
    if not first:
        raise BadRecord("it has no row, only comments")
    if not forced:
        _refuse_data(first, rows[0].number)
    needless = any(cell.quoted is not None and is_plain_name(cell.quoted) for cell in first)
    in_quotes = needless and all(cell.quoted is not None for cell in first)
    data = [row for row in cells[1:] if isinstance(row, list)]
    found = _texts(first)
    if in_quotes and data and all(len(row) == len(first) + 1 and row[0].quoted is not None for row in data):
        found = ["", *found]  # R's write.table has a column of row names, and no name for it
    ours = {"" for cell in first if cell.quoted == "" and not in_quotes}
    all_quoted = in_quotes and bool(data) and all(cell.quoted is not None for cell in data[0])
    return _header(found, named=ours, all_quoted=all_quoted)


def _header(
    found: Sequence[str], *, named: set[str] | None = None, is_first_row: bool = True, all_quoted: bool = False
) -> Header:
    """The header with a name for every column.

    Raises:
        BadRecord: Two have the same.
    """
    names = [name if name or name in (named or ()) else f"column_{i}" for i, name in enumerate(found, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadRecord(f"its header repeats {', '.join(repeated)} (--names A,B,... names the columns of one without)")
    unnamed = frozenset(name for name, own in zip(names, found, strict=True) if name != own)
    return Header(tuple(names), unnamed, is_first_row, all_quoted)


def _texts(cells: list[Cell] | BadRecord) -> list[str]:
    return [] if isinstance(cells, BadRecord) else [cell.text for cell in cells]


def _cells_of(text: str, delimiter: str) -> list[Cell]:
    try:
        return list(starmap(Cell, cells_of(text, delimiter) or []))
    except BadRecord:
        return []


def _names_columns(comment: str, commented: Sequence[Cell], first: list[Cell] | BadRecord) -> bool:
    """Does the comment above the first row name its columns?"""
    if isinstance(first, BadRecord) or not first:
        return not first and len(commented) > 1
    has_data = any(cell.quoted is None and (is_data(cell.bare) or is_missing(cell.bare)) for cell in first)
    return len(commented) == len(first) and (has_data or comment[1:2].strip() != "")


def _refuse_data(first: Sequence[Cell], line: int) -> None:
    """Raises BadRecord if the first row holds no names but data."""
    told = [cell for cell in first if cell.text]
    data = [cell.bare for cell in told if cell.quoted is None and _is_data(cell.bare)]
    if not data or (not first[0].text and _is_range(data) and len(data) == len(told)):
        return  # pandas counts columns that have no name, behind the empty name of its index
    if len(data) == len(told) or told[0].bare == data[0] or not _are_names(data):
        raise BadRecord(
            f"line {line} has data ({', '.join(data[:3])}) where the names of the columns should be: "
            "--names A,B,... names them (--header if these are the names)"
        )


def _is_data(bare: str) -> bool:
    return is_data(bare) or has_decimal_comma(bare)


def _is_range(data: Sequence[str]) -> bool:
    return list(data) == [str(i) for i in range(len(data))]


def _are_names(data: Sequence[str]) -> bool:
    """Are the numbers of a header years or bins, as wide tables have them?"""
    if not all(bare.isdigit() and len(bare) < 6 for bare in data):
        return False
    first = int(data[0])
    are_bins = len(data) > 1 and list(map(int, data)) == list(range(first, first + len(data)))
    return are_bins or all(int(bare) in _YEARS for bare in data)
