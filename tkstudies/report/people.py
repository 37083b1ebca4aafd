"""What people said of a row: statuses that somebody signed, or automatic ones that say so."""

from __future__ import annotations

from collections.abc import Iterable

from tkstudies.analysis.tables.labels import SIGNED_STATES, is_certified_good
from tkstudies.records import Record, RecordView, status, whole

COMPONENTS = ("pixel", "strip", "tracking")
RECOS = ("express", "prompt", "rereco", "rerecoul")
"""Reconstructions that people certify, the one that counts most at the end."""


def is_signed(row: RecordView) -> bool:
    """Has somebody signed the row? Where its state isn't known: is it certified good or bad?"""
    state = status(row.get("rda_state"))
    return state in SIGNED_STATES if state is not None else isinstance(row.get("is_certified_good"), bool)


def said(row: RecordView) -> str:
    """The statuses of a row in words; those that nobody signed are called automatic.

    >>> said({"rda_state": "SIGNOFF", "pixel": "GOOD", "strip": "bad"})
    'pixel GOOD, strip BAD'
    >>> said({"rda_state": "OPEN", "pixel": "GOOD"}), said({})
    ('automatic: pixel GOOD', 'nothing')
    """
    words = [f"{component} {status(row.get(component))}" for component in COMPONENTS if status(row.get(component))]
    if not words:
        return "nothing"
    return f"{'' if is_signed(row) else 'automatic: '}{', '.join(words)}"


def certified(row: RecordView) -> bool | None:
    """Certified good or bad; None if nobody has signed, or EXCLUDED and the like decide."""
    given = row.get("is_certified_good")  # a label of a table that may be older than the state
    return given if isinstance(given, bool) and row.get("rda_state") is None else is_certified_good(row)


def verdicts(rows: Iterable[Record]) -> dict[int, tuple[bool, Record]]:
    """What was decided of each run in the reconstruction that counts most, and the row that says it; not of online."""
    found: dict[int, tuple[int, bool, Record]] = {}
    for row in rows:
        run, reco, decided = whole(row.get("run_number")), row.get("reco"), certified(row)
        if run is None or reco not in RECOS or decided is None:
            continue
        place = RECOS.index(reco)
        if run not in found or place > found[run][0]:
            found[run] = (place, decided, row)
    return {run: (decided, row) for run, (_, decided, row) in found.items()}
