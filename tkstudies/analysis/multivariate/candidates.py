"""Reference candidates for the rows of a table: which rows are good, which columns count, who is most similar.

A row is a run in one reco, or a lumisection if it has a lumisection_number. Candidates are good rows of earlier
runs with the same reco and of the same kind (run type, beams, energy, field, where they are known): lumisections for a
lumisection, and for a run whole runs that are long enough.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tkstudies import console
from tkstudies.analysis.multivariate.components import component_columns
from tkstudies.analysis.multivariate.ranking import CONDITIONS, Array, Candidate, rank
from tkstudies.analysis.multivariate.suspects.good import DECIDED, STATUSES, Rule, usual
from tkstudies.analysis.multivariate.suspects.groups import Kind, agree, kind_of
from tkstudies.analysis.tables.certification import Certification
from tkstudies.analysis.tables.statuses import given_tracking
from tkstudies.errors import InputError, WrongRecord
from tkstudies.records import Record, RowKey, number, row_key, status, whole

PILEUP_OF_FILL = "fill__peak_pileup"
"""Stands for the luminosity of the run where that is unknown: a run late in the fill has much less than the peak."""

_LENGTHS = ("lumisections", "last_lumisection_number", "number_of_ls")
_OF_RUN = ("init_lumi", "end_lumi")
_POWER_OF_TEN = re.compile(r"10\^\{(\d{1,2})\}.*")  # 10^{34}cm^{-2}s^{-1}, for ions 10^{27}


def distinct(records: Iterable[Record]) -> tuple[list[Record], int]:
    """The first row of each run (or lumisection) and reco, and how many others there were.

    Raises:
        WrongRecord: A record doesn't say of which run, reco or lumisection it is.

    Example:
        >>> distinct([{"run_number": 1, "energy": 6500}, {"run_number": 1, "energy": 0}])
        ([{'run_number': 1, 'energy': 6500}], 1)
    """
    rows: dict[RowKey, Record] = {}
    repeated = 0
    for record in records:
        key = row_key(record)
        if key.run_number.bit_length() > 63:
            raise WrongRecord(f"not a run record: run_number {key.run_number!r:.80}")
        repeated += key in rows
        rows.setdefault(key, record)
    return list(rows.values()), repeated


@dataclass
class Choice:
    """The columns to compare.

    Attributes:
        columns: Their names.
        absent: Conditions that no row has.
        mixed: Columns that have different units in different rows, with these units; the columns' twins in
            pb^-1 are compared instead.
        of_fill: Is the pileup of the fill compared, as no row has the luminosity of the run?
    """

    columns: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    mixed: dict[str, list[str]] = field(default_factory=dict)
    of_fill: bool = False


def goodness(rows: Sequence[Record], certified: Certification | None = None) -> Rule:
    """How good rows are told: by the file, else by who certified them, else row by row as `is_good` does.

    >>> goodness([{"is_certified_good": True}]).text
    'is_certified_good, not partly bad, special or of low statistics'
    """
    if certified is not None:
        is_in = certified.contains
        return Rule("in the file", lambda row: is_in(row.get("run_number"), row.get("lumisection_number")), ())

    def has(column: str) -> bool:
        return any(row.get(column) is not None for row in rows)

    signed = has("rda_state") and any(status(row.get("rda_state")) in DECIDED for row in rows)
    if has("is_certified_good") or (signed and all(map(has, STATUSES))):
        return usual(has)
    return Rule("is_bad false, where unknown tracking GOOD", is_good, ())


def is_good(row: Mapping[str, Any]) -> bool:
    """Is the run (or the lumisection) good: is_bad false, where it is unknown tracking GOOD?

    In a table of TkDQMDoctor alone tracking is doctor_tracking.

    >>> is_good({"is_bad": False}), is_good({"tracking": "Good"}), is_good({"is_bad": True, "tracking": "GOOD"})
    (True, True, False)
    >>> is_good({"doctor_tracking": "GOOD"})
    True
    """
    if isinstance(row.get("is_bad"), bool):
        return not row["is_bad"]
    return status(given_tracking(dict(row))) == "GOOD"


def is_short(row: Record, least: int) -> bool:
    """Is it a run with fewer lumisections, as far as is known?

    >>> is_short({"lumisections": 40}, 100), is_short({"last_lumisection_number": 400}, 100), is_short({}, 100)
    (True, False, False)
    """
    if row.get("lumisection_number") is not None:
        return False
    known = next((size for name in _LENGTHS if (size := number(row.get(name))) is not None), None)
    return known is not None and known < least


def choose_conditions(rows: Sequence[Record], chosen: Sequence[str] = ()) -> Choice:
    """Those of the chosen columns, without any of `CONDITIONS`, in which the rows have numbers.

    Raises:
        InputError: There are none, or one of the chosen isn't there, or units are mixed and no twin helps.

    Example:
        >>> choose_conditions([{"energy": 6500, "b_field": None}]).columns
        ['energy']
    """
    known = _numeric(rows)
    wanted = list(dict.fromkeys(chosen or CONDITIONS))
    of_fill = not chosen and PILEUP_OF_FILL in known and not known.intersection(_OF_RUN)
    if of_fill:
        wanted[wanted.index(_OF_RUN[0])] = PILEUP_OF_FILL
        wanted.remove(_OF_RUN[1])
    choice = Choice(absent=[column for column in wanted if column not in known], of_fill=of_fill)
    if choice.absent and (chosen or len(choice.absent) == len(wanted)):
        there = console.listed(sorted(known))
        raise InputError(f"no numbers in {', '.join(choice.absent)}; columns with numbers are {there}")
    for column in wanted:
        if column in known:
            of_rows = {row[f"{column}_unit"] for row in rows if isinstance(row.get(f"{column}_unit"), str)}
            is_mixed = len(of_rows) > 1 and not all(map(_POWER_OF_TEN.fullmatch, of_rows))
            if is_mixed:
                choice.mixed[column] = sorted(of_rows)
            choice.columns.append(twin_of(column) if is_mixed else column)
    for column, units in choice.mixed.items():
        if twin_of(column) not in known:
            raise InputError(
                f"{column} is in different units ({', '.join(units)}), and there is no {twin_of(column)}: "
                "take it from OMS, or choose with --condition"
            )
    return choice


def twin_of(column: str) -> str:
    """The column with the same luminosity in pb^-1 in every row."""
    return f"{column}_pb"


def choose_components(rows: Sequence[Record]) -> list[str]:
    """The principal components pc1, pc2, ... that rows have, in this order.

    >>> choose_components([{"pc10": 1.0, "pc2": 0.5, "t2": 3}])
    ['pc2', 'pc10']
    """
    return component_columns(_numeric(rows))


def uses(records: Iterable[Record]) -> dict[int, int]:
    """How many records name each run as their reference.

    >>> uses([{"reference_run_number": 7}, {"reference_run_number": 7.0}, {"reference_run_number": None}])
    {7: 2}
    """
    named = (whole(record.get("reference_run_number")) for record in records)
    return dict(Counter(run_number for run_number in named if run_number is not None))


def why_none(
    rows: Iterable[Record], good: Iterable[Record], columns: Sequence[str], short: Iterable[Record] = ()
) -> dict[str, int]:
    """Why rows have no candidate, and how many for each reason.

    Args:
        short: Good rows that are too short to be candidates.

    >>> why_none([{"run_number": 1, "energy": 1}, {"run_number": 2}], [], ["energy"])
    {'no earlier good run to compare with': 1, 'no numbers in energy': 1}
    """
    earliest, earliest_short = _earliest(good), _earliest(short)
    reasons: Counter[str] = Counter()
    for row in rows:
        run_number, mine = row_key(row).run_number, _kind(row)
        if all(number(row.get(column)) is None for column in columns):
            reasons[f"no numbers in {console.listed(columns)}"] += 1
        elif any(run < run_number for kind, run in earliest.items() if _agree(kind, mine)):
            reasons["the earlier good runs lack the columns that it has"] += 1
        elif any(run < run_number for kind, run in earliest_short.items() if _agree(kind, mine)):
            reasons["the earlier good runs of its kind are too short"] += 1
        else:
            reasons["no earlier good run to compare with"] += 1
    return dict(reasons)


def _earliest(rows: Iterable[Record]) -> dict[tuple[Kind, bool], int]:
    earliest: dict[tuple[Kind, bool], int] = {}
    for row in rows:
        run_number, kind = row_key(row).run_number, _kind(row)
        earliest[kind] = min(run_number, earliest.get(kind, run_number))
    return earliest


def nearest(
    rows: Sequence[Record],
    good: Sequence[Record],
    columns: Sequence[str],
    top: int,
    used: Mapping[int, int] | None = None,
) -> Iterator[list[Record]]:
    """The records of the ``top`` most similar candidates of each row, in the order of the rows.

    Args:
        rows: Distinct rows.
        good: All that may be candidates.
        columns: What to compare.
        used: How often runs are used as references: those come first if they aren't much farther away.

    Raises:
        InputError: A number is beyond the floating-point range.

    Example:
        >>> good = [{"run_number": run, "energy": 6500.0} for run in (1, 2, 4)]
        >>> [[best]] = nearest([{"run_number": 3, "energy": 6500.0}], good, ["energy"], top=1)
        >>> best["candidate_run_number"], best["distance"]
        (2, 0.0)
    """
    mine: dict[tuple[Kind, bool], list[Record]] = {}
    for row in rows:
        mine.setdefault(_kind(row), []).append(row)
    latest_first = sorted(good, key=lambda row: row_key(row).lumisection_number or 0, reverse=True)
    kinds = list(map(_kind, latest_first))
    results: dict[RowKey, list[Record]] = {}
    for kind, members in mine.items():
        agreeing = {other for other in set(kinds) if _agree(kind, other)}
        candidates = [row for row, other in zip(latest_first, kinds, strict=True) if other in agreeing]
        if candidates:
            numbers = _numbers(candidates)
            preferred = None if used is None else np.isin(numbers, list(used))
            found = rank(
                _values(members, columns), _numbers(members), _values(candidates, columns), numbers, top, preferred
            )
            for row, best in zip(members, found, strict=True):
                results[row_key(row)] = [
                    _record(row, candidates[candidate.index], place, candidate, columns, used)
                    for place, candidate in enumerate(best, start=1)
                ]
    for row in rows:
        yield results.get(row_key(row), [])


def _kind(row: Record) -> tuple[Kind, bool]:
    """What rows and their candidates agree in, as far as is known; are they runs?"""
    key = row_key(row)
    return kind_of(row)._replace(reco=key.reco), key.is_run


def _agree(one: tuple[Kind, bool], other: tuple[Kind, bool]) -> bool:
    return one[1] == other[1] and agree(one[0], other[0])


def _numeric(rows: Sequence[Record]) -> set[str]:
    return {column for row in rows for column, value in row.items() if number(value) is not None}


def _numbers(rows: Sequence[Record]) -> Any:
    return np.array([row_key(row).run_number for row in rows], dtype=np.int64)


def _values(rows: Sequence[Record], columns: Sequence[str]) -> Array:
    return np.array([[_value(row, name) for name in columns] for row in rows], dtype=np.float64)


def _value(row: Record, column: str) -> float:
    value = number(row.get(column))
    try:
        return float("nan") if value is None else float(value) * _scale(row.get(f"{column}_unit"))
    except OverflowError:
        raise InputError(f"{column}: a number too large to compute with in run {row['run_number']}") from None


def _scale(unit: Any) -> float:
    """What brings luminosities of proton and ion runs, that are in different powers of ten, to the same unit."""
    match = _POWER_OF_TEN.fullmatch(unit) if isinstance(unit, str) else None
    return 1.0 if match is None else 10.0 ** (int(match[1]) - 34)


def _record(
    row: Record,
    candidate_row: Record,
    place: int,
    candidate: Candidate,
    columns: Sequence[str],
    used: Mapping[int, int] | None,
) -> Record:
    contributions = zip(columns, candidate.contributions.tolist(), strict=True)
    key, other = row_key(row), row_key(candidate_row)
    of_lumisection = {} if key.is_run else {"candidate_lumisection_number": other.lumisection_number}
    return {
        **key.columns(),
        "rank": place,
        "candidate_run_number": other.run_number,
        **of_lumisection,
        "distance": candidate.distance,
        "columns_compared": candidate.compared,
        **({} if used is None else {"times_used": used.get(other.run_number, 0)}),
        **{f"contribution_{column}": value for column, value in contributions},
    }
