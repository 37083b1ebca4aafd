"""Distributions of one column, and of its parts by the values of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.plots import legends
from tkstudies.plots.axes import Axis, columns_with_numbers, note_undrawn
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE, dashes_of
from tkstudies.plots.panels import Panels
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_FEWEST, _MOST = 10, 100  # bins that are chosen by themselves
_EACH_WHOLE = 60  # whole numbers that have a bin each


def hist(
    records: Sequence[Record],
    x: Annotated[str, Option("--x", "The column (or the first argument).", is_column=True, is_first=True)] = "",
    *,
    hue: Annotated[str, Option("--hue", "A line for each value of this column.", is_column=True)] = "",
    bins: Annotated[int, Option("--bins", "How many bins (0: as the data want it).", "N", minimum=0, maximum=5000)] = 0,
    share: Annotated[bool, Option("--share", "Scale each line to one, to compare shapes.")] = False,
    look: Look = Look(),
) -> Drawing:
    """Draw how a column of numbers (or times) is distributed over the rows.

    Raises:
        InputError: No row has a number in it.

    Example:
        tkstudies plot hist t2 --log x -o t2.png pca.jsonl
        tkstudies plot hist Hits.Pixel.mean --hue tracking --col reco --share -o pixel.png study.jsonl
    """
    along = Axis(required(x, records), records, look.is_log("x"))
    rows = drawable(records, along)
    edges = edges_of([along.value(row) or 0.0 for row in rows], bins, along.is_log)
    colours = Hue(hue, rows, may_be_numeric=False)
    dashes = dict(zip(colours.shown_words(), dashes_of(len(colours.words) + 1), strict=False))
    panels = Panels(rows, look)
    for ax, own in panels:
        if not colours.column:
            _draw(ax, own, along, edges, BLUE, "-", share)
            continue
        for word in colours.shown_words():
            members = [row for row in own if colours.shown_word(row) == word]
            _draw(ax, members, along, edges, colours.colour(word), dashes[word], share)
    entries = [
        legends.Entry(legends.line(colours.colour(word), dashes[word]), colours.text(word))
        for word in (colours.shown_words() if colours.column else ())
    ]
    if not look.is_log("y"):
        panels.axes[0].set_ylim(bottom=0)
    up = "share of rows in the bin" if share else "rows in the bin"
    panels.finish(along, up, entries=entries, legend_title=colours.column, values="x")
    losses = Losses()
    note_undrawn(losses, records, along)
    return panels.drawing(len(rows), "row", losses)


def required(column: str, records: Sequence[Record]) -> str:
    """The column that a kind of figure is about.

    Raises:
        UsageError: None was named.
    """
    if not column:
        told = ", ".join(columns_with_numbers(records)[:20])
        raise UsageError(f"name a column as the first argument, or with --x; columns with numbers are {told}")
    return column


def drawable(records: Sequence[Record], axis: Axis) -> list[Record]:
    """The rows that have a place along an axis.

    Raises:
        InputError: None has.
    """
    rows = [row for row in records if axis.value(row) is not None]
    if not rows:
        above = " above zero" if axis.is_log else ""
        raise InputError(f"no record has a number (or time){above} that can be drawn in {axis.column}")
    return rows


def edges_of(values: Sequence[float], bins: int, is_log: bool) -> NDArray:
    """The edges of bins for some numbers: for few whole numbers one bin each.

    >>> edges_of([1, 2, 2, 4], 0, False).tolist(), edges_of([1.0, 100.0], 2, True).round(1).tolist()
    ([0.5, 1.5, 2.5, 3.5, 4.5], [1.0, 10.0, 100.0])
    """
    import numpy as np

    numbers = np.asarray(values, dtype=float)
    low, high = numbers.min(), numbers.max()
    if is_log:
        low, high = (low, high) if low < high else (low / 2, high * 2)
        return np.geomspace(low, high, (bins or _usual(np.log(numbers))) + 1)
    if not bins and high - low < _EACH_WHOLE and (numbers == np.round(numbers)).all():
        return np.arange(low - 0.5, high + 1)
    if low == high:
        half = abs(low) / 2 or 0.5
        low, high = low - half, high + half
    return np.linspace(low, high, (bins or _usual(numbers)) + 1)


def _usual(numbers: NDArray) -> int:
    """A number of bins by Freedman and Diaconis, whose width doesn't care about a few values far away."""
    import numpy as np

    low, middle_low, middle_high, high = np.percentile(numbers, [0, 25, 75, 100])
    width = 2 * (middle_high - middle_low) / len(numbers) ** (1 / 3)
    wanted = (high - low) / width if width > 0 else _FEWEST
    return int(min(max(wanted, _FEWEST), _MOST))


def _draw(
    ax: Axes, rows: Sequence[Record], along: Axis, edges: NDArray, colour: str, dashes: object, share: bool
) -> None:
    import numpy as np

    counts, _ = np.histogram([value for row in rows if (value := along.value(row)) is not None], edges)
    heights = counts / max(counts.sum(), 1) if share else counts
    ax.stairs(heights, edges, color=colour, linestyle=dashes, linewidth=1.6)
    if dashes == "-":
        ax.stairs(heights, edges, color=colour, fill=True, alpha=0.2)
