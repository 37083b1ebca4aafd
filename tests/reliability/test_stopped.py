"""Stopped at any moment: what is written is whole lines, and a crawl goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cern.server import CernServer
from tests.cern.simulated_histograms import OCCUPANCY_PATH
from tests.conftest import to_lines

TABLE = [{"run_number": run, "reco": "express"} for run in (317291, 317292, 317297, 317320)]
CRAWL = ("dqm", "--collection", "tracking", "--plot", OCCUPANCY_PATH, "--plot", "/No/Such/Plot")
LOOK_UPS = 1  # of datasets, before the first histogram
POINTS = 12


@pytest.fixture(scope="module")
def calm(world):
    """A fixture server whose hook ``on_request`` is ours."""
    with CernServer(world=world, latency=0.002) as server:
        yield server


@pytest.fixture
def user(calm, monkeypatch, tmp_path):
    """The environment of a user of that server, with a table of runs."""
    for name, value in calm.env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "runs.jsonl").write_text(to_lines(TABLE))
    yield calm
    calm.on_request = None


@pytest.fixture
def start(user, tmp_path):
    """Start a command as a process of its own, which gets a signal at its Nth request to a service."""
    processes = []

    def start(arguments, service="", number=0, how=signal.SIGKILL, **streams):
        seen = 0

        def on_request(asked, _):
            nonlocal seen
            seen += asked == service
            if number and seen == number and asked == service:
                processes[-1].send_signal(how)

        user.on_request = on_request
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        command = [sys.executable, "-m", "tkstudies", *map(str, arguments)]
        processes.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ}, **streams))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def is_whole(text: bytes) -> bool:
    """Nothing, or lines of JSON that all end."""
    return (not text or text.endswith(b"\n")) and all(json.loads(line) for line in text.splitlines())


@pytest.fixture(scope="module")
def whole_crawl():
    """What is cached over the points: the output of a crawl that nobody stopped."""
    return {}


@pytest.fixture
def whole(whole_crawl, user, tkstudies):
    if not whole_crawl:
        result = tkstudies(*CRAWL, input=TABLE)
        assert result.exit_code == 0, result.stderr
        whole_crawl["text"] = result.stdout
    return whole_crawl["text"]


@pytest.mark.parametrize("point", range(POINTS // 2))
def test_killed_at_a_request(start, whole, tkstudies, tmp_path, point):
    """kill -9 while ``-o FILE`` is written, from before the first record to shortly before the last."""
    requests = LOOK_UPS + len(whole.splitlines()) + len(TABLE)
    number = 1 + (requests - 1) * point // (POINTS // 2 - 1)
    number = min(max(1, number + random.Random(point).randint(-1, 1) * (0 < point < POINTS // 2 - 1)), requests)
    process = start([*CRAWL, "--workers", 3, "runs.jsonl", "-o", "h.jsonl"], "dqm", number)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "h.jsonl").exists()
    goes_on(tkstudies, tmp_path / "h.jsonl", whole)


@pytest.mark.parametrize("point", range(POINTS // 2))
def test_killed_in_the_middle_of_a_line(start, whole, tkstudies, tmp_path, point):
    """kill -9 when exactly so many bytes of a redirected output have arrived in FILE."""
    size = random.Random(point).randrange(1, len(whole)) if point else 1
    process = start([*CRAWL, "--workers", 3, "runs.jsonl"])
    file = tmp_path / "h.jsonl"
    file.write_bytes(process.stdout.read(size))
    process.kill()
    process.communicate()
    assert file.stat().st_size == size
    goes_on(tkstudies, file, whole)


def goes_on(tkstudies, file: Path, whole: str) -> None:
    """The same command with --resume makes the file that an uninterrupted one makes."""
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert result.exit_code == 0, result.stderr
    assert file.read_text() == whole
    assert [other.name for other in file.parent.iterdir() if other.name.startswith("h.")] == ["h.jsonl"]


# --- Ctrl-C

READERS = {
    "runreg": ("runregistry", 2, "runreg --min 315000 --max 320000 --workers 1"),
    "runreg lumisections": ("runregistry", 12, "runreg --lumisections --min 315000 --max 320000 --workers 1"),
    "v3": ("resthub", 3, "runreg --api v3 --min 315000 --max 325000 --workers 1"),
    "oms runs": ("oms", 4, "oms runs --run 315257,316000,316500,317000,317291,318000 --workers 1"),
    "oms lumisections": ("oms", 5, "oms lumisections --run 317291,317297,317320,317327,317338 --workers 1"),
    "dqm": ("dqm", 30, " ".join(CRAWL) + " runs.jsonl"),
    "dqm folders": ("dqm", 3, "dqm --ls /Tracking runs.jsonl"),
    "wbm": ("wbm", 3, "wbm --run 315257,315400,315600,316200,316700"),
    "token": ("sso", 1, "oms runs --min 315000 --max 317000"),
}


@pytest.mark.parametrize(
    ("name", "to_file"), [*((name, place % 2 == 0) for place, name in enumerate(READERS)), ("dqm", True)]
)
def test_ctrl_c(start, tmp_path, name, to_file):
    service, last, command = READERS[name]
    number = random.Random(f"{name}{to_file}").randint(1, last)
    output = ["-o", "records.jsonl"] if to_file else []
    process = start([*command.split(), *output], service, number, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert is_whole(out)
    assert b"Traceback" not in err and err.endswith(b"tkstudies: interrupted\n")
    assert not (tmp_path / "records.jsonl").exists()
    if name == "dqm":
        assert b"go on with the same command and --resume " + (b"records.jsonl" if to_file else b"FILE") in err
        assert (tmp_path / "records.jsonl.part").exists() == to_file
    left = {file.name for file in tmp_path.iterdir()} - {"runs.jsonl", "records.jsonl.part"}
    assert left == set()


SLOWLY_READ = {
    "dqm": f"dqm --plot {OCCUPANCY_PATH} --run 317200-317700 --reco express",
    "runreg": "runreg --min 313000 --max 325000",
    "filter": "filter a=1 -i rows.jsonl",
}


@pytest.mark.parametrize("name", SLOWLY_READ)
def test_ctrl_c_while_the_reader_is_slow(start, tmp_path, name):
    """The output is a full pipe: the line that is being written is finished when the reader goes on."""
    (tmp_path / "rows.jsonl").write_text(to_lines({"a": 1, "x": "y" * 900, "n": n} for n in range(3000)))
    process = start(SLOWLY_READ[name].split())
    assert os.read(process.stdout.fileno(), 1000)
    wait_until_full(process.stdout)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert out.endswith(b"\n") and all(json.loads(line) for line in out.splitlines()[1:])


def wait_until_full(pipe):
    """Until nothing more comes into a pipe."""
    held, since = 0, time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.02)
        now = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        held, since = (held, since) if now == held else (now, time.monotonic())
    assert held > 30_000
