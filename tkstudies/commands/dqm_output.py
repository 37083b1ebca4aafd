"""What ``tkstudies dqm`` writes: records as they come, what is missing beside them, and how it went."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tkstudies import console, jsonl
from tkstudies.errors import ServiceError
from tkstudies.records import Record
from tkstudies.services.dqm.asking import Problem
from tkstudies.services.dqm.crawl import Outcome, Sample
from tkstudies.services.dqm.crawloutput import CrawlOutput
from tkstudies.services.dqm.pairs import Pair


@dataclass
class Part:
    """What there is to say of a part of a crawl besides its records.

    Attributes:
        problems: What isn't there, of which runs and recos: error, message, plot.
        warnings: Of which runs.
    """

    problems: dict[tuple[str, str, str | None], list[tuple[int, str | None]]] = field(default_factory=dict)
    warnings: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, remembered: Any) -> Part:
        """What `remember` gave."""
        problems, warnings = remembered
        return cls({tuple(problem): list(map(tuple, pairs)) for problem, pairs in problems}, warnings)

    def remember(self) -> Any:
        """All of it as JSON."""
        return [[[problem, pairs] for problem, pairs in self.problems.items()], self.warnings]

    @property
    def has_failed(self) -> bool:
        """Is something to be fetched again?"""
        return any(error == "failed" for error, _, _ in self.problems)


class Tally:
    """Counts what comes and what doesn't, and writes the latter to the file of errors."""

    def __init__(self, errors: jsonl.Writer | None):
        self._errors = errors
        self._counts: Counter[str] = Counter()
        self._warnings: dict[str, list[int]] = {}
        self._first_failure = ""
        self._part: Part | None = None
        self.written = self.kept = 0

    def watching(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples, with an eye on the warnings they bring."""
        for sample in samples:
            if sample.warning:
                self._warn(sample.warning, sample.pair.run_number)
            yield sample

    def _warn(self, warning: str, run_number: int) -> None:
        self._warnings.setdefault(warning, []).append(run_number)
        if self._part:
            self._part.warnings.setdefault(warning, []).append(run_number)

    def add(self, pair: Pair, plot: str | None, problem: Problem) -> None:
        """Count something that isn't there."""
        self._counts[problem.error] += 1
        if self._part:
            self._part.problems.setdefault((*problem, plot), []).append((pair.run_number, pair.reco))
        if problem.error == "failed" and not self._first_failure:
            self._first_failure = f"run {pair.run_number} {pair.reco} {plot or ''}".rstrip() + f": {problem.message}"
        if self._errors:
            self._errors.write(
                {
                    "run_number": pair.run_number,
                    "reco": pair.reco,
                    "plot": plot,
                    "error": problem.error,
                    "message": problem.message,
                }
            )

    @contextmanager
    def part(self) -> Iterator[Part]:
        """Count what belongs to a part of the crawl for itself, too."""
        self._part = Part()
        try:
            yield self._part
        finally:
            self._part = None

    def recall(self, pairs: Sequence[Pair], records: int, remembered: Any) -> None:
        """Count a part of these pairs that an earlier call has fetched."""
        self.kept += records
        part = Part.of(remembered)
        for warning, runs in part.warnings.items():
            for run in runs:
                self._warn(warning, run)
        problems: dict[tuple[int, str | None], list[tuple[str, str, str | None]]] = {}
        for problem, those in part.problems.items():
            for pair in those:
                problems.setdefault(pair, []).append(problem)
        for one in pairs:
            for error, message, plot in problems.get((one.run_number, one.reco), ()):
                self.add(one, plot, Problem(error, message))

    def refuse_nothing(self) -> None:
        """Nothing came at all and something failed: that is no partial result; of one part it is.

        Raises:
            ServiceError: The first failure.
        """
        if self._part is None and set(self._counts) == {"failed"} and not (self.written or self.kept):
            raise ServiceError(f"nothing could be fetched, {self._failures()}")

    def _failures(self) -> str:
        return f"{self._counts['failed']:,} failed, the first: {self._first_failure}"

    def report(self, what: str, strict: bool, told: str = "") -> None:
        """Say at the end how it went, and ``told`` in place of what was fetched."""
        for warning, runs in self._warnings.items():
            console.warn(f"{warning} ({console.counted(len(runs), 'run')}: {console.listed(map(str, runs), 5)})")
        failed = self._counts["failed"]
        absent = [
            f"{count:,} incomplete" if error == "incomplete" else console.counted(count, error)
            for error, count in sorted(self._counts.items())
            if error != "failed"
        ]
        kept = f" and {self.kept:,} taken over" if self.kept else ""
        console.say(
            (told or f"{console.counted(self.written, what)} fetched{kept}")
            + "".join(f", {text}" for text in absent)
            + (f", {failed:,} failed" if failed else "")
        )
        if failed:
            console.left_out(self._failures())
        if strict and absent:
            console.left_out(f"--strict: {', '.join(absent)}")


Again = Callable[[Sequence[Outcome]], Iterable[tuple[int, Outcome]]]
"""What comes of failed outcomes when they are tried once more (see `crawl.second_try`)."""


def write_histograms(
    outcomes: Iterable[Outcome],
    crawl: CrawlOutput,
    tally: Tally,
    adds_completeness: bool,
    expected: int | None,
    again: Again,
    unit: str,
) -> None:
    """One record per histogram, beside those that an earlier crawl left; what failed is tried once more at the end.

    Args:
        unit: What an outcome that failed is one of: a request, or a plot.
    """
    failed: list[Outcome] = []
    gaps: list[int] = []

    def take(outcome: Outcome, gap: int | None = None) -> None:
        if outcome.problem:
            tally.add(outcome.task.sample.pair, outcome.task.plot, outcome.problem)
        elif outcome.is_known:
            crawl.keep(outcome.task.key, gap)
            tally.kept += 1
        else:
            crawl.add(_line(outcome, adds_completeness), gap)
            tally.written += 1

    with console.progress("plots", expected) as bar:
        for outcome in outcomes:
            if outcome.problem and outcome.problem.error == "failed":
                failed.append(outcome)
                gaps.append(crawl.gap())
            else:
                take(outcome)
            bar.advance()
        if failed:
            console.say(f"{console.counted(len(failed), unit)} failed: trying once more")
            for number, outcome in again(failed):
                take(outcome, gaps[number])
        tally.refuse_nothing()


def tell_how_to_go_on(output: str, tally: Tally) -> None:
    """Say at the end of a crawl that was stopped what is there, and how the rest is fetched."""
    fetched = f"stopped with {console.counted(tally.written, 'plot')} fetched"
    if output != jsonl.STDOUT:
        console.say(f"{fetched}: go on with the same command and --resume {output}")
    elif _stdout_is_file():
        console.say(
            f"{fetched}: go on with the same command and --resume FILE -o FILE, FILE being where standard output went"
        )
    else:
        console.say(
            f"{fetched}, and nothing was kept: standard output is no file. This keeps them, and goes on when it is "
            f"run again: {_line_with_file()} (if a program behind the pipe has kept them in FILE: go on with the same "
            "command and --resume FILE -o FILE)"
        )


def _stdout_is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(1).st_mode)
    except OSError:
        return False


