"""``features``: from histogram records to one wide row per (run, reco)."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT, from_lines, to_lines

PIXEL = "/Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties/Pixel/NumberOfRecHitsPerTrack_Pixel_GenTk"


def record(run=1, reco="express", plot=PIXEL, mean=4.5, rms=1.0, entries=10.0, integral=9, **hist):
    statistics = {"entries": entries, "mean": {"X": {"value": mean}}, "rms": {"X": {"value": rms}}}
    return {
        "run_number": run,
        "reco": reco,
        "dataset": "/a/b/DQMIO",
        "plot": plot,
        "name": plot.rpartition("/")[2],
        "hist": {"type": "TH1", "stats": statistics, "bins": {"integral": integral, "content": [1, 2, 6]}, **hist},
    }


def test_one_row_per_run_and_reco(tkstudies):
    rows = [record(), record(reco="prompt", mean=5), record(run=2), record(plot="/My/own_plot", mean=1)]
    result = tkstudies("features", input=rows)
    assert (result.stderr, result.exit_code) == ("", 0)
    assert from_lines(result.stdout) == [
        {
            "run_number": 1,
            "reco": "express",
            "Hits.Pixel.mean": 4.5,
            "Hits.Pixel.rms": 1.0,
            "Hits.Pixel.entries": 10.0,
            "Hits.Pixel.integral": 9,
            "own_plot.mean": 1,
            "own_plot.rms": 1.0,
            "own_plot.entries": 10.0,
            "own_plot.integral": 9,
        },
        {
            "run_number": 1,
            "reco": "prompt",
            "Hits.Pixel.mean": 5,
            "Hits.Pixel.rms": 1.0,
            "Hits.Pixel.entries": 10.0,
            "Hits.Pixel.integral": 9,
        },
        {
            "run_number": 2,
            "reco": "express",
            "Hits.Pixel.mean": 4.5,
            "Hits.Pixel.rms": 1.0,
            "Hits.Pixel.entries": 10.0,
            "Hits.Pixel.integral": 9,
        },
    ]


def test_the_real_tracking_map(tkstudies):
    file = ROOT / "tests/data/dqm/321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
    hist = json.loads(file.read_text())["hist"]
    rows = [{**record(run=321012, reco="online", plot="/T/TrackEtaPhi_ImpactPoint_GenTk"), "hist": hist}]
    row = from_lines(tkstudies("features", input=rows).stdout)[0]
    name = "TrackEtaPhi_ImpactPoint_GenTk"
    assert row == {
        "run_number": 321012,
        "reco": "online",
        f"{name}.mean": -0.0732735,
        f"{name}.rms": 1.65747,
        f"{name}.entries": 224510.0,
        f"{name}.integral": 224509,
    }
    content = from_lines(tkstudies("features", "--stats", "mean", "--content", input=rows).stdout)[0]
    assert len(content) == 3 + 31 * 32
    assert content[f"{name}_1"] == 67


def test_values_that_are_not_numbers_become_null(tkstudies):
    rows = [record(mean="nan", rms="inf", entries=None, integral="-inf")]
    assert list(from_lines(tkstudies("features", input=rows).stdout)[0].values()) == [
        1,
        "express",
        None,
        None,
        None,
        None,
    ]
    rows = [{**record(), "hist": "unsupported type"}, record(run=2, stats={})]
    for row in from_lines(tkstudies("features", input=rows).stdout):
        assert list(row.values())[2:4] == [None, None]


def test_other_statistics_and_contents(tkstudies):
    result = tkstudies("features", "--stats", "mean,median", "--stats", "underflow", "--content", input=[record()])
    row = from_lines(result.stdout)[0]
    assert list(row)[2:5] == ["Hits.Pixel.mean", "Hits.Pixel.median", "Hits.Pixel.underflow"]
    assert [row[f"Hits.Pixel_{n}"] for n in range(3)] == [1, 2, 6]
    unknown = tkstudies("features", "--stats", "meen", input=[record()])
    assert (unknown.stdout, unknown.exit_code) == ("", 2)
    assert "skewness" in unknown.stderr


def test_names_of_ones_own(tmp_path, tkstudies):
    names = tmp_path / "names.jsonl"
    names.write_text(to_lines([{"plot": PIXEL, "feature": "hits"}]))
    row = from_lines(tkstudies("features", "--names", names, "--stats", "mean", input=[record()]).stdout)[0]
    assert row == {"run_number": 1, "reco": "express", "hits.mean": 4.5}
    names.write_text('{"a": 1}\n')
    result = tkstudies("features", "--names", names, input=[record()])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert str(names) in result.stderr


def test_a_repeated_histogram_is_counted(tkstudies):
    result = tkstudies("features", input=[record(mean=1), record(mean=2)])
    assert from_lines(result.stdout)[0]["Hits.Pixel.mean"] == 1
    assert "1 histogram dropped: same run, reco and plot as before" in result.stderr


@pytest.mark.parametrize("row", [{"a": 1}, {"run_number": "x", "plot": "/p"}, {"run_number": 1}])
def test_records_of_another_kind_are_refused(row, tkstudies):
    result = tkstudies("features", input=[row])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "not a histogram record" in result.stderr


def test_folders_of_the_older_crawler(tmp_path, tkstudies):
    for name in ("NumberOfTracks_GenTk", "own_plot"):
        (tmp_path / "crawl" / name).mkdir(parents=True)
        for run, reco in ((321012, "Express"), (32101, "online")):
            hist = record(mean=run)["hist"]
            (tmp_path / "crawl" / name / f"{run}_{reco}.json").write_text(json.dumps({"hist": hist}))
    (tmp_path / "crawl" / "own_plot" / "notes.txt").write_text("x")
    result = tkstudies("features", "--stats", "mean", tmp_path / "crawl")
    assert (result.stderr, result.exit_code) == ("", 0)
    assert from_lines(result.stdout) == [
        {"run_number": 32101, "reco": "online", "Tracks.mean": 32101, "own_plot.mean": 32101},
        {"run_number": 321012, "reco": "express", "Tracks.mean": 321012, "own_plot.mean": 321012},
    ]
    one = tkstudies("features", "--stats", "mean", tmp_path / "crawl" / "own_plot")
    assert list(from_lines(one.stdout)[0]) == ["run_number", "reco", "own_plot.mean"]


def test_a_broken_file_of_the_older_crawler_costs_only_itself(tmp_path, tkstudies):
    (tmp_path / "plot").mkdir()
    (tmp_path / "plot" / "1_express.json").write_text('{"hist": {"title": "run"s end", "stats": {"entries": nan}}}')
    (tmp_path / "plot" / "2_express.json").write_text("<html>")
    result = tkstudies("features", "--stats", "entries", tmp_path / "plot")
    assert (from_lines(result.stdout), result.exit_code) == (
        [{"run_number": 1, "reco": "express", "plot.entries": None}],
        3,
    )
    assert (
        f"{tmp_path}/plot/2_express.json left out: not a JSON object" in result.stderr or "2_express" in result.stderr
    )


def test_an_empty_folder_is_an_error(tmp_path, tkstudies):
    result = tkstudies("features", tmp_path)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert f"{tmp_path}: no files such as 321012_express.json" in result.stderr


def test_lumisections_keep_their_histograms(tkstudies):
    records = [
        {"run_number": 1, "reco": "express", "lumisection_number": n, "plot": "/a/b", "hist": {"stats": {"entries": n}}}
        for n in (1, 2, 3)
    ]
    for options in ([], ["--stats", "entries,median"]):
        result = tkstudies("features", *options, input=records)
        rows = from_lines(result.stdout)
        assert [(row["lumisection_number"], row["b.entries"]) for row in rows] == [(1, 1), (2, 2), (3, 3)]
        assert result.stderr == ""


LUMIBLOCK = "/PixelPhase1/Phase1_MechanicalView/adc_per_LumiBlock_PXBarrel"


def test_plots_against_lumisections_also_give_their_level_and_spread(tkstudies):
    rows = [record(plot=LUMIBLOCK), record(), record(run=2), record(plot="/My/LSanalysis/own")]
    result = tkstudies("features", input=rows)
    assert (result.stderr, result.exit_code) == ("", 0)
    first, second = from_lines(result.stdout)
    names = ("mean", "rms", "entries", "integral")
    more = ("level", "spread")
    assert list(first) == [
        "run_number", "reco", *(f"Hits.Pixel.{name}" for name in names),
        *(f"adc.lumiblock.PXBarrel.{name}" for name in (*names, *more)), *(f"own.{name}" for name in (*names, *more)),
    ]  # fmt: skip
    assert list(second) == ["run_number", "reco", *(f"Hits.Pixel.{name}" for name in names)]
    assert [first[f"adc.lumiblock.PXBarrel.{name}"] for name in (*names, "level")] == [4.5, 1.0, 10.0, 9, 3.0]
    chosen = from_lines(tkstudies("features", "--stats", "mean", input=rows).stdout)[0]
    assert "adc.lumiblock.PXBarrel.level" not in chosen
    chosen = from_lines(tkstudies("features", "--stats", "level", input=rows).stdout)[0]
    assert list(chosen)[2:] == ["Hits.Pixel.level", "adc.lumiblock.PXBarrel.level", "own.level"]
    contents = from_lines(tkstudies("features", "--content", input=rows).stdout)[0]
    assert [contents[f"adc.lumiblock.PXBarrel_{i}"] for i in range(3)] == [1, 2, 6]
    absent = {**record(plot=LUMIBLOCK), "hist": "unsupported type"}
    assert set(from_lines(tkstudies("features", input=[absent]).stdout)[0].values()) == {1, "express", None}


JSROOT = {"_typename": "TH1F", "fName": "FedChNErr", "fXaxis": {"_typename": "TAxis", "fNbins": 2}, "fArray": [0, 1]}


def test_objects_of_jsroot_in_a_folder_are_named_and_left_out(tmp_path, tkstudies):
    plot = tmp_path / "FedChNErr"
    plot.mkdir()
    (plot / "1_express.json").write_text(json.dumps(JSROOT, indent=1))
    (plot / "2_express.json").write_text(json.dumps({"hist": JSROOT}))
    (plot / "3_express.json").write_text(json.dumps({"error": "no such plot", "code": 404}))
    (plot / "4_express.json").write_text(json.dumps({"hist": None}))
    (plot / "5_express.json").write_text(json.dumps({"hist": record()["hist"]}))
    result = tkstudies("features", plot)
    assert result.exit_code == 3
    assert [row["run_number"] for row in from_lines(result.stdout)] == [5]
    jsroot = "left out: an object of JSROOT (TH1F, as jsrootfairy answers), not an answer of jsonfairy: fetch the plot"
    for run in (1, 2):
        assert f"{plot}/{run}_express.json {jsroot} with tkstudies dqm" in result.stderr
    assert "3_express.json left out: not an answer of jsonfairy: no hist in it, but error, code" in result.stderr
    assert "4_express.json left out: not an answer of jsonfairy" in result.stderr


def test_histograms_without_numbers_are_told(tkstudies):
    rows = [{**record(run=run), "hist": JSROOT} for run in (1, 2)] + [{**record(run=3), "hist": {}}, record(run=4)]
    result = tkstudies("features", input=rows)
    assert [row["Hits.Pixel.mean"] for row in from_lines(result.stdout)] == [None, None, None, 4.5]
    assert result.exit_code == 3
    assert "2 histograms of JSROOT (TH1F, as jsrootfairy answers) and not of jsonfairy, so" in result.stderr
    assert f"1 histogram with neither stats nor bins, so without numbers (the first: run 3, {PIXEL})" in result.stderr
    alone = tkstudies("features", input=[JSROOT])
    assert (alone.stdout, alone.exit_code) == ("", 1)
    assert "not a histogram record but an object of JSROOT (TH1F, as jsrootfairy answers)" in alone.stderr
