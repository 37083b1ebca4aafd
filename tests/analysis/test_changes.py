"""How much plots change between good runs: right on the average, and independent of what doesn't matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tkstudies.analysis.histograms.changes import LEAST_SIZE, Change, change, learn
from tkstudies.analysis.histograms.comparable import Incomparable, read
from tkstudies.analysis.histograms.learning import MOST_PAIRS, MOST_RUNS, Learner, balanced_pairs
from tkstudies.histogramrecord import HistogramRecord

X = np.linspace(0.05, 9.95, 100)


@pytest.fixture(name="rng")
def _rng():
    return np.random.default_rng(5)


def th1(content):
    return read({"type": "TH1", "bins": {"content": np.asarray(content).tolist()}})


def profile(content, error):
    bins = {"content": np.asarray(content).tolist(), "error": np.asarray(error).tolist()}
    return read({"type": "TProfile", "bins": bins})


def peak(rng, entries, shift, bins=100):
    """A peak of good runs: its place changes from run to run."""
    weights = np.exp(-0.5 * (X - 5 - shift) ** 2)
    return rng.poisson(entries * weights / weights.sum()).reshape(bins, -1).sum(axis=1)


def good_changes(rng, pairs, spread, entries, bins=100):
    """Changes between independent pairs of good runs; ``entries`` gives the number of each."""
    return [change(*(th1(peak(rng, entries(), rng.normal(0, spread), bins)) for _ in range(2))) for _ in range(pairs)]


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.5])
def test_as_many_good_pairs_are_beyond_as_expected(rng, spread):
    def entries():
        return rng.choice([3_000, 100_000])

    usual = learn(good_changes(rng, 250, spread, entries))
    z = np.array([usual.z(one) for one in good_changes(rng, 400, spread, entries)])
    assert abs(np.median(z)) < 0.25
    assert 0.04 < (z > 1.2816).mean() < 0.17
    assert (z > 5).mean() < 0.005


def test_short_runs_are_not_more_unusual(rng):
    """What the number of entries explains is no change."""
    usual = learn(good_changes(rng, 200, 0.05, lambda: 1_000_000))
    short = np.array([usual.z(one) for one in good_changes(rng, 200, 0.05, lambda: 500)])
    assert (short > 1.2816).mean() < 0.15
    assert short.max() < 5
    shifted = [change(th1(peak(rng, 500, 1.0)), th1(peak(rng, 1_000_000, 0))) for _ in range(20)]
    assert min(map(usual.z, shifted)) > 5


def test_a_plot_that_changes_much_needs_more(rng):
    calm, restless = (learn(good_changes(rng, 200, spread, lambda: 100_000)) for spread in (0.02, 0.3))
    one = change(th1(peak(rng, 100_000, 0.3)), th1(peak(rng, 100_000, 0)))
    assert calm.z(one) > 5
    assert restless.z(one) < 1.5


def test_binning_hardly_matters(rng):
    """Half as many bins: the same changes to a few per cent."""
    state = rng.bit_generator.state
    of_bins = {}
    for bins in (100, 50, 25):
        rng.bit_generator.state = state
        usual = learn(good_changes(rng, 150, 0.1, lambda: 50_000, bins))
        of_bins[bins] = [usual.z(one) for one in good_changes(rng, 50, 0.1, lambda: 50_000, bins)]
    assert np.abs(np.subtract(of_bins[100], of_bins[50])).max() < 0.15
    assert np.abs(np.subtract(of_bins[100], of_bins[25])).max() < 0.3


def test_the_unit_of_a_profile_does_not_matter(rng):
    def measured(scale):
        found = []
        for _ in range(60):
            pair = [10 + rng.normal(0, 0.2) + rng.normal(0, 0.05, 20) for _ in range(2)]
            found.append(change(*(profile(scale * content, np.full(20, 0.05 * scale)) for content in pair)))
        return learn(found[:-1]).z(found[-1]), found[-1].size

    state = rng.bit_generator.state
    z, size = measured(1.0)
    for scale in (1e-6, 1e9):
        rng.bit_generator.state = state
        same, scaled = measured(scale)
        assert same == pytest.approx(z, rel=1e-6)
        assert scaled == pytest.approx(scale * size, rel=1e-9)


@pytest.mark.parametrize("entries", [20.0, 2000.0])
def test_profiles_of_good_pairs(rng, entries):
    def pairs(count):
        error = 1 / np.sqrt(entries)
        for _ in range(count):
            levels = 10 + rng.normal(0, 0.05, 2)
            yield change(*(profile(level + rng.normal(0, error, 30), np.full(30, error)) for level in levels))

    usual = learn(list(pairs(250)))
    z = np.array([usual.z(one) for one in pairs(400)])
    assert 0.04 < (z > 1.2816).mean() < 0.17
    dip = 10 + rng.normal(0, 1 / np.sqrt(entries), 30)
    dip[3:9] -= 2
    even = profile(np.full(30, 10.0), np.full(30, 1 / np.sqrt(entries)))
    assert usual.z(change(profile(dip, np.full(30, 1 / np.sqrt(entries))), even)) > 5


def test_weighted_histograms_have_effective_entries(rng):
    counts = peak(rng, 1000, 0.0)
    weighted = {"content": (counts * 2.5).tolist(), "error": (2.5 * np.sqrt(counts)).tolist()}
    other = peak(rng, 1000, 0.1)
    of_counts = change(th1(counts), th1(other))
    both = [read({"type": "TH1", "bins": weighted}), replace(th1(other * 2.5), error=2.5 * np.sqrt(other))]
    assert change(*both).size == pytest.approx(of_counts.size)
    assert change(*both).noise == pytest.approx(of_counts.noise)


def test_two_dimensions(rng):
    flat = rng.poisson(100, (12, 20))
    hole = flat.copy()
    hole[3:6, 4:9] = 0
    even = read({"type": "TH2", "bins": {"content": rng.poisson(100, (12, 20)).tolist()}})
    small, large = (change(read({"type": "TH2", "bins": {"content": one.tolist()}}), even) for one in (flat, hole))
    assert small.size < 2 * small.noise < large.size / 2


def test_equal_histograms_and_extremes():
    one = th1([5, 5, 9])
    assert change(one, one).size == LEAST_SIZE
    usual = learn([Change(LEAST_SIZE, 0.0, False)] * 30)
    assert usual.z(Change(LEAST_SIZE, 0.0, False)) == pytest.approx(0, abs=1e-6)
    assert usual.z(Change(0.1, 0.0, False)) > 100
    huge = th1([4e17, 1e17, 3e17])
    assert 0 < change(huge, th1([1, 1, 1])).size < 1
    assert np.isfinite(change(profile([1e150, 2e150], [1e148, 1e148]), profile([1e150, 1e150], [1e148, 1e148])).size)
    with pytest.raises(Incomparable, match="too large"):
        change(profile([1e200, 2e200], [1e-200, 1e-200]), profile([1e200, 1e200], [1e-200, 1e-200]))
    with pytest.raises(Incomparable, match="empty"):
        change(th1([0, 0, 0]), one)


def test_pairs_are_balanced_and_not_repeated():
    for count in (0, 1, 2, 3, 7, 8, 30, 100):
        pairs = list(balanced_pairs(range(count)))
        assert len({frozenset(pair) for pair in pairs}) == len(pairs) == min(count * (count - 1) // 2, MOST_PAIRS)
        uses = np.bincount(np.array(pairs, dtype=int).ravel(), minlength=count)
        assert count == 0 or uses.max() - uses.min() <= 2


def learned(records, **options):
    learner = Learner(lambda key: (), **options)
    for one in records:
        learner.add(HistogramRecord.from_record(one))
    return learner.learn(), learner


def record(run, content, **others):
    hist = {"type": "TH1", "bins": {"content": np.asarray(content).tolist()}}
    return {"run_number": run, "reco": "express", "plot": "/a/b", "hist": hist, **others}


def test_the_same_runs_whatever_the_order(rng):
    rows = [record(run, peak(rng, 5000, rng.normal(0, 0.1))) for run in range(1, MOST_RUNS + 60)]
    (usual, _), learner = learned(rows)
    (again, _), other = learned([rows[place] for place in rng.permutation(len(rows))])
    assert usual == again
    assert learner.runs == other.runs
    assert len(learner.runs) == MOST_RUNS - 5  # the most unusual ones don't teach
    assert learned(rows, seed=7)[1].runs != learner.runs


def test_a_few_wrong_labels_do_not_matter(rng):
    good = [record(run, peak(rng, 5000, rng.normal(0, 0.1))) for run in range(1, 101)]
    wrong = [record(run, peak(rng, 5000, 3)) for run in (20, 40, 60, 80)]
    (clean, _), _ = learned(good)
    (mixed, _), learner = learned([*wrong, *(one for one in good if one["run_number"] % 20 or one["run_number"] > 80)])
    assert not {20, 40, 60, 80} & set(learner.runs)
    (one,), (other,) = clean.values(), mixed.values()
    assert other.natural == pytest.approx(one.natural, rel=0.15)


def test_kinds_and_primary_datasets_are_not_paired(rng):
    def of(stream, shift, first):
        dataset = f"/{stream}/Run2018D-Express-v1/DQMIO"
        return [record(first + n, peak(rng, 5000, shift + rng.normal(0, 0.05)), dataset=dataset) for n in range(12)]

    (usual, _), _ = learned([*of("StreamExpress", 0, 100), *of("StreamExpressCosmics", 3, 200)])
    assert {key.stream: value.natural < 0.1 for key, value in usual.items()} == {
        "StreamExpress": True, "StreamExpressCosmics": True,
    }  # fmt: skip
    (together, _), _ = learned([*of("ZeroBias1", 0, 100), *of("ZeroBias2", 0, 200)])
    assert [key.stream for key in together] == ["ZeroBias"]


def test_what_is_not_learned_is_said(rng):
    few = [record(run, peak(rng, 5000, 0), plot="/few") for run in range(5)]
    empty = [record(run, np.zeros(100), plot="/empty") for run in range(10)]
    absent = [{**record(run, [1]), "plot": "/absent", "hist": "unsupported type"} for run in range(10)]
    (usual, not_learned), _ = learned([*few, *empty, *absent])
    assert usual == {}
    assert {key.plot: why for key, why in not_learned.items()} == {
        "/few": "10 pairs of good runs, 20 needed",
        "/empty": "0 pairs of good runs, 20 needed; others: empty",
        "/absent": "0 pairs of good runs, 20 needed; others: no histogram",
    }


def test_a_run_beside_itself_in_another_reco(rng):
    """The same events: what is common to both doesn't count, however few entries there are."""
    rows = []
    for run in range(1, 31):
        content = peak(rng, 300, rng.normal(0, 0.5))
        moved = content.copy()
        moved[50] += 3
        rows += [record(run, content, reco="prompt"), record(run, moved, reco="rereco")]
    (usual, not_learned), _ = learned(rows, reference_reco="prompt")
    ((key, found),) = usual.items()
    assert (key.reco, found.pairs, not_learned) == ("rereco", 29, {})
    data, reference = th1(peak(rng, 300, 0)), th1(peak(rng, 300, 0))
    assert found.z(change(data, reference, same_data=True)) > 5
