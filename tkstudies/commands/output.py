"""How a command that fetches records writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tkstudies import console, jsonl
from tkstudies.records import Record

if TYPE_CHECKING:
    from tkstudies.services.runselection import Numbers


def write_all(records: Iterable[Record], output: str, noun: str, service: str = "") -> None:
    """Write records as they come, and say how many there were: "3 runs of OMS".

    Args:
        noun: What one record is.
        service: Where they come from, if that is worth a word.
    """
    written = jsonl.write(records, output, at_once=True)
    console.say(console.counted(written, noun) + (f" of {service}" if service else ""))


@dataclass(frozen=True)
class Fetchable:
    """Records that can be fetched all at once, or those of some runs (or fills) after the others.

    Attributes:
        of: The records of these numbers; None for all that are wanted.
        numbers: Which numbers there are; asked for only where the records go to the files of a folder.
        noun: What one record is.
        recipe: All options but those that say which runs, as JSON.
    """

    of: Callable[[Numbers | None], Iterator[Record]]
    numbers: Callable[[], Iterable[int]]
    noun: str
    recipe: Any
