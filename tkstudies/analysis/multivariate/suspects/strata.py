"""The rows of a group, judged: models, raw scores and calibrated ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects import scores
from tkstudies.analysis.multivariate.suspects.calibration import Calibrated, GoodRuns, Scales
from tkstudies.analysis.multivariate.suspects.fit import TRIMMED, RawScores
from tkstudies.analysis.multivariate.suspects.judging import Judging, Lesson, Plan, View
from tkstudies.shardwise import Shards

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNUSUAL = 0.25
"""Part of the rows that teaches nothing where no label tells good rows."""


@dataclass
class Stratum:
    """The rows of a group in order of time, judged by `run`.

    Attributes:
        runs, good: Run number of each row, and whether it is good; shape (rows,).
        views: What is looked at.
        raw: Scores by view.
        lessons: All models by view; ``model_of`` says which one judged a row, -1 if none.
        calibrated: Scores on the common scale.
        counted: Rows that p-values count; the good ones if None.
        compared: How unusual rows are beside their references, NaN where unknown; None if nobody has compared.
    """

    runs: Rows
    good: Flags
    views: Sequence[View]
    raw: list[RawScores] = field(default_factory=list)
    lessons: list[list[Lesson]] = field(default_factory=list)
    model_of: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    calibrated: Calibrated = field(default_factory=lambda: Calibrated.empty(0))
    counted: Flags | None = None
    compared: Array | None = None

    def run(self, plan: Plan, shards: Shards) -> None:
        """Judge all rows; models are fitted by those who work on the table."""
        rows = len(self.runs)
        self.raw = [RawScores.empty(rows) for _ in self.views]
        self.lessons = [[] for _ in self.views]
        self.model_of = np.full(rows, -1)
        split = scores.walking_forward if plan.earlier else scores.by_folds
        judgements = [each for each in split(self.runs, self.good, plan.seed) if each.can_be_done]
        judging = Judging(self.views, self.runs, plan)
        for number, (judgement, by_view) in enumerate(zip(judgements, shards.each(judging, judgements), strict=True)):
            for raw, lessons, judged in zip(self.raw, self.lessons, by_view, strict=True):
                lessons.append(judged.lesson)
                raw.put(judgement.good, judged.good)
                raw.put(judgement.others, judged.others)
            self.model_of[judgement.good] = self.model_of[judgement.others] = number
        self._calibrate(plan)

    def learn_from_the_usual(self, plan: Plan, shards: Shards) -> None:
        """Once more, from the rows that were the most usual ones; p-values still count all."""
        score = np.where(np.isnan(self.calibrated.score), np.inf, self.calibrated.score)
        usual = np.argsort(score, kind="stable")[: len(score) - int(UNUSUAL * len(score))]
        self.counted, self.good = self.good, np.zeros(len(score), dtype=bool)
        self.good[usual] = True
        self.run(replace(plan, trimmed=TRIMMED), shards)

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

    def lesson(self, row: int, view: int) -> Lesson:
        """What judged a row in a view."""
        return self.lessons[view][self.model_of[row]]

    def history(self, run: int) -> Rows:
        """The good rows that a run is compared with, once all are judged."""
        return self._good(run)
