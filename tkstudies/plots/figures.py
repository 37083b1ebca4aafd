"""What all figures share: style, files, windows. matplotlib is imported when something is drawn."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tkstudies import console, jsonl
from tkstudies.console import Losses
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class Drawing:
    """A figure and what there is to say about it.

    Attributes:
        figure: The figure.
        number: How many things were drawn.
        noun: What one of them is.
        losses: What was not drawn, and why.
    """

    figure: Figure
    number: int
    noun: str
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        """Texts of data aren't formulas, whatever drew them."""
        from matplotlib.text import Text

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ticks, which matplotlib chooses when it is asked for their labels
            for text in self.figure.findobj(Text):
                text.set_parse_math(False)


@contextmanager
def style() -> Iterator[None]:
    """Draw with our settings, whatever the user's matplotlibrc says."""
    import matplotlib

    settings: dict[Any, Any] = {
        "figure.dpi": 100,
        "savefig.dpi": 160,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "svg.hashsalt": "tkstudies",
        "text.usetex": False,
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
    }
    with matplotlib.rc_context(settings):
        yield


def save(figure: Figure, output: str) -> None:
    """Write a picture, whole or not at all; its ending chooses the format.

    Raises:
        UsageError: The ending is that of no picture.
        OutputError: The file can't be written.
    """
    ending = os.path.splitext(output)[1].lstrip(".").lower()
    known = sorted(figure.canvas.get_supported_filetypes())
    if ending not in known:
        raise UsageError(f"-o {output}: pictures end in {', '.join('.' + name for name in known)}")
    with jsonl.OutputFile(output) as file, file.guarded(), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        figure.savefig(file.stream, format=ending)
    for text in dict.fromkeys(str(warning.message) for warning in warned):
        console.debug(f"matplotlib: {text}")
    if any("Glyph" in str(warning.message) for warning in warned):
        console.warn(f"{output}: the font lacks some characters, which are drawn as boxes")


def show(figure: Figure) -> None:
    """Open a window and wait until it is closed.

    Raises:
        UsageError: There is no display.
    """
    from matplotlib import pyplot

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError("--show needs a display (ssh -X): write a picture with -o FILE.png instead")
    canvas = pyplot.figure().canvas
    canvas.figure = figure
    figure.set_canvas(canvas)
    pyplot.show()
