"""What is special of lumisections: pileup and luminosity change within a run, and a run tells what is usual in it.

A lumisection is looked at in two ways: without what pileup and luminosity explain, and beside its neighbours.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects.fit import chunks, is_failed
from tkstudies.analysis.multivariate.suspects.judging import View

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

HISTORY, LEAST_RUNS = 2000, 15
NEIGHBOURS, LEAST_NEIGHBOURS = 12, 4
"""Lumisections on each side, and the least on both together."""

LOW_STATISTICS = 0.25
"""Part of the luminosity that is usual in a run, below which a lumisection isn't judged."""

_HUBER, _ROUNDS, _CLIP = 1.345, 5, 4.0


def shares(entries: Array) -> tuple[Array, Array]:
    """Logarithm of the entries of each plot beside the other plots of the row, and its error.

    Args:
        entries: Shape (rows, plots), NaN where missing.
    """
    logarithms = np.log(np.maximum(entries, 0.5))  # an empty plot says more than any other
    return logarithms - median(logarithms)[:, None], np.nan_to_num(1.0 / np.sqrt(np.maximum(entries, 1.0)))


def median(values: Array) -> Array:
    """Median of each row over its known values, NaN of none."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)
    known = np.count_nonzero(~np.isnan(values), axis=1)
    rows = np.arange(len(values))
    low, high = np.maximum((known - 1) // 2, 0), np.minimum(known // 2, values.shape[1] - 1)
    return (ordered[rows, low] + ordered[rows, high]) / 2


def is_low(luminosity: Array, runs: Rows, good: Flags) -> Flags:
    """Which lumisections have less than a quarter of what is usual in their run.

    Args:
        luminosity: Of each lumisection, NaN where unknown (or its entries, if there is nothing better).
        runs: Run numbers, ascending.
        good: Good lumisections tell what is usual, where a run has some.
    """
    low = np.zeros(len(runs), dtype=bool)
    for rows in np.split(np.arange(len(runs)), np.flatnonzero(np.diff(runs)) + 1):
        known = rows[~np.isnan(luminosity[rows])]
        of_good = known[good[known]]
        for part, judges in ((rows[good[rows]], of_good), (rows[~good[rows]], of_good if len(of_good) else known)):
            if len(judges):
                low[part] = luminosity[part] < LOW_STATISTICS * np.median(luminosity[judges])
    return low


class Explained(NamedTuple):
    """What conditions explain: the coefficients of a parabola in each, in widths from the middle of good rows."""

    middle: Array
    width: Array
    coefficients: Array


class Conditioned(View):
    """Lumisections without what conditions explain: a parabola in each of them, learned from good rows (Huber).

    Args:
        values, errors, expected: As of any view.
        conditions: Shape (rows, conditions), NaN where unknown.
    """

    def __init__(self, values: Array, errors: Array, expected: Flags | None, conditions: Array):
        super().__init__(values, errors, expected)
        self._conditions = conditions

    def learn(self, training: Rows) -> Explained:
        """What conditions explain in these rows."""
        known = ~np.isnan(self._conditions[training])
        filled = np.where(known, self._conditions[training], 0.0)
        count = np.maximum(known.sum(axis=0), 1)
        middle = filled.sum(axis=0) / count
        width = np.sqrt(np.where(known, (filled - middle) ** 2, 0.0).sum(axis=0) / count)
        width = np.where(width > 1e-9 * np.abs(middle), width, np.inf)
        values = self.values[training]
        values = np.where(is_failed(values), np.nan, values)
        return Explained(middle, width, _huber(_terms(self._conditions[training], middle, width), values))

    def of(self, rows: Rows, learned: Any = None) -> Array:
        """What conditions don't explain."""
        explained: Explained = learned
        terms = _terms(self._conditions[rows], explained.middle, explained.width)
        return self.values[rows] - terms @ explained.coefficients


def _terms(conditions: Array, middle: Array, width: Array) -> Array:
    scaled = np.clip((conditions - middle) / width, -_CLIP, _CLIP)
    scaled = np.where(np.isnan(scaled), 0.0, scaled)
    return np.column_stack([np.ones(len(conditions)), scaled, scaled**2])


