"""Legends: beside a wide figure, below a narrow one, with entries that fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tkstudies.plots.palette import AREAS
from tkstudies.plots.texts import NARROW, letters_in, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_LONGEST, _USUAL = 40, 18  # letters of an entry, for which there is room


class Entry(NamedTuple):
    """One entry of a legend: what it shows, and its text."""

    handle: Any
    text: str


def dots(colour: str, marker: str = "o") -> Line2D:
    """What a legend shows of points."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}
    look["markersize"] = 7 * AREAS.get(marker, 1) ** 0.5
    return Line2D([], [], marker=marker, linestyle="", color=colour, label="-", **look)


def line(colour: str, dashes: Any = "-", marker: str = "") -> Line2D:
    """What a legend shows of a line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=dashes, marker=marker, label="-")


def bar(colour: str, hatch: str = "") -> Any:
    """What a legend shows of bars."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.5, label="-")


def add_legend(figure: Figure, entries: Sequence[Entry], title: str, may_widen: bool, font_size: float) -> int:
    """Tell what colours, markers and lines mean, outside the panels.

    Args:
        may_widen: May the figure become wider, for long entries?

    Returns:
        How many lines of text the legend is high if it stands below the panels, else 0.
    """
    if not entries:
        return 0
    width = figure.get_figwidth()
    is_narrow = width < NARROW
    room = letters_in(width / 2 - 0.5, font_size) if is_narrow else min(_LONGEST, letters_in(width / 3, font_size))
    texts = [_shortened(entry.text, max(room, 8)) for entry in entries]
    longest = max(map(len, texts))
    across = max(1, min(len(entries), int(letters_in(width - 0.2, font_size) / (longest + 5)))) if is_narrow else 1
    down = math.ceil(len(entries) / across)
    legend = figure.legend(
        handles=[entry.handle for entry in entries],
        labels=["-"] * len(entries),
        title=shown(title, max(room, longest)),
        loc="outside lower center" if is_narrow else "outside right upper",
        ncols=math.ceil(len(entries) / down),
    )
    if may_widen and not is_narrow:
        figure.set_figwidth(width + 0.09 * max(longest - _USUAL, 0))
    for text, own in zip(legend.get_texts(), texts, strict=True):
        text.set_text(own)  # as a label, one that begins with _ would be left out
    return math.ceil(1.3 * (down + bool(title)) + 0.7) if is_narrow else 0


def _shortened(text: str, most: int) -> str:
    """The text of an entry, its count kept whole."""
    words, blank, count = text.rpartition(" (")
    if not blank or not count.endswith(")") or len(count) > most // 2:
        return shown(text, most)
    return f"{shown(words, max(most - len(count) - 2, 4))} ({count}"
