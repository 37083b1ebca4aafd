"""Conditions on records, written as ``COLUMN OP VALUE``: the language of ``filter`` and ``--fit-where``.

========================  ==============================================================
operator                  holds when
========================  ==============================================================
``=``  ``!=``             the value equals VALUE; doesn't
``<`` ``<=`` ``>`` ``>=``  the value is less, ... than VALUE, or than that of another column
``in``                    the value equals one of a comma-separated list
``~``  ``!~``             the regular expression VALUE is found in the value; isn't
``exists`` ``missing``    the column is there and not null; isn't (no VALUE)
========================  ==============================================================

- Numbers compare as numbers, also with a text that holds a number; ``true`` and ``false`` with booleans; two
  texts as text, so that ISO dates and eras sort as one expects. A number and a word have no order. Quotes
  force text: ``comment = "1"``.
- Behind ``<`` ``<=`` ``>`` ``>=`` a word without quotes that is a column of the records is that column (``t2 >
  t2_limit_99``); null on either side satisfies none of them. Everywhere else a word is a word.
- In a list N-M, with N not above M, is all whole numbers from N to M: ``run_number in 317434-317440``.
- Null, NaN and an absent column are the same: they satisfy only ``missing``, ``!=`` and ``!~``. The last two
  are the exact negations of ``=`` and ``~``: a row with an unknown status never gets lost in ``pixel !=
  BAD``.
- For a list (``problem_names``) ``=``, ``in`` and ``~`` ask whether any member satisfies them.
- A column name with spaces is quoted. ``or`` between two conditions of one expression is "or"; several
  expressions are joined by "and". Quotes keep an ``or`` in a text; behind ``~`` it is part of the pattern if
  what follows is no condition.

Nothing is ever evaluated as code.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tkstudies.analysis.tables import connectives, literals
from tkstudies.analysis.tables.literals import Problem
from tkstudies.errors import UsageError
from tkstudies.records import number_in

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "~", "!~", "exists", "missing")

_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_EXPRESSION = re.compile(
    r"""\s*(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^\s=<>!~"'(][^\s=<>!~]*))
        (?:\s*(?P<symbol>!=|<=|>=|!~|=|<|>|~)|\s+(?P<word>in|exists|missing)(?=\s|$))
        \s*(?P<value>.*?)\s*""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Condition:
    """One parsed condition: call it with a record, or `holds` with the value of its column.

    Attributes:
        column: Name of the column. operator: One of `OPERATORS`. value: Number, boolean or text; for ``in`` a
        tuple of them; for ``~`` and ``!~`` the pattern; else None.
        word: The value of an order where it may be the name of a column, else None; `holds` compares with its text.
        text: As it was written.
    """

    column: str
    operator: str
    value: Any
    holds: Callable[[Any], bool] = field(repr=False, compare=False)
    word: str | None = None
    text: str = field(default="", compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition reads: the one of its word only if the records have it."""
        return (self.column,) if self.word is None else (self.column, self.word)

    @property
    def alternatives(self) -> tuple[Condition, ...]:
        """The condition alone (see `Either`)."""
        return (self,)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        if self.word is not None and self.word in record:
            return self.holds_between(record.get(self.column), record[self.word])
        return self.holds(record.get(self.column))

    def holds_between(self, value: Any, other: Any) -> bool:
        """Of an order: does it hold between the values of two columns?"""
        return literals.ordered(_ORDERINGS[self.operator], value, other)


@dataclass(frozen=True)
class Either:
    """Conditions of which one must hold, in one expression."""

    alternatives: tuple[Condition, ...]
    text: str = field(default="", compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the conditions read."""
        return tuple(dict.fromkeys(column for condition in self.alternatives for column in condition.columns))

    def __call__(self, record: Mapping[str, Any]) -> bool:
        return any(condition(record) for condition in self.alternatives)


Expression = Condition | Either

Meaning = tuple[Any, literals.Test, str | None]
"""The value of a condition, the test of its column's values, and the word that may be a column."""


def parse(text: str) -> Expression:
    """Turn ``COLUMN OP VALUE``, or several of them with ``or`` between them, into a condition.

    Raises:
        UsageError: The expression can't be understood; says what was expected.

    Example:
        >>> condition = parse("Hits.Pixel.mean > 0")
        >>> condition({"Hits.Pixel.mean": 2.5}), condition({"Hits.Pixel.mean": None}), condition({})
        (True, False, False)
        >>> parse("reco in express,prompt").value
        ('express', 'prompt')
        >>> parse("pixel = BAD or strip = BAD")({"pixel": "GOOD", "strip": "BAD"})
        True
    """
    parts, words = connectives.split(text, _is_condition)
    if not parts or any(word.lower() != "or" for word in words):
        shown = text if len(text) <= 80 else text[:77] + "..."
        problem = _rewritten(text) if parts else _problem(text)
        raise UsageError(f"filter expression {shown!r}: {problem}; operators are {' '.join(OPERATORS)}")
    conditions = tuple(map(_condition, parts))
    return conditions[0] if len(conditions) == 1 else Either(conditions, text.strip())


def _condition(text: str) -> Condition:
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise Problem("expected COLUMN OP VALUE (quote a column that holds spaces)")
    name, value = match["symbol"] or match["word"], match["value"]
    if name in ("exists", "missing"):
        if value:
            raise Problem(f"{name} takes no value")
    elif not value:
        raise Problem(f'expected a value after {name} ("" is the empty text)')
    elif value[0] in "=<>~!" and name not in ("in", "!~"):
        known = f"write {name}, or " if value[0] == "=" else ""
        raise Problem(f"{name}{value[0]} is no operator: {known}quote a value that begins with {value[0]}")
    column = match["double"] or match["single"] or match["bare"]
    if match["bare"] and name in _ORDERINGS and number_in(column) is not None:
        raise Problem(f"the column comes first (run_number > {column}); two expressions ask for both ends")
    meaning, holds, word = _MEANINGS[name](name, value)
    return Condition(column, name, meaning, holds, word, text.strip())


def _existence(name: str, _: str) -> Meaning:
    return None, literals.exists if name == "exists" else literals.missing, None


def _search(name: str, value: str) -> Meaning:
    pattern = literals.pattern(value)
    found = literals.any_member(lambda item: literals.found(pattern, item))
    return pattern.pattern, found if name == "~" else literals.negation(found), None


def _membership(_: str, value: str) -> Meaning:
    members = literals.members(value)
    within = literals.any_member(lambda item: any(member.covers(item) for member in members))
    return tuple(member.value for member in members), within, None


def _equality(name: str, value: str) -> Meaning:
    literal = literals.literal(value)
    equal = literals.any_member(literal.equals)
    return literal.value, equal if name == "=" else literals.negation(equal), None


def _ordering(name: str, value: str) -> Meaning:
    """A word without quotes may be a column; true and false have no order and are words here."""
    literal, order = literals.literal(value), _ORDERINGS[name]
    if not literal.quoted:
        literals.check_order(value)
    word = literal.text if literal.number is None and not literal.quoted else None
    return literal.value if word is None else word, lambda item: literal.compares(order, item), word


_MEANINGS: dict[str, Callable[[str, str], Meaning]] = {
    **dict.fromkeys(("exists", "missing"), _existence),
    **dict.fromkeys(("~", "!~"), _search),
    **dict.fromkeys(("=", "!="), _equality),
    **dict.fromkeys(_ORDERINGS, _ordering),
    "in": _membership,
}


def _is_condition(text: str) -> bool:
    try:
        return bool(_condition(text))
    except Problem:
        return False


def _problem(text: str) -> str:
    """What is wrong with an expression that isn't one: with its first part that is no condition."""
    if connectives.CONNECTIVE.fullmatch(f" {text.strip()} "):
        return f"both conditions and the {text.strip()} between them are one argument: 'pixel = BAD or strip = BAD'"
    part, start = text, 0
    for match in connectives.CONNECTIVE.finditer(text):
        before = text[start : match.start()]
        if _is_condition(before):
            start, part = match.end(), text[match.end() :]
            if _EXPRESSION.fullmatch(part) is None and part[:1] != "(":
                return _half(_condition(before), match[1] or match[2], part)
    if "(" in (text.strip()[:1], part.strip()[:1]):
        return _rewritten(text)
    try:
        _condition(part)
    except Problem as problem:
        return str(problem)
    return "expected COLUMN OP VALUE"


def _half(before: Condition, word: str, rest: str) -> str:
    """``pixel = BAD or EXCLUDED``."""
    values = f"{before.text.rpartition(before.operator)[2].strip()},{rest.strip()}"
    several = f"for several values write {before.column} in {values}; " if before.operator in ("=", "in") else ""
    return f"behind {word} a whole condition is expected: {several}quote a text that holds {word}"


def _rewritten(text: str) -> str:
    import shlex

    rule = "one condition per expression, or several joined by or, without brackets"
    clauses = connectives.rewritten(text, _is_condition)
    arguments = " ".join(map(shlex.quote, clauses))
    together = {0: "all expressions must hold", 1: ""}.get(len(clauses), " (all expressions must hold)")
    return f"{rule}: {f'write {arguments}' if clauses else ''}{together}"
