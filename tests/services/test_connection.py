"""The HTTP layer: what it retries, what it reports, and that no secret leaves it."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.cern.faults import Faults
from tests.cern.server import CernServer
from tkstudies.errors import LoginError, ServiceError, Unreachable
from tkstudies.services.web import concurrency, endpoints, sso
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.shared import finish
from tkstudies.settings import current

RUNS = {"sort": "run_number", "page[limit]": 20, "filter[sequence][EQ]": "GLOBAL-RUN"}
DATASETS = {"page": 0, "page_size": 10, "filter": {"run_number": {"=": 317297}}, "sortings": [["name", "ASC"]]}
RETRIED = ["reset", "truncated", "slow", "429", "500", "502", "503", "bad_json", "empty", "html_error"]
LOGINS = ["login_page", "login_redirect", "token_expiry"]


@pytest.fixture(autouse=True)
def fresh(quick_retries):
    """Settings of a new process, quick retries, nothing shared with the test before."""
    current.reset()
    yield
    finish()


@pytest.fixture
def serve(monkeypatch, world):
    """Start a server with faults and use it."""
    running = []

    def start(**options):
        server = CernServer(world=world, **options).__enter__()
        running.append(server)
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        return server

    yield start
    for server in running:
        server.__exit__(None, None, None)


def ask(service):
    with Connection(service) as connection:
        if service is endpoints.OMS:
            return [row["attributes"]["run_number"] for row in connection.get_json("/runs", RUNS)["data"]]
        return [row["name"] for row in connection.post_json("/datasets_filtered_ordered", DATASETS)["datasets"]]


@pytest.mark.parametrize("service", [endpoints.OMS, endpoints.RUNREG], ids=["oms", "runreg"])
@pytest.mark.parametrize("kind", RETRIED + LOGINS)
def test_a_fault_that_passes_is_not_noticed(kind, service, fail, capfd):
    fail([kind], rate=1.0, max_repeat=2, retry_after=0, slow_seconds=0.01)
    answer = ask(service)
    assert len(answer) == (20 if service is endpoints.OMS else 4)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("reset", ServiceError, ["OMS breaks off the connection", "/oms/runs", "given up after 10 tries"]),
        ("truncated", ServiceError, ["OMS broke off in the middle of an answer"]),
        ("500", ServiceError, ["OMS answers 500", "given up after 10 tries"]),
        ("503", ServiceError, ["OMS answers 503"]),
        ("empty", ServiceError, ["OMS sent an empty answer", "given up after 5 tries"]),
        ("bad_json", ServiceError, ["OMS sent something that isn't JSON"]),
        ("html_error", ServiceError, ["OMS sent HTML"]),
        ("login_page", LoginError, ["not logged in to OMS", "answers with a login page", "SSO_CLIENT_ID"]),
        ("login_redirect", LoginError, ["not logged in to OMS", "redirects to"]),
        ("token_expiry", LoginError, ["not logged in to OMS", "is refused (401)"]),
    ],
)
def test_a_fault_that_stays_is_named(kind, error, words, fail, live):
    fail([kind], rate=1.0, max_repeat=1000, retry_after=0)
    with pytest.raises(error) as raised:
        ask(endpoints.OMS)
    message = str(raised.value)
    assert all(word in message for word in words), message
    assert live.env["SSO_CLIENT_SECRET"] not in message
    assert "\n" not in message


def test_an_unexpected_shape_is_retried_then_named(serve):
    serve(faults=Faults(["wrong_type"], rate=1.0, max_repeat=2))
    with Connection(endpoints.OMS) as connection:
        assert len(connection.get_json("/runs", RUNS, expect=lambda page: page["data"])) == 20
    serve(faults=Faults(["wrong_type"], rate=1.0, max_repeat=100))
    with Connection(endpoints.OMS) as connection, pytest.raises(ServiceError, match="unexpected shape"):
        connection.get_json("/runs", RUNS, expect=lambda page: page["data"])


def test_a_silent_server_is_given_up(serve, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_TIMEOUT", "0.1")
    serve(faults=Faults(["hang"], rate=1.0, max_repeat=1000, hang_seconds=1.0))
    with pytest.raises(ServiceError, match=r"OMS sent nothing for 0\.1 s"):
        ask(endpoints.OMS)


def test_the_budget_of_a_request_is_kept(serve, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.5")
    serve(faults=Faults(["503"], rate=1.0, max_repeat=1000, retry_after=1))
    start = time.monotonic()
    with pytest.raises(ServiceError, match="OMS answers 503"):
        ask(endpoints.OMS)
    assert time.monotonic() - start < 5


def test_retry_after_is_honoured(serve):
    serve(faults=Faults(["429"], rate=1.0, max_repeat=1, retry_after=1))
    start = time.monotonic()
    ask(endpoints.OMS)
    assert time.monotonic() - start > 1


def test_nobody_listens():
    with pytest.raises(Unreachable) as raised:
        ask(endpoints.RUNREG)
    assert "Run Registry can't be reached" in str(raised.value)
    assert "set TKSTUDIES_RUNREG_URL" in str(raised.value)


def test_somebody_who_hangs_up_is_reached(fail):
    fail(["reset"], rate=1.0, max_repeat=1000)
    with pytest.raises(ServiceError) as raised:
        ask(endpoints.OMS)
    assert not isinstance(raised.value, Unreachable) and "TKSTUDIES_OMS_URL" not in str(raised.value)


def test_an_inside_host_names_the_tunnel(monkeypatch):
    monkeypatch.setenv("TKSTUDIES_RESTHUB_URL", "http://127.0.0.1:9")
    with Connection(endpoints.RESTHUB) as connection, pytest.raises(ServiceError, match="ssh -D 1080"):
        connection.get_json("/tables")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://me:hunter2@127.0.0.1:9", "holds a user name"),
        ("me:hunter2@host", "holds a user name"),
        ("http://me:hunter2@[::1", "holds a user name"),
        ("localhost:80/oms", "is not an http"),
        ("ftp://host/oms", "is not an http"),
        ("http://", "is not an http"),
        ("http://[::1", "is not an http"),
        ("oms", "is not an http"),
    ],
)
def test_what_is_no_address_is_told_without_its_password(monkeypatch, url, told):
    monkeypatch.setenv("TKSTUDIES_OMS_URL", url)
    with pytest.raises(ServiceError, match=f"TKSTUDIES_OMS_URL {told}") as raised:
        ask(endpoints.OMS)
    assert "hunter2" not in str(raised.value)


def test_wrong_credentials(serve, monkeypatch):
    serve()
    monkeypatch.setenv("SSO_CLIENT_SECRET", "wrong-secret-1234")
    with pytest.raises(LoginError) as raised:
        ask(endpoints.OMS)
    assert "check SSO_CLIENT_ID and SSO_CLIENT_SECRET" in str(raised.value)
    assert "wrong-secret-1234" not in str(raised.value)
    assert 'refuses (401 ({"error": "unauthorized_client"' in str(raised.value)  # the endpoint's own words


def test_no_credentials(serve, monkeypatch):
    serve()
    monkeypatch.delenv("SSO_CLIENT_ID")
    with pytest.raises(LoginError, match=r"not logged in to OMS: .* SSO_CLIENT_ID and SSO_CLIENT_SECRET"):
        ask(endpoints.OMS)


def test_credentials_come_from_a_dotenv_file_above_the_folder(serve, monkeypatch, tmp_path):
    server = serve()
    for name in ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    lines = [f"{name}={server.env[name]}" for name in ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET")]
    (tmp_path / ".env").write_text("\n".join([*lines, "TKSTUDIES_OMS_URL=http://elsewhere"]))
    monkeypatch.chdir(folder)
    assert len(ask(endpoints.OMS)) == 20


def test_one_token_serves_all_threads(serve):
    server = serve()
    with Connection(endpoints.OMS, workers=8) as connection:
        results = concurrency.in_order(
            lambda n: connection.get_json(f"/runs/{n}"), [315257, 315259, 315265] * 10, workers=8
        )
        assert all(not isinstance(result, Exception) for _, result in results)
    assert sum(entry.service == "sso" for entry in server.log) == 1
    assert server.peak_connections <= 9


def test_a_token_is_renewed_before_it_expires(serve):
    server = serve(token_lifetime=2)
    ask(endpoints.OMS)
    time.sleep(1.2)
    ask(endpoints.OMS)
    assert [entry.status for entry in server.log if entry.service == "oms"] == [200, 200]
    assert sum(entry.service == "sso" for entry in server.log) == 2


def test_connections_are_kept_and_bounded(serve):
    server = serve(latency=0.01)
    with Connection(endpoints.OMS, workers=4) as connection:
        for _, result in concurrency.in_order(lambda n: connection.get_json(f"/runs/{n}"), [315257] * 80, workers=4):
            assert result["data"]
    assert len([entry for entry in server.log if entry.service == "oms"]) == 80
    assert server.connections <= 5  # four, and one for the token


def test_secrets_are_only_sent_over_https(monkeypatch, serve):
    serve()
    monkeypatch.setenv("TKSTUDIES_SSO_URL", "http://auth.example.org/token")
    with pytest.raises(ServiceError, match="TKSTUDIES_SSO_URL must be https"):
        ask(endpoints.OMS)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://auth.example.org/token", True),
        ("https://127.0.0.1/token", True),
        ("http://127.0.0.1:9/token", True),
        ("http://localhost/token", True),
        ("http://10.0.0.1/token", False),
        ("http://localhost.example.org/token", False),
    ],
)
def test_where_a_secret_may_go(url, is_allowed, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_SSO_URL", url)
    if is_allowed:
        assert sso.endpoint() == url
    else:
        with pytest.raises(ServiceError, match="TKSTUDIES_SSO_URL must be https"):
            sso.endpoint()


# --- many at once


def test_results_come_in_order_and_lazily():
    taken = []

    def items():
        for number in range(200):
            taken.append(number)
            yield number

    def slow(number):
        time.sleep(0.002 * (number % 5))
        if number == 7:
            raise ValueError("seven")
        return number * 2

    results = concurrency.in_order(slow, items(), workers=4, ahead=3)
    first = [next(results) for _ in range(10)]
    assert len(taken) <= 10 + 12 + 1
    assert [item for item, _ in first] == list(range(10))
    assert isinstance(first[7][1], ValueError)
    assert [result for item, result in results] == [2 * number for number in range(10, 200)]


def test_leaving_early_stops_the_work():
    """Of the tasks that are waiting then, none begins."""
    begun, waiting, left = [], threading.Event(), threading.Event()

    def items():
        yield from range(15)
        waiting.set()
        yield 15

    def work(number):
        begun.append(number)
        if number == 0:
            waiting.wait(5)
        elif number > 3:
            left.wait(5)

    results = concurrency.in_order(work, items(), workers=4, ahead=4)
    assert next(results)[0] == 0
    results.close()
    left.set()
    time.sleep(0.1)
    assert set(begun) <= set(range(8))


# --- replay and record


def test_recordings_replay_without_a_socket(serve, tmp_path, monkeypatch):
    serve()
    current.use_record(str(tmp_path / "tape"))
    live = ask(endpoints.OMS), ask(endpoints.RUNREG)
    finish()
    files = list((tmp_path / "tape").iterdir())
    text = "".join(file.read_text() for file in files)
    assert len(files) == 1
    assert "https://cmsoms.cern.ch/agg/api/v1/runs" in text
    for secret in ("Bearer", "not-a-real-secret", "127.0.0.1", "ookie"):
        assert secret not in text
    current.reset()
    current.use_replay(str(tmp_path / "tape"))
    monkeypatch.setenv("TKSTUDIES_OMS_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("SSO_CLIENT_ID")
    assert (ask(endpoints.OMS), ask(endpoints.RUNREG)) == live


def test_an_address_in_another_spelling_is_recorded_as_any_other(serve, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.setenv("TKSTUDIES_OMS_URL", server.env["TKSTUDIES_OMS_URL"].replace("127.0.0.1", "LOCALHOST"))
    current.use_record(str(tmp_path / "tape"))
    live = ask(endpoints.OMS)
    finish()
    (file,) = (tmp_path / "tape").iterdir()
    (exchange,) = json.loads(file.read_text())["interactions"]
    assert exchange["request"]["uri"].startswith("https://cmsoms.cern.ch/agg/api/v1/runs?")
    assert "localhost" not in file.read_text().lower()
    current.reset()
    current.use_replay(str(tmp_path / "tape"))
    assert ask(endpoints.OMS) == live


def test_of_the_way_to_a_login_page_the_query_is_not_recorded(serve, tmp_path):
    """It may hold the state of a session."""
    serve(faults=Faults(["login_redirect"], rate=1.0, max_repeat=1000))
    current.use_record(str(tmp_path))
    with pytest.raises(LoginError):
        ask(endpoints.OMS)
    finish()
    (file,) = tmp_path.iterdir()
    kept = [e["response"]["headers"]["location"] for e in json.loads(file.read_text())["interactions"]]
    assert kept and all(one.endswith("/login/auth/realms/cern") for (one,) in kept)
    assert "redirect_uri" not in file.read_text()


def test_a_request_that_was_not_recorded_is_named(tmp_path):
    (tmp_path / "tape.json").write_text('{"version": 1, "interactions": []}')
    current.use_replay(str(tmp_path))
    with pytest.raises(
        ServiceError, match=r"not in the cassettes of .*: GET https://cmsoms\.cern\.ch/agg/api/v1/runs\?filter"
    ):
        ask(endpoints.OMS)


@pytest.mark.parametrize("text", ["", "[]", '{"interactions": [1]}', "{", '{"interactions": [{"request": {}}]}'])
def test_what_is_not_a_cassette_is_named(text, tmp_path, tkstudies):
    (tmp_path / "tape.json").write_text(text)
    result = tkstudies("oms", "runs", "--run", "315257", "--replay", tmp_path)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert f"{tmp_path / 'tape.json'} is not a cassette" in result.stderr


def test_yaml_cassettes_of_vcrpy_replay_too(tmp_path, serve, monkeypatch):
    import vcr

    server = serve(login=False)
    with vcr.use_cassette(str(tmp_path / "tape.yaml")):
        live = ask(endpoints.OMS)
    tape = tmp_path / "tape.yaml"
    tape.write_text(tape.read_text().replace(server.env["TKSTUDIES_OMS_URL"], endpoints.OMS.default))
    current.use_replay(str(tmp_path))
    assert ask(endpoints.OMS) == live


def test_replay_is_safe_with_threads_and_order_of_repeats(tmp_path):
    def exchange(number, body):
        return {
            "request": {"method": "GET", "uri": f"{endpoints.OMS.default}/runs/{number}", "body": None, "headers": {}},
            "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": json.dumps(body)}},
        }

    tape = [exchange(n, {"n": n}) for n in range(500)] + [exchange(0, {"n": "second"})]
    (tmp_path / "tape.json").write_text(json.dumps({"version": 1, "interactions": tape}))
    current.use_replay(str(tmp_path))
    with Connection(endpoints.OMS, workers=16) as connection:
        results = concurrency.in_order(lambda n: connection.get_json(f"/runs/{n}")["n"], range(500), workers=16)
        assert [result for _, result in results] == list(range(500))
        assert connection.get_json("/runs/0")["n"] == "second"
        assert connection.get_json("/runs/0")["n"] == "second"
