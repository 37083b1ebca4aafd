"""The filter and sorting language of Run Registry v4, as its backend applies it.

A filter is split by database table (dataset, run, summary) before it is applied, the parts are joined with
AND, and values are compared as PostgreSQL compares columns and JSON attributes. The surprising results are
reproduced on purpose: see ``split``, ``_column`` and ``_attribute``.

Conditions and sort keys work on rows with the attributes ``dataset``, ``run`` and ``cache`` (dictionaries).
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

COMPARE = {
    "=": operator.eq, "<>": operator.ne, ">": operator.gt,
    ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
LIKES = {"like": "~~*", "LIKE": "~~*", "notlike": "!~~*", "NOTLIKE": "!~~"}
GROUPS = {"and", "or", "AND", "OR"}
Row = Any  # with dataset, run and cache
Test = Callable[[Row], bool]


class BackendError(Exception):
    """What the backend would throw: answered as 500 with this text."""


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

    Once something was found, rules about other tables stay in the lists as empty rules. That is why an
    ``or`` beside a field of another table matches nothing.
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


def as_integer(text: Any) -> int:
    """A run number as PostgreSQL takes it."""
    return _convert("integer", text)


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
    offset = js_number(page) * js_number(page_size)
    if math.isnan(offset):
        raise BackendError('column "nan" does not exist')
    first = _whole(offset)
    if first < 0:
        raise BackendError("OFFSET must not be negative")
    if page_size is None:
        return first, rows
    limit = _whole(js_number(page_size))
    if limit < 0:
        raise BackendError("LIMIT must not be negative")
    return first, first + limit


MISSING = object()


def js_number(value: Any) -> float:
    if value is MISSING or isinstance(value, dict):
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
    except (InvalidOperation, OverflowError):
        raise BackendError("bigint out of range") from None


def page_count(count: int, page_size: Any) -> int | None:
    """ceil(count / page_size); null where JavaScript says Infinity or NaN."""
    size = js_number(page_size)
    return None if math.isnan(size) or size == 0 else math.ceil(count / size)
