"""Listings that come in pages: read side by side, each row once, and compared with the number announced."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from tkstudies import console
from tkstudies.services.web import concurrency

Row = Any
Page = tuple[list[Row], int]
Fetch = Callable[[int], Page]

_REREADS = 6  # of a listing
_SECOND_LOOKS = 3  # at a page
_MOST_IDLE = 2  # pages in a row without a new row


def read(
    listings: Iterable[Fetch], key: Callable[[Row], Hashable], *, size: int, workers: int, what: str
) -> Iterator[Row]:
    """Yield the rows of one listing after the other, in the server's order.

    Rows that appear or go while pages are read shift the later pages. So a page with rows of earlier pages is
    read again at once, and a row that comes twice even so is dropped. When fewer rows came than were announced,
    or the number announced has changed, all pages are read again for the missing rows, which come at the end.
    Rows that are missing even then are reported, and the command ends with exit code 3. However many rows are
    announced: pages that bring nothing new, two in a row, are the end.

    Args:
        listings: For each, a function from page number (0-based) to (rows, number of rows in all).
        key: What makes a row unique within its listing.
        size: Rows per page.
        workers: Requests under way at once.
        what: Plural name of the rows, for progress and warnings.
    """
    with console.progress(what) as bar:
        expected = 0
        for fetch, first in concurrency.in_order(_first_page, listings, workers):
            page = _result(first)
            expected += page[1]
            bar.expect(expected)
            for rows in _complete(fetch, page, key, size, workers, what):
                bar.advance(len(rows))
                yield from rows


def _first_page(fetch: Fetch) -> Page:
    return fetch(0)


def _complete(
    fetch: Fetch, first: Page, key: Callable[[Row], Hashable], size: int, workers: int, what: str
) -> Iterator[list[Row]]:
    seen: set[Hashable] = set()
    announced = known = 0  # rows; pages that were read before
    for attempt in range(1 + _REREADS):
        if attempt:
            console.debug(f"{what}: {announced} announced, {len(seen)} came: reading the pages again")
            first = fetch(0)
        totals = []
        idle = number = 0
        for number, (rows, announced) in enumerate(_pages(fetch, first, size, workers)):
            totals.append(announced)
            new = _new_rows(rows, key, seen)
            for _ in range(_SECOND_LOOKS):
                if attempt or not number or len(new) == len(rows):
                    break
                console.debug(f"{what}: page {number + 1} repeats rows: reading it again")
                rows, announced = fetch(number)
                new = {**_new_rows(rows, key, seen), **new}
            seen.update(new)
            yield list(new.values())
            idle = 0 if new or number < known else idle + 1
            if idle == _MOST_IDLE:
                break
        known = max(known, number + 1)
        if len(seen) >= announced and min(totals) == max(totals):
            return
    if len(seen) < announced:
        console.left_out(
            f"{announced - len(seen)} of {announced} {what} never came: the listing changes while it is read"
        )


def _new_rows(rows: list[Row], key: Callable[[Row], Hashable], seen: set[Hashable]) -> dict[Hashable, Row]:
    """The rows that were not seen, by key."""
    return {identity: row for row in rows if (identity := key(row)) not in seen}


def _pages(fetch: Fetch, first: Page, size: int, workers: int) -> Iterator[Page]:
    yield first
    others = range(1, -(-first[1] // size))
    for _, page in concurrency.in_order(fetch, others, workers, ahead=2):
        yield _result(page)


def _result(page: Page | Exception) -> Page:
    """The page, or the failure to fetch it, which is raised."""
    if isinstance(page, Exception):
        raise page
    return page
