"""The kinds of figures that ``tkstudies plot`` knows.

A new kind is one file beside this one and one line in ``KINDS``. The file holds the function that draws:

- it takes the records, what a user may choose, as ``Annotated[type, Option(...)] = default``, and ``look``: a `Look`,
  with panels, log axes and lines, or a `Sheet` where they make no sense; the command line has the options of both;
- it draws into one Axes at a time, those of `Panels` (or into a figure of ``figures.sheet_of``);
- it returns a ``Drawing``, usually from ``Panels.drawing``, which adds title and label; or ``Pages``, if it draws a
  picture of each record (then its line says ``one_by_one=True``);
- its docstring has an example that begins with ``tkstudies plot``: the help page shows it;
- matplotlib is imported inside functions, for ``tkstudies plot --help`` reads the options and shouldn't wait.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from tkstudies.plots.forms import Form, wrong_form
from tkstudies.plots.look import Sheet
from tkstudies.plots.options import Option

Draw = Callable[..., Any]
"""Gives a `Drawing`, or `Pages` of a kind that is `one_by_one`."""


class Kind(NamedTuple):
    """A kind of figure.

    Attributes:
        function: Where the function that draws is found, as ``module:function``.
        help: What it draws.
        draws: What records it can draw.
        one_by_one: Does it draw a picture of each record, also with ``--batch``?
    """

    function: str
    help: str
    draws: tuple[Form, ...] = (Form.TABLE, Form.LOADINGS)
    one_by_one: bool = False

    def load(self) -> Draw:
        """Import the function."""
        module, _, name = self.function.partition(":")
        draw: Draw = getattr(importlib.import_module(module), name)
        return draw


def _of_histograms(function: str, text: str, *, one_by_one: bool = True) -> dict[str, Kind]:
    """A kind that draws histogram records, called as its function is."""
    name = function.partition(":")[2].replace("_", "-")
    return {name: Kind(f"tkstudies.plots.{function}", text, (Form.HISTOGRAMS,), one_by_one)}


KINDS = {
    "scatter": Kind("tkstudies.plots.scatter:scatter", "Draw a point for each record, at two of its columns."),
    "trend": Kind("tkstudies.plots.trend:trend", "Follow one or two columns along runs, fills or time."),
    "control-chart": Kind("tkstudies.plots.controlchart:control_chart", "Draw a score run by run, with its limits."),
    "hist": Kind("tkstudies.plots.hist:hist", "Draw how a column is distributed."),
    "box": Kind("tkstudies.plots.box:box", "Draw quartiles of a column for each value of another."),
    "count": Kind("tkstudies.plots.count:count", "Draw how many rows have each value of a column."),
    "lumi": Kind("tkstudies.plots.lumi:lumi", "Draw luminosity so far against time, or by lumisections."),
    "era": Kind("tkstudies.plots.era:era", "Draw when the runs of each era were."),
    "pairs": Kind("tkstudies.plots.matrices:pairs", "Draw each of some columns against each other."),
    "correlation": Kind("tkstudies.plots.matrices:correlation", "Draw correlations, or what bad rows lose of them."),
    "roc": Kind("tkstudies.plots.roc:roc", "Draw how well scores find bad rows."),
    "scree": Kind("tkstudies.plots.components:scree", "Draw what principal components describe.", (Form.MODEL,)),
    "loadings": Kind("tkstudies.plots.components:loadings", "Draw what they are made of.", (Form.LOADINGS,)),
    **_of_histograms("histogram:histogram", "Draw histograms over those of their references."),
    **_of_histograms("comparison:compare", "Draw the histograms of a run that changed most."),
    **_of_histograms("etaphi:etaphi", "Draw maps of tracks over eta and phi."),
    **_of_histograms("etaphi:etaphi_diff", "Draw the difference of maps to their references."),
    **_of_histograms("etaphi:etaphi_ratio", "Draw the ratio of maps to their references."),
    **_of_histograms("etaphi:etaphi_side", "Draw map, difference and reference side by side."),
    **_of_histograms("etaphiline:etaphi_line", "Draw maps bin by bin, as lines over each other.", one_by_one=False),
    **_of_histograms("angular:angular", "Draw the angular correlation of maps.", one_by_one=False),
    **_of_histograms("lumisections:lumisections", "Draw a histogram lumisection by lumisection."),
}
DEFAULT = "scatter"


def check_form(name: str, found: Form, source: str) -> None:
    """See to it that a kind can draw such records.

    Raises:
        InputError: It can't; the message names the kinds that can.
    """
    kind = KINDS[name]
    if found not in kind.draws:
        others = [other for other, candidate in KINDS.items() if candidate.draws[0] is found]
        raise wrong_form(found, kind.draws[0], name, others, source)


class Choice(NamedTuple):
    """A parameter that is an option of the command."""

    name: str
    type: Any
    default: Any
    option: Option


def choices(function: Callable[..., Any]) -> Iterator[Choice]:
    """What a user may choose of a kind (of its drawing function), or of its look (a class).

    >>> [(choice.name, choice.default, choice.option.name) for choice in choices(KINDS["scatter"].load())][:2]
    [('x', 'pc1', '--x'), ('y', 'pc2', '--y')]
    >>> [choice.option.name for choice in choices(Sheet)]
    ['--title', '--size', '--dpi', '--style', '--label']
    """
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if get_origin(parameter.annotation) is Annotated:
            kind, *notes = get_args(parameter.annotation)
            for option in notes:
                if isinstance(option, Option):
                    yield Choice(parameter.name, kind, parameter.default, option)


def look_of(draw: Draw) -> type[Sheet]:
    """The class of the look that a drawing function takes."""
    default = inspect.signature(draw).parameters["look"].default
    return type(default) if isinstance(default, Sheet) else Sheet


def examples(draw: Draw) -> list[str]:
    """The command lines in the docstring of a drawing function."""
    lines = (line.strip() for line in (inspect.getdoc(draw) or "").splitlines())
    return [line for line in lines if line.startswith("tkstudies plot")]
