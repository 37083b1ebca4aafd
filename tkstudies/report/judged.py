"""The rows that ``suspects`` judged, with what other tables say of them, and how each run comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tkstudies.analysis.multivariate.suspects.findings import Finding
from tkstudies.analysis.multivariate.suspects.known import Known
from tkstudies.analysis.multivariate.suspects.verdicts import Verdict
from tkstudies.errors import WrongRecord
from tkstudies.records import ROW_KEYS, Record, RowKey, find_row_key, number, whole
from tkstudies.report.folder import Folder
from tkstudies.report.people import certified, is_signed


@dataclass
class Run:
    """The rows of a run that stand out.

    Attributes:
        number: The run.
        rows: Its rows that stand out, the most unusual first.
    """

    number: int
    rows: list[Record] = field(default_factory=list)

    @property
    def first(self) -> Record:
        """The most unusual row."""
        return self.rows[0]

    @property
    def known(self) -> str:
        """What is known of it; empty if it is new, or worse than it was."""
        told = [row.get("known") for row in self.rows]
        if any(text is None or row.get("known_is_worse") is True for text, row in zip(told, self.rows, strict=True)):
            return ""
        return str(told[0])

    @property
    def is_certified_bad(self) -> bool:
        """Have people found it bad already?"""
        return all(certified(row) is False for row in self.rows)

    @property
    def is_new(self) -> bool:
        """Has nobody told of it?"""
        return not (self.known or self.is_certified_bad)

    @property
    def is_open(self) -> bool:
        """Has nobody signed a row of it that stands out?"""
        return not all(is_signed(row) for row in self.rows)

    @property
    def mark(self) -> str:
        """New, or what is known of it, in words."""
        if self.is_new:
            return "new, not signed" if self.is_open else "new"
        return f"known: {self.known or 'people found it bad'}"

    @property
    def lumisections(self) -> str:
        """The lumisections that stand out, as ranges; empty if the whole run does.

        >>> Run(1, [{"lumisection_number": n} for n in (4, 5, 9)]).lumisections
        '4-5, 9'
        """
        numbers = sorted({n for row in self.rows if (n := whole(row.get("lumisection_number"))) is not None})
        ranges: list[list[int]] = []
        for one in numbers:
            if ranges and one == ranges[-1][1] + 1:
                ranges[-1][1] = one
            else:
                ranges.append([one, one])
        return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


class Judged:
    """What ``suspects`` wrote into the folder, joined to the rows that it judged."""

    def __init__(self, folder: Folder):
        self._folder = folder

    @cached_property
    def rows(self) -> list[Record]:
        """The rows of suspects.jsonl with the columns of study.jsonl and the state of runs.jsonl."""
        known = self._known()
        states, study = self._folder.by_row("runs.jsonl"), self._folder.by_row("study.jsonl")
        found = []
        for row in self._folder.table("suspects.jsonl"):
            key = find_row_key(*map(row.get, ROW_KEYS))
            if key is not None:
                whole_run = key._replace(lumisection_number=None)
                told = {} if known is None or "known" in row else _about(known, key, row)
                found.append({**study.get(key, {}), **row, **told, **states.get(whole_run, {})})
        return sorted(found, key=_rank)

    def _known(self) -> Known | None:
        """The known issues of the folder, for rows that weren't compared with them yet."""
        try:
            return Known(self._folder.table("known.jsonl"))
        except WrongRecord as error:
            self._folder.files["known.jsonl"].problem = str(error)
            return None

    @cached_property
    def standing_out(self) -> list[Run]:
        """Runs with a row that stands out: new ones, of these the unsigned first, known ones, those found bad."""
        runs: dict[int, Run] = {}
        for row in self.rows:
            if row.get("flagged_by") is not None:
                runs.setdefault(key_run(row), Run(key_run(row))).rows.append(row)
        return sorted(runs.values(), key=lambda run: (run.is_certified_bad, bool(run.known), not run.is_open))

    @property
    def others(self) -> dict[tuple[str, bool], list[int]]:
        """Reco, and whether people found them bad -> runs of which all rows were judged and none stands out."""
        apart = {run.number for run in self.standing_out}
        unjudged = {key_run(row) for row in self.rows if row.get("not_judged") is not None}
        found: dict[tuple[str, bool], set[int]] = {}
        for row in self.rows:
            if key_run(row) not in apart | unjudged:
                kind = str(row.get("reco") or "no reco"), certified(row) is False
                found.setdefault(kind, set()).add(key_run(row))
        return {kind: sorted(runs) for kind, runs in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))}


def key_run(row: Record) -> int:
    """The run of a row that has one."""
    return whole(row.get("run_number")) or 0


def texts(value: object) -> Sequence[str]:
    """A list of texts, whatever a file has in its place."""
    return [str(one) for one in value] if isinstance(value, list) else []


def _about(known: Known, key: RowKey, row: Record) -> Record:
    """What is known of a row, as ``suspects --known`` says it."""
    findings = [Finding(name, None, "") for name in texts(row.get("finding_features"))]
    subsystem = row.get("subsystem")
    verdict = Verdict(
        score=number(row.get("score")),
        flagged_by=row.get("flagged_by"),
        subsystem=subsystem if isinstance(subsystem, str) else None,
        findings=findings,
    )
    return dict(zip(("known", "known_is_worse"), known.about(key, verdict), strict=True))


def _rank(row: Record) -> tuple[bool, float]:
    rank = number(row.get("rank"))
    return rank is None, rank or 0
