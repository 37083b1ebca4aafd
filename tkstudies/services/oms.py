"""OMS, a JSON:API: runs, fills, lumisections, trigger paths and rates, and any other resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import quote

from requests import Response

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError, UsageError
from tkstudies.records import Record, whole
from tkstudies.services.injection import split_scheme
from tkstudies.services.omsrecords import WITH_UNITS, Listing, Row, flat_record, lacks_units, with_units_of_run
from tkstudies.services.runselection import HIGHEST, Numbers, Range, RunSelection, coarse
from tkstudies.services.web import answers, endpoints, paging
from tkstudies.services.web.connection import Connection

Filter = tuple[str, str, str]  # attribute, operator of OMS, value

PAGE_SIZE = 1000
WORKERS = 4
GLOBAL_RUN = "GLOBAL-RUN"
_LONGEST_RUN = timedelta(days=7)  # and no run is longer
OPERATORS = {
    "eq": "EQ", "ne": "NEQ", "lt": "LT", "lte": "LE", "gt": "GT", "gte": "GE", "like": "LIKE",
    "contains": "CT", "neq": "NEQ", "le": "LE", "ge": "GE", "ct": "CT",
}  # fmt: skip
# Unwanted run (or fill) numbers between two wanted ones that cost less than one more request
_GAPS = {"runs": 200, "fills": 100, "lumisections": 2, "daqreadouts": 20}
# Attributes that rows are sorted by, and that tell them apart
_KEYS = {"runs": ("run_number",), "fills": ("fill_number",), "lumisections": ("run_number", "lumisection_number")}
# Attributes that tell rows apart, of resources that are left in OMS's own order
_NAMES = {
    "hltpathinfo": ("run_number", "path_name"),
    "hltpathrates": ("run_number", "path_name", "last_lumisection_number"),
    "daqreadouts": ("run_number", "partition"),
}
_TEXTS = ("path_name", "partition")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the rows that are selected.

    Attributes:
        filters: Further conditions that OMS applies, as parse_filter gives them.
        fields: Only these attributes (and those that tell rows apart); empty for all.
        sort: Attributes to sort by, ``-`` in front for descending; empty for the key.
        split_scheme: Add what the injection scheme says (see injection.FIELDS).
        workers: Requests under way at once.
        cookies: A Netscape cookie file to log in with, instead of a token.
    """

    filters: tuple[Filter, ...] = ()
    fields: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    split_scheme: bool = False
    workers: int = WORKERS
    cookies: str | None = None


def parse_filter(text: str) -> Filter:
    """A filter out of ``ATTRIBUTE[__OP]=VALUE``.

    >>> parse_filter("energy__gte=6500"), parse_filter("components__ct=PIXEL"), parse_filter("era=2018B")
    (('energy', 'GE', '6500'), ('components', 'CT', 'PIXEL'), ('era', 'EQ', '2018B'))

    Raises:
        UsageError: It has another form, or the operator isn't known.
    """
    left, given, value = text.partition("=")
    name, separator, op = left.strip().rpartition("__")
    if not separator:
        name, op = left.strip(), "eq"
    if not given or not re.fullmatch(r"\w+", name):
        raise UsageError(
            f"--filter {text!r}: expected ATTRIBUTE=VALUE or ATTRIBUTE__OP=VALUE, such as energy__gte=6500"
        )
    if op.lower() not in OPERATORS:
        raise UsageError(f"--filter {text!r}: unknown operator {op!r}: known are {', '.join(OPERATORS)}")
    return name, OPERATORS[op.lower()], value


# --- resources


def runs(
    selection: RunSelection, wanted: Wanted | None = None, *, sequence: str | None = GLOBAL_RUN
) -> Iterator[Record]:
    """Yield the selected runs by run number; of one sequence, or of all for None.

    Raises:
        LoginError, ServiceError: OMS can't be used.
        UsageError: Unknown attributes, or a selection that OMS knows nothing about.
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
    of_runs = Numbers((number, number) for number in numbers)
    fields = replace(wanted, filters=(), sort=(), fields=WITH_UNITS, split_scheme=False)
    groups = _groups("run_number", of_runs, _GAPS["runs"])
    try:
        with _connection(fields) as connection:
            return list(_listed(connection, "runs", groups, fields))
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
    return _rows("fills", [[*group, *_times(since, until)] for group in groups], wanted, keep)


def hlt_paths(run_numbers: Iterable[int], paths: Iterable[str] = (), wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the trigger paths of each run (resource hltpathinfo), all or those that ``paths`` name."""
    return _rows("hltpathinfo", _by_run_and_path(run_numbers, paths), wanted or Wanted())


