"""``python -m benchmarks.suspects [SET...]``: how well `suspects` finds bad rows, each figure beside what it must be.

Reads ../shared/real and ../shared/simulated (relative to the repository); says which of them isn't there. AUC; r1, r5:
share of bad rows above the 99 %, 95 % quantile of the good ones; FA@1, FA@5: share of good rows with p <= 0.01, 0.05.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkstudies import jsonl
from tkstudies.analysis.multivariate.suspects.judge import Judge, Options
from tkstudies.analysis.multivariate.suspects.report import Shape, rows
from tkstudies.shardwise import Whole, one_thread

SHARED = Path(__file__).parent.parent.parent / "shared"
H16 = SHARED / "real/hdqm/hdqm2016_prompt_wide_golden.parquet"
H18 = SHARED / "real/hdqm/hdqm2018_prompt_wide.jsonl"
DOCTOR = SHARED / "real/doctor/runs.json"
AUTODQM = SHARED / "real/autodqm/PCA_180724.csv"
RUNS = SHARED / "simulated/runs.jsonl.gz"
LUMISECTIONS = SHARED / "simulated/lumisections.jsonl.gz"

SEEDS = (42, 1, 2)
HISTORIES = ("all", "earlier")

Record = dict[str, Any]
Flags = Any


class Result:
    """The scores of rows whose truth is known; NaN where a row isn't judged."""

    def __init__(
        self,
        records: Sequence[Record],
        good: Flags,
        bad: Flags,
        history: str,
        *expressions: str,
        comparisons: Any = None,
        **options: Any,
    ):
        start = time.process_time()
        with one_thread():
            chosen = Options(expressions, history == "earlier", **options)
            judge = Judge(Whole(jsonl.Given(records)), None, chosen, comparisons)
            self.rows = list(rows(judge, Shape(in_input_order=True), set()))
        self.seconds = time.process_time() - start
        self.score = np.array([_or_nan(row["score"]) for row in self.rows])
        self.p_value = np.array([_or_nan(row["p_value"]) for row in self.rows])
        judged = ~np.isnan(self.score)
        self.good, self.bad = np.asarray(good) & judged, np.asarray(bad) & judged

    def only(self, where: Flags) -> Result:
        """Look at some of the rows only."""
        self.good, self.bad = self.good & where, self.bad & where
        return self

    def figures(self) -> dict[str, float]:
        """AUC, r1, r5, the bad ones among the first 20, false alarms [%]."""
        good, bad = self.score[self.good], self.score[self.bad]
        order = np.argsort(-np.where(self.good | self.bad, self.score, -np.inf), kind="stable")
        return {
            "AUC": auc(bad, good),
            "r1": float((bad > np.quantile(good, 0.99)).mean()),
            "r5": float((bad > np.quantile(good, 0.95)).mean()),
            "first 20": float(self.bad[order[:20]].sum()),
            "FA@1": 100 * float((self.p_value[self.good] <= 0.01).mean()),
            "FA@5": 100 * float((self.p_value[self.good] <= 0.05).mean()),
        }

    def found(self, where: Flags) -> float:
        """Share of some bad rows above the 99 % quantile of the good ones."""
        limit = np.quantile(self.score[self.good], 0.99)
        return float((self.score[self.bad & where] > limit).mean())


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def auc(bad: Any, good: Any) -> float:
    """Probability that a bad row scores above a good one."""
    ordered = np.sort(good)
    below = np.searchsorted(ordered, bad, side="left") + np.searchsorted(ordered, bad, side="right")
    return float(below.mean() / 2 / len(good))


def show(name: str, value: float, must: float | None = None, aim: float | None = None, least: bool = True) -> None:
    """Print a figure beside what it must be and what is aimed at."""
    reached = must is None or (value >= must if least else value <= must)
    sign = ">=" if least else "<="
    must_text = "" if must is None else f"must {sign} {must:g}"
    aim_text = "" if aim is None else f"aim {aim:g}"
    aimed = aim is not None and (value >= aim if least else value <= aim)
    verdict = "MISSED" if not reached else "aim reached" if aimed else "ok" if must is not None else ""
    print(f"    {name:22} {value:8.3f}   {must_text:14} {aim_text:10} {verdict}")


