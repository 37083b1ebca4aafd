"""What the tests of logins by browser share: a realm that is new for each test, and a clock that nobody waits for."""

from __future__ import annotations

import json
import time

import pytest

from tests.cern.sso import Sso
from tkstudies.services.web import device, tokens
from tkstudies.services.web.shared import finish
from tkstudies.settings import current


class Clock:
    """In the place of the module time: sleeping is free, and noted."""

    def __init__(self):
        self.now = time.time()
        self.slept = []

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The time of logins, of tokens and of the realm."""
    made = Clock()
    for module in (device, tokens):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def user(running, monkeypatch, tmp_path, clock, quick_retries):
    """Somebody without an application of their own, whose state folder is ``tmp_path/state``; the server."""
    for name, value in running.env.items():
        if not name.startswith("SSO_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tkstudies.services.web.sso._DELAYS", (0.001, 0.001, None))
    monkeypatch.chdir(tmp_path)
    running.sso = Sso(running.url, running._tokens, 1200)
    running.sso.clock = clock.time
    current.reset()
    yield running
    running.rewrite = running.on_request = running.faults = None
    current.reset()
    finish()


@pytest.fixture
def kept(tmp_path):
    """The file of the login to OMS."""
    return tmp_path / "state/tkstudies/oms.json"


def application(server, monkeypatch):
    """The user gets an application, too."""
    for name in ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET"):
        monkeypatch.setenv(name, server.env[name])


def answers(server, path, change):
    """Let ``change`` make another reply of those below a path of the realm."""

    def rewrite(service, request, reply):
        return change(reply) if service == "sso" and request.path.endswith(path) else reply

    server.rewrite = rewrite


def changed(**members):
    """A reply with other members; None takes one away."""

    def change(reply):
        value = {**json.loads(reply.body), **members}
        return reply._replace(body=json.dumps({k: v for k, v in value.items() if v is not None}).encode())

    return change
