"""Maps of tracks bin by bin, as lines over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.plots.bins import Array, edges_of
from tkstudies.plots.chosen import Chosen, PlotPattern, Recos, Runs
from tkstudies.plots.etaphi import MAP, axes_of, maps_of
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.maplines import Curve, draw_curves, mean_of
from tkstudies.plots.options import Option
from tkstudies.records import Record


def etaphi_line(
    records: Sequence[Record],
    *,
    plot: PlotPattern = MAP,
    run: Runs = None,
    reco: Recos = None,
    counts: Annotated[bool, Option("--counts", "Draw tracks, not percent of the mean bin.")] = False,
    look: Look = Look(),
) -> Drawing:
    """Draw maps of tracks bin by bin over each other, in percent of their mean bin: eta, and phi within each bin of it.

    Args:
        records: Histogram records with maps.
        counts: Draw the contents as they are.

    Raises:
        InputError: There is no map, or there are more than can be told apart.

    Example:
        tkstudies plot etaphi-line --run 317434,317291 --reco express -o lines.png maps.jsonl
        tkstudies plot etaphi-line --run 317434,317291 --row reco -o lines.pdf maps.jsonl
    """
    found = maps_of(records, plot, run, reco)

    def curve(item: Chosen) -> Curve:
        scale = 1.0 if counts else 100 / mean_of(item)
        return Curve(places_of(item), item.histogram.content.T.ravel() * scale)

    x, _ = axes_of(found.all[0])
    labels = ("tracks in the bin", "tracks") if counts else ("tracks [% of the mean bin]", "tracks [%]")
    return draw_curves(found.all, curve, look, f"{x} (φ within each bin)", labels, found.losses)


def places_of(item: Chosen) -> Array:
    """Where the bins of a map lie if those of phi stand side by side within each bin of eta."""
    import numpy as np

    edges = edges_of(item, "x")
    count = item.histogram.content.shape[0]
    within = (np.arange(count) + 0.5) / count
    return (edges[:-1, None] + within * np.diff(edges)[:, None]).ravel()
