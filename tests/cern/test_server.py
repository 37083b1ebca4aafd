"""The fixture server against what was captured from the real services, and its own promises."""

from __future__ import annotations

import ast
import base64
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import cache
from http.cookiejar import MozillaCookieJar
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cern.faults import KINDS, Faults
from tests.cern.server import CLIENT_ID, CLIENT_SECRET, CernServer
from tests.cern.simulation import World

DATA = Path(__file__).parents[1] / "data"
CAPTURED = DATA / "runregistry-v4"
SEEDED = json.loads((CAPTURED / "seeded_tracker_counts.json").read_text())["rows"]
SEEDED_RUNS = {row["run_number"] for row in SEEDED}
ONE_PAGE = {"page": 0, "page_size": 50, "sortings": []}
PROMPT = "/PromptReco/Collisions2018B/DQM"


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def fetch(
    url: str, body: bytes | None = None, headers: dict | None = None, follow: bool = False, method: str | None = None
) -> Answer:
    """One request on a connection of its own; redirects are followed only when asked for."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(*([] if follow else [_NoRedirect]))
    try:
        with opener.open(request, timeout=10) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def post_json(url: str, body: Any, headers: dict | None = None) -> Answer:
    return fetch(url, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


def token(server: CernServer, audience: str, secret: str = CLIENT_SECRET) -> Answer:
    credentials = base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "audience": audience}).encode()
    return fetch(server.env["TKSTUDIES_SSO_URL"], form, {"Authorization": f"Basic {credentials}"})


@cache
def world() -> World:
    return World(2018)


class SeededWorld:
    """The simulated world, but a registry of the captured datasets only: listings can be compared whole."""

    def __getattr__(self, name: str) -> Any:
        return getattr(world(), name)

    def registry_datasets(self) -> list[dict]:
        return [dataset for dataset in world().registry_datasets() if dataset["run_number"] in SEEDED_RUNS]


@pytest.fixture(scope="module")
def server():
    with CernServer(world=world(), login=False) as running:
        yield running
    assert running.errors == []


@pytest.fixture(scope="module")
def seeded():
    with CernServer(world=SeededWorld(), login=False) as running:
        yield running
    assert running.errors == []


# --------------------------------------------------------------------------------- Run Registry v4: captures

# Writes, and the history of OMS lumisections, of which only the first of 80 events was kept.
LEFT_OUT = {"datasets.move_dataset", "lumisections.edit_rr_lumisections", "lumisections.get_oms_lumisection_history"}
ANY_ORDER = {"get_all_dataset_names_of_run", "dc_tools.unique_dataset_names", "runs_lastupdated_50"}
EXCHANGES = sorted(
    file.name.removesuffix(".json")
    for file in CAPTURED.glob("*.json")
    if file.name not in ("errors.json", "client_bodies.json", "seeded_tracker_counts.json")
)


def send(server: CernServer, request: dict) -> Answer:
    body = request["body"]
    data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = dict(request["headers"])
    if data is not None:
        headers.setdefault("Content-type", "text/plain")
    return fetch(server.url + "/runregistry" + request["path"], data, headers, method=request["method"])


def without_edits(value: Any, run: int | None = None, name: str | None = None) -> Any:
    """Leave out what the two later edits changed: a state of 317340, a status of 317382, and versions."""
    if isinstance(value, list):
        return [without_edits(item, run, name) for item in value]
    if not isinstance(value, dict):
        return value
    run, name = value.get("run_number", run), value.get("name", name)
    edited = {(317340, PROMPT): {"tracker_state", "version"}, (317382, PROMPT): {"tracker-track", "version"}}
    drop = edited.get((run, name), set())
    return {key: without_edits(item, run, name) for key, item in value.items() if key not in drop}


def cut(value: Any, notes: list[str]) -> Any:
    """The answer cut as the captured one is: ``response.datasets: 12 items, first 3 kept``."""
    for note in notes:
        where, total, kept = re.fullmatch(r"response(?:\.(\w+))?: (\d+) items, first (\d+) kept", note).groups()
        part = value[where] if where else value
        assert len(part) == int(total)
        value = {**value, where: part[: int(kept)]} if where else part[: int(kept)]
    return value


@pytest.mark.parametrize("name", [name for name in EXCHANGES if name not in LEFT_OUT])
def test_registry_answers_as_captured(seeded, name):
    exchange = json.loads((CAPTURED / f"{name}.json").read_text())
    answer = send(seeded, exchange["request"])
    assert (answer.status, answer.headers["Content-Type"]) == (exchange["status"], exchange["content_type"])
    expected, notes = exchange["response"], exchange.get("trimmed", [])
    if notes and isinstance(expected, str):
        assert answer.json.startswith(expected.removesuffix("..."))
    elif name in ANY_ORDER or name.removesuffix(".missing") in ANY_ORDER:
        total = int(re.search(r"(\d+) items", notes[0])[1]) if notes else len(expected)
        assert len(answer.json) == total
        assert all(item in answer.json for item in expected)
    else:
        assert without_edits(cut(answer.json, notes)) == without_edits(expected)


ERRORS = json.loads((CAPTURED / "errors.json").read_text())
UNSUPPORTED_WRITES = {  # the server refuses all writes the same way; these came with permissions
    "write with an egroup that has no permission",
    "edit to BAD without a comment",
    "edit of the online dataset of a run that is not OPEN",
    "edit with start after end",
    "POST /datasets for an existing dataset",
    "POST /datasets for an unknown run",
    "POST /runs without run number",
    "POST /runs by a person (email not auto@auto)",
}


@pytest.mark.parametrize(
    "exchange", [e for e in ERRORS if e["label"] not in UNSUPPORTED_WRITES], ids=lambda exchange: exchange["label"]
)
def test_registry_fails_as_captured(seeded, exchange):
    answer = send(seeded, exchange["request"])
    body = answer.body.decode() if isinstance(exchange["response"], str) else answer.json
    assert (answer.status, answer.headers["Content-Type"], body) == (
        exchange["status"],
        exchange["content_type"],
        exchange["response"],
    )


CLIENT_BODIES = [
    exchange
    for exchange in json.loads((CAPTURED / "client_bodies.json").read_text())
    if not re.search("move_dataset|manual_run_edit|json_portal", exchange["request"]["path"])  # writes and jobs
]


@pytest.mark.parametrize("exchange", CLIENT_BODIES)
def test_bodies_of_the_official_client(seeded, exchange):
    request = exchange["request"]
    answer = send(seeded, {**request, "headers": {"Content-type": "application/json"}})
    value, summary = answer.json, exchange["response_summary"]
    shape = re.fullmatch(r"(list|dict) of (\d+)", summary) if isinstance(summary, str) else None
    assert answer.status == exchange["status"]
    if shape:
        assert (type(value).__name__, len(value)) == (shape[1], int(shape[2]))
    else:
        shown = {key: f"list of {len(item)}" if isinstance(item, list) else item for key, item in value.items()}
        assert shown == summary


def test_all_seeded_datasets(seeded):
    listed = post_json(seeded.url + "/runregistry/datasets_filtered_ordered", {**ONE_PAGE, "filter": {}}).json
    columns = ("tracker-pixel", "tracker-strip", "tracker-track")
    assert [
        {
            "run_number": row["run_number"],
            "name": row["name"],
            "class": row["Run"]["rr_attributes"]["class"],
            "run_state": row["Run"]["rr_attributes"]["state"],
            "significant": row["Run"]["rr_attributes"]["significant"],
            "tracker_state": row["dataset_attributes"].get("tracker_state"),
            "global_state": row["dataset_attributes"].get("global_state"),
            "ls_duration": row["DatasetTripletCache"]["dcs_summary"].get("ls_duration", {}).get("TRUE"),
            "triplet_summary": {name: row["DatasetTripletCache"]["triplet_summary"].get(name) for name in columns},
        }
        for row in listed["datasets"]
    ] == SEEDED


# --------------------------------------------------------------------- Run Registry v4: filters and paging


def count(server: CernServer, node: Any, route: str = "datasets") -> int | str:
    """Rows that match, or the error text."""
    answer = post_json(f"{server.url}/runregistry/{route}_filtered_ordered", {**ONE_PAGE, "filter": node})
    return answer.json["count"] if answer.status == 200 else answer.json["err"]


COSMICS, NAME = {"rr_attributes.class": {"=": "Cosmics18"}}, {"name": {"=": PROMPT}}
NINE = [{"run_number": {"=": 317291}}, {"run_number": {"=": 317297}}]


@pytest.mark.parametrize(
    ("node", "matching"),
    [
        # numbers and texts
        ({"oms_attributes.ls_duration": {">": 5}}, 41),
        ({"oms_attributes.ls_duration": {">": "5"}}, 12),
        ({"triplet_summary.tracker-strip.GOOD": {">": 9}}, 36),
        ({"triplet_summary.tracker-strip.GOOD": {">": "9"}}, 0),
        ({"rr_attributes.class": {">": 5}}, 'invalid input syntax for type double precision: "C'),
        ({"run_number": "317291"}, 5),
        ({"run_number": {"=": 317291}, "name": {"notlike": "%RERECO%"}}, 3),
        ({"run_number": {"=": 317291}, "name": {"NOTLIKE": "%RERECO%"}}, 5),
        ({"name": {"like": "express"}}, 0),
        # lists and nesting
        ({"run_number": [317291, 317297]}, 9),
        ({"run_number": []}, 0),
        ({"run_number": {"or": [317291, 317297]}}, 9),
        ({"run_number": {">=": 317291, "<=": 317297}}, 14),
        ({"run_number": {"and": []}}, 45),
        ({"run_number": {"or": []}}, 45),
        ({"rr_attributes.class": ["Cosmics18"]}, "operator does not exist: text = text[]"),
        ({"dataset_attributes.tracker_state": {"or": [{"=": "SIGNOFF"}, {"=": "waiting dqm gui"}]}}, 7),
        # absence
        ({"dataset_attributes.tracker_state": None}, 14),
        ({"dataset_attributes.tracker_state": {"=": None}, "name": {"<>": "online"}}, 0),
        ({"dataset_attributes.tracker_state": {"<>": None}}, 31),
        ({"triplet_summary.tracker-strip.BAD": {"=": 0}}, 0),
        ({"triplet_summary.tracker-strip.BAD": None}, 40),
        # the member of a list
        ({"datasets_in_gui": {"=": "/Nope/X/DQMIO"}}, 0),
        ({"deleted": True}, 45),
        # silently wrong
        ({"or": [COSMICS, NAME]}, 0),
        ({"rr_attributes.significant": True, "or": NINE}, 0),
        ({"or": NINE, "rr_attributes.significant": True}, 0),
        ({"and": [{"or": NINE}, {"rr_attributes.significant": {"=": True}}]}, 9),
        ({"or": []}, 45),
        ({"run_number": 317291, "or": []}, 0),
        ({"rr_attributes.class": {"!=": "x"}}, 0),
        ({"rr_attributes": {"class": "Cosmics18"}}, 45),
        ({"rr_attributesX": 1}, 45),
        ({"rr_attributes.nonsense": "x"}, 0),
        ({"triplet_summary.tracker-strip.bad": {">": 0}}, 0),
        ({"OR": [NAME, {"name": {"=": "online"}}]}, 25),
        ({"OR": [NAME, COSMICS]}, "column Dataset.rr_attributes.class does not exist"),
        ({"name": {"in": ["x"], "=": "y"}}, "Invalid value { in: [ 'x' ] }"),
    ],
)  # fmt: skip
def test_filter_language(seeded, node, matching):
    found = count(seeded, node)
    assert found.startswith(matching) if isinstance(found, str) else found == matching


def test_or_of_two_groups_is_split_by_table(seeded):
    groups = [
        {"and": [{"rr_attributes.class": {"=": "Collisions18"}}, {"name": {"=": PROMPT}}]},
        {"and": [{"rr_attributes.class": {"=": "Cosmics18"}}, {"name": {"=": "online"}}]},
    ]
    assert count(seeded, {"or": groups}) == 24  # meant are 12: online rows of collisions come along


@pytest.mark.parametrize(
    ("node", "matching"),
    [
        ({"or": [COSMICS, {"run_number": 317291}]}, 2),  # one table for runs
        ({"dataset_attributes.tracker_state": "OPEN"}, "column Run.dataset_attributes.tracker_state does not exist"),
        ({"name": "online"}, "column Run.name does not exist"),
        ({"triplet_summary.tracker-strip.STANDBY": {">": 0}}, 2),
    ],
)
def test_filters_of_runs(seeded, node, matching):
    assert count(seeded, node, "runs") == matching


def test_hidden_datasets_show_only_by_name(seeded):
    name = "/ReReco/Run2018_UL2018/DQM"
    assert count(seeded, {"run_number": 317297, "name": name}) == 0
    body = {"run_number": 317297, "dataset_name": name}
    assert post_json(seeded.url + "/runregistry/datasets/get_dataset", body).json["deleted"] is True


def test_dataset_without_summary_is_not_listed():
    template = next(data for data in world().registry_datasets() if data["name"] == PROMPT)
    bare = {**template, "name": "/Bare/X/DQM", "DatasetTripletCache": None}
    with CernServer(world=SeededWorld(), login=False) as server:
        server.add_rows("runregistry", [bare])
        assert count(server, {"name": "/Bare/X/DQM"}) == 0
        body = {"run_number": bare["run_number"], "dataset_name": "/Bare/X/DQM"}
        found = post_json(server.url + "/runregistry/datasets/get_dataset", body).json
    assert found["DatasetTripletCache"] is None


@pytest.mark.parametrize(("size", "rows", "pages"), [(None, 45, None), (0, 0, None), ("7", 7, 7), (2.5, 3, 18)])
def test_page_sizes(seeded, size, rows, pages):
    body = {"page": 0, "page_size": size, "filter": {}, "sortings": []}
    answer = post_json(seeded.url + "/runregistry/datasets_filtered_ordered", body).json
    assert (len(answer["datasets"]), answer["pages"], answer["count"]) == (rows, pages, 45)


def pages_of(server: CernServer, sortings: list, size: int = 49) -> list[tuple[int, str]]:
    keys, page, pages = [], 0, 1
    while page < pages:
        body = {"page": page, "page_size": size, "filter": {"name": {"like": "/%"}}, "sortings": sortings}
        answer = post_json(server.url + "/runregistry/datasets_filtered_ordered", body).json
        keys += [(row["run_number"], row["name"]) for row in answer["datasets"]]
        pages, page = answer["pages"], page + 1
    assert len(keys) == answer["count"]
    return keys


def test_pages_are_consistent_only_under_a_total_order(server):
    total = pages_of(server, [["run_number", "ASC"], ["name", "ASC"]])
    assert total == sorted(set(total))
    assert pages_of(server, [["name", "asc"], ["run_number", "ASC"]]) == sorted(total, key=lambda key: key[::-1])
    assert pages_of(server, []) == sorted(total, key=lambda key: (-key[0], key[1]))
    for sortings in ([["name", "ASC"]], [["run_number", "DESC"]], [["dataset_attributes.tracker_state", "ASC"]]):
        assert len(set(pages_of(server, sortings))) < len(total)


def test_new_run_shifts_the_default_order_between_pages():
    template = next(data for data in world().registry_datasets() if data["name"] == "online")
    newest = {**template, "run_number": 999999, "Run": {**template["Run"], "run_number": 999999}}

    def insert(service: str, path: str) -> None:
        if len(server.log) == 1:
            server.add_rows("runregistry", [newest])

    with CernServer(world=SeededWorld(), login=False) as server:
        server.on_request = insert
        url, body = (
            server.url + "/runregistry/datasets_filtered_ordered",
            {"filter": {}, "page_size": 10, "sortings": []},
        )
        first, second = (post_json(url, {**body, "page": page}).json for page in (0, 1))
    assert (first["count"], second["count"]) == (45, 46)
    assert second["datasets"][0]["name"] == first["datasets"][-1]["name"]


def test_etag_of_get(seeded):
    url = seeded.url + "/runregistry/runs/317291"
    tag = fetch(url).headers["ETag"]
    assert fetch(url, headers={"If-None-Match": tag}).status == 304


# ---------------------------------------------------------------------------------------- login and tokens


@pytest.fixture(scope="module")
def guarded():
    with CernServer(world=SeededWorld()) as running:
        yield running


def test_without_login_the_way_leads_to_html(guarded):
    for path in ("/oms/runs", "/runregistry/runs/317291", "/doctor/json/runs/"):
        assert fetch(guarded.url + path).status == 302
        page = fetch(guarded.url + path, follow=True)
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"Sign in" in page.body
    assert "/accounts/login/" in fetch(guarded.url + "/doctor/json/runs/").headers["Location"]
    assert fetch(guarded.url + "/certhelper/certify/allRunsRefRuns/").json


def test_tokens_name_an_audience_and_expire(guarded):
    answer = token(guarded, "cmsoms-prod")
    assert answer.json["expires_in"] == 1200
    bearer = {"Authorization": "Bearer " + answer.json["access_token"]}
    assert fetch(guarded.url + "/oms/runs", headers=bearer).status == 200
    assert fetch(guarded.url + "/runregistry/runs/317291", headers=bearer).status == 302
    registry = token(guarded, "cmsrunregistry-sso-proxy").json["access_token"]
    other = {"Authorization": f"Bearer {registry}"}
    assert fetch(guarded.url + "/runregistry/runs/317291", headers=other).json["run_number"] == 317291
    guarded.expire_tokens()
    assert fetch(guarded.url + "/oms/runs", headers=bearer).status == 401
    assert fetch(guarded.url + "/runregistry/runs/317291", headers=other).status == 401


def test_tokens_die_with_their_lifetime():
    with CernServer(world=SeededWorld(), token_lifetime=0.05) as server:
        bearer = {"Authorization": "Bearer " + token(server, "cmsoms-prod").json["access_token"]}
        assert fetch(server.url + "/oms/eras", headers=bearer).status == 200
        time.sleep(0.06)
        assert fetch(server.url + "/oms/eras", headers=bearer).status == 401


def test_wrong_credentials(guarded):
    refused = token(guarded, "cmsoms-prod", secret="wrong")
    assert (refused.status, refused.json["error"]) == (401, "unauthorized_client")
    assert token(guarded, "nobody").status == 400


def test_cookie_file_opens_doctor_oms_and_registry(guarded, tmp_path):
    jar = MozillaCookieJar(guarded.write_cookies(tmp_path / "cookies.txt"))
    jar.load()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), _NoRedirect)
    for path in ("/doctor/json/problems/", "/oms/eras", "/runregistry/runs/317291"):
        with opener.open(guarded.url + path, timeout=10) as response:
            assert json.loads(response.read())


# ------------------------------------------------------------------------------------------------ RestHub

ROWS = (
    "select a.run_number run_number, a.rda_name rda_name, a.rda_cmp_pixel_comment note from runreg_tracker.datasets a"
)
ORDERED = ROWS + " where a.run_number > :n__first order by a.run_number, a.rda_name"


def query(server: CernServer, sql: str) -> str:
    answer = fetch(server.env["TKSTUDIES_RESTHUB_URL"] + "/query", sql.encode())
    assert answer.status == 200, answer.body
    return f"{server.env['TKSTUDIES_RESTHUB_URL']}/query/{answer.body.decode()}"


def test_resthub_pages_add_up_and_the_unpaged_answer_is_cut(server):
    url = query(server, ORDERED)
    assert url == query(server, ORDERED)
    assert fetch(url + "?_verbose").json["rowsLimit"] == 1000
    total = int(fetch(url + "/count?first=0").body)
    assert total > 1000
    assert len(fetch(url + "/data?first=0&_inclob=True").json["data"]) == 1000
    pages = [fetch(f"{url}/page/900/{page}/data?n__first=0&_inclob=True").json["data"] for page in (1, 2, 3)]
    rows = [tuple(row) for page in pages for row in page]
    assert len(set(rows)) == len(rows) == total
    assert fetch(f"{url}/page/1001/1/data?first=0").status == 400
    assert fetch(url + "/count").status == 400  # the parameter is missing


def test_resthub_pages_without_order_do_not_fit(server):
    url = query(server, ROWS)
    rows = [tuple(row[:2]) for page in (1, 2, 3) for row in fetch(f"{url}/page/900/{page}/data").json["data"]]
    assert len(set(rows)) < int(fetch(url + "/count").body)


def test_resthub_comments_are_links_unless_inlined(server):
    url = query(server, ROWS + " where a.rda_cmp_pixel_comment is not null order by a.run_number")
    linked, inlined = (fetch(url + "/data?_cols=True" + extra).json for extra in ("", "&_inclob=True"))
    assert linked["cols"] == ["RUN_NUMBER", "RDA_NAME", "NOTE"]
    assert linked["data"][0][2].startswith("http") and not inlined["data"][0][2].startswith("http")


@pytest.mark.parametrize(
    "sql",
    [
        "select run_number from runreg_tracker.datasets",
        "select count(*) from runreg_tracker.datasets a",
        "select a.run_number from datasets a",
        "select max(a.run_number) + 1 from runreg_tracker.datasets a",
        "select a.run_number from runinfo.runs a union select b.run_number from runinfo.runs b",
        "select a.nonsense from runreg_tracker.datasets a",
        "select a.run_number from runreg_tracker.nonsense a",
        "select a.run_number frm runreg_tracker.datasets a",
        "delete from runreg_tracker.datasets",
        "select x.n from (select b.run_number + 1 from runreg_tracker.datasets b) x",
        "",
    ],
)
def test_resthub_refuses(server, sql):
    answer = fetch(server.env["TKSTUDIES_RESTHUB_URL"] + "/query", sql.encode())
    assert answer.status == 400 and answer.body


@pytest.mark.parametrize(
    ("condition", "some"),
    [
        ("a.rda_name like '%Express%'", True),
        ("a.rda_name like '%express%'", False),
        ("a.rda_name <> ''", False),  # '' is null
        ("a.run_number = '317291'", True),
    ],
)
def test_resthub_is_oracle(server, condition, some):
    url = query(server, f"select a.run_number as run_number from runreg_tracker.datasets a where {condition}")
    assert (int(fetch(url + "/count").body) > 0) is some


def test_resthub_aggregates_and_joins(server):
    sql = (
        "select l.runnumber runnumber, min(l.lhcfill) fill, max(l.lumisection) last "
        "from runinfo.lumi_sections l where l.cms_active = 1 group by l.runnumber order by l.runnumber"
    )
    columns = fetch(server.env["TKSTUDIES_RESTHUB_URL"] + "/table/runinfo/lumi_sections").json["columns"]
    names = {column["name"] for column in columns}
    assert {"LHCFILL", "LUMISECTION", "CMS_ACTIVE"} <= names
    if "RUNNUMBER" not in names:
        sql = sql.replace("runnumber", "run_number")
    assert fetch(query(server, sql) + "/data").json["data"]


def test_resthub_queries_die():
    with CernServer(world=world(), login=False) as server:
        url = query(server, "select a.run_number as n from runreg_tracker.datasets a where a.run_number = 317291")
        server.expire_queries()
        assert [fetch(url + part).status for part in ("", "/count", "/data", "/page/10/1/data")] == [400, 404, 404, 404]


# ---------------------------------------------------------------------------------------------------- OMS


def oms(server: CernServer, path: str, **parameters: Any) -> Answer:
    query_text = urllib.parse.urlencode(parameters)
    return fetch(f"{server.env['TKSTUDIES_OMS_URL']}/{path}?{query_text}")


@pytest.mark.parametrize(("resource", "key"), [("runs", "run_number"), ("fills", "fill_number")])
def test_real_oms_records_come_back(server, resource, key):
    for line in (DATA / "oms" / f"{resource}.jsonl").read_text().splitlines():
        record = json.loads(line)
        row = oms(server, resource, include="meta", **{f"filter[{key}][EQ]": record[key]}).json["data"][0]
        units = {f"{name}_unit": unit["units"] for name, unit in row["meta"]["row"].items()}
        assert {**row["attributes"], **units} == record
        assert oms(server, f"{resource}/{record[key]}").json["data"]["attributes"] == row["attributes"]


def test_real_lumisections_come_back(server):
    records = [json.loads(line) for line in (DATA / "oms" / "lumisections_315265.jsonl").read_text().splitlines()]
    found = oms(server, "runs/315265/lumisections", **{"page[limit]": 1000}).json
    assert [row["attributes"] for row in found["data"]] == records
    assert found["meta"]["totalResourceCount"] == len(records)
    fill = oms(server, "runs/315265/fill").json["data"]["attributes"]["fill_number"]
    assert fill == records[0]["fill_number"]


def test_oms_paging_sorting_and_fields(server):
    everything = oms(server, "runs", **{"page[limit]": 100000}).json
    total = everything["meta"]["totalResourceCount"]
    assert len(everything["data"]) == total
    page = oms(server, "runs", sort="-run_number", fields="run_number,b_field", **{"page[offset]": 5}).json
    numbers = sorted((row["attributes"]["run_number"] for row in everything["data"]), reverse=True)
    assert [row["attributes"]["run_number"] for row in page["data"]] == numbers[5:15]  # the default limit is 10
    assert all(set(row["attributes"]) == {"run_number", "b_field"} and "meta" not in row for row in page["data"])


@pytest.mark.parametrize(
    ("filters", "test"),
    [
        ({"run_number][GE": 315262, "run_number][LE": 315270}, lambda run: 315262 <= run["run_number"] <= 315270),
        ({"fill_number][EQ": 6616}, lambda run: run["fill_number"] == 6616),
        ({"stable_beam][EQ": "true"}, lambda run: run["stable_beam"] is True),
        ({"sequence][NEQ": "GLOBAL-RUN"}, lambda run: run["sequence"] not in (None, "GLOBAL-RUN")),
        ({"hlt_key][LIKE": "/cdaq/cosmic%"}, lambda run: (run["hlt_key"] or "").startswith("/cdaq/cosmic")),
        ({"components][CT": "PIXEL"}, lambda run: "PIXEL" in (run["components"] or [])),
        ({"start_time][LT": "2018-05-01"}, lambda run: run["start_time"] < "2018-05-01"),
    ],
)
def test_oms_filters(server, filters, test):
    everything = [row["attributes"] for row in world().oms_rows("runs")]
    parameters = {f"filter[{name}]": value for name, value in filters.items()}
    found = oms(server, "runs", **parameters, **{"page[limit]": 100000}).json["data"]
    assert [row["attributes"] for row in found] == [run for run in everything if test(run)]


def test_oms_errors(server):
    for parameters in ({"filter[nonsense][EQ]": 1}, {"sort": "nonsense"}, {"filter[run_number][XX]": 1}):
        answer = oms(server, "runs", **parameters)
        assert (answer.status, answer.json["errors"][0]["status"]) == (400, "400")
    assert oms(server, "runs/1").status == 404
    assert oms(server, "nonsense").status == 404


def test_oms_rates_by_lumisection(server):
    by_run = oms(server, "hltpathrates", **{"filter[run_number][EQ]": 315270}).json["meta"]["totalResourceCount"]
    parameters = {"group[granularity]": "lumisection", "filter[last_lumisection_number][GT]": 0}
    fine = oms(server, "hltpathrates", **{"filter[run_number][EQ]": 315270}, **parameters).json
    assert fine["meta"]["totalResourceCount"] > by_run > 0
    assert all(row["attributes"]["last_lumisection_number"] > 0 for row in fine["data"])
    assert "rate" in oms(server, "hltpathrates/meta").json["meta"]["fields"]


def test_oms_rows_shift_while_paging():
    with CernServer(world=world(), login=False) as server:
        first = oms(server, "runs").json
        new = {**world().oms_rows("runs")[0], "id": "999999"}
        server.add_rows("oms", [new], "runs")
        second = oms(server, "runs", **{"page[offset]": 10}).json
    assert second["data"][0] == first["data"][-1]
    assert second["meta"]["totalResourceCount"] == first["meta"]["totalResourceCount"] + 1


# ------------------------------------------------------------------------------------------------ DQM GUI

MAP = "/Tracking/TrackParameters/GeneralProperties/TrackEtaPhi_ImpactPoint_GenTk"


def test_real_histogram_byte_for_byte(server):
    answer = fetch(f"{server.env['TKSTUDIES_DQM_URL']}/online/jsonfairy/archive/321012/Global/Online/ALL{MAP}")
    assert answer.body == (DATA / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json").read_bytes()
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["321012/Global/Online/ALL/No/Such%20Plot%23", "1/Global/Online/ALL/Tracking"])
def test_missing_histogram_is_no_404(server, path):
    answer = fetch(f"{server.env['TKSTUDIES_DQM_URL']}/online/jsonfairy/archive/{path}")
    assert (answer.status, answer.json) == (200, {"hist": "unsupported type"})


def test_bad_address_is_a_plain_text_exception(server):
    answer = fetch(f"{server.env['TKSTUDIES_DQM_URL']}/offline/jsonfairy/archive/abc")
    assert (answer.status, answer.body[:9]) == (200, b"Exception")


def samples(server: CernServer, **parameters: str) -> list[dict]:
    url = f"{server.env['TKSTUDIES_DQM_URL']}/offline/data/json/samples?{urllib.parse.urlencode(parameters)}"
    return [item for group in fetch(url).json["samples"] for item in group["items"]]


def test_samples_take_regular_expressions(server):
    items = samples(server, run="^(321012|317292)$", match="/StreamExpress/")
    assert {item["run"] for item in items} == {"321012", "317292"}
    assert "/StreamExpress/Run2018D-Express-v1/DQMIO" in {item["dataset"] for item in items}
    assert set(items[0]) == {"type", "run", "dataset", "version", "importversion"}
    assert len(samples(server, run="32101")) > len(samples(server, run="^321012$")) > 0
    assert samples(server, run="^1$") == []


def test_folders(server):
    base = f"{server.env['TKSTUDIES_DQM_URL']}/online/data/json/archive/321012/Global/Online/ALL"
    assert {"subdir": "TrackParameters"} in fetch(base + "/Tracking").json["contents"]
    contents = fetch(base + "/Info/ProvInfo").json["contents"]
    assert "value" in next(entry for entry in contents if entry.get("obj") == "runIsComplete")


def _summaries(server, folder, run=317291):
    base = f"{server.env['TKSTUDIES_DQM_URL']}/offline/data/json/archive/{run}/StreamExpress/Run2018B-Express-v1/DQMIO"
    contents = fetch(f"{base}/{folder}").json["contents"]
    return contents, {entry["obj"]: entry for entry in contents if "obj" in entry}


def test_listing_with_statistics(server):
    """The members are those of objectToJSON in the server's source."""
    folder = "Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties"
    contents, objects = _summaries(server, folder)
    assert contents[0] == {"streamerinfo": ""}
    assert contents[-2:] == [{"subdir": "Pixel"}, {"subdir": "Strip"}]
    hits = objects["NumberOfRecHitsPerTrack_GenTk"]
    assert list(hits) == ["obj", "path", "properties", "tag", "qresults", "nentries", "stats", "rootobj"]
    assert hits["path"] == f"{folder}/{hits['obj']}"
    assert (hits["properties"]["kind"], hits["properties"]["type"]) == ("ROOT", "TH1F")
    assert set(hits["properties"]["report"]) == {"alarm", "error", "warn", "other"}
    assert {"status", "result", "name", "algorithm", "message"} == hits["qresults"][0].keys()
    assert {axis: list(numbers) for axis, numbers in hits["stats"].items()} == {
        axis: ["nbins", "mean", "rms", "min", "max"] for axis in "xyz"
    }
    assert [hits["stats"]["x"][name] for name in ("nbins", "min", "max")] == [40, -0.5, 39.5]
    _, scalars = _summaries(server, "Info/ProvInfo")
    assert scalars["runIsComplete"]["value"] == "1"
    assert scalars["runIsComplete"]["properties"]["kind"] == "SCALAR"


