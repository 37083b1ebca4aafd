"""Limits of T2 and Q: quantiles against scipy, and how many rows of the same kind lie beyond them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import special, stats

from tkstudies.analysis.multivariate import components
from tkstudies.analysis.multivariate.distributions import beta_quantile, chi_square_quantile, f_quantile

PROBABILITIES = (1e-6, 0.01, 0.3, 0.5, 0.9, 0.95, 0.99, 0.999)
REMAINING = {
    "flat": np.ones(30),
    "geometric": 0.7 ** np.arange(30),
    "one large": np.r_[20.0, np.full(29, 0.1)],
    "only one": np.array([3.0]),
    "two": np.array([5.0, 0.01]),
}


@pytest.mark.parametrize("freedom", [1e-3, 0.0173, 0.3, 1, 1.5, 2, 3.7, 29.3, 31, 400.5, 1e4, 123456.7, 1e6])
def test_chi_square_quantiles(freedom):
    for probability in PROBABILITIES:
        found, expected = chi_square_quantile(freedom, probability), stats.chi2.ppf(probability, freedom)
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-290)


def test_beta_and_f_quantiles():
    sizes = (1e-3, 0.04, 0.5, 1, 2.5, 27, 333.3, 4e4, 1e6)
    for a, b, probability in itertools.product(sizes, sizes, PROBABILITIES):
        found = beta_quantile(a, b, probability)
        if 1e-290 < found < 1 - 1e-9:
            assert special.betainc(a, b, found) == pytest.approx(probability, rel=1e-8)
            ratio = f_quantile(2 * a, 2 * b, probability)
            assert a * ratio / (a * ratio + b) == pytest.approx(found, rel=1e-12)
    assert beta_quantile(0.37, 0.37, 0.5) == pytest.approx(0.5, rel=1e-14)
    for a, b in ((2.5, 27), (0.5, 0.5), (5, 5000)):
        assert beta_quantile(a, b, 0.99) == pytest.approx(stats.beta.ppf(0.99, a, b), rel=1e-10)
        assert f_quantile(a, b, 0.99) == pytest.approx(stats.f.ppf(0.99, a, b), rel=1e-10)


def model_of(remaining=(), kept=5, rows=60):
    nothing = np.zeros(0)
    sums = tuple(float((np.asarray(remaining, dtype=float) ** power).sum()) for power in (1, 2, 3))
    return components.Model([], nothing, nothing, nothing, nothing, np.ones(kept), np.ones(kept), rows, sums)


@pytest.mark.parametrize("name", REMAINING)
def test_q_limit_of_weighted_chi_squares(name):
    remaining, model = REMAINING[name], model_of(REMAINING[name])
    rng = np.random.default_rng(4)
    q = (remaining * rng.standard_normal((100_000, len(remaining))) ** 2).sum(axis=1)
    assert model.q_limit(0.99) > model.q_limit(0.95) > remaining.sum()
    assert 0.0085 < (q > model.q_limit(0.99)).mean() < 0.0115
    assert 0.045 < (q > model.q_limit(0.95)).mean() < 0.055
    assert (model.q_limit(0.95), model.q_limit(0.99)) == pytest.approx(np.quantile(q, [0.95, 0.99]), rel=0.03)


@pytest.mark.parametrize(("scale", "count"), [(1e-90, 3), (1e90, 3), (1e-12, 2000)])
def test_q_limit_has_no_unit(scale, count):
    remaining = 0.9 ** np.arange(count)
    assert model_of(scale * remaining).q_limit(0.99) == pytest.approx(scale * model_of(remaining).q_limit(0.99))


def test_q_limit_of_equal_variances_is_that_of_the_chi_square():
    assert model_of(np.full(7, 2.5)).q_limit(0.99) == pytest.approx(2.5 * stats.chi2.ppf(0.99, 7), rel=1e-12)
    assert model_of([]).q_limit(0.99) is None


def test_t2_limits():
    model = model_of(rows=60)
    assert model.t2_limit(0.99, fitted=True) == pytest.approx(59**2 / 60 * stats.beta.ppf(0.99, 2.5, 27), rel=1e-12)
    assert model.t2_limit(0.99) == pytest.approx(5 * 59 * 61 / (60 * 55) * stats.f.ppf(0.99, 5, 55), rel=1e-12)
    assert [round(model.t2_limit(0.99, fitted), 1) for fitted in (True, False)] == [13.8, 18.4]
    assert (model_of(rows=6).t2_limit(0.99, fitted=True), model_of(rows=6).t2_limit(0.99) is None) == (None, False)
    assert model_of(rows=5).t2_limit(0.99) is None


@pytest.mark.parametrize(
    ("rows", "studies", "fresh"),
    [(50, 100, False), (200, 40, False), (2000, 5, False), (200, 5, True), (2000, 5, True)],
)
def test_rows_beyond_the_99_percent_limits(rows, studies, fresh):
    rng = np.random.default_rng(rows)
    mixing = np.diag(0.75 ** np.arange(20)) @ np.linalg.qr(rng.normal(size=(20, 20)))[0]
    beyond = []
    for _ in range(studies):
        fitted, others = rng.normal(size=(rows, 20)) @ mixing, rng.normal(size=(2000, 20)) @ mixing
        model = components.fit([fitted], [f"f{n}" for n in range(20)], 5, np.zeros(20))
        _, t2, q = model.project(others if fresh else fitted)
        beyond.append([(t2 > model.t2_limit(0.99, not fresh)).mean(), (q > model.q_limit(0.99)).mean()])
    assert all(0.003 < share < 0.025 for share in np.mean(beyond, axis=0)), np.mean(beyond, axis=0)
