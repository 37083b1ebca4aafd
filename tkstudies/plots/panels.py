"""Panels: one for each value of a column, side by side, below each other, or both; a kind draws into one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.plots.axes import Axis, set_log_ticks
from tkstudies.plots.colours import order, word
from tkstudies.plots.figures import Drawing, sheet_of
from tkstudies.plots.fitting import fit_text
from tkstudies.plots.legends import Entry, add_legend
from tkstudies.plots.lines import draw_lines
from tkstudies.plots.look import Look
from tkstudies.plots.texts import LETTER, NARROW, letters_in, shown
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.text import Annotation, Text

_MOST_PANELS = 12
_MOST_ACROSS = 3
_WIDE, _HIGH = 6.8, 4.8  # inches of a figure with one panel, and of each of several
_WIDE_OF_SEVERAL, _BESIDE = 4.2, 1.6
_TICK_LETTERS = 8  # of the label of a tick of a horizontal axis, with the gap to the next

Item = TypeVar("Item")


class Panels(Generic[Item]):
    """The panels of a figure, in which all axes are the same.

    Args:
        items: What is drawn: records, or something made of them.
        look: What the user chose.
        row_of: The record that an item comes from.
        shape: Width and height of a single panel [inches], unless the user chose a size.
        share: Have all panels the same axes?

    Raises:
        InputError: A column of the panels has too many values.

    Example:
        >>> panels = Panels([{"reco": "express", "y": 1}, {"reco": "prompt", "y": 2}], Look(col="reco"))
        >>> for ax, rows in panels:
        ...     _ = ax.plot([row["y"] for row in rows], "o")
        >>> panels.finish(x="row", y="y")
        >>> [ax.get_title() for ax in panels.axes]
        ['reco: express', 'reco: prompt']
    """

    def __init__(
        self,
        items: Sequence[Item],
        look: Look,
        row_of: Callable[[Item], Record] = lambda item: item,  # type: ignore[assignment,return-value]  # a record
        *,
        shape: tuple[float, float] = (_WIDE, _HIGH),
        share: bool = True,
    ):
        self.look = look
        self._columns = _values(look.across, "--facet" if look.facet else "--col", items, row_of)
        self._rows = _values(look.row, "--row", items, row_of)
        if len(self._columns) * len(self._rows) > _MOST_PANELS:
            names = f"--row {look.row} and --col {look.across}"
            size = f"{len(self._rows)} x {len(self._columns)}"
            raise InputError(f"{names} make {size} panels: at most {_MOST_PANELS} can be drawn")
        members: dict[tuple[str | None, str | None], list[Item]] = {}
        for item in items:
            place = _value(look.row, row_of(item)), _value(look.across, row_of(item))
            members.setdefault(place, []).append(item)
        count = len(self._columns) * len(self._rows)
        self.across = len(self._columns) if look.row else min(count, _MOST_ACROSS)
        self.down = math.ceil(count / self.across)
        self._make_figure(shape, share, count)
        places = [(row, column) for row in self._rows for column in self._columns]
        self._places = dict(zip(places, self.axes, strict=True))
        self.all = [(ax, members.get(place, [])) for place, ax in self._places.items()]
        self._row_of = row_of
        self._raised: Text | None = None
        self._row_names: list[tuple[Annotation, Axes]] = []
        self._sides: dict[str, Axis | str] = {}

    def __iter__(self) -> Iterator[tuple[Axes, list[Item]]]:
        return iter(self.all)

    def panel_of(self, record: Record) -> Axes | None:
        """The panel in which what belongs to a record is drawn."""
        return self._places.get((_value(self.look.row, record), _value(self.look.across, record)))

    @property
    def several(self) -> bool:
        """Is there more than one panel?"""
        return len(self.axes) > 1

    def _make_figure(self, shape: tuple[float, float], share: bool, count: int) -> None:
        width, height = shape
        if count > 1:
            width, height = _WIDE_OF_SEVERAL * self.across + _BESIDE, min(height, 4.4) * self.down
        self.figure = sheet_of(self.look, width, height)
        grid = self.figure.subplots(self.down, self.across, sharex=share, sharey=share, squeeze=False)
        every = list(grid.ravel())
        for ax in every[count:]:
            ax.set_visible(False)
        self.axes: list[Axes] = every[:count]
        for place, ax in enumerate(self.axes):
            if share:
                ax.tick_params(labelbottom=place + self.across >= count)

    @property
    def panel_width(self) -> float:
        """About how wide a panel is [inches]."""
        width = self.figure.get_figwidth()
        beside = (_BESIDE if width >= NARROW else 0.1) + 0.6
        return max(0.5, (width - beside) / self.across - 0.1)

    @property
    def panel_height(self) -> float:
        """About how high a panel is [inches]."""
        beside = 0.3 + (0.25 if self.look.title else 0) + (0.25 if self.look.label else 0)
        return max(0.4, (self.figure.get_figheight() - beside) / self.down - 0.35)

    def most_ticks(self, axis: str) -> int:
        """How many labels of ticks have room along the axis x or y."""
        size = self.look.font_size
        if axis == "x":
            return max(2, min(8, letters_in(self.panel_width, size) // _TICK_LETTERS))
        return max(2, min(8, int(self.panel_height * 72 / (2.4 * size))))

    def finish(
        self,
        x: Axis | str = "",
        y: Axis | str = "",
        *,
        entries: Sequence[Entry] = (),
        legend_title: str = "",
        values: str = "y",
        has_right_axis: bool = False,
        has_words: bool = False,
    ) -> None:
        """Say what the axes and panels are, draw the lines of ``--line``, and add the legend.

        Args:
            x: The horizontal axis, or its label alone, for a kind that sets its ticks itself.
            y: The vertical one.
            entries: What the legend tells.
            values: The axis, x or y, along which the values of ``--line`` lie.
            has_words: Has the vertical axis words instead of numbers?
            has_right_axis: Has the kind drawn ticks and a label at the right of the panels?

        Raises:
            InputError: A line is neither a value nor a column.
            UsageError: A logarithmic axis of words.
        """
        if has_words and self.look.is_log("y"):
            raise UsageError("--log y: the vertical axis of this kind has words, which have no logarithm")
        sides = self._sides = {"x": x, "y": y}
        for name, side in sides.items():
            self._set_axis(name, side)
        lines = draw_lines(self.all, self.look.line or [], values, sides, self._row_of)
        self._name_panels(5.5 * self.look.font_size if has_right_axis else 4)
        may_widen = not self.look.size
        below = add_legend(self.figure, [*entries, *lines], legend_title, may_widen, self.look.font_size)
        if below and self.several:  # the layout gives a common label and a legend the same place
            label = self.figure.get_supxlabel()
            self._raised = self.figure.supxlabel(label + "\n" * below, fontsize=self.look.font_size)

    def add_colour_bar(self, coloured: ScalarMappable, label: str) -> None:
        """Tell which colour stands for which number, beside a wide figure, below a narrow one."""
        is_narrow = self.figure.get_figwidth() < NARROW
        text = shown(label, letters_in(self.panel_width if is_narrow else self.panel_height, self.look.font_size))
        self.figure.colorbar(coloured, ax=self.axes, label=text, location="bottom" if is_narrow else "right")

    def drawing(self, number: int, noun: str, losses: Losses, beside: Sequence[Record] = ()) -> Drawing:
        """The finished figure, and what there is to say of it.

        Args:
            beside: Records that it shows besides those of its items.
        """
        records = [*(self._row_of(item) for _, items in self.all for item in items), *beside]
        drawing = Drawing(self.figure, number, noun, losses, self.look, records)
        self._fit(drawing)
        if self._raised:  # the room below it is there now
            top = self._raised.get_window_extent().y1 / self.figure.bbox.height
            self._raised.set(text=self._raised.get_text().rstrip("\n"), y=top, verticalalignment="top")
        return drawing

    def _fit(self, drawing: Drawing) -> None:
        """Let words and ticks fit into the panels as they are now that the layout stands."""
        if self._refit_ticks():
            drawing.lay_out()
        for ax in self.figure.axes:
            fit_text(ax.xaxis.label, ax.bbox.width if self.several else self.figure.bbox.width)
            fit_text(ax.yaxis.label, ax.bbox.height, upright=True)
        for text, ax in self._row_names:
            fit_text(text, ax.bbox.height, upright=True)

    def _refit_ticks(self) -> bool:
        """Have fewer ticks where the panels are smaller than thought; were there any?"""
        are_fewer = False
        width, height = (72 * size / self.figure.dpi for size in self.axes[0].bbox.size)
        for name, side in self._sides.items():
            letter = self.look.font_size * LETTER
            most = int(width / (_TICK_LETTERS * letter) if name == "x" else height / (1.7 * self.look.font_size))
            if isinstance(side, Axis) and most < self.most_ticks(name):
                are_fewer = True
                for ax in self.axes:
                    side.set_ticks(ax.xaxis if name == "x" else ax.yaxis, max(most, 1))
                    if side.is_time and most < 3:
                        ax.tick_params("x" if name == "x" else "y", labelsize=self.look.font_size * max(most, 1) / 3)
        return are_fewer

    def _set_axis(self, name: str, side: Axis | str) -> None:
        most = self.most_ticks(name)
        chosen = self.look.xlabel if name == "x" else self.look.ylabel
        label = chosen or (side.label if isinstance(side, Axis) else side)
        for ax in self.axes:
            axis = ax.xaxis if name == "x" else ax.yaxis
            if isinstance(side, Axis):
                side.set_ticks(axis, most)
            elif self.look.is_log(name):
                set_log_ticks(axis, most)

        self._write_label(name, label, isinstance(side, Axis) and side.is_time)

    def _write_label(self, name: str, label: str, is_time: bool) -> None:
        """Write a label at its axis, or once for all panels."""
        if self.several:
            length = self.figure.get_figwidth() if name == "x" else self.figure.get_figheight()
        else:
            length = self.panel_width if name == "x" else self.panel_height
        text = shown(label, max(12, letters_in(length, self.look.font_size)))
        if self.several and name == "x":
            self.figure.supxlabel(text, fontsize=self.look.font_size)
        elif self.several:
            self.figure.supylabel(text, fontsize=self.look.font_size)
        elif name == "x":  # the year and month of times stand at the right
            self.axes[0].set_xlabel(text, loc="left" if is_time else None)
        else:
            self.axes[0].set_ylabel(text)

    def _name_panels(self, beside: float) -> None:
        size = self.look.font_size
        room = letters_in(self.panel_width, size)
        for place, ax in enumerate(self.axes):
            row, column = divmod(place, len(self._columns)) if self.look.row else (0, place)
            if self.look.across and (row == 0 or not self.look.row):
                ax.set_title(_panel_name(self.look.across, self._columns[column], room), fontsize=size)
            if self.look.row and (place + 1) % self.across == 0:
                text = _panel_name(self.look.row, self._rows[row], letters_in(self.panel_height, size))
                written = ax.annotate(
                    text,
                    (1, 0.5),
                    xytext=(beside, 0),
                    xycoords="axes fraction",
                    textcoords="offset points",
                    rotation=270,
                    va="center",
                    ha="left",
                    fontsize=size,
                )
                self._row_names.append((written, ax))


def _panel_name(column: str, value: str | None, room: int) -> str:
    """Which value of the column a panel shows; where there is no room for both, the value alone."""
    full = f"{column}: {value}"
    return shown(full if len(full) <= room else value, max(6, min(room, 48)))


def _value(column: str, record: Record) -> str | None:
    return word(record.get(column)) if column else None


def _values(column: str, option: str, items: Sequence[Item], row_of: Callable[[Item], Record]) -> list[str | None]:
    """The values of a column that get a panel each: numbers in their order, then words, then no value."""
    if not column:
        return [None]
    found = {word(row_of(item).get(column)) for item in items}
    if len(found) > _MOST_PANELS:
        raise InputError(f"{option} {column} has {len(found)} values: at most {_MOST_PANELS} panels can be drawn")
    return [*sorted(found, key=order)] or [None]


def many(count: int) -> dict[str, Any]:
    """How so many points are drawn: thousands of them as one image also in PDF and SVG."""
    return {"rasterized": True} if count > 4000 else {}
