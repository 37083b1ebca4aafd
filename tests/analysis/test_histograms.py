import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies import jsonl
from tkstudies.analysis.histograms.features import FeatureTable
from tkstudies.analysis.histograms.statistics import STATISTICS, contents, statistics
from tkstudies.errors import InputError, UsageError, WrongRecord
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.jsonl import BadRecord

REAL_MAP = Path(__file__).parents[1] / "data" / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
PIXEL = "/Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties/Pixel/NumberOfRecHitsPerTrack_Pixel_GenTk"
TRACKS = "/Tracking/TrackParameters/highPurityTracks/pt_1/GeneralProperties/NumberOfTracks_GenTk"


def histogram(content, low=0.0, high=None, **stats):
    high = len(content) if high is None else high
    return {
        "type": "TH1",
        "stats": {
            "entries": 7,
            "mean": {"X": {"value": 1.5, "error": 0.1}},
            "rms": {"X": {"value": 0.5, "error": 0.1}},
            "underflow": 1,
            "overflow": 2,
            **stats,
        },
        "xaxis": {"first": {"id": 1, "value": low}, "last": {"id": len(content), "value": high}},
        "bins": {"integral": 6, "content": content},
    }


def record(run=1, reco="express", plot=TRACKS, hist=None):
    return {"run_number": run, "reco": reco, "plot": plot, "name": plot.rpartition("/")[2], "hist": hist}


@pytest.fixture(scope="module")
def real_map():
    return json.loads(REAL_MAP.read_text())["hist"]


def test_server_statistics_pass_through():
    assert statistics(histogram([1, 2])) == {"mean": 1.5, "rms": 0.5, "entries": 7, "integral": 6}
    assert statistics(histogram([1, 2]), ["overflow", "underflow"]) == {"overflow": 2, "underflow": 1}


def test_real_map(real_map):
    assert statistics(real_map, ["mean", "rms", "entries", "integral", "mean_y", "rms_y"]) == {
        "mean": -0.0732735,
        "rms": 1.65747,
        "entries": 224510.0,
        "integral": 224509,
        "mean_y": -0.0589661,
        "rms_y": 1.87795,
    }


def test_axis_ends_are_bin_edges(real_map):
    content = np.array(real_map["bins"]["content"], dtype=float)
    first, last = real_map["xaxis"]["first"]["value"], real_map["xaxis"]["last"]["value"]
    edges = np.linspace(first, last, content.shape[1] + 1)
    mean = np.average((edges[1:] + edges[:-1]) / 2, weights=content.sum(axis=0))
    assert mean == pytest.approx(statistics(real_map)["mean"], abs=1e-3)
    shape = statistics(real_map, ["median", "q05", "q95"])
    assert shape["q05"] < shape["median"] < shape["q95"]
    assert shape["median"] == pytest.approx(-0.075, abs=0.1)


def test_quantiles_are_linear_within_a_bin():
    uniform = histogram([5] * 10, 0, 10)
    expected = {"median": 5, "q05": 0.5, "q25": 2.5, "q75": 7.5, "q95": 9.5}
    assert statistics(uniform, list(expected)) == pytest.approx(expected)
    assert statistics(histogram([0, 4, 0, 0]), ["median", "q05"]) == pytest.approx({"median": 1.5, "q05": 1.05})


def test_moments_of_the_bins_match_numpy():
    content, edges = [1, 8, 5, 2, 0, 1], np.linspace(-1, 2, 7)
    values = np.repeat((edges[1:] + edges[:-1]) / 2, content)
    z = (values - values.mean()) / values.std()
    found = statistics(histogram(content, -1, 2), ["skewness", "kurtosis"])
    assert found == pytest.approx({"skewness": (z**3).mean(), "kurtosis": (z**4).mean() - 3})


@pytest.mark.parametrize("widths", [[-1, 4], [0, 3], [1, "nan"], [1, None], [1, True], [3]])
def test_widths_that_cannot_be_are_ignored(widths):
    hist = histogram([1, 1], 0, 3)
    hist["bins"]["width"] = widths
    assert statistics(hist, ["q25", "q75"]) == {"q25": 0.75, "q75": 2.25}


