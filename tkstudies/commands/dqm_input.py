"""What ``tkstudies dqm`` fetches: which plots, and of which (run, reco) pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.services.dqm.crawl import Pair, Sample
from tkstudies.services.dqm.pairs import PairLines, pair_of, reference_of
from tkstudies.services.recos import RECOS

_MOST_RUNS = 100_000


class WantedPlots:
    """Which plots are defined for a kind of sample; or in which folders all of them are wanted."""

    def __init__(self, named: list[str], collections: list[str], tracking_map: bool, folders: list[str]):
        from tkstudies.analysis.histograms.collections import folder_paths, paths

        for option, given in (("--plot", named), ("--folder", folders)):
            for path in given:
                if not path.startswith("/"):
                    raise UsageError(
                        f"{option} {path!r}: a path begins with a slash, e.g. /Tracking/TrackParameters/..."
                    )
        self.folders = folders
        self._paths = {
            (is_online, is_cosmics): folder_paths(folders, is_online)
            if folders
            else paths(named, collections, tracking_map, is_online, is_cosmics)
            for is_online in (False, True)
            for is_cosmics in (False, True)
        }

    def paths(self, sample: Sample) -> tuple[str, ...]:
        """The paths of the plots that are defined for a sample."""
        return self._paths[sample.is_online, sample.is_cosmics]

    def recipe(self) -> list[Any]:
        """All of them, as JSON."""
        return [[*kind, found] for kind, found in self._paths.items()] + [[*self.folders]]

    def expected(self, pairs: list[Pair]) -> int | None:
        """How many plots these pairs have, if all have a dataset; None if only the server knows."""
        if self.folders:
            return None
        return sum(len(self._paths[pair.reco == "online", bool(pair.is_cosmics)]) for pair in pairs)


class Lacking:
    """Tells which records of an earlier crawl lack what this one is to have: those are fetched anew."""

    def __init__(self, summaries: bool, quality: bool):
        self._summaries, self._quality = summaries, quality
        self._again = self._kept = 0

    def __call__(self, record: HistogramRecord) -> bool:
        """Is the record to be fetched anew? One with bins never: they took long to fetch."""
        has_no_quality = self._quality and record.quality_test is None
        if not record.is_summary:
            self._kept += has_no_quality
            return False
        is_lacking = has_no_quality or not self._summaries
        self._again += is_lacking
        return is_lacking

    def tell(self) -> None:
        """Say which they are."""
        if self._again:
            records = console.counted(self._again, "record")
            lacking = "quality_test" if self._summaries else "bins (they were fetched with --summaries)"
            console.say(f"{records} of the earlier crawl without {lacking}: fetched anew")
        if self._kept:
            records = console.counted(self._kept, "record")
            console.warn(f"{records} of the earlier crawl with bins and without quality_test: taken over as they are")


def named_pairs(run: list[str] | None, recos: Sequence[str], online: bool, dataset: str) -> list[Pair]:
    """The pairs that ``--run`` names."""
    from tkstudies.services.dqm.datasets import reco_of

    numbers = options.split_numbers(run, "run")
    if sum(last - first + 1 for first, last in numbers) > _MOST_RUNS:
        raise UsageError(f"--run: more than {_MOST_RUNS:,} runs: take those that exist from runreg or oms runs")
    if online:
        recos = ["online"]
    elif dataset and not recos:
        recos = [reco_of(dataset)]
    if numbers and not recos:
        raise UsageError("--run needs --reco (or --online)")
    return [Pair(n, name) for first, last in numbers for n in range(first, last + 1) for name in recos]


def pairs_of(records: jsonl.Reader, recos: Sequence[str], online: bool, with_references: bool) -> list[Pair]:
    """The pairs of a table, and behind them those of its reference runs."""
    pairs: list[Pair] = []
    references: list[Pair] = []
    without_reco = 0
    unknown: Counter[str] = Counter()
    with records.located():
        for record in records.parsed(PairLines):
            pair = pair_of(record)
            if "reco" not in record and not online:
                without_reco += not recos
                pairs += [pair._replace(reco=reco) for reco in recos]
                continue
            if pair.reco and pair.reco not in RECOS:
                unknown[pair.reco] += 1
            if recos and pair.reco not in recos:
                continue
            pairs.append(pair)
            if with_references and (reference := reference_of(record)):
                references.append(reference)
    for reco, count in unknown.items() if not online else ():
        console.warn(f"{console.counted(count, 'record')} of unknown reco {reco!r:.40}: known are {', '.join(RECOS)}")
    if without_reco:
        told = f"{console.counted(without_reco, 'record')} without a reco: name one with --reco, or take --online"
        if not pairs:
            raise InputError(told)
        console.left_out(told)
    return [pair._replace(reco="online") if online else pair for pair in (*pairs, *references)]
