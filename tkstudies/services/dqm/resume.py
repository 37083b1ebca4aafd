"""Going on with a crawl that was stopped: the records that are there stay, the rest is added.

The unfinished output of ``-o FILE`` is ``FILE.part``; a killed ``> FILE`` leaves FILE itself. While a crawl
goes on its file only grows, so that nothing is lost however often it is stopped. What that crawl didn't
get comes behind what it got, and the file is put in order at the end.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator
from typing import Any

import msgspec

from tkstudies import console, jsonl
from tkstudies.errors import InputError, OutputError, UsageError
from tkstudies.jsonl import STDOUT, Writer
from tkstudies.services.dqm.crawl import Key

_PART, _KEPT = ".part", ".resumed"


class _RecordKey(msgspec.Struct):
    """The Key of a line, the only part of a histogram record that is decoded here."""

    run_number: int
    reco: str | None
    dataset: str | None
    plot: str


_decode_key = msgspec.json.Decoder(_RecordKey).decode


class Resumed:
    """The records of an earlier crawl.

    Args:
        name: The file that the earlier crawl was to write, or its ``.part``.
        output: Where this crawl writes: the same file, another one, or ``-``.

    Attributes:
        in_place: Does this crawl write the same file?
        places: The number of the line of each record, from 0.

    Raises:
        InputError: There is nothing to go on with, or it isn't the output of a crawl.
        UsageError: Standard output is the file itself.
    """

    def __init__(self, name: str, output: str = STDOUT):
        self._final = os.path.realpath(name.removesuffix(_PART))
        self.in_place = output != STDOUT and os.path.realpath(output) == self._final
        self._source = self._find(name)
        self.places: dict[Key, int] = {}
        self._offsets = array("q")
        for record, _, offset in _complete_lines(self._source):
            key = record.run_number, record.reco, record.dataset, sys.intern(record.plot)
            self.places.setdefault(key, len(self._offsets))
            self._offsets.append(offset)

    def _find(self, name: str) -> str:
        if os.path.isdir(name):
            raise InputError(f"--resume: {name} is a folder, not the file of a crawl")
        kept, part = self._final + _KEPT, self._final + _PART
        if os.path.exists(kept):
            return kept  # stopped while its lines were copied
        candidates = [part] if name.endswith(_PART) else [part, self._final]
        candidates = [file for file in candidates if os.path.isfile(file)]
        if any(_is_stdout(file) for file in candidates):
            candidates = [file for file in candidates if not _is_stdout(file)]
            if not candidates:
                raise UsageError(f"{name} is standard output itself: write with -o {name}")
        if not candidates:
            if not self.in_place:
                raise InputError(f"--resume: neither {part} nor {self._final} exists")
            console.warn(f"nothing to go on with: neither {part} nor {self._final} exists; starting afresh")
            return ""
        return max(candidates, key=lambda file: (os.stat(file).st_mtime_ns, file == part))

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, key: Any) -> bool:
        return key in self.places

    def line(self, key: Key) -> bytes:
        """The line of a record, without its line end."""
        with open(self._source, "rb") as stream:
            stream.seek(self._offsets[self.places[key]])
            return stream.readline().rstrip(b"\n")

    def begin(self, output: str) -> Writer:
        """The unfinished file of a crawl that goes on in place, with all that is there."""
        part, kept = self._final + _PART, self._final + _KEPT
        if self._source == part:
            try:
                os.replace(part, kept)
            except OSError as error:
                raise OutputError(f"{part}: can't be renamed: {error.strerror}") from None
            self._source = kept
        writer = Writer(output, resumable=True, at_once=True)
        for _, line, _ in _complete_lines(self._source):
            writer.write_line(line)
        writer.flush()
        if self._source == kept:
            os.unlink(kept)
        return writer


class Crawl:
    """Where a crawl writes its records, in order, together with those of an earlier one.

    Args:
        output: A file name, or ``-`` for standard output.
        resumed: What an earlier crawl left, if any.
    """

    def __init__(self, output: str, resumed: Resumed | None = None):
        self._output = output
        self._resumed = resumed
        self._in_place = resumed if resumed is not None and resumed.in_place else None
        self._order = array("q")  # the numbers of the lines of the file, in the order that they shall have
        self._writer: Writer
        self.added = 0

    def __enter__(self) -> Crawl:
        if self._in_place is not None:
            self._writer = self._in_place.begin(self._output)
        else:
            self._writer = Writer(self._output, resumable=True, at_once=True)
        self._writer.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        lines = self._writer.written
        self._writer.__exit__(*failure)
        if failure[0] is None and self._in_place is not None and self._order != array("q", range(lines)):
            self._put_in_order(lines - len(self._order))

    def add(self, line: bytes) -> None:
        """Write a new record."""
        self._order.append(self._writer.written)
        self._writer.write_line(line)
        self.added += 1

    def keep(self, key: Key) -> None:
        """Take over a record of the earlier crawl."""
        if self._in_place is not None:
            self._order.append(self._in_place.places[key])
        elif self._resumed is not None:
            self._writer.write_line(self._resumed.line(key))

    def _put_in_order(self, surplus: int) -> None:
        if surplus:
            console.warn(f"{console.counted(surplus, 'record')} of the earlier crawl weren't asked for: left out")
        starts = array("q", (offset for _, _, offset in _complete_lines(self._output)))
        with open(self._output, "rb") as stream, Writer(self._output) as writer:
            for number in self._order:
                stream.seek(starts[number])
                writer.write_line(stream.readline().rstrip(b"\n"))


def _complete_lines(file: str) -> Iterator[tuple[_RecordKey, bytes, int]]:
    """Yield (key, line, offset) of each complete line of a file; nothing if its name is empty."""
    if not file:
        return
    offset = 0
    try:
        with open(file, "rb") as stream:
            for number, raw in enumerate(stream, start=1):
                line = raw.strip()
                try:
                    record = _decode_key(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    if raw.startswith(b"\x1f\x8b"):
                        raise InputError(f"--resume: {file} is packed: gunzip it first") from None
                    if not raw.endswith(b"\n"):
                        return
                    if line:
                        raise InputError(
                            f"--resume: {file}, line {number}: not a histogram record: {jsonl.quoted(line)}"
                        ) from None
                else:
                    yield record, line, offset
                offset += len(raw)
    except OSError as error:
        raise InputError(f"--resume: {file}: can't be read: {error.strerror}") from None


def _is_stdout(file: str) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(1))
    except OSError:
        return False
