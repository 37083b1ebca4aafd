"""Logins that are kept, renewed, revoked, spoilt; ready tokens; which way to a token is taken."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import math
import os
import random
import threading

import pytest

from tests.conftest import rows
from tests.logins.conftest import answers, application, changed
from tkstudies.errors import LoginError
from tkstudies.services.web import device, endpoints, identity, logins, tokens

OMS = ("oms", "runs", "--run", 317291)
RENEWED = ["refresh_token", "token-exchange"]


@pytest.fixture
def login(user, tkstudies):
    """The user has logged in."""
    assert tkstudies("login").exit_code == 0
    user.sso.calls.clear()
    return user


def works(result):
    assert rows(result)[0]["run_number"] == 317291
    return result.stderr


# --- renewal


@pytest.mark.parametrize("rotates", [True, False])
def test_an_expired_token_is_renewed_and_kept(login, tkstudies, clock, kept, rotates):
    login.sso.rotates = rotates
    for _ in range(3):
        clock.now += 1150  # of 1200 s
        works(tkstudies(*OMS))
        works(tkstudies(*OMS))
    assert login.sso.calls == RENEWED * 3
    assert json.loads(kept.read_text())["refresh"] in login.sso.refresh_tokens


def test_a_realm_that_names_no_new_refresh_token(login, tkstudies, clock):
    login.sso.rotates = False
    for _ in range(2):
        clock.now += 1150
        answers(login, "/token", changed(refresh_token=None))
        works(tkstudies(*OMS))


def test_a_token_that_is_refused_in_the_middle_is_renewed(login, tkstudies):
    login.expire_tokens()
    works(tkstudies(*OMS))
    assert login.sso.calls == RENEWED


def test_a_renewed_refresh_token_is_kept_before_the_exchange(login, tkstudies, clock):
    """Which may fail: the old one is used up."""
    clock.now += 1150

    def fail(reply):
        return reply if b"refresh_token" in reply.body else reply._replace(status=500, body=b"")

    answers(login, "/token", fail)
    assert "no token for cmsoms-prod" in tkstudies(*OMS).stderr
    login.rewrite = None
    works(tkstudies(*OMS))


def test_a_revoked_login(login, tkstudies, clock):
    clock.now += 1150
    login.sso.revoke_all()
    result = tkstudies(*OMS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the login to OMS has ended" in result.stderr and "Session not active" in result.stderr
    assert result.stderr.rstrip().endswith("tkstudies login oms") and len(result.stderr.splitlines()) == 1
    checked = tkstudies("check", "--service", "oms")
    assert checked.exit_code == 1 and "the login to OMS has ended" in checked.stderr


def test_a_revoked_login_gives_way_to_an_application(login, tkstudies, clock, monkeypatch):
    application(login, monkeypatch)
    works(tkstudies(*OMS))
    assert "client_credentials" not in login.sso.calls, "the login goes first"
    clock.now += 1150
    login.sso.revoke_all()
    told = works(tkstudies(*OMS))
    assert "warning: the login to OMS has ended" in told and "tkstudies login oms" in told
    assert "the application of SSO_CLIENT_ID is used" in told


def test_a_login_that_ends_in_the_middle_gives_way_too(login, monkeypatch, capsys):
    application(login, monkeypatch)
    found = tokens.of(endpoints.OMS)
    first = found.get()
    login.sso.revoke_all()
    assert found.refuse(first.text) == "token"
    assert found.get().identity.way == "client secret"
    assert "the login to OMS has ended" in capsys.readouterr().err


def test_a_realm_that_is_ill_ends_no_login(login, tkstudies, clock, monkeypatch):
    application(login, monkeypatch)
    clock.now += 1150
    answers(login, "/openid-connect/token", lambda reply: reply._replace(status=503, body=b"later"))
    result = tkstudies(*OMS)
    assert result.exit_code == 1 and "login to OMS not renewed" in result.stderr and "answers 503" in result.stderr
    login.rewrite = None
    works(tkstudies(*OMS))


def test_another_realm_gets_nothing(login, tkstudies, clock, monkeypatch):
    clock.now += 1150
    monkeypatch.setenv("TKSTUDIES_SSO_URL", f"{login.url}/elsewhere/realms/cern/api-access/token")
    before = len(login.log)
    result = tkstudies(*OMS)
    assert result.exit_code == 1 and "was made at" in result.stderr and "tkstudies login oms" in result.stderr
    assert not [entry for entry in login.log[before:] if entry.service == "elsewhere"]
    monkeypatch.setenv("TKSTUDIES_SSO_URL", f"{login.url}/sso/token")
    assert "TKSTUDIES_SSO_URL must end in /api-access/token" in tkstudies(*OMS).stderr
    assert "TKSTUDIES_SSO_URL must end in /api-access/token" in tkstudies("login").stderr


def test_many_commands_renew_once(login, clock):
    """Each has its own view of the file, as processes have; a refresh token works once."""
    clock.now += 1150
    found, failed = [], []

    def ask():
        try:
            found.append(tokens.of(endpoints.OMS).get().text)
        except LoginError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(set(found)) == 1 and len(found) == 8
    assert login.sso.calls == RENEWED


def test_a_lock_that_nobody_gives_back(login, kept, clock, monkeypatch):
    clock.now += 1150
    monkeypatch.setattr(logins, "_LOCK_SECONDS", 0.1)
    with open(kept.with_suffix(".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LoginError, match=r"another command has held .*oms\.lock"):
            tokens.of(endpoints.OMS).get()
    assert tokens.of(endpoints.OMS).get()


def test_file_systems_without_locks(login, tkstudies, clock, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    clock.now += 1150
    works(tkstudies(*OMS))


def test_a_renewal_that_cannot_be_kept_serves_this_command(login, tkstudies, clock, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    clock.now += 1150
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    told = works(tkstudies(*OMS))
    assert told.count("warning: the login can't be kept in") == 1
    assert "Read-only file system" in told and "XDG_STATE_HOME" in told


# --- files that aren't used


def spoil_link(file):
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def spoil_folder(file):
    file.unlink()
    file.mkdir()


def spoil_pipe(file):
    file.unlink()
    os.mkfifo(file, 0o600)


def member(**members):
    return lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


def content(text):
    return lambda file: file.write_bytes(text)


SPOILT = [
    (lambda file: file.chmod(0o640), "may be read or written by others (chmod 600 keeps it"),
    (lambda file: file.chmod(0o602), "may be read or written by others (chmod 600 keeps it"),
    (spoil_link, "is a link: not used"),
    (spoil_folder, "is no file (remove it): not used"),
    (spoil_pipe, "is no file (remove it): not used"),
    (content(b""), "is not what tkstudies login writes"),
    (content(b"\xff\x00rubbish"), "is not what tkstudies login writes"),
    (content(b"null"), "is not what tkstudies login writes"),
    (content(b"[" * 100_000), "is not what tkstudies login writes"),
    (content(b" " * 1_000_000), "is not what tkstudies login writes"),
    (member(token=5), "is not what tkstudies login writes"),
    (member(token=""), "is not what tkstudies login writes"),
    (member(token="a\r\nX-Evil: 1"), "is not what tkstudies login writes"),
    (member(refresh="a b"), "is not what tkstudies login writes"),
    (member(until="soon"), "is not what tkstudies login writes"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT)
def test_a_file_that_is_not_used(login, kept, monkeypatch, capsys, spoil, words):
    token = json.loads(kept.read_text())["token"]
    spoil(kept)
    with pytest.raises(LoginError) as raised:
        tokens.of(endpoints.OMS).get()
    told = str(raised.value)
    assert words in told and "tkstudies login oms makes a new one" in told and str(kept) in told and token not in told
    application(login, monkeypatch)
    assert tokens.of(endpoints.OMS).get().identity.way == "client secret"
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_used_is_told_in_a_line(login, tkstudies, kept, monkeypatch):
    kept.write_text("rubbish")
    result = tkstudies("-v", *OMS)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert f"{kept} is not what tkstudies login writes: not used" in result.stderr
    assert f"{kept} is not what" in tkstudies("check", "--service", "oms").stderr
    application(login, monkeypatch)
    assert f"warning: {kept} is not what" in works(tkstudies(*OMS))


def test_a_file_of_any_bytes(login, kept):
    """What can be read is sound: nothing else comes out of it than a login or a refusal in words."""
    draw, whole = random.Random(5), kept.read_bytes()
    for _ in range(500):
        start, end = sorted(draw.choices(range(len(whole) + 1), k=2))
        kept.write_bytes(
            whole[:start] + draw.choice([b"", draw.randbytes(3), b"\\u0000", b"1e999", b'",']) + whole[end:]
        )
        with contextlib.suppress(logins.Ended):
            found = logins.read(endpoints.OMS)
            assert f"{found.token}{found.refresh}".isprintable() and math.isfinite(found.renewed + found.ends)


def test_a_file_of_somebody_else(login, tkstudies, kept, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 4321)
    assert f"{kept} belongs to another user (remove it): not used" in tkstudies(*OMS).stderr


@pytest.mark.parametrize("spoil", [lambda file: file.chmod(0o666), spoil_link, spoil_pipe, content(b"{")])
def test_a_new_login_replaces_it(login, tkstudies, kept, spoil):
    spoil(kept)
    assert tkstudies("login").exit_code == 0
    assert kept.is_file() and not kept.is_symlink()
    works(tkstudies(*OMS))


def test_a_folder_in_its_place_is_told_before_the_login(login, tkstudies, kept):
    spoil_folder(kept)
    result = tkstudies("login")
    assert result.exit_code == 1 and f"{kept} is a folder: remove it" in result.stderr and login.sso.calls == []


def test_an_end_that_no_calendar_has(login, tkstudies, kept):
    member(renewed=1e300, until=1e300, refresh_until=1e308)(kept)
    assert "9999" in tkstudies("check", "--service", "oms").stdout


# --- the folder


def test_the_folder_is_made_ours_alone(user, tkstudies, kept):
    kept.parent.mkdir(parents=True, mode=0o755)
    kept.parent.chmod(0o777)
    assert tkstudies("login").exit_code == 0
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_without_xdg_it_is_below_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/jdoe")
    for value in ("", "relative/state"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert str(logins.folder()) == "/home/jdoe/.local/state/tkstudies"
    monkeypatch.delenv("HOME")
    assert logins.folder().is_absolute()


def test_without_a_home(user, tkstudies, monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(logins, "_home_of_the_system", lambda: "")
    result = tkstudies("login")
    assert result.exit_code == 1 and "there is no home folder" in result.stderr and "XDG_STATE_HOME" in result.stderr
    assert "not logged in to OMS" in tkstudies(*OMS).stderr
    assert tkstudies("logout").exit_code == 0
    application(user, monkeypatch)
    works(tkstudies(*OMS))


@pytest.mark.parametrize("state", ["/proc/nowhere", "{}/file", "/dev/null"])
def test_a_folder_that_cannot_be_made(user, tkstudies, monkeypatch, tmp_path, state):
    """Said before the person has opened a browser."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", state.format(tmp_path))
    result = tkstudies("login")
    assert result.exit_code == 1 and "the login can't be kept in" in result.stderr and "XDG_STATE_HOME" in result.stderr
    assert user.sso.calls == [] and len(result.stderr.splitlines()) == 1


