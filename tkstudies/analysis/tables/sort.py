"""An order of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tkstudies import console
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, WholeRecords, decode, encode, records_of
from tkstudies.records import ROW_KEYS, WHOLE_KEYS, Record, whole


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
    rows = list(records.rows(WholeRecords))
    for column in (*by, one_per):
        if rows and column and not any(column in row for _, row in rows):
            raise InputError(f"no record has a column {column}; {console.alternatives(column, rows[0][1])}")
    for column in reversed(by or ROW_KEYS):
        rows.sort(key=lambda pair: place(_value(pair[1], column)), reverse=descending)
        rows.sort(key=lambda pair: pair[1].get(column) is None)
    written: set[bytes] = set()
    count = 0
    for line, row in rows:
        if count == top:
            return
        if one_per:
            value = encode(_value(row, one_per))
            if value in written:
                continue
            written.add(value)
        count += 1
        yield line


def _value(row: Record, column: str) -> Any:
    """The value to order by: run numbers are numbers however they are written."""
    value = row.get(column)
    number = whole(value) if column in WHOLE_KEYS else None
    return value if number is None else number


def place(value: Any) -> tuple[int, Any]:
    """Where a value stands among values of any type."""
    if isinstance(value, bool | int | float):
        return 0, value
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
