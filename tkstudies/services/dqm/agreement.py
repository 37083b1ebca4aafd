"""Do the summaries of the DQM GUI's index say the same as its histograms?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from tkstudies import jsonl
from tkstudies.histogramrecord import Axes, as_hist
from tkstudies.records import Record, number
from tkstudies.services.dqm.asking import Problem
from tkstudies.services.dqm.byfolder import summaries
from tkstudies.services.dqm.crawl import Asking, Outcome, Task, with_bins
from tkstudies.services.dqm.gui import DqmGui

TOLERANCE = 1e-5
"""Of the larger value, of a mean or of its rms: the server rounds to six digits at both addresses."""

Thing = TypeVar("Thing")
_Value = int | float | None


class Compared(NamedTuple):
    """A plot that was fetched both ways.

    Attributes:
        numbers: How many numbers either way has.
        differences: Those that differ, as records.
        problem: Why it can't be said; of a plot that neither way has ``missing plot``.
    """

    task: Task
    numbers: int = 0
    differences: Sequence[Record] = ()
    problem: Problem | None = None


def drawn(things: Sequence[Thing], number: int) -> list[Thing]:
    """So many of the things, drawn at random, the same each time, in their order.

    >>> drawn("abcdefgh", 3), drawn("ab", 3)
    (['d', 'g', 'h'], ['a', 'b'])
    """
    places = random.Random(0).sample(range(len(things)), min(number, len(things)))  # noqa: S311 (no secret)
    return [things[place] for place in sorted(places)]


def compare(gui: DqmGui, tasks: Sequence[Task], *, workers: int) -> Iterator[Compared]:
    """Each plot fetched both ways, in order.

    Raises:
        ServiceError: The server can't be used.
    """
    ways = (fetch(gui, tasks, Asking(workers)) for fetch in (summaries, with_bins))
    for (summary,), (histogram,) in zip(*ways, strict=True):
        yield _compared(summary, histogram)


def _compared(summary: Outcome, histogram: Outcome) -> Compared:
    problems = [outcome.problem for outcome in (summary, histogram) if outcome.problem]
    failed = next((problem for problem in problems if problem.error == "failed"), None)
    if failed or len(problems) == 2:
        return Compared(summary.task, problem=failed or problems[0])
    ours, theirs = (numbers_of(outcome.hist) for outcome in (summary, histogram))
    names = list(dict.fromkeys((*ours, *theirs)))
    differing = [name for name in names if not agree(name, ours, theirs)]
    return Compared(summary.task, len(names), [_record(summary.task, name, ours, theirs) for name in differing])


def numbers_of(hist: bytes) -> dict[str, _Value]:
    """Entries, mean and rms of a histogram as JSON; nothing of no histogram.

    >>> numbers_of(b'{"stats": {"entries": 9, "mean": {"X": {"value": 1.5}}, "rms": {"X": {"value": null}}}}')
    {'entries': 9, 'mean': 1.5, 'rms': None}
    """
    found = as_hist(jsonl.decode_value(hist)) if hist else None
    if found is None or found.stats is None:
        return {}
    numbers: dict[str, _Value] = {"entries": number(found.stats.entries)}
    for name, axes in (("mean", found.stats.mean), ("rms", found.stats.rms)):
        axes = axes or Axes()
        numbers |= {name + ending: number(axis.value) for axis, ending in ((axes.X, ""), (axes.Y, "_y")) if axis}
    return numbers


def agree(name: str, ours: dict[str, _Value], theirs: dict[str, _Value]) -> bool:
    """Is a number of two histograms the same, within the tolerance? Not if only one has it.

    >>> agree("mean", {"mean": 1e-9, "rms": 1.0}, {"mean": -1e-9, "rms": 1.0})
    True
    >>> agree("entries", {"entries": 1.23457e6}, {"entries": 1234567.0}), agree("mean", {"mean": 1.0}, {"mean": None})
    (True, False)
    """
    if name not in ours or name not in theirs:
        return False
    one, other = ours[name], theirs[name]
    if one is None or other is None:
        return one is other
    width = (theirs.get(name.replace("mean", "rms")) or 0) if name.startswith("mean") else 0
    try:
        return abs(one - other) <= TOLERANCE * max(abs(one), abs(other), abs(width))
    except OverflowError:  # an integer beyond floats
        return one == other


def _record(task: Task, name: str, ours: dict[str, _Value], theirs: dict[str, _Value]) -> Record:
    sample, plot = task.sample, task.plot or ""
    return {
        "run_number": sample.pair.run_number,
        "reco": sample.pair.reco,
        "dataset": sample.dataset,
        "plot": plot,
        "name": plot.rpartition("/")[2],
        "statistic": name,
        "of_summary": ours.get(name),
        "of_histogram": theirs.get(name),
    }
