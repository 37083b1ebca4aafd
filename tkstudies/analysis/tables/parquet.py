"""Records as Parquet columns, and back without loss.

Each column has one type: booleans, integers (64 bits, null where missing), floats, texts, or lists of one of
them; integers beside floats become floats. A column that has no such type (mixed values, objects, lists of
lists, integers beyond 64 bits) holds texts: values other than texts as JSON, texts as they are unless they
would be read as JSON. It carries a mark by which ``read`` restores its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tkstudies.analysis.tables.arrow import Column
from tkstudies.analysis.tables.cells import is_json, is_unicode
from tkstudies.console import Losses
from tkstudies.errors import InputError, TkstudiesError
from tkstudies.jsonl import decode_value, encode
from tkstudies.records import Record

MAGIC = b"PAR1"

_ROWS_AT_ONCE = 10_000
_MARK = {b"tkstudies": b"json"}
_EXACT_IN_FLOAT = 2**53
_NAMES = {bool: "boolean", int: "integer", float: "float", str: "text"}


def library() -> Any:
    """The modules of pyarrow that we use.

    Raises:
        TkstudiesError: It isn't installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TkstudiesError("Parquet needs pyarrow, which isn't installed: pip install 'tkstudies[parquet]'") from None
    return pyarrow


@dataclass
class ColumnType:
    """What has been seen in a column.

    Attributes:
        scalars: Kinds of its values, among boolean, integer, float, text, other.
        members: Kinds of the members of its lists, None if it has no list.
        low, high: Range of its integers, or of those in its lists.
    """

    scalars: set[str] = field(default_factory=set)
    members: set[str] | None = None
    low: int = 0
    high: int = 0

    def observe(self, value: Any) -> None:
        """Take one more value into account."""
        if value is None:
            return
        if type(value) is list:
            self.members = self.members or set()
            self.members.update(self._kind(member) for member in value if member is not None)
        else:
            self.scalars.add(self._kind(value))

    def absorb(self, other: ColumnType) -> None:
        """Take into account what was seen in another part of the table."""
        self.scalars |= other.scalars
        if other.members is not None:
            self.members = (self.members or set()) | other.members
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def as_json(self) -> list[Any]:
        """All of it for `of_json`; integers may have more than 64 bits."""
        members = None if self.members is None else sorted(self.members)
        return [sorted(self.scalars), members, str(self.low), str(self.high)]

    @classmethod
    def of_json(cls, known: list[Any]) -> ColumnType:
        """What `as_json` gave."""
        scalars, members, low, high = known
        return cls(set(scalars), None if members is None else set(members), int(low), int(high))

    def _kind(self, value: Any) -> str:
        if type(value) is int:
            self.low, self.high = min(self.low, value), max(self.high, value)
        elif type(value) is str and not is_unicode(value):
            return "other"
        return _NAMES.get(type(value), "other")

    def arrow(self) -> Any:
        """The Arrow type for all of it, or None if there is none.

        Example:
            >>> column = ColumnType()
            >>> for value in (1, None, 2.5):
            ...     column.observe(value)
            >>> str(column.arrow())
            'double'
        """
        if self.members is None:
            return self._scalar(self.scalars)
        members = self._scalar(self.members)
        return None if self.scalars or members is None else library().list_(members)

    def _scalar(self, kinds: set[str]) -> Any:
        arrow = library()
        if kinds == {"integer"}:
            if self.low >= -(2**63) and self.high < 2**63:
                return arrow.int64()
            return arrow.uint64() if self.low >= 0 and self.high < 2**64 else None
        if kinds == {"integer", "float"}:
            exact = self.low >= -_EXACT_IN_FLOAT and self.high <= _EXACT_IN_FLOAT
            return arrow.float64() if exact else None
        one = {(): arrow.null(), ("boolean",): arrow.bool_(), ("float",): arrow.float64(), ("text",): arrow.string()}
        return one.get(tuple(kinds))


def column_types(records: Iterable[Record]) -> dict[str, ColumnType]:
    """The type of each column, in order of first appearance."""
    columns: dict[str, ColumnType] = {}
    for record in records:
        for name, value in record.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = ColumnType()
            column.observe(value)
    return columns


def joined(parts: Iterable[Mapping[str, ColumnType]]) -> dict[str, ColumnType]:
    """The types of the columns of a table that comes in parts, in order of first appearance."""
    columns: dict[str, ColumnType] = {}
    for part in parts:
        for name, column in part.items():
            columns.setdefault(name, ColumnType()).absorb(column)
    return columns


def schema(columns: Mapping[str, ColumnType], *, is_typed: bool = False) -> tuple[Any, list[str]]:
    """The Arrow schema of the columns, and the names of those that become texts.

    Args:
        is_typed: Columns of nulls get a type, that of floats, as not every program knows one for nothing.
    """
    arrow = library()
    nothing = {arrow.null(): arrow.float64(), arrow.list_(arrow.null()): arrow.list_(arrow.float64())}
    fields, texts = [], []
    for name, column in columns.items():
        kind = column.arrow()
        if is_typed and kind is not None:
            kind = nothing.get(kind, kind)
        if kind is None:
            texts.append(name)
            fields.append(arrow.field(name, arrow.string(), metadata=_MARK))
        else:
            fields.append(arrow.field(name, kind))
    return arrow.schema(fields), texts


def write(records: Iterable[Record], layout: Any, file: Any) -> None:
    """Write records to an open binary file.

    Args:
        layout: A schema for all of them.
    """
    arrow = library()
    records = iter(records)
    with arrow.parquet.ParquetWriter(file, layout) as writer:
        while batch := list(islice(records, _ROWS_AT_ONCE)):
            arrays = [arrow.array(_column(batch, column), column.type) for column in layout]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=layout))


def _column(batch: list[Record], column: Any) -> list[Any]:
    values = [record.get(column.name) for record in batch]
    return [None if value is None else _as_text(value) for value in values] if _marked(column) else values


def read(file: Any, *, losses: Losses | None = None, source: str = "") -> Iterator[Record]:
    """The records of a Parquet file, given by its name or opened; each has all columns.

    Args:
        losses: Where it is noted what the records don't hold of it.
        source: What the file is called in messages.

    Raises:
        InputError: A column can't be a column of records: two have its name, or its type has no JSON.
        pyarrow.ArrowException: It isn't a Parquet file.
    """
    arrow = library()
    table = arrow.parquet.ParquetFile(file, coerce_int96_timestamp_unit="us")  # in ns, 9999 would be 1816
    where = f"{source}: " if source else ""
    names = table.schema_arrow.names
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{where}two columns have the name {', '.join(repeated)}: give one another name")
    columns = {column.name: Column(column, where) for column in table.schema_arrow}
    for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE):
        values = []
        for column, array in zip(columns.values(), batch.columns, strict=True):
            found = column.values(array)
            values.append(list(map(_from_text, found)) if _marked(column.field) else found)
        for row in zip(*values, strict=True):
            yield dict(zip(columns, row, strict=True))
    for column in columns.values():
        column.note(losses)


def _marked(column: Any) -> bool:
    return bool(column.metadata) and _MARK.items() <= column.metadata.items()


def _as_text(value: Any) -> str:
    if isinstance(value, str) and is_unicode(value) and not is_json(value):
        return value
    return encode(value).decode()


def _from_text(text: str | None) -> Any:
    return decode_value(text) if text is not None and is_json(text) else text
