"""The lines of a text to the cells of its rows, whatever delimits them.

A quote opens a cell only where the cell begins; elsewhere it is a letter like others. A row that can't be read takes
no other with it: reading goes on at the line behind its first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from tkstudies.jsonl import BadRecord

Line = tuple[int, str]  # its number, and its text with the line end
Cell = tuple["str | None", str]  # what stands in quotes (None without), and what without, blanks round it left out

_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_HINT = "--encoding cp1252 reads what Excel writes, macroman on a Mac"


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: Number of its first line.
        cells: Its cells, or why it isn't one; none of a blank line.
        inner: The whole lines within a quoted cell.
    """

    number: int
    cells: list[Cell] | BadRecord
    inner: list[str]


@cache
def _cell(delimiter: str) -> re.Pattern[str]:
    blank, end = ("[ \t]*" if delimiter != "\t" else " *"), re.escape(delimiter)
    return re.compile(rf'(?:{blank}"([^"]*(?:""[^"]*)*)"{blank}|(?!{blank}")([^{end}]*))({end}|\Z)')


@cache
def _unclosed(delimiter: str) -> re.Pattern[str]:
    blank = "[ \t]*" if delimiter != "\t" else " *"
    return re.compile(rf'{blank}"[^"]*(?:""[^"]*)*\Z')


def cells_of(text: str, delimiter: str) -> list[Cell] | None:
    """The cells of a row, given without its line end; None if its last cell goes on in the next line.

    Raises:
        BadRecord: It has text behind a quoted cell, or is no text.

    >>> cells_of('1, GOOD ,"a ""b"", c",5" pipe', ",")
    [(None, '1'), (None, 'GOOD'), ('a "b", c', ''), (None, '5" pipe')]
    """
    if not text.isascii() and _NOT_UTF8.search(text):
        raise BadRecord(f"it isn't UTF-8: {_HINT}")
    if not text.strip(" \t" if delimiter != "\t" else " "):
        return []
    if '"' not in text:
        return [(None, bare.strip()) for bare in text.split(delimiter)]
    cells: list[Cell] = []
    match_cell = _cell(delimiter).match
    position, separator = 0, delimiter
    while separator:
        match = match_cell(text, position)
        if match is None:
            if _unclosed(delimiter).match(text, position):
                return None
            raise BadRecord("a quote is out of place: text follows a cell in quotes")
        quoted, bare, separator = match.groups()
        cells.append((None, bare.strip()) if quoted is None else (quoted.replace('""', '"'), ""))
        position = match.end()
    return cells


def rows_of(lines: Iterable[Line], delimiter: str) -> Iterator[Row]:
    """The rows of a text."""
    source = iter(lines)
    again: deque[Line] = deque()
    while (first := again.popleft() if again else next(source, None)) is not None:
        held = [first]
        cells = _try(first[1], delimiter)
        while cells is None:
            line = again.popleft() if again else next(source, None)
            if line is None:
                cells = BadRecord("a quote opens a cell and nothing closes it")
            else:
                held.append(line)
                if '"' in line[1]:
                    cells = _try("".join([text for _, text in held]), delimiter)
        if isinstance(cells, BadRecord):
            again.extendleft(reversed(held[1:]))
            held = held[:1]
        yield Row(first[0], cells, [text for _, text in held[1:-1]])


def _try(text: str, delimiter: str) -> list[Cell] | BadRecord | None:
    try:
        return cells_of(text.removesuffix("\n").removesuffix("\r"), delimiter)
    except BadRecord as error:
        return error
