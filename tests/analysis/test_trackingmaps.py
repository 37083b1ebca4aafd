import itertools
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.analysis.histograms.trackingmaps import (
    COLUMNS,
    angular_correlation,
    angular_entropy,
    compare_maps,
    map_array,
    map_scale,
    mean_normalise,
    reference_cost,
    scaled_reference_cost,
)

REAL_MAP = Path(__file__).parents[1] / "data" / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
A = np.array([[1.0, 2.0], [3.0, 4.0]])
ZERO = np.zeros((2, 2))
PAIR = [column for column in COLUMNS if column != "angular_entropy"]


def loop_correlation(matrix, periodic_phi=False):
    """The definition, pair by pair."""
    rows, columns = len(matrix), len(matrix[0])
    bins = list(itertools.product(range(rows), range(columns)))
    pairs = []
    for (y1, x1), (y2, x2) in itertools.product(bins, bins):
        dy = abs(y1 - y2)
        if periodic_phi:
            dy = min(dy, rows - dy)
        pairs.append((math.hypot(dy, x1 - x2), abs(matrix[y1][x1] - matrix[y2][x2])))
    largest = max(distance for distance, _ in pairs)
    sums, counts = [0.0] * 50, [0] * 50
    for distance, correlation in pairs:
        number = min(int(distance / largest * 50), 49)
        sums[number] += correlation
        counts[number] += 1
    return [total / count if count else math.nan for total, count in zip(sums, counts, strict=True)]


def loop_entropy(matrix, periodic_phi=False):
    means = loop_correlation(matrix, periodic_phi)
    return -sum(mean / sum(means) * math.log(mean / sum(means)) for mean in means if mean)


def random_map(rows, columns, seed=1):
    return np.random.default_rng(seed).poisson(200, (rows, columns)).astype(float)


@pytest.fixture(scope="module")
def real_map():
    return map_array(json.loads(REAL_MAP.read_text())["hist"])


def test_the_real_map_has_rows_over_phi(real_map):
    assert real_map.shape == (32, 31)
    assert real_map.sum() == 224509
    assert real_map[0, :3].tolist() == [1, 67, 306]


@pytest.mark.parametrize(
    "hist",
    [
        "unsupported type",
        None,
        {},
        {"bins": "x"},
        {"bins": {}},
        {"bins": {"content": [1, 2]}},
        {"bins": {"content": []}},
        {"bins": {"content": [[]]}},
        {"bins": {"content": [[1, 2], [3]]}},
        {"bins": {"content": [["a"]]}},
        {"bins": {"content": [[{}]]}},
        {"bins": {"content": [[[1]]]}},
    ],
)
def test_what_is_no_map(hist):
    assert map_array(hist) is None


def test_a_map_may_hold_nan():
    array = map_array({"bins": {"content": [[1, "nan"], [None, 2]]}})
    assert np.isnan(array).tolist() == [[False, True], [True, False]]
    assert compare_maps(array, A) == dict(zip(PAIR, (None, None, 1.0, False), strict=True))


def test_mean_normalise(real_map):
    normalised = mean_normalise(real_map)
    assert (normalised.mean(), normalised.std()) == pytest.approx((0, 1))
    assert mean_normalise(ZERO) is None


def test_identical_maps_cost_nothing(real_map):
    assert reference_cost(A, A) == scaled_reference_cost(A, A) == 0
    assert reference_cost(real_map, real_map) == scaled_reference_cost(real_map, real_map) == 0


def test_reference_cost_is_one_minus_pearsons_r(real_map):
    other = real_map[::-1]
    r = np.corrcoef(real_map.ravel(), other.ravel())[0, 1]
    assert reference_cost(real_map, other) == pytest.approx(1 - r, rel=1e-12)
    assert reference_cost(3 * real_map, other) == pytest.approx(1 - r, rel=1e-12)
    assert reference_cost(A, -A) == pytest.approx(2)


