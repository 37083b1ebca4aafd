"""How maps over eta and phi are drawn, compared and named: see `etaphi`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.analysis.histograms.trackingmaps import map_scale
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.bins import Array, draw_map, fitting, limits_of, set_bin_ticks, written
from tkstudies.plots.chosen import Chosen, Histograms
from tkstudies.plots.figures import Drawing
from tkstudies.plots.histogram2d import Row
from tkstudies.plots.look import Graph, Look
from tkstudies.plots.pages import Page, Pages
from tkstudies.plots.panels import Panels
from tkstudies.plots.texts import NARROW, letters_in, shown
from tkstudies.plots.units import shown_unit
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

MAP = TRACKING_MAP.name
ETA, PHI = "η of the track", "φ of the track [rad]"
_TRACKS = ("tracks in the bin", "tracks")
_ENTRIES = ("entries in the bin", "entries")
_DIFFERENCE = ("difference [% of the mean]", "difference [%]", "[%]")
_SHAPE = (6.0, 4.8)
_RATIO_BINS = 10
_FEW = 20  # tracks in a bin, below which chance makes the most common ratio

Values = Callable[[Chosen], "Array"]


def maps_of(
    records: Sequence[Record],
    plot: str,
    run: Sequence[str] | None,
    reco: Sequence[str] | None,
    reference_run: Sequence[str] | None = None,
    reference: Sequence[str] | None = None,
) -> Histograms:
    """The maps among histogram records.

    Raises:
        InputError: There are none.
    """
    found = Histograms(records, plot, run, reco, reference_run, reference)
    maps = [item for item in found.all if item.is_two_dimensional]
    if not maps:
        raise InputError(f"{found.all[0].called}: a map needs two dimensions: plot histogram draws it")
    found.losses.add(len(found.all) - len(maps), "histogram", "not drawn: no map, it has one dimension")
    found.all = maps
    return found


def each(found: Histograms, top: int | None, draw: Callable[[Chosen], Drawing]) -> Pages:
    """A page for each map."""
    pages = [Page(item.record, partial(draw, item)) for item in found.all]
    return Pages(pages, "map", "--run and --reco choose others", top, found.losses)


def difference(occupancy: Array, reference: Array) -> Array:
    """A map minus its reference [% of the reference's mean bin], after it was scaled by the most common ratio.

    >>> difference(np.array([[100.0, 200], [300, 0]]), np.array([[200.0, 400], [600, 400]])).tolist()
    [[0.0, 0.0], [0.0, -100.0]]
    """
    return 100 * (occupancy * scale_of(occupancy, reference) - reference) / reference.mean()


def scale_of(occupancy: Array, reference: Array) -> float:
    """The factor that makes a map look like its reference: the most common ratio; of few tracks that of the sums.

    Raises:
        InputError: There is none.
    """
    if occupancy.shape != reference.shape:
        raise InputError("the reference has another binning")
    few = min(occupancy.mean(), reference.mean()) < _FEW
    total = occupancy.sum()
    scale = (reference.sum() / total if total > 0 else None) if few else map_scale(occupancy, reference)
    if scale is None or not scale > 0 or not reference.mean() > 0:
        raise InputError("the map or that of the reference is empty")
    return scale


def subtitle(record: Record) -> str:
    """How long a run was, by number of lumisections and luminosity, as far as its record tells.

    >>> subtitle({"lumisections": 60, "recorded_lumi": 59.604, "recorded_lumi_unit": "pb^{-1}"}), subtitle({})
    ('60 LS, 59.6 pb⁻¹', '')
    """
    parts = []
    count = number(record.get("lumisections"))
    if count is not None:
        parts.append(f"{written(count)} LS")
    lumi, unit = number(record.get("recorded_lumi_pb")), "pb^{-1}"
    if lumi is None:
        lumi, unit = number(record.get("recorded_lumi")), str(record.get("recorded_lumi_unit") or "")
    if lumi is not None:
        parts.append(f"{lumi:.3g} {shown_unit(unit)}".strip())
    return ", ".join(parts)


def _reference_of(found: Histograms, item: Chosen) -> Chosen:
    """The first reference of a map.

    Raises:
        InputError: It has none.
    """
    references = found.references_of(item)
    if not references:
        raise InputError(f"{item.called}: {found.missing_of(item)}")
    if not references[0].is_two_dimensional:
        raise InputError(f"{references[0].called}: not a map that can be read")
    return references[0]


def difference_of(found: Histograms, item: Chosen) -> Array:
    reference = _reference_of(found, item)
    try:
        return difference(item.histogram.content, reference.histogram.content)
    except InputError as error:
        raise InputError(f"{item.called}, reference {reference.whose}: {error}") from None


def _colours(contents: Sequence[Array], is_difference: bool) -> dict[str, Any]:
    low, high = limits_of(contents)
    if is_difference:
        most = max(abs(low), abs(high)) or 1
        return {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
    return {"cmap": "viridis", "vmin": low, "vmax": high}


def pages_of(found: Histograms, top: int | None, look: Look, values: Values, is_difference: bool) -> Pages:
    """A page for each map, or one with a panel for each."""
    draw = partial(_draw_one, found, look, values, is_difference)
    if not (look.across or look.row):
        return each(found, top, lambda item: draw([item]))
    page = Page(found.all[0].record, partial(draw, found.all))
    return Pages([page], "picture", losses=found.losses)


def _draw_one(found: Histograms, look: Look, values: Values, is_difference: bool, items: Sequence[Chosen]) -> Drawing:
    """Draw a map, or a panel for each value of a column with its first map."""
    losses = Losses()
    panels = Panels(items, look, lambda item: item.record, shape=_SHAPE)
    drawn = [(ax, own[0]) for ax, own in panels if own]
    contents = [values(item) for _, item in drawn]
    colours = _colours(contents, is_difference)
    mappable: ScalarMappable | None = None
    for (ax, item), content in zip(drawn, contents, strict=True):
        mappable = draw_map(ax, item, content, **colours)
        for name, axis, inches in (("x", ax.xaxis, panels.panel_width), ("y", ax.yaxis, panels.panel_height)):
            set_bin_ticks(axis, item, name, panels.most_ticks(name), inches, look.font_size)
    losses.add(len(items) - len(drawn), "map", "not drawn: a panel shows its first one", advice="--run, --reco")
    first = drawn[0][1]
    panels.finish(*axes_of(first))
    references = [reference for _, item in drawn if is_difference for reference in found.references_of(item)[:1]]
    if not panels.several:
        room = letters_in(panels.panel_width + 0.6, look.font_size)
        over = f" over {references[0].whose}" if references else ""
        lines = [f"run {first.whose}{over}", subtitle(first.record)]
        panels.axes[0].set_title("\n".join(shown(line, room) for line in lines if line), fontsize=look.font_size)
    if mappable is not None:
        is_narrow = panels.figure.get_figwidth() < NARROW
        room = letters_in(panels.panel_width if is_narrow else panels.panel_height, look.font_size)
        panels.add_colour_bar(mappable, fitting(room, *(_DIFFERENCE if is_difference else _contents(first))))
    return panels.drawing(len(drawn), "map", losses, [reference.record for reference in references])


def _contents(item: Chosen) -> tuple[str, ...]:
    """What the bins of a map hold, the longest words first."""
    if item.histogram.is_profile:
        return ("mean in the bin", "mean")
    return _TRACKS if item.plot.name == MAP else _ENTRIES


def axes_of(item: Chosen) -> tuple[str, str]:
    """What stands at the axes of a map; of others than the tracking map what they say themselves."""
    if item.plot.name == MAP:
        return ETA, PHI
    return item.title_of("x", "bin"), item.title_of("y", "bin")


def draw_side(found: Histograms, look: Graph, item: Chosen) -> Drawing:
    reference = _reference_of(found, item)
    change = difference_of(found, item)
    row = Row(look, 3)
    for ax, one in ((row.axes[0], item), (row.axes[2], reference)):
        content = one.histogram.content
        mappable = draw_map(ax, one, content, **_colours([content], False))
        names = (f"reference {one.whose}",) if one is reference else ()
        row.name(ax, subtitle(one.record), *names, one.whose)
        row.add_colour_bar(mappable, [ax], *_contents(one))
    mappable = draw_map(row.axes[1], item, change, **_colours([change], True))
    row.name(row.axes[1], "", "difference")
    row.add_colour_bar(mappable, [row.axes[1]], *_DIFFERENCE)
    row.finish(item, *axes_of(item))
    return Drawing(row.figure, 1, "map", Losses(), look, [item.record, reference.record])


def draw_ratio(found: Histograms, look: Graph, item: Chosen) -> Drawing:
    reference = _reference_of(found, item)
    try:
        own, other = item.histogram.content, reference.histogram.content
        scale = scale_of(own, other)
    except InputError as error:
        raise InputError(f"{item.called}, reference {reference.whose}: {error}") from None
    with np.errstate(all="ignore"):
        ratio = np.where(other > 0, own / other, np.nan)
    known = ratio[np.isfinite(ratio)]
    row = Row(look, 2, share=False)
    low, high = np.quantile(known, [0.02, 0.98])
    away = max(high * scale - 1, 1 - low * scale, 0.05)
    mappable = draw_map(row.axes[0], item, ratio * scale, cmap="RdBu_r", vmin=1 - away, vmax=1 + away)
    row.name(row.axes[0], "", f"run {item.whose}", item.whose)
    row.add_colour_bar(mappable, [row.axes[0]], "ratio / most common ratio", "relative ratio")
    counts, edges = np.histogram(known, _RATIO_BINS)
    row.axes[1].stairs(counts, edges, fill=True, alpha=0.3, color="#3f90da")
    row.axes[1].stairs(counts, edges, color="#3f90da", linewidth=1.3)
    row.axes[1].axvline(1 / scale, color="#404040", linestyle="--", linewidth=1.1)
    row.name(row.axes[1], "", f"over {reference.whose}", reference.whose)
    row.finish(item, *axes_of(item), maps=[row.axes[0]])
    room = letters_in(row.width, look.font_size)
    row.axes[1].set_xlabel(fitting(room, f"ratio (most common: {written(1 / scale)})", f"ratio ({1 / scale:.3g})"))
    row.axes[1].set_ylabel("bins of the map")
    return Drawing(row.figure, 1, "map", Losses(), look, [item.record, reference.record])
