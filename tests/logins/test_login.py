"""``tkstudies login`` and ``logout``: by device code, as the person sees it."""

from __future__ import annotations

import json
import stat
import threading

import pytest

from tests.cern.faults import Faults, Reply
from tests.cern.server import LOGIN_PAGE
from tests.conftest import CASSETTES, from_lines, rows
from tests.logins.conftest import answers, application, changed
from tkstudies.services.web import endpoints, logins

OMS = ("oms", "runs", "--run", 317291)
DEVICE, TOKEN = "/auth/device", "/openid-connect/token"


def test_a_login_is_used_by_what_asks_oms(user, tkstudies, kept, clock):
    result = tkstudies("login")
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    address, waiting, done = result.stderr.splitlines()
    assert address.startswith(f"open in a browser: {user.url}/sso/auth/realms/cern/device?user_code=")
    assert waiting.startswith("waiting until you agree there, at most 5 min")
    assert done.startswith("logged in to OMS as jdoe until ") and str(kept) in done
    assert clock.slept == [5, 5]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert {file.name for file in kept.parent.iterdir()} == {"oms.json", "oms.lock"}
    before = user.sso.calls.copy()
    assert before == ["device", "device_code", "device_code", "token-exchange"]
    assert rows(tkstudies(*OMS))[0]["run_number"] == 317291
    assert user.sso.calls == before, "the token that was kept did"


def test_the_address_is_shown_to_who_wants_quiet(user, tkstudies):
    assert tkstudies("-q", "login").stderr.startswith("open in a browser: http")


def test_without_a_complete_address_there_is_a_code_to_type(user, tkstudies):
    answers(user, DEVICE, changed(verification_uri_complete=None))
    address, code, *_ = tkstudies("login").stderr.splitlines()
    assert address == f"open in a browser: {user.url}/sso/auth/realms/cern/device"
    assert code.startswith("and type the code: ") and len(code.split()[-1]) == 9


@pytest.mark.parametrize(("told", "slept"), [(None, [5, 5]), (1, [1, 6, 6]), (0, [1, 6, 6]), (-3, [1, 6, 6])])
def test_it_polls_as_the_server_says(user, tkstudies, clock, told, slept):
    """5 s where it says nothing, and 5 s more after each slow_down: the server wants 5 s whatever it says."""
    answers(user, DEVICE, changed(interval=told))
    assert tkstudies("login").exit_code == 0
    assert clock.slept == slept


def test_a_denial(user, tkstudies, kept):
    user.sso.denies = True
    result = tkstudies("login")
    assert result.exit_code == 1 and not kept.exists()
    assert "no login to OMS: it was denied in the browser; tkstudies login oms starts again" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "told"), [(600, "within 5 min"), (300, "within 5 min"), (60, "within 1 min"), (20, "within 20 s")]
)
def test_nobody_agrees(user, tkstudies, clock, kept, seconds, told):
    user.sso.approves_after, user.sso.code_lifetime = None, seconds
    result = tkstudies("login")
    assert result.exit_code == 1 and not kept.exists()
    assert f"nobody agreed in the browser {told}" in result.stderr and "starts again" in result.stderr
    assert min(seconds, 300) - 5 <= sum(clock.slept) <= min(seconds, 300)


def test_the_code_expires_before_its_time(user, tkstudies, clock):
    user.sso.approves_after, user.sso.code_lifetime = None, 12
    answers(user, DEVICE, changed(expires_in=600))
    assert "nobody agreed in the browser" in tkstudies("login").stderr
    assert sum(clock.slept) == 15


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        LOGIN_PAGE,
        b'{"device_code": 5}',
        b'{"user_code": "ABCD-EFGH"}',
        b'{"device_code": "secret-code", "interval": "soon"}',
        b'{"device_code": "secret-code", "expires_in": []}',
        b'{"device_code": "secret-code", "user_code": "ABCD"}',
        b'{"device_code": "secret-code' + b"\xff" * 9,
        b"[" * 100_000,
    ],
)
def test_a_device_answer_that_is_none(user, tkstudies, kept, body):
    answers(user, DEVICE, lambda reply: reply._replace(body=body))
    result = tkstudies("-v", "login")
    assert result.exit_code == 1 and result.stderr.splitlines()[-1].startswith("tkstudies: no login to OMS: ")
    assert "secret-code" not in result.stderr and not kept.exists() and result.stdout == ""


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.org/device",
        "https://auth.cern.ch.example.org/device",
        "https://auth.cern.ch:8443/device",
        "http://auth.cern.ch/device",
        "http://[::ffff:7f00:1]/device",
        "{}@evil.example.org/device",
        "https://evil@{host}/device",
        "{}\\@evil.example.org/",
        "{}/\x1b]52;c;eA==\x07device",
        "{}/a b",
        "{}/\u202egro",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://[",
        "",
        "{}/" + 3000 * "a",
    ],
)
def test_an_address_of_somebody_else_is_not_shown(user, tkstudies, address):
    told = address.replace("{host}", user.url.partition("//")[2]).replace("{}", user.url)
    answers(user, DEVICE, changed(verification_uri=told, verification_uri_complete=told))
    result = tkstudies("login")
    assert result.exit_code == 1 and "isn't one of 127.0.0.1" in result.stderr
    assert "evil" not in result.stderr and "open in" not in result.stderr and "\x1b" not in result.stderr
    assert "device_code" not in user.sso.calls


