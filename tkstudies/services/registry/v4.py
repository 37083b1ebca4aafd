"""Run Registry v4: dataset listings and the status of each lumisection.

Source of the wire format: the backend's answers as observed in 2024 (filters, paging, errors).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from requests import Response

from tkstudies.errors import UsageError
from tkstudies.records import Record
from tkstudies.services.registry.conditions import Rule
from tkstudies.services.registry.fields import COMPONENTS
from tkstudies.services.registry.query import Query, excluded_names_filter, server_filter
from tkstudies.services.registry.records import StatusRule, status_rule, status_word, v4_record
from tkstudies.services.web import answers, concurrency, endpoints, paging
from tkstudies.services.web.connection import Connection

Ranges = dict[str, list[dict[str, Any]]]  # by component: start, end, status, cause, comment

_DATASETS = "/datasets_filtered_ordered"
PAGE_SIZE = 500  # one server process writes the JSON: larger pages gain nothing
WORKERS = 4
_ORDER = [["run_number", "ASC"], ["name", "ASC"]]  # total, and new runs come at the end


def rows(
    query: Query,
    rule: StatusRule | None = None,
    *,
    add_lumis: bool = False,
    workers: int = WORKERS,
    cookies: str | None = None,
) -> Iterator[tuple[dict[str, Any], Record]]:
    """Yield (the server's own object, our flat record) by run number and dataset name.

    Args:
        query: Which rows.
        rule: How counts become one word (see records.status_rule), any-good by default.
        add_lumis: Add OMS's numbers of the run: lhc_fill, run_lumi (delivered) and run_live_lumi (recorded).
        workers: Requests under way at once.
        cookies: A Netscape cookie file to log in with, instead of a token.

    Raises:
        UsageError: The query would read the whole registry.
        LoginError: Not logged in.
        ServiceError: The registry can't be reached, or refuses the query.
    """
    if not (query.selection.is_bounded or any(condition.rules for condition in query.conditions)):
        raise UsageError("a query of the whole registry: select runs, fills, times, an era or a class")
    if query.selection.is_empty:
        return
    rule = rule or status_rule("any-good")
    with Connection(endpoints.RUNREG, workers=workers, cookies=cookies) as connection:
        excluded = _excluded_runs(connection, query, workers) if query.excluded else set()
        for dataset in _datasets(connection, server_filter(query), workers):
            record = v4_record(dataset, query.workspace, rule)
            if dataset["run_number"] in excluded or not query.keeps(record):
                continue
            if add_lumis:
                oms = (dataset.get("Run") or {}).get("oms_attributes") or {}
                record["lhc_fill"] = oms.get("fill_number")
                record["run_lumi"] = oms.get("delivered_lumi")
                record["run_live_lumi"] = oms.get("recorded_lumi")
            yield dataset, record


def probe(connection: Connection) -> None:
    """Does the registry let us read its datasets? Raises what is wrong."""
    body = {"page": 0, "page_size": 1, "filter": {"run_number": {"=": 1}}, "sortings": _ORDER}
    connection.post_json(_DATASETS, body, expect=lambda answer: answer["datasets"])


def _excluded_runs(connection: Connection, query: Query, workers: int) -> set[int]:
    listed = _datasets(connection, excluded_names_filter(query), workers)
    return {dataset["run_number"] for dataset in listed}


def _datasets(connection: Connection, condition: Rule, workers: int) -> Iterator[dict[str, Any]]:
    def fetch(page: int) -> paging.Page:
        body = {"page": page, "page_size": PAGE_SIZE, "filter": condition, "sortings": _ORDER}
        return connection.post_json(_DATASETS, body, expect=_listing, refusal=_refusal)

    def key(dataset: dict[str, Any]) -> tuple[int, str]:
        return dataset["run_number"], dataset["name"]

    return paging.read([fetch], key, size=PAGE_SIZE, workers=workers, what="registry rows")


def _listing(answer: Any) -> paging.Page:
    return answers.list_of(dict, answer["datasets"]), int(answer["count"])


def _refusal(response: Response) -> str | None:
    """The server's reason for a 500 of its own, unless it is one that passes when its database restarts."""
    try:
        reason = answers.parse_json(response)["err"]
    except (answers.Unusable, KeyError, TypeError):
        return None
    return None if "current transaction is aborted" in str(reason) else str(reason)


# --- lumisections


def lumisections(records: Iterable[Record], *, workers: int = WORKERS, cookies: str | None = None) -> Iterator[Record]:
    """Yield one record per lumisection of each dataset, out of records as ``rows`` gives them.

    Keys: run_number, reco, rda_name, lumisection_number, and pixel, strip, tracking with causes and comments:
    the statuses as they were set, None where nobody judged.
    """
    with Connection(endpoints.RUNREG, workers=workers, cookies=cookies) as connection:

        def fetch(record: Record) -> Ranges:
            body = {"run_number": record["run_number"], "dataset_name": record["rda_name"]}
            path = "/lumisections/rr_lumisection_ranges_by_component"
            return connection.post_json(path, body, expect=_ranges, refusal=_refusal)

        for record, ranges in concurrency.in_order(fetch, records, workers):
            if isinstance(ranges, Exception):
                raise ranges
            yield from _by_lumisection(record, ranges)


def _ranges(answer: Any) -> Ranges:
    return {name: answers.list_of(dict, answer.get(column) or []) for name, column in COMPONENTS.items()}


def _by_lumisection(record: Record, ranges: Ranges) -> Iterator[Record]:
    last = max([record["lumisections"] or 0, *(part["end"] for parts in ranges.values() for part in parts)])
    at = {
        component: {number: part for part in parts for number in range(part["start"], part["end"] + 1)}
        for component, parts in ranges.items()
    }
    for number in range(1, last + 1):
        row = {key: record[key] for key in ("run_number", "reco", "rda_name")}
        row["lumisection_number"] = number
        for component in COMPONENTS:
            part = at[component].get(number) or {}
            row[component] = status_word(part.get("status"))
            row[f"{component}_cause"] = part.get("cause") or None
            row[f"{component}_comment"] = part.get("comment") or None
        yield row
