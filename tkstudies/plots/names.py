"""Names beside points, joined to them by lines, apart from each other and inside their panel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tkstudies.plots.axes import Point
from tkstudies.plots.texts import shown
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

_NEAR = 10  # typographic points from a point to its name
_DOT = 3  # radius of a point
_RINGS, _DIRECTIONS = (1, 2, 3.5, 5, 7), (30, -30, 150, -150, 60, -60, 120, -120, 90, -90, 0, 180)
_MOST_AVOIDED = 400  # points that names keep off; among more there is no free place


class Name(NamedTuple):
    """A point and what it is called."""

    point: Point
    text: str


class _Box(NamedTuple):
    left: float
    low: float
    right: float
    high: float

    def meets(self, other: _Box) -> bool:
        apart = self.right < other.left or other.right < self.left or self.high < other.low or other.high < self.low
        return not apart


def row_name(record: Record) -> str:
    """What a row is called: run, lumisection and reconstruction, as far as it has them.

    >>> row_name({"run_number": 317295, "reco": "prompt"}), row_name({"t2": 1})
    ('317295 prompt', '')
    """
    keys = ("run_number", "lumisection_number", "reco")
    return " ".join(shown(record[key], 20) for key in keys if record.get(key) is not None)


def name_points(panels: Iterable[tuple[Axes, list[Point]]], names: Sequence[Name], size: float) -> None:
    """Write the names into the panels that have their points; the layout of the figure must stand.

    Args:
        size: Of the letters [typographic points].
    """
    for ax, points in panels:
        own = {id(point) for point in points}
        named = [name for name in names if id(name.point) in own]
        if not named:
            continue
        scale = 72 / ax.figure.dpi
        width, height = scale * ax.bbox.width, scale * ax.bbox.height
        taken = [_dot(*_place(ax, point, scale)) for point in points[:_MOST_AVOIDED]]
        taken += [_box_of(ax, text.get_window_extent(), scale) for text in ax.texts]
        for name in named:
            x, y = _place(ax, name.point, scale)
            text = _write(ax, name, size)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of letters that the font lacks, which saving tells
                extent = text.get_window_extent()
            box = _free_box(x, y, scale * extent.width + 2, scale * extent.height, taken, width, height)
            taken.append(box)
            _move(ax, text, name.point, _Box(box.left - x, box.low - y, box.right - x, box.high - y))


def _place(ax: Axes, point: Point, scale: float) -> tuple[float, float]:
    """Where a point lies in its panel [typographic points from the lower left corner]."""
    across, up = ax.transData.transform((point.x, point.y))
    return scale * (across - ax.bbox.x0), scale * (up - ax.bbox.y0)


def _box_of(ax: Axes, extent: Bbox, scale: float) -> _Box:
    left, low = extent.x0 - ax.bbox.x0, extent.y0 - ax.bbox.y0
    return _Box(scale * left, scale * low, scale * (left + extent.width), scale * (low + extent.height))


def _dot(x: float, y: float) -> _Box:
    return _Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT)


def _free_box(
    x: float, y: float, length: float, high: float, taken: Sequence[_Box], width: float, height: float
) -> _Box:
    """The nearest room for a text around a place; where there is none, that which meets the fewest others."""
    best, fewest = None, math.inf
    for ring in _RINGS:
        for direction in _DIRECTIONS:
            angle = math.radians(direction)
            middle_x = x + math.cos(angle) * (ring * _NEAR + (length / 2 if direction not in (90, -90) else 0))
            middle_y = y + math.sin(angle) * (ring * _NEAR + high / 2)
            left = min(max(middle_x - length / 2, 0), max(width - length, 0))
            low = min(max(middle_y - high / 2, 0), max(height - high, 0))
            box = _Box(left, low, left + length, low + high)
            meets = sum(box.meets(other) for other in taken)
            if not meets:
                return box
            if meets < fewest:
                best, fewest = box, meets
    return best or _Box(x, y, x + length, y + high)


def _write(ax: Axes, name: Name, size: float) -> Annotation:
    text = ax.annotate(
        name.text,
        (name.point.x, name.point.y),
        xytext=(0, 0),
        textcoords="offset points",
        horizontalalignment="center",
        verticalalignment="center",
        fontsize=size,
        color="#333333",
        zorder=5,
        parse_math=False,
    )
    return text


def _move(ax: Axes, text: Annotation, point: Point, box: _Box) -> None:
    """Bring a name to where its box is, seen from the point, and join both."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    text.set_position(((box.left + box.right) / 2, (box.low + box.high) / 2))
    end = max(box.left, min(0, box.right)), max(box.low, min(0, box.high))
    distance = math.hypot(*end)
    if distance > _DOT:
        start = end[0] * _DOT / distance, end[1] * _DOT / distance
        here = ScaledTranslation(point.x, point.y, ax.transData)  # type: ignore[arg-type]  # of one point any will do
        places = [[start[0] / 72, end[0] / 72], [start[1] / 72, end[1] / 72]]
        inches = ax.figure.dpi_scale_trans + here
        ax.add_artist(Line2D(*places, transform=inches, color="#777777", linewidth=0.6, zorder=4))
