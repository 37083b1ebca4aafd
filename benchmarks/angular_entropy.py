"""``python -m benchmarks.angular_entropy``: one tracking map, against the loop over all pairs of bins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from benchmarks.timing import medians, report
from tkstudies.analysis.histograms.trackingmaps import angular_entropy

SHAPE = (32, 31)
TIMES_FASTER = 200


def quadruple_loop(occupancy: np.ndarray) -> float:
    """The entropy from its definition, pair by pair."""
    rows, columns = occupancy.shape
    distances, differences = [], []
    for y1 in range(rows):
        for x1 in range(columns):
            for y2 in range(rows):
                for x2 in range(columns):
                    distances.append(math.hypot(y1 - y2, x1 - x2))
                    differences.append(abs(occupancy[y1, x1] - occupancy[y2, x2]))
    pairs, edges = np.histogram(distances, bins=50)
    sums, _ = np.histogram(distances, bins=edges, weights=differences)
    shares = sums / pairs
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())


def main() -> None:
    """Both must agree, and ours be quicker by a factor."""
    occupancy = np.random.default_rng(1).poisson(220, SHAPE).astype(float)
    ours, theirs = angular_entropy(occupancy), quadruple_loop(occupancy)
    print(f"angular entropy of a {SHAPE[0]} x {SHAPE[1]} map: ours {ours:.12f}, by definition {theirs:.12f}")
    contestants = {
        "the quadruple loop": lambda: _seconds(quadruple_loop, occupancy, 1),
        "angular_entropy": lambda: _seconds(angular_entropy, occupancy, 100),
    }
    times = medians(contestants, 5)
    report("time of one map", times, "the quadruple loop", {"angular_entropy": 1 / TIMES_FASTER})
    print(f"  {times['the quadruple loop'] / times['angular_entropy']:.0f} times faster")


def _seconds(function: Callable[[np.ndarray], object], occupancy: np.ndarray, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function(occupancy)
    return (time.perf_counter() - start) / times


if __name__ == "__main__":
    main()
