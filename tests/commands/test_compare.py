import json
import math
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.conftest import from_lines, to_lines
from tkstudies.analysis.histograms.comparable import Incomparable, read
from tkstudies.analysis.histograms.comparison import COLUMNS, kolmogorov_smirnov
from tkstudies.analysis.histograms.comparison import compare as compare_histograms
from tkstudies.analysis.histograms.pulls import beta_binomial_pulls

REAL = Path(__file__).parents[1] / "data" / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
KEYS = ["run_number", "reco", "reference_run_number", "plot", "name"]


@pytest.fixture(name="rng")
def _rng():
    return np.random.default_rng(12)


def th1(content, low=0.0, high=10.0, **members):
    content = np.asarray(content).tolist()
    axis = {"first": {"id": 1, "value": low}, "last": {"id": len(content), "value": high}}
    return {"type": "TH1", "xaxis": axis, "bins": {"content": content}, **members}


def th2(content, **members):
    content = np.asarray(content).tolist()
    x = {"first": {"id": 1, "value": -3}, "last": {"id": len(content[0]), "value": 3}}
    y = {"first": {"id": 1, "value": 0}, "last": {"id": len(content), "value": 8}}
    return {"type": "TH2", "xaxis": x, "yaxis": y, "bins": {"content": content}, **members}


def profile(content, error, kind="TProfile"):
    hist = th1(content)
    return {**hist, "type": kind, "bins": {**hist["bins"], "error": list(error)}}


def record(run, hist, plot="/Tracking/a/b", reco="express", **others):
    name = plot.rpartition("/")[2]
    return {"run_number": run, "reco": reco, "dataset": "/x", "plot": plot, "name": name, "hist": hist, **others}


@pytest.fixture
def compare(tkstudies, tmp_path):
    def run(data, reference, *arguments):
        file = tmp_path / "reference.jsonl"
        file.write_text(to_lines(reference))
        result = tkstudies("compare", "--reference", file, *arguments, input=data)
        return from_lines(result.stdout), result.stderr, result.exit_code

    return run


def pulls_bin_by_bin(data, reference, tolerance):
    """The formula of AutoDQM with scipy's beta-binomial distribution, one bin after the other."""
    pulls = []
    total, reference_total = data.sum(), reference.sum()
    for d, r in zip(data.ravel(), reference.ravel(), strict=True):
        scale = (1 + (r * tolerance**2) ** 2) ** -0.5
        r_eff, total_eff = round(r * scale), round(reference_total * scale)
        chance = stats.betabinom(int(total), r_eff + 1, total_eff - r_eff + 1)
        expected = total * r / reference_total
        most = max(chance.pmf(math.floor(expected)), chance.pmf(min(math.ceil(expected), total)))
        ratio = min(chance.pmf(d) / most, 1)
        pulls.append(math.sqrt(stats.chi2.isf(ratio, 1)) * np.sign(d - expected))
    return np.array(pulls).reshape(data.shape)


def merged_bin_by_bin(data, reference):
    """Bins with their neighbours, until each of both histograms expects 5 entries in each."""
    part = min(data.sum(), reference.sum()) / (data.sum() + reference.sum())
    merged = [[0, 0]]
    for d, r in zip(data.ravel(), reference.ravel(), strict=True):
        if part * sum(merged[-1]) >= 5:
            merged.append([0, 0])
        merged[-1] = [merged[-1][0] + d, merged[-1][1] + r]
    if part * sum(merged[-1]) < 5 and len(merged) > 1:
        d, r = merged.pop()
        merged[-1] = [merged[-1][0] + d, merged[-1][1] + r]
    return list(zip(*merged, strict=True))


def histogram_pairs(rng):
    for size, entries, reference_entries in [(5, 40, 4000), (40, 5000, 300), (100, 20_000, 50_000), (3, 2, 1)]:
        shape = rng.dirichlet(np.ones(size))
        changed = rng.dirichlet(500 * shape + 1)
        yield rng.multinomial(entries, shape), rng.multinomial(reference_entries, changed)
    flat = np.full((6, 5), 1 / 30)
    for entries in (50, 3000):
        counts = rng.multinomial(entries, flat.ravel()).reshape(6, 5)
        counts[2, 3] = 0
        yield counts, rng.multinomial(9000, flat.ravel()).reshape(6, 5)


