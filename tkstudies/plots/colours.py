"""Which colour and marker stand for what in a column: words have one each, numbers a scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tkstudies.plots.legends import Entry, dots
from tkstudies.plots.palette import COLOURS, OTHERS_BESIDE_UNKNOWN, STATUS_COLOURS, UNKNOWN, colours_of, markers_of
from tkstudies.plots.texts import is_drawable
from tkstudies.records import Record, number, number_in

__all__ = ["COLOURS", "NO_VALUE", "STATUS_COLOURS", "UNKNOWN", "Hue", "order", "word"]

NO_VALUE = "no value"


def word(value: Any) -> str:
    """A value as a legend or a title writes it; no text is taken for a missing value.

    >>> word("GOOD"), word(None), word(True), word(""), word("no value")
    ('GOOD', 'no value', 'true', '""', '"no value"')
    """
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f'"{text}"' if not text.strip() or text == NO_VALUE else text


def order(value: str) -> tuple[Any, ...]:
    """Where a word stands among others: numbers in their order, then other words, then no value.

    >>> sorted(["b", "no value", "10", "9"], key=order)
    ['9', '10', 'b', 'no value']
    """
    found = number_in(value)
    return value == NO_VALUE, found is None, found or 0, value


class Hue:
    """The colours of one column: the same in all panels of a figure, and of known words in all figures.

    Attributes:
        column: The column, or nothing if no record has it.
        is_numeric: Are all its values numbers, to be coloured along a scale?
        limits: The ends of the scale.
        undrawable: How many of the numbers are too large or too small for it.
        words: Those with a colour of their own, the most frequent first.
    """

    def __init__(self, column: str, records: Iterable[Record], may_be_numeric: bool = True):
        values = [record.get(column) for record in records]
        known = [value for value in values if value is not None]
        numbers = [value for value in map(number, known) if value is not None] if may_be_numeric else []
        drawable = [value for value in numbers if is_drawable(value)]
        self.column = column if known else ""
        self.is_numeric = bool(drawable) and len(numbers) == len(known)
        self.undrawable = len(numbers) - len(drawable) if self.is_numeric else 0
        self.limits = (min(drawable), max(drawable)) if self.is_numeric else (0, 1)
        self.counts = Counter(map(word, values))
        most_first = sorted(self.counts, key=lambda one: (one == NO_VALUE, -self.counts[one], one))
        self.words = most_first[: len(COLOURS)]
        if NO_VALUE in self.counts and NO_VALUE not in self.words:  # it is none of the others
            self.words[-1] = NO_VALUE
        self._colours = colours_of([one for one in self.words if one != NO_VALUE])
        self._others = OTHERS_BESIDE_UNKNOWN if NO_VALUE in self.words else UNKNOWN
        shown: list[str | None] = [*self.words, None]
        self._markers = dict(zip(shown, markers_of([self.colour(one) for one in shown]), strict=True))

    def number(self, record: Record) -> int | float | None:
        """The number that a record is coloured by, None if it has none that can be drawn."""
        value = number(record.get(self.column))
        return value if value is not None and is_drawable(value) else None

    def shown_word(self, record: Record) -> str | None:
        """The word that a record is shown as, None if it is one of the others."""
        own = word(record.get(self.column))
        return own if own in self._markers else None

    def colour(self, shown_word: str | None) -> str:
        """The colour of a word, or of the others."""
        return self._others if shown_word is None else self._colours.get(shown_word, UNKNOWN)

    def marker(self, shown_word: str | None) -> str:
        """The marker of a word, or of the others."""
        return self._markers[shown_word]

    @property
    def others(self) -> int:
        """How many records have a word that is none of ``words``."""
        return sum(count for one, count in self.counts.items() if one not in self.words)

    def shown_words(self) -> list[str | None]:
        """All that is shown: the words, and None if there are others."""
        return [*self.words, *([None] if self.others else [])]

    def layers(self) -> list[str | None]:
        """The same as they are drawn: those without a value, then the many, so that the few lie on top."""
        return [*(one for one in self.words if one == NO_VALUE), *(one for one in self.words if one != NO_VALUE), None]

    def text(self, shown_word: str | None) -> str:
        """A word as the legend shows it, with how many records have it."""
        if shown_word is None:
            return f"others ({self.others})"
        return f"{shown_word} ({self.counts[shown_word]})"

    def entries(self) -> list[Entry]:
        """The entries of the legend: colours and markers of the words, and how many records have each."""
        return [Entry(dots(self.colour(one), self.marker(one)), self.text(one)) for one in self.shown_words()]
