"""Which columns of a table come first, how wide they are, and how many of them fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkstudies.console import clean
from tkstudies.records import WHOLE_KEYS, RecordView, choose_keys
from tkstudies.texttable.cells import DIGITS, cell, style

GAP = "  "
"""Between two columns."""

_CAPS = (40, 30, 20, 15, 10)  # how wide a column of texts may be, the widest that fits counts
_BEHIND_KEYS = ("plot", "pixel", "strip", "tracking", "is_bad", "bad_reason", "status_summary", "rda_state")


def ordered(columns: Iterable[Column]) -> list[Column]:
    """Columns as a person looks for them: keys, then statuses, then the others as they came; empty ones last.

    >>> names = ["a", "strip", "none", "reco", "is_bad", "mine", "run_number"]
    >>> [c.name for c in ordered(Column(name, 9, is_status=name == "mine", is_empty=name == "none") for name in names)]
    ['run_number', 'reco', 'strip', 'is_bad', 'mine', 'a', 'none']
    """
    columns = list(columns)
    first = [*keys(column.name for column in columns), *_BEHIND_KEYS]
    number_of_keys = len(first) - len(_BEHIND_KEYS)

    def place(column: Column) -> tuple[bool, int]:
        known = first.index(column.name) if column.name in first else len(first) + (not column.is_status)
        return column.is_empty and known >= number_of_keys, known

    return sorted(columns, key=place)


def keys(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that tell whose row it is."""
    columns = list(columns)
    return choose_keys(columns, columns) or ()


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: Its heading.
        width: How wide its cells and its heading are at most, in places of a terminal.
        is_number: Are all its values numbers? They stand to the right.
        is_status: Are all its values statuses?
        is_empty: Are all its values null?
    """

    name: str
    width: int
    is_number: bool = False
    is_status: bool = False
    is_empty: bool = False


def measured(rows: Iterable[RecordView], names: Iterable[str], digits: int = DIGITS) -> list[Column]:
    """The columns of these rows, as wide as their widest cell."""
    from rich.cells import cell_len

    names = list(names)
    widths = [max(cell_len(clean(name)), 1) for name in names]
    kinds: list[set[str]] = [set() for _ in names]
    for row in rows:
        for place, name in enumerate(names):
            value = row.get(name)
            if value is not None:
                kinds[place].add(_kind(name, value))
                shown = cell(value, digits)
                width = len(shown) if shown.isascii() else cell_len(shown)
                if width > widths[place]:
                    widths[place] = width
    return [
        Column(name, width, found == {"number"}, found == {"status"}, not found)
        for name, width, found in zip(names, widths, kinds, strict=True)
    ]


def _kind(name: str, value: Any) -> str:
    if isinstance(value, str):
        return "number" if name in WHOLE_KEYS else "status" if style(name, value) else "text"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "other"


def fitted(columns: Sequence[Column], width: int, wanted: int = 0) -> list[Column]:
    """The first columns that fit into a terminal: at least one, narrower if need be, and all of ``wanted`` if possible.

    Args:
        wanted: So many of the first columns are narrowed, down to ten places of a text, until all of them fit.
    """
    found: list[Column] = []
    for cap in _CAPS:
        found, left = [], width
        for column in columns:
            column = _narrowed(column, cap)
            if column.width > left:
                column = _narrowed(column, max(left, _CAPS[-1]))  # a text may take the rest of the line
            if column.width > left:
                break
            found.append(column)
            left -= column.width + len(GAP)
        if len(found) >= wanted:
            break
    return found or [replace(columns[0], width=max(width, 1))]


def _narrowed(column: Column, cap: int) -> Column:
    if column.is_number:
        return column
    from rich.cells import cell_len

    return replace(column, width=min(column.width, max(cap, cell_len(clean(column.name)))))
