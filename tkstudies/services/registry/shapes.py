"""What a member of an answer of the Run Registry is, whatever shape it came in: nulls, numbers, texts for lists.

The database checks none of these; one odd comment must not cost a whole fetch, and none may go without a word.
"""

from __future__ import annotations

from typing import Any

from tkstudies import console, jsonl
from tkstudies.records import whole


def text(value: Any) -> str | None:
    """A member that should be a text: nothing is None, anything else as JSON.

    >>> text("HV"), text(""), text(None), text(7), text({"a": 1})
    ('HV', None, None, '7', '{"a":1}')
    """
    if value is None or isinstance(value, str):
        return value or None
    return jsonl.encode(value).decode()


def texts(value: Any) -> list[str]:
    """A member that should be a list of texts; nulls among them say nothing, and a single text is a list of one.

    >>> texts(["HV ramp", None, "", 7]), texts("HV"), texts(None)
    (['HV ramp', '7'], ['HV'], [])
    """
    members = value if isinstance(value, list) else [value]
    return [found for member in members if (found := text(member))]


def is_row(value: Any) -> bool:
    """Can this be an element of a listing: is it an object about a run?"""
    return isinstance(value, dict) and whole(value.get("run_number")) is not None


class Odd:
    """What of one row, or of one answer, had a shape that says nothing: for one warning about all of them."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, what: str, value: Any) -> None:
        """Take note of it."""
        self.notes.append(f"{what} is {jsonl.quoted(jsonl.encode(value), 60)}")

    def members(self, parent: dict[str, Any], name: str) -> dict[str, Any]:
        """The object that a member is; one that is null or absent is empty, and one of another shape is noted."""
        value = parent.get(name)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.note(name, value)
        return {}


class OddRows:
    """The rows of a fetch that are none, and those that say less than they should: told at the end, each kind once."""

    def __init__(self, losses: console.Losses):
        self._losses = losses
        self._found: dict[str, list[str]] = {"unusable": [], "odd": []}

    def unusable(self, value: Any) -> None:
        """Note an element of a listing that isn't a row: it is left out."""
        self._found["unusable"].append(jsonl.quoted(jsonl.encode(value), 60))

    def add(self, record: dict[str, Any], odd: Odd) -> None:
        """Note a row of which something couldn't be read."""
        if odd.notes:
            self._found["odd"].append(f"run {record['run_number']} {record['rda_name']}: {odd.notes[0]}")

    def end(self) -> None:
        """Note what there was among the losses."""
        for kind, noun, why in (
            ("unusable", "element", "of the Run Registry's answer left out: not a row of a run"),
            ("odd", "row", "of the Run Registry read in part: a member of an odd shape became null"),
        ):
            if found := self._found[kind]:
                self._losses.add(len(found), noun, f"{why} (the first: {found[0]})", partial=True)
