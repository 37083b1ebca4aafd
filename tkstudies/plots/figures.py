"""What all figures share: style, colours, windows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

from tkstudies.errors import UsageError

STATUS_COLOURS = {
    "GOOD": "#3f78b5",
    "BAD": "#d1432f",
    "EXCLUDED": "#8c6bb1",
    "STANDBY": "#e6a019",
    "NOTSET": "#5f5f5f",
}
COLOURS = (
    "#3f78b5",
    "#d1432f",
    "#2a9d6f",
    "#e6a019",
    "#8c6bb1",
    "#4bb3c4",
    "#a65628",
    "#d67ab1",
    "#5f5f5f",
    "#9aa62c",
)
UNKNOWN = "#b9b9b9"


@contextmanager
def style() -> Iterator[None]:
    """Draw with our settings, whatever the user's matplotlibrc says."""
    settings = {
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
    }
    with matplotlib.rc_context(settings):
        yield


def show(figure: Figure) -> None:
    """Open a window and wait until it is closed.

    Raises:
        UsageError: There is no display.
    """
    from matplotlib import pyplot

    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise UsageError("--show needs a display (ssh -X): write a picture with -o FILE.png instead")
    manager = pyplot.figure().canvas.manager
    manager.canvas.figure = figure
    figure.set_canvas(manager.canvas)
    pyplot.show()
