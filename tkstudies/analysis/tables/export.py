"""Records to tables of other programs, and back: a table needs all columns before its first row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, Generic, TypeVar

from tkstudies import console
from tkstudies.analysis.tables import csv, parquet
from tkstudies.analysis.tables.cells import is_unicode
from tkstudies.analysis.tables.csvtable import CsvTable
from tkstudies.analysis.tables.dialect import NOTHING_KNOWN, Choices
from tkstudies.errors import InputError
from tkstudies.jsonl import (
    NOT_STRICT,
    BadRecord,
    Form,
    OutputFile,
    Reader,
    Records,
    WholeRecords,
    decode,
    is_utf16,
    opened,
    other_format,
    shown,
)
from tkstudies.records import Record

Row = TypeVar("Row", bound=Mapping[str, Any])


class RereadRows(Generic[Row]):
    """The rows of an input, to be gone through twice: files are read again, other input is held as lines.

    Args:
        records: The input, read for the first time.
        form: What is made of a record: a mapping of its columns.
    """

    def __init__(self, records: Records, form: Form[Row]):
        self._records = records
        self._form = form
        is_files = isinstance(records, Reader) and all(map(os.path.isfile, records.sources))
        self._held: list[bytes] | None = None if is_files else []

    def first(self) -> Iterator[Row]:
        """The rows, for the first time."""
        for line, row in self._records.rows(self._form):
            if self._held is not None:
                self._held.append(line)
            yield row

    def again(self, columns: Mapping[str, Any]) -> Iterator[Row]:
        """The same rows.

        Raises:
            InputError: One has a column beyond ``columns``: the file has changed.
        """
        for row in self._once_more():
            if not row.keys() <= columns.keys():
                name = self._records.name if isinstance(self._records, Reader) else "the input"
                raise InputError(f"{name}: changed while it was read")
            yield row

    def _once_more(self) -> Iterator[Row]:
        if self._held is None and isinstance(self._records, Reader):
            again = Reader(self._records.sources, skip_bad_lines=self._records.skipped > 0)
            yield from again.parsed(self._form)
        for line in self._held or ():
            try:
                yield self._form.decode(line)
            except NOT_STRICT:  # lone surrogates and the like
                yield self._form.from_record(decode(line))


class Export:
    """A table out of records.

    Attributes:
        records: Number of rows.
        columns: All columns, in order of first appearance.
        texts: Columns of Parquet that had to become texts.
        alike: Columns of Parquet whose names differ by case only.

    Args:
        defuse: Put a ' before texts of CSV that a spreadsheet takes for formulas.
    """

    def __init__(self, *, defuse: bool = False) -> None:
        self._defuse = defuse
        self._formulas = 0
        self.records = 0
        self.columns: dict[str, Any] = {}
        self.texts: list[str] = []
        self.alike: list[str] = []

    def csv_lines(self, records: Records) -> Iterator[bytes]:
        """The header and the rows of a CSV table, without line ends; nothing for no records."""
        rows = RereadRows(records, csv.RawRecords)
        for record in rows.first():
            self.records += 1
            if not record.keys() <= self.columns.keys():
                self.columns.update(dict.fromkeys(record))
        self._check_names()
        if self.records:
            yield csv.csv_header(self.columns)
        for record in rows.again(self.columns):
            line = csv.csv_line(self.columns, record)
            if csv.MAY_HAVE_FORMULA(line):
                formulas = csv.formulas(record)
                self._formulas += len(formulas)
                if self._defuse and formulas:
                    line = csv.csv_line(self.columns, {**record, **formulas})
            yield line

    def write_parquet(self, records: Records, output: str) -> None:
        """Write a Parquet file, which appears when it is whole.

        Raises:
            TkstudiesError: pyarrow isn't installed.
            InputError: There is no column.
        """
        parquet.library()
        rows: RereadRows[Record] = RereadRows(records, WholeRecords)
        layout = self.layout(parquet.column_types(self._counted(rows.first())))
        with OutputFile(output) as file, file.guarded():
            parquet.write(rows.again(self.columns), layout, file.stream)

    def layout(self, columns: dict[str, parquet.ColumnType], *, is_typed: bool = False) -> Any:
        """The schema of a table of Parquet with these columns (see `parquet.schema`).

        Raises:
            InputError: There is none.
        """
        self.columns = columns
        if not columns:
            raise InputError("no columns to write: Parquet needs at least one")
        self._check_names()
        self.alike = _alike(columns)
        layout, self.texts = parquet.schema(columns, is_typed=is_typed)
        return layout

    def _counted(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self.records += 1
            yield record

    def _check_names(self) -> None:
        odd = [name for name in self.columns if not is_unicode(name)]
        if odd:
            raise InputError(f"column names that aren't valid Unicode: {', '.join(map(ascii, odd))}")

    def losses(self) -> console.Losses:
        """What the table can't hold as it was."""
        losses = console.Losses()
        if self.texts:
            names = console.listed(self.texts)
            losses.note(f"{names}: mixed types or objects, written as texts (--to jsonl restores them)")
        if self.alike:
            losses.note(
                f"{console.listed(self.alike)}: names that differ by case only, which DuckDB changes and Spark refuses "
                "(set spark.sql.caseSensitive to true)"
            )
        if self._defuse:
            losses.add(self._formulas, "text", "changed: a ' stands before what a spreadsheet takes for a formula")
        else:
            why = "that a spreadsheet takes for a formula"
            losses.add(self._formulas, "text", why, advice="--defuse puts a ' before it")
        return losses


