"""The page for those who have a minute: what must be certified, what looks unusual, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tkstudies import console
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged, key_run
from tkstudies.report.parts import Short
from tkstudies.report.unjudged import reasons
from tkstudies.report.work import by_reco, open_rows

MOST = 10
REASONS = 2

_Line = tuple[str, str, str, list[tuple[int, str]]]


def short(folder: Folder, judged: Judged) -> Short:
    """A line of each thing that people ask for first."""
    return Short(list(_lines(folder, judged)))


def _lines(folder: Folder, judged: Judged) -> Iterator[_Line]:
    yield "To certify", "work", _work(folder), []
    if not folder.has("suspects.jsonl"):
        yield "Unusual", "runs", "not known: nothing is judged", []
    else:
        runs = judged.standing_out
        new = [run for run in runs if run.is_new]
        named = [(run.number, str(run.first.get("subsystem") or "")) for run in new[:MOST]]
        unsigned = sum(run.is_open for run in new)
        signed = f", {unsigned:,} of them not signed" if unsigned else ", already signed" if new else ""
        told = f"{console.counted(len(new), 'run')}{signed}"
        yield "Unusual and new", "runs", f"{told}{_named(len(new))}", named
        known = [run for run in runs if not run.is_new]
        bad = sum(run.is_certified_bad for run in known)
        yield ("Unusual and known", "runs", _known(len(known), bad), [])
        yield "Not judged", "unjudged", _not_judged(reasons(folder, judged)), []
    missing = [text.partition(" ")[0] for text in folder.missing()]
    yield "Missing", "made", ", ".join(missing) or "nothing: all tables of the study are here", []


def _known(runs: int, bad: int) -> str:
    which = "" if runs == bad == 1 else "all of them " if runs == bad else f"{bad:,} of them "
    return f"{console.counted(runs, 'run')}{f', {which}certified bad by people already' if runs else ''}"


def _not_judged(found: dict[str, set[int]]) -> str:
    """How many rows, and the commonest reasons."""
    rows = sum(map(len, found.values()))
    by_reason: Counter[str] = Counter()
    for why, runs in found.items():
        by_reason[why.partition(": ")[2]] += len(runs)
    told = "; ".join(f"{why} ({count:,})" for why, count in by_reason.most_common(REASONS))
    return f"{console.counted(rows, 'row')}{f': {told}' if told else ''}{'; ...' if len(by_reason) > REASONS else ''}"


def _work(folder: Folder) -> str:
    if not (folder.has("todo.jsonl") or folder.has("runs.jsonl")):
        return "not known: neither todo.jsonl nor runs.jsonl is there"
    rows = open_rows(folder)
    if not rows:
        return "nothing: every row is signed"
    runs = len({key_run(row) for row in rows})
    waiting = sum(row.get("run_is_complete") is False for row in rows)
    later = f"; {waiting:,} not complete in the DQM GUI yet" if waiting else ""
    return f"{console.counted(len(rows), 'row')} of {console.counted(runs, 'run')}: {by_reco(rows)}{later}"


def _named(count: int) -> str:
    """What stands before runs that are named."""
    return f"; the first {MOST}:" if count > MOST else ":" if count else ""
