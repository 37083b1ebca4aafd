"""How a histogram changes by lumisection, as a map, with strips of states below: see `lumisections`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots.bins import Array, contents_label, edges_of, label_of, limits_of, set_bin_ticks
from tkstudies.plots.chosen import Chosen, Histograms
from tkstudies.plots.figures import Drawing, sheet_of
from tkstudies.plots.legends import add_legend
from tkstudies.plots.look import Graph
from tkstudies.plots.pages import Page, Pages
from tkstudies.plots.strips import SideFile, Strip, draw_strips, flags_of, states_of
from tkstudies.plots.texts import NARROW, letters_in, shown
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 20_000  # lumisections, more than any run has
_WIDE, _HIGH = 8.4, 3.8


class _Sides(NamedTuple):
    """The files with states and flags."""

    states: SideFile | None
    flags: SideFile | None


def pages_of(found: Histograms, states: str, flags: str, counts: bool, top: int | None, look: Graph) -> Pages:
    """A page for each plot of each run.

    Args:
        states: A file of lumisections of OMS, nothing without one.
        flags: A file of lumisections of the Run Registry, nothing without one.

    Raises:
        InputError: There is no histogram of a lumisection, or a file can't be used.
    """
    own = [item for item in found.all if item.plot.row.lumisection_number is not None]
    if not own:
        raise InputError(
            f"no histogram of a lumisection: all {len(found.all):,} are of whole runs (they have no lumisection_number)"
        )
    found.losses.add(len(found.all) - len(own), "histogram", "not drawn: of whole runs")
    groups: dict[tuple[int, str | None, str], list[Chosen]] = {}
    for item in own:
        groups.setdefault((item.plot.row.run_number, item.plot.row.reco, item.plot.plot), []).append(item)
    sides = _Sides(SideFile(states, "--states") if states else None, SideFile(flags, "--flags") if flags else None)
    pages = [Page(_of_run(group[0].record), partial(_draw, group, sides, counts, look)) for group in groups.values()]
    return Pages(pages, "plot", top=top, losses=found.losses)


def _of_run(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "lumisection_number"}


def _draw(items: Sequence[Chosen], sides: _Sides, counts: bool, look: Graph) -> Drawing:
    losses = Losses()
    table, first, last = table_of(items, counts, losses)
    run, reco, _ = items[0].plot.row
    strips = _strips(sides, run, reco, losses)
    size = look.font_size
    strip_height = 0.95 * size / 72 * len(strips)
    figure = sheet_of(look, _WIDE, _HIGH + strip_height)
    height = max(0.5, figure.get_figheight() - strip_height - 1.2)
    grid = figure.add_gridspec(2 if strips else 1, 1, height_ratios=[height, strip_height] if strips else [1])
    ax = figure.add_subplot(grid[0])
    bottom = figure.add_subplot(grid[1], sharex=ax) if strips else ax
    axes = [ax, bottom] if strips else [ax]
    low, high = limits_of([table])
    edges = edges_of(items[0], "x")
    ax.set_facecolor("#e6e6e6")
    ax.grid(False)
    mappable = ax.pcolormesh(
        np.arange(first - 0.5, last + 1),
        edges,
        np.ma.masked_invalid(table),
        cmap="viridis",
        vmin=low,
        vmax=high,
        rasterized=table.size > 200,
    )
    width = max(1.0, figure.get_figwidth() - (2.6 if figure.get_figwidth() >= NARROW and strips else 1.4))
    for name in ("x", "y"):
        if look.is_log(name):
            ax.set(**{f"{name}scale": "log"})
    set_bin_ticks(ax.yaxis, items[0], "x", max(2, min(8, int(height * 72 / (2.4 * size)))), height, size)
    _set_lumisections(bottom, first, last, max(2, min(8, letters_in(width, size) // 7)))
    for text in look.line or ():
        ax.axhline(_value(text), color="#ffffff", linestyle="--", linewidth=1.1)
    ax.set_ylabel(shown(look.ylabel or label_of(items[0], "x"), letters_in(height + 0.2, size)))
    bottom.set_xlabel(look.xlabel or "lumisection")
    room = letters_in(width + 0.4, size)
    ax.set_title(shown(f"run {run}{f' {reco}' if reco else ''}, {items[0].plot.name}", room), fontsize=size, loc="left")
    label = shown(contents_label(items[0], not counts, letters_in(height, size)), letters_in(height + 0.4, size))
    figure.colorbar(mappable, ax=axes, label=label, location="right", aspect=30, fraction=0.06, pad=0.02)
    if strips:
        ax.tick_params(labelbottom=False)
        entries = draw_strips(bottom, strips, first, last, size)
        add_legend(figure, entries, "", not look.size, size)
    ax.set_xlim(first - 0.5, last + 0.5)
    return Drawing(figure, int(np.isfinite(table).any(axis=0).sum()), "lumisection", losses, look, [items[0].record])


def table_of(items: Sequence[Chosen], counts: bool, losses: Losses) -> tuple[Array, int, int]:
    """The contents of all lumisections, shape (bins, lumisections), and the first and last lumisection.

    Columns of lumisections that aren't there, or have no entries, are NaN.

    Raises:
        InputError: They can't be drawn in one figure.
    """
    usual = items[0].histogram.content.shape
    if len(usual) != 1:
        raise InputError(f"{items[0].called}: a map; this kind draws one-dimensional histograms")
    contents: dict[int, Array] = {}
    others = repeated = empty = 0
    for item in items:
        number = item.plot.row.lumisection_number or 0
        content = item.histogram.content
        if content.shape != usual:
            others += 1
        elif number in contents:
            repeated += 1
        elif not content.any():
            empty += 1
            contents[number] = np.full(usual, np.nan)
        else:
            contents[number] = content if counts or item.histogram.is_profile else _shares(content)
    losses.add(others, "lumisection", "not drawn: another binning than the first one")
    losses.add(repeated, "histogram", "not drawn: the same lumisection as before")
    losses.add(empty, "lumisection", "without entries: grey")
    if empty == len(contents):
        raise InputError(f"run {items[0].plot.row.run_number}, {items[0].plot.plot}: no lumisection has entries")
    first, last = min(contents), max(contents)
    if last - first >= _MOST:
        raise InputError(f"{items[0].called}: lumisections from {first:,} to {last:,}: at most {_MOST:,} can be drawn")
    table = np.full((usual[0], last - first + 1), np.nan)
    for number, content in contents.items():
        table[:, number - first] = content
    losses.add(last - first + 1 - len(contents), "lumisection", "without a histogram in between: grey")
    return table, first, last


def _shares(content: Array) -> Array:
    total = content.sum()
    return content / total if total > 0 else np.full(content.shape, np.nan)


def _strips(sides: _Sides, run: int, reco: str | None, losses: Losses) -> list[Strip]:
    strips: list[Strip] = []
    if sides.states:
        strips += states_of(sides.states.rows_of(run)) or _missing(sides.states, run, "states", losses)
    if sides.flags:
        strips += flags_of(sides.flags.rows_of(run, reco)) or _missing(sides.flags, run, "flags", losses)
    return strips


def _missing(side: SideFile, run: int, what: str, losses: Losses) -> list[Strip]:
    losses.note(f"{side.option} {side.name}: no {what} of run {run}")
    return []


def _set_lumisections(ax: Axes, first: int, last: int, most: int) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(most, integer=True))


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--line {text}: not a value") from None
