"""What is fetched as the files of a folder: together what one file would be, each whole, and none of them twice."""

import json

import pytest

from tests.conftest import from_lines, to_lines
from tkstudies import console
from tkstudies.errors import ServiceError
from tkstudies.services.dqm.crawloutput import CrawlOutput
from tkstudies.services.dqm.gui import DqmGui
from tkstudies.services.web import paging

pytestmark = pytest.mark.usefixtures("quick_retries")

RUNS = ["--min", "317500", "--max", "317530"]
COMMANDS = {
    "oms runs": ["oms", "runs", *RUNS, "--fields", "fill_number,recorded_lumi"],
    "oms runs here": ["oms", "runs", *RUNS, "--filter", "run_number in 317500-317510 or fill_number = 1"],
    "oms fills": ["oms", "fills", "--min", "6740", "--max", "6760"],
    "oms lumisections": ["oms", "lumisections", "--run", "317509,317511", "--fields", "pileup"],
    "oms hltpaths": ["oms", "hltpaths", "--run", "317509,317511,317512", "--path", "HLT_Zero*"],
    "oms hltrates": ["oms", "hltrates", "--run", "317509,317511", "--path", "HLT_ZeroBias_v6"],
    "runreg": ["runreg", *RUNS],
    "runreg --raw": ["runreg", *RUNS, "--raw", "--exclude-cosmics"],
    "runreg --lumisections": ["runreg", "--lumisections", "--run", "317509,317511", "--reco", "express"],
    "runreg v3": ["runreg", "--api", "v3", *RUNS],
}
PAIRS = [
    {"run_number": run, "reco": reco} for run in (317338, 317291, 317292, 317297) for reco in ("express", "prompt")
]


def files(folder):
    return {file.name: file.read_text() for file in sorted(folder.glob("*.jsonl"))}


def histograms(requests):
    return [path for path in requests if "jsonfairy" in path]


@pytest.fixture
def log(live):
    """The requests that a command makes."""

    def log(command):
        before = len(live.log)
        result = command()
        return result, [entry.path for entry in live.log[before:]]

    return log


