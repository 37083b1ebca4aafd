"""A page as one HTML file that needs no network: text from data is escaped, and no script but ours may run.

The policy in the head allows the scripts of the page by their hashes and no address at all, so that a browser would
refuse what slipped through.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import singledispatch
from html import escape
from pathlib import Path
from typing import Any

from tkstudies.console import clean
from tkstudies.report import interactive
from tkstudies.report.parts import Block, Explorer, Line, Page, Picture, Runs, Section, Sentence, Short, Table
from tkstudies.texttable.cells import cell

MOST_LETTERS = 2_000
MOST_RUNS = 60
"""Longer lists of runs open by a click."""

_HERE = Path(__file__).parent


def to_html(page: Page) -> str:
    """The page as text.

    Example:
        >>> text = to_html(Page("<b>", [], [Section("a", "A", [Sentence("1 < 2")])]))
        >>> "<title>&lt;b&gt;</title>" in text, "<p>1 &lt; 2</p>" in text
        (True, True)
    """
    has_explorer = any(isinstance(block, Explorer) for section in page.sections for block in section.blocks)
    library = interactive.scripts() if has_explorer and interactive.is_there() else []
    scripts = [(_HERE / "page.js").read_text("utf-8"), *library]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy([*scripts, interactive.START])}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(page.title)}</title>",
        f"<style>{(_HERE / 'page.css').read_text('utf-8')}</style>",
        *(f"<script>{script}</script>" for script in scripts),
        "</head><body><main>",
        f"<header><h1>{_text(page.title)}</h1>",
        *map(_block, page.head),
        _contents(page.sections),
        "</header>",
        *(part for section in page.sections for part in _section(section)),
        "</main>",
        *([f"<script>{interactive.START}</script>"] if library else []),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _policy(scripts: Iterable[str]) -> str:
    """What a browser may do with the page: run these scripts, show pictures of its own, and ask nobody."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _text(value: Any) -> str:
    """A text of data as HTML shows it, and nothing else; a very long one is cut."""
    text = clean(str(value))
    return escape(text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}… ({len(text):,} letters)")


def _contents(sections: Sequence[Section]) -> str:
    links = "".join(f'<a href="#{escape(one.name)}">{_text(one.heading)}</a>' for one in sections)
    return f"<nav>{links}</nav>"


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{escape(section.name)}"><h2>{_text(section.heading)}</h2>'
    yield from _blocks(section.blocks)
    yield "</section>"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    """Blocks one below the other; pictures that follow each other side by side."""
    is_row = False
    for block in blocks:
        if isinstance(block, Picture) is not is_row:
            is_row = not is_row
            yield '<div class="pictures">' if is_row else "</div>"
        yield _block(block)
    if is_row:
        yield "</div>"


@singledispatch
def _block(block: Block) -> str:
    raise TypeError(type(block).__name__)


@_block.register
def _(block: Sentence) -> str:
    kind = ' class="warning"' if block.is_warning else ' class="note"' if block.is_note else ""
    return f"<p{kind}>{_text(block.text)}</p>"


@_block.register
def _(block: Table) -> str:
    numeric = [_is_numeric([row[place] for row in block.rows]) for place in range(len(block.columns))]

    def line(cells: Sequence[Any], tag: str, shown: Callable[[int, Any], str]) -> str:
        row = (
            f"<{tag}{' class=number' if is_number else ''}>{shown(place, value)}</{tag}>"
            for place, (value, is_number) in enumerate(zip(cells, numeric, strict=True))
        )
        return f"<tr>{''.join(row)}</tr>"

    def shown(place: int, value: Any) -> str:
        return _run(value) if block.columns[place] == "run" and value is not None else _text(cell(value))

    head = line(block.columns, "th", lambda _, value: _text(value))
    body = "".join(line(row, "td", shown) for row in block.rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


@_block.register
def _(block: Runs) -> str:
    told, runs = f"{_text(block.what)} ({len(block.runs):,})", " ".join(map(_run, block.runs))
    if len(block.runs) <= MOST_RUNS:
        return f'<p class="runs">{told}: {runs}</p>'
    return f'<details class="list"><summary>{told}</summary><div class="runs">{runs}</div></details>'


@_block.register
def _(block: Picture) -> str:
    return f'<img alt="{_text(block.text)}" src="data:image/png;base64,{base64.b64encode(block.png).decode()}">'


@_block.register
def _(block: Short) -> str:
    lines = []
    for asked, section, answer, runs in block.lines:
        named = "".join(f" {_run(run)}" + (f" ({_text(word)})" if word else "") for run, word in runs)
        lines.append(f'<dt><a href="#{escape(section)}">{_text(asked)}</a></dt><dd>{_text(answer)}{named}</dd>')
    return f'<dl class="short">{"".join(lines)}</dl>'


@_block.register
def _(block: Line) -> str:
    facts = "".join(f'<span class="fact">{_text(fact)}</span>' for fact in block.facts)
    facts += f' <span class="mark">{_text(block.mark)}</span>' if block.mark else ""
    links = "".join(
        f'<a href="{escape(str(address))}" rel="noreferrer noopener" target="_blank">{_text(name)}</a>'
        for name, address in block.links.items()
        if str(address).startswith("https://")
    )
    inside = "".join(_blocks(block.inside))
    row = f'<p class="links">{links}</p>' if links else ""
    return f"<details><summary>{_run(block.run)} {facts}</summary><div>{row}{inside}</div></details>"


@_block.register
def _(block: Explorer) -> str:
    if interactive.is_there():
        return f'<div class="explorer" id="{interactive.PLACE}"></div>{interactive.data(block)}'
    first = block.rows[: interactive.MOST_STATIC]
    told = f"The first {len(first):,} of {len(block.rows):,} rows. {interactive.ADVICE}"
    return _block(Sentence(told, is_note=True)) + _block(Table(block.columns, first))


def _run(value: Any) -> str:
    text = _text(value)
    return f'<button type="button" class="run" data-run="{text}">{text}</button>'


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
