"""Rows with too little in them to be compared: short runs, and lumisections with little luminosity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects import lumisections
from tkstudies.analysis.multivariate.suspects.features import ENTRIES
from tkstudies.analysis.multivariate.suspects.table import Table

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHORT = 0.1
"""Part of the entries that are usual, below which a run is short."""

LUMINOSITY = ("recorded_lumi_pb", "recorded_lumi", "init_lumi", "delivered_lumi", "recorded_lumi_per_lumisection")
"""Where it is looked for, the first column that a table has."""


def short_runs(table: Table, rows: Rows, is_good: Flags) -> Flags:
    """Which rows of runs have less than a tenth of the entries that are usual in the good ones of them."""
    if table.is_of_lumisections or not _entries_in(table):
        return np.zeros(len(rows), dtype=bool)
    logarithms = _log_entries(table.of(rows).numbers(_entries_in(table)))
    relative = logarithms - lumisections.median(logarithms[is_good].T)
    return lumisections.median(relative) < np.log(SHORT)


def low_lumisections(table: Table, is_good: Flags) -> Flags:
    """Which lumisections have far less luminosity than is usual in their run; none of a table of runs.

    Where no luminosity is known the entries of the plots stand for it.
    """
    low = np.zeros(len(table), dtype=bool)
    if not table.is_of_lumisections:
        return low
    column = next((name for name in LUMINOSITY if name in table.numbers_in), None)
    if column is not None:
        size = table.number(column)
    elif entries := _entries_in(table):
        size = np.exp(_log_entries(table.numbers(entries)).mean(axis=1))
    else:
        return low
    order = np.argsort(table.runs, kind="stable")
    low[order] = lumisections.is_low(size[order], table.runs[order], is_good[order])
    return low


def _entries_in(table: Table) -> list[str]:
    return [name for name in table.numbers_in if name.endswith(ENTRIES)]


def _log_entries(entries: Array) -> Array:
    return np.log(np.maximum(entries, 0.5))
