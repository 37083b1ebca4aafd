"""What all records share: what a number is, what a whole number, what a status, and whose record it is.

A record keeps what was sent. As a *key* a run number is a whole number however it is written: 392001, 392001.0
and "392001" are run 392001 for every command, as tables that went through other tools write it; ``true`` is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any, NamedTuple

from tkstudies.errors import UsageError, WrongRecord

Record = dict[str, Any]
RecordView = Mapping[str, Any]
"""A record that is only read."""

ROW_KEYS = ("run_number", "reco", "lumisection_number")
KEY_COLUMNS = ("run_number", "reco", "fill_number", "lumisection_number")
WHOLE_KEYS = ("run_number", "fill_number", "lumisection_number")
"""Keys that are whole numbers."""

AUTOMATIC_KEYS = (
    ("run_number", "reco", "lumisection_number"),
    ("run_number", "lumisection_number"),
    ("run_number", "reco"),
    ("run_number",),
    ("fill_number",),
)
"""By which columns two tables are joined or compared, the best first."""

_WHOLE = re.compile(r"[0-9]{1,18}(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?P<point>\.[0-9]*)?|(?P<dot>\.[0-9]+))(?P<exponent>[eE][+-]?[0-9]+)?")


def number(value: Any) -> int | float | None:
    """The value if it is a finite number, else None; booleans and texts are none.

    >>> number(2.5), number(True), number("2.5"), number(float("nan"))
    (2.5, None, None, None)
    """
    if type(value) is float:
        return value if isfinite(value) else None
    return value if type(value) is int else None


PICOBARNS = {"pb^{-1}": 1.0, "{\\mu}b^{-1}": 1e-6, "nb^{-1}": 1e-3, "fb^{-1}": 1e3, "/pb": 1.0, "/ub": 1e-6, "/fb": 1e3}
"""Unit of a luminosity, as OMS or brilcalc writes it -> its size [pb^-1]."""


def picobarns(value: Any, unit: Any) -> float | None:
    """A luminosity in inverse picobarns; None if it is no number, or its unit isn't known.

    >>> picobarns(2.5, "pb^{-1}"), picobarns(1500, "{\\\\mu}b^{-1}"), picobarns(1, None)
    (2.5, 0.0015, None)
    """
    found, factor = number(value), PICOBARNS.get(unit) if isinstance(unit, str) else None
    return None if found is None or factor is None else found * factor


def is_named(column: str, pattern: str) -> bool:
    """Has a column this very name, or one that matches the shell pattern?

    >>> is_named("Hits.mean", "*.mean"), is_named("[x]", "[x]"), is_named("[x]", "[y]")
    (True, True, False)
    """
    return column == pattern or fnmatchcase(column, pattern)


def whole(value: Any) -> int | None:
    """A whole number that a key may be, however it is written, else None.

    >>> whole(392001), whole(392001.0), whole("392001"), whole(" 392001.0 "), whole(True), whole(0.5), whole("1e5")
    (392001, 392001, 392001, 392001, None, None, None)
    """
    if type(value) is int:
        return value if abs(value) < 10**18 else None
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < 1e18 else None
    if type(value) is str and _WHOLE.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    return None


def number_in(text: str) -> int | float | None:
    """The number that a text spells, else None.

    >>> number_in("12"), number_in("12.50"), number_in("1e3"), number_in("1_000"), number_in("nan")
    (12, 12.5, 1000.0, None, None)
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match["point"] or match["dot"] or match["exponent"]:
        return float(text)
    try:
        return int(text)
    except ValueError:  # Python refuses to read integers of thousands of digits
        return float(text)


def split_numbers(values: list[str] | None, what: str) -> list[tuple[int, int]]:
    """Inclusive ranges from ``355100,355205-355210``, given once or several times.

    >>> split_numbers(["355100,355205-355210", "7"], "run")
    [(355100, 355100), (355205, 355210), (7, 7)]

    Raises:
        UsageError: A part isn't a number or a range.
    """
    ranges = []
    for part in (part.strip() for value in values or [] for part in value.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or "-" not in part)):
            raise UsageError(f"--{what} {part!r}: expected numbers and ranges such as 355100,355205-355210")
        low, high = int(first), int(last or first)
        if low > high:
            raise UsageError(f"--{what} {part}: the range is empty")
        ranges.append((low, high))
    return ranges


def status(value: Any) -> str | None:
    """A certification status in capitals, whatever case and blanks it came with; None if it is unknown.

    >>> status(" Good "), status(""), status(None), status("NULL")
    ('GOOD', None, None, None)
    """
    word = value.strip().upper() if isinstance(value, str) else ""
    return None if word in ("", "NULL") else word


