"""Run Registry v4 as its backend answers: listings with the whole filter language, lumisections, single runs.

A listing's filter is split by database table (dataset, run, summary) before it is applied, the parts are joined with
AND, and values are compared as PostgreSQL compares columns and JSON attributes. The surprising results of that are
reproduced on purpose: see ``split``, ``_column`` and ``_attribute``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import operator
import re
import threading
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from tests.cernserver_faults import Reply

JSON_TYPE = "application/json; charset=utf-8"
CAPTURED = Path(__file__).parent / "data" / "runregistry-v4"
WRITES = re.compile(
    r"/(lumisections/edit_|datasets/\w+/move_dataset/|manual_run_edit/|runs/move_run/|runs/mark_significant"
    r"|automatic_run_update/|cycles|dc_tools/(?!unique_dataset_names)|classifiers)"
)
COMPARE = {
    "=": operator.eq, "<>": operator.ne, ">": operator.gt,
    ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
LIKES = {"like": "~~*", "LIKE": "~~*", "notlike": "!~~*", "NOTLIKE": "!~~"}
GROUPS = {"and", "or", "AND", "OR"}
Test = Callable[["Row"], bool]


class BackendError(Exception):
    """What the backend would throw: answered as 500 with this text."""


class Row:
    """One listed object: the dataset (None in a run listing), its run, its summary, and its encoded form."""

    __slots__ = ("_encoded", "cache", "dataset", "run")

    def __init__(self, dataset: dict | None, run: dict, cache: dict | None) -> None:
        self.dataset, self.run, self.cache = dataset, run, cache
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The form that listings carry, as compact JSON."""
        if self._encoded is None:
            summary = {"triplet_summary": self.cache["triplet_summary"]} if self.cache else None
            if self.dataset is None:
                value = {**run_columns(self.run), "DatasetTripletCache": summary}
            else:
                value = {
                    **dataset_columns(self.dataset),
                    "Run": {key: self.run[key] for key in ("rr_attributes", "oms_attributes")},
                    "DatasetTripletCache": summary and {**summary, "dcs_summary": self.cache["dcs_summary"]},
                }
            self._encoded = encode(value)
        return self._encoded


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def dataset_columns(dataset: dict) -> dict:
    names = ("run_number", "name", "dataset_attributes", "datasets_in_gui", "deleted", "version")
    return {name: dataset[name] for name in names}


def run_columns(run: dict) -> dict:
    return {name: run[name] for name in ("run_number", "oms_attributes", "rr_attributes", "version", "deleted")}


