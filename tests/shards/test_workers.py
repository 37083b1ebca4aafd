"""Workers: results in order, each once, whoever is killed; nothing that is said is lost; nobody is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.shards import deadly
from tkstudies.errors import InputError, TkstudiesError, UsageError
from tkstudies.settings import current
from tkstudies.shards import jobs, local
from tkstudies.shards.processes import deaf
from tkstudies.shards.workers import workers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def items(tmp_path):
    return [deadly.Item(number, str(tmp_path)) for number in range(9)]


@pytest.fixture(autouse=True)
def settings():
    current.reset()
    yield
    current.reset()


@pytest.fixture(scope="class", params=["2", "dask"])
def several(request):
    with workers(request.param) as several:
        yield several


class TestSeveral:
    def test_killed_ones_are_replaced(self, several, items):
        assert list(several.map(deadly.Square(once=(2, 3, 7)), items)) == [number**2 for number in range(9)]

    def test_an_error_comes_back_as_it_was(self, several, items):
        with pytest.raises(InputError, match=r"^3.jsonl, line 7: not a JSON object$"):
            list(several.map(deadly.fail, items))

    def test_an_error_comes_after_the_results_before_it(self, several, tmp_path):
        results = several.map(deadly.fail, [deadly.Item(number, str(tmp_path)) for number in (*[7] * 90, 3, 8)])
        assert [next(results) for _ in range(90)] == [7] * 90
        with pytest.raises(InputError, match="not a JSON object"):
            next(results)

    def test_an_item_that_kills_its_workers_is_given_up(self, several, tmp_path, monkeypatch):
        monkeypatch.setattr(jobs, "TRIES", 3)
        items = [deadly.Item(number, str(tmp_path)) for number in range(90)]
        results = several.map(deadly.Square(always=(70,)), items)
        assert [next(results) for _ in range(69)] == [number**2 for number in range(69)]
        with pytest.raises(TkstudiesError, match=r"^file \d+: a worker was killed 3 times .* too little memory"):
            list(results)

    def test_what_is_here_is_not_done_again(self, several, items, tmp_path):
        results = several.map(deadly.mark, items)
        worker = next(results)
        time.sleep(0.2)  # the scheduler hears that the result is here
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.5)  # and has the time to give it to the other worker, if it hasn't
        assert len(list(results)) == 8
        assert (tmp_path / "0").read_text() == "x"

    def test_what_they_say_is_told_once(self, several, items, capsys):
        assert list(several.map(deadly.talk, items)) == list(range(9))
        assert capsys.readouterr().err.splitlines() == ["this is said by all", "warning: 3.jsonl: a line is lost"]
        assert current.partial


@pytest.mark.parametrize(
    "address, told",
    [
        ("tls://127.0.0.1:1", r"^tls://127.0.0.1:1 takes certificates only \(none are named\): .*__COMM__TLS__CA_FILE"),
        ("tcp://127.0.0.1", r"^--jobs dask:tcp://127.0.0.1: expected dask:tcp://HOST:PORT"),
        ("tls", "^--jobs dask:tls: expected"),
        ("nothing://127.0.0.1:1", "^--jobs dask:nothing://127.0.0.1:1: expected"),
    ],
)
def test_an_address_where_no_scheduler_can_be(address, told):
    with pytest.raises(UsageError, match=told), workers(f"dask:{address}"):
        pass


def test_certificates_that_cant_be_read(tmp_path):
    import dask

    names = {f"distributed.comm.tls.{name}": str(tmp_path / "nothing.pem") for name in ("ca-file", "client.cert")}
    refused = pytest.raises(UsageError, match=r"certificates only \(.*No such file")
    with dask.config.set(names), refused, workers("dask:tls://127.0.0.1:1"):
        pass


def started(kind, folder):
    """A process whose workers wait, and the numbers of these."""
    script = (
        "import sys; from tests.shards import deadly; from tkstudies.shards.workers import workers\n"
        "if __name__ == '__main__':\n"
        f"    with workers({kind!r}) as several:\n"
        f"        list(several.map(deadly.wait, [deadly.Item(n, {str(folder)!r}) for n in range(4)]))\n"
    )
    file = folder / "parent.py"
    file.write_text(script)
    parent = subprocess.Popen([sys.executable, file], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    until(lambda: len(at_work(folder)) == 2)
    return parent, at_work(folder)


def at_work(folder):
    return [int(file.name) for file in folder.iterdir() if file.name.isdigit()]


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here to look for processes")
@pytest.mark.parametrize(
    ("kind", "number"), [("2", signal.SIGKILL), ("2", signal.SIGINT), ("2", signal.SIGTERM), ("dask", signal.SIGKILL)]
)
def test_nobody_is_left_behind(kind, number, tmp_path):
    parent, children = started(kind, tmp_path)
    parent.send_signal(number)
    parent.wait(60)
    until(lambda: not any(map(is_alive, children)))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals here")
def test_a_worker_that_is_just_starting_does_not_hear_ctrl_c():
    interrupt = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('deaf')"
    with deaf():
        child = subprocess.Popen([sys.executable, "-c", interrupt], stdout=subprocess.PIPE, text=True)
    assert child.communicate(timeout=60)[0] == "deaf\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


CHOOSE = ["tkstudies", "filter", "Hits.mean > 0", "table", "slow.jsonl", "--jobs", "2", "-o", "chosen/"]


@pytest.fixture
def table(tmp_path):
    """A folder of four files, and one that never ends."""
    (tmp_path / "table").mkdir()
    for number in range(4):
        rows = ({"run_number": 100 * number + run, "Hits.mean": run + 0.5} for run in range(50))
        (tmp_path / "table" / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.mkfifo(tmp_path / "slow.jsonl")
    return tmp_path


def test_ctrl_c_leaves_whole_files_and_says_how_to_go_on(table):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = subprocess.Popen(CHOOSE, cwd=table, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(table.glob("chosen/*.jsonl"))) == 4)
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=60)[1].splitlines()
    assert command.returncode == 130
    assert said[0].endswith("of 5 files are whole in chosen/: the same command goes on from there")
    assert said[1:] == ["tkstudies: interrupted"]
    for file in table.glob("table/*.jsonl"):
        assert (table / "chosen" / file.name).read_text() == file.read_text()
    assert not list(table.glob("chosen/.*.tmp"))


def test_what_a_killed_command_left_is_removed_by_the_next_and_what_others_work_in_is_not(
    table, tkstudies, monkeypatch
):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [*CHOOSE[:-1], "chosen.jsonl"]
    options = {"cwd": table, "env": {**os.environ, "PATH": path}, "stderr": subprocess.DEVNULL}
    killed, alive = [subprocess.Popen(command, **options) for _ in range(2)]
    try:
        until(lambda: len(list(table.glob(".tkstudies-*"))) == 2)
        killed.kill()
        killed.wait(60)
        monkeypatch.chdir(table)
        said = []

        def is_removed():  # once its workers have stopped, too
            done = tkstudies("filter", "Hits.mean > 0", "table", "--jobs", "2", "-o", "whole.jsonl")
            said.append((done.exit_code, done.stderr))
            return len(list(table.glob(".tkstudies-*"))) == 1

        until(is_removed)
        assert [(code, "left it" in text) for code, text in said[-1:]] == [(0, True)]
    finally:
        alive.kill()
        alive.wait(60)


def test_a_full_disk_is_told(table, shell):
    done = shell("ulimit -f 1; tkstudies filter 'Hits.mean > 0' table --jobs 2 -o chosen/", cwd=table)
    assert done.returncode == 1
    assert "chosen/0.jsonl: can't be written: File too large" in done.stderr
    assert not list(table.glob("chosen/*.jsonl"))


def test_a_machine_on_which_no_worker_can_start_is_told(monkeypatch):
    monkeypatch.setattr(local, "_work", no_worker)
    with pytest.raises(TkstudiesError, match="can't start workers on this machine"), workers("dask") as several:
        list(several.map(deadly.mark, ["file"]))


def no_worker(*_):
    sys.exit(1)
