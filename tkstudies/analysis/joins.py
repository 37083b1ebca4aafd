"""Hash joins of record streams: the left side passes by, the right sides are held as encoded bytes.

A joined line is spliced from the bytes of both sides, so values come out as they came in; records are decoded
only as far as the keys need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tkstudies.errors import UsageError
from tkstudies.jsonl import decode, decode_strictly, encode

AUTOMATIC_KEYS = (
    ("run_number", "lumisection_number"),
    ("run_number", "reco"),
    ("run_number",),
    ("fill_number",),
)
FILL_PREFIX = "fill__"
KEY_COLUMNS = ("run_number", "reco", "fill_number", "lumisection_number")

_ROWS_TO_LEARN_FROM = 50
_MOST_LESSONS = 20

Line = tuple[bytes, Any]
Match = tuple[
    bytes, "dict[str, Any] | None"
]  # members of a right-hand row, and its key columns for later joins


class Table(msgspec.Struct):
    """A right-hand side: its rows by key, as JSON members without the key and without braces.

    Attributes:
        name: The file it came from, for messages.
        keys: The columns it is joined on.
        columns: Every column that it adds.
        rows: Key -> list of (members, values of ``carried``); the list has one element unless ``many``.
        carried: Columns among KEY_COLUMNS that later tables may join on.
        duplicates: Rows dropped because their key had come before.
        matched: Left rows that found a row here.
    """

    name: str
    keys: tuple[str, ...]
    columns: dict[str, None] = {}
    rows: dict[Any, list[Match]] = {}
    carried: tuple[str, ...] = ()
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
) -> Table:
    """Read a right-hand side and index it by its key.

    Args:
        name: Its file, for messages.
        lines: (encoded record, record) pairs.
        left_columns: The columns that the left side will have when it arrives here.
        on: Key columns; chosen by choose_keys when empty.
        many: Keep all rows of a key, not only the first.

    Raises:
        UsageError: The two sides have no key in common.
    """
    table: Table | None = None
    prefix = ""
    for line, record in lines:
        if table is None:
            keys = on or choose_keys(left_columns, record)
            if keys is None or not set(keys) <= record.keys():
                raise UsageError(_no_key(name, on, left_columns, record))
            prefix = FILL_PREFIX if keys == ("fill_number",) and not on else ""
            table = Table(name, keys, carried=tuple(c for c in KEY_COLUMNS if c not in keys and not prefix))
        key = key_of(record, table.keys)
        if key is None:
            continue
        known = table.rows.get(key)
        if known is not None and not many:
            table.duplicates += 1
            continue
        members = _members(line, record, table.keys, prefix)
        carried = {c: record[c] for c in table.carried if record.get(c) is not None} or None
        table.columns.update(dict.fromkeys(prefix + c for c in record if c not in table.keys))
        if known is None:
            table.rows[key] = [(members, carried)]
        else:
            known.append((members, carried))
    return table or Table(name, on)


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
    values = tuple([record.get(key) for key in keys])
    if any(value is None or isinstance(value, list | dict) for value in values):
        return None
    return values[0] if len(values) == 1 else values


def _members(line: bytes, record: dict[str, Any], keys: tuple[str, ...], prefix: str) -> bytes:
    """The record's JSON members without keys and braces, from the line itself when it begins with the keys."""
    if not prefix:
        beginning = encode({key: record[key] for key in keys})[:-1]
        if line.startswith(beginning + b",") and list(record)[: len(keys)] == list(keys):
            return line[len(beginning) + 1 : -1]
    return encode({prefix + column: value for column, value in record.items() if column not in keys})[1:-1]


