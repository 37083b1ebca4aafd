"""Luminosity: delivered, recorded, certified so far, not yet, and lost by the cause that people stated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tkstudies import console
from tkstudies.analysis.tables.labels import bad_reason
from tkstudies.analysis.tables.luminosity import total
from tkstudies.records import Record, status
from tkstudies.report.folder import Folder
from tkstudies.report.judged import key_run
from tkstudies.report.parts import Block, Section, Sentence, Table
from tkstudies.report.people import COMPONENTS, verdicts

BY = "online, OMS, no normtag"


def luminosity(folder: Folder) -> Section:
    """The luminosity."""
    return Section("luminosity", "Luminosity", list(_blocks(folder)))


def cause(row: Record) -> str:
    """Why people found a row bad: the cause that they chose, else what their comment says.

    >>> cause({"pixel": "BAD", "pixel_cause": "HV off"}), cause({"strip": "BAD"})
    ('HV off', 'not stated')
    """
    chosen = (row.get(f"{name}_cause") for name in COMPONENTS if status(row.get(name)) == "BAD")
    stated = next((text.strip() for text in chosen if isinstance(text, str) and text.strip()), None)
    if stated:
        return stated
    read = row.get("bad_reason") or bad_reason(row)
    comments = (row.get(f"{name}_comment") for name in COMPONENTS)
    written = any(isinstance(text, str) and text.strip() for text in (*comments, row.get("comment")))
    return f"{read} (read from the comment)" if written and read else "not stated"


def _blocks(folder: Folder) -> Iterator[Block]:
    rows = folder.table("oms_runs.jsonl")
    if not rows:
        yield Sentence("Not known: oms_runs.jsonl is not there.")
        return
    study = folder.by_row("study.jsonl")  # with the comments of TkDQMDoctor
    people = verdicts({**study.get(key, {}), **row} for key, row in {**study, **folder.by_row("runs.jsonl")}.items())
    good = {run for run, (is_good, _) in people.items() if is_good}
    bad = {run for run, (is_good, _) in people.items() if not is_good}
    registered = {key_run(row) for row in folder.table("runs.jsonl")}
    parts: list[tuple[str, list[Record], str]] = [
        ("delivered", rows, "delivered_lumi"),
        ("recorded", rows, "recorded_lumi"),
        ("certified good so far", [row for row in rows if key_run(row) in good], "recorded_lumi"),
        ("certified bad", [row for row in rows if key_run(row) in bad], "recorded_lumi"),
        ("not decided yet", _of(rows, registered - good - bad), "recorded_lumi"),
        ("not in the Run Registry", [row for row in rows if key_run(row) not in registered], "recorded_lumi"),
    ]
    yield Table(("", "pb⁻¹", "runs"), [(what, *_sum(some, column)) for what, some, column in parts if some])
    yield Sentence(f"{BY}; each run once, by the last reco that people signed.", is_note=True)
    causes: dict[str, set[int]] = {}
    for run in bad:
        causes.setdefault(cause(people[run][1]), set()).add(run)
    sums = [(why, *_sum(_of(rows, runs), "recorded_lumi")) for why, runs in causes.items()]
    if sums:
        yield Sentence("Lost, by the cause that people stated, each run once:")
        yield Table(("cause", "pb⁻¹", "runs"), sorted(sums, key=lambda line: (-line[1], line[0])))
    unknown = total(rows).unknown
    if unknown:
        yield Sentence(f"{console.counted(unknown, 'run')} without a luminosity, or without its unit.", is_note=True)


def _of(rows: Iterable[Record], runs: set[int]) -> list[Record]:
    return [row for row in rows if key_run(row) in runs]


def _sum(rows: Iterable[Record], column: str) -> tuple[float, int]:
    found = total(rows, column)
    return round(found.pb, 3), found.counted
