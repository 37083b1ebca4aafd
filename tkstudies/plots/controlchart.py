"""Control charts: a score run by run, with the limits that usual rows keep, and the names of what is above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from tkstudies.console import Losses
from tkstudies.plots.axes import Axis, Point, note_undrawn, points_of
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.forms import require_columns
from tkstudies.plots.look import Look
from tkstudies.plots.marks import Eras, Marks, mark_axis
from tkstudies.plots.names import Name, name_points, row_name
from tkstudies.plots.options import Option
from tkstudies.plots.panels import Panels
from tkstudies.plots.series import axis_along, draw_series
from tkstudies.plots.slots import column_for
from tkstudies.plots.trend import SHAPE
from tkstudies.records import Record, number


def control_chart(
    records: Sequence[Record],
    y: Annotated[str, Option("--y", "The score: t2, q, or any other.", is_column=True)] = "t2",
    x: Annotated[str, Option("--x", "run, fill, time, or a column.", "COLUMN")] = "run",
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column.", is_column=True)] = "tracking",
    to_scale: Annotated[
        bool, Option("--to-scale", "Leave room for runs that aren't there, instead of side by side.")
    ] = False,
    linear: Annotated[bool, Option("--linear", "No logarithmic axis of the score.")] = False,
    annotate: Annotated[int, Option("--annotate", "Name at most N rows above the largest limit.", "N", minimum=0)] = 10,
    eras: Eras = "",
    marks: Marks = "",
    look: Look = Look(),
) -> Drawing:
    """Draw a score run by run, with its limits: the columns named like it, such as t2_limit_99.

    The axis of the score is logarithmic unless a score is zero or less. Rows above the largest of their limits
    (and above every ``--line`` that is a value) have names, the farthest first.

    Raises:
        InputError: No row has the score.

    Example:
        tkstudies plot control-chart -o t2.png pca.jsonl
        tkstudies plot control-chart --y q --hue bad_reason -o q.png pca.jsonl
        tkstudies plot control-chart --y isolation_forest_score --line 0 -o forest.png outliers.jsonl
    """
    require_columns(records, "control-chart", y)
    scores = [value for row in records if (value := number(row.get(y))) is not None]
    if not linear and not look.is_log("y") and scores and min(scores) > 0:
        look = replace(look, log=[*(look.log or []), "y"])
    limits = limits_of(y, records)
    look = replace(look, line=[*limits, *(line for line in look.line or [] if line not in limits)])
    along, _ = axis_along(column_for(x, records), records, not to_scale, "")
    up = Axis(y, records, look.is_log("y"))
    points = points_of(records, along, up)
    colours = Hue(hue, [point.row for point in points], may_be_numeric=False)
    panels = Panels(points, look, lambda point: point.row, shape=SHAPE)
    for ax, own in panels:
        draw_series(ax, own, colours, joined=False)
    panels.finish(along, up, entries=colours.entries() if colours.column else (), legend_title=colours.column)
    losses = Losses()
    mark_axis(panels, along, records, eras, marks, losses)
    note_undrawn(losses, records, along, up)
    if not limits:
        losses.note(f"no limits of {y} are drawn: no record has a column {y}_limit_...", advice="--line draws others")
    drawing = panels.drawing(len(points), "point", losses)
    given = [value for line in look.line or [] if (value := up.given(line)) is not None]
    above = [point for point in points if is_above(point, limits, given)]
    name_points(panels, _names(above)[:annotate], 0.75 * look.font_size)
    return drawing


def _names(points: Sequence[Point]) -> list[Name]:
    """A name for each run (or lumisection), the farthest first; with its reconstruction if that is the only one."""
    members: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda point: -point.y):
        members.setdefault(row_name({**point.row, "reco": None}), []).append(point)
    return [Name(own[0], row_name(own[0].row) if len(own) == 1 else run) for run, own in members.items() if run]


def limits_of(score: str, records: Sequence[Record]) -> list[str]:
    """The columns of the limits of a score that have a number.

    >>> limits_of("t2", [{"t2": 1, "t2_limit_99": 9, "t2_limit_95": 5, "q_limit_99": 3, "t2_limit_9": None}])
    ['t2_limit_95', 't2_limit_99']
    """
    pattern = re.compile(re.escape(score) + r"_limit_[0-9.]+")
    found = {name for row in records for name in row if name.startswith(score) and pattern.fullmatch(name)}
    return sorted(name for name in found if any(number(row.get(name)) is not None for row in records))


def is_above(point: Point, limits: Sequence[str], given: Sequence[float]) -> bool:
    """Is a point above all limits of its row and all given ones? Without any limit none is."""
    own = [value for name in limits if (value := number(point.row.get(name))) is not None]
    every = [*own, *given]
    return bool(every) and point.y > max(every)
