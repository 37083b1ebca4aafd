"""Which runs of a table are good and of one kind, for those who learn from something else than its features."""

from __future__ import annotations

from collections.abc import Sequence

from tkstudies.analysis.multivariate.suspects import good, groups
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl import Records
from tkstudies.records import ROW_KEYS, Record, RowKey, row_key

_Kind = tuple[object, ...]


class GoodRows:
    """The good rows of a table.

    Args:
        records: Rows of runs with labels.
        expressions: What holds for good rows; by default they are told as `good.usual` does.

    Attributes:
        text: How good rows are told, in words.
        missing: Keys that were asked for and aren't in the table.

    Raises:
        InputError: Nothing tells good rows, there is none, or the rows are of lumisections.
        UsageError: No row has a column of the expressions.
    """

    def __init__(self, records: Records, expressions: Sequence[str] = ()):
        chosen = good.given(expressions) if expressions else None
        columns = {*ROW_KEYS, *good.COLUMNS, *groups.COLUMNS, *(chosen.columns if chosen else ())}
        rows: list[Record] = []
        keys: list[RowKey] = []
        with records.located():
            for record in records:
                key = row_key(record)
                if key.is_run:
                    keys.append(key)
                    rows.append({name: record[name] for name in columns if record.get(name) is not None})
        if not rows:
            raise InputError("no rows of runs tell which are good")
        has = {name for row in rows for name in row}
        for column in chosen.columns if chosen else ():
            if column not in has:
                raise UsageError(f"--good {', '.join(expressions)}: no row has a value in {column}")
        rule = chosen or good.usual(has.__contains__)
        if not rule.is_known:
            raise InputError(f"{rule.text}: label the rows before, or choose them with --good")
        is_good = [rule.holds(row) for row in rows]
        if not any(is_good):
            raise rule.refusal(has)
        self.text = rule.text
        self.missing: set[RowKey] = set()
        kinds = groups.kinds(rows, is_good, None)
        self._kinds: dict[RowKey, _Kind | None] = {}
        for key, holds, kind in zip(keys, is_good, kinds, strict=True):
            self._kinds[key] = tuple(kind._replace(reco=None)) if holds else None

    def kind_of(self, key: RowKey) -> _Kind | None:
        """The kind of a good row, reco aside; None of others. A table without reco tells for all of them."""
        for known in (key, RowKey(key.run_number)):
            if known in self._kinds:
                return self._kinds[known]
        self.missing.add(key)
        return None
