"""The histograms that differ most from those of their references."""

from __future__ import annotations

from collections import Counter
from functools import partial
from statistics import median
from typing import NamedTuple

from tkstudies import jsonl
from tkstudies.analysis.histograms import changesfile
from tkstudies.analysis.histograms.comparable import Incomparable
from tkstudies.analysis.histograms.comparison import compare as compare_histograms
from tkstudies.analysis.histograms.unusual import Unusual
from tkstudies.errors import InputError
from tkstudies.plots.bins import written
from tkstudies.plots.chosen import Chosen, Histograms
from tkstudies.plots.look import Look
from tkstudies.plots.lower import Below
from tkstudies.plots.overlays import draw_page
from tkstudies.plots.pages import Page, Pages


class Compared(NamedTuple):
    """A histogram and how far it is from its references."""

    item: Chosen
    badness: float
    note: str


def worst_first(found: Histograms, changes: str, below: Below, top: int | None, look: Look) -> Pages:
    """A page for each histogram that can be compared with a reference, the worst first.

    Args:
        changes: A file of ``compare --learn``, nothing without one.

    Raises:
        InputError: No histogram can be compared.
    """
    pages = [
        Page(one.item.record, partial(draw_page, one.item, found, below, look, one.note))
        for one in compared(found, changes)
    ]
    return Pages(pages, "plot", top=top, losses=found.losses)


def compared(found: Histograms, changes: str = "") -> list[Compared]:
    """The histograms that can be compared with a reference, the worst first; what can't be is noted in the losses.

    Args:
        changes: A file of ``compare --learn``, nothing without one.

    Raises:
        InputError: No histogram can be compared.
    """
    unusual = _unusual(changes) if changes else None
    reasons: Counter[str] = Counter()
    able = [one for item in found.all if (one := _compare(item, found, reasons, unusual)) is not None]
    if not able:
        reason = max(reasons, key=lambda one: reasons[one])
        raise InputError(f"nothing could be compared, such as {found.all[0].called}: {reason}")
    for reason, count in reasons.items():
        found.losses.add(count, "histogram", f"not drawn: {reason}")
    if unusual:
        for text in unusual.losses().texts():
            found.losses.note(text)
    return sorted(able, key=lambda one: -one.badness)


def _compare(item: Chosen, found: Histograms, reasons: Counter[str], unusual: Unusual | None) -> Compared | None:
    references = found.references_of(item)
    if not references:
        reasons[found.missing_of(item)] += 1
        return None
    pulls, distances, zs = [], [], []
    for reference in references:
        try:
            data, other = item.histogram, reference.histogram
            result = compare_histograms(data, other)
        except Incomparable as reason:
            reasons[str(reason)] += 1
            continue
        except InputError as reason:
            reasons[str(reason).removeprefix(f"{item.called}: ")] += 1
            continue
        pulls.append(result["max_pull_corrected"])
        if result["ks"] is not None:
            distances.append(result["ks"])
        if unusual:
            z = unusual.columns(item.plot.plot_key, item.plot.row, data, other, False)["z"]
            zs += [] if z is None else [z]
    if not pulls:
        return None
    parts = [f"largest pull {written(median(pulls))} (corrected)"]
    parts += [f"KS distance {written(median(distances))}"] if distances else []
    parts = [*([f"z {written(median(zs))}"] if zs else []), *parts]
    badness = (median(zs) if zs else -1e300) if unusual else median(pulls)
    return Compared(item, badness, ", ".join(parts))


def _unusual(file: str) -> Unusual:
    found = changesfile.from_json(jsonl.read_value(file, "what tkstudies compare --learn wrote"), jsonl.shown(file))
    if found.source.reference_reco is not None:
        raise InputError(f"{jsonl.shown(file)}: learned with --reference-reco, not between runs")
    return Unusual(found)