def test_listing_of_what_is_not_finite(server):
    run = next(run for run in sorted(server.world.runs) if run > 317291 and run % 11 == 0)
    _, objects = _summaries(server, "PixelPhase1/Tracks", run)
    texts = {(o["stats"]["x"]["mean"], o["stats"]["x"]["rms"]) for o in objects.values() if "residual_x" in o["obj"]}
    assert ("NaN or Inf", "Nan or Inf") in texts, objects


def test_listing_of_a_folder_that_is_not_there(server):
    assert _summaries(server, "No/Such")[0] == [{"streamerinfo": ""}]
    assert _summaries(server, "No/Such", run=1)[0] == []


def test_session_walk():
    with CernServer(world=world(), login=False) as server:
        base = server.env["TKSTUDIES_DQM_URL"] + "/offline/"
        page = fetch(base)
        assert page.headers["Content-Type"].startswith("text/html")
        walk = base + "session/" + re.search(rb"session/(\w+)'", page.body)[1].decode()
        modify = walk + "/modify?vary=any;pat=32101"
        assert b"Bad Page" in fetch(modify).body  # before chooseSample
        assert fetch(walk + "/chooseSample?vary=run;order=dataset").status == 200
        literal = ast.literal_eval(fetch(modify).body.decode())
        groups = {group["type"]: group["items"] for group in literal[1]["items"]}
        expected = [item for item in samples(server) if item["run"].startswith("32101")]
        assert groups["offline_data"] == expected
        assert next(iter(groups)) != "offline_data"
        assert ast.literal_eval(fetch(walk + "/modify?pat=1999999").body.decode())[1]["items"] == []
        server.expire_sessions()
        ended = fetch(modify)
        assert (ended.status, b"Bad Page" in ended.body) == (200, True)


