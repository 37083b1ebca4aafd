"""How OMS is asked: what is wanted of its rows, and listings of them that come page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from requests import Response

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError, UsageError
from tkstudies.records import Record, whole
from tkstudies.services.injection import split_scheme
from tkstudies.services.omsrecords import Listing, Row, flat_record
from tkstudies.services.web import answers, endpoints, paging
from tkstudies.services.web.connection import Connection

Filter = tuple[str, str, str]  # attribute, operator of OMS, value

PAGE_SIZE = 1000
WORKERS = 4
OPERATORS = {
    "eq": "EQ", "ne": "NEQ", "lt": "LT", "lte": "LE", "gt": "GT", "gte": "GE", "like": "LIKE",
    "contains": "CT", "neq": "NEQ", "le": "LE", "ge": "GE", "ct": "CT",
}  # fmt: skip
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


def rows(
    name: str, groups: list[list[Filter]], wanted: Wanted, keep: Callable[[Record], bool] | None = None
) -> Iterator[Record]:
    """The rows of a resource as flat records: one listing after the other, each with the filters of its group."""
    with connect(wanted) as connection:
        check_attributes(connection, name, wanted)
        yield from listed(connection, name, groups, wanted, keep)


def connect(wanted: Wanted) -> Connection:
    """A connection to OMS, with its login."""
    return Connection(endpoints.OMS, workers=wanted.workers, cookies=wanted.cookies)


def listed(
    connection: Connection,
    name: str,
    groups: list[list[Filter]],
    wanted: Wanted,
    keep: Callable[[Record], bool] | None = None,
    extra: dict[str, str] | None = None,
) -> Iterator[Record]:
    """The same by a connection, without a check of the attributes.

    Args:
        groups: The filters of each listing, of which all hold.
        keep: Which records come out; all of them by default.
        extra: Further parameters of the request.

    Raises:
        UsageError: Two filters of a group contradict each other.
    """
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


def check_attributes(connection: Connection, name: str, wanted: Wanted) -> None:
    """Refuse attributes that the resource doesn't have, naming those that it has.

    Raises:
        UsageError: It lacks one.
    """
    used = [*(attribute for attribute, _, _ in wanted.filters), *wanted.fields, *(s.lstrip("-") for s in wanted.sort)]
    if not used:
        return
    fields = attributes(connection, name)
    if not fields:
        console.debug(f"OMS doesn't list the attributes of {name}: they are not checked")
        return
    unknown = [attribute for attribute in used if attribute not in fields]
    if unknown:
        raise UsageError(f"OMS {name} have no attribute {', '.join(unknown)}: known are {', '.join(sorted(fields))}")


def attributes(connection: Connection, name: str) -> list[str]:
    """The attributes of a resource; none if OMS doesn't list them."""
    path = f"/{quote(name)}/meta"
    try:
        return list(connection.get_json(path, expect=lambda answer: dict(answer["meta"]["fields"]), refusal=_refusal))
    except LoginError:
        raise
    except ServiceError:
        return []
