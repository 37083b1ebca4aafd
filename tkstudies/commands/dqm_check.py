"""``tkstudies dqm --check-summaries``: some plots both ways, and whether their numbers are the same."""

from __future__ import annotations

from collections.abc import Iterable

from tkstudies import console, jsonl
from tkstudies.commands.dqm_output import Tally
from tkstudies.console import counted
from tkstudies.errors import ServiceError
from tkstudies.records import Record
from tkstudies.services.dqm import agreement
from tkstudies.services.dqm.crawl import Task
from tkstudies.services.dqm.gui import DqmGui


class Check:
    """Compares the summaries of some plots with their histograms.

    Args:
        tasks: The plots to draw from.
        most: How many are drawn.
    """

    def __init__(self, tasks: Iterable[Task], most: int):
        tasks = list(tasks)
        self._problems = [task.sample for task in tasks if task.sample.problem]
        self._tasks = agreement.drawn([task for task in tasks if not task.sample.problem], most)
        self._plots = self._numbers = 0
        self._differences: list[Record] = []

    def run(self, gui: DqmGui, output: str, tally: Tally, workers: int) -> None:
        """Fetch the plots both ways, and write each number that differs.

        Raises:
            ServiceError: The server can't be used.
        """
        for sample in self._problems:
            if sample.problem:
                tally.add(sample.pair, None, sample.problem)
        with jsonl.Writer(output) as writer, console.progress("plots", len(self._tasks)) as bar:
            writer.waits = False  # the differences stay, though the verdict ends the command as a failure
            for found in agreement.compare(gui, self._tasks, workers=workers):
                if found.problem:
                    tally.add(found.task.sample.pair, found.task.plot, found.problem)
                else:
                    self._plots += 1
                    self._numbers += found.numbers
                for record in found.differences:
                    self._differences.append(record)
                    writer.write(record)
                bar.advance()

    @property
    def told(self) -> str:
        """How it went."""
        same = f"{self._numbers - len(self._differences):,} of {counted(self._numbers, 'number')}"
        within = f"within {agreement.TOLERANCE:g} of their value (a mean: or of its rms)"
        return f"{counted(self._plots, 'plot')} fetched both ways: {same} agree {within}"

    def judge(self) -> None:
        """The verdict.

        Raises:
            ServiceError: Numbers differ, or there were none.
        """
        if not self._numbers:
            raise ServiceError("nothing could be compared: none of these plots came both ways")
        if self._differences:
            first = self._differences[0]
            where = f"run {first['run_number']} {first['reco']} {first['plot']}: {first['statistic']}"
            where = f"{where} is {first['of_summary']} in the summary, {first['of_histogram']} in the histogram"
            differ = f"{counted(len(self._differences), 'number')} (by more than {agreement.TOLERANCE:g})"
            raise ServiceError(f"the DQM GUI's summaries differ from its histograms in {differ}, the first: {where}")
