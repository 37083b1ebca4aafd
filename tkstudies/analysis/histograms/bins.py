"""Bins of a histogram as the DQM GUI serves it: their edges and contents."""

from __future__ import annotations

from itertools import accumulate
from math import isfinite
from typing import TYPE_CHECKING, Any

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
    first, last = (_number(axis, end, "value") for end in ("first", "last"))
    if first is None or last is None or not count or not first < last:
        return []
    if isinstance(widths, list) and len(widths) == count and all(map(_is_width, widths)):
        return list(accumulate(widths, initial=first))
    ids = [_number(axis, end, "id") for end in ("first", "last")]
    if None not in ids and ids[1] - ids[0] + 1 != count:
        return []
    return [first + (last - first) * number / count for number in range(count + 1)]


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


def _number(axis: Any, end: str, member: str) -> float | None:
    described = axis.get(end) if isinstance(axis, dict) else None
    value = described.get(member) if isinstance(described, dict) else None
    return value if _is_finite(value) else None


def _is_width(value: Any) -> bool:
    return _is_finite(value) and value > 0


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False
