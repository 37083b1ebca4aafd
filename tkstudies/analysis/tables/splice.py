"""Joined lines out of encoded ones: what a right-hand record adds to a line, cut from its own bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from tkstudies.analysis.tables.clashes import Clashes
from tkstudies.jsonl import decode, encode

FILL_PREFIX = "fill__"

_undecoded = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Endings:
    """What the rows of a right-hand side add to a line: their members but the keys, each after a comma.

    Args:
        columns: All their columns, as far as they are known.
        keys: The columns they are joined on.
        taken: Columns that the left side has.
        prefix: Name to put before those.
    """

    def __init__(self, columns: dict[str, None], keys: tuple[str, ...], taken: Iterable[str], prefix: str):
        self._columns = columns
        self._keys = keys
        self._names = Names(keys, FILL_PREFIX if keys == ("fill_number",) else "", set(taken), prefix)
        self._known = -1
        self._renames = False

    def ending(self, line: bytes, key: Any, clashes: Clashes) -> bytes:
        """The ending of one line, cut from the line itself when it begins with the keys; the rest into ``clashes``."""
        if len(self._columns) != self._known:
            self._known = len(self._columns)
            self._renames = any(self._names(c) != c for c in self._columns if c not in self._keys)
        if not self._renames:
            keys = self._keys
            beginning = encode(dict(zip(keys, key if len(keys) > 1 else (key,), strict=True)))[:-1]
            if line.startswith(beginning) and line[len(beginning) : len(beginning) + 1] in (b",", b"}"):
                return line[len(beginning) : -1]
        left_out: dict[str, Any] = {}
        ending = renamed(line, self._names, left_out)
        if left_out:
            clashes.hold(key, encode(left_out), left_out)
        return ending

    def columns(self) -> tuple[dict[str, None], dict[str, None]]:
        """The columns that are added, and those that aren't."""
        named = {column: self._names(column) for column in self._columns if column not in self._keys}
        added = dict.fromkeys(name for name in named.values() if name)
        return added, dict.fromkeys(self._names.fill + column for column, name in named.items() if not name)


@dataclass
class Names:
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


def renamed(line: bytes, names: Names, left_out: dict[str, Any] | None = None) -> bytes:
    """The members of a record under other names, each after a comma; their values stay as they are written.

    Args:
        left_out: Gets the members that have no name, but the keys, as the left side calls them.
    """
    try:
        record = _undecoded(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = decode(line)
    members: dict[str, Any] = {}
    for column, value in record.items():
        name = names(column)
        if name is not None:
            members.setdefault(name, value)
        elif left_out is not None and column not in names.keys:
            left_out[names.fill + column] = value
    return b"," + encode(members)[1:-1] if members else b""


def as_line(ending: bytes) -> bytes:
    """The record that an ending is the members of."""
    return b"{%b}" % ending[1:]
