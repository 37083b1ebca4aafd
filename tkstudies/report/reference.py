"""Is the reference run still typical of the last good runs?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.records import Record
from tkstudies.report.folder import Folder
from tkstudies.report.parts import Block, Section, Sentence


class _OnThePage(Losses):
    """Losses that the page tells, not the terminal."""

    def tell(self) -> None:
        """Keep them."""


def reference(folder: Folder) -> Section:
    """The references of the kinds of runs."""
    return Section("reference", "Is the reference still typical", list(_blocks(folder)))


def _blocks(folder: Folder) -> Iterator[Block]:
    from tkstudies.analysis.multivariate.candidates import distinct, goodness
    from tkstudies.analysis.multivariate.typical import typical_runs

    rows = folder.table("study.jsonl")
    if not rows:
        yield Sentence("Not known: study.jsonl is not there.")
        return
    losses = _OnThePage()
    try:
        rows, _ = distinct(rows)
        rule = goodness(rows)
        with np.errstate(all="ignore"):
            found = list(typical_runs(rows, [row for row in rows if rule.holds(row)], losses, top=1))
    except InputError as error:
        yield Sentence(f"Not known: {error}.")
        found = []
    for one in found:
        yield Sentence(words(one))
    for text in losses.texts():
        yield Sentence(f"{text[:1].upper()}{text[1:]}.", is_note=True)


def words(one: Record) -> str:
    """What to say of the reference of one kind of rows, from a row of ``typical_runs``."""
    kind, run, is_typical = one["kind"], one["reference_run_number"], one["reference_is_typical"]
    last = f"of the last {one['good_rows']:,} good runs"
    nearest = f"the most typical {last} is {one['candidate_run_number']}"
    if run is None:
        return f"{kind}: no row names a reference; {nearest}."
    if is_typical is None:
        return f"{kind}: the reference {run} isn't in this folder; {nearest}."
    if is_typical:
        return f"{kind}: the reference {run} is typical {last}."
    since = one["reference_not_typical_since"]
    if since <= run:
        return f"{kind}: the reference {run} isn't typical, and never was; {nearest}."
    return f"{kind}: the reference {run} isn't typical any more (since run {since}); {nearest}."
