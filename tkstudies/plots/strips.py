"""Strips: the state of detector and beams, and the flags of the Run Registry, lumisection by lumisection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tkstudies import jsonl
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.legends import Entry
from tkstudies.plots.palette import BLUE, RED, SLATE, STATUS_COLOURS
from tkstudies.plots.texts import shown
from tkstudies.records import Record, status, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATES = {
    ("beam1_stable", "beam2_stable"): "beams stable",
    ("cms_active",): "CMS active",
    ("bpix_ready",): "BPIX",
    ("fpix_ready",): "FPIX",
    ("tibtid_ready",): "TIB, TID",
    ("tob_ready",): "TOB",
    ("tecp_ready",): "TEC+",
    ("tecm_ready",): "TEC-",
}
"""Columns of ``tkstudies oms lumisections`` that are all true -> what that means."""

FLAGS = ("pixel", "strip", "tracking")
"""Columns of ``tkstudies runreg --lumisections``."""

ON, OFF, UNKNOWN = "on, GOOD", "off, BAD", "unknown"
_COLOURS = {ON: BLUE, OFF: RED, UNKNOWN: "#e6e6e6"}
_OTHER = SLATE


class Strip(NamedTuple):
    """One line of states: lumisection -> what it was."""

    name: str
    words: dict[int, str]


class SideFile:
    """A file of records of lumisections.

    Args:
        file: Its name.
        option: The option that named it.

    Raises:
        InputError: It can't be read, or holds no lumisections.
    """

    def __init__(self, file: str, option: str):
        self.name, self.option = file, option
        self._rows: dict[int, list[Record]] = {}
        for record in jsonl.Reader([file]):
            run, lumisection = whole(record.get("run_number")), whole(record.get("lumisection_number"))
            if run is not None and lumisection is not None:
                self._rows.setdefault(run, []).append(record)
        if not self._rows:
            raise InputError(f"{option} {file}: no records with run_number and lumisection_number")

    def rows_of(self, run: int, reco: str | None = None) -> list[Record]:
        """The lumisections of a run; with a reco, those rows that are about it (or about none)."""
        rows = self._rows.get(run, [])
        return rows if reco is None else [row for row in rows if row.get("reco") in (reco, None)]


def states_of(rows: Sequence[Record]) -> list[Strip]:
    """The strips of detector and beams that the rows of OMS tell of."""
    strips = []
    for columns, name in STATES.items():
        words = {number_of(row): _all_on([row.get(column) for column in columns]) for row in rows}
        if any(word != UNKNOWN for word in words.values()):
            strips.append(Strip(name, words))
    return strips


def flags_of(rows: Sequence[Record]) -> list[Strip]:
    """The strips of the flags that the rows of the Run Registry tell of."""
    strips = []
    for column in FLAGS:
        words = {number_of(row): _flag(row.get(column)) for row in rows}
        if any(word != UNKNOWN for word in words.values()):
            strips.append(Strip(f"{column} flag", words))
    return strips


def number_of(row: Record) -> int:
    """The number of a lumisection."""
    found = whole(row.get("lumisection_number"))
    return -1 if found is None else found


def _all_on(values: Sequence[Any]) -> str:
    if any(value is False for value in values):
        return OFF
    return ON if values and all(value is True for value in values) else UNKNOWN


def _flag(value: Any) -> str:
    word = status(value)
    return {None: UNKNOWN, "GOOD": ON, "BAD": OFF}.get(word, word or UNKNOWN)


def draw_strips(ax: Axes, strips: Sequence[Strip], first: int, last: int, font_size: float) -> list[Entry]:
    """Draw strips below each other from one lumisection to another; the result is what the legend tells."""
    from matplotlib.colors import ListedColormap

    numbers = range(first, last + 1)
    table = [[strip.words.get(number, UNKNOWN) for number in numbers] for strip in strips]
    order = {word: place for place, word in enumerate(_COLOURS)}
    words = sorted({word for row in table for word in row}, key=lambda word: (order.get(word, len(order)), word))
    colours = {word: _COLOURS.get(word) or STATUS_COLOURS.get(word, _OTHER) for word in words}
    codes = np.array([[words.index(word) for word in row] for row in table])
    ax.pcolormesh(
        np.arange(first - 0.5, last + 1),
        np.arange(len(strips) + 1),
        codes,
        cmap=ListedColormap([colours[word] for word in words]),
        vmin=-0.5,
        vmax=len(words) - 0.5,
        rasterized=codes.size > 4000,
    )
    ax.hlines(range(1, len(strips)), first - 0.5, last + 0.5, color="white", linewidth=1.5)
    ax.set_ylim(len(strips), 0)
    ax.set_yticks([place + 0.5 for place in range(len(strips))], labels=[strip.name for strip in strips])
    ax.tick_params(axis="y", which="both", length=0, labelsize=0.75 * font_size)
    ax.minorticks_off()
    ax.grid(False)
    return [Entry(legends.bar(colours[word]), shown(word, 20)) for word in words]
