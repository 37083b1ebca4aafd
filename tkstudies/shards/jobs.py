"""What all workers have in common, in this process or another.

A task is a function that pickle takes, called with one item; results come in the order of the items, whoever made
them. What a task says to the user comes back with its result, and is told by the process that the user has started,
each sentence once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from tkstudies import console
from tkstudies.settings import current

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""So many results a worker may be ahead of the one that is waited for: more would fill the memory."""


class Workers(Protocol):
    """Those who work on items, several at once.

    Attributes:
        shares_memory: Do tasks run in this process, so that nothing need be sent?
        folder: Where workers and this process both can write files, empty for the usual place of temporary files.
    """

    shares_memory: bool
    folder: str

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results, in the order of the items.

        Raises:
            TkstudiesError: What a task raised, or workers that can't work.
        """


class Told(NamedTuple):
    """A result, and what was said on the way to it.

    Attributes:
        sentences: In order. partial: Was something lost?
    """

    result: Any
    sentences: list[str]
    partial: bool


class Speech(NamedTuple):
    """How loud workers are, as the user has chosen."""

    quiet: bool
    verbose: bool

    @classmethod
    def chosen(cls) -> Speech:
        """That of this process."""
        return cls(current.quiet, current.verbose)


def remote(task: Callable[[Item], Result], speech: Speech) -> Callable[[Item], Told]:
    """The task as a worker does it: what it says is kept with its result."""
    return partial(_told, task, speech)


def _told(task: Callable[[Item], Result], speech: Speech, item: Item) -> Told:
    before = current.quiet, current.verbose, current.partial
    current.quiet, current.verbose, current.partial = *speech, False
    try:
        with console.kept() as sentences:
            result = task(item)
        return Told(result, sentences, current.partial)
    finally:
        current.quiet, current.verbose, current.partial = before


class Ears:
    """Tells what workers said, each sentence once."""

    def __init__(self) -> None:
        self._heard: set[str] = set()

    def result(self, told: Told) -> Any:
        """The result, after what was said on the way to it."""
        for sentence in told.sentences:
            if sentence not in self._heard:
                self._heard.add(sentence)
                console.repeat(sentence)
        current.partial = current.partial or told.partial
        return told.result
