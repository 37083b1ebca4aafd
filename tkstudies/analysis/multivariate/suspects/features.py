"""Which columns are features of good rows, and how well each of their numbers is measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.collections import plots, tells_run_length
from tkstudies.analysis.multivariate.rows import KEPT
from tkstudies.errors import UsageError
from tkstudies.records import KEY_COLUMNS, is_named

Array = NDArray[np.float64]

SHAPES = (".mean", ".rms")
LUMISECTION_SHAPES = (*SHAPES, ".median")
ENTRIES = ".entries"

LEAST_ROWS, LEAST_PART = 5, 0.5
"""Good rows that have a feature."""

_NEVER = (
    "*.entries", "*.integral", "*_count", "*_count.*", "*lumi", "*lumi_*", "*lumisection*", "*duration*", "*_number",
    "*_err", "*_unit", "year", "pileup", "fill__*", "energy", "b_field",
)  # fmt: skip
"""Sizes of a run and conditions: features only where they are named in full."""

_ERRORS = {".mean": 1.0, ".rms": np.sqrt(0.5), ".median": 1.25, ".q10": 1.7, ".q90": 1.7}
"""Standard error of a statistic in units of rms/sqrt(entries)."""

_ERRORS_OF_SHAPE = {".skewness": 6.0, ".kurtosis": 24.0}
"""The same of shapes without unit: the square of it, in units of 1/entries."""

_SUBSYSTEMS = {"pixel": ("pixel", "px", "bpix", "fpix", "roc"), "strip": ("strip", "tib", "tob", "tid", "tec")}
_STRIP_WORDS = ("ston", "ccpercm", "fed", "apv", "fiber", "clust_on", "clust_off")
_TRACKING_WORDS = ("seeds", "tracks", "track", "vertices")


def candidates(
    columns: Iterable[str], patterns: Sequence[str], excluded: Collection[str], shapes: Sequence[str]
) -> list[str]:
    """Columns that may be features, in the order given.

    Args:
        columns: Those with numbers.
        patterns: What the user chose; if nothing, columns that end in one of ``shapes`` and tell more than how long
            a run was, where there are none all that the catalogue of columns doesn't explain as something else.
        excluded: Columns that say whether a row is good, conditions and such.

    Raises:
        UsageError: A pattern finds nothing.

    >>> candidates(["a.mean", "a.entries", "golden", "b_mpv"], ["*"], ["golden"], SHAPES)
    ['a.mean', 'b_mpv']
    """
    never = {*KEY_COLUMNS, *KEPT, *excluded}
    possible = [column for column in columns if column not in never and not _repeats(column, never)]
    for pattern in patterns:
        if not any(is_named(column, pattern) for column in possible):
            raise UsageError(f"--features {pattern}: no numbers in such a column (labels, keys and sizes don't count)")
    usual = [column for column in possible if column.endswith(tuple(shapes)) and not tells_run_length(column)]
    if not patterns and usual:
        return usual
    if not patterns:
        return [column for column in possible if not _is_size(column, ()) and _is_unexplained(column)]
    return [
        column
        for column in possible
        if any(is_named(column, pattern) for pattern in patterns) and not _is_size(column, patterns)
    ]


def _repeats(column: str, labels: Collection[str]) -> bool:
    """Whether a column is a label once more, as tables get it that were joined: ``label.1``, ``label_x``.

    >>> _repeats("label.1", ["label"]), _repeats("labels.mean", ["label"])
    (True, False)
    """
    stem = column.rstrip("0123456789").rstrip("._")
    return stem in labels or column.removesuffix("_x").removesuffix("_y") in labels


def _is_size(column: str, named: Sequence[str]) -> bool:
    return column not in named and any(fnmatchcase(column, pattern) for pattern in _NEVER)


def _is_unexplained(column: str) -> bool:
    from tkstudies.analysis.tables import catalogue

    entry = catalogue.explain([column])[column]
    return entry is None or bool(entry.commands & {"features", "features --content"})


def usable(values: Array, good: NDArray[np.bool_], labels: Array) -> NDArray[np.bool_]:
    """Which features good rows have, in which they differ, and that aren't a label in disguise.

    Args:
        values: Shape (rows, features), NaN where missing.
        good: Which rows are good, shape (rows,).
        labels: Columns with numbers that say whether a row is good, shape (rows, columns).
    """
    of_good = values[good]
    known = ~np.isnan(of_good)
    count = known.sum(axis=0)
    enough = count >= max(LEAST_ROWS, LEAST_PART * len(of_good))
    filled = np.where(known, of_good, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (of_good - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count, 1))
    varying = spread > 1e-9 * np.abs(mean)
    for label in labels[good].T:
        if len(label) and not np.isnan(label).any():
            varying &= ~(of_good == label[:, None]).all(axis=0)
    return enough & varying


def plot_of(feature: str) -> str:
    """The plot that a feature describes.

    >>> plot_of("Hits.Pixel.mean")
    'Hits.Pixel'
    """
    return feature.rpartition(".")[0]


def errors(table: Any, features: Sequence[str], good: NDArray[np.bool_]) -> Array:
    """Standard error of each number, 0 where it is unknown, shape (rows, features).

    From the entries of plots that are filled once for each independent entry. Profiles, weighted and harvested plots
    tell themselves: their entries aren't whole, or aren't the contents of their bins. Columns ``X_err`` come first.
    """
    known = set(table.numbers_in)
    result = np.zeros((len(table), len(features)))
    by_plot: dict[str, list[int]] = {}
    for place, feature in enumerate(features):
        if f"{feature}_err" in known:
            result[:, place] = np.nan_to_num(np.abs(table.number(f"{feature}_err")))
        else:
            by_plot.setdefault(plot_of(feature), []).append(place)
    for plot, places in by_plot.items():
        if not {plot + ENTRIES, f"{plot}.rms"} <= known:
            continue
        entries, rms, integral = table.numbers([plot + ENTRIES, f"{plot}.rms", f"{plot}.integral"]).T
        if not _is_counted(entries[good], integral[good]):
            continue
        filled = entries > 0
        for place in places:
            shape = features[place][len(plot) :]
            if shape in _ERRORS:
                result[filled, place] = _ERRORS[shape] * rms[filled] / np.sqrt(entries[filled])
            elif shape in _ERRORS_OF_SHAPE:
                result[filled, place] = np.sqrt(_ERRORS_OF_SHAPE[shape] / entries[filled])
    return np.nan_to_num(result)


def _is_counted(entries: Array, integral: Array) -> bool:
    """Whether the bins of a plot hold its entries, in most rows."""
    known = entries > 0
    if not known.any() or (entries[known] % 1 != 0).mean() > 0.1:
        return False
    ratio = integral[known] / entries[known]
    ratio = ratio[~np.isnan(ratio)]
    return not len(ratio) or bool(0.5 < np.median(ratio) < 1.01)


@lru_cache(4096)
def subsystem(feature: str) -> str:
    """Of which subsystem a feature tells: pixel, strip or tracking.

    >>> [subsystem(name) for name in ("Hits.Pixel.mean", "FEDErrors.mean", "Seeds.pixelPair.mean", "TrackPt.rms")]
    ['pixel', 'strip', 'tracking', 'tracking']
    """
    name = feature.lower()
    words = name.replace("_", ".").split(".")
    if words[0] in _TRACKING_WORDS:
        return "tracking"
    collection = _collections().get(plot_of(feature))
    if collection in ("pixel", "strip"):
        return collection
    for found, tokens in _SUBSYSTEMS.items():
        if any(word.startswith(tokens) or word.endswith(("pixel", "roc")) for word in words):
            return found
    if any(word in name for word in _STRIP_WORDS):
        return "strip"
    return "tracking"


@lru_cache
def _collections() -> dict[str, str]:
    return {plot.feature: plot.collection for plot in plots("all")}
