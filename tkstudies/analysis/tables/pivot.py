"""Long to wide: the rows of a run become one row, with a column for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tkstudies.analysis.tables.counts import identity, value_in
from tkstudies.console import Losses, alternatives, listed
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl import encode
from tkstudies.records import KEY_COLUMNS, Record, RecordView, choose_keys

MOST_COLUMNS = 20_000


class Pivot:
    """Turns the values of some columns into columns.

    A new column is called ``<value>__<column>``: with ``columns=["reco"]`` tracking becomes ``express__tracking`` and
    ``prompt__tracking``, as the columns of fills are called ``fill__era`` once joined.

    Args:
        columns: Whose values become parts of names.
        index: What a row of the result is about; by default the keys of the rows without ``columns``.
        values: What the new columns hold; by default every other column.
    """

    def __init__(self, columns: Sequence[str], index: Sequence[str] = (), values: Sequence[str] = ()):
        twice = [name for name in columns if name in index or name in values]
        twice += [name for name in index if name in values]
        if twice:
            raise UsageError(f"{twice[0]}: a column is of the index, or turned into names, or a value")
        self._columns, self._index, self._values = list(columns), list(index), list(values)
        self._records: list[RecordView] = []
        self._known: dict[str, None] = {}
        self._losses = Losses()

    def add(self, record: RecordView) -> None:
        """Take one row of the long table."""
        self._records.append(record)
        if not record.keys() <= self._known.keys():
            self._known.update(dict.fromkeys(record))

    def rows(self) -> Iterator[Record]:
        """The wide rows, and their columns, in order of first appearance; a missing cell is null.

        Raises:
            InputError: No row has a column that is named, or there would be too many columns.
        """
        if not self._records:
            return
        index, values = self._chosen()
        wide: dict[tuple[Any, ...], Record] = {}
        names: dict[str, None] = {}
        without_key = repeated = 0
        examples: dict[str, None] = {}
        for record in self._records:
            own = {column: value_in(column, record.get(column)) for column in index}
            if None in own.values():
                without_key += 1
                continue
            row = wide.setdefault(tuple(map(identity, own.values())), own)
            before = [_text(record.get(column)) for column in self._columns]
            differs = False
            for column in values:
                name = "__".join([*before, column])
                names[name] = None
                value = record.get(column)
                if row.get(name) is None:
                    row[name] = value
                elif value is not None and row[name] != value:
                    differs = True
            if differs:
                repeated += 1
                examples[" ".join(map(_text, own.values()))] = None
            if len(names) > MOST_COLUMNS:
                raise InputError(
                    f"more than {MOST_COLUMNS:,} columns: {' and '.join(self._columns)} has too many different values"
                )
        keys = " and ".join([*index, *self._columns])
        self._losses.add(without_key, "row", f"without {' and '.join(index)} left out")
        why = f"with a repeated {keys} and other values ({listed(examples, 3)}): the first counts"
        self._losses.add(repeated, "row", why, advice="name what tells them apart with --index or --columns")
        if clash := [name for name in index if name in names]:
            raise InputError(f"{clash[0]} would be a new column, and is of the index")
        for row in wide.values():
            yield {**{column: row[column] for column in index}, **{name: row.get(name) for name in names}}

    def _chosen(self) -> tuple[list[str], list[str]]:
        """The columns of the index, and those of the values."""
        for column in (*self._columns, *self._index, *self._values):
            if column not in self._known:
                raise InputError(f"no record has a column {column}; {alternatives(column, self._known)}")
        left = [column for column in self._known if column not in self._columns]
        index = self._index or list(choose_keys(left, left) or ())
        if not index:
            raise InputError(f"no key left ({', '.join(KEY_COLUMNS)}): name with --index what a row shall be about")
        values = self._values or [column for column in left if column not in index]
        if not values:
            raise InputError(f"no column left for values: there are {', '.join(self._known)}")
        return index, values

    def losses(self) -> Losses:
        """What didn't find a place, after the work."""
        return self._losses


def pivot_rows(
    records: Iterable[Mapping[str, Any]], columns: Sequence[str], index: Sequence[str] = (), values: Sequence[str] = ()
) -> Iterator[Record]:
    """Turn the values of columns into columns, as ``tkstudies pivot`` does (see `Pivot`).

    Example:
        >>> rows = [{"run_number": 1, "reco": reco, "tracking": "GOOD"} for reco in ("express", "prompt")]
        >>> list(pivot_rows(rows, ["reco"]))
        [{'run_number': 1, 'express__tracking': 'GOOD', 'prompt__tracking': 'GOOD'}]
    """
    pivot = Pivot(columns, index, values)
    for record in records:
        pivot.add(record)
    yield from pivot.rows()
    pivot.losses().warn()


def _text(value: Any) -> str:
    """A value as a part of a name: texts as they are, others as JSON writes them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return value if isinstance(value, str) else encode(value).decode("utf-8", "replace")
