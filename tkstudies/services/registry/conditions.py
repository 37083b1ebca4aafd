"""One condition on Run Registry rows, ``FIELD[__OP]=VALUE``: read, decided here, or written for v4's server.

The server takes some conditions wrongly without a word (an unknown attribute or operator matches nothing, a
number sent as text compares as text, an absent count isn't zero). So only known fields are sent, typed, in
forms that were seen to work: one ``and`` list, with every ``or`` inside one field or one table.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tkstudies.errors import UsageError
from tkstudies.records import Record, number_in
from tkstudies.services.recos import RECOS
from tkstudies.services.registry import fields

Rule = dict[str, Any]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt,
    "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        name, operator, value: As they were given; value is a text.
        rules: What is sent to the server, which decides; empty where our record decides.
    """

    name: str
    operator: str
    value: str
    rules: tuple[Rule, ...] = ()

    def holds(self, record: Record) -> bool:
        """Does the record fulfil it? Null fulfils only ne and notlike."""
        found, wanted = record.get(self.name), self.value
        if found is None:
            return self.operator in ("ne", "notlike")
        if self.operator in ("like", "notlike"):
            matches = _like(wanted).match(str(found)) is not None
            return matches == (self.operator == "like")
        if isinstance(found, (int, float)):
            number = _number(wanted)
            return number is not None and _COMPARE[self.operator](found, number)
        return _COMPARE[self.operator](str(found), wanted)


def parse(text: str, api: str = "v4") -> Condition:
    """A condition out of ``FIELD[__OP]=VALUE``.

    >>> parse("run_number__gte=327596").rules
    ({'run_number': {'>=': 327596}},)
    >>> parse("strip=BAD").rules
    ()

    Raises:
        UsageError: The field, the operator or the value is not known or doesn't fit.
    """
    left, given, value = text.partition("=")
    name, separator, op = left.strip().rpartition("__")
    if not separator:
        name, op = left.strip(), "eq"
    if not given or not name:
        raise UsageError(f"--filter {text!r}: expected FIELD=VALUE or FIELD__OP=VALUE, such as strip=BAD")
    if op not in fields.SYMBOLS:
        raise UsageError(f"--filter {text!r}: unknown operator {op!r}: known are {', '.join(fields.SYMBOLS)}")
    if api == "v3":
        if name not in fields.BASE_FIELDS:
            raise UsageError(
                f"--filter {text!r}: unknown field {name!r}: --api v3 knows {', '.join(fields.BASE_FIELDS)}"
            )
        return _on_record(text, name, op, value)
    path, kind = _server_field(text, name)
    if not path:
        return _on_record(text, name, op, value)
    _check_operator(text, op, kind)
    return Condition(name, op, value, _rules(path, kind, op, _typed(text, kind, value)))


def _server_field(text: str, name: str) -> tuple[str, str]:
    """The server's name and type of a field; an empty name for a field of our record."""
    path = fields.ALIASES.get(name, name)
    if path in fields.SERVER_FIELDS:
        return path, fields.SERVER_FIELDS[path]
    if name in fields.BASE_FIELDS or name in fields.V4_FIELDS:
        return "", "record"
    column, _, status = name.removeprefix("triplet_summary.").rpartition(".")
    column = fields.COMPONENTS.get(column, column)
    if column in fields.COLUMNS:
        if status in ("comments", "causes"):
            return f"triplet_summary.{column}.{status}", "texts"
        if status.upper() in fields.SERVER_STATUSES:
            return f"triplet_summary.{column}.{status.upper()}", "count"
        known = ", ".join((*fields.SERVER_STATUSES, "comments", "causes"))
        raise UsageError(f"--filter {text!r}: {column} has no {status!r}: known are {known}")
    raise UsageError(f"--filter {text!r}: unknown field {name!r}: {_known_fields(name)}")


def _known_fields(name: str) -> str:
    """The fields that exist beside the one that the user seems to mean, in words."""
    for prefix in ("oms_attributes.", "rr_attributes.", "dataset_attributes."):
        if name.startswith(prefix):
            return "known are " + ", ".join(path for path in fields.SERVER_FIELDS if path.startswith(prefix))
    if name.startswith("triplet_summary.") or "-" in name:
        return f"known are counts such as tracker-strip.BAD__gt=0, of the columns {', '.join(fields.COLUMNS)}"
    ours = dict.fromkeys([*fields.BASE_FIELDS, *fields.V4_FIELDS, *fields.ALIASES, "version"])
    return (
        f"known are {', '.join(ours)}, tracker-strip.BAD and the like for counts of lumisections, "
        "rr_attributes.X, oms_attributes.X, dataset_attributes.X"
    )


def _check_operator(text: str, op: str, kind: str) -> None:
    if op not in fields.OPERATORS[kind]:
        known = ", ".join(fields.OPERATORS[kind])
        raise UsageError(f"--filter {text!r}: the operator {op} doesn't fit the field: known are {known}")


def _on_record(text: str, name: str, op: str, value: str) -> Condition:
    numeric = name in ("run_number", "lumisections") or name.endswith("_fraction")
    if numeric:
        _check_operator(text, op, "number")
        _typed(text, "number", value)
    if op in ("eq", "ne") and (name in fields.COMPONENTS or name in ("rda_state", "reco")):
        value = _known_word(text, name, value)
    return Condition(name, op, value)


def _known_word(text: str, name: str, value: str) -> str:
    known = {"rda_state": fields.STATES, "reco": RECOS}.get(name, fields.STATUSES)
    for word in known:
        if word.lower() == value.lower():
            return word
    raise UsageError(f"--filter {text!r}: {name} is never {value!r}: known are {', '.join(known)}")


def _typed(text: str, kind: str, value: str) -> Any:
    if kind in ("number", "count"):
        number = _number(value)
        if number is None:
            raise UsageError(f"--filter {text!r}: {value!r} is not a number")
        return number
    if kind == "flag":
        if value.lower() not in ("true", "false"):
            raise UsageError(f"--filter {text!r}: expected true or false, not {value!r}")
        return value.lower() == "true"
    return value


def _number(text: str) -> int | float | None:
    """The number that a text spells, an integer where it is whole: 1e3 is sent as 1000."""
    value = number_in(text.strip())
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache
def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE, which ignores case on v4's server: ``%`` is any text, ``_`` any character.

    It is translated by way of a shell pattern: that needs at most quadratic time, however many ``%`` there are.
    """
    shell = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    translated = fnmatch.translate("".join(shell.get(c, c) for c in pattern))
    return re.compile(translated, re.IGNORECASE)


def _rules(path: str, kind: str, op: str, value: Any) -> tuple[Rule, ...]:
    """One condition in the server's language, in which nothing that is absent fulfils any comparison."""
    test: Rule = {fields.SYMBOLS[op]: value}
    if kind == "count" and _COMPARE[op](0, value):  # the server stores no zero: an absent count is one
        column = path.rpartition(".")[0]
        return {path: {"or": [test, {"=": None}]}}, {f"{column}.EMPTY": {"<>": None}}
    if "." in path and op in ("ne", "notlike"):  # a missing attribute is different too
        return ({path: {"or": [test, {"=": None}]}},)
    return ({path: test},)
