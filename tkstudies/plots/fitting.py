"""Words that have to fit into a place whose size is known once the layout of the figure stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tkstudies.plots.texts import shown

if TYPE_CHECKING:
    from matplotlib.text import Text

_SMALLEST = 0.7  # of the size of letters: what is longer still is shortened


def fit_text(text: Text, room: float, *, upright: bool = False) -> None:
    """Make a text smaller, and if need be shorter, so that it is at most so long [pixels]; its unit stays."""
    words = text.get_text()
    if not words:
        return
    extent = text.get_window_extent()
    length = extent.height if upright else extent.width
    if length <= room:
        return
    part = room / length
    text.set_fontsize(float(text.get_fontsize()) * max(part, _SMALLEST))
    if part < _SMALLEST:
        kept, bracket, unit = words.rpartition(" [")
        end = f" [{unit}" if bracket and unit.endswith("]") else ""
        most = int(len(words) * part / _SMALLEST) - 1 - len(end)
        text.set_text(shown(kept if end else words, max(most, 3)) + end)
