"""``tkstudies dqm``: histograms of the DQM GUI for the (run, reco) pairs of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from tkstudies.services.dqm.crawl import Sample
    from tkstudies.services.dqm.pairs import Pair

app = options.application()


@app.command()
def dqm(
    files: options.Files = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUNS", help="Runs, e.g. 355100,355205-355210 (repeatable).")
    ] = None,
    reco: Annotated[
        list[str] | None,
        typer.Option(
            "--reco",
            metavar="RECO",
            autocompletion=completion.recos,
            help="Reco of these runs; of a table only its rows (repeatable).",
        ),
    ] = None,
    plot: Annotated[
        list[str] | None, typer.Option("--plot", metavar="PATH", help="Path of a plot (repeatable).")
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            metavar="NAME",
            autocompletion=completion.collections,
            help="tracking, pixel, strip, all (these three), cosmics, modules (repeatable).",
        ),
    ] = None,
    tracking_map: Annotated[bool, typer.Option("--tracking-map", help="The tracks over eta and phi.")] = False,
    summaries: Annotated[
        bool, typer.Option("--summaries", help="Entries, mean, rms and limits without bins: a quarter of the requests.")
    ] = False,
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="PATH", help="With --summaries: all plots below a folder (repeatable)."),
    ] = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="With --summaries: the worst status of each plot's quality tests.")
    ] = False,
    check_summaries: Annotated[
        int | None,
        typer.Option("--check-summaries", metavar="N", min=1, help="Fetch N of the plots both ways: same numbers?"),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="One record per run from the online GUI, whatever its reco.")
    ] = False,
    dataset: Annotated[
        str, typer.Option("--dataset", metavar="NAME", help="Take this dataset instead of choosing one.")
    ] = "",
    primary_dataset: Annotated[
        str, typer.Option("--primary-dataset", metavar="NAME", help="Choose among its datasets, e.g. JetHT.")
    ] = "",
    with_references: Annotated[
        bool, typer.Option("--with-references", help="The reference runs that the records name, too.")
    ] = False,
    complete_only: Annotated[
        bool, typer.Option("--complete-only", help="Leave out runs whose harvesting hasn't finished.")
    ] = False,
    check_complete: Annotated[
        bool, typer.Option("--check-complete", help="Add run_is_complete: has the harvesting finished?")
    ] = False,
    datasets: Annotated[bool, typer.Option("--datasets", help="Only tell which datasets would be taken.")] = False,
    listed: Annotated[str, typer.Option("--ls", metavar="PATH", help="Only list what this folder holds.")] = "",
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=64, help="Requests at once.")] = 16,
    resume: Annotated[
        str, typer.Option("--resume", metavar="FILE", help="Take over what FILE or FILE.part holds, fetch the rest.")
    ] = "",
    errors: Annotated[
        str, typer.Option("--errors", metavar="FILE", help="Write there what is missing or failed.")
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if anything is missing.")] = False,
    inputs: options.Inputs = None,
    runs_per_file: options.RunsPerFile = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Fetch DQM GUI histograms for the (run, reco) pairs of records or of a runs.txt.

    \b
    Input is any table with run_number and reco, or lines such as '321012 Express'.
    Each pair is taken once. Cosmics runs get the cosmics plots in place of the
    tracking ones; what isn't defined for a run is not asked for. What the server
    doesn't have is counted, and is an error (exit code 3) only with --strict.
    modules are 77 plots of single layers, wheels and modules: bad components of the
    strips, dead and inefficient ROCs, maps of the pixel modules, residuals.

    \b
    Examples:
      tkstudies dqm --collection tracking runs.jsonl -o hists.jsonl
      tkstudies dqm --collection modules runs.jsonl | tkstudies features > modules.jsonl
      tkstudies dqm --run 321012 --reco express --tracking-map
      tkstudies dqm --datasets runs.txt
      tkstudies dqm --run 321012 --reco prompt --ls /Tracking/TrackParameters

    \b
    Entries, mean and rms come without bins by one request for each folder, from the
    server's index (six digits). What features makes of bins is null then; compare,
    trackingmap and plot need the histograms.
      tkstudies dqm --summaries --collection all runs.jsonl | tkstudies features
      tkstudies dqm --summaries --folder /PixelPhase1/Tracks --quality runs.jsonl
      tkstudies dqm --check-summaries 20 --collection all runs.jsonl

    \b
    With a file and --resume, or with a folder, the same line begins a crawl, and goes
    on with it when it was stopped. What failed is tried once more at the end.
      tkstudies dqm --collection all runs.jsonl -o hists.jsonl --resume hists.jsonl
      tkstudies dqm --collection all runs.jsonl -o hists/ --runs-per-file 50
    """
    from tkstudies.commands.dqm_check import Check
    from tkstudies.commands.dqm_files import write_files
    from tkstudies.commands.dqm_input import Lacking, WantedPlots, named_pairs, pairs_of
    from tkstudies.commands.dqm_output import Tally, datasets_of, tell_how_to_go_on, write_histograms, write_rows
    from tkstudies.services.dqm import agreement, byfolder, crawl
    from tkstudies.services.dqm.crawloutput import CrawlOutput
    from tkstudies.services.dqm.gui import DqmGui
    from tkstudies.services.dqm.pairs import distinct
    from tkstudies.services.dqm.resume import EarlierCrawl
    from tkstudies.services.recos import RECOS

    numbers, files = options.runs_among(files)
    run = [*(run or []), *numbers]
    recos = options.known_words(reco, RECOS, "--reco")
    primary_dataset = primary_dataset.strip("/")
    _exclude_each_other(
        {
            "--datasets": datasets,
            "--ls": listed,
            "--folder": folder,
            "--plot, --collection or --tracking-map": plot or collection or tracking_map,
        }
    )
    is_crawl = not (datasets or listed)
    _check_summaries(summaries, check_summaries, {"--folder": folder, "--quality": quality}, is_crawl, resume)
    _exclude_each_other({"--online": online, "--dataset": dataset, "--primary-dataset": primary_dataset}, needed=False)
    _exclude_each_other({"--online": online, "--reco": recos}, needed=False)
    _check_dataset(dataset)
    _check_files(resume, errors, output, is_crawl, is_crawl and not check_summaries)
    to_folder = options.is_folder(output, runs_per_file)
    plots = WantedPlots(plot or [], collection or [], tracking_map, folder or [])

    records = (options.named_reader if run else options.reader)(
        inputs, files, skip_bad_lines=skip_bad_lines, expected="run records or lines such as '321012 Express'"
    )
    pairs = named_pairs(run, recos, online, dataset)
    if records:
        pairs += pairs_of(records, recos, online, with_references)
    pairs = distinct(pairs)

    adds_completeness = check_complete or complete_only
    check: Check | None = None
    with ExitStack() as stack:
        tally = Tally(stack.enter_context(jsonl.Writer(errors, at_once=True)) if errors else None)
        if not (pairs or resume):  # without a certificate
            write_files(output, None, [], None, tally) if to_folder else jsonl.write((), output)
        else:
            gui = stack.enter_context(DqmGui(workers=workers, primary_dataset=primary_dataset))

            def find(some: Iterable[Pair]) -> Iterator[Sample]:
                return tally.watching(
                    crawl.samples(
                        gui,
                        some,
                        dataset=dataset,
                        primary_dataset=primary_dataset,
                        check_complete=check_complete,
                        complete_only=complete_only,
                    )
                )

            if not is_crawl:
                samples = find(pairs)
                rows = crawl.listings(gui, samples, listed, workers=workers) if listed else datasets_of(samples)
                write_rows(rows, output, tally, adds_completeness, len(pairs))
            elif check_summaries:
                some = find(agreement.drawn(pairs, check_summaries))
                check = Check(crawl.tasks_of(some, plots.paths), check_summaries)
                check.run(gui, output, tally, workers)
            else:
                by_folder = byfolder.trees if folder else byfolder.summaries
                how = by_folder if summaries else crawl.with_bins
                unit = "plot" if summaries and not folder else "request"

                def fetch(some: list[Pair], file: str, resume: str) -> None:
                    lacking = Lacking(summaries, quality)
                    with closing(EarlierCrawl(resume, file, lacking)) if resume else nullcontext() as earlier:
                        lacking.tell()
                        with CrawlOutput(file, earlier) as into:
                            asking = crawl.Asking(workers, earlier or (), not into.keeps_order, quality)
                            outcomes = crawl.histograms(gui, find(some), plots.paths, asking, how)
                            again = partial(
                                crawl.second_try, gui, find=find, plots_of=plots.paths, asking=asking, fetch=how
                            )
                            expected = plots.expected(some)
                            write_histograms(outcomes, into, tally, adds_completeness, expected, again, unit)

                if to_folder:
                    which = [plots.recipe(), summaries, quality, dataset, primary_dataset]
                    recipe = ["dqm", *which, check_complete, complete_only]
                    write_files(output, recipe, pairs, runs_per_file, tally, fetch)
                else:
                    try:
                        fetch(pairs, output, resume)
                    except (KeyboardInterrupt, ServiceError):
                        tell_how_to_go_on(output, tally)
                        raise
    tally.report("plot" if is_crawl else "record", strict, check.told if check else "")
    if check:
        check.judge()
    options.report_skipped(records)


