"""``tkstudies compare --learn`` and ``--changes``: what a person types, sees, and sees when it goes wrong."""

from __future__ import annotations

import json
from statistics import median

import numpy as np
import pytest

from tests.conftest import from_lines, rows, to_lines
from tkstudies.provenance import digest

PLOTS = {"/t/Hits": 0.02, "/t/Tracks": 0.5, "/p/adc": 0.1}
X = np.linspace(0.1, 9.9, 50)
DATASET = "/StreamExpress/Run2018D-Express-v1/DQMIO"


def hist(shift, rng, entries=20_000):
    weights = np.exp(-0.5 * (X - 5 - shift) ** 2)
    return {"type": "TH1", "bins": {"content": rng.poisson(entries * weights / weights.sum()).tolist()}}


def run_of(number, rng, reco="express", dataset=DATASET, **shifts):
    """The plots of a run, each where good runs have it or shifted."""
    found = []
    for plot, spread in PLOTS.items():
        name = plot.rpartition("/")[2]
        shown = hist(shifts.get(name, rng.normal(0, spread)), rng)
        found.append(
            {"run_number": number, "reco": reco, "dataset": dataset, "plot": plot, "name": name, "hist": shown}
        )
    return found


@pytest.fixture(name="rng")
def _rng():
    return np.random.default_rng(3)


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch, tkstudies, rng):
    """A folder with histograms of good runs, what they teach, and one new run that has a fault."""
    monkeypatch.chdir(tmp_path)
    good = [record for number in range(1, 26) for record in run_of(number, rng)]
    (tmp_path / "good.jsonl").write_text(to_lines(good))
    (tmp_path / "new.jsonl").write_text(to_lines(run_of(30, rng, Hits=0.4, Tracks=0.6)))
    assert tkstudies("compare", "--learn", "good.jsonl", "-o", "changes.json").exit_code == 0
    return tmp_path


def test_z_says_what_is_unusual_for_a_plot(folder, tkstudies):
    found = rows(tkstudies("compare", "--changes", "changes.json", "--reference-run", "5", "good.jsonl", "--run", "7"))
    assert list(found[0])[-4:] == ["reason", "z", "change", "usual_change"]
    assert all(abs(row["z"]) < 4 for row in found)
    options = ("--changes", "changes.json", "--reference", "good.jsonl", "--reference-run", 5)
    result = tkstudies("compare", *options, "new.jsonl")
    found = {row["name"]: row for row in rows(result)}
    assert found["Hits"]["z"] > 10 > 4 > found["Tracks"]["z"]
    assert found["Tracks"]["max_pull_corrected"] > 5
    assert found["Hits"]["change"] == found["Hits"]["ks"] > 5 * found["Hits"]["usual_change"]
    assert "  z of 3 plots by what 24 runs from 1 to 25 have taught: 1 above 5\n" in result.stderr
    assert "  the most unusual: Hits of run 30 express, z " in result.stderr


def test_without_changes_nothing_is_new(folder, tkstudies):
    plain = rows(tkstudies("compare", "--reference", "good.jsonl", "--reference-run", "5", "new.jsonl"))
    options = ("--changes", "changes.json", "--reference", "good.jsonl", "--reference-run", "5", "new.jsonl")
    more = rows(tkstudies("compare", *options))
    assert [list(row)[-1] for row in plain] == ["reason"] * 3
    assert [{name: row[name] for name in plain[0]} for row in more] == plain


def test_of_several_references_the_median_counts(folder, tkstudies, rng):
    """Named before: one shares the fault, which the smallest z would hide."""
    (folder / "fault.jsonl").write_text(to_lines(run_of(40, rng, Hits=0.4)))
    references = (
        "--reference",
        "good.jsonl",
        "--reference",
        "fault.jsonl",
        "--reference-run",
        "5,40",
        "--reference-run",
    )
    found = rows(tkstudies("compare", "--changes", "changes.json", *references, "8", "new.jsonl"))
    hits = next(row for row in found if row["name"] == "Hits")
    assert hits["reference_run_numbers"] == [5, 40, 8]
    assert min(hits["reference_z"]) < 4 < 10 < hits["z"] == median(hits["reference_z"])
    assert hits["reference_run_number"] == [5, 40, 8][hits["reference_z"].index(hits["z"])]
    assert len(found) == 3
    two = rows(tkstudies("compare", "--changes", "changes.json", *references[:-1], "new.jsonl"))
    assert two[0]["z"] == pytest.approx(np.mean(two[0]["reference_z"]))
    assert two[0]["reference_run_number"] == 40


