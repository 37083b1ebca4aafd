"""``python -m benchmarks.changes``: how well `compare --changes` finds bad rows, and what it adds to `suspects`.

Reads ../shared/simulated/runs.jsonl.gz (relative to the repository) and draws a histogram for each plot of a row from
its mean, rms and entries (50 bins, gamma or normal). Learns from 100 good runs of each reco, compares the others with
good runs named before. A row's score is the mean of its ten largest z. AUC, r1, FA: see `benchmarks.suspects`. With a
number: so many seeds (two minutes of a core each).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.suspects import HISTORIES, RUNS, Result, auc, show, show_all
from tkstudies import jsonl
from tkstudies.analysis.histograms.changes import PlotKey
from tkstudies.analysis.histograms.changesfile import Changes, Source
from tkstudies.analysis.histograms.comparable import Histogram, Incomparable, read
from tkstudies.analysis.histograms.comparison import compare
from tkstudies.analysis.histograms.learning import Learner, largest_mean
from tkstudies.analysis.histograms.unusual import Unusual, middle
from tkstudies.analysis.multivariate.suspects.comparisons import Comparisons
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.records import RowKey

BINS = 50
TRAINING = 100
SEEDS = (1, 2, 3)

Row = dict[str, Any]
Record = dict[str, Any]


class Year:
    """The simulated rows with histograms.

    Attributes:
        rows: As they are in the file, in order of time.
        bad, strength: Truth of each row.
        plots: Histograms of each row by plot.
    """

    def __init__(self, seed: int):
        self.rows: list[Row] = sorted(jsonl.read(str(RUNS)), key=lambda row: (row["run_number"], row["reco"]))
        self.bad = np.array([row["truth_bad"] for row in self.rows])
        self.strength = np.array([row["truth_strength"] or 0.0 for row in self.rows])
        self.effect = np.array([row["truth_effect"] or "" for row in self.rows])
        self.reco = np.array([row["reco"] for row in self.rows])
        rng = np.random.default_rng(seed)
        names = sorted({name[:-5] for row in self.rows for name in row if name.endswith(".mean")})
        self.plots: list[dict[str, dict[str, Any]]] = [{} for _ in self.rows]
        for name in names:
            mean, rms, entries = (self._numbers(name + end) for end in (".mean", ".rms", ".entries"))
            contents = _drawn(mean, rms, entries, rng)
            for row in np.flatnonzero(~np.isnan(mean + rms + entries)):
                self.plots[row][name] = {"type": "TH1", "bins": {"content": contents[row].tolist()}}

    def _numbers(self, column: str) -> Any:
        return np.array([np.nan if row.get(column) is None else row[column] for row in self.rows], dtype=float)

    def key(self, row: int) -> RowKey:
        return RowKey(self.rows[row]["run_number"], self.rows[row]["reco"])

    def learned(self, training: Any) -> Unusual:
        """What good rows teach."""
        learner = Learner(lambda key: ())
        for row in training:
            for name, hist in self.plots[row].items():
                record = {"run_number": self.key(row).run_number, "reco": self.key(row).reco, "plot": name}
                learner.add(HistogramRecord.from_record({**record, "hist": hist}))
        usual, not_learned = learner.learn()
        return Unusual(Changes(usual, not_learned, Source("", [], "", 0, None, None, None, 0)))

    def histograms(self) -> list[dict[str, Histogram]]:
        return [{name: read(hist) for name, hist in plots.items()} for plots in self.plots]


def _drawn(mean: Any, rms: Any, entries: Any, rng: np.random.Generator) -> Any:
    """Contents of bins, shape (rows, bins)."""
    centre, width = np.nanmedian(mean), np.nanmedian(rms)
    is_gamma = np.nanmin(mean) >= 0 and centre < 5 * width
    low = 0.0 if is_gamma else centre - 5 * width
    edges = np.linspace(low, centre + 5 * width, BINS + 1)
    x = (edges[:-1] + edges[1:]) / 2
    mean = np.nan_to_num(mean)[:, None]
    rms = np.maximum(np.nan_to_num(rms)[:, None], (edges[-1] - edges[0]) / 200)
    if is_gamma:
        mean = np.maximum(mean, 1e-9)
        logarithms = ((mean / rms) ** 2 - 1) * np.log(x) - x * mean / rms**2
    else:
        logarithms = -0.5 * ((x - mean) / rms) ** 2
    weights = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return rng.poisson(np.nan_to_num(entries)[:, None] * weights / weights.sum(axis=1, keepdims=True)).astype(float)


def records(year: Year, histograms: Any, unusual: Unusual, row: int, references: Any) -> Iterator[Record]:
    """What ``compare --changes`` gives for the plots of a row."""
    for name, data in histograms[row].items():
        found: list[Record] = []
        for reference in references:
            key = year.key(row)
            record = {**key.columns(), "reference_run_number": year.key(reference).run_number, "plot": name}
            other = histograms[reference].get(name)
            columns = unusual.nothing()
            if other is not None and reference != row:
                columns = unusual.columns(PlotKey(name, key.reco, None), key, data, other, same_data=False)
            found.append({**record, "name": name, "reason": None, **columns})
        yield middle(found)


def score(found: list[Record], how: Any = None) -> float:
    """Of a row; ``how`` combines the z of its references, by default the median that `middle` has taken."""
    values = []
    for record in found:
        of_references = [z for z in record["reference_z"] if z is not None]
        if of_references:
            values.append(record["z"] if how is None else how(of_references))
    return largest_mean(values) if values else np.nan


def told(title: str, scores: Any, bad: Any, strength: Any) -> tuple[float, float, float]:
    known = ~np.isnan(scores)
    good, faulty = scores[known & ~bad], scores[known & bad]
    limit = np.quantile(good, 0.99)
    weak = scores[known & bad & (strength < 0.2)]
    figures = auc(faulty, good), float((faulty > limit).mean()), float((weak > limit).mean()) if len(weak) else np.nan
    print(f"  {title:42} AUC {figures[0]:.3f}   r1 {figures[1]:.2f}   r1 of weak {figures[2]:.2f}")
    return figures


def main() -> None:
    """All parts."""
    if not RUNS.exists():
        print(f"skipped: {RUNS} isn't there")
        return
    means: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS[: int(sys.argv[1]) if len(sys.argv) > 1 else 1]:
        print(f"seed {seed}")
        start = time.process_time()
        year = Year(seed)
        histograms = year.histograms()
        rng = np.random.default_rng(seed)
        training = np.concatenate([_some(rng, year, reco, TRAINING) for reco in ("express", "prompt")])
        clock = time.process_time()
        unusual = year.learned(training)
        print(
            f"  {len(histograms)} rows drawn in {clock - start:.0f} s, learned in {time.process_time() - clock:.1f} s"
        )
        references = {reco: _some(rng, year, reco, 3) for reco in ("express", "prompt")}
        judged = np.setdiff1d(np.arange(len(year.rows)), np.concatenate([training, *references.values()]))
        found = {row: list(records(year, histograms, unusual, row, references[year.reco[row]])) for row in judged}
        bad, strength = year.bad[judged], year.strength[judged]
        for count in (1, 2, 3):
            some = {row: [_first(record, count) for record in of_row] for row, of_row in found.items()}
            title = f"{count} reference{'s' * (count > 1)}" + ", median" * (count > 1)
            means.setdefault(title, []).append(
                told(title, np.array([score(some[row]) for row in judged]), bad, strength)
            )
        title = "3 references, minimum"
        scores = np.array([score(found[row], min) for row in judged])
        means.setdefault(title, []).append(told(title, scores, bad, strength))
        _good_pairs(found, bad, judged)
        _shared_fault(year, histograms, unusual, judged, references, rng, means)
        _pulls(year, histograms, judged, references, means)
        if seed == SEEDS[0]:
            _in_suspects(year, histograms, unusual, references)
    print("mean of the seeds")
    for title, figures in means.items():
        print(f"  {title:42} AUC {np.mean(figures, 0)[0]:.3f}   r1 {np.mean(figures, 0)[1]:.2f}")
    one, three = np.mean(means["1 reference"], 0), np.mean(means["3 references, median"], 0)
    show("1 reference: AUC", one[0], 0.96, 0.981)
    show("1 reference: r1", one[1], 0.84, 0.87)
    show("3 references: AUC", three[0], 0.965, 0.985)
    show("3 references: r1", three[1], 0.86, 0.90)


def _some(rng: np.random.Generator, year: Year, reco: str, count: int) -> Any:
    return rng.choice(np.flatnonzero(~year.bad & (year.reco == reco)), count, replace=False)


def _first(record: Record, count: int) -> Record:
    """The comparison with the first references only."""
    z = [value for value in record["reference_z"][:count] if value is not None]
    return {**record, "reference_z": z, "z": float(np.median(z)) if z else None}


def _good_pairs(found: dict[int, list[Record]], bad: Any, judged: Any) -> None:
    """Of good rows and one reference: as many z beyond as a tenth, and how far they go."""
    z = np.array([
        record["reference_z"][0] for row, is_bad in zip(judged, bad, strict=True) if not is_bad for record in found[row]
        if record["reference_z"][0] is not None
    ])  # fmt: skip
    beyond = {limit: 100 * float((z > limit).mean()) for limit in (1.2816, 2.326, 5.0)}
    print("  plots of good rows beyond z " + ", ".join(f"{limit:.2f}: {part:.2f} %" for limit, part in beyond.items()))


def _shared_fault(
    year: Year, histograms: Any, unusual: Unusual, judged: Any, references: Any, rng: Any, means: Any
) -> None:
    """One of three references has the fault that is looked for (the same effect): mean over the faults.

    Each fault is looked for among a third of the good express rows, beside references of its own.
    """
    figures: dict[str, list[tuple[float, float, float]]] = {"median": [], "minimum": []}
    good_rows = [row for row in judged if not year.bad[row]][::3]
    for effect in sorted(set(year.effect[year.bad])):
        of_fault = (year.effect == effect) & (year.reco == "express")
        faulty = np.flatnonzero(of_fault & (year.strength > 0.5))
        if len(faulty) < 2:
            continue
        chosen = [rng.choice(faulty), *references["express"][:2]]
        rows = [row for row in judged if of_fault[row] and row != chosen[0]]
        rows += [row for row in good_rows if year.reco[row] == "express"]
        bad = year.bad[rows]
        of_rows = [list(records(year, histograms, unusual, row, chosen)) for row in rows]
        for how, combined in (("median", None), ("minimum", min)):
            scores = np.array([score(found, combined) for found in of_rows])
            limit = np.quantile(scores[~bad], 0.99)
            figures[how].append((auc(scores[bad], scores[~bad]), float((scores[bad] > limit).mean()), np.nan))
            print(f"    {effect:10} {how:8} AUC {figures[how][-1][0]:.3f}   r1 {figures[how][-1][1]:.2f}", flush=True)
    for how, values in figures.items():
        mean = np.mean(values, 0)
        print(f"  one of 3 shares the fault, {how:15} AUC {mean[0]:.3f}   r1 {mean[1]:.2f}   ({len(values)} faults)")
        means.setdefault(f"one of 3 shares the fault, {how}", []).append(tuple(mean))


def _pulls(year: Year, histograms: Any, judged: Any, references: Any, means: Any) -> None:
    """The largest corrected pull, for comparison: of some rows, it is slow."""
    rows = judged[::5]
    largest = []
    for row in rows:
        reference = histograms[references[year.reco[row]][0]]
        pulls = []
        for name, data in histograms[row].items():
            try:
                pulls.append(compare(data, reference[name])["max_pull_corrected"])
            except (Incomparable, KeyError):
                continue
        largest.append(max(pulls, default=np.nan))
    title = "largest corrected pull (a fifth of the rows)"
    means.setdefault(title, []).append(told(title, np.array(largest), year.bad[rows], year.strength[rows]))


def _in_suspects(year: Year, histograms: Any, unusual: Unusual, references: Any) -> None:
    """`suspects` with and without comparisons; the false alarms must stay."""
    compared = [
        record
        for row in range(len(year.rows))
        for record in records(year, histograms, unusual, row, references[year.reco[row]])
    ]
    for history in HISTORIES:
        for title, evidence in (("without", None), ("with", Comparisons(compared))):
            result = Result(year.rows, ~year.bad, year.bad, history, comparisons=evidence)
            show_all(
                f"suspects {title} comparisons, history {history}", result, {"AUC": (0.96, 0.985), "r1": (0.84, 0.92)}
            )
            show("r1 of weak", result.found(year.strength < 0.2), 0.72, 0.87)


if __name__ == "__main__":
    main()
