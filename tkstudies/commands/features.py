"""``tkstudies features``: from histograms to one wide row of numbers per (run, reco)."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError

app = options.application()


@app.command()
def features(
    files: options.Files = None,
    stats: Annotated[
        list[str] | None,
        typer.Option(
            "--stats", metavar="NAME", help="Numbers per histogram (default: mean,rms,entries,integral)."
        ),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Add the bin contents as FEATURE_0, FEATURE_1, ...")
    ] = False,
    names: Annotated[
        str,
        typer.Option("--names", metavar="FILE", help='Feature names: records {"plot": ..., "feature": ...}.'),
    ] = "",
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Turn histogram records into one wide row per (run_number, reco).

    \b
    Columns are FEATURE.mean, .rms, .entries, .integral; the plots of the quick
    collections have short feature names (Hits.Pixel), others use their own.

    \b
    Examples:
      tkstudies dqm --collection tracking runs.jsonl | tkstudies features > features.jsonl
      tkstudies features --stats mean --stats median,skewness histograms.jsonl
    """
    from tkstudies.analysis.histogramlines import line_adder
    from tkstudies.analysis.histograms import DEFAULT_STATISTICS, FeatureTable

    chosen = [name.strip() for value in stats or [] for name in value.split(",")] or DEFAULT_STATISTICS
    table = FeatureTable(chosen, content=content, feature_names=_feature_names(names) if names else None)
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="histogram records")
    with jsonl.Writer(output) as writer:
        for _ in records.lines(line_adder(table)):
            pass
        for row in table.rows():
            writer.write(row)
    if table.duplicates:
        console.warn(
            f"{console.counted(table.duplicates, 'histogram')} dropped: same run, reco and plot as before"
        )
    options.report_skipped(records)


def _feature_names(file: str) -> dict[str, str]:
    names = {}
    for record in jsonl.read(file, expected="feature names"):
        plot, feature = record.get("plot"), record.get("feature")
        if not isinstance(plot, str) or not isinstance(feature, str):
            raise InputError(
                f'{file}: expected records such as {{"plot": "/Tracking/...", "feature": "Hits"}}'
            )
        names[plot] = feature
    return names
