"""The simulated CMS: true to the real and captured data, reproducible, and worth an analysis."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cern.simulated_histograms import COSMICS_PATHS, MAP_ONLINE_PATH, MAP_PATH, OCCUPANCY_PATH, quick_plots
from tests.cern.simulation import ONLINE_DATASET, World

DATA = Path(__file__).parents[1] / "data"
MAIN = (317291, 318877)
EXPRESS = "/StreamExpress/Run2018B-Express-v1/DQMIO"
TRACKING = [plot for plot in quick_plots() if plot.collection == "tracking"]


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def datasets(world):
    return {(d["run_number"], d["name"]): d for d in world.registry_datasets()}


# --- Run Registry


def captured():
    """(file, dataset) of every dataset in the captured exchanges."""

    def find(value):
        if isinstance(value, dict):
            if "DatasetTripletCache" in value and "name" in value:
                yield value
            for item in value.values():
                yield from find(item)
        elif isinstance(value, list):
            for item in value:
                yield from find(item)

    for path in sorted((DATA / "runregistry-v4").glob("datasets*.json")):
        for dataset in find(json.loads(path.read_text())["response"]):
            yield pytest.param(path.name, dataset, id=f"{path.stem}-{dataset['run_number']}-{dataset['name']}")


def contained(part, whole):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and contained(v, whole[k]) for k, v in part.items())
    return part == whole


@pytest.mark.parametrize(("file", "dataset"), list(captured()))
def test_captured_datasets_are_served_as_captured(datasets, file, dataset):
    ours = datasets[dataset["run_number"], dataset["name"]]
    if file == "datasets_filtered_ordered.waiting_dqm_gui.json":  # edited after this capture
        dataset = {**dataset, "version": 1807}
        dataset["DatasetTripletCache"]["triplet_summary"].pop("tracker-track")
    assert contained(dataset, ours)
    summary = dataset["DatasetTripletCache"]["triplet_summary"]
    assert [c for c in ours["DatasetTripletCache"]["triplet_summary"] if c in summary] == list(summary)


def test_seeded_table_is_the_state_of_its_runs(datasets):
    rows = json.loads((DATA / "runregistry-v4" / "seeded_tracker_counts.json").read_text())["rows"]
    visible = [key for key, d in datasets.items() if not d["deleted"] and key[0] in {r["run_number"] for r in rows}]
    assert sorted(visible) == sorted((row["run_number"], row["name"]) for row in rows)
    for row in rows:
        dataset = datasets[row["run_number"], row["name"]]
        cache = dataset["DatasetTripletCache"]
        assert dataset["Run"]["rr_attributes"]["class"] == row["class"]
        assert dataset["Run"]["rr_attributes"]["state"] == row["run_state"]
        assert dataset["dataset_attributes"].get("tracker_state") == row["tracker_state"]
        assert cache["dcs_summary"].get("ls_duration", {}).get("TRUE") == row["ls_duration"]
        assert {c: cache["triplet_summary"].get(c) for c in row["triplet_summary"]} == row["triplet_summary"]


def test_lumisections_match_their_capture(world):
    name = "/PromptReco/Collisions2018B/DQM"
    for route, ours in (
        ("rr_lumisections", world.registry_lumisections(317292, name)),
        ("oms_lumisections", world.oms_flags(317292)),
    ):
        first = json.loads((DATA / "runregistry-v4" / f"lumisections.{route}.json").read_text())["response"]
        assert len(ours) == 40
        assert ours[: len(first)] == first
    assert world.registry_lumisections(317292, "/No/Such/DQM") == []


def test_summaries_ranges_and_lumisections_agree(world, datasets):
    for (run, name), dataset in list(datasets.items())[::23]:
        cache = dataset["DatasetTripletCache"]
        rows = world.registry_lumisections(run, name)
        for column, numbers in cache["triplet_summary"].items():
            words = [row.get(column, {}).get("status", "EMPTY") for row in rows]
            counts = {k: v for k, v in numbers.items() if k not in ("comments", "causes")}
            assert sum(counts.values()) == cache["dcs_summary"]["ls_duration"]["TRUE"] == len(rows)
            for status, ranges in cache["rr_ranges"][column].items():
                inside = [n for first, last in ranges for n in range(first, last + 1)]
                assert inside == [n for n, word in enumerate(words, 1) if word == status]
                assert counts[status] == len(inside)


def test_every_dcs_only_run_has_its_rows_and_the_others_are_bad(datasets):
    dcs, golden = (json.loads((DATA / "certification" / f"{f}_2018.json").read_text()) for f in ("dcsonly", "golden"))
    seeded = {317292, 317297, 317319, 317320, 317338, 317339, 317340, 317382, 317392, 317435, 317291}
    for run in sorted(set(map(int, dcs)) - seeded):
        words = {}
        for (_, name), dataset in ((k, d) for k, d in datasets.items() if k == (run, k[1])):
            words[name.split("/")[1] if "/" in name else name] = dataset["DatasetTripletCache"]["triplet_summary"]
        assert {"online", "Express", "PromptReco"} <= set(words)
        track = words["Express"]["tracker-track"]
        assert ("GOOD" in track) == (str(run) in golden)
        assert bool(track["comments"]) == (str(run) not in golden)


def test_v3_tables_tell_the_same(world):
    tables = world.resthub_tables()
    columns, rows = tables["runreg_tracker", "datasets"]
    by_key = {(r["RUN_NUMBER"], r["RDA_NAME"]): r for r in (dict(zip(columns, row, strict=True)) for row in rows)}
    bad = by_key[317297, "/Express/Collisions2018B/DQM"]
    assert (bad["RDA_CMP_PIXEL"], bad["RDA_CMP_STRIP"], bad["RDA_CMP_TRACKING"]) == ("GOOD", "BAD", "BAD")
    assert bad["RDA_CMP_TRACKING_COMMENT"] == "TIB HV off for the whole run"
    assert by_key[317297, "/Global/Online/ALL"]["RDA_CMP_TRACKING"] is None
    assert not any("UL2018" in name and run == 317297 for run, name in by_key)  # hidden
    assert "RDA_CMP_PIX" in tables["runreg_global", "datasets"][0]
    lumi_columns, lumis = tables["runinfo", "lumi_sections"]
    assert lumi_columns[:4] == ["RUN_NUMBER", "LHCFILL", "LUMISECTION", "CMS_ACTIVE"]
    assert max(row[2] for row in lumis if row[0] == 317527) >= 1487


# --- OMS


def test_real_oms_records_win(world):
    for resource, key in (("runs", "run_number"), ("fills", "fill_number")):
        rows = {row["attributes"][key]: row for row in world.oms_rows(resource)}
        for line in (DATA / "oms" / f"{resource}.jsonl").read_text().splitlines():
            record = json.loads(line)
            row = rows[record[key]]
            units = {f"{name}_unit": item["units"] for name, item in row["meta"]["row"].items()}
            assert {**row["attributes"], **units} == record
    real = [json.loads(line) for line in (DATA / "oms" / "lumisections_315265.jsonl").read_text().splitlines()]
    assert [row["attributes"] for row in world.oms_rows("lumisections", run=315265)] == real


def test_simulated_oms_records_have_the_real_attributes(world):
    real = {row["id"]: row for row in world.oms_rows("runs", fill=6616)}["315270"]
    attributes = world.oms_rows("runs", run=317527)[0]
    assert attributes["attributes"].keys() == real["attributes"].keys()
    assert attributes["meta"] == real["meta"]
    fills = world.oms_rows("fills")
    assert len({frozenset(row["attributes"]) for row in fills}) == 1
    sections = world.oms_rows("lumisections", run=317527)
    assert sections[0]["attributes"].keys() == world.oms_rows("lumisections", run=315265)[0]["attributes"].keys()
    assert len(sections) == attributes["attributes"]["last_lumisection_number"] >= 1487


def test_fills_grow_with_the_runs(world):
    rows = [row["attributes"] for row in world.oms_rows("runs")]
    fills = [row["fill_number"] for row in rows if row["fill_number"]]
    assert fills == sorted(fills)
    assert {r["fill_number"] for r in rows if 317500 <= r["run_number"] <= 317600} <= {None, *range(6762, 6770)}
    starts = [row["start_time"] for row in rows if row["run_number"] > 315300]
    assert starts == sorted(starts)


def test_units_of_heavy_ions_and_of_runs_without_fill(world):
    heavy = world.oms_rows("runs", run=327489)[0]
    assert heavy["meta"]["row"]["recorded_lumi"] == {"units": r"{\mu}b^{-1}"}
    assert world.oms_rows("fills", run=327489)[0]["attributes"]["era"] == "HIRun2018A"
    cosmics = world.oms_rows("runs", run=317540)[0]
    assert (cosmics["attributes"]["fill_number"], cosmics["meta"]["row"]) == (None, {})


# --- DQM GUI


@pytest.mark.parametrize(
    ("run", "dataset"),
    [
        (321012, "/StreamExpress/Run2018D-Express-v1/DQMIO"),
        (325680, "/Cosmics/Run2018E-PromptReco-v1/DQMIO"),
        (320065, "/ZeroBias/Run2018C-PromptReco-v3/DQMIO"),
        (327489, "/HIMinimumBias1/HIRun2018A-PromptReco-v2/DQMIO"),
        (306631, "/SingleTrack/Run2017G-17Nov2017-v1/DQMIO"),
        (317080, "/ZeroBias/Run2018B-17Sep2018-v1/DQMIO"),
        (379415, "/StreamExpress/Run2024C-Express-v1/DQMIO"),
        (353001, "/ZeroBias/Run2022A-19Jan2023-v2/DQMIO"),
        (374810, "/StreamHIExpressRawPrime/HIRun2023A-Express-v2/DQMIO"),
        (374810, "/HIPhysicsRawPrime0/HIRun2023A-PromptReco-v2/DQMIO"),
    ],
)
def test_known_datasets_exist_among_others(world, run, dataset):
    names = world.dqm_datasets(run)
    assert dataset in names
    assert len(names) == len(set(names)) > 1


def test_captured_gui_names_are_in_the_gui(world, datasets):
    for (run, _), dataset in datasets.items():
        assert set(dataset["datasets_in_gui"]) <= set(world.dqm_datasets(run))


def test_real_tracking_map_is_verbatim(world):
    text = world.dqm_text("online", 321012, ONLINE_DATASET, MAP_ONLINE_PATH)
    assert text == (DATA / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json").read_text()


def test_histograms_are_compact_json_of_the_known_shape(world):
    missing = []
    for plot in quick_plots():
        text = world.dqm_text("offline", 317591, EXPRESS, plot.offline)
        if text is None:  # one in a hundred, by chance
            missing.append(plot.name)
            continue
        hist = json.loads(text)["hist"]
        assert len(text) < 3000
        assert len(hist["bins"]["content"]) == hist["xaxis"]["last"]["id"] == len(hist["bins"]["error"])
        assert hist["bins"]["integral"] == pytest.approx(sum(hist["bins"]["content"]))
        is_profile = "per_LumiBlock" in plot.name or plot.name == "deadRocTotal"
        assert hist["type"] == ("TProfile" if is_profile else "TH1")
    assert len(missing) < 4
    tracking_map = json.loads(world.dqm_text("offline", 317591, EXPRESS, MAP_PATH))["hist"]
    assert np.shape(tracking_map["bins"]["content"]) == (32, 31)
    assert tracking_map["bins"]["integral"][1][1] > 0
    assert json.loads(world.dqm_text("offline", 317591, EXPRESS, OCCUPANCY_PATH))["hist"]["type"] == "TProfile2D"


def test_what_does_not_exist(world):
    assert world.dqm_text("offline", 317527, "/No/Such/DQMIO", TRACKING[0].offline) is None
    assert world.dqm_text("offline", 317527, EXPRESS, TRACKING[0].online) is None
    cosmics = world.dqm_datasets(325680)[0]
    assert world.dqm_text("offline", 325680, cosmics, TRACKING[0].offline) is None
    assert all(world.dqm_text("offline", 325680, cosmics, path) for path in COSMICS_PATHS)
    assert not any("-PromptReco-" in name for name in world.dqm_datasets(318877))
    assert world.dqm_datasets(1) == []
    assert 317478 not in world.dqm_runs("online")


def test_folders_lead_to_every_plot(world):
    found, folders = set(), [""]
    while folders:
        folder = folders.pop()
        for item in world.dqm_folder("offline", 317527, EXPRESS, folder):
            if "subdir" in item:
                folders.append(f"{folder}/{item['subdir']}".lstrip("/"))
            else:
                found.add("/" + item["path"])
    existing = {p.offline for p in quick_plots() if world.dqm_text("offline", 317527, EXPRESS, p.offline)}
    assert found >= existing | {MAP_PATH}

    def complete(run):
        items = world.dqm_folder("offline", run, EXPRESS, "Info/ProvInfo")
        return {item["obj"]: item["value"] for item in items}["runIsComplete"]

    assert (complete(317527), complete(317696)) == ("1", "0")


def test_broken_answers_stay_out_of_the_main_study(world):
    broken = {"NaN}": 0, ",nan,": 0, '"s distribution': 0}
    for run in (run for run in world.runs if MAIN[0] <= run <= MAIN[1] and not world.runs[run].is_cosmics):
        for dataset in world.dqm_datasets(run)[:1]:
            for plot in TRACKING:
                json.loads(world.dqm_text("offline", run, dataset, plot.offline))
    for run in world.runs:
        for plot in (plot for plot in quick_plots() if plot.feature.startswith("residual")):
            dataset = next(iter(world.dqm_datasets(run)), "")
            text = world.dqm_text("offline", run, dataset, plot.offline) or "{}"
            for form in broken:
                if form in text:
                    broken[form] += 1
                    with pytest.raises(json.JSONDecodeError):
                        json.loads(text)
    assert min(broken.values()) > 20


def test_same_seed_same_answers_in_any_order(world):
    twin, other = World(2018), World(7)
    paths = [plot.offline for plot in TRACKING]
    forward = [world.dqm_text("offline", 317527, EXPRESS, path) for path in paths]
    backward = [twin.dqm_text("offline", 317527, EXPRESS, path) for path in reversed(paths)]
    assert forward == backward[::-1]
    assert forward[0] != other.dqm_text("offline", 317527, EXPRESS, paths[0])
    assert twin.truth(317434, "express") == world.truth(317434, "express")


def test_a_world_and_a_histogram_are_cheap():
    start = time.perf_counter()
    world = World()
    assert time.perf_counter() - start < 0.01
    world.dqm_text("offline", 317527, EXPRESS, TRACKING[0].offline)
    start = time.perf_counter()
    for plot in TRACKING:
        world.dqm_text("offline", 317527, EXPRESS, plot.offline)
    assert (time.perf_counter() - start) / len(TRACKING) < 0.002


# --- people on shift


def test_the_doctor_agrees_but_for_a_few_runs(world):
    rows = [row for row in world.doctor_runs if MAIN[0] <= row["run_number"] <= MAIN[1]]
    pairs = [(row["run_number"], row["type__reco"]) for row in rows]
    assert len(pairs) - len(set(pairs)) == 1
    differing = {
        row["run_number"]
        for row in rows
        if (row["tracking"] == "Good") == world.truth(row["run_number"], row["type__reco"].lower())["is_bad"]
    }
    assert 2 <= len(differing) <= 6
    assert all(isinstance(row["int_luminosity"], str) for row in rows)


def test_problems_name_the_cause(world):
    problems = {problem["id"]: problem for problem in world.doctor_problems}
    for row in world.doctor_problem_runs:
        truth = world.truth(row["run_number"])
        assert truth["is_bad"]
        assert [problems[i]["name"] for i in row["problem_ids"]] == row["problem_names"]
        assert [row["run_number"], row["type__reco"]] in problems[row["problem_ids"][0]]["runs"]
        if truth["kind"] == "hole":
            assert "New hole in SiStrip" in row["problem_names"]


def test_references_and_wbm(world):
    references = world.certhelper_reference_runs
    assert {row["run_reconstruction_type"] for row in references} == {"express", "prompt"}
    assert all(not world.truth(row["reference_run_number"])["is_bad"] for row in references)
    runs = [int(run["run"]) for run in world.wbm_runs]
    assert runs == sorted(runs, reverse=True)
    assert all(isinstance(value, str) for run in world.wbm_runs for value in run.values())


# --- does a study find the bad runs?


def study(world, first, last):
    """Hotelling's T² of the rows of a run range, as in the documented analysis, and their truth."""
    rows, truths = [], []
    for run in world.runs.values():
        if not first <= run.number <= last or run.run_class != "Collisions18":
            continue
        lumi = world.oms_rows("runs", run=run.number)[0]["attributes"]["recorded_lumi"]
        for reco, part in (("express", "-Express-"), ("prompt", "-PromptReco-")):
            names = [n for n in world.dqm_datasets(run.number) if part in n and n.endswith("/DQMIO")]
            if not names:
                continue
            row = {}
            for plot in TRACKING:
                text = world.dqm_text("offline", run.number, names[0], plot.offline)
                stats = json.loads(text)["hist"]["stats"] if text else None
                for name in ("mean", "rms"):
                    row[f"{plot.feature}.{name}"] = stats[name]["X"]["value"] if stats else 0.0
            if row["Hits.Pixel.mean"] > 0 and row["Hits.Strip.mean"] > 0:
                rows.append([*row.values(), lumi or 0.0])
                truths.append(world.truth(run.number, reco))
    x = np.array(rows) - np.mean(rows, axis=0)
    x /= x.std(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    components = (u * s)[:, :5]
    return (components**2 / components.var(axis=0, ddof=1)).sum(axis=1), truths


def of_strength(t2, truths, strength):
    return t2[[truth["is_bad"] and truth["strength"] == strength for truth in truths]]


def stands_out(t2, truths):
    """Median T² of the bad rows over the 99 % quantile of the good ones."""
    bad = np.array([truth["is_bad"] for truth in truths])
    return np.median(t2[bad]) / np.quantile(t2[~bad], 0.99)


def test_bad_runs_stand_out_but_for_the_weak_ones(world):
    t2, truths = study(world, *MAIN)
    bad = np.array([truth["is_bad"] for truth in truths])
    limit = np.quantile(t2[~bad], 0.99)
    assert (len(t2), bad.sum()) == (97, 28)
    assert stands_out(t2, truths) > 1.5
    assert np.median(of_strength(t2, truths, "weak")) < np.quantile(t2[~bad], 0.9)
    assert np.mean(of_strength(t2, truths, "medium") > limit) > 0.5
    assert np.mean(of_strength(t2, truths, "strong") > limit) > 0.8


def test_bad_runs_stand_out_for_other_seeds():
    ratios = [stands_out(*study(World(seed), *MAIN)) for seed in range(1, 6)]
    assert sum(ratio > 1 for ratio in ratios) >= 4, ratios


def test_bad_runs_stand_out_elsewhere(world):
    assert stands_out(*study(world, 319337, 320065)) > 1


def test_good_rows_have_a_realistic_spread(world):
    pileup, hits = [], []
    for run in world.runs.values():
        if MAIN[0] <= run.number <= MAIN[1] and run.fate.kind == "good" and EXPRESS in world.dqm_datasets(run.number):
            for values, plot in ((pileup, TRACKING[0]), (hits, TRACKING[1])):
                text = world.dqm_text("offline", run.number, EXPRESS, plot.offline)
                values.append(json.loads(text)["hist"]["stats"]["mean"]["X"]["value"])
    assert np.std(pileup) / np.mean(pileup) > 0.08
    assert 0.003 < np.std(hits) / np.mean(hits) < 0.03
    assert np.corrcoef(pileup, hits)[0, 1] < -0.3  # crowded events cost hits


def test_only_the_runs_that_were_off_lack_hits(world):
    empty = []
    for run in world.runs.values():
        if MAIN[0] <= run.number <= MAIN[1] and EXPRESS in world.dqm_datasets(run.number):
            for plot in TRACKING[6:8]:
                text = world.dqm_text("offline", run.number, EXPRESS, plot.offline)
                if json.loads(text)["hist"]["stats"]["mean"]["X"]["value"] == 0:
                    empty.append((run.number, plot.feature))
    assert empty == [
        (317320, "Hits.Pixel"),  # pixel detector excluded
        (317339, "Hits.Strip"),  # standby
        (317339, "Hits.Pixel"),
        (317480, "Hits.Strip"),  # bad: nothing was on
        (317480, "Hits.Pixel"),
    ]