def test_unequal_bin_widths():
    hist = histogram([1, 1], 0, 3)
    hist["bins"]["width"] = [1, 2]
    assert statistics(hist, ["q25", "q75"]) == {"q25": 0.5, "q75": 2.0}


@pytest.mark.parametrize(
    "hist",
    [
        "unsupported type",
        None,
        {},
        {"stats": [], "bins": "nan", "xaxis": None},
        histogram([], 0, 1),
        histogram(["nan", 1]),
        histogram([0, 0]),
        histogram([-1, 3]),
        {**histogram([3]), "xaxis": {"title": "one bin"}},
        {**histogram([1, 2]), "type": "TProfile"},
        {**histogram([1, 2, 3]), "xaxis": {"first": {"id": 1, "value": 0}, "last": {"id": 2, "value": 2}}},
    ],
)
def test_shapes_that_are_not_defined(hist):
    names = ["skewness", "kurtosis", "median", "q05"]
    assert statistics(hist, names) == dict.fromkeys(names)


def test_one_filled_bin_has_a_median_but_no_skewness():
    assert statistics(histogram([0, 3, 0]), ["skewness", "median"]) == {"skewness": None, "median": 1.5}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "NaN", float("nan"), float("inf"), None, True, "1.5", [1]])
def test_what_is_not_a_finite_number_is_null(value):
    hist = histogram([1], entries=value, mean={"X": {"value": value}})
    hist["bins"]["integral"] = value
    assert statistics(hist, ["mean", "entries", "integral"]) == {"mean": None, "entries": None, "integral": None}


def test_an_unknown_statistic_is_a_usage_error():
    with pytest.raises(UsageError, match="median"):
        statistics({}, ["mode"])
    with pytest.raises(UsageError, match="mode"):
        FeatureTable(["mode"])


def test_contents():
    assert contents(histogram([1, "nan", 2.5])) == [1, None, 2.5]
    assert contents({"bins": {"content": [[1, 2], [3, "inf"]]}}) == [1, 2, 3, None]
    assert contents("unsupported type") == []


def test_one_row_per_run_and_reco_in_order_of_appearance():
    table = FeatureTable(["mean", "entries"])
    for run, reco, plot in [
        (2, "express", "/Own/plot"),
        (1, "prompt", TRACKS),
        (2, "express", PIXEL),
        (2, "express", TRACKS),
        (2, "online", "/Tracking/TrackParameters/GeneralProperties/NumberOfTracks_GenTk"),
    ]:
        table.add(record(run, reco, plot, histogram([1, 2])))
    rows = list(table.rows())
    assert [(row["run_number"], row["reco"]) for row in rows] == [(2, "express"), (1, "prompt"), (2, "online")]
    assert list(rows[0]) == [
        "run_number",
        "reco",
        "Tracks.mean",
        "Tracks.entries",
        "Hits.Pixel.mean",
        "Hits.Pixel.entries",
        "plot.mean",
        "plot.entries",
    ]
    assert rows[2]["Tracks.mean"] == 1.5


def test_other_features_follow_in_the_order_of_the_whole_input():
    table = FeatureTable(["mean"])
    for run, plot in [(1, "/b"), (1, "/a"), (2, "/a"), (2, "/b")]:
        table.add(record(run, plot=plot, hist=histogram([1])))
    assert [list(row)[2:] for row in table.rows()] == [["b.mean", "a.mean"], ["b.mean", "a.mean"]]


def test_a_statistic_asked_for_twice_comes_once():
    table = FeatureTable(["mean", "mean", "rms"])
    table.add(record(hist=histogram([1])))
    assert next(table.rows()) == {"run_number": 1, "reco": "express", "Tracks.mean": 1.5, "Tracks.rms": 0.5}


