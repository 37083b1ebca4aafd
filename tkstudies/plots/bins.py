"""Histograms as they are drawn: edges, words of the bins, steps, maps, and their scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.errors import InputError
from tkstudies.plots.axes import set_log_ticks
from tkstudies.plots.chosen import Chosen
from tkstudies.plots.texts import letters_in, shown
from tkstudies.records import number, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.cm import ScalarMappable

Array = NDArray[np.float64]

MANY = 1000  # bins, from which they are drawn as one image also in PDF and SVG


def edges_of(item: Chosen, axis: str) -> Array:
    """The edges of the bins in x or y; where they aren't known, the numbers of the bins.

    Raises:
        InputError: The histogram can't be drawn.
    """
    histogram = item.histogram
    known = histogram.x if axis == "x" else histogram.y
    if known is not None:
        return known
    count = histogram.content.shape[-1] if axis == "x" else histogram.content.shape[0]
    return np.arange(count + 1, dtype=np.float64)


def label_of(item: Chosen, axis: str) -> str:
    """What stands at the axis x or y of the bins."""
    known = item.histogram.x if axis == "x" else item.histogram.y
    return item.title_of(axis, "" if known is not None else "bin")


def contents_label(item: Chosen, is_share: bool, room: int = 100) -> str:
    """What the contents of the bins are, in so many letters if possible."""
    if item.histogram.is_profile:
        return item.title_of("z" if item.is_two_dimensional else "y", fitting(room, "mean in the bin", "mean"))
    if is_share:
        return fitting(room, "fraction of entries", "fraction")
    if not item.histogram.is_counts:
        return fitting(room, "content of the bin", "content")
    return fitting(room, "entries in the bin", "entries")


def fitting(room: int, *texts: str) -> str:
    """The first of the texts that has at most so many letters, else the last.

    >>> fitting(10, "fraction of entries", "fraction")
    'fraction'
    """
    return next((text for text in texts if len(text) <= room), texts[-1])


@dataclass(frozen=True)
class Scaled:
    """A histogram as it is drawn beside others.

    Attributes:
        item: The histogram.
        content: Contents of the bins, of counts as parts of their sum.
        error: Their errors; None if unknown.
        sum: What they were divided by.
    """

    item: Chosen
    content: Array
    error: Array | None
    sum: float


def scaled(item: Chosen, is_share: bool) -> Scaled:
    """A histogram with a sum of 1, if it is wanted; the means of a profile stay as they are.

    Raises:
        InputError: It can't be drawn, or its sum isn't above zero.
    """
    histogram = item.histogram
    error = histogram.error
    if error is None and histogram.is_counts:
        error = np.sqrt(histogram.content)
    if error is not None and not (np.isfinite(error).all() and np.abs(error).max() < 1e100):
        error = None
    total = 1.0
    if is_share and not histogram.is_profile:
        total = float(histogram.content.sum())
        if not total > 0:
            raise InputError(f"{item.called}: {'empty' if not total else 'a sum of contents that is not positive'}")
    return Scaled(item, histogram.content / total, None if error is None else error / total, total)


def draw_steps(ax: Axes, edges: Array, content: Array, colour: str, **look: Any) -> None:
    """Draw contents as steps."""
    ax.stairs(content, edges, **{"color": colour, "linewidth": 1.2, "baseline": None, **look})


def draw_points(ax: Axes, edges: Array, content: Array, error: Array | None, colour: str, **look: Any) -> None:
    """Draw contents as points with their errors."""
    middle = (edges[1:] + edges[:-1]) / 2
    bars = None if error is None else np.where(np.isfinite(error), np.abs(error), 0)
    small = 3.2 if len(content) <= 60 else 1.6
    drawn = {"fmt": "o", "markersize": small, "linewidth": 0.9, "color": colour, **look}
    ax.errorbar(middle, content, yerr=bars, rasterized=len(content) > MANY, **drawn)


def draw_map(ax: Axes, item: Chosen, content: Array, **colours: Any) -> ScalarMappable:
    """Draw the contents of a 2-D histogram as colours; what isn't finite stays empty."""
    x, y = edges_of(item, "x"), edges_of(item, "y")
    ax.grid(False)
    ax.set_facecolor("#e6e6e6")
    return ax.pcolormesh(x, y, np.ma.masked_invalid(content), rasterized=content.size > 200, **colours)


def set_bin_ticks(axis: Axis, item: Chosen, name: str, most: int, inches: float, font_size: float) -> None:
    """Set the ticks of the axis x or y: the words of the bins if they have any, else some numbers.

    Args:
        most: So many numbers have room.
        inches: How long the axis is.
    """
    words = words_of(item, name)
    if not words:
        if axis.get_scale() == "linear":
            from matplotlib.ticker import MaxNLocator

            axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
        else:
            set_log_ticks(axis, most)
        return
    room = max(2, int(inches * 72 / (1.25 * font_size)))
    step = -(-len(words) // room)
    places = sorted(words)[::step]
    longest = 14 if inches > 2.5 else 9
    texts = [shown(words[place], longest) for place in places]
    axis.set_ticks(places, labels=texts)
    axis.set_tick_params(which="minor", length=0)
    if name == "x" and sum(len(text) + 2 for text in texts) > letters_in(inches, font_size):
        axis.set_tick_params(rotation=90)


def words_of(item: Chosen, axis: str) -> dict[float, str]:
    """Where along the axis x or y which text stands, by the middle of its bin or as the server places it."""
    labels = item.hist(f"{axis}axis", "labels")
    edges = edges_of(item, axis)
    found: dict[float, str] = {}
    for label in labels if isinstance(labels, list) else ():
        text = label.get("value") if isinstance(label, dict) else None
        if not isinstance(text, str) or not text.strip():
            continue
        place, number_of_bin = number(label.get("center")), whole(label.get("id"))
        if number_of_bin is not None and 1 <= number_of_bin < len(edges):
            place = (edges[number_of_bin - 1] + edges[number_of_bin]) / 2
        if place is not None and edges[0] <= place <= edges[-1]:
            found[float(place)] = text
    return found


def statistics_of(item: Chosen, room: int) -> str:
    """The server's own numbers of a histogram in a line, with what lies outside of the axis; as many as have room."""
    parts = []
    for name, path in (
        ("entries", ("entries",)),
        ("mean", ("mean", "X", "value")),
        ("rms", ("rms", "X", "value")),
        ("underflow", ("underflow",)),
        ("overflow", ("overflow",)),
    ):
        value = number(item.hist("stats", *path))
        if value is None or (name.endswith("flow") and not value):
            continue
        parts.append(f"{name} {written(value)}")
    while parts and len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


def written(value: float) -> str:
    """A number as people write it.

    >>> written(243106.0), written(267.354), written(1e-9), written(1e30)
    ('243,106', '267.4', '1e-09', '1e+30')
    """
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:.4g}"


def limits_of(contents: Sequence[Array]) -> tuple[float, float]:
    """The lowest and highest finite content, never the same."""
    every = np.concatenate([content[np.isfinite(content)].ravel() for content in contents])
    if not every.size:
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    return (low, high) if low < high else (low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2)
