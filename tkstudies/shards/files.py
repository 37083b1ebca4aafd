"""The files of a table, each read by a worker, and what is done with their parts after that."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache
from tempfile import mkstemp
from typing import Any, Generic, NamedTuple, TypeVar

from tkstudies import console, jsonl
from tkstudies.errors import UsageError
from tkstudies.jsonl.store import LineStore, unwritten
from tkstudies.shards.jobs import Workers
from tkstudies.shardwise import Whole, Writing, one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")
Noted = TypeVar("Noted")


class Files:
    """Files as the parts of a table (see `shardwise.Shards`).

    Args:
        records: The files; what was skipped in them is noted there.
        several: Who works on them.
        folder: Where parts can be left.

    Attributes:
        skipped_in: The files of which lines were left out.

    Raises:
        UsageError: Standard input is among the files, and others are to read it.
    """

    def __init__(self, records: jsonl.Reader, several: Workers, folder: str):
        self._records, self._several, self._folder = records, several, folder
        self.skipped_in: set[str] = set()
        if jsonl.STDIN in records.sources and not several.shares_memory:
            raise UsageError("standard input can't be read by several processes: name a file, or leave --jobs out")

    def read(self, task: Callable[[jsonl.Records, str], Result]) -> Iterator[Result]:
        self._records.look_ahead()
        reading = _Reading(task, self._folder, bool(self._records.skips))
        for source, found in zip(self._records.sources, self.map(reading, self._records.sources), strict=True):
            self._records.note(source, found.skipped, found.is_empty)
            if found.skipped:
                self.skipped_in.add(source)
            yield found.result

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        named = [_Item(source, item) for source, item in zip(self._records.sources, items, strict=True)]
        with console.progress("files", len(items)) as bar:
            for result in self._several.map(_InOneThread(task), named):
                yield result
                bar.advance()

    def each(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return _each(self._several, self._folder, task, items)

    def lines(
        self, task: Writing[Item, Noted], items: Sequence[Item], absorb: Callable[[Noted], None]
    ) -> Iterator[bytes]:
        for lines, noted in self.map(_Written(task, self._folder), items):
            yield from lines
            lines.remove()
            absorb(noted)


class OneFile(Whole):
    """All records are one part, on which this process works; others help where the work isn't on records.

    Args:
        several, folder: As those of `Files`.
    """

    def __init__(self, records: jsonl.Reader, several: Workers, folder: str):
        super().__init__(records)
        self._several, self._folder = several, folder

    def each(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return _each(self._several, self._folder, task, items)


def _each(several: Workers, folder: str, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """What a task makes of items, each in one thread; workers find the task in a file."""
    if several.shares_memory or len(items) < 2:
        with one_thread():
            yield from map(task, items)
        return
    try:
        descriptor, file = mkstemp(dir=folder)
        with open(descriptor, "wb") as stream:
            pickle.dump(task, stream, protocol=5)
    except OSError as error:
        raise unwritten(folder, error) from None
    with console.progress("steps", len(items)) as bar:
        for result in several.map(_Kept(file), items):
            yield result
            bar.advance()
    os.unlink(file)


class _Kept:
    """A task that is in a file."""

    def __init__(self, file: str):
        self._file = file

    def __call__(self, item: Any) -> Any:
        with one_thread():
            return _task(self._file)(item)


@lru_cache(maxsize=1)
def _task(file: str) -> Callable[[Any], Any]:
    """The task that a process works on."""
    with open(file, "rb") as stream:
        task: Callable[[Any], Any] = pickle.load(stream)  # noqa: S301  # our own, in a folder of this call
    return task


class _Item(NamedTuple):
    """What a worker gets, with the file that it is about."""

    source: str
    content: Any

    def __str__(self) -> str:
        return self.source


class _Read(NamedTuple):
    """What a task made of a file. skipped: Malformed lines. is_empty: Had it no record?"""

    result: Any
    skipped: int
    is_empty: bool


class _Reading:
    def __init__(self, task: Callable[[jsonl.Records, str], Any], folder: str, skip_bad_lines: bool):
        self._task, self._folder, self._skip = task, folder, skip_bad_lines

    def __call__(self, source: str) -> _Read:
        records = jsonl.Reader([source], skip_bad_lines=self._skip)
        result = self._task(records, self._folder)
        return _Read(result, records.skipped, bool(records.empty))


class Ending(Generic[Noted]):
    """The lines of a task, which remembers what the task returns after them: ``noted``."""

    noted: Noted

    def __init__(self, lines: Generator[bytes, None, Noted]):
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        self.noted = yield from self._lines


class _Written:
    def __init__(self, task: Writing[Any, Any], folder: str):
        self._task, self._folder = task, folder

    def __call__(self, item: Any) -> tuple[LineStore, Any]:
        store, lines = LineStore(self._folder), Ending(self._task(item))
        for line in lines:
            store.add(line)
        store.finish()
        return store, lines.noted


class _InOneThread:
    def __init__(self, task: Callable[[Any], Any]):
        self._task = task

    def __call__(self, item: _Item) -> Any:
        with one_thread():
            return self._task(item.content)
