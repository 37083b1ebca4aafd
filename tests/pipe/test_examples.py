"""The examples as users run them: real processes in a shell, off line from the cassettes or on the fixture server."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter

import pytest

from tests.conftest import CASSETTES, ROOT, from_lines, to_lines
from tests.pipe import example_inputs, help_examples
from tkstudies.analysis.histograms.collections import plots
from tkstudies.records import row_key
from tkstudies.topics import TOPICS

EXAMPLES = ROOT / "examples"
FILES = [
    "runs.jsonl",
    "oms_runs.jsonl",
    "oms_fills.jsonl",
    "doctor.jsonl",
    "summaries.jsonl",
    "features.jsonl",
    "study.jsonl",
    "suspects.jsonl",
    "pca.jsonl",
    "pca.png",
    "report.html",
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tmp_path_factory.mktemp("quickstart") / "study"


@pytest.fixture
def quickstart(study, shell):
    """The folder of the quick start, made once; its output is beside it."""
    told = study.with_suffix(".txt")
    if not told.exists():
        result = shell(f"{EXAMPLES}/quickstart.sh", cwd=ROOT, TKSTUDIES_REPLAY="cassettes", STUDY=str(study))
        assert result.returncode == 0, result.stderr
        told.write_text(json.dumps([result.stdout, result.stderr]))
    return study


def is_as_the_page_says(script, told):
    """Is every line that the page of examples shows of a script among those that it printed?"""
    block = (EXAMPLES / "README.md").read_text().split(f"    $ examples/{script}")[1].split("\n\n")[0]
    printed = [" ".join(line.split()) for line in told.splitlines()]
    shown = [" ".join(line.split("...")[0].split()) for line in block.splitlines()[1:]]
    assert len(shown) > 2
    for line in shown:
        assert any(one.startswith(line) for one in printed), (line, told)
    return True


def rows(folder, name):
    return from_lines((folder / name).read_text())


def test_the_quick_start_leaves_every_stage(quickstart):
    stdout, stderr = json.loads(quickstart.with_suffix(".txt").read_text())
    assert sorted(path.name for path in quickstart.iterdir()) == sorted(FILES)
    for name in FILES:
        assert name in stdout
    assert "Traceback" not in stderr
    last = stdout.splitlines()[-6:]
    assert last[0].split() == ["run_number", "reco", "tracking", "subsystem", "findings"]
    top = list(dict.fromkeys(row["run_number"] for row in rows(quickstart, "suspects.jsonl")))[:5]
    assert [int(line.split()[0]) for line in last[1:]] == top


def test_bad_rows_stand_out_as_the_readme_says(quickstart, world, tkstudies):
    pca = rows(quickstart, "pca.jsonl")
    assert all({"pc1", "pc2", "pc3", "pc4", "pc5", "is_bad", "bad_reason", "fill__era"} <= row.keys() for row in pca)
    as_in_the_notebook = from_lines(tkstudies("-q", "pca", quickstart / "study.jsonl").stdout)
    strength = {row_key(row): world.truth(row["run_number"], row["reco"])["strength"] for row in pca}
    bad = [row for row in pca if row["is_bad"]]
    undisturbed = [row for row in pca if row["is_bad"] is False and strength[row_key(row)] == "none"]
    found = Counter(strength[row_key(row)] for row in bad if is_beyond(row))
    stated = Counter(strength[row_key(row)] for row in bad)
    assert all(found[name] == stated[name] > 0 for name in ("strong", "medium"))
    told = " ".join((ROOT / "README.md").read_text().split())
    assert f"T² or Q of {found.total()} of {len(bad)} bad rows" in told
    assert f"{found['weak']} of {stated['weak']} **weak** ones" in told
    assert f"none of {len(undisturbed)} good rows" in told and not any(map(is_beyond, undisturbed))
    hidden = sum(bool(row["is_bad"]) and is_beyond(row) for row in as_in_the_notebook)
    assert f"as the notebook did and `pca` does by default, {hidden} of {len(bad)} are" in told
    weak = {row["run_number"] for row in bad if strength[row_key(row)] == "weak"}
    assert weak and all(str(run) in told for run in weak)


def is_beyond(row):
    return row["t2"] > row["t2_limit_99"] or row["q"] > row["q_limit_99"]


QUESTIONS = {
    "changed.sh": ("NumberOfRecHitsPerTrack_Strip_GenTk", "changed.pdf"),
    "comments.sh": ("317479  GOOD   BAD    BAD       hv_off      Strip HV was off until LS 6", "comments.jsonl"),
    "reference.sh": ("317661  express     1                317641", "typical.jsonl"),
    "trend.sh": ("317434  BAD       hv_scan", "trend.png"),
    "clusters.sh": ("317511  GOOD   timing_scan", "clusters.png"),
    "lost.sh": ("hv_off               5   0.35714     5             370.11  pb^{-1}", "lost.png"),
}


@pytest.mark.parametrize("script", QUESTIONS)
def test_questions_to_the_folder_of_the_quick_start(script, quickstart, tmp_path, shell):
    shutil.copytree(quickstart, tmp_path / "study")
    result = shell(f"{EXAMPLES}/{script}", cwd=tmp_path, TKSTUDIES_REPLAY=str(CASSETTES))
    told, made = QUESTIONS[script]
    assert (result.returncode, told in result.stdout) == (0, True), result.stderr + result.stdout
    assert (tmp_path / "study" / made).stat().st_size > 500
    assert script == "trend.sh" or is_as_the_page_says(script, result.stdout)  # that shows its picture


def test_the_pipe_of_the_help_page(quickstart, tmp_path, shell):
    """Word for word; what it fetches lies in the folder of the quick start."""
    commands = re.findall(r"^    tkstudies (?:.*\\\n)*.*$", TOPICS["pipe"], re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["runreg", "oms", "dqm", "features", "merge", "suspects"]
    shutil.copytree(quickstart, tmp_path / "study")
    result = shell("set -euo pipefail\n" + "\n".join(commands[3:]), cwd=tmp_path / "study")
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 21), result.stderr


def test_what_is_still_to_certify(tmp_path, shell):
    result = shell(f"{EXAMPLES}/todo.sh", cwd=ROOT, TKSTUDIES_REPLAY="cassettes", STUDY=str(tmp_path / "todo"))
    assert (result.returncode, result.stdout.splitlines()[1][:6]) == (0, "| ---:"), result.stderr
    assert result.stdout == (tmp_path / "todo" / "todo.md").read_text()
    assert "| 317382 | express | OPEN | true | true | 33 | 0.21083 |" in result.stdout
    assert is_as_the_page_says("todo.sh", result.stdout)


@pytest.fixture
def night(quickstart, tmp_path, shell):
    """A night's report after that of the quick start, of which it knows the folder; cassettes without some files."""

    def run(*lacking):
        recorded = tmp_path / "recorded"
        recorded.mkdir()
        for file in CASSETTES.glob("*.json"):
            if not file.name.startswith(lacking):
                (recorded / file.name).symlink_to(file)
        script = f"{EXAMPLES}/night.sh 317291 318877 --no-pictures < /dev/full"  # it reads nothing
        return shell(script, cwd=tmp_path, TKSTUDIES_REPLAY="recorded")

    return run


