"""Keeping the records for which conditions hold, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tkstudies import console
from tkstudies.analysis.tables.certification import Certification
from tkstudies.analysis.tables.expressions import Condition, parse
from tkstudies.jsonl import Records, decode, encode, records_of
from tkstudies.jsonl.columns import NamedColumns
from tkstudies.records import Record

_CERTIFIED_BY = ("run_number", "lumisection_number")


class Filter:
    """Keeps the records for which all conditions hold; a line that is kept stays as it is, byte for byte.

    Args:
        conditions: What must hold.
        certified: Good runs and lumisections; all that count if None.
        invert: Keep the others instead.

    Attributes:
        kept: Number of records so far.
    """

    def __init__(self, conditions: Sequence[Condition], certified: Certification | None = None, invert: bool = False):
        self.kept = 0
        self._conditions = conditions
        self._certified = certified
        self._invert = invert
        tested = [condition.column for condition in conditions]
        self._form = NamedColumns([*tested, *(_CERTIFIED_BY if certified else ())])
        must_be_met = [*tested, *_CERTIFIED_BY[: certified is not None]]
        self._unmet = {column: self._form.columns.index(column) for column in must_be_met}
        self._last = b"{}"

    def lines(self, records: Records) -> Iterator[bytes]:
        """The lines of the records that are kept."""
        columns = self._form.columns
        certified, invert = self._certified, self._invert
        places = [columns.index(key) for key in _CERTIFIED_BY] if certified else []
        tests = [(columns.index(condition.column), condition.holds) for condition in self._conditions]
        for line, values in records.rows(self._form):
            self._last = line
            if self._unmet:
                self._unmet = {column: place for column, place in self._unmet.items() if values[place] is None}
            kept = certified is None or certified.contains(*[values[place] for place in places])
            for place, holds in tests:
                if not holds(values[place]):
                    kept = False
                    break
            if kept != invert:
                self.kept += 1
                yield line

    def losses(self) -> console.Losses:
        """Columns that no record had, after the work."""
        losses, last = console.Losses(), decode(self._last)
        for column in self._unmet:
            if last and column not in last:
                losses.note(f"no record has a value in {column}; {console.alternatives(column, last)}")
        return losses

    def why_nothing(self) -> str:
        """If nothing was kept: what the conditions met in the last record; else an empty text."""
        last = decode(self._last)
        failed = [condition.column for condition in self._conditions if not condition(last)]
        values = {column: last[column] for column in failed if last.get(column) is not None}
        if self.kept or not values:
            return ""
        return f"no record kept; the last one has {encode(values).decode()[1:-1]:.200}"


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

    Example:
        >>> list(filter_rows([{"reco": "prompt"}, {"reco": "express"}], "reco = prompt"))
        [{'reco': 'prompt'}]
    """
    chosen = Filter([parse(text) for text in expressions], certified, invert)
    yield from map(decode, chosen.lines(records_of(records)))
