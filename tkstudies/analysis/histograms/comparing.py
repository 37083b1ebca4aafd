"""The comparison of all histograms of an input with their references, also of one that comes in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

from tkstudies import jsonl
from tkstudies.analysis.histograms.places import Places, ranges
from tkstudies.analysis.histograms.pulls import TOLERANCE
from tkstudies.analysis.histograms.references import Plot, References
from tkstudies.analysis.histograms.sides import (
    INPUT,
    Sides,
    no_reference,
    of_one_input,
    plots_of,
    references_among,
    references_of,
    unusual_by,
)
from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.provenance import digest
from tkstudies.records import RowKey
from tkstudies.shardwise import Shardwise


class Wanted(NamedTuple):
    """Which comparisons.

    Attributes:
        files: Files of references; none if they are among the histograms.
        reference_runs: Those that were named.
        reference_reco: Compare each run with itself in that reco.
        changes: File of usual changes, if they are asked for.
        runs: Compare only runs in these ranges; all if there are none.
        tolerance: As in `comparison.compare`.
    """

    files: Sequence[str] = ()
    reference_runs: Sequence[int] = ()
    reference_reco: str | None = None
    changes: str = ""
    runs: Sequence[tuple[int, int]] = ()
    tolerance: float = TOLERANCE

    def is_chosen(self, run: int) -> bool:
        """Is a run compared?"""
        return not self.runs or any(first <= run <= last for first, last in self.runs)


class Comparing(Shardwise):
    """Compares histograms with their references, a record for each.

    Args:
        wanted: How.
        sources: The files of histograms.
        skip_bad_lines: As the user has chosen.

    Attributes:
        readers: Of the references.
        reasons: Why histograms weren't compared -> their number; None for those that were.
        without_chi2: Number of those with too few entries for a chi-square.
        unusual: What was found of the size of changes, if that is asked for.

    Raises:
        InputError: A file can't be read.
        UsageError: The changes are of another kind of comparison.
    """

    def __init__(self, wanted: Wanted, sources: Sequence[str], skip_bad_lines: bool | None = None):
        self._wanted, self._sources, self._skip = wanted, sources, skip_bad_lines
        self.unusual = unusual_by(wanted.changes, wanted.reference_reco) if wanted.changes else None
        self.readers = [self._reader([file]) for file in wanted.files]
        self.waits = not wanted.files and wanted.reference_reco is not None  # the runs must be whole
        self._is_part = False
        self._references: References | None = None  # of all parts
        self._digest = ""  # of these, if they are among the histograms
        self._begin()

    def _begin(self) -> None:
        self.reasons: Counter[str | None] = Counter()
        self.without_chi2 = self._repeated = 0
        self._met = _Met()
        self._runs: dict[RowKey, None] = {}
        self._recos: dict[str | None, None] = {}
        self._places = Places()
        self._is_told = False

    def lines(self, records: jsonl.Records) -> Iterator[bytes]:
        """The comparisons."""
        wanted, unusual = self._wanted, self.unusual
        sides = self._sides(records)
        if len(sides.references.run_numbers) > 1 and unusual is None:
            raise UsageError("of several references the median z counts: add --changes FILE (--learn makes it)")
        for plot in sides.plots:
            if self._is_reference(plot, sides.references):
                self._met.references = True
                continue
            self._met.others = True
            if not wanted.is_chosen(plot.row.run_number):
                continue
            self._met.chosen = True
            result = sides.references.compare(plot, sides.default, wanted.tolerance, unusual)
            self.reasons[result["reason"]] += 1
            self.without_chi2 += result["ndf"] == 0
            if unusual:
                unusual.count(result)
            yield jsonl.encode(result)

    def check(self) -> None:
        reco, met = self._wanted.reference_reco, self._met
        if reco is not None and self._recos and reco not in self._recos:
            raise no_reference(INPUT, reco, self._recos)
        if met.references and not met.others and reco is not None:
            raise InputError(f"all histograms are of reco {reco}: there is none to compare with it")
        if met.others and not met.chosen:
            named = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self._wanted.runs)
            raise InputError(f"--run {named}: no histogram of such a run")

    def losses(self) -> Losses:
        """Histograms that were dropped as references."""
        losses = Losses()
        losses.add(self._repeated, "histogram", "dropped as references: same run, reco and plot as before")
        return losses

    @property
    def is_partial(self) -> bool:
        return any(reader.skipped for reader in self.readers)

    def recipe(self) -> Any:
        wanted = self._wanted
        if not wanted.files and not self.waits:
            self._load()
        return [wanted, [digest(file) for file in (*wanted.files, wanted.changes)], self._digest]

    def fresh(self) -> Comparing:
        if not self.waits:
            self._load()
        part = copy(self)
        part._is_part, part.unusual = True, self.unusual and self.unusual.fresh()
        part._begin()
        return part

    def noted(self) -> Any:
        of_all = self._references.repeated if self._references else 0
        unusual = self.unusual and self.unusual.noted()
        readers = [reader.findings for reader in self.readers]
        return self.remember(), self.reasons, self.without_chi2, self._repeated, unusual, of_all, readers

    def absorb(self, noted: Any) -> None:
        remembered, reasons, without_chi2, repeated, unusual, of_all, readers = noted
        self.recall(remembered)
        self.reasons.update(reasons)
        self.without_chi2, self._repeated = self.without_chi2 + without_chi2, self._repeated + repeated
        if self.unusual:
            self.unusual.absorb(unusual)
        if not self._is_told:  # all parts have read the same references
            self._is_told = True
            self._repeated += of_all
            for reader, findings in zip(self.readers, readers, strict=True):
                reader.take(findings)

    def remember(self) -> Any:
        return {"met": list(self._met), "runs": ranges(self._runs), "recos": list(self._recos)}

    def recall(self, remembered: Any) -> None:
        self._places.add(remembered["runs"])
        self._met = _Met(*(mine or theirs for mine, theirs in zip(self._met, remembered["met"], strict=True)))
        self._recos.update(dict.fromkeys(remembered["recos"]))

    def _sides(self, records: jsonl.Records) -> Sides:
        wanted = self._wanted
        if self.waits and self._is_part:
            held = list(plots_of(records))
            self._runs = dict.fromkeys(RowKey(plot.row.run_number) for plot in held)
            self._recos = dict.fromkeys(plot.row.reco for plot in held)
            sides = Sides(References(held, (), wanted.reference_reco), held)
        elif wanted.files or self._is_part:
            references = self._load()
            sides = Sides(references, plots_of(records), references.only_run() if wanted.files else None)
        else:
            sides = of_one_input(records, wanted.reference_runs, wanted.reference_reco)
        if self.waits or not self._is_part:  # else they are those of all parts
            self._repeated = sides.references.repeated
        return sides

    def _load(self) -> References:
        """The references of all parts."""
        wanted = self._wanted
        if self._references is None and wanted.files:
            named = wanted.reference_runs, wanted.reference_reco
            self._references = references_of(wanted.files, self.readers, *named)
        elif self._references is None:
            self._references, self._digest = references_among(self._reader(self._sources), wanted.reference_runs)
        return self._references

    def _reader(self, sources: Sequence[str]) -> jsonl.Reader:
        return jsonl.Reader(sources, skip_bad_lines=self._skip, expected="histogram records")

    def _is_reference(self, plot: Plot, references: References) -> bool:
        if plot.row.reco == references.reco is not None:
            return True
        return not self._wanted.files and plot.row.run_number in references.run_numbers


@dataclass
class _Met:
    """What there was: references, other histograms, some of these that are to be compared."""

    references: bool = False
    others: bool = False
    chosen: bool = False

    def __iter__(self) -> Iterator[bool]:
        return iter((self.references, self.others, self.chosen))
