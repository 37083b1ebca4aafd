"""Colours and markers of words: a published palette that colour-blind people can read, and a marker with each colour.

The colours are the ten of M. A. Petroff, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270, which
CMS recommends; black stands in for its grey, which is the colour of what has no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

BLUE, AMBER, RED, GREY, PURPLE = "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"
BROWN, ORANGE, KHAKI, SLATE, CYAN, BLACK = "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd", "#262626"

COLOURS = (BLUE, AMBER, RED, PURPLE, BROWN, ORANGE, KHAKI, SLATE, CYAN, BLACK)
UNKNOWN = GREY
"""The colour of what has no value, and of the words for which no colour is left."""

OTHERS_BESIDE_UNKNOWN = "#d9dee0"

STATUS_COLOURS = {
    "GOOD": BLUE,
    "BAD": RED,
    "EXCLUDED": PURPLE,
    "STANDBY": AMBER,
    "NOTSET": SLATE,
    "LOWSTAT": KHAKI,
    "EMPTY": BLACK,
}
_COMPONENTS = {"PIXEL": 0.45, "STRIP": -0.3, "TRACKING": -0.6}  # how much lighter or darker than the status alone


def tinted(colour: str, amount: float) -> str:
    """A colour brought nearer to white, or (below zero) to black.

    >>> tinted("#804020", 0.5), tinted("#804020", -0.5)
    ('#c0a090', '#402010')
    """
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    end = 255 if amount > 0 else 0
    return "#" + "".join(f"{round(part + (end - part) * abs(amount)):02x}" for part in parts)


FIXED = {
    **STATUS_COLOURS,
    **{
        f"{component} {status}": tinted(STATUS_COLOURS[status], amount)
        for component, amount in _COMPONENTS.items()
        for status in ("BAD", "EXCLUDED", "STANDBY", "NOTSET")
    },
    "TRUE": AMBER,
    "FALSE": BLUE,
    "EXPRESS": ORANGE,
    "PROMPT": BLUE,
    "RERECO": BROWN,
    "RERECOUL": KHAKI,
    "ONLINE": SLATE,
}
"""Words that have the same colour in every picture: statuses, truth values, `status_summary`, reconstructions."""

_MARKERS = {
    **dict(zip(COLOURS, ("o", "^", "X", "s", ">", "<", "v", "D", "*", "P"), strict=True)),
    UNKNOWN: "h",
    OTHERS_BESIDE_UNKNOWN: "8",
}
AREAS = {"*": 1.9, "P": 1.2, "X": 1.2, "d": 1.2}
"""How much larger a marker is drawn than others, so that all look equally large."""

_MORE_MARKERS = ("p", "d", "H", "v", "P", "<", ">", "*", "D", "^", "s", "X", "o", "8")
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    *("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (1, 3)), (0, (3, 4)), (0, (5, 1))),
    (0, (9, 2, 3, 2)),
)
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "|||", "+++", "***")


def colours_of(words: Sequence[str]) -> dict[str, str]:
    """A colour of its own for each word.

    Statuses and their like have theirs always; others have theirs as long as no word before them in the alphabet
    takes it.
    """
    colours: dict[str, str] = {}
    for one in sorted(words, key=lambda one: (one.upper() not in FIXED, one)):
        free = [colour for colour in COLOURS if colour not in colours.values()]
        wanted = FIXED.get(one.upper()) or COLOURS[crc32(one.encode("utf-8", "replace")) % len(COLOURS)]
        if wanted not in colours.values():
            colours[one] = wanted
        elif free:
            colours[one] = free[0]
    return {one: colours.get(one, UNKNOWN) for one in words}


def markers_of(colours: Sequence[str]) -> list[str]:
    """A marker of its own for each of the colours of a picture: usually that which belongs to the colour.

    >>> markers_of([BLUE, RED, "#123456", "#654321"])
    ['o', 'X', 'p', 'd']
    """
    own = [_MARKERS.get(colour) for colour in colours]
    free = iter([marker for marker in _MORE_MARKERS if marker not in own])
    return [marker or next(free, "o") for marker in own]


def dashes_of(count: int) -> list[str | tuple[int, tuple[int, ...]]]:
    """As many different kinds of lines, the full one first."""
    return [_DASHES[place % len(_DASHES)] for place in range(count)]


def hatches_of(count: int) -> list[str]:
    """As many different fillings of bars, the plain one first."""
    return [_HATCHES[place % len(_HATCHES)] for place in range(count)]
