"""Why no record satisfies some expressions: the values that there are, where the last of them failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

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
        self._met: dict[str, Met] = {}
        self._adding: list[tuple[int, Callable[[Any], None]]] = []
        self._over = False

    def add(self, failed: int, values: Sequence[Any]) -> None:
        """Note a record.

        Args:
            failed: The number of the first expression that doesn't hold, -1 if all do.
            values: Of the columns; only those of the expression that fails are looked at.
        """
        if failed != self._reached or self._over:
            if failed < 0 or self._over:
                self._over = True
                return
            if failed < self._reached:
                return
            self._reach(failed)
        self._rows += 1
        for place, add in self._adding:
            add(values[place])

    def _reach(self, failed: int) -> None:
        self._reached, self._rows = failed, 0
        expression = self._expressions[failed]
        self._met = {column: Met() for column in expression.columns}
        self._adding = [(self._columns.index(column), met.add) for column, met in self._met.items()]

    def noted(self) -> tuple[bool, int, int, dict[str, Met]]:
        """What is known so far, to be sent to another process."""
        return self._over, self._reached, self._rows, self._met

    def absorb(self, noted: tuple[bool, int, int, dict[str, Met]]) -> None:
        """Take what was noted of other records."""
        is_over, reached, rows, met = noted
        self._over = self._over or is_over
        if self._over or reached < self._reached or reached < 0:
            return
        if reached > self._reached:
            self._reach(reached)
        self._rows += rows
        for column, other in met.items():
            self._met[column].absorb(other)

    def text(self) -> str:
        """What the records have instead, and what looks like a slip; empty if some record satisfied all."""
        if self._over or self._reached < 0:
            return ""
        expression = self._expressions[self._reached]
        in_order = _asks_for_order(expression)
        told = ", ".join(f"{column} {met.text(in_order)}" for column, met in self._met.items() if met)
        before = self._expressions[: self._reached]
        if told and before:
            others = " and ".join(repr(each.text) for each in before)
            told += f" in the {self._rows:,} that satisfy {others}"
        hints = [hint for each in expression.alternatives for hint in _hints(each, self._met[each.column])]
        return "; ".join([told, *hints]) if told else ""

    def without_values(self) -> list[str]:
        """The columns on which the last of the expressions failed, if no record has a value in any of them."""
        return [] if self._over or any(self._met.values()) else list(self._met)


class Met:
    """The values of one column: how often each came, for the first of them, and the limits of the numbers."""

    def __init__(self) -> None:
        self._counts: dict[Any, int] = {}
        self._others = 0
        self._low, self._high = inf, -inf

    def __bool__(self) -> bool:
        return any(value is not None for value in self._counts)

    def add(self, value: Any) -> None:
        """Count a value, or each member of a list."""
        kind = type(value)
        if kind is float or kind is int:
            if value < self._low:
                self._low = value
            if value > self._high:
                self._high = value
        elif kind is not str:
            if kind is list and value:
                for member in value:
                    self.add(member if type(member) is not list else {})
                return
            value = _name(value)
        if value in self._counts:
            self._counts[value] += 1
        elif len(self._counts) < MOST_VALUES:
            self._counts[value] = 1
        else:
            self._others += 1

    def absorb(self, other: Met) -> None:
        """Count those of another, which came after these."""
        for value, count in other._counts.items():
            if value in self._counts:
                self._counts[value] += count
            elif len(self._counts) < MOST_VALUES:
                self._counts[value] = count
            else:
                self._others += count
        self._others += other._others
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)

    @property
    def has_booleans(self) -> bool:
        """Is true or false among them?"""
        return any(isinstance(value, _Named) and value.name in ("true", "false") for value in self._counts)

    @property
    def texts(self) -> list[str]:
        """Those of the first values that are texts."""
        return [value for value in self._counts if type(value) is str]

    @property
    def numbers(self) -> list[int | float]:
        """Those of them that are numbers."""
        return [value for value in self._counts if type(value) in (int, float)]

    def text(self, in_order: bool = False) -> str:
        """``is GOOD (60), BAD (28), NOTSET (2)``; of many numbers their limits."""
        counts, numbers = dict(self._counts), self.numbers
        told = []
        if len(numbers) > (_MOST_NUMBERS if in_order else MOST_VALUES - 1):
            number = sum(counts.pop(value) for value in numbers)
            only = len(numbers) == MOST_VALUES
            number += self._others if only else 0
            told = [f"{_shown(self._low)} to {_shown(self._high)} ({number:,})"]
            others = 0 if only else self._others
        else:
            others = self._others
        told += [f"{_shown(value)} ({count:,})" for value, count in sorted(counts.items(), key=lambda pair: -pair[1])]
        return "is " + ", ".join(told) + (f" and others ({others:,})" if others else "")


class _Named(NamedTuple):
    """What a boolean, an empty list or an object is called; no text of a record equals it."""

    name: str


def _name(value: Any) -> _Named | None:
    if isinstance(value, bool):
        return _Named("true" if value else "false")
    if value is None or value is UNSET:
        return None
    return _Named("[]" if isinstance(value, list) else "{...}")


def _shown(value: Any) -> str:
    """A value in a message: a text as it is, in quotes where it would look like something else."""
    if isinstance(value, _Named):
        return value.name
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
    texts, numbers = met.texts, met.numbers
    if condition.operator == "~" and any(re.search(condition.value, text, re.IGNORECASE) for text in texts):
        yield f"{condition.value} differs in case only: (?i){condition.value} finds it"
    asked = condition.value if condition.operator == "in" else (condition.value,)
    for value in asked if condition.operator in ("=", "in", *_ORDERS) else ():
        if isinstance(value, str):
            yield from _slips(condition, value, texts, numbers)
        elif value in (0, 1) and not isinstance(value, bool) and met.has_booleans:
            yield f"{condition.column} is true or false"


def _slips(condition: Condition, value: str, texts: list[str], numbers: list[int | float]) -> Iterator[str]:
    first, dash, last = value.replace(" ", "").partition("-")
    if condition.operator not in _ORDERS:
        if any(text != value and text.casefold() == value.casefold() for text in texts):
            yield f"{value} differs in case only"
        elif any(text != value and text.strip() == value.strip() for text in texts):
            yield f"{value} differs in blanks only"
        parts = list(filter(None, re.split(r"[,\s]+", value)))
        if len(parts) > 1 and {*parts} & {*texts, *map(str, numbers)}:
            yield f"a list goes with in, and has commas: {condition.column} in {','.join(parts)}"
        if numbers and dash and first.isdecimal() and last.isdecimal():
            if condition.operator == "=":
                yield f"a range goes with in: {condition.column} in {value}"
            elif int(first) > int(last):
                yield f"the range {value} is reversed"
    if numbers and number_in(value) is not None:
        yield f'"{value}" in quotes is a text, {condition.column} is a number'
