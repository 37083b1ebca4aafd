"""Two-dimensional histograms: a map, beside those of the references, and maps of the pulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tkstudies.analysis.histograms.comparable import Incomparable
from tkstudies.analysis.histograms.pulls import pulls_of
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.bins import (
    Array,
    contents_label,
    draw_map,
    fitting,
    label_of,
    limits_of,
    scaled,
    set_bin_ticks,
    statistics_of,
)
from tkstudies.plots.chosen import Chosen
from tkstudies.plots.figures import Drawing, sheet_of
from tkstudies.plots.look import Graph
from tkstudies.plots.texts import letters_in, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 3  # references beside a map


def draw_maps(item: Chosen, references: Sequence[Chosen], look: Graph, losses: Losses, note: str = "") -> Drawing:
    """Draw a map; with references these beside it, and how many standard deviations each bin is away from theirs."""
    shown_references = list(_usable(references[:_MOST], losses))
    losses.add(max(len(references) - _MOST, 0), "reference", f"not drawn: {_MOST} have room beside a map")
    columns = Row(look, 1 + 2 * len(shown_references))
    is_share = bool(shown_references)
    shares = [scaled(one, is_share).content for one in (item, *shown_references)]
    low, high = limits_of(shares)
    colours: dict[str, Any] = {"cmap": "viridis", "vmin": low, "vmax": high}
    for ax, one, content in zip(columns.axes, (item, *shown_references), shares, strict=False):
        mappable = draw_map(ax, one, content, **colours)
        room = letters_in(columns.width, look.font_size)
        columns.name(ax, "" if one is not item else note or statistics_of(one, room), one.whose)
    count = len(shown_references) + 1
    columns.add_colour_bar(mappable, columns.axes[:count], contents_label(item, is_share))
    pulls = [_pulls(item, reference, losses) for reference in shown_references]
    most = max(3.0, *(float(np.nanmax(np.abs(one), initial=0)) for one in pulls)) if pulls else 3.0
    for ax, reference, values in zip(columns.axes[count:], shown_references, pulls, strict=True):
        mappable = draw_map(ax, item, values, cmap="RdBu_r", vmin=-most, vmax=most)
        if not np.isfinite(values).any():
            ax.text(0.5, 0.5, "not comparable", transform=ax.transAxes, ha="center", va="center")
        columns.name(ax, "", f"over {reference.whose}" if count > 2 else "pull")
    if pulls:
        columns.add_colour_bar(mappable, columns.axes[count:], "pull")
    columns.finish(item)
    look = replace(look, title=look.title or item.plot.name)
    return Drawing(columns.figure, 1, "map", losses, look, [one.record for one in (item, *shown_references)])


class Row:
    """Maps side by side; in a high figure below each other.

    Attributes:
        figure: The figure.
        axes: A panel for each map.
        width: About how wide a panel is [inches].
    """

    def __init__(self, look: Graph, count: int, *, share: bool = True):
        self.look = look
        width, height = look.inches(*((6.0, 4.6) if count == 1 else (3.4 * count + 0.6, 3.9)))
        self.is_column = count > 1 and height > width
        self.figure = sheet_of(look, width, height)
        shape = (count, 1) if self.is_column else (1, count)
        grid = self.figure.subplots(*shape, sharex=share, sharey=share, squeeze=False)
        self.axes: list[Axes] = list(grid.ravel())
        across, down = (1, count) if self.is_column else (count, 1)
        beside = 0.06 * look.font_size + 0.6 * (self.is_column or count == 1)
        self.width = max(0.4, (width - beside) / across - 0.08)
        self.height = max(0.4, (height - 0.8) / down - 0.6)

    def name(self, ax: Axes, below: str, *texts: str) -> None:
        """Write above a panel what it shows (the first text that has room), and a second line below that."""
        room = letters_in(self.width + 0.05, self.look.font_size)
        text = fitting(room, *texts)
        lines = [shown(text, room)]
        if below and not self.is_column:
            lines.append(shown(below, room))
        elif below:
            lines = [shown(f"{text}, {below}", room)]
        ax.set_title("\n".join(lines), fontsize=self.look.font_size)

    def add_colour_bar(self, mappable: Any, axes: Sequence[Axes], *labels: str) -> None:
        """Tell which colour stands for which number, below the panels, or at their side in a column."""
        from matplotlib.ticker import MaxNLocator

        beside = self.is_column or len(self.axes) == 1
        length = self.height * len(axes) if beside else self.width * len(axes)
        room = letters_in(max(length, 0.8), self.look.font_size)
        text = shown(fitting(room, *labels), room)
        bar = self.figure.colorbar(
            mappable, ax=list(axes), location="right" if beside else "bottom", label=text, fraction=0.08, pad=0.02
        )
        most = 5 if beside else max(2, int(letters_in(length, self.look.font_size) / 9))
        bar.ax.yaxis.set_tick_params(labelsize=0.9 * self.look.font_size)
        bar.locator = MaxNLocator(min(most, 6), steps=[1, 2, 2.5, 5, 10])
        bar.update_ticks()

    def finish(self, item: Chosen, x: str = "", y: str = "", maps: Sequence[Axes] = ()) -> None:
        """Say what the axes of the maps are, and draw the lines of ``--line``.

        Args:
            maps: The panels with maps, if not all have one.

        Raises:
            InputError: A line isn't at a value.
        """
        size = self.look.font_size
        across = max(2, min(6, letters_in(self.width, size) // 6))
        down = max(2, min(7, int(self.height * 72 / (2.4 * size))))
        maps = maps or self.axes
        for place, ax in enumerate(maps):
            for name, axis, most, inches in (("x", ax.xaxis, across, self.width), ("y", ax.yaxis, down, self.height)):
                if self.look.is_log(name):
                    ax.set(**{f"{name}scale": "log"})
                set_bin_ticks(axis, item, name, most, inches, size)
            self._draw_lines(ax)
            if self.is_column and place < len(maps) - 1:
                ax.tick_params(labelbottom=False)
        room = letters_in(self.width if len(maps) == 1 else self.figure.get_figwidth() - 0.4, size)
        text = shown(self.look.xlabel or x or label_of(item, "x"), room)
        maps[-1 if self.is_column else len(maps) // 2].set_xlabel(text)
        high = shown(self.look.ylabel or y or label_of(item, "y"), letters_in(self.height + 0.2, size))
        for ax in maps if self.is_column else maps[:1]:
            ax.set_ylabel(high)

    def _draw_lines(self, ax: Axes) -> None:
        for text in self.look.line or ():
            try:
                ax.axhline(float(text), color="#404040", linestyle="--", linewidth=1.1)
            except ValueError:
                raise InputError(f"--line {text}: not a value") from None


def _usable(references: Sequence[Chosen], losses: Losses) -> list[Chosen]:
    found = []
    for reference in references:
        try:
            if not reference.is_two_dimensional:
                raise InputError(f"{reference.called}: another number of axes")
            scaled(reference, is_share=True)
            found.append(reference)
        except InputError as error:
            losses.note(f"not drawn as a reference: {error}")
    return found


def _pulls(item: Chosen, reference: Chosen, losses: Losses) -> Array:
    try:
        pulls, used = pulls_of(item.histogram, reference.histogram)
    except Incomparable as reason:
        losses.note(f"{item.called}: not compared with run {reference.whose}: {reason}")
        return np.full(item.histogram.content.shape, np.nan)
    return np.where(used, pulls, np.nan)
