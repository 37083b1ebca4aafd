"""``tkstudies check``: what it says of services and credentials, and that it never keeps one waiting."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cern.faults import Faults
from tests.conftest import CASSETTES, NOWHERE, SERVICES, from_lines
from tkstudies.services import health
from tkstudies.services.web import identity, x509
from tkstudies.services.web.shared import finish

NAMES = ["runreg", "oms", "dqm", "doctor", "certhelper", "v3", "wbm"]
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates with openssl")

EXPIRED = """-----BEGIN CERTIFICATE-----
MIIBCzCBsgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdzaGlmdGVyMB4XDTAw
MDEwMTAwMDAwMFoXDTAxMDEwMTAwMDAwMFowEjEQMA4GA1UEAwwHc2hpZnRlcjBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABJw2XZgqh9qh82CEuVEO24UasYlknJD9
/HUUpvs/8eK494qRTCctc8BaAZ6hbRwUTLW7SZvV3M4tL5KB1i9smY8wCgYIKoZI
zj0EAwIDSAAwRQIhAI2/Ctc8IXaj+z10LLcC0agLpi14PwUxicbvXgBqWWHVAiB+
kgXf6ldnP/SJUmaSPITRhH4VEfy3ps3mlURL7lrL0Q==
-----END CERTIFICATE-----
"""


@pytest.fixture(scope="module", autouse=True)
def warm(server):
    """The fixture server makes its tables when it is first asked, which may take longer than a check waits."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        health.examine(seconds=60)
    finish()


