"""Which rows are good: certified so, by the most trustworthy columns that a table has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tkstudies.analysis.tables.conditions import Conditions
from tkstudies.analysis.tables.labels import is_partly_bad, is_special
from tkstudies.errors import InputError
from tkstudies.records import RecordView as Record
from tkstudies.records import status

STATUSES = ("pixel", "strip", "tracking")
DECIDED = ("SIGNOFF", "COMPLETED")
LOW_STATISTICS = (
    "is_low_statistics",
    "pixel_lowstat",
    "strip_lowstat",
    "sistrip_lowstat",
    "tracking_lowstat",
    "low_statistics",
)

COLUMNS = (
    "is_certified_good", "rda_state", *STATUSES, "is_partly_bad", "is_special", "run_class_name", "rda_name",
    *(f"{component}_good_fraction" for component in STATUSES), *LOW_STATISTICS, "golden", "is_bad",
)  # fmt: skip
"""What the rules look at."""


class Rule(NamedTuple):
    """How good rows are told.

    Attributes:
        text: In words.
        holds: Whether a row is good.
        columns: The columns that it looks at.
        is_known: Whether the table tells at all; if not, all rows count as good.
        why_none: After the rows, from the columns that there are: why none of them is good, if that can be told.
    """

    text: str
    holds: Callable[[Record], bool]
    columns: tuple[str, ...]
    is_known: bool = True
    why_none: Callable[[Iterable[str]], str] = lambda columns: ""

    def refusal(self, columns: Iterable[str]) -> InputError:
        """What to say where no row is good."""
        why = self.why_none(columns) or ": choose others with --good"
        return InputError(f"no good row to learn from ({self.text}){why}")


def given(expressions: Sequence[str]) -> Rule:
    """Good are the rows for which all expressions hold.

    >>> given(["golden = true"]).holds({"golden": True})
    True
    """
    conditions = Conditions(expressions)
    return Rule(", ".join(expressions), conditions.hold, conditions.columns, why_none=conditions.why_nothing)


def usual(has: Callable[[str], bool]) -> Rule:
    """The first rule for which a table has the columns.

    Args:
        has: Whether any row has a value in a column.

    >>> usual({"golden"}.__contains__).text
    'golden = true'
    >>> usual(set().__contains__).is_known
    False
    """
    if has("is_certified_good"):
        text = "is_certified_good, not partly bad, special or of low statistics"
        return Rule(text, lambda row: row.get("is_certified_good") is True and not _is_restricted(row), COLUMNS)
    if all(map(has, STATUSES)):
        state = "state SIGNOFF or COMPLETED, " if has("rda_state") else ""
        text = f"{state}pixel, strip and tracking GOOD, not partly bad, special or of low statistics"
        return Rule(text, lambda row: _is_certified(row, bool(state)), COLUMNS)
    if has("golden"):
        return Rule("golden = true", lambda row: row.get("golden") in (True, 1), COLUMNS)
    if has("is_bad"):
        return Rule("is_bad = false", lambda row: row.get("is_bad") is False, COLUMNS)
    return Rule("no label tells good rows", lambda row: True, COLUMNS, False)


def _is_certified(row: Record, with_state: bool) -> bool:
    if with_state and status(row.get("rda_state")) not in DECIDED:
        return False
    return all(status(row.get(component)) == "GOOD" for component in STATUSES) and not _is_restricted(row)


def _is_restricted(row: Record) -> bool:
    """Whether a row is good in part only, or not like others."""
    special = row["is_special"] if row.get("is_special") is not None else is_special(row)
    partly_bad = row["is_partly_bad"] if row.get("is_partly_bad") is not None else is_partly_bad(row)
    return bool(special or partly_bad or any(row.get(column) is True for column in LOW_STATISTICS))