def hlt_rates(run_numbers: Iterable[int], paths: Iterable[str] = (), wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the rate of each trigger path in each lumisection of each run (resource hltpathrates).

    OMS wants the paths named: without ``paths`` those of each run are looked up first.
    """
    wanted, paths = wanted or Wanted(), tuple(paths)
    with _connection(wanted) as connection:
        _check_attributes(connection, "hltpathrates", wanted)
        if paths:
            yield from _rates(connection, _by_run_and_path(run_numbers, paths), wanted)
            return
        everything = Wanted(workers=wanted.workers)
        for run in run_numbers:
            rows = list(_listed(connection, "hltpathinfo", _by_run_and_path([run], ()), everything))
            of_run = _by_run_and_path([run], [row["path_name"] for row in rows]) if rows else []
            yield from _rates(connection, of_run, wanted)


def _rates(connection: Connection, groups: list[list[Filter]], wanted: Wanted) -> Iterator[Record]:
    groups = [[*group, ("last_lumisection_number", "GT", "0")] for group in groups]
    by_lumisection = {"group[granularity]": "lumisection"}
    return _listed(connection, "hltpathrates", groups, wanted, extra=by_lumisection)


def daq_readouts(runs: Numbers, wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield which FEDs the DAQ read out in these runs (resource daqreadouts), by run and partition."""
    sorted_ = replace(wanted or Wanted(), sort=("run_number", "partition"))
    groups = _groups("run_number", runs, _GAPS["daqreadouts"])
    return _rows("daqreadouts", groups, sorted_, lambda record: whole(record["run_number"]) in runs)


def attributes(name: str, access: Wanted | None = None) -> list[str]:
    """The attributes of a resource; none if OMS doesn't list them. ``access`` is for the login."""
    with _connection(access or Wanted()) as connection:
        return _attributes(connection, name)


def resource(name: str, wanted: Wanted | None = None) -> Iterator[Record]:
    """Yield the rows of any resource."""
    if not re.fullmatch(r"\w+", name):
        raise UsageError(f"{name!r} is not the name of a resource, such as runs or eras")
    return _rows(name, [[]], wanted or Wanted())


def era_runs(name: str, *, cookies: str | None = None) -> Range:
    """First and last run of an era, given with or without ``Run`` (``2018B``, ``Run2018B``, ``HIRun2018A``).

    Asks the resource ``eras``, and the fills of the era where that doesn't name runs.

    Raises:
        UsageError: OMS has no such era.
    """
    access = Wanted(cookies=cookies)
    eras = {_era_key(title): era | {"title": title} for era in resource("eras", access) if (title := _title(era))}
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
        fills = list(resource("fills", replace(access, filters=(("era", "EQ", spelling),))))
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
    found = runs(selection, wanted, sequence=sequence)
    return Numbers((number, number) for run in found if (number := whole(run["run_number"])) is not None)


def runs_during(selection: RunSelection, access: Wanted | None = None) -> list[int]:
    """The numbers of the runs of all sequences that may have lumisections in the selected time."""
    since = selection.since
    if since is None or selection.is_empty:
        return list(run_numbers(selection, access))
    earliest = datetime.fromisoformat(since.replace("Z", "+00:00")) - _LONGEST_RUN
    wanted = replace(access or Wanted(), filters=(), fields=("run_number", "end_time"))
    found = runs(replace(selection, since=f"{earliest:%Y-%m-%dT%H:%M:%SZ}"), wanted, sequence=None)
    numbers = [whole(run["run_number"]) for run in found if (run.get("end_time") or since) >= since]
    return [number for number in numbers if number is not None]


def resolved(selection: RunSelection, access: Wanted | None = None) -> RunSelection:
    """The same selection with everything that only OMS knows turned into run numbers."""
    asked = replace(selection, classes=(), runtype=None)
    return RunSelection(runs=run_numbers(asked, access), classes=selection.classes, runtype=selection.runtype)


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

    return _rows(name, groups, wanted, keep)


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


# --- listings


def _rows(
    name: str, groups: list[list[Filter]], wanted: Wanted, keep: Callable[[Record], bool] | None = None
) -> Iterator[Record]:
    """The rows of a resource as flat records: one listing after the other, each with the filters of its group."""
    with _connection(wanted) as connection:
        _check_attributes(connection, name, wanted)
        yield from _listed(connection, name, groups, wanted, keep)


def _connection(wanted: Wanted) -> Connection:
    return Connection(endpoints.OMS, workers=wanted.workers, cookies=wanted.cookies)


def _listed(
    connection: Connection,
    name: str,
    groups: list[list[Filter]],
    wanted: Wanted,
    keep: Callable[[Record], bool] | None = None,
    extra: dict[str, str] | None = None,
) -> Iterator[Record]:
    keys = _KEYS.get(name, ())
    base: dict[str, str] = dict(extra or {})
    sort = [*wanted.sort, *(key for key in keys if key not in {field.lstrip("-") for field in wanted.sort})]
    if sort:
        base["sort"] = ",".join(sort)
    if wanted.fields:
        scheme = ["injection_scheme"] if wanted.split_scheme else []
        names = keys or _NAMES.get(name, ())
        base["fields"] = ",".join(dict.fromkeys([*names, *wanted.fields, *scheme]))
    if name in _KEYS:
        base["include"] = "meta"
    listings = [_listing(connection, name, _parameters(base, [*group, *wanted.filters])) for group in groups]
    found = paging.read(listings, _row_key(keys), size=PAGE_SIZE, workers=wanted.workers, what=name)
    for row in found:
        record = flat_record(row, with_units=name in _KEYS)
        if keep is None or keep(record):
            yield record | split_scheme(record.get("injection_scheme")) if wanted.split_scheme else record


def _parameters(base: dict[str, str], filters: Iterable[Filter]) -> dict[str, str]:
    parameters = dict(base)
    for attribute, op, value in filters:
        parameter = f"filter[{attribute}][{op}]"
        if parameter in parameters and parameters[parameter] != value:
            raise UsageError(
                f"two conditions on {attribute} with {op}: OMS takes one (leave out an option or a --filter)"
            )
        parameters[parameter] = value
    return parameters


def _listing(connection: Connection, name: str, parameters: dict[str, str]) -> paging.Fetch:
    def fetch(page: int) -> paging.Page:
        window = {"page[offset]": page * PAGE_SIZE, "page[limit]": PAGE_SIZE}
        page_of = partial(_page, name=name)
        return connection.get_json(f"/{quote(name)}", {**parameters, **window}, expect=page_of, refusal=_refusal)

    return fetch


def _page(answer: Any, name: str) -> paging.Page:
    listing = answers.shaped(answer, Listing)
    for place, row in enumerate(listing.data):
        for key in _NAMES.get(name, _KEYS.get(name, ())):
            _check_key(key, (row.attributes or {}).get(key), f"$.data[{place}].attributes.{key}")
    total = listing.meta.totalResourceCount if listing.meta else None
    return listing.data, len(listing.data) if total is None else total


def _check_key(key: str, value: Any, path: str) -> None:
    """What tells rows apart must be there and fit."""
    if key in _TEXTS and not isinstance(value, str):
        raise answers.odd(path, f"expected a text, got {type(value).__name__}")
    if key not in _TEXTS and whole(value) is None:
        raise answers.odd(path, f"expected a whole number, got {value!r:.40}")


def _row_key(keys: tuple[str, ...]) -> Callable[[Row], Hashable]:
    if keys:
        return lambda row: tuple(whole((row.attributes or {}).get(key)) for key in keys)
    return lambda row: hash(jsonl.encode([row.id, row.attributes]))  # ids alone may repeat


def _refusal(response: Response) -> str | None:
    """What OMS says about a request that it refuses."""
    if response.status_code not in (400, 404):
        return None
    try:
        error = answers.parse_json(response)["errors"][0]
        return str(error.get("detail") or error.get("title"))
    except (answers.Unusable, KeyError, TypeError, IndexError, AttributeError):
        return None


def _check_attributes(connection: Connection, name: str, wanted: Wanted) -> None:
    """Refuse attributes that the resource doesn't have, naming those that it has."""
    used = [*(attribute for attribute, _, _ in wanted.filters), *wanted.fields, *(s.lstrip("-") for s in wanted.sort)]
    if not used:
        return
    fields = _attributes(connection, name)
    if not fields:
        console.debug(f"OMS doesn't list the attributes of {name}: they are not checked")
        return
    unknown = [attribute for attribute in used if attribute not in fields]
    if unknown:
        raise UsageError(f"OMS {name} have no attribute {', '.join(unknown)}: known are {', '.join(sorted(fields))}")


def _attributes(connection: Connection, name: str) -> list[str]:
    """The attributes of a resource; none if OMS doesn't list them."""
    path = f"/{quote(name)}/meta"
    try:
        return list(connection.get_json(path, expect=lambda answer: dict(answer["meta"]["fields"]), refusal=_refusal))
    except LoginError:
        raise
    except ServiceError:
        return []
