"""What a page is made of, before anybody writes HTML or Markdown: sections of sentences, tables, lists and pictures.

All texts are plain; whoever writes them escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tkstudies.records import Record

MOST_COLUMNS = 40


@dataclass(frozen=True)
class Sentence:
    """A sentence.

    Attributes:
        is_warning: Something failed or is old: drawn in red.
        is_note: How something is meant: drawn small.
    """

    text: str
    is_warning: bool = False
    is_note: bool = False


@dataclass(frozen=True)
class Table:
    """A table: names of columns, and rows with a cell for each."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Runs:
    """Run numbers as one list, with what they have in common before them."""

    what: str
    runs: Sequence[int]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        png: Its bytes.
        text: What it shows, for those who can't see it.
    """

    png: bytes
    text: str


@dataclass(frozen=True)
class Short:
    """What a page says, for those who have a minute: a line of each thing that people ask for.

    Attributes:
        lines: What is asked, the section that tells more, the answer, and runs that it names with a word of each.
    """

    lines: Sequence[tuple[str, str, str, Sequence[tuple[int, str]]]]


@dataclass(frozen=True)
class Line:
    """One line about a run that opens at a click.

    Attributes:
        run: Its number.
        facts: What stands in the line.
        mark: A word that is seen at once, such as new.
        inside: What is seen when it is open.
        links: Name -> address.
    """

    run: int
    facts: Sequence[str]
    mark: str = ""
    inside: Sequence[Block] = ()
    links: Record = field(default_factory=dict)


@dataclass(frozen=True)
class Explorer:
    """Rows to look through: a table and a figure that share what is selected.

    Attributes:
        columns: At most `MOST_COLUMNS`, the first ones keys.
        rows: The cells, numbers as numbers.
        numbers: The columns that the figure can show.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numbers: Sequence[str]


Block = Sentence | Table | Runs | Picture | Line | Explorer | Short


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; ``name`` is its place in addresses."""

    name: str
    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: What it is about.
        head: What stands below the title.
        sections: In their order.
    """

    title: str
    head: Sequence[Block]
    sections: Sequence[Section]