def _huber(terms: Array, values: Array) -> Array:
    """Coefficients of each feature, shape (terms, features), by Huber's weights in some rounds."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    weights = known.astype(float)
    rows, width = terms.shape
    products = (terms[:, :, None] * terms[:, None, :]).reshape(rows, width * width)
    for _ in range(_ROUNDS):
        squares = (weights.T @ products).reshape(-1, width, width)
        squares += 1e-9 * np.trace(squares, axis1=1, axis2=2)[:, None, None] * np.eye(width)
        right = (weights * filled).T @ terms
        coefficients = np.linalg.solve(squares, right[:, :, None])[:, :, 0].T
        sizes = np.abs(filled - terms @ coefficients)
        scale = median(np.where(known, sizes, np.nan).T) / 0.6745
        scale = np.where(scale > 0, scale, 1.0)
        weights = known * np.minimum(1.0, _HUBER * scale / np.maximum(sizes, 1e-300))
    return coefficients


class Beside(View):
    """Lumisections beside their neighbours in the same run: the difference to the median of at most 12 on each side.

    Args:
        view: What is compared.
        neighbours: Places of rows, -1 for none, shape (rows, 24).
    """

    name = "beside"

    def __init__(self, view: View, neighbours: NDArray[np.int32]):
        super().__init__(view.values, view.errors, view.expected)
        self._view, self._neighbours = view, neighbours

    def learn(self, training: Rows) -> Any:
        """What the view that is compared has to know."""
        return self._view.learn(training)

    def of(self, rows: Rows, learned: Any = None) -> Array:
        """The differences, NaN where there are too few neighbours."""
        return self._view.of(rows, learned) - self._medians(rows, learned)

    def _medians(self, rows: Rows, learned: Any) -> Array:
        needed = np.unique(np.append(self._neighbours[rows].ravel(), -1))
        known = self._view.of(needed[1:].astype(np.int64), learned)
        numbers = np.vstack([np.full((1, self.values.shape[1]), np.nan), known])
        places = np.searchsorted(needed, self._neighbours[rows])
        result = np.empty((len(rows), self.values.shape[1]))
        for part in chunks(len(rows)):
            near = numbers[places[part]]  # rows, neighbours, features
            near.sort(axis=1)
            count = np.count_nonzero(~np.isnan(near), axis=1)
            low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, near.shape[1] - 1)
            middle = np.take_along_axis(near, low[:, None, :], 1) + np.take_along_axis(near, high[:, None, :], 1)
            result[part] = np.where(count >= LEAST_NEIGHBOURS, middle[:, 0, :] / 2, np.nan)
        return result

    def typical(self, rows: Rows, learned: Any = None) -> Array | None:
        """What the neighbours have: their medians."""
        return self._medians(rows, learned)


def neighbours(runs: Rows, good: Flags, judged: Flags) -> NDArray[np.int32]:
    """Rows beside each row in the same run: good ones; where a run has too few, for a row that isn't good all.

    Args:
        runs: Run numbers, ascending; rows of a run in order of time.
        judged: Rows that are no evidence of anything are no neighbours.
    """
    result = np.full((len(runs), 2 * NEIGHBOURS), -1, dtype=np.int32)
    for rows in np.split(np.arange(len(runs)), np.flatnonzero(np.diff(runs)) + 1):
        of_good = rows[good[rows] & judged[rows]]
        others = of_good if len(of_good) > LEAST_NEIGHBOURS else rows[judged[rows]]
        for part, near in ((rows[good[rows]], of_good), (rows[~good[rows]], others)):
            if len(near):
                result[part] = _beside(part, near)
    return result


def _beside(rows: Rows, near: Rows) -> NDArray[np.int64]:
    """The nearest of ``near`` before and behind each row."""
    before = np.searchsorted(near, rows, side="left")[:, None] - np.arange(1, NEIGHBOURS + 1)
    behind = np.searchsorted(near, rows, side="right")[:, None] + np.arange(NEIGHBOURS)
    places = np.hstack([before, behind])
    inside = (places >= 0) & (places < len(near))
    return np.where(inside, near[np.clip(places, 0, len(near) - 1)], -1)
