"""``tkstudies compare``: the histograms of a run against those of its reference run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.references import Plot, References

app = options.application()


@app.command()
def compare(
    files: options.Files = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="FILE", help="Histograms of the reference run.")
    ] = "",
    run: Annotated[list[str] | None, typer.Option("--run", metavar="RUNS", help="Compare these runs only.")] = None,
    reference_run: Annotated[
        int | None, typer.Option("--reference-run", metavar="RUN", help="The reference of every run.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", min=0.0, max=1.0, help="Relative change of a bin that is no deviation [0.01]."),
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Compare the shape of histograms with those of a reference run, one record per plot.

    \b
    Adds chi2, ndf, p_value, ks, ks_p_value (Kolmogorov-Smirnov), max_pull (the
    beta-binomial pull of AutoDQM), max_pull_corrected (for the number of bins),
    is_excess (more than the reference), pull_chi2 (mean squared pull), where it is
    (bin, bin_x, bin_y), and the reason if there is nothing to compare. For chi2 bins
    are merged until 5 entries are expected in each. Profiles and weighted histograms
    are compared by bin errors; profiles in bins where both have one.
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
    from tkstudies.analysis.histograms.comparison import TOLERANCE
    from tkstudies.analysis.histograms.references import References

    runs = options.split_numbers(run, "run")
    allowed = TOLERANCE if tolerance is None else tolerance
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="histogram records")
    options.check_stdin_once(records, [reference], "both sides: name a file for one of them")
    if reference:
        readers = [records, jsonl.Reader([reference], skip_bad_lines=skip_bad_lines, expected="histogram records")]
        references = References(_plots(readers[1]), reference_run)
        _require(references, reference, reference_run)
        default = references.only_run()
        plots = _plots(records)
    else:
        readers = [records]
        held = list(_plots(records))
        references = References(held, reference_run)
        if held:
            _require(references, "the input", reference_run)
            _require_reference(held, reference_run)
        default = None
        plots = (plot for plot in held if plot.row.run_number != reference_run)
    reasons: Counter[str | None] = Counter()
    others = without_chi2 = 0
    with jsonl.Writer(output) as writer:
        for plot in plots:
            if runs and not any(first <= plot.row.run_number <= last for first, last in runs):
                others += 1
                continue
            result = references.compare(plot, default, allowed)
            reasons[result["reason"]] += 1
            without_chi2 += result["ndf"] == 0
            writer.write(result)
        if others and not reasons:
            raise InputError(f"--run {','.join(run or [])}: no histogram of such a run")
    _report(reasons, references, without_chi2)
    options.report_skipped(*readers)


def _plots(records: jsonl.Reader) -> Iterator[Plot]:
    from tkstudies.analysis.histograms.references import read_plot
    from tkstudies.histogramrecord import HistogramRecord

    with records.located():
        yield from map(read_plot, records.parsed(HistogramRecord))


def _require(references: References, source: str, run_number: int | None) -> None:
    if not references:
        of_run = "" if run_number is None else f" of run {run_number}"
        raise InputError(f"{jsonl.shown(source)}: no histogram{of_run} to compare with")


def _require_reference(plots: Iterable[Plot], run_number: int | None) -> None:
    if run_number is None and all(plot.reference_run_number is None for plot in plots):
        raise UsageError(
            "which run is the reference? Name it with --reference-run or its file with --reference, "
            "or merge a table with reference_run_number onto the histograms"
        )


def _report(reasons: Counter[str | None], references: References, without_chi2: int) -> None:
    references.losses().tell()
    total = sum(reasons.values())
    not_compared = [f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=str) if reason]
    console.say(f"{reasons[None]:,} of {console.counted(total, 'histogram')} compared")
    for text in not_compared:
        console.say(f"  not compared: {text}")
    if without_chi2:
        console.say(f"  no p_value: {without_chi2:,} with too few entries for a chi-square")
    if total and not reasons[None]:
        console.warn("nothing could be compared: see the column reason, or name the reference with --reference-run")