def _line_with_file() -> str:
    """The command line of this process with an output that can be resumed."""
    given = sys.argv[1:]
    kind = "summaries" if "--summaries" in given else "hists"
    names = f"{kind}.jsonl", f"{kind}-{os.getpid()}.jsonl"
    name = next((name for name in names if not os.path.lexists(name)), "FILE")
    resume = "" if any(word.startswith("--resume") for word in given) else f" --resume {name}"
    return f"tkstudies {shlex.join(given)} -o {name}{resume}"


def _line(outcome: Outcome, adds_completeness: bool) -> bytes:
    """The record of a histogram, with the text of the histogram as it is."""
    sample, plot = outcome.task.sample, outcome.task.plot or ""
    record = {
        "run_number": sample.pair.run_number,
        "reco": sample.pair.reco,
        "dataset": sample.dataset,
        "plot": plot,
        "name": plot.rpartition("/")[2],
    }
    head = jsonl.encode({**record, "quality_test": outcome.quality} if outcome.quality else record)
    tail = b',"run_is_complete":' + jsonl.encode(sample.run_is_complete) if adds_completeness else b""
    return b"".join((head[:-1], b',"hist":', outcome.hist, tail, b"}"))


Entries = tuple[Sample, list[Record], Problem | None]
"""A sample, what there is to write about it besides its dataset, and what was wrong."""


def datasets_of(samples: Iterable[Sample]) -> Iterator[Entries]:
    """For each sample one record, with the dataset alone."""
    return ((sample, [{}], sample.problem) for sample in samples)


def write_rows(rows: Iterable[Entries], output: str, tally: Tally, adds_completeness: bool, expected: int) -> None:
    """One record per entry of each sample."""
    with jsonl.Writer(output, at_once=True) as writer, console.progress("runs", expected) as bar:
        for sample, entries, problem in rows:
            if problem:
                tally.add(sample.pair, None, problem)
                entries = []
            key = {"run_number": sample.pair.run_number, "reco": sample.pair.reco, "dataset": sample.dataset}
            for entry in entries:
                completeness = {"run_is_complete": sample.run_is_complete} if adds_completeness else {}
                writer.write({**key, **entry, **completeness})
                tally.written += 1
            bar.advance()
        tally.refuse_nothing()
