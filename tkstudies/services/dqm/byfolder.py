"""Summaries of histograms, many by one request: those of plots that are named, or of all below a folder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple

from tkstudies.console import counted
from tkstudies.errors import ServiceError
from tkstudies.services.dqm.asking import Failures, Problem, answers
from tkstudies.services.dqm.crawl import Asking, Outcome, Sample, Task, missing
from tkstudies.services.dqm.gui import DqmGui
from tkstudies.services.dqm.pairs import Pair
from tkstudies.services.dqm.summaries import Item

_TREES = 4  # walked through at the same time; what is in them waits in memory
_MOST_FOLDERS = 20_000  # of one tree


class _Folder(NamedTuple):
    """The plots of a folder that are wanted, by their numbers in the crawl."""

    sample: Sample
    path: str
    tasks: dict[int, Task]


def summaries(gui: DqmGui, tasks: Iterable[Task], asking: Asking) -> Iterator[list[Outcome]]:
    """The summary of each plot, by one request for all that are in the same folder of a sample."""
    waiting: deque[int] = deque()
    done: dict[int, Outcome] = {}

    def folders() -> Iterator[_Folder]:
        numbered = enumerate(tasks)
        for sample, of_sample in groupby(numbered, key=lambda item: item[1].sample):
            found: dict[str, _Folder] = {}
            for number, task in of_sample:
                waiting.append(number)
                path = (task.plot or "").rpartition("/")[0]
                found.setdefault(path, _Folder(sample, path, {})).tasks[number] = task
            yield from found.values()

    def ask(folder: _Folder) -> dict[int, Outcome]:
        sample, wanted = folder.sample, folder.tasks
        if sample.problem:
            return {number: Outcome(task, problem=sample.problem) for number, task in wanted.items()}
        found = {number: Outcome(task, is_known=True) for number, task in wanted.items() if task.key in asking.known}
        if len(found) < len(wanted):
            items = gui.listing(sample.pair.run_number, sample.dataset, folder.path)
            plots = {item.obj: item for item in reversed(items) if item.is_histogram}
            for number, task in wanted.items():
                item = plots.get((task.plot or "").rpartition("/")[2])
                found.setdefault(number, _outcome(task, item, asking) if item else missing(task))
        return found

    def is_proof(found: dict[int, Outcome]) -> bool:
        return any(outcome.task.plot is not None and not outcome.is_known for outcome in found.values())

    asked = answers(
        ask,
        folders(),
        lambda folder: folder.sample.pair,
        asking.workers,
        is_proof=is_proof,
        is_patient=asking.is_patient,
    )
    for folder, found in asked:
        if isinstance(found, Problem):
            found = {number: Outcome(task, problem=found) for number, task in folder.tasks.items()}
        done.update(found)
        while waiting and waiting[0] in done:
            yield [done.pop(waiting.popleft())]


def _outcome(task: Task, item: Item, asking: Asking) -> Outcome:
    if task.key in asking.known:
        return Outcome(task, is_known=True)
    try:
        return Outcome(task, item.hist(), quality=item.quality if asking.quality else "")
    except ServiceError as error:
        return Outcome(task, problem=Problem("failed", str(error)))


# --- all plots below a folder


class _Place(NamedTuple):
    """A folder of a tree."""

    tree: _Tree
    path: str


class _Tree:
    """A folder and what is below it, as far as it has been listed."""

    def __init__(self, task: Task):
        self.task = task
        self.root = "/" + (task.plot or "").strip("/")
        self.seen = {self.root}
        self.items: dict[str, list[Item] | Problem] = {}
        self.problem = task.sample.problem

    def folders_in(self, path: str) -> list[str]:
        """The folders in a folder, in the server's order."""
        items = self.items.get(path)
        if items is None or isinstance(items, Problem):
            return []
        return [_below(path, item.subdir) for item in items if item.subdir]

    def take(self, path: str, items: list[Item] | Problem) -> Iterator[_Place]:
        """Note what is in a folder; the folders in it that weren't seen before.

        A server whose folders never end is stopped.
        """
        self.items[path] = items
        for folder in dict.fromkeys(self.folders_in(path)):
            if folder not in self.seen and not self.problem:
                self.seen.add(folder)
                yield _Place(self, folder)
        if len(self.seen) > _MOST_FOLDERS:
            told = f"{self.root} has more than {counted(_MOST_FOLDERS, 'folder')}: name one of them"
            self.problem = Problem("failed", told)

    def outcomes(self, asking: Asking) -> list[Outcome]:
        """What came of its plots, those of a folder before those of the folders in it."""
        if self.problem:
            return [Outcome(self.task, problem=self.problem)]
        found: list[Outcome] = []
        left = [self.root]
        while left:
            path = left.pop()
            left += reversed(self.folders_in(path))
            items = self.items.pop(path, [])  # each once, whatever the server says
            if isinstance(items, Problem):
                found.append(Outcome(self.task._replace(plot=path), problem=items))
                continue
            for item in items:
                if item.is_histogram:
                    task = self.task._replace(plot=_below(path, item.obj or ""))
                    found.append(_outcome(task, item, asking))
        return found or [Outcome(self.task, problem=self._nothing())]

    def _nothing(self) -> Problem:
        dataset = self.task.sample.dataset
        return Problem("missing folder", f"{self.root} is not in {dataset}, or has no plots there")


def trees(gui: DqmGui, tasks: Iterable[Task], asking: Asking) -> Iterator[list[Outcome]]:
    """The summaries of all plots below the folders that the tasks name, by one request for each folder."""

    def ask(place: _Place) -> list[Item]:
        sample = place.tree.task.sample
        return gui.listing(sample.pair.run_number, sample.dataset, place.path)

    rest, failures = iter(tasks), Failures()
    while some := [_Tree(task) for task in islice(rest, _TREES)]:
        places = [_Place(tree, tree.root) for tree in some if not tree.problem]
        while places:
            asked = answers(ask, places, _pair_of, asking.workers, is_patient=asking.is_patient, failures=failures)
            places = [new for place, items in asked for new in place.tree.take(place.path, items)]
        for tree in some:
            yield tree.outcomes(asking)


def _pair_of(place: _Place) -> Pair:
    return place.tree.task.sample.pair


def _below(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{name}"
