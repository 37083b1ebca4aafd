"""Certification files: which runs and lumisections CMS published as good.

Format: ``{"315257": [[1, 88], [91, 92]], ...}``, run number -> inclusive ranges of lumisections; the golden and the
DCS-only files of CMS data certification have it.
"""

from __future__ import annotations

from typing import Any

from tkstudies.errors import InputError
from tkstudies.records import whole

Ranges = list[tuple[int, int]]


class Certification:
    """Good lumisections by run.

    Args:
        content: The decoded JSON of a certification file.
        name: The file, for messages.

    Raises:
        InputError: ``content`` isn't of that format.

    Example:
        >>> golden = Certification({"315257": [[1, 88], [91, 92]]}, "golden.json")
        >>> golden.contains(315257), golden.contains(315258), golden.contains(315257, 90)
        (True, False, False)
    """

    def __init__(self, content: Any, name: str):
        try:
            self._ranges: dict[int, Ranges] = {
                int(run): [_range(*bounds) for bounds in ranges] for run, ranges in content.items()
            }
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(
                f'{name} is not a certification file: expected {{"315257": [[1, 88], [91, 92]], ...}} ({error})'
            ) from None

    @property
    def runs(self) -> frozenset[int]:
        """Runs with at least one good lumisection."""
        return frozenset(run for run, ranges in self._ranges.items() if ranges)

    def contains(self, run: Any, lumisection: Any = None) -> bool:
        """Is the lumisection good, or, without one, has the run a good one? What isn't a number is not good."""
        number = whole(run)
        ranges = [] if number is None else self._ranges.get(number, [])
        if lumisection is None:
            return bool(ranges)
        place = whole(lumisection)
        return place is not None and any(first <= place <= last for first, last in ranges)


def _range(first: Any, last: Any) -> tuple[int, int]:
    if type(first) is not int or type(last) is not int:
        raise ValueError(f"no range of lumisections: [{first!r}, {last!r}]")
    return first, last