def show_all(title: str, result: Result, goals: dict[str, tuple[float | None, float | None]]) -> None:
    """Print the figures of a set, and how long it took."""
    print(f"  {title}: {result.good.sum()} good, {result.bad.sum()} bad, {result.seconds:.1f} s of a core")
    figures = result.figures()
    for name in ("AUC", "r1", "r5", "first 20"):
        must, aim = goals.get(name, (None, None))
        if name in goals or name != "first 20":
            show(name, figures[name], must, aim)
    for name, must, aim in (("FA@1", 2.0, 1.3), ("FA@5", 7.5, 6.0)):
        show(f"{name} [%]", figures[name], must, aim, least=False)
    if figures["FA@5"] < 2:
        print("    FA@5 is below 2 %")


def h16() -> None:
    """HDQM trends of 2016 with golden labels."""
    import pyarrow.parquet as parquet

    records = parquet.read_table(H16).to_pylist()
    good = np.array([record["golden"] for record in records], dtype=bool)
    show_all("retro", Result(records, good, ~good, "all"), {
        "AUC": (0.915, 0.93), "r1": (None, 0.45), "r5": (0.62, 0.70), "first 20": (19, 20),
    })  # fmt: skip
    runs = np.array([record["run_number"] for record in records])
    late = np.searchsorted(np.sort(runs[good]), runs) >= 60
    result = Result(records, good, ~good, "earlier").only(late)
    show_all("shift, after 60 good runs", result, {"AUC": (0.90, 0.925), "r5": (0.58, 0.66)})


def simulated_runs() -> None:
    """A simulated year, with wrong labels and without any too."""
    records = list(jsonl.read(str(RUNS)))
    bad = np.array([record["truth_bad"] for record in records], dtype=bool)
    strength = np.array([record["truth_strength"] or 0.0 for record in records])
    means: list[tuple[float, ...]] = []
    for history in HISTORIES:
        for seed in SEEDS:
            result = Result(records, ~bad, bad, history, seed=seed)
            show_all(f"history {history}, seed {seed}", result, {"AUC": (0.96, 0.985), "r1": (0.84, 0.92)})
            weak, strong = result.found(strength < 0.2), result.found(strength > 0.9)
            show("r1 of weak", weak, 0.72, 0.87)
            show("r1 of strong", strong, 0.98)
            means.append((result.figures()["AUC"], result.figures()["r1"], weak))
    print("  mean of all")
    for name, value, aim in zip(("AUC", "r1", "r1 of weak"), np.mean(means, axis=0), (0.985, 0.92, 0.87), strict=True):
        show(name, value, None, aim)
    _reasons(records, Result(records, ~bad, bad, "all"))
    _wrong_labels(records, bad)
    bare = [{name: value for name, value in record.items() if "." in name or name in KEYS} for record in records]
    show_all("without labels", Result(bare, ~bad, bad, "all"), {"AUC": (0.96, 0.98), "r1": (0.78, None)})


KEYS = ("run_number", "reco", "energy", "b_field", "run_class_name")


def _reasons(records: Sequence[Record], result: Result) -> None:
    print("  the faulty component, of the rows of which something is said")
    for component, must in (("pixel", 0.65), ("strip", 0.55), ("tracking", 0.8)):
        told = [
            row["subsystem"]
            for record, row in zip(records, result.rows, strict=True)
            if record["truth_component"] == component and row["flagged_by"]
        ]
        show(component, float(np.mean([name == component for name in told])), must, 0.8)


def _wrong_labels(records: Sequence[Record], bad: Flags) -> None:
    called_good = ~bad | (bad & (np.random.default_rng(5).random(len(bad)) < 0.1))
    labelled = [{**record, "called_good": bool(one)} for record, one in zip(records, called_good, strict=True)]
    for history in HISTORIES:
        result = Result(labelled, ~bad, bad, history, "called_good = true")
        show_all(f"10 % of the bad called good, history {history}", result, {"r1": (0.80, 0.90)})


