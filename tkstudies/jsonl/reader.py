"""Records in: the one way from lines to what a command wants of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from tkstudies.errors import InputError, UsageError, WrongRecord
from tkstudies.jsonl.codec import NOT_STRICT, BadRecord, decode, decode_strictly, encode, quoted
from tkstudies.jsonl.folder import files_in
from tkstudies.jsonl.output import reason
from tkstudies.jsonl.source import (
    STDIN,
    WHITESPACE,
    advice,
    beginning_of,
    check_source,
    lines_of,
    opened,
    other_format,
    shown,
)
from tkstudies.records import Record

Value = TypeVar("Value", covariant=True)


class Form(Protocol[Value]):
    """What is made of a record: some of its columns (`jsonl.columns`), a histogram record, ...

    Both ways give the same kind of value. ``decode`` is fast and may refuse a line; ``from_record`` takes over then.
    """

    def decode(self, line: bytes) -> Value:
        """The value of a line; raises ``msgspec.DecodeError`` or BadRecord for what it doesn't take."""

    def from_record(self, record: Record) -> Value:
        """The value of a decoded record, whatever is in it; raises WrongRecord for one of another kind."""


class WholeRecords:
    """The form of commands that want all of a record, as a dict."""

    decode = staticmethod(decode_strictly)

    @staticmethod
    def from_record(record: Record) -> Record:
        """The record itself."""
        return record


class Records(Protocol):
    """Where records come from: files (`Reader`), or a program that has them already (`Given`)."""

    def __iter__(self) -> Iterator[Record]: ...

    def rows(self, form: Form[Value]) -> Iterator[tuple[bytes, Value]]:
        """Each line without its end, with what the form makes of it."""

    def located(self) -> Any:
        """A context that tells the place of a WrongRecord that is raised in it."""


