"""What a comparison needs of a histogram, and whether two can be compared at all: the reason if not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.histograms.bins import contents, contents_of, edges_of
from tkstudies.histogramrecord import Hist, as_hist, member

Array = NDArray[np.float64]

MOST_ENTRIES = 1e18
"""More can't be counted: the next numbers of a float are hundreds apart."""

TOO_LARGE = "numbers too large to compute with"

SUMMARY = "no bins: a summary (tkstudies dqm without --summaries fetches them)"
"""Why a summary can't be compared."""


class Incomparable(ValueError):
    """Two histograms that can't be compared; the message is the reason."""


@dataclass(frozen=True)
class Histogram:
    """What a comparison needs of a histogram.

    Attributes:
        is_profile: Bins hold means rather than counts.
        content: Shape (bins,), or (bins in y, bins in x).
        error: Errors of the contents, same shape; None if the server didn't give them.
        x: Edges of the bins in x [units of the axis], None if unknown.
        y: The same in y.
        labels: Texts of the bins in x and y, if they have any.
    """

    is_profile: bool
    content: Array
    error: Array | None
    x: Array | None
    y: Array | None
    labels: tuple[Any, Any]

    @cached_property
    def is_counts(self) -> bool:
        """Are the contents numbers of entries? Weighted ones have errors other than the square root."""
        if self.is_profile or (self.content < 0).any() or (self.content % 1 != 0).any():
            return False
        if self.error is None or not self.error.any():
            return True
        return bool(np.allclose(self.error, np.sqrt(self.content), rtol=1e-3, atol=1e-3))

    @property
    def known_error(self) -> Array:
        """The errors.

        Raises:
            Incomparable: There are none.
        """
        if self.error is None:
            raise Incomparable("no bin errors")
        return self.error


def read(hist: Any) -> Histogram:
    """A histogram as the DQM GUI serves it, for a comparison.

    Args:
        hist: As a record has it, decoded or not.

    Raises:
        Incomparable: It isn't there, has no bins, or contents that aren't finite.

    Example:
        >>> read({"type": "TH2", "bins": {"content": [[1, 2, 3], [4, 5, 6]]}}).content.shape
        (2, 3)
    """
    found = as_hist(hist)
    if found is not None and found.is_summary:
        raise Incomparable(SUMMARY)
    if found is None or found.bins is None:
        raise Incomparable("no histogram")
    content = contents_of(found)
    if content is None:
        raise Incomparable("no bin contents")
    if not np.isfinite(content).all():
        raise Incomparable("contents that are not finite")
    error = contents(member(found.bins.error))
    return Histogram(
        is_profile=found.is_profile,
        content=content,
        error=error if error is not None and error.shape == content.shape else None,
        x=_edges(found, "x", content.shape[-1]),
        y=_edges(found, "y", content.shape[0]) if content.ndim == 2 else None,
        labels=(_labels(member(found.xaxis)), _labels(member(found.yaxis))),
    )


def _edges(hist: Hist, axis: str, count: int) -> Array | None:
    found = edges_of(hist, axis, count)
    return np.array(found) if found else None


def _labels(axis: Any) -> Any:
    return axis.get("labels") if isinstance(axis, dict) else None


def usable(histogram: Histogram | str, whose: str = "") -> Histogram:
    """A histogram that could be read.

    Raises:
        Incomparable: It couldn't; the text says why.
    """
    if isinstance(histogram, str):
        raise Incomparable(whose + histogram)
    return histogram


def check(data: Histogram, reference: Histogram) -> None:
    """See to it that two histograms can be compared.

    Raises:
        Incomparable: Their binning or kind differs, or one is empty, or its contents can't be added up.
    """
    _check_binning(data, reference)
    sides = (data, ""), (reference, "reference ")
    if not data.is_profile:
        for histogram, whose in sides:
            _check_sum(histogram, whose)
        if data.is_counts and reference.is_counts:
            return
    weighted = [histogram for histogram, _ in sides if histogram.is_profile or not histogram.is_counts]
    if any(histogram.error is None for histogram in weighted):
        raise Incomparable("no bin errors")
    if len(weighted) < len(sides):
        raise Incomparable("one is weighted, the other holds counts")
    for histogram, whose in sides:
        if not np.isfinite(histogram.known_error).all():
            raise Incomparable("errors that are not finite")
        if not (histogram.known_error > 0).any():
            raise Incomparable(f"{whose}empty")


def _check_sum(histogram: Histogram, whose: str) -> None:
    with np.errstate(over="ignore"):
        total = histogram.content.sum()
    if not np.isfinite(total) or (histogram.is_counts and total > MOST_ENTRIES):
        raise Incomparable(f"{whose}contents too large to add up")
    if histogram.is_counts and not total:
        raise Incomparable(f"{whose}empty")


def _check_binning(data: Histogram, reference: Histogram) -> None:
    if data.is_profile != reference.is_profile:
        raise Incomparable("kind of histogram differs")
    if data.content.shape != reference.content.shape:
        raise Incomparable("binning differs")
    for mine, other in ((data.x, reference.x), (data.y, reference.y)):
        if mine is not None and other is not None:
            allowed = 1e-5 * (other[-1] - other[0])  # the server writes six digits
            if np.abs(mine - other).max() > allowed:
                raise Incomparable("binning differs")
    for mine, other in zip(data.labels, reference.labels, strict=True):
        if mine and other and mine != other:
            raise Incomparable("labels of the bins differ")
