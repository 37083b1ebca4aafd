"""Records as lines of text: a table, a block for each record, Markdown; with colours on a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tkstudies.console import clean, counted
from tkstudies.records import RecordView, addresses, whole
from tkstudies.texttable.cells import DIGITS, cell, style
from tkstudies.texttable.columns import GAP, Column, fitted, keys, measured, ordered

_CUT = "…"
_MOST_PADDED = 60  # where cells aren't cut a longer one stands out of its column
_PAGES = {"OMS": "oms_link", "Run Registry": "runregistry_link", "DQM GUI": "dqm_link"}

Part = tuple[str, str]
"""A text and how it looks: a style of rich, empty for none."""


class Drawing:
    """Records as lines of text.

    Args:
        rows: The records; they are gone through twice.
        names: Only these columns; all of them if empty, in the order of `ordered`.
        digits: Significant digits of numbers that aren't whole.
        width: Places of the terminal that they are for; None for a file or a pipe, where nothing is cut.
        style: How a value of a column looks there.
    """

    def __init__(
        self,
        rows: Iterable[RecordView],
        names: Sequence[str] = (),
        *,
        digits: int = DIGITS,
        width: int | None = None,
        style: Callable[[str, Any], str] = style,
    ):
        self._style = style
        self._rows = rows
        self._digits = digits
        self._width = width
        self._ink = Ink(width is not None)
        self._is_chosen = bool(names)
        columns = measured(rows, names or dict.fromkeys(column for row in rows for column in row), digits)
        self._columns = columns if names else ordered(columns)

    def table(self, every: bool = False) -> Iterator[bytes]:
        """A line for each record, under headings; on a terminal the columns that fit, and how many don't.

        Args:
            every: All columns on a terminal, too: in blocks below each other, each with the keys.
        """
        if not self._columns:
            return
        if self._width is None:
            yield from self._block(self._columns)
            return
        wanted = len(self._columns) if self._is_chosen and not every else 0
        shown = fitted(self._columns, self._width, wanted)
        yield from self._block(shown)
        left = len(self._columns) - len(shown)
        if every:
            number_of_keys = len(keys(column.name for column in self._columns))
            while left:
                block = fitted([*self._columns[:number_of_keys], *self._columns[-left:]], self._width)
                if len(block) <= number_of_keys:
                    block = fitted(self._columns[-left:], self._width)
                    number_of_keys = 0
                yield b""
                yield from self._block(block)
                left -= len(block) - number_of_keys
        elif left:
            yield self._ink.line([(f"... {counted(left, 'more column')} (tkstudies columns)", "dim")])

    def _block(self, columns: Sequence[Column]) -> Iterator[bytes]:
        """The headings of some columns, and a line for each record."""
        is_cut, digits, ink = self._width is not None, self._digits, self._ink
        places = [(c.name, c.width if is_cut else min(c.width, _MOST_PADDED), c.is_number) for c in columns]

        def line(cells: Iterable[Part]) -> bytes:
            shown = []
            for (text, look), (_, width, is_number) in zip(cells, places, strict=True):
                blanks = " " * (width - len(text))
                if not blanks or not text.isascii():
                    text, blanks = placed(text, width, is_cut)
                text = ink.painted(text, look)
                shown.append(blanks + text if is_number else text + blanks)
            return _encoded(GAP.join(shown))

        yield line((clean(name), "bold") for name, _, _ in places)
        for row in self._rows:
            values = [(name, row.get(name)) for name, _, _ in places]
            if ink.has_colours:
                yield line((cell(value, digits), self._style(name, value)) for name, value in values)
            else:
                yield line((cell(value, digits), "") for name, value in values)

    def vertical(self) -> Iterator[bytes]:
        """A line for each column of each record, and the addresses of its run."""
        from rich.cells import cell_len

        names = [column.name for column in self._columns]
        name_width = max(map(cell_len, map(clean, [*names, *_PAGES])), default=0)
        if self._width is not None:
            name_width = min(name_width, max(self._width // 2, 8))
        for number, row in enumerate(self._rows):
            if number:
                yield b""
            for name in names:
                value = row.get(name)
                look = self._style(name, value)
                if isinstance(value, str):
                    texts = [clean(line.strip()) for line in value.splitlines() if line.strip()] or [cell(value)]
                else:
                    texts = [cell(value, self._digits)]
                yield from self._entry(name, texts, look, name_width)
            found = addresses(whole(row.get("run_number")), row.get("reco"), row.get("dataset"))
            for page, name in _PAGES.items():
                if found[name] and name not in row:
                    yield from self._entry(page, [found[name]], "", name_width, is_whole=True)

    def _entry(
        self, name: str, texts: Sequence[str], look: str, name_width: int, is_whole: bool = False
    ) -> Iterator[bytes]:
        """A name with the lines of its value beside it, more of them if one is too long for the terminal."""
        shown, blanks = placed(clean(name), name_width, self._width is not None)
        before: list[Part] = [(shown, "bold"), (blanks + GAP, "")]
        for text in texts:
            is_kept = self._width is None or is_whole
            for line in [text] if is_kept else wrapped(text, (self._width or 0) - name_width - len(GAP)):
                yield self._ink.line([*before, (line, look)])
                before = [(" " * (name_width + len(GAP)), "")]

    def markdown(self) -> Iterator[bytes]:
        """A table in Markdown, in which nothing of the data is taken for markup."""
        if not self._columns:
            return
        yield _markdown_row(column.name for column in self._columns)
        yield _markdown_row(("---:" if column.is_number else "---" for column in self._columns), is_markup=True)
        for row in self._rows:
            yield _markdown_row(cell(row.get(c.name), self._digits) for c in self._columns)


def placed(text: str, width: int, is_cut: bool = True) -> Part:
    """A text, cut if it is too wide, and the blanks that fill the rest of its place.

    >>> placed("HV off", 8), placed("HV off", 4), placed("HV off", 4, is_cut=False)
    (('HV off', '  '), ('HV …', ''), ('HV off', ''))
    """
    from rich.cells import cell_len, set_cell_size

    size = len(text) if text.isascii() else cell_len(text)
    if size > width and is_cut:
        text = set_cell_size(text, width - 1) + _CUT
        size = width
    return text, " " * (width - size)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of so many places of a terminal."""
    import textwrap

    from rich.cells import cell_len

    narrow = width if cell_len(text) == len(text) else width // 2
    return textwrap.wrap(text, max(narrow, 10)) or [text]


