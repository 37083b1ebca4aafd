"""From an element of a listing of OMS to a flat record, with its units."""

from __future__ import annotations

from typing import Any

from tkstudies.records import Record

_PICOBARNS = {"pb^{-1}": 1.0, "{\\mu}b^{-1}": 1e-6, "nb^{-1}": 1e-3, "fb^{-1}": 1e3}  # [pb^-1]


def flat_record(row: dict[str, Any], *, with_units: bool) -> Record:
    """One element of a listing as a flat record: its attributes, and if asked for ``<attribute>_unit``.

    Luminosities with a unit get twins in inverse picobarns: recorded_lumi_pb, delivered_lumi_pb.
    """
    record = dict(row.get("attributes") or {})
    if not with_units:
        return record
    units = (row.get("meta") or {}).get("row") or {}
    for attribute, described in units.items():
        record[f"{attribute}_unit"] = described.get("units") if isinstance(described, dict) else described
    for attribute in ("recorded_lumi", "delivered_lumi"):
        if attribute in record:
            record[f"{attribute}_pb"] = _in_picobarns(record[attribute], record.get(f"{attribute}_unit"))
    return record


def _in_picobarns(value: float | None, unit: str | None) -> float | None:
    factor = _PICOBARNS.get(unit or "")
    return None if value is None or factor is None else value * factor
