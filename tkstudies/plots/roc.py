"""How well scores find bad rows: for every threshold the part found against the part of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, NamedTuple

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.axes import columns_with_numbers
from tkstudies.plots.figures import Drawing
from tkstudies.plots.forms import require_columns
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.palette import COLOURS, dashes_of
from tkstudies.plots.panels import Panels
from tkstudies.plots.quantities import quantity
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCORES = ("*_score", "score", "t2", "q", "distance", "reference_cost", "scaled_reference_cost")
_MOST = 10
_BAD = "is_bad"


class Curve(NamedTuple):
    """A receiver operating characteristic.

    Attributes:
        false: Part of the good rows above each threshold.
        true: Part of the bad rows above it.
        area: Under the curve: 0.5 by chance, 1 is perfect.
    """

    false: NDArray
    true: NDArray
    area: float


def roc(
    records: Sequence[Record],
    truth: Annotated[str, Option("--truth", "Column that is true for bad rows.", is_column=True)] = _BAD,
    scores: Annotated[
        list[str] | None,
        Option("--scores", "Columns of scores, e.g. '*_score' (repeatable; default: all known).", "PATTERN"),
    ] = None,
    *,
    look: Look = Look(),
) -> Drawing:
    """Draw a curve for each score: which part of the bad rows is above a threshold, and which part of the others.

    A larger score must mean a more unusual row. The legend has the area under each curve.

    Raises:
        InputError: There are no scores, or no bad or no good rows.

    Example:
        tkstudies outliers --keep all pca.jsonl | tkstudies plot roc -o roc.png
        tkstudies plot roc --scores t2 --scores q --col reco -o roc.png pca.jsonl
    """
    require_columns(records, "roc", truth)
    judged = [row for row in records if isinstance(row.get(truth), bool)]
    bad = sum(row[truth] for row in judged)
    if not bad or bad == len(judged):
        raise InputError(
            f"plot roc: {truth} must be true for some rows and false for others: {bad} of {len(judged)} are"
        )
    names = [name for name in columns_with_numbers(judged) if any(fnmatchcase(name, one) for one in scores or _SCORES)]
    if not names:
        told = f"--scores {' '.join(scores)}: no such column with numbers" if scores else "no scores"
        makers = "tkstudies pca makes t2 and q, outliers *_score, suspects score"
        raise InputError(f"plot roc: {told} in the records ({makers})")
    losses = Losses()
    losses.add(len(names) - _MOST, "score", f"not drawn: at most {_MOST} can be told apart") if len(
        names
    ) > _MOST else None
    names = names[:_MOST]
    panels = Panels(judged, look, shape=(6.8, 4.8))
    looks = list(zip(names, COLOURS, dashes_of(len(names)), strict=False))
    for ax, rows in panels:
        ax.plot([0, 1], [0, 1], color="#b0b0b0", linewidth=0.8, zorder=1)
        for name, colour, dashes in looks:
            curve = curve_of(rows, name, truth)
            if curve:
                ax.step(curve.false, curve.true, where="post", color=colour, linestyle=dashes, linewidth=1.7)
    entries = [
        legends.Entry(legends.line(colour, dashes), _text(judged, name, truth)) for name, colour, dashes in looks
    ]
    for name in names:
        losses.add(sum(number(row.get(name)) is None for row in judged), "row", f"left out of the curve of {name}")
    losses.add(len(records) - len(judged), "record", f"left out: neither true nor false in {truth}")
    panels.finish(
        "share of good rows above" if truth == _BAD else f"share above, {truth} false",
        "share of bad rows above" if truth == _BAD else f"share above, {truth} true",
        entries=entries,
        legend_title="score (area)",
    )
    return panels.drawing(len(names), "curve", losses)


def curve_of(rows: Sequence[Record], score: str, truth: str = _BAD) -> Curve | None:
    """The curve of a score over rows that have it; None without bad or without good ones. Equal scores are one step.

    >>> rows = [{"t2": 9, "is_bad": True}, {"t2": 5, "is_bad": False}, {"t2": 5, "is_bad": True}]
    >>> curve = curve_of(rows, "t2")
    >>> curve.false.tolist(), curve.true.tolist(), curve.area
    ([0.0, 0.0, 1.0], [0.0, 0.5, 1.0], 0.75)
    """
    import numpy as np

    known = [(value, row[truth]) for row in rows if (value := number(row.get(score))) is not None]
    values = np.array([min(max(float(value), -1e300), 1e300) if abs(value) < 1e300 else 1e300 for value, _ in known])
    is_bad = np.array([flag for _, flag in known], dtype=bool)
    if not is_bad.any() or is_bad.all():
        return None
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    found = np.cumsum(is_bad[order])[ends]
    true = np.concatenate([[0], found / is_bad.sum()])
    false = np.concatenate([[0], (ends + 1 - found) / (~is_bad).sum()])
    area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))
    return Curve(false, true, area)


def _text(rows: Sequence[Record], name: str, truth: str) -> str:
    curve = curve_of(rows, name, truth)
    return f"{quantity(name)} ({curve.area:.3f})" if curve else f"{quantity(name)} (none)"
