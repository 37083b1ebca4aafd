"""What stands out in a row, in words: its value, that of good rows, and the change in per cent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects.features import ENTRIES, plot_of, subsystem
from tkstudies.analysis.multivariate.suspects.strata import Stratum

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST = 3
TELLING = 4.0
"""Standard deviations from which on a feature speaks for itself."""

COMMON = 0.95
"""Good rows that have a feature of which it is said that it is missing."""

MOST_SIGMAS = 100.0

LOUDEST, QUIET, QUIET_IF_SHORT = 20.0, 6.0, 15.0
"""For the subsystem: above 20 standard deviations all are equally loud; below 6 (15 in a short run) they say little."""


class Finding(NamedTuple):
    """One thing that stands out.

    Attributes:
        feature: Its name.
        sigmas: How far it is off in standard deviations, at most 100; None if it is missing.
        text: In words.
    """

    feature: str
    sigmas: float | None
    text: str


class Shown(NamedTuple):
    """What the numbers of a table are called, and how they were before anything was done to them.

    Attributes:
        features: Names.
        values: Shape (rows, features), in the order of the stratum.
        level: The same after small groups were shifted to where their host is.
    """

    features: Sequence[str]
    values: Array
    level: Array

    def of_good(self, history: Rows, row: int, place: int) -> Array:
        """A feature of good rows, where they would be in the group of a row."""
        return self.level[history, place] + (self.values[row, place] - self.level[row, place])


def findings(stratum: Stratum, row: int, history: Rows, shown: Shown) -> list[Finding]:
    """What stands out most in a row of a stratum.

    Args:
        history: Good rows that it is compared with.
    """
    measure = int(stratum.calibrated.measure[row])
    if measure == 2 * len(stratum.views):
        return _missing(stratum, row, shown)
    view = stratum.views[measure // 2]
    model, learned = stratum.lesson(row, measure // 2)
    numbers, errors = view.of(np.array([row]), learned), view.errors[[row]]
    deviations = np.nan_to_num(model.deviations(numbers, errors)[0])
    others = ""
    if measure % 2 == 0 and np.abs(deviations).max() < TELLING:
        projected = model.precision @ model.standardised(numbers, errors)[0]
        deviations = np.where(np.isnan(numbers[0]), 0.0, projected / np.sqrt(np.diag(model.precision)))
        others = ", given all other plots"
    order = np.argsort(-np.abs(deviations), kind="stable")[:MOST]
    told = [place for place in order.tolist() if abs(deviations[place]) >= TELLING] or order[:1].tolist()
    typical = view.typical(np.array([row]), learned)
    found = []
    for place in told:
        sigmas = float(np.clip(deviations[place], -MOST_SIGMAS, MOST_SIGMAS))
        if typical is None:
            text = _text(shown.features[place], shown.values[row, place], shown.of_good(history, row, place)) + others
        else:
            near = shown.values[row, place] - numbers[0, place]
            text = _beside(shown.features[place], shown.values[row, place], near) + others
        found.append(Finding(shown.features[place], sigmas, text))
    return found


def _text(feature: str, value: float, good: Array) -> str:
    """The value beside those of good rows.

    >>> _text("Hits.Pixel.mean", 9.1, np.linspace(14.05, 14.95, 100))
    'Hits.Pixel.mean 9.1; 90 % of good rows: 14.1 to 14.9 (-37 %)'
    """
    good = good[~np.isnan(good)]
    low, middle, high = np.quantile(good, [0.05, 0.5, 0.95])
    if feature.endswith(ENTRIES):
        change = np.expm1(value - middle)
        return f"{plot_of(feature)} has {change:+.0%} entries beside the other plots".replace("%", " %")
    return f"{feature} {_number(value)}; 90 % of good rows: {_range(low, high)}{_change(value, middle)}"


def _beside(feature: str, value: float, near: float) -> str:
    if feature.endswith(ENTRIES):
        change = f"{np.expm1(value - near):+.0%}".replace("%", " %")
        return f"{plot_of(feature)} has {change} entries beside the other plots, against the lumisections around"
    return f"{feature} {_number(value)}; lumisections around: {_number(near)}{_change(value, near)}"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _range(low: float, high: float) -> str:
    """Two numbers with so many digits that they differ; one if they don't."""
    if f"{low:.8g}" == f"{high:.8g}":
        return _number(low)
    for digits in range(3, 9):
        texts = [f"{value:.{digits}g}" for value in (low, high)]
        if texts[0] != texts[1]:
            break
    return " to ".join(text if "e" not in text else f"{float(text):,.0f}" for text in texts)


def _change(value: float, usual: float) -> str:
    if not usual or abs(value / usual) >= 100 or value * usual < 0:
        return ""
    change = (value / usual - 1) * 100
    return f" ({change:+.0f} %)" if abs(change) >= 1 else f" ({change:+.1g} %)"


def _missing(stratum: Stratum, row: int, shown: Shown) -> list[Finding]:
    values = shown.values
    absent = np.flatnonzero(np.isnan(values[row])).tolist()
    common = [place for place in absent if (~np.isnan(values[stratum.good, place])).mean() >= COMMON]
    if len(common) == values.shape[1]:
        return [Finding(shown.features[place], None, "all features are missing") for place in common[:1]]
    plots = list(dict.fromkeys(plot_of(shown.features[place]) or shown.features[place] for place in common))
    rest = f" (and {len(plots) - MOST} more)" if len(plots) > MOST else ""
    names = {plot_of(shown.features[place]) or shown.features[place]: shown.features[place] for place in common[::-1]}
    return [
        Finding(names[plot], None, f"{plot} is missing{rest if number == MOST - 1 else ''}")
        for number, plot in enumerate(plots[:MOST])
    ]


def loudest_subsystem(deviations: Array, features: Sequence[str], is_short: bool = False) -> str:
    """The subsystem in which the largest changes are.

    What happens to pixel or strip shows in the tracks too, so tracking is meant if neither of them says much; the
    pixel detector, where both are loud. In a short run everything varies more, and more is needed.

    Args:
        deviations: In standard deviations, shape (features,).
    """
    loudness: dict[str, float] = {}
    for feature, size in zip(features, np.minimum(np.abs(deviations), LOUDEST).tolist(), strict=True):
        name = subsystem(feature)
        loudness[name] = max(loudness.get(name, 0.0), size)
    detectors = {name: loudness[name] for name in ("pixel", "strip") if name in loudness}
    quiet = QUIET_IF_SHORT if is_short else QUIET
    if not detectors or (max(detectors.values()) < quiet and "tracking" in loudness):
        return "tracking"
    return max(detectors, key=lambda name: detectors[name])


def deviations_of(stratum: Stratum, row: int) -> Array:
    """How far each feature of a row is off, in the view that decides; 0 where it is missing."""
    number = min(int(stratum.calibrated.measure[row]) // 2, len(stratum.views) - 1)
    model, learned = stratum.lesson(row, number)
    view = stratum.views[number]
    return np.nan_to_num(model.deviations(view.of(np.array([row]), learned), view.errors[[row]])[0])
