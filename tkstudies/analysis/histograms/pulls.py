"""Pulls: how much each bin of a histogram differs from that of a reference [standard deviations].

Those of counts are beta-binomial. Source: the AutoDQM tool of CMS, ``plugins/beta_binomial.py``.

The reference has r of R entries in a bin: with a flat prior the bin's probability p follows a beta
distribution with a = r + 1, b = R - r + 1. Then the probability of d of D entries in the data is
beta-binomial, and its ratio to the largest possible one (d next to D r / R) is a likelihood ratio, which is
read as the p-value of a chi-square with one degree of freedom: pull = sqrt(chi2.isf(ratio, 1)), positive for
an excess. A tolerance t on the reference stands for changes that don't matter: r and R are multiplied by
1 / sqrt(1 + (r t^2)^2), so that the relative error of r never falls much below t. Pulls of equal shapes have
a mean square of about 0.5, and not 1, for a likelihood ratio isn't quite a p-value. AutoDQM stops at 37
standard deviations, this module doesn't.

Those of profiles and of weighted histograms are differences in units of their errors, the latter scaled to the same
sum. A bin of a profile whose error is 0 has too few entries for an error, mostly none: it is left out on both sides.
Errors of weighted bins with few entries are too small where the contents are by chance: in a pull an error is at least
as large as both histograms together expect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.comparable import TOO_LARGE, Histogram, Incomparable, check

Array = NDArray[np.float64]

TOLERANCE = 0.01
"""Relative change of a bin that doesn't count as a deviation: AutoDQM's default."""


def pulls_of(data: Histogram, reference: Histogram, tolerance: float = TOLERANCE) -> tuple[Array, NDArray[np.bool_]]:
    """The pull of each bin [standard deviations], and which bins could have had one; both as the contents' shape.

    Args:
        tolerance: Relative change of the reference that doesn't count, 0 for none.

    Raises:
        Incomparable: Their binning or kind differs, one is empty, or errors are needed and aren't there.

    Example:
        >>> from tkstudies.analysis.histograms.comparable import read
        >>> even = read({"type": "TH1", "bins": {"content": [50, 0, 50]}})
        >>> pulls, used = pulls_of(even, even)
        >>> pulls.tolist(), used.tolist()
        ([0.0, 0.0, 0.0], [True, False, True])
    """
    check(data, reference)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        pulls, used = pulls_and_used(data, reference, tolerance)
    if not np.isfinite(pulls).all():
        raise Incomparable(TOO_LARGE)
    return pulls, used


def pulls_and_used(data: Histogram, reference: Histogram, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """The same of two that can be compared, as far as numbers go: a pull may be infinite."""
    if data.is_profile:
        return profile_pulls(data, reference, tolerance)
    if not data.is_counts:
        return _weighted_pulls(Shares.of(data), Shares.of(reference), tolerance)
    pulls = beta_binomial_pulls(data.content, reference.content, tolerance)
    return pulls, (data.content + reference.content) > 0


def beta_binomial_pulls(data: Array, reference: Array, tolerance: float = TOLERANCE) -> Array:
    """The pull of each bin [standard deviations], positive for an excess in the data.

    Args:
        data: Counts, any shape.
        reference: Counts, same shape.

    Example:
        >>> beta_binomial_pulls(np.array([10.0, 10, 80]), np.array([100.0, 100, 100])).round(2).tolist()
        [-4.4, -4.4, 7.97]
    """
    from scipy.special import ndtri_exp

    total, reference_total = data.sum(), reference.sum()
    weight = 1 / np.sqrt(1 + (reference * tolerance**2) ** 2)
    r, r_total = np.round(reference * weight), np.round(reference_total * weight)
    expected = total * reference / reference_total
    most = np.maximum(
        _log_probability(np.minimum(np.ceil(expected), total), total, r, r_total),
        _log_probability(np.floor(expected), total, r, r_total),
    )
    log_ratio = np.minimum(_log_probability(data, total, r, r_total) - most, 0)
    return np.abs(ndtri_exp(log_ratio - np.log(2))) * np.sign(data - expected)


def _log_probability(d: Array, total: float, r: Array, r_total: Array) -> Array:
    """Of d of ``total`` entries after r of ``r_total`` (beta-binomial), but for terms that don't depend on d.

    This is log [C(d + r, d) C(D - d + R - r, D - d)]. Of very many entries the logarithms of factorials are too
    large to subtract: each is n log n - n and a small rest, and the former make up the likelihood ratio of
    the 2 x 2 table of entries inside and outside the bin, which is a sum of small terms. Source: Loader, Fast
    and Accurate Computation of Binomial Probabilities (2000).
    """
    rest = _small_part(d + r) + _small_part(total - d + r_total - r) - _small_part(d) - _small_part(total - d)
    entries = total + r_total
    excess = d * (r_total / entries) - r * (total / entries)
    inside = _deviance(d, excess) + _deviance(r, -excess)
    return rest - inside - _deviance(total - d, -excess) - _deviance(r_total - r, excess)


def _small_part(n: Array) -> Array:
    """log n! - (n log n - n): Stirling's series where n is large enough for it."""
    from scipy.special import gammaln, xlogy

    large = np.maximum(n, 100)
    series = np.log(2 * np.pi * large) / 2 + (1 / 12 - (1 / 360 - 1 / 1260 / large**2) / large**2) / large
    small = np.minimum(n, 100)
    return np.where(n < 100, gammaln(small + 1) - xlogy(small, small) + small, series)


