"""Some columns of every record, chosen by shell patterns."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tkstudies import console
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, encode
from tkstudies.records import Record
from tkstudies.shardwise import Shardwise


class Selection(Shardwise):
    """Keeps the columns that match patterns, in the order of the patterns.

    Args:
        patterns: Shell patterns of column names.
        drop: Drop these columns and keep the others in their order.
    """

    def __init__(self, patterns: Sequence[str], drop: bool = False):
        self._patterns = patterns
        self._drop = drop
        self._known: dict[tuple[str, ...], list[str]] = {}  # columns of a record -> those that are kept
        self._met: set[str] = set()

    def rows(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
        """The records with the chosen columns."""
        for record in records:
            columns = tuple(record)
            kept = self._known.get(columns)
            if kept is None:
                kept = self._known[columns] = self._choose(columns)
            yield {column: record[column] for column in kept}

    def lines(self, records: Records) -> Iterator[bytes]:
        return map(encode, self.rows(records))

    def recipe(self) -> Any:
        return [list(self._patterns), self._drop]

    def fresh(self) -> Selection:
        return Selection(self._patterns, self._drop)

    def noted(self) -> Any:
        return self._known, self._met

    def absorb(self, noted: Any) -> None:
        known, met = noted
        self._known.update(known)
        self._met |= met

    def _choose(self, columns: tuple[str, ...]) -> list[str]:
        names = set(columns)
        matches = {  # an exact name goes before a pattern: [x] is a column of that name, if there is one
            pattern: [pattern] if pattern in names else fnmatch.filter(columns, pattern) for pattern in self._patterns
        }
        self._met.update(pattern for pattern, found in matches.items() if found)
        chosen = list(dict.fromkeys(chain.from_iterable(matches.values())))
        return [column for column in columns if column not in chosen] if self._drop else chosen

    def losses(self) -> console.Losses:
        """Patterns that no column of any record matched, after the work."""
        losses = console.Losses()
        for told in self._unmet():
            losses.note(told)
        return losses

    def check(self) -> None:
        if not self._drop and not self._met and (unmet := self._unmet()):
            raise InputError("; ".join(unmet))

    def _unmet(self) -> list[str]:
        columns = dict.fromkeys(chain.from_iterable(self._known))
        return [
            f"no column matches {pattern}; {console.alternatives(pattern, columns)}"
            for pattern in (self._patterns if self._known else ())
            if pattern not in self._met
        ]


def select_columns(records: Iterable[Mapping[str, Any]], *patterns: str, drop: bool = False) -> Iterator[Record]:
    """Keep the columns that match shell patterns, as ``tkstudies select`` does.

    Args:
        drop: Drop them and keep the others.

    Example:
        >>> list(select_columns([{"run_number": 1, "Hits.mean": 9.5, "Hits.rms": 2.0}], "run_number", "*.mean"))
        [{'run_number': 1, 'Hits.mean': 9.5}]
    """
    return Selection(patterns, drop).rows(records)
