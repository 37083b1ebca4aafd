"""Rows that nobody compared with anything, and why, by name."""

from __future__ import annotations

from collections.abc import Iterator

from tkstudies import console
from tkstudies.analysis.tables.labels import is_commissioning, is_special
from tkstudies.records import Record, RowKey, find_row_key, status
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged, key_run
from tkstudies.report.parts import Block, Runs, Section, Sentence
from tkstudies.report.people import RECOS
from tkstudies.report.work import UNSIGNED


def unjudged(folder: Folder, judged: Judged) -> Section:
    """The rows that are not judged."""
    return Section("unjudged", "Not judged, and why", list(_blocks(folder, judged)))


def reasons(folder: Folder, judged: Judged) -> dict[str, set[int]]:
    """Reco and reason -> the runs that are not judged."""
    found: dict[str, set[int]] = {}
    for row in judged.rows:
        if row.get("not_judged") is not None:
            found.setdefault(f"{row.get('reco') or 'no reco'}: {row['not_judged']}", set()).add(key_run(row))
    for key, why in _left_out(folder):
        found.setdefault(f"{key.reco}: {why}", set()).add(key.run_number)
    return found


def _blocks(folder: Folder, judged: Judged) -> Iterator[Block]:
    if not folder.has("suspects.jsonl"):
        yield Sentence("No row is judged: suspects.jsonl is not there (tkstudies suspects study.jsonl makes it).")
        return
    found = reasons(folder, judged)
    rows = sum(map(len, found.values()))
    if not folder.has("runs.jsonl"):
        yield Sentence("Which rows of the Run Registry aren't judged isn't known: runs.jsonl is not there.")
    elif not rows:
        yield Sentence("Every row of the Run Registry in this folder that people certify is judged.")
    if rows:
        yield Sentence(f"{console.counted(rows, 'row')} of which no plot was compared.")
    for why, runs in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        yield Runs(why, sorted(runs))


def _left_out(folder: Folder) -> Iterator[tuple[RowKey, str]]:
    """Rows of the registry that aren't among the judged ones; without these nothing is judged."""
    judged = folder.by_row("suspects.jsonl")
    whole_runs = {key._replace(lumisection_number=None) for key in judged}
    runs_only = {key.run_number for key in judged if key.reco is None}
    recos = {key.reco for key in judged}
    features = set(folder.by_row("features.jsonl")) if folder.has("features.jsonl") else None
    commissioning = {key_run(row) for row in folder.table("runs.jsonl") if is_commissioning(row)}
    for row in folder.table("runs.jsonl"):
        key = find_row_key(row.get("run_number"), row.get("reco"))
        if key is None or key in whole_runs or key.run_number in runs_only or key.reco not in RECOS:
            continue
        yield key, _why(row, key, features, recos, key.run_number in commissioning)


def _why(
    row: Record, key: RowKey, features: set[RowKey] | None, recos: set[str | None], is_of_commissioning: bool
) -> str:
    if features is not None and key not in features:
        return "no histograms in this folder"
    if is_of_commissioning:
        return "a run of commissioning"
    if is_special(row):
        return "a special run"
    if status(row.get("rda_state")) in UNSIGNED:
        return "nobody has signed it, and open rows were left out of the study"
    if key.reco not in recos:
        return "this reco was left out of the study"
    return "left out of the study (another era, or plots without entries)"
