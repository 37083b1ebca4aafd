"""Six small trends of the last runs, of the features that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from tkstudies.errors import InputError
from tkstudies.records import Record, number
from tkstudies.report.folder import Folder
from tkstudies.report.judged import key_run
from tkstudies.report.parts import Block, Section, Sentence
from tkstudies.report.people import RECOS
from tkstudies.report.pictures import drawn

LAST = 50
SIZE = "4.6x2.5"

TRENDS: dict[str, tuple[str, ...]] = {
    "pixel charge on track": (
        "charge.PXBarrel.mean",
        "charge.PXForward.mean",
        "clustCharge_ONTk_Barrel_m*",
        "charge.*",
    ),
    "pixel cluster size": ("size.PXBarrel.mean", "size.PXForward.mean", "size_ONTk_Barrel_mean", "size.*.mean"),
    "dead ROCs": ("deadRoc.integral", "deadROC_BPix_L1", "deadROC_*"),
    "strip signal to noise": ("clusters.OnTrack.TOB.mean", "clusters.OnTrack.*.mean", "clusterStoN_ONTk_T?B_mpv"),
    "bad strip components": ("BadActiveChannels.mean", "NBadActive_ChannelStatusBit_mean"),
    "hits per track": ("Hits.mean", "Hits.CKF.mean", "RecHitPerTrack_mean"),
}
"""What is followed -> columns that tell it, those of our features and those of HDQM, the best first."""


def trends(folder: Folder, wanted: bool = True) -> Section:
    """The trends."""
    return Section("trends", f"The last {LAST} runs", list(_blocks(folder, wanted)))


def columns(rows: Sequence[Record]) -> dict[str, str]:
    """What can be followed -> the first of its columns in which a row has a number."""
    there = sorted({name for row in rows for name, value in row.items() if number(value) is not None})
    found = {}
    for what, patterns in TRENDS.items():
        like = (name for pattern in patterns for name in there if fnmatchcase(name.lower(), pattern.lower()))
        name = next(like, None)
        if name is not None:
            found[what] = name
    return found


def _blocks(folder: Folder, wanted: bool) -> Iterator[Block]:
    rows = folder.table("study.jsonl") or folder.table("features.jsonl")
    if not rows:
        yield Sentence("Not drawn: neither study.jsonl nor features.jsonl is there.")
        return
    last = sorted({key_run(row) for row in rows})[-LAST:]
    shown = [row for row in rows if key_run(row) >= last[0] and row.get("reco") in (*RECOS, None)]
    found = columns(shown)
    yield Sentence(f"Runs {last[0]} to {last[-1]} side by side, each reco in its colour.", is_note=True)
    for what, column in found.items():
        if wanted:
            yield from _draw(shown, what, column)
    lacking = [what for what in TRENDS if what not in found]
    if lacking:
        yield Sentence(f"Not fetched: {', '.join(lacking)} (tkstudies dqm --collection all has them).", is_note=True)


def _draw(rows: Sequence[Record], what: str, column: str) -> Iterator[Block]:
    from tkstudies.plots.look import Look
    from tkstudies.plots.trend import trend

    try:
        yield drawn(
            lambda look: trend(rows, [column], side_by_side=True, look=look),
            f"{what} ({column}) of the last runs",
            lambda **chosen: Look(title=f"{what} ({column})", **chosen),
            SIZE,
        )
    except InputError as error:
        yield Sentence(f"{what} not drawn: {error}", is_note=True)
