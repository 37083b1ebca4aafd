"""How a command that fetches records writes them."""

from __future__ import annotations

from collections.abc import Iterable

from tkstudies import console, jsonl
from tkstudies.records import Record


def write_all(records: Iterable[Record], output: str, noun: str, service: str = "") -> None:
    """Write records as they come, and say how many there were: "3 runs of OMS".

    Args:
        noun: What one record is.
        service: Where they come from, if that is worth a word.
    """
    written = jsonl.write(records, output, at_once=True)
    console.say(console.counted(written, noun) + (f" of {service}" if service else ""))
