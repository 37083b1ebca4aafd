"""A crawl through the DQM GUI: from (run, reco) pairs to their datasets, their histograms or folders, all in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from tkstudies.console import listed
from tkstudies.errors import ServiceError
from tkstudies.services.dqm import datasets
from tkstudies.services.dqm.asking import Problem, answers
from tkstudies.services.dqm.gui import DqmGui
from tkstudies.services.dqm.pairs import Pair
from tkstudies.services.recos import RECOS

_LOOK_UPS = 4  # runs whose datasets are looked up at the same time
_COSMICS_PRIMARIES = ("/Cosmics/", "/StreamExpressCosmics/")

Key = tuple[int, str | None, str | None, str]
"""By what one histogram record is told from another: run_number, reco, dataset, plot."""


@dataclass(frozen=True)
class Sample:
    """A pair with its dataset, or with the problem of finding it."""

    pair: Pair
    dataset: str = ""
    warning: str = ""
    run_is_complete: bool | None = None
    problem: Problem | None = None

    @property
    def is_cosmics(self) -> bool:
        """What its record says, else what the dataset is of."""
        if self.pair.is_cosmics is None:
            return self.dataset.startswith(_COSMICS_PRIMARIES)
        return self.pair.is_cosmics

    @property
    def is_online(self) -> bool:
        """Is it in the online GUI?"""
        return self.dataset == datasets.ONLINE


class Task(NamedTuple):
    """One plot of a sample; ``plot`` is None for a sample that has a problem, and so no plots."""

    sample: Sample
    plot: str | None

    @property
    def key(self) -> Key:
        """What the record is found by."""
        return self.sample.pair.run_number, self.sample.pair.reco, self.sample.dataset, self.plot or ""


class Outcome(NamedTuple):
    """What came of a task: the histogram as JSON, that its record is there already, or a problem.

    ``quality`` is the worst status of its quality tests, empty unless it was asked for.
    """

    task: Task
    hist: bytes = b""
    is_known: bool = False
    problem: Problem | None = None
    quality: str = ""


@dataclass(frozen=True)
class Asking:
    """How plots are asked for.

    Attributes:
        workers: How many requests may be under way at once.
        known: Keys of the records that are there already: not asked for.
        is_patient: Ask once more at once for a plot that failed alone: for an output that can't be put in order.
        quality: With a summary, also the worst status of the plot's quality tests.
    """

    workers: int
    known: Container[Key] = frozenset()
    is_patient: bool = False
    quality: bool = False


Fetch = Callable[[DqmGui, Iterable[Task], Asking], Iterator[list[Outcome]]]
"""A way to fetch: for each task, in order, what came of it; of a folder that is all that is in it."""


# --- datasets


def samples(
    gui: DqmGui,
    pairs: Iterable[Pair],
    *,
    dataset: str = "",
    primary_dataset: str = "",
    check_complete: bool = False,
    complete_only: bool = False,
) -> Iterator[Sample]:
    """Each pair with its dataset, in order.

    Args:
        dataset: Take this one for all pairs of the offline GUI.
        primary_dataset: Choose among the datasets of this primary dataset.
        check_complete: Ask whether its harvesting has finished, too.
        complete_only: The same, and it is a problem if it hasn't.

    Raises:
        ServiceError: The server can't be used at all.
    """

    def find(pair: Pair) -> Sample:
        sample = _find(gui, pair, dataset, primary_dataset)
        if sample.problem or not (check_complete or complete_only):
            return sample
        complete = gui.run_is_complete(pair.run_number, sample.dataset)
        unfinished = Problem("incomplete", f"the harvesting of {sample.dataset} hasn't finished")
        problem = unfinished if complete_only and not complete else None
        return replace(sample, run_is_complete=complete, problem=problem)

    for pair, found in answers(find, pairs, lambda pair: pair, _LOOK_UPS):
        yield Sample(pair, problem=found) if isinstance(found, Problem) else found


def _find(gui: DqmGui, pair: Pair, dataset: str, primary_dataset: str) -> Sample:
    if pair.reco == "online":
        return Sample(pair, datasets.ONLINE)
    if dataset:
        return Sample(pair, dataset)
    if pair.reco not in datasets.RULES:
        known = ", ".join(RECOS)
        what = f"unknown reco {pair.reco}" if pair.reco else "the record has no reco"
        return Sample(pair, problem=Problem("missing dataset", f"{what}; known: {known}"))

    choose = partial(
        datasets.choose,
        reco=pair.reco,
        is_cosmics=pair.is_cosmics,
        rda_name=pair.rda_name,
        primary_dataset=primary_dataset,
    )

    def found() -> Iterator[datasets.Choice | None]:
        yield choose(pair.gui_datasets)
        yield choose(gui.lookup.datasets(pair.run_number))
        if not primary_dataset:
            yield choose(pair.gui_datasets, any_primary=True)
        yield choose(gui.lookup.all_datasets(pair.run_number))

    second_best = None
    for choice in filter(None, found()):
        if not (pair.is_cosmics is False and choice.dataset.startswith(_COSMICS_PRIMARIES)):
            return Sample(pair, choice.dataset, choice.warning)
        second_best = second_best or choice  # of a run with collisions: something better may be there
    if second_best:
        return Sample(pair, second_best.dataset, second_best.warning)
    return _without_dataset(pair, pair.reco, primary_dataset, gui.lookup.all_datasets(pair.run_number))


def _without_dataset(pair: Pair, reco: str, primary_dataset: str, names: Collection[str]) -> Sample:
    """A sample without a dataset, which says what the run does have."""
    fitting = datasets.of_reco(names, reco)
    wanted = f"{primary_dataset} dataset" if primary_dataset else "dataset"
    has = f"; it has {listed(fitting or names, 5)}" if names else ""
    problem = Problem("missing dataset", f"run {pair.run_number} has no {reco} {wanted} in the DQM GUI{has}")
    if not fitting:
        return Sample(pair, problem=problem)
    primaries = listed(dict.fromkeys(name.split("/")[1] for name in fitting), 5)
    told = f"no {reco} dataset of {primary_dataset or 'the usual primary datasets'}, but of {primaries}"
    return Sample(pair, warning=f"{told}: choose one with --primary-dataset", problem=problem)


# --- histograms


def histograms(
    gui: DqmGui,
    samples: Iterable[Sample],
    plots_of: Callable[[Sample], Iterable[str]],
    asking: Asking,
    fetch: Fetch | None = None,
) -> Iterator[Outcome]:
    """What comes of each plot of each sample, in order.

    Args:
        plots_of: The paths of the plots that are defined for a sample.
        fetch: How they are fetched, by default each with its bins.

    Raises:
        LoginError: The certificate isn't accepted.
        ServiceError: The server can't be used.
    """
    tasks = tasks_of(samples, plots_of)
    for outcomes in (fetch or with_bins)(gui, tasks, asking):
        yield from outcomes


def second_try(
    gui: DqmGui,
    failed: Sequence[Outcome],
    find: Callable[[Iterable[Pair]], Iterable[Sample]],
    plots_of: Callable[[Sample], Iterable[str]],
    asking: Asking,
    fetch: Fetch | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """What comes of all that failed when it is tried once more: the number of what failed, and an outcome of it.

    A look-up of datasets that succeeds now has an outcome for each plot. A server that can't be used any more ends
    nothing: what isn't reached stays failed.

    Args:
        failed: Outcomes with a failure.
        find: Gives pairs their samples, as ``samples`` does.
    """
    gui.lookup.forget_failures()
    tasks: list[tuple[int, Task]] = []
    try:
        lost = [outcome.task.sample.pair for outcome in failed if outcome.task.plot is None]
        found = {sample.pair: sample for sample in find(lost)} if lost else {}
        for number, outcome in enumerate(failed):
            again = found.get(outcome.task.sample.pair) if outcome.task.plot is None else None
            tasks += [(number, task) for task in (_tasks(again, plots_of) if again else [outcome.task])]
        done = 0
        for outcomes in (fetch or with_bins)(gui, (task for _, task in tasks), replace(asking, is_patient=False)):
            yield from ((tasks[done][0], outcome) for outcome in outcomes)
            done += 1
    except ServiceError:
        rest = tasks[done:] if tasks else [(number, outcome.task) for number, outcome in enumerate(failed)]
        yield from ((number, Outcome(task, problem=failed[number].problem)) for number, task in rest)


def tasks_of(samples: Iterable[Sample], plots_of: Callable[[Sample], Iterable[str]]) -> Iterator[Task]:
    """A task for each plot of each sample, and one for a sample that has a problem."""
    return (task for sample in samples for task in _tasks(sample, plots_of))


def _tasks(sample: Sample, plots_of: Callable[[Sample], Iterable[str]]) -> list[Task]:
    return [Task(sample, plot) for plot in ((None,) if sample.problem else plots_of(sample))]


def with_bins(gui: DqmGui, tasks: Iterable[Task], asking: Asking) -> Iterator[list[Outcome]]:
    """Each plot with its bins, by a request of its own."""

    def ask(task: Task) -> Outcome:
        sample, plot = task
        if plot is None:
            return Outcome(task, problem=sample.problem)
        if task.key in asking.known:
            return Outcome(task, is_known=True)
        hist = gui.histogram(sample.pair.run_number, sample.dataset, plot)
        return Outcome(task, hist) if hist is not None else missing(task)

    def is_proof(outcome: Outcome) -> bool:
        return outcome.task.plot is not None and not outcome.is_known

    found = answers(
        ask, tasks, lambda task: task.sample.pair, asking.workers, is_proof=is_proof, is_patient=asking.is_patient
    )
    for task, outcome in found:
        yield [Outcome(task, problem=outcome) if isinstance(outcome, Problem) else outcome]


def missing(task: Task) -> Outcome:
    """The outcome of a plot that the dataset doesn't have."""
    return Outcome(
        task,
        problem=Problem("missing plot", f"no histogram in {task.sample.dataset} (a single value is shown by --ls)"),
    )


