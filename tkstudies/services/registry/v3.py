"""Run Registry v3 behind a RestHub server: SQL in, rows out.

Source: RestHub's server (query ids, named parameters, paging, row limit). Texts travel as named parameters, never in
the SQL; run numbers are integers of ours and stand in it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable, Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec
from requests import Response

from tkstudies import jsonl
from tkstudies.console import Losses
from tkstudies.errors import ServiceError, UsageError
from tkstudies.records import Record, whole
from tkstudies.services.registry import shapes
from tkstudies.services.registry.query import Query
from tkstudies.services.registry.records import v3_columns, v3_record
from tkstudies.services.runselection import Numbers, Range, coarse
from tkstudies.services.web import answers, endpoints, paging
from tkstudies.services.web.connection import Connection

PAGE_SIZE = 1000  # the server refuses more
WORKERS = 4
_RANGES_PER_QUERY = 40  # keeps the parameters of a request within a URL
_GAP = 20  # unwanted run numbers between two wanted ones that are cheaper to read than another range
_FIXED = ("run_number", "run_class_name", "rda_name", "rda_wor_name", "rda_state")
_REPOSTS = 5  # of one query in a row
_NO_LUMIS: Record = dict.fromkeys(("lhc_fill", "lumisections", "run_lumi", "run_live_lumi"))


class _Rows(msgspec.Struct):
    """A page of the rows of a query, each in the order of its columns."""

    data: list[list[Any]]


class _Column(msgspec.Struct):
    name: str


class _Table(msgspec.Struct):
    """What the server says of a table."""

    columns: list[_Column]


class _Expired(Exception):
    """The server has forgotten the query."""


class _Query:
    """One SELECT with its parameters; it is posted once, and again when the server has forgotten it."""

    def __init__(self, connection: Connection, sql: str, parameters: dict[str, Any]):
        self._connection = connection
        self._sql = sql
        self._parameters = parameters
        self._id = ""
        self._count = 0
        self._lock = threading.Lock()

    def page(self, number: int) -> paging.Page:
        """Page ``number`` (0-based) and the number of rows in all, which is asked for with the first page."""
        if number == 0:
            self._count = self._get("count", {}, _whole_number)
        if not self._count:
            return [], 0
        path = f"page/{PAGE_SIZE}/{number + 1}/data"
        return self._get(path, {"_inclob": "True"}, _data), self._count

    def _get(self, path: str, options: dict[str, Any], parse: Any) -> Any:
        for _ in range(_REPOSTS):
            identifier = self._post()
            try:
                return self._connection.request(
                    "GET",
                    f"/query/{identifier}/{path}",
                    params={**self._parameters, **options},
                    parse=parse,
                    refusal=_refusal_or_expired,
                )
            except _Expired:
                self._forget(identifier)
        raise ServiceError(f"Run Registry v3 forgets each query before it is answered ({_REPOSTS} times now)")

    def _post(self) -> str:
        with self._lock:
            if not self._id:
                self._id = self._connection.request(
                    "POST",
                    "/query",
                    body=self._sql.encode(),
                    content_type="text/plain",
                    parse=_identifier,
                    refusal=_refusal,
                )
            return self._id

    def _forget(self, identifier: str) -> None:
        with self._lock:
            if self._id == identifier:
                self._id = ""


def _identifier(response: Response) -> str:
    text = response.text.strip()
    if not text or not text.isalnum():
        raise answers.Unusable(f"sent no query id: {jsonl.quoted(response.content)}")
    return text


def _whole_number(response: Response) -> int:
    text = response.text.strip()
    if not text.isdecimal():
        raise answers.Unusable(f"sent no count: {jsonl.quoted(response.content)}")
    return int(text)


def _data(response: Response) -> list[list[Any]]:
    return answers.shaped(answers.parse_json(response), _Rows).data


def _refusal(response: Response) -> str | None:
    """What the server says of a query that it doesn't take."""
    return response.text.strip()[:300] or "a bad query" if response.status_code == 400 else None