class TestTables:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_are_together_what_one_file_would_be(self, tkstudies, live, tmp_path, name):
        one = tkstudies(*COMMANDS[name])
        assert one.stdout and one.exit_code == 0
        many = tkstudies(*COMMANDS[name], "-o", f"{tmp_path}/out/", "--runs-per-file", 2)
        assert many.exit_code == 0, many.stderr
        made = files(tmp_path / "out")
        assert "".join(made.values()) == one.stdout
        assert many.stderr.startswith(one.stderr.splitlines()[0][:6])
        for file, text in made.items():
            first, last = (int(number) for number in (file[:-6] + "-" + file[:-6]).split("-")[::1][:2])
            for row in from_lines(text):
                assert first <= row["fill_number" if name == "oms fills" else "run_number"] <= max(first, last)

    @pytest.mark.parametrize("name", ["oms runs", "oms fills", "runreg", "runreg --lumisections"])
    def test_are_not_fetched_again(self, tkstudies, log, tmp_path, name):
        command = [*COMMANDS[name], "-o", f"{tmp_path}/out/", "--runs-per-file", 2]
        first, requests = log(lambda: tkstudies(*command))
        made = files(tmp_path / "out")
        again, fewer = log(lambda: tkstudies(*command))
        assert len(fewer) < len(requests)
        assert files(tmp_path / "out") == made
        assert again.stderr.splitlines()[-1] == first.stderr.splitlines()[-1]
        assert f"{len(made)} of {len(made)} file" in again.stderr and "stay as they are" in again.stderr

    def test_that_are_missing_are(self, tkstudies, live, tmp_path):
        command = [*COMMANDS["runreg"], "-o", f"{tmp_path}/out/", "--runs-per-file", 1]
        tkstudies(*command)
        made = files(tmp_path / "out")
        name = list(made)[1]
        (tmp_path / "out" / name).write_text("")
        found = tkstudies(*command)
        assert f"{len(made) - 1} of {len(made)} files in {tmp_path}/out/ stay as they are" in found.stderr
        assert files(tmp_path / "out") == made

    def test_of_which_rows_are_missing_are(self, tkstudies, live, tmp_path, monkeypatch):
        command = [*COMMANDS["oms runs"], "-o", f"{tmp_path}/out/"]
        whole = tkstudies(*command[:-2]).stdout
        read = paging.read

        def short(*arguments, **options):
            yield from list(read(*arguments, **options))[:-1]
            console.left_out("1 row is missing")

        with monkeypatch.context() as patched:
            patched.setattr(paging, "read", short)
            assert tkstudies(*command).exit_code == 3
        found = tkstudies(*command)
        assert found.exit_code == 0 and "stay" not in found.stderr
        made = "".join(files(tmp_path / "out").values())
        assert whole.startswith(made)

    def test_that_nothing_passes_are_empty(self, tkstudies, live, tmp_path):
        found = tkstudies(
            "runreg", *RUNS, "--filter", "pixel in NEVER", "-o", f"{tmp_path}/out/", "--runs-per-file", 10
        )
        assert found.exit_code == 0
        assert found.stderr.count("none of") == 1
        assert set(files(tmp_path / "out").values()) == {""}

    def test_of_a_time(self, tkstudies, live, tmp_path):
        (start,) = {row["start_time"] for row in from_lines(tkstudies("oms", "runs", "--run", "317511").stdout)}
        command = [
            "oms",
            "lumisections",
            "--since",
            start,
            "--until",
            f"{start[:14]}59:59Z",
            "--min",
            317505,
            "--max",
            317515,
            "--fields",
            "pileup",
        ]
        one = tkstudies(*command)
        tkstudies(*command, "-o", f"{tmp_path}/out/", "--runs-per-file", 1)
        assert one.stdout and "".join(files(tmp_path / "out").values()) == one.stdout