@pytest.mark.parametrize("tolerance", [0.01, 0.0, 0.3])
def test_against_scipy(compare, rng, tolerance):
    pairs = list(histogram_pairs(rng))
    make = {1: th1, 2: th2}
    data = [record(2, make[d.ndim](d), f"/p/{i}") for i, (d, _) in enumerate(pairs)]
    reference = [record(1, make[r.ndim](r), f"/p/{i}") for i, (_, r) in enumerate(pairs)]
    found, said, code = compare(data, reference, "--tolerance", tolerance)
    few = "  no p_value: 1 with too few entries for a chi-square\n"
    assert (said, code) == (f"{len(pairs)} of {len(pairs)} histograms compared\n{few}", 0)
    for result, (d, r) in zip(found, pairs, strict=True):
        assert list(result) == [*KEYS, *COLUMNS]
        used = (d + r) > 0
        # Pearson's chi-square of the 2 x bins table of counts is that of two histograms
        table = stats.chi2_contingency(np.array(merged_bin_by_bin(d, r)), correction=False)
        assert result["chi2"] == pytest.approx(table.statistic, rel=1e-9, abs=1e-9)
        expected_p = pytest.approx(table.pvalue, rel=1e-9) if table.dof else None
        assert (result["ndf"], result["p_value"]) == (table.dof, expected_p)
        distances = [
            np.abs(np.cumsum(d.ravel(order)) / d.sum() - np.cumsum(r.ravel(order)) / r.sum()).max()
            for order in ("C", "F")
        ]
        assert result["ks"] == pytest.approx(np.mean(distances), rel=1e-9)
        effective = d.sum() * r.sum() / (d.sum() + r.sum())
        assert result["ks_p_value"] == pytest.approx(
            stats.kstwobign.sf(np.mean(distances) * np.sqrt(effective)), rel=1e-9
        )
        pulls = pulls_bin_by_bin(d, r, tolerance)
        largest = pulls.ravel()[np.abs(pulls).argmax()]
        assert result["max_pull"] == pytest.approx(abs(largest), rel=1e-6)
        assert result["is_excess"] == (largest > 0 if largest else None)
        assert pulls.ravel()[result["bin"]] == pytest.approx(largest, rel=1e-6)
        assert result["pull_chi2"] == pytest.approx((pulls**2).sum() / used.sum(), rel=1e-6)
        if not largest:
            assert result["max_pull_corrected"] == 0
            continue
        any_bin = -math.expm1(used.sum() * math.log1p(-stats.chi2.sf(largest**2, 1)))
        corrected = math.sqrt(stats.chi2.isf(any_bin, 1))
        assert result["max_pull_corrected"] == pytest.approx(corrected, rel=1e-6, abs=1e-6)


def test_extreme_pulls_stay_numbers():
    pulls = beta_binomial_pulls(np.array([0.0, 1e7, 5]), np.array([1e7, 0, 5]), tolerance=0)
    assert np.isfinite(pulls).all()
    assert pulls[0] < -1000
    assert pulls[1] > 1000


@pytest.mark.parametrize("size", [1e5, 1e9, 1e11, 1e13, 1e15, 1e17])
def test_pulls_of_very_many_entries(rng, size):
    counts = np.floor(rng.dirichlet(np.full(50, 5.0)) * size)
    for times in (1, 3):
        assert np.abs(beta_binomial_pulls(times * counts, counts, tolerance=0)).max() < 1e-9
        assert np.abs(beta_binomial_pulls(counts, times * counts)).max() < 1e-6
    more = counts.copy()
    more[7] += np.floor(6 * np.sqrt(more[7]))
    share = counts[7] / counts.sum()
    variance = more.sum() * share * (1 - share) * (1 + more.sum() / counts.sum())
    deviations = (more[7] - more.sum() * share) / np.sqrt(variance)
    expected = math.sqrt(stats.chi2.isf(math.exp(-(deviations**2) / 2), 1))  # of the normal distribution
    assert beta_binomial_pulls(more, counts, tolerance=0)[7] == pytest.approx(expected, rel=30 / size**0.5)