def _refusal_or_expired(response: Response) -> str | None:
    if response.status_code == 404:
        raise _Expired
    return _refusal(response)


# --- rows of the registry


def rows(
    query: Query, *, raw: bool = False, add_lumis: bool = False, workers: int = WORKERS, losses: Losses | None = None
) -> Iterator[tuple[dict[str, Any], Record]]:
    """Yield (the table's row by lower-case column names, our flat record) by run number and dataset name.

    Args:
        query: Which rows; its selection must be one of run numbers, classes and run type.
        raw: Read all columns of the table, not only those of our record.
        add_lumis: Add lhc_fill, lumisections, run_lumi, run_live_lumi: of the lumisections with CMS active.
        losses: Takes what of the answers was no row.

    Raises:
        UsageError: The query would read the whole registry, or asks for what v3 doesn't know.
        ServiceError: RestHub can't be reached, or refuses the query.
    """
    selection = query.selection
    if selection.needs_oms:
        raise UsageError("v3 selects by run number and class only: look the runs up in OMS first")
    if not selection.is_bounded:
        raise UsageError("a query of the whole registry: select runs, fills, times, an era or a class")
    if selection.is_empty:
        return
    with Connection(endpoints.RESTHUB, workers=workers) as connection:
        namespace = f"runreg_{query.workspace}"
        columns = _our_columns(query.workspace)
        if raw:
            columns = _all_columns(connection, namespace, "datasets", columns)
        odd_rows = shapes.OddRows(losses or Losses())
        found = _rows_by_run(connection, query, columns, workers, odd_rows)
        lumis = _luminosities(connection, found, workers, odd_rows) if add_lumis else None
        odd_rows.end()
        for run, members in found.items():
            records = [v3_record(row, query.workspace) for row in members]
            if any(part in (text or "") for part in query.excluded for row in members for text in _names(row)):
                continue
            for row, record in zip(members, records, strict=True):
                if query.keeps(record) and _is_selected(query, record):
                    yield row, record | lumis.get(run, _NO_LUMIS) if lumis is not None else record


def probe(connection: Connection) -> None:
    """Is RestHub there? Raises what is wrong."""
    connection.request("GET", "/tables", parse=answers.any_content)


def _names(row: dict[str, Any]) -> tuple[str | None, str | None]:
    return shapes.text(row["rda_name"]), shapes.text(row["run_class_name"])


def _is_selected(query: Query, record: Record) -> bool:
    selection, run_class = query.selection, record["run_class_name"] or ""
    if selection.runs is not None and record["run_number"] not in selection.runs:
        return False
    if selection.classes and run_class not in selection.classes:
        return False
    return not selection.runtype or selection.runtype in run_class.lower()


def _our_columns(workspace: str) -> list[str]:
    components = v3_columns(workspace).values()
    return [*_FIXED, *(name + suffix for name in components for suffix in ("", "_cause", "_comment"))]


def _all_columns(connection: Connection, namespace: str, table: str, needed: Iterable[str] = ()) -> list[str]:
    names = connection.get_json(f"/table/{namespace}/{table}", expect=_column_names)
    if lacking := [name for name in needed if name not in names]:
        raise ServiceError(f"Run Registry v3 says that {namespace}.{table} has no column {', '.join(lacking)}")
    return [name for name in names if re.fullmatch(r"\w+", name)]


def _column_names(answer: Any) -> list[str]:
    return [column.name.lower() for column in answers.shaped(answer, _Table).columns]


