"""Run Registry v4 as its backend answers: listings, lumisections, single runs and datasets."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import threading
from pathlib import Path
from typing import Any

from tests.cern.faults import Reply
from tests.cern.filter import (
    MISSING,
    BackendError,
    Listing,
    as_integer,
    dataset_test,
    js_number,
    like,
    page_bounds,
    page_count,
    run_test,
    sort_keys,
)
from tests.cern.jsonb import jsonb

JSON_TYPE = "application/json; charset=utf-8"
CAPTURED = Path(__file__).parents[1] / "data" / "runregistry-v4"
WRITES = re.compile(
    r"/(lumisections/edit_|datasets/\w+/move_dataset/|manual_run_edit/|runs/move_run/|runs/mark_significant"
    r"|automatic_run_update/|cycles|dc_tools/(?!unique_dataset_names)|classifiers)"
)


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
    """The ranges of one column; lumisections without it end a range, ``wrap`` names plain values "status"."""
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


_MADE = "rows of the registry"


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

    def prepare(self) -> None:
        """Make the rows now, for all servers of the same world: the first request would wait for them."""
        with self._lock:
            if self._datasets is None:
                made = self.world.__dict__.get(_MADE)  # by another server of the same world: it takes seconds
                if made is None:
                    self._rows: dict[bool, list[Row]] = {False: [], True: []}
                    self._runs: dict[int, Row] = {}
                    self._datasets = {}
                    self._insert(self.world.registry_datasets())
                    made = self.world.__dict__[_MADE] = (self._rows, self._runs, self._datasets)
                self._rows, self._runs, self._datasets = made

    def add(self, datasets: list[dict]) -> None:
        """Datasets (full form) that appear from now on; one with a known (run_number, name) replaces it."""
        self.prepare()
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
        known: dict[int, Any] = {}  # by identity: the datasets of a run share what is said of its lumisections

        def in_order(value: Any) -> Any:
            if id(value) not in known:
                known[id(value)] = jsonb(value)
            return known[id(value)]

        def ordered(part: dict) -> dict:
            return {key: in_order(value) if key in attributes else value for key, value in part.items()}

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
        self.prepare()
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
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<title>Error</title>\n</head>\n"
            f"<body>\n<pre>Cannot {request.method} {request.path}</pre>\n</body>\n</html>\n"
        )
        return Reply(404, page.encode(), "text/html; charset=utf-8")

    def _body(self, request: Any) -> Any:
        if not request.body or "application/json" not in request.headers.get("content-type", ""):
            return {}
        try:
            body = json.loads(request.body)
            return body if isinstance(body, dict) else {}
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
        with self._lock:
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
        page, size = body.get("page", MISSING), body.get("page_size", MISSING)
        first, last = page_bounds(page, size, count)
        shift = min(request.shift, first)
        rows = listing.slice(first - shift, last - shift, int(js_number(page)))
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
                "class": rr.get("class"), "stop_reason": rr.get("stop_reason"),
                "short_run": rr.get("short_run"),
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
        return as_integer(value) if value is not None else None

    def _get_runs(self, rest: list[str], body: dict, request: Any) -> Any:
        if request.path == "/runs/":
            raise BackendError("fn is not a function")
        if len(rest) != 1:
            return NotImplemented
        row = self._runs.get(as_integer(rest[0]))
        return row and row.encoded

    def _get_runs_lastupdated_50(self, rest: list[str], body: dict, request: Any) -> Any:
        runs = sorted(
            (row.run for row in self._runs.values()),
            key=lambda run: run["oms_attributes"].get("last_update") or "",
            reverse=True,
        )
        return [run_columns(run) for run in runs[:50]]

    def _get_get_all_dataset_names_of_run(self, rest: list[str], body: dict, request: Any) -> Any:
        if len(rest) != 1:
            return NotImplemented
        number = as_integer(rest[0])
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
