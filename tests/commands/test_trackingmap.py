import json
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import from_lines, to_lines
from tkstudies.analysis.histograms.trackingmaps import reference_cost

REAL = Path(__file__).parents[1] / "data" / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
NAME = "TrackEtaPhi_ImpactPoint_GenTk"
PATH = f"/Tracking/TrackParameters/generalTracks/GeneralProperties/{NAME}"
COLUMNS = ["reference_cost", "scaled_reference_cost", "map_scale", "angular_entropy", "map_empty"]


def map_record(run, content, reco="express", plot=PATH):
    hist = {"type": "TH2", "bins": {"content": content}} if isinstance(content, list) else content
    return {
        "run_number": run,
        "reco": reco,
        "dataset": "/a/b/DQMIO",
        "plot": plot,
        "name": plot.rpartition("/")[2],
        "hist": hist,
    }


def row(run, reference=None, reco="express", **others):
    return {"run_number": run, "reco": reco, "reference_run_number": reference, **others}


@pytest.fixture
def trackingmap(tkstudies, tmp_path):
    def run(rows, maps, *arguments):
        file = tmp_path / "maps.jsonl"
        file.write_text(to_lines(maps))
        result = tkstudies("trackingmap", "--maps", file, *arguments, input=rows)
        return from_lines(result.stdout), result.stderr, result.exit_code

    return run


def scale_of(m, r):
    """The specification, step by step."""
    with np.errstate(all="ignore"):
        ratios = (r / m).ravel()
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return None
    if ratios.min() == ratios.max():
        return ratios[0]
    counts, edges = np.histogram(ratios, bins=10)
    fullest = counts.argmax()
    last = fullest == 9
    inside = (ratios >= edges[fullest]) & ((ratios <= edges[-1]) if last else (ratios < edges[fullest + 1]))
    return np.median(ratios[inside])


def columns_of(m, r):
    if m is None:
        return dict.fromkeys(COLUMNS[:3])
    if r is None or m.shape != r.shape:
        return dict.fromkeys(COLUMNS[:3])
    s = scale_of(m, r)
    flat = m.std() == 0 or r.std() == 0
    scaled = None
    if s is not None and r.std() > 0:
        scaled = ((((m * s - r.mean()) / r.std()) - ((r - r.mean()) / r.std())) ** 2).mean() / 2
    cost = None if flat else 1 - np.corrcoef(m.ravel(), r.ravel())[0, 1]
    return {"reference_cost": cost, "scaled_reference_cost": scaled, "map_scale": s}


