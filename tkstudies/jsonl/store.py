"""Rows that must wait for the end of the input: in a temporary file when they are many, not in memory.

A store in a folder can be sent to another process, which reads its file there.
"""

from __future__ import annotations

import os
import struct
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, nan
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile, gettempdir, mkstemp
from typing import IO, Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies.errors import OutputError

_IN_MEMORY = 1 << 23  # bytes
_BUFFER = 1 << 18
_CHUNK = 1024  # rows


class _Store:
    """A file that grows, and is read once all is in it.

    Args:
        folder: Where; empty for a file of this process, which goes with the store.
    """

    def __init__(self, folder: str = ""):
        self._folder, self._name = folder, ""
        if folder:
            try:
                descriptor, self._name = mkstemp(dir=folder)
            except OSError as error:
                raise unwritten(folder, error) from None
            self._file: IO[bytes] = os.fdopen(descriptor, "wb", buffering=_BUFFER)
        else:
            self._file = SpooledTemporaryFile(max_size=_IN_MEMORY, buffering=_BUFFER)  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def finish(self) -> None:
        """Nothing will be added any more."""
        if self._name and "_file" in vars(self):
            try:
                self._file.close()
            except OSError as error:
                raise unwritten(self._folder, error) from None

    def remove(self) -> None:
        """The file of a store in a folder isn't needed any more."""
        if self._name:
            os.unlink(self._name)

    def __getstate__(self) -> dict[str, Any]:
        self.finish()
        return {name: value for name, value in vars(self).items() if name not in ("_file", "_pack")}

    def _write(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            raise unwritten(self._folder, error) from None

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        if not self._name:
            self._file.seek(0)
            yield self._file
            return
        self.finish()
        try:
            stream = open(self._name, "rb", buffering=_BUFFER)  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"{self._folder}: a temporary file can't be read again: {error.strerror}") from None
        with stream:
            yield stream


class LineStore(_Store):
    """Lines, to be gone through as often as one likes once all are there."""

    def __init__(self, folder: str = "") -> None:
        super().__init__(folder)
        self._starts = array("Q", [0])

    def add(self, line: bytes) -> None:
        """Add a line, given without its end."""
        self._write(line + b"\n")
        self._starts.append(self._starts[-1] + len(line) + 1)

    def __iter__(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        with self._reading() as stream:
            for line in stream:
                yield line[:-1]

    def pick(self, places: Iterable[int]) -> Iterator[bytes]:
        """Some lines in an order of one's own, by their places from 0."""
        with self._reading() as stream:
            for place in places:
                stream.seek(self._starts[place])
                yield stream.read(self._starts[place + 1] - self._starts[place] - 1)

    def absorb(self, other: LineStore) -> None:
        """Take the lines of another, which goes; both are finished and in a folder."""
        try:
            with other._reading() as source, open(self._name, "ab") as stream:
                copyfileobj(source, stream, _BUFFER)
        except OSError as error:
            raise unwritten(self._folder, error) from None
        end = self._starts[-1]
        self._starts.extend([end + start for start in other._starts[1:]])
        other.remove()


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


class NumberStore(_Store):
    """Rows of numbers; they may get longer as they come."""

    def __init__(self, folder: str = "") -> None:
        super().__init__(folder)
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
        self._write(row)
        self._blocks[-1].rows += 1

    def chunks(self, width: int) -> Iterator[NDArray[np.float64]]:
        """Arrays of shape (1024 rows, the last one fewer, width), NaN where a row has no number."""
        chunk, filled = np.full((_CHUNK, width), np.nan), 0
        with self._reading() as stream:
            for block in self._blocks:
                rows = block.rows
                while rows:
                    taken = min(rows, _CHUNK - filled)
                    numbers = np.frombuffer(stream.read(8 * taken * block.width))
                    chunk[filled : filled + taken, : block.width] = numbers.reshape(taken, block.width)
                    filled, rows = filled + taken, rows - taken
                    if filled == _CHUNK:
                        yield chunk
                        chunk, filled = np.full((_CHUNK, width), np.nan), 0
        if filled:
            yield chunk[:filled]


def unwritten(folder: str, error: OSError) -> OutputError:
    """What to say of a temporary file that can't be written."""
    folder = folder or gettempdir()
    return OutputError(f"{folder}: temporary files can't be written: {error.strerror} (TMPDIR names another folder)")
