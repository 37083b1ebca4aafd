"""Boxes: quartiles of a column for each value of another."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tkstudies.console import Losses
from tkstudies.plots.axes import Axis, note_undrawn
from tkstudies.plots.categories import fit_names, height_of, name_places, room_for
from tkstudies.plots.colours import Hue, order, word
from tkstudies.plots.figures import Drawing
from tkstudies.plots.hist import drawable, required
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE
from tkstudies.plots.panels import Panels
from tkstudies.plots.quantities import quantity
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def box(
    records: Sequence[Record],
    x: Annotated[
        str, Option("--x", "The column of numbers (or the first argument).", is_column=True, is_first=True)
    ] = "",
    by: Annotated[str, Option("--by", "A box for each value of this column.", is_column=True)] = "tracking",
    *,
    look: Look = Look(),
) -> Drawing:
    """Draw median, quartiles, and what lies farther from them than 1.5 times their distance.

    Args:
        by: Its values are the boxes: those with the most rows, as many as have room, at most 30.

    Raises:
        InputError: No row has a number in ``x``.

    Example:
        tkstudies plot box Hits.Pixel.mean -o pixel.png study.jsonl
        tkstudies plot box t2 --by bad_reason --log x -o reasons.png pca.jsonl
    """
    along = Axis(required(x, records), records, look.is_log("x"))
    rows = drawable(records, along)
    colours = Hue(by, rows, may_be_numeric=False)
    panels = Panels(rows, look, shape=(6.8, height_of(len(colours.counts))))
    by_size = sorted(colours.counts, key=lambda one: (-colours.counts[one], one))[: room_for(panels)]
    names = sorted(by_size, key=order) if colours.column else []
    drawn = 0
    for ax, own in panels:
        for place, name in enumerate(names or [None]):
            members = [row for row in own if name is None or word(row.get(by)) == name]
            values = [value for row in members if (value := along.value(row)) is not None]
            drawn += len(values)
            if values:
                _draw(ax, values, place, colours.colour(name) if name in colours.words else BLUE)
    name_places(panels, panels.axes, [f"{name} ({colours.counts[name]})" for name in names] or [""])
    panels.finish(along, quantity(colours.column), values="x", has_words=True)
    losses = Losses()
    note_undrawn(losses, records, along)
    losses.add(len(rows) - drawn, "record", f"not drawn: of the values of {by} only {len(names)} have room")
    drawing = panels.drawing(drawn, "row", losses)
    fit_names(panels.figure, panels.axes)
    return drawing


def _draw(ax: Axes, values: Sequence[float], place: int, colour: str) -> None:
    lying: dict[str, Any] = {"orientation": "horizontal"}
    if "orientation" not in inspect.signature(ax.boxplot).parameters:  # matplotlib before 3.10
        lying = {"vert": False}
    ax.boxplot(
        [values],
        positions=[place],
        widths=0.6,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.75, "linewidth": 0.8},
        medianprops={"color": "black", "linewidth": 1.6},
        flierprops={"marker": "o", "markersize": 3.5, "markerfacecolor": colour, "markeredgewidth": 0.3},
        **lying,
    )