def _rows_by_run(
    connection: Connection, query: Query, columns: list[str], workers: int, odd_rows: shapes.OddRows
) -> dict[int, list[dict[str, Any]]]:
    """All rows of the runs that may be selected, by run: any row of a run may exclude it."""
    conditions, parameters = ([], {}) if query.excluded else _class_conditions(query)
    fields = ", ".join(f"r.{name} {name}" for name in columns)
    start = f"select {fields} from runreg_{query.workspace}.datasets r"  # noqa: S608 (names of ours)
    end = "order by r.run_number, r.rda_name"
    queries = [
        _Query(connection, _sql(start, [*part, *conditions], end), parameters) for part in _run_conditions(query)
    ]
    first, second = columns.index("run_number"), columns.index("rda_name")

    def key(row: list[Any]) -> Hashable:
        return repr((row[first], row[second]) if len(row) == len(columns) else row)

    listed = paging.read([one.page for one in queries], key, size=PAGE_SIZE, workers=workers, what="registry rows")
    rows = []
    for values in listed:
        run = whole(values[first]) if len(values) == len(columns) else None
        if run is None:
            odd_rows.unusable(values)
        else:
            rows.append({**dict(zip(columns, values, strict=True)), "run_number": run})
    rows.sort(key=_order)
    return {run: list(members) for run, members in groupby(rows, key=lambda row: row["run_number"])}


def _order(row: dict[str, Any]) -> tuple[int, str]:
    return row["run_number"], shapes.text(row["rda_name"]) or ""


def _sql(start: str, conditions: list[str], end: str) -> str:
    where = ["where " + " and ".join(conditions)] if conditions else []
    return " ".join([start, *where, end])


def _class_conditions(query: Query) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, str] = {}
    if query.selection.classes:
        parameters = {f"class{i}": name for i, name in enumerate(query.selection.classes)}
        conditions.append("(" + " or ".join(f"r.run_class_name = :{name}" for name in parameters) + ")")
    if query.selection.runtype:
        parameters["type"] = f"%{query.selection.runtype.capitalize()}%"
        conditions.append("r.run_class_name like :type")
    return conditions, parameters


def _run_conditions(query: Query) -> list[list[str]]:
    """SQL conditions on run numbers, one for each query that is needed."""
    if query.selection.runs is None:
        return [[]]
    return _range_conditions(coarse(query.selection.runs.ranges, _GAP), "r.run_number")


def _range_conditions(ranges: list[Range], column: str) -> list[list[str]]:
    """SQL conditions for ranges, as many as are needed. Numbers stand in the SQL: equal runs make equal query ids."""
    conditions = []
    for start in range(0, len(ranges), _RANGES_PER_QUERY):
        part = ranges[start : start + _RANGES_PER_QUERY]
        alternatives = [f"({column} >= {first:d} and {column} <= {last:d})" for first, last in part]
        conditions.append(["(" + " or ".join(alternatives) + ")"])
    return conditions


def _luminosities(
    connection: Connection, runs: dict[int, list[dict[str, Any]]], workers: int, odd_rows: shapes.OddRows
) -> dict[int, Record]:
    """Fill, number of lumisections, delivered and live luminosity by run."""
    known = _all_columns(connection, "runinfo", "lumi_sections")
    run = next((f"l.{name}" for name in ("run_number", "runnumber") if name in known), "l.run_number")
    start = (
        f"select {run} run_number, min(l.lhcfill) lhc_fill, max(l.lumisection) lumisections, "  # noqa: S608
        "sum(l.delivlumisection) run_lumi, sum(l.livelumisection) run_live_lumi from runinfo.lumi_sections l"
    )
    end = f"group by {run} order by {run}"
    ranges = coarse(Numbers.of(runs).ranges, _GAP)
    queries = [
        _Query(connection, _sql(start, [*part, "l.cms_active = 1"], end), {}) for part in _range_conditions(ranges, run)
    ]
    listed = paging.read(
        [one.page for one in queries], lambda row: repr(row[:1]), size=PAGE_SIZE, workers=workers, what="luminosities"
    )
    found: dict[int, Record] = {}
    for row in listed:
        run_number = whole(row[0]) if len(row) == 1 + len(_NO_LUMIS) else None
        if run_number is None or any(isinstance(value, list | dict | str | bool) for value in row[1:]):
            odd_rows.unusable(row)
        else:
            found[run_number] = dict(zip(_NO_LUMIS, row[1:], strict=True))
    return found
