"""Scatter plots: one point per record, its colour and marker by a status, a word or a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tkstudies.console import Losses
from tkstudies.plots.axes import Axis, Point, coordinates, note_undrawn, points_of
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.names import Name, name_points, row_name
from tkstudies.plots.options import Option
from tkstudies.plots.palette import AREAS, COLOURS, UNKNOWN
from tkstudies.plots.panels import Panels, many
from tkstudies.plots.quantities import label
from tkstudies.plots.texts import BEYOND
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection


def scatter(
    records: Sequence[Record],
    x: Annotated[str, Option("--x", "Horizontal axis.", is_column=True)] = "pc1",
    y: Annotated[str, Option("--y", "Vertical axis.", is_column=True)] = "pc2",
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column.", is_column=True)] = "tracking",
    annotate: Annotated[
        int, Option("--annotate", "Name the runs of the N largest t2 (if there is one).", "N", minimum=0)
    ] = 3,
    look: Look = Look(),
) -> Drawing:
    """Draw ``y`` against ``x``, columns of numbers or of times.

    Args:
        records: Rows; those without two finite numbers (or times) aren't drawn.
        hue: Column to colour by: numbers get a colour bar, words a legend with counts.
        annotate: Name the runs of so many rows with the largest ``t2``.

    Raises:
        InputError: No row has both coordinates, or there are too many panels.

    Example:
        tkstudies plot scatter -o pca.png pca.jsonl
        tkstudies plot scatter --x start_time --y Tracks.mean --hue reco -o tracks.pdf -o tracks.png study.jsonl
    """
    along, up = Axis(x, records, look.is_log("x")), Axis(y, records, look.is_log("y"))
    points = points_of(records, along, up)
    colours = Hue(hue, [point.row for point in points])
    panels = Panels(points, look, lambda point: point.row)
    coloured_by_number = None
    for ax, members in panels:
        coloured_by_number = draw_points(ax, members, colours) or coloured_by_number
    is_words = bool(colours.column) and not colours.is_numeric
    panels.finish(along, up, entries=colours.entries() if is_words else (), legend_title=colours.column)
    if coloured_by_number:
        panels.add_colour_bar(coloured_by_number, label(colours.column, records))
    losses = Losses()
    note_undrawn(losses, records, along, up)
    losses.add(colours.undrawable, "point", f"without a colour: {BEYOND} in {hue}")
    drawing = panels.drawing(len(points), "point", losses)
    name_points(panels, names_of_farthest(points, annotate), 0.8 * look.font_size)
    return drawing


def draw_points(ax: Axes, points: Sequence[Point], hue: Hue) -> PathCollection | None:
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
        members: dict[str | None, list[Point]] = {}
        for point in points:
            members.setdefault(hue.shown_word(point.row), []).append(point)
        for word in hue.layers():
            if word in members:
                _draw_dots(ax, members[word], color=hue.colour(word), marker=hue.marker(word))
    return None


def _draw_dots(ax: Axes, points: Sequence[Point], marker: str = "o", **colour: Any) -> PathCollection:
    look: dict[str, Any] = {
        "s": (30 if len(points) < 2000 else 9) * AREAS.get(marker, 1),
        "marker": marker,
        "alpha": 0.8,
        "linewidths": 0.4,
        "edgecolors": "white",
        **many(len(points)),
    }
    x, y = coordinates(points)
    return ax.scatter(x, y, **look, **colour)


def names_of_farthest(points: Sequence[Point], most: int) -> list[Name]:
    """Names of the rows that lie farthest out by Hotelling's T2, one for each run (or lumisection)."""
    found = [point for point in points if number(point.row.get("t2")) is not None]
    named: dict[str, Name] = {}
    for point in sorted(found, key=lambda point: -point.row["t2"]) if most else []:
        key = point.row.get("run_number"), point.row.get("lumisection_number")
        if len(named) < most and str(key) not in named:
            named[str(key)] = Name(point, row_name(point.row))
    return list(named.values())