@pytest.mark.parametrize("size", [1e4, 1e13, 1e15, 1e17])
def test_very_many_entries_of_one_shape_deviate_nowhere(rng, size):
    counts = np.floor(rng.dirichlet(np.full(50, 5.0)) * size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for times in (1, 3, 7):
            result = compare_histograms(read(th1(times * counts)), read(th1(counts)), tolerance=0)
            assert result["max_pull"] == pytest.approx(0, abs=1e-9)
            assert result["max_pull_corrected"] == pytest.approx(0, abs=1e-6)


def test_weighted_histograms_are_compared_by_their_errors(rng):
    def weighted(content, error):
        hist = th1(content)
        return {**hist, "bins": {**hist["bins"], "error": list(error)}}

    one = weighted([500, 450, 550], [50, 47.4342, 52.4404])
    other = weighted([450, 550, 500], [47.4342, 52.4404, 50])
    result = compare_histograms(read(one), read(other), tolerance=0)
    assert result["chi2"] == pytest.approx(15 / 5, rel=0.02)
    assert result["ks"] is None
    plain = weighted([500, 450, 550], np.sqrt([500, 450, 550]).round(4))
    assert compare_histograms(read(plain), read(th1([450, 550, 500])))["ks"] > 0
    p_values = []
    for _ in range(200):
        counts = rng.multinomial(5000, np.full(50, 0.02), size=2)
        pair = [read(weighted(5 * n, 5 * np.sqrt(n))) for n in counts]
        p_values.append(compare_histograms(*pair, tolerance=0)["p_value"])
    assert 0.4 < np.median(p_values) < 0.6


def test_equal_shapes_have_small_pulls_and_even_probabilities(rng):
    shape = rng.dirichlet(np.full(60, 20.0))
    p_values, corrected = [], []
    for _ in range(300):
        pair = (rng.multinomial(4000, shape), rng.multinomial(9000, shape))
        result = compare_histograms(*(read(th1(counts)) for counts in pair))
        p_values.append(result["p_value"])
        corrected.append(abs(result["max_pull_corrected"]))
    assert 0.4 < np.mean(p_values) < 0.6
    assert np.quantile(corrected, 0.95) < 2.5


def test_a_hole_in_the_real_map_is_found(compare, rng):
    hist = json.loads(REAL.read_text())["hist"]
    content = np.array(hist["bins"]["content"])
    sample = rng.poisson(content / 2)
    sample[20, 25] = 0
    damaged = {**hist, "bins": {"content": sample.tolist()}}
    plot = "/Tracking/TrackParameters/generalTracks/GeneralProperties/TrackEtaPhi_ImpactPoint_GenTk"
    found, _, _ = compare([record(9, damaged, plot)], [record(8, hist, plot)])
    assert found[0]["bin"] == 20 * 31 + 25
    assert found[0]["bin_x"] == pytest.approx(-3 + 6 * 25.5 / 31)
    assert found[0]["bin_y"] == pytest.approx(-math.pi + 2 * math.pi * 20.5 / 32, rel=1e-5)
    assert found[0]["max_pull"] > found[0]["max_pull_corrected"] > 8
    assert found[0]["is_excess"] is False
    assert found[0]["reference_run_number"] == 8


def test_only_the_shape_counts(compare):
    content = np.array([10, 500, 3000, 700, 1])
    found, _, _ = compare([record(2, th1(content * 7))], [record(1, th1(content))])
    assert found[0]["chi2"] == found[0]["ks"] == found[0]["max_pull"] == found[0]["max_pull_corrected"] == 0
    assert (found[0]["p_value"], found[0]["ks_p_value"], found[0]["reason"]) == (1, 1, None)


@pytest.mark.parametrize(
    ("data", "reference", "reason"),
    [
        (th1([0, 0, 0]), th1([1, 2, 3]), "empty"),
        (th1([1, 2, 3]), th1([0, 0, 0]), "reference empty"),
        (th1([1, 2, 3]), th1([1, 2, 3, 4]), "binning differs"),
        (th1([1, 2, 3]), th1([1, 2, 3], high=9.0), "binning differs"),
        (th1([1, 2, 3]), th2([[1, 2, 3]]), "binning differs"),
        (th2([[1, 2, 3]]), th2([[1], [2], [3]]), "binning differs"),
        ("unsupported type", th1([1, 2, 3]), "no histogram"),
        (th1([1, 2, 3]), "unsupported type", "reference: no histogram"),
        (th1([1, "nan", 3]), th1([1, 2, 3]), "contents that are not finite"),
        (th1([1, 2, 3]), th1([1, "inf", 3]), "reference: contents that are not finite"),
        ({"type": "TH1", "bins": {"content": []}}, th1([1]), "no bin contents"),
        ({"type": "TH2", "bins": {"content": [[1], [1, 2]]}}, th1([1]), "no bin contents"),
        (th1([1, 2, 3]), profile([1, 2, 3], [1, 1, 1]), "kind of histogram differs"),
        ({**th1([1, 2, 3]), "type": "TProfile"}, profile([1, 2, 3], [1, 1, 1]), "no bin errors"),
        (th1([0.5, 2, 3]), th1([1, 2, 3]), "no bin errors"),
        (profile([1, 2, 3], [0, 0, 0]), profile([1, 2, 3], [1, 1, 1]), "empty"),
        (profile([1, 2, 3], [1, "nan", 0]), profile([1, 2, 3], [1, 1, 1]), "errors that are not finite"),
    ],
)
def test_why_there_is_nothing_to_compare(compare, data, reference, reason):
    found, said, code = compare([record(2, data)], [record(1, reference)])
    assert code == 0
    assert [found[0][column] for column in COLUMNS] == [None] * (len(COLUMNS) - 1) + [reason]
    assert f"not compared: 1 {reason}\n" in said
    assert "warning: nothing could be compared" in said


def test_labels_of_bins(compare):
    def labelled(*labels):
        hist = th1([1, 2, 3])
        hist["xaxis"] = {**hist["xaxis"], "labels": list(labels)}
        return hist

    same, _, _ = compare([record(2, labelled("a", "b", "c"))], [record(1, labelled("a", "b", "c"))])
    other, _, _ = compare([record(2, labelled("a", "b", "c"))], [record(1, labelled("a", "c", "b"))])
    assert (same[0]["reason"], other[0]["reason"]) == (None, "labels of the bins differ")


def test_profiles_are_compared_by_their_errors(compare):
    data, reference = profile([1.0, 2, 0, 7], [0.1, 0.2, 0, 0.3]), profile([1.0, 2.5, 0, 6], [0.1, 0.1, 0, 0])
    found, _, _ = compare([record(2, data)], [record(1, reference)], "--tolerance", "0")
    pull = 0.5 / math.hypot(0.2, 0.1)  # the last bin has no error in the reference, and is left out
    assert found[0]["chi2"] == pytest.approx(pull**2)
    assert found[0]["ndf"] == 2
    assert found[0]["p_value"] == pytest.approx(stats.chi2.sf(found[0]["chi2"], 2))
    assert (found[0]["max_pull"], found[0]["bin"], found[0]["is_excess"]) == (pytest.approx(pull), 1, False)
    assert (found[0]["ks"], found[0]["ks_p_value"], found[0]["reason"]) == (None, None, None)


def test_weighted_histograms_are_compared_in_shape(compare):
    def weighted(content):
        return {**profile(content, np.sqrt(content) / 2), "type": "TH1"}

    content = np.array([10.5, 20.25, 30, 7])
    found, _, _ = compare([record(2, weighted(content * 4))], [record(1, weighted(content))])
    assert (found[0]["chi2"], found[0]["ndf"]) == (pytest.approx(0, abs=1e-12), 3)


def test_both_runs_in_one_file(tkstudies):
    rows = [
        record(5, th1([5, 5, 90])),
        record(7, th1([50, 40, 45])),
        record(6, th1([40, 40, 40])),
        record(5, th1([1, 1, 1]), reco="prompt"),
        record(6, th1([1, 1, 1]), plot="/Tracking/only/here"),
        record(5, th1([1, 1, 1]), plot="/Tracking/not/there"),
    ]
    result = tkstudies("compare", "--run", "5", "--reference-run", "6", input=rows)
    found = from_lines(result.stdout)
    assert [(r["run_number"], r["reco"], r["name"], r["reason"]) for r in found] == [
        (5, "express", "b", None),
        (5, "prompt", "b", "not in the reference run"),
        (5, "express", "there", "not in the reference run"),
    ]
    assert result.stderr == "1 of 3 histograms compared\n  not compared: 2 not in the reference run\n"
    every_run = from_lines(tkstudies("compare", "--reference-run", "6", input=rows).stdout)
    assert [r["run_number"] for r in every_run] == [5, 7, 5, 5]


def test_the_records_own_reference_run(tkstudies, compare):
    rows = [
        record(5, th1([5, 5, 90]), reference_run_number=3),
        record(4, th1([5, 5, 90]), reference_run_number=9),
        record(3, th1([40, 40, 40])),
    ]
    expected = [(5, 3, None), (4, 9, "not in the reference run"), (3, None, "no reference run")]
    result = tkstudies("compare", input=rows)
    found = from_lines(result.stdout)
    assert [(r["run_number"], r["reference_run_number"], r["reason"]) for r in found] == expected
    two_files, _, _ = compare(rows[:2], [rows[2], record(2, th1([1, 1, 1]))])
    assert two_files == found[:2]
    given, _, _ = compare(rows[:2], [rows[2], record(2, th1([1, 1, 1]))], "--reference-run", "2")
    assert [r["reference_run_number"] for r in given] == [2, 2]


def test_online_and_offline_paths_are_the_same_plot(compare):
    path = "/Tracking/TrackParameters/{}GeneralProperties/TrackEtaPhi_ImpactPoint_GenTk"
    found, _, _ = compare(
        [record(2, th2([[1, 2], [3, 4]]), path.format(""))],
        [record(1, th2([[1, 2], [3, 4]]), path.format("generalTracks/"))],
    )
    assert found[0]["reason"] is None
    assert found[0]["plot"] == path.format("")


def test_a_repeated_reference_is_dropped(compare):
    references = [record(1, "unsupported type"), record(1, th1([1, 2, 3])), record(1, th1([9, 2, 3]))]
    found, said, _ = compare([record(2, th1([2, 4, 6]))], references)
    assert found[0]["chi2"] == 0
    assert "1 histogram dropped as references: same run, reco and plot as before" in said


@pytest.mark.parametrize(
    ("arguments", "input", "code", "message"),
    [
        ([], [record(1, th1([1, 2]))], 2, "which run is the reference?"),
        (["--reference-run", "9"], [record(1, th1([1, 2]))], 1, "no histogram of run 9 to compare with"),
        (["--reference", "-"], [record(1, th1([1, 2]))], 2, "can't be both sides"),
        (["--reference", "nowhere.jsonl"], [record(1, th1([1, 2]))], 1, "nowhere.jsonl: no such file"),
        (["--run", "x", "--reference-run", "1"], [], 2, "expected numbers"),
        (["--reference-run", "1"], [{"run_number": "one", "plot": "/a"}], 1, "not a histogram record"),
        (["--tolerance", "-1"], [], 2, ""),
        (["--run", "3", "--reference-run", "1"], [record(n, th1([1, 2])) for n in (1, 2)], 1, "--run 3: no hist"),
        (["-i", "-", "--reference", "-"], [record(1, th1([1, 2]))], 2, "can't be both sides"),
    ],
)
def test_what_goes_wrong(tkstudies, arguments, input, code, message):
    result = tkstudies("compare", *arguments, input=input)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_reference_files_that_do_not_tell(compare):
    found, said, code = compare([record(2, th1([1, 2]))], [])
    assert (found, code) == ([], 1)
    assert "no histogram to compare with" in said
    several = [record(1, th1([1, 2])), record(3, th1([1, 2]))]
    found, said, code = compare([record(2, th1([1, 2]))], several)
    assert [r["reason"] for r in found] == ["no reference run"]
    assert "nothing could be compared: see the column reason, or name the reference with" in said


def test_empty_input(tkstudies):
    result = tkstudies("compare", "--reference-run", "1", input=[])
    assert (result.stdout, result.exit_code) == ("", 0)


def test_the_next_stages_understand_the_records(tkstudies, compare, rng, tmp_path):
    data = [record(2, th1(rng.poisson(50, 20)), f"/p/{i}") for i in range(8)]
    found, _, _ = compare(data, [record(1, th1(rng.poisson(50, 20)), f"/p/{i}") for i in range(8)])
    kept = tkstudies("filter", "ks_p_value < 0.9", "reason missing", input=found)
    assert 0 < len(from_lines(kept.stdout)) == sum(r["ks_p_value"] < 0.9 for r in found)
    wide = tkstudies("features", "--stats", "mean", input=found)
    assert [r["run_number"] for r in from_lines(wide.stdout)] == [2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = tkstudies(
            "plot", "--x", "bin", "--y", "max_pull", "--hue", "name", "-o", tmp_path / "a.png", input=found
        )
    assert picture.exit_code == 0, picture.stderr


def test_many_histograms_are_the_same_twice(tkstudies, rng, tmp_path):
    contents = [rng.poisson(100, 100) for _ in range(50)]
    rows = [record(1 + n // 50, th1(contents[(7 * n) % 50]), f"/p/{n % 50}") for n in range(600)]
    (tmp_path / "h.jsonl").write_text(to_lines(rows))
    first = tkstudies("compare", "--reference-run", "1", tmp_path / "h.jsonl")
    again = tkstudies("compare", "--reference-run", "1", tmp_path / "h.jsonl")
    assert first.stdout == again.stdout
    assert Counter(r["run_number"] for r in from_lines(first.stdout))[12] == 50


def test_kolmogorov_smirnov_of_unbinned_like_samples(rng):
    """With a bin for each value the distance is that of the samples themselves."""
    a, b = rng.integers(0, 50, 300), rng.integers(0, 45, 200)
    counts = [np.bincount(values, minlength=50).astype(float) for values in (a, b)]
    assert kolmogorov_smirnov(*counts)[0] == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-9)


def test_the_tolerance_holds_for_profiles_too():
    one, other = read(profile([10.1, 20], [0.01, 0.01])), read(profile([10, 20], [0.01, 0.01]))
    strict = compare_histograms(one, other, tolerance=0)["max_pull"]
    assert strict == pytest.approx(0.1 / math.hypot(0.01, 0.01), rel=1e-6)
    tolerant = compare_histograms(one, other, tolerance=0.01)["max_pull"]
    assert tolerant == pytest.approx(0.1 / math.sqrt(0.01**2 + 0.01**2 + 0.1**2), rel=1e-6)


@pytest.mark.parametrize(("high", "equal"), [(10.00001, True), (10.001, False), (11, False)])
def test_axes_are_equal_to_six_digits(high, equal):
    one, other = read(th1([5, 5, 9], high=high)), read(th1([5, 5, 9]))
    if equal:
        assert compare_histograms(one, other)["max_pull"] == 0
    else:
        with pytest.raises(Incomparable, match="binning differs"):
            compare_histograms(one, other)


def test_a_zoomed_axis_has_no_places():
    hist = th1([5, 5, 9])
    hist["xaxis"]["last"]["id"] = 100
    result = compare_histograms(read(hist), read(th1([5, 9, 5])))
    assert (result["bin"] in (1, 2), result["bin_x"]) == (True, None)


def test_lumisections_are_compared_with_the_same_or_with_the_run(compare):
    even, odd = th1([50, 50, 50]), th1([50, 90, 10])
    data = [record(2, even, lumisection_number=1), record(2, odd, lumisection_number=2), record(2, even)]
    found, said, _ = compare(data, [record(1, even, lumisection_number=1), record(1, odd, lumisection_number=2)])
    assert [row.get("lumisection_number") for row in found] == [1, 2, None]
    assert list(found[0])[:3] == ["run_number", "reco", "lumisection_number"]
    assert [row["max_pull"] for row in found] == [0, 0, None]
    assert found[2]["reason"] == "not in the reference run"
    assert "dropped" not in said
    found, _, _ = compare(data, [record(1, even)])
    assert [row["max_pull"] == 0 for row in found] == [True, False, True]