def test_each_file_may_be_a_reference(folder, tkstudies, rng):
    for number in (50, 51):
        (folder / f"{number}.jsonl").write_text(to_lines(run_of(number, rng)))
    files = ("--reference", "50.jsonl", "--reference", "51.jsonl")
    found = rows(tkstudies("compare", "--changes", "changes.json", *files, "new.jsonl"))
    assert found[0]["reference_run_numbers"] == [50, 51]
    several = tkstudies("compare", "--changes", "changes.json", *files, "--reference", "good.jsonl", "new.jsonl")
    assert "good.jsonl has histograms of 25 runs: name the references with --reference-run" in several.stderr
    assert tkstudies("compare", *files, "new.jsonl").exit_code == 2


def test_a_run_is_not_its_own_reference_beside_others(folder, tkstudies, rng):
    (folder / "both.jsonl").write_text((folder / "good.jsonl").read_text())
    options = ("--reference", "both.jsonl", "--reference-run", "5,6,7", "--run", "6")
    found = rows(tkstudies("compare", "--changes", "changes.json", *options, "good.jsonl"))
    assert found[0]["reference_run_numbers"] == [5, 7]


def test_only_good_runs_of_a_study_teach(folder, tkstudies, rng):
    bad = [record for number in range(60, 75) for record in run_of(number, rng, Hits=3.0)]
    (folder / "all.jsonl").write_text((folder / "good.jsonl").read_text() + to_lines(bad))
    study = [
        {"run_number": n, "reco": "express", "is_bad": n >= 60, "Hits.mean": 5.0}
        for n in [*range(1, 26), *range(60, 74)]
    ]
    (folder / "study.jsonl").write_text(to_lines(study))
    result = tkstudies("compare", "--learn", "--study", "study.jsonl", "all.jsonl", "-o", "of_good.json")
    assert result.exit_code == 0
    assert result.stderr == (
        "45 histograms of rows that aren't good left out\n"
        "  1 row not in study.jsonl: 74 express\n"
        "learned how much 3 plots usually change: 276 pairs of 24 runs (is_bad = false)\n"
    )
    learned, usual = (json.loads((folder / name).read_text()) for name in ("of_good.json", "changes.json"))
    assert learned["plots"] == usual["plots"]
    assert learned["learned_from"]["good"] == "is_bad = false"
    chosen = tkstudies("compare", "--learn", "--study", "study.jsonl", "--good", "run_number < 15", "all.jsonl")
    assert from_lines(chosen.stdout)[0]["learned_from"]["last_run"] < 15


def test_nothing_is_learned_without_a_word_on_what_is_good(folder, tkstudies):
    said = tkstudies("--quiet", "compare", "--learn", "good.jsonl").stderr
    assert said == (
        "warning: nothing tells which runs are good: all 24 used count as such (--study FILE names rows with labels)\n"
    )


def test_what_is_written(folder, tkstudies):
    content = json.loads((folder / "changes.json").read_text())
    assert list(content) == [
        "format", "tkstudies_version", "command", "learned_from", "plots", "made_at", "inputs", "first_run", "last_run",
    ]  # fmt: skip
    assert content["inputs"] == [{"file": "good.jsonl", "sha256": digest("good.jsonl")}]
    assert (content["first_run"], content["last_run"]) == tuple(
        content["learned_from"][n] for n in ("first_run", "last_run")
    )
    assert content["learned_from"]["files"] == ["good.jsonl"]
    assert [plot["plot"] for plot in content["plots"]] == sorted(PLOTS)
    again = from_lines(tkstudies("compare", "--learn", "-i", "good.jsonl").stdout)[0]
    assert again["plots"] == content["plots"]
    other = from_lines(tkstudies("compare", "--learn", "--seed", "1", "good.jsonl").stdout)[0]
    assert (other["learned_from"]["seed"], content["learned_from"]["seed"]) == (1, 42)


