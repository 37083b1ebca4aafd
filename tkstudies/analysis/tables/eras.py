"""The era of a row: that of its fill, and of a run without fill (cosmics) that of its dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PROCESSED = re.compile(r"/\w+/(?:Run(\d{4}[A-Z])|((?:[A-Za-z]{1,8}Run|Commissioning)\d{4}[A-Z]?))-[^/]+/[^/]+")
_REGISTERED = re.compile(r"/\w+/(HI)?(?:Collisions|Cosmics|Run)(\d{4}|\d\d)([A-Z])(?![A-Za-z0-9])[^/]*/DQM")


def run_era(record: Mapping[str, Any]) -> str | None:
    """The era of a row in the spelling of OMS: ``fill__era``, else what its datasets in the DQM GUI say, else the
    registry's name of its dataset; None if none of them tells.

    Example:
        >>> run_era({"fill__era": "2018B", "rda_name": "/PromptReco/Collisions2018C/DQM"})
        '2018B'
        >>> run_era({"gui_datasets": ["/Cosmics/Run2018E-PromptReco-v1/DQMIO"]}), run_era({"rda_name": "online"})
        ('2018E', None)
        >>> run_era({"rda_name": "/PromptReco/Cosmics18E/DQM"}), run_era({"dataset": "/X/OORun2025-PromptReco-v1/DQM"})
        ('2018E', 'OORun2025')
    """
    of_fill = record.get("fill__era")
    if isinstance(of_fill, str) and of_fill.strip():
        return of_fill
    return next(filter(None, map(_of_dataset, _names(record))), None)


def _names(record: Mapping[str, Any]) -> Iterator[Any]:
    yield record.get("dataset")
    listed = record.get("gui_datasets")
    yield from listed if isinstance(listed, list) else ()
    yield record.get("rda_name")


def _of_dataset(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    if found := _PROCESSED.fullmatch(name):
        return found[1] or found[2]
    if found := _REGISTERED.fullmatch(name):
        heavy_ion, year, letter = found.groups()
        return f"{'HIRun' if heavy_ion else ''}{year if len(year) == 4 else '20' + year}{letter}"
    return None
