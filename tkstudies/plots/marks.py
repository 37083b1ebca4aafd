"""What is marked along an axis of runs, fills or times: eras, technical stops, calibrations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from tkstudies import jsonl
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.axes import Axis, Point, days
from tkstudies.plots.options import Option
from tkstudies.plots.panels import Panels
from tkstudies.plots.slots import SideBySide
from tkstudies.plots.texts import letters_in, shown
from tkstudies.records import Record, number, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Eras = Annotated[
    str, Option("--eras", "Column of the eras that are marked (default: run_era or fill__era).", is_column=True)
]
Marks = Annotated[
    str, Option("--marks", "Technical stops, calibrations: records with start_time or run_number, and name.", "FILE")
]
"""Options of the figures that follow runs or time."""

ERA_COLUMNS = ("run_era", "fill__era", "era")
_BEGINNINGS = {"run_number": "last_run_number", "fill_number": "last_fill_number", "start_time": "end_time"}
"""Column of where a mark begins -> column of where it ends."""

_NAMES = ("name", "label", "title", "comment")
_SPAN, _LINE = "#b9ac70", "#717581"


class Mark(NamedTuple):
    """Something that happened: where it begins, where it ends (None for a moment), and what it is called."""

    column: str
    begin: float
    end: float | None
    name: str


def read_marks(file: str) -> list[Mark]:
    """The marks of a file of records with run_number, fill_number or start_time, and a name.

    ``{"start_time": "2018-06-18", "end_time": "2018-06-24", "name": "TS1"}`` is a stretch,
    ``{"run_number": 317500, "name": "HV scan"}`` a moment; last_run_number or end_time makes it a stretch.

    Raises:
        InputError: The file can't be read, or a record is no mark.
    """
    marks = []
    for place, record in enumerate(jsonl.Reader([file]), start=1):
        mark = _mark(record)
        if mark is None:
            raise InputError(f"{file}: record {place} marks nothing: expected run_number, fill_number or start_time")
        marks.append(mark)
    if not marks:
        raise InputError(f"{file}: no marks in it")
    return marks


def _mark(record: Record) -> Mark | None:
    for column, end in _BEGINNINGS.items():
        read: Any = days if column == "start_time" else whole
        begin = read(record.get(column))
        if begin is not None:
            name = next((str(record[key]) for key in _NAMES if record.get(key) is not None), "")
            last = read(record.get(end))
            return Mark(column, begin, last if last is not None and last > begin else None, name)
    return None


def eras_of(records: Sequence[Record], column: str, axis: Axis) -> list[Mark]:
    """Where each era begins along the axis, if the records say it."""
    columns = (column,) if column else ERA_COLUMNS
    found = next((name for name in columns if any(isinstance(row.get(name), str) for row in records)), None)
    if found is None:
        return []
    first: dict[str, float] = {}
    for row in records:
        era, place = row.get(found), axis.begin(row)
        if isinstance(era, str) and place is not None:
            first[era] = min(first.get(era, place), place)
    return [Mark("", place, None, era) for era, place in sorted(first.items(), key=lambda item: item[1])]


def on_axis(marks: Iterable[Mark], axis: Axis, records: Sequence[Record]) -> tuple[list[Mark], int]:
    """The marks as places along an axis; those of another column are found by the records that have both.

    Returns:
        The marks, and how many have no place there.
    """
    placed, lost = [], 0
    for mark in marks:
        begin = _place(mark, mark.begin, axis, records)
        end = None if mark.end is None else _place(mark, mark.end, axis, records)
        if begin is None:
            lost += 1
        else:
            placed.append(mark._replace(begin=begin, end=end if end is not None and end > begin else None))
    return placed, lost


def _place(mark: Mark, value: float, axis: Axis, records: Sequence[Record]) -> float | None:
    is_own = axis.column == mark.column or (mark.column == "start_time" and axis.is_time)
    if is_own and not isinstance(axis, SideBySide):
        return value
    read: Any = days if mark.column == "start_time" else number
    later = [
        place
        for row in records
        if (known := read(row.get(mark.column))) is not None
        and known >= value
        and (place := axis.begin(row)) is not None
    ]
    return min(later, default=None)


def mark_axis(
    panels: Panels[Point], axis: Axis, records: Sequence[Record], eras: str, file: str, losses: Losses
) -> None:
    """Mark eras, and what a file tells, in all panels."""
    placed, lost = on_axis(read_marks(file), axis, records) if file else ([], 0)
    size = 0.75 * panels.look.font_size
    for ax in panels.axes:
        draw_marks(ax, eras_of(records, eras, axis), panels.panel_width, size, high=True)
        draw_marks(ax, placed, panels.panel_width, size, high=False)
    losses.add(lost, "mark", f"of {file} left out: behind all records")


def draw_marks(ax: Axes, marks: Sequence[Mark], width: float, font_size: float, *, high: bool) -> None:
    """Draw marks and their names, which stand inside the panel at its upper (or lower) end.

    Args:
        width: Of the panel [inches].
    """
    left, right = ax.get_xlim()
    last = -1e300
    for mark in sorted(marks, key=lambda mark: mark.begin):
        if mark.begin > right or max(mark.end or mark.begin, mark.begin) < left:
            continue
        begin = max(mark.begin, left)
        if mark.end is not None:
            ax.axvspan(begin, min(mark.end, right), color=_SPAN, alpha=0.3, linewidth=0, zorder=0.5)
        elif mark.begin > left:
            ax.axvline(mark.begin, color=_LINE, linestyle=(0, (1, 2)) if high else "-", linewidth=0.9, zorder=0.8)
        text = shown(mark.name, 24)
        length = (len(text) + 1) / letters_in(width, font_size) * (right - left)
        at_right = begin >= last and begin + length <= right
        if text and (at_right or begin - length >= max(last, left)):
            ax.annotate(
                text,
                (begin, 1 if high else 0),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                xytext=(2 if at_right else -2, -2 if high else 2),
                ha="left" if at_right else "right",
                va="top" if high else "bottom",
                fontsize=font_size,
                color="#404040",
            )
            last = begin + length if at_right else begin
    ax.set_xlim(left, right)