_MARKUP = re.compile(r"[\\`*<>\[\]|~&]|(?<![^\W_])_|_(?![^\W_])")


def _markdown_row(cells: Iterable[str], is_markup: bool = False) -> bytes:
    texts = cells if is_markup else [_MARKUP.sub(r"\\\g<0>", clean(text)) for text in cells]
    return f"| {' | '.join(texts)} |".encode("utf-8", "backslashreplace")


class Ink:
    """Makes lines of text out of parts: in colours on a terminal that has them.

    Args:
        is_terminal: Does a person look at it? $NO_COLOR and a dumb terminal are respected.
    """

    def __init__(self, is_terminal: bool):
        self.has_colours = (
            is_terminal
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "").lower() not in ("dumb", "unknown", "")
        )

    def line(self, parts: Iterable[Part]) -> bytes:
        """One line, without its end."""
        return _encoded("".join(self.painted(*part) for part in parts))

    def painted(self, text: str, look: str) -> str:
        """A text as it looks."""
        if not (text and look and self.has_colours):
            return text
        from rich.color import ColorSystem
        from rich.style import Style

        return Style.parse(look).render(text, color_system=ColorSystem.STANDARD)


def _encoded(line: str) -> bytes:
    return line.rstrip(" ").encode("utf-8", "backslashreplace")


def is_terminal() -> bool:
    """Does standard output go to a person?"""
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):
        return False
