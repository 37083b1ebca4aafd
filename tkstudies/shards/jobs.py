"""What all workers have in common, in this process or another.

A task is a function that pickle takes, called with one item; results come in the order of the items, whoever made
them. What a task says to the user comes back with its result, and is told by the process that the user has started,
each sentence once.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from tkstudies import console
from tkstudies.errors import TkstudiesError
from tkstudies.settings import current

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""So many results a worker may be ahead of the one that is waited for: more would fill the memory."""


TRIES = 5
"""So often a worker may be killed over the same item: then it's the item, or the memory, and not an accident."""


class Workers(Protocol):
    """Those who work on items, several at once.

    Attributes:
        shares_memory: Do tasks run in this process, so that nothing need be sent?
        folder: Where all of them can write files, empty for the usual place of temporary files.
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


class Surroundings(NamedTuple):
    """What a worker must know of the process that the user has started: its options, and where file names begin."""

    quiet: bool
    verbose: bool
    folder: str


def remote(task: Callable[[Item], Result]) -> Callable[[Item], Told]:
    """The task as a worker does it: what it says is kept with its result."""
    return partial(_told, task, Surroundings(current.quiet, current.verbose, os.getcwd()))


_alone = threading.Lock()  # options and the working folder are those of a process, and a worker may have threads


def _told(task: Callable[[Item], Result], surroundings: Surroundings, item: Item) -> Told:
    with _alone, _inside(surroundings), console.kept() as sentences:
        result = task(item)
        return Told(result, sentences, current.partial)


@contextmanager
def _inside(surroundings: Surroundings) -> Iterator[None]:
    before = current.quiet, current.verbose, current.partial
    folder = os.getcwd()
    current.quiet, current.verbose, current.partial = surroundings.quiet, surroundings.verbose, False
    if surroundings.folder != folder:
        os.chdir(surroundings.folder)
    try:
        yield
    finally:
        current.quiet, current.verbose, current.partial = before
        if surroundings.folder != folder:
            os.chdir(folder)


def check_tries(killed: Counter[int], items: Sequence[Any]) -> None:
    """Give up on an item over which workers are killed again and again.

    Raises:
        TkstudiesError: It has happened `TRIES` times.
    """
    for number, times in killed.most_common(1):
        if times >= TRIES:
            raise TkstudiesError(
                f"{items[number]}: a worker was killed {TRIES} times while it worked on it: too little memory? "
                "Take fewer --jobs, or smaller files (tkstudies shard)"
            )


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
