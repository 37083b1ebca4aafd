"""The kinds of figures that ``tkstudies plot`` knows.

A new kind is one file beside this one and one line in ``KINDS``. The file holds the function that draws:

- it takes the records, a ``title``, and what a user may choose, as ``Annotated[type, Option(...)] = default``;
- it returns a ``Drawing``;
- its docstring has an example that begins with ``tkstudies plot``: the help page shows it;
- matplotlib is imported inside functions, for ``tkstudies plot --help`` reads the options and shouldn't wait.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from tkstudies.plots.figures import Drawing
from tkstudies.plots.options import Option

Draw = Callable[..., Drawing]


class Kind(NamedTuple):
    """Where the function that draws is found, as ``module:function``, and what it draws."""

    function: str
    help: str

    def load(self) -> Draw:
        """Import the function."""
        module, _, name = self.function.partition(":")
        draw: Draw = getattr(importlib.import_module(module), name)
        return draw


KINDS = {"scatter": Kind("tkstudies.plots.scatter:scatter", "Draw a point for each record, at two of its columns.")}
DEFAULT = "scatter"


class Choice(NamedTuple):
    """A parameter of a drawing function that is an option of the command."""

    name: str
    type: Any
    default: Any
    option: Option


def choices(draw: Draw) -> Iterator[Choice]:
    """What a user may choose of a kind.

    >>> [(choice.name, choice.default, choice.option.name) for choice in choices(KINDS["scatter"].load())][:2]
    [('x', 'pc1', '--x'), ('y', 'pc2', '--y')]
    """
    for parameter in inspect.signature(draw, eval_str=True).parameters.values():
        if get_origin(parameter.annotation) is Annotated:
            kind, *notes = get_args(parameter.annotation)
            for option in notes:
                if isinstance(option, Option):
                    yield Choice(parameter.name, kind, parameter.default, option)


def examples(draw: Draw) -> list[str]:
    """The command lines in the docstring of a drawing function."""
    lines = (line.strip() for line in (inspect.getdoc(draw) or "").splitlines())
    return [line for line in lines if line.startswith("tkstudies plot")]
