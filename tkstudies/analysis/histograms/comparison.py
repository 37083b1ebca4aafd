"""How much a histogram differs in shape from that of a reference run: chi-square, Kolmogorov-Smirnov, pulls.

Counts (TH1 and TH2 of non-negative integers) are compared as two samples whose sizes may differ:

- chi-square of two unweighted histograms n and m with totals N and M, sum (M n - N m)^2 / (n + m) / (N M), with one
  degree of freedom less than bins. Source: ROOT, ``TH1::Chi2Test`` (Gagunashvili, arXiv:physics/0605123). Neighbouring
  bins are merged until 5 entries are expected in each of both histograms: in thin tails the sum isn't distributed as a
  chi-square (of 200 entries against 20,000 of the same shape 11 % have p < 0.01, merged 1.4 %).
- Kolmogorov-Smirnov distance of the two cumulative distributions, in 2-D the mean of the distances that
  x before y and y before x give. Bins make its probability too large. Source: ROOT, ``TH1`` and
  ``TH2::KolmogorovTest``.
- The pull of each bin (see `pulls`).

Profiles, and histograms whose contents aren't counts (weighted ones), are compared bin by bin with their errors, the
latter scaled to the same sum; they have no Kolmogorov-Smirnov test. As Pearson's chi-square does, that of weighted
histograms takes the errors which both together expect, after neighbours were merged to 10 expected effective entries,
(sum w)^2 / sum w^2. Weighted contents and counts aren't comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.comparable import TOO_LARGE, Histogram, Incomparable, check
from tkstudies.analysis.histograms.pulls import TOLERANCE, Shares, expected_of_both, profile_pulls, pulls_and_used

Array = NDArray[np.float64]

LEAST_ENTRIES = 5
"""Expected in each bin of a chi-square."""

LEAST_EFFECTIVE_ENTRIES = 10
"""The same of weighted histograms."""

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
        >>> from tkstudies.analysis.histograms.comparable import read
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
        pulls, used = pulls_and_used(data, reference, tolerance)
        if data.is_profile:
            chi2, ndf = float((profile_pulls(data, reference, 0)[0] ** 2).sum()), int(used.sum())
        elif data.is_counts:
            chi2, ndf = chi_square(data.content, reference.content)
            ks, ks_p_value = kolmogorov_smirnov(data.content, reference.content)
        else:
            chi2, ndf = weighted_chi_square(Shares.of(data), Shares.of(reference))
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


def weighted_chi_square(data: Shares, reference: Shares) -> tuple[float, int]:
    """The same of two weighted histograms."""
    sizes = data.entries, reference.entries
    expected = min(sizes) * expected_of_both(data.share, reference.share, *sizes)
    variance = expected_of_both(data.variance, reference.variance, *sizes, power=2)
    share, other, variance = _merged(expected, LEAST_EFFECTIVE_ENTRIES, data.share, reference.share, variance)
    variance = variance / sizes[0] + variance / sizes[1]
    return float(((share - other) ** 2 / variance).sum()), len(share) - 1


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
