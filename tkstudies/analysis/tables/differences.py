"""Where two tables that describe the same rows disagree: doctor against registry, last week against today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tkstudies.console import Losses, listed
from tkstudies.errors import InputError
from tkstudies.jsonl import decode
from tkstudies.records import AUTOMATIC_KEYS, KEY_COLUMNS, Record, choose_keys, key_of, number_in

SAME_COLUMNS = (
    ("pixel", "doctor_pixel"),
    ("strip", "doctor_strip", "doctor_sistrip", "sistrip"),
    ("tracking", "doctor_tracking"),
)
"""Names that the run registry and TkDQMDoctor have for one thing; the first is the one shown."""


@dataclass(frozen=True)
class Column:
    """A column to compare: its name in the output, and on either side."""

    name: str
    left: str
    right: str


@dataclass
class Side:
    """The rows of one table, held as encoded lines.

    Attributes:
        name: Where it comes from, for messages.
        columns: All columns that occur, in order of first appearance.
        valued: Key columns of which a row has a value.
        lines: The rows in input order.
        repeated: Rows left out since their key came before. keyless: Rows without a key.
    """

    name: str
    columns: dict[str, None] = field(default_factory=dict)
    valued: set[str] = field(default_factory=set)
    lines: list[bytes] = field(default_factory=list)
    repeated: int = 0
    keyless: int = 0

    def add(self, line: bytes, record: Record, wanted: bool = True) -> None:
        """Take one row; of one that isn't wanted only its columns count."""
        if not record.keys() <= self.columns.keys():
            self.columns.update(dict.fromkeys(record))
        if wanted:
            self.valued.update(column for column in KEY_COLUMNS if record.get(column) is not None)
            self.lines.append(line)

    def losses(self, keys: tuple[str, ...]) -> Losses:
        """Rows that were not compared, after `by_key`."""
        losses, together = Losses(), " and ".join(keys)
        repeated = f"with a repeated {together} not compared"
        losses.add(self.repeated, "row", repeated, source=self.name, advice="the first counts")
        losses.add(self.keyless, "row", f"without {together} not compared", source=self.name)
        return losses

    def by_key(self, keys: tuple[str, ...]) -> dict[Any, bytes]:
        """The first row of each key."""
        rows: dict[Any, bytes] = {}
        for line in self.lines:
            key = key_of(decode(line), keys)
            if key is None:
                self.keyless += 1
            elif key in rows:
                self.repeated += 1
            else:
                rows[key] = line
        return rows


@dataclass
class Summary:
    """How much two tables differ.

    Attributes:
        common: Rows on both sides. differing: Those of them with a difference.
        only: Rows on one side, by side. cells: Differing values, by column.
    """

    common: int = 0
    differing: int = 0
    only: dict[str, int] = field(default_factory=lambda: {"left": 0, "right": 0})
    cells: dict[str, int] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """Is there any difference at all?"""
        return bool(self.differing or any(self.only.values()))