def by_name(result):
    return {record["service"]: record for record in from_lines(result.stdout)}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """usercert.pem, userkey.pem, the key with a password, another key, and both in one file as a proxy is."""
    folder = tmp_path_factory.mktemp("globus")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subject = ["-subj", "/DC=ch/DC=cern/OU=Users/CN=Zoë Shifter", "-utf8"]
    for name, secrecy in (("user", ["-nodes"]), ("other", ["-nodes"]), ("locked", ["-passout", "pass:abcd"])):
        files = ["-keyout", f"{name}key.pem", "-out", f"{name}cert.pem"]
        command = ["openssl", "req", "-x509", "-days", "10", *curve, *subject, *secrecy, *files]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    host = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-nodes"]
    files = ["-keyout", "hostkey.pem", "-out", "hostcert.pem"]
    command = ["openssl", "req", "-x509", "-days", "10", *curve, *host, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    short = ["-keyout", "shortkey.pem", "-out", "shortcert.pem", "-nodes"]
    command = ["openssl", "req", "-x509", "-days", "2", *curve, *subject, *short]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    text = {name: (folder / f"{name}.pem").read_text() for name in ("usercert", "userkey", "shortcert")}
    (folder / "proxy.pem").write_text(text["usercert"] + text["userkey"])
    (folder / "chain.pem").write_text(text["usercert"] + text["userkey"] + text["shortcert"])
    (folder / "expiredcert.pem").write_text(EXPIRED)
    for key in folder.glob("*key.pem"):
        key.chmod(0o600)
    return folder


@pytest.fixture
def closed_https(monkeypatch):
    """A DQM GUI that wants a certificate and isn't there."""
    monkeypatch.setenv("TKSTUDIES_DQM_URL", NOWHERE.replace("http:", "https:") + "/dqm")


@pytest.fixture
def home(certificates, monkeypatch, tmp_path):
    """Make the home of somebody with a certificate and a key."""

    def home(certificate, key):
        (tmp_path / ".globus").mkdir()
        shutil.copy(certificates / certificate, tmp_path / ".globus/usercert.pem")
        shutil.copy(certificates / key, tmp_path / ".globus/userkey.pem")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CERN_CERTIFICATE_PATH", str(tmp_path / ".globus"))

    return home


def test_all_is_well(live, tkstudies, tmp_path):
    result = tkstudies("check", "--cookies", live.write_cookies(tmp_path / "cookies.txt"))
    assert result.exit_code == 0, result.stderr
    found = by_name(result)
    assert list(found) == NAMES
    assert all(one["ok"] and one["reachable"] and not one["advice"] for one in found.values())
    assert [name for name, one in found.items() if one["needed"]] == ["runreg", "oms", "dqm"]
    assert found["oms"]["logged_in_as"] == f"application {live.env['SSO_CLIENT_ID']}"
    assert found["doctor"]["logged_in_as"] == "cookie file"
    until = datetime.fromisoformat(found["oms"]["valid_until"].replace("Z", "+00:00"))
    assert timedelta(minutes=10) < until - datetime.now(timezone.utc) < timedelta(minutes=21)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 + len(NAMES)
    assert lines[0].split()[:3] == ["ok", "service", "reachable"] and lines[1].startswith("ok  Run Registry  ")
    assert tkstudies("-q", "check").stderr == ""


def test_what_is_optional_may_be_missing(live, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_RESTHUB_URL", NOWHERE)
    result = tkstudies("check")
    found = by_name(result)
    assert result.exit_code == 0
    assert found["doctor"]["reachable"] and found["doctor"]["ok"] is False
    assert "--cookies FILE" in found["doctor"]["advice"]
    assert found["v3"]["reachable"] is False and "ssh -D" in found["v3"]["advice"]
    named = tkstudies("check", "--service", "oms", "--service", "v3")
    assert (named.exit_code, list(by_name(named))) == (1, ["oms", "v3"])
    assert named.stderr.splitlines()[-1] == "tkstudies: not ready: Run Registry v3 can't be used"


def test_nothing_listens(tkstudies):
    start = time.monotonic()
    result = tkstudies("check")
    assert time.monotonic() - start < health.SECONDS + 1
    assert result.exit_code == 1
    for name, one in by_name(result).items():
        assert (one["reachable"], one["ok"]) == (False, False), name
        assert "can't be reached" in one["advice"] and "TKSTUDIES_" in one["advice"]
    assert "not ready: Run Registry, OMS, DQM GUI can't be used" in result.stderr


def test_silent_services_are_not_waited_for(tkstudies, monkeypatch):
    monkeypatch.setattr(health, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=50) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        for service in SERVICES:
            monkeypatch.setenv(f"TKSTUDIES_{service}_URL", url)
        monkeypatch.setenv("SSO_CLIENT_ID", "somebody")
        monkeypatch.setenv("SSO_CLIENT_SECRET", "a-secret")
        start = time.monotonic()
        result = tkstudies("check")
        assert time.monotonic() - start < 3
    found = by_name(result)
    assert result.exit_code == 1 and not any(one["reachable"] for one in found.values())
    assert "fetching a token" in found["oms"]["advice"]
    assert "within 0.5 s" in found["oms"]["advice"] and "a-secret" not in result.stderr


def test_without_credentials(live, tkstudies, monkeypatch):
    monkeypatch.delenv("SSO_CLIENT_ID")
    result = tkstudies("check", "--service", "oms")
    assert result.exit_code == 1
    (one,) = from_lines(result.stdout)
    assert one["reachable"] and not one["ok"] and one["logged_in_as"] is None
    assert "SSO_CLIENT_ID and SSO_CLIENT_SECRET" in one["advice"]


def test_wrong_credentials(live, tkstudies, monkeypatch):
    monkeypatch.setenv("SSO_CLIENT_SECRET", "wrong-secret-77")
    result = tkstudies("check", "--service", "oms")
    assert result.exit_code == 1 and "check SSO_CLIENT_ID and SSO_CLIENT_SECRET" in result.stderr
    assert "wrong-secret-77" not in result.stdout + result.stderr


def test_credentials_of_a_dotenv_file_without_a_home(live, tkstudies, monkeypatch, tmp_path):
    names = ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET")
    (tmp_path / ".env").write_text("".join(f"{name}={live.env[name]}\n" for name in names))
    for name in names:
        monkeypatch.setenv(name, "")  # so that what is set from the file is undone
        monkeypatch.delenv(name)
    monkeypatch.delenv("HOME")
    monkeypatch.chdir(tmp_path)
    result = tkstudies("check", "--service", "oms", "--service", "runreg", "--service", "dqm")
    assert result.exit_code == 0, result.stderr


def test_a_replay_is_told(tkstudies):
    result = tkstudies("check", "--replay", CASSETTES)
    assert result.exit_code == 0
    assert result.stderr.startswith("replay is on: no service is asked")
    assert {one["ok"] for one in from_lines(result.stdout)} == {None}


@pytest.mark.parametrize("kind", ["html_error", "500", "bad_json", "login_page"])
def test_a_service_that_is_ill(live, tkstudies, monkeypatch, kind, quick_retries):
    monkeypatch.setattr(live, "faults", Faults(kind, 1.0, max_repeat=10**9, services=["oms"]))
    result = tkstudies("check")
    found = by_name(result)
    assert result.exit_code == 1
    assert found["oms"]["reachable"] and found["oms"]["ok"] is False and found["oms"]["advice"]
    assert found["runreg"]["ok"] and found["dqm"]["ok"]
    assert result.stderr.splitlines()[-1] == "tkstudies: not ready: OMS can't be used"


def test_a_service_that_hangs_up_is_not_reachable(live, tkstudies, monkeypatch, quick_retries):
    """As the near end of an ssh tunnel does whose far end is gone."""
    monkeypatch.setattr(live, "faults", Faults("reset", 1.0, max_repeat=10**9, services=["oms"]))
    (one,) = from_lines(tkstudies("check", "--service", "oms").stdout)
    assert (one["reachable"], one["ok"]) == (False, False) and "breaks off" in one["advice"]


def test_an_address_that_is_none(live, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_DQM_URL", "http://me:hunter2@cmsweb.cern.ch/dqm")
    result = tkstudies("check")
    found = by_name(result)
    assert (found["dqm"]["url"], found["dqm"]["reachable"], found["dqm"]["ok"]) == ("", None, False)
    assert "TKSTUDIES_DQM_URL holds a user name" in found["dqm"]["advice"]
    assert found["oms"]["ok"] and "hunter2" not in result.stdout + result.stderr


def test_a_bug_is_not_blamed_on_the_network(live, monkeypatch):
    def broken(connection):
        raise TypeError("a mistake of ours")

    monkeypatch.setitem(health.PROBES, "oms", health.PROBES["oms"]._replace(ask=broken))
    with pytest.raises(TypeError, match="a mistake of ours"):
        health.examine(["oms"])
    finish()


def test_a_service_that_isnt_one(tkstudies):
    result = tkstudies("check", "--service", "rr")
    assert (result.exit_code, result.stdout) == (2, "") and "certhelper" in result.stderr


# --- certificates


def test_no_certificate(closed_https, tkstudies, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = tkstudies("check", "--service", "dqm")
    assert result.exit_code == 1 and "no grid certificate found" in result.stderr


@needs_openssl
def test_certificate_and_key(closed_https, tkstudies, home):
    home("usercert.pem", "userkey.pem")
    result = tkstudies("check", "--service", "dqm")
    (one,) = from_lines(result.stdout)
    assert one["logged_in_as"] == "/DC=ch/DC=cern/OU=Users/CN=Zoë Shifter"
    until = datetime.fromisoformat(one["valid_until"].replace("Z", "+00:00"))
    assert timedelta(days=9) < until - datetime.now(timezone.utc) < timedelta(days=10, hours=1)
    assert one["reachable"] is False and "can't be reached" in one["advice"]


@pytest.fixture
def guarded(certificates, monkeypatch):
    """A DQM GUI behind TLS that lets only one certificate in."""

    class Gui(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "15")
            self.end_headers()
            self.wfile.write(b'{"samples": []}')

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "hostcert.pem", certificates / "hostkey.pem")
    context.load_verify_locations(certificates / "usercert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gui)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("TKSTUDIES_DQM_URL", f"https://127.0.0.1:{server.server_port}/dqm")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "hostcert.pem"))
    yield
    server.shutdown()
    server.server_close()


@needs_openssl
@pytest.mark.parametrize("is_proxy", [False, True])
def test_a_certificate_opens_the_door(guarded, certificates, tkstudies, home, monkeypatch, is_proxy):
    home("usercert.pem", "userkey.pem")
    if is_proxy:
        monkeypatch.setenv("X509_USER_PROXY", str(certificates / "proxy.pem"))
    result = tkstudies("check", "--service", "dqm")
    assert result.exit_code == 0, result.stderr
    (one,) = from_lines(result.stdout)
    assert one["ok"] and one["reachable"] and one["logged_in_as"].endswith("/CN=Zoë Shifter")


@needs_openssl
def test_a_certificate_that_the_server_refuses(guarded, tkstudies, home):
    home("othercert.pem", "otherkey.pem")
    result = tkstudies("check", "--service", "dqm")
    assert result.exit_code == 1
    (one,) = from_lines(result.stdout)
    assert not one["ok"] and "voms-proxy-init" in one["advice"], one["advice"]


@needs_openssl
def test_a_server_that_nobody_vouches_for(guarded, tkstudies, home, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    home("usercert.pem", "userkey.pem")
    result = tkstudies("check", "--service", "dqm")
    assert result.exit_code == 1 and "REQUESTS_CA_BUNDLE" in result.stderr


@needs_openssl
def test_a_proxy(closed_https, tkstudies, certificates, monkeypatch):
    monkeypatch.setenv("X509_USER_PROXY", str(certificates / "proxy.pem"))
    (one,) = from_lines(tkstudies("check", "--service", "dqm").stdout)
    assert one["logged_in_as"].endswith("/CN=Zoë Shifter") and one["valid_until"]
    monkeypatch.setenv("X509_USER_PROXY", str(certificates / "gone.pem"))
    assert "gone.pem, which doesn't exist" in tkstudies("check", "--service", "dqm").stderr


@needs_openssl
def test_a_proxy_ends_with_the_first_of_its_chain(certificates):
    found = identity.of_certificate(str(certificates / "chain.pem"))
    alone = identity.of_certificate(str(certificates / "proxy.pem"))
    assert found.name == alone.name
    assert timedelta(days=7) < alone.until - found.until < timedelta(days=9)


def test_certificates_of_cern_and_public_ones_are_trusted(certificates):
    from tkstudies.services.web import login

    trusted = {value for one in login.trusted_authorities().get_ca_certs() for ((_, value),) in one["subject"]}
    assert any("CERN" in name for name in trusted)
    assert any("ISRG" in name or "DigiCert" in name for name in trusted)


@needs_openssl
@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("lockedcert.pem", "lockedkey.pem", "has a password"),
        ("usercert.pem", "otherkey.pem", "is the key of another certificate than"),
        ("userkey.pem", "userkey.pem", "but no certificate in PEM format: make it anew: openssl pkcs12"),
        ("expiredcert.pem", "userkey.pem", "expired on 2001-"),
    ],
)
def test_certificates_that_cannot_be_used(closed_https, tkstudies, home, certificates, certificate, key, words):
    home(certificate, key)
    result = tkstudies("check", "--service", "dqm")
    (one,) = from_lines(result.stdout)
    assert (result.exit_code, one["ok"], one["logged_in_as"], one["reachable"]) == (1, False, None, None)
    assert words in one["advice"]
    secret = (certificates / key).read_text().splitlines()[1]
    assert secret not in result.stdout + result.stderr


def files_of(tmp_path, monkeypatch, **contents):
    """Somebody's folder of certificates."""
    folder = tmp_path / "my certificates"
    folder.mkdir()
    for name, text in contents.items():
        (folder / name.replace("_", ".")).write_text(text)
    monkeypatch.setenv("CERN_CERTIFICATE_PATH", str(folder))
    return folder


KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"usercert_pem": EXPIRED, "userkey_pem": ""}, "userkey.pem is empty: make it anew"),
        ({"usercert_pem": EXPIRED, "userkey_pem": " \n"}, "userkey.pem is empty"),
        ({"usercert_pem": "", "userkey_pem": KEY}, "usercert.pem is empty"),
        ({"usercert_pem": EXPIRED, "userkey_pem": EXPIRED}, "holds a certificate, but no private key"),
        ({"usercert_pem": EXPIRED, "userkey_pem": "hello"}, "holds no private key in PEM format"),
        ({"usercert_pem": KEY, "userkey_pem": KEY}, "usercert.pem holds a private key, but no certificate"),
        ({"usercert_pem": EXPIRED}, "has usercert.pem, but no userkey.pem"),
        ({"userkey_pem": KEY, "me_p12": "x"}, "has userkey.pem, but no usercert.pem"),
        ({"me_p12": "x"}, "me.p12 alone can't be used, make two files of it"),
        ({"me_pfx": "x"}, "me.pfx alone can't be used"),
    ],
)
def test_what_is_wrong_with_the_files_is_told_with_the_openssl_lines(
    contents, words, closed_https, tkstudies, monkeypatch, tmp_path
):
    folder = files_of(tmp_path, monkeypatch, **contents)
    (one,) = from_lines(tkstudies("check", "--service", "dqm").stdout)
    assert (one["ok"], words in one["advice"]) == (False, True), one["advice"]
    p12 = next(
        (f"'{folder}/{name.replace('_', '.')}'" for name in contents if name.startswith("me")), "myCertificate.p12"
    )
    assert f"openssl pkcs12 -in {p12} -clcerts -nokeys -out '{folder}/usercert.pem'; " in one["advice"]
    assert f"openssl pkcs12 -in {p12} -nocerts -nodes -out '{folder}/userkey.pem'; chmod 400" in one["advice"]


