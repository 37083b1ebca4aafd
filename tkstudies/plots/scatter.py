"""Scatter plots: one point per record, coloured by a status, a word or a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tkstudies.errors import InputError
from tkstudies.plots.figures import COLOURS, STATUS_COLOURS, UNKNOWN

NO_VALUE = "no value"

_MOST_COLOURS = len(COLOURS)
_MOST_PANELS = 12
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME_PLACES = ((5, 4), (5, -10), (5, 14), (5, -20))  # beside a point, in typographic points


class Point(NamedTuple):
    """A record and where it is drawn."""

    x: float
    y: float
    row: dict[str, Any]


def scatter(
    records: Sequence[dict[str, Any]],
    x: str,
    y: str,
    *,
    hue: str = "",
    facet: str = "",
    annotate: int = 0,
    title: str = "",
) -> tuple[Figure, int]:
    """Draw ``y`` against ``x``, columns of numbers or of times.

    Args:
        records: Rows; those without two finite numbers (or times) aren't drawn.
        hue: Column to colour by: numbers get a colour bar, words a legend with counts.
        facet: Column whose values get a panel each.
        annotate: Name the runs of so many rows with the largest ``t2``.

    Returns:
        The figure and the number of points.

    Raises:
        InputError: No row has both coordinates, or ``facet`` has too many values.
    """
    along, up = _Axis(x, records), _Axis(y, records)
    points = [
        Point(left, height, row)
        for row in records
        if (left := along.value(row)) is not None and (height := up.value(row)) is not None
    ]
    if not points:
        raise InputError(f"no record has a number (or time) in both {x} and {y}")
    panels = _panels(points, facet)
    colours = _Colours(points, hue)
    across = min(len(panels), 3)
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(6.8 if across == 1 else 4.2 * across + 1.6, 4.8 * down), layout="constrained")
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    along.set(axes[0].xaxis, most_ticks=7 if across == 1 else 4)
    up.set(axes[0].yaxis, most_ticks=8)
    for place, (ax, (name, members)) in enumerate(zip(axes, panels.items(), strict=False)):
        colours.draw(ax, members)
        if name is not None:
            ax.set_title(f"{facet}: {name}", fontsize=10)
        ax.set_xlabel(x)
        ax.set_ylabel(y)
        ax.tick_params(labelbottom=place + across >= len(panels))
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    _annotate(axes, panels, annotate)
    colours.explain(figure, axes)
    if title:
        figure.suptitle(title)
    return figure, len(points)


class _Axis:
    """One coordinate: a column of numbers, or of times in ISO 8601 if it has no numbers.

    Raises:
        InputError: It has neither.
    """

    def __init__(self, column: str, records: Sequence[dict[str, Any]]):
        self._column = column
        self._read = next((read for read in (_number, _time) if any(self._values(records, read))), None)
        if self._read is None:
            others = [
                name
                for name in _columns(records)
                if any(_number(row.get(name)) is not None for row in records[:100])
            ]
            raise InputError(
                f"no record has a number (or time) in {column}; columns with numbers are {', '.join(others[:30])}"
            )

    def _values(self, records: Sequence[dict[str, Any]], read: Any) -> Iterator[bool]:
        return (read(row.get(self._column)) is not None for row in records)

    def value(self, row: dict[str, Any]) -> float | None:
        """Where a row lies along the axis."""
        return self._read(row.get(self._column))

    def set(self, axis: Any, most_ticks: int) -> None:
        """Set its ticks, few enough not to touch each other."""
        if self._read is _time:
            locator = AutoDateLocator(maxticks=most_ticks)
            axis.set_major_formatter(ConciseDateFormatter(locator))
        else:
            locator = MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10])
        axis.set_major_locator(locator)


def _columns(records: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(column for row in records[:100] for column in row))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _time(value: Any) -> float | None:
    """Days since 1970 of a UTC time such as 2018-06-21T02:11:05Z."""
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        return float(date2num(np.datetime64(value.removesuffix("Z"), "ms")))
    except ValueError:
        return None


def _word(value: Any) -> str:
    if value is None:
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _panels(points: Sequence[Point], facet: str) -> dict[str | None, list[Point]]:
    if not facet:
        return {None: list(points)}
    panels: dict[str | None, list[Point]] = {}
    for point in points:
        panels.setdefault(_word(point.row.get(facet)), []).append(point)
    if len(panels) > _MOST_PANELS:
        raise InputError(
            f"--facet {facet} has {len(panels)} values: at most {_MOST_PANELS} panels can be drawn"
        )
    return dict(sorted(panels.items(), key=lambda item: str(item[0])))


class _Colours:
    """The colours of one figure: the same in all its panels."""

    def __init__(self, points: Sequence[Point], hue: str):
        values = [point.row.get(hue) for point in points]
        known = [value for value in values if value is not None]
        self._hue = hue if known else ""
        self._numbers = [n for n in map(_number, known) if n is not None]
        self._is_numeric = bool(self._numbers) and len(self._numbers) == len(known)
        self._mappable: Any = None
        self._counts: dict[str, int] = {}
        for value in values:
            self._counts[_word(value)] = self._counts.get(_word(value), 0) + 1
        most_first = sorted(self._counts, key=lambda word: (word == NO_VALUE, -self._counts[word], word))
        self._words = most_first[:_MOST_COLOURS]
        self._colour = _colours_of([word for word in self._words if word != NO_VALUE])

    def draw(self, ax: Axes, points: Sequence[Point]) -> None:
        """Draw the points of one panel."""
        if not self._hue:
            _draw(ax, points, color=COLOURS[0])
        elif self._is_numeric:
            coloured = [point for point in points if _number(point.row.get(self._hue)) is not None]
            _draw(ax, [p for p in points if _number(p.row.get(self._hue)) is None], color=UNKNOWN)
            self._mappable = _draw(
                ax,
                coloured,
                c=[point.row[self._hue] for point in coloured],
                cmap="viridis",
                vmin=min(self._numbers),
                vmax=max(self._numbers),
            )
        else:
            for word in [*self._words, None]:  # the many first, so that the few lie on top
                members = [point for point in points if self._shown_word(point) == word]
                if members:
                    _draw(ax, members, color=self._colour.get(word or "", UNKNOWN))

    def _shown_word(self, point: Point) -> str | None:
        word = _word(point.row.get(self._hue))
        return word if word in self._words else None

    def explain(self, figure: Figure, axes: Sequence[Axes]) -> None:
        """Add the colour bar or the legend."""
        if not self._hue:
            return
        if self._is_numeric:
            figure.colorbar(self._mappable, ax=list(axes), label=self._hue)
            return
        labels = {word: f"{word} ({self._counts[word]})" for word in self._words}
        others = sum(count for word, count in self._counts.items() if word not in self._words)
        if others:
            labels[""] = f"others ({others})"
        handles = [
            Line2D([], [], marker="o", linestyle="", color=self._colour.get(word, UNKNOWN), label=text)
            for word, text in labels.items()
        ]
        figure.legend(handles=handles, title=self._hue, loc="outside right upper")


def _colours_of(words: Sequence[str]) -> dict[str, str]:
    """A colour of its own for each word; statuses have theirs always."""
    colours = {word: STATUS_COLOURS[word.upper()] for word in words if word.upper() in STATUS_COLOURS}
    free = iter([colour for colour in COLOURS if colour not in colours.values()])
    return {word: colours.get(word) or next(free, UNKNOWN) for word in words}


def _draw(ax: Axes, points: Sequence[Point], **colour: Any) -> Any:
    size = 26 if len(points) < 2000 else 9
    style = {"s": size, "alpha": 0.8, "linewidths": 0.4, "edgecolors": "white"}
    return ax.scatter([point.x for point in points], [point.y for point in points], **style, **colour)


def _annotate(axes: Sequence[Axes], panels: dict[Any, list[Point]], number: int) -> None:
    """Name the rows that lie farthest out by Hotelling's T2, one for each run (or lumisection)."""
    found = [
        (point.row["t2"], ax, point)
        for ax, points in zip(axes, panels.values(), strict=False)
        for point in points
        if _number(point.row.get("t2")) is not None
    ]
    named: dict[tuple[Any, Any], tuple[Axes, Point]] = {}
    for _, ax, point in sorted(found, key=lambda item: -item[0]):
        key = point.row.get("run_number"), point.row.get("lumisection_number")
        if len(named) < number and key not in named:
            near = sum(_is_near(ax, point, other) for where, other in named.values() if where is ax)
            named[key] = ax, point
            words = [str(word) for word in (*key, point.row.get("reco")) if word is not None]
            _name(ax, point, " ".join(words), _NAME_PLACES[near % len(_NAME_PLACES)])


def _is_near(ax: Axes, one: Point, other: Point) -> bool:
    """Would names at the same side of both points overlap?"""
    (left, low), (right, high) = ax.viewLim.min, ax.viewLim.max
    return abs(one.x - other.x) < 0.2 * (right - left) and abs(one.y - other.y) < 0.05 * (high - low)


def _name(ax: Axes, point: Point, text: str, place: tuple[int, int]) -> None:
    (left, _), (right, _) = ax.viewLim.min, ax.viewLim.max
    at_the_right = point.x > left + 0.8 * (right - left)
    ax.annotate(
        text,
        (point.x, point.y),
        xytext=(-place[0] if at_the_right else place[0], place[1]),
        textcoords="offset points",
        horizontalalignment="right" if at_the_right else "left",
        fontsize=7.5,
        color="#333333",
    )
