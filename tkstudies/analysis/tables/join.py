"""Hash joins of record streams: the left side passes by, the right sides are held as encoded bytes.

A joined line is spliced from the bytes of both sides, so values come out as they came in; records are decoded
only as far as the keys need it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec

from tkstudies.errors import InputError
from tkstudies.jsonl import decode, encode
from tkstudies.jsonl.columns import LearnedColumns, NamedColumns, Values

AUTOMATIC_KEYS = (
    ("run_number", "reco", "lumisection_number"),
    ("run_number", "lumisection_number"),
    ("run_number", "reco"),
    ("run_number",),
    ("fill_number",),
)
FILL_PREFIX = "fill__"
KEY_COLUMNS = ("run_number", "reco", "fill_number", "lumisection_number")

Line = tuple[bytes, Any]

_PLAIN = {int, str}

_undecoded = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class KeyedRows(LearnedColumns):
    """The values of the columns that may be keys, and the names of all columns, of the lines of one side.

    Args:
        on: Key columns beyond the automatic ones.

    Attributes:
        valued: Key columns of which a row that was noted has a value: absent and null are the same.
    """

    def __init__(self, on: Iterable[str] = ()):
        super().__init__(dict.fromkeys([*KEY_COLUMNS, *on]))
        self.valued: set[str] = set()
        self._unvalued = list(enumerate(self.wanted))

    def note(self, values: Values) -> bool:
        """Take notice of the values of a row; whether a key column has its first value in it."""
        new = [pair for pair in self._unvalued if values[pair[0]] is not None]
        for pair in new:
            self._unvalued.remove(pair)
            self.valued.add(pair[1])
        return bool(new)


class LeftRows:
    """The left-hand lines. The first megabyte is read before any is joined: it tells which columns there are.

    Args:
        lines: Encoded records, each with what ``keyed`` makes of it, or with the decoded record.
        keyed: The decoder of the lines.
        ahead: How many bytes to read before; None for all.
    """

    def __init__(self, lines: Iterable[Line], keyed: KeyedRows, ahead: int | None = 1 << 20):
        self.keyed = keyed
        self._lines = iter(lines)
        self._first: deque[tuple[bytes, Values]] = deque()
        size = 0
        for line, values in self._with_values():
            self._first.append((line, values))
            size += len(line)
            if ahead is not None and size > ahead:
                break

    def side(self) -> LeftSide:
        """What the lines have, as far as they were read."""
        return LeftSide(dict(self.keyed.columns), set(self.keyed.valued))

    def __bool__(self) -> bool:
        return bool(self._first)

    def __iter__(self) -> Iterator[tuple[bytes, Values]]:
        while self._first:
            yield self._first.popleft()
        yield from self._with_values()

    def _with_values(self) -> Iterator[tuple[bytes, Values]]:
        for line, row in self._lines:
            values = row if type(row) is tuple else self.keyed.of(row)
            self.keyed.note(values)
            yield line, values


class NoCommonKey(InputError):
    """Two tables that can't be joined."""


class Table(msgspec.Struct):
    """A right-hand side: its rows by key, each as what it adds to a line: ``,"column":value, ...``.

    Attributes:
        name: The file it came from, for messages.
        keys: The columns it is joined on.
        is_automatic: Whether nobody named them.
        valued: Key columns that have a value in it.
        columns: Every column that it adds.
        dropped: Columns that the left side has too, also under the prefix.
        rows: Key -> end of a line, without its brace; a list of them where ``many`` rows have the key.
        keyless: Rows without a key, which nothing can be joined with.
        duplicates: Rows dropped because their key had come before.
        matched: Left rows that found a row here.
    """

    name: str
    keys: tuple[str, ...]
    is_automatic: bool = True
    valued: set[str] = set()
    columns: dict[str, None] = {}
    dropped: dict[str, None] = {}
    rows: dict[Any, bytes | list[bytes]] = {}
    keyless: int = 0
    duplicates: int = 0
    matched: int = 0


def choose_keys(left: Iterable[str], right: Iterable[str]) -> tuple[str, ...] | None:
    """The first of AUTOMATIC_KEYS that both sides have, or None.

    >>> choose_keys(["run_number", "reco", "fill_number"], ["fill_number", "era"])
    ('fill_number',)
    """
    left, right = set(left), set(right)
    return next((keys for keys in AUTOMATIC_KEYS if left.issuperset(keys) and right.issuperset(keys)), None)