def test_plots_without_a_z_are_named(folder, tkstudies, rng):
    odd = run_of(30, rng)
    odd[0]["plot"] = "/t/New"
    odd[0]["name"] = "New"
    odd[1]["reco"] = "prompt"
    odd[2]["dataset"] = "/StreamHIExpress/x/DQMIO"
    odd += [{**one, "run_number": 5, "name": "x"} for one in odd]
    odd.append({**odd[0], "lumisection_number": 3})
    result = tkstudies("compare", "--changes", "changes.json", "--reference-run", "5", input=odd)
    found = rows(result)
    assert [row["z"] for row in found] == [None] * 4
    assert all(row["change"] is not None and row["reason"] is None for row in found)
    assert result.stderr.count("warning: no z for 1 plot") == 4
    for told in (
        "(New): not among the plots that were learned",
        "(Tracks): learned, but not for prompt",
        "(adc): learned, but not for StreamHIExpress",
        "(New): of lumisections: changes are learned from whole runs",
    ):
        assert told in result.stderr


def test_a_dataset_that_is_not_known_fits(folder, tkstudies, rng):
    bare = [{name: value for name, value in one.items() if name != "dataset"} for one in run_of(30, rng)]
    options = ("--changes", "changes.json", "--reference", "good.jsonl", "--reference-run", "5")
    assert all(row["z"] is not None for row in rows(tkstudies("compare", *options, input=bare)))


def test_too_few_pairs_are_named(folder, tkstudies, rng):
    few = [{**one, "plot": "/t/Few"} for n in range(1, 6) for one in run_of(n, rng)[:1]]
    (folder / "few.jsonl").write_text(to_lines(few))
    result = tkstudies("compare", "--learn", "good.jsonl", "few.jsonl", "-o", "changes.json")
    assert "warning: not learned: Few express: 10 pairs of good runs, 20 needed\n" in result.stderr
    compared = tkstudies("compare", "--changes", "changes.json", "--reference-run", "1", "few.jsonl")
    assert "no z for 1 plot (Few): 10 pairs of good runs, 20 needed" in compared.stderr


def test_the_same_run_in_another_reco(folder, tkstudies, rng):
    records = []
    for number in range(1, 31):
        prompt = run_of(number, rng, reco="prompt")
        for one in prompt:
            content = list(one["hist"]["bins"]["content"])
            moved = 2000 if number == 30 and one["name"] == "Hits" else int(rng.integers(80, 120))
            content[20] += moved
            records.append({**one, "reco": "rereco", "hist": {"type": "TH1", "bins": {"content": content}}})
        records += prompt
    (folder / "campaign.jsonl").write_text(to_lines(records))
    plain = rows(tkstudies("compare", "--reference-reco", "prompt", "campaign.jsonl"))
    assert len(plain) == 90
    assert {(row["reco"], row["reference_reco"]) for row in plain} == {("rereco", "prompt")}
    assert all(row["run_number"] == row["reference_run_number"] and row["ks"] < 0.1 for row in plain)
    assert list(plain[0])[:4] == ["run_number", "reco", "reference_run_number", "reference_reco"]
    learn = tkstudies("compare", "--learn", "--reference-reco", "prompt", "campaign.jsonl", "-o", "rereco.json")
    assert learn.exit_code == 0
    assert "of 29 runs, each beside itself in prompt" in learn.stderr
    result = tkstudies("compare", "--changes", "rereco.json", "--reference-reco", "prompt", "campaign.jsonl")
    found = sorted(rows(result), key=lambda row: -row["z"])
    assert (found[0]["run_number"], found[0]["name"]) == (30, "Hits")
    assert found[0]["z"] > 10 > 6 > found[1]["z"]
    for file, options, told in (
        ("rereco.json", ("--reference-run", "1"), "rereco.json was learned with --reference-reco prompt: give"),
        ("changes.json", ("--reference-reco", "prompt"), "changes.json was learned between runs: learn anew with"),
    ):
        refused = tkstudies("compare", "--changes", file, *options, "campaign.jsonl")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert told in refused.stderr