def _deviance(n: Array, excess: Array) -> Array:
    """n log(n / m) - n + m, where n is m + excess."""
    from scipy.special import xlog1py

    expected = n - excess
    return xlog1py(n, np.divide(excess, expected, out=np.zeros_like(expected), where=expected > 0)) - excess


def profile_pulls(data: Histogram, reference: Histogram, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """Differences of the means in units of their errors, 0 where either error is unknown; and where both are known."""
    used: NDArray[np.bool_] = (data.known_error > 0) & (reference.known_error > 0)
    if not used.any():
        raise Incomparable("no bin with a known error on both sides")
    error = np.hypot(np.hypot(data.known_error, reference.known_error), tolerance * reference.content)
    difference = data.content - reference.content
    return np.divide(difference, error, out=np.zeros_like(difference), where=used), used


@dataclass(frozen=True)
class Shares:
    """A weighted histogram as parts of its sum.

    Attributes:
        share: Content of each bin, any shape.
        variance: Of each share, same shape.
        entries: Effective number of entries.
    """

    share: Array
    variance: Array
    entries: float

    @classmethod
    def of(cls, histogram: Histogram) -> Shares:
        total = histogram.content.sum()
        if total <= 0:
            raise Incomparable("a sum of contents that is not positive")
        variance = (histogram.known_error / total) ** 2
        if not 0 < variance.sum() < np.inf:
            raise Incomparable(TOO_LARGE)
        return cls(histogram.content / total, variance, float(1 / variance.sum()))


def expected_of_both(data: Array, reference: Array, entries: float, other: float, power: int = 1) -> Array:
    """What both histograms together expect of shares, or (power 2) of their variances times the number of entries."""
    return np.maximum((entries**power * data + other**power * reference) / (entries + other), 0)


def _weighted_pulls(data: Shares, reference: Shares, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """Differences of the shares in units of their errors, 0 where neither bin has one; and which bins have."""
    used: NDArray[np.bool_] = (data.variance > 0) | (reference.variance > 0)
    expected = expected_of_both(data.variance, reference.variance, data.entries, reference.entries, power=2)
    variance = (tolerance * reference.share) ** 2
    for side in (data, reference):
        variance = variance + np.maximum(side.variance, expected / side.entries)
    difference = data.share - reference.share
    return np.divide(difference, np.sqrt(variance), out=np.zeros_like(difference), where=used), used