def test_a_night_tells_what_is_new_and_what_failed(night, quickstart, tmp_path):
    folder = shutil.copytree(quickstart, tmp_path / "night")
    before = [row for row in rows(folder, "runs.jsonl") if row["run_number"] != 318877]
    row = next(row for row in before if (row["run_number"], row["reco"]) == (318874, "express"))
    row.update(rda_state="OPEN", pixel="BAD")
    (folder / "runs.jsonl").write_text(to_lines(before))
    todo = {"run_number": 317340, "reco": "express", "rda_state": "OPEN"}
    (folder / "todo.jsonl").write_text(to_lines([todo]))
    result = night("todo")
    assert result.returncode == 3, result.stderr
    assert "todo" in result.stderr and "Traceback" not in result.stderr
    assert is_as_the_page_says("night.sh", result.stdout)
    told, page = result.stdout.split("# Tracker certification")
    assert [line.split() for line in told.splitlines() if line.startswith("    31")] == [
        ["318877", "express"], ["318877", "prompt"], ["318877", "online"],
        ["318874", "express", "OPEN", "COMPLETED"], ["318874", "express", "pixel", "BAD", "GOOD"],
    ]  # fmt: skip
    assert "**tkstudies todo failed (exit code 1)**" in page and "| 317340 | express | OPEN |" in page
    assert rows(folder, "todo.jsonl") == [todo]
    assert (folder / "report.md").read_text() in result.stdout
    assert "tkstudies todo failed (exit code 1)" in (folder / "report.html").read_text()
    assert {"OPEN", "COMPLETED"} <= {row["rda_state"] for row in rows(folder, "study.jsonl")}  # new rows are judged


