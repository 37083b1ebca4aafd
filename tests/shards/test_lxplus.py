"""``examples/lxplus_dask.py`` with a double of HTCondor: jobs are processes of this machine, all else is real."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import to_lines
from tests.shards.test_workers import until

pytest.importorskip("dask_jobqueue")

ROOT = Path(__file__).parents[2]
STAND_IN = """
from dask_jobqueue import HTCondorCluster

class CernCluster(HTCondorCluster):
    def __init__(self, *, container_runtime, **options):
        super().__init__(**options)
"""
SQUARES = """
import sys, os; from tests.shards import deadly; from tkstudies.shards.workers import workers
with workers(sys.argv[-1]) as several:
    print(list(several.map(deadly.Square(once=(0, 1)), [deadly.Item(n, os.getcwd()) for n in range(4)])))
"""
SECRET = "known-to-nobody-else"
FILTER = ["tkstudies", "filter", "Hits.mean > 3", "table"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A table of 20 files, and programs of HTCondor, whose queue is in queue/."""
    source = Path(__file__).with_name("condor.py").read_text()
    for name in ("table", "bin", "queue", "lxplus"):
        (tmp_path / name).mkdir()
    for name in ("condor_submit", "condor_rm", "condor_q"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)
    for number in range(20):
        rows = ({"run_number": 10 * number + run, "Hits.mean": run + 0.5} for run in range(10))
        (tmp_path / "table" / f"{number:02}.jsonl").write_text(to_lines(rows))
    if not importlib.util.find_spec("dask_lxplus"):
        (tmp_path / "lxplus" / "dask_lxplus.py").write_text(STAND_IN)
    path = [str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "lxplus"), str(ROOT)]))
    monkeypatch.setenv("CONDOR_DOUBLE", str(tmp_path / "queue"))
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "dask"))
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "100ms")
    monkeypatch.setenv("TKSTUDIES_OMS_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def started(*command, slots=1):
    """The example with a command."""
    options = ["--slots", str(slots), "--port", "0", "--look", "0.3"]
    return subprocess.Popen(
        [sys.executable, ROOT / "examples" / "lxplus_dask.py", *options, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def nothing_is_left(folder):
    """No job in the queue, and no certificate?"""
    return not list(folder.glob("queue/*.json")) and not list(folder.glob(".dask-*"))


def test_jobs_do_the_work_are_replaced_and_removed(folder, tkstudies, monkeypatch):
    tkstudies(*FILTER[1:], "-o", "one/")
    script = f'{" ".join(FILTER[:2])} "{FILTER[2]}" table -o many/ "$@" && python -c "$SQUARES" "$@"; exit 3'
    monkeypatch.setenv("SQUARES", SQUARES)
    process = started("sh", "-c", script, "sh", slots=2)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert told == f"{[number**2 for number in range(4)]}\n", said
    assert "of 2 jobs are lost, and submitted anew" in said and "Traceback" not in said
    for file in folder.glob("one/*.jsonl"):
        assert (folder / "many" / file.name).read_bytes() == file.read_bytes()
    assert len(list(folder.glob("many/*.jsonl"))) == 20
    assert nothing_is_left(folder)
    descriptions = [file.read_text() for file in folder.glob("queue/*.sub")]
    assert len(descriptions) > 2 and all("tls://" in text for text in descriptions)
    assert not any(SECRET in text or "PRIVATE KEY" in text for text in descriptions)


def test_ctrl_c_leaves_no_job(folder):
    os.mkfifo(folder / "slow.jsonl")
    process = started(*FILTER, "slow.jsonl", "-o", "many/")
    until(lambda: len(list(folder.glob("many/*.jsonl"))) == 20)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert said[-1] == "tkstudies: interrupted" and "the same command goes on from there" in said[-2]
    assert nothing_is_left(folder)


@pytest.mark.parametrize(
    "broken, told",
    [
        ("rm bin/condor_submit", "condor_submit: no such program here (run this on lxplus, "),
        ("touch queue/broken", "condor_submit: ERROR: Can't find address of local schedd"),
        ("echo 'import no_such_module' > lxplus/dask_lxplus.py", "No module named 'no_such_module': pip install "),
    ],
)
def test_what_fails_is_told_in_one_line(broken, told, folder):
    subprocess.run(broken, shell=True, check=True)
    process = started(*FILTER, "-o", "many/")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said.startswith(f"lxplus_dask: {told}") and said.count("\n") == 1
    assert nothing_is_left(folder)
