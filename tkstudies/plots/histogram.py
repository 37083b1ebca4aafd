"""Histograms: a run over one or several references, their ratio or the pulls below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.pages import Page, Pages
from tkstudies.plots.picks import Below, PlotPattern, Recos, ReferenceFiles, ReferenceRuns, Runs, Top
from tkstudies.records import Record


def histogram(
    records: Sequence[Record],
    *,
    plot: PlotPattern = "",
    run: Runs = None,
    reco: Recos = None,
    reference_run: ReferenceRuns = None,
    reference: ReferenceFiles = None,
    below: Annotated[
        Below, Option("--below", "Below the histogram: ratio to the references, or pull of each bin.")
    ] = Below.ratio,
    top: Top = None,
    look: Look = Look(),
) -> Pages:
    """Draw histograms, each over those of its references, all with a sum of 1 then.

    Args:
        records: Histogram records; the references may be among them.
        reference: Files with the histograms of references.

    Raises:
        InputError: There is no such histogram.

    Example:
        tkstudies plot histogram --plot Hits.Pixel --run 317434 --reference-run 317291 -o hits.png hists.jsonl
        tkstudies plot histogram --plot '*GenTk' --run 317434 --below pull -o all.pdf -o first.png hists.jsonl
        tkstudies plot histogram --plot TrackEta --facet run_number --run 317291-317300 -o eta.png hists.jsonl
    """
    from tkstudies.plots.chosen import Histograms
    from tkstudies.plots.overlays import draw_page, draw_panels

    found = Histograms(records, plot, run, reco, reference_run, reference)
    if look.across or look.row:
        return Pages(
            [Page(found.all[0].record, partial(draw_panels, found.all, found, look))], "picture", losses=found.losses
        )
    pages = [Page(item.record, partial(draw_page, item, found, below, look)) for item in found.all]
    return Pages(pages, "histogram", top=top, losses=found.losses)
