"""How much a histogram differs in shape from that of a reference run: chi-square, Kolmogorov-Smirnov, pulls.

Counts (TH1 and TH2 of non-negative integers) are compared as two samples whose sizes may differ:

- chi-square of two unweighted histograms n and m with totals N and M, sum (M n - N m)^2 / (n + m) / (N M), with one
  degree of freedom less than bins. Source: ROOT, ``TH1::Chi2Test`` (Gagunashvili, arXiv:physics/0605123). Neighbouring
  bins are merged until 5 entries are expected in each of both histograms: in thin tails the sum isn't distributed as a
  chi-square (of 200 entries against 20,000 of the same shape 11 % have p < 0.01, merged 1.4 %).
- Kolmogorov-Smirnov distance of the two cumulative distributions, in 2-D the mean of the distances that
  x before y and y before x give. Bins make its probability too large. Source: ROOT, ``TH1`` and
  ``TH2::KolmogorovTest``.
- The beta-binomial pull of each bin, below. Source: the AutoDQM tool of CMS, ``plugins/beta_binomial.py``.

The reference has r of R entries in a bin: with a flat prior the bin's probability p follows a beta
distribution with a = r + 1, b = R - r + 1. Then the probability of d of D entries in the data is
beta-binomial, and its ratio to the largest possible one (d next to D r / R) is a likelihood ratio, which is
read as the p-value of a chi-square with one degree of freedom: pull = sqrt(chi2.isf(ratio, 1)), positive for
an excess. A tolerance t on the reference stands for changes that don't matter: r and R are multiplied by
1 / sqrt(1 + (r t^2)^2), so that the relative error of r never falls much below t. Pulls of equal shapes have
a mean square of about 0.5, and not 1, for a likelihood ratio isn't quite a p-value. AutoDQM stops at 37
standard deviations, this module doesn't.

Profiles, and histograms whose contents aren't counts (weighted ones), are compared bin by bin with their errors, the
latter scaled to the same sum; they have no Kolmogorov-Smirnov test. A bin of a profile whose error is 0 has too few
entries for an error, mostly none: it is left out on both sides. Errors of weighted bins with few entries are too small
where the contents are by chance. So, as Pearson's chi-square does, that of weighted histograms takes the errors which
both together expect, after neighbours were merged to 10 expected effective entries, (sum w)^2 / sum w^2; in a pull an
error is at least as large as expected. Weighted contents and counts aren't comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.comparable import Histogram, Incomparable, check, read

__all__ = ["COLUMNS", "TOLERANCE", "Histogram", "Incomparable", "compare", "not_compared", "pulls_of", "read"]

Array = NDArray[np.float64]

LEAST_ENTRIES = 5
"""Expected in each bin of a chi-square."""

LEAST_EFFECTIVE_ENTRIES = 10
"""The same of weighted histograms."""

TOLERANCE = 0.01
"""Relative change of a bin that doesn't count as a deviation: AutoDQM's default."""

TOO_LARGE = "numbers too large to compute with"

COLUMNS = (
    "chi2", "ndf", "p_value", "ks", "ks_p_value",
    "max_pull", "max_pull_corrected", "is_excess", "pull_chi2", "bin", "bin_x", "bin_y", "reason",
)  # fmt: skip


def compare(data: Histogram, reference: Histogram, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """How a histogram differs from its reference in shape.

    Args:
        tolerance: Relative change of the reference that doesn't count, 0 for none.

    Returns:
        The columns of `COLUMNS`. max_pull is the magnitude of the largest pull [standard deviations],
        max_pull_corrected what it means among that many bins, is_excess whether the data are above the reference
        there (None for no pull); pull_chi2 is the mean squared pull (AutoDQM's chi-square); bin numbers the bins
        from 0 as ``features --content`` does (x runs fastest), bin_x and bin_y are its centre [units of the axes].

    Raises:
        Incomparable: Their binning or kind differs, one is empty, or errors are needed and aren't there.

    Example:
        >>> even = read({"type": "TH1", "bins": {"content": [50, 50, 50, 50]}})
        >>> spike = read({"type": "TH1", "bins": {"content": [100, 100, 100, 400]}})
        >>> result = compare(spike, even)
        >>> result["ndf"], result["bin"], round(result["chi2"], 1), round(result["max_pull"], 1)
        (3, 3, 64.3, 7.9)
        >>> compare(even, even)["max_pull"]
        0.0
    """
    check(data, reference)
    ks: float | None = None
    ks_p_value: float | None = None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        pulls, used = _pulls(data, reference, tolerance)
        if data.is_profile:
            chi2, ndf = float((_profile_pulls(data, reference, 0)[0] ** 2).sum()), int(used.sum())
        elif data.is_counts:
            chi2, ndf = chi_square(data.content, reference.content)
            ks, ks_p_value = kolmogorov_smirnov(data.content, reference.content)
        else:
            chi2, ndf = weighted_chi_square(_Shares.of(data), _Shares.of(reference))
        if not np.isfinite(chi2) or not np.isfinite((pulls**2).sum()):
            raise Incomparable(TOO_LARGE)
    return {
        "chi2": chi2,
        "ndf": ndf,
        "p_value": _chi_square_probability(chi2, ndf),
        "ks": ks,
        "ks_p_value": ks_p_value,
        **_largest(pulls, int(used.sum())),
        **_where(data, pulls),
        "reason": None,
    }


def pulls_of(data: Histogram, reference: Histogram, tolerance: float = TOLERANCE) -> tuple[Array, NDArray[np.bool_]]:
    """The pull of each bin that `compare` looks at, and which bins could have had one; both as the contents' shape.

    Raises:
        Incomparable: As for `compare`.

    Example:
        >>> even = read({"type": "TH1", "bins": {"content": [50, 0, 50]}})
        >>> pulls, used = pulls_of(even, even)
        >>> pulls.tolist(), used.tolist()
        ([0.0, 0.0, 0.0], [True, False, True])
    """
    check(data, reference)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        pulls, used = _pulls(data, reference, tolerance)
    if not np.isfinite(pulls).all():
        raise Incomparable(TOO_LARGE)
    return pulls, used


def _pulls(data: Histogram, reference: Histogram, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    if data.is_profile:
        return _profile_pulls(data, reference, tolerance)
    if not data.is_counts:
        return _weighted_pulls(_Shares.of(data), _Shares.of(reference), tolerance)
    pulls = beta_binomial_pulls(data.content, reference.content, tolerance)
    return pulls, (data.content + reference.content) > 0


def not_compared(reason: str) -> dict[str, Any]:
    """The columns of a comparison that could not be made."""
    return {**dict.fromkeys(COLUMNS), "reason": reason}


def chi_square(data: Array, reference: Array) -> tuple[float, int]:
    """Chi-square of two histograms of counts, and its degrees of freedom: 0 if there are too few entries for any.

    Example:
        >>> chi_square(np.array([10.0, 0, 30]), np.array([20.0, 0, 20]))
        (5.333333333333332, 1)
        >>> chi_square(np.array([10.0, 1, 29]), np.array([20.0, 0, 20]))
        (5.333333333333332, 1)
    """
    total, reference_total = data.sum(), reference.sum()
    expected = min(total, reference_total) / (total + reference_total) * (data + reference)
    n, m = _merged(expected, LEAST_ENTRIES, data, reference)
    chi2 = ((reference_total * n - total * m) ** 2 / (n + m)).sum() / (total * reference_total)
    return float(chi2), len(n) - 1


def _merged(expected: Array, least: float, *contents: Array) -> list[Array]:
    """Contents of bins, merged with their neighbours until ``least`` entries are expected in each; no empty ones."""
    used = expected.ravel() > 0
    starts, sum_so_far = [0], 0.0
    for number, value in enumerate(expected.ravel()[used].tolist()):
        if sum_so_far >= least:
            starts.append(number)
            sum_so_far = 0.0
        sum_so_far += value
    if sum_so_far < least and len(starts) > 1:
        starts.pop()  # the rest goes to the last bin
    return [np.add.reduceat(content.ravel()[used], starts) for content in contents]


def kolmogorov_smirnov(data: Array, reference: Array) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance (0 to 1) of two histograms of counts, and its probability.

    Example:
        >>> kolmogorov_smirnov(np.array([10.0, 0, 30]), np.array([20.0, 0, 20]))[0]
        0.25
    """
    from scipy.special import kolmogorov

    total, reference_total = data.sum(), reference.sum()
    distance = cumulative_distance(data / total, reference / reference_total)
    entries = total * reference_total / (total + reference_total)
    return distance, float(kolmogorov(distance * np.sqrt(entries)))


def cumulative_distance(data: Array, reference: Array) -> float:
    """Largest distance of two cumulative distributions; in 2-D the mean of what both orders of the bins give.

    Args:
        data: Share of each bin in the sum, any shape.
        reference: The same, same shape.
    """
    difference = data - reference
    orders = (difference, difference.T) if difference.ndim == 2 else (difference,)
    return float(np.mean([np.abs(np.cumsum(order.ravel())).max() for order in orders]))


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


def _profile_pulls(data: Histogram, reference: Histogram, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """Differences of the means in units of their errors, 0 where either error is unknown; and where both are known."""
    used: NDArray[np.bool_] = (data.known_error > 0) & (reference.known_error > 0)
    if not used.any():
        raise Incomparable("no bin with a known error on both sides")
    error = np.hypot(np.hypot(data.known_error, reference.known_error), tolerance * reference.content)
    difference = data.content - reference.content
    return np.divide(difference, error, out=np.zeros_like(difference), where=used), used


@dataclass(frozen=True)
class _Shares:
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
    def of(cls, histogram: Histogram) -> _Shares:
        total = histogram.content.sum()
        if total <= 0:
            raise Incomparable("a sum of contents that is not positive")
        variance = (histogram.known_error / total) ** 2
        if not 0 < variance.sum() < np.inf:
            raise Incomparable(TOO_LARGE)
        return cls(histogram.content / total, variance, float(1 / variance.sum()))


def _expected(data: Array, reference: Array, entries: float, other: float, power: int = 1) -> Array:
    """What both histograms together expect of shares, or (power 2) of their variances times the number of entries."""
    return np.maximum((entries**power * data + other**power * reference) / (entries + other), 0)


def weighted_chi_square(data: _Shares, reference: _Shares) -> tuple[float, int]:
    """The same of two weighted histograms."""
    sizes = data.entries, reference.entries
    expected = min(sizes) * _expected(data.share, reference.share, *sizes)
    variance = _expected(data.variance, reference.variance, *sizes, power=2)
    share, other, variance = _merged(expected, LEAST_EFFECTIVE_ENTRIES, data.share, reference.share, variance)
    variance = variance / sizes[0] + variance / sizes[1]
    return float(((share - other) ** 2 / variance).sum()), len(share) - 1


def _weighted_pulls(data: _Shares, reference: _Shares, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """Differences of the shares in units of their errors, 0 where neither bin has one; and which bins have."""
    used: NDArray[np.bool_] = (data.variance > 0) | (reference.variance > 0)
    expected = _expected(data.variance, reference.variance, data.entries, reference.entries, power=2)
    variance = (tolerance * reference.share) ** 2
    for side in (data, reference):
        variance = variance + np.maximum(side.variance, expected / side.entries)
    difference = data.share - reference.share
    return np.divide(difference, np.sqrt(variance), out=np.zeros_like(difference), where=used), used


def _largest(pulls: Array, bins: int) -> dict[str, Any]:
    """The pull of largest magnitude, also corrected for the number of bins that could have had it."""
    from scipy.special import log_ndtr, ndtri_exp

    signed = float(pulls.ravel()[np.argmax(np.abs(pulls))])
    pull, corrected = abs(signed), 0.0
    if pull:
        log_p = log_ndtr(-pull) + np.log(2)  # of one bin
        with np.errstate(divide="ignore"):  # a pull of 1e-17 has the probability 1
            log_none = bins * np.log1p(-np.exp(log_p))
        log_any = log_p + np.log(bins) if log_p < -30 else np.log(-np.expm1(log_none))
        corrected = max(float(-ndtri_exp(log_any - np.log(2))), 0.0)
    return {
        "max_pull": pull,
        "max_pull_corrected": corrected,
        "is_excess": signed > 0 if pull else None,
        "pull_chi2": float((pulls**2).sum() / bins),
    }


def _where(data: Histogram, pulls: Array) -> dict[str, Any]:
    number = int(np.argmax(np.abs(pulls)))
    row, column = divmod(number, pulls.shape[-1])
    return {"bin": number, "bin_x": _centre(data.x, column), "bin_y": _centre(data.y, row)}


def _centre(edges: Array | None, number: int) -> float | None:
    return None if edges is None else float((edges[number] + edges[number + 1]) / 2)


def _chi_square_probability(chi2: float, ndf: int) -> float | None:
    from scipy.special import chdtrc

    return float(chdtrc(ndf, chi2)) if ndf > 0 else None
