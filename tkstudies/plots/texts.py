"""Texts of data as a picture shows them: on one line, short, and with what no font can draw replaced."""

from __future__ import annotations

from typing import Any

from tkstudies.analysis.tables import catalogue
from tkstudies.console import alternatives

_MOST = 48
_SCORES = ("*_score", "*_outlier")  # patterns that are no features
LETTER = 0.58  # of a letter, in parts of its height
NARROW = 5.2  # inches: up to here a figure has no room for a legend at its side
BEYOND = "a number or time that is too large or too small to draw"


def shown(text: Any, most: int = _MOST) -> str:
    """A text in one line of at most so many letters.

    >>> shown("HV off\\nfrom LS 12"), shown("half \\ud800"), shown("abcdef", most=4)
    ('HV off from LS 12', 'half \ufffd', 'abc\u2026')
    """
    known = "".join(map(_letter, str(text)[: most + 1]))
    return known if len(known) <= most else known[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _letter(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"


def ending(name: str, room: int) -> str:
    """A name whose end tells most, shortened at its beginning.

    >>> ending("Hits.Pixel.mean", 11)
    '…Pixel.mean'
    """
    text = shown(name, 200)
    return text if len(text) <= room else "\N{HORIZONTAL ELLIPSIS}" + text[-max(room - 1, 4) :]


def letters_in(inches: float, font_size: float) -> int:
    """How many letters have room side by side.

    >>> letters_in(3.5, 7.5), letters_in(-1, 10)
    (57, 1)
    """
    return max(1, int(inches * 72 / (font_size * LETTER)))


def is_drawable(value: int | float) -> bool:
    """Is there room for the number in a picture? Beyond these, matplotlib's own arithmetic fails.

    >>> is_drawable(0), is_drawable(-1e99), is_drawable(10**400), is_drawable(1e-200)
    (True, True, False, False)
    """
    return value == 0 or 1e-100 < abs(value) < 1e100


def advice(column: str, columns: list[str]) -> str:
    """What to do about a column that no record has: the names that are like it, or why ``pca`` has dropped it.

    >>> advice("lumii", ["pc1", "lumi"])
    'did you mean lumi?'
    """
    told = alternatives(column, columns)
    if told.startswith("columns are") and (maker := maker_of(column)):
        told = f"{maker}; {told}"
    if "pc1" in columns and not told.startswith("did you mean"):
        return f"{told}; pca drops other columns, pca --keep all keeps them"
    return told


def maker_of(column: str) -> str:
    """Which command makes a column, in words; nothing if its name is not one of the catalogue's.

    >>> maker_of("is_bad"), maker_of("pc3"), maker_of("nonsense")
    ('tkstudies label makes it', 'tkstudies pca makes it', '')
    """
    known = [entry for entry in catalogue.find(column) if "*" not in entry.column or entry.column in _SCORES]
    return f"tkstudies {known[0].command.split(', ')[0]} makes it" if known else ""


def columns_of(records: Any) -> list[str]:
    """All columns of the records, in order of first appearance."""
    return list(dict.fromkeys(column for record in records for column in record))
