"""Which good run was most like a given one: candidates for its reference run.

Each column is divided by its spread over the candidates, half the width of the central 68 % (one standard
deviation of a normal distribution), which a few odd runs don't change. Many conditions hardly vary, the beam
energy of a year for one: the spread is taken as at least 1 % of the median's magnitude, so that rounding
doesn't count and another energy does.

The distance of a run and a candidate is the root mean square of the differences over the columns that the run has. A
column that the candidate lacks counts as the difference of two candidates taken at random, so that a candidate of which
little is known doesn't look similar; one with fewer than half of the columns comes after all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONDITIONS = ("energy", "b_field", "init_lumi", "end_lumi", "recorded_lumi", "fill__bunches_colliding")
"""Conditions of a run [GeV, T, luminosity at its beginning and end, integrated luminosity, bunch pairs]."""

LEAST_SPREAD = 0.01  # of the median

UNKNOWN = 2.0
"""Squared difference that stands for a column which the candidate lacks: the mean one of two random candidates."""

PREFERRED_WITHIN = 5.0
"""A preferred candidate comes first if its distance is at most so much larger than that of the nearest."""

_TIE = 1e-9  # distances that differ by less are equal but for rounding

_BLOCK = 1 << 21  # distances held at a time


@dataclass(frozen=True)
class Candidate:
    """One similar run.

    Attributes:
        index: Its row among the candidates.
        distance: Root mean square of the standardised differences.
        compared: How many columns both runs have.
        contributions: Each column's part of distance squared, NaN if the run lacks it, shape (columns,).
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
    rows: Array,
    row_numbers: NDArray[np.int64],
    candidates: Array,
    candidate_numbers: NDArray[np.int64],
    top: int,
    preferred: NDArray[np.bool_] | None = None,
) -> Iterator[list[Candidate]]:
    """The ``top`` nearest earlier candidates of each row, nearest first.

    Of candidates at the same distance, but for rounding, the latest comes first. A candidate that has no column in
    common with a row is none for it.

    Args:
        rows: Raw values, shape (rows, columns), NaN where missing.
        row_numbers: Their run numbers; candidates have smaller ones.
        candidates: Raw values of distinct runs, shape (candidates, columns).
        candidate_numbers: Their run numbers.
        preferred: Which candidates come first if they aren't much farther away, shape (candidates,).

    Example:
        >>> good = np.array([[6500.0, 40], [6500, 30], [2510, 2]])
        >>> new = np.array([[6500.0, 32]])
        >>> [[best]] = rank(new, np.array([9]), good, np.array([1, 2, 3]), top=1)
        >>> best.index, best.compared, best.contributions.round(3).tolist()
        (1, 2, [0.0, 0.012])
    """
    order = np.argsort(-candidate_numbers, kind="stable")  # stable sorts keep the latest first
    scale = spread(candidates)
    scaled_rows, scaled = rows / scale, candidates[order] / scale
    numbers = candidate_numbers[order]
    first = np.zeros(len(order), dtype=bool) if preferred is None else preferred[order]
    block = max(1, _BLOCK // max(len(order), 1))
    for start in range(0, len(rows), block):
        part = scaled_rows[start : start + block]
        squares, compared = _square_sums(part, scaled)
        known = np.sum(~np.isnan(part), axis=1)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            distances = np.sqrt((squares + UNKNOWN * (known - compared)) / known)
        distances[(compared == 0) | (numbers[None, :] >= row_numbers[start : start + block, None])] = np.nan
        classes = np.where(2 * compared < known, 2, _classes(distances, first))
        for row, places in enumerate(_smallest(distances, classes, top)):
            found = []
            for place in places:
                differences = np.where(np.isnan(scaled[place]), UNKNOWN, (part[row] - scaled[place]) ** 2)
                contributions = np.where(np.isnan(part[row]), np.nan, differences) / known[row]
                found.append(
                    Candidate(int(order[place]), float(distances[row, place]), int(compared[row, place]), contributions)
                )
            yield found


def _classes(distances: Array, preferred: NDArray[np.bool_]) -> NDArray[np.int64]:
    """0 for preferred candidates that aren't too far away, 1 for others, shape (rows, candidates)."""
    if not preferred.any() or not distances.size:
        return np.ones(distances.shape, dtype=np.int64)
    nearest = np.min(np.where(np.isnan(distances), np.inf, distances), axis=1)
    return np.where(preferred & (distances <= nearest[:, None] + PREFERRED_WITHIN), 0, 1)


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


def _smallest(distances: Array, classes: NDArray[np.int64], top: int) -> list[list[int]]:
    """The places of the first ``top`` candidates of each row: by class, then by distance; NaN is none.

    Equal distances, but for rounding, stay in the order of the candidates.
    """
    places = []
    for row, of_row in zip(distances, classes, strict=True):
        found: list[int] = []
        for number in (0, 1, 2):
            near = np.flatnonzero((of_row == number) & ~np.isnan(row))
            found += _nearest(near, row[near], top - len(found))
        places.append(found)
    return places


def _nearest(places: NDArray[np.int64], distances: Array, top: int) -> list[int]:
    """The ``top`` places with the smallest distances, in order."""
    if top < 1 or not len(places):
        return []
    if len(places) > 4 * top:
        near = distances <= np.partition(distances, top - 1)[top - 1] * (1 + _TIE) + _TIE
        places, distances = places[near], distances[near]
    order = np.argsort(distances, kind="stable")
    ascending = distances[order]
    groups = np.cumsum(np.diff(ascending, prepend=ascending[0]) > _TIE * (1 + ascending))
    result: list[int] = places[order][np.lexsort((order, groups))][:top].tolist()
    return result
