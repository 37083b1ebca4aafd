"""Axes on which runs (or fills, or times) stand side by side, however far apart their numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tkstudies.plots.axes import Axis, Point
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axis import Axis as MatplotlibAxis

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "run": ("run_number",),
    "fill": ("fill_number", "lhc_fill", "fill__fill_number"),
    "time": ("start_time", "fill__start_time", "end_time"),
    "lumisection": ("lumisection_number",),
}


def column_for(name: str, records: Sequence[Record]) -> str:
    """The column that a word such as run, fill or time stands for, else the name itself.

    >>> column_for("time", [{"fill__start_time": "2018-06-01"}]), column_for("t2", [])
    ('fill__start_time', 't2')
    """
    if any(name in record for record in records):
        return name
    candidates = _SYNONYMS.get(name, (name,))
    return next((column for column in candidates if any(column in row for row in records)), candidates[0])


class SideBySide(Axis):
    """An axis on which each value of a column has a place of its own, in their order.

    Args:
        widths: Column of the widths of the places, such as recorded_lumi; nothing for equal ones.

    Attributes:
        width: Value -> how wide its place is.
        unknown: How many values have no width that is a number above zero: theirs is the mean.

    Example:
        >>> axis = SideBySide("run_number", [{"run_number": 355100}, {"run_number": 1}])
        >>> axis.value({"run_number": 1}), axis.value({"run_number": 355100}), axis.value({"run_number": 2})
        (0.5, 1.5, None)
    """

    def __init__(self, column: str, records: Sequence[Record], widths: str = ""):
        super().__init__(column, records)
        known: dict[float, float] = {}
        every = sorted({value for row in records if (value := self._own(row)) is not None})
        measure = Axis(widths, records) if widths else None
        for row in records if measure else ():
            value, width = self._own(row), measure.value(row) if measure else None
            if value is not None and width is not None and width > 0:
                known.setdefault(value, width)
        usual = sum(known.values()) / len(known) if known else 1.0
        self.width = {value: known.get(value, usual) / usual for value in every}
        self.unknown = len(every) - len(known) if measure else 0
        self._places: dict[float, float] = {}
        end = 0.0
        for value, width in self.width.items():
            self._places[value] = end + width / 2
            end += width
        if self.is_time:
            self.label = self.label.replace(" [UTC]", " [UTC, not to scale]")
        self._times = self.is_time
        self.is_time = False

    def value(self, record: Record) -> float | None:
        """The middle of the place of a record."""
        found = self._own(record)
        return None if found is None else self._places.get(found)

    def span(self, point: Point) -> tuple[float, float]:
        """From where to where the place of a point reaches."""
        found = self._own(point.row)
        half = self.width.get(found, 1.0) / 2 if found is not None else 0.5
        return point.x - half, point.x + half

    def begin(self, record: Record) -> float | None:
        middle = self.value(record)
        return None if middle is None else self.span(Point(middle, 0, record))[0]

    def _own(self, record: Record) -> float | None:
        """The value that a record has, which stands at a place."""
        return super().value(record)

    def set_ticks(self, axis: MatplotlibAxis, most: int) -> None:
        """Write the values of some places."""
        from matplotlib.ticker import FixedFormatter, FixedLocator

        places = list(self._places.items())
        step = max(1, -(-len(places) // most))
        chosen: list[tuple[float, float]] = []
        end = -1e300
        room = sum(self.width.values()) / most
        for value, middle in places[::step]:
            if middle - end >= room * 0.8 or not chosen:
                chosen.append((value, middle))
                end = middle
        axis.set_major_locator(FixedLocator([middle for _, middle in chosen]))
        axis.set_major_formatter(FixedFormatter([self._text(value) for value, _ in chosen]))

    def _text(self, value: float) -> str:
        if self._times:
            from matplotlib.dates import num2date

            return f"{num2date(value):%m-%d}"
        return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