# ----------------------------------------------------------------------------------- doctor, helper, WBM


def test_doctor_and_certification_helper(server):
    for path, rows in (
        ("/doctor/json/runs/", world().doctor_runs),
        ("/doctor/json/problem_runs/", world().doctor_problem_runs),
        ("/doctor/json/problems/", world().doctor_problems),
        ("/certhelper/certify/allRunsRefRuns/", world().certhelper_reference_runs),
    ):
        assert fetch(server.url + path).json == json.loads(json.dumps(rows)) != []


def test_wbm_is_xml_newest_first(server):
    numbers = sorted(int(run["run"]) for run in world().wbm_runs)
    first, last = numbers[3], numbers[8]
    answer = fetch(f"{server.env['TKSTUDIES_WBM_URL']}/RunSummary?RUN_BEGIN={first}&RUN_END={last}&FORMAT=XML")
    assert [int(number) for number in re.findall(rb"<run>(\d+)</run>", answer.body)] == numbers[3:9][::-1]
    one = fetch(f"{server.env['TKSTUDIES_WBM_URL']}/RunSummary?RUN={first}&FORMAT=XML").body
    assert one.startswith(b"<?xml") and one.count(b"<runInfo>") == 1


# ------------------------------------------------------------------------------------------ server, faults


def test_keep_alive_log_and_speed(server):
    before, connections = len(server.log), server.connections
    client = http.client.HTTPConnection("127.0.0.1", int(server.url.rsplit(":", 1)[1]), timeout=10)
    start = time.perf_counter()
    for _ in range(300):
        client.request("GET", "/oms/eras?page[limit]=1")
        client.getresponse().read()
    assert time.perf_counter() - start < 2  # some 0.15 s alone; a delayed acknowledgement would cost 40 ms each
    client.close()
    assert server.connections == connections + 1
    entries = server.log[before:]
    assert {entry[:4] for entry in entries} == {("oms", "GET", "/eras?page[limit]=1", 200)}
    assert len({entry.connection for entry in entries}) == 1


