"""The angular correlation of maps: how different bins are, by their distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from tkstudies.analysis.histograms.trackingmaps import angular_correlation, angular_entropy
from tkstudies.plots.chosen import Chosen, PlotPattern, Recos, Runs
from tkstudies.plots.etaphi import MAP, maps_of
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.maplines import Curve, draw_curves, mean_of
from tkstudies.plots.options import Option
from tkstudies.records import Record


def angular(
    records: Sequence[Record],
    *,
    plot: PlotPattern = MAP,
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
    found = maps_of(records, plot, run, reco)

    def curve(item: Chosen) -> Curve:
        scale = 1.0 if counts else 100 / mean_of(item)
        distance, correlation = angular_correlation(item.histogram.content, periodic_phi)
        known = np.isfinite(correlation)
        entropy = angular_entropy(item.histogram.content, periodic_phi)
        return Curve(distance[known], correlation[known] * scale, "" if entropy is None else f"S {entropy:.3f}")

    percent = ("mean difference [% of the mean bin]", "mean difference [%]", "difference [%]")
    labels = ("mean difference of tracks", "difference") if counts else percent
    return draw_curves(found.all, curve, look, "distance of two bins [bins of the map]", labels, found.losses)
