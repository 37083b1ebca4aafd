"""Axes of words: one place for each value of a column, from the top down, with names that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.plots.panels import Panels
from tkstudies.plots.texts import NARROW, letters_in, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 30  # places
_LINE = 1.25  # height of a line, in parts of that of its letters
_PART = 0.4  # of the width of a panel that names may take


def room_for(panels: Panels[Any], entries: int = 0) -> int:
    """How many places have room below each other, beside a legend with so many entries."""
    size = panels.look.font_size * _LINE
    below = (entries / 2 + 1) if entries and panels.figure.get_figwidth() < NARROW else 0
    return max(1, min(MOST, int((72 * panels.panel_height - below * size / panels.down) / size)))


def fit_names(figure: Figure, axes: Sequence[Axes]) -> None:
    """Make names smaller that don't fit; the layout of the figure must stand."""
    for ax in axes:
        low, high = sorted(ax.get_ylim())
        room = 72 * ax.bbox.height / figure.dpi / (high - low) / _LINE
        for label in ax.get_yticklabels():
            label.set_fontsize(min(label.get_fontsize(), max(room, 2)))


def name_places(panels: Panels[Any], axes: Sequence[Axes], names: Sequence[str]) -> None:
    """Write names at the places 0, 1, 2, ... of the vertical axes."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    room = max(8, letters_in(_PART * panels.panel_width, panels.look.font_size))
    for ax in axes:
        ax.yaxis.set_major_locator(FixedLocator(range(len(names))))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FixedFormatter([_short(name, room) for name in names]))
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.grid(False, axis="y")


def height_of(places: int) -> float:
    """How high a panel with so many places should be [inches]."""
    return min(max(2.6, 1.3 + 0.3 * places), 9)


def _short(name: str, room: int) -> str:
    words, blank, count = name.rpartition(" (")
    if blank and count.endswith(")") and len(name) > room:
        return f"{shown(words, max(room - len(count) - 2, 4))} ({count}"
    return shown(name, room)
