"""How much a plot changes from one good run to another, and how unusual another change of it is.

With millions of entries every plot of two good runs differs significantly, some much and others hardly: a change
says something only beside those that the same plot shows between good runs. The size of a change is

- of counts and weighted histograms: the Kolmogorov-Smirnov distance, 0 to 1;
- of profiles: the root mean square of the differences of the means, weighted by their errors [unit of y].

A size d has a part from the limited number of entries, which is known (its median n, if the shapes are equal), and a
natural one. Over pairs of good runs the median natural size a is what makes the median of u = d / sqrt(a^2 + n^2)
one; then z = (u - median u) / ((q90 u - median u) / 1.2816), so that a tenth of the good pairs has z above 1.2816, and
runs with few entries aren't more unusual than others. Where the same data were reconstructed twice the entries are the
same, and n is 0. Pairs are drawn at random, not from neighbours in time: a reference is used for weeks.

Measured on simulated runs (mean of the ten largest z of a run): ``python -m benchmarks.changes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.collections import to_offline
from tkstudies.analysis.histograms.comparable import TOO_LARGE, Histogram, Incomparable, check
from tkstudies.analysis.histograms.comparison import cumulative_distance

Array = NDArray[np.float64]

LEAST_PAIRS = 20
"""Pairs of good runs from which a plot's changes are learned."""

LEAST_SIZE = 1e-4
"""Smaller changes are none: one entry in ten thousand has moved; of profiles in units of their largest mean."""

LEAST_WIDTH = 0.1

_MEDIAN_OF_KS = 0.8276  # median of the Kolmogorov distribution: of the distance times the root of the entries
_NORMAL_90 = 1.2816  # standard deviations above the mean that a tenth of a normal distribution exceeds
_HALVINGS = 60


class PlotKey(NamedTuple):
    """Which plots change alike.

    Attributes:
        plot: Its offline path.
        reco: Of the run that is compared.
        stream: Primary dataset, such as StreamExpress; None if unknown.
    """

    plot: str
    reco: str | None
    stream: str | None

    @classmethod
    def of(cls, plot: str, reco: str | None, dataset: str | None) -> PlotKey:
        """The key of a plot, online or offline, made from a dataset."""
        return cls(to_offline(plot) or plot, reco, stream_of(dataset))


def stream_of(dataset: str | None) -> str | None:
    """The primary dataset: events of others were chosen otherwise. Its numbered parts are alike.

    >>> stream_of("/StreamExpress/Run2018D-Express-v1/DQMIO"), stream_of("/ZeroBias2/x/DQMIO"), stream_of(None)
    ('StreamExpress', 'ZeroBias', None)
    """
    parts = (dataset or "").split("/")
    return (parts[1].rstrip("0123456789") or None) if len(parts) > 1 else None


class Change(NamedTuple):
    """A change of a plot.

    Attributes:
        size: How large it is.
        noise: The median size that the limited number of entries alone gives.
        is_profile: Whether sizes are in the unit of y, else between 0 and 1.
    """

    size: float
    noise: float
    is_profile: bool


def change(data: Histogram, reference: Histogram, *, same_data: bool = False) -> Change:
    """How much a histogram differs from its reference.

    Args:
        same_data: Both were made from the same events, so that the number of entries adds nothing.

    Raises:
        Incomparable: As for a comparison.

    Example:
        >>> from tkstudies.analysis.histograms.comparable import read
        >>> hists = [{"type": "TH1", "bins": {"content": content}} for content in ([10, 0, 30], [20, 0, 20])]
        >>> change(*map(read, hists)).size
        0.25
    """
    check(data, reference)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        size, noise, least = _of_profiles(data, reference) if data.is_profile else _of_counts(data, reference)
    if not np.isfinite([size, noise, least]).all():
        raise Incomparable(TOO_LARGE)
    return Change(max(size, least), 0.0 if same_data else noise, data.is_profile)


def _of_counts(data: Histogram, reference: Histogram) -> tuple[float, float, float]:
    totals = data.content.sum(), reference.content.sum()
    if min(totals) <= 0:
        raise Incomparable("a sum of contents that is not positive")
    size = cumulative_distance(data.content / totals[0], reference.content / totals[1])
    parts = 1 / _entries(data, totals[0]) + 1 / _entries(reference, totals[1])
    return size, float(_MEDIAN_OF_KS * np.sqrt(parts)), LEAST_SIZE


def _entries(histogram: Histogram, total: float) -> float:
    """The number of entries, of weighted ones the effective one."""
    if histogram.is_counts:
        return total
    return float(1 / ((histogram.known_error / total) ** 2).sum())


def _of_profiles(data: Histogram, reference: Histogram) -> tuple[float, float, float]:
    used = (data.known_error > 0) & (reference.known_error > 0)
    if not used.any():
        raise Incomparable("no bin with a known error on both sides")
    mine, other = data.content[used], reference.content[used]
    weights = 1 / (data.known_error[used] ** 2 + reference.known_error[used] ** 2)
    weight = weights.sum()
    size = np.sqrt((weights * (mine - other) ** 2).sum() / weight)
    bins = len(mine)
    median = bins * (1 - 2 / (9 * bins)) ** 3  # of a chi-square with so many degrees of freedom
    least = LEAST_SIZE * max(np.abs(mine).max(), np.abs(other).max(), np.finfo(float).tiny)
    return float(size), float(np.sqrt(median / weight)), float(least)


@dataclass(frozen=True)
class Usual:
    """The changes of a plot between good runs.

    Attributes:
        natural: Median size without the noise of limited entries.
        centre, width: Of sizes in units of the expected one: the median, and the distance of a standard deviation.
        pairs: How many changes it was learned from.
        is_profile: As in `Change`.
    """

    natural: float
    centre: float
    width: float
    pairs: int
    is_profile: bool

    def z(self, change: Change) -> float:
        """How unusual a change is: 0 is the median of good pairs, a tenth of them is above 1.28.

        Example:
            >>> usual = learn([Change(0.01 + 0.001 * n, 0.0, False) for n in range(21)])
            >>> round(usual.z(Change(0.02, 0.0, False)), 2), round(usual.z(Change(0.1, 0.0, False)), 2)
            (0.0, 12.82)
        """
        return float((change.size / _expected(self.natural, change.noise) - self.centre) / self.width)

    def size(self, change: Change) -> float:
        """The median size of good pairs with as many entries."""
        return float(_expected(self.natural, change.noise) * self.centre)


def learn(changes: list[Change]) -> Usual:
    """The usual changes of a plot.

    Args:
        changes: Between pairs of good runs, all of one kind, at least one.
    """
    sizes, noises = (np.array(values) for values in list(zip(*changes, strict=True))[:2])
    natural = _natural(sizes, noises)
    relative = sizes / _expected(natural, noises)
    centre, upper = np.quantile(relative, [0.5, 0.9])
    width = max((upper - centre) / _NORMAL_90, LEAST_WIDTH)
    return Usual(natural, float(centre), float(width), len(changes), changes[0].is_profile)


def _natural(sizes: Array, noises: Array) -> float:
    """The natural size beyond which, together with the noise, half of the sizes are; 0 if the noise explains them."""
    low, high = 0.0, float(sizes.max())
    if np.median(sizes / np.maximum(noises, np.finfo(float).tiny)) <= 1:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.median(sizes / np.hypot(middle, noises)) > 1:
            low = middle
        else:
            high = middle
    return high


def _expected(natural: float, noise: float | Array) -> float | Array:
    return np.hypot(natural, noise)
