"""Pages: what a kind makes that draws a picture of each record, of which a PDF holds all and other files the first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from tkstudies import console
from tkstudies.console import Losses, counted
from tkstudies.errors import InputError
from tkstudies.plots import batches, figures
from tkstudies.plots.figures import Drawing
from tkstudies.records import Record

MOST_PAGES = 50
"""Of a PDF, unless the user wants more."""


class Page(NamedTuple):
    """A picture that is drawn when it is wanted.

    Attributes:
        record: Whose picture it is: its columns name the file in a batch.
        draw: Draws it.
    """

    record: Record
    draw: Callable[[], Drawing]


@dataclass
class Pages:
    """The pages of a kind, the first one first.

    Attributes:
        all: The pages, at least one.
        noun: What one of them shows.
        choose: The options that choose others.
        top: So many pages are drawn at most, of a PDF else `MOST_PAGES`.
        losses: Records that have no page, and why.
    """

    all: Sequence[Page]
    noun: str
    choose: str = "--run, --reco and --plot choose others"
    top: int | None = None
    losses: Losses = field(default_factory=Losses)

    def first(self) -> Drawing:
        """The first page that can be drawn.

        Raises:
            InputError: None can.
        """
        return next(drawing for _, drawing in _Drawn(self.all))


class _Drawn:
    """Draws pages one after the other, and remembers what there is to say of them."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.said: Counter[str] = Counter()
        self.failed, self.made, self._first, self._pages = 0, 0, "", pages

    def __iter__(self) -> Iterator[tuple[int, Drawing]]:
        for place, page in enumerate(self._pages):
            try:
                drawing = page.draw()
            except InputError as error:
                self.failed, self._first = self.failed + 1, self._first or str(error)
                continue
            self.made += 1
            self.said.update(drawing.losses.texts())
            yield place, drawing
        if self.failed and not self.made:
            more = f" ({self.failed - 1:,} more are alike)" if self.failed > 1 else ""
            raise InputError(f"{self._first}{more}")

    def tell(self) -> None:
        """Say what was left out, each thing once."""
        for text, times in self.said.items():
            console.warn(text if times == 1 else f"{text} (on {times:,} pages)")
        if self.failed:
            console.left_out(f"{counted(self.failed, 'picture')} could not be drawn, such as {self._first}")


def save_pages(pages: Pages, outputs: Sequence[str], made: Record | None = None, *, show: bool = False) -> None:
    """Write the first page into each picture, all pages into each PDF; ``made`` as for `figures.save`.

    Raises:
        InputError: No page can be drawn.
        OutputError: A file can't be written.
    """
    books = [output for output in outputs if os.path.splitext(output)[1].lower() == ".pdf"]
    single = [output for output in outputs if output not in books]
    top = pages.top or MOST_PAGES
    drawn = _Drawn(pages.all[:top])
    with ExitStack() as stack:
        bar = stack.enter_context(console.progress("pages", min(top, len(pages.all)) if books else 1))
        open_books = [stack.enter_context(figures.book(output, made)) for output in books]
        for _, drawing in drawn:
            bar.advance()
            for add in open_books:
                add(drawing.figure)
            if drawn.made == 1:
                for output in single:
                    figures.save(drawing.figure, output, made)
                if show:
                    figures.show(drawing.figure)
                if not books:
                    break
    pages.losses.tell()
    drawn.tell()
    for output in books:
        console.say(f"{output}: {counted(drawn.made, 'page')}")
    for output in single:
        console.say(f"{output}: 1 {pages.noun}")
    if books and len(pages.all) > top:
        console.warn(f"{counted(len(pages.all) - top, pages.noun)} beyond {counted(top, 'page')} not drawn: see --top")
    elif len(pages.all) > 1 and not books:
        console.warn(f"{counted(len(pages.all) - 1, pages.noun)} not drawn: a .pdf holds all, {pages.choose}")


def save_batch(
    pages: Pages, columns: Sequence[str], folders: Sequence[batches.Folder], made: Record | None = None
) -> None:
    """Write each page into folders named by the columns; ``made`` as for `figures.save`.

    Raises:
        InputError: No page can be drawn.
        OutputError: A file can't be written.
    """
    wanted = pages.all[: pages.top]
    paths = [part.path for part in batches.parts([page.record for page in wanted], columns, one_by_one=True)]
    drawn = _Drawn(wanted)
    with console.progress("pictures", len(wanted)) as bar:
        for place, drawing in drawn:
            bar.advance()
            for folder in folders:
                figures.save(drawing.figure, folder.file(paths[place]), made)
    pages.losses.tell()
    drawn.tell()
    if len(pages.all) > len(wanted):
        console.warn(f"{counted(len(pages.all) - len(wanted), pages.noun)} beyond --top {pages.top} not drawn")
    for folder in folders:
        console.say(f"{folder.name}: {counted(drawn.made, 'picture')}")
