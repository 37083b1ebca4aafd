"""``tkstudies compare``: the histograms of a run against those of its reference run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.comparing import Comparing

app = options.application()


@app.command()
def compare(
    files: options.Files = None,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="FILE", help="Histograms of the reference run (repeatable)."),
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUNS", help="Compare (or learn from) these runs only.")
    ] = None,
    reference_run: Annotated[
        list[str] | None,
        typer.Option("--reference-run", metavar="RUN", help="The reference of every run (several with --changes)."),
    ] = None,
    reference_reco: Annotated[
        str | None,
        typer.Option(
            "--reference-reco",
            metavar="RECO",
            autocompletion=completion.recos,
            help="Compare each run with itself in that reco.",
        ),
    ] = None,
    changes: Annotated[
        str, typer.Option("--changes", metavar="FILE", help="What --learn wrote: add how unusual each change is (z).")
    ] = "",
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn from the histograms of good runs how much each plot changes.")
    ] = False,
    study: Annotated[
        str, typer.Option("--study", metavar="FILE", help="With --learn: rows that tell which runs are good.")
    ] = "",
    good: Annotated[
        list[str] | None,
        typer.Option(
            "--good",
            metavar="EXPR",
            autocompletion=completion.columns,
            help="Rows of --study for which this holds are good (repeatable; default: certified good).",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="With --learn: for what is drawn [42].")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="FRACTION",
            min=0.0,
            max=1.0,
            help="Relative change of a bin that is no deviation [0.01].",
        ),
    ] = None,
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
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
    With --reference-reco it is the same run in another campaign. Numbers beside the
    files are the run and its references: compare hists.jsonl 317512 317527.

    \b
    With millions of entries two good runs differ everywhere: no limit on a pull
    tells what is unusual. --learn takes the histograms of good runs (some dozens;
    those of --study that are certified good, else all that are given) and learns
    how much each plot changes between them. --changes then adds z (0: the median of
    good pairs, above 1.28 a tenth of them, above 5 hardly any), change (the
    Kolmogorov-Smirnov distance; of profiles the mean difference) and usual_change.
    Of several references, named before you look, the median z counts: one that
    shares the fault seldom hides it. For --reference-reco learn with it too: a z
    far below 0 is a run that didn't change as the others did. Measured on simulated
    runs: of the bad ones about 90 % are above 99 % of the good ones by the mean of
    their ten largest z, about a quarter by the largest corrected pull.

    \b
    Examples:
      tkstudies compare --learn --study study.jsonl hists.jsonl -o changes.json
      tkstudies compare --changes changes.json --reference-run 317480 hists.jsonl \\
        | tkstudies filter 'z > 5'
      tkstudies compare --changes changes.json --reference reference.jsonl new.jsonl
      tkstudies compare --reference-reco prompt hists.jsonl
      tkstudies compare hists.jsonl 317512 317527
      tkstudies compare --jobs 4 --reference reference.jsonl hists/ -o compared/
      tkstudies merge doctor.jsonl < hists.jsonl | tkstudies compare
    """
    from tkstudies.analysis.histograms.comparing import TOLERANCE, Comparing, Wanted
    from tkstudies.shards.mapping import map_files

    numbers, files = options.runs_among(files)
    run = [*(run or []), *numbers[:1]]
    reference_run = [*(reference_run or []), *numbers[1:]] or None
    runs = options.split_numbers(run, "run")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="histogram records")
    options.check_stdin_once(records, [*(reference or []), study, changes], "both sides: name a file for one of them")

    if learn:
        several = None if jobs == "1" else jobs
        of_comparisons = {"reference": reference, "reference_run": reference_run, "changes": changes}
        _refuse("--learn", **of_comparisons, tolerance=tolerance, jobs=several)
        if good and not study:
            raise UsageError("--good looks at rows of runs: name them with --study FILE")
        from tkstudies.commands.compare_learn import learn as learn_changes

        seed, chosen = 42 if seed is None else seed, Wanted(runs=runs).is_chosen
        learn_changes(
            records, output, study=study, good=good or [], is_chosen=chosen, reference_reco=reference_reco, seed=seed
        )
        return
    _refuse("a comparison (they go with --learn)", study=study, good=good, seed=seed)
    named = _numbers(reference_run)
    if named and reference_reco is not None:
        raise UsageError("--reference-reco compares each run with itself: leave out --reference-run")
    options.check_read_often([*(reference or []), *filter(None, [changes])], output, jobs)
    allowed = TOLERANCE if tolerance is None else tolerance
    wanted = Wanted(reference or [], named, reference_reco, changes, runs, allowed)
    work = map_files(partial(Comparing, wanted, records.sources, skip_bad_lines), records, output, jobs)
    _report(work)
    options.report_skipped(records, *work.readers)


def _refuse(what: str, **given: Any) -> None:
    """Options that mean nothing here are a mistake."""
    for name, value in given.items():
        if value not in (None, "", []):
            raise UsageError(f"--{name.replace('_', '-')} means nothing to {what}")


def _numbers(runs: list[str] | None) -> list[int]:
    """Reference runs, each by its number."""
    ranges = options.split_numbers(runs, "reference-run")
    for first, last in ranges:
        if first != last:
            raise UsageError(f"--reference-run {first}-{last}: name each reference run")
    return list(dict.fromkeys(first for first, _ in ranges))


def _report(work: Comparing) -> None:
    work.losses().tell()
    total = sum(work.reasons.values())
    not_compared = [f"{count:,} {reason}" for reason, count in sorted(work.reasons.items(), key=str) if reason]
    console.say(f"{work.reasons[None]:,} of {console.counted(total, 'histogram')} compared")
    for text in not_compared:
        console.say(f"  not compared: {text}")
    if work.without_chi2:
        console.say(f"  no p_value: {work.without_chi2:,} with too few entries for a chi-square")
    if total and not work.reasons[None]:
        console.warn("nothing could be compared: see the column reason, or name the reference with --reference-run")
    if work.unusual:
        work.unusual.losses().tell()
        for line in work.unusual.summary():
            console.say(line)