@pytest.mark.parametrize(
    ("occupancy", "reference", "scale"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]], 1),
        ([[1, 2], [3, 4]], [[2.01, 4], [6, 8.01]], 2),
        ([[1, 2], [3, 4]], [[2, 5], [6, 9]], 2),
        ([[1, 2], [3, 4], [5, 6]], [[3.01, 6.01], [9.01, 12.01], [15.01, 18.01]], 3.002),
        ([[1, 0], [3, 4]], [[-1, -2], [-3, -4]], -1),
        ([[0, 0], [6, 0]], [[-1, -2], [-3, -4]], -0.5),
        ([[1, 2], [3, 4]], [[0, 0], [0, 0]], 0),
        ([[1, 1, 1, 1]], [[0, 0, 10, 10]], 0),
        ([[1, 1, 1, 1, 1]], [[0, 0, 9.5, 10, 10]], 10),
        ([[0, 0], [0, 0]], [[1, 2], [3, 4]], None),
    ],
)
def test_map_scale(occupancy, reference, scale):
    assert map_scale(np.array(occupancy), np.array(reference)) == (scale and pytest.approx(scale, abs=1e-2))


def test_scaled_reference_cost_follows_its_definition(real_map):
    other = 2 * real_map + random_map(32, 31)
    scale, mean, deviation = map_scale(real_map, other), other.mean(), other.std()
    difference = (real_map * scale - mean) / deviation - (other - mean) / deviation
    assert scaled_reference_cost(real_map, other) == pytest.approx((difference**2).mean() / 2, rel=1e-9)


def test_maps_of_different_shape_are_not_compared(real_map):
    narrow = real_map[:, :26]
    assert [f(real_map, narrow) for f in (reference_cost, scaled_reference_cost, map_scale)] == [None] * 3


@pytest.mark.parametrize(
    ("occupancy", "reference", "expected"),
    [
        (A, A, (0, 0, 1, False)),
        (A, ZERO, (None, None, 0, True)),
        (ZERO, A, (None, None, None, True)),
        (A, np.full((2, 2), 3.0), (None, None, 0.75, True)),
        (A, np.ones((2, 3)), (None, None, None, True)),
        (A, np.arange(6.0).reshape(2, 3), (None, None, None, False)),
        (A, None, (None, None, None, None)),
        (None, ZERO, (None, None, None, True)),
        (None, None, (None, None, None, None)),
    ],
)
def test_compare_maps(occupancy, reference, expected):
    assert compare_maps(occupancy, reference) == dict(zip(PAIR, expected, strict=True))


@pytest.mark.parametrize("periodic_phi", [False, True])
@pytest.mark.parametrize("shape", [(12, 11), (9, 14), (16, 8), (1, 60), (3, 1)])
def test_angular_correlation_equals_the_loop(shape, periodic_phi):
    occupancy = random_map(*shape)
    _, correlation = angular_correlation(occupancy, periodic_phi)
    assert correlation == pytest.approx(loop_correlation(occupancy, periodic_phi), rel=1e-9, nan_ok=True)


def test_an_empty_distance_bin_makes_the_entropy_null():
    assert math.isnan(loop_correlation(random_map(12, 11))[1])
    assert angular_entropy(random_map(12, 11)) is None


@pytest.mark.parametrize("periodic_phi", [False, True])
def test_angular_entropy_of_the_real_map_equals_the_loop(real_map, periodic_phi):
    expected = loop_entropy(real_map.tolist(), periodic_phi)
    assert angular_entropy(real_map, periodic_phi) == pytest.approx(expected, rel=1e-9)


def test_a_map_turned_in_phi_keeps_its_periodic_entropy(real_map):
    turned = np.roll(real_map, 5, axis=0)
    assert angular_entropy(turned, True) == pytest.approx(angular_entropy(real_map, True), rel=1e-12)
    assert angular_entropy(turned) != pytest.approx(angular_entropy(real_map), rel=1e-6)


@pytest.mark.parametrize("occupancy", [ZERO, A, np.ones((32, 31)), np.full((32, 31), np.nan), [[1e308, -1e308]]])
def test_angular_entropy_that_is_not_defined(occupancy):
    assert angular_entropy(occupancy) is None


def test_angular_entropy_is_fast(real_map):
    angular_entropy(real_map)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        angular_entropy(real_map)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.011  # a 200th of the loop over 984,064 pairs


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5)


@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=3), st.booleans())
def test_results_are_finite_or_null(rows, is_reversed):
    occupancy = np.array(rows, dtype=float)
    values = compare_maps(occupancy, occupancy[:, ::-1] if is_reversed else occupancy).values()
    assert all(value is None or math.isfinite(value) for value in values)
