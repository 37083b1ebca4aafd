"""Where a command ends badly: what it leaves behind, and what it says about values and machines at their limits."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from tests.conftest import to_lines
from tkstudies import console, jsonl
from tkstudies.errors import OutputError

TABLE = [{"run_number": 1 + n, "A.mean": n, "B.mean": n * n, "C.rms": n % 3, "tracking": "GOOD"} for n in range(9)]
PCA = ("pca", "--components", 2)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "table.jsonl").write_text(to_lines(TABLE))
    for name in ("out", "model", "loadings"):
        (tmp_path / name).write_text("older\n")
    return tmp_path


def left_in(folder):
    """What is in a folder: the names of new files, and the older ones that are as they were."""
    names = {path.name for path in folder.iterdir()} - {"table.jsonl"}
    return names, {name for name in names if (folder / name).read_text() == "older\n"}


ALL = {"out", "model", "loadings"}


def both(table):
    return "--model", table / "model", "--loadings", table / "loadings", "-o", table / "out", table / "table.jsonl"


# --- files appear together, the output last


def test_a_finished_command_replaces_all_files(tkstudies, table):
    result = tkstudies(*PCA, *both(table))
    assert result.exit_code == 0, result.stderr
    assert left_in(table) == (ALL, set())


def test_a_failure_after_the_output_was_written_replaces_none(tkstudies, table, monkeypatch):
    def fail(_):
        raise OutputError("too late")

    monkeypatch.setattr(console, "say", fail)
    assert tkstudies(*PCA, *both(table)).exit_code == 1
    assert left_in(table) == (ALL, ALL)


def test_a_standard_output_that_fails_leaves_the_model(tkstudies, table, shell):
    command = "tkstudies pca --components 2 --model model table.jsonl"
    assert shell(f"{command} > /dev/full", cwd=table).returncode == 1
    assert left_in(table) == (ALL, ALL)
    assert shell(f"set -o pipefail; {command} | head -n 0", cwd=table).returncode == 0
    assert left_in(table) == (ALL, {"out", "loadings"})


@pytest.mark.parametrize("failing", sorted(ALL))
@pytest.mark.parametrize("is_new", [False, True])
def test_a_file_that_cannot_get_its_name_takes_the_others_back(tkstudies, table, monkeypatch, failing, is_new):
    if is_new:
        for name in ALL:
            (table / name).unlink()
    rename = os.replace

    def replace(source, target):
        if os.fspath(target) == str(table / failing) and source.endswith(".tmp"):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    result = tkstudies(*PCA, *both(table))
    assert result.exit_code == 1 and f"{failing}: can't be written: Disk quota" in result.stderr
    assert left_in(table) == ((set(), set()) if is_new else (ALL, ALL))


def test_a_word_that_is_compared_as_a_number_replaces_nothing(tkstudies, table):
    result = tkstudies("filter", "run_number > tracing", "-i", table / "table.jsonl", "-o", table / "out")
    assert result.exit_code == 1
    assert left_in(table) == (ALL, ALL)


def test_the_contents_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("fsync"))
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), rename(*names)))
    jsonl.write([{}], str(tmp_path / "out"))
    assert done == ["fsync", "replace"]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("other\n")
    (tmp_path / f".out.{os.getpid()}.tmp").symlink_to(tmp_path / "other")
    jsonl.write([{}], str(tmp_path / "out"))
    assert ((tmp_path / "other").read_text(), (tmp_path / "out").read_text()) == ("other\n", "{}\n")


# --- cassettes


def test_a_folder_that_takes_no_cassettes_is_told_before_anything_is_asked(live, tkstudies, tmp_path):
    (tmp_path / "file").touch()
    before = len(live.log)
    result = tkstudies("--record", tmp_path / "file", "oms", "runs", "--run", 317291)
    assert result.exit_code == 1 and "--record" in result.stderr and len(live.log) == before


def test_cassettes_appear_whole(live, tkstudies, tmp_path, monkeypatch):
    seen = []
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (seen.append(target), rename(source, target)))
    assert tkstudies("--record", tmp_path, "oms", "runs", "--run", 317291).exit_code == 0
    (cassette,) = tmp_path.iterdir()
    assert seen == [str(cassette)] and json.loads(cassette.read_text())["interactions"]


# --- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_cleans_up(table, number, code):
    program = f"""if True:
        import os, sys
        from tkstudies import cli, jsonl
        from tkstudies.analysis.tables import sort
        def lines(*_):
            yield b"{{}}"
            os.kill(os.getpid(), {int(number)})
            yield b"{{}}"
        sort.sorted_lines = lines
        sys.argv = ["tkstudies", "sort", "table.jsonl", "-o", "out"]
        cli.run()
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=table, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert left_in(table) == (ALL, ALL)


