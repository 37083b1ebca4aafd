"""Further evidence: how unusual the plots of a row are beside those of its reference (``compare --changes``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tkstudies import console
from tkstudies.analysis.histograms.collections import feature_name
from tkstudies.analysis.histograms.learning import largest_mean
from tkstudies.analysis.multivariate.suspects.findings import MOST, TELLING, Finding, loudest_subsystem
from tkstudies.analysis.multivariate.suspects.verdicts import Verdict
from tkstudies.errors import WrongRecord
from tkstudies.records import RecordView as Record
from tkstudies.records import RowKey, number, row_key, whole

Array = NDArray[np.float64]


class _Compared(NamedTuple):
    """A plot beside its reference."""

    z: float
    text: str


class Comparisons:
    """z of plots, by row.

    Args:
        records: As ``compare --changes`` writes them; the median z counts of several for one plot.

    Attributes:
        without_z: Number of records without a z.

    Raises:
        WrongRecord: A record is none of these.
    """

    def __init__(self, records: Iterable[Record]):
        self.without_z = 0
        self._rows: defaultdict[RowKey, defaultdict[str, list[_Compared]]] = defaultdict(lambda: defaultdict(list))
        for record in records:
            key = row_key(record, "comparison")
            plot = record.get("plot")
            if not isinstance(plot, str) or "z" not in record:
                raise WrongRecord("not a comparison with plot and z, as tkstudies compare --changes writes them")
            z = number(record["z"])
            if z is None:
                self.without_z += 1
            else:
                self._rows[key][plot].append(_Compared(z, _text(plot, record)))

    def scores(self, keys: Iterable[RowKey | None]) -> Array:
        """How unusual rows are: the mean of the ten largest z of their plots, NaN without any; shape (rows,)."""
        found = []
        for key in keys:
            plots = self._rows.get(key) if key else None
            found.append(largest_mean([_median(several).z for several in plots.values()]) if plots else np.nan)
        return np.array(found, dtype=np.float64)

    def add(self, verdicts: Sequence[Verdict], keys: Sequence[RowKey | None], scores: Array) -> None:
        """Say what plots show, of rows that stand out, and where there is no scale for comparisons.

        Args:
            verdicts: Of the rows to report.
            keys, scores: Of these rows, and of others behind them.
        """
        for verdict, key, score in zip(verdicts, keys, scores.tolist(), strict=False):
            if np.isnan(score):
                continue
            verdict.comparison_z = score
            ordered = self._ordered(key)
            found = [Finding(plot, round(one.z, 1), one.text) for plot, one in ordered[:MOST]]
            large = [finding for finding in found if (finding.sigmas or 0) >= TELLING]
            if verdict.flagged_by == "comparisons":
                verdict.findings += large or found[:1]
                sizes = np.array([one.z for _, one in ordered])
                plots = [plot for plot, _ in ordered]
                verdict.subsystem = loudest_subsystem(sizes, plots, bool(verdict.low_statistics))
            elif verdict.flagged_by or not verdict.is_compared:
                verdict.findings += large

    def losses(self, keys: Sequence[RowKey | None]) -> console.Losses:
        """Comparisons that say nothing of any row."""
        losses = console.Losses()
        losses.add(self.without_z, "comparison", "without a z not used")
        unknown = sorted(self._rows.keys() - set(keys), key=str)
        shown = (" ".join(str(part) for part in key if part is not None) for key in unknown)
        losses.add(len(unknown), "row", f"of comparisons not in the input: {console.listed(shown, 3)}")
        return losses

    def _ordered(self, key: RowKey | None) -> list[tuple[str, _Compared]]:
        plots = self._rows.get(key) if key else None
        named = [(feature_name(plot), _median(several)) for plot, several in (plots or {}).items()]
        return sorted(named, key=lambda one: (-one[1].z, one[0]))


def _median(several: Sequence[_Compared]) -> _Compared:
    if len(several) == 1:
        return several[0]
    ordered = sorted(several)
    return ordered[(len(ordered) - 1) // 2]._replace(z=median(one.z for one in ordered))


def _text(plot: str, record: Record) -> str:
    """In words.

    >>> _text("/p/Hits", {"reference_run_number": 317480, "change": 0.2134, "usual_change": 0.0301})
    'Hits changed by 0.213 against run 317480; good runs: 0.0301'
    """
    change, usual = number(record.get("change")), number(record.get("usual_change"))
    reference: Any = whole(record.get("reference_run_number"))
    if isinstance(record.get("reference_reco"), str):
        against = f" against its {record['reference_reco']}"
    else:
        against = "" if reference is None else f" against run {reference}"
    if change is None or usual is None:
        return f"{feature_name(plot)} is unlike its reference{against}"
    return f"{feature_name(plot)} changed by {change:.3g}{against}; good runs: {usual:.3g}"
