"""A run's histogram over those of its references, as a page or in panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.bins import (
    contents_label,
    draw_points,
    draw_steps,
    edges_of,
    label_of,
    scaled,
    set_bin_ticks,
    statistics_of,
)
from tkstudies.plots.chosen import Chosen, Histograms
from tkstudies.plots.figures import Drawing
from tkstudies.plots.histogram2d import draw_maps
from tkstudies.plots.legends import Entry
from tkstudies.plots.look import Look
from tkstudies.plots.lower import HEIGHT, Below, add_lower
from tkstudies.plots.palette import AMBER, BLACK, BLUE, BROWN, CYAN, PURPLE, RED, dashes_of
from tkstudies.plots.panels import Panels
from tkstudies.plots.texts import letters_in, shown
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RUN_COLOUR = BLACK
REFERENCE_COLOURS = (BLUE, AMBER, RED, PURPLE, CYAN, BROWN)
_SHAPE = (6.8, 4.8)


def draw_page(item: Chosen, found: Histograms, below: Below, look: Look, note: str = "") -> Drawing:
    """Draw one histogram over its references.

    Args:
        note: What stands below the title, instead of the server's statistics.
    """
    references = found.references_of(item)
    losses = Losses()
    if not references and (found.reference_runs or item.plot.reference_run_number is not None):
        losses.note(f"{item.called}: drawn alone, {found.missing_of(item)}")
    if item.is_two_dimensional:
        return draw_maps(item, references, look, losses, note)
    panels = Panels([item], look, lambda item: item.record, shape=_SHAPE)
    ax = panels.axes[0]
    drawn = draw_over(ax, item, references, losses, is_log=look.is_log("y"))
    has_lower = bool(drawn) and below is not Below.none
    height = 0.75 * panels.panel_height / (1 + HEIGHT) if has_lower else panels.panel_height
    label = contents_label(item, bool(drawn), letters_in(height, look.font_size))
    panels.finish(label_of(item, "x"), label, entries=entries_of(item, drawn) if drawn else [])
    set_scales(panels, [item])
    if has_lower:
        add_lower(panels, item, list(zip(drawn, REFERENCE_COLOURS, strict=False)), below, losses)
    room = letters_in(panels.panel_width, 0.9 * look.font_size)
    lines = [shown(f"run {item.whose}, {item.plot.name}", room), note or statistics_of(item, room)]
    ax.set_title("\n".join(shown(line, room) for line in lines if line), loc="left", fontsize=0.9 * look.font_size)
    return panels.drawing(1, "histogram", losses, [reference.record for reference in references])


def draw_panels(items: Sequence[Chosen], found: Histograms, look: Look) -> Drawing:
    """Draw a panel for each value of a column, each with its first histogram over its references."""
    losses = Losses()
    items = [item for item in items if not item.is_two_dimensional] or list(items)
    if items[0].is_two_dimensional:
        raise InputError(f"{items[0].called}: panels show one-dimensional histograms; leave out --col and --row")
    panels = Panels(items, look, lambda item: item.record, shape=_SHAPE)
    entries: dict[str, Entry] = {}
    others, beside = 0, list[Record]()
    is_share = any(found.references_of(item) for item in items)
    for ax, own in panels:
        others += max(len(own) - 1, 0)
        for item in own[:1]:
            drawn = draw_over(ax, item, found.references_of(item), losses, is_log=look.is_log("y"), is_share=is_share)
            beside += [reference.record for reference in drawn]
            entries |= {entry.text: entry for entry in entries_of(item, drawn, in_panels=True)}
    losses.add(others, "histogram", "not drawn: a panel shows the first of its", advice="--plot, --run, --reco choose")
    _, in_the_first = panels.all[0]
    item = in_the_first[0] if in_the_first else items[0]
    panels.finish(
        label_of(item, "x"), contents_label(item, is_share), entries=list(entries.values()) if is_share else []
    )
    set_scales(panels, items)
    if not look.title and len({item.plot.plot for item in items}) == 1:
        panels.look = replace(look, title=item.plot.name)
    return panels.drawing(len(items) - others, "histogram", losses, beside)


def draw_over(
    ax: Axes,
    item: Chosen,
    references: Sequence[Chosen],
    losses: Losses,
    *,
    is_log: bool = False,
    is_share: bool | None = None,
) -> list[Chosen]:
    """Draw a histogram over its references; the result are those that could be drawn."""
    is_share = bool(references) if is_share is None else is_share
    drawn: list[Chosen] = []
    for reference in references:
        try:
            if reference.histogram.content.ndim != 1:
                raise InputError(f"{reference.called}: another number of axes")
            shape = scaled(reference, is_share)
        except InputError as error:
            losses.note(f"not drawn as a reference: {error}")
            continue
        colour, dashes = REFERENCE_COLOURS[len(drawn)], dashes_of(len(references))[len(drawn)]
        draw_steps(ax, edges_of(reference, "x"), shape.content, colour, linestyle=dashes, linewidth=1.4)
        if not (drawn or is_log):
            draw_steps(ax, edges_of(reference, "x"), shape.content, colour, fill=True, alpha=0.15, baseline=0)
        drawn.append(reference)
    if references and not drawn:
        is_share = False
    own = scaled(item, is_share)
    edges = edges_of(item, "x")
    if drawn:
        draw_points(ax, edges, own.content, own.error, RUN_COLOUR)
    else:
        if not is_log:
            draw_steps(ax, edges, own.content, BLUE, fill=True, alpha=0.25, baseline=0)
        draw_steps(ax, edges, own.content, BLUE, linewidth=1.4)
        if own.error is not None and not item.histogram.is_counts:
            draw_points(ax, edges, own.content, own.error, BLUE)
    if not item.histogram.content.any():
        ax.text(0.5, 0.5, "no entries", transform=ax.transAxes, ha="center", va="center")
    return drawn


def entries_of(item: Chosen, references: Sequence[Chosen], in_panels: bool = False) -> list[Entry]:
    """What the legend tells: whose histogram is which."""
    from matplotlib.lines import Line2D

    run = Line2D([], [], color=RUN_COLOUR, marker="o", linestyle="", markersize=4, label="-")
    dashes = dashes_of(len(references))
    return [
        Entry(run, "run" if in_panels else item.whose),
        *(
            Entry(legends.line(REFERENCE_COLOURS[place], dashes[place]), _name(reference, in_panels, len(references)))
            for place, reference in enumerate(references)
        ),
    ]


def _name(reference: Chosen, in_panels: bool, count: int) -> str:
    return "reference" if in_panels and count == 1 else reference.whose


def set_scales(panels: Panels[Chosen], items: Sequence[Chosen]) -> None:
    """Set the limits and ticks of all panels: counts begin at 0."""
    look, first = panels.look, items[0]
    edges = edges_of(first, "x")
    for ax, own in panels:
        if not look.is_log("y") and not first.histogram.is_profile and first.histogram.content.min() >= 0:
            ax.set_ylim(bottom=0)
        if own or len(panels.axes) == 1:
            low = edges[edges > 0].min(initial=edges[-1]) if look.is_log("x") else edges[0]
            if low < edges[-1]:
                ax.set_xlim(low, edges[-1])
        set_bin_ticks(ax.xaxis, first, "x", panels.most_ticks("x"), panels.panel_width, look.font_size)
