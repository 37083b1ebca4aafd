"""Which histogram is the reference of which: that of the same plot and reco in a reference run.

A lumisection is compared with the same lumisection of the reference run if that is there, else with the run.
Online and offline paths of a plot are the same. The reference may also be the same run in another reco.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tkstudies.analysis.histograms import comparison
from tkstudies.analysis.histograms.changes import PlotKey
from tkstudies.analysis.histograms.collections import to_offline
from tkstudies.analysis.histograms.comparable import Histogram, Incomparable, read, usable
from tkstudies.analysis.histograms.pulls import TOLERANCE
from tkstudies.analysis.histograms.unusual import Unusual, middle
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
        dataset: The dataset that it was made from.
    """

    row: RowKey
    plot: str
    name: str
    reference_run_number: int | None
    histogram: Histogram | str
    dataset: str | None = None

    @property
    def plot_key(self) -> PlotKey:
        """Which plots change alike."""
        return PlotKey.of(self.plot, self.row.reco, self.dataset)

    def key(self, run_number: int | None, lumisection_number: int | None, reco: str | None = None) -> Key:
        """What the plot is found by, were it one of those; ``reco`` if not its own."""
        path = to_offline(self.plot) or self.plot
        return run_number, self.row.reco if reco is None else reco, lumisection_number, path


def read_plot(record: HistogramRecord) -> Plot:
    """The plot of a histogram record.

    Example:
        >>> missing = {"run_number": 9, "plot": "/a/b", "hist": "unsupported type"}
        >>> read_plot(HistogramRecord.from_record(missing)).histogram
        'no histogram'
    """
    try:
        histogram: Histogram | str = read(record.hist)
    except Incomparable as reason:
        histogram = str(reason)
    plot = record.label
    name = record.name or plot.rstrip("/").rpartition("/")[2]
    return Plot(record.key, plot, name, record.reference_run_number, histogram, record.dataset)


class References:
    """The histograms of reference runs.

    Args:
        plots: Histograms of any runs.
        run_numbers: The references of every plot; if none, each plot has its own.
        reco: Named if the reference of every plot is its own run in that reco.

    Attributes:
        repeated: Histograms dropped because their run, reco, lumisection and plot had come before.

    Example:
        >>> hist = {"type": "TH1", "bins": {"content": [5, 5]}}
        >>> records = [{"run_number": run, "plot": "/p", "hist": hist} for run in (1, 2)]
        >>> old, new = map(read_plot, map(HistogramRecord.from_record, records))
        >>> References([old]).compare(new, 1)["max_pull"]
        0.0
    """

    def __init__(self, plots: Iterable[Plot], run_numbers: Sequence[int] = (), reco: str | None = None) -> None:
        self.repeated = 0
        self.run_numbers, self.reco = tuple(run_numbers), reco
        self._plots: dict[Key, Plot] = {}
        for plot in plots:
            if (run_numbers and plot.row.run_number not in run_numbers) or reco not in (None, plot.row.reco):
                continue
            key = plot.key(plot.row.run_number, plot.row.lumisection_number)
            before = self._plots.get(key)
            if before is None or isinstance(before.histogram, str):  # none yet, or none that can be used
                self._plots[key] = plot
            else:
                self.repeated += 1

    def __len__(self) -> int:
        return len(self._plots)

    def runs(self) -> list[int]:
        """The runs of all histograms, ascending."""
        return sorted({run_number for run_number, *_ in self._plots})

    def only_run(self) -> int | None:
        """The run of all histograms; None if they are of several."""
        runs = self.runs()
        return runs[0] if len(runs) == 1 else None

    def compare(
        self, plot: Plot, default: int | None = None, tolerance: float = TOLERANCE, unusual: Unusual | None = None
    ) -> Record:
        """The comparison of a plot with its reference; of one that has none, its reason.

        Args:
            default: The reference run of a plot that names none.
            tolerance: As in `comparison.compare`.
            unusual: Tells how unusual changes are; needed if there are several references.
        """
        named = self.run_numbers or (default if plot.reference_run_number is None else plot.reference_run_number,)
        if self.reco is not None:
            named = (plot.row.run_number,)
        if unusual is None or len(self.run_numbers) < 2:
            return self._compare(plot, named[0], tolerance) | self._unusual(plot, named[0], unusual)
        found = [
            {"reference_run_number": run, **self._unusual(plot, run, unusual)}
            for run in named
            if run != plot.row.run_number  # with others beside it, a plot isn't its own reference
        ]
        chosen = middle(found)
        return self._compare(plot, chosen["reference_run_number"], tolerance) | chosen

    def _compare(self, plot: Plot, run: int | None, tolerance: float) -> Record:
        record = {**plot.row.columns(), "reference_run_number": run}
        if self.reco is not None:
            record["reference_reco"] = self.reco
        record |= {"plot": plot.plot, "name": plot.name}
        try:
            data, reference = self._both(plot, run)
            return record | comparison.compare(data, usable(reference.histogram), tolerance)
        except Incomparable as reason:
            return record | comparison.not_compared(str(reason))

    def _unusual(self, plot: Plot, run: int | None, unusual: Unusual | None) -> Record:
        if unusual is None:
            return {}
        try:
            data, reference = self._both(plot, run)
        except Incomparable:
            return unusual.nothing()
        same_data = self.reco is not None and plot.plot_key.stream == reference.plot_key.stream
        return unusual.columns(plot.plot_key, plot.row, data, usable(reference.histogram), same_data)

    def _both(self, plot: Plot, run: int | None) -> tuple[Histogram, Plot]:
        """The histogram of a plot, and its reference, which has one too."""
        data, reference = usable(plot.histogram), self._find(plot, run)
        usable(reference.histogram, "reference: ")
        return data, reference

    def _find(self, plot: Plot, run_number: int | None) -> Plot:
        if run_number is None:
            raise Incomparable(NO_REFERENCE_RUN)
        for lumisection in (plot.row.lumisection_number, None):
            found = self._plots.get(plot.key(run_number, lumisection, self.reco))
            if found is not None:
                return found
        raise Incomparable(NOT_IN_REFERENCE if self.reco is None else f"not there in {self.reco}")
