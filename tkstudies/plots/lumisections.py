"""A histogram lumisection by lumisection, with the state of the detector, the beams and the flags below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.plots.look import Graph
from tkstudies.plots.options import Option
from tkstudies.plots.pages import Pages
from tkstudies.plots.picks import PlotPattern, Recos, Runs, Top
from tkstudies.records import Record


def lumisections(
    records: Sequence[Record],
    *,
    plot: PlotPattern = "",
    run: Runs = None,
    reco: Recos = None,
    states: Annotated[
        str, Option("--states", "State of detector and beams, of 'tkstudies oms lumisections'.", "FILE")
    ] = "",
    flags: Annotated[
        str, Option("--flags", "Flags of the Run Registry, of 'tkstudies runreg --lumisections'.", "FILE")
    ] = "",
    counts: Annotated[bool, Option("--counts", "Draw entries, not parts of those of each lumisection.")] = False,
    top: Top = None,
    look: Graph = Graph(),
) -> Pages:
    """Draw how a histogram changes from lumisection to lumisection of a run.

    Each column is a lumisection, as parts of its entries; one that isn't there or has no entries is grey.

    Args:
        records: Histogram records with lumisection_number.
        states: A file of lumisections of OMS.
        flags: A file of lumisections of the Run Registry.

    Raises:
        InputError: There is no histogram of a lumisection, or a file can't be used.

    Example:
        tkstudies plot lumisections --plot 'charge*' --run 367094 -o charge.png lumis.jsonl
        tkstudies plot lumisections --states states.jsonl --flags flags.jsonl -o charge.pdf lumis.jsonl
    """
    from tkstudies.plots.bylumisection import pages_of
    from tkstudies.plots.chosen import Histograms

    return pages_of(Histograms(records, plot, run, reco), states, flags, counts, top, look)
