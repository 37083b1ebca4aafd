"""Opening what a user names: standard input or a file, plain or gzip, JSON Lines or one JSON array.

What isn't ours (UTF-16, Parquet, ROOT, a CSV table, a web page) is refused in words.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from tkstudies import settings
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl.codec import MOST_DIGITS, decode_value, encode, loads
from tkstudies.jsonl.output import flush_outputs, reason

if TYPE_CHECKING:
    Stream = io.BufferedReader[Any]

STDIN = "-"
WHITESPACE = b" \t\r\n\v\f"

_BOM = b"\xef\xbb\xbf"
_BLOCK = 1 << 18  # bytes that are read at once
_LARGE_INTEGER = re.compile(rb"[0-9]{%d}" % (MOST_DIGITS + 1))
_DEEP = 900  # lists and objects in each other that are read everywhere
_FEW = 1 << 12  # bytes that tell what a file is
_SAVE_AS_CSV = "save it as CSV UTF-8, which tkstudies export --to jsonl reads"
_OTHER_FORMATS = {
    b"PAR1": ("a Parquet file", "tkstudies export --to jsonl reads it"),
    b"root\0": ("a ROOT file", "no command reads it, histograms come from tkstudies dqm"),
    b"PK\3\4": ("an Excel workbook or a zip archive", _SAVE_AS_CSV),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", _SAVE_AS_CSV),
    b"ARROW1": ("an Arrow (Feather) file", "write it as Parquet, which tkstudies export --to jsonl reads"),
    b"\x89HDF": ("an HDF5 file", "write it as Parquet, which tkstudies export --to jsonl reads"),
    b"SQLite format 3\0": ("an SQLite file", "write the table as CSV, which tkstudies export --to jsonl reads"),
    b"BZh": ("packed with bzip2", "bunzip2 unpacks it"),
    b"\xfd7zXZ": ("packed with xz", "unxz unpacks it"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unzstd unpacks it"),
    b"\x89PNG": ("a picture", "name a file of records"),
    b"%PDF-": ("a PDF file", "name a file of records"),
}
"""How a source begins that is neither JSON nor text: what it is, and what to do with it."""

_UTF16_ADVICE = (
    "tkstudies export --to jsonl reads it if it is a table, iconv -f UTF-16 -t UTF-8 makes other text readable"
)


def is_utf16(beginning: bytes) -> bool:
    """Is it UTF-16, with or without a byte order mark?"""
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return len(beginning) >= 8 and (not any(beginning[:16:2]) or not any(beginning[1:16:2])) and any(beginning[:16])


def other_format(beginning: bytes, expected: str = "JSON Lines") -> str:
    """What a source is that begins so, and what to do with it; empty for JSON, tables and other text in UTF-8.

    >>> other_format(b"PAR1...")
    'is a Parquet file, not JSON Lines: tkstudies export --to jsonl reads it'
    """
    for known, (what, advice) in _OTHER_FORMATS.items():
        if beginning.startswith(known):
            return f"is {what}, not {expected}: {advice}"
    return f"is UTF-16 text, not {expected}: {_UTF16_ADVICE}" if is_utf16(beginning) else ""


def beginning_of(source: str) -> bytes:
    """The first kilobytes of a source that is opened later; nothing if it can't be looked at before."""
    try:
        if source == STDIN:
            return bytes(sys.stdin.buffer.peek(1)) if hasattr(sys.stdin.buffer, "peek") else b""
        if not stat.S_ISREG(os.stat(source).st_mode):
            return b""
        with opened(source) as stream:
            return stream.read(_FEW)
    except (OSError, EOFError, InputError):  # told when it is read
        return b""


def size_of(sources: Iterable[str]) -> int:
    """How many bytes some files have together, as far as that is known before they are read."""
    found = 0
    for source in sources:
        with suppress(OSError, ValueError, AttributeError):
            about = os.fstat(sys.stdin.fileno()) if source == STDIN else os.stat(source)
            found += about.st_size if stat.S_ISREG(about.st_mode) else 0
    return found


def shown(source: str) -> str:
    """The name of a source in a message."""
    return "standard input" if source == STDIN else source


def check_source(source: str, expected: str) -> None:
    """Refuse what can't be read before anything is written.

    Raises:
        UsageError: Standard input is a terminal.
        InputError: There is no such file, or it is a folder, or our own output.
    """
    if source != STDIN:
        if os.path.isdir(source):
            raise InputError(f"{source}: is a folder, not a file of {expected}")
        if not os.path.exists(source):
            raise InputError(f"{source}: no such file")
        settings.current.inputs.add(source)
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
def opened(source: str) -> Iterator[Stream]:
    """The plain bytes of a source, whatever it is packed in; standard input stays open."""
    max_line()  # a setting that is wrong is told before anything is opened
    try:
        below: Any = sys.stdin.buffer if source == STDIN else open(source, "rb", buffering=0)  # noqa: SIM115
        stream: Stream = io.BufferedReader(_Source(below, shown(source)), _BLOCK)
        packed = stream.peek(1)[:1] == b"\x1f"  # gzip's first byte, which begins no JSON text
    except OSError as error:
        raise InputError(f"{shown(source)}: can't be read: {reason(error)}") from None
    try:
        yield _unpacked(stream, shown(source)) if packed else stream
    finally:
        if source != STDIN:
            below.close()


