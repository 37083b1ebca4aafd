"""Texts of data as a picture shows them: on one line, short, and with what no font can draw replaced."""

from __future__ import annotations

from typing import Any

from tkstudies.console import alternatives

_MOST = 48


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


def advice(column: str, columns: list[str]) -> str:
    """What to do about a column that no record has: the names that are like it, or why ``pca`` has dropped it.

    >>> advice("lumii", ["pc1", "lumi"])
    'did you mean lumi?'
    """
    told = alternatives(column, columns)
    if "pc1" in columns and not told.startswith("did you mean"):
        return f"{told}; pca drops other columns, pca --keep all keeps them"
    return told


def columns_of(records: Any) -> list[str]:
    """All columns of the records, in order of first appearance."""
    return list(dict.fromkeys(column for record in records for column in record))