def shared_keys(left: Side, right: Side, on: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The columns by which rows of both sides are the same row; chosen as ``merge`` does unless given.

    Raises:
        InputError: A side doesn't have them.
    """
    if on:
        for side in (left, right):
            lacking = [name for name in on if side.lines and name not in side.columns]
            if lacking:
                raise InputError(f"--on {lacking[0]}: no such column in {side.name}; it has {_known(side)}")
        return on
    sides = [side for side in (left, right) if side.lines] or [left]
    keys = choose_keys(*(side.valued or side.columns for side in (sides[0], sides[-1])))
    if keys is None and (left.lines or right.lines):
        choices = " or ".join("+".join(names) for names in AUTOMATIC_KEYS)
        raise InputError(
            f"{left.name} and {right.name} have no key in common ({choices}; --on names another): "
            f"{_known(left)} and {_known(right)}"
        )
    return keys or ()


def shared_columns(
    left: Side, right: Side, keys: tuple[str, ...], wanted: Iterable[str] = (), without: Iterable[str] = ()
) -> list[Column]:
    """The columns to compare: those wanted, else all that both sides have but the keys.

    Args:
        wanted: Names, or ``LEFT=RIGHT`` where the sides call it differently. The names of SAME_COLUMNS stand
            for each other.
        without: Left out of the default.

    Raises:
        InputError: A wanted column isn't on both sides.
    """
    if not (left.lines and right.lines):
        return []
    if wanted := list(wanted):
        return [_wanted(text, left, right) for text in wanted]
    skipped = {*keys, *without}
    pairs = [(name, _on(right, name)) for name in left.columns if name not in skipped]
    found = {name: Column(name, name, name) for name, match in pairs if match == name}
    for name, match in pairs:
        if match is not None and match not in (name, *skipped):
            found.setdefault(_shown(name), Column(_shown(name), name, match))
    return list(found.values())


def _wanted(text: str, left: Side, right: Side) -> Column:
    first, separator, second = text.partition("=")
    names: list[str] = []
    for side, name in ((left, first), (right, second if separator else first)):
        match = _on(side, name) if not separator else name if name in side.columns else None
        if match is None:
            raise InputError(f"--columns {text}: no column {name} in {side.name}; it has {_known(side)}")
        names.append(match)
    return Column(first, *names)


def _on(side: Side, name: str) -> str | None:
    """What a side calls a column."""
    return next((other for other in (name, *_group(name)) if other in side.columns), None)


def _group(name: str) -> tuple[str, ...]:
    return next((names for names in SAME_COLUMNS if name in names), ())


def _shown(name: str) -> str:
    return (*_group(name), name)[0]


def _known(side: Side) -> str:
    return listed(side.columns) or "no columns"


def differences(
    left: Side,
    right: Side,
    keys: tuple[str, ...],
    columns: list[Column],
    tolerance: float = 0.0,
    summary: Summary | None = None,
) -> Iterator[Record]:
    """Yield a record for each value that differs and for each row on one side only.

    A record has the keys, then column, left, right (the values) and side: ``both``, or the one side that has
    the row; column, left and right are null then. Left rows come first, in their order.

    Args:
        summary: Is filled in on the way.
    """
    summary = summary or Summary()
    others = right.by_key(keys)
    for key, line in left.by_key(keys).items():
        row = decode(line)
        shown = {name: row[name] for name in keys}
        other_line = others.pop(key, None)
        if other_line is None:
            summary.only["left"] += 1
            yield {**shown, "column": None, "left": None, "right": None, "side": "left"}
            continue
        other = decode(other_line)
        summary.common += 1
        differs = False
        for column in columns:
            here, there = row.get(column.left), other.get(column.right)
            if not same(here, there, tolerance):
                differs = True
                summary.cells[column.name] = summary.cells.get(column.name, 0) + 1
                yield {**shown, "column": column.name, "left": here, "right": there, "side": "both"}
        summary.differing += differs
    for line in others.values():
        row = decode(line)
        summary.only["right"] += 1
        shown = {name: row[name] for name in keys}
        yield {**shown, "column": None, "left": None, "right": None, "side": "right"}


def same(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Do two values say the same?

    Texts compare without regard to case. Numbers compare as numbers, also with a text that holds one, and may
    differ by ``tolerance`` times the larger. Lists compare member by member. Null equals null only.

    Example:
        >>> same("Good", "GOOD"), same(12.5, "12.50"), same(None, "GOOD"), same(True, 1)
        (True, True, False, False)
        >>> same(100.0, 100.9, tolerance=0.01)
        True
    """
    pairs = [(left, right)]  # no recursion: values may be nested deeply
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            pairs.extend((left[key], right[key]) for key in left)
        elif not _same_scalar(left, right, tolerance):
            return False
    return True


def _same_scalar(left: Any, right: Any, tolerance: float) -> bool:
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right or left.casefold() == right.casefold()
    return _same_number(_number(left), _number(right), tolerance)


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        return number_in(value.strip())
    return value if isinstance(value, int | float) else None


def _same_number(left: int | float | None, right: int | float | None, tolerance: float) -> bool:
    if left is None or right is None:
        return False
    if left == right or not tolerance:
        return left == right
    try:
        return abs(left - right) <= tolerance * max(abs(left), abs(right))
    except OverflowError:  # an integer beyond all floats
        return False
