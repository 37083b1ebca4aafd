"""Rows that must wait for the end of the input: in a temporary file when they are many, not in memory."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, nan
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies.errors import OutputError

_IN_MEMORY = 1 << 23  # bytes
_CHUNK = 1024  # rows


class LineStore:
    """Lines, to be gone through as often as one likes once all are there.

    Args:
        on_disk: Keep even a few in a file, which a forked process can write.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._file = _temporary_file(self, on_disk)
        self._next: list[LineStore] = []

    def add(self, line: bytes) -> None:
        """Add a line, given without its end."""
        _write(self._file, line + b"\n")

    def extend(self, other: LineStore) -> None:
        """Go on with the lines of another store."""
        self._next.append(other)

    def flush(self) -> None:
        """From a forked process, hand the lines to the one that goes through them."""
        self._file.flush()

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        yield from self._file
        for store in self._next:
            yield from store


def _as_float(value: Any) -> float:
    """The number for the matrix, NaN where there is none; one beyond all floats is infinite."""
    try:
        return nan if value is None or value is UNSET else float(value)
    except OverflowError:
        return inf if value > 0 else -inf


@dataclass
class _Block:
    """Rows of the same width, one after the other in a file."""

    width: int
    rows: int = 0


class NumberStore:
    """Rows of numbers; they may get longer as they come.

    Args:
        on_disk: Keep even a few in a file, which a forked process can write.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._file = _temporary_file(self, on_disk)
        self._blocks: list[_Block] = []
        self._next: list[tuple[NumberStore, list[int]]] = []

    def add(self, numbers: Sequence[Any]) -> None:
        """Add a row of numbers, None and UNSET for what is missing."""
        if not self._blocks or self._blocks[-1].width != len(numbers):
            self._blocks.append(_Block(len(numbers)))
            self._pack = struct.Struct(f"{len(numbers)}d").pack
        try:
            row = self._pack(*numbers)
        except struct.error:
            row = self._pack(*map(_as_float, numbers))
        _write(self._file, row)
        self._blocks[-1].rows += 1

    def extend(self, other: NumberStore, places: list[int]) -> None:
        """Go on with the rows of another store, whose numbers have their ``places`` in the rows of this one."""
        self._next.append((other, places))

    def flush(self) -> list[tuple[int, int]]:
        """From a forked process, hand the rows to the one that reads them, which ``restore`` tells of them."""
        self._file.flush()
        return [(block.width, block.rows) for block in self._blocks]

    def restore(self, blocks: Iterable[Sequence[int]]) -> None:
        """Know the rows that a forked process has written."""
        self._blocks = [_Block(*block) for block in blocks]

    def chunks(self, width: int) -> Iterator[NDArray[np.float64]]:
        """Arrays of shape (1024 rows, the last one fewer, width), NaN where a row has no number."""
        chunk, filled = np.full((_CHUNK, width), np.nan), 0
        for places, block, file in self._all_blocks():
            rows = block.rows
            while rows:
                taken = min(rows, _CHUNK - filled)
                numbers = np.frombuffer(file.read(8 * taken * block.width))
                chunk[filled : filled + taken, places] = numbers.reshape(taken, block.width)
                filled, rows = filled + taken, rows - taken
                if filled == _CHUNK:
                    yield chunk
                    chunk, filled = np.full((_CHUNK, width), np.nan), 0
        if filled:
            yield chunk[:filled]

    def _all_blocks(self) -> Iterator[tuple[slice | list[int], _Block, IO[bytes]]]:
        """The blocks of this store and of those that follow, each with the columns of its numbers."""
        self._file.seek(0)
        for block in self._blocks:
            yield slice(block.width), block, self._file
        for store, places in self._next:
            for own, block, file in store._all_blocks():
                there = places[own]
                yield slice(block.width) if there == list(range(block.width)) else there, block, file


def _temporary_file(owner: object, on_disk: bool) -> IO[bytes]:
    """A file that goes when its owner goes."""
    file = SpooledTemporaryFile(max_size=_IN_MEMORY, buffering=1 << 18)  # noqa: SIM115
    weakref.finalize(owner, file.close)
    if on_disk:
        try:
            file.rollover()
        except OSError as error:
            raise _unwritable(error) from None
    return file


def _write(file: IO[bytes], content: bytes) -> None:
    try:
        file.write(content)
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> OutputError:
    return OutputError(
        f"{gettempdir()}: temporary files can't be written: {error.strerror} (TMPDIR names another folder)"
    )
