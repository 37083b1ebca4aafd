"""The lines of ``--line``: at a value, or at what a column says, such as a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.axes import Axis
from tkstudies.plots.legends import Entry
from tkstudies.plots.quantities import quantity
from tkstudies.plots.texts import BEYOND, is_drawable
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR = "#404040"
_DASHES = ("--", ":", "-.", (0, (8, 3)), (0, (1, 3)))
_FEW = 3  # values of a column that are a line each; more are drawn row by row


def draw_lines(
    panels: Sequence[tuple[Axes, list[Any]]],
    wanted: Sequence[str],
    along: str,
    sides: Mapping[str, Axis | str],
    row_of: Callable[[Any], Record],
) -> list[Entry]:
    """Draw lines across the axis ``along`` (x or y) in each panel; the result is what the legend tells of them.

    A column whose value changes from row to row is followed along the other axis.

    Raises:
        InputError: One is neither a value nor a column with numbers.
    """
    entries = []
    for place, text in enumerate(wanted):
        dashes = _DASHES[place % len(_DASHES)]
        value = _value(text, sides[along])
        if value is not None:
            for ax, _ in panels:
                _draw_one(ax, along, value, dashes)
            continue
        if not any(number(row_of(item).get(text)) is not None for _, items in panels for item in items):
            raise InputError(f"--line {text}: neither a value nor a column with numbers")
        for ax, items in panels:
            _draw_column(ax, along, text, [row_of(item) for item in items], sides, dashes)
        entries.append(Entry(legends.line(_COLOUR, dashes), quantity(text)))
    return entries


def _value(text: str, side: Axis | str) -> float | None:
    if isinstance(side, Axis):
        value = side.given(text)
    else:
        try:
            value = number(float(text))
        except ValueError:
            return None
    if value is not None and not is_drawable(value):
        raise InputError(f"--line {text}: {BEYOND}")
    return value


def _draw_one(ax: Axes, along: str, value: float, dashes: Any) -> None:
    draw = ax.axhline if along == "y" else ax.axvline
    draw(value, color=_COLOUR, linestyle=dashes, linewidth=1.1, zorder=1.5)


def _draw_column(
    ax: Axes, along: str, column: str, rows: Sequence[Record], sides: Mapping[str, Axis | str], dashes: Any
) -> None:
    values = [value for row in rows if (value := number(row.get(column))) is not None and is_drawable(value)]
    other = sides["x" if along == "y" else "y"]
    if len(set(values)) <= _FEW or not isinstance(other, Axis):
        for value in sorted(set(values)):
            _draw_one(ax, along, value, dashes)
        return
    places = sorted(
        (place, value)
        for row in rows
        if (place := other.value(row)) is not None
        and (value := number(row.get(column))) is not None
        and is_drawable(value)
    )
    across, up = zip(*places, strict=True) if places else ((), ())
    coordinates = (across, up) if along == "y" else (up, across)
    ax.plot(*coordinates, color=_COLOUR, linestyle=dashes, linewidth=1.1, zorder=1.5)
