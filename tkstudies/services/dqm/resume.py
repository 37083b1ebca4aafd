"""Going on with a crawl that was stopped: the records that are there stay, the rest is added.

The unfinished output of ``-o FILE`` is ``FILE.part``; a killed ``> FILE`` leaves FILE itself. While a crawl
goes on its file only grows, so that nothing is lost however often it is stopped. What that crawl didn't
get comes behind what it got, and the file is put in order at the end, before it gets its name (see crawloutput).
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from tkstudies import console, jsonl
from tkstudies.errors import InputError, OutputError, UsageError, WrongRecord
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.jsonl import STDOUT, part
from tkstudies.services.dqm.crawl import Key

_KEPT = ".resumed"  # the name that versions before 2.0 gave to an unfinished file while they copied it


class EarlierCrawl:
    """The records of an earlier crawl.

    Args:
        name: The file that the earlier crawl was to write, or its ``.part``.
        output: Where this crawl writes: the same file, another one, or ``-``.
        lacks: Does a record lack what this crawl fetches? Then it is fetched anew.

    Attributes:
        in_place: Does this crawl write the same file?
        unfinished: The locked file that a crawl in place goes on with, None if it begins a new one.
        is_copy: Is that no more than a copy of a finished file, as yet?
        places: The number of the line of each record, from 0; the last one counts.
        starts: Where each line begins, in bytes.
        size: Where the last one ends.
        is_tidy: Is there nothing between the lines?

    Raises:
        InputError: There is nothing to go on with, or it isn't the output of a crawl.
        UsageError: Standard output is the file itself, or another process is writing it.
    """

    def __init__(
        self, name: str, output: str = STDOUT, lacks: Callable[[HistogramRecord], bool] = lambda record: False
    ):
        self._lacks = lacks
        self._final = os.path.realpath(name.removesuffix(part.SUFFIX))
        self._part = self._final + part.SUFFIX
        self.in_place = output != STDOUT and os.path.realpath(output) == self._final
        self.unfinished: BinaryIO | None = None
        self.is_copy = False
        self.places: dict[Key, int] = {}
        self.starts = array("q")
        self.size = 0
        self.is_tidy = True
        self._source: BinaryIO | None = None
        file = self._find(name)
        if not file:
            self._nothing_there(output)
        elif self.in_place:
            self._go_on_in_place(output)
        else:
            self._take_over(file, output)

    def close(self) -> None:
        """Close what is open, and so give the lock back."""
        for stream in (self._source, self.unfinished):
            if stream is not None:
                stream.close()

    def _find(self, name: str) -> str:
        """The file to read, empty if there is none."""
        if os.path.isdir(name):
            raise InputError(f"--resume: {name} is a folder, not the file of a crawl")
        if os.path.exists(self._final + _KEPT):
            if not self.in_place:
                return self._final + _KEPT
            os.replace(self._final + _KEPT, self._part)
        candidates = [self._part] if name.endswith(part.SUFFIX) else [self._part, self._final]
        candidates = [file for file in candidates if os.path.isfile(file)]
        if any(_is_stdout(file) for file in candidates):
            candidates = [file for file in candidates if not _is_stdout(file)]
            if not candidates:
                raise UsageError(f"{name} is standard output itself: write with -o {name}")
        return max(candidates, key=lambda file: (os.stat(file).st_mtime_ns, file == self._part), default="")

    def _nothing_there(self, output: str) -> None:
        tell = console.say if self.in_place or output == STDOUT else console.warn  # of another file it may be a slip
        tell(f"nothing to go on with: neither {self._part} nor {self._final} exists; starting afresh")

    def _take_over(self, file: str, output: str) -> None:
        try:
            self._source = open(file, "rb")  # noqa: SIM115 (read from as long as the crawl goes on)
            part.hold(self._source.fileno(), file, output)
            self._read(file)
        except OSError as error:
            raise InputError(f"--resume: {file}: can't be read: {error.strerror}") from None
        except (InputError, UsageError):
            self.close()
            raise

    # --- in place

    def _go_on_in_place(self, output: str) -> None:
        """Lock the unfinished file; what a newer finished one has is added to it first."""
        try:
            stream = part.reopen(self._part, output)
            if stream is None:
                self._copy_final()
                stream, self.is_copy = part.reopen(self._part, output), True
            if stream is None:
                raise UsageError(f"another crawl has finished {self._final} at this moment: try again")
            self.unfinished = stream
            self._read(self._part)
            self._cut(stream)
            if not self.is_copy and _is_newer(self._final, self._part):
                self._add_final(stream)
        except InputError:
            self.close()
            if self.is_copy:
                os.unlink(self._part)
            raise
        except OSError as error:
            self.close()
            raise OutputError(f"{self._part}: can't be written: {error.strerror}") from None

    def _copy_final(self) -> None:
        """A finished file becomes the unfinished one, at once: half a copy is never there."""
        copy = os.path.join(os.path.dirname(self._final), f".{os.path.basename(self._final)}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(self._final, copy)
            try:
                os.link(copy, self._part)
            except FileExistsError:
                pass  # another process was faster: its lock tells
            except OSError:  # no links in this file system
                os.rename(copy, self._part)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(copy)

    def _cut(self, stream: BinaryIO) -> None:
        """End the unfinished file behind its last complete record."""
        file = stream.fileno()
        if os.fstat(file).st_size > self.size:
            os.ftruncate(file, self.size)
        if self.size and os.pread(file, 1, self.size - 1) != b"\n":
            os.write(file, b"\n")
            self.size += 1

    def _add_final(self, stream: BinaryIO) -> None:
        """The records of a finished file that is newer count more."""
        for record, line, _, _ in _complete_lines(self._final):
            self._note(record, self.size)
            stream.write(line + b"\n")
            self.size += len(line) + 1
        stream.flush()

    # --- what is there

    def _read(self, file: str) -> None:
        for record, line, offset, end in _complete_lines(file):
            self.is_tidy = self.is_tidy and offset == self.size and end - offset <= len(line) + 1
            self._note(record, offset)
            self.size = end

    def _note(self, record: HistogramRecord, offset: int) -> None:
        if not self._lacks(record):
            key = record.run_number, record.reco, record.dataset, sys.intern(record.label)
            self.places[key] = len(self.starts)
        self.starts.append(offset)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, key: Any) -> bool:
        return key in self.places

    def line(self, key: Key) -> bytes:
        """The line of a record, without its line end.

        Raises:
            KeyError: There is none, or this crawl goes on in place.
        """
        if self._source is None:
            raise KeyError(key)
        self._source.seek(self.starts[self.places[key]])
        return self._source.readline().strip()


def _complete_lines(file: str) -> Iterator[tuple[HistogramRecord, bytes, int, int]]:
    """Yield (record, line, where it begins, where it ends) of each complete line of a file."""
    offset = 0
    try:
        with open(file, "rb", buffering=0) as below:
            stream = io.BufferedReader(jsonl.LimitedLines(below, f"--resume: {file}"), 1 << 18)
            for number, raw in enumerate(stream, start=1):
                line = raw.strip()
                try:
                    record = _record_of(line)
                except (*jsonl.NOT_STRICT, WrongRecord):
                    if raw.startswith(b"\x1f\x8b"):
                        raise InputError(f"--resume: {file} is packed: gunzip it first") from None
                    if not raw.endswith(b"\n"):
                        return
                    if line:
                        raise InputError(
                            f"--resume: {file}, line {number}: not a histogram record: {jsonl.quoted(line)}"
                        ) from None
                else:
                    yield record, line, offset, offset + len(raw)
                offset += len(raw)
    except OSError as error:
        raise InputError(f"--resume: {file}: can't be read: {error.strerror}") from None


def _record_of(line: bytes) -> HistogramRecord:
    try:
        return HistogramRecord.decode(line)
    except msgspec.DecodeError:
        return HistogramRecord.from_record(jsonl.decode(line))


def _is_newer(file: str, than: str) -> bool:
    try:
        return os.stat(file).st_mtime_ns > os.stat(than).st_mtime_ns and not _is_stdout(file)
    except OSError:
        return False


def _is_stdout(file: str) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(1))
    except OSError:
        return False
