"""What OMS says of the detector in each run: FEDs in the data taking, and parts of the lumisections with each flag.

Source: the resources runs, lumisections and daqreadouts; partitions of the DAQ as in the tracker's DCS-only scripts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from tkstudies.console import Losses, listed
from tkstudies.records import Record, whole
from tkstudies.services import oms
from tkstudies.services.omslistings import Wanted
from tkstudies.services.runselection import Numbers, RunSelection

PARTITIONS = ("bpixm", "bpixp", "fpixm", "fpixp", "tibtid", "tob", "tecm", "tecp")
"""The tracker's partitions of the DAQ; OMS writes the sides as in ``bpix-``, earlier also as here."""

FLAGS = (
    "physics_flag", "cms_active", "beam1_present", "beam2_present", "beam1_stable", "beam2_stable",
    "bpix_ready", "fpix_ready", "tibtid_ready", "tob_ready", "tecp_ready", "tecm_ready",
)  # fmt: skip
"""Flags of lumisections that come first, and those that are there when OMS doesn't list its attributes."""

_OF_RUN = ("fill_number", "fill_type_runtime")
_BATCH = 200  # runs whose rows are put together before they are written


def rows(
    selection: RunSelection,
    access: Wanted | None = None,
    *,
    sequence: str | None = oms.GLOBAL_RUN,
    expected: Numbers | None = None,
    losses: Losses,
) -> Iterator[Record]:
    """Yield one row for each selected run that OMS has, by run number.

    ``<flag>_fraction`` is the number of lumisections with the flag over all ``oms_lumisections`` of the run, None where
    it is null in each of them. ``<partition>_feds_fraction`` is the number of FEDs in the data taking over those in or
    out of it. Where a partition has several readouts in a run, a FED counts as in if no readout excludes it. What
    OMS has no rows for is None.

    Args:
        access: For the login.
        expected: Runs that are missed if OMS doesn't have them.
        losses: Gets what is missing.

    Raises:
        LoginError, ServiceError: OMS can't be used.
    """
    access = replace(access or Wanted(), filters=(), fields=(), sort=())
    runs = oms.runs(selection, replace(access, fields=_OF_RUN), sequence=sequence)
    flags: list[str] | None = None
    missing: dict[str, list[int]] = {}
    found: set[int] = set()
    while batch := list(islice(runs, _BATCH)):
        if flags is None:
            attributes = oms.attributes("lumisections", access)
            flags = _flags(attributes)
            if not attributes:
                losses.note(f"OMS doesn't list the attributes of lumisections: only {', '.join(flags)}")
        by_number = {number: run for run in batch if (number := whole(run["run_number"])) is not None}
        found.update(by_number)
        numbers = Numbers.of(by_number)
        parts = _parts_with_flags(numbers, flags, access)
        feds = _feds(oms.daq_readouts(numbers, access))
        for number, run in by_number.items():
            for why in _lacks(number, parts, feds):
                missing.setdefault(why, []).append(number)
            known = {name: run.get(name) for name in ("run_number", *_OF_RUN)}
            yield (
                known | feds.get(number, dict.fromkeys(map(_of_feds, PARTITIONS))) | parts.get(number, _no_parts(flags))
            )
    for why, several in missing.items():
        losses.add(len(several), "run", f"{why} ({listed(map(str, several), 5)})")
    absent = [number for number in expected or () if number not in found]
    kind = f"that OMS has no row of, in sequence {sequence}" if sequence else "that OMS doesn't have"
    losses.add(len(absent), "run", f"{kind} ({listed(map(str, absent), 5)})")


def _flags(attributes: Sequence[str]) -> list[str]:
    """The flags that lumisections have: all bits of the DCS, whichever they are this year."""
    others = sorted(name for name in attributes if name.endswith("_ready"))
    known = [name for name in FLAGS if not attributes or name in attributes]
    return list(dict.fromkeys([*known, *others]))


def _lacks(number: int, parts: dict[int, Record], feds: dict[int, Record]) -> Iterator[str]:
    if number not in parts:
        yield "without lumisections in OMS: the fractions of flags are null"
    if number not in feds:
        yield "without DAQ readouts in OMS: *_feds_fraction are null"
        return
    absent = [name for name in PARTITIONS if feds[number][_of_feds(name)] is None]
    if absent:
        yield f"without a DAQ readout of {', '.join(absent)} in OMS: *_feds_fraction of it is null"


# --- lumisections


def _parts_with_flags(runs: Numbers, flags: Sequence[str], access: Wanted) -> dict[int, Record]:
    """By run, the columns of its lumisections."""
    totals: Counter[int] = Counter()
    told: dict[int, Counter[str]] = {}
    true: dict[int, Counter[str]] = {}
    for row in oms.lumisections(RunSelection(runs=runs), replace(access, fields=tuple(flags))):
        number = whole(row["run_number"])
        if number is None:
            continue
        totals[number] += 1
        told.setdefault(number, Counter()).update(flag for flag in flags if isinstance(row.get(flag), bool))
        true.setdefault(number, Counter()).update(flag for flag in flags if row.get(flag) is True)
    return {
        number: {"oms_lumisections": total}
        | {_of_flag(flag): true[number][flag] / total if told[number][flag] else None for flag in flags}
        for number, total in totals.items()
    }


def _no_parts(flags: Sequence[str]) -> Record:
    return {"oms_lumisections": 0, **dict.fromkeys(map(_of_flag, flags))}


def _of_flag(flag: str) -> str:
    return f"{flag}_fraction"


# --- FEDs


def _feds(readouts: Iterable[Record]) -> dict[int, Record]:
    """By run, the columns of its partitions; of runs that have any readout."""
    included: dict[tuple[int, str], set[str]] = {}
    excluded: dict[tuple[int, str], set[str]] = {}
    runs: dict[int, Record] = {}
    for row in readouts:
        number, partition = whole(row["run_number"]), _partition(row["partition"])
        if number is None:
            continue
        runs.setdefault(number, {})
        included.setdefault((number, partition), set()).update(_names(row.get("feds_included")))
        excluded.setdefault((number, partition), set()).update(_names(row.get("feds_excluded")))
    for number in runs:
        for name in PARTITIONS:
            out = excluded.get((number, name), set())
            every = included.get((number, name), set()) | out
            runs[number][_of_feds(name)] = 1 - len(out) / len(every) if every else None
    return runs


def _partition(name: str) -> str:
    """``bpix-`` as ``bpixm``, ``TEC+`` as ``tecp``."""
    return name.strip().lower().replace("-", "m").replace("+", "p")


def _names(feds: Any) -> list[str]:
    return [str(fed) for fed in feds] if isinstance(feds, list) else []


def _of_feds(partition: str) -> str:
    return f"{partition}_feds_fraction"
