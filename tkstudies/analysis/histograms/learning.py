"""The usual changes of all plots, learned from pairs of good runs.

Of each kind of run at most `MOST_RUNS` are kept, drawn by their numbers: the same ones for every plot and whatever the
order of the files, and memory stays small. The pairs of a plot go through these runs in an order drawn at random, so
that each run is in as many pairs as any other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.changes import LEAST_PAIRS, Change, PlotKey, Usual, change, learn
from tkstudies.analysis.histograms.comparable import Histogram, Incomparable, read, usable
from tkstudies.console import counted
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.records import RowKey

MOST_RUNS = 100
MOST_PAIRS = 300
"""Of a plot: 300 give the limit that a tenth of them is above to about 5 %."""

TRIMMED = 0.05
"""Part of the runs, the most unusual ones, that teaches nothing: labels are not always right."""

LARGEST = 10
"""So many of the largest z of a run tell how unusual it is."""


NOT_IN_RECO = "not there in the reference reco"

Pair = tuple[int, int]
_Measured = dict[PlotKey, dict[Pair, Change]]


class Learner:
    """Takes the histograms of good runs, and learns how much each plot changes from one to the other.

    Args:
        kind_of: Tells the kind of a row, None if it isn't good; only runs of one kind are paired.
        reference_reco: If named, each run is paired with itself in that reco instead of with other runs.
        seed: For what is drawn.

    Attributes:
        left_out: Why histograms were left out, and how many.
        not_good: How many histograms were of rows that aren't good.
    """

    def __init__(self, kind_of: Callable[[RowKey], Hashable], reference_reco: str | None = None, seed: int = 42):
        self.left_out: Counter[str] = Counter()
        self.not_good = 0
        self._kind_of, self._reference_reco = kind_of, reference_reco
        self._groups: defaultdict[Hashable, _Drawn] = defaultdict(lambda: _Drawn(seed))
        self._used: set[int] = set()
        self._reasons: defaultdict[PlotKey, Counter[str]] = defaultdict(Counter)

    def add(self, record: HistogramRecord) -> None:
        """Take a histogram, if its run is good and among those drawn."""
        if record.lumisection_number is not None:
            self.left_out["of a lumisection: whole runs are compared"] += 1
            return
        if record.is_summary:
            self.left_out["without bins, being summaries: dqm without --summaries fetches them"] += 1
            return
        same_run = self._reference_reco is not None
        kind = self._kind_of(RowKey(record.run_number, self._reference_reco if same_run else record.reco))
        if kind is None:
            self.not_good += 1
            return
        key = PlotKey.of(record.label, record.reco, record.dataset)
        held = self._groups[kind if same_run else (kind, key.reco, key.stream)].held(record.run_number)
        if held is None:
            return
        if isinstance(held.get(key), Histogram):
            self.left_out["with the same run, reco and plot as one before"] += 1
            return
        try:
            held[key] = read(record.hist)
        except Incomparable as reason:
            held[key] = str(reason)

    @property
    def runs(self) -> list[int]:
        """The runs that were learned from, ascending."""
        return sorted(self._used)

    def learn(self) -> tuple[dict[PlotKey, Usual], dict[PlotKey, str]]:
        """The usual changes of each plot; and of plots without them, why."""
        together: defaultdict[PlotKey, list[Change]] = defaultdict(list)
        for drawn in self._groups.values():
            measured = {key: changes for key, changes in self._measure(drawn).items() if changes}
            numbers = sorted({run for changes in measured.values() for pair in changes for run in pair})
            odd = _odd_runs(measured, numbers)
            self._used.update(set(numbers) - odd)
            for key, changes in measured.items():
                together[key] += [one for pair, one in changes.items() if odd.isdisjoint(pair)]
        usual = {key: learn(changes) for key, changes in together.items() if len(changes) >= LEAST_PAIRS}
        seen = {key for drawn in self._groups.values() for held in drawn.runs.values() for key in held}
        seen = {key for key in seen if key.reco != self._reference_reco or self._reference_reco is None}
        return usual, {key: self._why_not(key, len(together[key])) for key in sorted(seen - usual.keys(), key=str)}

    def _why_not(self, key: PlotKey, pairs: int) -> str:
        common = self._reasons[key].most_common(1)
        also = f"; others: {common[0][0]}" if common else ""
        return f"{counted(pairs, 'pair')} of good runs, {LEAST_PAIRS} needed{also}"

    def _measure(self, drawn: _Drawn) -> _Measured:
        """Changes of each plot by pair of runs."""
        measured: _Measured = {}
        for key in dict.fromkeys(key for held in drawn.runs.values() for key in held):
            changes: dict[Pair, Change] = {}
            for pair, other in self._pairs(drawn, key):
                try:
                    data, reference = drawn.histogram(pair[0], key), drawn.histogram(pair[1], other)
                    same_data = pair[0] == pair[1] and other is not None and key.stream == other.stream
                    found = change(data, reference, same_data=same_data)
                except Incomparable as reason:
                    self._reasons[key][str(reason)] += 1
                    continue
                if not changes or found.is_profile == next(iter(changes.values())).is_profile:
                    changes[pair] = found
            measured[key] = changes
        return measured

    def _pairs(self, drawn: _Drawn, key: PlotKey) -> Iterator[tuple[Pair, PlotKey | None]]:
        """Pairs of runs in which a plot is compared, and what it is compared with in the second one."""
        order = [run for run in drawn.in_order() if key in drawn.runs[run]]
        if self._reference_reco is None:
            yield from ((pair, key) for pair in balanced_pairs(order))
        elif key.reco != self._reference_reco:
            for run in order:
                others = (
                    other for other in drawn.runs[run] if other.plot == key.plot and other.reco == self._reference_reco
                )
                yield (run, run), next(others, None)


class _Drawn:
    """The histograms of at most so many runs of one kind: those whose numbers come first in an order at random.

    Attributes:
        runs: Run -> plot -> its histogram, or why there is none.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._ranks: dict[int, bytes] = {}
        self._last: int | None = None
        self.runs: dict[int, dict[PlotKey, Histogram | str]] = {}

    def held(self, run: int) -> dict[PlotKey, Histogram | str] | None:
        """The histograms of a run; None if it isn't among those drawn."""
        if run not in self.runs:
            if len(self.runs) >= MOST_RUNS:
                if self._last is None:
                    self._last = max(self.runs, key=self._rank)
                if self._rank(run) > self._rank(self._last):
                    return None
                del self.runs[self._last]
            self._last = None
            self.runs[run] = {}
        return self.runs[run]

    def histogram(self, run: int, key: PlotKey | None) -> Histogram:
        """A histogram of a run.

        Raises:
            Incomparable: It couldn't be read, or isn't there.
        """
        return usable(NOT_IN_RECO if key is None else self.runs[run][key])

    def in_order(self) -> list[int]:
        """The runs in the order at random."""
        return sorted(self.runs, key=self._rank)

    def _rank(self, run: int) -> bytes:
        if run not in self._ranks:
            self._ranks[run] = blake2b(f"{self._seed} {run}".encode(), digest_size=8).digest()
        return self._ranks[run]


