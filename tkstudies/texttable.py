"""Records as a table of text, for people: how a cell reads, which columns come first, how wide they are.

What is in a record is data: a cell never holds anything that a terminal obeys. Widths are those of a terminal, where
some characters take two places and some none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkstudies.console import clean, counted
from tkstudies.jsonl import encode
from tkstudies.records import WHOLE_KEYS, RecordView, addresses, choose_keys, status, whole

DIGITS = 5
"""Significant digits of numbers that aren't whole."""

NOTHING = "-"
_GAP = "  "
_CUT = "…"
_CAPS = (40, 30, 20, 15, 10)  # how wide a column of texts may be, the widest that fits counts
_MOST_PADDED = 60  # where cells aren't cut a longer one stands out of its column
_BEHIND_KEYS = ("plot", "pixel", "strip", "tracking", "is_bad", "bad_reason", "status_summary", "rda_state")
_COLOURS = {
    "GOOD": "green", "BAD": "red", "EXCLUDED": "yellow", "STANDBY": "yellow", "NOTSET": "yellow", "LOWSTAT": "yellow",
    "OPEN": "yellow", "WAITING DQM GUI": "yellow",
}  # fmt: skip
_PAGES = {"OMS": "oms_link", "Run Registry": "runregistry_link", "DQM GUI": "dqm_link"}
_BAD_FLAGS = ("is_bad", "is_certified_bad")

Part = tuple[str, str]
"""A text and how it looks: a style of rich, empty for none."""


def cell(value: Any, digits: int = DIGITS) -> str:
    """A value as a table shows it: rounded, null as -, an empty text in quotes, a list with commas or |.

    >>> cell(None), cell(12.345678), cell(317640.0), cell(1234567.8), cell(True)
    ('-', '12.346', '317640', '1234568', 'true')
    >>> cell(["hv off", "hole"]), cell(""), cell("a\\x1b[31m"), cell(1.234e-07)
    ('hv off, hole', '""', 'a\\\\x1b[31m', '1.234e-07')
    """
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return clean(_one_line(value)) or '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _rounded(value, digits)
    if isinstance(value, list) and value and not any(isinstance(member, list | dict) for member in value):
        members = [cell(member, digits) for member in value]
        return (" | " if any({",", ";"} & set(member) for member in members) else ", ").join(members)
    return clean(encode(value).decode("utf-8", "replace"))


def _one_line(text: str) -> str:
    """A comment of several lines in one, with slashes between them."""
    if "\n" not in text and "\r" not in text and "\t" not in text:
        return text
    return " / ".join(line.strip() for line in text.expandtabs(1).splitlines() if line.strip()) or text


def _rounded(value: float, digits: int) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e15 else text


def style(column: str, value: Any) -> str:
    """The colour of a status, empty for everything else.

    >>> style("pixel", "Good"), style("is_bad", True), style("rda_name", "x")
    ('green', 'red', '')
    """
    if isinstance(value, str):
        return _COLOURS.get(status(value) or "", "")
    return "red" if value is True and column in _BAD_FLAGS else ""


def ordered(columns: Iterable[Column]) -> list[Column]:
    """Columns as a person looks for them: keys, then statuses, then the others as they came; empty ones last.

    >>> names = ["a", "strip", "none", "reco", "is_bad", "mine", "run_number"]
    >>> [c.name for c in ordered(Column(name, 9, is_status=name == "mine", is_empty=name == "none") for name in names)]
    ['run_number', 'reco', 'strip', 'is_bad', 'mine', 'a', 'none']
    """
    columns = list(columns)
    first = [*keys(column.name for column in columns), *_BEHIND_KEYS]
    number_of_keys = len(first) - len(_BEHIND_KEYS)

    def place(column: Column) -> tuple[bool, int]:
        known = first.index(column.name) if column.name in first else len(first) + (not column.is_status)
        return column.is_empty and known >= number_of_keys, known

    return sorted(columns, key=place)


def keys(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that tell whose row it is."""
    columns = list(columns)
    return choose_keys(columns, columns) or ()


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: Its heading.
        width: How wide its cells and its heading are at most, in places of a terminal.
        is_number: Are all its values numbers? They stand to the right.
        is_status: Are all its values statuses?
        is_empty: Are all its values null?
    """

    name: str
    width: int
    is_number: bool = False
    is_status: bool = False
    is_empty: bool = False


def measured(rows: Iterable[RecordView], names: Iterable[str], digits: int = DIGITS) -> list[Column]:
    """The columns of these rows, as wide as their widest cell."""
    from rich.cells import cell_len

    names = list(names)
    widths = [max(cell_len(clean(name)), 1) for name in names]
    kinds: list[set[str]] = [set() for _ in names]
    for row in rows:
        for place, name in enumerate(names):
            value = row.get(name)
            if value is not None:
                kinds[place].add(_kind(name, value))
                shown = cell(value, digits)
                width = len(shown) if shown.isascii() else cell_len(shown)
                if width > widths[place]:
                    widths[place] = width
    return [
        Column(name, width, found == {"number"}, found == {"status"}, not found)
        for name, width, found in zip(names, widths, kinds, strict=True)
    ]


def _kind(name: str, value: Any) -> str:
    if isinstance(value, str):
        return "number" if name in WHOLE_KEYS else "status" if style(name, value) else "text"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "other"


def fitted(columns: Sequence[Column], width: int, wanted: int = 0) -> list[Column]:
    """The first columns that fit into a terminal: at least one, narrower if need be, and all of ``wanted`` if possible.

    Args:
        wanted: So many of the first columns are narrowed, down to ten places of a text, until all of them fit.
    """
    found: list[Column] = []
    for cap in _CAPS:
        found, left = [], width
        for column in columns:
            column = _narrowed(column, cap)
            if column.width > left:
                column = _narrowed(column, max(left, _CAPS[-1]))  # a text may take the rest of the line
            if column.width > left:
                break
            found.append(column)
            left -= column.width + len(_GAP)
        if len(found) >= wanted:
            break
    return found or [replace(columns[0], width=max(width, 1))]


def _narrowed(column: Column, cap: int) -> Column:
    if column.is_number:
        return column
    from rich.cells import cell_len

    return replace(column, width=min(column.width, max(cap, cell_len(clean(column.name)))))


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
            return _encoded(_GAP.join(shown))

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
        before: list[Part] = [(shown, "bold"), (blanks + _GAP, "")]
        for text in texts:
            is_kept = self._width is None or is_whole
            for line in [text] if is_kept else wrapped(text, (self._width or 0) - name_width - len(_GAP)):
                yield self._ink.line([*before, (line, look)])
                before = [(" " * (name_width + len(_GAP)), "")]

    def markdown(self) -> Iterator[bytes]:
        """A table in Markdown, in which nothing of the data is taken for markup."""
        if not self._columns:
            return
        yield _markdown_row(column.name for column in self._columns)
        yield _markdown_row(("---:" if column.is_number else "---" for column in self._columns), is_markup=True)
        for row in self._rows:
            yield _markdown_row(cell(row.get(c.name), self._digits) for c in self._columns)


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
