"""Work that can be done file by file: on a table that is cut into shards, in several processes, on a cluster.

What a command does with records is a `Shardwise`. Each file gets a fresh one, which makes lines of its records and
notes what is to be told; what all of them noted is put together in the order of the files. So the output of many
files is that of one that holds them all.

What needs all rows at once goes through `Shards`: tasks for each file, whose results are merged in the order of the
files.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.jsonl import Records

Item = TypeVar("Item")
Result = TypeVar("Result")
Noted = TypeVar("Noted")

Writing = Callable[[Item], Generator[bytes, None, Noted]]
"""A task that makes lines of an item, and returns what is to be noted of it."""


class Mend(NamedTuple):
    """What makes the lines of a part what they would be in the output of all parts together.

    Attributes:
        line: The line that one of the part's becomes.
        remembered: What the part remembers from then on.
    """

    line: Callable[[bytes], bytes]
    remembered: Any = None


class InTwoParts(InputError):
    """Something is in two parts that is needed in one.

    Attributes:
        what: That which is in both. part: Number of the earlier one, from 0. files: The names of both.
        advice: What else to do than to put the rows of a run into one file.
    """

    def __init__(self, what: str, part: int, advice: str = ""):
        super().__init__(f"{what} is in two parts")
        self.what, self.part, self.advice = what, part, advice
        self.files = "", ""


class Shardwise:
    """The work of a command on records that come in parts.

    Subclasses are made by what `pickle` takes (numbers, texts, small tables): a worker makes its own.
    """

    waits = False
    """Do the lines of a part depend on later ones, so that all must be known before the first is out?"""

    @property
    def is_partial(self) -> bool:
        """Was something lost that should be in the output?"""
        return False

    def recipe(self) -> Any:
        """All that decides what becomes of a record, as JSON: with another recipe a file is made again."""
        raise NotImplementedError

    def fresh(self) -> Shardwise:
        """One of the same settings that has seen no record; what is large and doesn't change is shared."""
        raise NotImplementedError

    def lines(self, records: Records) -> Iterator[bytes]:
        """The lines of the output."""
        raise NotImplementedError

    def losses(self) -> Losses:
        """What was lost on the way, after the work."""
        raise NotImplementedError

    def check(self) -> None:
        """Refuse an input that is no use as a whole: after its last record, before the output is there.

        Raises:
            TkstudiesError: It is none.
        """

    def noted(self) -> Any:
        """What the work on its records noted, to be sent to another process."""
        raise NotImplementedError

    def absorb(self, noted: Any) -> Mend | Shardwise | None:
        """Take what the next part noted.

        Returns:
            How its lines are to be mended, if they are; or the work that must make the part again, with what it must
            know of those before it. Then nothing was taken yet.

        Raises:
            InTwoParts: It has something that is also in an earlier part, and can't be done without that.
        """
        raise NotImplementedError

    def remember(self) -> Any:
        """What the parts that follow must know of this one even if it isn't made again, as JSON."""
        return None

    def recall(self, remembered: Any) -> Mend | Shardwise | None:
        """Take what a part remembered that was made before; otherwise as `absorb`."""
        return None


class Shards(Protocol):
    """The parts of a table, one or many, and those who work on them.

    Tasks are functions that pickle takes; results come in the order of the parts, whoever made them.
    """

    def read(self, task: Callable[[Records, str], Result]) -> Iterator[Result]:
        """What a task makes of the records of each part.

        Its second argument is where it may leave files (`jsonl.store`) that others read; empty if nobody else will.
        """

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """What a task makes of each item, one for each part."""

    def each(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """What a task makes of each of any items. It may hold what is large: each worker gets it once."""

    def lines(
        self, task: Writing[Item, Noted], items: Sequence[Item], absorb: Callable[[Noted], None]
    ) -> Iterator[bytes]:
        """The lines that a task makes of each item; what it returns after them is absorbed."""


class Whole:
    """All records are one part, on which this process works."""

    def __init__(self, records: Records):
        self._records = records

    def read(self, task: Callable[[Records, str], Result]) -> Iterator[Result]:
        yield task(self._records, "")

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return map(task, items)

    def each(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return map(task, items)

    def lines(
        self, task: Writing[Item, Noted], items: Sequence[Item], absorb: Callable[[Noted], None]
    ) -> Iterator[bytes]:
        for item in items:
            absorb((yield from task(item)))


class Mergeable(Protocol):
    """What is known of some records, and can be put together with what is known of those after them."""

    def absorb(self, other: Any, /) -> None:
        """Take what is known of the records that come after these."""


Part = TypeVar("Part", bound=Mergeable)


def merged(parts: Iterator[Part]) -> Part:
    """What is known of all parts, of which there is one at least, put together in their order."""
    first = next(parts)
    for other in parts:
        first.absorb(other)
    return first


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra with one thread while this is open: the same digits however many cores there are."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
