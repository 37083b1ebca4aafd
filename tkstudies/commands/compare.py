"""``tkstudies compare``: the histograms of a run against those of its reference run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.comparison import Histogram

app = options.application()

NO_REFERENCE_RUN = "no reference run"
NOT_IN_REFERENCE = "not in the reference run"
Key = tuple[Any, Any, str]  # run, reco and plot


@app.command()
def compare(
    files: options.Files = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="FILE", help="Histograms of the reference run.")
    ] = "",
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUNS", help="Compare these runs only.")
    ] = None,
    reference_run: Annotated[
        int | None, typer.Option("--reference-run", metavar="RUN", help="The reference of every run.")
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, max=1.0, help="Relative change of a bin that is no deviation."),
    ] = 0.01,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Compare the shape of histograms with those of a reference run, one record per plot.

    \b
    Adds chi2, ndf, p_value, ks, ks_p_value (Kolmogorov-Smirnov), max_pull (the
    beta-binomial pull of AutoDQM, signed), max_pull_corrected (for the number of
    bins), pull_chi2 (mean squared pull), where it is (bin, bin_x, bin_y), and the
    reason if there is nothing to compare. Profiles are compared by bin errors.
    The reference is --reference-run, else the record's own reference_run_number,
    else the only run of the reference file; plot and reco are the same.

    \b
    Examples:
      tkstudies compare histograms.jsonl --reference reference.jsonl
      tkstudies compare histograms.jsonl --run 317591 --reference-run 317527
      tkstudies merge doctor.jsonl < histograms.jsonl | tkstudies compare \\
        | tkstudies filter 'max_pull_corrected > 5'
    """
    runs = options.split_numbers(run, "run")
    if reference == jsonl.STDIN and not (inputs or files):
        raise UsageError("standard input can't be both sides: name a file for one of them")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="histogram records")
    readers = [records]
    if reference:
        readers.append(jsonl.Reader([reference], skip_bad_lines=skip_bad_lines, expected="histogram records"))
        known = _References(readers[1], reference_run)
        plots = _plots(records)
    else:
        held = list(_plots(records))
        known = _References(held, reference_run)
        plots = (plot for plot in held if plot.run_number != reference_run)
    counts: Counter[str] = Counter()
    with jsonl.Writer(output) as writer:
        for plot in plots:
            if not runs or any(first <= plot.run_number <= last for first, last in runs):
                result = _compared(plot, known.run_of(plot), known, tolerance)
                counts[result["reason"] or ""] += 1
                writer.write(result)
    if runs and not counts and known.plots:
        raise InputError(f"no histogram of run {', '.join(run)} in {_names(records)}")
    _report(counts, known)
    for reader in readers:
        options.report_skipped(reader)


@dataclass(frozen=True)
class _Plot:
    """One histogram record, its bins as arrays; ``histogram`` is the reason if they can't be used."""

    run_number: int
    reco: str | None
    plot: str
    name: str
    reference_run_number: int | None
    histogram: Histogram | str

    def key(self, run_number: int) -> Key:
        """What the plot is found by, were it one of that run; online and offline paths are the same plot."""
        from tkstudies.analysis.collections import to_offline

        return run_number, self.reco, to_offline(self.plot) or self.plot


def _plots(records: Iterable[dict[str, Any]]) -> Iterator[_Plot]:
    from tkstudies.analysis import comparison

    for record in records:
        run_number, reco = record.get("run_number"), record.get("reco")
        plot = record.get("plot") or record.get("name")
        if type(run_number) is not int or not isinstance(plot, str) or not isinstance(reco, str | None):
            raise InputError(f"not a histogram record: run_number {run_number!r:.80}, plot {plot!r:.80}")
        try:
            histogram: Histogram | str = comparison.read(record.get("hist"))
        except comparison.Incomparable as reason:
            histogram = str(reason)
        of_reference = record.get("reference_run_number")
        name = record.get("name") or plot.rstrip("/").rpartition("/")[2]
        yield _Plot(
            run_number, reco, plot, name, of_reference if type(of_reference) is int else None, histogram
        )


class _References:
    """The histograms of reference runs, and which run is whose reference.

    Attributes:
        plots: The histograms by run, reco and plot; the first usable one of several stays.
        repeated: How many more there were.
        unused: Keys of reference histograms that no histogram has been compared with.
    """

    def __init__(self, source: jsonl.Reader | list[_Plot], given: int | None) -> None:
        self.plots: dict[Key, Histogram | str] = {}
        self.repeated = 0
        self._given = given
        self._is_file = isinstance(source, jsonl.Reader)
        name = _names(source) if self._is_file else "the input"
        for plot in _plots(source) if self._is_file else source:
            if given is not None and plot.run_number != given:
                continue
            key = plot.key(plot.run_number)
            known = self.plots.get(key)
            self.repeated += not isinstance(known, str | None)
            if isinstance(known, str | None):
                self.plots[key] = plot.histogram
        if not self.plots and (given is not None or self._is_file) and (source or self._is_file):
            of_run = f" of run {given}" if given is not None else ""
            raise InputError(f"{name}: no histogram{of_run} to compare with")
        self._runs = {run_number for run_number, _, _ in self.plots}

    def run_of(self, plot: _Plot) -> int | None:
        """The reference run of a histogram."""
        if self._given is not None:
            return self._given
        if plot.reference_run_number is not None:
            return plot.reference_run_number
        if not self._is_file:
            return None
        if len(self._runs) > 1:
            runs = console.listed(map(str, sorted(self._runs)))
            raise UsageError(f"the reference file holds several runs ({runs}): choose with --reference-run")
        return next(iter(self._runs))
