"""Numbers from histograms: statistics of one, and the wide table of many.

A histogram is the ``hist`` object of the DQM GUI's jsonfairy answer. ``mean``, ``rms``, ``entries`` and
``integral`` are the server's own numbers and pass through as sent; where it sent none (histograms of DIALS, DQMIO or
ROOT have bins and no ``stats``) all but the entries are computed from the bins, as are the shape statistics. Whatever
isn't a finite number is None: the server writes ``"nan"`` and ``"inf"`` as texts, and ``hist`` itself is the text
``unsupported type`` for a plot that the run doesn't have.

Shape statistics (skewness, excess kurtosis, median, quantiles) take the bins inside the axis as they are,
without under- and overflow. For a 2-D histogram they describe its projection on x. A profile has means in its
bins, not counts: no shape statistics. The axis runs from the lower edge of the first bin
(``xaxis.first.value``) to the upper edge of the last one (``xaxis.last.value``): for the real tracking map of
run 321012 this reading reproduces the server's mean and rms to 0.001, bin centres miss the rms by 3 %. An
axis of one bin has neither and gives None.

``level`` and ``spread`` are the mean and the rms of the contents of the filled bins: of a plot against lumisections
they say what was measured, while its mean and rms in x say how long the run was. The bins of a profile count as often
as they have entries; as the server doesn't send these, they are taken as the inverse square of the bin's error (of
means of one spread), or as equal where the errors aren't those of means. Of a map they are mean and rms over the
modules, and ``filled`` is the number of modules (bins) with anything in them. A few histograms have a bin for each part
of the detector, and give columns for these (see `parts`).

A summary (``tkstudies dqm --summaries``) has no bins: ``integral``, ``level`` and ``spread`` of it are None, and the
other statistics of bins are refused. The statuses of its quality tests are counted, if it has them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from tkstudies.analysis.histograms.collections import feature_name, feature_order, is_map, is_per_lumisection
from tkstudies.analysis.histograms.parts import Part, parts_of, values_of_parts
from tkstudies.analysis.histograms.shapes import COMPUTABLE, QUANTILES, Shape
from tkstudies.console import Losses, listed
from tkstudies.errors import UsageError, WrongRecord
from tkstudies.histogramrecord import Hist, HistogramRecord, as_hist, member
from tkstudies.records import Record, RowKey, number

Value = int | float | None

DEFAULT_STATISTICS = ("mean", "rms", "entries", "integral")
PER_LUMISECTION_STATISTICS = ("level", "spread")
"""What plots against lumisections get besides, unless statistics are chosen."""

MAP_STATISTICS = (*PER_LUMISECTION_STATISTICS, "filled")
"""The same of maps of modules."""

SERVER_STATISTICS = {
    "mean": "stats.mean.X.value",
    "rms": "stats.rms.X.value",
    "entries": "stats.entries",
    "integral": "bins.integral",
    "mean_y": "stats.mean.Y.value",
    "rms_y": "stats.rms.Y.value",
    "underflow": "stats.underflow",
    "overflow": "stats.overflow",
}
"""The server's own numbers and where in ``hist`` they are; the others are computed from the bins."""

NULL_WITHOUT_BINS = ("integral", *MAP_STATISTICS)
"""Statistics of bins that come by default: of a histogram without bins they are None."""

OF_SUMMARIES = ("mean", "rms", "entries", "mean_y", "rms_y")
"""Statistics that a histogram without bins has."""

QUALITY = ("quality_tested", "quality_test_warnings", "quality_test_errors")

STATISTICS = (*SERVER_STATISTICS, "skewness", "kurtosis", *QUANTILES, *MAP_STATISTICS)
"""All statistics by name; ``kurtosis`` is the excess, 0 for a normal distribution."""


def check_statistics(names: Collection[str]) -> tuple[str, ...]:
    """The names as a tuple, each once.

    Raises:
        UsageError: One isn't in `STATISTICS`.
    """
    for name in names:
        if name not in STATISTICS:
            raise UsageError(f"no statistic {name!r}; there are {', '.join(STATISTICS)}")
    return tuple(dict.fromkeys(names))


def statistics(hist: Any, names: Collection[str] = DEFAULT_STATISTICS) -> dict[str, Value]:
    """Statistics of one histogram, each None when it can't be told.

    Args:
        hist: As a record has it, decoded or not.

    Raises:
        UsageError: A statistic isn't known.

    Example:
        >>> axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 4}}
        >>> hist = {"type": "TH1", "xaxis": axis, "bins": {"integral": 4, "content": [0, 1, 2, 1]}}
        >>> statistics(hist, ["mean", "integral", "median", "skewness"])
        {'mean': 2.5, 'integral': 4, 'median': 2.5, 'skewness': 0.0}
        >>> statistics("unsupported type", ["mean"])
        {'mean': None}
    """
    names = check_statistics(names)
    return dict(zip(names, _Statistics(names)(as_hist(hist) or Hist()), strict=True))


