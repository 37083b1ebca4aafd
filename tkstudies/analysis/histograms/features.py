"""Features: the wide table of the statistics of many histograms.

Summaries (``tkstudies dqm --summaries``) have no bins, so that statistics which need them are refused. The statuses of
their quality tests are counted, if they have them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tkstudies.analysis.histograms.collections import feature_name, feature_order, is_map, is_per_lumisection
from tkstudies.analysis.histograms.parts import Part, parts_of, values_of_parts
from tkstudies.analysis.histograms.statistics import (
    DEFAULT_STATISTICS,
    MAP_STATISTICS,
    NULL_WITHOUT_BINS,
    OF_SUMMARIES,
    PER_LUMISECTION_STATISTICS,
    Statistics,
    Value,
    check_statistics,
    contents,
)
from tkstudies.console import Losses, listed
from tkstudies.errors import WrongRecord
from tkstudies.histogramrecord import Hist, HistogramRecord
from tkstudies.records import Record, RowKey

QUALITY = ("quality_tested", "quality_test_warnings", "quality_test_errors")


class FeatureTable:
    """Histogram records -> one wide row per (run_number, reco), in the order of first appearance.

    Histograms of lumisections give one row each. Columns are run_number, reco, lumisection_number if the
    records have it, then for each feature ``<feature>.<statistic>``, the columns of its parts and, on request, the
    contents ``<feature>_<bin>``. A row has the features of its own histograms, in the order of the
    collections table, then others in the order in which the whole input brought them up.

    Of summaries with a quality_test the row also counts the plots whose tests ran (quality_tested), and those of them
    whose worst status is a warning or an error (quality_test_warnings, quality_test_errors).

    Args:
        names: Of `statistics.STATISTICS`; by default `DEFAULT_STATISTICS`, of plots against lumisections also
            `PER_LUMISECTION_STATISTICS`, of maps `MAP_STATISTICS`, and the parts of the detector that a plot tells of.
        content: Whether to add the bin contents.
        feature_names: Feature by plot path or name, before the table's.

    Attributes:
        duplicates: Histograms dropped because their run, reco, lumisection and feature had come before.
        order: Place of each feature in a row. brought_by: The plot of each, in the order in which they came up.

    Example:
        >>> table = FeatureTable(["entries"])
        >>> for name in ("TrackPt_ImpactPoint_GenTk", "NumberOfTracks_GenTk"):
        ...     hist = {"stats": {"entries": 9}}
        ...     table.add({"run_number": 1, "reco": "prompt", "name": name, "hist": hist})
        >>> list(table.rows())
        [{'run_number': 1, 'reco': 'prompt', 'Tracks.entries': 9, 'TrackPt.entries': 9}]
    """

    def __init__(
        self,
        names: Collection[str] | None = None,
        content: bool = False,
        feature_names: Mapping[str, str] | None = None,
    ) -> None:
        self.names = check_statistics(DEFAULT_STATISTICS if names is None else names)
        self.content = content
        self.duplicates = 0
        self._are_chosen = names is not None
        self._own_names = dict(feature_names or {})
        self._features: dict[str, tuple[str, Statistics]] = {}  # by plot, grows as plots are met
        self._of_feature: dict[str, Statistics] = {}
        self.brought_by: dict[str, str] = {}  # plot of each feature
        self._lost: dict[str, tuple[int, str, bool]] = {}  # histograms by what they lack: count, the first, is it all
        self.order = dict(feature_order())
        self._rows: dict[RowKey, dict[str, tuple[Value, ...] | None]] = {}
        self._needing_bins = [name for name in self.names if name not in (*OF_SUMMARIES, *NULL_WITHOUT_BINS)]
        self._without_bins: set[tuple[RowKey, str]] = set()  # which features of which rows
        self._quality: defaultdict[RowKey, Counter[str]] = defaultdict(Counter)

    def add(self, record: HistogramRecord | Mapping[str, Any]) -> None:
        """Take in one histogram record.

        A histogram that the server didn't have gives nulls and makes way for a later one; so does a summary for bins.

        Raises:
            WrongRecord: The record doesn't say which run or which plot, or lacks the bins that a statistic needs.
        """
        if not isinstance(record, HistogramRecord):
            record = HistogramRecord.from_record(record)
        feature, statistics = self._features.get(record.label) or self._learn(record.label)
        row = self._rows.setdefault(record.key, {})
        hist = record.hist
        if not isinstance(hist, Hist) or hist.is_empty:
            row.setdefault(feature, None)
            if isinstance(hist, Hist):
                self._note_empty(record, hist)
        elif row.get(feature) is not None and (record.is_summary or (record.key, feature) not in self._without_bins):
            self.duplicates += 1
        else:
            self._without_bins.discard((record.key, feature))
            if record.is_summary:
                self._note_summary(record, feature)
            values = statistics(hist)
            if statistics.parts:
                values += self._of_parts(statistics.parts, record, hist)
            row[feature] = (*values, *contents(hist)) if self.content else values
            if record.quality_test is not None:
                self._quality[record.key][record.quality_test] += 1

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows so far."""
        yield from map(self._row, self._rows)

    def keys(self) -> list[RowKey]:
        """Whose rows there are so far."""
        return list(self._rows)

    def know(self, plot: str) -> tuple[str, bool]:
        """The feature that a plot has brought up in a later part; has it the columns that it had before, if it had?"""
        feature, statistics = self._learn(plot)
        return feature, statistics.columns(feature) == self._statistics_of(plot).columns(feature)

    def columns(self, feature: str) -> list[str]:
        """Its columns but the contents."""
        return self._of_feature[feature].columns(feature)

    def noted(self) -> Any:
        """What was dropped or is without numbers, for `absorb`."""
        return self.duplicates, self._lost, self._without_bins

    def absorb(self, noted: Any) -> None:
        """Take in the same of a later part of the input."""
        duplicates, lost, without_bins = noted
        self.duplicates += duplicates
        self._without_bins |= without_bins
        for why, (count, first, is_all) in lost.items():
            before = self._lost.get(why, (0, first, is_all))
            self._lost[why] = before[0] + count, *before[1:]

    def losses(self) -> Losses:
        """Histograms that were dropped."""
        losses = Losses()
        losses.add(self.duplicates, "histogram", "dropped: same run, reco and plot as before")
        for why, (count, first, is_all) in self._lost.items():
            losses.add(count, "histogram", f"{why} (the first: {first})", partial=is_all)
        self._note_null_columns(losses)
        return losses

    def _note_null_columns(self, losses: Losses) -> None:
        """Count the columns that are null for want of bins."""
        found = [self._of_feature[feature] for feature in {feature for _, feature in self._without_bins}]
        names = [name for statistics in found for name in statistics.names if name in NULL_WITHOUT_BINS]
        parts = sum(len(statistics.parts) for statistics in found)
        told = [f".{name}" for name in NULL_WITHOUT_BINS if name in names] + ["parts of the detector"] * (parts > 0)
        losses.add(len(names) + parts, "column", f"of bins ({', '.join(told)}) null, as summaries have none")

    def _note_summary(self, record: HistogramRecord, feature: str) -> None:
        if needing := [*self._needing_bins, *(["bin contents"] if self.content else [])]:
            which = f"run {record.run_number}, {record.label:.120}"
            raise WrongRecord(f"no {listed(needing)} without bins: {which} is a summary; fetch it without --summaries")
        self._without_bins.add((record.key, feature))

    def _note_empty(self, record: HistogramRecord, hist: Hist) -> None:
        what = "with neither stats nor bins"
        if hist.root_class is not None:
            what = f"of JSROOT ({hist.root_class:.40}, as jsrootfairy answers) and not of jsonfairy"
        self._note(f"{what}, so without numbers", record, is_all=True)

    def _of_parts(self, parts: Sequence[Part], record: HistogramRecord, hist: Hist) -> tuple[Value, ...]:
        found = values_of_parts(hist, parts)
        if found is None:
            self._note(f"whose bins aren't the known ones, so without {parts[0].column} and the like", record)
        return tuple(found or [None] * len(parts))

    def _note(self, why: str, record: HistogramRecord, is_all: bool = False) -> None:
        count, first, _ = self._lost.get(why, (0, f"run {record.run_number}, {record.label:.120}", is_all))
        self._lost[why] = count + 1, first, is_all

    def _row(self, key: RowKey) -> dict[str, Any]:
        row = key.columns()
        features = self._rows[key]
        for feature in sorted(features, key=self.order.__getitem__):
            columns = self.columns(feature)
            values = features[feature] or (None,) * len(columns)
            row.update(zip(columns, values, strict=False))
            row.update((f"{feature}_{i}", content) for i, content in enumerate(values[len(columns) :]))
        if quality := self._quality.get(key):
            numbers = quality["ok"] + quality["warning"] + quality["error"], quality["warning"], quality["error"]
            row.update(zip(QUALITY, numbers, strict=True))
        return row

    def _learn(self, plot: str) -> tuple[str, Statistics]:
        own_name = self._own_names.get(plot) or self._own_names.get(plot.rpartition("/")[2])
        feature = own_name or feature_name(plot)
        statistics = self._of_feature.setdefault(feature, self._statistics_of(plot))
        self._features[plot] = feature, statistics
        self.brought_by.setdefault(feature, plot)
        self.order.setdefault(feature, len(self.order))
        return feature, statistics

    def _statistics_of(self, plot: str) -> Statistics:
        if self._are_chosen:
            return Statistics(self.names)
        more = MAP_STATISTICS if is_map(plot) else PER_LUMISECTION_STATISTICS if is_per_lumisection(plot) else ()
        return Statistics((*self.names, *more), parts_of(plot))


def feature_rows(
    records: Iterable[Mapping[str, Any]],
    statistics: Collection[str] | None = None,
    *,
    content: bool = False,
    feature_names: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """Turn histogram records into one wide row for each run and reco, as ``tkstudies features`` does.

    Args:
        records: As ``tkstudies dqm`` writes them.
        statistics: Of `statistics.STATISTICS`; units are those of the axes. By default `DEFAULT_STATISTICS`, of plots
            against lumisections and maps also ``level`` and ``spread``, in the unit of their contents, and the parts
            of the detector that a plot tells of.
        content: Whether to add the bin contents.
        feature_names: Feature by plot path or name, before those of the quick collections.

    Raises:
        InputError: A record doesn't say which run or which plot.

    Example:
        >>> record = {"run_number": 1, "reco": "prompt", "plot": "/a/b", "hist": {"stats": {"entries": 9}}}
        >>> list(feature_rows([record], ["entries"]))
        [{'run_number': 1, 'reco': 'prompt', 'b.entries': 9}]
    """
    table = FeatureTable(statistics, content, feature_names)
    for record in records:
        table.add(record)
    yield from table.rows()
    table.losses().warn()