def test_a_p12_in_the_usual_place(closed_https, tkstudies, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ".globus").mkdir()
    (tmp_path / ".globus" / "me.p12").write_text("x")
    result = tkstudies("dqm", "--run", 321012, "--reco", "express", "--tracking-map")
    assert (result.exit_code, "me.p12 alone can't be used" in result.stderr) == (1, True)


def test_a_terminal_shows_the_table_alone(live, shell):
    names = "--service oms --service v3 --service dqm"
    for columns in (60, 200):
        result = shell(
            f"script -qec 'stty cols {columns}; tkstudies check {names}' /dev/null < /dev/null",
            NO_COLOR="1", COLUMNS="", TKSTUDIES_RESTHUB_URL=NOWHERE,
        )  # fmt: skip
        lines = result.stdout.replace("\r", "").splitlines()
        assert [line.split()[0] for line in lines[:4]] == ["ok", "ok", "NO", "ok"]
        assert max(map(len, lines[:4])) <= columns
        assert lines[4].startswith("Run Registry v3: ") and "{" not in result.stdout
        assert lines[5:] == ["tkstudies: not ready: Run Registry v3 can't be used"]


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03abc", b"\x30\x84\xff\xff\xff\xff", b"no certificate"])
def test_what_is_no_certificate(der):
    with pytest.raises(ValueError):
        x509.read(der)


