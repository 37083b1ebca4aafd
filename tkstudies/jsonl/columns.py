"""Forms of records that give the values of some columns, without decoding the rest.

msgspec decodes into a Struct of the columns that one names, and only validates what else is in a line: several
times faster than a dict of everything. The value of a record is always a tuple. Absent and null are the same here,
None.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import astuple

from tkstudies.jsonl.codec import decode, decode_strictly

Values = tuple[Any, ...]

_ROWS_TO_LEARN_FROM = 50  # to make a Struct costs as much as some ten dicts: short inputs go without
_MOST_LESSONS = 20  # rows that bring new columns again and again are read as dicts: a Struct of each would cost more


def row_decoder(
    types: Mapping[str, Any], wanted: Sequence[str], *, only: bool = False, unset: Container[str] = (), rest: int = 0
) -> Callable[[bytes], Values] | None:
    """A decoder from a line to the values of the ``wanted`` columns.

    Args:
        types: Type of each column in the order of the file, which makes it fast.
        wanted: Columns of the result, in its order; None for those that aren't in ``types``. The result has two
            values at least.
        only: Refuse lines with columns beyond ``types``.
        rest: The result goes on with the last so many columns of ``types``.
        unset: Columns whose value is ``msgspec.UNSET`` where they are absent.

    Returns:
        None if a name is one that msgspec doesn't take, with a quote or a backslash in it. The decoder raises
        ``msgspec.ValidationError`` for a value of another type, or a column too many.
    """
    members = {column: f"c{number}" for number, column in enumerate(types)}
    defaults = {column: msgspec.UNSET if column in unset else None for column in (*types, *wanted)}
    try:
        row = msgspec.defstruct(
            "Row",
            [(member, types[column], defaults[column]) for column, member in members.items()],
            rename={member: column for column, member in members.items()},
            namespace={"null": None, "unset": msgspec.UNSET},
            forbid_unknown_fields=only,
            gc=False,
        )
    except ValueError:
        return None
    decode = msgspec.json.Decoder(row).decode
    getters = [members.get(column, "null" if defaults[column] is None else "unset") for column in wanted]
    values = attrgetter(*getters, *["null"] * (2 - len(getters)))  # of one member it makes no tuple
    if not rest:
        return lambda line: values(decode(line))
    first = len(types) - rest

    def decode_all(line: bytes) -> Values:
        row = decode(line)
        return values(row) + astuple(row)[first:]

    return decode_all


class NamedColumns:
    """The values of a few columns whose names are known beforehand.

    Args:
        unset: Those of the columns whose value is ``msgspec.UNSET`` where a record doesn't have them; the others are
            None then.
    """

    def __init__(self, columns: Iterable[str], unset: Container[str] = ()):
        self.columns = tuple(dict.fromkeys(columns))
        self._absent = [(column, msgspec.UNSET if column in unset else None) for column in self.columns]
        self._decode = row_decoder(dict.fromkeys(self.columns, Any), self.columns, unset=unset)

    def decode(self, line: bytes) -> Values:
        """One value for each of ``columns``.

        Raises:
            msgspec.DecodeError, BadRecord: The line isn't an object of strict JSON.
        """
        return self._decode(line) if self._decode else self.from_record(decode_strictly(line))

    def read(self, line: bytes) -> Values:
        """The same of a line that was read before: with what strict JSON doesn't have (NaN, integers of any size)."""
        try:
            return self.decode(line)
        except msgspec.DecodeError:
            return self.from_record(decode(line))

    def from_record(self, record: Mapping[str, Any]) -> Values:
        """The same of a decoded record."""
        return tuple([record.get(column, absent) for column, absent in self._absent])


class LearnedColumns:
    """The values of a few columns, and the names of all: a column that no line before had is noticed.

    After some lines a Struct of the columns seen so far takes over from the dict; a line with an unknown
    column goes back to the dict, and the Struct learns the column.

    Attributes:
        wanted: The columns whose values are taken.
        columns: All columns so far, in the order of their first appearance.
    """

    def __init__(self, wanted: Iterable[str]):
        self.wanted = tuple(wanted)
        self.columns: dict[str, None] = {}
        self._seen = self._lessons = 0
        self._decode: Callable[[bytes], Values] | None = None

    def decode(self, line: bytes) -> Values:
        """One value for each of ``wanted``.

        Raises:
            msgspec.DecodeError, BadRecord: The line isn't an object of strict JSON.
        """
        if self._decode is not None:
            try:
                return self._decode(line)
            except msgspec.ValidationError:
                pass
        return self.from_record(decode_strictly(line))

    def from_record(self, record: Mapping[str, Any]) -> Values:
        """The same of a decoded record."""
        self._seen += 1
        if not record.keys() <= self.columns.keys():
            self.columns.update(dict.fromkeys(record))
            self._forget()
        if self._decode is None and self._seen > _ROWS_TO_LEARN_FROM and self._lessons < _MOST_LESSONS:
            self._decode = self._decoder()
        return tuple([record.get(column) for column in self.wanted])

    def _forget(self) -> None:
        """A lesson learnt: the Struct so far won't do."""
        self._lessons += 1
        self._decode = None

    def _decoder(self) -> Callable[[bytes], Values] | None:
        """Columns whose values nobody wants stay as they are."""
        types = {column: Any if column in self.wanted else msgspec.Raw for column in self.columns}
        return row_decoder(types, self.wanted, only=True)