def test_latency_and_parallel_connections():
    with CernServer(world=world(), login=False, latency=0.05) as server:
        threads = [threading.Thread(target=fetch, args=(server.url + "/oms/eras",)) for _ in range(8)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.perf_counter() - start >= 0.05
        assert server.connections == 8
        assert 1 < server.peak_connections <= 8


def faulty(kind: str, **options: Any) -> CernServer:
    return CernServer(world=SeededWorld(), login=False, faults=Faults([kind], rate=1.0, max_repeat=1, **options))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("repeated_rows", "token_expiry")])
def test_every_fault_shows_once_and_then_lets_go(kind):
    with faulty(kind, hang_seconds=0.1, slow_seconds=0.1) as server:
        url = server.url + "/oms/eras"
        start = time.perf_counter()
        try:
            answer = fetch(url)
        except (OSError, http.client.HTTPException) as error:
            outcome: Any = type(error.reason if isinstance(error, urllib.error.URLError) else error)
        else:
            outcome = answer
        elapsed = time.perf_counter() - start
        good = fetch(url)
        assert server.faults.injected == {(kind, "oms"): 1}
    assert good.status == 200 and good.json["data"]
    checks = {
        "reset": lambda: outcome is ConnectionResetError,
        "truncated": lambda: outcome is http.client.IncompleteRead,
        "hang": lambda: outcome is http.client.RemoteDisconnected and elapsed >= 0.1,
        "slow": lambda: outcome.body == good.body and elapsed >= 0.09,
        "429": lambda: outcome.status == 429 and outcome.headers["Retry-After"] in ("0", "1"),
        "500": lambda: outcome.status == 500,
        "502": lambda: outcome.status == 502,
        "503": lambda: outcome.status == 503 and outcome.headers["Retry-After"] in ("0", "1"),
        "login_page": lambda: outcome.status == 200 and b"Sign in" in outcome.body,
        "login_redirect": lambda: outcome.status == 302 and "/login" in outcome.headers["Location"],
        "bad_json": lambda: outcome.status == 200 and good.body.startswith(outcome.body),
        "empty": lambda: outcome.status == 200 and outcome.body == b"",
        "wrong_type": lambda: outcome.status == 200 and outcome.json == ["unexpected"],
        "html_error": lambda: outcome.status == 200 and outcome.body.startswith(b"<html>"),
    }
    assert checks[kind](), outcome


