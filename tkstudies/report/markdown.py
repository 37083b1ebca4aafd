"""A page as Markdown: the same sections and words, without pictures and without what a browser does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from tkstudies.console import clean
from tkstudies.report.parts import Block, Explorer, Line, Page, Picture, Runs, Sentence, Short, Table
from tkstudies.texttable.cells import cell

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_MOST_LETTERS = 500


def to_markdown(page: Page) -> str:
    """The page as text.

    Example:
        >>> to_markdown(Page("A_b", [Sentence("old", is_warning=True)], []))
        '# A\\\\_b\\n\\n**old**\\n'
    """
    lines = [f"# {_text(page.title)}", ""]
    for sentence in page.head:
        lines += [*_block(sentence), ""]
    for section in page.sections:
        lines += [f"## {_text(section.heading)}", ""]
        for block in section.blocks:
            lines += [*_block(block), ""]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before) + "\n"


def _text(value: Any) -> str:
    """A text of data that Markdown shows as it is."""
    text = " ".join(clean(str(value)).split())
    return _SPECIAL.sub(r"\\\1", text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…")


@singledispatch
def _block(block: Block) -> Iterator[str]:
    raise TypeError(type(block).__name__)


@_block.register
def _(block: Sentence) -> Iterator[str]:
    yield f"**{_text(block.text)}**" if block.is_warning else _text(block.text)


@_block.register
def _(block: Table) -> Iterator[str]:
    yield _row(block.columns)
    yield _row(["---"] * len(block.columns), is_plain=True)
    for row in block.rows:
        yield _row([cell(value) for value in row])


@_block.register
def _(block: Runs) -> Iterator[str]:
    yield f"{_text(block.what)} ({len(block.runs):,}): {' '.join(map(str, block.runs))}"


@_block.register
def _(block: Picture) -> Iterator[str]:
    yield from ()


@_block.register
def _(block: Short) -> Iterator[str]:
    for asked, _, answer, runs in block.lines:
        named = "".join(f" {run}{f' ({_text(word)})' if word else ''}" for run, word in runs)
        yield f"- **{_text(asked)}**: {_text(answer)}{named}"


@_block.register
def _(block: Line) -> Iterator[str]:
    links = ", ".join(f"[{_text(name)}](<{address}>)" for name, address in block.links.items() if address)
    facts = " · ".join(_text(fact) for fact in (*block.facts, block.mark) if fact)
    yield f"- **{block.run}** {facts}{f' ({links})' if links else ''}"
    for one in block.inside:
        if isinstance(one, Sentence):
            yield f"  - {_text(one.text)}"


@_block.register
def _(block: Explorer) -> Iterator[str]:
    yield f"{len(block.rows):,} rows: the table is on the HTML page."


def _row(cells: Any, is_plain: bool = False) -> str:
    return f"| {' | '.join(str(one) if is_plain else _text(one) for one in cells)} |"
