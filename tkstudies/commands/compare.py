"""``tkstudies compare``: the histograms of a run against those of its reference run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError, WrongRecord

if TYPE_CHECKING:
    from tkstudies.analysis.comparison import Histogram

app = options.application()

NO_REFERENCE_RUN = "no reference run"
NOT_IN_REFERENCE = "not in the reference run"
Key = tuple[Any, Any, Any, str]  # run, reco, lumisection and plot


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
    beta-binomial pull of AutoDQM), max_pull_corrected (for the number of bins),
    is_excess (more than the reference), pull_chi2 (mean squared pull), where it is
    (bin, bin_x, bin_y), and the reason if there is nothing to compare. Profiles and
    weighted histograms are compared by bin errors.
    The reference is --reference-run, else the record's own reference_run_number,
    else the only run of the reference file; plot and reco are the same. A
    lumisection is compared with the same one of the reference, else with its run.

    \b
    Examples:
      tkstudies compare histograms.jsonl --reference reference.jsonl
      tkstudies compare histograms.jsonl --run 317591 --reference-run 317527
      tkstudies merge doctor.jsonl < histograms.jsonl | tkstudies compare \\
        | tkstudies filter 'max_pull_corrected > 5'
    """
    runs = options.split_numbers(run, "run")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="histogram records")
    if reference == jsonl.STDIN and jsonl.STDIN in records.sources:
        raise UsageError("standard input can't be both sides: name a file for one of them")
    if reference:
        readers = [
            records,
            jsonl.Reader([reference], skip_bad_lines=skip_bad_lines, expected="histogram records"),
        ]
        references = _References(_plots(readers[1]), reference_run)
        references.require(reference)
        default = reference_run or references.only_run()
        plots = _plots(records)
    else:
        readers = [records]
        held = list(_plots(records))
        references = _References(held, reference_run)
        if held:
            references.require("the input")
            _require_reference(held, reference_run)
        default = reference_run
        plots = (plot for plot in held if plot.run_number != reference_run)
    reasons: Counter[str | None] = Counter()
    others = 0
    with jsonl.Writer(output) as writer:
        for plot in plots:
            if runs and not any(first <= plot.run_number <= last for first, last in runs):
                others += 1
                continue
            own = plot.reference_run_number if reference_run is None else None
            result = _compared(plot, own or default, references, tolerance)
            reasons[result["reason"]] += 1
            writer.write(result)
        if others and not reasons:
            raise InputError(f"--run {','.join(run or [])}: no histogram of such a run")
    _report(reasons, references)
    for reader in readers:
        options.report_skipped(reader)


@dataclass(frozen=True)
class _Plot:
    """One histogram record, its bins as arrays; ``histogram`` is the reason if they can't be used."""

    run_number: int
    reco: str | None
    lumisection_number: int | None
    plot: str
    name: str
    reference_run_number: int | None
    histogram: Histogram | str

    def key(self, run_number: int | None, lumisection_number: int | None) -> Key:
        """What the plot is found by, were it one of those; online and offline paths are the same plot."""
        from tkstudies.analysis.collections import to_offline

        return run_number, self.reco, lumisection_number, to_offline(self.plot) or self.plot


def _plots(records: jsonl.Reader) -> Iterator[_Plot]:
    with records.located():
        yield from map(_plot, records)


def _plot(record: dict[str, Any]) -> _Plot:
    from tkstudies.analysis import comparison

    run_number, reco, lumisection = map(record.get, ("run_number", "reco", "lumisection_number"))
    plot = record.get("plot") or record.get("name")
    if type(run_number) is not int or not isinstance(plot, str) or not isinstance(reco, str | None):
        raise WrongRecord(f"not a histogram record: run_number {run_number!r:.80}, plot {plot!r:.80}")
    if not isinstance(lumisection, int | None):
        raise WrongRecord(f"not a histogram record: lumisection_number {lumisection!r:.80}")
    try:
        histogram: Histogram | str = comparison.read(record.get("hist"))
    except comparison.Incomparable as reason:
        histogram = str(reason)
    own = record.get("reference_run_number")
    name = record.get("name") or plot.rstrip("/").rpartition("/")[2]
    return _Plot(run_number, reco, lumisection, plot, name, own if type(own) is int else None, histogram)


class _References:
    """The histograms of reference runs.

    Args:
        plots: Histograms of any runs.
        run_number: Keep those of this run only; all if None.

    Attributes:
        repeated: Histograms dropped because their run, reco and plot had come before.
    """

    def __init__(self, plots: Iterable[_Plot], run_number: int | None) -> None:
        self.repeated = 0
        self._run_number = run_number
        self._histograms: dict[Key, Histogram | str] = {}
        for plot in plots:
            if run_number not in (None, plot.run_number):
                continue
            key = plot.key(plot.run_number, plot.lumisection_number)
            if isinstance(self._histograms.get(key), str | None):  # none yet, or none that can be used
                self._histograms[key] = plot.histogram
            else:
                self.repeated += 1

    def find(self, plot: _Plot, run_number: int) -> Histogram | str:
        """The same plot of a reference run, or the reason why there is none."""
        keys = (plot.key(run_number, number) for number in (plot.lumisection_number, None))
        found = next((self._histograms[key] for key in keys if key in self._histograms), NOT_IN_REFERENCE)
        return f"reference: {found}" if isinstance(found, str) and found != NOT_IN_REFERENCE else found

    def require(self, source: str) -> None:
        """Raise an InputError if there are no histograms."""
        if not self._histograms:
            of_run = "" if self._run_number is None else f" of run {self._run_number}"
            raise InputError(f"{jsonl.shown(source)}: no histogram{of_run} to compare with")

    def only_run(self) -> int | None:
        """The run of all histograms; None if they are of several."""
        runs = {run_number for run_number, *_ in self._histograms}
        return runs.pop() if len(runs) == 1 else None


def _require_reference(plots: Iterable[_Plot], run_number: int | None) -> None:
    if run_number is None and all(plot.reference_run_number is None for plot in plots):
        raise UsageError(
            "which run is the reference? Name it with --reference-run or its file with --reference, "
            "or merge a table with reference_run_number onto the histograms"
        )


def _compared(
    plot: _Plot, reference_run: int | None, references: _References, tolerance: float
) -> dict[str, Any]:
    from tkstudies.analysis import comparison

    lumisection = {} if plot.lumisection_number is None else {"lumisection_number": plot.lumisection_number}
    record = {
        "run_number": plot.run_number,
        "reco": plot.reco,
        **lumisection,
        "reference_run_number": reference_run,
        "plot": plot.plot,
        "name": plot.name,
    }
    if isinstance(plot.histogram, str):
        return record | comparison.nothing(plot.histogram)
    reference = NO_REFERENCE_RUN if reference_run is None else references.find(plot, reference_run)
    if isinstance(reference, str):
        return record | comparison.nothing(reference)
    try:
        return record | comparison.compare(plot.histogram, reference, tolerance)
    except comparison.Incomparable as reason:
        return record | comparison.nothing(str(reason))


def _report(reasons: Counter[str | None], references: _References) -> None:
    if references.repeated:
        dropped = console.counted(references.repeated, "histogram")
        console.warn(f"{dropped} dropped as references: same run, reco and plot as before")
    total = sum(reasons.values())
    not_compared = [f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=str) if reason]
    console.say(f"{reasons[None]:,} of {console.counted(total, 'histogram')} compared")
    for text in not_compared:
        console.say(f"  not compared: {text}")
    if total and not reasons[None]:
        console.warn(
            "nothing could be compared: see the column reason, or name the reference with --reference-run"
        )