def test_a_reference_reco_that_is_not_there(folder, tkstudies):
    result = tkstudies("compare", "--reference-reco", "prompt", "good.jsonl")
    assert result.exit_code == 1
    assert "the input: no histogram of reco prompt to compare with (recos are express)" in result.stderr
    only = tkstudies("compare", "--reference-reco", "express", "good.jsonl")
    assert (only.exit_code, only.stdout) == (1, "")
    assert "all histograms are of reco express: there is none to compare with it" in only.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not what tkstudies compare --learn wrote"),
        ("[1]", "is not what tkstudies compare --learn wrote: it doesn't say its format"),
        ('{"format": "tkstudies-pca-1"}', "its format is 'tkstudies-pca-1', not 'tkstudies-changes-1'"),
        ('{"format": "tkstudies-changes-1"}', "it has no 'learned_from'"),
        (None, "it has no 'width'"),
        ({"width": 0}, "the numbers of /p/adc can't be those of changes"),
        ({"width": "x"}, "the numbers of /p/adc can't be those of changes"),
        ({"reco": 5}, "a text was expected instead of 5"),
    ],
)
def test_a_broken_file_is_refused(folder, tkstudies, content, told):
    if not isinstance(content, str):
        broken = json.loads((folder / "changes.json").read_text())
        if content is None:
            del broken["plots"][0]["width"]
        else:
            broken["plots"][0].update(content)
        content = json.dumps(broken)
    (folder / "broken.json").write_text(content)
    result = tkstudies("compare", "--changes", "broken.json", "--reference-run", "5", "good.jsonl")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("tkstudies: broken.json ")
    assert told in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--learn", "--reference-run", "5"], 2, "--reference-run means nothing to --learn"),
        (["--learn", "--changes", "changes.json"], 2, "--changes means nothing to --learn"),
        (["--learn", "--good", "a = 1"], 2, "--good looks at rows of runs: name them with --study FILE"),
        (["--good", "a = 1"], 2, "--good means nothing to a comparison (they go with --learn)"),
        (["--learn", "--run", "1-5"], 1, "nothing learned (10 pairs of good runs, 20 needed): give the histograms"),
        (["--learn", "--study", "nowhere.jsonl"], 1, "nowhere.jsonl: no such file"),
        (["--learn", "--study", "good.jsonl"], 1, "good.jsonl: no label tells good rows: label the rows before"),
        (["--learn", "--study", "-", "-i", "-"], 2, "can't be both sides"),
        (["--reference-run", "1-3"], 2, "--reference-run 1-3: name each reference run"),
        (["--reference-run", "1,2"], 2, "of several references the median z counts: add --changes FILE"),
        (["--reference-run", "1,99", "--changes", "changes.json"], 1, "no histogram of run 99 to compare with"),
        (["--reference-run", "1", "--reference-reco", "prompt"], 2, "leave out --reference-run"),
    ],
)
def test_what_goes_wrong(folder, tkstudies, arguments, code, told):
    result = tkstudies("compare", *arguments, *(() if "-i" in arguments else ("good.jsonl",)))
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


def test_an_old_file_outlives_a_failed_run(folder, tkstudies):
    before = (folder / "changes.json").read_text()
    assert tkstudies("compare", "--learn", "--run", "1-3", "good.jsonl", "-o", "changes.json").exit_code == 1
    assert (folder / "changes.json").read_text() == before


def test_the_help_suggests_no_limit_on_pulls(tkstudies):
    said = tkstudies("compare", "--help").stdout
    assert "max_pull >" not in said
    assert "max_pull_corrected >" not in said
    assert "z > 5" in said
