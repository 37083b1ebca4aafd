"""Maps of tracks over eta and phi: of a run, its difference and ratio to the reference's, and all beside each other.

A reference is compared after the run's map was multiplied by the most common ratio of the two (``map_scale`` of
``tkstudies trackingmap``): a hole doesn't change the rest. With fewer than 20 tracks in a bin it is the ratio of the
sums, as chance makes the other. The difference is in percent of the mean bin of the reference. Axes: eta has no unit,
phi is in radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.plots.look import Graph, Look
from tkstudies.plots.pages import Pages
from tkstudies.plots.picks import PlotPattern, Recos, ReferenceFiles, ReferenceRuns, Runs, Top
from tkstudies.records import Record


def etaphi(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
    run: Runs = None,
    reco: Recos = None,
    top: Top = None,
    look: Look = Look(),
) -> Pages:
    """Draw maps of tracks over eta and phi.

    Args:
        records: Histogram records with maps.

    Raises:
        InputError: There is no map.

    Example:
        tkstudies plot etaphi --run 317434 --reco express -o map.png maps.jsonl
        tkstudies plot etaphi --reco prompt --run 317434-317512 --facet run_number -o maps.png maps.jsonl
        tkstudies plot etaphi --batch reco --batch is_bad -o maps/ maps.jsonl
    """
    from tkstudies.plots import trackmaps

    found = trackmaps.maps_of(records, plot, run, reco)
    return trackmaps.pages_of(found, top, look, lambda item: item.histogram.content, False)


def etaphi_diff(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
    run: Runs = None,
    reco: Recos = None,
    reference_run: ReferenceRuns = None,
    reference: ReferenceFiles = None,
    top: Top = None,
    look: Look = Look(),
) -> Pages:
    """Draw how much maps differ from those of their references, in percent of the mean bin.

    Args:
        records: Histogram records with maps; the references may be among them.

    Raises:
        InputError: There is no map.

    Example:
        tkstudies plot etaphi-diff --run 317434 --reco express --reference-run 317291 -o diff.png maps.jsonl
        tkstudies merge study.jsonl < maps.jsonl | tkstudies plot etaphi-diff --run 317434 -o diff.pdf
    """
    from tkstudies.plots import trackmaps

    found = trackmaps.maps_of(records, plot, run, reco, reference_run, reference)
    return trackmaps.pages_of(found, top, look, partial(trackmaps.difference_of, found), True)


def etaphi_ratio(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
    run: Runs = None,
    reco: Recos = None,
    reference_run: ReferenceRuns = None,
    reference: ReferenceFiles = None,
    top: Top = None,
    look: Graph = Graph(),
) -> Pages:
    """Draw the ratio of maps to those of their references: where it is which, and how often in 10 bins.

    Args:
        records: Histogram records with maps; the references may be among them.

    Raises:
        InputError: There is no map.

    Example:
        tkstudies plot etaphi-ratio --run 317434 --reco express --reference-run 317291 -o ratio.png maps.jsonl
    """
    from tkstudies.plots import trackmaps

    found = trackmaps.maps_of(records, plot, run, reco, reference_run, reference)
    return trackmaps.each(found, top, partial(trackmaps.draw_ratio, found, look))


def etaphi_side(
    records: Sequence[Record],
    *,
    plot: PlotPattern = TRACKING_MAP.name,
    run: Runs = None,
    reco: Recos = None,
    reference_run: ReferenceRuns = None,
    reference: ReferenceFiles = None,
    top: Top = None,
    look: Graph = Graph(),
) -> Pages:
    """Draw the map of a run, the difference to its reference, and that of the reference beside each other.

    Lumisections and luminosity stand above the maps, where the records have them.

    Args:
        records: Histogram records with maps; the references may be among them.

    Raises:
        InputError: There is no map.

    Example:
        tkstudies plot etaphi-side --run 317434 --reco express --reference-run 317291 -o side.png maps.jsonl
        tkstudies merge study.jsonl < maps.jsonl | tkstudies plot etaphi-side --batch reco --batch is_bad -o maps/
    """
    from tkstudies.plots import trackmaps

    found = trackmaps.maps_of(records, plot, run, reco, reference_run, reference)
    return trackmaps.each(found, top, partial(trackmaps.draw_side, found, look))
