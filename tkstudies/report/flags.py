"""Flags that people changed from one reco to the next, and where other sources say something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tkstudies import console
from tkstudies.records import Record, find_row_key, status
from tkstudies.report.folder import Folder
from tkstudies.report.judged import key_run
from tkstudies.report.parts import Block, Section, Sentence, Table
from tkstudies.report.people import COMPONENTS, RECOS, is_signed

MOST = 60
SAID = ("GOOD", "BAD", "EXCLUDED")
"""Statuses that somebody decides."""

_OTHERS = {"doctor.jsonl": "TkDQMDoctor", "certhelper.jsonl": "Certification Helper"}


def flags(folder: Folder) -> Section:
    """Changed flags, and where two sources differ."""
    return Section("flags", "Flags that changed", list(_blocks(folder)))


def changed(rows: Sequence[Record]) -> list[tuple[int, str, str, str, str, str]]:
    """Run, component, and the reco and status before and after, of rows that people signed."""
    by_run: dict[int, dict[str, Record]] = {}
    for row in rows:
        if is_signed(row) and row.get("reco") in RECOS and key_run(row):
            by_run.setdefault(key_run(row), {}).setdefault(str(row["reco"]), row)
    found = []
    for run, of_reco in sorted(by_run.items()):
        order = [reco for reco in RECOS if reco in of_reco]
        for before, after in pairwise(order):
            for component in COMPONENTS:
                old, new = (status(of_reco[reco].get(component)) for reco in (before, after))
                if old in SAID and new in SAID and old != new:
                    found.append((run, component, before, old, after, new))
    return found


def _blocks(folder: Folder) -> Iterator[Block]:
    if not folder.has("runs.jsonl"):
        yield Sentence("Not known: runs.jsonl is not there.")
        return
    found = changed(folder.table("runs.jsonl"))
    if found:
        yield Sentence(f"{console.counted(len(found), 'flag')} changed between two recos that people signed.")
        yield Table(
            ("run", "component", "before", "after"),
            [(run, part, f"{old} ({reco})", f"{new} ({later})") for run, part, reco, old, later, new in found[:MOST]],
        )
        yield from _more(len(found))
    else:
        yield Sentence("None between recos that people signed.")
    if not any(map(folder.has, _OTHERS)):
        others = " or ".join(f"{source} ({name})" for name, source in _OTHERS.items())
        yield Sentence(f"Not compared with {others}: neither is there.", is_note=True)
    for name, source in _OTHERS.items():
        yield from _beside(folder, name, source)


def _beside(folder: Folder, name: str, source: str) -> Iterator[Block]:
    if not folder.has(name):
        return
    theirs = folder.by_row(name)
    found = []
    for row in folder.table("runs.jsonl"):
        key = find_row_key(row.get("run_number"), row.get("reco"))
        other = theirs.get(key) if key is not None else None
        if key is None or other is None or not is_signed(row):
            continue
        for component in COMPONENTS:
            told = status(other.get(f"doctor_{component}") or other.get(component))
            registered = status(row.get(component))
            if told in SAID and registered in SAID and told != registered:
                found.append((key.run_number, key.reco, component, told, registered))
    if not found:
        yield Sentence(f"{source} and the Run Registry agree.")
        return
    yield Sentence(f"{source} and the Run Registry differ in {console.counted(len(found), 'flag')}.")
    yield Table(("run", "reco", "component", source, "Run Registry"), found[:MOST])
    yield from _more(len(found))


def _more(count: int) -> Iterator[Block]:
    if count > MOST:
        yield Sentence(f"{count - MOST:,} more: tkstudies diff lists them.", is_note=True)