@dataclass
class LeftSide:
    """What left-hand rows have when they arrive at a table: all columns, and the key columns with a value."""

    columns: dict[str, None]
    valued: set[str]

    def keys_with(self, right: Iterable[str]) -> tuple[str, ...] | None:
        """The key for a right-hand side that has values of these key columns."""
        return choose_keys(self.valued, right) or choose_keys(self.columns, right)


def load_table(
    name: str,
    lines: Iterable[Line],
    left: LeftSide,
    on: tuple[str, ...] = (),
    many: bool = False,
    prefix: str = "",
    keyed: KeyedRows | None = None,
) -> Table:
    """Read a right-hand side and index it by its key.

    Args:
        name: Its file, for messages.
        lines: Encoded records, each with what ``keyed`` makes of it, or with the decoded record.
        left: What the left side will have when it arrives here; the table's own columns are added to it.
        on: Key columns; chosen by choose_keys when empty.
        many: Keep all rows of a key, not only the first.
        prefix: Name to put before columns that the left side has; they are dropped if empty.
        keyed: The decoder of the lines.

    Raises:
        NoCommonKey: The two sides have no key in common.
    """
    keyed = keyed or KeyedRows(on)
    table = Table(name, on, is_automatic=not on)
    endings = _Endings(keyed, on, left.columns, prefix)
    rows = 0
    for rows, (line, row) in enumerate(lines, start=1):
        values = row if type(row) is tuple else keyed.of(row)
        if keyed.note(values) and not on:
            keys = left.keys_with(keyed.valued)
            if keys and keys != table.keys:  # the rows before this one have no such key
                table = Table(name, keys, keyless=rows - 1)
                endings = _Endings(keyed, keys, left.columns, prefix)
        key = endings.key(values)
        if not table.keys or not _is_key(key):
            table.keyless += 1
            continue
        known = table.rows.get(key)
        if known is None:
            table.rows[key] = endings.of(line, key)
        elif not many:
            table.duplicates += 1
        elif type(known) is list:
            known.append(endings.of(line, key))
        else:
            table.rows[key] = [known, endings.of(line, key)]
    if rows and not table.keys:  # no row has a value of a key
        table.keys = choose_keys(left.columns, keyed.columns) or ()
    if rows and not (table.keys and keyed.columns.keys() >= set(table.keys)):
        raise NoCommonKey(_no_key(name, on, left.columns, keyed.columns))
    table.valued = keyed.valued
    table.columns, table.dropped = endings.columns()
    left.columns.update(table.columns)
    left.valued |= table.valued
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
        return _PLAIN.issuperset(map(type, key)) or all(map(_is_key, key))
    return key is not None and not isinstance(key, list | dict)


def _key_getter(rows: KeyedRows, keys: tuple[str, ...]) -> Callable[[Values], Any]:
    return itemgetter(*([rows.wanted.index(key) for key in keys] or [0]))


class _Endings:
    """What the rows of a right-hand side add to a line: their members but the keys, each after a comma.

    Args:
        rows: The decoder of their lines.
        keys: The columns they are joined on.
        taken: Columns that the left side has.
        prefix: Name to put before those.
    """

    def __init__(self, rows: KeyedRows, keys: tuple[str, ...], taken: Iterable[str], prefix: str):
        self.key = _key_getter(rows, keys)
        self._columns = rows.columns
        self._keys = keys
        self._names = _Names(keys, FILL_PREFIX if keys == ("fill_number",) else "", set(taken), prefix)
        self._known = -1
        self._renames = False

    def of(self, line: bytes, key: Any) -> bytes:
        """The ending of one line, cut from the line itself when it begins with the keys."""
        if len(self._columns) != self._known:
            self._known = len(self._columns)
            self._renames = any(self._names(c) != c for c in self._columns if c not in self._keys)
        if not self._renames:
            keys = self._keys
            beginning = encode(dict(zip(keys, key if len(keys) > 1 else (key,), strict=True)))[:-1]
            if line.startswith(beginning) and line[len(beginning) : len(beginning) + 1] in (b",", b"}"):
                return line[len(beginning) : -1]
        return _renamed(line, self._names)

    def columns(self) -> tuple[dict[str, None], dict[str, None]]:
        """The columns that are added, and those that aren't."""
        named = {column: self._names(column) for column in self._columns if column not in self._keys}
        added = dict.fromkeys(name for name in named.values() if name)
        return added, dict.fromkeys(self._names.fill + column for column, name in named.items() if not name)


