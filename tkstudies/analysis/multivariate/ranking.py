"""Which good run was most like a given one: candidates for its reference run.

Each column is divided by its spread over the candidates, half the width of the central 68 % (one standard
deviation of a normal distribution), which a few odd runs don't change. Many conditions hardly vary, the beam
energy of a year for one: the spread is taken as at least 1 % of the median's magnitude, so that rounding
doesn't count and another energy does.

The distance of two runs is the root mean square of the differences, over the columns that both have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONDITIONS = ("energy", "b_field", "fill__peak_pileup", "recorded_lumi", "fill__bunches_colliding")
"""Conditions of a run [GeV, T, interactions per crossing, integrated luminosity, bunch pairs]."""

LEAST_SPREAD = 0.01  # of the median

_BLOCK = 1 << 21  # distances held at a time


@dataclass(frozen=True)
class Candidate:
    """One similar run.

    Attributes:
        index: Its row among the candidates.
        distance: Root mean square of the standardised differences.
        compared: How many columns both runs have.
        contributions: Each column's part of distance squared, NaN if a run lacks it, shape (columns,).
    """

    index: int
    distance: float
    compared: int
    contributions: Array


def spread(values: Array) -> Array:
    """The robust spread of each column, at least 1 % of its median; 1 where that is 0 or nothing is known.

    Args:
        values: Shape (rows, columns), NaN where missing.

    Example:
        >>> spread(np.array([[6500.0, 1], [6500, 2], [6499, 3], [6500, np.nan]])).round(2).tolist()
        [65.0, 0.68]
    """
    result = np.ones(values.shape[1])
    for column, known in enumerate(values.T):
        known = known[~np.isnan(known)]
        if known.size:
            low, median, high = np.quantile(known, [0.15865525393145707, 0.5, 0.8413447460685429])
            result[column] = max((high - low) / 2, LEAST_SPREAD * abs(median)) or 1.0
    return result


def rank(
    rows: Array, row_numbers: NDArray[np.int64], candidates: Array, candidate_numbers: NDArray[np.int64], top: int
) -> Iterator[list[Candidate]]:
    """The ``top`` nearest earlier candidates of each row, nearest first.

    Of candidates at the same distance the latest comes first. A candidate that has no column in common with
    a row is none for it.

    Args:
        rows: Raw values, shape (rows, columns), NaN where missing.
        row_numbers: Their run numbers; candidates have smaller ones.
        candidates: Raw values of distinct runs, shape (candidates, columns).
        candidate_numbers: Their run numbers.

    Example:
        >>> good = np.array([[6500.0, 40], [6500, 30], [2510, 2]])
        >>> new = np.array([[6500.0, 32]])
        >>> [[best]] = rank(new, np.array([9]), good, np.array([1, 2, 3]), top=1)
        >>> best.index, best.compared, best.contributions.round(3).tolist()
        (1, 2, [0.0, 0.012])
    """
    order = np.argsort(-candidate_numbers, kind="stable")  # a stable sort by distance keeps the latest first
    scale = spread(candidates)
    scaled_rows, scaled = rows / scale, candidates[order] / scale
    numbers = candidate_numbers[order]
    block = max(1, _BLOCK // max(len(order), 1))
    for start in range(0, len(rows), block):
        part = scaled_rows[start : start + block]
        squares, compared = _square_sums(part, scaled)
        with np.errstate(invalid="ignore", divide="ignore"):
            distances = np.sqrt(squares / compared)
        distances[numbers[None, :] >= row_numbers[start : start + block, None]] = np.nan
        for row, places in enumerate(_smallest(distances, top)):
            found = []
            for place in places:
                count = int(compared[row, place])
                contributions = (part[row] - scaled[place]) ** 2 / count
                found.append(Candidate(int(order[place]), float(distances[row, place]), count, contributions))
            yield found


def _square_sums(rows: Array, candidates: Array) -> tuple[Array, NDArray[np.int16]]:
    """Sums of squared differences over the columns that both have, and the numbers of these columns."""
    sums = np.zeros((len(rows), len(candidates)))
    compared = np.zeros(sums.shape, dtype=np.int16)
    for mine, others in zip(rows.T, candidates.T, strict=True):
        squares = (mine[:, None] - others[None, :]) ** 2
        known = ~np.isnan(squares)
        compared += known
        np.add(sums, squares, out=sums, where=known)
    return sums, compared


def _smallest(distances: Array, top: int) -> list[Sequence[int]]:
    """The places of the ``top`` smallest distances of each row, in order (of equal ones too); NaN is none."""
    if distances.shape[1] > 4 * top:
        limits = np.partition(distances, top - 1, axis=1)[:, top - 1]  # NaN sorts last
    else:
        limits = np.full(len(distances), np.nan)
    places = []
    for row, limit in zip(distances, limits, strict=True):
        near = np.flatnonzero(~np.isnan(row) if np.isnan(limit) else row <= limit)
        places.append(near[np.argsort(row[near], kind="stable")][:top].tolist())
    return places
