"""Maps of tracks bin by bin, as lines over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.picks import PlotPattern, Recos, Runs
from tkstudies.records import Record


def etaphi_line(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
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
    from tkstudies.plots.maplines import draw_line
    from tkstudies.plots.trackmaps import maps_of

    return draw_line(maps_of(records, plot, run, reco), counts, look)