def jsonb(value: Any) -> Any:
    """The same value with the keys of all objects in PostgreSQL's order: by length, then by bytes."""
    if isinstance(value, dict):
        return {key: jsonb(value[key]) for key in sorted(value, key=lambda key: (len(key.encode()), key))}
    return [jsonb(item) for item in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------- filter language


class Table(NamedTuple):
    """A table of the backend: its name in messages, how to reach it from a row, its columns."""

    name: str
    get: Callable[[Row], dict]
    columns: dict[str, str]  # name -> integer | text | array | json | boolean


DATASET = Table(
    "Dataset",
    lambda row: row.dataset,
    {"run_number": "integer", "name": "text", "version": "integer", "datasets_in_gui": "array",
     "dataset_attributes": "json", "deleted": "boolean"},
)  # fmt: skip
RUN = Table(
    "Run",
    lambda row: row.run,
    {"run_number": "integer", "version": "integer", "rr_attributes": "json", "oms_attributes": "json",
     "deleted": "boolean"},
)  # fmt: skip
SUMMARY = Table("DatasetTripletCache", lambda row: row.cache, {"triplet_summary": "json"})


def split(node: Any, mine: Callable[[str], bool], found: bool = False) -> tuple[dict, bool]:
    """The part of a filter that concerns one table, and whether there is any.

    Once something was found, rules about other tables stay in the lists as empty rules. That is why an ``or`` beside
    a field of another table matches nothing.
    """
    if node is None:
        raise BackendError("Cannot convert undefined or null to object")
    if isinstance(node, list):
        node = {str(index): value for index, value in enumerate(node)}
    kept: dict[str, Any] = {}
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in ("and", "or"):
            if not isinstance(value, list):
                raise BackendError("val.filter is not a function")
            rules = [rule for rule in value if split(rule, mine, found)[1]]
            kept[key] = []
            for rule in rules:
                part, found = split(rule, mine, found)
                kept[key].append(part)
        elif mine(key):
            kept[key] = value
            found = True
    return kept, found


def _only(node: Any, mine: Callable[[str], bool]) -> dict:
    part, found = split(node, mine)
    return part if found else {}


def _is_summary(key: str) -> bool:
    return key.startswith("triplet_summary")


def dataset_test(node: Any) -> Test:
    """The condition of a dataset listing."""
    attributes = ("rr_attributes", "oms_attributes")
    own = _only(node, lambda key: not _is_summary(key) and not key.startswith(attributes))
    run = _only(node, lambda key: key.startswith(tuple(name + "." for name in attributes)))
    summary = _only(node, _is_summary)
    return _all([
        _where({**_gui_contains(own), "deleted": False}, DATASET, contains=True),
        _where(run, RUN, contains=True),
        _where(summary, SUMMARY, contains=True),
    ]) or _always  # fmt: skip


def run_test(node: Any) -> Test:
    """The condition of a run listing."""
    own = _only(node, lambda key: not _is_summary(key))
    summary = _only(node, _is_summary)
    return _all([_where({**own, "deleted": False}, RUN), _where(summary, SUMMARY)]) or _always


def _gui_contains(node: dict) -> dict:
    """Whatever the operator on datasets_in_gui, the server asks whether the list contains the operand."""
    result = {}
    for key, value in node.items():
        if key in ("and", "or"):
            value = [_gui_contains(rule) for rule in value]
        elif key.startswith("datasets_in_gui"):
            operands = list(value.values()) if isinstance(value, dict) else value
            value = {"contains": operands[0] if operands else None}
        result[key] = value
    return result


def _always(row: Row) -> bool:
    return True


def _never(row: Row) -> bool:
    return False


def _all(tests: Iterable[Test | None]) -> Test | None:
    """AND; None stands for "no restriction"."""
    kept = [test for test in tests if test is not None]
    if len(kept) < 2:
        return kept[0] if kept else None
    return lambda row: all(test(row) for test in kept)


def _any(tests: Iterable[Test | None]) -> Test | None:
    """OR; as the server builds it, members without restriction are left out."""
    kept = [test for test in tests if test is not None]
    if len(kept) < 2:
        return kept[0] if kept else None
    return lambda row: any(test(row) for test in kept)


def _where(node: dict, table: Table, contains: bool = False) -> Test | None:
    return _all([_item(key, value, table, contains) for key, value in node.items()])


def _item(key: str, value: Any, table: Table, contains: bool) -> Test | None:
    if key in GROUPS:
        rules = [{name: rule} for name, rule in value.items()] if isinstance(value, dict) else value
        tests = [_where(rule, table, contains) for rule in rules if isinstance(rule, dict)]
        if key.lower() == "and":
            return _all(tests)
        return _any(tests) or _never  # an empty top-level "or" is written as 0 = 1
    head, *path = key.split(".")
    kind = table.columns.get(head)
    if kind == "json" and path:
        return _attribute(table, head, tuple(path), value, contains)
    if kind == "json" and isinstance(value, dict):
        return _all([_attribute(table, head, (name,), item, contains) for name, item in value.items()])
    if kind is None or path:
        raise BackendError(f"column {table.name}.{key} does not exist")
    return _column(table, key, kind, value, contains)


def _members(value: Any) -> list:
    """The members of an "and" or "or" inside a field."""
    return [{key: item} for key, item in value.items()] if isinstance(value, dict) else list(value)


def _column(table: Table, name: str, kind: str, value: Any, contains: bool) -> Test | None:
    """A condition on a plain column; operands are converted to its type."""
    if isinstance(value, dict):
        for group, join in (("or", _any), ("OR", _any), ("and", _all), ("AND", _all)):
            if value.get(group) is not None:
                return join([_column(table, name, kind, item, contains) for item in _members(value[group])])
        if len(value) > 1:
            return _all([_column(table, name, kind, {key: item}, contains) for key, item in value.items()])
        symbol, operand = next(iter(value.items()), (None, None))
        if symbol in COMPARE or symbol in LIKES or (symbol == "contains" and contains):
            return _operation(table, name, kind, symbol, operand)
        return _operation(table, name, kind, "=", value)
    if isinstance(value, list):
        allowed = {_convert(kind, item) for item in value}
        return lambda row: table.get(row)[name] in allowed
    return _operation(table, name, kind, "=", value)


def _operation(table: Table, name: str, kind: str, symbol: str, operand: Any) -> Test:
    if operand is None:
        if symbol in ("=", "<>"):
            return lambda row: (table.get(row)[name] is None) == (symbol == "=")
        return _never
    if symbol == "contains":
        if kind != "array":
            raise BackendError(f"operator does not exist: {_sql_type(kind)} @> unknown")
        wanted = operand if isinstance(operand, list) else [operand]
        if not all(isinstance(item, str) for item in wanted):
            raise BackendError('malformed array literal: "[object Object]"')
        return lambda row: set(wanted) <= set(table.get(row)[name] or [])
    if symbol in LIKES:
        if kind != "text":
            raise BackendError(f"operator does not exist: {_sql_type(kind)} {LIKES[symbol]} unknown")
        matches = like(_convert(kind, operand), symbol != "NOTLIKE")
        return lambda row: matches(table.get(row)[name]) != symbol.lower().startswith("not")
    converted, compare = _convert(kind, operand), COMPARE[symbol]
    return lambda row: table.get(row)[name] is not None and compare(table.get(row)[name], converted)


def _sql_type(kind: str) -> str:
    return {"text": "character varying", "array": "character varying[]"}.get(kind, kind)


def _convert(kind: str, operand: Any) -> Any:
    """An operand as a value of the column's type, or PostgreSQL's complaint."""
    if kind == "integer":
        if isinstance(operand, dict):
            raise BackendError('invalid input syntax for type integer: "[object Object]"')
        if isinstance(operand, list):
            raise BackendError("operator does not exist: integer = integer[]")
        if isinstance(operand, str):
            if not re.fullmatch(r"\s*[-+]?\d+\s*", operand):
                raise BackendError(f'invalid input syntax for type integer: "{operand}"')
            return int(operand)
        return operand
    if kind == "text":
        if isinstance(operand, (dict, list)):
            raise BackendError(f"Invalid value {inspect(operand)}")
        return text_of(operand)
    return operand


def inspect(value: Any) -> str:
    """A value as Node's util.inspect shows it, on one line."""
    if isinstance(value, dict):
        names = [key if re.fullmatch(r"[A-Za-z_$][\w$]*", key) else f"'{key}'" for key in value]
        pairs = (f"{name}: {inspect(item)}" for name, item in zip(names, value.values(), strict=True))
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list):
        return "[ " + ", ".join(map(inspect, value)) + " ]" if value else "[]"
    return f"'{value}'" if isinstance(value, str) else text_of(value)


