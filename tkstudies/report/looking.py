"""The runs to look at, one line each, and the others as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tkstudies import console
from tkstudies.records import Record, addresses
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged, Run, texts
from tkstudies.report.parts import Block, Line, Picture, Runs, Section, Sentence
from tkstudies.report.people import COMPONENTS, said
from tkstudies.report.pictures import Pictures

MOST = 10
_HIDDEN = (
    "A row stands out if at most 1 in 20 of the good rows are as unusual: where these are few, a single odd one among "
    "them hides rows that are bad."
)
_PERSON = re.compile(r"[\w.+-]*@\w[\w.-]*")
_LINKS = {"OMS": "oms_link", "Run Registry": "runregistry_link", "DQM GUI": "dqm_link"}


def to_look_at(folder: Folder, judged: Judged, pictures: Pictures) -> Section:
    """The runs that stand out most."""
    return Section("runs", "Runs to look at", list(_blocks(folder, judged, pictures)))


def others(folder: Folder, judged: Judged) -> Section:
    """The runs of which nothing stands out."""
    blocks: list[Block] = []
    for (reco, is_bad), runs in judged.others.items():
        but = " certified bad by people, but" if is_bad else ""
        blocks.append(Runs(f"{reco},{but} nothing unusual in the plots that were compared", runs))
    if any(is_bad for _, is_bad in judged.others):
        blocks.append(Sentence(_HIDDEN, is_note=True))
    if not blocks:
        blocks = [Sentence("None." if folder.has("suspects.jsonl") else "Not known: nothing is judged.")]
    return Section("others", "The others", blocks)


def _blocks(folder: Folder, judged: Judged, pictures: Pictures) -> Iterator[Block]:
    if not folder.has("suspects.jsonl"):
        yield Sentence("Not known: suspects.jsonl is not there (tkstudies suspects study.jsonl makes it).")
        return
    runs = judged.standing_out
    if not runs:
        yield Sentence("None: nothing unusual in the plots that were compared.")
        return
    shown = runs[:MOST]
    order = "new ones first, of these the unsigned ones; then known ones, then those that people have found bad"
    yield Sentence(f"{len(shown)} of {console.counted(len(runs), 'run')} that stand out, {order}. People decide.")
    pictures.prepare(shown)
    for run in shown:
        yield _line(run, pictures)
    if len(runs) > MOST:
        yield Runs("stand out too", [run.number for run in runs[MOST:]])


def _line(run: Run, pictures: Pictures) -> Line:
    first = run.first
    recos = dict.fromkeys(str(row["reco"]) for row in run.rows if row.get("reco"))
    facts = [" and ".join(recos) or "no reco", str(first.get("subsystem") or "no subsystem")]
    findings = texts(first.get("findings"))
    facts.append("; ".join(findings[:2]) or _flagged(first))
    if first.get("unusual"):
        facts.append(str(first["unusual"]))
    if run.lumisections:
        facts.append(f"lumisections {run.lumisections}")
    found = addresses(run.number, first.get("reco"), first.get("dataset"))
    links = {name: found[column] for name, column in _LINKS.items()}
    return Line(run.number, facts, run.mark, [*_inside(run, findings), *_seen(pictures.of(run))], links)


def _flagged(row: Record) -> str:
    return {
        "missing": "plots are missing",
        "comparisons": "plots differ from those of the reference",
        "largest": "single plots differ",
    }.get(str(row.get("flagged_by")), "the plots together differ")


def _inside(run: Run, findings: Sequence[str]) -> Iterator[Block]:
    if len(findings) > 2:
        yield Sentence(f"Also: {'; '.join(findings[2:])}.")
    for row in run.rows[:4]:
        yield Sentence(f"People said of {row.get('reco') or 'it'}: {said(row)}{_comments(row)}.")
    if run.first.get("low_statistics") is True:
        yield Sentence("It is short: everything varies more, which is no fault.")


def _comments(row: Record) -> str:
    """Cause and comment of components, without logins and addresses of people: a fault has no name."""
    told = []
    for component in COMPONENTS:
        parts = [row.get(f"{component}_cause"), row.get(f"{component}_comment")]
        text = ", ".join(part for part in parts if isinstance(part, str) and part.strip())
        told += [f"{component}: {_PERSON.sub('(somebody)', text)}"] if text else []
    return f" ({'; '.join(told)})" if told else ""


def _seen(found: Sequence[Picture | str]) -> Iterator[Block]:
    for one in found:
        yield one if isinstance(one, Picture) else Sentence(one, is_note=True)
