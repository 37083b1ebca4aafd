"""One parameter of a command that stands for several options: typer makes an option of each parameter it sees."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def gathered(name: str, kind: type, *names: str) -> Callable[[Command], Command]:
    """Give a command options that are the fields of a dataclass: its parameter ``name`` gets them as one object.

    Args:
        kind: The dataclass; its fields are annotated for typer and have defaults.
        names: Only these fields, in any order; all of them if none is named.

    Raises:
        ValueError: It has no such field.
    """
    hints = get_type_hints(kind, include_extras=True)
    chosen = [field for field in fields(kind) if not names or field.name in names]
    if names and len(chosen) != len(names):
        raise ValueError(f"not all of these are attributes of {kind.__name__}: {', '.join(names)}")
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name], default=field.default
        )
        for field in chosen
    ]
    return lambda command: expanded(command, name, options, lambda values: kind(**values))


def expanded(
    command: Command, name: str, options: Sequence[inspect.Parameter], gather: Callable[[dict[str, Any]], Any]
) -> Command:
    """A command that shows several options in place of its parameter ``name``.

    Args:
        command: The function behind a command.
        name: Its parameter that the options stand for.
        options: What typer sees instead, at the same place.
        gather: Makes the value of the parameter out of the values of the options.

    Example:
        >>> def area(size, unit="cm"):
        ...     print(size[0] * size[1], unit)
        >>> sides = [inspect.Parameter(side, inspect.Parameter.KEYWORD_ONLY) for side in ("width", "height")]
        >>> command = expanded(area, "size", sides, lambda values: tuple(values.values()))
        >>> list(inspect.signature(command).parameters)
        ['width', 'height', 'unit']
        >>> command(width=2, height=3)
        6 cm
    """
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name == name:
            parameters += options
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def called(**values: Any) -> None:
        value = gather({option.name: values.pop(option.name) for option in options})
        command(**values, **{name: value})

    # typer asks inspect.signature for the parameters, and typing.get_type_hints for their types
    called.__dict__["__signature__"] = inspect.Signature(parameters)
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
