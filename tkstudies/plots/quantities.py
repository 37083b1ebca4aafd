"""What an axis says: quantity and unit of a column, from the records and from the catalogue of columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tkstudies.analysis.tables import catalogue
from tkstudies.plots.texts import columns_of
from tkstudies.plots.units import shown_unit, size_of
from tkstudies.records import Record, number

QUANTITIES = {
    "run_number": "run",
    "fill_number": "fill",
    "lhc_fill": "fill",
    "lumisection_number": "lumisection",
    "last_lumisection_number": "last lumisection",
    "era": "era",
    "run_era": "era",
    "lumisections": "number of lumisections",
    "start_time": "start time",
    "end_time": "end time",
    "duration": "duration",
    "recorded_lumi": "recorded luminosity",
    "recorded_lumi_pb": "recorded luminosity",
    "delivered_lumi": "delivered luminosity",
    "delivered_lumi_pb": "delivered luminosity",
    "init_lumi": "initial instantaneous luminosity",
    "end_lumi": "final instantaneous luminosity",
    "peak_lumi": "peak instantaneous luminosity",
    "peak_pileup": "peak pileup",
    "b_field": "magnetic field",
    "energy": "beam energy",
    "l1_rate": "L1 rate",
    "hlt_physics_rate": "HLT physics rate",
    "bunches_colliding": "colliding bunches",
    "t2": "Hotelling's T²",
    "q": "Q residual",
    "t2_limit_95": "95 % limit of T²",
    "t2_limit_99": "99 % limit of T²",
    "q_limit_95": "95 % limit of Q",
    "q_limit_99": "99 % limit of Q",
}
"""Column -> what it is in words, where its name alone is a poor label."""

_COMPONENT = re.compile(r"pc[1-9][0-9]*")
_FILL = "fill__"


def quantity(column: str) -> str:
    """What a column is, in words if there are any.

    >>> quantity("recorded_lumi"), quantity("fill__start_time"), quantity("Hits.Pixel.mean")
    ('recorded luminosity', 'start time of the fill', 'Hits.Pixel.mean')
    """
    if column.startswith(_FILL):
        name = column.removeprefix(_FILL)
        return f"{QUANTITIES[name]} of the fill" if name in QUANTITIES else column
    return QUANTITIES.get(column, column)


def label(column: str, records: Sequence[Record], is_time: bool = False, unit: str | None = None) -> str:
    """Quantity and unit of a column, as an axis says it.

    Args:
        unit: As a service writes it; looked up if there is none.

    Example:
        >>> label("recorded_lumi", [{"recorded_lumi": 2.5, "recorded_lumi_unit": "pb^{-1}"}])
        'recorded luminosity [pb⁻¹]'
        >>> label("start_time", [], is_time=True), label("duration", [{"run_number": 1, "duration": 60}])
        ('start time [UTC]', 'duration [s]')
    """
    if is_time:
        return f"{quantity(column)} [UTC]"
    if _COMPONENT.fullmatch(column):
        share = variance_share(column, records)
        return column if share is None else f"{column} ({100 * share:.0f} % of variance)"
    found = unit or unit_of(column, records)
    return f"{quantity(column)} [{shown_unit(found)}]" if found else quantity(column)


def unit_of(column: str, records: Sequence[Record]) -> str | None:
    """The unit of a column as a service writes it: the commonest of ``<column>_unit``, else that of the catalogue."""
    told = f"{column}_unit"
    sent = Counter(record[told] for record in records if told in record and size_of(record[told]))
    if sent:
        return str(max(sorted(sent, key=str), key=lambda unit: sent[unit]))
    units = {entry.unit for entry in catalogue.find(column)}
    if len(units) > 1:
        entry = catalogue.explain(columns_of(records)).get(column)
        units = {entry.unit if entry else None}
    unit = units.pop() if units else None
    return None if unit is None or " or " in unit else unit


def factor(record: Record, column: str, unit: str | None) -> float | None:
    """By what a number of the record is multiplied to be in the common unit; None if its own is another thing's.

    >>> ions = {"recorded_lumi": 1500.0, "recorded_lumi_unit": "{\\\\mu}b^{-1}"}
    >>> factor(ions, "recorded_lumi", "pb^{-1}"), factor({"recorded_lumi": 2}, "recorded_lumi", "pb^{-1}")
    (1e-06, None)
    """
    own = record.get(f"{column}_unit")
    if own == unit:
        return 1
    size, common = size_of(own), size_of(unit)
    return size[0] / common[0] if size and common and size[1] == common[1] else None


def variance_share(component: str, records: Sequence[Record]) -> float | None:
    """The part of the variance that a principal component describes, from scores and Q residuals of the rows.

    The squared length of a row is the sum of its squared scores and Q. Only rows that were fitted count, where
    is_fitted tells. None where a row lacks a score, or none was fitted.
    """
    records = [record for record in records if record.get("is_fitted") is not False]
    names = [name for name in columns_of(records[:1]) if _COMPONENT.fullmatch(name)]
    if component not in names:
        return None
    sums = {}
    for name in [*names, "q"]:
        values = [number(record.get(name)) for record in records]
        if None in values:
            return None
        sums[name] = _sum(values, square=name != "q")
    total = sum(sums.values())
    return sums[component] / total if 0 < total < float("inf") else None


def _sum(values: Sequence[Any], square: bool) -> float:
    try:
        return float(sum([value * value for value in values] if square else values))
    except OverflowError:
        return float("inf")
