"""Rows counted by the values of some columns, and sums over them: luminosities each run once and in one unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tkstudies.analysis.tables.luminosity import EACH, EachOnce, luminosity, own_luminosities
from tkstudies.analysis.tables.sort import place
from tkstudies.console import Losses, alternatives, listed
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, encode, records_of
from tkstudies.records import PICOBARNS, WHOLE_KEYS, Record, RecordView, key_of, number, whole

ROW, RUN, FILL, LUMISECTION = "row", "run", "fill", "lumisection"

_INTEGRATED = re.compile(r"(.*__)?((recorded|delivered|run|run_live)_lumi|int_luminosity)(_pb)?")
_PB = "pb^{-1}"


class Counts:
    """Counts rows by the values of columns, and sums other columns over them.

    Args:
        columns: By whose values; none for all rows together.
        sums: Columns to add up. A luminosity is added in pb^-1, whatever the units of its rows, and each run, fill
            (columns ``fill__...``) or lumisection once; other numbers are added as they are, each row once.
        each: Instead of that: ``row``, or one of `luminosity.EACH`; a value counts once for each.
    """

    def __init__(self, columns: Sequence[str], sums: Sequence[str] = (), each: str = ""):
        self._columns = list(dict.fromkeys(columns))
        self._sums = [_Sum(column, each) for column in dict.fromkeys(sums)]
        self._groups: dict[tuple[Any, ...], _Group] = {}
        self._known: dict[str, None] = {}
        self._rows = 0

    def add(self, record: RecordView) -> None:
        """Take one row."""
        self._rows += 1
        if not record.keys() <= self._known.keys():
            self._known.update(dict.fromkeys(record))
        values = [value_in(column, record.get(column)) for column in self._columns]
        key = tuple(map(identity, values))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(len(self._groups), values)
        group.rows += 1
        run = whole(record.get("run_number"))
        if run is not None:
            group.runs.add(run)
        for summed in self._sums:
            summed.add(group.number, record)

    def absorb(self, other: Counts) -> None:
        """Take the rows of another of the same settings, which come after these."""
        self._rows += other._rows
        self._known.update(other._known)
        numbers = []
        for key, theirs in other._groups.items():
            group = self._groups.setdefault(key, _Group(len(self._groups), theirs.values))
            group.rows += theirs.rows
            group.runs |= theirs.runs
            numbers.append(group.number)
        for mine, of_other in zip(self._sums, other._sums, strict=True):
            mine.absorb(of_other, numbers)

    def records(self) -> Iterator[Record]:
        """One record for each combination of values: these, rows, share, runs, and the sums; the most rows first.

        Raises:
            InputError: No row has a column that is named.
        """
        for column in (*self._columns, *(summed.column for summed in self._sums)) if self._rows else ():
            if column not in self._known:
                raise InputError(f"no record has a column {column}; {alternatives(column, self._known)}")
        sums = [summed.columns() for summed in self._sums]
        for group in sorted(self._groups.values(), key=_Group.place):
            record: Record = dict(zip(self._columns, group.values, strict=True))
            record["rows"] = group.rows
            record["share"] = group.rows / self._rows
            if "run_number" in self._known and "run_number" not in self._columns:
                record["runs"] = len(group.runs)
            for of_groups in sums:
                record.update(of_groups[group.number])
            yield record

    def losses(self) -> Losses:
        """What isn't in the sums, after the work."""
        losses = Losses()
        for summed in self._sums:
            summed.note(losses)
        return losses


@dataclass(frozen=True)
class Counting:
    """Counts the rows of a part, a task for `shardwise.Shards`; with the arguments of `Counts`."""

    columns: Sequence[str]
    sums: Sequence[str] = ()
    each: str = ""

    def __call__(self, records: Records, folder: str = "") -> Counts:
        counts = Counts(self.columns, self.sums, self.each)
        for record in records:
            counts.add(record)
        return counts


def count_rows(
    records: Iterable[Mapping[str, Any]], *columns: str, sums: Sequence[str] = (), each: str = ""
) -> Iterator[Record]:
    """Count rows by the values of columns, as ``tkstudies count`` does (see `Counts`).

    Example:
        >>> rows = [{"run_number": 1, "tracking": "GOOD"}, {"run_number": 1, "tracking": "GOOD"}]
        >>> list(count_rows(rows, "tracking"))
        [{'tracking': 'GOOD', 'rows': 2, 'share': 1.0, 'runs': 1}]
    """
    counts = Counting(columns, sums, each)(records_of(records))
    yield from counts.records()
    counts.losses().warn()


@dataclass
class _Group:
    number: int
    values: list[Any]
    rows: int = 0
    runs: set[int] = field(default_factory=set)

    def place(self) -> tuple[Any, ...]:
        """Most rows first, then by value, nulls last."""
        return -self.rows, [(value is None, place(value)) for value in self.values]


def value_in(column: str, value: Any) -> Any:
    """A value to count by: run numbers are numbers however they are written."""
    known = whole(value) if column in WHOLE_KEYS else None
    return value if known is None else known


def identity(value: Any) -> Any:
    """What values have in common that are the same: 1 and 1.0 are, 1 and true aren't."""
    if isinstance(value, list | dict):
        return encode(value)
    return (value,) if isinstance(value, bool) else value