def test_contents_follow_the_statistics():
    table = FeatureTable(["mean"], content=True)
    table.add(record(hist=histogram([4, "nan"])))
    [row] = table.rows()
    assert list(row.items())[2:] == [("Tracks.mean", 1.5), ("Tracks_0", 4), ("Tracks_1", None)]


def test_the_first_of_duplicates_stays():
    table = FeatureTable(["entries"])
    table.add(record(hist=histogram([1], entries=10)))
    table.add(record(hist=histogram([1], entries=20)))
    assert [row["Tracks.entries"] for row in table.rows()] == [10]
    assert table.duplicates == 1


def test_an_absent_histogram_gives_nulls_and_makes_way():
    table = FeatureTable(["entries"])
    table.add(record(1, hist="unsupported type"))
    table.add(record(2, hist="unsupported type"))
    table.add(record(2, hist=histogram([1])))
    table.add(record(2, hist="unsupported type"))
    assert [row["Tracks.entries"] for row in table.rows()] == [None, 7]
    assert table.duplicates == 0


def test_own_feature_names():
    table = FeatureTable(["entries"], feature_names={TRACKS: "N", "NumberOfRecHitsPerTrack_Pixel_GenTk": "H"})
    for plot in (TRACKS, PIXEL):
        table.add(record(plot=plot, hist=histogram([1])))
    assert next(table.rows()) == {"run_number": 1, "reco": "express", "N.entries": 7, "H.entries": 7}


def test_one_bin_has_no_spread():
    for width in range(1, 40):
        hist = histogram([3 * (n == width // 2) for n in range(width)])
        hist["xaxis"] = {"first": {"id": 1, "value": 0}, "last": {"id": width, "value": 1}}
        assert statistics(hist, ["skewness", "kurtosis"]) == {"skewness": None, "kurtosis": None}


def test_a_spread_below_rounding_is_none():
    assert statistics(histogram([0, 10**40, 1, 0], 0.1, 1.1), ["skewness"]) == {"skewness": None}
    far = statistics(histogram([1, 8, 1], 1e6, 1e6 + 1), ["skewness", "kurtosis"])
    assert far == pytest.approx({"skewness": 0, "kurtosis": 2}, abs=1e-6)


def add_line(table, line):
    """Add the histogram of an encoded record, read as `jsonl.Reader` does."""
    try:
        table.add(HistogramRecord.decode(line))
    except jsonl.NOT_STRICT:
        table.add(HistogramRecord.from_record(jsonl.decode(line)))


def test_lumisections_have_rows_of_their_own():
    table = FeatureTable(["entries"])
    for lumisection in (1, 2, None, 2):
        table.add({**record(plot=TRACKS, hist=histogram([1])), "lumisection_number": lumisection})
    add_line(table, jsonl.encode({**record(plot=PIXEL, hist=histogram([1])), "lumisection_number": 2}))
    rows = list(table.rows())
    assert [row.get("lumisection_number") for row in rows] == [1, 2, None]
    assert list(rows[1])[:3] == ["run_number", "reco", "lumisection_number"]
    assert len(rows[1]) == 5
    assert "lumisection_number" not in rows[2]
    assert table.duplicates == 1
    add_line(table, jsonl.encode({**record(plot=PIXEL, hist=histogram([1])), "lumisection_number": "3"}))
    assert [row.get("lumisection_number") for row in table.rows()] == [1, 2, None, 3]
    for wrong in ("three", True, 0.5):
        with pytest.raises(WrongRecord, match=f"lumisection_number {wrong!r}"):
            add_line(table, jsonl.encode({**record(plot=PIXEL), "lumisection_number": wrong}))


@pytest.mark.parametrize("run", [1, 1.0, "1", "1.0"])
def test_a_run_is_the_same_however_its_number_is_written(run):
    table = FeatureTable(["entries"])
    add_line(table, jsonl.encode(record(1, plot=TRACKS, hist=histogram([1]))))
    add_line(table, jsonl.encode({**record(plot=PIXEL, hist=histogram([1])), "run_number": run}))
    assert [row["run_number"] for row in table.rows()] == [1]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"run_number": "one", "plot": "/a"},
        {"run_number": True, "plot": "/a"},
        {"run_number": 1, "hist": {}},
        {"run_number": 1, "plot": "/a", "reco": 7},
    ],
)
def test_what_is_no_histogram_record_is_an_input_error(item):
    with pytest.raises(InputError, match="not a histogram record"):
        FeatureTable().add(item)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.just("nan") | st.lists(st.integers(), max_size=3)
