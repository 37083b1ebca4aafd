"""Coordinates: columns of numbers or of times, with their units, scales and ticks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.plots import quantities
from tkstudies.plots.texts import BEYOND, advice, columns_of, is_drawable
from tkstudies.plots.units import shown_unit
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axis import Axis as MatplotlibAxis
    from matplotlib.ticker import Locator
    from numpy.typing import NDArray

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([01][0-9]|2[0-3])(?::([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]*)?))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?Z?"
)
_EPOCH = 719163  # 1970-01-01 as date.toordinal counts days
_FIRST_DAY, _LAST_DAY = -25567, 84006  # of 1900 and of 2200: what lies beyond stands for no time or no end
_LARGEST_PLAIN = 7  # digits in front of the point, beyond which ticks have a power of ten


class Axis:
    """One coordinate: a column of numbers, or of times in ISO 8601 if it has no numbers.

    Numbers whose ``<column>_unit`` differs from row to row are brought to the commonest unit.

    Attributes:
        column: The column.
        label: Quantity and unit.
        is_time: Are its values times, drawn as days since 1970?
        is_log: Is its scale logarithmic?

    Raises:
        InputError: It has neither numbers nor times.
        UsageError: A logarithmic scale of times.

    Example:
        >>> axis = Axis("duration", [{"duration": 60}, {"duration": None}])
        >>> axis.label, axis.value({"duration": 60}), axis.value({"duration": "60"})
        ('duration [s]', 60, None)
    """

    def __init__(self, column: str, records: Sequence[Record], is_log: bool = False):
        self.column = column
        kinds: tuple[Callable[[Any], float | None], ...] = (number, days)
        read = next((read for read in kinds if any(read(row.get(column)) is not None for row in records)), None)
        if read is None:
            raise InputError(_without_numbers(column, records))
        self._read = read
        self.is_time = read is days
        if is_log and self.is_time:
            raise UsageError(f"--log: {column} has times, which have no logarithm")
        self.is_log = is_log
        self._has_units = any(row.get(f"{column}_unit") is not None for row in records)
        self._unit = quantities.unit_of(column, records)
        self.label = quantities.label(column, records, self.is_time, self._unit)

    def value(self, record: Record) -> float | None:
        """Where a record lies along the axis, None if it has no number there, or one that can't be drawn."""
        value = self._read(record.get(self.column))
        if value is None or not self._is_drawable(value):
            return None
        if not self._has_units:
            return value
        factor = quantities.factor(record, self.column, self._unit)
        return None if factor is None else value * factor

    def begin(self, record: Record) -> float | None:
        """Where what belongs to a record begins along the axis."""
        return self.value(record)

    def given(self, text: str) -> float | None:
        """Where a value lies that was typed at the command line: a number, or a time on an axis of times."""
        if self.is_time:
            return days(text)
        try:
            return number(float(text))
        except ValueError:
            return None

    def _is_drawable(self, value: float) -> bool:
        if self.is_time:
            return _FIRST_DAY <= value < _LAST_DAY
        return is_drawable(value) and (value > 0 or not self.is_log)

    def why_not(self, record: Record) -> str | None:
        """Why a record has no place along the axis, None if it has one."""
        if self.value(record) is not None:
            return None
        value = self._read(record.get(self.column))
        if value is None:
            return "no number or time in {}"
        if self.is_log and value <= 0:
            return "no number above zero for the logarithmic axis in {}"
        if not self._is_drawable(value):
            return f"{BEYOND} in {{}}"
        return f"another unit than {shown_unit(self._unit or '')} in {{}}"

    def set_ticks(self, axis: MatplotlibAxis, most: int) -> None:
        """Set scale and ticks, few enough for their labels not to touch each other."""
        if self.is_log:
            set_log_ticks(axis, most)
            return
        locator: Locator
        if self.is_time:
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator = AutoDateLocator(maxticks=max(most, 3), minticks=min(3, max(most, 2)))
            axis.set_major_formatter(ConciseDateFormatter(locator))
        else:
            from matplotlib.ticker import MaxNLocator

            locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], min_n_ticks=min(most, 2))
            axis.set_major_formatter(_plain_numbers())
        axis.set_major_locator(locator)


def set_log_ticks(axis: MatplotlibAxis, most: int) -> None:
    """Make an axis logarithmic, its ticks powers of ten, written without formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined]  # the stubs lack axis_name
    axis.set_major_locator(LogLocator(numticks=most + 1))
    axis.set_minor_locator(LogLocator(subs="auto", numticks=most + 1))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _plain_numbers() -> Any:
    from matplotlib.ticker import ScalarFormatter

    formatter = ScalarFormatter(useOffset=False, useMathText=False)
    formatter.set_powerlimits((-4, _LARGEST_PLAIN))
    return formatter


def note_undrawn(losses: Losses, records: Sequence[Record], *axes: Axis) -> None:
    """Note which records have no place in a figure, and why."""
    reasons: dict[str, int] = {}
    for record in records:
        for axis in axes:
            if axis.value(record) is None and (found := axis.why_not(record)):
                reasons[found] = reasons.get(found, 0) + 1
                break
    columns = " or ".join(dict.fromkeys(axis.column for axis in axes))
    for reason, count in reasons.items():
        losses.add(count, "record", f"not drawn: {reason.format(columns)}")


def days(value: Any) -> float | None:
    """Days since 1970 of a UTC time such as 2018-06-21T02:11:05Z, None of anything else.

    >>> days("1970-01-02T12:00:00Z"), days("2018"), days(7)
    (1.5, None, None)
    """
    if not isinstance(value, str):
        return None
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        whole_days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    seconds = int(hour or 0) * 3600 + int(minute or 0) * 60 + float(second or 0)
    if zone and zone != "Z":
        ahead = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds += ahead if zone[0] == "-" else -ahead
    return whole_days + seconds / 86400


def _without_numbers(column: str, records: Sequence[Record]) -> str:
    """What to say of a column that can't be an axis."""
    text = f"no record has a number (or time) in {column}"
    columns = columns_of(records)
    hint = "" if column in columns else advice(column, columns)
    if hint.startswith("did you mean"):
        return f"{text}; {hint}"
    parts = [part for part in hint.split("; ") if part and not part.startswith("columns are")]
    return "; ".join([text, f"columns with numbers are {', '.join(columns_with_numbers(records)[:30])}", *parts])


def columns_with_numbers(records: Sequence[Record]) -> list[str]:
    """The columns in which some record has a number."""
    pending = dict.fromkeys(columns_of(records))
    found = set()
    for record in records:
        found.update([column for column in pending if number(record.get(column)) is not None])
        for column in found & pending.keys():
            del pending[column]
    return [column for column in columns_of(records) if column in found]


class Point(NamedTuple):
    """A record and where it is drawn."""

    x: float
    y: float
    row: Record


def points_of(records: Sequence[Record], x: Axis, y: Axis) -> list[Point]:
    """The records that have a place along both axes.

    Raises:
        InputError: There are none.
    """
    points = [
        Point(left, height, row)
        for row in records
        if (left := x.value(row)) is not None and (height := y.value(row)) is not None
    ]
    if not points:
        above = " above zero" if x.is_log or y.is_log else ""
        raise InputError(f"no record has a number (or time){above} that can be drawn in both {x.column} and {y.column}")
    return points


def coordinates(points: Sequence[Any]) -> tuple[NDArray, NDArray]:
    """The first two numbers of each point, as arrays: matplotlib is slow with lists."""
    import numpy as np

    return (
        np.fromiter((point[0] for point in points), float, len(points)),
        np.fromiter((point[1] for point in points), float, len(points)),
    )
