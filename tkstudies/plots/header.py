"""What stands above a figure: its title, and below that whose data it shows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.console import Losses
from tkstudies.plots.look import Sheet
from tkstudies.plots.texts import letters_in, shown
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

SIMULATED = ("simulated", "is_simulated")
"""Columns that are true in records that nobody measured."""

NOT_CMS = "simulated, not CMS data"
_LONGEST_TITLE = 200
_TITLE = 1.15  # size of its letters, in parts of the usual one


def add_header(figure: Figure, look: Sheet, records: Sequence[Record], losses: Losses) -> None:
    """Add the title, and below it that rows are simulated, else the label of CMS if the user wants one."""
    is_simulated = any(record.get(column) is True for record in records for column in SIMULATED)
    if is_simulated and look.label:
        losses.note("--label left out: the records are simulated, not CMS data")
    has_note = is_simulated or bool(look.label)
    if not (look.title or has_note):
        return
    lines = _lines(look, figure.get_figwidth())
    if not has_note:
        figure.suptitle("\n".join(lines))
        return
    title = figure.suptitle("\n".join([*lines, " "]), x=0.02, ha="left")  # the last line is for the note
    title.set_linespacing(1.3)
    small = {"fontsize": look.font_size, "fontstyle": "italic"}
    if is_simulated:
        _write(figure, NOT_CMS, title, 0, **small)
    else:
        cms = _write(figure, "CMS", title, 0, fontsize=1.25 * look.font_size, fontweight="bold")
        room = letters_in(figure.get_figwidth() - 0.8, look.font_size)
        _write(figure, shown(look.label, room), (cms, title), 1, **small)


def _lines(look: Sheet, width: float) -> list[str]:
    """The title in at most two lines."""
    if not look.title:
        return []
    room = max(10, letters_in(width - 0.2, _TITLE * look.font_size))
    lines = textwrap.wrap(shown(look.title, _LONGEST_TITLE), room) or [""]
    return lines if len(lines) < 3 else [lines[0], shown(" ".join(lines[1:]), room)]


def _write(figure: Figure, text: str, beside: Artist | tuple[Artist, Artist], right: float, **look: Any) -> Artist:
    """Write at the lower left (or right) corner of something that is there already, or of two things."""
    from matplotlib.text import Annotation

    written = Annotation(
        text, (right, 0), xycoords=beside, xytext=(5 * right, 0), textcoords="offset points", va="baseline", **look
    )
    figure.add_artist(written)
    return written
