"""How much a histogram differs in shape from that of a reference run: chi-square, Kolmogorov-Smirnov, pulls.

Counts (TH1 and TH2 of non-negative integers) are compared as two samples whose sizes may differ:

- chi-square of two unweighted histograms n and m with totals N and M over the bins that aren't empty in both,
  sum (M n - N m)^2 / (n + m) / (N M), with one degree of freedom less than bins. Source: ROOT,
  ``TH1::Chi2Test`` (Gagunashvili, arXiv:physics/0605123).
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

Profiles, and histograms whose contents aren't counts, are compared bin by bin with their errors (the latter
scaled to the same sum); they have no Kolmogorov-Smirnov test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.bins import contents, contents_of, edges_of
from tkstudies.histogramrecord import Hist, as_hist, member

Array = NDArray[np.float64]

TOLERANCE = 0.01
"""Relative change of a bin that doesn't count as a deviation: AutoDQM's default."""

COLUMNS = (
    "chi2", "ndf", "p_value", "ks", "ks_p_value",
    "max_pull", "max_pull_corrected", "is_excess", "pull_chi2", "bin", "bin_x", "bin_y", "reason",
)  # fmt: skip


class Incomparable(ValueError):
    """Two histograms that can't be compared; the message is the reason."""


@dataclass(frozen=True)
class Histogram:
    """What a comparison needs of a histogram.

    Attributes:
        is_profile: Bins hold means rather than counts.
        content: Shape (bins,), or (bins in y, bins in x).
        error: Errors of the contents, same shape; None if the server didn't give them.
        x: Edges of the bins in x [units of the axis], None if unknown.
        y: The same in y.
        labels: Texts of the bins in x and y, if they have any.
    """

    is_profile: bool
    content: Array
    error: Array | None
    x: Array | None
    y: Array | None
    labels: tuple[Any, Any]

    @property
    def is_counts(self) -> bool:
        """Are the contents numbers of entries? Weighted ones have errors other than the square root."""
        if self.is_profile or (self.content < 0).any() or (self.content % 1 != 0).any():
            return False
        if self.error is None or not self.error.any():
            return True
        return bool(np.allclose(self.error, np.sqrt(self.content), rtol=1e-3, atol=1e-3))


def read(hist: Any) -> Histogram:
    """A histogram as the DQM GUI serves it, for a comparison.

    Args:
        hist: As a record has it, decoded or not.

    Raises:
        Incomparable: It isn't there, has no bins, or contents that aren't finite.

    Example:
        >>> read({"type": "TH2", "bins": {"content": [[1, 2, 3], [4, 5, 6]]}}).content.shape
        (2, 3)
    """
    found = as_hist(hist)
    if found is None or found.bins is None:
        raise Incomparable("no histogram")
    content = contents_of(found)
    if content is None:
        raise Incomparable("no bin contents")
    if not np.isfinite(content).all():
        raise Incomparable("contents that are not finite")
    error = contents(member(found.bins.error))
    return Histogram(
        is_profile=found.is_profile,
        content=content,
        error=error if error is not None and error.shape == content.shape else None,
        x=_edges(found, "x", content.shape[-1]),
        y=_edges(found, "y", content.shape[0]) if content.ndim == 2 else None,
        labels=(_labels(member(found.xaxis)), _labels(member(found.yaxis))),
    )


def _edges(hist: Hist, axis: str, count: int) -> Array | None:
    found = edges_of(hist, axis, count)
    return np.array(found) if found else None


def _labels(axis: Any) -> Any:
    return axis.get("labels") if isinstance(axis, dict) else None


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
    _check_binning(data, reference)
    ks: float | None = None
    ks_p_value: float | None = None
    if data.is_counts and reference.is_counts:
        for histogram, name in ((data, "empty"), (reference, "reference empty")):
            if not histogram.content.any():
                raise Incomparable(name)
        chi2, ndf = chi_square(data.content, reference.content)
        ks, ks_p_value = kolmogorov_smirnov(data.content, reference.content)
        pulls = beta_binomial_pulls(data.content, reference.content, tolerance)
        used: NDArray[np.bool_] = (data.content + reference.content) > 0
    else:
        pulls, used = _error_pulls(data, reference, tolerance)
        chi2 = float((_error_pulls(data, reference, 0)[0] ** 2).sum())
        ndf = int(used.sum()) - (not data.is_profile)
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


def not_compared(reason: str) -> dict[str, Any]:
    """The columns of a comparison that could not be made."""
    return {**dict.fromkeys(COLUMNS), "reason": reason}


def chi_square(data: Array, reference: Array) -> tuple[float, int]:
    """Chi-square of two histograms of counts, and its degrees of freedom.

    Example:
        >>> chi_square(np.array([10.0, 0, 30]), np.array([20.0, 0, 20]))
        (5.333333333333332, 1)
    """
    total, reference_total = data.sum(), reference.sum()
    used = (data + reference) > 0
    n, m = data[used], reference[used]
    chi2 = ((reference_total * n - total * m) ** 2 / (n + m)).sum() / (total * reference_total)
    return float(chi2), int(used.sum()) - 1


def kolmogorov_smirnov(data: Array, reference: Array) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance (0 to 1) of two histograms of counts, and its probability.

    Example:
        >>> kolmogorov_smirnov(np.array([10.0, 0, 30]), np.array([20.0, 0, 20]))[0]
        0.25
    """
    from scipy.special import kolmogorov

    total, reference_total = data.sum(), reference.sum()
    difference = data / total - reference / reference_total
    orders = (difference, difference.T) if difference.ndim == 2 else (difference,)
    distance = np.mean([np.abs(np.cumsum(order.ravel())).max() for order in orders])
    entries = total * reference_total / (total + reference_total)
    return float(distance), float(kolmogorov(distance * np.sqrt(entries)))


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


def _error_pulls(data: Histogram, reference: Histogram, tolerance: float) -> tuple[Array, NDArray[np.bool_]]:
    """Differences in units of their errors, 0 where neither bin has one; and which bins have."""
    if data.error is None or reference.error is None:
        raise Incomparable("no bin errors")
    values, errors = [], []
    for histogram, error, name in ((data, data.error, "empty"), (reference, reference.error, "reference empty")):
        if not np.isfinite(error).all():
            raise Incomparable("errors that are not finite")
        if not error.any():
            raise Incomparable(name)
        scale = 1.0 if histogram.is_profile else histogram.content.sum()
        if scale <= 0:
            raise Incomparable("a sum of contents that is not positive")
        values.append(histogram.content / scale)
        errors.append(error / scale)
    used: NDArray[np.bool_] = (errors[0] > 0) | (errors[1] > 0)
    variance = errors[0] ** 2 + errors[1] ** 2 + (tolerance * values[1]) ** 2
    difference = values[0] - values[1]
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


def _check_binning(data: Histogram, reference: Histogram) -> None:
    if data.is_profile != reference.is_profile:
        raise Incomparable("kind of histogram differs")
    if data.content.shape != reference.content.shape:
        raise Incomparable("binning differs")
    for mine, other in ((data.x, reference.x), (data.y, reference.y)):
        if mine is not None and other is not None:
            allowed = 1e-5 * (other[-1] - other[0])  # the server writes six digits
            if np.abs(mine - other).max() > allowed:
                raise Incomparable("binning differs")
    for mine, other in zip(data.labels, reference.labels, strict=True):
        if mine and other and mine != other:
            raise Incomparable("labels of the bins differ")
