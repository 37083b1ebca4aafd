"""In which part of an input each row is, for work that needs all histograms of a row at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from tkstudies.records import RowKey
from tkstudies.shardwise import InTwoParts

Range = tuple[int, str | None, int | None, int | None]
"""Rows of a run in a reco: from the first to the last lumisection; None and None is the whole run."""


def ranges(keys: Iterable[RowKey]) -> list[Range]:
    """The same rows in few words.

    >>> ranges([RowKey(1, "prompt"), *(RowKey(1, "prompt", lumisection) for lumisection in (1, 2, 3, 7))])
    [(1, 'prompt', None, None), (1, 'prompt', 1, 3), (1, 'prompt', 7, 7)]
    """
    found: list[Range] = []
    for run, reco, lumisection in sorted(keys, key=lambda key: (key[0], key[1] or "", key[2] is not None, key[2])):
        before = found[-1] if found else None
        if before and lumisection is not None and before[0] == run and before[1] == reco and before[3] is not None:
            if before[3] == lumisection:
                continue
            if before[3] + 1 == lumisection:
                found[-1] = (run, reco, before[2], lumisection)
                continue
        found.append((run, reco, lumisection, lumisection))
    return found


class Places:
    """The rows of all parts so far."""

    def __init__(self) -> None:
        self._parts = 0
        self._rows: dict[tuple[int, str | None, bool], list[tuple[int, int, int]]] = {}

    def add(self, rows: Iterable[Range]) -> None:
        """Take the rows of the next part.

        Raises:
            InTwoParts: A row is in an earlier part too.
        """
        for run, reco, first, last in rows:
            is_run = first is None
            known = self._rows.setdefault((run, reco, is_run), [])
            first, last = first or 0, last or 0
            place = bisect_left(known, (first, 0, 0))
            for begin, end, part in known[max(place - 1, 0) : place + 1]:
                if begin <= last and end >= first:
                    named = f"run {run}", reco, "" if is_run else f"lumisection {max(begin, first)}"
                    raise InTwoParts(" ".join(filter(None, named)), part)
            known.insert(place, (first, last, self._parts))
        self._parts += 1