def contents(hist: Any) -> list[Value]:
    """The bin contents in order; those of a 2-D histogram row after row (x runs fastest).

    Example:
        >>> contents({"bins": {"content": [[1, "nan"], [3, 4]]}})
        [1, None, 3, 4]
    """
    found = as_hist(hist)
    content = member(found.bins.content) if found and found.bins else None
    values: list[Value] = []
    for item in content if isinstance(content, list) else ():
        values.extend(map(number, item) if isinstance(item, list) else (number(item),))
    return values


def integral(value: Any) -> Value:
    """The integral inside the axes: the number itself, in 2-D the centre of the table below, inside, above.

    Example:
        >>> integral([[0, 1, 0], [2, 224509, 3], [0, 1, 0]])
        224509
    """
    if isinstance(value, list):
        try:
            value = value[1][1]
        except (IndexError, KeyError, TypeError):
            return None
    return number(value)


class FeatureTable:
    """Histogram records -> one wide row per (run_number, reco), in the order of first appearance.

    Histograms of lumisections give one row each. Columns are run_number, reco, lumisection_number if the
    records have it, then for each feature ``<feature>.<statistic>``, the columns of its parts and, on request, the
    contents ``<feature>_<bin>``. A row has the features of its own histograms, in the order of the
    collections table, then others in the order in which the whole input brought them up.

    Of summaries with a quality_test the row also counts the plots whose tests ran (quality_tested), and those of them
    whose worst status is a warning or an error (quality_test_warnings, quality_test_errors).

    Args:
        names: Statistics, of `STATISTICS`; by default `DEFAULT_STATISTICS`, of plots against lumisections also
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
        self._features: dict[str, tuple[str, _Statistics]] = {}  # by plot, grows as plots are met
        self._of_feature: dict[str, _Statistics] = {}
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

    def _learn(self, plot: str) -> tuple[str, _Statistics]:
        own_name = self._own_names.get(plot) or self._own_names.get(plot.rpartition("/")[2])
        feature = own_name or feature_name(plot)
        statistics = self._of_feature.setdefault(feature, self._statistics_of(plot))
        self._features[plot] = feature, statistics
        self.brought_by.setdefault(feature, plot)
        self.order.setdefault(feature, len(self.order))
        return feature, statistics

    def _statistics_of(self, plot: str) -> _Statistics:
        if self._are_chosen:
            return _Statistics(self.names)
        more = MAP_STATISTICS if is_map(plot) else PER_LUMISECTION_STATISTICS if is_per_lumisection(plot) else ()
        return _Statistics((*self.names, *more), parts_of(plot))


class _Statistics:
    """The named statistics of a histogram, as a tuple; the bins are looked at only where one needs them."""

    def __init__(self, names: Collection[str], parts: Sequence[Part] = ()):
        self._getters = [_getter(name) if name in SERVER_STATISTICS else None for name in names]
        self.names = tuple(names)
        self.parts = parts
        self._needs_bins = None in self._getters

    def columns(self, feature: str) -> list[str]:
        """What the statistics of a feature are called, and the parts of its plot."""
        return [*(f"{feature}.{name}" for name in self.names), *(part.column for part in self.parts)]

    def __call__(self, hist: Hist) -> tuple[Value, ...]:
        if not self._needs_bins:
            values = tuple([get(hist) for get in self._getters if get])
            if None not in values or hist.bins is None:
                return values
        shape = Shape(hist)
        pairs = zip(self.names, self._getters, strict=True)
        return tuple([_sent_or_computed(hist, name, get, shape) for name, get in pairs])


def _sent_or_computed(hist: Hist, name: str, get: Callable[[Hist], Value] | None, shape: Shape) -> Value:
    """The server's number; that of the bins where it sent none, which isn't one that is no finite number."""
    value = get(hist) if get else None
    if value is None and (get is None or (name in COMPUTABLE and not _is_sent(hist, name))):
        return shape.statistic(name)
    return value


def _is_sent(hist: Hist, name: str) -> bool:
    if hist.stats is None:
        return name == "integral" and hist.bins is not None and hist.bins.integral is not None
    if name == "integral":
        return True
    axes = hist.stats.mean if name.startswith("mean") else hist.stats.rms
    return axes is not None and (axes.Y if name.endswith("_y") else axes.X) is not None


def _getter(name: str) -> Callable[[Hist], Value]:
    """The function that takes one of the server's own numbers out of a histogram."""
    convert = integral if name == "integral" else number
    member_of = attrgetter(SERVER_STATISTICS[name])

    def get(hist: Hist) -> Value:
        try:
            return convert(member_of(hist))
        except AttributeError:  # a member on the way is null
            return None

    return get


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
        statistics: Of `STATISTICS`; units are those of the axes. By default `DEFAULT_STATISTICS`, of plots against
            lumisections and maps also ``level`` and ``spread``, in the unit of their contents, and the parts of the
            detector that a plot tells of.
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
