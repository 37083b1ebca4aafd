"""Which histogram is the reference of which: that of the same plot and reco in a reference run.

A lumisection is compared with the same lumisection of the reference run if that is there, else with the run.
Online and offline paths of a plot are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tkstudies.analysis.histograms import comparison
from tkstudies.analysis.histograms.collections import to_offline
from tkstudies.analysis.histograms.comparison import TOLERANCE, Histogram, Incomparable
from tkstudies.console import Losses
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.records import Record, RowKey

Key = tuple[Any, Any, Any, str]  # run, reco, lumisection and plot

NO_REFERENCE_RUN = "no reference run"
NOT_IN_REFERENCE = "not in the reference run"


@dataclass(frozen=True)
class Plot:
    """One histogram, its bins as arrays.

    Attributes:
        row: Whose histogram it is.
        plot: Path of the plot, else its name.
        name: Name of the plot.
        reference_run_number: The reference that its record names.
        histogram: What a comparison needs; the reason if it can't be used.
    """

    row: RowKey
    plot: str
    name: str
    reference_run_number: int | None
    histogram: Histogram | str

    def key(self, run_number: int | None, lumisection_number: int | None) -> Key:
        """What the plot is found by, were it one of those."""
        return run_number, self.row.reco, lumisection_number, to_offline(self.plot) or self.plot


def read_plot(record: HistogramRecord) -> Plot:
    """The plot of a histogram record.

    Example:
        >>> missing = {"run_number": 9, "plot": "/a/b", "hist": "unsupported type"}
        >>> read_plot(HistogramRecord.from_record(missing)).histogram
        'no histogram'
    """
    try:
        histogram: Histogram | str = comparison.read(record.hist)
    except Incomparable as reason:
        histogram = str(reason)
    plot = record.label
    name = record.name or plot.rstrip("/").rpartition("/")[2]
    return Plot(record.key, plot, name, record.reference_run_number, histogram)


class References:
    """The histograms of reference runs.

    Args:
        plots: Histograms of any runs.
        run_number: The reference of every plot; if None, each plot has its own.

    Attributes:
        repeated: Histograms dropped because their run, reco, lumisection and plot had come before.

    Example:
        >>> hist = {"type": "TH1", "bins": {"content": [5, 5]}}
        >>> records = [{"run_number": run, "plot": "/p", "hist": hist} for run in (1, 2)]
        >>> old, new = map(read_plot, map(HistogramRecord.from_record, records))
        >>> References([old]).compare(new, 1)["max_pull"]
        0.0
    """

    def __init__(self, plots: Iterable[Plot], run_number: int | None = None) -> None:
        self.repeated = 0
        self._run_number = run_number
        self._histograms: dict[Key, Histogram | str] = {}
        for plot in plots:
            if run_number not in (None, plot.row.run_number):
                continue
            key = plot.key(plot.row.run_number, plot.row.lumisection_number)
            if isinstance(self._histograms.get(key), str | None):  # none yet, or none that can be used
                self._histograms[key] = plot.histogram
            else:
                self.repeated += 1

    def __len__(self) -> int:
        return len(self._histograms)

    def only_run(self) -> int | None:
        """The run of all histograms; None if they are of several."""
        runs = {run_number for run_number, *_ in self._histograms}
        return runs.pop() if len(runs) == 1 else None

    def compare(self, plot: Plot, default: int | None = None, tolerance: float = TOLERANCE) -> Record:
        """The comparison of a plot with its reference; of one that has none, its reason.

        Args:
            default: The reference run of a plot that names none.
            tolerance: As in `comparison.compare`.
        """
        if self._run_number is not None:
            reference_run: int | None = self._run_number
        else:
            reference_run = default if plot.reference_run_number is None else plot.reference_run_number
        record = {**plot.row.columns(), "reference_run_number": reference_run, "plot": plot.plot, "name": plot.name}
        try:
            data = _usable(plot.histogram)
            return record | comparison.compare(data, self._find(plot, reference_run), tolerance)
        except Incomparable as reason:
            return record | comparison.not_compared(str(reason))

    def losses(self) -> Losses:
        """Histograms that were dropped."""
        losses = Losses()
        losses.add(self.repeated, "histogram", "dropped as references: same run, reco and plot as before")
        return losses

    def _find(self, plot: Plot, run_number: int | None) -> Histogram:
        if run_number is None:
            raise Incomparable(NO_REFERENCE_RUN)
        for lumisection in (plot.row.lumisection_number, None):
            found = self._histograms.get(plot.key(run_number, lumisection))
            if found is not None:
                return _usable(found, "reference: ")
        raise Incomparable(NOT_IN_REFERENCE)


def _usable(histogram: Histogram | str, whose: str = "") -> Histogram:
    if isinstance(histogram, str):
        raise Incomparable(whose + histogram)
    return histogram