def test_a_folder_of_somebody_else(user, tkstudies, kept, monkeypatch):
    kept.parent.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 4321)
    assert f"{kept.parent} belongs to another user" in tkstudies("login").stderr and user.sso.calls == []


@pytest.mark.parametrize(
    ("state", "is_told"), [("home/state", True), ("home/private/state", False), ("home/privates", True)]
)
def test_a_folder_on_afs(user, tkstudies, monkeypatch, tmp_path, state, is_told):
    monkeypatch.setattr(logins, "_AFS", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state))
    assert "on AFS" not in tkstudies("check", "--service", "oms").stderr, "nothing is kept there"
    for arguments in (["login"], ["check", "--service", "oms"]):
        result = tkstudies(*arguments)
        assert result.exit_code == 0
        assert ("is on AFS, where others may be able to read it" in result.stderr) is is_told
    assert "on AFS" not in tkstudies(*OMS).stderr


def test_a_link_into_private_is_private(user, tkstudies, monkeypatch, tmp_path):
    monkeypatch.setattr(logins, "_AFS", str(tmp_path))
    (tmp_path / "private/kept").mkdir(parents=True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/tkstudies").symlink_to(tmp_path / "private/kept")
    result = tkstudies("login")
    assert result.exit_code == 0 and "AFS" not in result.stderr
    assert (tmp_path / "private/kept/oms.json").exists()


# --- ready tokens


def test_a_ready_token_goes_first(login, tkstudies, monkeypatch):
    application(login, monkeypatch)
    token = login.sso.token_for("cmsoms-prod")
    for text in (token, f" {token}\n", f"Bearer {token}"):
        monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", text)
        assert works(tkstudies(*OMS)) == "1 run of OMS\n"
    assert login.sso.calls == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{expired}", "expired on 2001-09-09 at 01:46 UTC"),
        ("not.a.token", "the token of TKSTUDIES_OMS_TOKEN isn't accepted"),
        ("{other}", ", which says that it holds until "),
        ('{"access_token": "abc"}', "holds JSON"),
        ("two words", "holds no token"),
        ("a\x1bb", "holds no token"),
        ("  ", "holds no token"),
    ],
)
def test_a_ready_token_that_is_none(user, tkstudies, monkeypatch, text, words):
    """It is named, and nothing else is tried in its place: who sets it wants to be that person."""
    application(user, monkeypatch)
    payload = base64.urlsafe_b64encode(b'{"exp": 1000000000}').decode().rstrip("=")
    text = text.replace("{expired}", f"e30.{payload}.c2ln").replace("{other}", user.sso.token_for("other"))
    monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", text)
    result = tkstudies(*OMS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "TKSTUDIES_OMS_TOKEN" in result.stderr and words in result.stderr
    assert len(result.stderr.splitlines()) == 1 and text not in result.stderr and user.sso.calls == []
    assert "TKSTUDIES_OMS_TOKEN" in tkstudies("check", "--service", "oms").stderr


def test_a_ready_token_is_only_for_its_service(user, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", user.sso.token_for("cmsrunregistry-sso-proxy"))
    assert "no login by browser is known" in tkstudies("check", "--service", "runreg").stderr


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b'{"exp": "soon"}', b'{"exp": 1e999}', b'{"exp": true}', b"\xff"]
)
def test_a_payload_of_any_shape(payload):
    token = f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"
    found = identity.of_token(token, "login")
    assert found.name == "unknown" and (found.until is None or found.until.year == 9999)


def test_what_is_sent_for_a_token_of_dials(user):
    shown = []
    device.log_in(endpoints.DIALS, shown.append)
    assert len(shown) == 1 and shown[0].seconds == 300
    (audience,) = {audience for audience, _ in user._tokens.values() if "dials" in audience}
    assert audience == "cms-dials-prod-confidential-app"
