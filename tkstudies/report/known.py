"""Known issues that hold for the runs of the page."""

from __future__ import annotations

from collections.abc import Iterator

from tkstudies.records import whole
from tkstudies.report.folder import Folder
from tkstudies.report.parts import Block, Section, Sentence, Table


def known(folder: Folder) -> Section:
    """The known issues."""
    return Section("known", "Known issues in force", list(_blocks(folder)))


def _blocks(folder: Folder) -> Iterator[Block]:
    if not folder.has("known.jsonl"):
        yield Sentence("No list of them: known.jsonl is not there (from_run, to_run, subsystem, text).")
        return
    runs = folder.runs()
    first, last = (runs[0], runs[-1]) if runs else (0, 0)
    rows = []
    for issue in folder.table("known.jsonl"):
        begin, end = whole(issue.get("from_run")), whole(issue.get("to_run"))
        if begin is not None and begin <= last and (end is None or end >= first):
            rows.append((begin, "open" if end is None else end, issue.get("subsystem"), issue.get("text")))
    if rows:
        yield Table(("from run", "to run", "subsystem", "what"), sorted(rows, key=lambda row: row[0]))
    else:
        yield Sentence("None for these runs.")