def _number_in(column: str, record: RecordView) -> float | None:
    return number(record.get(column))


class _Sum:
    """The sums of one column, by the number of the group."""

    def __init__(self, column: str, each: str):
        self.column = column
        self._each = each
        self._is_luminosity = _INTEGRATED.fullmatch(column) is not None
        self._by_row: dict[int, float] = {}
        self._once: dict[int | None, EachOnce] = {}
        self._sections: list[tuple[int, Record]] = []
        self._units: dict[str | None, None] = {}
        self._unknown = 0
        self._kind = ""
        self._groups = 0

    def add(self, group: int, record: RecordView) -> None:
        """Take the value of a row."""
        self._groups = max(self._groups, group + 1)
        value, unit = number(record.get(self.column)), record.get(f"{self.column}_unit")
        if value is not None:
            self._is_luminosity = self._is_luminosity or (isinstance(unit, str) and unit in PICOBARNS)
            if not self._is_luminosity:
                self._units[unit if isinstance(unit, str) else None] = None
        each = self._each or self._usual(record)
        if each == LUMISECTION and self._is_luminosity:
            own = {name: record.get(name) for name in ("run_number", "lumisection_number", "fill_number")}
            self._sections.append((group, {**own, f"{self._name}_pb": self._pb(record)}))
        elif each != ROW:
            self._add_once(group, record, each)
        else:
            known = self._pb(record) if self._is_luminosity else value
            self._unknown += known is None
            self._by_row[group] = self._by_row.get(group, 0) + (known or 0)

    def _usual(self, record: RecordView) -> str:
        if not self._is_luminosity:
            return ROW
        if record.get("lumisection_number") is not None:
            return LUMISECTION
        return FILL if self.column.startswith("fill__") else RUN

    @property
    def _name(self) -> str:
        return self.column.removesuffix("_pb")

    def _pb(self, record: RecordView) -> float | None:
        return luminosity(record, self._name)

    def _add_once(self, group: int, record: RecordView, each: str) -> None:
        for one in (group, None):  # None: all groups together
            if one not in self._once:
                self._once[one] = self._new_once(each)
            self._once[one].add(record)

    def _new_once(self, each: str) -> EachOnce:
        return EachOnce(self._name, each, None if self._is_luminosity else partial(_number_in, self.column))

    def absorb(self, other: _Sum, numbers: Sequence[int]) -> None:
        """Take the rows of another, whose groups have these numbers here."""
        self._groups = max([self._groups, *(number + 1 for number in numbers)])
        if not self._is_luminosity:
            self._units.update(other._units)
        self._is_luminosity = self._is_luminosity or other._is_luminosity
        self._unknown += other._unknown
        self._sections += [(numbers[group], record) for group, record in other._sections]
        for group, value in other._by_row.items():
            self._by_row[numbers[group]] = self._by_row.get(numbers[group], 0) + value
        for one, once in other._once.items():
            mine = None if one is None else numbers[one]
            if mine in self._once:
                self._once[mine].absorb(once)
            else:
                self._once[mine] = once

    def columns(self) -> list[Record]:
        """The sum and its unit, for each group; null where nothing is known, or in several units."""
        if self._sections:
            self._add_sections()
        sums: list[float | None] = [None] * self._groups
        for group, known in self._by_row.items():
            sums[group] = known
        for one, once in self._once.items():
            total = once.total()
            if one is not None and total.counted:
                sums[one] = (sums[one] or 0) + total.pb
        unit = _PB if self._is_luminosity else next(iter(self._units), None)
        if len(self._units) > 1:
            sums = [None] * self._groups
        has_unit = self._is_luminosity or any(self._units)
        name = f"{self.column}_sum"
        return [{name: value, **({f"{name}_unit": unit} if has_unit else {})} for value in sums]

    def _add_sections(self) -> None:
        """Lumisections have the running sums of OMS, luminosities of their own, or that of their run."""
        self._kind, own = own_luminosities((record for _, record in self._sections), self._name)
        for group, record in self._sections:
            if self._kind == "run":
                self._add_once(group, record, RUN)
            else:
                known = own.get(key_of(record, EACH[LUMISECTION]))
                self._add_once(group, {**record, f"{self._name}_pb": known}, LUMISECTION)

    def note(self, losses: Losses) -> None:
        """What isn't in the sums."""
        why = f"not in the sum of {self.column}: no number"
        if self._is_luminosity:
            why += ", or its unit isn't known"
        losses.add(self._unknown, "row", why)
        if None in self._once:
            total = self._once[None].total()
            each = self._each or (FILL if self.column.startswith("fill__") else RUN)
            noun = LUMISECTION if self._sections and self._kind != RUN else each
            losses.add(total.unknown, noun, why)
            losses.add(total.keyless, "row", f"not in the sum of {self.column}: no {' and '.join(EACH[noun])}")
            unequal = f"with different values of {self.column} in their rows: the first counts"
            losses.add(total.unequal, noun, unequal)
        if self._kind == "running":
            losses.note(f"{self.column} of lumisections is a running sum: each counts with its difference to the next")
        if len(self._units) > 1:
            units = listed(str(unit) for unit in self._units)
            losses.note(f"{self.column} has several units ({units}), which can't be added: its sum is null")
