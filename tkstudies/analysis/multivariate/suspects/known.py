"""What is known already: issues with a range of runs, or yesterday's list; a row that shows only these is marked."""

from __future__ import annotations

from collections.abc import Iterable

from tkstudies.analysis.multivariate.suspects.features import subsystem
from tkstudies.analysis.multivariate.suspects.verdicts import Verdict
from tkstudies.errors import WrongRecord
from tkstudies.records import RecordView as Record
from tkstudies.records import RowKey, find_row_key, number, whole

WORSE = 1.0
"""So much more score is worse than it was."""


class Known:
    """Known issues (from_run, to_run, subsystem, text), and rows of an older list of suspects.

    Raises:
        WrongRecord: A record is neither.
    """

    def __init__(self, records: Iterable[Record]):
        self._issues: list[Record] = []
        self._rows: dict[RowKey, Record] = {}
        for record in records:
            if "from_run" in record:
                if whole(record["from_run"]) is None:
                    raise WrongRecord(f"a known issue needs a run in from_run, this has {record['from_run']!r:.80}")
                self._issues.append(record)
                continue
            key = find_row_key(*map(record.get, ("run_number", "reco", "lumisection_number")))
            if key is None:
                raise WrongRecord("neither a known issue (from_run, to_run, subsystem, text) nor a row of suspects")
            self._rows[key] = record

    def about(self, key: RowKey | None, verdict: Verdict) -> tuple[str | None, bool | None]:
        """What is known of a row, and whether it got worse; None and None if something about it is new."""
        if key is None or verdict.flagged_by is None:
            return None, None
        before = self._rows.get(key)
        if before is not None and _shows(before) >= {one.feature for one in verdict.findings if one.feature}:
            return f"listed before with score {number(before.get('score')) or 0:.3g}", _is_worse(verdict, before)
        parts = {subsystem(one.feature) for one in verdict.findings if one.feature} | {verdict.subsystem}
        for issue in self._issues:
            last = whole(issue.get("to_run"))
            covered = str(issue.get("subsystem") or "").lower()
            inside = (whole(issue["from_run"]) or 0) <= key.run_number and (last is None or key.run_number <= last)
            if inside and (not covered or parts <= {covered}):
                return str(issue.get("text") or "known issue"), _is_worse(verdict, issue)
        return None, None


def _shows(row: Record) -> set[str]:
    features = row.get("finding_features")
    return {name for name in features if isinstance(name, str)} if isinstance(features, list) else set()


def _is_worse(verdict: Verdict, before: Record) -> bool | None:
    score = number(before.get("score"))
    return None if score is None or verdict.score is None else verdict.score > score + WORSE