def test_token_expiry_needs_a_new_token():
    with CernServer(world=SeededWorld(), faults=Faults(["token_expiry"], rate=1.0, max_repeat=1)) as server:
        old, new = ({"Authorization": "Bearer " + token(server, "cmsoms-prod").json["access_token"]} for _ in "12")
        assert fetch(server.url + "/oms/eras", headers=old).status == 401
        assert fetch(server.url + "/oms/eras", headers=old).status == 401  # dead for good
        assert fetch(server.url + "/oms/eras", headers=new).status in (200, 401)
        assert server.faults.injected["token_expiry", "oms"] >= 1


def test_repeated_rows_drop_as_many():
    with faulty("repeated_rows") as server:
        first = oms(server, "runs", **{"page[limit]": 5}).json["data"]
        spoilt, right = (oms(server, "runs", **{"page[limit]": 5, "page[offset]": 5}).json["data"] for _ in "12")
        assert spoilt == [*first[-2:], *right[:-2]]
        body = {"filter": {}, "sortings": [], "page_size": 5}
        url = server.url + "/runregistry/datasets_filtered_ordered"
        listed = [post_json(url, {**body, "page": page}).json["datasets"] for page in (0, 1)]
        assert listed[1][:2] == listed[0][-2:]
        sql = query(server, "select a.run_number n from runreg_tracker.datasets a order by a.run_number, a.rda_name")
        pages = [fetch(f"{sql}/page/5/{page}/data").json["data"] for page in (1, 2)]
        assert pages[1][:2] == pages[0][-2:]
        assert {service for _, service in server.faults.injected} == {"oms", "runregistry", "resthub"}


