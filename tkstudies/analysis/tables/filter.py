"""Keeping the records for which conditions hold, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tkstudies import console
from tkstudies.analysis.tables.certification import Certification
from tkstudies.analysis.tables.conditions import ALL_HOLD, Conditions
from tkstudies.analysis.tables.expressions import Expression
from tkstudies.jsonl import Records, decode, records_of
from tkstudies.jsonl.columns import NamedColumns
from tkstudies.records import Record, whole
from tkstudies.shardwise import Shardwise

_CERTIFIED_BY = ("run_number", "lumisection_number")
_NOT_CERTIFIED = -2
_MOST_NAMED = 5


class Filter(Shardwise):
    """Keeps the records for which all conditions hold; a line that is kept stays as it is, byte for byte.

    Args:
        expressions: What must hold, parsed or as text.
        certified: Good runs and lumisections; all that count if None.
        invert: Keep the others instead.

    Attributes:
        records: Number of records so far. kept: How many of them were kept.

    Raises:
        UsageError: An expression can't be understood.
    """

    def __init__(
        self, expressions: Iterable[Expression | str], certified: Certification | None = None, invert: bool = False
    ):
        self.records = self.kept = 0
        self._given = list(expressions), certified, invert
        self._conditions = Conditions(self._given[0])
        self._golden = _Golden(certified) if certified else None
        self._invert = invert
        tested = self._conditions.columns
        self._form = NamedColumns([*tested, *(_CERTIFIED_BY if certified else ())], unset=self._conditions.words)
        must_be_met = [column for column in tested if column not in self._conditions.words]
        must_be_met += _CERTIFIED_BY[: certified is not None]
        self._unmet = {column: self._form.columns.index(column) for column in must_be_met}
        self._last = b"{}"

    def lines(self, records: Records) -> Iterator[bytes]:
        """The lines of the records that are kept."""
        failing, reasons, golden = self._conditions.failing, self._conditions.reasons, self._golden
        run, lumisection = [self._form.columns.index(key) for key in _CERTIFIED_BY] if golden else (0, 0)
        unmet, invert, line = self._unmet, self._invert, self._last
        read = kept = 0
        try:
            for line, values in records.rows(self._form):
                read += 1
                if unmet:
                    unmet = {column: place for column, place in unmet.items() if values[place] is None}
                if golden is not None and not golden.holds(values[run], values[lumisection]):
                    failed = _NOT_CERTIFIED
                else:
                    failed = failing(values)
                    if not kept:
                        reasons.add(failed, values)
                if (failed == ALL_HOLD) is not invert:
                    kept += 1
                    yield line
        finally:
            self._last, self._unmet = line, unmet
            self.records, self.kept = self.records + read, self.kept + kept

    def recipe(self) -> Any:
        _, certified, invert = self._given
        return [[each.text for each in self._conditions.expressions], certified and certified.content(), invert]

    def fresh(self) -> Filter:
        return Filter(*self._given)

    def noted(self) -> Any:
        golden = self._golden and self._golden.noted()
        return self.records, self.kept, self._last, set(self._unmet), self._conditions.noted(), golden

    def absorb(self, noted: Any) -> None:
        records, kept, last, unmet, conditions, golden = noted
        if not records:
            return
        self.records, self.kept, self._last = self.records + records, self.kept + kept, last
        self._unmet = {column: place for column, place in self._unmet.items() if column in unmet}
        self._conditions.absorb(conditions)
        if self._golden:
            self._golden.absorb(*golden)

    def losses(self) -> console.Losses:
        """After the work: columns that no record had, and what could not be compared.

        Raises:
            InputError: Numbers should be compared with a word that is no column.
        """
        losses, last = console.Losses(), decode(self._last)
        self._conditions.check(last, losses)
        for column in self._unmet:
            if last and column not in last:
                losses.note(f"no record has a value in {column}; {console.alternatives(column, last)}")
        if self._golden and "run_number" not in self._unmet:
            losses.add(self._golden.runless, "record", f"without a run number can't be in {self._golden.name}")
        return losses

    def summary(self) -> str:
        """How many were kept, and if none was: why, with the values that there are."""
        told = f"{self.kept:,} of {console.counted(self.records, 'record')} kept"
        if self.kept or not self.records:
            return told
        if self._invert:
            return f"{told}: all of them satisfy the conditions, and --invert keeps the others"
        why = self._conditions.reasons.text() or (self._golden.why_nothing() if self._golden else "")
        return f"{told}: {why}" if why else told


class _Golden:
    """A certification file on its way through records: what of them isn't in it.

    Attributes:
        name: Of the file. runless: Records without a run number.
    """

    def __init__(self, certified: Certification):
        self.name = certified.name
        self.runless = 0
        self._certified = certified
        self._absent: dict[int, None] = {}  # runs
        self._outside: dict[tuple[int, Any], None] = {}  # lumisections of runs that are in it

    def holds(self, run: Any, lumisection: Any) -> bool:
        if self._certified.contains(run, lumisection):
            return True
        number = whole(run)
        if number is None:
            self.runless += 1
        elif not self._certified.contains(number):
            if len(self._absent) <= _MOST_NAMED:
                self._absent[number] = None
        elif len(self._outside) <= _MOST_NAMED:
            self._outside[number, whole(lumisection) or str(lumisection)] = None
        return False

    def noted(self) -> Any:
        return self.runless, self._absent, self._outside

    def absorb(self, runless: int, absent: dict[int, None], outside: dict[tuple[int, Any], None]) -> None:
        self.runless += runless
        self._absent = dict.fromkeys([*self._absent, *absent][: _MOST_NAMED + 1])
        self._outside = dict.fromkeys([*self._outside, *outside][: _MOST_NAMED + 1])

    def why_nothing(self) -> str:
        """``run 317434 isn't in it``."""
        if not self._certified.runs:
            return f"{self.name} names no run"
        told = []
        if runs := _named(map(str, self._absent), "run"):
            told.append(f"{runs} {'is' if len(self._absent) == 1 else 'are'}n't in it")
        for run in dict.fromkeys(run for run, _ in self._outside):
            places = [str(place) for other, place in self._outside if other == run]
            told.append(f"run {run} is in it, but not {_named(places, 'lumisection')}")
        return f"{self.name}: {', '.join(told)}" if told else ""


def _named(names: Iterable[str], noun: str) -> str:
    """``runs 1, 2, 3``; of many the first."""
    names = list(names)
    more = " and others" if len(names) > _MOST_NAMED else ""
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMED])}{more}" if names else ""


def filter_rows(
    records: Iterable[Mapping[str, Any]],
    *expressions: str,
    certified: Certification | None = None,
    invert: bool = False,
) -> Iterator[Record]:
    """Keep the records for which all expressions hold, as ``tkstudies filter`` does.

    Args:
        records: Of any table.
        expressions: ``COLUMN OP VALUE`` (see ``analysis.tables.expressions``).
        certified: Keep only its runs, or lumisections where a record has a lumisection_number.
        invert: Keep the others.

    Raises:
        UsageError: An expression can't be understood.
        InputError: After the last record: a number should be compared with a word that is no column.

    Example:
        >>> list(filter_rows([{"reco": "prompt"}, {"reco": "express"}], "reco = prompt"))
        [{'reco': 'prompt'}]
    """
    chosen = Filter(expressions, certified, invert)
    yield from map(decode, chosen.lines(records_of(records)))
    chosen.losses()
