"""Units: how services write them, how a picture shows them, and by how much two of them differ."""

from __future__ import annotations

import re
from typing import Any

from tkstudies.records import PICOBARNS

_POWER = re.compile(r"\^\{?(-?[0-9]+)\}?")
_FACTOR = re.compile(r"10\^\{(-?[0-9]+)\}\s*(.+)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LUMINOSITY = "luminosity"


def shown_unit(unit: str) -> str:
    """A unit as a picture shows it.

    >>> shown_unit("pb^{-1}"), shown_unit("{\\\\mu}b^{-1}"), shown_unit("10^{34}cm^{-2}s^{-1}"), shown_unit("/pb")
    ('pb⁻¹', 'µb⁻¹', '10³⁴ cm⁻² s⁻¹', 'pb⁻¹')
    """
    text = unit.replace("{\\mu}", "µ").replace("\\mu", "µ").strip()
    if re.fullmatch(r"/[a-z]+", text):
        text = f"{text[1:].replace('ub', 'µb')}^-1"
    return _POWER.sub(lambda match: match[1].translate(_RAISED) + " ", text).replace(" )", ")").strip()


def size_of(unit: Any) -> tuple[float, str] | None:
    """How large a unit is, and of what: units of the same thing can be converted; None if it is no unit.

    >>> size_of("{\\\\mu}b^{-1}"), size_of("10^{27}cm^{-2}s^{-1}"), size_of("GeV"), size_of(None)
    ((1e-06, 'luminosity'), (1e+27, 'cm^{-2}s^{-1}'), (1.0, 'GeV'), None)
    """
    if not isinstance(unit, str) or not unit.strip():
        return None
    if unit in PICOBARNS:
        return PICOBARNS[unit], _LUMINOSITY
    match = _FACTOR.fullmatch(unit)
    return (10.0 ** min(int(match[1]), 300), match[2]) if match and len(match[1]) < 5 else (1.0, unit)
