"""Why no record satisfies some expressions: the values that there are, where the last of them failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import UNSET

from tkstudies.analysis.tables.expressions import Condition, Expression
from tkstudies.jsonl import encode
from tkstudies.records import number_in

MOST_VALUES = 20
_MOST_NUMBERS = 5  # are told one by one where an order is asked for
_LONGEST = 40
_ORDERS = ("<", "<=", ">", ">=")
_SPECIAL = ("true", "false", "null", "")


class Reasons:
    """Counts the values on which expressions fail, until a first record satisfies them.

    Of several expressions only the one matters that some records reach and none satisfies.

    Args:
        expressions: All must hold. columns: Those that they read, in the order of the values.
    """

    def __init__(self, expressions: Sequence[Expression], columns: Sequence[str]):
        self._expressions = expressions
        self._columns = columns
        self._reached = -1
        self._rows = 0
        self._met: list[tuple[int, str, Met]] = []
        self._over = False

    def add(self, failed: int, values: Sequence[Any]) -> None:
        """Note a record.

        Args:
            failed: The number of the first expression that doesn't hold, -1 if all do.
            values: Of the columns; only those of the expression that fails are looked at.
        """
        if failed < self._reached or self._over:
            self._over = self._over or failed < 0
            return
        if failed > self._reached:
            self._reach(failed)
        self._rows += 1
        for place, _, met in self._met:
            met.add(values[place])

    def _reach(self, failed: int) -> None:
        self._reached, self._rows = failed, 0
        expression = self._expressions[failed]
        self._met = [(self._columns.index(column), column, Met()) for column in expression.columns]

    def text(self) -> str:
        """What the records have instead, and what looks like a slip; empty if some record satisfied all."""
        if self._over or self._reached < 0:
            return ""
        expression = self._expressions[self._reached]
        told = ", ".join(f"{column} {met.text(_asks_for_order(expression))}" for _, column, met in self._met if met)
        before = self._expressions[: self._reached]
        if told and before:
            others = " and ".join(repr(each.text) for each in before)
            told += f" in the {self._rows:,} that satisfy {others}"
        of_column = {column: met for _, column, met in self._met}
        hints = [hint for each in expression.alternatives for hint in _hints(each, of_column[each.column])]
        return "; ".join([told, *hints]) if told else ""

    def without_values(self) -> list[str]:
        """The columns on which the last of the expressions failed, if no record has a value in any of them."""
        return [] if self._over or any(met for _, _, met in self._met) else [column for _, column, _ in self._met]


class Met:
    """The values of one column: how often each came, for the first of them, and the limits of the numbers."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[type, Any]] = Counter()
        self._others = 0
        self._low: int | float | None = None
        self._high: int | float | None = None

    def __bool__(self) -> bool:
        return any(value is not None for _, value in self.counts)

    def add(self, value: Any) -> None:
        """Count a value, or each member of a list."""
        if isinstance(value, list) and value:
            for member in value:
                self._add(member)
        else:
            self._add(value)

    def _add(self, value: Any) -> None:
        if value is UNSET or value != value:
            value = None
        elif isinstance(value, list | dict):
            value = "[...]" if value and isinstance(value, list) else "[]" if isinstance(value, list) else "{...}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._low = value if self._low is None else min(value, self._low)
            self._high = value if self._high is None else max(value, self._high)
        key = (type(value), value)
        if key in self.counts or len(self.counts) < MOST_VALUES:
            self.counts[key] += 1
        else:
            self._others += 1

    def values(self) -> Iterator[Any]:
        """Those that were counted."""
        return (value for _, value in self.counts)

    def text(self, in_order: bool = False) -> str:
        """``is GOOD (60), BAD (28), NOTSET (2)``."""
        numbers = [key for key in self.counts if key[0] in (int, float)]
        if self._low is not None and len(numbers) > (_MOST_NUMBERS if in_order else MOST_VALUES - 1):
            number = sum(self.counts[key] for key in numbers)
            rest = [key for key in self.counts if key not in numbers]
            many = f"at least {number:,}" if rest and self._others else f"{number + self._others:,}"
            told = [f"{_shown(self._low)} to {_shown(self._high)} ({many})"]
            return "is " + ", ".join([*told, *(f"{_shown(key[1])} ({self.counts[key]:,})" for key in rest)])
        told = [f"{_shown(value)} ({count:,})" for (_, value), count in self.counts.most_common()]
        return "is " + ", ".join(told) + (f" and others ({self._others:,})" if self._others else "")


def _shown(value: Any) -> str:
    """A value in a message: a text as it is, in quotes where it would look like something else."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if not isinstance(value, str):
        return encode(value).decode()
    odd = value in _SPECIAL or value != value.strip() or number_in(value) is not None or not value.isprintable()
    text = ascii(value) if not value.isprintable() else f'"{value}"' if odd else value
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _asks_for_order(expression: Expression) -> bool:
    return all(condition.operator in _ORDERS for condition in expression.alternatives)


def _hints(condition: Condition, met: Met) -> Iterator[str]:
    """What looks like a slip, seen from the values that there are."""
    texts = [value for value in met.values() if isinstance(value, str)]
    numbers = [value for value in met.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if condition.operator == "~" and any(re.search(condition.value, text, re.IGNORECASE) for text in texts):
        yield f"{condition.value} differs in case only: (?i){condition.value} finds it"
    asked = condition.value if condition.operator == "in" else (condition.value,)
    for value in asked if condition.operator in ("=", "in", *_ORDERS) else ():
        if isinstance(value, str):
            yield from _slips(condition, value, texts, numbers)


def _slips(condition: Condition, value: str, texts: list[str], numbers: list[int | float]) -> Iterator[str]:
    first, dash, last = value.replace(" ", "").partition("-")
    if condition.operator not in _ORDERS:
        if any(text != value and text.casefold() == value.casefold() for text in texts):
            yield f"{value} differs in case only"
        elif any(text != value and text.strip() == value.strip() for text in texts):
            yield f"{value} differs in blanks only"
        parts = {part.strip() for part in value.split(",")}
        if condition.operator == "=" and len(parts) > 1 and parts & {*texts, *map(str, numbers)}:
            yield f"a list goes with in: {condition.column} in {value}"
        if numbers and dash and first.isdecimal() and last.isdecimal():
            if condition.operator == "=":
                yield f"a range goes with in: {condition.column} in {value}"
            elif int(first) > int(last):
                yield f"the range {value} is reversed"
    if numbers and number_in(value) is not None:
        yield f'"{value}" in quotes is a text, {condition.column} is a number'
