"""``tkstudies dqm`` against the fixture server."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cern.faults import Faults
from tests.cern.server import CernServer
from tests.cern.simulated_histograms import real_map_text
from tests.conftest import from_lines, to_lines
from tkstudies.analysis.histograms.collections import TRACKING_MAP, plots

HITS = "/Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties/NumberOfRecHitsPerTrack_GenTk"
ONLINE_HITS = "/Tracking/TrackParameters/HitProperties/NumberOfRecHitsPerTrack_GenTk"
TRACKING = [plot.offline for plot in plots("tracking")]
EXPRESS = "/StreamExpress/Run2018B-Express-v1/DQMIO"
RUNS = (317291, 317292, 317297, 317320, 317338, 317340)

KNOWN_ANSWERS = {
    (321012, "express"): "/StreamExpress/Run2018D-Express-v1/DQMIO",
    (325680, "prompt"): "/Cosmics/Run2018E-PromptReco-v1/DQMIO",
    (320065, "prompt"): "/ZeroBias/Run2018C-PromptReco-v3/DQMIO",
    (327489, "prompt"): "/HIMinimumBias1/HIRun2018A-PromptReco-v2/DQMIO",
    (306631, "rereco"): "/SingleTrack/Run2017G-17Nov2017-v1/DQMIO",
    (317080, "rereco"): "/ZeroBias/Run2018B-17Sep2018-v1/DQMIO",
    (317080, "rerecoul"): "/ZeroBias/Run2018B-12Nov2019_UL2018-v10/DQMIO",
    (379415, "express"): "/StreamExpress/Run2024C-Express-v1/DQMIO",
    (374810, "express"): "/StreamHIExpressRawPrime/HIRun2023A-Express-v2/DQMIO",
    (374810, "prompt"): "/HIPhysicsRawPrime0/HIRun2023A-PromptReco-v2/DQMIO",
    (387500, "prompt"): "/PPRefZeroBiasPlusForward0/Run2024J-PromptReco-v1/DQMIO",
    (394154, "express"): "/StreamExpress/OORun2025-Express-v1/DQMIO",
    (399100, "prompt"): "/HIPhysicsRawPrime3/HIRun2025A-PromptReco-v1/DQMIO",
    (321012, "online"): "/Global/Online/ALL",
}


def rows(*runs, reco="express", **more):
    return [{"run_number": run, "reco": reco, **more} for run in runs]


def keys(text):
    return [(r["run_number"], r["reco"], r["plot"]) for r in from_lines(text)]


def asked(server, command, *words):
    """What a command asked the DQM GUI for; the paths that contain one of the words."""
    before = len(server.log)
    result = command()
    paths = [entry.path for entry in server.log[before:] if entry.service == "dqm"]
    return result, [path for path in paths if any(word in path for word in words)]


@pytest.fixture
def faulty(monkeypatch, world):
    """Start a fixture server of one's own, with faults."""
    servers = []

    def start(*kinds, rate=1.0, **options):
        limits = {name: options.pop(name) for name in ("max_repeat", "slow_seconds") if name in options}
        faults = Faults(kinds, rate=rate, seed=7, **limits) if kinds else None
        servers.append(CernServer(world=world, faults=faults, **options).__enter__())
        for name, value in servers[-1].env.items():
            monkeypatch.setenv(name, value)
        return servers[-1]

    yield start
    for running in servers:
        running.close()


# --- records


def test_a_record(live, tkstudies):
    result = tkstudies("dqm", "--run", "321012", "--online", "--tracking-map")
    assert result.exit_code == 0, result.stderr
    (record,) = from_lines(result.stdout)
    assert list(record) == ["run_number", "reco", "dataset", "plot", "name", "hist"]
    assert record == {
        "run_number": 321012,
        "reco": "online",
        "dataset": "/Global/Online/ALL",
        "plot": TRACKING_MAP.online,
        "name": "TrackEtaPhi_ImpactPoint_GenTk",
        "hist": json.loads(real_map_text())["hist"],
    }
    assert result.stderr == "1 plot fetched\n"
    assert tkstudies("-q", "dqm", "--run", "321012", "--online", "--tracking-map").stderr == ""


def test_records_come_in_the_order_of_the_input_with_16_workers(faulty, tkstudies):
    faulty("slow", rate=0.2, slow_seconds=0.02)
    runs = [*RUNS[::-1], 317626, 317475]
    result = tkstudies("dqm", "--collection", "tracking", "--workers", 16, input=rows(*runs))
    assert result.exit_code == 0, result.stderr
    assert keys(result.stdout) == [(run, "express", path) for run in runs for path in TRACKING]
    one = tkstudies("dqm", "--collection", "tracking", "--workers", 1, input=rows(*runs))
    assert one.stdout == result.stdout


@pytest.mark.parametrize("kind", ["reset", "truncated", "503", "bad_json", "empty", "wrong_type", "html_error"])
def test_faults_of_the_server_leave_no_trace(faulty, live, tkstudies, kind):
    arguments = ("dqm", "--collection", "tracking", "--run", "317291-317292", "--reco", "express")
    undisturbed = tkstudies(*arguments)
    server = faulty(kind, rate=0.3, max_repeat=1)
    server.faults.retry_after = 0
    result = tkstudies(*arguments)
    assert (result.exit_code, result.stdout) == (0, undisturbed.stdout), result.stderr
    assert server.faults.total(kind) > 0


