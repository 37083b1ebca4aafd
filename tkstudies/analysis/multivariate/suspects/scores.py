"""Raw scores of rows that the model which judges them hasn't seen, in two ways.

``all``: good rows before and after a run judge it (re-certification); rows are judged by a model without their part
of the runs. ``earlier``: only good runs before it (new data); the model is fitted anew as time goes on. That matters:
detectors age, and limits of last month flag most of the healthy runs of this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

FOLDS = 10
EARLY, REFIT = 60, 5
"""Good runs before the first model of ``earlier``, and between two models."""

OFTEN = 300
"""Good runs up to which no fit is left out."""

MOST_FITS = 20
"""Models of ``earlier`` over a long time: they come more rarely then."""


@dataclass(frozen=True)
class Judgement:
    """Which rows teach a model, and which rows it judges: places in the table.

    Attributes:
        training: Good rows.
        good: Good rows to judge; apart from the others, whose number must not change a digit of their scores.
        others: Other rows to judge.
    """

    training: Rows
    good: Rows
    others: Rows

    def __str__(self) -> str:
        return f"{len(self.good) + len(self.others):,} rows"

    @property
    def can_be_done(self) -> bool:
        """Are there rows to learn from, and rows to judge?"""
        return bool(len(self.training) and len(self.good) + len(self.others))


def by_folds(runs: Rows, good: NDArray[np.bool_], seed: int) -> Iterator[Judgement]:
    """Each tenth of the runs judged by the other nine.

    Args:
        runs: Run numbers, shape (rows,).
        good: Whether a row is good, shape (rows,).
    """
    of_good = np.unique(runs[good])
    count = min(FOLDS, len(of_good))
    if not count:
        return
    order = np.random.default_rng(seed).permutation(len(of_good))
    folds = np.empty(len(of_good), dtype=np.int64)
    folds[order] = np.arange(len(of_good)) % count
    place = np.minimum(np.searchsorted(of_good, runs), len(of_good) - 1)
    fold = np.where(of_good[place] == runs, folds[place], (runs + seed) % count)
    for number in range(count):
        inside = fold == number
        yield Judgement(np.flatnonzero(good & ~inside), np.flatnonzero(good & inside), np.flatnonzero(~good & inside))


def walking_forward(runs: Rows, good: NDArray[np.bool_], seed: int) -> Iterator[Judgement]:
    """Each run judged by good runs before it; the first 60 good ones by each other (arguments of `by_folds`)."""
    of_good = np.unique(runs[good])
    before = np.searchsorted(of_good, runs, side="left")
    early = np.flatnonzero(before < EARLY)
    for judgement in by_folds(runs[early], good[early], seed):
        yield Judgement(early[judgement.training], early[judgement.good], early[judgement.others])
    for first, last in _blocks(len(of_good)):
        inside = (before >= first) & (before < last)
        if inside.any():
            training = np.flatnonzero(good & (before < first))
            yield Judgement(training, np.flatnonzero(good & inside), np.flatnonzero(~good & inside))


def _blocks(good_runs: int) -> Iterator[tuple[int, int]]:
    """Where models are fitted: after 60, 65, ... good runs, more rarely once there are many."""
    first = EARLY
    while first <= good_runs:
        step = REFIT if first < OFTEN else max(REFIT, REFIT * (first // (REFIT * MOST_FITS)))
        last = first + step
        yield first, last if last <= good_runs else good_runs + 1
        first = last


def is_early(runs: Rows, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a row is judged among the first 60 good runs."""
    return np.searchsorted(np.unique(runs[good]), runs, side="left") < EARLY
