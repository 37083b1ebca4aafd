"""Who gets what we log in with, who sees it, and from whom we take it."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests.cern.faults import Reply
from tests.cern.server import CLIENT_ID, CLIENT_SECRET
from tkstudies.errors import LoginError
from tkstudies.services.web import identity, login, secrecy

OMS = ("oms", "runs", "--run", 317291)


@pytest.fixture
def user(changes, monkeypatch, tmp_path):
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "2")
    monkeypatch.chdir(tmp_path)
    return changes


def requests_of(user):
    """The requests that the server gets from now on: service and headers."""
    seen = []

    def look(service, request, reply):
        seen.append((service, request))
        return reply

    user.rewrite = look
    return seen


# --- the call for a token


def test_it_follows_no_redirect(user, tkstudies):
    seen = []

    def redirect(service, request, reply):
        seen.append((service, request.path))
        location = ("Location", user.url + "/elsewhere/token")
        return Reply(307, b"", headers=(location,)) if service == "sso" else reply

    user.rewrite = redirect
    result = tkstudies(*OMS)
    assert result.exit_code == 1 and "redirects elsewhere, where no secret is sent" in result.stderr
    assert {service for service, _ in seen} == {"sso"}


def test_it_uses_no_netrc_and_no_proxy(user, tkstudies, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1\nlogin other\npassword other-secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen = requests_of(user)
    assert tkstudies(*OMS).exit_code == 0
    sent = [request.headers["authorization"] for service, request in seen if service == "sso"]
    assert sent == ["Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize(
    "code", [str.encode, lambda text: base64.b64encode(text.encode()), lambda text: text.encode().hex().encode()]
)
def test_an_echoed_secret_is_hidden_however_it_is_written(user, tkstudies, monkeypatch, tmp_path, status, code):
    monkeypatch.setattr("tkstudies.services.web.sso._DELAYS", (None,))
    basic = f"{CLIENT_ID}:{CLIENT_SECRET}"

    def echo(service, request, reply):
        sent = [request.headers.get("authorization", "").rpartition(" ")[2], CLIENT_SECRET, basic]
        said = b"so: " + b" ".join(map(code, sent))
        header = ("X-Echo", said.decode())
        return Reply(status, said, headers=(header,)) if service == hostile[0] else reply

    hostile = [""]
    user.rewrite = echo
    for hostile[0] in ("sso", "oms"):
        result = tkstudies("-v", *OMS, "--record", "tape")
        assert result.exit_code == 1
        written = result.stdout + result.stderr + "".join(file.read_text() for file in tmp_path.rglob("*.json"))
        tokens = [token for token, _ in user._tokens.items()]
        for secret in (CLIENT_SECRET, *tokens):
            assert secret not in written and code(secret).decode() not in written


def test_a_token_endpoint_with_a_secret_in_its_query_is_shown_without(user, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_SSO_URL", f"{user.url}/sso/token?key=do-not-tell")
    result = tkstudies("-v", *OMS)
    assert result.exit_code == 0 and "/sso/token?***" in result.stderr and "do-not-tell" not in result.stderr
    monkeypatch.setenv("SSO_CLIENT_SECRET", "another one")
    result = tkstudies("-v", *OMS)
    assert result.exit_code == 1 and "do-not-tell" not in result.stderr


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("OMS", "oms runs --run 1"),
        ("WBM", "wbm --run 1"),
        ("SSO", "check --service oms"),
        ("RUNREG", "check --service runreg"),
    ],
)
@pytest.mark.parametrize(
    "url", ["{}/x?key=do-not-tell", "{}/x#do-not-tell", "http://me:do-not-tell@h/", "x:?a=do-not-tell"]
)
def test_secrets_in_urls_are_not_shown(tkstudies, monkeypatch, quick_retries, service, command, url):
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.2")
    monkeypatch.setattr("tkstudies.services.web.sso._DELAYS", (None,))
    monkeypatch.setenv("SSO_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("SSO_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("TKSTUDIES_OMS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(f"TKSTUDIES_{service}_URL", url.format("http://127.0.0.1:9"))
    result = tkstudies("-v", *command.split())
    assert result.exit_code == 1 and "do-not-tell" not in result.stdout + result.stderr


# --- files of others


@pytest.fixture
def somebody_else(monkeypatch):
    """We are another user than the one who owns the files."""
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 4321)


def test_a_proxy_of_somebody_else_is_not_used(monkeypatch, tmp_path, somebody_else):
    file = tmp_path / f"x509up_u{os.getuid()}"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    for variable in ({}, {"X509_USER_PROXY": str(file)}):
        for name, value in variable.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(LoginError, match="isn't ours"):
            login.client_certificate()


def test_a_link_to_a_proxy_is_not_followed(monkeypatch, tmp_path):
    (tmp_path / "other").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / f"x509up_u{os.getuid()}").symlink_to(tmp_path / "other")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with pytest.raises(LoginError, match="is no file"):
        login.client_certificate()


def test_dotenv_of_somebody_else_is_not_read(monkeypatch, tmp_path, capsys):
    (tmp_path / ".env").write_text("SSO_CLIENT_ID=theirs\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSO_CLIENT_ID", "")
    monkeypatch.delenv("SSO_CLIENT_ID")
    if os.geteuid() == 0:
        os.chown(tmp_path / ".env", 4321, 4321)
    else:
        monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 4321)
    login.load_dotenv()
    assert "SSO_CLIENT_ID" not in os.environ
    assert "belongs to another user: not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SSO_CLIENT_ID=a\xff\n", "expected NAME=VALUE lines in UTF-8"),
        (b"SSO_CLIENT_ID='a\0b'\n", "line 1: SSO_CLIENT_ID holds a control character"),
        (b'SSO_CLIENT_SECRET="a\nb"\n', "line 1: SSO_CLIENT_SECRET holds a control character"),
        (b"A=b\n" * 300_000, "has more than 1,000,000 letters"),
    ],
)
def test_dotenv_of_a_hostile_shape(tkstudies, monkeypatch, tmp_path, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)
    result = tkstudies(*OMS)
    assert result.exit_code == 1 and words in result.stderr and len(result.stderr.splitlines()) == 1


def test_lines_of_dotenv_that_say_nothing_are_told(user, tkstudies, monkeypatch, tmp_path):
    monkeypatch.delenv("SSO_CLIENT_ID")
    (tmp_path / ".env").write_text(f"?? {CLIENT_SECRET}\nSSO_CLIENT_ID={CLIENT_ID}\n")
    result = tkstudies(*OMS)
    monkeypatch.delenv("SSO_CLIENT_ID")
    assert result.exit_code == 0 and ".env, line 1: not NAME=VALUE, left out" in result.stderr
    assert CLIENT_SECRET not in result.stderr


# --- cookies and cassettes of a hostile shape

COOKIE = "127.0.0.1\tFALSE\t/\tFALSE\t{}\tsessionid\t{}\n"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("expiry", ["soon", "inf", "nan", "1e400", "9" * 5000, "-", "1\x1b"])
def test_cookies_with_a_bad_expiry(tmp_path, expiry):
    (tmp_path / "cookies.txt").write_text("# Netscape HTTP Cookie File\n" + COOKIE.format(expiry, "x" * 9))
    with pytest.raises(LoginError, match="is not a Netscape cookie file"):
        login.cookies(str(tmp_path / "cookies.txt"))


@pytest.mark.parametrize("expiry", ["253402300800", "9" * 17])
def test_cookies_of_the_year_10000(tmp_path, expiry):
    (tmp_path / "cookies.txt").write_text("# Netscape HTTP Cookie File\n" + COOKIE.format(expiry, "x" * 9))
    jar = login.cookies(str(tmp_path / "cookies.txt"))
    assert identity.of_cookies(jar, "127.0.0.1").until.year == 9999


@pytest.mark.parametrize("value", ["a\x1bb", "\u20ac", "a\x85b"])
def test_cookies_that_no_header_takes(tmp_path, value):
    (tmp_path / "cookies.txt").write_text("# Netscape HTTP Cookie File\n" + COOKIE.format("1893456000", value))
    with pytest.raises(LoginError):
        login.cookies(str(tmp_path / "cookies.txt"))


GOOD = {
    "request": {"method": "GET", "uri": "https://certhelper.web.cern.ch/certify/allRunsRefRuns/"},
    "response": {"status": {"code": 200}, "body": {"string": "[]"}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"request": None},
        {"request": {"method": 1, "uri": "x"}},
        {"request": {"method": "GET", "uri": "http://["}},
        {"response": {"status": {"code": "ok"}}},
        {"response": {"status": {"code": 10**6}}},
        {"response": {"status": {"code": 200}, "headers": [1]}},
        {"response": {"status": {"code": 200}, "headers": {"a": {"b": 1}}}},
        {"response": {"status": {"code": 200}, "body": {"base64_string": "abcde"}}},
        {"response": {"status": {"code": 200}, "body": {"string": 5}}},
        {"response": {"status": {"code": 200}, "body": {"string": "\ud800"}}},
    ],
)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_cassettes_of_a_hostile_shape(tkstudies, tmp_path, change, ending):
    (tmp_path / f"a.{ending}").write_text(json.dumps({"version": 1, "interactions": [GOOD | change]}))
    result = tkstudies("--replay", tmp_path, "doctor", "references")
    assert result.exit_code == 1 and "is not a cassette" in result.stderr


def test_the_url_of_a_message():
    assert secrecy.without_query("http://[") == "***"
