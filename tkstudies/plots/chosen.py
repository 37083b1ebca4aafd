"""Which histograms a figure shows, which of them are the references, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any

from tkstudies import jsonl
from tkstudies.analysis.histograms.collections import feature_name
from tkstudies.analysis.histograms.comparable import Histogram, Incomparable, read
from tkstudies.analysis.histograms.references import Key, Plot, read_plot
from tkstudies.console import Losses, listed
from tkstudies.errors import InputError, UsageError, WrongRecord
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.plots.texts import is_drawable, shown
from tkstudies.records import Record, split_numbers

MOST_REFERENCES = 6


@dataclass(frozen=True)
class Chosen:
    """A histogram to draw.

    Attributes:
        record: The record that it came in.
        plot: Whose histogram it is, and which; without its bins.
    """

    record: Record
    plot: Plot

    @classmethod
    def of(cls, record: Record) -> Chosen:
        """The histogram of a record.

        Raises:
            WrongRecord: It is none.
        """
        return cls(record, read_plot(HistogramRecord.from_record({**record, "hist": None})))

    @cached_property
    def bins(self) -> Histogram | str:
        """Its bins as arrays, read when they are wanted; if they can't be, why not."""
        try:
            return read(self.record.get("hist"))
        except Incomparable as reason:
            return str(reason)

    @property
    def whose(self) -> str:
        """The run, reconstruction and lumisection.

        >>> row = {"run_number": 317434, "reco": "express", "lumisection_number": 7, "plot": "/p", "hist": ""}
        >>> Chosen.of(row).whose
        '317434 express lumisection 7'
        """
        run, reco, lumisection = self.plot.row
        parts = [str(run), reco, None if lumisection is None else f"lumisection {lumisection}"]
        return " ".join(shown(part, 24) for part in parts if part is not None)

    @property
    def called(self) -> str:
        """What it is called in a message: run and plot."""
        return f"run {self.whose}, {shown(self.plot.plot, 100)}"

    @property
    def histogram(self) -> Histogram:
        """Its bins.

        Raises:
            InputError: They can't be drawn.
        """
        if isinstance(self.bins, str):
            raise InputError(f"{self.called}: {self.bins}")
        if not (is_drawable(self.bins.content.min()) and is_drawable(self.bins.content.max())):
            raise InputError(f"{self.called}: contents too large or too small to draw")
        return self.bins

    @property
    def is_two_dimensional(self) -> bool:
        """Has it bins in x and y?"""
        return not isinstance(self.bins, str) and self.bins.content.ndim == 2

    def hist(self, *path: str) -> Any:
        """A member of the histogram as it was sent, None if it isn't there."""
        found: Any = self.record.get("hist")
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def title_of(self, axis: str, otherwise: str = "") -> str:
        """What the histogram calls its axis x or y."""
        title = self.hist(f"{axis}axis", "title")
        return title if isinstance(title, str) and title.strip() else otherwise