# --- options


def _exclude_each_other(given: dict[str, Any], needed: bool = True) -> None:
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{names[0]} and {names[1]} exclude each other")
    if needed and not names:
        raise UsageError(f"what shall it be? Give one of {'; '.join(reversed(given))}")


def _check_summaries(
    summaries: bool, check_summaries: int | None, needing: dict[str, Any], is_crawl: bool, resume: str
) -> None:
    _exclude_each_other({"--summaries": summaries, "--check-summaries": check_summaries}, needed=False)
    _exclude_each_other({"--resume": resume, "--check-summaries": check_summaries}, needed=False)
    if (summaries or check_summaries) and not is_crawl:
        raise UsageError("--summaries and --check-summaries are for plots: not with --datasets or --ls")
    for name, value in needing.items():
        if value and not summaries:
            raise UsageError(f"{name} goes with --summaries: what the server's index says, without bins")


def _check_files(resume: str, errors: str, output: str, is_crawl: bool, has_runs: bool) -> None:
    if resume and not is_crawl:
        raise UsageError("--resume goes on with a crawl of histograms: not with --datasets or --ls")
    if output.endswith("/") and not has_runs:
        raise UsageError("-o NAME/ is for plots: write --datasets, --ls, --check-summaries to a file, without a slash")
    if output.endswith("/") and resume:
        raise UsageError("-o NAME/ needs no --resume: the same command goes on with what is missing")
    if resume == jsonl.STDIN:
        raise UsageError("--resume needs the name of a file")
    if errors == jsonl.STDOUT or (errors and os.path.realpath(errors) == os.path.realpath(output)):
        raise UsageError("--errors needs a file of its own")


def _check_dataset(name: str) -> None:
    from tkstudies.services.dqm.datasets import ONLINE

    if name and (not name.startswith("/") or name.count("/") != 3 or name == ONLINE):
        raise UsageError(f"--dataset {name!r}: expected a name such as /ZeroBias/Run2018C-PromptReco-v3/DQMIO")