class LeftRows:
    """Decodes left-hand lines only as far as needed: key columns, and whether a column is new.

    After some lines a msgspec Struct of the columns seen so far takes over from the dict; a line with an
    unknown column goes back to the dict, and the Struct learns the column.
    """

    def __init__(self, wanted: Iterable[str]):
        self.columns: dict[str, None] = {}
        self._wanted = frozenset(wanted)
        self._seen = self._lessons = 0
        self._decode: Any = None

    def decode(self, line: bytes) -> dict[str, Any]:
        """The wanted columns of one line; other columns may be there too.

        Raises:
            msgspec.DecodeError: The line isn't a JSON object that msgspec takes.
        """
        if self._decode is not None:
            try:
                row = self._decode(line)
                return {column: getattr(row, name) for column, name in self._names.items()}
            except msgspec.ValidationError:
                self._decode = None
        record = decode_strictly(line)
        self.learn(record)
        return record

    def learn(self, record: dict[str, Any]) -> None:
        """Note the columns of a whole record."""
        self._seen += 1
        new = record.keys() - self.columns.keys()
        if new:
            self.columns.update(dict.fromkeys(record))
            self._lessons += 1
        if self._seen > _ROWS_TO_LEARN_FROM and self._lessons < _MOST_LESSONS:
            self._decode = self._decoder()

    def _decoder(self) -> Any:
        names = {column: f"c{number}" for number, column in enumerate(self.columns)}
        self._names = {column: name for column, name in names.items() if column in self._wanted}
        fields = [
            (name, Any if column in self._wanted else msgspec.Raw, None) for column, name in names.items()
        ]
        row = msgspec.defstruct(
            "Row", fields, rename={name: column for column, name in names.items()}, forbid_unknown_fields=True
        )
        return msgspec.json.Decoder(row).decode


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

    def __init__(self, left: LeftRows, tables: list[Table], *, inner: bool = False, prefix: str = ""):
        self.collisions: dict[str, None] = {}
        self.rows = 0
        self._left = left
        self._tables = tables
        self._inner = inner
        self._prefix = prefix
        self._known_columns = -1
        self._careful: list[bool] = []

    def lines(self, left: Iterable[Line]) -> Iterator[bytes]:
        """Yield the joined lines of left-hand (line, what ``left.decode`` made of it) pairs."""
        for line, row in left:
            self.rows += 1
            if not row.keys() <= self._left.columns.keys():
                self._left.learn(row)
            if len(self._left.columns) != self._known_columns:
                self._look_for_collisions()
            yield from self._joined(line, row, 0)

    def _look_for_collisions(self) -> None:
        """Which tables may bring a column that is already there: those rows are joined column by column."""
        have = set(self._left.columns)
        self._careful = []
        for table in self._tables:
            self._careful.append(not have.isdisjoint(table.columns))
            have.update(table.columns)
        self._known_columns = len(self._left.columns)

    def _joined(self, line: bytes, row: dict[str, Any], number: int) -> Iterator[bytes]:
        while number < len(self._tables):
            table = self._tables[number]
            matches = table.rows.get(key_of(row, table.keys)) if table.rows else None
            if matches is None:
                if self._inner:
                    return
                number += 1
                continue
            table.matched += 1
            if len(matches) > 1:
                for match in matches:
                    yield from self._joined(*self._extended(line, row, match, number), number + 1)
                return
            line, row = self._extended(line, row, matches[0], number)
            number += 1
        yield line

    def _extended(
        self, line: bytes, row: dict[str, Any], match: Match, number: int
    ) -> tuple[bytes, dict[str, Any]]:
        """The line with the members of a matching row, and the row with the keys that it brings."""
        members, carried = match
        if members and self._careful[number]:
            line = self._merge(line, members)
        elif members:
            line = line[:-1] + b"," + members + b"}"
        if carried:
            row = {**carried, **{column: value for column, value in row.items() if value is not None}}
        return line, row

    def _merge(self, line: bytes, members: bytes) -> bytes:
        record = decode(line)
        for column, value in decode(b"{" + members + b"}").items():
            if column not in record:
                record[column] = value
                continue
            self.collisions[column] = None
            if self._prefix:
                record.setdefault(self._prefix + column, value)
        return encode(record)
