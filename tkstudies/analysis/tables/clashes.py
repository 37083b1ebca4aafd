"""Columns that both sides of a join have: is anything lost when the right-hand ones are dropped?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tkstudies.console import Losses, listed
from tkstudies.jsonl import decode
from tkstudies.jsonl.columns import NamedColumns


class Clashes:
    """The right-hand values of such columns, held as encoded members until the left-hand row comes.

    A column is lost if a right-hand row has a value in it and the left-hand row another one, or none. Once that is
    known of a column it isn't looked at any more.

    Attributes:
        lost: The columns of which that is known.
    """

    def __init__(self) -> None:
        self.lost: dict[str, None] = {}
        self._held: dict[Any, list[bytes]] = {}
        self._open: dict[str, None] = {}
        self._left: NamedColumns | None = None

    def __bool__(self) -> bool:
        return bool(self._held)

    def fresh(self) -> Clashes:
        """The same, of which nothing was compared yet."""
        other = Clashes()
        other._held, other._open = self._held, dict(self._open)
        return other

    def hold(self, key: Any, members: bytes, columns: Iterable[str]) -> None:
        """Keep the dropped members of a right-hand row."""
        self._held.setdefault(key, []).append(members)
        self._open.update((column, None) for column in columns if column not in self.lost)

    def compare(self, key: Any, line: bytes) -> None:
        """Compare the held rows of a key with the left-hand line that they are joined onto."""
        held = self._held.get(key)
        if not (held and self._open):
            return
        if self._left is None:
            self._left = NamedColumns(self._open)
        left = dict(zip(self._left.columns, self._left.read(line), strict=False))  # two values at least
        for members in held:
            for column, value in decode(members).items():
                if column in self._open and value is not None and not _same(value, left[column]):
                    del self._open[column]
                    self.lost[column] = None
                    self._left = None
        if not self._open:
            self._held = {}


def _same(value: Any, other: Any) -> bool:
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def note_lost(columns: Iterable[str], prefix: str, losses: Losses) -> None:
    """Note the columns of which something is lost, all at once.

    >>> losses = Losses()
    >>> note_lost(["a"], "", losses)
    >>> note_lost(["a", "b"], "", losses)
    >>> losses.texts()[0]
    'a is on both sides: the right one is dropped'
    >>> losses.texts()[1]
    'a, b are on both sides with other values: the right ones are dropped'
    """
    columns = list(dict.fromkeys(columns))
    another = "another " if prefix else ""
    if len(columns) == 1:
        also = f", and so is {prefix}{columns[0]}" if prefix else ""
        text = f"{columns[0]} is on both sides{also}: the right one is dropped"
        losses.note(text, advice=f"{another}--prefix keeps it")
    elif columns:
        also = f", also under {prefix}" if prefix else ""
        text = f"{listed(columns, 10)} are on both sides with other values{also}: the right ones are dropped"
        losses.note(text, advice=f"{another}--prefix keeps them")
