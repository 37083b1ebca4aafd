"""From raw scores to a common scale, and to how rarely good rows of the same kind get there.

A row is compared with the scores that other good rows got while they were unseen themselves: its history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects.fit import RawScores

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

HISTORY, LEAST_HISTORY = 200, 20
"""Rows of the history: the usual number, and the least."""

_NORMAL_90 = 1.2816  # standard deviations above the mean that a tenth of a normal distribution exceeds
_SAYS_LITTLE = 5.0  # a score of missing features that isn't more is none


@dataclass(frozen=True)
class Calibrated:
    """Scores of rows; NaN where the history is too short. Shape (rows,) each.

    Attributes:
        score: The largest of the measures, in standard deviations of good rows.
        measure: Which one: distance and largest of the first view, of the second, ..., missing, and last comparisons.
        p_value: How often good rows score as high, at least 1/(1 + history).
        history: How many rows the row was compared with.
        compared: Whether the comparison with references is among the measures.
    """

    score: Array
    measure: Rows
    p_value: Array
    history: Rows
    compared: NDArray[np.bool_]

    @classmethod
    def empty(cls, rows: int) -> Calibrated:
        """No score yet."""
        scores, p_values = np.full((2, rows), np.nan)
        measure, history = np.zeros((2, rows), dtype=np.int64)
        return cls(scores, measure, p_values, history, np.zeros(rows, dtype=bool))

    def put(self, where: Rows, part: Calibrated) -> None:
        """Fill in the scores of some rows."""
        self.score[where], self.measure[where] = part.score, part.measure
        self.p_value[where], self.history[where] = part.p_value, part.history
        self.compared[where] = part.compared


class Scales:
    """The common scale of raw scores, of whichever rows of a stratum.

    Args:
        raws: Scores of all rows, by view.
        compared: How unusual rows are beside their references, NaN where unknown; shape (rows,).
    """

    def __init__(self, raws: Sequence[RawScores], compared: Array | None = None):
        measures = [scores for raw in raws for scores in (raw.distance, raw.largest)]
        self._logarithms = np.log(np.maximum(np.array(measures), 1e-12))
        self._missing = raws[0].missing
        self._compared = None if compared is None else np.arcsinh(compared)  # a logarithm that takes all numbers

    def calibrate(self, rows: Rows, history: Rows, counted: Rows) -> Calibrated:
        """Bring the scores of rows that share a history to the scale of that history.

        Comparisons are a measure of the rows that have some, if half of the history has; these rows are compared with
        those of the history that have some too, so that p-values stay right.

        Args:
            rows: The rows to bring to scale.
            history: Good rows that give the scale, none of the same run.
            counted: Rows that p-values count: the same, unless nobody knows which rows are good.
        """
        if self._compared is None:
            return self._calibrate(rows, history, counted)
        has = ~np.isnan(self._compared)
        result = Calibrated.empty(len(rows))
        enough = all(has[of].sum() >= max(LEAST_HISTORY, len(of) / 2) for of in (history, counted))
        for part, judges, counts in (
            (has[rows] & enough, history[has[history]], counted[has[counted]]),
            (~(has[rows] & enough), None, counted),
        ):
            if part.any():
                places = np.flatnonzero(part)
                result.put(places, self._calibrate(rows[places], history, counts, judges))
        return result

    def _calibrate(self, rows: Rows, history: Rows, counted: Rows, compared: Rows | None = None) -> Calibrated:
        """The same of rows that all have comparisons, or none of them.

        Args:
            compared: Rows that give the scale of comparisons; None if these aren't looked at.
        """
        if len(history) < LEAST_HISTORY:
            return Calibrated.empty(len(rows))
        ordered = np.sort(self._logarithms[:, history], axis=1)
        middle, upper = _quantile(ordered, 0.5), _quantile(ordered, 0.9)
        width = np.maximum((upper - middle) / _NORMAL_90, 1e-9)
        limit = max(float(self._missing[history].max()), _SAYS_LITTLE)

        def on_scale(some: Rows) -> Array:
            together = self._on_scale(some, middle, width, limit)
            if compared is None or self._compared is None:
                return together
            return np.vstack([together, _on_scale_of(self._compared[some], self._compared[compared])])

        together = on_scale(rows)
        others = np.sort(on_scale(counted).max(axis=0))
        scores = together.max(axis=0)
        above = len(others) - np.searchsorted(others, scores, side="left")
        p_values = np.asarray((1.0 + above) / (1.0 + len(others)), dtype=np.float64)
        size = np.full(len(rows), len(others))
        return Calibrated(scores, together.argmax(axis=0), p_values, size, np.full(len(rows), compared is not None))

    def _on_scale(self, rows: Rows, middle: Array, width: Array, limit: float) -> Array:
        """All measures in standard deviations of the history, the missing features last, shape (measures, rows)."""
        normal = (self._logarithms[:, rows] - middle[:, None]) / width[:, None]
        missing = self._missing[rows]
        beyond = missing > limit
        said = np.where(beyond, 3.0 + 2.0 * np.log(np.where(beyond, missing, limit) / limit), -np.inf)
        return np.vstack([normal, said])


def _on_scale_of(scores: Array, history: Array) -> Array:
    """Scores in standard deviations of those of a history, shape (rows,)."""
    ordered = np.sort(history)[None, :]
    middle, upper = _quantile(ordered, 0.5), _quantile(ordered, 0.9)
    return (scores - middle) / np.maximum((upper - middle) / _NORMAL_90, 1e-9)


def _quantile(ordered: Array, part: float) -> Array:
    """Quantile of each row of ordered values, shape (rows,)."""
    place = part * (ordered.shape[1] - 1)
    low = int(place)
    high = min(low + 1, ordered.shape[1] - 1)
    return ordered[:, low] + (place - low) * (ordered[:, high] - ordered[:, low])


class GoodRuns:
    """The runs with good rows, from which histories are taken: whole runs, as the rows of a run are alike.

    Args:
        rows: Places of good rows.
        runs: Their run numbers, ascending.
    """

    def __init__(self, rows: Rows, runs: Rows):
        self.rows = rows
        self.numbers, starts = np.unique(runs, return_index=True)
        self._bounds = np.append(starts, len(rows))

    def nearest(self, run: int, size: int = HISTORY, least_runs: int = 1) -> Rows:
        """Places of the good rows nearest in time to a run, none of the run itself, of enough runs for ``size``."""
        others = np.flatnonzero(self.numbers != run)
        order = others[np.argsort(np.abs(self.numbers[others] - run), kind="stable")]
        return self._taken(order, size, least_runs)

    def earlier(self, run: int, size: int = HISTORY, least_runs: int = 1) -> Rows:
        """Places of the latest good rows before a run."""
        return self._taken(np.arange(self.before(run))[::-1], size, least_runs)

    def before(self, run: int) -> int:
        """How many there are before a run."""
        return int(np.searchsorted(self.numbers, run, side="left"))

    def _taken(self, order: Rows, size: int, least_runs: int) -> Rows:
        together = np.cumsum(self._bounds[order + 1] - self._bounds[order])
        count = max(int(np.searchsorted(together, size)) + 1, least_runs)
        chosen = np.sort(order[:count])
        starts, sizes = self._bounds[chosen], self._bounds[chosen + 1] - self._bounds[chosen]
        skipped = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        return self.rows[skipped + np.arange(len(skipped))]
