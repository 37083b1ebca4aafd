"""Which runs there are: what only OMS knows of a selection, such as an era or a time, as run numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tkstudies.errors import UsageError
from tkstudies.records import Record, whole
from tkstudies.services import oms
from tkstudies.services.omslistings import Wanted
from tkstudies.services.runselection import HIGHEST, Numbers, Range, RunSelection

_LONGEST_RUN = timedelta(days=7)  # and no run is longer


def era_runs(name: str, *, cookies: str | None = None) -> Range:
    """First and last run of an era, given with or without ``Run`` (``2018B``, ``Run2018B``, ``HIRun2018A``).

    Asks the resource ``eras``, and the fills of the era where that doesn't name runs.

    Raises:
        UsageError: OMS has no such era.
    """
    access = Wanted(cookies=cookies)
    eras = {_era_key(title): era | {"title": title} for era in oms.resource("eras", access) if (title := _title(era))}
    found = eras.get(_era_key(name))
    if eras and found is None:
        titles = ", ".join(era["title"] for era in eras.values())
        raise UsageError(f"--era {name}: OMS has no such era: known are {titles}")
    found = found or {}
    first, last = whole(found.get("start_run")), whole(found.get("end_run"))
    if first is None:
        return _runs_of_fills(found.get("title", name), access)
    return first, HIGHEST if last is None else last  # of an era that goes on


def _title(era: Record) -> str:
    return str(era.get("name") or era.get("era") or "")


def _runs_of_fills(era: str, access: Wanted) -> Range:
    for spelling in dict.fromkeys([era, era.removeprefix("Run")]):
        fills = list(oms.resource("fills", replace(access, filters=(("era", "EQ", spelling),))))
        firsts = [run for fill in fills if (run := whole(fill.get("first_run_number"))) is not None]
        lasts = [run for fill in fills if (run := whole(fill.get("last_run_number"))) is not None]
        if firsts and lasts:
            return min(firsts), max(lasts)
    raise UsageError(f"--era {era}: OMS knows no runs of it: use --since and --until, or run numbers")


def _era_key(name: str) -> str:
    return name.lower().replace("run", "", 1)


def run_numbers(selection: RunSelection, access: Wanted | None = None, *, sequence: str | None = None) -> Numbers:
    """The numbers of the selected runs, of all sequences unless one is named; ``access`` is for the login."""
    wanted = replace(access or Wanted(), filters=(), fields=("run_number",))
    found = oms.runs(selection, wanted, sequence=sequence)
    return Numbers.of(number for run in found if (number := whole(run["run_number"])) is not None)


def runs_during(selection: RunSelection, access: Wanted | None = None) -> list[int]:
    """The numbers of the runs of all sequences that may have lumisections in the selected time."""
    since = selection.since
    if since is None or selection.is_empty:
        return list(run_numbers(selection, access))
    earliest = datetime.fromisoformat(since.replace("Z", "+00:00")) - _LONGEST_RUN
    wanted = replace(access or Wanted(), filters=(), fields=("run_number", "end_time"))
    found = oms.runs(replace(selection, since=f"{earliest:%Y-%m-%dT%H:%M:%SZ}"), wanted, sequence=None)
    numbers = [whole(run["run_number"]) for run in found if (run.get("end_time") or since) >= since]
    return [number for number in numbers if number is not None]


def resolved(selection: RunSelection, access: Wanted | None = None) -> RunSelection:
    """The same selection with everything that only OMS knows turned into run numbers."""
    asked = replace(selection, classes=(), runtype=None)
    return RunSelection(runs=run_numbers(asked, access), classes=selection.classes, runtype=selection.runtype)
