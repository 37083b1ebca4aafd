"""Reading and writing records: the one place that touches standard input, standard output and record files.

A stream of records is JSON Lines or one JSON array of objects, plain or gzip. Records come out as JSON Lines.
"""

from __future__ import annotations

import errno
import io
import math
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import msgspec

from tkstudies.errors import InputError, OutputError, ReaderGone, UsageError, WrongRecord

Record = dict[str, Any]

STDIN = "-"
STDOUT = "-"
_BOM = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\r\n\v\f"
_BLOCK = 1 << 18  # bytes that are read or written at once
_WORTH_A_READER = 1 << 24  # bytes
_FLUSH_SECONDS = 0.05

_decode_any = msgspec.json.Decoder().decode
_encode_any = msgspec.json.Encoder().encode


class BadRecord(ValueError):
    """A line that isn't a JSON object."""


# --- one record


def decode(line: bytes | str) -> Record:
    """One record from one line; NaN and Infinity are accepted and become None.

    Integers of any size stay integers.

    Raises:
        BadRecord: The line isn't one JSON object.
    """
    value = decode_value(line)
    if type(value) is not dict:
        raise BadRecord("not a JSON object")
    return value


def decode_strictly(line: bytes) -> Record:
    """One record from one line of strict JSON.

    Raises:
        BadRecord: The line isn't a JSON object.
        msgspec.DecodeError: It isn't strict JSON.
    """
    value = _decode_any(line)
    if type(value) is not dict:
        raise BadRecord("not a JSON object")
    return value


