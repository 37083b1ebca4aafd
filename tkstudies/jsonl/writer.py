"""Records out, one JSON object a line."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, BinaryIO

from tkstudies.jsonl.codec import encode
from tkstudies.jsonl.output import STDOUT, OutputFile

_BLOCK = 1 << 18  # bytes that are written at once
_FLUSH_SECONDS = 0.05


class Writer(OutputFile):
    """Records to standard output or to a file, as JSON Lines (see `OutputFile`).

    Args:
        output: A file name, or ``-`` for standard output.
        resumable: Keep the unfinished ``FILE.part``, complete to its last whole line, when the work stops early.
        unfinished: The open ``FILE.part`` that is gone on with, instead of a new one.
        at_once: Hand on each record when it is written (a crawl), rather than when there are enough.

    Attributes:
        written: Number of records.
    """

    def __init__(
        self,
        output: str = STDOUT,
        *,
        resumable: bool = False,
        unfinished: BinaryIO | None = None,
        at_once: bool = False,
    ):
        super().__init__(output, resumable=resumable, unfinished=unfinished)
        self.written = 0
        self._at_once = at_once
        self._held: list[bytes] = []
        self._size = 0
        self._flushed = time.monotonic()

    def __enter__(self) -> Writer:
        super().__enter__()
        return self

    def write(self, record: Any) -> None:
        """Write one record as one line."""
        self.write_line(encode(record))

    def write_line(self, line: bytes) -> None:
        """Write one encoded record, given without its line end."""
        self._held.append(line)
        self._size += len(line)
        self.written += 1
        if self._size > _BLOCK or self._at_once or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand on what is held, whole: Ctrl-C waits until a slow reader has taken it."""
        super().flush()
        self._flushed = time.monotonic()

    def _hand_on(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            held.append(b"")
            self.stream.write(b"\n".join(held))


def write(records: Iterable[Any], output: str = STDOUT, **options: Any) -> int:
    """Write all records (see `Writer`); their number."""
    with Writer(output, **options) as writer:
        for record in records:
            writer.write(record)
    return writer.written


def write_lines(lines: Iterable[bytes], output: str = STDOUT, **options: Any) -> int:
    """Write all encoded records, given without their line ends; their number."""
    with Writer(output, **options) as writer:
        for line in lines:
            writer.write_line(line)
    return writer.written
