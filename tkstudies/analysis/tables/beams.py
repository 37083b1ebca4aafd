"""What collided in a run: its type, and whether heavy ions did."""

from __future__ import annotations

import re

from tkstudies.analysis.tables.statuses import Record, is_doctors, text

_BEAMS = ("fill_type_runtime", "fill_type_party1", "fill_type_party2")
_PROTONS = re.compile(r"\s*(?:p|protons?|cosmics?|(?:p|protons?)[ _-]*(?:p|protons?))\s*", re.IGNORECASE)
_NO_BEAM = re.compile(r"\s*(?:none|null|unknown|undefined|no[ _-]?beams?|n/?a|-*)\s*", re.IGNORECASE)
# HI as a word of its own in a name such as HICollisions23 or Collisions22HI: not in CHIc, HIPM or HIG
_HEAVY_ION = re.compile(r"(?<![A-Z])HI(?=[A-Z][a-z]|[^A-Za-z]|$)")
# Names of protons or cosmics: a year and at most the letter of an era, nothing that could be another beam
_NO_IONS = re.compile(
    r"(?:(?:Collisions|Cosmics|Commissioning|Commiss)(?:20)?\d\d(?:SpecialRun)?|(?<![A-Za-z])Run20\d\d(?=[A-Z]))"
    r"[A-Z]?(?![A-Za-z0-9])"
)


def runtype(record: Record) -> str | None:
    """``collisions`` or ``cosmics`` by run_class_name; a record without one keeps the runtype that it brings.

    Example:
        >>> runtype({"run_class_name": "Collisions18"}), runtype({"run_class_name": "Commissioning18"})
        ('collisions', None)
        >>> runtype({"doctor_runtype": "Cosmics"})
        'cosmics'
    """
    run_class = text(record, "run_class_name")
    if run_class is None:
        own = text(record, "runtype")
        if own is not None or not is_doctors(record):
            return own
        run_class = text(record, "doctor_runtype") or ""
    if "Collisions" in run_class:
        return "collisions"
    return "cosmics" if "Cosmics" in run_class else None


def is_heavy_ion(record: Record) -> bool | None:
    """Whether heavy ions collided: by the beams of the fill, else by the names of dataset and run class.

    A beam of ions makes it true (lead, xenon, neon, oxygen, also against protons). Where OMS's columns of the fill
    are missing, and for cosmics, ``HI`` as a word of its own in rda_name or run_class_name makes it true, cosmics or
    a dataset named by year and era alone false; of other names it isn't known.

    Example:
        >>> row = {"rda_name": "/PromptReco/Collisions2025OO/DQM"}
        >>> is_heavy_ion(row), is_heavy_ion({**row, "fill__fill_type_party1": "O8", "fill__fill_type_party2": "O8"})
        (None, True)
        >>> is_heavy_ion({"rda_name": "/PromptReco/HICollisions18/DQM"}), is_heavy_ion({})
        (True, None)
    """
    is_cosmics = runtype(record) == "cosmics"
    by_beams = None if is_cosmics else _ions_collide(record)
    if by_beams is not None:
        return by_beams
    dataset, run_class = text(record, "rda_name"), text(record, "run_class_name")
    if any(_HEAVY_ION.search(name) for name in (dataset, run_class) if name):
        return True
    return False if is_cosmics or (dataset is not None and _NO_IONS.search(dataset)) else None


def _ions_collide(record: Record) -> bool | None:
    """Is one of the beams of ions? None if nobody says."""
    for prefix in ("fill__", ""):
        kind, *parties = (text(record, prefix + name) for name in _BEAMS)
        words = [word for word in (kind, *parties) if word and not _NO_BEAM.fullmatch(word)]
        if not all(map(_PROTONS.fullmatch, words)):
            return True
        if kind in words or (None not in parties and len(words) == len(parties)):
            return False
    beams = text(record, "beamtype") if is_doctors(record) else None
    return None if beams is None else "ion" in beams.lower()
