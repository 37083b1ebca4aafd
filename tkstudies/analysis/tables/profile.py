"""What the columns of a table hold: types, gaps, ranges, the commonest values.

Memory: numbers that wait for their median are in a temporary file; at a time those of as many columns are in memory
as make 64 MB, at least one column (8 bytes a number). Beside that each column of texts holds its different values up
to `MOST_DISTINCT`.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies import jsonl
from tkstudies.analysis.tables import catalogue
from tkstudies.jsonl.store import NumberStore, as_float

MOST_DISTINCT = 10_000
"""Different texts of a column that are counted; beyond it says nothing of how many and which."""

COMMONEST = 5
_MOST_CHARACTERS = 1 << 20  # of the texts of one column that are counted
_SHOWN = 60  # characters of a common value

_BATCH = 1 << 20  # bytes of lines whose values are looked at together
_ROW = 1024  # numbers of one column that go to the file together
_IN_MEMORY = 1 << 23  # numbers
_EXACT = 2**53  # beyond it floats leave integers out

_TYPES = {int: "integer", float: "number", str: "text", bool: "boolean", list: "list", dict: "object"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|\+00:00)?")


class Profile:
    """Collects what the columns hold, record by record.

    Args:
        folder: Where the numbers are, if another process is to read them (`jsonl.store`).

    Example:
        >>> profile = Profile()
        >>> for record in ({"pileup": 30, "tracking": "GOOD"}, {"pileup": 31.5, "tracking": None}):
        ...     profile.add(record)
        >>> first, second = profile.rows()
        >>> first["type"], first["smallest"], first["median"], second["filled"], second["commonest"]
        ('number', 30, 30.75, 1, ['GOOD (1)'])
    """

    def __init__(self, folder: str = "") -> None:
        self.records = 0
        self._columns: dict[str, _Column] = {}
        self._store = NumberStore(folder)
        self._others: list[tuple[NumberStore, dict[int, int]]] = []  # places of their columns -> places here
        self._size = 0

    def add(self, record: dict[str, Any], size: int = 1024) -> None:
        """Take in a record that was read from a line of ``size`` bytes."""
        self.records += 1
        columns = self._columns
        for name, value in record.items():
            try:
                columns[name].values.append(value)
            except KeyError:
                columns[name] = _Column(len(columns))
                columns[name].values.append(value)
        self._size += size
        if self._size > _BATCH:
            self._look()

    def finish(self) -> None:
        """The last record is in: look at those that wait."""
        self._look()
        self._store.finish()

    def absorb(self, other: Profile) -> None:
        """Take what another found in records that come after these; both are finished."""
        if not self._others:  # this one is finished, too
            self._others.append((self._store, {column.place: column.place for column in self._columns.values()}))
            self._store = NumberStore()
        self.records += other.records
        places = {}
        for name, theirs in other._columns.items():
            mine = self._columns.setdefault(name, _Column(len(self._columns)))
            mine.absorb(theirs, self._store)
            places[theirs.place] = mine.place
        self._others.append((other._store, places))

    def _look(self) -> None:
        for column in self._columns.values():
            column.look(self._store)
        self._size = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """One record for each column, in the order of first appearance.

        Keys: column, type, filled, records, smallest, median, largest, distinct, commonest, meaning, unit.

        Raises:
            OutputError: The temporary file can't be written.
        """
        self._look()
        meanings = catalogue.explain(self._columns)
        numbers = self._sorted_numbers()
        for name, column in self._columns.items():
            entry = meanings[name]
            own_unit = self._columns.get(f"{name}_unit")
            yield {
                "column": name,
                "type": column.type,
                "filled": column.filled,
                "records": self.records,
                **column.summary(next(numbers)),
                "meaning": entry.meaning if entry else None,
                "unit": (own_unit and own_unit.only_text) or (entry.unit if entry else None),
            }

    def _sorted_numbers(self) -> Iterator[NDArray[np.float64]]:
        """The numbers of each column in order, read from the file for many columns at once."""
        group: list[_Column] = []
        size = 0
        for column in self._columns.values():
            if group and size + column.numbers > _IN_MEMORY:
                yield from self._read(group)
                group, size = [], 0
            group.append(column)
            size += column.numbers
        yield from self._read(group)

    def _read(self, group: list[_Column]) -> Iterator[NDArray[np.float64]]:
        found = {column.place: np.empty(column.numbers) for column in group}
        done = dict.fromkeys(found, 0)
        own = {column.place: column.place for column in group}
        stores = [(self._store, own), *self._others] if any(column.stored for column in group) else ()
        for store, places in stores:
            for chunk in store.chunks(_ROW + 1):
                for row in chunk:
                    place = places.get(int(row[0]), -1)
                    if place in found:
                        found[place][done[place] : done[place] + _ROW] = row[1:]
                        done[place] += _ROW
        for column in group:
            numbers = found.pop(column.place)
            numbers[done[column.place] :] = column.pending
            numbers.sort()
            yield numbers


def profile_of(records: jsonl.Records, folder: str = "") -> Profile:
    """What the columns of a part hold, a task for `shardwise.Shards`."""
    profile = Profile(folder)
    for line, record in records.rows(jsonl.WholeRecords):
        profile.add(record, len(line))
    profile.finish()
    return profile


class _Column:
    """What is known of one column so far."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.values: list[Any] = []  # not looked at yet
        self.pending = array("d")  # numbers that don't fill a row of the file yet
        self.filled = self.numbers = self.stored = 0
        self._types: set[type] = set()
        self._range: tuple[Any, Any] | None = None  # of the numbers
        self._times: tuple[str, str] | None = None
        self._are_times = True  # all texts so far
        self._texts: Counter[str] | None = Counter()
        self._characters = 0
        self._truths: Counter[str] = Counter()

    def look(self, store: NumberStore) -> None:
        """Take in the values that have come, and forget them."""
        values, self.values = [value for value in self.values if value is not None], []
        self.filled += len(values)
        kinds = set(map(type, values))
        self._types |= kinds
        if kinds & {int, float}:
            self._take_numbers(_of(values, kinds, int, float), store)
        if str in kinds:
            self._take_texts(Counter(_of(values, kinds, str)))
        if bool in kinds:
            self._truths.update("true" if value else "false" for value in _of(values, kinds, bool))

    def _take_numbers(self, values: list[int | float], store: NumberStore) -> None:
        self._range = _widened(self._range, values)
        self.numbers += len(values)
        try:
            self.pending.extend(array("d", values))
        except OverflowError:
            self.pending.extend(map(as_float, values))
        self._store_rows(store)

    def _store_rows(self, store: NumberStore) -> None:
        while len(self.pending) >= _ROW:
            store.add([self.place, *self.pending[:_ROW]])
            del self.pending[:_ROW]
            self.stored += _ROW

    def _take_texts(self, texts: Counter[str]) -> None:
        self._are_times = self._are_times and all(map(_TIME.fullmatch, texts))
        if self._are_times:
            self._times = _widened(self._times, texts, _moment)
        self._count_texts(texts)

    def _count_texts(self, texts: Counter[str] | None) -> None:
        """Count texts; None if they are too many."""
        if self._texts is None or texts is None:
            self._texts = None
            return
        self._characters += sum(len(text) for text in texts if text not in self._texts)
        self._texts.update(texts)
        if len(self._texts) > MOST_DISTINCT or self._characters > _MOST_CHARACTERS:
            self._texts = None

    def absorb(self, other: _Column, store: NumberStore) -> None:
        """Take what is known of further values, of which all have been looked at."""
        self.filled += other.filled
        self._types |= other._types
        self._range = _widened(self._range, other._range or ()) if other._range else self._range
        self.numbers += other.numbers
        self.stored += other.stored
        self.pending.extend(other.pending)
        self._store_rows(store)
        self._are_times = self._are_times and other._are_times
        if self._are_times and other._times:
            self._times = _widened(self._times, other._times, _moment)
        self._count_texts(other._texts)
        self._truths.update(other._truths)

    @property
    def type(self) -> str:
        """What its values are, in one word."""
        kinds = {_TYPES[kind] for kind in self._types}
        if kinds == {"integer", "number"}:
            return "number"
        return "mixed" if len(kinds) > 1 else "".join(kinds) or "null"

    @property
    def only_text(self) -> str | None:
        """The one text that all its texts are."""
        return next(iter(self._texts)) if self._texts is not None and len(self._texts) == 1 else None

    def summary(self, numbers: NDArray[np.float64]) -> dict[str, Any]:
        """The range and the commonest values, given all numbers in order."""
        smallest, largest = self._range or (self._times if self._are_times else None) or (None, None)
        return {
            "smallest": smallest,
            "median": self._median(numbers),
            "largest": largest,
            "distinct": self._distinct(numbers),
            "commonest": self._commonest(),
        }

    def _median(self, numbers: NDArray[np.float64]) -> int | float | None:
        if not len(numbers):
            return None
        middle = float(numbers[(len(numbers) - 1) // 2] / 2 + numbers[len(numbers) // 2] / 2)
        return int(middle) if float not in self._types and middle.is_integer() else middle

    def _distinct(self, numbers: NDArray[np.float64]) -> int | None:
        """The number of different values; None if they are too many, or can't be told from each other."""
        if self._texts is None or self._types & {list, dict} or not self.filled:
            return None
        if len(numbers) and max(-numbers[0], numbers[-1]) > _EXACT:
            return None
        different = int((np.diff(numbers) > 0).sum()) + 1 if len(numbers) else 0
        return different + len(self._texts) + len(self._truths)

    def _commonest(self) -> list[str] | None:
        if self._texts is None or not (self._texts or self._truths):
            return None
        return [f"{_shown(text)} ({number})" for text, number in (self._texts + self._truths).most_common(COMMONEST)]


def _of(values: list[Any], kinds: set[type], *wanted: type) -> list[Any]:
    """The values of these types, of a list whose types are known."""
    return values if kinds.issubset(wanted) else [value for value in values if type(value) in wanted]


def _widened(
    known: tuple[Any, Any] | None, values: Iterable[Any], key: Callable[[Any], Any] | None = None
) -> tuple[Any, Any]:
    """The smallest and the largest of the values and of those known before."""
    everything = [*(known or ()), *values]
    return min(everything, key=key), max(everything, key=key)


def _moment(time: str) -> str:
    """A text by which times, all UTC, are in order."""
    return time.removesuffix("Z").removesuffix("+00:00").replace("T", " ")


def _shown(text: str) -> str:
    """The beginning of a text without control characters; two quotes for an empty one."""
    beginning = jsonl.quoted(text[:_SHOWN].encode("utf-8", "backslashreplace"), 4 * _SHOWN)
    return (beginning or '""') + ("..." if len(text) > _SHOWN else "")
