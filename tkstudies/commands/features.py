"""``tkstudies features``: from histograms to one wide row of numbers per (run, reco)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError, WrongRecord
from tkstudies.jsonl.folder import MANIFEST, table_files

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.featureparts import Features

app = options.application()

_EXPECTED = "histogram records"


@app.command()
def features(
    files: options.Files = None,
    stats: Annotated[
        list[str] | None,
        typer.Option(
            "--stats",
            metavar="NAME",
            autocompletion=completion.stats,
            help="Numbers per histogram (default: mean,rms,entries,integral).",
        ),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Add the bin contents as FEATURE_0, FEATURE_1, ...")
    ] = False,
    names: Annotated[
        str, typer.Option("--names", metavar="FILE", help='Feature names: records {"plot": ..., "feature": ...}.')
    ] = "",
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Turn histogram records into one wide row per (run_number, reco).

    \b
    Histograms of lumisections (lumisection_number) give one row each.
    Columns are FEATURE.mean, .rms, .entries, .integral; the plots of the quick
    collections have short feature names (Hits.Pixel), others use their own. Plots
    against lumisections also give .level and .spread, mean and rms of their filled
    bins: what was measured, while .mean and .rms say how long the run was. Maps of
    pixel modules have these, too, and .filled, the modules with anything in them.
    Dead and inefficient ROCs and bad components of the strips give a column for each
    part of the detector, as in HDQM (deadROC_BPix_L1, BadStripsFraction_TIB, in %).

    \b
    A folder is the histograms of its *.jsonl files. With --jobs N, or -o NAME/, which
    writes a file for each of them, all histograms of a row must be in one file. A
    folder without such files is one of the older crawler, with files such as
    321012_express.json, or holds such.

    \b
    Of summaries (dqm --summaries) what needs bins is null or refused. Those with a
    quality_test (dqm --quality) give quality_tested, quality_test_warnings and
    quality_test_errors: numbers of plots.

    \b
    Examples:
      tkstudies dqm --collection tracking runs.jsonl -o hists.jsonl
      tkstudies features hists.jsonl > features.jsonl
      tkstudies features --stats mean --stats median,skewness hists.jsonl
      tkstudies features --jobs 4 hists/ -o features/
    """
    from tkstudies.analysis.histograms.featureparts import Features
    from tkstudies.shards.mapping import map_files

    own_names = _feature_names(names) if names else None
    make = partial(Features, options.words(stats) or None, content, own_names)
    make()  # a mistake in the options is told before that in a file
    older = [name for name in files or [] if os.path.isdir(name) and not _is_table(name)]
    tables = [name for name in files or [] if name not in older]
    records: jsonl.Reader | None
    if older:
        if output.endswith("/"):
            raise UsageError(f"-o NAME/ writes a file for each file of records, and {older[0]} has none")
        records = options.named_reader(inputs, tables, skip_bad_lines=skip_bad_lines, expected=_EXPECTED)
        work = _of_older(make(), older, records, output)
    else:
        records = options.reader(inputs, tables, skip_bad_lines=skip_bad_lines, expected=_EXPECTED)
        work = map_files(make, records, output, jobs)
    work.losses().tell()
    options.report_skipped(records)


def _is_table(folder: str) -> bool:
    """Is it a folder of record files, rather than one of the older crawler?"""
    return os.path.exists(os.path.join(folder, MANIFEST)) or bool(table_files(folder))


def _of_older(work: Features, folders: list[str], records: jsonl.Reader | None, output: str) -> Features:
    """Features of folders of the older crawler, and of records if there are any."""
    from tkstudies.services.dqm.folders import histogram_records

    def lines() -> Iterator[bytes]:
        for folder in folders:
            for record in histogram_records(folder):
                work.add(record)
        yield from work.lines(records or jsonl.Given(()))

    jsonl.write_lines(lines(), output)
    return work


def _feature_names(file: str) -> dict[str, str]:
    names = {}
    records = jsonl.Reader([file], expected="feature names")
    with records.located():
        for record in records:
            plot, feature = record.get("plot"), record.get("feature")
            if not isinstance(plot, str) or not isinstance(feature, str):
                raise WrongRecord('expected records such as {"plot": "/Tracking/...", "feature": "Hits"}')
            names[plot] = feature
    return names
