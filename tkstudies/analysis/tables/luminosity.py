"""Sums of luminosity over records: each run, fill or lumisection once, in one unit.

A table of a study has several rows for a run (one for each reco), and the luminosity of heavy-ion runs comes in
another unit than that of protons: adding the column up is wrong on both counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from tkstudies.errors import UsageError
from tkstudies.records import RecordView as Record
from tkstudies.records import number, picobarns, whole

EACH: dict[str, tuple[str, ...]] = {
    "run": ("run_number",),
    "fill": ("fill_number",),
    "lumisection": ("run_number", "lumisection_number"),
}
"""What a luminosity may belong to -> the columns that tell one from another."""


@dataclass(frozen=True)
class Total:
    """A sum of luminosities.

    Attributes:
        pb: The sum [pb^-1].
        counted: How many runs (fills, lumisections) are in it.
        unknown: How many aren't: no number, or one without a known unit.
        unequal: How many have rows with different values, of which the first was taken.
        keyless: Rows that don't say whose they are.
    """

    pb: float
    counted: int
    unknown: int = 0
    unequal: int = 0
    keyless: int = 0


def luminosity(record: Record, column: str = "recorded_lumi") -> float | None:
    """The luminosity of a record [pb^-1]: ``<column>_pb``, else the column in the unit of ``<column>_unit``.

    None if it is no number, beyond all floats, or its unit isn't known.

    Example:
        >>> luminosity({"recorded_lumi": 1500.0, "recorded_lumi_unit": "{\\\\mu}b^{-1}"})
        0.0015
        >>> luminosity({"recorded_lumi": 1500.0})
    """
    known = number(record.get(f"{column}_pb"))
    try:
        return float(known) if known is not None else picobarns(record.get(column), record.get(f"{column}_unit"))
    except OverflowError:
        return None


def total(records: Iterable[Record], column: str = "recorded_lumi", each: str = "run") -> Total:
    """The luminosity of all runs (or fills, lumisections) in the records together, each counted once.

    Args:
        records: Rows of any table that has the column; of several rows of one run the first with a value counts.
        column: ``recorded_lumi``, ``delivered_lumi``, or one of fills joined to runs: ``fill__recorded_lumi``.
        each: Of `EACH`: what the luminosity of the column belongs to. Lumisections of OMS have running sums of the
            fill: see `of_lumisections`.

    Raises:
        UsageError: Unknown ``each``.

    Example:
        >>> run = {"run_number": 1, "recorded_lumi": 2.0, "recorded_lumi_unit": "pb^{-1}"}
        >>> ions = {"run_number": 2, "recorded_lumi": 500.0, "recorded_lumi_unit": "{\\\\mu}b^{-1}"}
        >>> total([{**run, "reco": "express"}, {**run, "reco": "prompt"}, ions, {"run_number": 3}])
        Total(pb=2.0005, counted=2, unknown=1, unequal=0, keyless=0)
    """
    summed = EachOnce(column, each)
    for record in records:
        summed.add(record)
    return summed.total()


class EachOnce:
    """The sum that `total` makes, record by record.

    Args:
        value: What is added instead of the luminosity in ``column``, out of a record.

    Raises:
        UsageError: Unknown ``each``.
    """

    def __init__(
        self, column: str = "recorded_lumi", each: str = "run", value: Callable[[Record], float | None] | None = None
    ):
        if each not in EACH:
            raise UsageError(f"no luminosity of each {each!r}; there are {', '.join(EACH)}")
        self._keys = EACH[each]
        self._value = value or partial(luminosity, column=column)
        self._found: dict[tuple[int, ...], float | None] = {}
        self._unequal: set[tuple[int, ...]] = set()
        self._keyless = 0

    def add(self, record: Record) -> None:
        """Take one record; of several of one run the first with a value counts."""
        key = _key(record, self._keys)
        if key is None:
            self._keyless += 1
        else:
            self._take(key, self._value(record))

    def absorb(self, other: EachOnce) -> None:
        """Take the records of another, which come after these."""
        self._keyless += other._keyless
        self._unequal |= other._unequal
        for key, value in other._found.items():
            self._take(key, value)

    def _take(self, key: tuple[int, ...], value: float | None) -> None:
        first = self._found.setdefault(key, value)
        if first is None:
            self._found[key] = value
        elif value is not None and abs(value - first) > 1e-9 * abs(first):
            self._unequal.add(key)

    def total(self) -> Total:
        """The sum so far."""
        known = [value for value in self._found.values() if value is not None]
        return Total(sum(known), len(known), len(self._found) - len(known), len(self._unequal), self._keyless)


def of_lumisections(records: Iterable[Record], column: str = "recorded_lumi") -> Iterator[dict[str, Any]]:
    """The luminosity of each lumisection, out of OMS's running sums.

    OMS gives with a lumisection what the fill had before it, so that its own is the difference to the next one of
    its run; that of the last one of a run isn't known (the run's own sum leaves it out, too).

    Yields:
        run_number, lumisection_number and ``<column>_pb`` [pb^-1] or None, by run and number, each lumisection once.

    Example:
        >>> sums = ((1, 40.0), (2, 40.5))
        >>> rows = [{"run_number": 1, "lumisection_number": n, "recorded_lumi_pb": pb} for n, pb in sums]
        >>> [row["recorded_lumi_pb"] for row in of_lumisections(rows)]
        [0.5, None]
    """
    sums: dict[tuple[int, ...], tuple[float | None, Any]] = {}
    for record in records:
        key = _key(record, EACH["lumisection"])
        if key is not None:
            sums.setdefault(key, (luminosity(record, column), record.get("fill_number")))
    for key in sorted(sums):
        run, lumisection = key
        (before, fill), (after, next_fill) = sums[key], sums.get((run, lumisection + 1), (None, None))
        is_known = before is not None and after is not None and fill == next_fill and after >= before
        own = after - before if is_known and before is not None and after is not None else None
        yield {"run_number": run, "lumisection_number": lumisection, f"{column}_pb": own}


def own_luminosities(
    records: Iterable[Record], column: str = "recorded_lumi"
) -> tuple[str, dict[tuple[int, ...], float | None]]:
    """What each lumisection of a table adds to a sum [pb^-1], whatever its column holds.

    Returns:
        What the column holds, and the luminosity by (run_number, lumisection_number): ``run`` if it is that of the
        whole run in all its rows (nothing is returned by lumisection then), ``running`` for the running sums of OMS,
        ``own`` otherwise.

    Example:
        >>> rows = [{"run_number": 1, "lumisection_number": n, "recorded_lumi_pb": n / 2} for n in (1, 2)]
        >>> own_luminosities(rows)
        ('running', {(1, 1): 0.5, (1, 2): None})
    """
    records = list(records)
    by_run: dict[tuple[int, Any], list[tuple[int, float]]] = {}
    found: dict[tuple[int, ...], float | None] = {}
    for record in records:
        key, value = _key(record, EACH["lumisection"]), luminosity(record, column)
        if key is not None and key not in found:
            found[key] = value
            if value is not None:
                by_run.setdefault((key[0], record.get("fill_number")), []).append((key[1], value))
    runs = [[value for _, value in sorted(values)] for values in by_run.values() if len(values) > 1]
    if runs and all(values[0] == values[-1] == max(values) for values in runs):
        return "run", {}
    if runs and all(before <= after for values in runs for before, after in pairwise(values)):
        own = of_lumisections(records, column)
        return "running", {(r["run_number"], r["lumisection_number"]): r[f"{column}_pb"] for r in own}
    return "own", found


def _key(record: Record, columns: tuple[str, ...]) -> tuple[int, ...] | None:
    numbers = [whole(record.get(column)) for column in columns]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(columns) else None
