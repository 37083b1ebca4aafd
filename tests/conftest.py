"""What the tests share: the command line in this process and in a shell, the fixture server, a closed network."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.testing
from hypothesis import settings
from typer.testing import CliRunner

from tests.cern.faults import Faults
from tests.cern.registry import Registry
from tests.cern.server import CernServer
from tests.cern.simulation import World
from tkstudies.cli import app
from tkstudies.services.web import retries
from tkstudies.settings import current

SIZE = os.environ.get("TKSTUDIES_TEST_SIZE")
TRIALS = max(1, round(40 * float(SIZE or "1")))
# a loaded machine is slow, not wrong; and a change that touches nothing of it fails no test: searching is asked for
settings.register_profile("steady", deadline=None, max_examples=TRIALS, derandomize=not SIZE)
settings.load_profile("steady")

# What takes most of the time of many small tests: a start of a command that compiles the whole package again, and
# looking for garbage among the half a million objects of pytest and of the simulated year, which none of them is.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
gc.disable()  # until all tests are found
typer.testing._get_command = cache(typer.testing._get_command)  # the command line is made once, not for each command

ROOT = Path(__file__).parent.parent
CASSETTES = ROOT / "cassettes"
SERVICES = ("RUNREG", "RESTHUB", "OMS", "DQM", "DOCTOR", "CERTHELPER", "WBM", "DIALS", "SSO")
NOWHERE = "http://127.0.0.1:9"  # a closed port: child processes can't reach a network either


LONG = (
    "test_examples",
    "test_workers",
    "test_plot",
    "test_reliability",
    "test_stopped",
    "test_cli",
    "test_dqm",
    "test_fuzz",
)


def pytest_collection_modifyitems(items):
    """Files that take long come first: otherwise one process would be at the last of them alone."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


def pytest_collection_finish():
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


@pytest.fixture(autouse=True)
def closed_network(monkeypatch, tmp_path_factory):
    """No service, no credentials, no settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith(("TKSTUDIES_", "SSO_", "X509_", "CERN_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for service in SERVICES:
        monkeypatch.setenv(f"TKSTUDIES_{service}_URL", NOWHERE)
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
    current.reset()  # a test that replays leaves its cassettes there
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "nothing"))


@pytest.fixture(scope="session")
def world():
    """The simulated CMS behind all fixture servers, its year made: nobody's first request has to wait for that."""
    gc.disable()
    world = World(2018)
    Registry(world).prepare()
    gc.freeze()
    gc.enable()
    return world


@pytest.fixture(scope="session")
def server(world):
    """One fixture server for all tests that only read from it."""
    with CernServer(world=world) as running:
        yield running
        assert running.errors == []


@pytest.fixture(scope="module")
def running(world):
    """A fixture server of the module's own, whose faults are set by each test."""
    with CernServer(world=world) as server:
        yield server
        assert server.errors == []


@pytest.fixture
def live(server, monkeypatch):
    """The environment of a user whose services are the fixture server."""
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def quick_retries(monkeypatch):
    """Retries without the waiting."""
    monkeypatch.setattr(retries, "USUAL", retries.Retries(first_delay=0.001, longest_delay=0.002))


@pytest.fixture(scope="module")
def changing(world):
    """A server of the module's own, whose contents change."""
    with CernServer(world=world) as running:
        yield running


@pytest.fixture
def changes(changing, monkeypatch, quick_retries):
    """The environment of a user of the server that changes."""
    for name, value in changing.env.items():
        monkeypatch.setenv(name, value)
    yield changing
    changing.on_request = changing.faults = changing.rewrite = None


@pytest.fixture
def fail(live, quick_retries):
    """Let requests to the shared server fail in a given way: ``fail(["reset"], rate=0.3)``."""

    def start(*arguments, **options):
        live.faults = Faults(*arguments, **options)
        return live.faults

    yield start
    live.faults = None


@pytest.fixture
def tkstudies():
    """Run a command in this process: ``tkstudies("filter", "a = 1", input=[{"a": 1}])``."""

    def run(*arguments, input=None):
        if isinstance(input, list):
            input = to_lines(input)
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)

    return run


@pytest.fixture
def new_command_line():
    """The command line made anew, for a test that adds to it."""
    typer.testing._get_command.cache_clear()
    yield
    typer.testing._get_command.cache_clear()


@pytest.fixture
def shell(tmp_path):
    """Run a bash script as a real process in an empty folder; .stdout, .stderr, .returncode."""

    def run(script, *, cwd=tmp_path, timeout=120, **environment):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "-c", script],
            cwd=cwd,
            env={**os.environ, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


def to_lines(records):
    """Records as JSON Lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def nearly(value):
    """What equals a value, or differs by rounding in its floats."""
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-9, abs=1e-9)
    if isinstance(value, dict):
        return {name: nearly(member) for name, member in value.items()}
    return [nearly(member) for member in value] if isinstance(value, list) else value


def from_lines(text):
    """JSON Lines as records."""
    return [json.loads(line) for line in text.split("\n") if line]


def rows(result):
    """The records of a command that did well."""
    assert result.exit_code == 0, result.stderr
    return from_lines(result.stdout)
