"""An order of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from tkstudies import console
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, decode, encode, records_of
from tkstudies.jsonl.columns import NamedColumns
from tkstudies.records import ROW_KEYS, WHOLE_KEYS, Record, whole

_MOST_WORDS = 10_000  # different texts of which each is held once


def sorted_lines(
    records: Records, by: Sequence[str] = (), descending: bool = False, one_per: str = "", top: int | None = None
) -> Iterator[bytes]:
    """The lines of records in an order: numbers before texts, rows without a value last, ties as they came.

    Args:
        by: Columns, the most important first; by default run_number, reco, lumisection_number.
        descending: The largest first.
        one_per: Only the first row of each value of this column.
        top: Only so many rows.

    Raises:
        InputError: No record has a column that is named.
    """
    order_by = tuple(by) or ROW_KEYS
    lines, values = _read(records, (*order_by, *([one_per] if one_per else [])))
    for column in (*by, one_per):
        if lines and column and all(value is UNSET for value in values[column]):
            raise InputError(f"no record has a column {column}; {console.alternatives(column, decode(lines[0]))}")
    order = list(range(len(lines)))
    for column in reversed(order_by):
        found = values[column]
        order.sort(key=lambda row, found=found: place(found[row]), reverse=descending)  # type: ignore[misc]
        order.sort(key=lambda row, found=found: _is_nothing(found[row]))  # type: ignore[misc]
    written: set[bytes] = set()
    count = 0
    for row in order:
        if count == top:
            return
        if one_per:
            found = values[one_per][row]
            value = encode(None if found is UNSET else found)
            if value in written:
                continue
            written.add(value)
        count += 1
        yield lines[row]


def _read(records: Records, columns: Sequence[str]) -> tuple[list[bytes], dict[str, list[Any]]]:
    """All lines, and the values of some columns to order by: no more is held."""
    named = NamedColumns(columns, unset=columns)
    lines: list[bytes] = []
    values: dict[str, list[Any]] = {column: [] for column in named.columns}
    places = [(column in WHOLE_KEYS, values[column].append) for column in named.columns]
    known: dict[str, str] = {}
    for line, row in records.rows(named):
        lines.append(line)
        for (is_whole, append), value in zip(places, row, strict=False):
            if is_whole and (number := whole(value)) is not None:  # run numbers, however they are written
                value = number
            elif type(value) is str and len(known) < _MOST_WORDS:
                value = known.setdefault(value, value)
            append(value)
    return lines, values


def _is_nothing(value: Any) -> bool:
    return value is None or value is UNSET


def place(value: Any) -> tuple[int, Any]:
    """Where a value stands among values of any type."""
    if isinstance(value, bool | int | float):
        return 0, value
    if _is_nothing(value):
        return 2, ""
    return (1, value) if isinstance(value, str) else (2, str(value))


def sort_rows(
    records: Iterable[Mapping[str, Any]], *by: str, descending: bool = False, one_per: str = "", top: int | None = None
) -> Iterator[Record]:
    """Order records, as ``tkstudies sort`` does; all are held.

    Args:
        by: Columns; by default run_number, reco, lumisection_number.
        descending: The largest first; rows without a value come last all the same.
        one_per: Only the first row of each value of this column.
        top: Only the first rows.

    Example:
        >>> list(sort_rows([{"t2": 3}, {}, {"t2": 9}], "t2", descending=True))
        [{'t2': 9}, {'t2': 3}, {}]
    """
    yield from map(decode, sorted_lines(records_of(records), by, descending, one_per, top))