def balanced_pairs(runs: Sequence[int], most: int = MOST_PAIRS) -> Iterator[Pair]:
    """Pairs of runs without repetition, each run with its next, second next, ... one of a circle.

    >>> list(balanced_pairs([1, 2, 3, 4]))
    [(1, 2), (2, 3), (3, 4), (4, 1), (1, 3), (2, 4)]
    """
    count = len(runs)
    left = most
    for step in range(1, count // 2 + 1):
        pairs = count // 2 if 2 * step == count else count
        for place in range(min(pairs, left)):
            yield runs[place], runs[(place + step) % count]
        left -= min(pairs, left)


def largest_mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Mean of the ten largest numbers, or of all if there are fewer: how unusual a row is by the z of its plots.

    >>> largest_mean([1.0, 2.0]), largest_mean([*range(100)])
    (1.5, 94.5)
    """
    return float(np.mean(np.sort(np.asarray(values, dtype=float))[-LARGEST:]))


def _odd_runs(measured: _Measured, runs: Sequence[int]) -> set[int]:
    """The runs that differ most from those that they are paired with."""
    count = int(TRIMMED * len(runs))
    if not count:
        return set()
    z_of_runs: dict[int, list[float]] = {run: [] for run in runs}
    for changes in measured.values():
        usual = learn(list(changes.values()))
        of_run: defaultdict[int, list[float]] = defaultdict(list)
        for pair, one in changes.items():
            z = usual.z(one)
            for run in set(pair):
                of_run[run].append(z)
        for run, values in of_run.items():
            z_of_runs[run].append(float(np.median(values)))
    order = sorted(runs, key=lambda run: (-largest_mean(z_of_runs[run]), run))
    return set(order[:count])