def near(found, expected):
    """Equal to 1e-9, where None is None."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


def test_the_columns_of_a_whole_study(trackingmap):
    random.seed(7)
    rng = np.random.default_rng(7)
    shape = {"online": (6, 5), "express": (6, 7), "prompt": (6, 7)}
    maps, records = {}, []
    for run in range(315000, 315060):
        for reco in shape:
            content = rng.poisson(rng.uniform(0, 20), shape[reco] if run % 9 else (6, 6))
            if run % 13 == 0:
                content = content * 0
            if rng.random() < 0.9:
                maps[run, reco] = content.astype(float)
                records.append(map_record(run, content.tolist(), reco))
    rows = [
        row(
            random.randrange(315000, 315062),
            random.choice([None, *range(315000, 315061)]),
            random.choice([*shape, "rereco", None]),
            pixel="naïve ☃",
        )
        for _ in range(2000)
    ]
    found, said, code = trackingmap(rows, records, "--only", "reference_cost,scaled_reference_cost,map_scale")
    assert code == 0
    assert [{key: r[key] for key in rows[0]} for r in found] == rows
    without_map = 0
    for given, result in zip(rows, found, strict=True):
        m = maps.get((given["run_number"], given["reco"]))
        without_map += m is None
        expected = columns_of(m, maps.get((given["reference_run_number"], given["reco"])))
        assert list(result)[-3:] == list(expected)
        assert all(near(result[key], expected[key]) for key in expected), (result, expected)
    assert f"warning: {without_map} of 2,000 rows without a map: nulls\n" in said
    assert any(r["reference_cost"] is not None for r in found)


def entropy_of(m, periodic):
    """The specification over all pairs of bins."""
    rows = len(m)
    y, x = (index.ravel() for index in np.indices(m.shape))
    dy = np.abs(y[:, None] - y[None])
    dy = np.minimum(dy, rows - dy) if periodic else dy
    distance = np.sqrt(dy**2 + (x[:, None] - x[None]) ** 2)
    correlation = np.abs(m.ravel()[:, None] - m.ravel()[None])
    edges = np.linspace(0, distance.max(), 51)
    counts, _ = np.histogram(distance, edges)
    sums, _ = np.histogram(distance, edges, weights=correlation)
    shares = (sums / counts) / (sums / counts).sum()
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()


@pytest.mark.parametrize("periodic", [False, True])
def test_the_real_map(trackingmap, periodic):
    hist = json.loads(REAL.read_text())["hist"]
    content = np.array(hist["bins"]["content"], dtype=float)
    hole = content.copy()
    hole[:8, :8] = 0
    maps = [map_record(1, hist), map_record(2, (2 * content).tolist()), map_record(3, hole.tolist())]
    arguments = ["--periodic-phi"] if periodic else []
    found, said, _ = trackingmap([row(1, 1), row(2, 1), row(3, 1), row(1)], maps, *arguments)
    assert list(found[0])[-5:] == COLUMNS
    same, doubled, with_hole, alone = found
    assert (same["reference_cost"], same["scaled_reference_cost"], same["map_scale"]) == (0, 0, 1)
    assert doubled["reference_cost"] == pytest.approx(0, abs=1e-12)
    assert (doubled["map_scale"], doubled["scaled_reference_cost"]) == (0.5, pytest.approx(0, abs=1e-12))
    assert with_hole["reference_cost"] > 0.1
    assert [r["map_empty"] for r in found] == [False, False, False, None]
    assert same["angular_entropy"] == alone["angular_entropy"] == doubled["angular_entropy"]
    for record, m in ((same, content), (with_hole, hole)):
        assert record["angular_entropy"] == pytest.approx(entropy_of(m, periodic), rel=1e-9)
    assert said == "warning: 1 of 4 rows without a reference run: entropy only\n"


def test_the_reference_map_is_of_the_same_reco(trackingmap):
    maps = [
        map_record(1, [[1, 2], [3, 4]]),
        map_record(2, [[1, 2], [3, 4]], "prompt"),
        map_record(1, [[4, 3], [2, 1]], "prompt"),
    ]
    found, said, code = trackingmap([row(1, 2), row(2, 1, "prompt")], maps, "--only", "reference_cost")
    assert [r["reference_cost"] for r in found] == [None, pytest.approx(2)]
    assert said == "warning: 1 of 2 rows whose reference run has no map: entropy only\n"
    assert code == 0


def test_maps_that_cannot_be_compared(trackingmap):
    maps = [
        map_record(1, [[1, 2], [3, 4]]),
        map_record(2, [[0, 0], [0, 0]]),
        map_record(3, [[1, 2, 3], [3, 4, 5]]),
        map_record(4, "unsupported type"),
        map_record(5, {"type": "TH1", "bins": {"content": [1, 2]}}),
    ]
    found, said, code = trackingmap([row(1, 2), row(2, 1), row(1, 3), row(4, 1), row(5, 1)], maps)
    assert [r["reference_cost"] for r in found] == [None] * 5
    assert [r["map_empty"] for r in found] == [True, True, False, None, None]
    assert "2 records of TrackEtaPhi_ImpactPoint_GenTk without a 2-D histogram" in said
    assert "1 of 5 rows whose reference map has another binning" in said
    assert "2 of 5 rows without a map" in said
    assert code == 0


def test_another_plot_by_name_or_path(trackingmap):
    other = "/PixelPhase1/digi_occupancy"
    maps = [
        map_record(1, [[1, 2], [3, 4]]),
        map_record(1, [[9, 2], [3, 4]], plot=other),
        map_record(2, [[1, 2], [3, 4]], plot=other),
    ]
    expected = 1 - np.corrcoef([9, 2, 3, 4], [1, 2, 3, 4])[0, 1]
    for name in ("digi_occupancy", other):
        found, _, code = trackingmap([row(1, 2)], maps, "--plot", name, "--only", "reference_cost")
        assert found == [{**row(1, 2), "reference_cost": pytest.approx(expected)}]
        assert code == 0


def test_the_first_readable_map_of_a_run_stays(trackingmap):
    maps = [
        map_record(1, "unsupported type"),
        map_record(1, [[1, 2], [3, 4]]),
        map_record(1, [[4, 3], [2, 1]]),
        map_record(2, [[1, 2], [3, 4]]),
    ]
    found, said, _ = trackingmap([row(1, 2)], maps, "--only", "reference_cost")
    assert found[0]["reference_cost"] == pytest.approx(0)
    assert "1 map dropped: same run, reco and lumisection as before" in said


def test_maps_with_nan_and_other_plots_in_the_file(tkstudies, tmp_path):
    maps = tmp_path / "maps.jsonl"
    lines = [map_record(1, [[1, 2], [3, 4]]), map_record(9, [[1, 1]], plot="/a/other")]
    text = to_lines(lines) + to_lines([map_record(2, [[1, 2], [3, 5]])]).replace("5", "NaN")
    maps.write_text(text)
    result = tkstudies("trackingmap", "--maps", maps, input=[row(1, 2)])
    assert result.exit_code == 0, result.stderr
    assert from_lines(result.stdout)[0]["reference_cost"] is None


def test_repeated_rows_cost_nothing(trackingmap):
    content = np.random.default_rng(1).poisson(200, (32, 31)).tolist()
    rows = [row(1 + number % 2, 1) for number in range(20_000)]
    start = time.perf_counter()
    found, _, _ = trackingmap(rows, [map_record(1, content), map_record(2, content)])
    assert time.perf_counter() - start < 5  # an entropy each would be 15 s
    assert found[0] == {**row(1, 1), **{column: found[0][column] for column in COLUMNS}}
    assert math.isfinite(found[0]["angular_entropy"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "cost"], "no column cost; there are reference_cost, scaled_reference_cost"),
        (["--only", "map_scale", "--periodic-phi"], "--periodic-phi changes only angular_entropy"),
    ],
)
def test_wrong_options(trackingmap, arguments, message):
    found, said, code = trackingmap([row(1, 1)], [map_record(1, [[1, 2], [3, 4]])], *arguments)
    assert (found, code) == ([], 2)
    assert message in said


def test_wrong_files(tkstudies, trackingmap, tmp_path):
    assert "name the maps with --maps" in tkstudies("trackingmap", input=[row(1)]).stderr
    assert tkstudies("trackingmap", "--maps", tmp_path / "no", input=[row(1)]).exit_code == 1
    for explicit in ([], ["-i", "-"], ["-"]):
        both = tkstudies("trackingmap", "--maps", "-", *explicit, input=[row(1)])
        assert (both.exit_code, both.stdout) == (2, "")
        assert "standard input can't be both rows and maps" in both.stderr
    found, said, code = trackingmap([row(1)], [map_record(1, [1, 2], plot="/a/b")], "--plot", "c")
    assert (found, code) == ([], 1)
    assert said.endswith("no 2-D histogram c; it has b\n")


def test_empty_input(trackingmap):
    told = "warning: no records on standard input\n"
    assert trackingmap([], [map_record(1, [[1, 2], [3, 4]])]) == ([], told, 0)


def test_lumisections_have_maps_of_their_own(tmp_path, tkstudies):
    def occupancy(run, content, **key):
        hist = {"type": "TH2", "bins": {"content": content}}
        return {"run_number": run, "reco": "express", **key, "name": "TrackEtaPhi_ImpactPoint_GenTk", "hist": hist}

    one, two, three = [[1, 2], [3, 4]], [[4, 2], [3, 1]], [[1, 9], [2, 4]]
    maps = [
        occupancy(5, one, lumisection_number=1),
        occupancy(5, two, lumisection_number=2),
        occupancy(5, three),
        occupancy(4, one),
        occupancy(4, two, lumisection_number=2),
    ]
    (tmp_path / "maps.jsonl").write_text(to_lines(maps))
    rows = [
        {"run_number": 5, "reco": "express", "reference_run_number": 4, **key}
        for key in ({"lumisection_number": 1}, {"lumisection_number": 2}, {"lumisection_number": 3}, {})
    ]
    result = tkstudies("trackingmap", "--maps", tmp_path / "maps.jsonl", "--only", "reference_cost", input=rows)
    costs = [row["reference_cost"] for row in from_lines(result.stdout)]
    assert costs[:2] == pytest.approx([0, 0], abs=1e-12)  # the reference run's map; its own second lumisection
    assert costs[2] == costs[3] == pytest.approx(reference_cost(np.array(three), np.array(one)))
    assert result.stderr == ""
