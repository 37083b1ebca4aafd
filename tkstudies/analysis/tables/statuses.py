"""Whose statuses a row has: those of the Run Registry, derived ones of online rows, or those of TkDQMDoctor."""

from __future__ import annotations

from tkstudies.records import RecordView as Record
from tkstudies.records import status

REGISTRY = ("rda_name", "rda_state", "run_class_name", "workspace", "pixel", "strip")


def tracking(record: Record) -> str | None:
    """The status of tracking; online it isn't certified and follows from pixel and strip.

    Derived for online rows of the global workspace and for Run Registry v4's dataset ``online`` in any
    workspace, whatever tracking these rows bring: null if pixel or strip is unknown, ``GOOD`` if both are
    good, else ``BAD``. All other rows keep their own status.

    Example:
        >>> tracking({"workspace": "global", "reco": "online", "pixel": "GOOD", "strip": "STANDBY"})
        'BAD'
        >>> tracking({"rda_name": "online", "pixel": "GOOD", "strip": None})
        >>> tracking({"doctor_pixel": "Good", "doctor_strip": "Good", "doctor_tracking": "Bad"})
        'BAD'
    """
    if not is_derived_online(record):
        return given_tracking(record)
    statuses = [status(record.get("pixel")), status(record.get("strip"))]
    if None in statuses:
        return None
    return "GOOD" if statuses == ["GOOD", "GOOD"] else "BAD"


def given_tracking(record: Record) -> str | None:
    """The status of tracking that the row brings, in a table of TkDQMDoctor alone the doctor's; nothing derived.

    Example:
        >>> given_tracking({"tracking": "Good"}), given_tracking({"doctor_tracking": "Good"})
        ('Good', 'GOOD')
    """
    own: str | None = record.get("tracking")
    return status(record.get("doctor_tracking")) if own is None and is_doctors(record) else own


def statuses(record: Record) -> tuple[str | None, str | None, str | None]:
    """Pixel, strip and tracking in capitals, None where unknown; those of TkDQMDoctor where nobody else says any.

    Example:
        >>> statuses({"pixel": "Good", "strip": None, "tracking": "BAD", "doctor_strip": "BAD"})
        ('GOOD', None, 'BAD')
        >>> statuses({"run_number": 317591, "doctor_pixel": "Good", "doctor_strip": "Bad"})
        ('GOOD', 'BAD', None)
    """
    names = ("doctor_pixel", "doctor_strip") if is_doctors(record) else ("pixel", "strip")
    return status(record.get(names[0])), status(record.get(names[1])), status(tracking(record))


def is_doctors(record: Record) -> bool:
    """Is it a row of TkDQMDoctor that isn't joined to one of the Run Registry?"""
    return all(record.get(name) is None for name in REGISTRY) and any(name.startswith("doctor_") for name in record)


def is_derived_online(record: Record) -> bool:
    """Is it an online row, whose tracking nobody certifies?"""
    if text(record, "rda_name") == "online":
        return True
    reco, workspace = text(record, "reco"), text(record, "workspace")
    return reco is not None and workspace is not None and (reco.lower(), workspace.lower()) == ("online", "global")


def text(record: Record, column: str) -> str | None:
    """A column's text; None if it has none, or a blank one."""
    value = record.get(column)
    return value if isinstance(value, str) and value.strip() else None
