"""Which colour stands for what: statuses have theirs always, words one each, numbers a scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATUS_COLOURS = {"GOOD": "#3f78b5", "BAD": "#d1432f", "EXCLUDED": "#8c6bb1", "STANDBY": "#e6a019", "NOTSET": "#5f5f5f"}
COLOURS = ("#3f78b5", "#d1432f", "#2a9d6f", "#e6a019", "#8c6bb1", "#4bb3c4", "#a65628", "#d67ab1", "#5f5f5f", "#9aa62c")
UNKNOWN = "#b9b9b9"
"""The colour of what has no value, and of the words for which no colour is left."""

NO_VALUE = "no value"


def word(value: Any) -> str:
    """A value as a legend or a title writes it.

    >>> word("GOOD"), word(None), word(True)
    ('GOOD', 'no value', 'true')
    """
    if value is None:
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool) else str(value)


class Hue:
    """The colours of one column: the same in all panels of a figure.

    Attributes:
        column: The column, or nothing if no record has it.
        is_numeric: Are all its values numbers, to be coloured along a scale?
        limits: The ends of the scale.
        words: Those with a colour of their own, the most frequent first.
    """

    def __init__(self, column: str, records: Iterable[Record]):
        values = [record.get(column) for record in records]
        known = [value for value in values if value is not None]
        numbers = [value for value in map(number, known) if value is not None]
        self.column = column if known else ""
        self.is_numeric = bool(numbers) and len(numbers) == len(known)
        self.limits = (min(numbers), max(numbers)) if self.is_numeric else (0, 1)
        self._counts = Counter(map(word, values))
        most_first = sorted(self._counts, key=lambda one: (one == NO_VALUE, -self._counts[one], one))
        self.words = most_first[: len(COLOURS)]
        self._colours = colours_of([one for one in self.words if one != NO_VALUE])

    def shown_word(self, record: Record) -> str | None:
        """The word that a record is shown as, None if it is one of the others."""
        own = word(record.get(self.column))
        return own if own in self.words else None

    def colour(self, shown_word: str | None) -> str:
        """The colour of a word, or of the others."""
        return self._colours.get(shown_word or "", UNKNOWN)

    def add_legend(self, figure: Figure) -> None:
        """Tell the colours of the words, and how many records have each."""
        from matplotlib.lines import Line2D

        labels = [(self.colour(one), f"{one} ({self._counts[one]})") for one in self.words]
        others = sum(count for one, count in self._counts.items() if one not in self.words)
        if others:
            labels.append((UNKNOWN, f"others ({others})"))
        handles = [Line2D([], [], marker="o", linestyle="", color=colour, label=label) for colour, label in labels]
        figure.legend(handles=handles, title=self.column, loc="outside right upper")


def colours_of(words: Sequence[str]) -> dict[str, str]:
    """A colour of its own for each word; statuses have theirs always."""
    colours = {word: STATUS_COLOURS[word.upper()] for word in words if word.upper() in STATUS_COLOURS}
    free = iter([colour for colour in COLOURS if colour not in colours.values()])
    return {word: colours.get(word) or next(free, UNKNOWN) for word in words}