def test_cookies_of_another_host(tmp_path, live):
    from tkstudies.errors import LoginError
    from tkstudies.services.web import login

    jar = login.cookies(str(live.write_cookies(tmp_path / "cookies.txt")))
    assert identity.of_cookies(jar, "127.0.0.1").until > datetime.now(timezone.utc)
    with pytest.raises(LoginError, match=r"no cookie for oms\.cern\.ch"):
        identity.of_cookies(jar, "oms.cern.ch")


@pytest.mark.parametrize(
    ("ends", "is_valid"),
    [
        (["past"], False),
        (["past", "past"], False),
        (["past", "future"], True),
        (["past", None], True),  # one of the session: nobody knows when it ends
        ([None], True),
        (["future"], True),
    ],
)
def test_cookies_end_with_the_last_of_them(ends, is_valid):
    from http.cookiejar import Cookie

    from tkstudies.errors import LoginError

    times = {"past": time.time() - 60, "future": time.time() + 60, None: None}
    jar = [
        Cookie(0, f"c{n}", "v", None, False, ".cern.ch", True, True, "/", True, True, times[end], False, None, None, {})
        for n, end in enumerate(ends)
    ]
    if not is_valid:
        with pytest.raises(LoginError, match=r"the cookies for oms\.cern\.ch have expired"):
            identity.of_cookies(jar, "oms.cern.ch")
    else:
        until = identity.of_cookies(jar, "oms.cern.ch").until
        assert (until is None) == (ends == [None])
