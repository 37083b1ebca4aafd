"""Coordinates: columns of numbers or of times, their ticks, and panels for the values of a column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tkstudies.errors import InputError
from tkstudies.plots.colours import is_drawable, word
from tkstudies.plots.texts import advice, columns_of
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as MatplotlibAxis
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

_MOST_PANELS = 12
_MOST_ACROSS = 3
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = re.compile(r"(?P<time>.*:.*)(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})")
_FIRST_DAY, _LAST_DAY = -25567, 84006  # of 1900 and of 2200: what lies beyond stands for no time or no end


class Axis:
    """One coordinate: a column of numbers, or of times in ISO 8601 if it has no numbers.

    Raises:
        InputError: It has neither.
    """

    def __init__(self, column: str, records: Sequence[Record]):
        self._column = column
        kinds: tuple[Callable[[Any], float | None], ...] = (number, days)
        read = next((read for read in kinds if any(read(row.get(column)) is not None for row in records)), None)
        if read is None:
            raise InputError(_without_numbers(column, records))
        self._read = read

    def value(self, record: Record) -> float | None:
        """Where a record lies along the axis, None if it has no number there, or one that can't be drawn."""
        value = self._read(record.get(self._column))
        return value if value is not None and self._is_drawable(value) else None

    def is_beyond(self, record: Record) -> bool:
        """Has it a number or a time for which there is no room in a picture?"""
        value = self._read(record.get(self._column))
        return value is not None and not self._is_drawable(value)

    def _is_drawable(self, value: float) -> bool:
        return _FIRST_DAY <= value < _LAST_DAY if self._read is days else is_drawable(value)

    def set_ticks(self, axis: MatplotlibAxis, most: int) -> None:
        """Set ticks, few enough for their labels not to touch each other."""
        locator: Locator
        if self._read is days:
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator = AutoDateLocator(maxticks=most)
            axis.set_major_formatter(ConciseDateFormatter(locator))
        else:
            from matplotlib.ticker import MaxNLocator

            locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
        axis.set_major_locator(locator)


def days(value: Any) -> float | None:
    """Days since 1970 of a UTC time such as 2018-06-21T02:11:05Z, None of anything else.

    >>> days("1970-01-02T12:00:00Z"), days("2018"), days(7)
    (1.5, None, None)
    """
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    from matplotlib.dates import date2num
    from numpy import datetime64

    try:
        time, offset = _without_offset(value.removesuffix("Z"))
        return float(date2num(datetime64(time, "ms"))) - offset
    except ValueError:
        return None


def _without_offset(time: str) -> tuple[str, float]:
    """A time, and by how many days its zone is ahead of UTC."""
    match = _OFFSET.fullmatch(time)
    if match is None:
        return time, 0
    ahead = (int(match["hours"]) + int(match["minutes"]) / 60) / 24
    return match["time"], -ahead if match["sign"] == "-" else ahead


def _without_numbers(column: str, records: Sequence[Record]) -> str:
    """What to say of a column that can't be an axis."""
    numeric = _columns_with_numbers(records)
    text = f"no record has a number (or time) in {column}; columns with numbers are {', '.join(numeric[:30])}"
    columns = columns_of(records)
    hint = "" if column in columns else advice(column, columns)
    hint = "; ".join(part for part in hint.split("; ") if not part.startswith("columns are"))
    return f"{text}; {hint}" if hint else text


def _columns_with_numbers(records: Sequence[Record]) -> list[str]:
    return [
        column for column in columns_of(records) if any(number(record.get(column)) is not None for record in records)
    ]


class Point(NamedTuple):
    """A record and where it is drawn."""

    x: float
    y: float
    row: Record


def split_by(facet: str, points: Sequence[Point]) -> dict[str | None, list[Point]]:
    """The points of each panel, by the value of the column ``facet``; one panel without a name if there is none.

    Raises:
        InputError: There are too many values.
    """
    if not facet:
        return {None: list(points)}
    panels: dict[str | None, list[Point]] = {}
    for point in points:
        panels.setdefault(word(point.row.get(facet)), []).append(point)
    if len(panels) > _MOST_PANELS:
        raise InputError(f"--facet {facet} has {len(panels)} values: at most {_MOST_PANELS} panels can be drawn")
    return dict(sorted(panels.items(), key=lambda item: str(item[0])))


def figure_with_panels(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, in rows of at most three; all have the same axes."""
    from matplotlib.figure import Figure

    across = panels_across(panels)
    down = math.ceil(panels / across)
    size = (6.8 if across == 1 else 4.2 * across + 1.6, 4.8 * down)
    figure = Figure(figsize=size, layout="constrained")
    axes = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel())
    for place, ax in enumerate(axes[:panels]):
        ax.tick_params(labelbottom=place + across >= panels)
    for ax in axes[panels:]:
        ax.set_visible(False)
    return figure, axes[:panels]


def panels_across(panels: int) -> int:
    """How many of so many panels stand side by side."""
    return min(panels, _MOST_ACROSS)