END = st.fixed_dictionaries({"id": VALUES, "value": VALUES})
PARTS = {
    "type": st.sampled_from(["TH1", "TH2", 3]),
    "stats": VALUES
    | st.fixed_dictionaries({}, optional={"entries": VALUES, "mean": VALUES | st.fixed_dictionaries({"X": END})}),
    "xaxis": st.fixed_dictionaries({"first": END, "last": END}),
    "bins": st.fixed_dictionaries({"content": VALUES | st.lists(VALUES), "integral": VALUES, "width": VALUES}),
}


@given(st.fixed_dictionaries({}, optional=PARTS))
def test_no_histogram_is_too_odd(hist):
    numbers = [*statistics(hist, STATISTICS).values(), *contents(hist)]
    assert all(number is None or np.isfinite(float(number)) for number in numbers)


SERVER_NAMES = ["mean", "rms", "entries", "integral", "mean_y", "overflow"]


def rows_of(records, names, fast):
    table = FeatureTable(names)
    for item in records:
        add_line(table, json.dumps(item).encode()) if fast else table.add(item)
    return list(table.rows()), table.duplicates


@given(st.lists(st.fixed_dictionaries({}, optional=PARTS) | st.just("unsupported type") | st.none(), max_size=4))
def test_encoded_lines_give_the_same_rows(hists):
    records = [record(run % 3, plot=f"/p{run}", hist=hist) for run, hist in enumerate([*hists, *hists[:1]])]
    for names in (SERVER_NAMES, ["median", "mean"]):
        assert rows_of(records, names, fast=True) == rows_of(records, names, fast=False)


def test_encoded_lines_of_the_real_map(real_map):
    records = [record(321012, "online", TRACKS, real_map)] * 2
    rows, duplicates = rows_of(records, SERVER_NAMES, fast=True)
    assert (rows, duplicates) == rows_of(records, SERVER_NAMES, fast=False)
    assert (rows[0]["Tracks.integral"], duplicates) == (224509, 1)


def test_an_encoded_line_that_is_no_histogram_record():
    with pytest.raises(InputError, match="not a histogram record"):
        add_line(FeatureTable(), b'{"run_number": "x", "plot": "/a"}')
    with pytest.raises(InputError, match="not a histogram record"):
        add_line(FeatureTable(), b'{"run_number": 1}')
    with pytest.raises(BadRecord, match="Expecting"):
        add_line(FeatureTable(), b'{"run_number": 1')


def bare(content, low=0.0, high=None, kind="TH1", **bins):
    """A histogram as other sources than the DQM GUI have it: bins and no stats."""
    hist = {**histogram(content, low, high), "type": kind, "bins": {"content": content, **bins}}
    del hist["stats"]
    return hist


def test_a_histogram_without_stats_gets_its_numbers_from_the_bins():
    content, edges = [3, 0, 5, 1, 7], np.linspace(-2, 3, 6)
    centres = (edges[1:] + edges[:-1]) / 2
    mean = np.average(centres, weights=content)
    expected = {"mean": mean, "rms": np.sqrt(np.average((centres - mean) ** 2, weights=content)), "integral": 16}
    for hist in (bare(content, -2, 3), {**bare(content, -2, 3), "stats": None}):
        assert statistics(hist, list(expected)) == pytest.approx(expected)
        assert statistics(hist, ["entries", "underflow"]) == {"entries": None, "underflow": None}
    assert statistics(bare(content, -2, 3, integral=15))["integral"] == 15
    partly = statistics({**bare(content, -2, 3), "stats": {"entries": 16}})
    assert (partly["mean"], partly["rms"], partly["entries"]) == (
        pytest.approx(mean), pytest.approx(expected["rms"]), 16,
    )  # fmt: skip


