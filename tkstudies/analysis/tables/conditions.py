"""Expressions over a stream of records: which words of them are columns, and why no record satisfies them.

A record is judged when it comes. A bare word behind an order is a column from the first record on that has it; before
that, and where no record has it, it is a text, to which a number has no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from tkstudies import console
from tkstudies.analysis.tables import expressions as language
from tkstudies.analysis.tables.expressions import Condition, Expression
from tkstudies.analysis.tables.unmet import Reasons
from tkstudies.errors import InputError

Values = Sequence[Any]

ALL_HOLD = -1


class Conditions:
    """Several expressions, all of which must hold.

    Args:
        expressions: Parsed, or as text.

    Attributes:
        expressions: The parsed ones.
        columns: The columns that they read, and those that they may mean.
        words: Those of ``columns`` that are columns only if the records have them: their value is
            ``msgspec.UNSET`` where a record doesn't.
        failing: The function from the values of ``columns`` to the number of the first expression that doesn't hold,
            `ALL_HOLD` if all do.

    Raises:
        UsageError: An expression can't be understood.
    """

    def __init__(self, expressions: Iterable[Expression | str]):
        self.expressions = [language.parse(given) if isinstance(given, str) else given for given in expressions]
        self.columns = tuple(dict.fromkeys(column for each in self.expressions for column in each.columns))
        conditions = [condition for each in self.expressions for condition in each.alternatives]
        self.words = frozenset(condition.word for condition in conditions if condition.word is not None)
        self._words: list[_Word] = []
        self.failing = _first_failing([self._test(each) for each in self.expressions])
        self.reasons = Reasons(self.expressions, self.columns)

    def __bool__(self) -> bool:
        return bool(self.expressions)

    def hold(self, record: Mapping[str, Any]) -> bool:
        """Does a record satisfy them? Notes its values as long as none did."""
        values = [record.get(column, UNSET) for column in self.columns]
        failed = self.failing(values)
        self.reasons.add(failed, values)
        return failed == ALL_HOLD

    def why_nothing(self, columns: Iterable[str]) -> str:
        """If no record satisfied them: a colon and what there is instead, among the columns of the records."""
        why = self.reasons.text()
        if not why:
            absent = self.reasons.without_values()
            why = "; ".join(
                f"no record has a value in {name}; {console.alternatives(name, columns)}" for name in absent
            )
        return f": {why}" if why else ""

    def check(self, columns: Iterable[str], losses: console.Losses) -> None:
        """After the last record: note what could not be compared in some records.

        Args:
            columns: Those of the records, to guess which was meant.

        Raises:
            InputError: Numbers should be compared with a word that is no column.
        """
        for word in self._words:
            word.check(columns, losses)

    def noted(self) -> Any:
        """What is known after some records, to be sent to another process."""
        return self.reasons.noted(), [word.noted for word in self._words]

    def absorb(self, noted: Any) -> None:
        """Take what was noted of records that come after these.

        Raises:
            InputError: A word that was compared as a text is a column there.
        """
        reasons, words = noted
        self.reasons.absorb(reasons)
        for word, of_word in zip(self._words, words, strict=True):
            word.absorb(*of_word)

    def _test(self, expression: Expression) -> _Test:
        tests = [self._alternative(condition) for condition in expression.alternatives]
        if len(tests) == 1:
            return tests[0]
        judges = [_of_all(*test) for test in tests]
        return slice(None), lambda values: any(judge(values) for judge in judges)

    def _alternative(self, condition: Condition) -> _Test:
        place = self.columns.index(condition.column)
        if condition.word is None:
            return place, condition.holds
        word = _Word(condition)
        self._words.append(word)
        other = self.columns.index(condition.word)
        return slice(None), lambda values: word.holds(values[place], values[other])


_Test = tuple[int | slice, Callable[[Any], bool]]
"""What of the values of a record is tested, and how."""


def _first_failing(tests: list[_Test]) -> Callable[[Values], int]:
    if len(tests) == 1:
        place, holds = tests[0]
        return lambda values: ALL_HOLD if holds(values[place]) else 0

    def failing(values: Values) -> int:
        for number, (place, holds) in enumerate(tests):
            if not holds(values[place]):
                return number
        return ALL_HOLD

    return failing


def _of_all(place: int | slice, holds: Callable[[Any], bool]) -> Callable[[Values], bool]:
    return lambda values: holds(values[place])


class _Word:
    """An order to a bare word, which may turn out to be a column."""

    def __init__(self, condition: Condition):
        self._condition = condition
        self._word = condition.word or ""
        self._is_column = self._held_as_text = self._met_text = False
        self._numbers = 0  # that had no order to the word

    def holds(self, value: Any, other: Any) -> bool:
        if other is not UNSET:
            if not self._is_column:
                self._become_column()
            return self._condition.holds_between(value, other)
        if self._is_column:
            return False
        if type(value) is str:
            self._met_text = True
            if self._condition.holds(value):
                self._held_as_text = True
                return True
        elif type(value) in (int, float):
            self._numbers += 1
        return False

    def _become_column(self) -> None:
        self._is_column = True
        if self._held_as_text:
            word = self._word
            raise InputError(
                f"{self._condition.text}: {word} is a column of this record, and records before it had none and were "
                f"compared with the text {word}: put '{word} exists' before the expression, or quote the text"
            )

    @property
    def noted(self) -> tuple[bool, bool, bool, int]:
        return self._is_column, self._held_as_text, self._met_text, self._numbers

    def absorb(self, is_column: bool, held_as_text: bool, met_text: bool, numbers: int) -> None:
        if is_column and not self._is_column:
            self._become_column()
        self._held_as_text = self._held_as_text or held_as_text
        self._met_text = self._met_text or met_text
        self._numbers += numbers

    def check(self, columns: Iterable[str], losses: console.Losses) -> None:
        if self._is_column or not self._numbers:
            return
        column, word = self._condition.column, self._word
        if not self._met_text:
            told = f"{column} is a number, {word} is neither a number nor a column"
            raise InputError(f"{told}; {console.alternatives(word, columns)}")
        losses.add(self._numbers, "number", f"in {column} not compared with {word}, which is no number and no column")
