"""The histograms of a run against those of its references: the worst first, a page each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.plots.look import Graph, Look
from tkstudies.plots.options import Option
from tkstudies.plots.pages import Pages
from tkstudies.plots.picks import Below, PlotPattern, Recos, ReferenceFiles, ReferenceRuns, Runs, Top
from tkstudies.records import Record


def compare(
    records: Sequence[Record],
    *,
    run: Runs = None,
    reference_run: ReferenceRuns = None,
    reference: ReferenceFiles = None,
    plot: PlotPattern = "",
    reco: Recos = None,
    changes: Annotated[
        str, Option("--changes", "What compare --learn wrote: the most unusual plots first, by z.", "FILE")
    ] = "",
    below: Annotated[
        Below, Option("--below", "Below the histogram: pull of each bin, or ratio to the references.")
    ] = Below.pull,
    top: Top = None,
    look: Graph = Graph(),
) -> Pages:
    """Draw the histograms of a run over those of its references, both with a sum of 1, the worst ones first.

    The worst have the largest pull of a bin, corrected for the number of bins; of several references the median
    counts. With ``changes`` they have the largest z.

    Args:
        records: Histogram records; the references may be among them.

    Raises:
        InputError: No histogram can be compared.

    Example:
        tkstudies plot compare --run 317434 --reference-run 317291 -o worst.pdf hists.jsonl
        tkstudies plot compare --run 317434 --reference-run 317291,317295 --changes changes.json -o w.pdf hists.jsonl
    """
    from tkstudies.plots.chosen import Histograms
    from tkstudies.plots.worst import worst_first

    found = Histograms(records, plot, run, reco, reference_run, reference)
    return worst_first(found, changes, below, top, Look(**vars(look)))