def decode_value(text: bytes | str) -> Any:
    """Any JSON value, otherwise as decode."""
    try:
        return _decode_any(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(text)


def _decode_leniently(line: bytes | str) -> Any:
    """What msgspec refuses but JSON writers produce: bare NaN and Infinity, lone surrogates, 1e999."""
    import json

    try:
        return finite(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise BadRecord(str(error)) from None


def encode(record: Any) -> bytes:
    """A value as one line of JSON, without the line end; numbers that aren't finite become null."""
    try:
        return _encode_any(record)
    except UnicodeEncodeError:
        import json

        return json.dumps(finite(record), separators=(",", ":")).encode()


def finite(value: Any) -> Any:
    """The same value with None for every number that isn't finite.

    >>> finite({"a": [1, float("nan")], "b": float("inf")})
    {'a': [1, None], 'b': None}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, list):
        return [finite(member) for member in value]
    return value


_NOT_STRICT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRecord)


# --- reading


class Reader:
    """The records of one or several sources, one after the other.

    Args:
        sources: File names; ``-`` is standard input, and may come once.
        skip_bad_lines: Count malformed lines in ``skipped`` instead of failing at the first; None where the
            user has no such choice.
        expected: What a person at a terminal is told to bring, e.g. ``"run records"``.

    Raises:
        UsageError: Standard input is a terminal, or is named twice.
        InputError: A source can't be read, or (while iterating) a line is malformed.
    """

    def __init__(
        self, sources: Iterable[str], *, skip_bad_lines: bool | None = None, expected: str = "records"
    ):
        self.sources = list(sources)
        self.skipped = 0
        self._skip = skip_bad_lines
        self._parts = [_Part(source) for source in self.sources]
        if self.sources.count(STDIN) > 1:
            raise UsageError("standard input (-) can be read only once: name a file for the other input")
        for source in self.sources:
            _check_source(source, expected)

    def __iter__(self) -> Iterator[Record]:
        for _, record in self.lines():
            yield record

    def lines(self, decoder: Callable[[bytes], Any] | None = None) -> Iterator[tuple[bytes, Any]]:
        """Yield each line, stripped of its line end, with what ``decoder`` makes of it.

        ``decoder`` raises ``msgspec.DecodeError`` or BadRecord for what isn't strict JSON; it needn't look at all
        of the text. A line with NaN or Infinity is rewritten with nulls and given to it again; if it still
        refuses, the record is a dict.
        """
        for part in self._parts:
            self._source, self._number = part.source, 0
            with opened(part.source, part.start) as stream:
                yield from self._lines(part, stream, decoder or decode_strictly)

    def _lines(
        self, part: _Part, stream: BinaryIO, decoder: Callable[[bytes], Any]
    ) -> Iterator[tuple[bytes, Any]]:
        try:
            for self._number, raw in enumerate(part.lines(stream), start=1):
                line = raw.strip(_WHITESPACE)
                if not line:
                    continue
                try:
                    if not line.isascii():
                        line.decode()  # msgspec doesn't look into the texts that it skips
                    record = decoder(line)
                except _NOT_STRICT:
                    try:
                        record = decode(line)
                    except BadRecord:
                        self._bad(line)
                        continue
                    line = encode(record)
                    with suppress(*_NOT_STRICT):
                        record = decoder(line)
                yield line, record
        except (OSError, EOFError) as error:
            raise InputError(
                f"{shown(self._source)}: can't be read after line {self._number}: {_reason(error)}"
            ) from None

    def split(self, most: int) -> list[Reader]:
        """Readers of consecutive parts of the same lines, at most so many; [self] where it can't be or isn't worth it.

        Only plain files can be read from their middle. A reader that doesn't begin at the beginning of a file
        counts its lines from where it begins.
        """
        sizes = [_size_to_split(source) for source in self.sources]
        most = min(most, sum(sizes) // _WORTH_A_READER) if all(sizes) else 1
        if most < 2:
            return [self]
        parts: list[list[_Part]] = [[] for _ in range(most)]
        before, total = 0, sum(sizes)
        for source, size in zip(self.sources, sizes, strict=True):
            cuts = [min(max(total * number // most - before, 0), size) for number in range(most + 1)]
            starts = [_next_line(source, cut) for cut in cuts]
            for own, start, end in zip(parts, starts, starts[1:], strict=False):
                if end > start:
                    own.append(_Part(source, start, end))
            before += size
        return [self._of(own) for own in parts]

    def _of(self, parts: list[_Part]) -> Reader:
        reader = copy(self)
        reader._parts = parts
        return reader

    @contextmanager
    def located(self) -> Iterator[None]:
        """Tell the file and line of a WrongRecord that is raised while this reader's records are gone through."""
        try:
            yield
        except WrongRecord as error:
            raise InputError(f"{self._place()}: {error}") from None

    def _place(self) -> str:
        return f"{shown(self._source)}, line {self._number}"

    def _bad(self, line: bytes) -> None:
        if not self._skip:
            advice = _advice(line) or (
                "" if self._skip is None else " (--skip-bad-lines leaves such lines out)"
            )
            raise InputError(f"{self._place()}: not a JSON object: {quoted(line)}{advice}")
        self.skipped += 1


class _Part(NamedTuple):
    """A source, or its whole lines between two places in a plain file."""

    source: str
    start: int = 0
    end: int | None = None

    def lines(self, stream: BinaryIO) -> Iterable[bytes]:
        if self.end is None:
            return _lines_or_array(self.source, stream)
        return _lines_of(stream, self.end - self.start)


def _lines_of(stream: BinaryIO, size: int) -> Iterator[bytes]:
    for line in stream:
        yield line
        size -= len(line)
        if size <= 0:
            return


def _size_to_split(source: str) -> int:
    """The size of a plain file that begins with a record, 0 for everything else."""
    if source == STDIN or not os.path.isfile(source):
        return 0
    try:
        with open(source, "rb") as stream:
            return os.fstat(stream.fileno()).st_size if stream.read(1) == b"{" else 0
    except OSError:
        return 0


def _next_line(source: str, place: int) -> int:
    """Where the next line begins, from a place in a file on."""
    if not place:
        return 0
    with open(source, "rb") as stream:
        stream.seek(place - 1)
        stream.readline()
        return stream.tell()


def _advice(line: bytes) -> str:
    if line == b"{":
        return " (a record over several lines? jq -c writes one line each)"
    return " (a web page, perhaps of a login)" if line[:1] == b"<" else ""


def read(source: str, **options: Any) -> Iterator[Record]:
    """The records of one file, or of standard input for ``-`` (see Reader)."""
    return iter(Reader([source], **options))


def read_value(file: str, expected: str = "JSON") -> Any:
    """The one JSON value that a file holds, over as many lines as it likes.

    Raises:
        InputError: The file can't be read, or holds something else.
    """
    _check_source(file, expected)
    with opened(file) as stream:
        try:
            return decode_value(stream.read().removeprefix(_BOM))
        except (OSError, EOFError, BadRecord) as error:
            raise InputError(f"{shown(file)} is not {expected}: {_reason(error)}") from None


def shown(source: str) -> str:
    """The name of a source in a message."""
    return "standard input" if source == STDIN else source


def quoted(line: bytes, most: int = 80) -> str:
    """The beginning of a line, safe for a terminal.

    >>> quoted(b'{"run_number": \\x1b[31m')
    '{"run_number": \\\\x1b[31m'
    """
    text = line[: 4 * most].decode("utf-8", "backslashreplace")[:most]
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text + ("..." if len(line) > most else "")


def _check_source(source: str, expected: str) -> None:
    if source != STDIN:
        if os.path.isdir(source):
            raise InputError(f"{source}: is a folder, not a file of {expected}")
        if not os.path.exists(source):
            raise InputError(f"{source}: no such file")
    elif sys.stdin is None or sys.stdin.closed:
        raise InputError(f"standard input is closed: name a file of {expected}")
    elif sys.stdin.isatty():
        raise UsageError(
            f"expects {expected} on standard input or in a file (-i FILE), and standard input is a terminal"
        )
    if _is_our_output(source):
        raise InputError(f"{shown(source)}: is also the output, which would never end: write it with -o")


def _is_our_output(source: str) -> bool:
    """Has the shell opened this file as our standard output (``< FILE >> FILE``)?"""
    try:
        theirs = os.fstat(sys.stdin.fileno()) if source == STDIN else os.stat(source)
        ours = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISREG(ours.st_mode) and os.path.samestat(theirs, ours)


@contextmanager
def opened(source: str, start: int = 0) -> Iterator[BinaryIO]:
    """The plain bytes of a source, whatever it is packed in; standard input stays open."""
    try:
        below: Any = sys.stdin.buffer if source == STDIN else open(source, "rb", buffering=0)  # noqa: SIM115
        if start:
            below.seek(start)
        stream = io.BufferedReader(_Source(below), _BLOCK)
        packed = stream.peek(1)[:1] == b"\x1f"  # gzip's first byte, which begins no JSON text
    except OSError as error:
        raise InputError(f"{shown(source)}: can't be read: {_reason(error)}") from None
    try:
        yield _unpacked(stream) if packed else stream
    finally:
        if source != STDIN:
            below.close()


class _Source(io.RawIOBase):
    """What is below a buffer: before it waits for input, those who read our output get what is ready."""

    def __init__(self, stream: Any):
        self._read = getattr(stream, "readinto1", stream.readinto)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        for writer in _open_writers:
            writer.flush()
        return self._read(buffer)


def _unpacked(stream: BinaryIO) -> BinaryIO:
    import gzip

    return io.BufferedReader(gzip.GzipFile(fileobj=stream), _BLOCK)


def _lines_or_array(source: str, stream: BinaryIO) -> Iterable[bytes]:
    """The lines of a stream; the members of an array as if each were a line of its own."""
    first = stream.readline().removeprefix(_BOM)
    blank = []
    while first and not first.strip(_WHITESPACE):
        blank.append(first)
        first = stream.readline()
    if first.lstrip(_WHITESPACE)[:1] == b"[":
        return _members(source, first + stream.read())
    return chain(blank, [first], stream)


def _members(source: str, text: bytes) -> list[bytes]:
    try:
        members = msgspec.json.decode(text, type=list[msgspec.Raw])
        return [bytes(member).replace(b"\n", b" ") for member in members]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    import json

    try:
        return [encode(member) for member in finite(json.loads(text))]
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{shown(source)}{where}: not a JSON array of records: {error}") from None


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# --- writing


_open_writers: list[Writer] = []


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C takes effect after this: an interrupted write would leave half a line."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Writer:
    """Records to standard output, or to a file that appears only when all are written.

    A file is written beside its final place and renamed at success, so that nobody sees half of it and a
    failure leaves an older one as it was.

    Args:
        output: A file name, or ``-`` for standard output.
        resumable: Keep the unfinished ``FILE.part``, complete to its last whole line, when the work stops early.
        at_once: Hand on each record when it is written (a crawl), rather than when there are enough.

    Raises:
        OutputError: The file can't be written, or the disk is full.
        ReaderGone: The reader of standard output has closed it.
    """

    def __init__(self, output: str = STDOUT, *, resumable: bool = False, at_once: bool = False):
        self.written = 0
        self._name = output
        self._resumable = resumable
        self._at_once = at_once
        self._held: list[bytes] = []
        self._size = 0
        self._flushed = time.monotonic()
        self._final = self._temporary = None
        if output == STDOUT:
            if sys.stdout is None or sys.stdout.closed:
                raise OutputError("standard output is closed: name a file with -o")
            self.stream = sys.stdout.buffer
        else:
            self._open_file(output)

    def _open_file(self, output: str) -> None:
        try:
            mode = os.stat(output).st_mode if os.path.exists(output) else None
            if mode is not None and stat.S_ISDIR(mode):
                raise OutputError(f"{output}: is a folder: name a file")
            if mode is not None and not stat.S_ISREG(mode):
                self.stream = open(output, "wb")  # noqa: SIM115  # a device or a pipe
                return
            self._final = os.path.realpath(output)
            folder, base = os.path.split(self._final)
            unfinished = f"{base}.part" if self._resumable else f".{base}.{os.getpid()}.tmp"
            self._temporary = os.path.join(folder, unfinished)
            self.stream = open(self._temporary, "wb")  # noqa: SIM115
            if mode is not None:
                os.chmod(self._temporary, stat.S_IMODE(mode))
        except OSError as error:
            raise OutputError(f"{output}: can't be written: {_reason(error)}") from None

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
        try:
            with _uninterrupted():
                self._write_held()
                self.stream.flush()
        except (OSError, ValueError) as error:
            self._failed(error)
        self._flushed = time.monotonic()

    def _write_held(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            held.append(b"")
            self.stream.write(b"\n".join(held))

    def __enter__(self) -> Writer:
        _open_writers.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _open_writers.remove(self)
        if kind is None:
            self._finish()
        else:
            self._abandon()

    def _finish(self) -> None:
        self.flush()
        if self._name == STDOUT:
            return
        try:
            self.stream.close()
            if self._final:
                os.replace(self._temporary, self._final)
        except OSError as error:
            self._failed(error)

    def _abandon(self) -> None:
        """The work failed: whole lines that are out stay out, a file that isn't finished doesn't appear."""
        try:
            with _uninterrupted():
                self._write_held()
                self.stream.flush()
            if self._name != STDOUT:
                self.stream.close()
        except (OSError, ValueError):
            self._silence()
        if self._temporary and not self._resumable and os.path.exists(self._temporary):
            os.unlink(self._temporary)

    def _failed(self, error: Exception) -> None:
        self._silence()
        gone = isinstance(error, BrokenPipeError) or getattr(error, "errno", None) == errno.EPIPE
        if gone:
            raise ReaderGone from None
        name = "standard output" if self._name == STDOUT else self._name
        raise OutputError(f"{name}: can't be written: {_reason(error)}") from None

    def _silence(self) -> None:
        """Keep the interpreter's last flush from failing once more, where nobody can catch it."""
        if self._name != STDOUT:
            with suppress(OSError, ValueError):
                self.stream.close()
        elif self.stream is getattr(sys.__stdout__, "buffer", None):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.__stdout__.fileno())
            os.close(nowhere)


def write(records: Iterable[Any], output: str = STDOUT, **options: Any) -> int:
    """Write all records (see Writer); their number."""
    with Writer(output, **options) as writer:
        for record in records:
            writer.write(record)
    return writer.written
