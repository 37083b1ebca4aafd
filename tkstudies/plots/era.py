"""When the runs of each era were: one line of points for each era."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from zlib import crc32

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.axes import Axis, Point, note_undrawn
from tkstudies.plots.categories import fit_names, height_of, name_places
from tkstudies.plots.colours import Hue, order, word
from tkstudies.plots.figures import Drawing
from tkstudies.plots.forms import require_columns
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.panels import Panels
from tkstudies.plots.quantities import quantity
from tkstudies.plots.scatter import draw_points
from tkstudies.records import Record

_MOST = 60  # eras
_SPREAD = 0.6  # of the room between two eras
_ERAS = ("fill__era", "run_era", "era")


def era(
    records: Sequence[Record],
    x: Annotated[str, Option("--x", "Horizontal axis.", is_column=True)] = "start_time",
    y: Annotated[str, Option("--y", "Column of the eras (default: fill__era or run_era).", is_column=True)] = "",
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column.", is_column=True)] = "tracking",
    look: Look = Look(),
) -> Drawing:
    """Draw a point for each row, at its time and era; points of an era are spread a little, to tell them apart.

    Raises:
        InputError: No row has a time and an era.

    Example:
        tkstudies plot era -o eras.png study.jsonl
        tkstudies filter 'reco = express' < study.jsonl | tkstudies plot era --row runtype -o eras.png
    """
    found = y or next((name for name in _ERAS if any(row.get(name) is not None for row in records)), _ERAS[0])
    require_columns(records, "era", x, found)
    along = Axis(x, records)
    known = [row for row in records if row.get(found) is not None and along.value(row) is not None]
    names = sorted({word(row.get(found)) for row in known}, key=order)
    if not known:
        raise InputError(f"no record has a value in both {x} and {found}")
    if len(names) > _MOST:
        raise InputError(f"{found} has {len(names)} values: at most {_MOST} eras can be drawn")
    places = {name: place for place, name in enumerate(names)}
    points = [
        Point(along.value(row) or 0, places[word(row.get(found))] + _jitter(row, number), row)
        for number, row in enumerate(known)
    ]
    colours = Hue(hue, known, may_be_numeric=False)
    panels = Panels(points, look, lambda point: point.row, shape=(7.4, height_of(len(names))))
    for ax, own in panels:
        draw_points(ax, own, colours)
    name_places(panels, panels.axes, names)
    panels.finish(
        along,
        quantity(found),
        entries=colours.entries() if colours.column else (),
        legend_title=colours.column,
        values="x",
        has_words=True,
    )
    losses = Losses()
    note_undrawn(losses, records, along)
    losses.add(sum(row.get(found) is None for row in records), "record", f"not drawn: no value in {found}")
    drawing = panels.drawing(len(points), "point", losses)
    fit_names(panels.figure, panels.axes)
    return drawing


def _jitter(row: Record, number: int) -> float:
    """Where in the room of its era a point lies: the same in every picture."""
    key = f"{row.get('run_number', number)} {row.get('reco')}"
    return (crc32(key.encode("utf-8", "replace")) / 2**32 - 0.5) * _SPREAD
