"""Statistics of one histogram.

A histogram is the ``hist`` object of the DQM GUI's jsonfairy answer. ``mean``, ``rms``, ``entries`` and
``integral`` are the server's own numbers and pass through as sent; where it sent none (histograms of DIALS, DQMIO or
ROOT have bins and no ``stats``) all but the entries are computed from the bins, as are the shape statistics. Whatever
isn't a finite number is None: the server writes ``"nan"`` and ``"inf"`` as texts, and ``hist`` itself is the text
``unsupported type`` for a plot that the run doesn't have.

Shape statistics (skewness, excess kurtosis, median, quantiles) take the bins inside the axis as they are,
without under- and overflow. For a 2-D histogram they describe its projection on x. A profile has means in its
bins, not counts: no shape statistics. The axis runs from the lower edge of the first bin
(``xaxis.first.value``) to the upper edge of the last one (``xaxis.last.value``): for the real tracking map of
run 321012 this reading reproduces the server's mean and rms to 0.001, bin centres miss the rms by 3 %. An
axis of one bin has neither and gives None.

``level`` and ``spread`` are the mean and the rms of the contents of the filled bins: of a plot against lumisections
they say what was measured, while its mean and rms in x say how long the run was. The bins of a profile count as often
as they have entries; as the server doesn't send these, they are taken as the inverse square of the bin's error (of
means of one spread), or as equal where the errors aren't those of means. Of a map they are mean and rms over the
modules, and ``filled`` is the number of modules (bins) with anything in them. A few histograms have a bin for each part
of the detector, and give columns for these (see `parts`).

A summary (``tkstudies dqm --summaries``) has no bins: ``integral``, ``level`` and ``spread`` of it are None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any

from tkstudies.analysis.histograms.parts import Part
from tkstudies.analysis.histograms.shapes import COMPUTABLE, QUANTILES, Shape
from tkstudies.errors import UsageError
from tkstudies.histogramrecord import Hist, as_hist, member
from tkstudies.records import number

Value = int | float | None

DEFAULT_STATISTICS = ("mean", "rms", "entries", "integral")
PER_LUMISECTION_STATISTICS = ("level", "spread")
"""What plots against lumisections get besides, unless statistics are chosen."""

MAP_STATISTICS = (*PER_LUMISECTION_STATISTICS, "filled")
"""The same of maps of modules."""

SERVER_STATISTICS = {
    "mean": "stats.mean.X.value",
    "rms": "stats.rms.X.value",
    "entries": "stats.entries",
    "integral": "bins.integral",
    "mean_y": "stats.mean.Y.value",
    "rms_y": "stats.rms.Y.value",
    "underflow": "stats.underflow",
    "overflow": "stats.overflow",
}
"""The server's own numbers and where in ``hist`` they are; the others are computed from the bins."""

NULL_WITHOUT_BINS = ("integral", *MAP_STATISTICS)
"""Statistics of bins that come by default: of a histogram without bins they are None."""

OF_SUMMARIES = ("mean", "rms", "entries", "mean_y", "rms_y")
"""Statistics that a histogram without bins has."""

STATISTICS = (*SERVER_STATISTICS, "skewness", "kurtosis", *QUANTILES, *MAP_STATISTICS)
"""All statistics by name; ``kurtosis`` is the excess, 0 for a normal distribution."""


def check_statistics(names: Collection[str]) -> tuple[str, ...]:
    """The names as a tuple, each once.

    Raises:
        UsageError: One isn't in `STATISTICS`.
    """
    for name in names:
        if name not in STATISTICS:
            raise UsageError(f"no statistic {name!r}; there are {', '.join(STATISTICS)}")
    return tuple(dict.fromkeys(names))


def statistics(hist: Any, names: Collection[str] = DEFAULT_STATISTICS) -> dict[str, Value]:
    """Statistics of one histogram, each None when it can't be told.

    Args:
        hist: As a record has it, decoded or not.

    Raises:
        UsageError: A statistic isn't known.

    Example:
        >>> axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 4}}
        >>> hist = {"type": "TH1", "xaxis": axis, "bins": {"integral": 4, "content": [0, 1, 2, 1]}}
        >>> statistics(hist, ["mean", "integral", "median", "skewness"])
        {'mean': 2.5, 'integral': 4, 'median': 2.5, 'skewness': 0.0}
        >>> statistics("unsupported type", ["mean"])
        {'mean': None}
    """
    names = check_statistics(names)
    return dict(zip(names, Statistics(names)(as_hist(hist) or Hist()), strict=True))


def contents(hist: Any) -> list[Value]:
    """The bin contents in order; those of a 2-D histogram row after row (x runs fastest).

    Example:
        >>> contents({"bins": {"content": [[1, "nan"], [3, 4]]}})
        [1, None, 3, 4]
    """
    found = as_hist(hist)
    content = member(found.bins.content) if found and found.bins else None
    values: list[Value] = []
    for item in content if isinstance(content, list) else ():
        values.extend(map(number, item) if isinstance(item, list) else (number(item),))
    return values


def integral(value: Any) -> Value:
    """The integral inside the axes: the number itself, in 2-D the centre of the table below, inside, above.

    Example:
        >>> integral([[0, 1, 0], [2, 224509, 3], [0, 1, 0]])
        224509
    """
    if isinstance(value, list):
        try:
            value = value[1][1]
        except (IndexError, KeyError, TypeError):
            return None
    return number(value)


class Statistics:
    """The named statistics of a histogram, as a tuple; the bins are looked at only where one needs them.

    Args:
        names: Of `STATISTICS`.
        parts: The parts of the detector that the bins of the plot stand for, to name their columns.
    """

    def __init__(self, names: Collection[str], parts: Sequence[Part] = ()):
        self._getters = [_getter(name) if name in SERVER_STATISTICS else None for name in names]
        self.names = tuple(names)
        self.parts = parts
        self._needs_bins = None in self._getters

    def columns(self, feature: str) -> list[str]:
        """What the statistics of a feature are called, and the parts of its plot."""
        return [*(f"{feature}.{name}" for name in self.names), *(part.column for part in self.parts)]

    def __call__(self, hist: Hist) -> tuple[Value, ...]:
        if not self._needs_bins:
            values = tuple([get(hist) for get in self._getters if get])
            if None not in values or hist.bins is None:
                return values
        shape = Shape(hist)
        pairs = zip(self.names, self._getters, strict=True)
        return tuple([_sent_or_computed(hist, name, get, shape) for name, get in pairs])


def _sent_or_computed(hist: Hist, name: str, get: Callable[[Hist], Value] | None, shape: Shape) -> Value:
    """The server's number; that of the bins where it sent none, which isn't one that is no finite number."""
    value = get(hist) if get else None
    if value is None and (get is None or (name in COMPUTABLE and not _is_sent(hist, name))):
        return shape.statistic(name)
    return value


def _is_sent(hist: Hist, name: str) -> bool:
    if hist.stats is None:
        return name == "integral" and hist.bins is not None and hist.bins.integral is not None
    if name == "integral":
        return True
    axes = hist.stats.mean if name.startswith("mean") else hist.stats.rms
    return axes is not None and (axes.Y if name.endswith("_y") else axes.X) is not None


def _getter(name: str) -> Callable[[Hist], Value]:
    """The function that takes one of the server's own numbers out of a histogram."""
    convert = integral if name == "integral" else number
    member_of = attrgetter(SERVER_STATISTICS[name])

    def get(hist: Hist) -> Value:
        try:
            return convert(member_of(hist))
        except AttributeError:  # a member on the way is null
            return None

    return get
