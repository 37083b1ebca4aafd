"""Where a crawl writes its records: in order, whatever order they come in, with those of an earlier crawl."""

from __future__ import annotations

import os
from array import array
from contextlib import suppress
from typing import Any

from tkstudies import console
from tkstudies.errors import OutputError
from tkstudies.jsonl import Writer
from tkstudies.services.dqm.crawl import Key
from tkstudies.services.dqm.resume import EarlierCrawl


class CrawlOutput:
    """Where a crawl writes its records, in order, together with those of an earlier one.

    Args:
        output: A file name, or ``-`` for standard output.
        earlier: What an earlier crawl left, if any.

    Attributes:
        added: Number of records that are new.
    """

    def __init__(self, output: str, earlier: EarlierCrawl | None = None):
        self._output = output
        self._earlier = earlier
        self._in_place = earlier if earlier is not None and earlier.in_place else None
        self._starts = self._in_place.starts if self._in_place is not None else array("q")
        self._size = self._in_place.size if self._in_place is not None else 0
        self._order = array("q")  # numbers of lines of the file, in the order that they shall have; below 0: a gap
        self._gaps: list[array] = []
        self._writer: Writer
        self._kept = self.added = 0

    @property
    def keeps_order(self) -> bool:
        """Can a record come late and still be in its place?"""
        return bool(self._writer.part)

    def __enter__(self) -> CrawlOutput:
        unfinished = self._in_place.unfinished if self._in_place is not None else None
        self._writer = Writer(self._output, resumable=True, unfinished=unfinished, at_once=True)
        self._writer.__enter__()
        return self

    def __exit__(self, kind: Any, *failure: Any) -> None:
        if kind is None and self.keeps_order:
            try:
                self._put_in_order()
            except BaseException as error:
                self._writer.__exit__(type(error), error, error.__traceback__)
                raise
        elif self._in_place is not None and self._in_place.is_copy and not self.added:
            with suppress(OSError):  # no more than a copy of the finished file, which stays
                os.unlink(self._writer.part)
        self._writer.__exit__(kind, *failure)

    def gap(self) -> int:
        """Leave a place for records that may come later; its number."""
        self._gaps.append(array("q"))
        self._order.append(-len(self._gaps))
        return len(self._gaps) - 1

    def add(self, line: bytes, gap: int | None = None) -> None:
        """Write a new record, into a gap if one is given."""
        self._place(len(self._starts), gap)
        self._write(line)
        self.added += 1

    def keep(self, key: Key, gap: int | None = None) -> None:
        """Take over a record of the earlier crawl."""
        self._kept += 1
        if self._in_place is not None:
            self._place(self._in_place.places[key], gap)
        elif self._earlier is not None:
            self._place(len(self._starts), gap)
            self._write(self._earlier.line(key))

    def _place(self, number: int, gap: int | None) -> None:
        (self._order if gap is None else self._gaps[gap]).append(number)

    def _write(self, line: bytes) -> None:
        self._starts.append(self._size)
        self._size += len(line) + 1
        self._writer.write_line(line)

    def _put_in_order(self) -> None:
        """Write the final file from the unfinished one, if that isn't in order itself."""
        self._writer.flush()
        if os.fstat(self._writer.stream.fileno()).st_size != self._size:
            raise OutputError(
                f"another process has written into {self._writer.part}: {self._output} stays as it was; when no crawl "
                f"writes there any more, the same command with --resume {self._output} puts it right"
            )
        order = array("q")
        for number in self._order:
            order.extend(self._gaps[-number - 1] if number < 0 else (number,))
        if self._in_place is not None and (surplus := len(self._in_place) - self._kept):
            console.warn(f"{console.counted(surplus, 'record')} of the earlier crawl weren't asked for: left out")
        is_tidy = self._in_place is None or self._in_place.is_tidy
        if is_tidy and order == array("q", range(len(self._starts))):
            return
        with open(self._writer.part, "rb") as stream, Writer(self._output) as writer:
            writer.waits = False  # it comes in the place of the unfinished file
            for number in order:
                stream.seek(self._starts[number])
                writer.write_line(stream.readline().strip())
        self._writer.is_superseded = True
