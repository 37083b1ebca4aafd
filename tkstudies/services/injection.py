"""What the name of an LHC injection scheme says."""

from __future__ import annotations

import re
from typing import Any

FIELDS = (
    "bunch_spacing_ns",
    "bunches_per_beam",
    "colliding_bunches_ip1_ip5",
    "colliding_bunches_ip2",
    "colliding_bunches_ip8",
    "bunches_per_injection",
    "injections",
    "injection_scheme_special",
)

_SCHEME = re.compile(
    r"(?:(?:Single|Multi)_?)?"
    r"(?P<spacing>\d+(?:_\d+)?)ns"
    r"_(?P<bunches>\d+)(?:b|Pb|Xe|O|Ne)?"
    r"_(?P<ip15>\d+)_(?P<ip2>\d+)_(?P<ip8>\d+)"
    r"_(?P<train>\d+)bpi"
    r"_?(?P<injections>\d+)inj"
    r"_?(?P<special>.*)"
)


def split_scheme(name: Any) -> dict[str, Any]:
    """The parts of ``{spacing}ns_{bunches}b_{ip1_5}_{ip2}_{ip8}_{trainlength}bpi_{injections}inj{special}``.

    Spacing is a text, as it may be double (``75_150`` in heavy-ion years); the others are numbers. All are
    None for a name of another form.

    Source: LHC operation's naming convention of filling schemes.

    >>> list(split_scheme("25ns_2556b_2544_2215_2332_144bpi_20injV3").values())
    ['25', 2556, 2544, 2215, 2332, 144, 20, 'V3']
    >>> list(split_scheme("75_150ns_733Pb_733_702_468_42bpi_20inj").values())
    ['75_150', 733, 733, 702, 468, 42, 20, None]
    >>> set(split_scheme("Single_10b_5_0_5_pilot").values())
    {None}
    """
    match = _SCHEME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        return dict.fromkeys(FIELDS)
    spacing, *numbers, special = match.groups()
    return dict(zip(FIELDS, (spacing, *map(int, numbers), special or None), strict=True))