def _alike(names: Iterable[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.lower(), []).append(name)
    return [name for group in groups.values() if len(group) > 1 for name in group]


class Tables:
    """The records of CSV and Parquet tables.

    Args:
        choices: What is known about a CSV table.

    Attributes:
        losses: What the records don't hold of them.
    """

    def __init__(self, choices: Choices = NOTHING_KNOWN):
        self.losses = console.Losses()
        self._choices = choices

    def records(self, name: str) -> Iterator[tuple[int, Record | BadRecord]]:
        """Yield the records of a table with the number of their row (of CSV: their line).

        For a row of CSV that isn't one, why.

        Raises:
            InputError: It isn't a table, or can't be read.
        """
        with opened(name) as stream:
            try:
                beginning = stream.peek(16)[:16]
                if beginning.startswith(parquet.MAGIC):
                    yield from enumerate(self._parquet_records(stream, name), start=1)
                else:
                    yield from self._csv_records(stream, name, beginning)
            except BadRecord as error:
                raise InputError(f"{shown(name)}: not a CSV table: {error}") from None
            except (OSError, EOFError) as error:
                raise InputError(f"{shown(name)}: can't be read: {error}") from None

    def _csv_records(self, stream: Any, name: str, beginning: bytes) -> Iterator[tuple[int, Record | BadRecord]]:
        if beginning[:1] in (b"{", b"["):
            raise InputError(f"{shown(name)}: holds JSON already, not CSV or Parquet")
        if not is_utf16(beginning) and (found := other_format(beginning, "a CSV or Parquet table")):
            raise InputError(f"{shown(name)} {found}")
        if beginning.lstrip()[:1] == b"<":
            raise InputError(f"{shown(name)}: is a web page, perhaps of a login, not a CSV or Parquet table")
        yield from CsvTable(stream, self._choices, losses=self.losses, source=shown(name)).records()

    def _parquet_records(self, stream: Any, name: str) -> Iterator[Record]:
        arrow = parquet.library()
        file = stream if stream.seekable() else BytesIO(stream.read())
        try:
            yield from parquet.read(file, losses=self.losses, source=shown(name))
        except arrow.ArrowException as error:
            raise InputError(f"{shown(name)}: not a readable Parquet file: {error}") from None