class Reader:
    """The records of one or several sources, one after the other.

    Args:
        sources: File names; ``-`` is standard input, and may come once. A folder is its files (`jsonl.folder`).
        skip_bad_lines: Count malformed lines in ``skipped`` instead of failing at the first; None where the
            user has no such choice.
        expected: What a person at a terminal is told to bring, e.g. ``"run records"``.

    Raises:
        UsageError: Standard input is a terminal, or is named twice.
        InputError: A source can't be read, or (while iterating) a line is malformed.

    Attributes:
        named: What the user named. sources: The same, with the files of a folder in its place.
        skipped: Number of malformed lines that were left out.
        empty: What of ``named`` was read to its end and had no record; of a folder none of its files.
    """

    def __init__(self, sources: Iterable[str], *, skip_bad_lines: bool | None = None, expected: str = "records"):
        self.named = list(sources)
        self._files = {name: files_in(name) if os.path.isdir(name) else [name] for name in self.named}
        self.sources = [file for name in self.named for file in self._files[name]]
        self.skipped = 0
        self._empty: set[str] = set()
        self._skip = skip_bad_lines
        self._source, self._number = "", 0
        if self.sources.count(STDIN) > 1:
            raise UsageError("standard input (-) can be read only once: name a file for the other input")
        for source in self.sources:
            check_source(source, expected)

    @property
    def name(self) -> str:
        """All sources in a message."""
        return " and ".join(map(shown, self.named))

    @property
    def empty(self) -> list[str]:
        return [name for name in self.named if self._empty.issuperset(self._files[name])]

    def __iter__(self) -> Iterator[Record]:
        for _, record in self.rows(WholeRecords):
            yield record

    def lines(self) -> Iterator[tuple[bytes, Record]]:
        """Yield each line, stripped of its line end, with its record."""
        return self.rows(WholeRecords)

    def rows(self, form: Form[Value]) -> Iterator[tuple[bytes, Value]]:
        """Yield each line, stripped of its line end, with what the form makes of it.

        A line with NaN or Infinity is rewritten with nulls.
        """
        self._empty.clear()
        self.look_ahead()
        for source in self.sources:
            self._source, self._number = source, 0
            with opened(source) as stream:
                try:
                    self._refuse_other_format(stream.peek(1))
                    rows = self._rows(lines_of(source, stream), form)
                    for first in rows:
                        yield first
                        break
                    else:
                        self._empty.add(source)
                    yield from rows
                except (OSError, EOFError) as error:
                    raise InputError(
                        f"{shown(source)}: can't be read after line {self._number}: {reason(error)}"
                    ) from None

    def leave_out(self, sources: Iterable[str]) -> None:
        """Don't read some of the sources."""
        done = set(sources)
        self.sources = [source for source in self.sources if source not in done]

    def look_ahead(self) -> None:
        """Refuse later sources that aren't JSON Lines before the records of the first one are out."""
        for source in self.sources[1:]:
            self._source, self._number = source, 1
            beginning = beginning_of(source)
            self._refuse_other_format(beginning)
            first = beginning.lstrip(WHITESPACE).partition(b"\n")[0]
            if not self._skip and first and advice(first, is_first=True).startswith(" (a "):
                self._bad(first)

    def _refuse_other_format(self, beginning: bytes) -> None:
        if found := other_format(beginning):
            raise InputError(f"{shown(self._source)} {found}")

    @property
    def skips(self) -> bool:
        """Are malformed lines left out?"""
        return bool(self._skip)

    def note(self, source: str, skipped: int, is_empty: bool) -> None:
        """Note what another process found in a source."""
        self.skipped += skipped
        if is_empty:
            self._empty.add(source)

    @property
    def findings(self) -> tuple[int, list[str]]:
        """What was skipped and which sources are empty, for `take`."""
        return self.skipped, sorted(self._empty)

    def take(self, findings: tuple[int, list[str]]) -> None:
        """Note what another process found in the same sources."""
        self.skipped += findings[0]
        self._empty.update(findings[1])

    def parsed(self, form: Form[Value]) -> Iterator[Value]:
        """Yield what the form makes of each line."""
        for _, value in self.rows(form):
            yield value

    def _rows(self, lines: Iterable[bytes], form: Form[Value]) -> Iterator[tuple[bytes, Value]]:
        decode_line = form.decode
        for self._number, raw in enumerate(lines, start=1):
            line = raw.strip(WHITESPACE)
            if not line:
                continue
            try:
                if not line.isascii():
                    line.decode()  # msgspec doesn't look into the texts that it skips
                value = decode_line(line)
            except NOT_STRICT:
                try:
                    record = decode(line)
                except BadRecord:
                    self._bad(line)
                    continue
                line, value = encode(record), form.from_record(record)
            yield line, value

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
            told = advice(line, self._number == 1)
            choice = "" if told or self._skip is None else " (--skip-bad-lines leaves such lines out)"
            raise InputError(f"{self._place()}: not a JSON object: {quoted(line)}{told}{choice}")
        self.skipped += 1


class Given:
    """Records that a program has already, read in the same way as those of files."""

    def __init__(self, records: Iterable[Mapping[str, Any]]):
        self._records = records
        self._number = 0

    def __iter__(self) -> Iterator[Record]:
        self._number = 0
        for record in self._records:
            self._number += 1
            yield dict(record)

    def rows(self, form: Form[Value]) -> Iterator[tuple[bytes, Value]]:
        """Yield each record as a line, with what the form makes of it."""
        for record in self:
            yield encode(record), form.from_record(record)

    @contextmanager
    def located(self) -> Iterator[None]:
        """Tell the number of the record in a WrongRecord."""
        try:
            yield
        except WrongRecord as error:
            raise InputError(f"record {self._number}: {error}") from None


def records_of(given: Records | Iterable[Mapping[str, Any]]) -> Records:
    """Records as a stream, whether they come from files or from a program."""
    return given if isinstance(given, Reader | Given) else Given(given)


def read(source: str, **options: Any) -> Iterator[Record]:
    """The records of one file, or of standard input for ``-`` (see `Reader`)."""
    return iter(Reader([source], **options))