@dataclass
class _Names:
    """The name that a right-hand column gets in the joined line; None for one that is left out."""

    keys: tuple[str, ...]
    fill: str
    taken: set[str]
    prefix: str

    def __call__(self, column: str) -> str | None:
        if column in self.keys:
            return None
        name = self.fill + column
        if name in self.taken:
            name = self.prefix + name
        return None if name in self.taken else name


def _renamed(line: bytes, names: Callable[[str], str | None]) -> bytes:
    """The members of a record under other names, each after a comma; their values stay as they are written."""
    try:
        record = _undecoded(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = decode(line)
    members: dict[str, Any] = {}
    for column, value in record.items():
        name = names(column)
        if name is not None:
            members.setdefault(name, value)
    return b"," + encode(members)[1:-1] if members else b""


class Join:
    """A chain of joins onto one stream of left-hand lines.

    Args:
        left: The left-hand lines.
        tables: Right-hand sides, in the order in which they are joined.
        inner: Drop left rows that a table doesn't know.
        prefix: Name to put before a right column that the left side has; such columns are dropped if empty.

    Attributes:
        late: Columns of a table that the left side has too, but not in its first megabyte: the rows before that
            number got the table's.
    """

    def __init__(self, left: LeftRows, tables: list[Table], *, inner: bool = False, prefix: str = ""):
        self.late: dict[str, int] = {}
        self._left = left
        self._tables = tables
        self._inner = inner
        self._prefix = prefix
        self._known = (-1, -1)
        self._steps: list[tuple[Any, ...]] = []
        self._keys_in = NamedColumns(KEY_COLUMNS).decode
        self._last_ending: bytes | None = None

    def __iter__(self) -> Iterator[bytes]:
        """The joined lines.

        Raises:
            InputError: A left row has a better key than those in the first megabyte.
        """
        columns, valued = self._left.keyed.columns, self._left.keyed.valued
        for number, (line, values) in enumerate(self._left, start=1):
            if (len(columns), len(valued)) != self._known:
                self._known = len(columns), len(valued)
                self._look_again(number)
            yield from self._joined([line[:-1]], values)

    def _look_again(self, number: int) -> None:
        """Adapt to columns that the left side has from a row on: usually its first."""
        self._steps = []
        left = self._left.side()
        for place, table in enumerate(self._tables):
            self._check_key(table, left, number)
            late = left.columns.keys() & table.columns.keys()
            self.late.update((column, number) for column in late if column not in self.late)
            names = _Names((), "", set(left.columns), self._prefix) if late else None
            self._steps.append(
                (table, _key_getter(self._left.keyed, table.keys), names, self._brings_keys(place))
            )
            left.columns.update(table.columns)
            left.valued |= table.valued

    def _check_key(self, table: Table, left: LeftSide, number: int) -> None:
        keys = left.keys_with(table.valued)
        if table.is_automatic and keys and keys != table.keys:
            raise InputError(
                f"{table.name}: joined on {' and '.join(table.keys)}, but from row {number} on the left side has "
                f"{' and '.join(keys)}: name the key with --on"
            )

    def _brings_keys(self, number: int) -> bool:
        """Whether a table has columns that later ones are joined on."""
        later = {key for table in self._tables[number + 1 :] for key in table.keys}
        table = self._tables[number]
        return not later.isdisjoint(table.columns.keys() & KEY_COLUMNS)

    def _joined(self, parts: list[bytes], values: Values, first: int = 0) -> list[bytes]:
        """The lines that a row becomes in the tables from number ``first`` on; its own has no last brace yet."""
        for number in range(first, len(self._steps)):
            table, key, names, brings = self._steps[number]
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
                rows = [self._extended([*parts], values, ending, names, brings) for ending in found]
                return [line for row in rows for line in self._joined(*row, number + 1)]
            parts, values = self._extended(parts, values, found, names, brings)
        parts.append(b"}")
        return [b"".join(parts)]

    def _extended(
        self, parts: list[bytes], values: Values, ending: bytes, names: _Names | None, brings: bool
    ) -> tuple[list[bytes], Values]:
        """The row with the members of a right-hand one, and the values with the keys that it brings."""
        if names:
            ending = _renamed(_object(ending), names)
        parts.append(ending)
        if brings and None in values:
            if ending is not self._last_ending:
                self._last_ending, self._brought = ending, self._keys_in(_object(ending))
            values = tuple(
                [new if value is None else value for value, new in zip(values, self._brought, strict=False)]
            )
        return parts, values


def _object(ending: bytes) -> bytes:
    return b"{%b}" % ending[1:]