def simulated_lumisections() -> None:
    """Simulated lumisections, learned from what people flagged."""
    records = [record for record in jsonl.read(str(LUMISECTIONS)) if record["truth_label"] >= 0]
    bad = np.array([record["truth_label"] == 1 for record in records])
    for seed in SEEDS:
        result = Result(records, ~bad, bad, "all", "human_bad = false", seed=seed)
        show_all(f"seed {seed}", result, {"AUC": (0.89, 0.955), "r1": (0.68, 0.82), "r5": (0.76, 0.88)})
        show("seconds", result.seconds, 30, 10, least=False)


def h18() -> None:
    """HDQM trends of 2018 with verdicts of TkDQMDoctor."""
    verdicts = {}
    for row in json.loads(DOCTOR.read_text()):
        if row["type__reco"] == "Prompt":
            verdicts[row["run_number"]] = {part: row[part] for part in ("pixel", "sistrip", "tracking")}
    records = [
        {**record, **{name.replace("si", ""): value for name, value in verdicts.get(record["run_number"], {}).items()}}
        for record in jsonl.read(str(H18))
    ]
    has = np.array([record["run_number"] in verdicts for record in records])
    good = np.array([all(record.get(part) == "Good" for part in ("pixel", "strip", "tracking")) for record in records])
    show_all("retro", Result(records, has & good, has & ~good, "all"), {"AUC": (0.95, 0.98)})


def autodqm() -> None:
    """AutoDQM scores of 2022."""
    import csv

    with AUTODQM.open() as stream:
        records = [
            {name: float(value) if value else None for name, value in row.items()} for row in csv.DictReader(stream)
        ]
    label = np.array([record["label"] for record in records])
    result = Result(records, label <= 0, label == 1, "all", "label in 0,-1", features=["*"])
    show_all("retro", result, {"AUC": (0.58, None)})


def toy() -> None:
    """Gaussian rows with common factors: false alarms if nothing, the tails, or the time is unusual."""
    for name in ("null", "t4 tails", "drift", "step"):
        for history in HISTORIES:
            rng = np.random.default_rng(3)
            rows_, width = 500, 120
            noise = rng.standard_t(4, (rows_, width)) if name == "t4 tails" else rng.normal(size=(rows_, width))
            values = rng.normal(size=(rows_, 6)) @ rng.normal(size=(6, width)) * 0.5 + noise
            moment = np.linspace(0, 1, rows_) if name == "drift" else (np.arange(rows_) >= rows_ // 2) * 1.0
            if name in ("drift", "step"):
                values += 3 * moment[:, None] * rng.choice([-1, 1], width)
            bad = rng.random(rows_) < 0.1
            values[bad, :10] += 5
            records = [
                {"run_number": 1000 + number, "is_bad": bool(bad[number]),
                 **{f"x{place}.mean": float(value) for place, value in enumerate(row)}}
                for number, row in enumerate(values)
            ]  # fmt: skip
            show_all(f"{name}, history {history}", Result(records, ~bad, bad, history), {})


SETS: dict[str, tuple[Callable[[], None], tuple[Path, ...]]] = {
    "h16": (h16, (H16,)),
    "runs": (simulated_runs, (RUNS,)),
    "lumisections": (simulated_lumisections, (LUMISECTIONS,)),
    "h18": (h18, (H18, DOCTOR)),
    "autodqm": (autodqm, (AUTODQM,)),
    "toy": (toy, ()),
}


def main() -> None:
    """All sets that are there, or the named ones."""
    for name in sys.argv[1:] or SETS:
        run, files = SETS[name]
        absent = [str(file) for file in files if not file.exists()]
        print(f"{name}: {run.__doc__}")
        if absent:
            print(f"  skipped: {', '.join(absent)} isn't there")
        else:
            run()


if __name__ == "__main__":
    main()
