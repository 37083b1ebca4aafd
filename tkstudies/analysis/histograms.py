"""Numbers from histograms: statistics of one, and the wide table of many.

A histogram is the ``hist`` object of the DQM GUI's jsonfairy answer. ``mean``, ``rms``, ``entries`` and ``integral``
are the server's own numbers and pass through as sent; the shape statistics are computed from the bins. Whatever isn't
a finite number is None: the server writes ``"nan"`` and ``"inf"`` as texts, and ``hist`` itself is the text
``unsupported type`` for a plot that the run doesn't have.

Shape statistics (skewness, excess kurtosis, median, quantiles) take the bins inside the axis as they are, without
under- and overflow. For a 2-D histogram they describe its projection on x. A profile has means in its bins, not
counts: no shape statistics. The axis runs from the lower edge of the first bin (``xaxis.first.value``) to the upper edge
of the last one (``xaxis.last.value``): for the real tracking map of run 321012 this reading reproduces the server's mean
and rms to 0.001, bin centres miss the rms by 3 %. An axis of one bin has neither and gives None.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate
from math import isfinite, sqrt
from typing import Any

from tkstudies.analysis.collections import feature_name, feature_order
from tkstudies.errors import InputError, UsageError

DEFAULT_STATISTICS = ("mean", "rms", "entries", "integral")

_SERVER_STATISTICS: dict[str, tuple[str, ...]] = {
    "mean": ("stats", "mean", "X", "value"),
    "rms": ("stats", "rms", "X", "value"),
    "entries": ("stats", "entries"),
    "integral": ("bins", "integral"),
    "mean_y": ("stats", "mean", "Y", "value"),
    "rms_y": ("stats", "rms", "Y", "value"),
    "underflow": ("stats", "underflow"),
    "overflow": ("stats", "overflow"),
}
_QUANTILES = {"median": 0.5, "q05": 0.05, "q25": 0.25, "q75": 0.75, "q95": 0.95}

STATISTICS = (*_SERVER_STATISTICS, "skewness", "kurtosis", *_QUANTILES)
"""All statistics by name; ``kurtosis`` is the excess, 0 for a normal distribution."""


def check_statistics(names: Collection[str]) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        UsageError: One isn't in `STATISTICS`.
    """
    for name in names:
        if name not in STATISTICS:
            raise UsageError(f"no statistic {name!r}; there are {', '.join(STATISTICS)}")
    return tuple(names)


def statistics(hist: Any, names: Collection[str] = DEFAULT_STATISTICS) -> dict[str, int | float | None]:
    """Statistics of one histogram, each None when it can't be told.

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
    check_statistics(names)
    values: dict[str, int | float | None] = {}
    shape: _Shape | None = None
    for name in names:
        if name in _SERVER_STATISTICS:
            values[name] = _server_statistic(hist, name)
        else:
            shape = shape or _Shape(hist)
            values[name] = shape.statistic(name)
    return values


def contents(hist: Any) -> list[int | float | None]:
    """The bin contents in order; those of a 2-D histogram row after row (x runs fastest).

    Example:
        >>> contents({"bins": {"content": [[1, "nan"], [3, 4]]}})
        [1, None, 3, 4]
    """
    values: list[int | float | None] = []
    for item in _member(hist, "bins", "content") or ():
        values.extend(map(finite, item) if isinstance(item, list) else (finite(item),))
    return values


def finite(value: Any) -> int | float | None:
    """The value if it is a finite number, else None."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class FeatureTable:
    """Histogram records -> one wide row per (run_number, reco), in the order of first appearance.

    Columns are run_number, reco, then for each feature ``<feature>.<statistic>`` and, on request, the contents
    ``<feature>_<bin>``. A row has the features of its own histograms, in the order of the collections table, then others
    in the order in which the whole input brought them up.

    Args:
        names: Statistics, of `STATISTICS`.
        content: Whether to add the bin contents.
        feature_names: Feature by plot path or name, before the table's.

    Attributes:
        duplicates: Histograms dropped because their run, reco and feature had come before.

    Example:
        >>> table = FeatureTable(["entries"])
        >>> for name in ("TrackPt_ImpactPoint_GenTk", "NumberOfTracks_GenTk"):
        ...     table.add({"run_number": 1, "reco": "express", "name": name, "hist": {"stats": {"entries": 9}}})
        >>> list(table.rows())
        [{'run_number': 1, 'reco': 'express', 'Tracks.entries': 9, 'TrackPt.entries': 9}]
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
        self._features = dict(feature_names or {})  # by plot path or name, grows as plots are met
        self._order = dict(feature_order())
        self._rows: dict[tuple[Any, Any], dict[str, dict[str, Any]]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in one histogram record.

        A histogram that the server didn't have gives nulls and makes way for a later one.

        Raises:
            InputError: The record doesn't say which run or which plot.
        """
        hist = record.get("hist")
        columns = statistics(hist, self.names) if isinstance(hist, dict) else None
        self.add_columns(record, columns, contents(hist) if self.content else ())

    def add_columns(
        self,
        record: Mapping[str, Any],
        columns: Mapping[str, int | float | None] | None,
        bins: Collection[int | float | None] = (),
    ) -> None:
        """Take in a histogram's statistics (None: there is no histogram) and contents, computed by the caller."""
        run, plot = record.get("run_number"), record.get("plot") or record.get("name")
        if not isinstance(run, int) or not isinstance(plot, str):
            raise InputError(f"not a histogram record: run_number {run!r:.80}, plot {plot!r:.80}")
        row = self._rows.setdefault((run, str(record.get("reco") or "") or None), {})
        feature = self._feature(plot, record.get("name"))
        if columns is None:
            row.setdefault(feature, {})
        elif row.get(feature):
            self.duplicates += 1
        else:
            cells = {f"{feature}.{name}": value for name, value in columns.items()}
            cells.update((f"{feature}_{number}", value) for number, value in enumerate(bins))
            row[feature] = cells

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows so far."""
        for key in self._rows:
            yield self._row(key)

    def take(self) -> Iterator[dict[str, Any]]:
        """The rows so far, forgetting them: for input in which a run's histograms stand together."""
        for key in list(self._rows):
            yield self._row(key)
            del self._rows[key]

    def is_new(self, record: Mapping[str, Any]) -> bool:
        """Whether the record begins a row that isn't held."""
        return (record.get("run_number"), str(record.get("reco") or "") or None) not in self._rows

    def _row(self, key: tuple[Any, Any]) -> dict[str, Any]:
        row = {"run_number": key[0], "reco": key[1]}
        features = self._rows[key]
        for feature in sorted(features, key=self._order.__getitem__):
            row.update(features[feature] or dict.fromkeys(f"{feature}.{name}" for name in self.names))
        return row

    def _feature(self, plot: str, name: Any) -> str:
        feature = self._features.get(plot)
        if feature is None:
            feature = (self._features.get(name) if isinstance(name, str) else None) or feature_name(plot)
            self._features[plot] = feature
        self._order.setdefault(feature, len(self._order))
        return feature


