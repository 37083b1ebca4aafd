"""How a value reads in a table, and its colour."""

from __future__ import annotations

from typing import Any

from tkstudies.console import clean
from tkstudies.jsonl import encode
from tkstudies.records import status

DIGITS = 5
"""Significant digits of numbers that aren't whole."""

NOTHING = "-"

_COLOURS = {
    "GOOD": "green", "BAD": "red", "EXCLUDED": "yellow", "STANDBY": "yellow", "NOTSET": "yellow", "LOWSTAT": "yellow",
    "OPEN": "yellow", "WAITING DQM GUI": "yellow",
}  # fmt: skip
_BAD_FLAGS = ("is_bad", "is_certified_bad")


def cell(value: Any, digits: int = DIGITS) -> str:
    """A value as a table shows it: rounded, null as -, an empty text in quotes, a list with commas or |.

    >>> cell(None), cell(12.345678), cell(317640.0), cell(1234567.8), cell(True)
    ('-', '12.346', '317640', '1234568', 'true')
    >>> cell(["hv off", "hole"]), cell(""), cell("a\\x1b[31m"), cell(1.234e-07)
    ('hv off, hole', '""', 'a\\\\x1b[31m', '1.234e-07')
    """
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return clean(_one_line(value)) or '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _rounded(value, digits)
    if isinstance(value, list) and value and not any(isinstance(member, list | dict) for member in value):
        members = [cell(member, digits) for member in value]
        return (" | " if any({",", ";"} & set(member) for member in members) else ", ").join(members)
    return clean(encode(value).decode("utf-8", "replace"))


def _one_line(text: str) -> str:
    """A comment of several lines in one, with slashes between them."""
    if "\n" not in text and "\r" not in text and "\t" not in text:
        return text
    return " / ".join(line.strip() for line in text.expandtabs(1).splitlines() if line.strip()) or text


def _rounded(value: float, digits: int) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e15 else text


def style(column: str, value: Any) -> str:
    """The colour of a status, empty for everything else.

    >>> style("pixel", "Good"), style("is_bad", True), style("rda_name", "x")
    ('green', 'red', '')
    """
    if isinstance(value, str):
        return _COLOURS.get(status(value) or "", "")
    return "red" if value is True and column in _BAD_FLAGS else ""
