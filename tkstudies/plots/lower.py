"""What stands below a histogram: its ratio to the references, or the pull of each bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tkstudies.analysis.histograms.comparable import Incomparable
from tkstudies.analysis.histograms.pulls import pulls_of
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.bins import MANY, Array, edges_of, scaled, set_bin_ticks
from tkstudies.plots.chosen import Chosen
from tkstudies.plots.panels import Panels
from tkstudies.plots.picks import Below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 0.42  # of the lower part, in parts of the upper one
_LINE = "#404040"


def add_lower(
    panels: Panels[Chosen], item: Chosen, references: Sequence[tuple[Chosen, str]], below: Below, losses: Losses
) -> Axes:
    """Draw ratios or pulls below the only panel, which hands its horizontal axis over.

    Args:
        references: The references, each with its colour.
    """
    ax, look = panels.axes[0], panels.look
    places = panels.figure.add_gridspec(2, 1, height_ratios=[1, HEIGHT], hspace=0.02)
    ax.set_subplotspec(places[0])
    lower = panels.figure.add_subplot(places[1])
    lower.set_xscale(ax.get_xscale())
    lower.set_xlim(*ax.get_xlim())
    lower.set_xlabel(ax.get_xlabel())
    lower.set_ylabel(below.value)
    ax.set_xlabel("")
    ax.tick_params(axis="x", which="both", labelbottom=False)
    set_bin_ticks(lower.xaxis, item, "x", panels.most_ticks("x"), panels.panel_width, look.font_size)
    lower.axhline(1 if below is Below.ratio else 0, color=_LINE, linewidth=0.8)
    values = [_draw(lower, item, reference, colour, below, losses) for reference, colour in references]
    known = np.concatenate([found[np.isfinite(found)] for found in values]) if values else np.empty(0)
    if known.size and below is Below.ratio:
        lower.set_ylim(*ratio_limits(known))
        for found, (_, colour) in zip(values, references, strict=True):
            _point_at_those_outside(lower, edges_of(item, "x"), found, colour)
    elif known.size:
        lower.set_ylim(*pull_limits(known))
    else:
        lower.text(0.5, 0.5, "not comparable", transform=lower.transAxes, ha="center", va="center")
    from matplotlib.ticker import MaxNLocator

    height = 0.75 * panels.panel_height * HEIGHT / (1 + HEIGHT)
    most = max(2, min(4, int(height * 72 / (2.4 * look.font_size))))
    if below is Below.pull and known.size:
        tick = round_below(lower.get_ylim()[1])
        lower.set_yticks([-tick, 0, tick])
    else:
        lower.yaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    return lower


def _draw(ax: Axes, item: Chosen, reference: Chosen, colour: str, below: Below, losses: Losses) -> Array:
    """Draw the ratio or pulls to one reference; the result is what was drawn."""
    edges = edges_of(item, "x")
    middle = (edges[1:] + edges[:-1]) / 2
    nothing = np.full(len(middle), np.nan)
    try:
        pulls, used = pulls_of(item.histogram, reference.histogram)
        if below is Below.pull:
            values = np.where(used, pulls, np.nan)
            ax.stairs(np.where(used, pulls, 0), edges, color=colour, linewidth=1.1, baseline=0, fill=False)
            return values
        ratio, error = ratio_of(item, reference)
    except Incomparable as reason:
        losses.note(f"{item.called}: not compared with run {reference.whose}: {reason}")
        return nothing
    except InputError as reason:
        losses.note(f"not compared: {reason}")
        return nothing
    marks = {"fmt": "o", "markersize": 2.6 if len(middle) <= 60 else 1.3, "linewidth": 0.8, "color": colour}
    ax.errorbar(middle, ratio, yerr=error, rasterized=len(middle) > MANY, **marks)  # type: ignore[arg-type]
    return ratio


def _point_at_those_outside(ax: Axes, edges: Array, ratio: Array, colour: str) -> None:
    """Mark at the border where ratios lie beyond it."""
    low, high = ax.get_ylim()
    middle = (edges[1:] + edges[:-1]) / 2
    for marker, border, is_outside in (("^", high, ratio > high), ("v", low, ratio < low)):
        ax.plot(
            middle[is_outside], np.full(is_outside.sum(), border), marker, color=colour, markersize=4, clip_on=False
        )


def ratio_of(item: Chosen, reference: Chosen) -> tuple[Array, Array | None]:
    """The ratio of each bin to the reference's, after both were scaled alike, and its error; NaN where there is none.

    Raises:
        InputError: One has no sum that it could be scaled to.
    """
    own, other = scaled(item, is_share=True), scaled(reference, is_share=True)
    with np.errstate(all="ignore"):
        ratio = np.where(other.content != 0, own.content / other.content, np.nan)
        if own.error is None or other.error is None:
            return ratio, None
        error = np.hypot(own.error, ratio * other.error) / np.abs(other.content)
    return ratio, np.where(np.isfinite(error), error, 0)


def ratio_limits(ratio: Array) -> tuple[float, float]:
    """Limits of the axis of ratios: round 1, wide enough for nine tenths of the bins, at most from 0 to 2.

    >>> ratio_limits(np.array([0.99, 1.02])), ratio_limits(np.array([0.1, 5.0]))
    ((0.9, 1.1), (0.0, 2.0))
    """
    away = float(np.quantile(np.abs(ratio - 1), 0.9))
    half = next((width for width in (0.1, 0.2, 0.5) if 1.3 * away < width), 1.0)
    return 1 - half, 1 + half


def round_below(value: float) -> float:
    """The largest of 1, 2, 5, 10, ... that isn't above a value.

    >>> round_below(3.0), round_below(4549.0), round_below(12.0)
    (2.0, 2000.0, 10.0)
    """
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (5, 2, 1) if step * power <= value))


def pull_limits(pulls: Array) -> tuple[float, float]:
    """Limits of the axis of pulls: the same on both sides, at least 3.

    >>> pull_limits(np.array([-0.5, 1.0])), pull_limits(np.array([-10.0, 2]))
    ((-3.0, 3.0), (-12.0, 12.0))
    """
    most = max(3.0, 1.2 * float(np.abs(pulls).max()))
    return -most, most
