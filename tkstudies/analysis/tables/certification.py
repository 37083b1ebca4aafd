"""Certification files: which runs and lumisections CMS published as good.

Format: ``{"315257": [[1, 88], [91, 92]], ...}``, run number -> inclusive ranges of lumisections, in any order; the
golden and the DCS-only files of CMS data certification have it. A file that breaks its rules is refused: what a
broken one means can't be known, and a guess would make runs good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from tkstudies.errors import InputError
from tkstudies.records import whole

Ranges = list[tuple[int, int]]

_KIND = "a certification file"
_RUN = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class Certification:
    """Good lumisections by run.

    Args:
        content: The decoded JSON of a certification file, or the pairs of its runs and ranges.
        name: The file, for messages.

    Raises:
        InputError: ``content`` isn't of that format: it isn't an object of lists of ranges, a run's number isn't
            plain or comes twice, a range isn't two whole numbers from 1, is reversed, or overlaps another one.

    Example:
        >>> golden = Certification({"315257": [[1, 88], [91, 92]]}, "golden.json")
        >>> golden.contains(315257), golden.contains(315258), golden.contains(315257, 90)
        (True, False, False)
    """

    def __init__(self, content: Any, name: str):
        self.name = name
        self._ranges: dict[int, Ranges] = {}
        try:
            for run, ranges in _pairs(content):
                self._add(run, ranges)
        except ValueError as error:
            raise InputError(
                f'{name} is not {_KIND}: {error} (expected {{"315257": [[1, 88], [91, 92]], ...}})'
            ) from None

    def _add(self, run: Any, ranges: Any) -> None:
        if not (isinstance(run, str) and _RUN.fullmatch(run)):
            raise ValueError(f"{_quoted(run)} is no run number")
        if int(run) in self._ranges:
            raise ValueError(f"run {run} is named twice")
        try:
            self._ranges[int(run)] = _checked(ranges)
        except ValueError as error:
            raise ValueError(f"run {run}: {error}") from None

    @property
    def runs(self) -> frozenset[int]:
        """Runs with at least one good lumisection."""
        return frozenset(run for run, ranges in self._ranges.items() if ranges)

    def content(self) -> dict[str, Ranges]:
        """What the file says, in order."""
        return {str(run): ranges for run, ranges in self._ranges.items()}

    def contains(self, run: Any, lumisection: Any = None) -> bool:
        """Is the lumisection good, or, without one, has the run a good one? What isn't a number is not good."""
        number = whole(run)
        ranges = [] if number is None else self._ranges.get(number, [])
        if lumisection is None:
            return bool(ranges)
        place = whole(lumisection)
        return place is not None and any(first <= place <= last for first, last in ranges)


def read_certification(file: str) -> Certification:
    """The good runs and lumisections of a certification file, plain or gzip.

    Raises:
        InputError: It can't be read, or is none.
    """
    from tkstudies.jsonl import shown, value_in

    return Certification(value_in(file, _KIND, _decoded), shown(file))


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in the order of the text; a dict would keep the last of those with one name."""


def _decoded(text: bytes) -> Any:
    import json

    return json.loads(text, object_pairs_hook=_Pairs)


def _pairs(content: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(content, Mapping):
        return content.items()
    if isinstance(content, _Pairs):
        return content
    raise ValueError(f"{_quoted(content)} is no object of runs")


def _checked(ranges: Any) -> Ranges:
    if type(ranges) is not list:
        raise ValueError(f"{_quoted(ranges)} is no list of ranges")
    found = [_range(bounds) for bounds in ranges]
    in_order = sorted(found)
    for before, after in pairwise(in_order):
        if after[0] <= before[1]:
            raise ValueError(f"{_quoted(before)} and {_quoted(after)} overlap")
    return found


def _range(bounds: Any) -> tuple[int, int]:
    """Two whole numbers; true, 12.0 and "12" are none: whoever writes a file with them makes other mistakes too."""
    if type(bounds) not in (list, tuple) or len(bounds) != 2 or not all(type(bound) is int for bound in bounds):
        raise ValueError(f"{_quoted(bounds)} is no range of lumisections")
    first, last = bounds
    if first < 1:
        raise ValueError(f"{_quoted(bounds)}: lumisections count from 1")
    if first > last:
        raise ValueError(f"{_quoted(bounds)} is reversed")
    return first, last


def _quoted(value: Any) -> str:
    """The beginning of a value as JSON writes it, safe for a terminal."""
    import json

    value = dict(value) if isinstance(value, _Pairs) else value
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
