"""Interleaved timing of commands: medians and ratios that a loaded machine disturbs equally."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PYTHON = sys.executable
TKSTUDIES = str(Path(sys.executable).with_name("tkstudies"))


def seconds(command: Sequence[str], stdin: str | None = None) -> float:
    """Wall time of one process, its output thrown away."""
    with open(stdin or os.devnull, "rb") as source:
        start = time.perf_counter()
        subprocess.run(command, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start


def megabytes(command: Sequence[str], stdin: str | None = None) -> float:
    """Peak memory of one process [MB], read by a process of its own."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdin=0, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    with open(stdin or os.devnull, "rb") as source:
        done = subprocess.run([PYTHON, "-c", code, *command], stdin=source, capture_output=True, text=True, check=True)
    return float(done.stdout)


def medians(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median of each contestant's own times, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            times[name].append(run())
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, result: Mapping[str, float], reference: str, bounds: Mapping[str, float] | None = None) -> None:
    """Print medians and ratios to the reference, with the ratio to reach where one is set."""
    print(title)
    for name, value in result.items():
        ratio = value / result[reference]
        bound = (bounds or {}).get(name)
        goal = "" if bound is None else f"   to reach: {bound:g}  {'ok' if ratio <= bound else 'MISSED'}"
        print(f"  {name:34} {value * 1000:9.1f} ms  {ratio:7.2f} x {reference}{goal}")


def own_memory() -> float:
    """Peak memory of this process [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
