"""Which runs are wanted: ranges of run numbers, fills, times; independent of the service that is asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Range = tuple[int, int]

HIGHEST = 9_999_999
"""Above all run and fill numbers: the end of a range that is open."""


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Inclusive ranges in order, joined where they overlap or touch.

    >>> merged([(7, 9), (1, 3), (4, 4), (8, 12)])
    [(1, 4), (7, 12)]
    """
    return coarse(ranges, 0)


def coarse(ranges: Iterable[Range], gap: int) -> list[Range]:
    """Fewer ranges that cover the same numbers: joined across at most ``gap`` numbers that nobody asked for.

    >>> coarse([(1, 1), (3, 3), (9, 9)], 1)
    [(1, 3), (9, 9)]
    """
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1 + gap:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result


def intersected(left: Iterable[Range], right: Iterable[Range]) -> list[Range]:
    """The numbers that are in both.

    >>> intersected([(1, 5), (9, 12)], [(4, 10)])
    [(4, 5), (9, 10)]
    """
    right = list(right)
    overlaps = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return merged((first, last) for first, last in overlaps if first <= last)


class Numbers:
    """A set of numbers given as inclusive ranges, quick to ask.

    >>> numbers = Numbers([(1, 3), (9, 9)])
    >>> 2 in numbers, 4 in numbers, 9 in numbers, None in numbers, len(numbers)
    (True, False, True, False, 4)
    """

    def __init__(self, ranges: Iterable[Range]):
        self.ranges = merged(ranges)
        self._firsts = [first for first, _ in self.ranges]

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Numbers:
        """The set of these numbers.

        >>> Numbers.of([7, 3, 4]).ranges
        [(3, 4), (7, 7)]
        """
        return cls((number, number) for number in numbers)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self.ranges[index][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        return (number for first, last in self.ranges for number in range(first, last + 1))


@dataclass(frozen=True)
class RunSelection:
    """The runs that fulfil all of these conditions; None is no condition.

    Attributes:
        runs: Run numbers; no range at all selects nothing.
        fills: LHC fill numbers.
        since, until: Start of the run, inclusive, UTC as ``2018-06-21T02:11:05Z``.
        min_lumisections: The run has at least that many lumisections.
        classes: Run classes of the Run Registry, any of them.
        runtype: ``collisions`` or ``cosmics``.
    """

    runs: Numbers | None = None
    fills: Numbers | None = None
    since: str | None = None
    until: str | None = None
    min_lumisections: int | None = None
    classes: tuple[str, ...] = ()
    runtype: str | None = None

    @property
    def is_bounded(self) -> bool:
        """Is it less than everything that was ever taken?"""
        given = (self.runs, self.fills, self.since, self.until)
        return any(part is not None for part in given) or bool(self.classes)

    @property
    def is_empty(self) -> bool:
        """Is it known beforehand that no run fulfils it?"""
        return any(part is not None and not part.ranges for part in (self.runs, self.fills))

    @property
    def needs_oms(self) -> bool:
        """Are there conditions on what only OMS (and what copies it) knows of a run?"""
        return any(part is not None for part in (self.fills, self.since, self.until, self.min_lumisections))
