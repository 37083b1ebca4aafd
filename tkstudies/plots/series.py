"""Series along runs or time: points of each word with its colour and marker, joined by thin lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.plots.axes import Axis, Point, coordinates
from tkstudies.plots.colours import Hue
from tkstudies.plots.palette import AREAS, COLOURS
from tkstudies.plots.panels import many
from tkstudies.plots.slots import SideBySide
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_JOINED = 300  # points of a series: more are a cloud, in which lines hide them
_DAY = 86_400  # seconds

Span = Callable[[Point], tuple[float, float]]
"""From where to where a point reaches along the horizontal axis."""


def axis_along(column: str, records: Sequence[Record], side_by_side: bool, width: str) -> tuple[Axis, Span | None]:
    """The horizontal axis of a series, and how far its points reach if they have a width.

    Along time a duration is to scale; otherwise what has a width stands side by side.
    """
    plain = Axis(column, records)
    if width == "duration" and plain.is_time and not side_by_side:
        durations = Axis(width, records)
        return plain, lambda point: (point.x, point.x + max(durations.value(point.row) or 0, 0) / _DAY)
    if not (side_by_side or width):
        return plain, None
    slots = SideBySide(column, records, width)
    return slots, slots.span if width else None


def draw_series(ax: Axes, points: Sequence[Point], hue: Hue, span: Span | None = None, *, joined: bool = True) -> None:
    """Draw the points of one panel, in the layers of their colours."""
    if not hue.column:
        draw_one(ax, points, COLOURS[0], "o", span, joined=joined)
        return
    members: dict[str | None, list[Point]] = {}
    for point in points:
        members.setdefault(hue.shown_word(point.row), []).append(point)
    for word in hue.layers():
        if word in members:
            draw_one(ax, members[word], hue.colour(word), hue.marker(word), span, joined=joined)


def draw_one(
    ax: Axes, points: Sequence[Point], colour: str, marker: str, span: Span | None = None, *, joined: bool = True
) -> None:
    """Draw one series, joined by a line if its points are few."""
    points = sorted(points, key=lambda point: point.x)
    x, y = coordinates(points)
    if span:
        left, right = coordinates([span(point) for point in points])
        ax.hlines(y, left, right, color=colour, linewidth=2.5, alpha=0.8, **many(len(points)))
        x = (left + right) / 2
    elif joined and len(points) <= _JOINED:
        ax.plot(x, y, color=colour, linewidth=0.8, alpha=0.35, zorder=1.6)
    few = len(points) < 2000
    size = ((14 if span else 26) if few else 8) * AREAS.get(marker, 1)
    look: dict[str, Any] = {"s": size, "alpha": 0.85, "linewidths": 0.4 if few else 0}
    ax.scatter(x, y, color=colour, marker=marker, edgecolors="white", **look, **many(len(points)))
