"""The values of filter expressions, and how the values of records compare with them."""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from tkstudies.analysis.tables import connectives
from tkstudies.records import number_in, whole

MAX_PATTERN_LENGTH = 1000

Test = Callable[[Any], bool]
Order = Callable[[Any, Any], bool]

_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_LIST_ITEM = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,]*?)\s*(,|$)""", re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,18})\s*-\s*([0-9]{1,18})", re.ASCII)
_DAY_FIRST = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})\b.*", re.DOTALL)
_YEAR_FIRST = re.compile(r"[0-9]{4}[./][0-9]{1,2}[./][0-9]{1,2}\b.*", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NULLS = ("null", "none", "nan")


class Problem(ValueError):
    """What is wrong with a part of an expression."""


@dataclass(frozen=True)
class Literal:
    """A value of an expression: its text, and the number, boolean or range that it stands for unless quoted."""

    text: str
    number: int | float | None = None
    boolean: bool | None = None
    quoted: bool = False
    range: tuple[int, int] | None = None

    @property
    def value(self) -> Any:
        """The number, boolean or text."""
        if self.number is not None:
            return self.number
        return self.text if self.boolean is None else self.boolean

    def equals(self, item: Any) -> bool:
        """Is a value of a record this one?"""
        if isinstance(item, bool):
            return item is self.boolean
        return self.compares(operator.eq, item)

    def covers(self, item: Any) -> bool:
        """The same of a member of a list, which may be a range of whole numbers."""
        if self.range is None:
            return self.equals(item)
        number = whole(item)
        return item == self.text if number is None else self.range[0] <= number <= self.range[1]

    def compares(self, order: Order, item: Any) -> bool:
        """Has a value of a record that order to this one?"""
        if isinstance(item, str) and self.number is None:
            return order(item, self.text)
        if isinstance(item, str):
            number = number_in(item)
            return number is not None and order(number, self.number)
        if isinstance(item, (int, float)) and not isinstance(item, bool) and self.number is not None:
            return order(item, self.number)
        return False


def literal(value: str, in_list: bool = False) -> Literal:
    """The value that a text spells.

    Args:
        in_list: It is a member of a list.

    Raises:
        Problem: A quote is open, or it is null or holds a connective without quotes.
    """
    quoted = _QUOTED.fullmatch(value)
    if quoted and quoted[1] not in quoted[2]:
        return Literal(quoted[2], quoted=True)
    if value[:1] in ("'", '"'):
        raise _open_quote(value)
    if is_null(value):
        raise Problem(f"write COLUMN missing or COLUMN exists to ask for {value}")
    if word := connectives.in_text(value):
        raise Problem(f"one condition per expression, or several joined by or: quote a text that holds {word}")
    if in_list and (match := _RANGE.fullmatch(value)) and int(match[1]) <= int(match[2]):
        return Literal(value, range=(int(match[1]), int(match[2])))
    return _unquoted(value)


def check_order(value: str) -> None:
    """Refuse what would be compared letter by letter though a time or a number is meant.

    >>> check_order("01.06.2018")
    Traceback (most recent call last):
    tkstudies.analysis.tables.literals.Problem: times are written with the year first: 2018-06-01 (quotes force text)

    Raises:
        Problem: It is a date in another order than those of the services, or has a decimal comma.
    """
    if (match := _DAY_FIRST.fullmatch(value)) or _YEAR_FIRST.fullmatch(value):
        shown = f"{match[3]}-{match[2]:0>2}-{match[1]:0>2}" if match else re.sub("[./]", "-", value)
        raise Problem(f"times are written with the year first: {shown} (quotes force text)")
    if _DECIMAL_COMMA.fullmatch(value):
        raise Problem(f"numbers have a decimal point: {value.replace(',', '.')} (quotes force text)")


def constant(value: str) -> Any:
    """The number, boolean, text or null that a text spells, whatever words are in it.

    >>> constant("12.5"), constant("true"), constant('"12.5"'), constant("null"), constant("good or bad")
    (12.5, True, '12.5', None, 'good or bad')

    Raises:
        Problem: A quote is open.
    """
    quoted = _QUOTED.fullmatch(value)
    if quoted and quoted[1] not in quoted[2]:
        return quoted[2]
    if value[:1] in ("'", '"'):
        raise _open_quote(value)
    return None if is_null(value) else _unquoted(value).value


def is_null(value: str) -> bool:
    """Does a text spell null?"""
    return value.lower() in _NULLS


def _unquoted(value: str) -> Literal:
    boolean = {"true": True, "false": False}.get(value.lower())
    return Literal(value, number_in(value), boolean)


def members(value: str) -> tuple[Literal, ...]:
    """The values of a comma-separated list.

    Raises:
        Problem: It isn't one.
    """
    if value[0] in "([{":
        raise Problem("write the list after in without brackets, or quote its members: in express,prompt")
    found, position, separator = [], 0, ","
    while separator:
        item = _LIST_ITEM.match(value, position)
        if item is None:
            raise Problem("expected a comma between the members of the list")
        if not item[1]:
            raise Problem('a member of the list is empty ("" is the empty text)')
        found.append(literal(item[1], in_list=True))
        position, separator = item.end(), item[2]
    return tuple(found)


def pattern(value: str) -> re.Pattern[str]:
    """A regular expression, in quotes or without.

    Raises:
        Problem: It isn't one, or too long.
    """
    quoted = _QUOTED.fullmatch(value)
    if not quoted and value[0] in "'\"" and value.count(value[0]) == 1:
        raise _open_quote(value)
    source = quoted[2] if quoted else value
    if len(source) > MAX_PATTERN_LENGTH:
        raise Problem(f"a regular expression may have {MAX_PATTERN_LENGTH} characters, this has {len(source)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": no business of the user's
            return re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise Problem(f"bad regular expression {source!r}: {error}") from None


def _open_quote(value: str) -> Problem:
    return Problem(f"a quoted value must end with its quote: {value}")


def exists(value: Any) -> bool:
    """Is it neither absent nor null nor NaN?"""
    return value is not None and value is not UNSET and value == value  # NaN differs from itself


def missing(value: Any) -> bool:
    """Is it absent, null or NaN?"""
    return not exists(value)


def found(searched: re.Pattern[str], item: Any) -> bool:
    """Search texts as they are, numbers and booleans as JSON writes them."""
    if isinstance(item, bool):
        item = "true" if item else "false"
    elif isinstance(item, (int, float)) and exists(item):
        item = repr(item)
    return isinstance(item, str) and searched.search(item) is not None


def ordered(order: Order, value: Any, other: Any) -> bool:
    """Have the values of two columns that order? Texts that both spell numbers compare as numbers."""
    if isinstance(value, str) and isinstance(other, str):
        numbers = number_in(value), number_in(other)
        return order(value, other) if None in numbers else order(*numbers)
    left, right = _number(value), _number(other)
    return left is not None and right is not None and order(left, right)


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        return number_in(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def any_member(test: Test) -> Test:
    """The test of a value, or of any member of a list."""
    return lambda value: any(map(test, value)) if isinstance(value, list) else test(value)


def negation(test: Test) -> Test:
    """The opposite of a test."""
    return lambda value: not test(value)
