"""Numbers from histograms: statistics of one, and the wide table of many.

A histogram is the ``hist`` object of the DQM GUI's jsonfairy answer. ``mean``, ``rms``, ``entries`` and
``integral`` are the server's own numbers and pass through as sent; the shape statistics are computed from the
bins. Whatever isn't a finite number is None: the server writes ``"nan"`` and ``"inf"`` as texts, and ``hist``
itself is the text ``unsupported type`` for a plot that the run doesn't have.

Shape statistics (skewness, excess kurtosis, median, quantiles) take the bins inside the axis as they are,
without under- and overflow. For a 2-D histogram they describe its projection on x. A profile has means in its
bins, not counts: no shape statistics. The axis runs from the lower edge of the first bin
(``xaxis.first.value``) to the upper edge of the last one (``xaxis.last.value``): for the real tracking map of
run 321012 this reading reproduces the server's mean and rms to 0.001, bin centres miss the rms by 3 %. An
axis of one bin has neither and gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import isfinite, sqrt
from operator import attrgetter
from sys import float_info
from typing import Any

from tkstudies.analysis.histograms.bins import contents_of, edges_of
from tkstudies.analysis.histograms.collections import feature_name, feature_order
from tkstudies.console import Losses
from tkstudies.errors import UsageError
from tkstudies.histogramrecord import Hist, HistogramRecord, as_hist, member
from tkstudies.records import Record, RowKey, number

Value = int | float | None

DEFAULT_STATISTICS = ("mean", "rms", "entries", "integral")

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

_QUANTILES = {"median": 0.5, "q05": 0.05, "q25": 0.25, "q75": 0.75, "q95": 0.95}

STATISTICS = (*SERVER_STATISTICS, "skewness", "kurtosis", *_QUANTILES)
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
        {'mean': None, 'integral': 4, 'median': 2.5, 'skewness': 0.0}
        >>> statistics("unsupported type", ["mean"])
        {'mean': None}
    """
    names = check_statistics(names)
    return dict(zip(names, _Statistics(names)(as_hist(hist) or Hist()), strict=True))


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