# --- folders


def listings(
    gui: DqmGui, samples: Iterable[Sample], path: str, *, workers: int
) -> Iterator[tuple[Sample, list[dict[str, Any]], Problem | None]]:
    """What a folder holds for each sample, in order: records with path, kind and, of scalars, the value.

    ``kind`` is ``folder``, ``plot`` or ``value``; an empty list comes with the problem.
    """
    folder = "/" + path.strip("/")

    def list_folder(sample: Sample) -> list[dict[str, Any]]:
        if sample.problem:
            return []
        items = gui.folder(sample.pair.run_number, sample.dataset, folder)
        return [_entry(folder.rstrip("/"), item) for item in items]

    for sample, entries in answers(list_folder, samples, lambda sample: sample.pair, workers, is_proof=bool):
        if isinstance(entries, Problem):
            yield sample, [], entries
        elif entries:
            yield sample, entries, None
        else:
            missing = Problem("missing folder", f"{folder} is not in {sample.dataset}")
            yield sample, [], sample.problem or missing


def _entry(folder: str, item: dict[str, Any]) -> dict[str, Any]:
    if "subdir" in item:
        return {"path": f"{folder}/{item['subdir']}", "kind": "folder"}
    entry = {"path": f"{folder}/{item.get('obj')}", "kind": "value" if "value" in item else "plot"}
    return {**entry, "value": item["value"]} if "value" in item else entry
