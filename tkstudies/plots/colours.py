"""Which colour stands for what: statuses have theirs always, words one each, numbers a scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tkstudies.plots.texts import shown
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATUS_COLOURS = {
    "GOOD": "#3f78b5",
    "BAD": "#d1432f",
    "EXCLUDED": "#8c6bb1",
    "STANDBY": "#e6a019",
    "NOTSET": "#5f5f5f",
    "LOWSTAT": "#d9c24a",
    "EMPTY": "#2f2f2f",
}
COLOURS = ("#3f78b5", "#d1432f", "#2a9d6f", "#e6a019", "#8c6bb1", "#4bb3c4", "#a65628", "#d67ab1", "#5f5f5f", "#9aa62c")
UNKNOWN = "#b9b9b9"
"""The colour of what has no value, and of the words for which no colour is left."""

_OTHERS_BESIDE_UNKNOWN = "#d8c7a0"
_FIXED = {
    **STATUS_COLOURS,
    "TRUE": "#e6a019",
    "FALSE": "#3f78b5",
    "PIXEL BAD": "#d67ab1",
    "STRIP BAD": "#a65628",
    "TRACKING BAD": "#7a1f2b",
    "PIXEL EXCLUDED": "#4bb3c4",
    "STRIP EXCLUDED": "#2a9d6f",
    "TRACKING EXCLUDED": "#c9b1e0",
    "PIXEL STANDBY": "#9aa62c",
    "STRIP STANDBY": "#1f3f66",
    "TRACKING STANDBY": "#f2b98a",
    "PIXEL NOTSET": "#7d9a8c",
    "STRIP NOTSET": "#b08d7a",
    "TRACKING NOTSET": "#8fa3c4",
    "EXPRESS": "#2a9d6f",
    "PROMPT": "#a65628",
    "RERECO": "#d67ab1",
    "ONLINE": "#4bb3c4",
}
"""Words that have the same colour in every picture: statuses, truth values, `status_summary`, reconstructions."""

_FREE = (
    *("#2a9d6f", "#4bb3c4", "#a65628", "#d67ab1", "#9aa62c", "#1f3f66", "#f08a5d", "#00695c", "#b5179e", "#90be6d"),
    *("#577590", "#ff9da7", "#7a1f2b", "#6b6b1f", "#c8a2c8", "#13a4a4"),
)
NO_VALUE = "no value"
_LONGEST, _USUAL = 40, 18  # letters of an entry of the legend, for which there is room


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


class Hue:
    """The colours of one column: the same in all panels of a figure, and of known words in all figures.

    Attributes:
        column: The column, or nothing if no record has it.
        is_numeric: Are all its values numbers, to be coloured along a scale?
        limits: The ends of the scale.
        undrawable: How many of the numbers are too large or too small for it.
        words: Those with a colour of their own, the most frequent first.
    """

    def __init__(self, column: str, records: Iterable[Record]):
        values = [record.get(column) for record in records]
        known = [value for value in values if value is not None]
        numbers = [value for value in map(number, known) if value is not None]
        drawable = [value for value in numbers if is_drawable(value)]
        self.column = column if known else ""
        self.is_numeric = bool(drawable) and len(numbers) == len(known)
        self.undrawable = len(numbers) - len(drawable) if self.is_numeric else 0
        self.limits = (min(drawable), max(drawable)) if self.is_numeric else (0, 1)
        self._counts = Counter(map(word, values))
        most_first = sorted(self._counts, key=lambda one: (one == NO_VALUE, -self._counts[one], one))
        self.words = most_first[: len(COLOURS)]
        if NO_VALUE in self._counts and NO_VALUE not in self.words:  # it is none of the others
            self.words[-1] = NO_VALUE
        self._colours = colours_of([one for one in self.words if one != NO_VALUE])
        self._others = _OTHERS_BESIDE_UNKNOWN if NO_VALUE in self.words else UNKNOWN

    def number(self, record: Record) -> int | float | None:
        """The number that a record is coloured by, None if it has none that can be drawn."""
        value = number(record.get(self.column))
        return value if value is not None and is_drawable(value) else None

    def shown_word(self, record: Record) -> str | None:
        """The word that a record is shown as, None if it is one of the others."""
        own = word(record.get(self.column))
        return own if own in self.words else None

    def colour(self, shown_word: str | None) -> str:
        """The colour of a word, or of the others."""
        return self._others if shown_word is None else self._colours.get(shown_word, UNKNOWN)

    def add_legend(self, figure: Figure) -> None:
        """Tell the colours of the words, and how many records have each."""
        from matplotlib.lines import Line2D

        labels = [(self.colour(one), f"{shown(one, _LONGEST)} ({self._counts[one]})") for one in self.words]
        others = sum(count for one, count in self._counts.items() if one not in self.words)
        if others:
            labels.append((self.colour(None), f"others ({others})"))
        handles = [Line2D([], [], marker="o", linestyle="", color=colour, label="-") for colour, _ in labels]
        legend = figure.legend(handles=handles, title=shown(self.column), loc="outside right upper")
        longest = max(len(label) for _, label in labels)
        figure.set_figwidth(figure.get_figwidth() + 0.09 * max(longest - _USUAL, 0))
        for text, (_, label) in zip(legend.get_texts(), labels, strict=True):
            text.set_text(label)  # as a label, one that begins with _ would be left out


def is_drawable(value: int | float) -> bool:
    """Is there room for the number in a picture? Beyond these, matplotlib's own arithmetic fails.

    >>> is_drawable(0), is_drawable(-1e99), is_drawable(10**400), is_drawable(1e-200)
    (True, True, False, False)
    """
    return value == 0 or 1e-100 < abs(value) < 1e100


def colours_of(words: Sequence[str]) -> dict[str, str]:
    """A colour of its own for each word.

    Statuses and their like have theirs always; others have theirs as long as no word before them in the alphabet
    takes it.
    """
    colours = {one: _FIXED[one.upper()] for one in words if one.upper() in _FIXED}
    free = [colour for colour in _FREE if colour not in colours.values()]
    for one in sorted(words):
        if one not in colours and free:
            wanted = _FREE[crc32(one.encode("utf-8", "replace")) % len(_FREE)]
            colours[one] = wanted if wanted in free else free[0]
            free.remove(colours[one])
    return {one: colours.get(one, UNKNOWN) for one in words}