def choose_keys(left: Iterable[str], right: Iterable[str]) -> tuple[str, ...] | None:
    """The first of AUTOMATIC_KEYS that both sides have, or None.

    >>> choose_keys(["run_number", "reco", "fill_number"], ["fill_number", "era"])
    ('fill_number',)
    """
    left, right = set(left), set(right)
    return next((keys for keys in AUTOMATIC_KEYS if left.issuperset(keys) and right.issuperset(keys)), None)


def key_value(column: str, value: Any) -> Any:
    """What a value counts as in a key: keys that are whole numbers as such; None for what can't be one.

    >>> key_value("run_number", "392001"), key_value("run_number", True), key_value("reco", "express")
    (392001, None, 'express')
    """
    if column in WHOLE_KEYS:
        return whole(value)
    if isinstance(value, list | dict):
        return None
    return str(value).lower() if isinstance(value, bool) else value  # True would be the number 1


def key_of(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The key of a record: a value, or a tuple of values; None if one is missing or can't be a key.

    >>> key_of({"run_number": 1.0, "reco": "prompt"}, ("run_number", "reco")), key_of({}, ("run_number",))
    ((1, 'prompt'), None)
    """
    values = tuple([key_value(column, record.get(column)) for column in keys])
    if None in values:
        return None
    return values[0] if len(values) == 1 else values


class RowKey(NamedTuple):
    """Whose row it is: that of a run in one reconstruction, or of one of its lumisections."""

    run_number: int
    reco: str | None = None
    lumisection_number: int | None = None

    @property
    def is_run(self) -> bool:
        """Is it about a whole run?"""
        return self.lumisection_number is None

    def columns(self) -> Record:
        """The key as the first columns of a record; only a lumisection has a lumisection_number.

        >>> RowKey(1, "prompt").columns(), RowKey(1, None, 7).columns()
        ({'run_number': 1, 'reco': 'prompt'}, {'run_number': 1, 'reco': None, 'lumisection_number': 7})
        """
        record = self._asdict()
        if self.is_run:
            del record["lumisection_number"]
        return record


def row_key(record: Mapping[str, Any], kind: str = "run record") -> RowKey:
    """Whose row a record is.

    Args:
        kind: What the record should be, for the message.

    Raises:
        WrongRecord: Its run_number or lumisection_number is no whole number, or its reco no text.

    Example:
        >>> row_key({"run_number": "392001", "reco": "express", "lumisection_number": 4.0})
        RowKey(run_number=392001, reco='express', lumisection_number=4)
    """
    key = find_row_key(*map(record.get, ROW_KEYS))
    if key is None:
        named = [column for column in ROW_KEYS if column in record or column == "run_number"]
        shown = ", ".join(f"{column} {record.get(column)!r:.80}" for column in named)
        raise WrongRecord(f"not a {kind}: {shown}")
    return key


def find_row_key(run_number: Any, reco: Any = None, lumisection_number: Any = None) -> RowKey | None:
    """The key that these values make, or None."""
    run, lumisection = whole(run_number), whole(lumisection_number)
    if run is None or not isinstance(reco, str | None) or (lumisection_number is not None and lumisection is None):
        return None
    return RowKey(run, reco, lumisection)


ADDRESSES = {
    "oms_link": "https://cmsoms.cern.ch/cms/runs/report?cms_run={run}",
    "runregistry_link": "https://cmsrunregistry.web.cern.ch/offline/datasets/global?run_number={run}",
    "dqm_link": "https://cmsweb.cern.ch/dqm/{kind}/start?runnr={run}",
}
"""The pages of the services where a person looks at a run."""

_DATASET = re.compile(r"(/[A-Za-z0-9_.-]+){3}")


def addresses(run: int | None, reco: Any = None, dataset: Any = None) -> Record:
    """The addresses of a run in OMS, Run Registry and DQM GUI; None if there is no run.

    Args:
        reco: Of online rows the online GUI is meant.
        dataset: Its dataset in the offline GUI, if it is known.

    >>> addresses(317640, "online")["dqm_link"]
    'https://cmsweb.cern.ch/dqm/online/start?runnr=317640'
    >>> addresses(317640, "express", "/StreamExpress/Run2018B-Express-v1/DQMIO")["dqm_link"].partition("?")[2]
    'runnr=317640;dataset=/StreamExpress/Run2018B-Express-v1/DQMIO;sampletype=offline_data'
    """
    kind = "online" if reco == "online" else "offline"
    found: Record = {name: page.format(run=run, kind=kind) if run else None for name, page in ADDRESSES.items()}
    if run and kind == "offline" and isinstance(dataset, str) and _DATASET.fullmatch(dataset):
        found["dqm_link"] += f";dataset={dataset};sampletype=offline_data"
    return found