@pytest.mark.parametrize("host", ["https://auth.cern.ch", "https://AUTH.cern.ch:443", "http://localhost:8080"])
def test_behind_a_tunnel_the_address_is_the_real_one(user, tkstudies, host):
    """The realm is asked on loopback, and names itself as it is known."""
    answers(user, DEVICE, changed(verification_uri_complete=f"{host}/device?user_code=ABCD-EFGH"))
    assert tkstudies("login").stderr.startswith(f"open in a browser: {host}/device?user_code=ABCD-EFGH\n")


@pytest.mark.parametrize("code", ["\x1b[31mABCD", "type your password", "A" * 100, ""])
def test_a_code_that_is_none_is_not_shown(user, tkstudies, code):
    answers(user, DEVICE, changed(verification_uri_complete=None, user_code=code))
    result = tkstudies("login")
    assert result.exit_code == 1 and "not shown" in result.stderr and "type" not in result.stderr


@pytest.mark.parametrize("reply", [Reply(500, b"oops"), Reply(200, LOGIN_PAGE, "text/html"), Reply(200, b"{}")])
@pytest.mark.parametrize(("times", "code"), [(4, 0), (5, 1)])
def test_polls_that_fail_are_repeated_some_times(user, tkstudies, reply, times, code):
    bad, user.sso.approves_after = [reply] * times, 4
    answers(user, TOKEN, lambda good: bad.pop() if bad else good)
    result = tkstudies("login")
    assert result.exit_code == code, result.stderr
    assert code == 0 or "no login to OMS" in result.stderr


@pytest.mark.parametrize("kind", ["reset", "429", "500", "503", "login_page", "html_error"])
def test_faults_that_pass_are_not_noticed(user, tkstudies, kind):
    user.faults = Faults([kind], 1.0, services=["sso"], max_repeat=2, retry_after=0)
    assert tkstudies("login").exit_code == 0
    user.faults = None
    assert tkstudies(*OMS).exit_code == 0


@pytest.mark.parametrize("kind", ["truncated", "bad_json", "empty", "wrong_type", "login_redirect"])
def test_faults_that_stay_are_told(user, tkstudies, kept, kind):
    user.faults = Faults([kind], 1.0, services=["sso"], max_repeat=10**9)
    result = tkstudies("login")
    assert (result.exit_code, kept.exists(), len(result.stderr.splitlines())) == (1, False, 1)
    assert result.stderr.startswith("tkstudies: no login to OMS: ")


