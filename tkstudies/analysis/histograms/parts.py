"""Columns for single parts of the detector, out of bins of a few histograms: dead ROCs by layer, bad strips by wheel.

The table is `parts.jsonl` beside this module, a column a line. Names, bins and totals of the percentages are those of
HDQM (Historic DQM: trendPlotsPixelPhase1_deadROC.ini, trendPlotsStrip_BadComponents.ini); the counts by layer come
from CMSSW (SiStripBadComponentInfo.cc): bins in x are TEC-, TEC+, TIB, TID-, TID+, TOB, those in y layers or wheels,
and bin 10 their sum. There are none of APVs and fibers by side, since CMSSW swaps the sides of the TID in these two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tkstudies.analysis.histograms.bins import contents_of
from tkstudies.histogramrecord import Hist
from tkstudies.records import number

_TABLE = Path(__file__).with_name("parts.jsonl")


class Part(NamedTuple):
    """The sum of some bins of a histogram.

    Attributes:
        column: What it is called.
        plot: The path of the histogram.
        bins: How many bins the histogram has in x, and in y.
        x, y: The bins that count, from 1.
        of: The number of which the sum is given as a percentage; None for the sum itself.
    """

    column: str
    plot: str
    bins: list[int]
    x: list[int]
    y: Sequence[int] = ()
    of: int | None = None


def parts_of(plot: str) -> tuple[Part, ...]:
    """The parts that a plot, a path or a name, tells about; mostly none.

    Example:
        >>> [part.column for part in parts_of("/PixelPhase1/deadRocTotal")][:2]
        ['deadROC_BPix_L1', 'deadROC_BPix_L2']
    """
    return _by_path_or_name().get(plot, ())


def values_of_parts(hist: Hist, parts: Sequence[Part]) -> list[float | None] | None:
    """The numbers of the parts of one histogram, each None without bins; none at all if they aren't the known ones.

    Example:
        >>> from tkstudies.histogramrecord import as_hist
        >>> hist = as_hist({"bins": {"content": [15.36, 0, 0, 0, 0, 0]}})
        >>> values_of_parts(hist, parts_of("deadRocTotal"))[:2]
        [1.0, 0.0]
    """
    contents = contents_of(hist)
    if contents is None:
        return [None] * len(parts)
    if any(list(contents.shape[::-1]) != part.bins for part in parts):
        return None
    found: list[float | None] = []
    for part in parts:
        rows = contents[[y - 1 for y in part.y]] if part.y else contents
        total = float(rows[..., [x - 1 for x in part.x]].sum())
        found.append(number(100 * total / part.of if part.of else total))
    return found


@lru_cache(maxsize=1)
def _by_path_or_name() -> dict[str, tuple[Part, ...]]:
    found: dict[str, tuple[Part, ...]] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        part = Part(**json.loads(line))
        for key in (part.plot, part.plot.rpartition("/")[2]):
            found[key] = (*found.get(key, ()), part)
    return found
