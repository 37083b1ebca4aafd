"""Rows as points in the space of some of their numeric columns: what outliers and embeddings look at."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies import console
from tkstudies.analysis.histograms.collections import tells_run_length
from tkstudies.analysis.multivariate.components import component_columns, is_component
from tkstudies.analysis.multivariate.matrix import ColumnMeans, filled, filler, is_feature, telling_features
from tkstudies.errors import InputError
from tkstudies.jsonl import NOT_STRICT, Reader, decode, encode
from tkstudies.jsonl.columns import NamedColumns
from tkstudies.jsonl.store import LineStore, as_float
from tkstudies.records import Record, is_named, number

Array = NDArray[np.float64]

_MOST_ALIKE = 10_000  # rows of different labels that are remembered


@dataclass
class Points:
    """The chosen columns of all rows.

    Attributes:
        columns: Their names.
        values: NaN where a row lacks a column, shape (rows, columns).
        telling: Columns whose values make a row a point, shape (columns,): a luminosity alone doesn't.
        missing: What stands for a gap: ``zero``, ``mean``, or ``drop`` for leaving such rows out.
    """

    columns: list[str]
    values: Array
    telling: NDArray[np.bool_]
    missing: str = "zero"

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows that have a place in the space, shape (rows,): with a telling value, and with ``drop`` all values."""
        there = ~np.isnan(self.values)
        return np.all(there, axis=1) if self.missing == "drop" else np.any(there[:, self.telling], axis=1)

    @property
    def filled(self) -> int:
        """Number of usable rows that lack a column."""
        return int(np.isnan(self.values[self.usable]).any(axis=1).sum())

    def scaled(self, training: NDArray[np.bool_]) -> Array:
        """The usable rows without gaps, on a scale that the training rows set.

        Features get zero mean and unit (population) variance over the training rows. Principal components
        stay as they are: the size of a component is its weight.

        Args:
            training: Which of all rows count, shape (rows,).

        Returns:
            Shape (usable rows, columns).

        Raises:
            InputError: A column is too large for its variance to be a number.
        """
        chosen = self.values[self.usable & training]
        gap = filler(self.missing, len(self.columns), lambda: ColumnMeans([chosen], len(self.columns)))
        points = filled(self.values[self.usable], gap)
        if all(map(is_component, self.columns)):
            return points
        from sklearn.preprocessing import StandardScaler

        with np.errstate(over="ignore", invalid="ignore"):
            scaled = StandardScaler().fit(filled(chosen, gap)).transform(points)
        if not np.isfinite(scaled).all():
            names = [name for name, column in zip(self.columns, scaled.T, strict=True) if _overflows(column)]
            raise InputError(f"values too large for a variance: {', '.join(names[:5])}")
        return scaled


def points(rows: Sequence[Record], patterns: Sequence[str] = (), missing: str = "zero") -> Points:
    """The points of all rows.

    Args:
        rows: Records of a table.
        patterns: Shell patterns of column names. Without any: the principal components pc1, pc2, ... if there
            are some, else the features that ``pca`` would take but for those that tell how long a run was
            (mean and rms in x of plots against lumisections).
        missing: ``zero``, ``mean`` or ``drop``.

    Raises:
        InputError: There is no row, no such column, or a number beyond the floating-point range.

    Example:
        >>> points([{"run_number": 1, "pc1": 0.5, "Hits.mean": 7}, {"run_number": 2}]).values.tolist()
        [[0.5], [nan]]
    """
    if not rows:
        raise InputError("no records")
    numeric = list(dict.fromkeys(name for row in rows for name, value in row.items() if number(value) is not None))
    columns = _choose(numeric, patterns)
    return _points(columns, ([row.get(name) for name in columns] for row in rows), len(rows), patterns, missing)


def _points(
    columns: list[str], rows: Iterable[Sequence[Any]], count: int, patterns: Sequence[str], missing: str
) -> Points:
    values = np.empty((count, len(columns)))
    for place, row in enumerate(rows):
        values[place] = [as_float(number(value)) for value in row]
    if np.isinf(values).any():
        names = [name for name, column in zip(columns, values.T, strict=True) if np.isinf(column).any()]
        raise InputError(f"numbers too large to compute with: {', '.join(names[:5])}")
    return Points(columns, values, telling_features(columns, patterns), missing)


