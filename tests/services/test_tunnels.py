"""Ways to CERN from elsewhere: SOCKS tunnels, proxies, and what is said when there is no way."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

import pytest

from tkstudies.errors import ServiceError
from tkstudies.services.web import endpoints
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.shared import finish


@pytest.fixture(autouse=True)
def quick(quick_retries):
    yield
    finish()


@pytest.fixture
def far_away(monkeypatch):
    """Services whose names only somebody inside CERN can look up."""
    monkeypatch.setenv("TKSTUDIES_RESTHUB_URL", "http://vocms00170.invalid:2113")
    monkeypatch.setenv("TKSTUDIES_WBM_URL", "http://cmswbm.invalid/cmsdb/servlet")
    monkeypatch.setenv("TKSTUDIES_CERTHELPER_URL", "http://certhelper.invalid")


@pytest.fixture
def tunnel(live):
    """A SOCKS5 server as ``ssh -D`` is one: it takes names, and leads all of them to the fixture server."""
    asked = []
    host, port = live.url.removeprefix("http://").split(":")

    def pump(source, sink):
        with source, sink:
            while data := source.recv(65536):
                sink.sendall(data)

    def serve(client):
        stream = client.makefile("rb")
        stream.read(stream.read(2)[1])
        client.sendall(b"\x05\x00")  # no login
        kind = stream.read(4)[3]
        name = stream.read(stream.read(1)[0]).decode() if kind == 3 else f"address type {kind}"
        asked.append((name, int.from_bytes(stream.read(2), "big")))
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        far = socket.create_connection((host, int(port)))
        threading.Thread(target=pump, args=(far, client.dup()), daemon=True).start()
        pump(client, far.dup())

    def accept(listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=quietly, args=(serve, client), daemon=True).start()

    def quietly(function, client):
        with contextlib.suppress(OSError):
            function(client)

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    yield f"socks5h://127.0.0.1:{listener.getsockname()[1]}", asked
    listener.close()


def test_through_a_tunnel(tunnel, live, tkstudies, monkeypatch):
    pytest.importorskip("socks")
    direct = tkstudies("wbm", "--run", "317291")
    assert direct.exit_code == 0 and direct.stdout
    proxy, asked = tunnel
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("TKSTUDIES_WBM_URL", "http://cmswbm.invalid/wbm")
    result = tkstudies("wbm", "--run", "317291")
    assert (result.exit_code, result.stdout) == (0, direct.stdout), result.stderr
    assert asked == [("cmswbm.invalid", 80)]  # the name is looked up at the other end


def test_a_tunnel_that_is_down(far_away, tkstudies, monkeypatch):
    pytest.importorskip("socks")
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:9")
    result = tkstudies("wbm", "--run", "317291")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "WBM can't be reached" in result.stderr and "ssh -D" in result.stderr


def test_a_tunnel_needs_pysocks(far_away, tkstudies, monkeypatch):
    for name in ("socks", "urllib3.contrib.socks"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing_socks)
    monkeypatch.setenv("ALL_PROXY", "socks5h://localhost:1080")
    for command in (["doctor", "references"], ["wbm", "--run", "1"]):
        result = tkstudies(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == ("tkstudies: a SOCKS proxy needs PySocks: pip install 'tkstudies[socks]'\n")


def missing_socks(*_, **__):
    """What requests puts in place of its SOCKS support when PySocks isn't installed."""
    from requests.exceptions import InvalidSchema

    raise InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTP_PROXY", "http_proxy"])
def test_loopback_is_not_proxied(live, tkstudies, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    result = tkstudies("doctor", "references")
    assert result.exit_code == 0 and result.stdout, result.stderr
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # for tokens, too
    assert tkstudies("oms", "runs", "--run", "317291").exit_code == 0


def test_no_proxy_is_heeded(live, far_away, tkstudies, monkeypatch):
    before = len(live.log)
    monkeypatch.setenv("HTTP_PROXY", live.url)
    monkeypatch.setenv("NO_PROXY", ".invalid")
    result = tkstudies("doctor", "references")
    assert result.exit_code == 1 and "resolve" in result.stderr and len(live.log) == before


def test_a_proxy_is_used_for_other_hosts(live, far_away, tkstudies, monkeypatch):
    before = len(live.log)
    monkeypatch.setenv("HTTP_PROXY", live.url)  # it serves what it is asked for as a proxy by the path alone
    monkeypatch.setenv("TKSTUDIES_CERTHELPER_URL", "http://certhelper.invalid/certhelper")
    result = tkstudies("doctor", "references")
    assert result.exit_code == 0 and result.stdout, result.stderr
    assert [entry.service for entry in live.log[before:]] == ["certhelper"]


@pytest.mark.parametrize(
    "command", [["runreg", "--api", "v3", "--run", "317291"], ["wbm", "--run", "317291"]], ids=["v3", "wbm"]
)
def test_hosts_inside_cern_name_the_tunnel(far_away, tkstudies, command):
    result = tkstudies(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    for words in (
        "can't be reached",
        "ssh -D 1080 USER@lxplus.cern.ch",
        "ALL_PROXY=socks5h://localhost:1080",
        "tkstudies[socks]",
        "TKSTUDIES_",
    ):
        assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_other_hosts_do_not(tkstudies):
    result = tkstudies("doctor", "references")
    assert result.exit_code == 1 and "ssh -D" not in result.stderr
    assert "check the network, or set TKSTUDIES_CERTHELPER_URL" in result.stderr


def test_a_bundle_that_is_not_there(monkeypatch):
    monkeypatch.setenv("TKSTUDIES_CERTHELPER_URL", "https://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    with pytest.raises(ServiceError, match=r"REQUESTS_CA_BUNDLE names /nowhere/bundle\.pem"):
        Connection(endpoints.CERTHELPER)
