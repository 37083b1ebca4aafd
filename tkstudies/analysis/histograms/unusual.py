"""How unusual the changes of plots are, by the usual ones of the same plots; and which of several references counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from tkstudies import console
from tkstudies.analysis.histograms.changes import Change, PlotKey, Usual, change
from tkstudies.analysis.histograms.changesfile import Changes
from tkstudies.analysis.histograms.comparable import Histogram, Incomparable
from tkstudies.records import Record, RowKey

COLUMNS = ("z", "change", "usual_change")

LARGE = 5.0
"""A z above it is worth a word in the summary."""


class Unusual:
    """Says how unusual changes are.

    Args:
        changes: The usual ones.

    Attributes:
        without: Why compared plots have no z -> their names.
        judged: Number of plots with a z.
        large: Number of z above `LARGE`.
        largest: The record of the largest one.
    """

    def __init__(self, changes: Changes):
        self.changes = changes
        self.without: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.judged = self.large = 0
        self.largest: Record | None = None
        self._streams: defaultdict[tuple[str, str | None], list[PlotKey]] = defaultdict(list)
        for key in (*changes.usual, *changes.not_learned):
            self._streams[key.plot, key.reco].append(key)

    def columns(self, key: PlotKey, row: RowKey, data: Histogram, reference: Histogram, same_data: bool) -> Record:
        """How unusual the change of a plot is, how large, and how large it usually is; None without a z.

        Args:
            row: Whose plot it is: changes are learned from whole runs.
            same_data: As for `change`.
        """
        try:
            found = change(data, reference, same_data=same_data)
        except Incomparable:  # the column reason of the comparison tells it
            return self.nothing()
        usual = self._usual(key, found) if row.is_run else "of lumisections: changes are learned from whole runs"
        if isinstance(usual, str):
            self._note(usual, key)
            return {**self.nothing(), "change": found.size}
        return {"z": usual.z(found), "change": found.size, "usual_change": usual.size(found)}

    @staticmethod
    def nothing() -> Record:
        """The columns of a plot that wasn't compared."""
        return dict.fromkeys(COLUMNS)

    def count(self, record: Record) -> None:
        """Remember what the summary tells of a record."""
        z = record["z"]
        if z is None:
            return
        self.judged += 1
        self.large += z > LARGE
        if self.largest is None or z > self.largest["z"]:
            self.largest = record

    def fresh(self) -> Unusual:
        """The same, that has seen no plot."""
        return Unusual(self.changes)

    def noted(self) -> Any:
        """What it has counted, for `absorb`."""
        return self.judged, self.large, self.largest, dict(self.without)

    def absorb(self, noted: Any) -> None:
        """Take in what was counted of later plots."""
        judged, large, largest, without = noted
        self.judged, self.large = self.judged + judged, self.large + large
        if largest and (self.largest is None or largest["z"] > self.largest["z"]):
            self.largest = largest
        for reason, names in without.items():
            self.without[reason].update(names)

    def summary(self) -> list[str]:
        """What a user should know, in a few lines."""
        source = self.changes.source
        runs = f"{console.counted(source.runs, 'run')} from {source.first_run} to {source.last_run}"
        lines = [f"  z of {console.counted(self.judged, 'plot')} by what {runs} have taught: {self.large:,} above 5"]
        if self.largest is not None:
            row = " ".join(str(self.largest[name]) for name in ("run_number", "reco") if self.largest[name] is not None)
            lines.append(f"  the most unusual: {self.largest['name']} of run {row}, z {self.largest['z']:.3g}")
        return lines

    def losses(self) -> console.Losses:
        """Compared plots that have no z."""
        losses = console.Losses()
        for reason, names in self.without.items():
            losses.note(f"no z for {console.counted(len(names), 'plot')} ({console.listed(names, 5)}): {reason}")
        return losses

    def _usual(self, key: PlotKey, found: Change) -> Usual | str:
        """The usual changes of a plot, or why there are none."""
        known = self._known(key)
        if known is None:
            return self._why_unknown(key)
        usual = self.changes.usual.get(known)
        if usual is None:
            return self.changes.not_learned[known]
        return usual if usual.is_profile == found.is_profile else "another kind of histogram than was learned from"

    def _known(self, key: PlotKey) -> PlotKey | None:
        """The plot of the same primary dataset; where that is unknown on one side, the only one."""
        others = self._streams.get((key.plot, key.reco), [])
        if key in others:
            return key
        return others[0] if len(others) == 1 and None in (key.stream, others[0].stream) else None

    def _why_unknown(self, key: PlotKey) -> str:
        if (key.plot, key.reco) in self._streams:
            return f"learned, but not for {key.stream or 'histograms without a dataset'}"
        if any(plot == key.plot for plot, _ in self._streams):
            return f"learned, but not for {key.reco or 'histograms without a reco'}"
        return "not among the plots that were learned"

    def _note(self, reason: str, key: PlotKey) -> None:
        self.without[reason].setdefault(key.plot.rstrip("/").rpartition("/")[2] or key.plot)


def middle(found: Sequence[Record]) -> Record:
    """What counts of comparisons of one plot with several references, named before anybody looked: the median z.

    The smallest would hide a fault that one of the references has too. The other columns are those of the reference
    whose z is the median; of an even number, of the lower one beside it.

    Example:
        >>> found = [{"reference_run_number": run, "z": z, "change": z} for run, z in ((1, 9.0), (2, 0.5), (3, 8.0))]
        >>> [middle(found)[name] for name in ("z", "reference_run_number", "reference_z")]
        [8.0, 3, [9.0, 0.5, 8.0]]
    """
    several = {
        "reference_run_numbers": [record["reference_run_number"] for record in found],
        "reference_z": [record["z"] for record in found],
    }
    with_z = sorted((record for record in found if record["z"] is not None), key=lambda record: record["z"])
    if not with_z:
        compared = [record for record in found if record["change"] is not None]
        return {**(compared or found)[0], **several}
    chosen = with_z[(len(with_z) - 1) // 2]
    return {**chosen, "z": median(record["z"] for record in with_z), **several}
