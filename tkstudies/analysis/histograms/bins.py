"""Bins of a histogram as the DQM GUI serves it: their edges and contents."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tkstudies.histogramrecord import Hist, member
from tkstudies.records import number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def edges(axis: Any, count: int, widths: Any = None) -> list[float]:
    """Edges of ``count`` bins [units of the axis], from the lower edge of the first to the upper one of the last.

    Args:
        axis: ``hist["xaxis"]`` or ``hist["yaxis"]``.
        widths: ``hist["bins"]["width"]``, which lists widths that aren't equal.

    Returns:
        ``count + 1`` numbers; none if they aren't known, as of a zoomed axis, whose ends belong to other bins.

    Example:
        >>> edges({"first": {"id": 1, "value": 0}, "last": {"id": 2, "value": 4}}, 2)
        [0.0, 2.0, 4.0]
    """
    first, last = (_end(axis, end, "value") for end in ("first", "last"))
    if first is None or last is None or not count or not first < last:
        return []
    if isinstance(widths, list) and len(widths) == count:
        known = [width for width in map(_float, widths) if width is not None and width > 0]
        if len(known) == count:
            return list(accumulate(known, initial=first))
    first_id, last_id = (_end(axis, end, "id") for end in ("first", "last"))
    if first_id is not None and last_id is not None and last_id - first_id + 1 != count:
        return []
    return [first + (last - first) * place / count for place in range(count + 1)]


def edges_of(hist: Hist, axis: str, count: int) -> list[float]:
    """The same of the ``x`` or ``y`` axis of a histogram; only bins in x have widths of their own."""
    if axis == "y":
        return edges(member(hist.yaxis), count)
    return edges(member(hist.xaxis), count, member(hist.bins.width) if hist.bins else None)


def contents(values: Any) -> NDArray[np.float64] | None:
    """``hist["bins"]["content"]`` or ``["error"]``, shape (bins,) or (bins in y, bins in x); None if it is neither.

    The texts ``nan`` and ``inf`` of the server are numbers.
    """
    import numpy as np

    if not isinstance(values, list):
        return None
    try:
        array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.ndim in (1, 2) and array.size else None


def contents_of(hist: Hist | None) -> NDArray[np.float64] | None:
    """The same of a histogram; None if there is none."""
    return contents(member(hist.bins.content)) if hist and hist.bins else None


def _end(axis: Any, end: str, name: str) -> float | None:
    described = axis.get(end) if isinstance(axis, dict) else None
    return _float(described.get(name)) if isinstance(described, dict) else None


def _float(value: Any) -> float | None:
    found = number(value)
    try:
        return None if found is None else float(found)
    except OverflowError:
        return None
