"""Hash joins of record streams: the left side passes by, the right sides are held as encoded bytes.

A joined line is spliced from the bytes of both sides, so values come out as they came in; records are decoded
only as far as the keys need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import msgspec

from tkstudies.analysis.columns import LearnedColumns, NamedColumns, Values
from tkstudies.errors import InputError
from tkstudies.jsonl import decode, encode

AUTOMATIC_KEYS = (
    ("run_number", "lumisection_number"),
    ("run_number", "reco"),
    ("run_number",),
    ("fill_number",),
)
FILL_PREFIX = "fill__"
KEY_COLUMNS = ("run_number", "reco", "fill_number", "lumisection_number")

Line = tuple[bytes, Any]


class KeyedRows(LearnedColumns):
    """The values of the columns that may be keys, and the names of all columns, of the lines of one side.

    Args:
        on: Key columns beyond the automatic ones.
    """

    def __init__(self, on: Iterable[str] = ()):
        super().__init__(dict.fromkeys([*KEY_COLUMNS, *on]))


class NoCommonKey(InputError):
    """Two tables that can't be joined."""


class Table(msgspec.Struct):
    """A right-hand side: its rows by key, each as what it adds to a line: ``,"column":value, ...``.

    Attributes:
        name: The file it came from, for messages.
        keys: The columns it is joined on.
        columns: Every column that it adds.
        rows: Key -> end of a line, without its brace; a list of them where ``many`` rows have the key.
        duplicates: Rows dropped because their key had come before.
        matched: Left rows that found a row here.
    """

    name: str
    keys: tuple[str, ...]
    columns: dict[str, None] = {}
    rows: dict[Any, bytes | list[bytes]] = {}
    duplicates: int = 0
    matched: int = 0


def choose_keys(left: Iterable[str], right: Iterable[str]) -> tuple[str, ...] | None:
    """The first of AUTOMATIC_KEYS that both sides have, or None.

    >>> choose_keys(["run_number", "reco", "fill_number"], ["fill_number", "era"])
    ('fill_number',)
    """
    left, right = set(left), set(right)
    return next((keys for keys in AUTOMATIC_KEYS if left.issuperset(keys) and right.issuperset(keys)), None)


def load_table(
    name: str,
    lines: Iterable[Line],
    left_columns: Iterable[str],
    on: tuple[str, ...] = (),
    many: bool = False,
    keyed: KeyedRows | None = None,
) -> Table:
    """Read a right-hand side and index it by its key.

    Args:
        name: Its file, for messages.
        lines: Encoded records, each with what ``keyed`` makes of it, or with the decoded record.
        left_columns: The columns that the left side will have when it arrives here.
        on: Key columns; chosen by choose_keys when empty.
        many: Keep all rows of a key, not only the first.
        keyed: The decoder of the lines.

    Raises:
        NoCommonKey: The two sides have no key in common.
    """
    keyed = keyed or KeyedRows(on)
    table: Table | None = None
    prefix = ""
    for line, row in lines:
        values = row if type(row) is tuple else keyed.of(row)
        if table is None:
            keys = on or choose_keys(left_columns, keyed.columns)
            if keys is None or not set(keys) <= keyed.columns.keys():
                raise NoCommonKey(_no_key(name, on, left_columns, keyed.columns))
            prefix = FILL_PREFIX if keys == ("fill_number",) and not on else ""
            table, key_of_row = Table(name, keys), _key_getter(keyed, keys)
        key = key_of_row(values)
        if not _is_key(key):
            continue
        known = table.rows.get(key)
        if known is None:
            table.rows[key] = _ending(line, keys, key, prefix)
        elif not many:
            table.duplicates += 1
        elif type(known) is list:
            known.append(_ending(line, keys, key, prefix))
        else:
            table.rows[key] = [known, _ending(line, keys, key, prefix)]
    if table is None:
        return Table(name, on)
    table.columns.update(dict.fromkeys(prefix + column for column in keyed.columns if column not in keys))
    return table


def _no_key(name: str, on: tuple[str, ...], left: Iterable[str], right: Iterable[str]) -> str:
    wanted = f"no column {', '.join(on)}" if on else "no key in common with the left side"
    choices = " or ".join("+".join(keys) for keys in AUTOMATIC_KEYS)
    advice = "" if on else f" ({choices}; --on names another)"
    return (
        f"{name}: {wanted}{advice}; it has {', '.join(list(right)[:12]) or 'no columns'}; "
        f"the left side has {', '.join(list(left)[:12])}"
    )


