"""What the columns mean that the commands write: unit, type, one sentence, and which command makes them.

The table is `columns.jsonl` beside this module, one entry a line. In the name of an entry ``*`` stands for any text
and ``#`` for a number. A name that means different things in different tables has an entry for each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).with_name("columns.jsonl")
_WILD = {"*": ".+", "#": "[0-9]+"}
_FILL = "fill"  # the prefix that `merge` gives to the columns of fills


class Entry(NamedTuple):
    """What one column, or each column of a kind, means.

    Attributes:
        column: Its name, or a pattern with ``*`` and ``#``.
        unit: As the service writes it, several joined by " or "; None where there is none.
        type: integer, number, text, boolean, list, time or object.
        meaning: One sentence.
        command: The commands that make it, joined by commas.
    """

    column: str
    unit: str | None
    type: str
    meaning: str
    command: str

    @property
    def commands(self) -> set[str]:
        """The commands that make the column."""
        return set(self.command.split(", "))


@lru_cache
def entries() -> tuple[Entry, ...]:
    """The whole catalogue, by command."""
    return tuple(Entry(**json.loads(line)) for line in _TABLE.read_text(encoding="utf-8").splitlines())


def names() -> list[str]:
    """The columns that have an entry of their own, each once."""
    return [name for name in dict.fromkeys(entry.column for entry in entries()) if not _is_pattern(name)]


def find(column: str) -> list[Entry]:
    """The entries that explain a column, none if it is unknown.

    Its own name counts first, then what it is behind ``fill__``, then patterns, then what it is behind another
    prefix that ``merge --prefix`` may have given.

    Example:
        >>> [entry.column for entry in find("fill__era")], [entry.type for entry in find("Hits.Pixel.mean")]
        (['era'], ['number'])
    """
    own = [entry for entry in entries() if entry.column == column]
    if own:
        return own
    prefix, joined, name = column.partition("__")
    known = find(name) if joined else []
    if prefix == _FILL:
        of_fills = [entry for entry in known if "oms fills" in entry.commands]
        if of_fills:
            return of_fills
    matching = [entry for entry in entries() if _is_pattern(entry.column) and _matches(entry.column, column)]
    return matching or known


def explain(columns: Iterable[str]) -> dict[str, Entry | None]:
    """The entry that explains each column of a table, None for an unknown one.

    Where a name means several things the other columns of the table decide: in their order each leaves those
    meanings that come from one of its own commands, if there are any. What is left first counts.

    Example:
        >>> tables = ["run_number", "duration"], ["first_run_number", "duration"]
        >>> [explain(table)["duration"].command for table in tables]
        ['oms runs', 'oms fills']
    """
    found = {column: find(column) for column in columns}
    makers = [
        set().union(*(entry.commands for entry in known)) for column, known in found.items() if "__" not in column
    ]
    return {column: _likeliest(known, makers) for column, known in found.items()}


def _likeliest(known: list[Entry], makers: list[set[str]]) -> Entry | None:
    for commands in makers if len(known) > 1 else ():
        known = [entry for entry in known if entry.commands & commands] or known
    return known[0] if known else None


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in _WILD)


def _matches(pattern: str, column: str) -> bool:
    return _regular_expression(pattern).fullmatch(column) is not None


@lru_cache
def _regular_expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_WILD.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)
