"""The angular correlation of maps: how different bins are, by their distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.picks import PlotPattern, Recos, Runs
from tkstudies.records import Record


def angular(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
    run: Runs = None,
    reco: Recos = None,
    periodic_phi: Annotated[bool, Option("--periodic-phi", "Measure distances in phi the short way round.")] = False,
    counts: Annotated[bool, Option("--counts", "Draw tracks, not percent of the mean bin.")] = False,
    look: Look = Look(),
) -> Drawing:
    """Draw the mean difference of two bins of a map by their distance; the legend has the angular entropy S.

    Args:
        records: Histogram records with maps.

    Raises:
        InputError: There is no map, or there are more than can be told apart.

    Example:
        tkstudies plot angular --run 317434,317291 --reco express -o angular.png maps.jsonl
        tkstudies plot angular --run 317434 --periodic-phi --facet reco -o angular.png maps.jsonl
    """
    from tkstudies.plots.maplines import draw_angular
    from tkstudies.plots.trackmaps import maps_of

    return draw_angular(maps_of(records, plot, run, reco), periodic_phi, counts, look)
