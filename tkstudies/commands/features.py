"""``tkstudies features``: from histograms to one wide row of numbers per (run, reco)."""

from __future__ import annotations

import os
from itertools import chain
from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import WrongRecord

app = options.application()


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
    output: options.Output = "-",
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
    A folder is one of the older crawler, with files such as 321012_express.json, or
    holds such.
    Of summaries (dqm --summaries) what needs bins is null or refused. Those with a
    quality_test (dqm --quality) give quality_tested, quality_test_warnings and
    quality_test_errors: numbers of plots.

    \b
    Examples:
      tkstudies dqm --collection tracking runs.jsonl -o hists.jsonl
      tkstudies features hists.jsonl > features.jsonl
      tkstudies features --stats mean --stats median,skewness hists.jsonl
    """
    from tkstudies.analysis.histograms.features import FeatureTable
    from tkstudies.histogramrecord import HistogramRecord
    from tkstudies.services.dqm.folders import histogram_records

    table = FeatureTable(
        options.words(stats) or None, content=content, feature_names=_feature_names(names) if names else None
    )
    folders = [name for name in files or [] if os.path.isdir(name)]
    records = (options.named_reader if folders else options.reader)(
        inputs,
        [name for name in files or [] if name not in folders],
        skip_bad_lines=skip_bad_lines,
        expected="histogram records",
    )
    with jsonl.Writer(output) as writer:
        for record in chain.from_iterable(map(histogram_records, folders)):
            table.add(record)
        if records:
            with records.located():
                for histogram in records.parsed(HistogramRecord):
                    table.add(histogram)
        for row in table.rows():
            writer.write(row)
    table.losses().tell()
    options.report_skipped(records)


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