def test_faults_are_deterministic_bounded_and_at_the_rate():
    def run(seed: int) -> list[str | None]:
        faults = Faults(["500", "reset"], rate=0.3, seed=seed, services=["oms"])
        assert faults.choose("dqm", "GET /") is None
        return [faults.choose("oms", f"GET /{number % 200}") for number in range(2000)]

    chosen = run(1)
    assert chosen == run(1) != run(2)
    assert 0.2 < sum(kind is not None for kind in chosen) / len(chosen) < 0.35
    for request in range(200):
        attempts = [kind is not None for kind in chosen[request::200]]
        assert [True] * 3 not in [attempts[i : i + 3] for i in range(len(attempts) - 2)]
    with pytest.raises(ValueError, match="no such fault"):
        Faults(["nonsense"])


def test_command_line_prints_an_environment_and_serves():
    command = [sys.executable, "-m", "tests.cern", "--fault", "500", "502", "--fault-rate", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=DATA.parent.parent) as process:
        lines = iter(process.stdout.readline, "# serving until Ctrl-C\n")
        env = dict(re.fullmatch(r"export (\w+)=(.*)\n", line).groups() for line in lines)
        assert fetch(env["TKSTUDIES_OMS_URL"] + "/eras").status == 302
        jar = MozillaCookieJar(env["TKSTUDIES_COOKIES"])
        jar.load()
        assert {cookie.name for cookie in jar} == {"sessionid", "mod_auth_openidc_session"}
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
