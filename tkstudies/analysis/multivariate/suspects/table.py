"""The rows of a table, read once: their lines wait on disk, their numbers and a few texts are taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.matrix import MatrixBuilder
from tkstudies.jsonl import Records
from tkstudies.jsonl.store import LineStore, NumberStore
from tkstudies.records import whole
from tkstudies.shardwise import Shards, merged

Array = NDArray[np.float64]

KEYS = ("run_number", "reco", "lumisection_number")


class Read(NamedTuple):
    """What was read of one part of a table.

    Attributes:
        lines: The line of each row, if they are to be reported.
        stored: The numbers of each row. features: The columns that these are.
        values: Those of the wanted columns, a tuple for each row.
    """

    lines: LineStore
    stored: NumberStore
    features: list[str]
    values: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Reading:
    """Reads a part, a task for `shardwise.Shards`.

    Attributes:
        wanted: Columns whose values are taken, beside all numbers.
        with_lines: Are the rows to be reported?
    """

    wanted: tuple[str, ...]
    with_lines: bool = True

    def __call__(self, records: Records, folder: str = "") -> Read:
        builder = MatrixBuilder(("*",), None, self.wanted, folder)
        lines, values = LineStore(folder), []
        for line, row in records.rows(builder):
            if self.with_lines:
                lines.add(line)
            values.append(tuple([None if value is UNSET else value for value in builder.add(row)]))
        lines.finish()
        builder.stored.finish()
        return Read(lines, builder.stored, builder.features, values)


class Table:
    """All rows, those to report first.

    Args:
        reported: The rows to judge and report.
        judging: Rows that only judge.
        columns: Columns whose values are wanted, beside the keys.

    Attributes:
        lines: The lines of the rows to report.
        reported: Number of rows to report.
        runs: Run numbers, 0 where a row has none, shape (rows,).
        numbers_in: Columns with numbers, in alphabetical order: the order in a file must not matter.
    """

    def __init__(self, reported: Shards, judging: Shards | None, columns: Iterable[str]):
        wanted = tuple(dict.fromkeys([*KEYS, *columns]))
        self._places = {column: place for place, column in enumerate(wanted)}
        self._numbers: list[tuple[list[str], NumberStore]] = []
        self._values: list[tuple[Any, ...]] = []
        self.lines = merged(map(self._lines_of, reported.read(Reading(wanted))))
        self.reported = len(self._values)
        for part in judging.read(Reading(wanted, with_lines=False)) if judging is not None else ():
            self._lines_of(part)
        self.runs = np.array([whole(run) or 0 for run in self.column("run_number")], dtype=np.int64)
        self.numbers_in = sorted({name for features, _ in self._numbers for name in features})
        self.is_of_lumisections = self.has("lumisection_number")

    def __len__(self) -> int:
        return len(self._values)

    def _lines_of(self, part: Read) -> LineStore:
        """Take the values and numbers of a part; its lines."""
        self._values += part.values
        features = list(map(intern, part.features))  # thousands of parts have the same names
        self._numbers.append((features, part.stored))
        return part.lines

    def column(self, name: str) -> list[Any]:
        """The values of a wanted column, None where there is none."""
        place = self._places[name]
        return [values[place] for values in self._values]

    def has(self, name: str) -> bool:
        """Whether any row has a value in a wanted column."""
        place = self._places[name]
        return any(values[place] is not None for values in self._values)

    def columns(self) -> list[str]:
        """The columns that are known of the rows: the wanted ones with values, then those with numbers."""
        return [*filter(self.has, self._places), *self.numbers_in]

    def record(self, row: int) -> dict[str, Any]:
        """The wanted columns of a row."""
        return {column: self._values[row][place] for column, place in self._places.items()}

    def records(self) -> Iterator[dict[str, Any]]:
        """The same of all rows."""
        return map(self.record, range(len(self)))

    def numbers(self, columns: Sequence[str]) -> Array:
        """Numbers of some columns, NaN where there is none, shape (rows, columns)."""
        numbers = np.full((len(self), len(columns)), np.nan)
        start = 0
        for features, stored in self._numbers:
            known = {name: place for place, name in enumerate(features)}
            found = [(place, known[name]) for place, name in enumerate(columns) if name in known]
            to, source = [place for place, _ in found], [place for _, place in found]
            for chunk in stored.chunks(len(features)):
                numbers[start : start + len(chunk), to] = chunk[:, source]
                start += len(chunk)
        numbers[~np.isfinite(numbers)] = np.nan
        return numbers

    def of(self, rows: NDArray[np.int64]) -> Part:
        """Some of the rows."""
        return Part(self, rows)

    def number(self, column: str) -> Array:
        """The numbers of one column, shape (rows,)."""
        return self.numbers([column])[:, 0]


class Part:
    """Some rows of a table, in an order of their own, with what the table can tell of them."""

    def __init__(self, table: Table, rows: NDArray[np.int64]):
        self._table, self._rows = table, rows
        self.runs = table.runs[rows]
        self.numbers_in = table.numbers_in

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> list[Any]:
        """The values of a wanted column."""
        values = self._table.column(name)
        return [values[row] for row in self._rows]

    def numbers(self, columns: Sequence[str]) -> Array:
        """Numbers of some columns, shape (rows, columns)."""
        return self._table.numbers(columns)[self._rows]

    def number(self, column: str) -> Array:
        """The numbers of one column, shape (rows,)."""
        return self.numbers([column])[:, 0]