def test_who_stops_waiting_leaves_nothing(user, tkstudies, kept, clock, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", stop)
    result = tkstudies("login")
    assert result.exit_code == 130 and not kept.exists() and "interrupted" in result.stderr


def test_a_token_that_goes_before_the_login_is_told(user, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", "x.y.z")
    assert "TKSTUDIES_OMS_TOKEN is set, and used in the place of this login" in tkstudies("login").stderr
    assert "TKSTUDIES" not in tkstudies("login", "dials").stderr


@pytest.mark.parametrize(
    ("path", "reply", "words"),
    [
        (DEVICE, Reply(401, b'{"error": "invalid_client"}'), "refuses (401"),
        (DEVICE, Reply(302, b"", headers=(("Location", "https://evil.example.org"),)), "redirects elsewhere"),
        (DEVICE, Reply(503, b"\x1b[31mbusy"), "answers 503"),
        (TOKEN, Reply(400, b'{"error": "invalid_grant", "error_description": "\\u001b[31m"}'), "refuses (400"),
        (TOKEN, Reply(403, b'"no"'), "refuses (403"),
    ],
)
def test_a_realm_that_says_no(user, tkstudies, kept, path, reply, words):
    answers(user, path, lambda _: reply)
    result = tkstudies("login")
    assert result.exit_code == 1 and words in result.stderr
    assert "\x1b" not in result.stderr and not kept.exists()


def test_no_token_for_the_service(user, tkstudies, kept):
    """The person is known, but may not use OMS."""

    def refuse(reply):
        given = json.loads(reply.body)
        return reply if "refresh_token" in given or "error" in given else Reply(403, b'{"error": "access_denied"}')

    answers(user, TOKEN, refuse)
    result = tkstudies("login")
    assert result.exit_code == 1 and not kept.exists()
    assert "you are known, but" in result.stderr and "gives no token for cmsoms-prod (403" in result.stderr


def test_a_login_that_cannot_be_renewed(user, tkstudies, clock):
    answers(user, TOKEN, lambda reply: changed(refresh_token=None)(reply))
    assert "it can't be renewed" in tkstudies("login").stderr
    assert tkstudies(*OMS).exit_code == 0
    clock.now += 3600
    assert "can't be renewed: tkstudies login oms" in tkstudies(*OMS).stderr


def secrets_of(user, kept):
    found = {*user._tokens, *user.sso.refresh_tokens, *user.sso._subjects, *user.sso._devices}
    return found | ({json.loads(kept.read_text())["refresh"]} if kept.exists() else set())


def written(result, folder):
    tapes = [file.read_text() for file in folder.rglob("tape*/*")]
    return "\n".join([result.stdout, result.stderr, *tapes])


def test_no_secret_is_written(user, tkstudies, tmp_path, kept, clock):
    found = set()
    for arguments in (["login"], [*OMS], ["check", "--service", "oms"], [*OMS], ["logout"]):
        clock.now += 1150  # so that each of them renews the login
        result = tkstudies("-v", *arguments, "--record", "tape")
        assert result.exit_code == 0, result.stderr
        found |= secrets_of(user, kept)
        assert not [secret for secret in found if secret in written(result, tmp_path)]
        assert "code_verifier" not in written(result, tmp_path)
    assert len(found) > 6
    assert "/sso/" not in "".join(file.read_text() for file in tmp_path.glob("tape/*"))


@pytest.mark.parametrize("status", [400, 401, 500, 200])
def test_a_realm_that_echoes_what_is_sent(user, tkstudies, tmp_path, kept, clock, status):
    sent = []

    def echo(service, request, reply):
        if service == "sso" and (b"grant_type" in request.body or request.path.endswith("/revoke")):
            sent.extend(part.partition("=")[2] for part in request.body.decode().split("&"))
            return Reply(status, request.body, "text/plain")
        return reply

    assert tkstudies("login").exit_code == 0
    clock.now += 3600
    user.rewrite = echo
    results = [tkstudies("-v", *arguments) for arguments in ([*OMS], ["login"], ["logout"])]
    secrets = [one for one in sent if len(one) > 30 and not one.startswith("urn")]
    assert len(secrets) > 3
    for result in results:
        assert not [secret for secret in secrets if secret in result.stderr + result.stdout]


def test_dials_is_kept_for_later(user, tkstudies, kept):
    result = tkstudies("login", "DIALS")
    assert result.exit_code == 0 and "logged in to DIALS as jdoe" in result.stderr
    assert kept.with_name("dials.json").exists() and not kept.exists()
    checked = tkstudies("check", "--service", "oms")
    assert "DIALS: logged in as jdoe by login until" in checked.stderr
    assert "no command uses it yet" in checked.stderr


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_service_without_such_a_login(tkstudies, command):
    result = tkstudies(command, "runreg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'runreg': known are oms, dials" in result.stderr and "tkstudies help login" in result.stderr


def test_two_logins_at_once(user, tkstudies, kept, monkeypatch):
    """Both end well, and what is kept is one of them, whole."""
    both = threading.Barrier(2)
    write = logins.write

    def together(*arguments):
        both.wait(10)
        write(*arguments)

    monkeypatch.setattr(logins, "locked", lambda service: threading.Lock())
    monkeypatch.setattr(logins, "write", together)
    from tkstudies.services.web import device

    threads = [threading.Thread(target=device.log_in, args=(endpoints.OMS, lambda _: None)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    assert {file.name for file in kept.parent.iterdir()} == {"oms.json"}
    assert json.loads(kept.read_text())["refresh"] in user.sso.refresh_tokens


def test_a_replay_needs_no_login(user, tkstudies, kept):
    kept.parent.mkdir(parents=True)
    kept.write_text("rubbish")
    before = len(user.log)
    for command in ("login", "logout"):
        result = tkstudies(command, "--replay", CASSETTES)
        assert result.exit_code == 0 and "replay is on" in result.stderr
    replayed = tkstudies("--replay", CASSETTES, "oms", "runs", "--min", 317291, "--max", 318877)
    assert replayed.exit_code == 0 and "oms.json" not in replayed.stderr
    assert len(user.log) == before and kept.read_text() == "rubbish"


# --- logout


@pytest.mark.parametrize("known", [{"revoke", "logout"}, {"revoke"}, {"logout"}])
def test_logout_ends_the_login_here_and_there(user, tkstudies, kept, known):
    tkstudies("login")
    (kept.parent / ".oms.json.left").write_text("of a killed command")
    user.sso.known = known
    result = tkstudies("logout")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "logged out of OMS\n")
    assert [file.name for file in kept.parent.iterdir()] == ["oms.lock"] and not user.sso.refresh_tokens
    assert "run tkstudies login" in tkstudies(*OMS).stderr
    assert tkstudies("logout", "oms").stderr == "not logged in to OMS: nothing to forget\n"
    assert tkstudies("logout").stderr == "not logged in to OMS or DIALS: nothing to forget\n"


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (Reply(404, b'{"error": "not_found"}'), "refuses (404"),
        (Reply(500, b""), "answers 500"),
        (None, "can't be reached"),
    ],
)
def test_logout_without_the_realm(user, tkstudies, kept, monkeypatch, failing, words):
    tkstudies("login")
    if failing:
        user.rewrite = lambda service, request, reply: failing
    else:
        file = json.loads(kept.read_text())
        realm = file["realm"].replace(user.url, "http://127.0.0.1:9")
        kept.write_text(json.dumps({**file, "realm": realm}))
        monkeypatch.setenv("TKSTUDIES_SSO_URL", realm + "/api-access/token")
    result = tkstudies("logout")
    assert result.exit_code == 0 and not kept.exists()
    assert "warning: logged out of OMS here, but not at CERN, where it ends by itself" in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("content", ["", "rubbish", "{}"])
def test_logout_of_rubbish(user, tkstudies, kept, content):
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    assert (tkstudies("logout").exit_code, kept.exists()) == (0, False)


def test_logout_that_cannot_remove_the_file_ends_the_login_all_the_same(user, tkstudies, kept, monkeypatch):
    tkstudies("login")

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.unlink", refuse)
    result = tkstudies("logout")
    assert result.exit_code == 1 and f"{kept} can't be removed: Permission denied" in result.stderr
    assert not user.sso.refresh_tokens


# --- check


def test_check_says_as_whom_and_by_which_way(user, tkstudies, monkeypatch, clock):
    application(user, monkeypatch)
    by_secret = from_lines(tkstudies("check", "--service", "oms").stdout)[0]
    assert (by_secret["logged_in_as"], by_secret["logged_in_by"]) == ("application tkstudies-test", "client secret")
    tkstudies("login")
    result = tkstudies("check", "--service", "oms", "--service", "runreg")
    found = {one["service"]: one for one in from_lines(result.stdout)}
    assert [found["oms"][name] for name in ("ok", "logged_in_as", "logged_in_by")] == [True, "jdoe", "login"]
    assert found["oms"]["valid_until"] > by_secret["valid_until"], "the login lives longer than a token"
    assert found["runreg"]["logged_in_by"] == "client secret"
    assert "  jdoe (login)  " in result.stderr and "  application tkstudies-test (client secret)  " in result.stderr
    assert "Run Registry: no login by browser is known for it" in result.stderr
    monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", user.sso.token_for("cmsoms-prod", preferred_username="asmith"))
    by_token = from_lines(tkstudies("check", "--service", "oms").stdout)[0]
    assert (by_token["ok"], by_token["logged_in_as"], by_token["logged_in_by"]) == (True, "asmith", "ready token")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "\x1b[31mroot\nok"}, "\\x1b[31mroot\\nok"),
        ({"preferred_username": None}, "5f0c-person"),
        ({"preferred_username": ["a"], "sub": 5}, "cmsoms-prod-public"),
        ({"preferred_username": "", "sub": "", "azp": {}}, "unknown"),
        ({"preferred_username": "x" * 5000}, "x" * 100),
    ],
)
def test_the_name_in_a_token_is_data(user, tkstudies, monkeypatch, claims, name):
    monkeypatch.setenv("TKSTUDIES_OMS_TOKEN", user.sso.token_for("cmsoms-prod", **claims))
    result = tkstudies("check", "--service", "oms")
    assert from_lines(result.stdout)[0]["logged_in_as"] == name
    assert "\x1b" not in result.stdout + result.stderr