def test_at_most_as_many_connections_as_workers(faulty, tkstudies):
    server = faulty(latency=0.01)
    assert tkstudies("dqm", "--collection", "tracking", "--workers", 5, input=rows(*RUNS)).exit_code == 0
    assert server.peak_connections <= 5
    assert server.connections <= 5  # kept alive


def test_each_pair_and_each_plot_once(live, tkstudies):
    table = [*rows(317292, 317291, 317292), *rows(317291, reco="Express"), *rows(317291, reco="PromptReco")]
    result = tkstudies("dqm", "--plot", HITS, "--plot", ONLINE_HITS, "--collection", "tracking", input=table)
    found = keys(result.stdout)
    assert [key[:2] for key in found if key[2] == HITS] == [
        (317292, "express"),
        (317291, "express"),
        (317291, "prompt"),
    ]
    assert len(found) == len(set(found)) == 3 * len(TRACKING)


@pytest.mark.parametrize("columns", [{}, {"run_class_name": "Cosmics18"}, {"rda_name": "/PromptReco/Cosmics18/DQM"}])
def test_cosmics_runs_get_the_cosmics_plots(live, tkstudies, columns):
    table = [{"run_number": 325680, "reco": "prompt", **columns}]
    result, requests = asked(
        live, lambda: tkstudies("dqm", "--collection", "tracking", "--tracking-map", input=table), "jsonfairy"
    )
    assert result.exit_code == 0, result.stderr
    assert [key[2] for key in keys(result.stdout)] == [plot.offline for plot in plots("cosmics")]
    assert len(requests) == 4 and "missing" not in result.stderr


def test_cosmics_runs_have_the_detector_plots_and_others_no_cosmics_plots(live, tkstudies):
    pixel = tkstudies("dqm", "--collection", "all", input=rows(317188, reco="express"))
    paths = {key[2] for key in keys(pixel.stdout)}
    assert len(paths) > 60
    assert paths <= {p.offline for p in plots("all") if p.collection != "tracking"} | {
        p.offline for p in plots("cosmics")
    }
    result = tkstudies("dqm", "--collection", "cosmics", input=rows(317291))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 plots fetched\n")


def test_modules_from_the_server_to_columns(live, tkstudies):
    arguments = ("dqm", "--collection", "modules", "--collection", "pixel", "--run", 317291, "--reco", "express")
    result, requests = asked(live, lambda: tkstudies(*arguments), "jsonfairy")
    assert result.exit_code == 0, result.stderr
    wanted = dict.fromkeys(plot.offline for plot in (*plots("modules"), *plots("pixel")))
    assert len(requests) == len(wanted) == 77 + len(plots("pixel")) - 1  # the dead chips are in both
    modules = [record for record in from_lines(result.stdout) if record["plot"] in list(wanted)[:77]]
    assert [record["plot"] for record in modules] == list(wanted)[:77]
    (row,) = from_lines(tkstudies("features", input=modules).stdout)
    assert {"deadROC_BPix_L1", "BadStrips_TIB_L2", "size.map.PXRing_2.filled", "residual.TEC.PLUS.wheel_9.rms"} < set(
        row
    )
    online = tkstudies("dqm", "--online", "--collection", "modules", "--run", 317291)
    assert {key[2] for key in keys(online.stdout)} == {plot.online for plot in plots("modules")} - {None}


