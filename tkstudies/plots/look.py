"""What a user may choose of every figure, whatever its kind: declared here once.

A drawing function takes ``look: Look = Look()``, or ``look: Sheet = Sheet()`` if panels, log axes and lines make
no sense for it; the command line shows the options of what it takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from tkstudies.errors import UsageError
from tkstudies.plots.options import Option

_SIZE = re.compile(r"(?P<width>[0-9]*\.?[0-9]+)(?:\s*[xX,\u00d7]\s*(?P<height>[0-9]*\.?[0-9]+))?")
_SMALLEST, _LARGEST = 1, 100  # inches
_MOST_PIXELS = 32_000  # in one direction; matplotlib refuses 65,536
_COLUMN, _SLIDE = 4.6, 9.0  # inches: up to here it is a column of a paper, from here on a slide


class Style(str, Enum):
    """How figures look."""

    plain = "plain"
    cms = "cms"


@dataclass(frozen=True)
class Sheet:
    """The paper that a figure is drawn on.

    Raises:
        UsageError: The size is none.

    Example:
        >>> Sheet(size="3.5x2.6").inches(6.8, 4.8), Sheet(size="3.4").inches(6.8, 4.8), Sheet().inches(6.8, 4.8)
        ((3.5, 2.6), (3.4, 2.4), (6.8, 4.8))
    """

    title: Annotated[str, Option("--title", "A line above the figure.", "TEXT")] = ""
    size: Annotated[
        str, Option("--size", "Width and height in inches, such as 3.5x2.6 (a column) or 10x5.6 (a slide).", "WxH")
    ] = ""
    dpi: Annotated[int, Option("--dpi", "Pixels to the inch.", "N", minimum=20, maximum=1200)] = 160
    style: Annotated[Style, Option("--style", "plain, or cms: the look of the field.")] = Style.plain
    label: Annotated[
        str, Option("--label", "Write CMS and this above the figure, e.g. 'Work in progress'.", "TEXT")
    ] = ""

    def __post_init__(self) -> None:
        width, height = self.inches(1, 1)
        if self.size and not (_SMALLEST <= width <= _LARGEST and height <= _LARGEST):
            raise UsageError(f"--size {self.size}: between {_SMALLEST} and {_LARGEST} inches can be drawn")
        if self.size and max(width, height) * self.dpi > _MOST_PIXELS:
            raise UsageError(f"--size {self.size} with --dpi {self.dpi}: more than {_MOST_PIXELS:,} pixels")

    def inches(self, width: float, height: float) -> tuple[float, float]:
        """Width and height of the figure: as chosen, else as given; a width alone keeps the shape."""
        if not self.size:
            return width, height
        match = _SIZE.fullmatch(self.size.strip())
        if match is None or not float(match["width"]) or not float(match["height"] or 1):
            raise UsageError(f"--size {self.size}: expected WIDTHxHEIGHT in inches, such as 3.5x2.6")
        wide = float(match["width"])
        return wide, float(match["height"]) if match["height"] else wide * height / width

    @property
    def font_size(self) -> float:
        """Points of the letters: those of a column of a paper, a page or a slide."""
        width = self.inches(6.8, 4.8)[0]
        return 7.5 if width <= _COLUMN else 12 if self.size and width >= _SLIDE else 10


@dataclass(frozen=True)
class Graph(Sheet):
    """What is chosen of a figure with two axes.

    Raises:
        UsageError: The size is none, or an axis isn't x or y.
    """

    xlabel: Annotated[str, Option("--xlabel", "Words at the horizontal axis.", "TEXT")] = ""
    ylabel: Annotated[str, Option("--ylabel", "Words at the vertical axis.", "TEXT")] = ""
    log: Annotated[list[str] | None, Option("--log", "Logarithmic axis (repeatable).", "x|y")] = None
    line: Annotated[
        list[str] | None,
        Option(
            "--line",
            "Draw a line at a value, or at the values of a column such as t2_limit_99 (repeatable).",
            "VALUE|COLUMN",
            is_column=True,
            or_number=True,
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis in self.log or ():
            if axis not in ("x", "y"):
                raise UsageError(f"--log {axis}: the axes are x and y")

    def is_log(self, axis: str) -> bool:
        """Is the axis x or y logarithmic?"""
        return axis in (self.log or ())


@dataclass(frozen=True)
class Look(Graph):
    """What is chosen of a figure with two axes, in one panel or several.

    Raises:
        UsageError: The size is none, an axis isn't x or y, or the panels are given twice.

    Example:
        >>> Look(log=["y"]).is_log("y"), Look(facet="reco").across
        (True, 'reco')
    """

    row: Annotated[str, Option("--row", "One row of panels for each value of it.", is_column=True)] = ""
    col: Annotated[str, Option("--col", "One panel for each value of it, side by side.", is_column=True)] = ""
    facet: Annotated[str, Option("--facet", "The same as --col.", is_column=True)] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.col and self.facet:
            raise UsageError("--facet is --col: give one of them, and --row for the other direction")

    @property
    def across(self) -> str:
        """The column whose values have panels side by side."""
        return self.col or self.facet
