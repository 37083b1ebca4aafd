"""``python -m benchmarks.scale [GB ...]``: tables in folders, by one process, by two, and by Dask, in turns.

Prints for ``features`` and ``pca``: the time of each as a ratio to that of one process, GB per second, and the largest
memory of any process. With several sizes the memory and the time per GB show whether they stay flat.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import data
from benchmarks.duel import folder
from benchmarks.timing import PYTHON, TKSTUDIES, medians, report

SHARDS_PER_GB = 20
ROUNDS = 3
GOALS = {"two processes": 1 / 1.6}


def table(where: Path, kind: str, gigabytes: float) -> Path:
    """A folder of files of 50 MB: one file, copied with other run numbers."""
    place = where / f"{kind}-{gigabytes:g}"
    place.mkdir()
    first = where / f"{kind}.jsonl"
    if not first.exists():
        if kind == "histograms":
            data.histograms(first, 5_000)
        else:
            data.features(first, 8_500)
    size = first.stat().st_size
    lines = first.read_bytes().splitlines(keepends=True)
    for number in range(max(round(gigabytes * 1e9 / size), 2)):
        with open(place / f"{number:04}.jsonl", "wb") as file:
            for line in lines:
                begin, _, rest = line.partition(b",")
                run = int(begin.rpartition(b":")[2]) + 10_000 * number
                file.write(b'{"run_number":%d,' % run + rest)
    return place


def gigabytes_of(place: Path) -> float:
    """The size of a folder."""
    return sum(file.stat().st_size for file in place.iterdir()) / 1e9


def run(command: list[str]) -> float:
    """Wall time of one process [s]."""
    start = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def largest(command: list[str]) -> float:
    """Memory of the largest of all its processes [MB]."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdin=0, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    return float(subprocess.run([PYTHON, "-c", code, *command], capture_output=True, text=True, check=True).stdout)


def measure(where: Path, name: str, kind: str, gigabytes: float, rounds: int) -> None:
    """One command on a table of one size."""
    place = table(where, kind, gigabytes)
    size = gigabytes_of(place)
    command = [TKSTUDIES, name, str(place), "--jobs"]
    contestants = {
        "one process": lambda: run([*command, "1"]),
        "two processes": lambda: run([*command, "2"]),
        "Dask, two workers": lambda: run([*command, "dask"]),
    }
    result = medians(contestants, rounds)
    report(f"{name}: {size:.2f} GB in {len(list(place.iterdir()))} files", result, "one process", GOALS)
    for each, jobs in (("one process", "1"), ("two processes", "2")):
        print(f"  {each:34} {size / result[each]:9.3f} GB/s  {largest([*command, jobs]):7.0f} MB at most in a process")
    print(f"  {'Dask to plain processes':34} {result['Dask, two workers'] / result['two processes']:9.2f} x")
    shutil.rmtree(place)


def main() -> None:
    """The sizes of the command line [GB], 2 by default."""
    sizes = [float(size) for size in sys.argv[1:]] or [2.0]
    print(f"{os.cpu_count()} cores, files of {1000 // SHARDS_PER_GB} MB, medians of {ROUNDS} rounds in turns")
    with folder() as where:
        for name, kind in (("features", "histograms"), ("pca", "features")):
            for size in sizes:
                measure(where, name, kind, size, ROUNDS if size <= 2 else 1)


if __name__ == "__main__":
    main()