class TestHistograms:
    @pytest.fixture
    def crawl(self, tkstudies, live, tmp_path):
        def crawl(*options, pairs=PAIRS, output="out/"):
            (tmp_path / "runs.jsonl").write_text(to_lines(pairs))
            where = [] if output == "-" else ["-o", f"{tmp_path}/{output}", "--runs-per-file", 2]
            return tkstudies("dqm", "--tracking-map", "-i", tmp_path / "runs.jsonl", *where, *options)

        return crawl

    def test_are_together_what_one_file_would_be(self, crawl, tmp_path):
        one, many = crawl(output="-"), crawl()
        made = files(tmp_path / "out")
        assert list(made) == ["317291-317292.jsonl", "317297-317338.jsonl"]
        assert sorted("".join(made.values()).splitlines()) == sorted(one.stdout.splitlines())
        assert (many.exit_code, many.stderr) == (one.exit_code, one.stderr)
        order = [(row["run_number"], row["reco"]) for row in from_lines(made["317297-317338.jsonl"])]
        assert order == [(317338, "express"), (317338, "prompt"), (317297, "express"), (317297, "prompt")]

    def test_are_asked_for_once(self, crawl, log, tmp_path):
        crawl()
        again, requests = log(crawl)
        assert requests == []
        assert again.stderr.splitlines()[-1] == "0 plots fetched and 8 taken over"

    def test_of_other_pairs_are_fetched(self, crawl, log, tmp_path):
        crawl()
        _, requests = log(lambda: crawl(pairs=[*PAIRS, {"run_number": 317320, "reco": "express"}]))
        assert list(files(tmp_path / "out")) == ["317291-317292.jsonl", "317297-317320.jsonl", "317338.jsonl"]
        assert not any("317291" in path or "317292" in path for path in histograms(requests))
        _, requests = log(lambda: crawl(pairs=PAIRS[:-1]))
        assert "".join(files(tmp_path / "out").values()).count('"run_number":317297') == 1

    def test_that_are_missing_or_damaged_are_fetched(self, crawl, log, tmp_path):
        crawl()
        made = files(tmp_path / "out")
        (tmp_path / "out" / "317291-317292.jsonl").write_text("no record\n" + made["317291-317292.jsonl"])
        found, requests = log(crawl)
        assert "not a histogram record: no record: fetched again" in found.stderr
        assert files(tmp_path / "out") == made
        assert not any("317338" in path for path in histograms(requests))

    def test_that_failed_are_fetched_again_and_they_alone(self, crawl, log, tmp_path, monkeypatch):
        ask = DqmGui.histogram

        def broken(gui, run, *rest):
            if run == 317292:
                raise ServiceError("out of order")
            return ask(gui, run, *rest)

        whole = crawl(output="-").stdout
        errors = tmp_path / "errors.jsonl"
        with monkeypatch.context() as patched:
            patched.setattr(DqmGui, "histogram", broken)
            found = crawl("--errors", errors)
        assert found.exit_code == 3
        assert [row["run_number"] for row in from_lines(errors.read_text())] == [317292, 317292]
        assert len(files(tmp_path / "out")) == 2
        again, requests = log(crawl)
        assert again.exit_code == 0
        assert sorted("".join(files(tmp_path / "out").values()).splitlines()) == sorted(whole.splitlines())
        assert len(histograms(requests)) == 2

    def test_that_do_not_exist_are_told_each_time(self, crawl, tmp_path):
        errors = tmp_path / "errors.jsonl"
        options = ("--plot", "/Tracking/nothing", "--errors", errors, "--strict")
        first = crawl(*options)
        told = errors.read_text()
        again = crawl(*options)
        assert len(from_lines(told)) == 8 and errors.read_text() == told
        assert (first.exit_code, again.exit_code) == (3, 3)
        assert "8 missing plots" in first.stderr and "8 taken over, 8 missing plots" in again.stderr

    def test_after_ctrl_c_go_on(self, crawl, log, tmp_path, monkeypatch):
        whole = crawl(output="-").stdout
        add = CrawlOutput.add

        def stop(into, line, *rest):
            if b"317338" in line:
                raise KeyboardInterrupt
            add(into, line, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(CrawlOutput, "add", stop)
            found = crawl()
        assert found.exit_code == 130
        assert f"1 of 2 files are whole in {tmp_path}/out/: the same command goes on from there" in found.stderr
        assert list(files(tmp_path / "out")) == ["317291-317292.jsonl"]
        again, requests = log(crawl)
        assert again.exit_code == 0
        assert not any("317291" in path for path in histograms(requests))
        assert sorted("".join(files(tmp_path / "out").values()).splitlines()) == sorted(whole.splitlines())

    def test_of_which_none_can_be_had(self, crawl, fail):
        fail(["500"], rate=1.0, max_repeat=99)
        found = crawl()
        assert found.exit_code == 1
        assert "nothing could be fetched, 8 failed" in found.stderr

    def test_of_no_pair(self, crawl, tmp_path):
        assert crawl(pairs=[]).exit_code == 0
        assert json.loads((tmp_path / "out" / "manifest.json").read_text())["complete"]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["runreg", *RUNS, "--runs-per-file", "5"], "name it with a slash at its end, -o NAME/"),
        (["oms", "runs", *RUNS, "--runs-per-file", "5", "-o", "x.jsonl"], "name it with a slash at its end, -o NAME/"),
        (["dqm", "--run", "1", "--online", "--tracking-map", "--runs-per-file", "5"], "with a slash at its end"),
        (["runreg", *RUNS, "--runs-txt", "-o", "x/"], "--runs-txt is one list of plain lines"),
        (["dqm", "--run", "1", "--online", "--tracking-map", "-o", "x/", "--resume", "x"], "needs no --resume"),
        (["dqm", "--run", "1", "--online", "--datasets", "-o", "x/"], "-o NAME/ is for plots"),
    ],
)
def test_what_is_refused(tkstudies, arguments, told):
    found = tkstudies(*arguments)
    assert found.exit_code == 2
    assert told in found.stderr
