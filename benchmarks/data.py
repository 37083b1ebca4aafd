"""Generated inputs of the benchmarks: the shapes and sizes of a year of studies, values that repeat after a while."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from math import exp, sqrt
from pathlib import Path

RECOS = ("online", "express", "prompt")
FIRST_RUN, RUNS_PER_FILL = 315000, 20

_VARIANTS = 500  # different records of each kind; a parser can't tell, and writing them all would take minutes
_PLOTS = [f"/Tracking/TrackParameters/generalTracks/Plot{number}_GenTk" for number in range(77)]


def runs(file: Path, rows: int, columns: int = 71) -> None:
    """Run-registry rows of ``columns`` columns and 2 kB, three rows a run."""
    _write(file, (f'"run_number":{run},"reco":"{reco}"' for run, reco in _pairs(rows)), _run_members(columns - 2))


def oms_runs(file: Path, rows: int) -> None:
    """One row of 1 kB a run."""
    begin = (f'"run_number":{FIRST_RUN + n},"fill_number":{6000 + n // RUNS_PER_FILL}' for n in range(rows))
    _write(file, begin, _members(35, "oms"))


def fills(file: Path, rows: int) -> None:
    """One row a fill."""
    _write(file, (f'"fill_number":{6000 + n}' for n in range(rows)), _members(20, "fill"))


def features(file: Path, rows: int, columns: int = 308) -> None:
    """Feature rows of random numbers, gaps in every 20th row."""
    rng = random.Random(4)
    names = [f"feature{n // 2}.{'mean' if n % 2 else 'rms'}" for n in range(columns)]
    variants = []
    for number in range(_VARIANTS):
        row = {name: rng.gauss(n, 1) for n, name in enumerate(names)}
        if number % 20 == 0:
            row[rng.choice(names)] = None
        variants.append(_encoded(row))
    _write(file, (f'"run_number":{run},"reco":"{reco}"' for run, reco in _pairs(rows)), variants)


def histograms(file: Path, rows: int, size: int = 9500) -> None:
    """Histogram records of 10 kB, 77 plots for each run and reco: bell-shaped counts, every fifth a profile."""
    rng = random.Random(5)
    variants = []
    for number in range(_VARIANTS):
        bins, peak, texts = 200, 10 ** rng.uniform(1, 6), [""]
        while sum(map(len, texts)) < size:
            heights = [peak * exp(-(((12 * n + 6) / bins - 6) ** 2) / 2) for n in range(bins)]
            counts = [max(0.0, rng.gauss(height, sqrt(height))) for height in heights]
            texts = [f"{count / 7:.6g}," if number % 5 == 0 else f"{count:.0f}," for count in counts]
            bins = int(bins * 1.2)
        text, bins = "".join(texts), len(texts)
        moments = {axis: {"value": round(rng.gauss(50, 3), 4), "error": 0.00349807} for axis in "XY"}
        hist = {
            "type": "TProfile" if number % 5 == 0 else "TH1",
            "stats": {"entries": bins * 10.0, "mean": moments, "rms": moments, "underflow": 0, "overflow": 3},
            "xaxis": {"first": {"id": 1, "value": 0}, "last": {"id": bins, "value": 100}, "title": "#eta"},
            "yaxis": {"first": {"id": 1, "value": 0}, "last": {"id": 1, "value": 1}, "title": "Tracks"},
        }
        start = json.dumps(hist, separators=(",", ":"))[:-1]
        variants.append(f'"hist":{start},"bins":{{"integral":{bins * 9},"content":[{text[:-1]}]}}}}')
    begins = (
        f'"run_number":{run},"reco":"{reco}","dataset":"/a/b/DQMIO","plot":"{plot}"'
        for run, reco in _pairs(rows // len(_PLOTS) + 1)
        for plot in _PLOTS
    )
    _write(file, (begin for begin, _ in zip(begins, range(rows), strict=False)), variants)


def _pairs(rows: int) -> Iterator[tuple[int, str]]:
    return ((FIRST_RUN + number // 3, RECOS[number % 3]) for number in range(rows))


def _run_members(columns: int) -> list[str]:
    """Statuses, comments, fractions, flags, times and lists, as the run registry gives them."""
    rng = random.Random(2)
    variants = []
    for _ in range(_VARIANTS):
        row = {
            "pixel": rng.choice(["GOOD", "BAD"]),
            "strip": "GOOD",
            "tracking": rng.choice(["GOOD", "EXCLUDED"]),
            "rda_name": "/Express/Collisions2018/DQM",
            "comment": rng.choice([None, "naïve ☃ hv scan, LS 1-21", "HV off"]),
            "problem_names": ["FED error", "new hole"][: rng.randrange(3)],
            "start_time": "2018-06-21T02:11:05Z",
        }
        for number in range(columns - len(row)):
            value = rng.choice(
                [rng.random() * 100, rng.randrange(10**6), None, rng.random() < 0.5, "a comment of some words"]
            )
            row[f"component_{number}_status"] = value
        variants.append(_encoded(row))
    return variants


def _members(columns: int, name: str) -> list[str]:
    rng = random.Random(3)
    kinds = [lambda: rng.random() * 1e3, lambda: rng.randrange(10**9), lambda: "2018-06-21T02:11:05Z"]
    return [
        _encoded({f"{name}_column_{number}": kinds[number % 3]() for number in range(columns)})
        for _ in range(_VARIANTS)
    ]


def _encoded(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _write(file: Path, begins: Iterator[str], variants: list[str]) -> None:
    encoded = [f",{members}}}\n".encode() for members in variants]
    with open(file, "wb") as stream:
        for number, begin in enumerate(begins):
            stream.write(b"{" + begin.encode() + encoded[number % len(encoded)])
