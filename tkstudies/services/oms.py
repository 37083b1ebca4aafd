"""What OMS has: runs, fills, lumisections, trigger paths and rates, and any other resource.

How it is asked for them is in omslistings, what it says of the rows in omsrecords. All of these functions raise
LoginError and ServiceError where OMS can't be used, and UsageError of attributes that it doesn't have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from tkstudies import console
from tkstudies.errors import ServiceError, UsageError
from tkstudies.records import Record, whole
from tkstudies.services import omslistings
from tkstudies.services.omslistings import PAGE_SIZE, Filter, Wanted
from tkstudies.services.omsrecords import WITH_UNITS, lacks_units, with_units_of_run
from tkstudies.services.runselection import Numbers, RunSelection, coarse
from tkstudies.services.web.connection import Connection

GLOBAL_RUN = "GLOBAL-RUN"
# Unwanted run (or fill) numbers between two wanted ones that cost less than one more request
_GAPS = {"runs": 200, "fills": 100, "lumisections": 2, "daqreadouts": 20}


def runs(
    selection: RunSelection, wanted: Wanted | None = None, *, sequence: str | None = GLOBAL_RUN
) -> Iterator[Record]:
    """Yield the selected runs by run number; of one sequence, or of all for None.

    Raises:
        UsageError: A selection that OMS knows nothing about.
    """
    wanted = wanted or Wanted()
    fixed = [("sequence", "EQ", sequence)] if sequence else []
    if selection.min_lumisections is not None:
        fixed.append(("last_lumisection_number", "GE", str(selection.min_lumisections)))
    return _selected("runs", selection, wanted, fixed)


def lumisections(selection: RunSelection, wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the lumisections of the selected runs by run and number; times are those of the lumisections.

    delivered_lumi and recorded_lumi are the sums of the fill before each lumisection. Where OMS sends no unit with a
    lumisection it is that of the run, which is then looked up.

    Raises:
        UsageError: A selection that OMS knows nothing about, or by the number of lumisections.
    """
    if selection.min_lumisections is not None:
        raise UsageError("lumisections can't be selected by their number in the run")
    wanted = wanted or Wanted()
    return _with_units(_selected("lumisections", selection, wanted, []), wanted)


def _with_units(rows: Iterator[Record], wanted: Wanted) -> Iterator[Record]:
    """The same lumisections with their units, a page at a time; of each run asked once."""
    runs_known: dict[Any, Record] = {}
    while batch := list(islice(rows, PAGE_SIZE)):
        lacking = {run for row in batch if lacks_units(row) and (run := whole(row["run_number"]))} - runs_known.keys()
        if lacking:
            runs_known.update((number, {}) for number in lacking)
            runs_known.update((whole(run["run_number"]), run) for run in _units_of_runs(lacking, wanted))
        for row in batch:
            yield with_units_of_run(row, runs_known.get(whole(row["run_number"])))


def _units_of_runs(numbers: Iterable[int], wanted: Wanted) -> list[Record]:
    """The runs with the units of their luminosities; none, and a warning, if OMS doesn't tell."""
    fields = replace(wanted, filters=(), sort=(), fields=WITH_UNITS, split_scheme=False)
    groups = _groups("run_number", Numbers.of(numbers), _GAPS["runs"])
    try:
        with omslistings.connect(fields) as connection:
            return list(omslistings.listed(connection, "runs", groups, fields))
    except ServiceError as error:
        console.warn(f"the units of luminosities (*_unit, *_pb) are null: OMS didn't tell those of the runs: {error}")
        return []


def fills(
    numbers: Numbers | None, wanted: Wanted | None = None, *, since: str | None = None, until: str | None = None
) -> Iterator[Record]:
    """Yield the fills with these numbers, and that began between these times, by fill number."""
    wanted = wanted or Wanted()
    if numbers is not None and not numbers.ranges:
        return iter(())
    groups = _groups("fill_number", numbers, _GAPS["fills"])
    keep = (lambda record: whole(record.get("fill_number")) in numbers) if numbers is not None else None
    return omslistings.rows("fills", [[*group, *_times(since, until)] for group in groups], wanted, keep)


