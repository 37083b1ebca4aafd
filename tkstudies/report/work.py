"""What is to be certified: the list that ``todo`` wrote, else the rows of the Run Registry that nobody signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tkstudies import console
from tkstudies.records import Record, status, whole
from tkstudies.report.folder import Folder
from tkstudies.report.parts import Block, Section, Sentence, Table
from tkstudies.report.people import said

UNSIGNED = ("OPEN", "WAITING DQM GUI")
MOST = 100
_COMPLETE = {True: "complete", False: "not complete", None: "not known"}


def work(folder: Folder) -> Section:
    """The work list."""
    return Section("work", "To certify", list(_blocks(folder)))


def open_rows(folder: Folder) -> list[Record]:
    """Rows that nobody has signed, in order of runs."""
    rows = folder.table("todo.jsonl") if folder.has("todo.jsonl") else folder.table("runs.jsonl")
    found = [row for row in rows if status(row.get("rda_state")) in UNSIGNED and whole(row.get("run_number"))]
    return sorted(found, key=lambda row: (whole(row.get("run_number")) or 0, str(row.get("reco"))))


def by_reco(rows: Iterable[Record]) -> str:
    """How many rows of each reco.

    >>> by_reco([{"reco": "prompt"}, {"reco": None}, {"reco": "prompt"}])
    '1 other, 2 prompt'
    """
    counts = Counter(str(row.get("reco") or "other") for row in rows)
    return ", ".join(f"{count:,} {reco}" for reco, count in sorted(counts.items()))


def _blocks(folder: Folder) -> Iterator[Block]:
    rows = open_rows(folder)
    if not (folder.has("todo.jsonl") or folder.has("runs.jsonl")):
        yield Sentence("Not known: neither todo.jsonl nor runs.jsonl is there.")
        return
    if not rows:
        yield Sentence("Nothing: every row of the Run Registry in this folder is signed.")
        return
    yield Sentence(f"{console.counted(len(rows), 'row')} that nobody has signed: {by_reco(rows)}.")
    yield _table(rows[:MOST], folder.has("todo.jsonl"))
    if len(rows) > MOST:
        yield Sentence(f"{len(rows) - MOST:,} more are in {'todo' if folder.has('todo.jsonl') else 'runs'}.jsonl.")
    if not folder.has("todo.jsonl"):
        text = "Whether the DQM GUI is complete and which reference they have: tkstudies todo -o todo.jsonl."
        yield Sentence(text, is_note=True)


def _table(rows: list[Record], is_todo: bool) -> Table:
    middle = ("DQM GUI", "reference") if is_todo else ("statuses",)
    columns = ("run", "reco", "state", "type", *middle, "lumisections", *(("pb⁻¹",) if is_todo else ()))
    return Table(columns, [_cells(row, is_todo) for row in rows])


def _cells(row: Record, is_todo: bool) -> list[Any]:
    complete = row.get("run_is_complete")
    middle = [_COMPLETE[complete if isinstance(complete, bool) else None], _reference(row)] if is_todo else [said(row)]
    reco = row.get("reco") or row.get("rda_name")
    first = [whole(row.get("run_number")), reco, *(row.get(name) for name in ("rda_state", "run_type"))]
    return [*first, *middle, row.get("lumisections"), *([row.get("recorded_lumi_pb")] if is_todo else [])]


def _reference(row: Record) -> str:
    run = row.get("reference_run_number")
    if run is not None:
        return f"{run} {row.get('reference_reco') or ''}".strip()
    return "none" if row.get("has_reference") is False else "not known"
