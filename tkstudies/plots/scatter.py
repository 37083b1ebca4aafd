"""Scatter plots: one point per record, coloured by a status, a word or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tkstudies.errors import InputError
from tkstudies.plots.axes import Axis, Point, figure_with_panels, panels_across, split_by
from tkstudies.plots.colours import COLOURS, UNKNOWN, Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.options import Option
from tkstudies.plots.texts import shown
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

_BEYOND = "a number or time that is too large or too small to draw"
_NAME_PLACES = ((5, 4), (5, -10), (5, 14), (5, -20))  # beside a point, in typographic points


def scatter(
    records: Sequence[Record],
    x: Annotated[str, Option("--x", "Horizontal axis.", is_column=True)] = "pc1",
    y: Annotated[str, Option("--y", "Vertical axis.", is_column=True)] = "pc2",
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column.", is_column=True)] = "tracking",
    facet: Annotated[str, Option("--facet", "One panel for each value of it.", is_column=True)] = "",
    annotate: Annotated[
        int, Option("--annotate", "Name the runs of the N largest t2 (if there is one).", "N", minimum=0)
    ] = 3,
    title: str = "",
) -> Drawing:
    """Draw ``y`` against ``x``, columns of numbers or of times.

    Args:
        records: Rows; those without two finite numbers (or times) aren't drawn.
        hue: Column to colour by: numbers get a colour bar, words a legend with counts.
        facet: Column whose values get a panel each.
        annotate: Name the runs of so many rows with the largest ``t2``.

    Raises:
        InputError: No row has both coordinates, or ``facet`` has too many values.

    Example:
        tkstudies plot scatter -o pca.png pca.jsonl
        tkstudies plot scatter --x start_time --y Tracks.mean --hue reco -o tracks.pdf study.jsonl
    """
    along, up = Axis(x, records), Axis(y, records)
    points = [
        Point(left, height, row)
        for row in records
        if (left := along.value(row)) is not None and (height := up.value(row)) is not None
    ]
    if not points:
        raise InputError(f"no record has a number (or time) that can be drawn in both {x} and {y}")
    panels = split_by(facet, points)
    colours = Hue(hue, [point.row for point in points])
    figure, axes = figure_with_panels(len(panels))
    along.set_ticks(axes[0].xaxis, most=7 if panels_across(len(panels)) == 1 else 4)
    up.set_ticks(axes[0].yaxis, most=8)
    coloured_by_number = None
    for ax, (name, members) in zip(axes, panels.items(), strict=True):
        coloured_by_number = _draw(ax, members, colours)
        if name is not None:
            ax.set_title(shown(f"{facet}: {name}"), fontsize=10)
        ax.set_xlabel(shown(x))
        ax.set_ylabel(shown(y))
    _annotate(axes, panels, annotate)
    if coloured_by_number:
        figure.colorbar(coloured_by_number, ax=figure.axes, label=shown(colours.column))
    elif colours.column:
        colours.add_legend(figure)
    if title:
        figure.suptitle(shown(title, 100))
    drawing = Drawing(figure, len(points), "point")
    beyond = sum(along.is_beyond(row) or up.is_beyond(row) for row in records)
    missing = len(records) - len(points) - beyond
    drawing.losses.add(missing, "record", f"not drawn: no number or time in {x} or {y}")
    drawing.losses.add(beyond, "record", f"not drawn: {_BEYOND} in {x} or {y}")
    drawing.losses.add(colours.undrawable, "point", f"without a colour: {_BEYOND} in {hue}")
    return drawing


def _draw(ax: Axes, points: Sequence[Point], hue: Hue) -> PathCollection | None:
    """Draw the points of one panel; the result is what a colour bar belongs to."""
    if not hue.column:
        _draw_dots(ax, points, color=COLOURS[0])
    elif hue.is_numeric:
        coloured = [point for point in points if hue.number(point.row) is not None]
        _draw_dots(ax, [point for point in points if hue.number(point.row) is None], color=UNKNOWN)
        low, high = hue.limits
        values = [hue.number(point.row) for point in coloured]
        return _draw_dots(ax, coloured, c=values, cmap="viridis", vmin=low, vmax=high)
    else:
        for word in [*hue.words, None]:  # the many first, so that the few lie on top
            members = [point for point in points if hue.shown_word(point.row) == word]
            if members:
                _draw_dots(ax, members, color=hue.colour(word))
    return None


def _draw_dots(ax: Axes, points: Sequence[Point], **colour: Any) -> PathCollection:
    look: dict[str, Any] = {
        "s": 26 if len(points) < 2000 else 9,
        "alpha": 0.8,
        "linewidths": 0.4,
        "edgecolors": "white",
    }
    return ax.scatter([point.x for point in points], [point.y for point in points], **look, **colour)


def _annotate(axes: Sequence[Axes], panels: Mapping[str | None, list[Point]], most: int) -> None:
    """Name the rows that lie farthest out by Hotelling's T2, one for each run (or lumisection)."""
    found = [
        (point.row["t2"], ax, point)
        for ax, points in zip(axes, panels.values(), strict=True)
        for point in points
        if number(point.row.get("t2")) is not None
    ]
    named: dict[tuple[Any, Any], tuple[Axes, Point]] = {}
    for _, ax, point in sorted(found, key=lambda item: -item[0]):
        key = point.row.get("run_number"), point.row.get("lumisection_number")
        if len(named) < most and key not in named:
            near = sum(_is_near(ax, point, other) for where, other in named.values() if where is ax)
            named[key] = ax, point
            words = [shown(word, 20) for word in (*key, point.row.get("reco")) if word is not None]
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