class PointTable:
    """Rows that wait for their scores: their lines in a temporary file when they are many, in memory what is needed.

    Args:
        records: Rows of a table.
        kept: Columns whose values are wanted of each row.
        patterns, missing: As for `points`.

    Attributes:
        rows: The kept columns of each row; equal ones are one object.
        columns: The names of all columns.
        points: The rows as points.

    Raises:
        InputError: As for `points`.
    """

    def __init__(self, records: Reader, kept: Sequence[str] = (), patterns: Sequence[str] = (), missing: str = "zero"):
        self._lines = LineStore()
        self.rows: list[Record] = []
        self.columns: dict[str, None] = {}
        numeric: dict[str, None] = {}
        known: dict[bytes, Record] = {}
        for line, record in records.lines():
            self._lines.add(line)
            self.columns.update(dict.fromkeys(record))
            numeric.update((name, None) for name, value in record.items() if number(value) is not None)
            row = {name: record[name] for name in kept if name in record}
            self.rows.append(known.setdefault(encode(row), row) if len(known) < _MOST_ALIKE else row)
        self._numeric, self._patterns, self._missing = list(numeric), patterns, missing

    @cached_property
    def points(self) -> Points:
        if not self.rows:
            raise InputError("no records")
        columns = _choose(self._numeric, self._patterns)
        console.say_memory(5 * 8 * len(self.rows) * len(columns))
        named = NamedColumns(columns)
        values = (_values(named, line)[: len(columns)] for line in self._lines)
        return _points(columns, values, len(self.rows), self._patterns, self._missing)

    def lines(self, added: Iterable[Record]) -> Iterator[bytes]:
        """The lines with further columns, which come in the place of older ones of the same name."""
        for line, columns in zip(self._lines, added, strict=True):
            if self.columns.keys().isdisjoint(columns):
                yield line[:-1] + (b"," if len(line) > 2 else b"") + encode(columns)[1:]
            else:
                yield encode({**decode(line), **columns})


def _values(named: NamedColumns, line: bytes) -> Sequence[Any]:
    try:
        return named.decode(line)
    except NOT_STRICT:
        return named.from_record(decode(line))


def _choose(numeric: list[str], patterns: Sequence[str]) -> list[str]:
    for pattern in patterns:
        if not any(is_named(name, pattern) for name in numeric):
            raise InputError(f"--features {pattern}: no such numeric column; there are {', '.join(numeric) or 'none'}")
    if patterns:
        return [name for name in numeric if any(is_named(name, pattern) for pattern in patterns)]
    columns = component_columns(numeric) or [
        name for name in numeric if is_feature(name) and not tells_run_length(name)
    ]
    if not columns:
        raise InputError(
            "no record has a principal component or a feature: "
            "join the features first, run pca, or choose columns with --features"
        )
    return columns


def _overflows(column: Array) -> bool:
    return not np.isfinite(column).all()


@contextmanager
def reproducible() -> Iterator[list[str]]:
    """Compute on one thread, so that sums don't depend on scheduling or on the machine's number of cores.

    Yields:
        What scikit-learn warns of meanwhile, in our words, each kind once.
    """
    from threadpoolctl import threadpool_limits

    said: list[str] = []
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield said
        finally:
            said.extend(
                in_our_words(
                    str(warning.message)
                    for warning in caught
                    if not issubclass(warning.category, DeprecationWarning | FutureWarning)
                )
            )


def in_our_words(warned: Iterable[str]) -> list[str]:
    """What scikit-learn warned of, each kind once; warnings that differ in numbers only are of one kind.

    >>> in_our_words(["Determinant has increased (-3.1 > -3.2)", "The covariance matrix is not full rank"])
    ['the columns depend on each other too much for a covariance: scores are rough (run pca first, or take fewer)']
    >>> in_our_words(["odd thing 1", "odd  thing 2"])
    ['odd thing 1']
    """
    kinds: dict[str, str] = {}
    for text in (" ".join(text.split()) for text in warned):
        ours = next((words for part, words in _KNOWN_WARNINGS.items() if part in text), text)
        kinds.setdefault(_NUMBERS.sub("#", ours), ours)
    return list(kinds.values())


_NUMBERS = re.compile(r"[-+]?[0-9][0-9.e+-]*")
_DEPENDENT = (
    "the columns depend on each other too much for a covariance: scores are rough (run pca first, or take fewer)"
)
_KNOWN_WARNINGS = {
    "not full rank": _DEPENDENT,
    "Determinant has increased": _DEPENDENT,
    "failed to converge": "it stopped before it had settled: scores are rough",
}
"""Part of a warning of scikit-learn -> what it means to us."""
