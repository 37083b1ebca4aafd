"""Labelling a stream of rows: the rows of a run wait for each other where a label of one holds for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tkstudies.analysis.tables.labels import LABELS, ROW_WISE, SPREADING, RunLabels, is_special, label_record, run_of
from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl import Records, WholeRecords, decode, encode, records_of
from tkstudies.records import Record
from tkstudies.shardwise import InTwoParts, Shardwise

EXCLUSIONS = {
    "commissioning": ("run_class_name", "rda_name"),
    "special": ("run_class_name", "rda_name"),
    "open": ("rda_state",),
}
"""What can be left out -> the columns that tell: runs with a commissioning row, special rows, rows that are OPEN."""


_STATUSES = ("pixel", "strip", "tracking")


class Labelling(Shardwise):
    """Adds labels to rows, and leaves out those that a study doesn't want.

    Args:
        names: Labels to add, of ``labels.LABELS``.
        exclude: Of `EXCLUSIONS`.
        in_order: The rows of a run stand together, so that they needn't wait for the end of the input.
        constants: Columns that have the same value in every row; they come last, and replace those of the input.

    Attributes:
        dropped: Number of rows that were left out.

    Raises:
        UsageError: There is no such exclusion, or a constant has the name of a label that is added.
    """

    def __init__(
        self,
        names: Collection[str] = tuple(LABELS),
        exclude: Collection[str] = (),
        in_order: bool = False,
        constants: Mapping[str, Any] | None = None,
    ):
        self._given = list(names), sorted(exclude), in_order, constants
        self._constants = dict(constants or {})
        self._replaced = dict.fromkeys(self._constants, 0)
        for name in self._constants:
            if name in names:
                raise UsageError(f"{name} is a label of its own: choose another name, or other labels with --only")
        for name in exclude:
            if name not in EXCLUSIONS:
                raise UsageError(f"no exclusion {name!r}; there are {', '.join(EXCLUSIONS)}")
        self.dropped = 0
        self._exclude = frozenset(exclude)
        self._in_order = in_order
        self._row_wise = [name for name in names if name in ROW_WISE]
        self._spreading = [name for name in names if name in SPREADING]
        needed = ["is_commissioning"] * ("commissioning" in exclude) + self._spreading
        self._of_run = tuple(dict.fromkeys(needed))
        self._idle = {name: columns for name, columns in EXCLUSIONS.items() if name in exclude}
        self._is_unknown = "is_bad" in names  # until a row has columns of statuses
        self._written = 0
        self._runs: dict[int | None, dict[str, bool]] = {}  # what was spread over the rows of each run
        self._parts: dict[int | None, int] = {}  # the first part that has the run
        self._part = 0
        self.waits = bool(self._of_run)

    def rows(self, records: Records) -> Iterator[Record]:
        """The rows with their labels, in the order of the input."""
        lines = records.rows(WholeRecords)
        for group in self._groups(lines) if self._of_run else ([pair] for pair in lines):
            of_runs = RunLabels(self._of_run)
            held = []  # as lines where all rows wait, which takes less memory than records
            for line, record in group:
                of_runs.observe(record)
                held.append((line, record if self._in_order or not self._of_run else None))
            self._runs.update(of_runs.of_run)
            for line, known in held:
                labelled = self._labelled(known or decode(line), of_runs)
                if labelled is not None:
                    self._written += 1
                    yield labelled

    def lines(self, records: Records) -> Iterator[bytes]:
        return map(encode, self.rows(records))

    def recipe(self) -> Any:
        return self._given

    def fresh(self) -> Labelling:
        return Labelling(*self._given)

    def noted(self) -> Any:
        return self.remember(), self.dropped, self._replaced, self._written, set(self._idle), self._is_unknown

    def absorb(self, noted: Any) -> None:
        remembered, dropped, replaced, written, idle, is_unknown = noted
        is_unknown = is_unknown and self._is_unknown
        self.recall(remembered)
        self._is_unknown = is_unknown
        self.dropped, self._written = self.dropped + dropped, self._written + written
        self._replaced = {name: rows + replaced[name] for name, rows in self._replaced.items()}
        self._idle = {name: columns for name, columns in self._idle.items() if name in idle}

    def remember(self) -> Any:
        """The runs by what was spread over their rows: the labels that hold for all, and those that hold for none."""
        alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int | None]] = {}
        for run, labels in self._runs.items():
            yes, no = (tuple(name for name in labels if labels[name] is flag) for flag in (True, False))
            alike.setdefault((yes, no), []).append(run)
        return [[yes, no, runs] for (yes, no), runs in alike.items()]

    def recall(self, remembered: Any) -> None:
        self._is_unknown = False  # of files that stay as they are nobody knows
        for yes, no, runs in remembered:
            labels = {**dict.fromkeys(no, False), **dict.fromkeys(yes, True)}
            for run in runs:
                if run in self._runs and (self._in_order or self._runs[run] != labels):
                    what = "a row without a run number" if run is None else f"run {run}"
                    raise InTwoParts(what, self._parts[run])
                self._runs[run] = labels
                self._parts.setdefault(run, self._part)
        self._part += 1

    def _labelled(self, record: Record, of_runs: RunLabels) -> Record | None:
        """The row with its labels, None if it is left out."""
        of_run = of_runs.apply(record)
        if self._idle:
            self._idle = {name: columns for name, columns in self._idle.items() if not any(map(record.get, columns))}
        if (
            ("commissioning" in self._exclude and of_run["is_commissioning"])
            or ("special" in self._exclude and is_special(record))
            or ("open" in self._exclude and record.get("rda_state") == "OPEN")
        ):
            self.dropped += 1
            return None
        labelled = label_record(record, self._row_wise)
        if self._is_unknown:
            self._is_unknown = record.keys().isdisjoint(_STATUSES) and labelled["is_bad"] is None
        labelled.update((name, of_run[name]) for name in self._spreading)
        for name, value in self._constants.items():
            self._replaced[name] += record.get(name) is not None and record[name] != value
            labelled[name] = value
        return labelled

    def losses(self) -> Losses:
        """What exclusions and labels could not tell, and values that were replaced, after the work."""
        losses = Losses()
        if self._is_unknown and self._written:
            losses.note(
                "is_bad is null in all rows: no record has a status in pixel, strip or tracking (runreg has them)"
            )
        for name, columns in self._idle.items() if self._written else ():
            losses.note(f"--exclude-{name} excluded nothing: no record has {' or '.join(columns)}")
        for name, rows in self._replaced.items():
            losses.add(rows, "row", f"had another {name}, which was replaced")
        return losses

    def _groups(self, lines: Iterable[tuple[bytes, Record]]) -> Iterator[Iterable[tuple[bytes, Record]]]:
        """The rows that must be seen together: those of a run if the input is sorted, else all."""
        if not self._in_order:
            yield lines
            return
        seen: set[int | None] = set()
        group: list[tuple[bytes, Record]] = []
        for line, record in lines:
            run = run_of(record)
            if group and run != run_of(group[-1][1]):
                yield group
                group = []
            if not group and run in seen:
                raise InputError(
                    f"--sorted: run {run} comes again after other runs: sort the input or leave --sorted out"
                )
            seen.add(run)
            self._runs.setdefault(run, {})
            group.append((line, record))
        if group:
            yield group


def label_rows(
    records: Iterable[Mapping[str, Any]],
    names: Collection[str] = tuple(LABELS),
    exclude: Collection[str] = (),
    constants: Mapping[str, Any] | None = None,
) -> Iterator[Record]:
    """Add the labels of certification studies, as ``tkstudies label`` does.

    Args:
        records: Run records; all are held until the last has come.
        names: Labels to add (``analysis.tables.labels.LABELS``).
        exclude: ``commissioning`` (all rows of a run with a commissioning row), ``special``, ``open``.
        constants: Columns that have the same value in every row.

    Example:
        >>> row = {"run_number": 1, "pixel": "GOOD", "strip": "BAD", "tracking": "GOOD"}
        >>> next(label_rows([row], ["is_bad"]))["is_bad"]
        True
    """
    yield from Labelling(names, exclude, constants=constants).rows(records_of(records))
