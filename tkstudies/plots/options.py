"""How a drawing function says what a user may choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """What the command line shows of a parameter: ``x: Annotated[str, Option("--x", "Horizontal axis.")] = "pc1"``.

    Attributes:
        name: The option, with its dashes.
        help: What it does, in one sentence.
        metavar: What its value is called.
        is_column: Is the value the name of a column? Then the shell completes it, and a name that no record
            has is told.
        minimum: The smallest number allowed.
        maximum: The largest number allowed.
        or_number: May a column be a number (or a time) instead?
        is_first: May its value be the first argument instead, in front of the files?
    """

    name: str
    help: str
    metavar: str = ""
    is_column: bool = False
    minimum: int | None = None
    maximum: int | None = None
    or_number: bool = False
    is_first: bool = False
