"""The rows of a group, judged: models, raw scores and calibrated ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects import scores
from tkstudies.analysis.multivariate.suspects.calibration import HISTORY, Calibrated, GoodRuns, Scales
from tkstudies.analysis.multivariate.suspects.fit import TRIMMED, Model, RawScores, fit, score
from tkstudies.analysis.multivariate.suspects.scores import Judgement

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_ROWS = 20_000
"""Good rows that a model is fitted to."""

UNUSUAL = 0.25
"""Part of the rows that teaches nothing where no label tells good rows."""


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

    def learn(self, training: Rows) -> None:
        """Prepare for a model of these rows."""

    def of(self, rows: Rows) -> Array:
        """Their numbers."""
        return self.values[rows]

    def typical(self, rows: Rows) -> Array | None:
        """What the numbers of rows are compared with, if each has its own."""
        return None


@dataclass
class Stratum:
    """The rows of a group in order of time, judged by `run`.

    Attributes:
        runs, good: Run number of each row, and whether it is good; shape (rows,).
        views: What is looked at.
        raw: Scores by view.
        models: All models by view; ``model_of`` says which one judged a row, -1 if none.
        calibrated: Scores on the common scale.
        counted: Rows that p-values count; the good ones if None.
        compared: How unusual rows are beside their references, NaN where unknown; None if nobody has compared.
    """

    runs: Rows
    good: Flags
    views: Sequence[View]
    raw: list[RawScores] = field(default_factory=list)
    models: list[list[Model]] = field(default_factory=list)
    model_of: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    calibrated: Calibrated = field(default_factory=lambda: Calibrated.empty(0))
    counted: Flags | None = None
    compared: Array | None = None

    def run(self, plan: Plan) -> None:
        """Judge all rows."""
        rows = len(self.runs)
        self.raw = [RawScores.empty(rows) for _ in self.views]
        self.models = [[] for _ in self.views]
        self.model_of = np.full(rows, -1)
        split = scores.walking_forward if plan.earlier else scores.by_folds
        for judgement in split(self.runs, self.good, plan.seed):
            if len(judgement.training) and len(judgement.good) + len(judgement.others):
                self._judge(judgement, plan)
        self._calibrate(plan)

    def learn_from_the_usual(self, plan: Plan) -> None:
        """Once more, from the rows that were the most usual ones; p-values still count all."""
        score = np.where(np.isnan(self.calibrated.score), np.inf, self.calibrated.score)
        usual = np.argsort(score, kind="stable")[: len(score) - int(UNUSUAL * len(score))]
        self.counted, self.good = self.good, np.zeros(len(score), dtype=bool)
        self.good[usual] = True
        self.run(replace(plan, trimmed=TRIMMED))

    def _judge(self, judgement: Judgement, plan: Plan) -> None:
        training = drawn(judgement.training, self.runs, plan.seed)
        number = len(self.models[0])
        for view, raw, models in zip(self.views, self.raw, self.models, strict=True):
            view.learn(training)
            model = fit(view.of(training), view.errors[training], plan.trimmed)
            models.append(model)
            for rows in (judgement.good, judgement.others):
                if len(rows):
                    expected = None if view.expected is None else view.expected[rows]
                    raw.put(rows, score(view.of(rows), view.errors[rows], model, expected))
        for rows in (judgement.good, judgement.others):
            self.model_of[rows] = number

    def _calibrate(self, plan: Plan) -> None:
        self.calibrated = Calibrated.empty(len(self.runs))
        self._good = self._histories(self.good, plan)
        counted = None if self.counted is None else self._histories(self.counted, plan)
        scales = Scales(self.raw, self.compared)
        bounds = np.flatnonzero(np.diff(self.runs)) + 1
        for rows in np.split(np.arange(len(self.runs)), bounds):
            rows = rows[self.model_of[rows] >= 0]
            if not len(rows):
                continue
            run = int(self.runs[rows[0]])
            history = self._good(run)
            others = history if counted is None else counted(run)
            for part in (rows[self.good[rows]], rows[~self.good[rows]]):
                if len(part):
                    self.calibrated.put(part, scales.calibrate(part, history, others))

    def _histories(self, chosen: Flags, plan: Plan) -> Callable[[int], Rows]:
        """A function from a run to the chosen rows that it is compared with."""
        known = np.flatnonzero(chosen & (self.model_of >= 0))
        runs = GoodRuns(known, self.runs[known])
        early = np.flatnonzero(chosen & scores.is_early(self.runs, chosen))
        early_runs = GoodRuns(early, self.runs[early])

        def history(run: int) -> Rows:
            if not plan.earlier:
                return runs.nearest(run, plan.history, plan.least_runs)
            if runs.before(run) < scores.EARLY:
                return early_runs.nearest(run, plan.history, plan.least_runs)
            return runs.earlier(run, plan.history, plan.least_runs)

        return history

    def history(self, run: int) -> Rows:
        """The good rows that a run is compared with, once all are judged."""
        return self._good(run)


def drawn(training: Rows, runs: Rows, seed: int, most: int = MOST_ROWS) -> Rows:
    """So many rows of runs drawn at random, if there are more."""
    if len(training) <= most:
        return training
    numbers, size = np.unique(runs[training], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(numbers))
    taken = numbers[order[: max(int(np.searchsorted(np.cumsum(size[order]), most, side="right")), 1)]]
    return training[np.isin(runs[training], taken)]
