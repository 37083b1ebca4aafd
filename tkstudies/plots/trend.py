"""Trends: one or two quantities against run, fill or time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.console import Losses
from tkstudies.errors import UsageError
from tkstudies.plots import legends
from tkstudies.plots.axes import Axis, Point, columns_with_numbers, note_undrawn, points_of
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.marks import Eras, Marks, mark_axis
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE, RED
from tkstudies.plots.panels import Panels
from tkstudies.plots.series import Span, axis_along, draw_one, draw_series
from tkstudies.plots.slots import SideBySide, column_for
from tkstudies.records import Record

SHAPE = (8.4, 4.2)
_SERIES = ("", "reco", "runtype", "run_type")  # rows with the same value follow each other; those of a status don't
_LEFT, _RIGHT = (BLUE, "o"), (RED, "X")


def trend(
    records: Sequence[Record],
    y: Annotated[
        list[str] | None, Option("--y", "What is followed; a second one has its axis at the right.", is_column=True)
    ] = None,
    x: Annotated[str, Option("--x", "run, fill, time, or a column.", "COLUMN")] = "run",
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column (of one trend).", is_column=True)] = "reco",
    side_by_side: Annotated[
        bool, Option("--side-by-side", "Give each run the same room, however far apart the numbers.")
    ] = False,
    width: Annotated[
        str, Option("--width", "Draw each run as wide as its recorded_lumi or duration.", is_column=True)
    ] = "",
    eras: Eras = "",
    marks: Marks = "",
    look: Look = Look(),
) -> Drawing:
    """Draw how one or two columns change from run to run, from fill to fill or in time.

    Args:
        records: Rows; those without a number in ``y`` or a place along ``x`` aren't drawn.
        width: Column of widths: along time a duration [s] is to scale, else runs stand side by side.
        marks: A file of records: see `read_marks`.

    Raises:
        UsageError: There is nothing to follow, or more than two columns.
        InputError: No row has both, or the file of marks can't be used.

    Example:
        tkstudies plot trend --y Hits.Pixel.mean -o pixel.png study.jsonl
        tkstudies plot trend --y Hits.Strip.mean --x time --width duration --marks stops.jsonl -o strip.png study.jsonl
        tkstudies plot trend --y Tracks.mean --y fill__peak_pileup --side-by-side -o tracks.pdf study.jsonl
    """
    if not y or not all(y) or len(y) > 2:
        told = ", ".join(columns_with_numbers(records)[:20])
        raise UsageError(f"name one or two columns to follow with --y; columns with numbers are {told}")
    along, span = axis_along(column_for(x, records), records, side_by_side, width)
    up = Axis(y[0], records, look.is_log("y"))
    points = points_of(records, along, up)
    panels = Panels(points, look, lambda point: point.row, shape=SHAPE)
    losses = Losses()
    if len(y) == 1:
        number = len(points)
        entries, title = _draw_one(panels, points, hue, span)
    else:
        right = Axis(y[1], records, look.is_log("y"))
        number = len(points) + _draw_two(panels, records, along, right, span)
        entries, title = [_entry(_LEFT, up), _entry(_RIGHT, right)], ""
        note_undrawn(losses, records, along, right)
    panels.finish(along, up, entries=entries, legend_title=title, has_right_axis=len(y) == 2)
    mark_axis(panels, along, records, eras, marks, losses)
    note_undrawn(losses, records, along, up)
    note_widths(losses, along, width)
    return panels.drawing(number, "point", losses)


def note_widths(losses: Losses, along: Axis, width: str) -> None:
    """Note how many runs have no width of their own."""
    if isinstance(along, SideBySide):
        noun = along.column.removesuffix("_number")
        losses.add(along.unknown, noun, f"without a number above zero in {width}, drawn with the mean width")


def _draw_one(
    panels: Panels[Point], points: Sequence[Point], hue: str, span: Span | None
) -> tuple[list[legends.Entry], str]:
    colours = Hue(hue, [point.row for point in points], may_be_numeric=False)
    for ax, own in panels:
        draw_series(ax, own, colours, span, joined=colours.column in _SERIES)
    return (colours.entries() if colours.column else []), colours.column


def _draw_two(panels: Panels[Point], records: Sequence[Record], along: Axis, right: Axis, span: Span | None) -> int:
    """Draw the first trend, and the second one at the axis on the right; how many points that has."""
    second = points_of(records, along, right)
    twins = []
    for ax, own in panels:
        draw_one(ax, own, *_LEFT, span)
        twin = ax.twinx()
        twin.grid(False)
        twin.spines["right"].set_visible(True)
        there = [point for point in second if panels.panel_of(point.row) is ax]
        draw_one(twin, there, *_RIGHT, span)
        right.set_ticks(twin.yaxis, panels.most_ticks("y"))
        twins.append(twin)
    low, high = min(twin.get_ylim()[0] for twin in twins), max(twin.get_ylim()[1] for twin in twins)
    for place, twin in enumerate(twins):
        twin.set_ylim(low, high)
        is_last = (place + 1) % panels.across == 0 or place == len(twins) - 1
        twin.tick_params(labelright=is_last)
        if is_last:
            twin.set_ylabel(right.label)
    return len(second)


def _entry(look: tuple[str, str], axis: Axis) -> legends.Entry:
    return legends.Entry(legends.dots(*look), axis.label)