class Histograms:
    """The histograms of records, chosen by what the user wants.

    Args:
        records: Histogram records; others are counted.
        plot: Pattern of the plots, nothing for all.
        runs: Numbers and ranges of the runs, nothing for all.
        recos: The reconstructions, nothing for all.
        reference_runs: The references of every run.
        reference_files: Files with histograms of references.

    Attributes:
        all: Those to draw that could be read, in the order of the input.
        losses: Records that can't be drawn.

    Raises:
        InputError: There is nothing like that among the records.
        UsageError: Runs aren't numbers.

    Example:
        >>> hist = {"type": "TH1", "bins": {"content": [5, 5]}}
        >>> records = [{"run_number": run, "plot": "/a/p", "hist": hist} for run in (1, 2)]
        >>> histograms = Histograms(records, "p", reference_runs=["1"])
        >>> drawn = histograms.all[0]
        >>> drawn.whose, [item.whose for item in histograms.references_of(drawn)]
        ('2', ['1'])
    """

    def __init__(
        self,
        records: Iterable[Record],
        plot: str = "",
        runs: Sequence[str] | None = None,
        recos: Sequence[str] | None = None,
        reference_runs: Sequence[str] | None = None,
        reference_files: Sequence[str] | None = None,
    ):
        self.losses = Losses()
        self.reference_runs = _single(split_numbers(list(reference_runs or []), "reference-run"))
        wanted = split_numbers(list(runs or []), "run")
        self._others: dict[str, None] = {}
        like = list(self._read(records, plot))
        if not like:
            raise InputError(_without(plot, self._others))
        self._by_key: dict[Key, Chosen] = {}
        read_too = list(self._of_files(reference_files or [], plot))
        for item in [*like, *read_too]:
            own = item.plot.key(item.plot.row.run_number, item.plot.row.lumisection_number)
            self._by_key.setdefault(own, item)
        self._only_reference = _only({item.plot.row.run_number for item in read_too})
        chosen = [
            item
            for item in like
            if (not wanted or any(first <= item.plot.row.run_number <= last for first, last in wanted))
            and (not recos or item.plot.row.reco in recos)
            and (wanted or item.plot.row.run_number not in self.reference_runs)
        ]
        if not chosen:
            raise InputError(_nothing_left(like, runs or [], recos or [], self.reference_runs))
        self.all = self._readable(chosen)

    def _read(self, records: Iterable[Record], pattern: str) -> Iterator[Chosen]:
        others = 0
        for record in records:
            path, name = (value if isinstance(value, str) else "" for value in (record.get("plot"), record.get("name")))
            if pattern and (path or name) and not _is_like(path, name, pattern):
                self._others.setdefault(name or path)
                continue
            try:
                yield Chosen.of(record)
            except WrongRecord:
                others += 1
        self.losses.add(others, "record", "not drawn: no histogram of a run and plot")

    def _of_files(self, files: Sequence[str], pattern: str) -> Iterator[Chosen]:
        for file in files:
            found = list(self._read(jsonl.Reader([file]), pattern))
            if not found:
                raise InputError(f"--reference {file}: no histogram of {pattern or 'any plot'}")
            yield from found

    def _readable(self, items: Sequence[Chosen]) -> list[Chosen]:
        """Those with bins; the reason of the others is noted."""
        found, reasons = [], dict[str, list[Chosen]]()
        for item in items:
            if isinstance(item.bins, str):
                reasons.setdefault(item.bins, []).append(item)
            else:
                found.append(item)
        if not found:
            first = items[0]
            more = f" ({len(items) - 1:,} more can't be drawn either)" if len(items) > 1 else ""
            raise InputError(f"{first.called}: {first.bins}{more}")
        for reason, those in reasons.items():
            self.losses.add(len(those), "histogram", f"not drawn: {reason} (such as {those[0].called})")
        return found

    def references_of(self, item: Chosen) -> list[Chosen]:
        """The histograms of the references of one, those that are there."""
        runs = self.reference_runs or [run for run in [self._named(item)] if run is not None]
        found = (self._find(item, run) for run in runs if len(runs) == 1 or run != item.plot.row.run_number)
        return [reference for reference in found if reference is not None]

    def missing_of(self, item: Chosen) -> str:
        """Why one has no reference, in words."""
        run = self._named(item)
        runs = self.reference_runs or ([] if run is None else [run])
        if runs:
            return f"no histogram of the reference run {', '.join(map(str, runs))}"
        return "no reference: name it with --reference-run, or merge a table with reference_run_number onto the records"

    def _named(self, item: Chosen) -> int | None:
        named = item.plot.reference_run_number
        return self._only_reference if named is None or self._only_reference is not None else named

    def _find(self, item: Chosen, run: int) -> Chosen | None:
        """The same plot of another run: of its lumisection if that is there, else of the whole run."""
        keys = (item.plot.key(run, lumisection) for lumisection in (item.plot.row.lumisection_number, None))
        return next((self._by_key[key] for key in keys if key in self._by_key), None)


@lru_cache(maxsize=10_000)
def _is_like(path: str, name: str, pattern: str) -> bool:
    last = path.rstrip("/").rpartition("/")[2]
    return any(fnmatchcase(one, pattern) for one in (path, name, last, feature_name(path or name)) if one)


def _single(ranges: Sequence[tuple[int, int]]) -> list[int]:
    for first, last in ranges:
        if first != last:
            raise UsageError(f"--reference-run {first}-{last}: name each reference run")
    if len(ranges) > MOST_REFERENCES:
        raise UsageError(f"--reference-run: at most {MOST_REFERENCES} references can be drawn")
    return list(dict.fromkeys(first for first, _ in ranges))


def _only(runs: set[int]) -> int | None:
    return next(iter(runs)) if len(runs) == 1 else None


def _without(pattern: str, others: Iterable[str]) -> str:
    names = [shown(name, 60) for name in others]
    if not names:
        return "no histogram records among the records"
    return f"no plot like {pattern}; there are {listed(names)}"


def _nothing_left(items: Sequence[Chosen], runs: Sequence[str], recos: Sequence[str], references: Sequence[int]) -> str:
    """What to say if no histogram is left."""
    if references and all(item.plot.row.run_number in references for item in items):
        return f"all histograms are of the reference runs {', '.join(map(str, references))}: there is no run to draw"
    wanted = " ".join([*(f"--run {run}" for run in runs), *(f"--reco {reco}" for reco in recos)])
    there = listed(dict.fromkeys(item.whose for item in items), 6)
    return f"{wanted}: no such histogram; there are those of {there}"
