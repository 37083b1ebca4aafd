"""Rows that must wait for the end of the input: in a temporary file when they are many, not in memory."""

from __future__ import annotations

import struct
import weakref
from array import array
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
    """Lines, to be gone through as often as one likes once all are there."""

    def __init__(self) -> None:
        self._file = _temporary_file(self)
        self._starts = array("Q", [0])

    def add(self, line: bytes) -> None:
        """Add a line, given without its end."""
        _write(self._file, line + b"\n")
        self._starts.append(self._starts[-1] + len(line) + 1)

    def __iter__(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        self._file.seek(0)
        for line in self._file:
            yield line[:-1]

    def pick(self, places: Iterable[int]) -> Iterator[bytes]:
        """Some lines in an order of one's own, by their places from 0."""
        for place in places:
            self._file.seek(self._starts[place])
            yield self._file.read(self._starts[place + 1] - self._starts[place] - 1)


def as_float(value: Any) -> float:
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
    """Rows of numbers; they may get longer as they come."""

    def __init__(self) -> None:
        self._file = _temporary_file(self)
        self._blocks: list[_Block] = []

    def add(self, numbers: Sequence[Any]) -> None:
        """Add a row of numbers, None and UNSET for what is missing."""
        if not self._blocks or self._blocks[-1].width != len(numbers):
            self._blocks.append(_Block(len(numbers)))
            self._pack = struct.Struct(f"{len(numbers)}d").pack
        try:
            row = self._pack(*numbers)
        except struct.error:
            row = self._pack(*map(as_float, numbers))
        _write(self._file, row)
        self._blocks[-1].rows += 1

    def chunks(self, width: int) -> Iterator[NDArray[np.float64]]:
        """Arrays of shape (1024 rows, the last one fewer, width), NaN where a row has no number."""
        chunk, filled = np.full((_CHUNK, width), np.nan), 0
        self._file.seek(0)
        for block in self._blocks:
            rows = block.rows
            while rows:
                taken = min(rows, _CHUNK - filled)
                numbers = np.frombuffer(self._file.read(8 * taken * block.width))
                chunk[filled : filled + taken, : block.width] = numbers.reshape(taken, block.width)
                filled, rows = filled + taken, rows - taken
                if filled == _CHUNK:
                    yield chunk
                    chunk, filled = np.full((_CHUNK, width), np.nan), 0
        if filled:
            yield chunk[:filled]


def _temporary_file(owner: object) -> IO[bytes]:
    """A file that goes when its owner goes."""
    file: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY, buffering=1 << 18)  # noqa: SIM115
    weakref.finalize(owner, file.close)
    return file


def _write(file: IO[bytes], content: bytes) -> None:
    try:
        file.write(content)
    except OSError as error:
        raise OutputError(
            f"{gettempdir()}: temporary files can't be written: {error.strerror} (TMPDIR names another folder)"
        ) from None
