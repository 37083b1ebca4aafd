"""Models of good rows, and the rows that they judge: what is long, and can be done by several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects.calibration import HISTORY
from tkstudies.analysis.multivariate.suspects.fit import TRIMMED, Model, RawScores, fit, score
from tkstudies.analysis.multivariate.suspects.scores import Judgement

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_ROWS = 20_000
"""Good rows that a model is fitted to."""


@dataclass(frozen=True)
class Plan:
    """How rows are judged.

    Attributes:
        earlier: Only by good runs before them.
        seed: For everything that is drawn.
        trimmed: Part of the good rows that may have a wrong label.
        history: Rows in a history.
        least_runs: Whole runs that a history has; 1 if a run has one row.
    """

    earlier: bool = False
    seed: int = 42
    trimmed: float = TRIMMED
    history: int = HISTORY
    least_runs: int = 1


class View:
    """Numbers by which rows are judged, as they are; other views prepare them (`lumisections`).

    Attributes:
        values, errors: Shape (rows, features).
        expected: Whether a feature could be there, same shape; None for all.
    """

    name = ""

    def __init__(self, values: Array, errors: Array, expected: Flags | None = None):
        self.values, self.errors, self.expected = values, errors, expected

    def learn(self, training: Rows) -> Any:
        """What must be known of the rows of a model to prepare numbers for it."""
        return None

    def of(self, rows: Rows, learned: Any = None) -> Array:
        """Numbers of rows, for the model of the rows from which was learned."""
        return self.values[rows]

    def typical(self, rows: Rows, learned: Any = None) -> Array | None:
        """What the numbers of rows are compared with, if each has its own."""
        return None


class Lesson(NamedTuple):
    """What a view has taught of good rows.

    Attributes:
        model: What they look like. learned: How numbers are prepared for it (`View.of`).
    """

    model: Model
    learned: Any


class Judged(NamedTuple):
    """What became of the rows of a judgement in one view. good, others: Their scores."""

    lesson: Lesson
    good: RawScores
    others: RawScores


@dataclass(frozen=True)
class Judging:
    """Fits a model for each view and scores rows by it: a task for `shardwise.Shards`, of judgements.

    Attributes:
        views: What is looked at. runs: Run number of each row. plan: How rows are judged.
    """

    views: Sequence[View]
    runs: Rows
    plan: Plan

    def __call__(self, judgement: Judgement) -> list[Judged]:
        training = drawn(judgement.training, self.runs, self.plan.seed)
        return [self._in(view, judgement, training) for view in self.views]

    def _in(self, view: View, judgement: Judgement, training: Rows) -> Judged:
        learned = view.learn(training)
        model = fit(view.of(training, learned), view.errors[training], self.plan.trimmed)
        found = []
        for rows in (judgement.good, judgement.others):
            expected = None if view.expected is None else view.expected[rows]
            found.append(score(view.of(rows, learned), view.errors[rows], model, expected))
        return Judged(Lesson(model, learned), *found)


def drawn(training: Rows, runs: Rows, seed: int, most: int = MOST_ROWS) -> Rows:
    """So many rows of runs drawn at random, if there are more."""
    if len(training) <= most:
        return training
    numbers, size = np.unique(runs[training], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(numbers))
    taken = numbers[order[: max(int(np.searchsorted(np.cumsum(size[order]), most, side="right")), 1)]]
    return training[np.isin(runs[training], taken)]