def test_a_value_is_no_histogram_and_the_errors_say_where_it_is(live, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    arguments = ("--run", 317291, "--reco", "express")
    result = tkstudies("dqm", "--plot", "/Info/ProvInfo/runIsComplete", *arguments, "--errors", errors)
    assert (result.exit_code, result.stdout) == (0, "")
    assert (
        from_lines(errors.read_text())[0]["message"] == f"no histogram in {EXPRESS} (a single value is shown by --ls)"
    )
    listed = from_lines(tkstudies("dqm", "--ls", "/Info/ProvInfo", *arguments).stdout)
    assert {"path": "/Info/ProvInfo/runIsComplete", "kind": "value", "value": "1"}.items() <= listed[-1].items()


def test_online_takes_each_run_once_with_online_paths(live, tkstudies):
    table = [*rows(317291, 317292), *rows(317291, 317292, reco="prompt")]
    result, requests = asked(
        live, lambda: tkstudies("dqm", "--online", "--collection", "tracking", input=table), "dqm", "/o"
    )
    online = [plot.online for plot in plots("tracking") if plot.online]
    assert len(online) < len(TRACKING)
    assert keys(result.stdout) == [(run, "online", path) for run in (317291, 317292) for path in online]
    assert len(requests) == 2 * len(online)
    assert all(path.startswith("/online/jsonfairy/") for path in requests)
    assert "missing" not in result.stderr


def test_online_rows_are_fetched_online_beside_the_others(live, tkstudies):
    result = tkstudies("dqm", "--plot", HITS, input="317291 Express\n317291 Online\n")
    assert keys(result.stdout) == [(317291, "express", HITS), (317291, "online", ONLINE_HITS)]


def test_paths_are_encoded(live, tkstudies):
    path = next(plot.offline for plot in plots("pixel") if "+1" in plot.name)
    result, requests = asked(
        live, lambda: tkstudies("dqm", "--plot", path, "--plot", "/a b/c#d?e%f", input=rows(317291)), "jsonfairy"
    )
    assert keys(result.stdout) == [(317291, "express", path)]
    assert any(request.endswith("/a%20b/c%23d%3Fe%25f") for request in requests)


def test_broken_json_becomes_records(live, tkstudies):
    titles = [
        plot.offline for plot in plots("pixel") if plot.feature in ("residual.x.PXForward", "residual.y.PXForward")
    ]
    runs = [run for run in sorted(live.world.runs) if 317291 <= run <= 318000 and not live.world.runs[run].is_cosmics]
    broken = [next(r for r in runs if r % n == 0) for n in (11, 13, 7)]
    result = tkstudies("dqm", "--plot", titles[0], "--plot", titles[1], input=rows(*broken, 317291))
    records = {(r["run_number"], r["plot"]): r["hist"] for r in from_lines(result.stdout)}
    assert len(records) == 2 * len({*broken, 317291}) and result.exit_code == 0, result.stderr
    assert records[broken[0], titles[0]]["stats"]["mean"]["X"] == {"value": None, "error": None}
    assert None in records[broken[1], titles[0]]["bins"]["error"]
    assert records[broken[2], titles[1]]["title"].endswith("'s distribution")


# --- datasets


def test_known_answers(live, tkstudies):
    text = "".join(f"{run} {reco}\n" for run, reco in KNOWN_ANSWERS)
    result = tkstudies("dqm", "--datasets", input=text)
    records = [{"run_number": run, "reco": reco, "dataset": name} for (run, reco), name in KNOWN_ANSWERS.items()]
    assert result.exit_code == 0, result.stderr
    assert from_lines(result.stdout) == records
    assert list(from_lines(result.stdout)[0]) == ["run_number", "reco", "dataset"]


def test_a_guessed_campaign_is_told(live, tkstudies):
    result = tkstudies("dqm", "--datasets", "--run", "353001", "--reco", "rereco")
    assert from_lines(result.stdout)[0]["dataset"] == "/ZeroBias/Run2022A-19Jan2023-v2/DQMIO"
    assert "10Dec2022" in result.stderr and "353001" in result.stderr
    named = rows(353001, reco="rereco", rda_name="/ReReco/Run2022A_10Dec2022/DQM")
    result = tkstudies("dqm", "--datasets", input=named)
    assert from_lines(result.stdout)[0]["dataset"] == "/ZeroBias/Run2022A-10Dec2022-v1/DQMIO"
    assert "warning" not in result.stderr


def test_datasets_are_looked_up_in_fixed_blocks(live, tkstudies):
    whole, requests = asked(live, lambda: tkstudies("dqm", "--datasets", input=rows(*RUNS, 317696)), "samples")
    assert len(requests) == len({run // 50 for run in RUNS}) + 1
    _, fewer = asked(live, lambda: tkstudies("dqm", "--datasets", input=rows(RUNS[2])), "samples")
    assert fewer[0] in requests
    assert len(from_lines(whole.stdout)) == 7


def test_a_second_rereconstruction_is_left_out_with_a_warning(live, tkstudies):
    names = [f"/ReReco/Run2022A_{date}/DQM" for date in ("10Dec2022", "19Jan2023")]
    table = [row for name in names for row in rows(353001, reco="rereco", rda_name=name)]
    result = tkstudies("dqm", "--datasets", input=table)
    assert [r["dataset"] for r in from_lines(result.stdout)] == ["/ZeroBias/Run2022A-10Dec2022-v1/DQMIO"]
    assert "1 row" in result.stderr and "rda_name" in result.stderr
    assert "warning" not in tkstudies("dqm", "--datasets", input=rows(317291, 317291, rda_name=names[0])).stderr


def test_the_datasets_of_the_record_come_first(live, tkstudies):
    own = ["/ZeroBias/Run2018B-PromptReco-v1/DQMIO", "/MinimumBias/Run2018B-PromptReco-v1/DQMIO"]
    table = rows(317291, reco="prompt", gui_datasets=own[1:])
    result, requests = asked(live, lambda: tkstudies("dqm", "--datasets", input=table), "samples")
    assert (from_lines(result.stdout)[0]["dataset"], requests) == (own[1], [])
    for nothing in ([], None, ["/JetHT/Run2018B-PromptReco-v1/DQMIO"]):
        result = tkstudies("dqm", "--datasets", input=rows(317291, reco="prompt", gui_datasets=nothing))
        assert from_lines(result.stdout)[0]["dataset"] == own[0]


def test_datasets_that_are_rare_are_looked_up_too(live, tkstudies):
    ions = rows(394154, reco="prompt", run_class_name="Collisions25")
    result, requests = asked(live, lambda: tkstudies("dqm", "--datasets", input=ions), "samples")
    assert from_lines(result.stdout)[0]["dataset"] == "/IonPhysics2/OORun2025-PromptReco-v1/DQMIO"
    assert len(requests) == 2 and "warning" not in result.stderr


def test_a_dataset_of_the_record_is_believed_whatever_its_name(live, tkstudies):
    own = ["/JetHT/HIRun2025A-PromptReco-v1/DQMIO", "/BigNewMinBias/HIRun2025A-PromptReco-v1/DQMIO"]
    result = tkstudies("dqm", "--datasets", input=rows(399200, reco="prompt", gui_datasets=own))
    assert (result.exit_code, from_lines(result.stdout)[0]["dataset"]) == (0, own[1])
    assert "took BigNewMinBias of the record's gui_datasets (1 run: 399200)" in result.stderr
    named = tkstudies("dqm", "--datasets", "--primary-dataset", "JetHT", input=rows(399200, reco="prompt"))
    assert from_lines(named.stdout)[0]["dataset"] == own[0]


def test_missing_names_what_the_run_has(live, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    table = [*rows(399200, 317382, reco="prompt"), *rows(1)]
    result = tkstudies("dqm", "--datasets", "--errors", errors, input=table)
    assert (result.exit_code, result.stdout) == (0, "")
    assert [error["message"] for error in from_lines(errors.read_text())] == [
        "run 399200 has no prompt dataset in the DQM GUI; it has /JetHT/HIRun2025A-PromptReco-v1/DQMIO",
        "run 317382 has no prompt dataset in the DQM GUI; it has /StreamExpress/Run2018B-Express-v1/DQMIO",
        "run 1 has no express dataset in the DQM GUI",
    ]
    assert result.stderr == (
        "warning: no prompt dataset of the usual primary datasets, but of JetHT: choose one with --primary-dataset "
        "(1 run: 399200)\n0 records fetched, 3 missing datasets\n"
    )
    user = tkstudies("dqm", "--datasets", "--primary-dataset", "EGamma", input=rows(317291, reco="prompt"))
    assert "no prompt dataset of EGamma, but of ZeroBias, SingleMuon, JetHT" in user.stderr


def test_a_recording_without_the_second_look_up_still_answers(live, tkstudies, tmp_path, monkeypatch):
    from tkstudies.services.dqm.lookup import DatasetLookup

    table = rows(1, 317291)
    monkeypatch.setattr(DatasetLookup, "all_datasets", lambda *_: ())
    recorded = tkstudies("dqm", "--datasets", "--record", tmp_path, input=table)
    monkeypatch.undo()
    replayed = tkstudies("dqm", "--datasets", "--replay", tmp_path, input=table)
    assert (replayed.exit_code, replayed.stdout, replayed.stderr) == (0, recorded.stdout, recorded.stderr)


def test_datasets_of_the_user(live, tkstudies):
    mine = "/SingleMuon/Run2018B-PromptReco-v1/DQMIO"
    result = tkstudies("dqm", "--plot", HITS, "--run", "317291", "--dataset", mine)
    (record,) = from_lines(result.stdout)
    assert (record["dataset"], record["reco"]) == (mine, "prompt")
    result = tkstudies("dqm", "--datasets", "--primary-dataset", "SingleMuon", "--run", "317291", "--reco", "prompt")
    assert from_lines(result.stdout)[0]["dataset"] == mine


def test_without_samples_the_web_session_is_walked(faulty, tkstudies, monkeypatch):
    server = faulty()
    samples = server.dqm._answer_samples
    text = "".join(f"{run} {reco}\n" for run, reco in KNOWN_ANSWERS)
    expected = tkstudies("dqm", "--datasets", input=text).stdout
    monkeypatch.setattr(server.dqm, "_answer_samples", lambda *_: samples(*_)._replace(status=404))
    result = tkstudies("dqm", "--datasets", input=text)
    assert (result.exit_code, result.stdout) == (0, expected), result.stderr
    assert result.stderr.count("run by run") == 1


def test_an_expired_web_session_is_renewed(faulty, monkeypatch):
    from tkstudies.services.dqm.gui import DqmGui
    from tkstudies.settings import current

    current.reset()
    server = faulty()
    monkeypatch.setattr(server.dqm, "_answer_samples", lambda *_: server.dqm._start("offline")._replace(status=404))
    with DqmGui(workers=2) as gui:
        assert KNOWN_ANSWERS[321012, "express"] in gui.lookup.datasets(321012)
        server.expire_sessions()
        assert KNOWN_ANSWERS[306631, "rereco"] in gui.lookup.datasets(306631)
        assert gui.lookup.datasets(1) == ()


@pytest.fixture
def session_walk(faulty, monkeypatch, quick_retries):
    """A DQM GUI without samples, whose session gives an odd answer where ``is_odd`` says so: paths that were asked."""
    server = faulty()
    handle, paths = server.dqm.handle, []

    def start(is_odd):
        def answer(request):
            if request.path.endswith("/samples"):
                return handle(request)._replace(status=404)
            paths.append(f"{request.path}?{request.query}")
            return handle(request)._replace(body=b"([oops") if is_odd(paths[-1]) else handle(request)

        monkeypatch.setitem(server._services, "dqm", answer)
        return paths

    return start


def test_one_odd_answer_does_not_end_the_session_walk(session_walk, tkstudies):
    session_walk(lambda path: "pat=317292" in path)
    result = tkstudies("dqm", "--datasets", input=rows(317291, 317292, 317475, 320065))
    assert result.exit_code == 3, result.stderr
    assert [record["run_number"] for record in from_lines(result.stdout)] == [317291, 317475, 320065]


def test_a_session_that_never_begins_is_not_tried_for_each_run(session_walk, tkstudies):
    paths = session_walk(lambda path: path.startswith("/offline/?"))
    result = tkstudies("dqm", "--datasets", input=rows(317291, 317292, 317475, 320065))
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(paths) == 5  # tries of one request


def test_the_connection_is_closed_at_the_end(faulty):
    from tkstudies.services.dqm.gui import DqmGui

    server = faulty()
    with DqmGui() as gui:
        assert gui.histogram(317291, EXPRESS, HITS) and server.open_connections == 1
    limit = time.monotonic() + 5
    while server.open_connections and time.monotonic() < limit:
        time.sleep(0.01)
    assert server.open_connections == 0


# --- what is missing, and what fails


def test_missing_things_are_counted_and_listed(live, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    table = [*rows(317291, 1), *rows(317292, reco="nonsense"), *rows(317297, reco=None), *rows(317320)]
    arguments = ("dqm", "--plot", "/No/Such/Plot", "--plot", HITS, "--errors", errors)
    result = tkstudies(*arguments, input=table)
    assert result.exit_code == 0
    assert keys(result.stdout) == [(317291, "express", HITS), (317320, "express", HITS)]
    assert "1 record of unknown reco 'nonsense'" in result.stderr
    assert result.stderr.endswith("\n2 plots fetched, 3 missing datasets, 2 missing plots\n")
    found = from_lines(errors.read_text())
    assert [list(error) for error in found] == [["run_number", "reco", "plot", "error", "message"]] * 5
    assert [(e["run_number"], e["reco"], e["plot"], e["error"]) for e in found] == [
        (317291, "express", "/No/Such/Plot", "missing plot"),
        (1, "express", None, "missing dataset"),
        (317292, "nonsense", None, "missing dataset"),
        (317297, None, None, "missing dataset"),
        (317320, "express", "/No/Such/Plot", "missing plot"),
    ]
    strict = tkstudies(*arguments, "--strict", input=table)
    assert (strict.exit_code, strict.stdout) == (3, result.stdout)
    assert tkstudies("dqm", "--plot", HITS, "--strict", input=rows(317291)).exit_code == 0


def test_an_unreadable_plot_costs_only_itself(faulty, tkstudies, tmp_path, monkeypatch, quick_retries):
    server = faulty()
    text = server.world.dqm_text

    class World:
        def __getattr__(self, name):
            return getattr(server.__dict__["world"], name)

        def dqm_text(self, service, run, dataset, path):
            return "Exception: disk" if (run, path) == (317292, TRACKING[1]) else text(service, run, dataset, path)

    monkeypatch.setattr(server.dqm, "world", World())
    errors = tmp_path / "errors.jsonl"
    result = tkstudies("dqm", "--collection", "tracking", "--errors", errors, input=rows(*RUNS[:3]))
    assert result.exit_code == 3
    expected = [(run, "express", path) for run in RUNS[:3] for path in TRACKING]
    expected.remove((317292, "express", TRACKING[1]))
    assert keys(result.stdout) == expected
    (error,) = from_lines(errors.read_text())
    assert (error["run_number"], error["plot"], error["error"]) == (317292, TRACKING[1], "failed")
    assert "Exception: disk" in error["message"]
    assert "run 317292 express" in result.stderr and "1 failed" in result.stderr


def test_a_server_that_wants_a_login_ends_the_crawl(faulty, tkstudies, quick_retries):
    server = faulty("login_page", max_repeat=10**9)
    result = tkstudies("dqm", "--collection", "all", input=rows(*RUNS))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not logged in to DQM GUI" in result.stderr and "login" not in result.stdout
    assert len(server.log) < 50


def test_an_unreachable_server_ends_the_crawl(tkstudies, quick_retries):
    for arguments in (["--run", "1-400", "--reco", "express"], ["--run", "1-400", "--online"]):
        result = tkstudies("dqm", "--collection", "all", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "can't be reached" in result.stderr and "TKSTUDIES_DQM_URL" in result.stderr
        assert "failures in a row" not in result.stderr  # the first was enough


def test_a_server_that_dies_ends_the_crawl(faulty, tkstudies, quick_retries, tmp_path):
    server = faulty()
    served = []

    def die_later(service, path):
        served.append(path)
        if len(served) > 40:
            raise ConnectionResetError

    server.on_request = die_later
    result = tkstudies(
        "dqm", "--collection", "tracking", "-o", tmp_path / "h.jsonl", input=rows(*range(317000, 318000))
    )
    assert result.exit_code == 1
    assert "given up" in result.stderr and "--resume" in result.stderr
    assert not (tmp_path / "h.jsonl").exists() and (tmp_path / "h.jsonl.part").stat().st_size > 0


# --- input


@pytest.mark.parametrize(
    "text",
    [
        "317291 Express\n317292 express\n",
        "317291 Express Collisions18\r\n\r\n317292 EXPRESS Collisions18",
        "317291\tExpress\n317292   Express   Collisions18 and more\n",
        '{"run_number": 317291, "reco": "express"}\n317292 Express\n',
        '[{"run_number": 317291, "reco": "express"},\n {"run_number": "317292", "reco": "Express"}]',
    ],
)
def test_tables_and_runs_txt(live, tkstudies, tmp_path, text):
    file = tmp_path / "runs.txt"
    file.write_text(text)
    (tmp_path / "runs.gz").write_bytes(gzip.compress(text.encode()))
    wanted = [{"run_number": run, "reco": "express", "dataset": EXPRESS} for run in (317291, 317292)]
    for result in (
        tkstudies("dqm", "--datasets", input=text),
        tkstudies("dqm", "--datasets", file),
        tkstudies("dqm", "--datasets", "-i", file),
        tkstudies("dqm", "--datasets", tmp_path / "runs.gz"),
    ):
        assert (result.exit_code, from_lines(result.stdout)) == (0, wanted), result.stderr


def test_runs_on_the_command_line(live, tkstudies, tmp_path):
    result = tkstudies("dqm", "--datasets", "--run", "317291-317292", "--reco", "prompt", "--reco", "Express")
    assert [(r["run_number"], r["reco"]) for r in from_lines(result.stdout)] == [
        (317291, "prompt"), (317291, "express"), (317292, "prompt"), (317292, "express"),
    ]  # fmt: skip
    file = tmp_path / "runs.txt"
    file.write_text("317297 Express\n317297 Prompt\n")
    result = tkstudies("dqm", "--datasets", file, "--reco", "prompt")
    assert [(r["run_number"], r["reco"]) for r in from_lines(result.stdout)] == [(317297, "prompt")]


def test_nothing_in_nothing_out(tkstudies, tmp_path):
    file = tmp_path / "none.jsonl"
    result = tkstudies("dqm", "--collection", "all", "-o", file, input="")
    assert (result.exit_code, result.stdout, file.read_text()) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [("317291\n", ["line 1", "317291"]), ('{"reco": "express"}\n', ["run_number"]), ('{"run_number": 1', ["line 1"])],
)
def test_unusable_input(live, tkstudies, text, words):
    result = tkstudies("dqm", "--collection", "all", input=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(word in result.stderr for word in words)


def test_bad_lines_can_be_skipped(live, tkstudies):
    result = tkstudies("dqm", "--datasets", "--skip-bad-lines", input="317291 Express\n{oops\n317292 Express\n")
    assert result.exit_code == 3 and len(from_lines(result.stdout)) == 2
    assert "1 malformed line" in result.stderr


def test_reference_runs(live, tkstudies):
    table = [
        {"run_number": 317291, "reco": "express", "reference_run_number": 317320, "reference_reco": "prompt"},
        {"run_number": 317292, "reco": "express", "reference_run_number": 317320},
        {"run_number": 317297, "reco": "express", "reference_run_number": None},
        {"run_number": 317338, "reco": "prompt", "reference_run_number": 317291},
    ]
    found = [key[:2] for key in keys(tkstudies("dqm", "--tracking-map", input=table).stdout)]
    assert found == [(317291, "express"), (317292, "express"), (317297, "express"), (317338, "prompt")]
    result = tkstudies("dqm", "--tracking-map", "--with-references", input=table)
    assert [key[:2] for key in keys(result.stdout)] == [*found, (317320, "express"), (317291, "prompt")]


# --- other modes


def test_incomplete_runs(live, tkstudies):
    table = rows(317696, 317291)
    result = tkstudies("dqm", "--plot", HITS, "--check-complete", input=table)
    records = from_lines(result.stdout)
    assert [r["run_is_complete"] for r in records] == [False, True]
    assert list(records[0]) == ["run_number", "reco", "dataset", "plot", "name", "hist", "run_is_complete"]
    result = tkstudies("dqm", "--plot", HITS, "--complete-only", input=table)
    assert keys(result.stdout) == [(317291, "express", HITS)]
    assert (result.exit_code, result.stderr) == (0, "1 plot fetched, 1 incomplete\n")
    _, requests = asked(live, lambda: tkstudies("dqm", "--plot", HITS, input=table), "ProvInfo")
    assert requests == []


def test_list_a_folder(live, tkstudies):
    result = tkstudies("dqm", "--ls", "/Tracking/TrackParameters", input=rows(317291, 1, 317292))
    assert from_lines(result.stdout)[0] == {
        "run_number": 317291,
        "reco": "express",
        "dataset": EXPRESS,
        "path": "/Tracking/TrackParameters/generalTracks",
        "kind": "folder",
    }
    assert {r["run_number"] for r in from_lines(result.stdout)} == {317291, 317292}
    assert "1 missing dataset" in result.stderr
    inside = from_lines(tkstudies("dqm", "--ls", HITS.rpartition("/")[0] + "/", input=rows(317291)).stdout)
    assert {"path": HITS, "kind": "plot"}.items() <= inside[0].items()
    info = from_lines(tkstudies("dqm", "--ls", "Info/ProvInfo", input=rows(317291)).stdout)
    assert ("/Info/ProvInfo/runIsComplete", "value", "1") in [(r["path"], r["kind"], r["value"]) for r in info]
    top = from_lines(tkstudies("dqm", "--ls", "/", input=rows(317291)).stdout)
    assert "/Tracking" in [r["path"] for r in top]
    result = tkstudies("dqm", "--ls", "/No/Such", "--strict", input=rows(317291))
    assert (result.exit_code, result.stdout) == (3, "") and "1 missing folder" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--collection"),
        (["--collection", "muons"], "tracking"),
        (["--plot", "Tracking/X"], "slash"),
        (["--datasets", "--tracking-map"], "exclude"),
        (["--datasets", "--ls", "/"], "exclude"),
        (["--tracking-map", "--run", "317291"], "--reco"),
        (["--tracking-map", "--run", "x", "--reco", "express"], "355100"),
        (["--tracking-map", "--run", "1", "--reco", "fast"], "express"),
        (["--tracking-map", "--online", "--dataset", EXPRESS], "exclude"),
        (["--tracking-map", "--online", "--reco", "express"], "exclude"),
        (["--tracking-map", "--dataset", EXPRESS, "--primary-dataset", "ZeroBias"], "exclude"),
        (["--tracking-map", "--dataset", "ZeroBias"], "DQMIO"),
        (["--tracking-map", "--workers", "0"], "workers"),
        (["--tracking-map", "--errors", "-"], "--errors"),
        (["--tracking-map", "--errors", "x.jsonl", "-o", "./x.jsonl"], "--errors"),
        (["--datasets", "--resume", "x.jsonl"], "--resume"),
    ],
)
def test_bad_options(live, tkstudies, arguments, word):
    result = tkstudies("dqm", *arguments, input=rows(317291))
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr


# --- stopped and continued


TABLE = rows(*RUNS)
CRAWL = ("dqm", "--collection", "tracking", "--plot", "/No/Such/Plot")


@pytest.fixture
def whole(live, tkstudies):
    """The output of a crawl that nobody stopped."""
    return tkstudies(*CRAWL, input=TABLE).stdout


@pytest.fixture
def crawl_until(faulty, tmp_path):
    """Start a crawl as a process of its own, and kill it when its file has some lines."""

    def run(arguments, file, lines, how=signal.SIGKILL, stdout=None):
        server = faulty(latency=0.02)
        (tmp_path / "runs.jsonl").write_text(to_lines(TABLE))
        command = [sys.executable, "-m", "tkstudies", *CRAWL, "--workers", "4", "runs.jsonl", *arguments]
        streams = {"stdout": stdout, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=tmp_path, env={**os.environ}, **streams) as process:
            limit = time.monotonic() + 20
            while time.monotonic() < limit and process.poll() is None:
                if file.exists() and file.read_bytes().count(b"\n") >= lines and (lines or server.log):
                    break
                time.sleep(0.005)
            process.send_signal(how)
            _, stderr = process.communicate(timeout=20)
        server.latency = 0
        return process.returncode, stderr.decode()

    return run


def asked_plots(server):
    return sum("jsonfairy" in entry.path for entry in server.log)


@pytest.mark.parametrize("lines", [0, 1, 20, 70])
def test_a_killed_crawl_goes_on(whole, crawl_until, tkstudies, tmp_path, lines):
    file, part = tmp_path / "h.jsonl", tmp_path / "h.jsonl.part"
    assert crawl_until(["-o", "h.jsonl"], part, lines)[0] == -signal.SIGKILL
    assert not file.exists()
    done = part.read_text().count("\n")
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert result.exit_code == 0, result.stderr
    assert file.read_text() == whole
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith("h.")] == ["h.jsonl"]
    assert f"{whole.count(chr(10)) - done} plots fetched" in result.stderr
    if done:
        assert f"and {done} taken over" in result.stderr


def test_a_crawl_is_killed_again_and_again(whole, crawl_until, tkstudies, tmp_path):
    file, part = tmp_path / "h.jsonl", tmp_path / "h.jsonl.part"
    crawl_until(["-o", "h.jsonl"], part, 10)
    for lines in (30, 50, 70):
        crawl_until(["--resume", "h.jsonl", "-o", "h.jsonl"], part, lines)
        assert part.read_text().count("\n") >= lines
    assert tkstudies(*CRAWL, "--resume", part, "-o", file, input=TABLE).exit_code == 0
    assert file.read_text() == whole


def test_what_a_killed_redirection_left(whole, crawl_until, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    with file.open("wb") as stream:
        crawl_until([], file, 25, stdout=stream)
    assert 25 <= file.read_text().count("\n") < whole.count("\n")
    before = file.read_text()
    streamed = tkstudies(*CRAWL, "--resume", file, input=TABLE)
    assert (streamed.exit_code, streamed.stdout, file.read_text()) == (0, whole, before)
    assert tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE).exit_code == 0
    assert file.read_text() == whole


@pytest.mark.parametrize("lines", [0, 10])
def test_ctrl_c_tells_how_to_go_on(whole, crawl_until, tmp_path, lines):
    code, stderr = crawl_until(["-o", "h.jsonl"], tmp_path / "h.jsonl.part", lines, signal.SIGINT)
    assert code == 130
    assert "--resume h.jsonl" in stderr and "interrupted" in stderr and "Traceback" not in stderr
    assert (tmp_path / "h.jsonl.part").exists()


def test_ctrl_c_tells_how_to_go_on_after_a_redirection(whole, crawl_until, tmp_path):
    file = tmp_path / "h.jsonl"
    with file.open("wb") as stream:
        code, stderr = crawl_until([], file, 10, signal.SIGINT, stdout=stream)
    assert code == 130 and "--resume FILE -o FILE" in stderr
    assert all(json.loads(line) for line in file.read_text().splitlines())


@pytest.mark.parametrize("to_file", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 40, 3000, 20000])
def test_any_cut_is_mended(whole, live, tkstudies, tmp_path, cut, to_file):
    file, part = tmp_path / "h.jsonl", tmp_path / "h.jsonl.part"
    part.write_text(whole[:cut])
    result = tkstudies(*CRAWL, "--resume", file, *(["-o", file] if to_file else []), input=TABLE)
    assert result.exit_code == 0, result.stderr
    assert (file.read_text() if to_file else result.stdout) == whole
    assert part.exists() != to_file


@pytest.mark.parametrize("to_file", [True, False])
def test_gaps_are_filled_in_their_places(whole, live, tkstudies, tmp_path, to_file):
    file = tmp_path / "h.jsonl"
    lines = whole.splitlines(keepends=True)
    gaps = (0, 1, 17, 18, 40, len(lines) - 1)
    file.write_text("".join(line for number, line in enumerate(lines) if number not in gaps))
    before = asked_plots(live)
    result = tkstudies(*CRAWL, "--resume", file, *(["-o", file] if to_file else []), input=TABLE)
    assert (file.read_text() if to_file else result.stdout) == whole
    assert asked_plots(live) - before == len(gaps) + len(RUNS)  # the missing plot of each run, too


def test_a_complete_file_stays_as_it_is(whole, live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    file.write_text(whole)
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert (result.exit_code, file.read_text()) == (0, whole)
    assert "0 plots fetched" in result.stderr


def test_the_unfinished_file_counts_rather_than_an_older_one(whole, live, tkstudies, tmp_path):
    file, part = tmp_path / "h.jsonl", tmp_path / "h.jsonl.part"
    file.write_text(whole.replace('"type":"TH1"', '"type":"old"'))
    os.utime(file, (1, 1))
    part.write_text(whole[:5000])
    assert tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE).exit_code == 0
    assert file.read_text() == whole and not part.exists()


def test_stopped_while_the_old_records_are_copied(whole, live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    (tmp_path / "h.jsonl.resumed").write_text(whole[:9000])
    (tmp_path / "h.jsonl.part").write_text(whole[:100])
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert file.read_text() == whole
    assert f"{whole[:9000].count(chr(10))} taken over" in result.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["h.jsonl"]


def test_records_of_another_crawl_are_not_mixed_in(whole, live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    other = whole.splitlines(keepends=True)[0].replace("Run2018B-Express-v1", "Run2018B-Express-v0")
    file.write_text(other + whole[:4000])
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert file.read_text() == whole
    assert "1 record of the earlier crawl" in result.stderr


@pytest.mark.parametrize("text", ['{"run_number": 1, "reco": "express"}\n', "317291 Express\n", "x\n{}\n"])
def test_a_file_that_is_no_crawl_is_left_alone(live, tkstudies, tmp_path, text):
    file = tmp_path / "h.jsonl"
    file.write_text(text)
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)
    assert result.exit_code == 1 and "line 1" in result.stderr
    assert file.read_text() == text


def test_nothing_to_go_on_with(whole, live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    result = tkstudies(*CRAWL, "--resume", file, "-o", file, input=TABLE)  # killed before it began
    assert (result.exit_code, file.read_text()) == (0, whole)
    assert "starting afresh" in result.stderr


def test_the_file_itself_as_standard_output_is_refused(live, shell, tmp_path):
    (tmp_path / "runs.jsonl").write_text(to_lines(TABLE))
    (tmp_path / "h.jsonl").write_text("")
    result = shell("tkstudies dqm --tracking-map runs.jsonl --resume h.jsonl >> h.jsonl")
    assert result.returncode == 2 and "-o h.jsonl" in result.stderr


def test_a_failed_crawl_leaves_an_older_file_alone(live, tkstudies, tmp_path):
    file = tmp_path / "h.jsonl"
    file.write_text("old\n")
    result = tkstudies("dqm", "--tracking-map", "-o", file, input='{"run_number": 1')
    assert (result.exit_code, file.read_text()) == (1, "old\n")


def test_the_reader_may_go_away(live, shell, tmp_path):
    (tmp_path / "runs.jsonl").write_text(to_lines(TABLE))
    result = shell("set -o pipefail; tkstudies dqm --collection tracking runs.jsonl | head -1 | wc -l")
    assert (result.returncode, result.stdout.strip()) == (0, "1"), result.stderr


def test_a_recording_answers_a_subset(live, tkstudies, tmp_path, monkeypatch):
    recorded = tkstudies("dqm", "--collection", "tracking", "--record", tmp_path, input=TABLE)
    monkeypatch.setenv("TKSTUDIES_DQM_URL", "http://127.0.0.1:9")
    replayed = tkstudies("dqm", "--collection", "tracking", "--replay", tmp_path, input=TABLE[2:4])
    assert replayed.exit_code == 0, replayed.stderr
    assert from_lines(replayed.stdout) == [
        record for record in from_lines(recorded.stdout) if record["run_number"] in RUNS[2:4]
    ]


def test_rows_without_a_reco(live, tkstudies):
    rows = [{"run_number": 317291}, {"run_number": 317292}]
    refused = tkstudies("dqm", "--datasets", input=rows)
    assert (refused.stdout, refused.exit_code) == ("", 1)
    assert "2 records without a reco: name one with --reco, or take --online" in refused.stderr
    named = tkstudies("dqm", "--datasets", "--reco", "express", input=rows)
    assert [row["reco"] for row in from_lines(named.stdout)] == ["express", "express"]


def test_more_runs_than_there_can_be(tkstudies):
    result = tkstudies("dqm", "--run", "1-99999999", "--reco", "express", "--datasets")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "take those that exist from runreg or oms runs" in result.stderr


def test_an_unknown_reco_in_a_table_is_told(live, tkstudies):
    table = [*TABLE, {"run_number": 317527, "reco": "promt"}, {"run_number": 317591, "reco": "promt"}]
    result = tkstudies(*CRAWL, input=table)
    assert "2 records of unknown reco 'promt': known are online, express, prompt" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("name", "words"), [("h.jsonl.gz", "h.jsonl.gz is packed: gunzip it first"), (".", ". is a folder")]
)
def test_what_cannot_be_resumed(name, words, live, tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "h.jsonl.gz").write_bytes(gzip.compress(b'{"run_number":1}\n'))
    result = tkstudies(*CRAWL, "--resume", name, input=TABLE)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert words in result.stderr