def _server_statistic(hist: Any, name: str) -> int | float | None:
    value = _member(hist, *_SERVER_STATISTICS[name])
    if name == "integral" and isinstance(value, list):
        try:
            value = value[1][1]  # below, inside, above the axis; y by x
        except (IndexError, KeyError, TypeError):
            return None
    return finite(value)


def _member(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


class _Shape:
    """The distribution in the bins of a histogram: their edges and weights."""

    def __init__(self, hist: Any) -> None:
        self.weights = _x_weights(hist)
        self.edges = _x_edges(hist, len(self.weights))
        self.total = sum(self.weights)
        self.is_defined = bool(self.edges) and isfinite(self.total) and self.total > 0

    def statistic(self, name: str) -> float | None:
        if not self.is_defined:
            return None
        try:
            value = self._quantile(_QUANTILES[name]) if name in _QUANTILES else self._standardised(name)
        except OverflowError:
            return None
        return finite(value)

    def _standardised(self, name: str) -> float | None:
        """Third or fourth moment about the mean in units of the standard deviation, of bin centres."""
        centres = [(low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False)]
        mean = self._average(centres)
        deviations = [centre - mean for centre in centres]
        variance = self._average(d * d for d in deviations)
        if not variance > 0:
            return None
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


def _x_weights(hist: Any) -> list[float]:
    """Contents of the bins along x, projected if 2-D; empty if they are no distribution."""
    kind, content = _member(hist, "type"), _member(hist, "bins", "content")
    if not isinstance(content, list) or (isinstance(kind, str) and kind.startswith("TProfile")):
        return []
    is_table = bool(content) and all(isinstance(row, list) for row in content)
    rows = content if is_table else [content]
    if any(len(row) != len(rows[0]) for row in rows) or any(
        finite(item) is None for row in rows for item in row
    ):
        return []
    try:
        weights = [float(sum(column)) for column in zip(*rows, strict=True)]
    except OverflowError:
        return []
    return weights if all(weight >= 0 for weight in weights) else []


def _x_edges(hist: Any, count: int) -> list[float]:
    """Edges of the bins along x, empty if unknown; ``bins.width`` lists the widths where they aren't equal."""
    first, last = (finite(_member(hist, "xaxis", end, "value")) for end in ("first", "last"))
    if first is None or last is None or not count or not first < last:
        return []
    widths = _member(hist, "bins", "width")
    if (
        isinstance(widths, list)
        and len(widths) == count
        and all((finite(width) or 0) > 0 for width in widths)
    ):
        return list(accumulate(widths, initial=first))
    ids = [finite(_member(hist, "xaxis", end, "id")) for end in ("first", "last")]
    if None not in ids and ids[1] - ids[0] + 1 != count:
        return []  # a zoomed axis: the bins aren't the ones that the ends belong to
    return [first + (last - first) * number / count for number in range(count + 1)]