def like(pattern: str, ignore_case: bool = True) -> Callable[[str | None], bool | None]:
    """SQL's LIKE over the whole text: % any text, _ one character; NULL stays NULL."""
    translated = re.sub(
        r"\\(.)|(%)|(_)|(.)",
        lambda m: ".*" if m[2] else "." if m[3] else re.escape(m[1] or m[4]),
        pattern,
        flags=re.DOTALL,
    )
    compiled = re.compile(translated, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    return lambda text: None if text is None else compiled.fullmatch(text) is not None


def text_of(value: Any) -> str:
    """A JSON value as PostgreSQL's ->> gives it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", name) and -len(value) <= int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _attribute(table: Table, column: str, path: tuple[str, ...], value: Any, contains: bool) -> Test | None:
    """A condition on a JSON attribute; what isn't an operator is taken as a deeper key."""
    if not isinstance(value, dict):
        return _attribute_operation(table, column, path, "=", value)
    tests = []
    for key, operand in value.items():
        if key in GROUPS:
            join = _all if key.lower() == "and" else _any
            tests.append(join([_attribute(table, column, path, item, contains) for item in _members(operand)]))
        elif key in COMPARE or key in LIKES or (key == "contains" and contains):
            tests.append(_attribute_operation(table, column, path, key, operand))
        else:
            tests.append(_attribute(table, column, (*path, key), operand, contains))
    return _all(tests)


def _attribute_operation(table: Table, column: str, path: tuple[str, ...], symbol: str, operand: Any) -> Test | None:
    def stored(row: Row) -> Any:
        return _at(table.get(row)[column], path)

    if operand is None:
        if symbol in ("=", "<>"):
            return lambda row: (stored(row) is None) == (symbol == "=")
        return _never
    kind = _operand_type(operand[0] if isinstance(operand, list) and operand else operand)
    if isinstance(operand, (list, dict)):
        member = {"double precision": "integer"}.get(kind, kind)
        raise BackendError(f"operator does not exist: {kind} {symbol} {member}[]")
    if symbol == "contains":
        raise BackendError(f"operator does not exist: {kind} @> unknown")
    if symbol in LIKES:
        if kind != "text":
            raise BackendError(f"operator does not exist: {kind} {LIKES[symbol]} unknown")
        matches, negated = like(operand, symbol != "NOTLIKE"), symbol.lower().startswith("not")

        def liked(row: Row) -> bool:
            found = stored(row)
            return found is not None and matches(text_of(found)) != negated

        return liked
    compare, cast = COMPARE[symbol], _CASTS[kind]

    def compared(row: Row) -> bool:
        found = stored(row)
        return found is not None and compare(cast(text_of(found)), operand)

    return compared


def _operand_type(operand: Any) -> str:
    if isinstance(operand, bool):
        return "boolean"
    return "double precision" if isinstance(operand, (int, float)) else "text"


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BackendError(f'invalid input syntax for type double precision: "{text}"') from None


def _as_boolean(text: str) -> bool:
    words = {"true": True, "t": True, "yes": True, "on": True, "1": True,
             "false": False, "f": False, "no": False, "off": False, "0": False}  # fmt: skip
    if text.lower() not in words:
        raise BackendError(f'invalid input syntax for type boolean: "{text}"')
    return words[text.lower()]


_CASTS: dict[str, Callable[[str], Any]] = {"text": str, "double precision": _as_number, "boolean": _as_boolean}


# --------------------------------------------------------------------------------------------------- sorting


def sort_keys(sortings: Any, of_runs: bool) -> list[tuple[Callable[[Row], Any], bool]]:
    """``[["name", "ASC"], ...]`` as (value of a row, descending) pairs."""
    if not isinstance(sortings, list):
        raise BackendError("Cannot read property 'map' of undefined")
    table = RUN if of_runs else DATASET
    keys = []
    for sorting in sortings:
        key, direction, *_ = [*sorting, None, None]
        if str(direction).upper() not in ("ASC", "DESC"):
            given = "undefined" if direction is None else direction
            raise BackendError(f"Order must be 'ASC' or 'DESC', '{given}' given")
        keys.append((_sort_value(key, table, of_runs), direction.upper() == "DESC"))
    return keys


def _sort_value(key: str, table: Table, of_runs: bool) -> Callable[[Row], Any]:
    head, *path = key.split(".")
    if key in ("oms_attributes.ls_duration", "oms_attributes.b_field"):
        return lambda row: row.run["oms_attributes"].get(path[0])
    if key == "rr_attributes.class":
        return lambda row: row.run["rr_attributes"].get("class")
    if "-" in key:
        if "'" in key or '"' in key:
            raise BackendError(f'syntax error at or near "{re.split("[^a-zA-Z]", key)[-1] or key}"')
        return lambda row: _text_or_none(row.cache["triplet_summary"].get(key))
    if path:
        if table.columns.get(head) != "json":
            raise BackendError("Cannot read property 'type' of undefined")
        return lambda row: _text_or_none(_at(table.get(row)[head], tuple(path)))
    if key not in table.columns:
        raise BackendError(f"column {table.name}.{key} does not exist")
    if table.columns[key] in ("json", "array"):
        return lambda row: _text_or_none(table.get(row)[key])
    return lambda row: table.get(row)[key]


def _text_or_none(value: Any) -> str | None:
    return None if value is None else text_of(value)


class Listing:
    """The rows that match, in order; rows that the order leaves tied come in another order on every page."""

    TIE_STEP = 7

    def __init__(self, rows: list[Row], keys: list[tuple[Callable[[Row], Any], bool]]) -> None:
        for value, descending in reversed(keys):  # NULLs last going up and first going down, as in PostgreSQL
            rows = sorted(rows, key=lambda row, value=value: _null_last(value(row)), reverse=descending)
        self.rows = rows
        self._ties: list[tuple[int, int]] = []  # for every row, the bounds of its group of ties
        start = 0
        signatures = [[value(row) for value, _ in keys] for row in rows]
        for index in range(1, len(rows) + 1):
            if index == len(rows) or signatures[index] != signatures[start]:
                self._ties.extend([(start, index)] * (index - start))
                start = index

    def slice(self, first: int, last: int, page: int) -> list[Row]:
        """Rows first to last (not included) as page ``page`` shows them."""
        picked = []
        for index in range(first, min(last, len(self.rows))):
            start, end = self._ties[index]
            picked.append(self.rows[start + (index - start + page * self.TIE_STEP) % (end - start)])
        return picked


def _null_last(value: Any) -> tuple:
    return (value is None, 0 if value is None else value)


def page_bounds(page: Any, page_size: Any, rows: int) -> tuple[int, int]:
    """LIMIT and OFFSET as JavaScript computes them and PostgreSQL takes them."""
    offset = _js_number(page) * _js_number(page_size)
    if math.isnan(offset):
        raise BackendError('column "nan" does not exist')
    first = _whole(offset)
    if first < 0:
        raise BackendError("OFFSET must not be negative")
    if page_size is None:
        return first, rows
    limit = _whole(_js_number(page_size))
    if limit < 0:
        raise BackendError("LIMIT must not be negative")
    return first, first + limit


_MISSING = object()


def _js_number(value: Any) -> float:
    if value is _MISSING or isinstance(value, dict):
        return math.nan
    if value is None or value == "" or value == []:
        return 0.0
    try:
        return float(value if not isinstance(value, list) or len(value) > 1 else value[0])
    except (TypeError, ValueError):
        return math.nan


def _whole(value: float) -> int:
    try:
        return int(Decimal(repr(value)).to_integral_value(ROUND_HALF_UP))
    except InvalidOperation:
        raise BackendError("bigint out of range") from None


def page_count(count: int, page_size: Any) -> int | None:
    """ceil(count / page_size); null where JavaScript says Infinity or NaN."""
    size = _js_number(page_size)
    return None if math.isnan(size) or size == 0 else math.ceil(count / size)


# ----------------------------------------------------------------------------------------------- lumisections


def ranges(lumisections: list[dict], leave_out: tuple[str, ...] = ()) -> list[dict]:
    """Runs of equal lumisections, with ``start`` and ``end`` from 1."""
    result: list[dict] = []
    previous = None
    for number, lumisection in enumerate(lumisections, start=1):
        value = {key: item for key, item in lumisection.items() if key not in leave_out}
        if value == previous:
            result[-1]["end"] = number
        else:
            result.append({**value, "start": number, "end": number})
            previous = value
    return result


def ranges_of(lumisections: list[dict], column: str, wrap: bool = False) -> list[dict]:
    """The ranges of one column; lumisections without it end a range. ``wrap`` puts plain values under "status"."""
    result: list[dict] = []
    for number, lumisection in enumerate(lumisections, start=1):
        if column not in lumisection:
            continue
        value = {"status": lumisection[column]} if wrap else lumisection[column]
        last = result[-1] if result else None
        if last and last["end"] == number - 1 and {**last, **value} == last:
            last["end"] = number
        else:
            result.append({**value, "start": number, "end": number})
    return result


def columns_of(lumisections: list[dict]) -> list[str]:
    names = dict.fromkeys(name for lumisection in lumisections for name in lumisection)
    return sorted(names, key=lambda name: (len(name), name))


# ----------------------------------------------------------------------------------------------------- routes


class Registry:
    """The service: ``handle`` takes a request below the base URL and gives the reply."""

    UNIQUE_NAMES_LIMIT = 12000

    def __init__(self, world: Any) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._listings: dict[bytes, Listing] = {}
        self._datasets: dict[tuple[int, str], dict] | None = None
        self._captured = {}
        for file in sorted(CAPTURED.glob("*.json")) if CAPTURED.is_dir() else ():
            exchange = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(exchange, dict) and "request" in exchange:
                request = exchange["request"]
                self._captured[request["method"], request["path"], encode(request["body"])] = exchange

    def _load(self) -> None:
        with self._lock:
            if self._datasets is None:
                self._rows: dict[bool, list[Row]] = {False: [], True: []}
                self._runs: dict[int, Row] = {}
                self._datasets = {}
                self._insert(self.world.registry_datasets())

    def add(self, datasets: list[dict]) -> None:
        """Datasets (full form) that appear from now on; one with a known (run_number, name) replaces it."""
        self._load()
        with self._lock:
            known = self._datasets
            fresh = {(dataset["run_number"], dataset["name"]) for dataset in datasets}
            kept = [dataset for key, dataset in known.items() if key not in fresh]
            self._datasets, self._rows, self._runs = {}, {False: [], True: []}, {}
            self._insert([*kept, *datasets])
            self._listings.clear()

    def _insert(self, datasets: list[dict]) -> None:
        attributes = ("dataset_attributes", "triplet_summary", "dcs_summary", "rr_ranges", "dcs_ranges",
                      "rr_attributes", "oms_attributes")  # fmt: skip
        ordered_runs: dict[int, dict] = {}

        def ordered(part: dict) -> dict:
            return {key: jsonb(value) if key in attributes else value for key, value in part.items()}

        for dataset in datasets:
            number = dataset["run_number"]
            run = ordered_runs.setdefault(number, ordered(dataset["Run"]))
            cache = dataset["DatasetTripletCache"] and ordered(dataset["DatasetTripletCache"])
            full = {**ordered(dataset), "Run": run, "DatasetTripletCache": cache}
            self._datasets[number, dataset["name"]] = full
            if cache:
                self._rows[False].append(Row(full, run, cache))
            if dataset["name"] == "online":
                self._runs[number] = Row(None, run, cache)
        for number, run in ordered_runs.items():
            self._runs.setdefault(number, Row(None, run, None))
        self._rows[True] = [row for row in self._runs.values() if row.cache]

    def handle(self, request: Any) -> Reply:
        """Route one request."""
        self._load()
        try:
            value = self._answer(request)
        except BackendError as error:
            return Reply(500, encode({"err": str(error)}), JSON_TYPE)
        if isinstance(value, Reply):
            return value
        body = value if isinstance(value, bytes) else encode(value)
        tag = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()[:27]
        etag = f'W/"{len(body):x}-{tag}"'
        if request.method == "GET" and request.headers.get("if-none-match") == etag:
            return Reply(304, b"", JSON_TYPE, (("ETag", etag),))
        return Reply(200, body, JSON_TYPE, (("ETag", etag),))

    def _answer(self, request: Any) -> Any:
        body = self._body(request)
        parts = request.path.strip("/").split("/")
        name = "_".join([request.method.lower(), *re.findall(r"\w+", parts[0])])
        if WRITES.match(request.path) and not (request.method == "GET" and parts[0] == "cycles"):
            if "email" not in request.headers or "egroups" not in request.headers:
                raise BackendError("Request must provide email and egroups")
            return Reply(401, encode({"message": "User needs to be part of an e-group"}), JSON_TYPE)
        if parts[0] in ("lumisections", "datasets_get_lumisection_bar") and request.method == "POST":
            name = "post_lumisections"
        route = getattr(self, "_" + name, None)
        answer = route(parts[1:], body, request) if route else NotImplemented
        if answer is not NotImplemented:
            return answer
        captured = self._captured.get((request.method, request.path, encode(body if request.body else None)))
        if captured:
            return Reply(captured["status"], encode(captured["response"]), captured["content_type"])
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
            f"<body>\n<pre>Cannot {request.method} {request.path}</pre>\n</body>\n</html>\n"
        )
        return Reply(404, page.encode(), "text/html; charset=utf-8")

    def _body(self, request: Any) -> Any:
        if not request.body or "application/json" not in request.headers.get("content-type", ""):
            return {}
        try:
            return json.loads(request.body)
        except json.JSONDecodeError as error:
            text = request.body.decode(errors="replace")
            if error.pos >= len(text):
                raise BackendError("Unexpected end of JSON input") from None
            raise BackendError(f"Unexpected token {text[error.pos]} in JSON at position {error.pos}") from None

    # listings

    def _post_datasets_filtered_ordered(self, rest: list[str], body: dict, request: Any) -> Any:
        return self._list("datasets", body, request) if not rest else NotImplemented

    def _post_runs_filtered_ordered(self, rest: list[str], body: dict, request: Any) -> Any:
        return self._list("runs", body, request) if not rest else NotImplemented

    def _listing(self, of_runs: bool, node: Any, sortings: Any) -> Listing:
        key = encode([of_runs, node, sortings])
        listing = self._listings.get(key)
        if listing is None:
            test = (run_test if of_runs else dataset_test)(node)
            rows = [row for row in self._rows[of_runs] if test(row)]
            default = [["run_number", "DESC"]] if of_runs else [["run_number", "DESC"], ["name", "ASC"]]
            listing = Listing(rows, sort_keys(sortings or default, of_runs))
            if len(self._listings) > 200:
                self._listings.clear()
            self._listings[key] = listing
        return listing

    def _list(self, what: str, body: dict, request: Any) -> bytes:
        node, sortings = body.get("filter"), body.get("sortings")
        if node is None:
            raise BackendError("Cannot convert undefined or null to object")
        if not isinstance(sortings, list):
            raise BackendError(f"Cannot read property 'map' of {'null' if 'sortings' in body else 'undefined'}")
        listing = self._listing(what == "runs", node, sortings)
        count = len(listing.rows)
        page, size = body.get("page", _MISSING), body.get("page_size", _MISSING)
        first, last = page_bounds(page, size, count)
        shift = min(request.shift, first)
        rows = listing.slice(first - shift, last - shift, int(_js_number(page)))
        counts = encode({"pages": page_count(count, size), "count": count})
        return b'{"%s":[%s],%s' % (what.encode(), b",".join(row.encoded for row in rows), counts[1:])

    def _post_dc_tools(self, rest: list[str], body: dict, request: Any) -> Any:
        if rest != ["unique_dataset_names"]:
            return NotImplemented
        listing = self._listing(False, body.get("filter"), [])
        if len(listing.rows) > self.UNIQUE_NAMES_LIMIT:
            raise BackendError(f"Dataset query too big, limit is {self.UNIQUE_NAMES_LIMIT}")
        return list(dict.fromkeys(row.dataset["name"] for row in reversed(listing.rows)))

    def _post_datasets(self, rest: list[str], body: dict, request: Any) -> Any:
        if rest == ["get_dataset"]:
            return self._datasets.get((self._run_number(body), body.get("dataset_name")))
        if rest == ["export_to_csv"]:
            return self._csv(body)
        return NotImplemented

    def _csv(self, body: dict) -> str:
        columns = body.get("columns") or []
        table = []
        for row in self._listing(False, body.get("filter"), body.get("sortings") or []).rows:
            rr, oms = row.run["rr_attributes"], row.run["oms_attributes"]
            summary = row.cache["triplet_summary"]
            table.append({
                "run_number": row.dataset["run_number"], "dataset_name": row.dataset["name"],
                "class": rr.get("class"), "stop_reason": rr.get("stop_reason"), "short_run": rr.get("short_run"),
                "ls_duration": oms.get("ls_duration"), **row.dataset["dataset_attributes"],
                **{name: value for name, value in summary.items() if name in columns}, "oms_attributes": oms,
            })  # fmt: skip
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = list(table[0]) if table else []
        for record in [dict(zip(names, names, strict=True)), *table] if table else ():
            writer.writerow(_csv_cell(record.get(name)) for name in names)
        return text.getvalue()

    # single runs and datasets

    def _run_number(self, body: dict) -> int | None:
        value = body.get("run_number")
        return _convert("integer", value) if value is not None else None

    def _get_runs(self, rest: list[str], body: dict, request: Any) -> Any:
        if request.path == "/runs/":
            raise BackendError("fn is not a function")
        if len(rest) != 1:
            return NotImplemented
        row = self._runs.get(_convert("integer", rest[0]))
        return row and row.encoded

    def _get_runs_lastupdated_50(self, rest: list[str], body: dict, request: Any) -> Any:
        runs = sorted(
            (row.run for row in self._runs.values()),
            key=lambda run: run["oms_attributes"].get("last_update") or "",
            reverse=True,
        )
        return [run_columns(run) for run in runs[:50]]

    def _get_get_all_dataset_names_of_run(self, rest: list[str], body: dict, request: Any) -> Any:
        number = _convert("integer", rest[0])
        names = [name for (run, name), data in self._datasets.items() if run == number and not data["deleted"]]
        return sorted(names, key=lambda name: hashlib.md5(name.encode(), usedforsecurity=False).digest())

    def _get_datasets_waiting(self, rest: list[str], body: dict, request: Any) -> Any:
        return [
            dataset_columns(dataset)
            for dataset in self._datasets.values()
            if dataset["dataset_attributes"].get("global_state") == "waiting dqm gui" and not dataset["deleted"]
        ]

    def _get_datasets_accepted(self, rest: list[str], body: dict, request: Any) -> Any:
        files = (exchange for key, exchange in self._captured.items() if key[1].startswith("/datasets_accepted"))
        entries = {entry["id"]: entry for exchange in files for entry in exchange["response"]}
        return [entry for _, entry in sorted(entries.items()) if not rest or entry["class"] == rest[0]]

    # lumisections

    def _post_lumisections(self, rest: list[str], body: dict, request: Any) -> Any:
        what = rest[0] if rest else "bar"
        if what.startswith("get_"):
            return NotImplemented
        of_oms = what.startswith("oms_")
        required = ("run_number",) if of_oms else ("run_number", "dataset_name")
        for name in required:
            if name not in body:
                raise BackendError(f'Named parameter ":{name}" has no value in the given object.')
        number = self._run_number(body)
        if of_oms:
            flags = [jsonb(flag) for flag in self.world.oms_flags(number)]
            return self._oms_lumisections(what, flags)
        lumisections = [jsonb(ls) for ls in self.world.registry_lumisections(number, body["dataset_name"])]
        if what == "rr_lumisections":
            return lumisections
        if what == "rr_lumisection_ranges":
            return ranges(lumisections)
        if what == "rr_lumisection_ranges_by_component":
            return {name: ranges_of(lumisections, name) for name in columns_of(lumisections)}
        if what == "joint_lumisection_ranges":
            flags = [jsonb(flag) for flag in self.world.oms_flags(number)]
            return ranges([{**flag, **ls} for flag, ls in zip(flags, lumisections, strict=False)])
        if what == "bar":
            return ranges_of(lumisections, body.get("component", ""))
        return NotImplemented

    def _oms_lumisections(self, what: str, flags: list[dict]) -> Any:
        if what == "oms_lumisections":
            return flags
        if what == "oms_lumisection_ranges":
            return ranges(flags, leave_out=("recorded", "delivered"))
        if what == "oms_lumisection_ranges_by_dcs_bit":
            return {name: ranges_of(flags, name, wrap=True) for name in columns_of(flags)}
        return NotImplemented

    # what the simulated world doesn't know: captured answers, and the errors that need no data

    def _get_cycles(self, rest: list[str], body: dict, request: Any) -> Any:
        known = self._captured.get(("GET", "/cycles/global", b"null"))
        return known["response"] if known else []

    def _get_workspaces(self, rest: list[str], body: dict, request: Any) -> Any:
        known = self._captured.get(("GET", f"/workspaces/{'/'.join(rest)}", b"null"))
        return known["response"] if known else []

    def _get_run_with_history(self, rest: list[str], body: dict, request: Any) -> Any:
        known = self._captured.get(("GET", request.path, b"null"))
        return known["response"] if known else []

    def _post_json_portal(self, rest: list[str], body: dict, request: Any) -> Any:
        if ("POST", request.path, encode(body)) in self._captured:
            return NotImplemented
        if rest == ["generate"]:
            matches = like(str(body.get("dataset_name_filter")), ignore_case=False)
            if not any(matches(name) for _, name in self._datasets):
                raise BackendError("No datasets matched that dataset name")
        if rest == ["json"]:
            raise BackendError("Cannot read property 'isWaiting' of null")
        return NotImplemented


def _csv_cell(value: Any) -> Any:
    if value is None or value is False:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return 1 if value is True else value
