"""OMS as a JSON:API: filters, sorting, sparse fields, offset paging, related resources."""

from __future__ import annotations

import json
import operator
import re
import threading
from collections.abc import Callable
from typing import Any

from tests.cern.faults import Reply

JSON_API = "application/vnd.api+json;charset=UTF-8"
RESOURCES = ("runs", "fills", "lumisections", "hltpathinfo", "hltpathrates", "daqreadouts", "eras")
DEFAULT_LIMIT, MAX_LIMIT = 10, 100_000
COMPARE = {"EQ": operator.eq, "NEQ": operator.ne, "LT": operator.lt, "GT": operator.gt,
           "LE": operator.le, "GE": operator.ge}  # fmt: skip
OPERATORS = (*COMPARE, "LIKE", "CT")


class BadRequest(Exception):
    """Answered as 400 with a JSON:API error naming the parameter."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


def _error(status: int, title: str, detail: str, parameter: str | None = None) -> Reply:
    error: dict[str, Any] = {"status": str(status), "title": title, "detail": detail}
    if parameter:
        error["source"] = {"parameter": parameter}
    return Reply(status, json.dumps({"errors": [error]}).encode(), JSON_API)


class Oms:
    """The service: ``handle`` takes a request below the base URL and gives the reply."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self._lock = threading.RLock()
        self._cache: dict[tuple, list[dict]] = {}
        self._added: dict[str, list[dict]] = {}
        self._known: dict[str, set[str]] = {}

    def add(self, resource: str, rows: list[dict]) -> None:
        """Rows that appear from now on: in front of the simulated ones, as the newest."""
        with self._lock:
            self._added[resource] = [*rows, *self._added.get(resource, [])]
            self._known.clear()

    def handle(self, request: Any) -> Reply:
        """Route one request."""
        parts = request.path.strip("/").split("/")
        if request.method != "GET":
            return _error(405, "Method Not Allowed", request.method)
        if parts[0] not in RESOURCES:
            return _error(404, "Not Found", f"Unknown resource {parts[0]}")
        try:
            if len(parts) == 1:
                return self._list(parts[0], {}, request)
            if parts[1:] == ["meta"]:
                return self._meta(parts[0])
            return self._one(parts, request)
        except BadRequest as error:
            return _error(400, "Bad Request", str(error), error.parameter)

    # rows

    def _rows(self, resource: str, run: int | None = None, fill: int | None = None) -> list[dict]:
        with self._lock:
            key = (resource, run, fill)
            if key not in self._cache:
                if len(self._cache) > 500:
                    self._cache.clear()
                self._cache[key] = self.world.oms_rows(resource, run, fill)
            added = [
                row
                for row in self._added.get(resource, [])
                if (run is None or row["attributes"].get("run_number") == run)
                and (fill is None or row["attributes"].get("fill_number") == fill)
            ]
            return [*added, *self._cache[key]] if added else self._cache[key]

    def _attributes(self, resource: str) -> set[str]:
        """The attributes that the resource knows; for the details of runs, those of a few runs."""
        with self._lock:
            if resource not in self._known:
                names: set[str] = set()
                if resource in ("runs", "fills", "eras"):
                    names = {name for row in self._rows(resource) for name in row["attributes"]}
                else:
                    filled = 0
                    for run in self._rows("runs")[:200]:
                        rows = self._rows(resource, run["attributes"]["run_number"])
                        names.update(name for row in rows[:50] for name in row["attributes"])
                        filled += bool(rows)
                        if filled == 3:
                            break
                self._known[resource] = names
            return self._known[resource]

    def _candidates(self, resource: str, filters: list[tuple[str, str, str]]) -> list[dict]:
        """Rows to be filtered: details only of the runs that the filter allows, not of a whole year."""
        exact = {name: int(value) for name, op, value in filters if op == "EQ" and value.lstrip("-").isdigit()}
        if resource in ("runs", "fills", "eras"):
            return self._rows(resource)
        if "run_number" in exact:
            return self._rows(resource, run=exact["run_number"])
        if "fill_number" in exact:
            return self._rows(resource, fill=exact["fill_number"])
        bounds = [condition for condition in filters if condition[0] == "run_number"]
        runs = [row["attributes"]["run_number"] for row in self._filtered("runs", bounds, self._rows("runs"))]
        return [row for run in runs for row in self._rows(resource, run=run)]

    def _filtered(self, resource: str, filters: list[tuple[str, str, str]], rows: list[dict]) -> list[dict]:
        for name, op, value in filters:
            test = _condition(name, op, value)
            rows = [row for row in rows if test(row["attributes"].get(name))]
        return rows

    # answers

    def _list(self, resource: str, fixed: dict[str, int], request: Any) -> Reply:
        parameters = request.parameters
        known = self._attributes(resource)

        def attribute(name: str, parameter: str) -> str:
            if name not in known:
                raise BadRequest(parameter, f"Unknown attribute {name} of resource {resource}")
            return name

        filters = [(name, "EQ", str(value)) for name, value in fixed.items()]
        for parameter, value in parameters.items():
            if parameter.startswith("filter"):
                match = re.fullmatch(r"filter\[(\w+)\](?:\[(\w+)\])?", parameter)
                if not match or (match[2] or "EQ") not in OPERATORS:
                    raise BadRequest(parameter, "Unknown filter operator")
                filters.append((attribute(match[1], parameter), match[2] or "EQ", value))
        rows = self._filtered(resource, filters, self._candidates(resource, filters))
        if resource == "hltpathrates" and parameters.get("group[granularity]", "run") != "lumisection":
            rows = [row for row in rows if row["attributes"].get("last_lumisection_number") == 0]
        for name in reversed([name for name in parameters.get("sort", "").split(",") if name]):
            column = attribute(name.lstrip("-"), "sort")
            rows = sorted(rows, key=lambda row, c=column: _null_last(row["attributes"].get(c)), reverse=name[0] == "-")
        fields = [attribute(name, "fields") for name in parameters.get("fields", "").split(",") if name]
        offset, limit = self._whole(parameters, "offset", 0), self._whole(parameters, "limit", DEFAULT_LIMIT)
        if not 0 < limit <= MAX_LIMIT or offset < 0:
            raise BadRequest("page[limit]", f"Page limit must be from 1 to {MAX_LIMIT}, the offset not negative")
        first = max(0, offset - request.shift)
        meta = "meta" in parameters.get("include", "").split(",")
        answer = {
            "data": [self._shown(row, fields, meta, request) for row in rows[first : first + limit]],
            "links": self._links(request, offset, limit, len(rows)),
            "meta": {"totalResourceCount": len(rows)},
        }
        return Reply(200, json.dumps(answer).encode(), JSON_API)

    def _whole(self, parameters: dict[str, str], name: str, default: int) -> int:
        try:
            return int(parameters.get(f"page[{name}]", default))
        except ValueError:
            raise BadRequest(f"page[{name}]", "Not a number") from None

    def _shown(self, row: dict, fields: list[str], meta: bool, request: Any) -> dict:
        attributes = row["attributes"]
        if fields:
            attributes = {name: attributes[name] for name in attributes if name in fields}
        shown = {
            "id": row["id"],
            "type": row["type"],
            "attributes": attributes,
            "links": {"self": f"{request.base_url}/{row['type']}/{row['id']}"},
        }
        if meta:
            units = row.get("meta", {}).get("row", {})
            shown["meta"] = {"row": {name: unit for name, unit in units.items() if not fields or name in fields}}
        return shown

    def _links(self, request: Any, offset: int, limit: int, total: int) -> dict[str, str | None]:
        base = f"{request.base_url}{request.path}"

        def link(start: int) -> str:
            return f"{base}?page[offset]={start}&page[limit]={limit}"

        last = max(0, (total - 1) // limit * limit)
        return {
            "self": link(offset),
            "first": link(0),
            "last": link(last),
            "next": link(offset + limit) if offset + limit < total else None,
            "prev": link(max(0, offset - limit)) if offset else None,
        }

    def _one(self, parts: list[str], request: Any) -> Reply:
        resource, identifier, *rest = parts
        key = {"runs": "run_number", "fills": "fill_number", "eras": "era"}.get(resource)
        rows = [row for row in self._rows(resource) if str(row["id"]) == identifier] if key else []
        if not rows:
            return _error(404, "Not Found", f"No {resource} {identifier}")
        number = rows[0]["attributes"].get(key)
        if rest == ["lumisections"] and resource in ("runs", "fills"):
            return self._list("lumisections", {key: number}, request)
        if rest == ["runs"] and resource == "fills":
            return self._list("runs", {key: number}, request)
        if rest == ["fill"] and resource == "runs":
            fill = rows[0]["attributes"].get("fill_number")
            rows = [row for row in self._rows("fills") if row["attributes"].get("fill_number") == fill]
        elif rest:
            return _error(404, "Not Found", request.path)
        meta = "meta" in request.parameters.get("include", "").split(",")
        data = self._shown(rows[0], [], meta, request) if rows else None
        links = {"self": f"{request.base_url}{request.path}"}
        return Reply(200, json.dumps({"data": data, "links": links}).encode(), JSON_API)

    def _meta(self, resource: str) -> Reply:
        sample = self._rows(resource)[:1] if resource in ("runs", "fills", "eras") else []
        units = sample[0].get("meta", {}).get("row", {}) if sample else {}
        fields = {name: {"title": name, **units.get(name, {})} for name in sorted(self._attributes(resource))}
        return Reply(200, json.dumps({"meta": {"fields": fields}}).encode(), JSON_API)


def _null_last(value: Any) -> tuple:
    return (value is None, 0 if value is None else str(value) if isinstance(value, list) else value)


def _condition(name: str, op: str, text: str) -> Callable[[Any], bool]:
    """A condition on one attribute; null never matches."""

    def test(value: Any) -> bool:
        if value is None:
            return False
        if op == "CT":
            return text in value if isinstance(value, (list, str)) else text in str(value)
        if op == "LIKE":
            pattern = re.escape(text).replace("%", ".*").replace("_", ".")
            return re.fullmatch(pattern, str(value)) is not None
        if isinstance(value, bool):
            return COMPARE[op](value, text.lower() == "true")
        if isinstance(value, (int, float)):
            try:
                return COMPARE[op](value, float(text))
            except ValueError:
                raise BadRequest(f"filter[{name}][{op}]", f"{text} is not a number") from None
        return COMPARE[op](str(value), text)

    return test
