"""Conditions on records, written as ``COLUMN OP VALUE``: the language of ``filter`` and ``--fit-where``.

========================  ==============================================================
operator                  holds when
========================  ==============================================================
``=``  ``!=``             the value equals VALUE; doesn't
``<`` ``<=`` ``>`` ``>=``  the value is less, ... than VALUE
``in``                    the value equals one of a comma-separated list
``~``  ``!~``             the regular expression VALUE is found in the value; isn't
``exists`` ``missing``    the column is there and not null; isn't (no VALUE)
========================  ==============================================================

- Numbers compare as numbers, also with a text that holds a number; ``true`` and ``false`` with booleans; two
  texts as text, so that ISO dates and eras sort as one expects. A number and a word have no order. Quotes
  force text: ``comment = "1"``.
- Null, NaN and an absent column are the same: they satisfy only ``missing``, ``!=`` and ``!~``. The last two
  are the exact negations of ``=`` and ``~``: a row with an unknown status never gets lost in ``pixel !=
  BAD``.
- For a list (``problem_names``) ``=``, ``in`` and ``~`` ask whether any member satisfies them.
- A column name with spaces is quoted. One expression is one condition; several expressions are joined by
  "and".

Nothing is ever evaluated as code.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tkstudies.errors import UsageError
from tkstudies.records import number_in

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "~", "!~", "exists", "missing")
MAX_PATTERN_LENGTH = 1000

_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_EXPRESSION = re.compile(
    r"""\s*(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^\s=<>!~"'][^\s=<>!~]*))
        (?:\s*(?P<symbol>!=|<=|>=|!~|=|<|>|~)|\s+(?P<word>in|exists|missing)(?=\s|$))
        \s*(?P<value>.*?)\s*""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_LIST_ITEM = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,]*?)\s*(,|$)""", re.DOTALL)
_SECOND_CONDITION = re.compile(r"\s(?:and|or|&&|\|\|)\s.*(?:[=<>~]|\b(?:in|exists|missing)\b)", re.DOTALL)
_NULLS = ("null", "none", "nan")


@dataclass(frozen=True)
class Condition:
    """One parsed expression: call it with a record, or `holds` with the value of its column.

    Attributes:
        column: Name of the column. operator: One of `OPERATORS`. value: Number, boolean or text; for ``in`` a
        tuple of them; for ``~`` and ``!~`` the pattern; else None.
    """

    column: str
    operator: str
    value: Any
    holds: Callable[[Any], bool] = field(repr=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition reads."""
        return (self.column,)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        return self.holds(record.get(self.column))


def parse(text: str) -> Condition:
    """Turn ``COLUMN OP VALUE`` into a condition.

    Raises:
        UsageError: The expression can't be understood; says what was expected.

    Example:
        >>> condition = parse("Hits.Pixel.mean > 0")
        >>> condition({"Hits.Pixel.mean": 2.5}), condition({"Hits.Pixel.mean": None}), condition({})
        (True, False, False)
        >>> parse("reco in express,prompt").value
        ('express', 'prompt')
    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise _error(text, "expected COLUMN OP VALUE (quote a column that holds spaces)")
    column = match["double"] or match["single"] or match["bare"]
    name, value = match["symbol"] or match["word"], match["value"]
    if name in ("exists", "missing"):
        if value:
            raise _error(text, f"{name} takes no value")
        return Condition(column, name, None, _exists if name == "exists" else _missing)
    if not value:
        raise _error(text, f'expected a value after {name} ("" is the empty text)')
    if value[0] in "=<>~!" and name not in ("in", "!~"):
        raise _error(text, f"{name}{value[0]} is no operator; quote a value that begins with {value[0]}")
    if name in ("~", "!~"):
        pattern = _pattern(text, value)
        found = _any_member(lambda item: _found(pattern, item))
        return Condition(column, name, pattern.pattern, found if name == "~" else _negation(found))
    if name == "in":
        literals = _list(text, value)
        within = _any_member(lambda item: any(literal.equals(item) for literal in literals))
        return Condition(column, name, tuple(literal.value for literal in literals), within)
    literal = _literal(text, value)
    if name in _ORDERINGS:
        order = _ORDERINGS[name]
        return Condition(column, name, literal.value, lambda item: literal.compares(order, item))
    equal = _any_member(literal.equals)
    return Condition(column, name, literal.value, equal if name == "=" else _negation(equal))


@dataclass(frozen=True)
class _Literal:
    """A value of an expression: its text, and the number or boolean that it stands for unless quoted."""

    text: str
    number: int | float | None = None
    boolean: bool | None = None

    @property
    def value(self) -> Any:
        if self.number is not None:
            return self.number
        return self.text if self.boolean is None else self.boolean

    def equals(self, item: Any) -> bool:
        if isinstance(item, bool):
            return item is self.boolean
        return self.compares(operator.eq, item)

    def compares(self, order: Callable[[Any, Any], bool], item: Any) -> bool:
        if isinstance(item, str) and self.number is None:
            return order(item, self.text)
        if isinstance(item, str):
            number = number_in(item)
            return number is not None and order(number, self.number)
        if isinstance(item, (int, float)) and not isinstance(item, bool) and self.number is not None:
            return order(item, self.number)
        return False


def _literal(text: str, value: str) -> _Literal:
    quoted = _QUOTED.fullmatch(value)
    if quoted and quoted[1] not in quoted[2]:
        return _Literal(quoted[2])
    if value[:1] in ("'", '"'):
        raise _error(text, f"a quoted value must end with its quote: {value}")
    if value.lower() in _NULLS:
        raise _error(text, f"write COLUMN missing or COLUMN exists to ask for {value}")
    if _SECOND_CONDITION.search(value):
        raise _error(text, "one condition per expression: give the next one as an argument of its own, or quote")
    boolean = {"true": True, "false": False}.get(value.lower())
    return _Literal(value, number_in(value), boolean)


def _list(text: str, value: str) -> list[_Literal]:
    if value[0] in "([{":
        raise _error(text, "write the list after in without brackets, or quote its members: in express,prompt")
    literals, position, separator = [], 0, ","
    while separator:
        item = _LIST_ITEM.match(value, position)
        if item is None:
            raise _error(text, "expected a comma between the members of the list")
        if not item[1]:
            raise _error(text, 'a member of the list is empty ("" is the empty text)')
        literals.append(_literal(text, item[1]))
        position, separator = item.end(), item[2]
    return literals


def _pattern(text: str, value: str) -> re.Pattern[str]:
    quoted = _QUOTED.fullmatch(value)
    source = quoted[2] if quoted else value
    if len(source) > MAX_PATTERN_LENGTH:
        raise _error(text, f"a regular expression may have {MAX_PATTERN_LENGTH} characters, this has {len(source)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": no business of the user's
            return re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise _error(text, f"bad regular expression {source!r}: {error}") from None


def _exists(value: Any) -> bool:
    return value is not None and value == value  # NaN differs from itself


def _missing(value: Any) -> bool:
    return not _exists(value)


def _found(pattern: re.Pattern[str], item: Any) -> bool:
    """Search texts as they are, numbers and booleans as JSON writes them."""
    if isinstance(item, bool):
        item = "true" if item else "false"
    elif isinstance(item, (int, float)) and _exists(item):
        item = repr(item)
    return isinstance(item, str) and pattern.search(item) is not None


def _any_member(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(map(test, value)) if isinstance(value, list) else test(value)


def _negation(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not test(value)


def _error(text: str, problem: str) -> UsageError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return UsageError(f"filter expression {shown!r}: {problem}; operators are {' '.join(OPERATORS)}")
