"""``tkstudies dqm --summaries``: the numbers of histograms from the server's index, and what is made of them."""

from __future__ import annotations

import json

import pytest

from tests.cern.server import CernServer
from tests.commands.test_dqm import EXPRESS, HITS, TRACKING, asked, keys, rows
from tests.conftest import from_lines, to_lines
from tkstudies.analysis.histograms.collections import plots

LISTING = "data/json/archive"
HIT_FOLDER = HITS.rpartition("/")[0]
RUN = 317383  # a multiple of 11: its residuals have numbers that aren't finite
STATISTICS = "mean,rms,entries,mean_y,rms_y"


def listings(server, command):
    return asked(server, command, LISTING)


@pytest.fixture
def rewriting(changes):
    """Change what the server lists in the folder of the hits."""

    def start(change, folder=HIT_FOLDER):
        def rewrite(service, request, reply):
            if service == "dqm" and LISTING in request.path and request.path.endswith(folder):
                return reply._replace(body=json.dumps(change(json.loads(reply.body))).encode())
            return reply

        changes.rewrite = rewrite
        return changes

    return start


# --- records


def test_a_record(live, tkstudies):
    result = tkstudies("dqm", "--summaries", "--plot", HITS, input=rows(317291))
    assert (result.exit_code, result.stderr) == (0, "1 plot fetched\n")
    (record,) = from_lines(result.stdout)
    hist = record.pop("hist")
    assert record == {
        "run_number": 317291,
        "reco": "express",
        "dataset": EXPRESS,
        "plot": HITS,
        "name": "NumberOfRecHitsPerTrack_GenTk",
    }
    (theirs,) = from_lines(tkstudies("dqm", "--plot", HITS, input=rows(317291)).stdout)
    assert hist == {
        "type": theirs["hist"]["type"],
        "is_summary": True,
        "stats": {
            "entries": theirs["hist"]["stats"]["entries"],
            **{name: {"X": {"value": theirs["hist"]["stats"][name]["X"]["value"]}} for name in ("mean", "rms")},
        },
        "xaxis": {end: theirs["hist"]["xaxis"][end] for end in ("first", "last")},
    }


@pytest.mark.parametrize(("collection", "requests"), [("tracking", 5), ("all", 18)])
def test_the_same_features_by_fewer_requests(live, tkstudies, collection, requests):
    table = rows(RUN, 317188) + rows(317292, reco="prompt") if collection == "all" else rows(RUN)
    wanted = ("dqm", "--collection", collection, "--tracking-map")
    full = tkstudies(*wanted, input=table)
    small, paths = listings(live, lambda: tkstudies(*wanted[:3], "--summaries", input=table[:1]))
    assert len(paths) == len(set(paths)) == requests
    small = tkstudies(*wanted, "--summaries", input=table)
    assert (small.exit_code, small.stderr) == (0, full.stderr)
    assert keys(small.stdout) == keys(full.stdout)
    ours, theirs = (tkstudies("features", "--stats", STATISTICS, input=found.stdout) for found in (small, full))
    assert (ours.stdout, ours.stderr) == (theirs.stdout, "")


def test_what_needs_bins_is_null_and_told_once(live, tkstudies):
    found = tkstudies("dqm", "--summaries", "--collection", "all", input=rows(317291, 317292))
    features = tkstudies("features", input=found.stdout)
    empty = {column for row in from_lines(features.stdout) for column, value in row.items() if value is None}
    kinds = {"deadROC" if column.startswith("deadROC_") else column.rpartition(".")[2] for column in empty}
    assert kinds == {"integral", "level", "spread", "deadROC"}
    of = ".integral, .level, .spread, parts of the detector"
    told = f"warning: {len(empty)} columns of bins ({of}) null, as summaries have none\n"
    assert (features.exit_code, features.stderr) == (0, told)


