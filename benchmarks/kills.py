"""``python -m benchmarks.kills [ROUNDS [JOBS ...]]``: 200 shards, and workers that are killed while they work on them.

Each round runs ``filter``, ``features`` and ``pca`` in turn, by two processes and by Dask, and kills workers at times
that its seed gives. The output must have the bytes of one process, and nothing may be left behind. Every fifth round
the command itself is killed: its workers must go, and the same command must work again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.duel import folder
from benchmarks.timing import TKSTUDIES

SHARDS = 200
ROUNDS = 20
MOST_KILLS = 4
PATIENCE = 10.0  # seconds for workers to see that nobody waits for them
COMMANDS = {
    "filter": ["filter", "feature3.mean > 3", "rows"],
    "features": ["features", "plots"],
    "pca": ["pca", "rows"],
}


class Run:
    """One command in a session and with temporary files of its own."""

    def __init__(self, where: Path, command: list[str], jobs: str):
        self.temporary = where / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self._output = where / "output"
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(
                [TKSTUDIES, *command, "--jobs", jobs],
                cwd=where,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def kill_worker(self, choose: Callable[[list[int]], int]) -> bool:
        """Kill one, if there are any."""
        found = [
            number
            for number, (parent, _, line) in processes().items()
            if parent == self.process.pid and "spawn_main" in line
        ]
        if not found:
            return False
        try:
            os.kill(choose(found), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def left(self) -> list[int]:
        """Its processes that are still there."""
        return [number for number, (_, session, _) in processes().items() if session == self.process.pid]

    def leaves_nobody(self) -> bool:
        """Are all processes gone, soon after the command?"""
        end = time.monotonic() + PATIENCE
        while self.left() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.left()

    def result(self) -> tuple[int, bytes]:
        """Exit code and output."""
        return self.process.wait(600), self._output.read_bytes()


def processes() -> dict[int, tuple[int, int, str]]:
    """Parent, session and command line of all processes that aren't just waiting to be forgotten."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, session, *_ = (place / "stat").read_text().rpartition(")")[2].split()
            line = (place / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if state != "Z":
            found[int(place.name)] = int(parent), int(session), line
    return found


def tables(where: Path) -> None:
    """Shards of rows and of histograms."""
    for name, make, size in (("rows", data.features, 30), ("plots", data.histograms, 11)):
        (where / name).mkdir()
        make(where / "all.jsonl", SHARDS * size)
        lines = (where / "all.jsonl").read_bytes().splitlines(keepends=True)
        for number in range(SHARDS):
            (where / name / f"{number:03}.jsonl").write_bytes(b"".join(lines[number * size : (number + 1) * size]))


def with_killed_workers(where: Path, command: list[str], jobs: str, rng: random.Random) -> tuple[Run, int]:
    """A run during which workers are killed; how many were."""
    run, kills, most = Run(where, command, jobs), 0, rng.randint(1, MOST_KILLS)
    while run.process.poll() is None and kills < most:
        time.sleep(rng.uniform(0.1, 1))
        kills += run.kill_worker(rng.choice)
    return run, kills


def killed(where: Path, command: list[str], jobs: str, rng: random.Random) -> bool:
    """Does nobody stay when the command is killed?"""
    run = Run(where, command, jobs)
    time.sleep(rng.uniform(0.3, 2))
    run.process.kill()
    run.process.wait()
    gone = run.leaves_nobody()
    shutil.rmtree(run.temporary)  # parts stay, as nobody could remove them
    return gone


def main() -> None:
    """The rounds and kinds of the command line, 20 of each by default."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with folder() as where:
        tables(where)
        expected = {name: Run(where, command, "1").result() for name, command in COMMANDS.items()}
        for jobs in sys.argv[2:] or ["2", "dask"]:
            equal = kills = parents = gone = 0
            for seed in range(rounds):
                rng = random.Random(seed)
                name = list(COMMANDS)[seed % len(COMMANDS)]
                if seed % 5 == 4:
                    parents += 1
                    gone += killed(where, COMMANDS[name], jobs, rng)
                run, times = with_killed_workers(where, COMMANDS[name], jobs, rng)
                kills += times
                wrong = []
                code, output = run.result()
                if (code, output) != expected[name]:
                    wrong.append(f"exit code {code}, {len(output)} of {len(expected[name][1])} bytes")
                if not run.leaves_nobody():
                    wrong.append(f"processes left: {run.left()}")
                if os.listdir(run.temporary):
                    wrong.append(f"files left: {os.listdir(run.temporary)}")
                    shutil.rmtree(run.temporary)
                equal += not wrong
                for what in wrong:
                    print(f"  --jobs {jobs}, seed {seed}, {name}: {what}")
            print(f"--jobs {jobs}: {equal} of {rounds} equal, {kills} workers killed")
            print(f"--jobs {jobs}: {gone} of {parents} killed commands left nobody", flush=True)


if __name__ == "__main__":
    main()
