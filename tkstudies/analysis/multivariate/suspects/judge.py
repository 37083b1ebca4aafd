"""Rows in, judged rows out: what the command and the Python function share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects import features as columns_of
from tkstudies.analysis.multivariate.suspects import good, groups, lowstat, lumisections
from tkstudies.analysis.multivariate.suspects.comparisons import Comparisons
from tkstudies.analysis.multivariate.suspects.findings import Finding, Shown, deviations_of, findings, loudest_subsystem
from tkstudies.analysis.multivariate.suspects.fit import TRIMMED
from tkstudies.analysis.multivariate.suspects.judging import Plan
from tkstudies.analysis.multivariate.suspects.preparing import READY, Preparing, shift_to_host
from tkstudies.analysis.multivariate.suspects.strata import UNUSUAL, Stratum
from tkstudies.analysis.multivariate.suspects.table import Table
from tkstudies.analysis.multivariate.suspects.verdicts import Told, Verdict
from tkstudies.console import alternatives
from tkstudies.errors import InputError, UsageError
from tkstudies.records import ROW_KEYS, find_row_key, whole
from tkstudies.shardwise import Shards

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

NOTICE = 0.05
"""Above this p-value nothing is said of a row."""

FEWEST = 10
"""Good rows without which nothing is judged."""

FEWEST_RUNS = 5
LOW_TEXT = "low statistics: below 25 % of the luminosity usual in the run"
SHORT_TEXT = "short: less than 10 % of the usual entries, so that everything varies more"


@dataclass(frozen=True)
class Options:
    """What a user may choose (see ``tkstudies suspects --help``)."""

    good: Sequence[str] = ()
    earlier: bool = False
    group_by: Sequence[str] = ()
    features: Sequence[str] = ()
    conditions: Sequence[str] = ()
    since: int | None = None
    seed: int = 42


class Judge:
    """The rows of a table, judged.

    Args:
        records: Rows to judge.
        judging: Rows that only judge.
        options: What the user chose.
        comparisons: Plots beside those of references, as further evidence.

    Attributes:
        table: The rows.
        verdicts: One for each row of the table.
        told: How it was done.

    Raises:
        InputError: Too few good rows, or no feature.
        UsageError: A chosen column isn't there.
    """

    def __init__(
        self,
        records: Shards,
        judging: Shards | None = None,
        options: Options | None = None,
        comparisons: Comparisons | None = None,
    ):
        self.options = options or Options()
        self._shards = records
        chosen = good.given(self.options.good) if self.options.good else None
        looked_at = (*good.COLUMNS, *groups.COLUMNS, *READY, *self.options.group_by, "recorded_lumi_unit")
        self.table = Table(records, judging, (*looked_at, *(chosen.columns if chosen else ())))
        self.rule = chosen or good.usual(self.table.has)
        self._check()
        has_run = self.table.runs > 0
        self.good: Flags = np.array([self.rule.holds(row) for row in self.table.records()], dtype=bool) & has_run
        self.verdicts = [Verdict() for _ in range(len(self.table))]
        self.told = Told(self.rule)
        self._learn_once()
        self.comparisons = comparisons
        self.keys = [find_row_key(*map(row.get, ROW_KEYS)) for row in self.table.records()] if comparisons else []
        self._compared = comparisons.scores(self.keys) if comparisons else None
        self._judge()
        if comparisons and self._compared is not None:
            comparisons.add(self.verdicts[: self.table.reported], self.keys, self._compared)
        self._tell()

    def _check(self) -> None:
        since, runs = self.options.since, self.table.runs[self.table.runs > 0]
        if since is not None and len(runs) and not runs.min() < since <= runs.max():
            raise UsageError(f"--since {since} divides nothing: runs are {runs.min()} to {runs.max()}")

        def require(column: str, found: bool, option: str, what: str) -> None:
            if not found:
                others = alternatives(column, self.table.columns())
                raise UsageError(f"{option}: no row has a {what} in {column}; {others}")

        for column in self.rule.columns if self.options.good else ():
            require(column, self.table.has(column), f"--good {self.rule.text}", "value")
        for column in self.options.group_by:
            require(column, self.table.has(column), f"--group-by {column}", "value")
        for column in self.options.conditions:
            require(column, column in self.table.numbers_in, f"--condition {column}", "number")

    def _learn_once(self) -> None:
        """Of good rows that come again, in the history or in a second file, only the first counts."""
        recos, lumisections = self.table.column("reco"), self.table.column("lumisection_number")
        seen = set()
        for row in np.flatnonzero(self.good).tolist():
            key = (self.table.runs[row], str(recos[row]), whole(lumisections[row]))
            if key in seen:
                self.good[row] = False
                self.told.repeated += 1
            seen.add(key)

    def _judge(self) -> None:
        table = self.table
        for row in np.flatnonzero(table.runs <= 0):
            self.verdicts[row].reason = "no run_number"
        shapes = columns_of.LUMISECTION_SHAPES if table.is_of_lumisections else columns_of.SHAPES
        self._preparing = Preparing(table, self.options.conditions)
        excluded = {*self.rule.columns, *groups.COLUMNS, *self.options.group_by, *self._preparing.conditions}
        self._names = columns_of.candidates(table.numbers_in, self.options.features, excluded, shapes)
        if len(table) and not self._names:
            raise InputError(
                "no record has a feature: join the features first (tkstudies features), or choose columns (--features)"
            )
        if len(table) and not (table.runs > 0).any():
            raise InputError("no row has a run_number: nothing can be judged")
        if len(table) and not self.good.any():
            raise self.rule.refusal(self.table.columns())
        if 0 < self.good.sum() < FEWEST:
            raise InputError(
                f"{self.good.sum()} good rows ({self.rule.text}) are too few to learn from: at least {FEWEST} are "
                "needed, 30 of each kind (--history-from FILE brings more)"
            )
        low = lowstat.low_lumisections(table, self.good)
        for row in np.flatnonzero(low):
            self.verdicts[row].low_statistics = True
            self.verdicts[row].reason = LOW_TEXT
        usable = (table.runs > 0) & ~low
        places = np.flatnonzero(usable)
        learned = self.good & usable
        kinds = groups.kinds(
            map(table.record, places.tolist()), list(learned[places]), self.options.since, self.options.group_by
        )
        self._kind_of = dict(zip(places.tolist(), kinds, strict=True))
        divided, too_small = groups.divide(kinds, list(learned[places]))
        for kind, count in too_small.items():
            reason = f"{count} good rows of this kind, {groups.LEAST} needed ({kind.text})"
            for row, of_row in self._kind_of.items():
                if of_row == kind:
                    self.verdicts[row].reason = reason
        for group in divided:
            self._judge_group(group, places, learned)

    def _judge_group(self, group: groups.Group, places: Rows, learned: Flags) -> None:
        members = places[sorted([*group.rows, *(row for rows in group.joined.values() for row in rows)])]
        order = self._in_time(members)
        part = self.table.of(order)
        is_good = learned[order]
        values = part.numbers(self._names)
        labels = part.numbers([column for column in self.rule.columns if column in self.table.numbers_in])
        kept = columns_of.usable(values, is_good, labels)
        names, values = [name for name, keep in zip(self._names, kept, strict=True) if keep], values[:, kept]
        is_good = is_good & ~np.isnan(values).all(axis=1)  # nothing is learned from a row without numbers
        for name, keep in zip(self._names, kept, strict=True):
            if not keep:
                self.told.left_out[name] = "constant, or missing in half of the good rows"
        if not names or len(np.unique(part.runs[is_good])) < FEWEST_RUNS:
            return self._refuse(order, group, names, part.runs[is_good])
        shown = values.copy() if group.joined else values
        shift_to_host(values, [self._kind_of[row] for row in order.tolist()], group, is_good)
        stratum, shown = self._preparing.stratum(part, names, values, shown, is_good)
        stratum.compared = None if self._compared is None else self._compared[order]
        plan = self._plan()
        stratum.run(plan, self._shards)
        if not self.rule.is_known:
            stratum.learn_from_the_usual(plan, self._shards)
        self.told.groups[group.text] = int(is_good.sum())
        self.told.features = max(self.told.features, len(names))
        self._read_off(stratum, order, shown)
        for row in order.tolist():
            self.verdicts[row].is_mixed = bool(group.joined)

    def _refuse(self, order: Rows, group: groups.Group, names: list[str], good_runs: Rows) -> None:
        runs = len(np.unique(good_runs))
        why = f"{runs} good runs of this kind, {FEWEST_RUNS} needed" if names else "no feature in half of the good rows"
        for row in order:
            self.verdicts[row].reason = f"{why} ({group.kind.text})"

    def _in_time(self, rows: Rows) -> Rows:
        """Rows by run, lumisection and reco, whatever their order in the file."""
        table = self.table
        lumisection = [whole(value) or 0 for value in table.column("lumisection_number")]
        reco = table.column("reco")
        keys = [(table.runs[row], lumisection[row], str(reco[row])) for row in rows]
        return rows[sorted(range(len(rows)), key=keys.__getitem__)]

    def _plan(self) -> Plan:
        trimmed = TRIMMED if self.rule.is_known else UNUSUAL
        if self.table.is_of_lumisections:
            size, runs = lumisections.HISTORY, lumisections.LEAST_RUNS
            return Plan(self.options.earlier, self.options.seed, trimmed, size, runs)
        return Plan(self.options.earlier, self.options.seed, trimmed)

    def _read_off(self, stratum: Stratum, order: Rows, shown: Shown) -> None:
        calibrated, views = stratum.calibrated, len(stratum.views)
        short = lowstat.short_runs(self.table, order, stratum.good)
        histories: dict[int, Rows] = {}
        for place, row in enumerate(order.tolist()):
            verdict = self.verdicts[row]
            verdict.low_statistics = bool(short[place])
            if np.isnan(calibrated.score[place]):
                verdict.reason = "too few good rows of other runs to compare with, 20 needed"
                continue
            verdict.score = float(calibrated.score[place])
            verdict.p_value = float(calibrated.p_value[place])
            verdict.history = int(calibrated.history[place])
            verdict.is_compared = bool(calibrated.compared[place])
            if short[place]:
                verdict.findings = [Finding("", None, SHORT_TEXT)]
            if verdict.p_value > NOTICE or row >= self.table.reported:
                continue
            measure = int(calibrated.measure[place])
            if measure > 2 * views:
                verdict.flagged_by = "comparisons"
                continue
            verdict.flagged_by = "missing" if measure == 2 * views else ("distance", "largest")[measure % 2]
            run = int(stratum.runs[place])
            if run not in histories:
                histories = {run: stratum.history(run)}
            verdict.findings += findings(stratum, place, histories[run], shown)
            verdict.subsystem = self._subsystem(stratum, place, verdict, shown)

    @staticmethod
    def _subsystem(stratum: Stratum, place: int, verdict: Verdict, shown: Shown) -> str:
        if verdict.flagged_by == "missing" and verdict.findings:
            return columns_of.subsystem(verdict.findings[-1].feature)
        is_short = bool(verdict.low_statistics)
        return loudest_subsystem(deviations_of(stratum, place), shown.features, is_short)

    def _tell(self) -> None:
        told, table = self.told, self.table
        told.good = int(self.good.sum())
        for verdict in self.verdicts[: table.reported]:
            if verdict.reason:
                told.not_judged[verdict.reason] = told.not_judged.get(verdict.reason, 0) + 1
        good_runs = table.runs[self.good]
        if len(good_runs):
            told.behind = len(np.unique(table.runs[table.runs > good_runs.max()]))


def in_order(verdicts: Iterable[Verdict]) -> list[int]:
    """Places by score, the most unusual first; those without a score last."""
    scores = [verdict.score for verdict in verdicts]
    return sorted(range(len(scores)), key=lambda place: (scores[place] is None, -(scores[place] or 0.0)))
