"""The right-hand side of a join: its rows by key, held as encoded bytes, each as what it adds to a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from tkstudies.analysis.tables.clashes import Clashes
from tkstudies.analysis.tables.splice import Endings
from tkstudies.errors import InputError
from tkstudies.jsonl import Records
from tkstudies.jsonl.columns import LearnedColumns, Values
from tkstudies.records import AUTOMATIC_KEYS, KEY_COLUMNS, WHOLE_KEYS, choose_keys, key_value


class KeyColumns(LearnedColumns):
    """The values of the columns that may be keys, and the names of all columns, of the rows of one side.

    Args:
        on: Key columns beyond the automatic ones.

    Attributes:
        valued: Key columns of which a row that was noted has a value: absent and null are the same.
    """

    def __init__(self, on: Iterable[str] = ()):
        super().__init__(dict.fromkeys([*KEY_COLUMNS, *on]))
        self.valued: set[str] = set()
        self._unvalued = list(enumerate(self.wanted))

    def know(self, before: LeftSide) -> None:
        """Take notice of rows that came before."""
        self.columns.update(before.columns)
        self.valued |= before.valued
        self._unvalued = [(place, column) for place, column in self._unvalued if column not in self.valued]

    def note(self, values: Values) -> bool:
        """Take notice of the values of a row; whether a key column has its first value in it."""
        new = [pair for pair in self._unvalued if values[pair[0]] is not None]
        for pair in new:
            self._unvalued.remove(pair)
            self.valued.add(pair[1])
        return bool(new)

    def getter(self, keys: tuple[str, ...]) -> Callable[[Values], Any]:
        """The function that makes the key of a row from its values, None where it has none."""
        places = [self.wanted.index(key) for key in keys] or [0]
        usual = tuple(int if key in WHOLE_KEYS else str for key in keys)  # of these types a value is its own key
        get = itemgetter(*places)
        if len(keys) < 2:
            name, kind = (keys or ("",))[0], (usual or (str,))[0]

            def single(values: Values) -> Any:
                value = get(values)
                return value if type(value) is kind else key_value(name, value)

            return single

        def several(values: Values) -> Any:
            found = get(values)
            if tuple(map(type, found)) == usual:
                return found
            key = tuple(map(key_value, keys, found))
            return None if None in key else key

        return several


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
        size: Number of keys.
        keyless: Rows without a key, which nothing can be joined with.
        duplicates: Rows dropped because their key had come before.
        matched: Left rows that found a row here.
        clashes: What the dropped columns hold.
    """

    name: str
    keys: tuple[str, ...]
    is_automatic: bool = True
    valued: set[str] = set()
    columns: dict[str, None] = {}
    dropped: dict[str, None] = {}
    rows: dict[Any, bytes | list[bytes]] = {}
    size: int = 0
    keyless: int = 0
    duplicates: int = 0
    matched: int = 0
    clashes: Clashes = msgspec.field(default_factory=Clashes)

    def fresh(self) -> Table:
        """The same, with which no row was joined yet; the rows are shared."""
        return replace(self, matched=0, clashes=self.clashes.fresh())


@dataclass
class LeftSide:
    """What left-hand rows have when they arrive at a table: all columns, and the key columns with a value."""

    columns: dict[str, None]
    valued: set[str]

    def keys_with(self, right: Iterable[str]) -> tuple[str, ...] | None:
        """The key for a right-hand side that has values of these key columns."""
        return choose_keys(self.valued, right) or choose_keys(self.columns, right)

    def join(self, table: Table) -> None:
        """Take in what a table adds."""
        self.columns.update(table.columns)
        self.valued |= table.valued

    def check_key(self, table: Table, number: int) -> None:
        """Refuse a better key than a table is joined on.

        Args:
            number: Of the first row that has it.

        Raises:
            InputError: There is one.
        """
        keys = self.keys_with(table.valued)
        if table.is_automatic and keys and keys != table.keys:
            raise InputError(
                f"{table.name}: joined on {' and '.join(table.keys)}, but from row {number} on the left side has "
                f"{' and '.join(keys)}: name the key with --on"
            )


def load_table(
    name: str, records: Records, left: LeftSide, on: tuple[str, ...] = (), many: bool = False, prefix: str = ""
) -> Table:
    """Read a right-hand side and index it by its key.

    Args:
        name: Its file, for messages.
        left: What the left side will have when it arrives here; the table's own columns are added to it.
        on: Key columns; chosen by choose_keys when empty.
        many: Keep all rows of a key, not only the first.
        prefix: Name to put before columns that the left side has; they are dropped if empty.

    Raises:
        NoCommonKey: The two sides have no key in common.
    """
    columns = KeyColumns(on)
    table = Table(name, on, is_automatic=not on)
    endings = Endings(columns.columns, on, left.columns, prefix)
    key_of_row = columns.getter(on)
    rows = 0
    for rows, (line, values) in enumerate(records.rows(columns), start=1):
        if columns.note(values) and not on:
            keys = left.keys_with(columns.valued)
            if keys and keys != table.keys:  # the rows before this one have no such key
                table = Table(name, keys, keyless=rows - 1)
                endings = Endings(columns.columns, keys, left.columns, prefix)
                key_of_row = columns.getter(keys)
        key = key_of_row(values) if table.keys else None
        if key is None:
            table.keyless += 1
            continue
        known = table.rows.get(key)
        if known is None:
            table.rows[key] = endings.ending(line, key, table.clashes)
        elif not many:
            table.duplicates += 1
        elif isinstance(known, list):
            known.append(endings.ending(line, key, table.clashes))
        else:
            table.rows[key] = [known, endings.ending(line, key, table.clashes)]
    if rows and not table.keys:  # no row has a value of a key
        table.keys = choose_keys(left.columns, columns.columns) or ()
    if rows and not (table.keys and columns.columns.keys() >= set(table.keys)):
        raise NoCommonKey(_no_key(name, on, left.columns, columns.columns))
    table.valued = columns.valued
    table.columns, table.dropped = endings.columns()
    table.size = len(table.rows)
    left.join(table)
    return table


def _no_key(name: str, on: tuple[str, ...], left: Iterable[str], right: Iterable[str]) -> str:
    wanted = f"no column {', '.join(on)}" if on else "no key in common with the left side"
    choices = " or ".join("+".join(keys) for keys in AUTOMATIC_KEYS)
    advice = "" if on else f" ({choices}; --on names another)"
    return (
        f"{name}: {wanted}{advice}; it has {', '.join(list(right)[:12]) or 'no columns'}; "
        f"the left side has {', '.join(list(left)[:12])}"
    )