def test_bins_come_before_summaries(live, tkstudies):
    small, full = (tkstudies("dqm", "--plot", HITS, *more, input=rows(317291)).stdout for more in (["--summaries"], []))
    alone = tkstudies("features", input=full)
    after, before = tkstudies("features", input=small + full), tkstudies("features", input=full + small)
    assert alone.stdout == after.stdout == before.stdout
    assert (alone.stderr, after.stderr) == ("", "")
    assert "1 histogram dropped: same run, reco and plot as before" in before.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--stats", "mean,median", "--stats", "q05"], "median, q05"), (["--content"], "bin contents")],
)
def test_other_statistics_of_bins_are_refused(live, tkstudies, tmp_path, arguments, named):
    file = tmp_path / "s.jsonl"
    assert tkstudies("dqm", "--summaries", "--plot", HITS, "-o", file, input=rows(317291)).exit_code == 0
    result = tkstudies("features", *arguments, file)
    assert (result.exit_code, result.stdout) == (1, "")
    told = f"s.jsonl, line 1: no {named} without bins: run 317291, {HITS} is a summary; fetch it without --summaries\n"
    assert result.stderr.endswith(told)


def test_what_is_missing_is_counted(live, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    command = ("dqm", "--summaries", "--plot", "/No/Such", "--plot", HIT_FOLDER + "/No", "--plot", HITS)
    command = (*command, "--plot", "/Info/ProvInfo/runIsComplete", "--errors", errors)
    result = tkstudies(*command, input=[*rows(317291, 1), {"run_number": 317292}])
    assert result.exit_code == 3  # a record without a reco
    assert keys(result.stdout) == [(317291, "express", HITS)]
    assert "1 plot fetched, 1 missing dataset, 3 missing plots" in result.stderr
    problems = from_lines(errors.read_text())
    assert [problem["error"] for problem in problems] == ["missing plot"] * 3 + ["missing dataset"]
    assert problems[0]["message"] == f"no histogram in {EXPRESS} (a single value is shown by --ls)"
    assert tkstudies(*command, "--strict", input=rows(317291)).exit_code == 3


def test_paths_are_encoded_and_names_are_not(rewriting, tkstudies):
    odd = 'a "b" +#%?\u00e9\\'
    server = rewriting(lambda answer: {"contents": [{**item, "obj": odd} for item in answer["contents"][1:]]})
    command = ("dqm", "--summaries", "--plot", f"{HIT_FOLDER}/{odd}", "--plot", "/a b/c#d?e%f/g")
    result, paths = listings(server, lambda: tkstudies(*command, input=rows(317291)))
    (record,) = from_lines(result.stdout)
    assert (record["plot"], record["name"]) == (f"{HIT_FOLDER}/{odd}", odd)
    assert any(path.endswith("/a%20b/c%23d%3Fe%25f") for path in paths)  # asked at the same time


def test_online_and_cosmics(live, tkstudies):
    table = [*rows(317291), {"run_number": 325680, "reco": "prompt"}]
    for option in ((), ("--online",)):
        command = ("dqm", "--collection", "tracking", "--tracking-map", *option)
        full, small = (tkstudies(*command, *more, input=table) for more in ((), ("--summaries",)))
        assert (small.exit_code, small.stderr) == (0, full.stderr)
        assert keys(small.stdout) == keys(full.stdout)


def test_numbers_that_are_not_finite_are_null(live, tkstudies):
    path = next(plot.offline for plot in plots("pixel") if plot.feature == "residual.x.PXForward")
    (record,) = from_lines(tkstudies("dqm", "--summaries", "--plot", path, input=rows(RUN)).stdout)
    stats = record["hist"]["stats"]
    assert stats["mean"] == stats["rms"] == {"X": {"value": None}} and stats["entries"] > 0


def without(*names):
    def change(answer):
        return {"contents": [{k: v for k, v in item.items() if k not in names} for item in answer["contents"]]}

    return change


@pytest.mark.parametrize("names", [("stats",), ("properties",), ("nentries",)])
def test_a_server_that_lists_no_numbers(rewriting, tkstudies, names):
    rewriting(without(*names))
    result = tkstudies("dqm", "--summaries", "--plot", HITS, input=rows(317291))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "lists it without its entries, mean and rms: fetch it without --summaries" in result.stderr


def test_numbers_of_another_kind_are_named(rewriting, tkstudies):
    def change(answer):
        for item in answer["contents"]:
            item.get("stats", {}).get("x", {})["mean"] = "about 3"
        return answer

    rewriting(change)
    result = tkstudies("dqm", "--summaries", "--plot", HITS, input=rows(317291))
    assert result.exit_code == 1
    assert "$.contents[1].stats[...].mean: expected" in result.stderr


def test_recorded_and_replayed(live, tkstudies, tmp_path):
    command = ("dqm", "--summaries", "--collection", "tracking", "--run", "317291", "--reco", "express")
    recorded = tkstudies("--record", tmp_path / "tape", *command)
    replayed = tkstudies("--replay", tmp_path / "tape", *command)
    assert (replayed.exit_code, replayed.stdout) == (0, recorded.stdout) and len(from_lines(recorded.stdout)) == 15


# --- all plots below a folder


def test_all_plots_below_a_folder(live, tkstudies):
    top = "/Tracking/TrackParameters/highPurityTracks"
    result, paths = listings(live, lambda: tkstudies("dqm", "--summaries", "--folder", top + "/", input=rows(317291)))
    assert (result.exit_code, result.stderr) == (0, "8 plots fetched\n")
    found = [path for _, _, path in keys(result.stdout)]
    assert set(found) == {path for path in TRACKING if path.startswith(top)}
    assert [path.rpartition("/")[0].removeprefix(top) for path in found] == sorted(
        path.rpartition("/")[0].removeprefix(top) for path in found
    ), "the plots of a folder come together, before those of the folders in it"
    assert len(paths) == len(set(paths)) == 6, paths


def test_folders_of_several_runs_in_input_order(live, tkstudies):
    command = ("dqm", "--summaries", "--folder", "/SiStrip", "--folder", "/Tracking", "--workers", 3)
    table = rows(317297, 1, *range(317291, 317293), 317340, 317338, 317320)
    result = tkstudies(*command, input=table)
    found = keys(result.stdout)
    order = dict.fromkeys((run, path.split("/")[1]) for run, _, path in found)
    runs = [row["run_number"] for row in table if row["run_number"] != 1]
    assert list(order) == [(run, folder) for run in runs for folder in ("SiStrip", "Tracking")]
    assert len(found) == len(set(found)) and "1 missing dataset" in result.stderr
    assert tkstudies(*command[:-1], 16, input=table).stdout == result.stdout


def test_folders_that_are_not_there_and_online_ones(live, tkstudies):
    result = tkstudies("dqm", "--summaries", "--folder", "/No", "--folder", "/Info", "--strict", input=rows(317291))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "0 plots fetched, 2 missing folders" in result.stderr
    folder = "/Tracking/TrackParameters/generalTracks"
    online = tkstudies("dqm", "--summaries", "--folder", folder, "--online", input=rows(317291))
    assert {path.split("/")[2] for _, _, path in keys(online.stdout)} == {"TrackParameters"}


def test_folders_that_never_end(rewriting, tkstudies, monkeypatch):
    from tkstudies.services.dqm import byfolder

    monkeypatch.setattr(byfolder, "_MOST_FOLDERS", 20)
    server = rewriting(lambda answer: {"contents": [*answer["contents"], {"subdir": "a"}, {"subdir": "b"}]}, "")
    command = ("dqm", "--summaries", "--folder", "/SiStrip/ReadoutView/FED")
    result, paths = listings(server, lambda: tkstudies(*command, input=rows(317291)))
    assert len(paths) < 100 and result.exit_code == 1
    assert "/SiStrip/ReadoutView/FED has more than 20 folders: name one of them" in result.stderr


def test_a_folder_that_names_itself_is_listed_once(rewriting, tkstudies):
    server = rewriting(lambda answer: {"contents": [*answer["contents"], *[{"subdir": "Pixel"}] * 3, {"subdir": ""}]})
    result, paths = listings(
        server, lambda: tkstudies("dqm", "--summaries", "--folder", HIT_FOLDER, input=rows(317291))
    )
    assert sorted(path.rpartition("/")[2] for path in paths if not path.endswith("/")) == [
        "HitProperties", "Pixel", "Strip"
    ]  # fmt: skip
    assert len(keys(result.stdout)) == len(set(keys(result.stdout))) == 3


@pytest.mark.parametrize("what", [("--folder", "/Tracking"), ("--collection", "tracking")])
def test_what_failed_comes_in_its_place_when_it_is_tried_again(changes, tkstudies, tmp_path, what):
    command = ("dqm", "--summaries", *what)
    expected = tkstudies(*command, input=rows(317291, 317292)).stdout
    left = [10]

    def rewrite(service, request, reply):
        if request.path.endswith("HitProperties") and "317291" in request.path and left[0]:
            left[0] -= 1
            return reply._replace(status=500)
        return reply

    changes.rewrite = rewrite
    file = tmp_path / "s.jsonl"
    result = tkstudies(*command, "-o", file, input=rows(317291, 317292))
    assert (result.exit_code, file.read_text()) == (0, expected), result.stderr
    assert ("1 request" if "--folder" in what else "1 plot") + " failed: trying once more" in result.stderr
    left[0] = 10**9
    result = tkstudies(*command, "-o", file, "--errors", tmp_path / "e", input=rows(317291, 317292))
    assert result.exit_code == 3 and "DQM GUI answers 500" in result.stderr
    left[0] = 0
    again = tkstudies(*command, "-o", file, "--resume", file, input=rows(317291, 317292))
    assert (again.exit_code, file.read_text()) == (0, expected), again.stderr


# --- going on


def test_resume_asks_only_for_folders_that_lack_something(live, tkstudies, tmp_path):
    file = tmp_path / "s.jsonl"
    command = ("dqm", "--summaries", "--collection", "tracking", "-o", file, "--resume", file)
    assert tkstudies(*command, input=rows(317291, 317292)).exit_code == 0
    whole = file.read_text()
    file.write_text("".join(line for line in whole.splitlines(True) if "NumberOfRecHitsPerTrack_GenTk" not in line))
    result, paths = listings(live, lambda: tkstudies(*command, input=rows(317291, 317292)))
    assert (result.exit_code, file.read_text()) == (0, whole)
    assert [path.rpartition("/")[2] for path in paths] == ["HitProperties"] * 2
    assert "2 plots fetched and 28 taken over" in result.stderr
    result, paths = listings(live, lambda: tkstudies(*command, input=rows(317291, 317292)))
    assert (result.exit_code, file.read_text(), paths) == (0, whole, [])


@pytest.mark.parametrize("in_place", [True, False])
def test_a_crawl_of_bins_does_not_take_summaries_over(live, tkstudies, tmp_path, in_place):
    small, file = tmp_path / "s.jsonl", tmp_path / ("s.jsonl" if in_place else "h.jsonl")
    expected = tkstudies("dqm", "--collection", "tracking", input=rows(317291)).stdout
    tkstudies("dqm", "--summaries", "--collection", "tracking", "-o", small, input=rows(317291))
    small.write_text(small.read_text() + expected.splitlines(True)[0].replace("317291", "317292"))
    command = ("dqm", "--collection", "tracking", "-o", file, "--resume", small)
    result = tkstudies(*command, input=rows(317291))
    assert (result.exit_code, file.read_text()) == (0, expected), result.stderr
    told = "15 records of the earlier crawl without bins (they were fetched with --summaries): fetched anew"
    assert told in result.stderr


def test_summaries_take_over_bins_but_want_quality(live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    tkstudies("dqm", "--plot", HITS, "-o", file, input=rows(317291))
    bins = file.read_text()
    command = ("dqm", "--summaries", "--plot", HITS, "-o", file, "--resume", file)
    assert tkstudies(*command, input=rows(317291)).exit_code == 0 and file.read_text() == bins
    result = tkstudies(*command, "--quality", input=rows(317291, 317292))
    assert "1 record of the earlier crawl with bins and without quality_test: taken over as they are" in result.stderr
    assert [record.get("quality_test") for record in from_lines(file.read_text())] == [None, "ok"]
    tkstudies(*command[:-2], input=rows(317292))  # without quality
    result = tkstudies(*command, "--quality", input=rows(317292))
    assert "1 record of the earlier crawl without quality_test: fetched anew" in result.stderr
    assert [record["quality_test"] for record in from_lines(file.read_text())] == ["ok"]


# --- quality tests


def test_quality_of_plots_and_rows(live, tkstudies):
    bad = 317434  # high voltage of the pixels was off for a part of it
    command = ("dqm", "--summaries", "--quality", "--collection", "tracking")
    found = tkstudies(*command, input=rows(317291, bad, reco="prompt"))
    quality = {(r["run_number"], r["name"]): r["quality_test"] for r in from_lines(found.stdout)}
    assert quality[317291, "NumberOfRecHitsPerTrack_GenTk"] == "ok"
    assert quality[317291, "TrackPhi_ImpactPoint_GenTk"] == "untested"
    assert quality[bad, "NumberOfRecHitsPerTrack_Pixel_GenTk"] in ("warning", "error")
    first, second = from_lines(tkstudies("features", input=found.stdout).stdout)
    names = ("quality_tested", "quality_test_warnings", "quality_test_errors")
    assert [first[name] for name in names] == [3, 0, 0]
    assert list(second)[-3:] == list(names)
    assert second["quality_tested"] == 3 and second["quality_test_warnings"] + second["quality_test_errors"] >= 1


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [([], "untested"), ([100, 300, 200], "error"), ([100, 200], "warning"), ([90, 100], "ok"), ([90], "did_not_run"),
     ([70], "low_statistics"), ([60], "invalid"), ([50], "disabled"), ([30], "other"), ([17], "other")],
)  # fmt: skip
def test_the_worst_status_counts(rewriting, tkstudies, statuses, worst):
    def change(answer):
        for item in answer["contents"]:
            if "qresults" in item:
                item["qresults"] = [{"status": status, "name": "a'b\"", "message": ""} for status in statuses]
        return answer

    rewriting(change)
    found = tkstudies("dqm", "--summaries", "--quality", "--plot", HITS, input=rows(317291)).stdout
    assert [record["quality_test"] for record in from_lines(found)] == [worst]
    row = from_lines(tkstudies("features", input=found).stdout)[0]
    assert row["quality_tested"] == (worst in ("ok", "warning", "error"))


# --- do they agree?


@pytest.mark.parametrize("digits", [None, 6])
def test_a_server_that_agrees(world, monkeypatch, tkstudies, digits):
    with CernServer(world=world) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        server.dqm.digits = digits
        command = ("dqm", "--check-summaries", 12, "--collection", "all", "--tracking-map")
        result, paths = asked(server, lambda: tkstudies(*command, input=rows(317291, RUN, 1)), "jsonfairy")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(paths) == 12
    assert "11 plots fetched both ways: 35 of 35 numbers agree within 1e-05 of their value" in result.stderr
    assert "1 missing dataset, 1 missing plot" in result.stderr


def test_a_server_that_does_not_agree(rewriting, tkstudies, tmp_path):
    def change(answer):
        for item in answer["contents"]:
            if item.get("obj") == "NumberOfRecHitsPerTrack_GenTk":
                item["stats"]["x"]["mean"] *= 1.0001
                item["nentries"] += 1
        return answer

    rewriting(change)
    file = tmp_path / "differences.jsonl"
    command = ("dqm", "--check-summaries", 99, "--collection", "tracking", "-o", file)
    result = tkstudies(*command, input=rows(317291))
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    (difference,) = from_lines(file.read_text())
    assert (difference["plot"], difference["statistic"]) == (HITS, "mean")
    assert difference["of_summary"] == pytest.approx(1.0001 * difference["of_histogram"])
    said, last = result.stderr.splitlines()
    assert said.startswith("15 plots fetched both ways: 44 of 45 numbers agree within 1e-05")
    assert last.startswith("tkstudies: the DQM GUI's summaries differ from its histograms in 1 number (by more than")
    assert f"run 317291 express {HITS}: mean" in last


def test_plots_that_are_only_there_one_way_do_not_agree(rewriting, tkstudies):
    rewriting(lambda answer: {"contents": answer["contents"][:1]})
    result = tkstudies("dqm", "--check-summaries", 5, "--plot", HITS, "--plot", "/No/Such", input=rows(317291))
    assert result.exit_code == 1
    assert [(d["statistic"], d["of_summary"]) for d in from_lines(result.stdout)] == [
        ("entries", None), ("mean", None), ("rms", None)
    ]  # fmt: skip
    assert "1 missing plot" in result.stderr


def test_nothing_to_compare(live, tkstudies):
    result = tkstudies("dqm", "--check-summaries", 5, "--plot", "/No/Such", input=rows(317291))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing could be compared: none of these plots came both ways" in result.stderr


# --- what can't be done


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--folder /A", "--folder goes with --summaries"),
        ("--quality --plot /A", "--quality goes with --summaries"),
        ("--summaries", "Give one of --plot, --collection or --tracking-map; --folder;"),
        ("--summaries --folder A", "--folder 'A': a path begins with a slash"),
        ("--summaries --folder /A --plot /B", "--folder and --plot, --collection or --tracking-map exclude each other"),
        ("--summaries --ls /A", "not with --datasets or --ls"),
        ("--check-summaries 3 --datasets", "not with --datasets or --ls"),
        ("--summaries --check-summaries 3 --plot /A", "--summaries and --check-summaries exclude each other"),
        ("--resume f --check-summaries 3 --plot /A", "--resume and --check-summaries exclude each other"),
        ("--check-summaries 0 --plot /A", "--check-summaries"),
    ],
)
def test_wrong_command_lines(tkstudies, words, told):
    result = tkstudies("dqm", *words.split(), "--run", 1, "--reco", "express")
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


