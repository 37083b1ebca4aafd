"""Dead chips by layer, bad strips by wheel, maps of modules: what a row of features says of parts of the detector."""

import json
import warnings

import pytest

from tests.cern.simulated_modules import BAD, DEAD, INEFFICIENT, layer_with_hole, module_plots
from tests.cern.simulated_runs import conditions
from tests.cern.simulation import World
from tkstudies.analysis.histograms.features import feature_rows
from tkstudies.analysis.histograms.parts import parts_of

EXPRESS = "/StreamExpress/Run2018B-Express-v1/DQMIO"
GOOD, EXCLUDED = 317291, 317320
MAP = "/PixelPhase1/Tracks/PXBarrel/size_per_SignedModule_per_SignedLadder_PXLayer_1"


@pytest.fixture(scope="module")
def world():
    return World()


def features(*hists, **options):
    records = [{"run_number": 1, "reco": "express", "plot": plot, "hist": hist} for plot, hist in hists]
    (row,) = feature_rows(records, **options)
    return row


def bare(content):
    return {"bins": {"content": content}}


def of_run(world, run, *paths, dataset=EXPRESS):
    return features(*((path, json.loads(world.dqm_text("offline", run, dataset, path))["hist"]) for path in paths))


def test_dead_chips_are_percentages_of_the_chips_of_a_layer():
    row = features((DEAD, bare([768, 3584, 0, 0, 42.24, 65.28])))
    of_layers = [f"deadROC_{part}" for part in ("BPix_L1", "BPix_L2", "BPix_L3", "BPix_L4", "FPix_R1", "FPix_R2")]
    assert [row[column] for column in of_layers] == pytest.approx([50, 100, 0, 0, 1, 1])
    assert list(row) == ["run_number", "reco", *(f"deadRoc.{name}" for name in ("mean", "rms", "entries", "integral")),
                         *of_layers]  # fmt: skip


def test_bad_strips_by_part_and_layer():
    content = [[100 * layer + subdetector for subdetector in range(1, 7)] for layer in range(1, 10)]
    content.append([19333.12, 19333.12, 17879.04, 2826.24, 5652.48, 0])
    row = features((f"{BAD}/BadStripMap", bare(content)))
    fractions = {name.rpartition("_")[2]: row[name] for name in row if name.startswith("BadStripsFraction_")}
    assert fractions == pytest.approx({"TIB": 1, "TOB": 0, "TID": 1.5, "TEC": 1, "Global": 100 * 65024 / 9316352})
    assert [row[f"BadStrips_{name}"] for name in ("TEC_MINUS_W9", "TEC_PLUS_W1", "TIB_L4", "TID_MINUS_W1")] == [
        901, 102, 403, 104,
    ]  # fmt: skip
    assert row["BadStrips_TID_PLUS_W3"] == 305
    assert row["BadStrips_TOB_L6"] == 606
    assert sum(name.startswith("BadStrips_") for name in row) == 4 + 6 + 2 * 3 + 2 * 9


@pytest.mark.parametrize("what", ["Fiber", "APV"])
def test_bad_fibers_and_chips_have_no_layers(what):
    row = features((f"{BAD}/Bad{what}Map", bare([[0] * 6] * 9 + [[2208] * 6])))
    assert [name for name in row if what in name and "." not in name] == [
        f"Bad{what}Fraction_{part}" for part in ("TIB", "TOB", "TID", "TEC", "Global")
    ]
    assert row[f"Bad{what}Fraction_TID"] == (200 if what == "Fiber" else 100)


@pytest.mark.parametrize("content", [[1, 2], [[1, 2, 3, 4, 5, 6]], [1] * 10])
def test_other_bins_than_the_known_ones_give_nulls_and_a_word(content):
    with pytest.warns(UserWarning, match="1 histogram whose bins aren't the known ones, so without deadROC_BPix_L1"):
        row = features((DEAD, bare(content)))
    assert {row[part.column] for part in parts_of(DEAD)} == {None}
    assert row["deadRoc.integral"] == sum(content if isinstance(content[0], int) else content[0])


def test_without_bins_parts_are_null_and_columns_stay():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = features((DEAD, {"stats": {"entries": 6}}), (INEFFICIENT, "unsupported type"))
    assert row["deadRoc.entries"] == 6
    assert {row[part.column] for plot in (DEAD, INEFFICIENT) for part in parts_of(plot)} == {None}


def test_chosen_statistics_are_all_there_is():
    assert list(features((DEAD, bare([1] * 6)), statistics=["integral"])) == ["run_number", "reco", "deadRoc.integral"]


def test_a_value_that_is_no_number_is_null():
    row = features((DEAD, bare(["nan", 1536, 0, 0, 0, 0])))
    assert row["deadROC_BPix_L1"] is None
    assert row["deadROC_BPix_L2"] == pytest.approx(100 * 1536 / 3584)


def test_a_map_tells_its_level_its_spread_and_its_modules():
    row = features((MAP, {"type": "TProfile2D", **bare([[0, 4, 6], [0, 0, 0], [5, 5, "nan"]])}))
    assert {name: row[f"size.map.PXLayer_1.{name}"] for name in ("level", "spread", "filled")} == {
        "level": 5, "spread": pytest.approx(0.5**0.5), "filled": 4,
    }  # fmt: skip
    assert features((MAP, bare([[0, 0]])))["size.map.PXLayer_1.filled"] == 0
    assert features((MAP, {"stats": {"entries": 1}}))["size.map.PXLayer_1.filled"] is None


# --- what the simulated year shows


def test_all_plots_of_a_good_run(world):
    row = of_run(world, GOOD, *module_plots("offline"))
    assert len(row) == 2 + 77 * 4 + 18 * 3 + 61
    assert not [name for name, value in row.items() if value is None]
    assert [row[f"size.map.PXLayer_{layer}.filled"] for layer in (1, 2, 3, 4)] == [96, 224, 352, 512]  # modules
    assert 0 < row["deadROC_BPix_L1"] < 1 < row["BadStripsFraction_Global"] < 5


def test_an_excluded_pixel_detector_is_dead(world):
    row = of_run(world, EXCLUDED, DEAD, INEFFICIENT, MAP)
    assert row["deadROC_BPix_L1"] == row["deadROC_FPix_R2"] == 100
    assert row["ineffROC_BPix_L1"] == row["size.map.PXLayer_1.filled"] == 0


def test_a_hole_is_bad_components_in_its_layer(world):
    fates = {run: world.truth(run) for run in world.runs}
    run = next(run for run, fate in fates.items() if fate["kind"] == "hole" and fate["strength"] == "strong")
    dataset = next(name for name in world.dqm_datasets(run) if "-Express-" in name)
    name, layer = layer_with_hole(conditions(world.seed, world.runs[run], "express", dataset))
    layers = {"TIB": "TIB_L", "TOB": "TOB_L", "TIDB": "TID_MINUS_W", "TIDF": "TID_PLUS_W"}
    column = f"BadStrips_{layers[name]}{layer}"
    path = f"{BAD}/BadStripMap"
    assert of_run(world, run, path, dataset=dataset)[column] > 3 * of_run(world, GOOD, path)[column]