class LimitedLines(io.RawIOBase):
    """What is below a buffer: refuses a line that would fill the memory.

    Args:
        stream: Where bytes come from.
        name: What the source is called in a message.
    """

    def __init__(self, stream: Any, name: str):
        self._read = getattr(stream, "readinto1", stream.readinto)
        self._name = name
        self._most = max_line()
        self._line = 0  # bytes of the line that isn't at its end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._read(buffer)
        end = _last_line_end(buffer, count or 0)
        self._line = self._line + (count or 0) if end < 0 else (count or 0) - end
        if self._line > self._most:
            raise InputError(f"{self._name}: a line of more than {_too_much('TKSTUDIES_MAX_LINE', self._most)}")
        return count


def _last_line_end(buffer: memoryview, count: int) -> int:
    """Where the last line end stands, -1 if there is none; it is mostly near the end."""
    tail = max(count - _FEW, 0)
    end = bytes(buffer[tail:count]).rfind(b"\n")
    return tail + end if end >= 0 else bytes(buffer[:tail]).rfind(b"\n")


class _Source(LimitedLines):
    """Before it waits for input, those who read our output get what is ready."""

    def readinto(self, buffer: Any) -> int | None:
        flush_outputs()
        return super().readinto(buffer)


class _Unpacked(LimitedLines):
    """What is in a gzip file; one that is damaged fails as a damaged disk does."""

    def __init__(self, stream: Stream, name: str):
        import gzip
        import zlib

        super().__init__(gzip.GzipFile(fileobj=stream), name)
        self._damage = zlib.error

    def readinto(self, buffer: Any) -> int | None:
        try:
            return super().readinto(buffer)
        except self._damage as error:
            raise OSError(f"damaged gzip data: {error}") from None


def _unpacked(stream: Stream, name: str) -> Stream:
    return io.BufferedReader(_Unpacked(stream, name), _BLOCK)


def max_line() -> int:
    """Bytes that a line may have: TKSTUDIES_MAX_LINE [MB], 64 by default."""
    return settings.megabytes("TKSTUDIES_MAX_LINE", 64)


def _too_much(variable: str, most: int) -> str:
    return f"{most / 1e6:g} MB ({variable} allows more)"


def lines_of(source: str, stream: Stream) -> Iterable[bytes]:
    """The lines of a stream; the members of an array as if each were a line of its own."""
    first = stream.readline().removeprefix(_BOM)
    blank = []
    while first and not first.strip(WHITESPACE):
        blank.append(first)
        first = stream.readline()
    if first.lstrip(WHITESPACE)[:1] == b"[":
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
        return [encode(member) for member in loads(text)]
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{shown(source)}{where}: not a JSON array of records: {error}") from None


def advice(line: bytes, is_first: bool) -> str:
    """What to do about a line that is no record, in brackets; empty where nothing better is known."""
    if line == b"{":
        return " (a record over several lines? jq -c writes one line each)"
    if line.startswith(b"<"):
        return " (a web page, perhaps of a login)"
    if _LARGE_INTEGER.search(line):
        return f" (an integer of more than {MOST_DIGITS:,} digits)"
    if line.count(b"[") + line.count(b"{") > _DEEP:
        return " (nested too deeply)"
    if is_first and _is_like_a_table(line):
        return " (a CSV table? tkstudies export --to jsonl reads it)"
    return ""


def _is_like_a_table(line: bytes) -> bool:
    text = line.decode("utf-8", "replace").splitlines()[0].removeprefix("\ufeff")
    is_json = text[:1] in ("{", "[") or text.endswith("}")
    return not is_json and text.replace("\t", "").isprintable() and (text[:1] == "#" or bool(set(text) & set(",;\t|")))


def _whole(stream: Stream, most: int) -> bytes:
    """All that a stream holds, or somewhat more than ``most`` bytes of it."""
    content = bytearray()
    while len(content) <= most and (piece := stream.read(_BLOCK)):
        content += piece
    return bytes(content)


def read_value(file: str, expected: str = "JSON") -> Any:
    """The one JSON value that a file holds, over as many lines as it likes.

    Raises:
        InputError: The file can't be read, or holds something else.
    """
    return value_in(file, expected, decode_value)


def value_in(file: str, expected: str, decoder: Callable[[bytes], Any]) -> Any:
    """What a decoder makes of the whole text of a file, otherwise as `read_value`.

    Args:
        decoder: Raises ValueError for what it doesn't take.
    """
    check_source(file, expected)
    with opened(file) as stream:
        try:
            most = settings.megabytes("TKSTUDIES_MAX_ANSWER", 256)
            content = _whole(stream, most)
            if len(content) > most:
                raise InputError(f"{shown(file)} has more than {_too_much('TKSTUDIES_MAX_ANSWER', most)}")
            if found := other_format(content[:_FEW], expected):
                raise InputError(f"{shown(file)} {found}")
            return decoder(content.removeprefix(_BOM))
        except (OSError, EOFError, ValueError, RecursionError) as error:
            why = "it holds JSON Lines" if "Extra data: line 2" in str(error) else reason(error)
            raise InputError(f"{shown(file)} is not {expected}: {why}") from None
