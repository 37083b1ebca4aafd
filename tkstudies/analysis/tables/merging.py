"""Joins of a left side that comes in parts: every part is joined as if all parts before it had been read.

Which keys tables are joined on, and which columns the left side has, the first megabyte of all parts decides. A column
that the left side has only later counts from that row on. So a part may have to be made again, once it is known that
an earlier one has such a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tkstudies import jsonl
from tkstudies.analysis.tables.join import Join, LeftRows, join_losses
from tkstudies.analysis.tables.rightside import LeftSide, Table, load_table
from tkstudies.console import Losses
from tkstudies.provenance import digest
from tkstudies.records import KEY_COLUMNS
from tkstudies.shardwise import Shardwise


class Merge(Shardwise):
    """Joins tables onto rows, as ``tkstudies merge`` does.

    Args:
        right: The files of the tables.
        on: Key columns; chosen where there are none.
        inner: Drop left rows that a table doesn't know.
        prefix: Name to put before a right column that the left side has; such columns are dropped if empty.
        many: A right key that repeats repeats the left row.
        left: The files of the left side.
        skip_bad_lines: As the user has chosen.

    Attributes:
        readers: Of the tables.

    Raises:
        InputError: A table can't be read.
    """

    def __init__(
        self,
        right: Sequence[str],
        on: tuple[str, ...] = (),
        inner: bool = False,
        prefix: str = "",
        many: bool = False,
        left: Sequence[str] = (),
        skip_bad_lines: bool | None = None,
    ):
        self._given = right, on, inner, prefix, many, left, skip_bad_lines
        self._on, self._inner, self._prefix, self._many = on, inner, prefix, many
        self.readers = [jsonl.Reader([name], skip_bad_lines=skip_bad_lines) for name in right]
        self._tables: list[Table] = []
        self._late: dict[str, int] = {}
        self._loaded: _Loaded | None = None
        self._side: LeftSide | None = None  # what the first megabyte of the left side has
        self._before: LeftSide | None = None  # what the rows before those of this part have
        self._join: Join | None = None
        self._rows = 0  # of all parts so far
        self._news: dict[str, int] = {}  # columns that they have beyond the first megabyte, from which row on
        self._known: LeftSide | None = None  # what they have
        self._is_told = False
        self._again: Merge | None = None  # makes parts again

    def lines(self, records: jsonl.Records) -> Iterator[bytes]:
        """The joined lines."""
        if self._before is None:
            rows = LeftRows(records, self._on)
            self._tables = self._load(rows.side()) if rows else []
        else:
            rows = LeftRows(records, self._on, ahead=0, before=self._before)
        if not rows:
            return
        self._join = Join(rows, self._tables, inner=self._inner, prefix=self._prefix, before=self._before)
        self._late = self._join.late
        yield from self._join

    def losses(self) -> Losses:
        return join_losses(self._tables, self._late, self._prefix)

    @property
    def is_partial(self) -> bool:
        return any(reader.skipped for reader in self.readers)

    def recipe(self) -> Any:
        right = [[reader.named, list(map(digest, reader.sources))] for reader in self.readers]
        side = self._first_megabyte()
        return [self._on, self._inner, self._prefix, self._many, right, sorted(side.columns), sorted(side.valued)]

    def fresh(self) -> Merge:
        if self._loaded is None:
            side = self._first_megabyte()
            tables = self._load(_copy(side)) if side.columns else []
            self._loaded = _Loaded(side, tables, self.readers)
        part = Merge(*self._given)
        part._loaded, part._before = self._loaded, self._loaded.side
        part._tables = [table.fresh() for table in self._loaded.tables]
        part.readers = self._loaded.readers
        return part

    def noted(self) -> Any:
        return self.remember(), [reader.findings for reader in self.readers]

    def absorb(self, noted: Any) -> Merge | None:
        remembered, readers = noted
        again = self.recall(remembered)
        if not again and remembered["rows"] and not self._is_told:  # all parts have read the same tables
            self._is_told = True
            for reader, findings in zip(self.readers, readers, strict=True):
                reader.take(findings)
        return again

    def remember(self) -> Any:
        join, before = self._join, self._before
        if join is None or before is None or self._loaded is None:
            return {"rows": 0}
        return {
            "rows": join.rows,
            "assumed": sorted(before.columns.keys() - self._loaded.side.columns.keys()),
            "columns": join.news.columns,
            "valued": join.news.valued,
            "late": list(join.late),
            "tables": [_facts(table) for table in self._tables],
        }

    def recall(self, remembered: Any) -> Merge | None:
        if not remembered["rows"]:
            return None
        columns, valued = remembered["columns"], remembered["valued"]
        first = {column for column, row in columns.items() if row == 1}
        if first.union(remembered["assumed"]) != first | self._news.keys():
            self._again = self._again or Merge(*self._given)
            again = self._again.fresh()
            again._before = _copy(self._first_megabyte())
            again._before.columns.update(dict.fromkeys(self._news))
            return again
        self._take(remembered["tables"])
        known = self._known = self._known or _copy(self._first_megabyte())
        for row in sorted({*columns.values(), *valued.values(), *([] if self._rows else [1])}):
            known.columns.update((column, None) for column, first_row in columns.items() if first_row == row)
            known.valued.update(column for column, first_row in valued.items() if first_row == row)
            left = _copy(known)
            for table in self._tables:
                left.check_key(table, self._rows + row)
                left.join(table)
        for column, row in columns.items():
            self._news.setdefault(column, self._rows + row)
        for column in remembered["late"]:
            self._late.setdefault(column, self._news[column])
        self._rows += remembered["rows"]
        return None

    def _take(self, tables: list[Any]) -> None:
        """Take in what a part tells of the tables; their rows stay where they are."""
        if not self._tables:
            for name, keys, is_automatic, valued, columns, size, keyless, duplicates, _, _ in tables:
                table = Table(name, tuple(keys), is_automatic, set(valued), dict.fromkeys(columns))
                table.size, table.keyless, table.duplicates = size, keyless, duplicates
                self._tables.append(table)
        for table, (*_, matched, lost) in zip(self._tables, tables, strict=True):
            table.matched += matched
            table.clashes.lost.update(dict.fromkeys(lost))

    def _first_megabyte(self) -> LeftSide:
        """What it tells of the left side; no columns if there are no rows."""
        if self._side is None:
            *_, left, skip_bad_lines = self._given
            self._side = LeftRows(jsonl.Reader(left, skip_bad_lines=skip_bad_lines), self._on).side()
        return self._side

    def _load(self, side: LeftSide) -> list[Table]:
        on, prefix, many = self._on, self._prefix, self._many
        return [load_table(reader.named[0], reader, side, on, many, prefix) for reader in self.readers]


class _Loaded(NamedTuple):
    """The tables, with what the left side has that they are loaded for, and those who have read them."""

    side: LeftSide
    tables: list[Table]
    readers: list[jsonl.Reader]


def _copy(side: LeftSide) -> LeftSide:
    return LeftSide(dict(side.columns), set(side.valued))


def _facts(table: Table) -> list[Any]:
    """What others must know of a table, as JSON."""
    columns = [column for column in table.columns if column in KEY_COLUMNS]
    facts = [table.name, table.keys, table.is_automatic, sorted(table.valued), columns]
    return [*facts, table.size, table.keyless, table.duplicates, table.matched, list(table.clashes.lost)]