COMMANDS = {
    "compare {} 317291 317292": "not compared: 16 no bins: a summary (tkstudies dqm without --summaries fetches them)",
    "compare --learn {} -o c": "left out: without bins, being summaries: dqm without --summaries fetches them",
    "trackingmap --maps {} -i {}": "no bins of TrackEtaPhi_ImpactPoint_GenTk, only summaries: fetch it with",
    "plot histogram {} -o h.png": "no bins: a summary (tkstudies dqm without --summaries fetches them)",
    "plot compare {} --run 317291 --reference-run 317292 -o h.png": "no bins: a summary",
    "plot etaphi {} -o h.png": "no bins: a summary (tkstudies dqm without --summaries fetches them)",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_need_bins_say_so(live, tkstudies, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    found = tkstudies("dqm", "--summaries", "--collection", "tracking", "--tracking-map", input=rows(317291, 317292))
    (tmp_path / "s.jsonl").write_text(found.stdout)
    result = tkstudies(*command.format("s.jsonl", "s.jsonl").split())
    assert COMMANDS[command] in result.stderr
    assert result.exit_code == (0 if command.startswith("compare {}") else 1)
    assert not (tmp_path / "h.png").exists() and "Traceback" not in result.stderr


def test_some_summaries_among_maps(live, tkstudies, tmp_path):
    maps = [tkstudies("dqm", "--tracking-map", *more, input=rows(run)).stdout for run, more in
            ((317291, ()), (317292, ("--summaries",)))]  # fmt: skip
    (tmp_path / "m.jsonl").write_text("".join(maps))
    result = tkstudies("trackingmap", "--maps", tmp_path / "m.jsonl", "--only", "angular_entropy",
                       input=to_lines(rows(317291, 317292)))  # fmt: skip
    assert [row["angular_entropy"] is None for row in from_lines(result.stdout)] == [False, True]
    assert "1 summary of TrackEtaPhi_ImpactPoint_GenTk without bins: dqm without --summaries fetches them" in (
        result.stderr
    )
