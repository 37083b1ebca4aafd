"""From an element of a listing of OMS to a flat record, with its units."""

from __future__ import annotations

from typing import Any

import msgspec

from tkstudies.records import Record, picobarns

LUMINOSITIES = ("recorded_lumi", "delivered_lumi")
WITH_UNITS = (*LUMINOSITIES, "init_lumi", "end_lumi")
"""What a lumisection has in the unit of its run."""


class Unit(msgspec.Struct):
    """What OMS says of an attribute of a row."""

    units: str | None = None


class RowMeta(msgspec.Struct):
    """What OMS says of a row beside its attributes."""

    row: dict[str, Unit | str | None] | None = None


class Row(msgspec.Struct):
    """One element of a listing."""

    id: Any = None
    attributes: dict[str, Any] | None = None
    meta: RowMeta | None = None


class ListingMeta(msgspec.Struct):
    """What OMS says of a listing."""

    totalResourceCount: int | None = None


class Listing(msgspec.Struct):
    """A page of a listing."""

    data: list[Row]
    meta: ListingMeta | None = None


def flat_record(row: Row, *, with_units: bool) -> Record:
    """One element of a listing as a flat record: its attributes, and if asked for ``<attribute>_unit``.

    Luminosities with a unit get twins in inverse picobarns: recorded_lumi_pb, delivered_lumi_pb.
    """
    record = dict(row.attributes or {})
    if not with_units:
        return record
    units = (row.meta.row if row.meta else None) or {}
    for attribute, described in units.items():
        record[f"{attribute}_unit"] = described.units if isinstance(described, Unit) else described
    _add_picobarns(record)
    return record


def with_units_of_run(record: Record, run: Record | None) -> Record:
    """A lumisection with the units of its run for those numbers that have none of their own, None if not known.

    >>> with_units_of_run({"recorded_lumi": 39.4}, {"recorded_lumi_unit": "pb^{-1}"})
    {'recorded_lumi': 39.4, 'recorded_lumi_unit': 'pb^{-1}', 'recorded_lumi_pb': 39.4}
    """
    for attribute in WITH_UNITS:
        if attribute in record:
            record.setdefault(f"{attribute}_unit", (run or {}).get(f"{attribute}_unit"))
    for attribute in LUMINOSITIES:
        record.pop(f"{attribute}_pb", None)  # they come behind the units
    _add_picobarns(record)
    return record


def lacks_units(record: Record) -> bool:
    """Has a number without its unit?"""
    return any(attribute in record and f"{attribute}_unit" not in record for attribute in WITH_UNITS)


def _add_picobarns(record: Record) -> None:
    for attribute in LUMINOSITIES:
        if attribute in record:
            record[f"{attribute}_pb"] = picobarns(record[attribute], record.get(f"{attribute}_unit"))
