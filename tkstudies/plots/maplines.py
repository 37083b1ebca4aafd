"""Maps as lines over each other: what `etaphi_line` and `angular` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tkstudies.analysis.histograms.trackingmaps import angular_correlation, angular_entropy
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.bins import MANY, Array, edges_of, fitting
from tkstudies.plots.chosen import Chosen, Histograms
from tkstudies.plots.figures import Drawing
from tkstudies.plots.legends import Entry
from tkstudies.plots.look import Look
from tkstudies.plots.palette import COLOURS, dashes_of
from tkstudies.plots.panels import Panels
from tkstudies.plots.texts import letters_in
from tkstudies.plots.trackmaps import axes_of

_SHAPE = (8.4, 4.2)


class Curve(NamedTuple):
    """A map as a line: where its points are, and what the legend says besides whose it is."""

    x: Array
    y: Array
    note: str = ""


def draw_line(found: Histograms, counts: bool, look: Look) -> Drawing:
    """Draw maps bin by bin, see `etaphi_line`."""

    def curve(item: Chosen) -> Curve:
        scale = 1.0 if counts else 100 / mean_of(item)
        return Curve(places_of(item), item.histogram.content.T.ravel() * scale)

    x, _ = axes_of(found.all[0])
    labels = ("tracks in the bin", "tracks") if counts else ("tracks [% of the mean bin]", "tracks [%]")
    return draw_curves(found.all, curve, look, f"{x} (φ within each bin)", labels, found.losses)


def draw_angular(found: Histograms, periodic_phi: bool, counts: bool, look: Look) -> Drawing:
    """Draw angular correlations, see `angular`."""

    def curve(item: Chosen) -> Curve:
        scale = 1.0 if counts else 100 / mean_of(item)
        distance, correlation = angular_correlation(item.histogram.content, periodic_phi)
        known = np.isfinite(correlation)
        entropy = angular_entropy(item.histogram.content, periodic_phi)
        return Curve(distance[known], correlation[known] * scale, "" if entropy is None else f"S {entropy:.3f}")

    percent = ("mean difference [% of the mean bin]", "mean difference [%]", "difference [%]")
    labels = ("mean difference of tracks", "difference") if counts else percent
    return draw_curves(found.all, curve, look, "distance of two bins [bins of the map]", labels, found.losses)


def places_of(item: Chosen) -> Array:
    """Where the bins of a map lie if those of phi stand side by side within each bin of eta."""
    edges = edges_of(item, "x")
    count = item.histogram.content.shape[0]
    within = (np.arange(count) + 0.5) / count
    return (edges[:-1, None] + within * np.diff(edges)[:, None]).ravel()


def draw_curves(
    items: Sequence[Chosen],
    curve_of: Callable[[Chosen], Curve],
    look: Look,
    x: str,
    labels: Sequence[str],
    losses: Losses,
) -> Drawing:
    """Draw a line for each map, the same colour and dashes in all panels.

    Raises:
        InputError: There are too many, or none can be drawn.
    """
    if len(items) > len(COLOURS):
        raise InputError(f"{len(items):,} maps: at most {len(COLOURS)} lines can be told apart (--run, --reco)")
    panels = Panels(items, look, lambda item: item.record, shape=_SHAPE)
    dashes = dashes_of(len(items))
    place_of = {id(item): place for place, item in enumerate(items)}
    entries: dict[int, Entry] = {}
    recos = {item.plot.row.reco for item in items}
    several_recos = len(recos) > 1 or any(not item.plot.row.is_run for item in items)
    reason = ""
    for ax, own in panels:
        for item in own:
            place = place_of[id(item)]
            try:
                curve = curve_of(item)
            except InputError as error:
                reason = str(error)
                losses.note(f"not drawn: {reason}")
                continue
            ax.plot(
                curve.x,
                curve.y,
                color=COLOURS[place],
                linestyle=dashes[place] if len(curve.x) < MANY / 2 else "-",
                linewidth=1.3 if len(curve.x) < MANY / 2 else 0.8,
                alpha=0.9,
            )
            whose = item.whose if several_recos else str(item.plot.row.run_number)
            text = f"{whose} ({curve.note})" if curve.note else whose
            handle = legends.line(COLOURS[place], dashes[place] if len(curve.x) < MANY / 2 else "-")
            entries[place] = Entry(handle, text)
    if not entries:
        raise InputError(reason)
    title = "" if several_recos else recos.pop() or ""
    room = letters_in(panels.panel_height, look.font_size)
    y = fitting(room, *labels)
    panels.finish(x, y, entries=[entries[place] for place in sorted(entries)], legend_title=title)
    set_ticks(panels, look)
    return panels.drawing(len(entries), "map", losses)


def set_ticks(panels: Panels[Chosen], look: Look) -> None:
    """Set few enough ticks for their numbers not to touch each other."""
    from matplotlib.ticker import MaxNLocator

    for ax in panels.axes:
        for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
            if not look.is_log(name):
                axis.set_major_locator(MaxNLocator(panels.most_ticks(name), steps=[1, 2, 2.5, 5, 10]))


def mean_of(item: Chosen) -> float:
    """The mean content of the bins of a map.

    Raises:
        InputError: It isn't above zero.
    """
    mean = float(np.mean(item.histogram.content))
    if not mean > 0:
        raise InputError(f"{item.called}: {'empty' if not mean else 'a sum of contents that is not positive'}")
    return mean