class FeatureTable:
    """Histogram records -> one wide row per (run_number, reco), in the order of first appearance.

    Histograms of lumisections give one row each. Columns are run_number, reco, lumisection_number if the
    records have it, then for each feature ``<feature>.<statistic>`` and, on request, the
    contents ``<feature>_<bin>``. A row has the features of its own histograms, in the order of the
    collections table, then others in the order in which the whole input brought them up.

    Args:
        names: Statistics, of `STATISTICS`.
        content: Whether to add the bin contents.
        feature_names: Feature by plot path or name, before the table's.

    Attributes:
        duplicates: Histograms dropped because their run, reco, lumisection and feature had come before.

    Example:
        >>> table = FeatureTable(["entries"])
        >>> for name in ("TrackPt_ImpactPoint_GenTk", "NumberOfTracks_GenTk"):
        ...     hist = {"stats": {"entries": 9}}
        ...     table.add({"run_number": 1, "reco": "prompt", "name": name, "hist": hist})
        >>> list(table.rows())
        [{'run_number': 1, 'reco': 'prompt', 'Tracks.entries': 9, 'TrackPt.entries': 9}]
    """

    def __init__(
        self,
        names: Collection[str] = DEFAULT_STATISTICS,
        content: bool = False,
        feature_names: Mapping[str, str] | None = None,
    ) -> None:
        self.names = check_statistics(names)
        self.content = content
        self.duplicates = 0
        self._statistics = _Statistics(self.names)
        self._own_names = dict(feature_names or {})
        self._features: dict[str, str] = {}  # by plot, grows as plots are met
        self._order = dict(feature_order())
        self._rows: dict[RowKey, dict[str, tuple[Value, ...] | None]] = {}

    def add(self, record: HistogramRecord | Mapping[str, Any]) -> None:
        """Take in one histogram record.

        A histogram that the server didn't have gives nulls and makes way for a later one.

        Raises:
            WrongRecord: The record doesn't say which run or which plot.
        """
        if not isinstance(record, HistogramRecord):
            record = HistogramRecord.from_record(record)
        feature = self._features.get(record.label) or self._learn(record.label)
        row = self._rows.setdefault(record.key, {})
        hist = record.hist
        if not isinstance(hist, Hist):
            row.setdefault(feature, None)
        elif row.get(feature) is not None:
            self.duplicates += 1
        else:
            row[feature] = (*self._statistics(hist), *(contents(hist) if self.content else ()))

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows so far."""
        for key in self._rows:
            yield self._row(key)

    def losses(self) -> Losses:
        """Histograms that were dropped."""
        losses = Losses()
        losses.add(self.duplicates, "histogram", "dropped: same run, reco and plot as before")
        return losses

    def _row(self, key: RowKey) -> dict[str, Any]:
        row = key.columns()
        features = self._rows[key]
        for feature in sorted(features, key=self._order.__getitem__):
            values = features[feature] or (None,) * len(self.names)
            row.update(zip((f"{feature}.{name}" for name in self.names), values, strict=False))
            row.update((f"{feature}_{i}", content) for i, content in enumerate(values[len(self.names) :]))
        return row

    def _learn(self, plot: str) -> str:
        own_name = self._own_names.get(plot) or self._own_names.get(plot.rpartition("/")[2])
        feature = self._features[plot] = own_name or feature_name(plot)
        self._order.setdefault(feature, len(self._order))
        return feature


class _Statistics:
    """The named statistics of a histogram, as a tuple; the bins are looked at only where one needs them."""

    def __init__(self, names: Collection[str]):
        self._getters = [_getter(name) if name in SERVER_STATISTICS else None for name in names]
        self._names = tuple(names)
        self._needs_bins = None in self._getters

    def __call__(self, hist: Hist) -> tuple[Value, ...]:
        if not self._needs_bins:
            return tuple([get(hist) for get in self._getters if get])
        shape = _Shape(hist)
        pairs = zip(self._names, self._getters, strict=True)
        return tuple([get(hist) if get else shape.statistic(name) for name, get in pairs])


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


class _Shape:
    """The distribution in the bins of a histogram: their edges and weights."""

    def __init__(self, hist: Hist) -> None:
        self.weights = _x_weights(hist)
        self.edges = edges_of(hist, "x", len(self.weights))
        self.total = sum(self.weights)
        self.is_defined = bool(self.edges) and isfinite(self.total) and self.total > 0

    def statistic(self, name: str) -> float | None:
        if not self.is_defined:
            return None
        try:
            value = self._quantile(_QUANTILES[name]) if name in _QUANTILES else self._standardised(name)
        except OverflowError:
            return None
        return number(value)

    def _standardised(self, name: str) -> float | None:
        """Third or fourth moment about the mean in units of the standard deviation, of bin centres."""
        centres = [(low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False)]
        mean = self._average(centres)
        deviations = [centre - mean for centre in centres]
        variance = self._average(d * d for d in deviations)
        rounding = len(self.weights) * float_info.epsilon * max(abs(self.edges[0]), abs(self.edges[-1]))
        if not variance > rounding**2:
            return None  # all in one bin
        scale = sqrt(variance)
        if name == "skewness":
            return self._average((d / scale) ** 3 for d in deviations)
        return self._average((d / scale) ** 4 for d in deviations) - 3

    def _average(self, values: Any) -> float:
        return sum(weight * value for weight, value in zip(self.weights, values, strict=True)) / self.total

    def _quantile(self, fraction: float) -> float:
        """Where the cumulative sum reaches the fraction, linear within its bin."""
        wanted, below = fraction * self.total, 0.0
        for weight, low, high in zip(self.weights, self.edges, self.edges[1:], strict=False):
            if weight and below + weight >= wanted:
                return low + (high - low) * max(0.0, wanted - below) / weight
            below += weight
        return self.edges[-1]  # rounding left the sum below the last fraction


def _x_weights(hist: Hist) -> list[float]:
    """Contents of the bins along x, projected if 2-D; empty if they are no distribution."""
    content = None if hist.is_profile else contents_of(hist)
    if content is None:
        return []
    rows = content.tolist() if content.ndim == 2 else [content.tolist()]
    weights = [sum(column) for column in zip(*rows, strict=True)]
    return weights if all(isfinite(weight) and weight >= 0 for weight in weights) else []


def feature_rows(
    records: Iterable[Mapping[str, Any]],
    statistics: Collection[str] = DEFAULT_STATISTICS,
    *,
    content: bool = False,
    feature_names: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """Turn histogram records into one wide row for each run and reco, as ``tkstudies features`` does.

    Args:
        records: As ``tkstudies dqm`` writes them.
        statistics: Of `STATISTICS`; units are those of the axes.
        content: Whether to add the bin contents.
        feature_names: Feature by plot path or name, before those of the quick collections.

    Raises:
        InputError: A record doesn't say which run or which plot.

    Example:
        >>> record = {"run_number": 1, "reco": "prompt", "plot": "/a/b", "hist": {"stats": {"entries": 9}}}
        >>> list(feature_rows([record], ["entries"]))
        [{'run_number': 1, 'reco': 'prompt', 'b.entries': 9}]
    """
    table = FeatureTable(statistics, content, feature_names)
    for record in records:
        table.add(record)
    yield from table.rows()
    table.losses().warn()
