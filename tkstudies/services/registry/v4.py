"""Run Registry v4: dataset listings and the status of each lumisection.

Source of the wire format: the backend's answers as observed in 2024 (filters, paging, errors).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from requests import Response

from tkstudies.console import Losses
from tkstudies.errors import UsageError
from tkstudies.records import Record, number, whole
from tkstudies.services.registry import shapes
from tkstudies.services.registry.conditions import Rule
from tkstudies.services.registry.fields import COMPONENTS
from tkstudies.services.registry.query import Query, excluded_names_filter, server_filter
from tkstudies.services.registry.records import StatusRule, status_rule, status_word, v4_record
from tkstudies.services.web import answers, concurrency, endpoints, paging
from tkstudies.services.web.connection import Connection


class _Listing(msgspec.Struct):
    """A page of datasets. Each of them is looked at for itself: the database checks nothing."""

    datasets: list[Any]
    count: int


Ranges = dict[str, list[Any]]  # by component: start, end, status, cause, comment

_DATASETS = "/datasets_filtered_ordered"
PAGE_SIZE = 500  # one server process writes the JSON: larger pages gain nothing
WORKERS = 4
_ORDER = [["run_number", "ASC"], ["name", "ASC"]]  # total, and new runs come at the end
_UNUSABLE = "\0unusable"  # in the place of an element of a listing that is no row, so that pages keep their length
_MOST_LUMISECTIONS = 100_000  # more than any run has


def rows(
    query: Query,
    rule: StatusRule | None = None,
    *,
    add_lumis: bool = False,
    workers: int = WORKERS,
    cookies: str | None = None,
    losses: Losses | None = None,
) -> Iterator[tuple[dict[str, Any], Record]]:
    """Yield (the server's own object, our flat record) by run number and dataset name.

    Args:
        query: Which rows.
        rule: How counts become one word (see records.status_rule), any-good by default.
        add_lumis: Add OMS's numbers of the run: lhc_fill, run_lumi (delivered) and run_live_lumi (recorded).
        workers: Requests under way at once.
        cookies: A Netscape cookie file to log in with, instead of a token.
        losses: Takes what of the answers was no row, or had an odd shape.

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
    odd_rows = shapes.OddRows(losses or Losses())
    with Connection(endpoints.RUNREG, workers=workers, cookies=cookies) as connection:
        excluded = _excluded_runs(connection, query, workers) if query.excluded else set()
        for dataset in _datasets(connection, server_filter(query), workers):
            if _UNUSABLE in dataset:
                odd_rows.unusable(dataset[_UNUSABLE])
                continue
            odd = shapes.Odd()
            record = v4_record(dataset, query.workspace, rule, odd)
            if record["run_number"] in excluded or not query.keeps(record):
                continue
            if add_lumis:
                oms = odd.members(odd.members(dataset, "Run"), "oms_attributes")
                record["lhc_fill"] = whole(oms.get("fill_number"))
                record["run_lumi"] = number(oms.get("delivered_lumi"))
                record["run_live_lumi"] = number(oms.get("recorded_lumi"))
            odd_rows.add(record, odd)
            yield dataset, record
    odd_rows.end()


def probe(connection: Connection) -> None:
    """Does the registry let us read its datasets? Raises what is wrong."""
    body = {"page": 0, "page_size": 1, "filter": {"run_number": {"=": 1}}, "sortings": _ORDER}
    connection.post_json(_DATASETS, body, expect=lambda answer: answer["datasets"])


def _excluded_runs(connection: Connection, query: Query, workers: int) -> set[int | None]:
    listed = _datasets(connection, excluded_names_filter(query), workers)
    return {whole(dataset["run_number"]) for dataset in listed if _UNUSABLE not in dataset}


def _datasets(connection: Connection, condition: Rule, workers: int) -> Iterator[dict[str, Any]]:
    def fetch(page: int) -> paging.Page:
        body = {"page": page, "page_size": PAGE_SIZE, "filter": condition, "sortings": _ORDER}
        rows, count = connection.post_json(_DATASETS, body, expect=_listing, refusal=_refusal)
        return [
            row if shapes.is_row(row) else {_UNUSABLE: row, "place": (page, i)} for i, row in enumerate(rows)
        ], count

    def key(dataset: dict[str, Any]) -> tuple[Any, ...]:
        return dataset["place"] if _UNUSABLE in dataset else (dataset["run_number"], str(dataset.get("name")))

    return paging.read([fetch], key, size=PAGE_SIZE, workers=workers, what="registry rows")


def _listing(answer: Any) -> paging.Page:
    listing = answers.shaped(answer, _Listing)
    return listing.datasets, listing.count


def _refusal(response: Response) -> str | None:
    """The server's reason for a 500 of its own, unless it is one that passes when its database restarts."""
    try:
        reason = answers.parse_json(response)["err"]
    except (answers.Unusable, KeyError, TypeError):
        return None
    return None if "current transaction is aborted" in str(reason) else str(reason)


# --- lumisections


def lumisections(
    records: Iterable[Record], *, workers: int = WORKERS, cookies: str | None = None, losses: Losses | None = None
) -> Iterator[Record]:
    """Yield one record per lumisection of each dataset, out of records as ``rows`` gives them.

    Keys: run_number, reco, rda_name, lumisection_number, and pixel, strip, tracking with causes and comments:
    the statuses as they were set, None where nobody judged. What had an odd shape is noted in ``losses``.
    """
    odd_rows = shapes.OddRows(losses or Losses())
    with Connection(endpoints.RUNREG, workers=workers, cookies=cookies) as connection:

        def fetch(record: Record) -> Ranges:
            if record["rda_name"] is None:
                return {}
            body = {"run_number": record["run_number"], "dataset_name": record["rda_name"]}
            path = "/lumisections/rr_lumisection_ranges_by_component"
            return connection.post_json(path, body, expect=_ranges, refusal=_refusal)

        for record, ranges in concurrency.in_order(fetch, records, workers):
            if isinstance(ranges, Exception):
                raise ranges
            odd = shapes.Odd()
            if record["rda_name"] is None:
                odd.note("the name of its dataset", None)
            else:
                yield from _by_lumisection(record, ranges, odd)
            odd_rows.add(record, odd)
    odd_rows.end()


def _ranges(answer: Any) -> Ranges:
    of_columns = answers.shaped(answer, dict[str, Any])
    return {name: answers.shaped(of_columns.get(column) or [], list[Any]) for name, column in COMPONENTS.items()}


def _by_lumisection(record: Record, ranges: Ranges, odd: shapes.Odd) -> Iterator[Record]:
    at = {component: _parts_by_number(parts, odd) for component, parts in ranges.items()}
    last = max([whole(record["lumisections"]) or 0, *(number for parts in at.values() for number in parts)])
    for n in range(1, last + 1):
        row = {key: record[key] for key in ("run_number", "reco", "rda_name")}
        row["lumisection_number"] = n
        for component in COMPONENTS:
            part = at[component].get(n) or {}
            row[component] = status_word(part.get("status"))
            row[f"{component}_cause"] = shapes.text(part.get("cause"))
            row[f"{component}_comment"] = shapes.text(part.get("comment"))
        yield row


def _parts_by_number(parts: list[Any], odd: shapes.Odd) -> dict[int, dict[str, Any]]:
    """Each range by the lumisections that it covers."""
    found: dict[int, dict[str, Any]] = {}
    for part in parts:
        start, end = (whole(part.get(key)) for key in ("start", "end")) if isinstance(part, dict) else (None, None)
        if start is None or end is None or not 0 < start <= end <= _MOST_LUMISECTIONS:
            odd.note("a range of lumisections", part)
        else:
            found.update(dict.fromkeys(range(start, end + 1), part))
    return found