def test_a_table_without_stats_has_means_along_both_axes():
    hist = bare([[1, 0], [2, 1], [0, 4]], 0, 2, kind="TH2")
    hist["xaxis"]["last"]["id"] = 2
    hist["yaxis"] = {"first": {"id": 1, "value": 0}, "last": {"id": 3, "value": 3}}
    found = statistics(hist, ["mean", "rms", "mean_y", "rms_y", "integral"])
    x, y = np.repeat([0.5, 1.5], [3, 5]), np.repeat([0.5, 1.5, 2.5], [1, 3, 4])
    expected = {"mean": x.mean(), "rms": x.std(), "mean_y": y.mean(), "rms_y": y.std(), "integral": 8}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hist", "mean", "integral"),
    [
        (bare([0, 0]), None, 0),
        (bare([-1, 2]), None, 1),
        (bare([1, 2], kind="TProfile"), None, 3),
        (bare([1, "nan"]), None, None),
        (bare([1e308, 1e308, 1e308]), None, None),
        ({**bare([1, 2]), "xaxis": None}, None, 3),
        ({"type": "TH1", "bins": {"content": None}}, None, None),
        ({"type": "TH1", "bins": {"content": [[1], [2, 3]]}}, None, None),
    ],
)
def test_bins_that_are_no_distribution_have_no_mean(hist, mean, integral):
    assert statistics(hist, ["mean", "integral"]) == {"mean": mean, "integral": integral}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([1, 0, 0, 1], {"median": 2.0}),
        ([2, 1, 0, 3], {"median": 2.5}),
        ([1, 1], {"median": 1.0}),
        ([1, 0, 1, 0, 0, 2], {"q25": 1.5, "median": 4.0, "q75": 5.5}),
        ([0.1, 0.2, 0, 0, 0.3], {"median": 3.0}),
        ([0, 3, 0], {"median": 1.5}),
        ([1, 0, 0, 2], {"median": 3.25}),
    ],
)
def test_a_quantile_between_two_parts_is_the_middle_of_the_gap(content, expected):
    assert statistics(histogram(content), list(expected)) == pytest.approx(expected)


def test_level_and_spread_are_those_of_the_filled_bins():
    assert statistics(histogram([4, 0, 8, 6]), ["level", "spread"]) == pytest.approx(
        {"level": 6, "spread": np.std([4, 8, 6])}
    )
    assert statistics(histogram([0, 0]), ["level", "spread"]) == {"level": None, "spread": None}
    table = histogram([[4, 0], [8, "nan"]])
    assert statistics(table, ["level"])["level"] == 6


def test_the_bins_of_a_profile_count_as_often_as_they_have_entries():
    """Means of 400, 100 and 25 entries of one spread have errors as 1, 2 and 4."""
    content, entries = [10.0, 12.0, 0.0, 20.0], [400, 100, 0, 25]
    errors = [n**-0.5 if n else 0 for n in entries]
    expected = np.average(content, weights=entries)
    spread = np.sqrt(np.average((np.array(content) - expected) ** 2, weights=entries))
    hist = {**bare(content, kind="TProfile", error=errors), "errorStyle": ""}
    assert statistics(hist, ["level", "spread"]) == pytest.approx({"level": expected, "spread": spread})
    assert statistics({**hist, "errorStyle": "s"}, ["level"])["level"] == pytest.approx(14)
    assert statistics(bare(content, kind="TProfile"), ["level"])["level"] == pytest.approx(14)
    zero = bare([0.0, 4.0], kind="TProfile", error=[1, 1])
    assert statistics(zero, ["level"])["level"] == 2  # filled, and its mean is 0


def test_the_level_does_not_depend_on_the_length_of_the_run():
    short, long = histogram([5] * 20 + [0] * 80), histogram([5] * 90 + [0] * 10)
    names = ["level", "spread"]
    assert statistics(short, names) == statistics(long, names) == {"level": 5, "spread": 0}