# --- values at their limits


def nested(depth):
    return {"a list": "[" * depth + "]" * depth, "an object": '{"a":' * depth + "1" + "}" * depth}


BIG = "9" * 5000
VALUES = {**nested(900), "an integer": BIG, "a negative integer": "-" + BIG, "a float": BIG + ".5", "1e999": "1e999"}
COMMANDS = (
    "filter 'run_number > 1'",
    "filter 'x = 1' 'x > 3'",
    "filter --invert 'x ~ 9'",
    "select run_number,x",
    "sort --by x",
    "columns",
    "label",
    "pca --components 2 --keep all",
    "outliers -m isolation-forest",
    "diff {}",
    "merge --prefix r_ {}",
    "merge --many {}",
    "export",
    "export --to parquet -o /dev/null",
)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("extra", ["", ', "n": NaN'])
def test_every_command_takes_values_at_their_limits(tkstudies, tmp_path, value, extra):
    lines = [
        json.dumps(row)[:-1] + (f', "x": {VALUES[value]}{extra}}}' if n == 4 else "}") for n, row in enumerate(TABLE)
    ]
    file = tmp_path / "table.jsonl"
    file.write_text("\n".join(lines))
    for command in COMMANDS:
        arguments = [part.strip("'") for part in command.replace(" '", "\n'").replace("{}", str(file)).split("\n")]
        result = tkstudies(*arguments[0].split(), *arguments[1:], "-i", file)
        assert result.exit_code == 0, (command, result.stderr)
        assert "nested" not in result.stderr and "internal" not in result.stderr


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", ["run_number", "lumisection_number", "reco", "A.mean", "tracking", "hist"])
def test_keys_and_numbers_at_their_limits_are_told_in_words(tkstudies, tmp_path, value, column):
    rows = [row | {"hist": {}, "plot": "/A/b", "reco": "prompt"} for row in TABLE]
    texts = [json.dumps(row | {column: "\0"}).replace('"\\u0000"', VALUES[value]) if n == 4 else json.dumps(row)
             for n, row in enumerate(rows)]  # fmt: skip
    file = tmp_path / "table.jsonl"
    file.write_text("\n".join(texts))
    for command in (
        "sort",
        "label",
        "pca --components 2",
        "suspects",
        "features",
        "compare --reference-run 2",
        "rank --columns A.mean",
        "diff",
    ):
        arguments = [*command.split(), *([file] if command == "diff" else []), "-i", file]
        result = tkstudies(*arguments)
        assert result.exit_code in (0, 1, 3), (command, result.stderr)
        assert "internal" not in result.stderr, (command, result.stderr)


def test_a_line_beyond_all_limits_says_so(tkstudies):
    line = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    for command in (["filter", "a exists"], ["sort"], ["label"]):
        result = tkstudies(*command, input=line)
        assert result.exit_code == 1 and result.stderr.rstrip().endswith("(nested too deeply)")


# --- a machine at its limits


def test_no_thread_is_told_in_words_and_few_threads_are_enough(live, tkstudies, monkeypatch):
    command = ("oms", "runs", "--min", 316900, "--max", 317400)
    undisturbed = tkstudies(*command)
    start = threading.Thread.start
    for allowed in (0, 1):
        left = [allowed]

        def limited(thread, left=left):
            if is_ours := thread._target.__name__ == "work":
                if not left[0]:
                    raise RuntimeError("can't start new thread")
                left[0] -= is_ours
            start(thread)

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", limited)
            result = tkstudies(*command)
        if allowed:
            assert (result.exit_code, result.stdout) == (0, undisturbed.stdout)
        else:
            assert result.exit_code == 1 and "refuses another thread" in result.stderr


def test_no_memory_is_told_in_words(tkstudies, table, monkeypatch):
    monkeypatch.setattr("tkstudies.analysis.multivariate.components.fit_to", lambda *_: np.empty((10**9, 10**9)))
    result = tkstudies(*PCA, *both(table))
    assert result.exit_code == 1
    assert "not enough memory: Unable to allocate" in result.stderr and "internal" not in result.stderr
    assert left_in(table) == (ALL, ALL)


def test_a_system_that_refuses_is_told_in_words(tkstudies, monkeypatch):
    def refused(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("tkstudies.analysis.tables.sort.sorted_lines", refused)
    result = tkstudies("sort", input="{}")
    assert result.exit_code == 1
    assert result.stderr == "tkstudies: the system refuses: Resource temporarily unavailable\n"
