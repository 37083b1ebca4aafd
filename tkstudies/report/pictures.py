"""The pictures of a run: its worst plots over the reference, the map of its tracks, its lumisections.

All are PNG with few colours: ten runs with five pictures each stay below a megabyte or two.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tkstudies.analysis.histograms.collections import TRACKING_MAP, feature_name
from tkstudies.analysis.multivariate.suspects.features import plot_of
from tkstudies.console import progress
from tkstudies.errors import InputError
from tkstudies.records import Record, whole
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Run, key_run, texts
from tkstudies.report.parts import Picture
from tkstudies.report.people import certified

if TYPE_CHECKING:
    from tkstudies.plots.figures import Drawing

WORST = 3
SIZE, DPI, COLOURS = "4.6x3.7", 110, 64
HISTS = "hists.jsonl"
LUMISECTIONS = "oms_lumisections.jsonl"


class Pictures:
    """Draws what belongs to runs; without histograms it says so.

    Args:
        folder: The study.
        wanted: Are pictures wanted at all?
    """

    def __init__(self, folder: Folder, wanted: bool = True):
        self._folder, self._wanted = folder, wanted
        self._found: dict[int, list[Picture | str]] = {}

    def prepare(self, runs: Sequence[Run]) -> None:
        """Draw the pictures of these runs, reading the histograms once."""
        if not self._wanted:
            return
        if not self._folder.has(HISTS):
            self._found = {run.number: ["No pictures: hists.jsonl is not there (tkstudies dqm)."] for run in runs}
            return
        references = {run.number: self._references(run) for run in runs}
        needed = {run.number for run in runs} | {one for found in references.values() for one in found}
        by_run: dict[int, list[Record]] = {number: [] for number in needed}
        for record in self._folder.records(HISTS, lambda record: key_run(record) in needed):
            by_run[key_run(record)].append(record)
        with progress("pictures", len(runs)) as bar:
            for run in runs:
                there = [one for one in references[run.number] if by_run.get(one)]
                self._found[run.number] = list(self._draw(run, by_run[run.number], there[:1], by_run))
                bar.advance()

    def of(self, run: Run) -> Sequence[Picture | str]:
        """The pictures of a run, and why one is missing."""
        return self._found.get(run.number, [])

    def _references(self, run: Run) -> list[int]:
        """The runs that a run may be compared with: that which shifters use, else good ones before it."""
        named = [whole(row.get("reference_run_number")) for row in run.rows]
        reco = run.first.get("reco")
        rows = self._folder.table("study.jsonl") or self._folder.table("runs.jsonl")
        good = {key_run(row) for row in rows if row.get("reco") == reco and certified(row) is True}
        near = sorted(good - {run.number}, key=lambda one: (one > run.number, abs(one - run.number)))
        return list(dict.fromkeys([*(one for one in named if one is not None and one != run.number), *near[:3]]))

    def _draw(
        self, run: Run, records: Sequence[Record], references: list[int], by_run: dict[int, list[Record]]
    ) -> Iterator[Picture | str]:
        reco = run.first.get("reco")
        own = [record for record in records if record.get("reco") == reco]
        if not own:
            yield "No pictures: hists.jsonl has no histogram of it."
            return
        of_runs = [record for record in own if record.get("lumisection_number") is None]
        if not references:
            yield "Not drawn over a reference: hists.jsonl has no histogram of one, nor of a good run before it."
        else:
            beside = [record for record in by_run[references[0]] if record.get("reco") == reco]
            yield from _attempt(lambda: self._worst([*of_runs, *beside], run.number, references))
            if any(_is_map(record) for record in of_runs):
                yield from _attempt(lambda: _map([*of_runs, *beside], run.number, references))
        if len(of_runs) < len(own):
            yield from _attempt(lambda: self._lumisections(_named(own, run), run.number))

    def _worst(self, records: Sequence[Record], run: int, references: list[int]) -> Iterable[Picture]:
        from tkstudies.plots.chosen import Histograms
        from tkstudies.plots.look import Look
        from tkstudies.plots.overlays import draw_page
        from tkstudies.plots.picks import Below
        from tkstudies.plots.worst import compared

        found = Histograms(records, runs=[str(run)], reference_runs=[str(one) for one in references])
        changes = self._folder.place("changes.json") if self._folder.has("changes.json") else ""
        flat = [one for one in compared(found, changes) if not _is_map(one.item.record)]
        for one in flat[:WORST]:
            text = f"{one.item.plot.name} of run {one.item.whose} over that of {references[0]}"
            note = f"over {references[0]}, with the ratio to it"
            yield drawn(partial(draw_page, one.item, found, Below.ratio, note=note), text, Look)

    def _lumisections(self, records: Sequence[Record], run: int) -> Iterable[Picture]:
        from tkstudies.plots.look import Graph
        from tkstudies.plots.lumisections import lumisections

        states = self._folder.place(LUMISECTIONS) if self._folder.has(LUMISECTIONS) else ""
        text = f"run {run}, lumisection by lumisection"
        yield drawn(lambda look: lumisections(records, run=[str(run)], states=states, look=look).first(), text, Graph)


def drawn(draw: Callable[[Any], Drawing], text: str, look: Callable[..., Any], size: str = SIZE) -> Picture:
    """A picture of what a function of ``plots`` draws.

    Raises:
        InputError: It can't be drawn.
    """
    from tkstudies.plots import figures

    sheet = look(size=size, dpi=DPI)
    with figures.style(sheet):
        return Picture(_png(draw(sheet)), text)


def _png(drawing: Drawing) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(drawing.figure)
    canvas.draw()  # once; savefig draws twice
    image = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    small = io.BytesIO()
    image.convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def _map(records: Sequence[Record], run: int, references: list[int]) -> Iterable[Picture]:
    from tkstudies.plots.etaphi import etaphi_diff
    from tkstudies.plots.look import Look

    named = [str(one) for one in references]
    text = f"tracks of run {run} minus those of {references[0]} over eta and phi"
    yield drawn(lambda look: etaphi_diff(records, run=[str(run)], reference_run=named, look=look).first(), text, Look)


def _named(records: Sequence[Record], run: Run) -> Sequence[Record]:
    """The histograms of lumisections of the first plot that a finding names, else all."""
    sections = [record for record in records if record.get("lumisection_number") is not None]
    for name in map(plot_of, texts(run.first.get("finding_features"))):
        like = [record for record in sections if feature_name(str(record.get("plot"))) == name]
        if like:
            return like
    return sections


def _is_map(record: Record) -> bool:
    return record.get("name") == TRACKING_MAP.name or str(record.get("plot")).endswith(TRACKING_MAP.name)


def _attempt(draw: Callable[[], Iterable[Picture]]) -> Iterator[Picture | str]:
    """What can be drawn; else why not."""
    try:
        yield from draw()
    except InputError as error:
        yield f"Not drawn: {error}"
