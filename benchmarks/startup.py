"""``python -m benchmarks.startup``: what every stage of every pipe pays before it works, against ``python -c pass``."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from benchmarks.timing import PYTHON, TKSTUDIES, medians, report, seconds

TERMINAL = ("script", "-qec")  # util-linux


def main(rounds: int = 25) -> None:
    """Medians of interleaved runs."""
    with tempfile.TemporaryDirectory() as folder:
        left, right = Path(folder) / "left.jsonl", Path(folder) / "right.jsonl"
        left.write_text("".join(json.dumps({"run_number": n, "reco": "express"}) + "\n" for n in range(10)))
        right.write_text("".join(json.dumps({"run_number": n, "lumi": n / 7}) + "\n" for n in range(10)))
        contestants = {
            "python -c pass": lambda: seconds([PYTHON, "-c", "pass"]),
            "tkstudies --version": lambda: seconds([TKSTUDIES, "--version"]),
            "tkstudies --help": lambda: seconds([TKSTUDIES, "--help"]),
            "tkstudies merge, ten rows": lambda: seconds([TKSTUDIES, "merge", str(right)], str(left)),
            "tkstudies filter, ten rows": lambda: seconds([TKSTUDIES, "filter", "reco = express"], str(left)),
            "tkstudies show, ten rows": lambda: seconds([TKSTUDIES, "show"], str(left)),
            "the same on a terminal": lambda: seconds([*TERMINAL, f"{TKSTUDIES} show {left}", os.devnull]),
            "script alone": lambda: seconds([*TERMINAL, "true", os.devnull]),
        }
        bounds = {"tkstudies --help": 3, "tkstudies merge, ten rows": 8, "tkstudies show, ten rows": 12}
        report("start-up", medians(contestants, rounds), "python -c pass", bounds)


if __name__ == "__main__":
    main()
