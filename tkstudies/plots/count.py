"""How many rows have each value of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from tkstudies.console import Losses
from tkstudies.plots import legends
from tkstudies.plots.categories import fit_names, height_of, name_places, room_for
from tkstudies.plots.colours import Hue, word
from tkstudies.plots.figures import Drawing
from tkstudies.plots.forms import require_columns
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE, hatches_of
from tkstudies.plots.panels import Panels
from tkstudies.plots.quantities import quantity
from tkstudies.records import Record

_ROOM = 1.14  # of the longest bar, for the number behind it


def count(
    records: Sequence[Record],
    x: Annotated[str, Option("--x", "The column (or the first argument).", is_column=True, is_first=True)] = "tracking",
    *,
    hue: Annotated[str, Option("--hue", "Parts of the bars by this column.", is_column=True)] = "",
    look: Look = Look(),
) -> Drawing:
    """Draw a bar for each value of a column, as long as there are rows with it.

    The most frequent values have a bar, as many as have room and at most 30; the others have one together.

    Raises:
        InputError: No row has a value in ``x``.

    Example:
        tkstudies plot count bad_reason -o reasons.png study.jsonl
        tkstudies plot count reco --hue tracking --row runtype -o certified.png study.jsonl
    """
    require_columns(records, "count", x)
    every = Counter(word(row.get(x)) for row in records)
    colours = Hue(hue, records, may_be_numeric=False)
    panels = Panels(records, look, shape=(6.8, height_of(len(every))))
    most = room_for(panels, len(colours.words) if colours.column else 0)
    names = sorted(every, key=lambda one: (-every[one], one))[: most if len(every) <= most else max(1, most - 1)]
    others = len(every) - len(names)
    titles = [*names, *([f"{others} others"] if others else [])]
    bars = {name: place for place, name in enumerate(names)}
    words = colours.shown_words() if colours.column else [None]
    hatches = hatches_of(len(words))
    longest = 1
    for ax, own in panels:
        ends = [0] * len(titles)
        for shown, hatch in zip(words, hatches, strict=True):
            members = Counter(
                bars.get(word(row.get(x)), len(names))
                for row in own
                if not colours.column or colours.shown_word(row) == shown
            )
            lengths = [members[place] for place in range(len(titles))]
            colour = colours.colour(shown) if colours.column else BLUE
            ax.barh(
                range(len(titles)), lengths, 0.75, ends, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5
            )
            ends = [end + length for end, length in zip(ends, lengths, strict=True)]
        for place, end in enumerate(ends):
            if end:
                ax.annotate(
                    f"{end:,}",
                    (end, place),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=0.85 * look.font_size,
                )
        longest = max(longest, *ends)
    for ax in panels.axes:
        ax.set_xlim(0.8 if look.is_log("x") else 0, longest**_ROOM * 1.5 if look.is_log("x") else longest * _ROOM)
    name_places(panels, panels.axes, titles)
    entries = [
        legends.Entry(legends.bar(colours.colour(shown), hatch), colours.text(shown))
        for shown, hatch in zip(words, hatches, strict=True)
        if colours.column
    ]
    panels.finish("rows", quantity(x), entries=entries, legend_title=colours.column, values="x", has_words=True)
    drawing = panels.drawing(len(records), "row", Losses())
    fit_names(panels.figure, panels.axes)
    return drawing
