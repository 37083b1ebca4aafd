"""How the page was made: by which good runs rows were judged, and from which files, by which command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tkstudies import console
from tkstudies.provenance import HASH
from tkstudies.records import Record, number
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged, key_run
from tkstudies.report.parts import Block, Section, Sentence, Table

FALSE_ALARMS = ((40, "about 11 %"), (20, "7 to 11 %"), (0, "about 5 %"))
"""So many runs since the last certified one -> good rows that stand out all the same (measured on 2016)."""


def made(folder: Folder, judged: Judged, origin: Record) -> Section:
    """How it was made.

    Args:
        origin: What `tkstudies.provenance.provenance` gave.
    """
    return Section("made", "Judged with, made from", [*_good(folder, judged), *_origin(folder, origin)])


def _good(folder: Folder, judged: Judged) -> Iterator[Block]:
    from tkstudies.analysis.multivariate.suspects.good import usual

    rows = folder.table("study.jsonl")
    if not rows:
        yield Sentence("By which good runs rows were judged isn't known: study.jsonl is not there.")
        return
    rule = usual(lambda column: any(row.get(column) is not None for row in rows))
    good = [row for row in rows if rule.holds(row)]
    runs = sorted({key_run(row) for row in good})
    if not rule.is_known or not runs:
        yield Sentence("No row is known to be certified good: rows were compared with each other.")
        return
    yield Sentence(f"Judged with {console.counted(len(runs), 'good run')}, {runs[0]} to {runs[-1]} ({rule.text}).")
    behind = len({key_run(row) for row in judged.rows if key_run(row) > runs[-1]})
    alarms = next(text for least, text in FALSE_ALARMS if behind >= least)
    text = f"The last certified one is {console.counted(behind, 'run')} back: false alarms are then {alarms}"
    yield Sentence(f"{text} of good rows.")
    left_out = _left_out(good)
    if left_out:
        named = console.listed(left_out, 20)
        yield Sentence(f"Left out, as fewer than half of the good rows have them or they don't vary: {named}.")


def _left_out(good: Sequence[Record]) -> list[str]:
    """Features that can't tell anything."""
    from tkstudies.analysis.multivariate.suspects import features

    numeric = dict.fromkeys(column for row in good for column, value in row.items() if number(value) is not None)
    names = [name for name in features.candidates(numeric, (), (), features.SHAPES) if name.endswith(features.SHAPES)]
    if not names:
        return []
    values = np.array([[_number(row.get(name)) for name in names] for row in good], dtype=np.float64)
    with np.errstate(all="ignore"):
        kept = features.usable(values, np.ones(len(good), dtype=bool), np.zeros((len(good), 0)))
    return [name for name, is_kept in zip(names, kept.tolist(), strict=True) if not is_kept]


def _number(value: object) -> float:
    found = number(value)
    return np.nan if found is None or abs(found) > 1e300 else float(found)


def _origin(folder: Folder, origin: Record) -> Iterator[Block]:
    yield Sentence(f"tkstudies {origin['tkstudies_version']}, {origin['made_at']}: {origin['command']}")
    hashes = {one["file"]: one[HASH] for one in origin["inputs"]}
    yield Table(
        ("file", "written (UTC)", "records", f"{HASH}, first digits"),
        [
            (name, file.time, "can't be used" if file.problem else file.rows, hashes.get(folder.place(name)))
            for name, file in folder.files.items()
        ],
    )
    missing = folder.missing()
    if missing:
        yield Sentence(f"Not in the folder: {', '.join(missing)}.", is_note=True)
