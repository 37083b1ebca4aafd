"""Numbers out of the bins of one histogram: moments and quantiles in x, and the level of the bins themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import fsum, isfinite, sqrt
from sys import float_info
from typing import Any

from tkstudies.analysis.histograms.bins import contents_of, edges_of
from tkstudies.histogramrecord import Hist, member
from tkstudies.records import number

QUANTILES = {"median": 0.5, "q05": 0.05, "q25": 0.25, "q75": 0.75, "q95": 0.95}

COMPUTABLE = ("mean", "rms", "mean_y", "rms_y", "integral")
"""The server's numbers that can be computed from the bins where it sent none."""

_ROUNDING = 1e-12


class Shape:
    """The bins of a histogram, looked at when a number is asked for.

    Example:
        >>> from tkstudies.histogramrecord import as_hist
        >>> axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 4}}
        >>> shape = Shape(as_hist({"type": "TH1", "xaxis": axis, "bins": {"content": [1, 0, 0, 1]}}))
        >>> [shape.statistic(name) for name in ("mean", "rms", "integral", "median", "level", "spread")]
        [2.0, 1.5, 2.0, 2.0, 1.0, 0.0]
    """

    def __init__(self, hist: Hist) -> None:
        self._hist = hist

    def statistic(self, name: str) -> float | None:
        """The number of this name, None if the bins don't tell it."""
        try:
            return number(self._computed(name))
        except (OverflowError, ZeroDivisionError, ValueError):  # numbers beyond floats, infinities of both signs
            return None

    def _computed(self, name: str) -> float | None:
        if name in ("level", "spread", "filled"):
            return self._of_contents(name)
        if name == "integral":
            contents = contents_of(self._hist)
            return None if contents is None else fsum(contents.ravel().tolist())
        projection = self._y if name.endswith("_y") else self._x
        if not projection.is_defined:
            return None
        if name in QUANTILES:
            return projection.quantile(QUANTILES[name])
        return projection.moment(name.removesuffix("_y"))

    @cached_property
    def _x(self) -> _Projection:
        weights = _weights(self._hist, along_x=True)
        return _Projection(weights, edges_of(self._hist, "x", len(weights)))

    @cached_property
    def _y(self) -> _Projection:
        weights = _weights(self._hist, along_x=False)
        return _Projection(weights, edges_of(self._hist, "y", len(weights)))

    def _of_contents(self, name: str) -> float | None:
        """Mean or standard deviation of the contents of the filled bins, or their number."""
        hist = self._hist
        contents = _flat(member(hist.bins.content)) if hist.bins else []
        errors = _flat(member(hist.bins.error)) if hist.bins and hist.is_profile else []
        if len(errors) != len(contents):
            errors = [None] * len(contents)
        pairs = zip(contents, errors, strict=True)
        filled = [(value, error) for value, error in pairs if value is not None and (value or error)]
        if name == "filled":
            return len(filled) if contents else None
        if not filled:
            return None
        values = [float(value) for value, _ in filled]
        has_errors_of_means = not (hist.errorStyle or "").strip()
        weights = _entries([error for _, error in filled] if has_errors_of_means else [])
        mean = _average(weights or [1.0] * len(values), values)
        if name == "level":
            return mean
        return sqrt(_average(weights or [1.0] * len(values), [(value - mean) ** 2 for value in values]))


class _Projection:
    """Weights between edges on one axis."""

    def __init__(self, weights: Sequence[float], edges: Sequence[float]) -> None:
        self.weights, self.edges = weights, edges
        self.total = sum(weights)
        self.is_defined = bool(edges) and isfinite(self.total) and self.total > 0

    def moment(self, name: str) -> float | None:
        """Mean, rms, skewness or excess kurtosis, of the centres of the bins."""
        centres = [(low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False)]
        mean = _average(self.weights, centres)
        if name == "mean":
            return mean
        deviations = [centre - mean for centre in centres]
        variance = _average(self.weights, [d * d for d in deviations])
        if name == "rms":
            return sqrt(variance)
        rounding = len(self.weights) * float_info.epsilon * max(abs(self.edges[0]), abs(self.edges[-1]))
        if not variance > rounding**2:
            return None  # all in one bin
        scale = sqrt(variance)
        if name == "skewness":
            return _average(self.weights, [(d / scale) ** 3 for d in deviations])
        return _average(self.weights, [(d / scale) ** 4 for d in deviations]) - 3

    def quantile(self, fraction: float) -> float:
        """Where the cumulative sum reaches the fraction, linear within its bin.

        Reached just before empty bins it is the middle of the gap, as in ROOT (TH1::GetQuantiles).
        """
        wanted, below = fraction * self.total, 0.0
        reached: float | None = None  # the upper edge at which the sum was exactly what is wanted
        for weight, low, high in zip(self.weights, self.edges, self.edges[1:], strict=False):
            if not weight:
                continue
            if reached is not None:
                return (reached + low) / 2
            if abs(below + weight - wanted) <= _ROUNDING * self.total:
                reached = high
            elif below + weight > wanted:
                return low + (high - low) * max(0.0, wanted - below) / weight
            below += weight
        return self.edges[-1] if reached is None else reached


def _average(weights: Iterable[float], values: Iterable[float]) -> float:
    pairs = list(zip(weights, values, strict=True))
    return fsum(weight * value for weight, value in pairs) / fsum(weight for weight, _ in pairs)


def _weights(hist: Hist, along_x: bool) -> list[float]:
    """Contents of the bins along an axis, projected if 2-D; empty if they are no distribution."""
    content = None if hist.is_profile else contents_of(hist)
    if content is None or (content.ndim == 1 and not along_x):
        return []
    weights: list[float] = content.tolist()
    if content.ndim == 2:
        weights = [fsum(line) for line in (content.T if along_x else content).tolist()]
    return weights if all(isfinite(weight) and weight >= 0 for weight in weights) else []


def _entries(errors: Sequence[int | float | None]) -> list[float]:
    """How many entries bins have, up to a factor: the inverse square of the errors of their means.

    A bin without an error (of one entry) has as few as any other. None known: an empty list.
    """
    known = [float(error) ** -2 for error in errors if error is not None and error > 0]
    if not known:
        return []
    fewest = min(known)
    return [float(error) ** -2 if error is not None and error > 0 else fewest for error in errors]


def _flat(values: Any) -> list[int | float | None]:
    found: list[int | float | None] = []
    for item in values if isinstance(values, list) else ():
        found.extend(map(number, item) if isinstance(item, list) else (number(item),))
    return found
