"""The pages of a study: that of the day, and that of the week."""

from __future__ import annotations

from dataclasses import replace

from tkstudies.provenance import provenance
from tkstudies.records import Record
from tkstudies.report import explorer, flags, known, looking, lumi, made, reference, short, trends, unjudged, week, work
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged
from tkstudies.report.parts import Page, Section, Sentence
from tkstudies.report.pictures import Pictures


def daily(folder: Folder, *, with_pictures: bool = True, is_expert: bool = False) -> Page:
    """What must be certified, what looks unusual, what is missing, and how it was judged."""
    judged = Judged(folder)
    origin = origin_of(folder)
    sections = [
        work.work(folder),
        unjudged.unjudged(folder, judged),
        looking.to_look_at(folder, judged, Pictures(folder, with_pictures)),
        looking.others(folder, judged),
        explorer.explorer(folder, judged, is_expert),
        trends.trends(folder, with_pictures),
        flags.flags(folder),
        lumi.luminosity(folder),
        reference.reference(folder),
        known.known(folder),
    ]
    page = _page("Tracker certification", folder, origin, [*sections, made.made(folder, judged, origin)])
    return replace(page, head=[*page.head, short.short(folder, judged)])


def weekly(folder: Folder) -> Page:
    """Fills, certified runs and luminosity of the last seven days."""
    origin = origin_of(folder)
    judged = Judged(folder)
    return _page("Tracker certification, the week", folder, origin,
                 [*week.week(folder), made.made(folder, judged, origin)])  # fmt: skip


def origin_of(folder: Folder) -> Record:
    """Where a page of this folder comes from."""
    return provenance([folder.place(name) for name in folder.files], folder.runs())


def _page(title: str, folder: Folder, origin: Record, sections: list[Section]) -> Page:
    first, last = origin["first_run"], origin["last_run"]
    runs = f"runs {first} to {last}" if first != last else f"run {first}"
    as_of = folder.as_of()
    head = [
        Sentence(f"{runs if first else 'no runs'}; data as of {as_of}; page made {origin['made_at']} (all times UTC)"),
        *(Sentence(text, is_warning=True) for text in folder.troubles()),
    ]
    return Page(f"{title}, {runs}" if first else title, head, sections)
