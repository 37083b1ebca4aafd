"""Nothing that one logs in with is in anything that is written: records, messages, logs, errors, cassettes."""

from __future__ import annotations

import json

import pytest

from tests.cern.faults import Faults, Reply
from tests.cern.server import CLIENT_SECRET, CernServer
from tkstudies.settings import current

COMMANDS = {
    "runreg": "runreg --min 317280 --max 317400",
    "oms": "oms runs --min 317280 --max 317400",
    "oms refuses": "oms get nonsense",
    "dqm": "dqm --collection tracking --plot /No/Such --run 317291 --reco express --errors errors.jsonl",
    "doctor": "doctor runs --cookies cookies.txt",
    "oms with cookies": "oms runs --run 317291 --cookies cookies.txt",
    "runreg with cookies": "runreg --run 317291 --cookies cookies.txt",
    "check": "check --cookies cookies.txt",
}
FAULTS = ["", "500", "429", "reset", "truncated", "login_page", "login_redirect", "token_expiry", "html_error"]


@pytest.fixture(scope="module")
def running(world):
    with CernServer(world=world) as server:
        yield server


@pytest.fixture
def user(running, quick_retries, monkeypatch, tmp_path):
    """Somebody with a secret, cookies, and a key, in a folder of their own."""
    for name, value in running.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "10")
    monkeypatch.chdir(tmp_path)
    running.write_cookies(tmp_path / "cookies.txt")
    running.faults = None
    shift = running.world.shift
    monkeypatch.setattr(shift, "doctor_runs", shift.doctor_runs[:40])
    yield running
    running.faults = None
    current.reset()


def secrets_of(server):
    found = {CLIENT_SECRET, server._session_id, *server._tokens}
    assert len(found) > 2 and all(len(secret) > 7 for secret in found)
    return found


def everything(result, folder):
    """All that a command wrote."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "cookies.txt"]
    return "\n".join([result.stdout, result.stderr, *(file.read_text() for file in files)])


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_no_secret_is_written(user, tkstudies, tmp_path, kind, rate):
    said = ""
    for name, command in COMMANDS.items():
        if kind:
            user.faults = Faults(kind, rate, max_repeat=1000 if rate == 1 else 2, retry_after=0)
        folder = f"tape-{name.replace(' ', '-')}"
        result = tkstudies("--verbose", *command.split(), "--record", folder)
        assert "-> " in result.stderr or kind in ("reset", "truncated"), "nothing was logged"
        said += f"{name}: {result.stdout}{result.stderr}\n"
    text = said + everything(result, tmp_path)  # of all commands at once: the tapes are long
    for secret in secrets_of(user):
        assert secret not in text, kind
    assert "Bearer" not in text and "Cookie" not in text, kind


def test_answers_that_echo_what_was_sent(user, tkstudies, monkeypatch, tmp_path):
    """A gateway in a debugging mode: its page shows the headers of the request."""

    def echo(request):
        return Reply(500, json.dumps({"err": request.headers}).encode())

    monkeypatch.setitem(user._services, "oms", echo)
    monkeypatch.setitem(user._services, "runregistry", echo)
    for command in (COMMANDS["oms"], COMMANDS["runreg"], COMMANDS["oms with cookies"]):
        result = tkstudies("--verbose", *command.split(), "--record", "tape")
        text = everything(result, tmp_path)
        assert result.exit_code == 1 and "***" in text
        for secret in secrets_of(user):
            assert secret not in text, command


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_token_endpoint_that_echoes_the_secret(user, tkstudies, monkeypatch, tmp_path, status, caplog):
    def echo(request):
        return Reply(status, json.dumps({"error": CLIENT_SECRET, "sent": request.body.decode()}).encode())

    monkeypatch.setitem(user._services, "sso", echo)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    result = tkstudies("--verbose", *COMMANDS["oms"].split())
    assert result.exit_code == 1 and "no token for cmsoms-prod" in result.stderr
    assert CLIENT_SECRET not in everything(result, tmp_path) + caplog.text


def test_other_log_messages_are_still_seen(user, tkstudies, caplog, monkeypatch):
    """Those of a Python user, during a failed fetch of a token and afterwards."""
    import logging

    def refuse(request):
        logging.warning("meanwhile")
        return Reply(401, b'{"error": "unauthorized_client"}')

    monkeypatch.setitem(user._services, "sso", refuse)
    result = tkstudies(*COMMANDS["oms"].split())
    assert "no token for cmsoms-prod" in result.stderr
    logging.warning("afterwards")
    assert caplog.messages == ["meanwhile", "afterwards"]
    assert logging.getLogger().filters == []


def test_a_token_is_not_sent_in_the_clear(user, tkstudies, monkeypatch):
    """Plain http to another host: there is no token in the request, and none is fetched."""
    seen = []

    def look(request):
        seen.append(dict(request.headers))
        return Reply(200, b'{"data": [], "meta": {"totalResourceCount": 0}}')

    monkeypatch.setitem(user._services, "far", look)
    monkeypatch.setenv("HTTP_PROXY", user.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TKSTUDIES_OMS_URL", "http://oms.invalid/far")
    before = len(user.log)
    result = tkstudies(*COMMANDS["oms"].split())
    assert result.exit_code == 0, result.stderr
    assert seen and not any("authorization" in headers for headers in seen)
    assert {entry.service for entry in user.log[before:]} == {"far"}


def test_an_internal_error_shows_no_secret(user, shell, tmp_path):
    (tmp_path / "broken.py").write_text(
        "import sys\n"
        "from tkstudies.services import omslistings\n"
        "omslistings.flat_record = None\n"
        "from tkstudies.__main__ import main\n"
        "main()\n"
    )
    result = shell("python broken.py -v oms runs --run 317291")
    assert result.returncode == 1 and "Traceback" in result.stderr
    for secret in secrets_of(user):
        assert secret not in result.stdout + result.stderr


@pytest.mark.parametrize("content", ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n", "{}\n"])
def test_keys_and_certificates_are_not_quoted(tkstudies, monkeypatch, tmp_path, content):
    body = "c2VjcmV0IGtleSBtYXRlcmlhbCwgbm90IHRvIGJlIHNlZW4="
    for name in ("usercert.pem", "userkey.pem"):
        (tmp_path / name).write_text(content.format(body))
    monkeypatch.setenv("CERN_CERTIFICATE_PATH", str(tmp_path))
    monkeypatch.setenv("TKSTUDIES_DQM_URL", "https://127.0.0.1:9/dqm")
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "1")
    for command in ("dqm --tracking-map --run 1 --reco express", "check --service dqm"):
        result = tkstudies("-v", *command.split())
        assert result.exit_code == 1
        assert body not in result.stdout + result.stderr
