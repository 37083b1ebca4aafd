"""``tkstudies todo``: what is still to certify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options, selection
from tkstudies.commands.runreg import Workspace
from tkstudies.records import Record

app = options.application()

_RECENT = "2w"


@app.command()
@selection.selects_runs(*selection.BY_CLASS)
def todo(
    given: selection.RunOptions,
    workspace: Annotated[Workspace, typer.Option("--workspace", help="Whose states.")] = Workspace.tracker,
    reco: options.Recos = None,
    cookies: options.Cookies = None,
    workers: options.Workers = 4,
    output: options.Output = "-",
) -> None:
    """List what is still to certify: rows that are OPEN or wait for the DQM GUI.

    \b
    Of each row: state, lumisections, hours, luminosity [pb^-1], its file in the DQM
    GUI (dataset) and whether its harvesting has finished (run_is_complete), and the
    reference run that the Certification Helper has for it. A summary by reco comes
    on standard error. Without a selection: the runs of the last two weeks.
    Where a service can't be used its columns are null, and the exit code is 3.

    \b
    Examples:
      tkstudies todo | tkstudies show
      tkstudies todo --last 3d --type cosmics --reco express
      tkstudies todo | tkstudies filter 'run_is_complete = true' 'has_reference = false'
      tkstudies todo --min 317291 --max 318877 | tkstudies count reco rda_state --sum recorded_lumi_pb
    """
    from tkstudies.services.recos import RECOS
    from tkstudies.services.registry.query import Query
    from tkstudies.services.todo import Todo

    recos = options.known_words(reco, RECOS, "--reco")
    selected = given.selection(cookies)
    if not selected.is_bounded:
        selected = replace(given, last=_RECENT).selection(cookies)
        console.say("the runs of the last two weeks (others: --last, --min, --era, ...)")
    work = Todo(Query(selected, workspace.value, recos), workers, cookies)
    census = Census()
    jsonl.write(census.counting(work.rows()), output, at_once=True)
    work.losses.tell()
    census.report()


@dataclass
class _Part:
    """The rows of one reco and run type."""

    rows: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    lumisections: float = 0
    hours: float = 0
    luminosity: float = 0
    runs: set[int] = field(default_factory=set)


class Census:
    """What there is to do by reco, each run's lumisections, hours and luminosity once."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], _Part] = {}

    def counting(self, rows: Iterable[Record]) -> Iterator[Record]:
        """The same rows, counted as they pass."""
        for row in rows:
            part = self._parts.setdefault((row["reco"] or "other", (row["run_type"] or "unknown").lower()), _Part())
            part.rows += 1
            part.facts.update(_facts(row))
            if row["run_number"] not in part.runs:
                part.runs.add(row["run_number"])
                part.lumisections += row["lumisections"] or 0
                part.hours += row["hours"] or 0
                part.luminosity += row["recorded_lumi_pb"] or 0
            yield row

    def report(self) -> None:
        """Say it, a line for each reco and run type."""
        if not self._parts:
            console.say("nothing is left to certify")
        for (reco, kind), part in sorted(self._parts.items()):
            facts = ", ".join(f"{number:,} {fact}" for fact, number in sorted(part.facts.items()))
            amount = f"{part.luminosity:.4g} pb^-1" if kind == "collisions" else f"{part.hours:.1f} h"
            sections = console.counted(int(part.lumisections), "lumisection")
            console.say(f"{reco}, {kind}: {console.counted(part.rows, 'row')} ({facts}), {sections}, {amount}")


def _facts(row: Record) -> Iterator[str]:
    """What a shift leader counts."""
    yield {True: "complete in the DQM GUI", False: "not complete", None: "perhaps complete"}[row["run_is_complete"]]
    if row["rda_state"] != "OPEN":
        yield "waiting for it"
    if row["has_reference"] is False:
        yield "without a reference"
