"""Numbers that compare tracking maps, the track occupancy in eta and phi of one run.

A map is a 2-D array of tracks per bin [counts], rows over phi and columns over eta; the DQM GUI's
``TrackEtaPhi_ImpactPoint_GenTk`` has 32 rows and 31 columns. What isn't defined (a constant map, different
shapes) is None. Definitions: cms-tracker-studies, trackerstudies/algorithms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tkstudies.analysis.histograms.bins import contents_of
from tkstudies.histogramrecord import as_hist

COLUMNS = ("reference_cost", "scaled_reference_cost", "map_scale", "angular_entropy", "map_empty")

_DISTANCE_BINS = 50
_SCALE_BINS = 10


def map_array(hist: Any) -> NDArray[np.float64] | None:
    """The bin contents of a 2-D histogram as the DQM GUI serves it, shape (phi, eta).

    None for what is no map: ``"unsupported type"``, a 1-D histogram, no bins, rows of different lengths or
    contents that are neither numbers nor the texts ``nan`` and ``inf``.

    Example:
        >>> map_array({"type": "TH2", "bins": {"content": [[1, 2, 3], [4, 5, 6]]}}).shape
        (2, 3)
    """
    array = contents_of(as_hist(hist))
    return array if array is not None and array.ndim == 2 else None


def compare_maps(
    occupancy: NDArray[np.float64] | None, reference: NDArray[np.float64] | None, only: Collection[str] = COLUMNS
) -> dict[str, float | bool | None]:
    """The columns that compare a run's map with its reference run's; either may be None (not available).

    These are `COLUMNS` but for the entropy, which is of the run's map alone.
    ``map_empty`` is true when a map that is there is constant (all zero, as a rule), so that its cost isn't
    defined.

    Example:
        >>> compare_maps(np.array([[1, 2], [3, 4]]), np.zeros((2, 2)), only=["reference_cost", "map_empty"])
        {'reference_cost': None, 'map_empty': True}
    """
    values: dict[str, float | bool | None] = {}
    for column, function in _OF_BOTH_MAPS.items():
        if column in only:
            both = occupancy is not None and reference is not None
            values[column] = function(occupancy, reference) if both else None
    if "map_empty" in only:
        values["map_empty"] = _any_constant(occupancy, reference)
    return values


def mean_normalise(occupancy: ArrayLike) -> NDArray[np.float64] | None:
    """The map with mean 0 and (population) standard deviation 1; None if it is constant or not finite.

    Example:
        >>> mean_normalise([[1, 1], [3, 3]]).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """
    values = np.asarray(occupancy, dtype=np.float64)
    if _is_constant(values):
        return None
    with np.errstate(all="ignore"):
        normalised = (values - values.mean()) / values.std()
    return normalised if np.isfinite(normalised).all() else None


def reference_cost(occupancy: ArrayLike, reference: ArrayLike) -> float | None:
    """Half the mean squared difference of two normalised maps, 1 - r (Pearson): luminosity costs nothing.

    Returns:
        0 (equal up to scale) to 2 (inverted); None if the shapes differ or a map is constant.

    Example:
        >>> round(reference_cost([[1, 2], [3, 4]], [[4, 3], [2, 1]]), 6)
        2.0
    """
    if np.shape(occupancy) != np.shape(reference):
        return None
    normalised, expected = mean_normalise(occupancy), mean_normalise(reference)
    if normalised is None or expected is None:
        return None
    return float(((normalised - expected) ** 2).mean() / 2)


def map_scale(occupancy: ArrayLike, reference: ArrayLike) -> float | None:
    """The most common ratio of reference to map: the factor that makes the map look like its reference.

    The finite ratios of the bins are histogrammed in 10 equal bins between their minimum and maximum; the
    result is the median of those in the fullest bin (the first one if several are).

    Returns:
        The ratio; None if the shapes differ or no bin has a finite ratio.

    Example:
        >>> map_scale([[1, 2], [3, 4]], [[2.01, 4], [6, 8.01]])
        2.0
    """
    if np.shape(occupancy) != np.shape(reference):
        return None
    with np.errstate(all="ignore"):
        ratios = np.divide(reference, occupancy, dtype=np.float64).ravel()
        ratios = ratios[np.isfinite(ratios)]
        if not ratios.size:
            return None
        edges = np.linspace(ratios.min(), ratios.max(), _SCALE_BINS + 1)
    if not edges[0] < edges[-1]:
        return float(ratios[0])
    bins = _bin_numbers(ratios, edges)
    scale = np.median(ratios[bins == np.bincount(bins).argmax()])
    return float(scale) if np.isfinite(scale) else None


def scaled_reference_cost(occupancy: ArrayLike, reference: ArrayLike) -> float | None:
    """The cost of a map scaled by `map_scale`, both normalised with the reference's mean and deviation.

    The most common ratio sets the scale, so that a hole in the map doesn't change the cost of the rest.

    Returns:
        Cost from 0; None if the shapes differ, there is no scale or the reference is constant.

    Example:
        >>> scaled_reference_cost([[1, 2], [3, 4]], [[2, 4], [6, 8]])
        0.0
    """
    scale = map_scale(occupancy, reference)
    expected = np.asarray(reference, dtype=np.float64)
    if scale is None or _is_constant(expected):
        return None
    with np.errstate(all="ignore"):
        # the reference's mean cancels in the difference of the two normalised maps
        difference = (np.asarray(occupancy, dtype=np.float64) * scale - expected) / expected.std()
        cost = (difference**2).mean() / 2
    return float(cost) if np.isfinite(cost) else None


_OF_BOTH_MAPS: dict[str, Callable[[Any, Any], float | None]] = {
    "reference_cost": reference_cost,
    "scaled_reference_cost": scaled_reference_cost,
    "map_scale": map_scale,
}


def angular_correlation(
    occupancy: ArrayLike, periodic_phi: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean difference of two bins' contents by their distance, over all ordered pairs of bins.

    The distance is Euclidean in bin numbers, a bin's to itself included, in 50 equal bins up to the largest.

    Args:
        occupancy: Tracks per bin [counts], shape (phi, eta).
        periodic_phi: Measure the distance in phi the short way round instead of as if the map ended there.

    Returns:
        The centres of the distance bins [map bins] and the mean absolute difference of contents [counts] in
        each; NaN where a map of this shape has no pair of bins.

    Example:
        >>> distance, correlation = angular_correlation([[0, 0, 5]])
        >>> distance[[0, 25, 49]].round(2).tolist(), correlation[[0, 25, 49]].tolist()
        ([0.02, 1.02, 1.98], [0.0, 2.5, 5.0])
    """
    values = np.asarray(occupancy, dtype=np.float64)
    edges, bins, pairs = _distance_bins(*values.shape, periodic_phi)
    sums = _summed_differences(values)
    totals = np.bincount(bins, weights=sums.ravel(), minlength=_DISTANCE_BINS)
    with np.errstate(all="ignore"):
        return (edges[1:] + edges[:-1]) / 2, totals / pairs


