"""``tkstudies trackingmap``: compare the tracking map of each run with that of its reference run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.referencemaps import Maps

app = options.application()


@app.command()
def trackingmap(
    files: options.Files = None,
    maps: Annotated[
        list[str] | None, typer.Option("--maps", metavar="FILE", help="Histogram records with the maps (repeatable).")
    ] = None,
    plot: Annotated[
        str, typer.Option("--plot", metavar="NAME", help="Name or path of another 2-D plot to compare.")
    ] = TRACKING_MAP.name,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="COLUMN",
            autocompletion=completion.map_columns,
            help="Add only these (repeatable, or with commas).",
        ),
    ] = None,
    periodic_phi: Annotated[
        bool, typer.Option("--periodic-phi", help="Measure angles the short way round in the entropy.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Add numbers that compare a run's tracking map with its reference run's.

    \b
    reference_cost         1 - Pearson's r: 0 is the same shape, 2 the inverse
    scaled_reference_cost  the same after scaling by map_scale: holes stand out
    map_scale              most common ratio of reference to map
    angular_entropy        entropy of the angular correlation (of the map alone)
    map_empty              true if one of the maps is constant: no cost
    The reference is the map of reference_run_number in the row's own reco. A row
    without a map gets nulls; one without a reference gets its entropy only. A
    lumisection has its own map if there is one, else that of its run; so has its
    reference.

    \b
    Examples:
      tkstudies dqm --tracking-map study.jsonl > maps.jsonl
      tkstudies trackingmap --maps maps.jsonl study.jsonl | tkstudies filter 'reference_cost > 0.3'
      tkstudies trackingmap --maps maps.jsonl --only angular_entropy --periodic-phi < runs.jsonl
    """
    from tkstudies.analysis.histograms.referencemaps import MapComparison
    from tkstudies.analysis.histograms.trackingmaps import COLUMNS

    columns = _select(options.words(only), COLUMNS)
    if periodic_phi and "angular_entropy" not in columns:
        raise UsageError("--periodic-phi changes only angular_entropy, which --only leaves out")
    if not maps:
        raise UsageError("name the maps with --maps FILE (as tkstudies dqm --tracking-map writes them)")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    options.check_stdin_once(records, maps, "both rows and maps: name a file for one of them")
    map_records = jsonl.Reader(maps, skip_bad_lines=skip_bad_lines, expected="histogram records")
    comparison = MapComparison(_read_maps(map_records, plot), columns, periodic_phi)
    with jsonl.Writer(output) as writer:
        for record in records:
            record.update(comparison.columns_of(record))
            writer.write(record)
    comparison.losses().tell()
    options.report_skipped(records, map_records)


def _select(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--only: no column {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(column for column in known if column in names) if names else known


def _read_maps(records: jsonl.Reader, plot: str) -> Maps:
    from tkstudies.analysis.histograms.referencemaps import Maps
    from tkstudies.histogramrecord import HistogramRecord

    maps = Maps(plot)
    with records.located():
        for record in records.parsed(HistogramRecord):
            maps.add(record)
    source = records.name
    if maps.summaries and not maps:
        raise InputError(
            f"{source}: no bins of {plot}, only summaries: fetch it with tkstudies dqm without --summaries"
        )
    if not maps:
        others = f"; it has {console.listed(maps.others)}" if maps.others else ""
        raise InputError(f"{source}: no 2-D histogram {plot}{others}")
    maps.losses(source).tell()
    return maps
