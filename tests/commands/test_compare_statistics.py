"""``compare``: false alarms of equal shapes by simulation, bins that say nothing, and what can't be compared."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from tests.commands.test_compare import profile, record, th1, th2
from tests.conftest import from_lines
from tkstudies.analysis.histograms.comparable import Incomparable, read
from tkstudies.analysis.histograms.comparison import chi_square, compare

GAUSS = np.exp(-(np.linspace(-4, 4, 80) ** 2) / 2)
SHAPES = {
    "gauss": GAUSS / GAUSS.sum(),
    "falling": np.exp(-np.arange(60) / 6) * (1 - np.exp(-1 / 6)),
    "flat": np.full(50, 0.02),
}
SIZES = [(200, 20_000), (20_000, 200), (400, 400), (20, 20_000)]


def weighted(content, error, of=th1):
    hist = of(content)
    return {**hist, "bins": {**hist["bins"], "error": np.asarray(error).tolist()}}


def shares(pairs, *tests):
    """How often each test holds for the comparisons of some pairs."""
    results = [compare(*pair) for pair in pairs]
    return np.mean([[test(result) for test in tests] for result in results], axis=0)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_equal_shapes_are_seldom_called_different(name, sizes):
    rng = np.random.default_rng(sum(sizes))
    shape = SHAPES[name] / SHAPES[name].sum()
    pairs = [[read(th1(rng.multinomial(size, shape))) for size in sizes] for _ in range(200)]
    found = shares(
        pairs,
        lambda result: (result["p_value"] or 1) < 0.01,
        lambda result: (result["p_value"] or 1) < 0.05,
        lambda result: result["ks_p_value"] < 0.01,
        lambda result: result["max_pull_corrected"] > 2.576,
    )
    assert found[0] <= 0.035 and 0.01 <= found[1] <= 0.1, found
    assert max(found[2:]) <= 0.035, found


@pytest.mark.parametrize("name", ["gauss", "falling"])
@pytest.mark.parametrize("sizes", [(200, 20_000), (2000, 2000), (20_000, 300)])
@pytest.mark.parametrize("weights", ["one", "of its bin", "random"])
def test_equal_shapes_of_weighted_histograms(name, sizes, weights):
    rng = np.random.default_rng(sum(sizes))
    shape = SHAPES[name] / SHAPES[name].sum()

    def sample(size):
        bins = rng.choice(len(shape), rng.poisson(size), p=shape)
        weight = {"one": np.full(len(bins), 2.5), "of its bin": 1 + bins / 10, "random": rng.exponential(1, len(bins))}
        sums = [np.bincount(bins, weight[weights] ** power, len(shape)) for power in (1, 2)]
        return read(weighted(sums[0], np.sqrt(sums[1])))

    pairs = [[sample(size) for size in sizes] for _ in range(100)]
    found = shares(
        pairs,
        lambda result: (result["p_value"] or 1) < 0.01,
        lambda result: result["max_pull_corrected"] > 3,
        lambda result: result["ndf"] > 1,
    )
    assert found[0] <= 0.04 and found[1] <= 0.01 and found[2] > 0.98, found


def test_profiles_of_equal_shape():
    rng = np.random.default_rng(8)
    errors = rng.uniform(0.05, 0.2, (2, 40))
    errors[0, :6] = 0
    pairs = [[read(profile(np.where(error, rng.normal(5, error), 0), error)) for error in errors] for _ in range(400)]
    found = shares(pairs, lambda result: result["p_value"] < 0.05, lambda result: result["max_pull_corrected"] > 1.96)
    assert (0.02 < found[0] < 0.09) and found[1] < 0.09, found


def test_another_shape_is_still_found():
    rng = np.random.default_rng(9)
    shape = SHAPES["gauss"]
    moved = np.roll(shape, 8)
    for sizes in SIZES[:3]:
        result = compare(
            *(read(th1(rng.multinomial(size, of))) for size, of in zip(sizes, (shape, moved), strict=True))
        )
        assert result["p_value"] < 1e-4, sizes


def test_merged_bins_keep_all_entries():
    data, reference = np.array([3.0, 0, 2, 0, 1, 40, 0, 1]), np.array([3.0, 1, 0, 0, 1, 39, 0, 2])
    expected = stats.chi2_contingency([[6, 41], [5, 41]], correction=False)  # the last bin joins the one before
    assert chi_square(data, reference) == (pytest.approx(expected.statistic), 1)
    assert chi_square(np.array([1.0, 1]), np.array([1.0, 3])) == (0.0, 0)


class TestProfiles:
    @pytest.mark.parametrize("kind", ["TProfile", "TProfile2D"])
    def test_bins_without_entries_on_one_side_say_nothing(self, kind):
        one, other = ([5, 5, 0], [0.1, 0.1, 0]), ([5, 5, 5], [0.1, 0.1, 0.1])
        for left, right in ((one, other), (other, one)):
            result = compare(*(read(profile(*side, kind=kind)) for side in (left, right)))
            assert (result["max_pull"], result["chi2"], result["ndf"], result["p_value"]) == (0, 0, 2, 1)
            assert (result["is_excess"], result["reason"]) == (None, None)

    def test_the_others_do(self):
        result = compare(read(profile([5, 6, 0], [0.1, 0.1, 0])), read(profile([5, 5, 5], [0.1, 0.1, 0.1])), 0)
        assert (result["max_pull"], result["bin"], result["ndf"]) == (pytest.approx(50**0.5), 1, 2)

    def test_without_a_common_bin_there_is_a_reason(self):
        with pytest.raises(Incomparable, match="no bin with a known error on both sides"):
            compare(read(profile([5, 0], [0.1, 0])), read(profile([0, 5], [0, 0.1])))

    @pytest.mark.parametrize("size", [1e160, 1e300])
    def test_huge_means_are_compared_or_refused(self, size):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same = compare(read(profile([size, 5], [1, 1])), read(profile([size, 5], [1, 1])))
            assert (same["max_pull"], same["ndf"]) == (0, 2)
            with pytest.raises(Incomparable, match="numbers too large to compute with"):
                compare(read(profile([size, 5], [1, 1])), read(profile([0, 5], [1, 1])), 0)


@pytest.mark.parametrize("of", [th1, lambda content: th2([content])])
def test_weighted_and_counted_contents_are_not_comparable(of):
    counts, weights = of([50, 60, 70]), weighted([50, 60, 70], [3, 3, 3], lambda content: of(content))
    if of is not th1:
        weights["bins"]["error"] = [[3, 3, 3]]
    for pair in ((counts, weights), (weights, counts)):
        with pytest.raises(Incomparable, match="one is weighted, the other holds counts"):
            compare(*map(read, pair))
    with_errors = weighted([50, 60, 70], np.sqrt([50, 60, 70]))
    assert compare(read(with_errors), read(th1([50, 60, 70])))["max_pull"] == 0


@pytest.mark.parametrize(
    ("data", "reference", "reason"),
    [
        (
            weighted([1e308, 1e308, 1], [1, 1, 1]),
            weighted([1e308, 1e308, 1], [1, 1, 1]),
            "contents too large to add up",
        ),
        (th1([1e308, 1e308]), th1([1, 2]), "contents too large to add up"),
        (th1([1, 2]), th1([1e200, 1e200]), "reference contents too large to add up"),
        (th1([1, 2]), th1([1e19, 1]), "reference contents too large to add up"),
        (th2([[1e308, 1e308]]), th2([[1e308, 1e308]]), "contents too large to add up"),
        (weighted([1e-300, 0.5e-300], [1e10, 1]), weighted([1.5, 2.5], [1, 1]), "numbers too large to compute with"),
    ],
)
def test_sums_beyond_floats_have_a_reason(tkstudies, data, reference, reason):
    result = tkstudies("compare", "--reference-run", "1", input=[record(2, data), record(1, reference)])
    [found] = from_lines(result.stdout)
    assert (found["reason"], found["ndf"], found["max_pull"]) == (reason, None, None)
    assert result.stderr.splitlines()[:2] == ["0 of 1 histogram compared", f"  not compared: 1 {reason}"]
    assert result.exit_code == 0


def test_too_few_entries_for_a_chi_square_are_told(tkstudies):
    rows = [record(2, th1([1, 0, 2])), record(1, th1([100, 200, 300]))]
    result = tkstudies("compare", "--reference-run", "1", input=rows)
    [found] = from_lines(result.stdout)
    assert (found["ndf"], found["p_value"], found["reason"]) == (0, None, None)
    assert found["ks"] > 0 and found["max_pull"] > 0
    assert result.stderr == "1 of 1 histogram compared\n  no p_value: 1 with too few entries for a chi-square\n"
