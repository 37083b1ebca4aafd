"""The tracking maps of many runs, and their comparison with those of the reference runs.

A lumisection has its own map if there is one, else that of its run; so has its reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.collections import TRACKING_MAP
from tkstudies.analysis.histograms.trackingmaps import COLUMNS, angular_entropy, compare_maps, map_array
from tkstudies.console import Losses, counted
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.records import ROW_KEYS, Record, RowKey, find_row_key

_GAPS = {
    "map": "without a map: nulls",
    "reference": "without a reference run: entropy only",
    "reference map": "whose reference run has no map: entropy only",
    "same binning": "whose reference map has another binning: entropy only",
}
"""What a row may lack, and what that means."""


class Maps:
    """The maps of one plot; the first one that can be read stands for its run or lumisection.

    Args:
        plot: Name or path of the plot.

    Attributes:
        repeated: Maps dropped because their run, reco and lumisection had come before.
        unreadable: Records of the plot without a 2-D histogram.
        summaries: Records of the plot without bins.
        others: Names of the other plots that came.

    Example:
        >>> hist = {"type": "TH2", "bins": {"content": [[1, 2], [3, 4]]}}
        >>> maps = Maps("a")
        >>> record = {"run_number": 1, "reco": "express", "plot": "/p/a", "hist": hist}
        >>> maps.add(HistogramRecord.from_record(record))
        >>> maps.find(1, "express", 7)
        RowKey(run_number=1, reco='express', lumisection_number=None)
    """

    def __init__(self, plot: str = TRACKING_MAP.name) -> None:
        self.repeated = self.unreadable = self.summaries = 0
        self.others: dict[str, None] = {}
        self._plot = plot
        self._maps: dict[RowKey, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self._maps)

    def __getitem__(self, key: RowKey) -> NDArray[np.float64]:
        return self._maps[key]

    def add(self, record: HistogramRecord) -> None:
        """Take in a histogram record, if it is one of the plot."""
        key, label = record.key, record.name or record.label
        if self._plot not in (record.name, record.plot, label.rpartition("/")[2]):
            self.others.setdefault(label)
        elif key in self._maps:
            self.repeated += 1
        elif record.is_summary:
            self.summaries += 1
        elif (array := map_array(record.hist)) is None:
            self.unreadable += 1
        else:
            self._maps[key] = array

    def find(self, run_number: Any, reco: Any, lumisection: Any) -> RowKey | None:
        """The key of the map of a lumisection, else of its run; None if there is neither."""
        keys = (find_row_key(run_number, reco, number) for number in (lumisection, None))
        return next((key for key in keys if key in self._maps), None)

    def losses(self, source: str) -> Losses:
        """Records of the plot, out of a source, that aren't among the maps."""
        losses = Losses()
        losses.add(self.unreadable, "record", f"of {self._plot} without a 2-D histogram", source=source)
        why = f"of {self._plot} without bins: dqm without --summaries fetches them"
        losses.add(self.summaries, "summary", why, source=source)
        repeated = "dropped: same run, reco and lumisection as before"
        losses.add(self.repeated, "map", repeated, source=source)
        return losses


class MapComparison:
    """Compares maps, each pair and each map once however many rows ask for it.

    Args:
        maps: The maps of the runs and of their reference runs.
        columns: Some of `COLUMNS`.
        periodic_phi: As in `angular_entropy`.

    Attributes:
        rows: How many rows came.
        gaps: How many of them lacked what: a map, a reference (run), a reference map, the same binning.
    """

    def __init__(self, maps: Maps, columns: Collection[str] = COLUMNS, periodic_phi: bool = False) -> None:
        self.rows = 0
        self.gaps: Counter[str] = Counter()
        self._maps = maps
        self._columns = tuple(columns)
        self._periodic_phi = periodic_phi
        self._results: dict[tuple[RowKey, RowKey | None], Record] = {}
        self._entropies: dict[RowKey, float | None] = {}

    def columns_of(self, row: Record) -> Record:
        """The columns for a row, which names its run_number, reco and reference_run_number."""
        self.rows += 1
        run_number, reco, lumisection = map(row.get, ROW_KEYS)
        key = self._maps.find(run_number, reco, lumisection)
        if key is None:
            self.gaps["map"] += 1
            return dict.fromkeys(self._columns)
        reference_run = row.get("reference_run_number")
        reference = self._maps.find(reference_run, reco, lumisection)
        if find_row_key(reference_run, reco) is None:
            self.gaps["reference"] += 1
        elif reference is None:
            self.gaps["reference map"] += 1
        elif self._maps[reference].shape != self._maps[key].shape:
            self.gaps["same binning"] += 1
        if (key, reference) not in self._results:
            self._results[key, reference] = self._compared(key, reference)
        return self._results[key, reference]

    def losses(self) -> Losses:
        """How many rows could not be compared, and why."""
        losses = Losses()
        for gap, text in _GAPS.items():
            if self.gaps[gap]:
                losses.note(f"{self.gaps[gap]} of {counted(self.rows, 'row')} {text}")
        return losses

    def _compared(self, key: RowKey, reference: RowKey | None) -> Record:
        occupancy = self._maps[key]
        values = compare_maps(occupancy, None if reference is None else self._maps[reference], self._columns)
        if "angular_entropy" in self._columns:
            if key not in self._entropies:
                self._entropies[key] = angular_entropy(occupancy, self._periodic_phi)
            values["angular_entropy"] = self._entropies[key]
        return {column: values[column] for column in self._columns}