def angular_entropy(occupancy: ArrayLike, periodic_phi: bool = False) -> float | None:
    """Shannon entropy [nats] of the angular correlation normalised to a sum of 1: holes change it.

    Returns:
        0 to ln 50; None for a constant or not finite map, or one too small to fill the 50 bins of distance.

    Example:
        >>> angular_entropy([[1, 2], [3, 4]])
        >>> round(angular_entropy([range(60)]), 3)  # correlation proportional to distance
        3.719
    """
    with np.errstate(all="ignore"):
        _, correlation = angular_correlation(occupancy, periodic_phi)
        shares = correlation / correlation.sum()
    if not np.isfinite(shares).all():
        return None
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _summed_differences(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """|difference of contents| summed over the rows y, for each row distance and pair of columns.

    Element [dy, x1, x2] is the sum of |values[y, x1] - values[y + dy, x2]|: distances depend on no more than
    that, so the loop over pairs becomes one over row distances.
    """
    rows, columns = values.shape
    sums = np.empty((rows, columns, columns))
    buffer = np.empty((rows, columns, columns))
    for dy in range(rows):
        differences = buffer[: rows - dy]
        np.subtract(values[: rows - dy, :, None], values[dy:, None, :], out=differences)
        np.abs(differences, out=differences).sum(axis=0, out=sums[dy])
    sums[1:] *= 2  # the same pair the other way round
    return sums


@lru_cache(maxsize=16)
def _distance_bins(
    rows: int, columns: int, periodic_phi: bool
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Edges of the distance bins, the bin of each element of `_summed_differences`, pairs in each bin."""
    dy = np.arange(rows)
    pairs = np.repeat(np.where(dy == 0, rows, 2 * (rows - dy)), columns**2)
    if periodic_phi:
        dy = np.minimum(dy, rows - dy)
    dx = np.subtract.outer(np.arange(columns), np.arange(columns))
    distances = np.sqrt(dy[:, None, None] ** 2 + dx[None] ** 2).ravel()
    edges = np.linspace(0, distances.max(), _DISTANCE_BINS + 1)
    bins = _bin_numbers(distances, edges)
    totals = np.bincount(bins, weights=pairs, minlength=_DISTANCE_BINS).astype(np.float64)
    return edges, bins, totals


def _bin_numbers(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bin of each value: lower edges belong to their bin, the last upper edge to the last one."""
    return np.minimum(np.searchsorted(edges, values, side="right") - 1, len(edges) - 2)


def _is_constant(values: NDArray[np.float64]) -> bool:
    return not values.size or bool(values.min() == values.max())


def _any_constant(*maps: NDArray[np.float64] | None) -> bool | None:
    """True if any map is known to be constant, None if one is missing and the others aren't."""
    if any(values is not None and _is_constant(values) for values in maps):
        return True
    return None if any(values is None for values in maps) else False
