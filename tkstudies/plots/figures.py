"""What all figures share: style, title, files, windows. matplotlib is imported when something is drawn."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tkstudies import console, jsonl
from tkstudies.console import Losses
from tkstudies.errors import UsageError
from tkstudies.plots.header import add_header
from tkstudies.plots.look import Sheet, Style
from tkstudies.plots.palette import COLOURS
from tkstudies.provenance import undated
from tkstudies.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SCREEN = 100  # pixels to the inch of a window
_UNDATED: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "svgz": {"Date": None}}
_TOLD_AS = {"png": ("Software", "Source"), "pdf": ("Creator", "Subject"), "svg": ("Creator", "Description")}
"""Ending -> what its format calls the program, and the text that says where a picture comes from."""

_PLAIN: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}
_CMS: dict[Any, Any] = {
    "axes.linewidth": 1.2,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.size": 7,
    "ytick.major.size": 7,
    "xtick.minor.size": 3.5,
    "ytick.minor.size": 3.5,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
}
"""The look of figures of CMS, as mplhep's style "CMS" has it, which takes longer to import than a figure to draw."""

_CMS_FONTS = ("TeX Gyre Heros", "Helvetica", "Arial", "Liberation Sans")


@dataclass
class Drawing:
    """A figure and what there is to say about it.

    Attributes:
        figure: The figure.
        number: How many things were drawn.
        noun: What one of them is.
        losses: What was not drawn, and why.
        look: What the user chose: the title and the label are added to the figure.
        records: What it was drawn from: simulated ones are told.
    """

    figure: Figure
    number: int
    noun: str
    losses: Losses = field(default_factory=Losses)
    look: Sheet = field(default_factory=Sheet)
    records: Sequence[Record] = ()

    def __post_init__(self) -> None:
        """Add title and label; texts of data aren't formulas, whatever drew them."""
        from matplotlib.text import Text

        add_header(self.figure, self.look, self.records, self.losses)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ticks, which matplotlib chooses when it is asked for their labels
            for text in self.figure.findobj(Text):
                text.set_parse_math(False)
        if self.figure.get_layout_engine():
            self.lay_out()

    def lay_out(self) -> None:
        """Find the place of everything, once for all files."""
        self.figure.set_layout_engine("constrained")
        engine = self.figure.get_layout_engine()
        if engine is None:
            return
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            engine.execute(self.figure)
        if any("not applied" in str(warning.message) for warning in warned):
            self.losses.note("the figure is too small for its words", advice="--size makes it larger")
        self.figure.set_layout_engine(None)  # not "none", with which each file is drawn twice


@contextmanager
def style(sheet: Sheet | None = None) -> Iterator[None]:
    """Draw with our settings, whatever the user's matplotlibrc says."""
    import matplotlib
    from cycler import cycler

    sheet = sheet or Sheet()
    size = sheet.font_size
    settings: dict[Any, Any] = {
        "figure.dpi": sheet.dpi,
        "savefig.dpi": "figure",
        "figure.autolayout": False,
        "figure.constrained_layout.use": False,
        "text.hinting": "none",  # texts are as wide in a PDF as in a PNG, so that one layout fits both
        "font.size": size,
        "axes.titlesize": size,
        "figure.titlesize": 1.15 * size,
        "legend.fontsize": size,
        "legend.frameon": False,
        "legend.handletextpad": 0.4,
        "lines.linewidth": 1.3,
        "lines.markersize": 5,
        "hatch.linewidth": 0.6,
        "svg.hashsalt": "tkstudies",
        "pdf.fonttype": 42,  # letters stay letters in the file
        "text.usetex": False,
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.prop_cycle": cycler(color=COLOURS),
        **(_cms() if sheet.style is Style.cms else _PLAIN),
    }
    with matplotlib.rc_context(settings):
        yield


def _cms() -> dict[Any, Any]:
    """The look of CMS, in the first of its fonts that is there."""
    from matplotlib.font_manager import fontManager

    known = {font.name for font in fontManager.ttflist}
    return {**_CMS, "font.family": [*[name for name in _CMS_FONTS if name in known][:1], "DejaVu Sans"]}


def sheet_of(sheet: Sheet, width: float, height: float) -> Figure:
    """An empty figure of so many inches, unless the user chose otherwise, whose layout keeps texts apart."""
    from matplotlib.figure import Figure

    return Figure(figsize=sheet.inches(width, height), layout="constrained")


def check_outputs(outputs: Sequence[str]) -> None:
    """See to it that each ending is that of a picture, before anything is drawn.

    Raises:
        UsageError: One isn't, or the picture would go to standard output.
    """
    from matplotlib.figure import Figure

    known = sorted(Figure().canvas.get_supported_filetypes())
    for output in outputs:
        if output == jsonl.STDOUT:
            raise UsageError("a picture doesn't go to standard output: name a file with -o")
        if _ending(output) not in known:
            raise UsageError(f"-o {output}: pictures end in {', '.join('.' + name for name in known)}")


def _ending(output: str) -> str:
    return os.path.splitext(output)[1].lstrip(".").lower()


def _metadata(ending: str, made: Record | None) -> dict[str, Any] | None:
    """What is written into a picture beside what is seen."""
    found = dict(_UNDATED.get(ending, {}))
    names = _TOLD_AS.get("svg" if ending == "svgz" else ending)
    if made and names:
        found |= zip(names, (f"tkstudies {made['tkstudies_version']}", json.dumps(undated(made))), strict=True)
    return found or None


def save(figure: Figure, output: str, made: Record | None = None) -> None:
    """Write a picture, whole or not at all; its ending chooses the format.

    The same command makes the same bytes: no time of writing is kept in the file.

    Args:
        made: What `tkstudies.provenance.provenance` gave: kept in PNG (Source), PDF (Subject) and SVG (description).

    Raises:
        UsageError: The ending is that of no picture.
        OutputError: The file can't be written.
    """
    check_outputs([output])
    ending = _ending(output)
    with jsonl.OutputFile(output) as file, file.guarded(), _told(output):
        figure.savefig(file.stream, format=ending, metadata=_metadata(ending, made))


@contextmanager
def book(output: str, made: Record | None = None) -> Iterator[Callable[[Figure], None]]:
    """A PDF of several pages, whole or not at all: what it gives adds a page; ``made`` as for `save`.

    Raises:
        OutputError: The file can't be written.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    with jsonl.OutputFile(output) as file, file.guarded(), _told(output):
        pages = PdfPages(file.stream, metadata=_metadata("pdf", made))
        yield pages.savefig
        pages.close()


@contextmanager
def _told(output: str) -> Iterator[None]:
    """Tell what matplotlib warns of."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
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
    figure.set_dpi(_SCREEN)
    figure.set_layout_engine("constrained")
    canvas = pyplot.figure().canvas
    canvas.figure = figure
    figure.set_canvas(canvas)
    pyplot.show()