def key_of(record: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """The key of a record: a value, or a tuple of values; None if one is missing or can't be a key."""
    values = tuple([record.get(name) for name in keys])
    key = values[0] if len(values) == 1 else values
    return key if _is_key(key) else None


def _is_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(map(_is_key, key))
    return key is not None and not isinstance(key, list | dict)


def _key_getter(rows: KeyedRows, keys: tuple[str, ...]) -> Callable[[Values], Any]:
    return itemgetter(*([rows.wanted.index(key) for key in keys] or [0]))


def _ending(line: bytes, keys: tuple[str, ...], key: Any, prefix: str) -> bytes:
    """The members without the keys, each after a comma, cut from the line itself when it begins with the keys."""
    if not prefix:
        beginning = encode(dict(zip(keys, key if type(key) is tuple else (key,), strict=True)))[:-1]
        if line.startswith(beginning) and line[len(beginning) : len(beginning) + 1] in (b",", b"}"):
            return line[len(beginning) : -1]
    record = decode(line)
    members = encode({prefix + column: value for column, value in record.items() if column not in keys})
    return b"," + members[1:-1] if len(members) > 2 else b""


class Join:
    """A chain of joins onto one stream of left-hand lines.

    Args:
        left: The decoder of the left-hand lines.
        tables: Right-hand sides, in the order in which they are joined.
        inner: Drop left rows that a table doesn't know.
        prefix: Name to put before a right column that the left row already has; such columns are dropped if empty.

    Attributes:
        collisions: Right columns that a left row already had.
    """

    def __init__(self, left: KeyedRows, tables: list[Table], *, inner: bool = False, prefix: str = ""):
        self.collisions: dict[str, None] = {}
        self._left = left
        self._tables = tables
        self._inner = inner
        self._prefix = prefix
        self._known_columns = -1
        self._steps: list[tuple[Any, ...]] = []
        self._keys_in = NamedColumns(KEY_COLUMNS).decode
        self._last_ending: bytes | None = None

    def lines(self, left: Iterable[Line]) -> Iterator[bytes]:
        """Yield the joined lines of left-hand lines, each with what ``left`` made of it, or its record."""
        columns = self._left.columns
        for line, row in left:
            values = row if type(row) is tuple else self._left.of(row)
            if len(columns) != self._known_columns:
                self._look_for_collisions()
            yield from self._joined([line[:-1]], values)

    def _look_for_collisions(self) -> None:
        """Which tables may bring a column that is already there: those rows are joined column by column."""
        self._steps = []
        have = set(self._left.columns)
        for number, table in enumerate(self._tables):
            careful, brings = not have.isdisjoint(table.columns), self._brings_keys(number)
            self._steps.append((table, _key_getter(self._left, table.keys), careful, brings))
            have.update(table.columns)
        self._known_columns = len(self._left.columns)

    def _brings_keys(self, number: int) -> bool:
        """Whether a table has columns that later ones are joined on."""
        later = {key for table in self._tables[number + 1 :] for key in table.keys}
        table = self._tables[number]
        return not later.isdisjoint(table.columns.keys() & KEY_COLUMNS)

    def _joined(self, parts: list[bytes], values: Values, first: int = 0) -> list[bytes]:
        """The lines that a row becomes in the tables from number ``first`` on; its own has no last brace yet."""
        for number in range(first, len(self._steps)):
            table, key, careful, brings = self._steps[number]
            try:
                found = table.rows.get(key(values))
            except TypeError:  # a list is no key
                found = None
            if found is None:
                if self._inner:
                    return []
                continue
            table.matched += 1
            if type(found) is list:
                rows = [self._extended([*parts], values, ending, careful, brings) for ending in found]
                return [line for row in rows for line in self._joined(*row, number + 1)]
            parts, values = self._extended(parts, values, found, careful, brings)
        parts.append(b"}")
        return [b"".join(parts)]

    def _extended(
        self, parts: list[bytes], values: Values, ending: bytes, careful: bool, brings: bool
    ) -> tuple[list[bytes], Values]:
        """The row with the members of a right-hand one, and the values with the keys that it brings."""
        if careful:
            parts = [self._merged(b"".join([*parts, b"}"]), ending)]
        else:
            parts.append(ending)
        if brings and None in values:
            if ending is not self._last_ending:
                self._last_ending, self._brought = ending, self._keys_in(_object(ending))
            values = tuple(
                [new if value is None else value for value, new in zip(values, self._brought, strict=False)]
            )
        return parts, values

    def _merged(self, line: bytes, ending: bytes) -> bytes:
        record = decode(line)
        for column, value in decode(_object(ending)).items():
            if column not in record:
                record[column] = value
                continue
            self.collisions[column] = None
            if self._prefix:
                record.setdefault(self._prefix + column, value)
        return encode(record)[:-1]


def _object(ending: bytes) -> bytes:
    return b"{%b}" % ending[1:]