def hlt_paths(run_numbers: Iterable[int], paths: Iterable[str] = (), wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the trigger paths of each run (resource hltpathinfo), all or those that ``paths`` name."""
    return omslistings.rows("hltpathinfo", _by_run_and_path(run_numbers, paths), wanted or Wanted())


def hlt_rates(run_numbers: Iterable[int], paths: Iterable[str] = (), wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the rate of each trigger path in each lumisection of each run (resource hltpathrates).

    OMS wants the paths named: without ``paths`` those of each run are looked up first.
    """
    wanted, paths = wanted or Wanted(), tuple(paths)
    with omslistings.connect(wanted) as connection:
        omslistings.check_attributes(connection, "hltpathrates", wanted)
        if paths:
            yield from _rates(connection, _by_run_and_path(run_numbers, paths), wanted)
            return
        everything = Wanted(workers=wanted.workers)
        for run in run_numbers:
            rows = list(omslistings.listed(connection, "hltpathinfo", _by_run_and_path([run], ()), everything))
            of_run = _by_run_and_path([run], [row["path_name"] for row in rows]) if rows else []
            yield from _rates(connection, of_run, wanted)


def _rates(connection: Connection, groups: list[list[Filter]], wanted: Wanted) -> Iterator[Record]:
    groups = [[*group, ("last_lumisection_number", "GT", "0")] for group in groups]
    by_lumisection = {"group[granularity]": "lumisection"}
    return omslistings.listed(connection, "hltpathrates", groups, wanted, extra=by_lumisection)


def daq_readouts(runs: Numbers, wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield which FEDs the DAQ read out in these runs (resource daqreadouts), by run and partition."""
    sorted_ = replace(wanted or Wanted(), sort=("run_number", "partition"))
    groups = _groups("run_number", runs, _GAPS["daqreadouts"])
    return omslistings.rows("daqreadouts", groups, sorted_, lambda record: whole(record["run_number"]) in runs)


def attributes(name: str, access: Wanted | None = None) -> list[str]:
    """The attributes of a resource; none if OMS doesn't list them. ``access`` is for the login."""
    with omslistings.connect(access or Wanted()) as connection:
        return omslistings.attributes(connection, name)


def resource(name: str, wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the rows of any resource.

    Raises:
        UsageError: It can't be the name of one.
    """
    if not re.fullmatch(r"\w+", name):
        raise UsageError(f"{name!r} is not the name of a resource, such as runs or eras")
    return omslistings.rows(name, [[]], wanted or Wanted())


def probe(connection: Connection) -> None:
    """Does OMS let us read its runs? Raises what is wrong."""
    connection.get_json("/runs", {"page[limit]": 1}, expect=lambda page: page["data"])


# --- selections as filters


def _selected(name: str, selection: RunSelection, wanted: Wanted, fixed: list[Filter]) -> Iterator[Record]:
    if selection.classes or selection.runtype:
        raise UsageError("OMS knows no run classes: those are the Run Registry's")
    if not selection.is_bounded and not wanted.filters:
        raise UsageError(f"all {name} that there ever were: select runs, fills or times, or use --filter")
    if selection.is_empty:
        return iter(())
    conditions = [*fixed, *_times(selection.since, selection.until)]
    groups = [
        [*by_run, *by_fill, *conditions]
        for by_run in _groups("run_number", selection.runs, _GAPS[name])
        for by_fill in _groups("fill_number", selection.fills, 0)
    ]

    def keep(record: Record) -> bool:
        return selection.runs is None or whole(record["run_number"]) in selection.runs

    return omslistings.rows(name, groups, wanted, keep)


def _groups(attribute: str, numbers: Numbers | None, gap: int) -> list[list[Filter]]:
    """Filters that cover the numbers: for each listing that is needed a list, of which all hold."""
    if numbers is None:
        return [[]]
    return [
        [(attribute, "EQ", str(first))]
        if first == last
        else [(attribute, "GE", str(first)), (attribute, "LE", str(last))]
        for first, last in coarse(numbers.ranges, gap)
    ]


def _times(since: str | None, until: str | None) -> list[Filter]:
    bounds = (("GE", since), ("LE", until))
    return [("start_time", op, time) for op, time in bounds if time]


def _by_run_and_path(run_numbers: Iterable[int], paths: Iterable[str]) -> list[list[Filter]]:
    patterns = [path.replace("*", "%") for path in paths]
    by_path = [[("path_name", "LIKE" if "%" in path else "EQ", path)] for path in patterns] or [[]]
    return [[("run_number", "EQ", str(run)), *path] for run in run_numbers for path in by_path]