def test_a_night_without_a_page_leaves_the_old_one(tmp_path, shell):
    for folder in ("night", "broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "night/report.html").write_text("of yesterday")
    (tmp_path / "broken/tkstudies").symlink_to(shutil.which("false"))
    result = shell(f"{EXAMPLES}/night.sh", cwd=tmp_path, PATH=f"{tmp_path}/broken{os.pathsep}{os.environ['PATH']}")
    assert (result.returncode, result.stdout) == (1, "")
    assert (tmp_path / "night/report.html").read_text() == "of yesterday"
    assert len(rows(tmp_path / "night", "failed.jsonl")) == 10


def test_two_nights_do_not_meet(tmp_path, shell):
    (tmp_path / "night").mkdir()
    result = shell(f"flock night/night.lock {EXAMPLES}/night.sh", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (75, "") and "the night before is still at work" in result.stderr
    assert [file.name for file in (tmp_path / "night").iterdir()] == ["night.lock"]


def test_the_page_of_examples_names_every_script():
    page = (EXAMPLES / "README.md").read_text()
    assert all(f"`{file.name}`" in page for file in EXAMPLES.glob("*.sh"))


def test_the_short_pipe_in_the_study_folder(quickstart, shell):
    result = shell(
        "set -o pipefail; tkstudies runreg --min 317291 --max 318877 "
        "| tkstudies merge oms_runs.jsonl oms_fills.jsonl features.jsonl | tkstudies pca | head -3",
        cwd=quickstart,
        TKSTUDIES_REPLAY=str(CASSETTES),
    )
    assert result.returncode == 0
    assert len(from_lines(result.stdout)) == 3
    assert "rows had no features and are left out" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def work(quickstart, tmp_path, monkeypatch, tkstudies):
    """A copy of the quick start's folder, with some plots and their bins, and with what people have beside it."""
    folder = shutil.copytree(quickstart, tmp_path / "work")
    names = (*example_inputs.PLOTS, *example_inputs.DRAWN)
    wanted = [word for plot in plots("tracking") if plot.name in names for word in ("--plot", plot.offline)]
    fetched = tkstudies(
        "--replay", CASSETTES, "dqm", *wanted, "--reco", "prompt", "--reco", "rereco", folder / "runs.jsonl"
    )
    (folder / "hists.jsonl").write_text(fetched.stdout)
    example_inputs.write(folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_examples_of_the_help_run_after_the_quick_start(work, tkstudies):
    is_short = False
    for path, line in help_examples.lines():
        if help_examples.asks_a_server(line) or path == "report":  # tests/commands/test_report.py runs these
            continue
        if path == "compare":
            shutil.copy("hists.jsonl", "new.jsonl")
        if path.startswith("plot") and not is_short:
            example_inputs.shorten(work)
            assert tkstudies("pca", "--model", "model.json", "--loadings", "loadings.jsonl", "study.jsonl").stdout
            is_short = True
        said = help_examples.run(line, tkstudies).stderr
        said = said.replace("no column matches *.integral", "")  # summaries have none
        said = said.replace("no record has a column isolation_forest_score_limit", "")  # it has none: --line 0
        assert "no column matches" not in said and "no record has" not in said, (line, said)
    assert is_short


def test_the_examples_of_the_help_that_ask_servers(work, live, tkstudies, monkeypatch):
    shutil.rmtree(work / "hists")  # which one of them makes
    monkeypatch.setattr(live.sso, "interval", 1.0)  # of tkstudies login
    live.write_cookies(work / "cookies.txt")
    for name in ("runs", "study", "oms_runs"):
        some = [row for row in rows(work, f"{name}.jsonl") if row["run_number"] in (317291, 317527)]
        (work / f"{name}.jsonl").write_text(to_lines(some))
    for page in ("runs", "problem_runs", "problems"):
        (work / f"tkdqmdoctor_{page}.json").write_text("[]")
    (work / "hists.jsonl").unlink()
    (work / "runs.txt").write_text("317291 Express\n")
    lines = [line for _, line in help_examples.lines() if help_examples.asks_a_server(line)]
    for line in lines:
        help_examples.run(line, tkstudies)
    assert len(lines) > 30


def test_real_measurements_only(tmp_path, shell):
    result = shell(f"{EXAMPLES}/real.sh", cwd=ROOT, TKSTUDIES_REPLAY="cassettes", STUDY=str(tmp_path / "real"))
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "real"
    assert len(rows(folder, "oms_runs.jsonl")) == 9
    assert len(rows(folder, "lumisections.jsonl")) == len(rows(folder, "pca.jsonl")) == 63
    real = [json.loads(line) for line in (ROOT / "tests/data/oms/lumisections_315265.jsonl").read_text().splitlines()]
    for record, original in zip(rows(folder, "lumisections.jsonl"), real, strict=True):
        assert {key: record[key] for key in original} == original
    hist = json.loads((ROOT / "tests/data/dqm/321012_online_TrackEtaPhi_ImpactPoint_GenTk.json").read_text())["hist"]
    assert rows(folder, "map.jsonl")[0]["hist"] == hist
    assert (folder / "pca.png").stat().st_size > 10_000


def test_the_quick_start_on_other_services(server, tmp_path, shell):
    folder = tmp_path / "live"
    script = f"{EXAMPLES}/quickstart.sh 319337 319528"
    result = shell(script, cwd=ROOT, STUDY=str(folder), **server.env)
    assert result.returncode == 0, result.stderr
    assert "warning: no access to TkDQMDoctor: the study goes on without its comments" in result.stderr
    assert not (folder / "doctor.jsonl").exists()
    assert len(rows(folder, "pca.jsonl")) > 10
    assert (folder / "pca.png").stat().st_size > 10_000
    assert "Traceback" not in result.stderr


def test_the_whole_notebook(server, tmp_path, shell):
    server.write_cookies(tmp_path / "cookies.txt")
    (tmp_path / "work").mkdir()
    script = f"{EXAMPLES}/tldr.sh 317500 317527 6759 6769"
    environment = {**server.env, "TKSTUDIES_COOKIES": str(tmp_path / "cookies.txt")}
    result = shell(script, cwd=tmp_path / "work", **environment)
    assert result.returncode == 0, result.stderr
    assert is_as_the_page_says("tldr.sh", result.stdout)
    study = rows(tmp_path / "work", "study.jsonl")
    assert {"tracker", "global"} == {row["workspace"] for row in study}
    prompt = next(row for row in study if row["reco"] == "prompt" and row["run_number"] == 317527)
    means = [column for column in prompt if column.endswith(".mean")]
    assert len(means) > 70
    assert prompt["fill__era"] == "2018B"
    assert "has_new_hole" in prompt
    again = shell(script, cwd=tmp_path / "work", **environment)
    assert again.returncode == 0
    assert rows(tmp_path / "work", "study.jsonl") == study


def test_the_whole_notebook_says_what_it_needs(shell):
    result = shell(f"{EXAMPLES}/tldr.sh 1 2")
    assert (result.stdout, result.returncode) == ("", 2)
    assert "FIRST_RUN LAST_RUN FIRST_FILL LAST_FILL" in result.stderr


@pytest.mark.filterwarnings("default")  # of Jupyter's own parts
def test_the_notebook_runs_on_the_quick_start(quickstart, tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("STUDY", str(quickstart))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as in a notebook
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    notebook = nbformat.read(EXAMPLES / "study.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data"}
    shown = [kind for output in outputs for kind in output["data"]]
    assert shown.count("text/html") == 3  # tables
    assert shown.count("image/png") == 1
    by_t2 = sorted(rows(quickstart, "pca.jsonl"), key=lambda row: -row["t2"])
    table = [output["data"]["text/plain"] for output in outputs if "text/html" in output["data"]][1]
    assert str(by_t2[0]["run_number"]) in table


def test_the_morning(tmp_path, shell):
    result = shell(f"{EXAMPLES}/morning.sh", cwd=ROOT, TKSTUDIES_REPLAY="cassettes", STUDY=str(tmp_path / "morning"))
    assert result.returncode == 0, result.stderr
    found = rows(tmp_path / "morning", "suspects.jsonl")
    assert len(found) == len(rows(tmp_path / "morning", "new.jsonl")) == 8
    assert (found[0]["run_number"], found[0]["subsystem"]) == (318816, "pixel")
    assert any(text.startswith("Hits.Pixel.mean 1.66; 90 % of good rows: 3.2") for text in found[0]["findings"])
    assert is_as_the_page_says("morning.sh", result.stdout)
    assert "8 rows judged by 35 good ones" in result.stderr


def test_a_campaign_against_its_own_prompt(tmp_path, shell):
    result = shell(f"{EXAMPLES}/rereco.sh", cwd=ROOT, TKSTUDIES_REPLAY="cassettes", STUDY=str(tmp_path / "rereco"))
    assert result.returncode == 0, result.stderr
    said, title, head, *table = result.stdout.splitlines()
    assert said == "Too few runs tell how much a plot usually changes: the largest changes come first."
    assert title == "Plots of rereco that differ most from those of the run's own prompt reconstruction:"
    assert head.split()[:4] == ["run_number", "reco", "name", "ks"]
    assert len(table) == 20 and is_as_the_page_says("rereco.sh", result.stdout)
    assert {line.split()[0] for line in table} == {"317291", "317292", "317297"}
    assert "tkstudies: nothing learned (1 pair of good runs, 20 needed)" in result.stderr
    assert "45 of 45 histograms compared" in result.stderr


def test_suspects_of_the_quick_start(quickstart, tkstudies):
    """The worst rows have the stated distortions, and a run that is merely short is told as such."""
    result = tkstudies("suspects", quickstart / "study.jsonl")
    found = from_lines(result.stdout)
    assert all(row["is_bad"] for row in found[:15])
    short = [row for row in found if row["run_number"] == 317295]
    assert all(row["low_statistics"] for row in short)
    assert all(row["findings"][0].startswith("short: less than 10 % of the usual entries") for row in short)
