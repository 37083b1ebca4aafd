"""``FILE.part``: two crawls of one file, links, full disks, a rerun, a second try. Real processes where it matters."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.cern.server import CernServer
from tests.conftest import to_lines

TABLE = [{"run_number": run, "reco": "express"} for run in (317291, 317292, 317297)]
CRAWL = ("dqm", "--collection", "tracking", "--workers", "3", "runs.jsonl")


@pytest.fixture(scope="module")
def calm(world):
    """A fixture server whose hook ``on_request`` is ours."""
    with CernServer(world=world) as server:
        yield server


@pytest.fixture
def user(calm, monkeypatch, tmp_path):
    """The environment of a user of that server, in a folder with a table of runs."""
    for name, value in calm.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.jsonl").write_text(to_lines(TABLE))
    yield calm
    calm.on_request = None
    calm.latency = 0


@pytest.fixture(scope="module")
def cached():
    return {}


@pytest.fixture
def whole(cached, user, tkstudies):
    """The output of a crawl that nobody stopped."""
    if not cached:
        cached["text"] = tkstudies(*CRAWL).stdout
    return cached["text"]


@pytest.fixture
def start(user):
    """Start a command as a process of its own."""
    processes = []

    def start(*arguments, **streams):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        command = [sys.executable, "-m", "tkstudies", *map(str, arguments)]
        processes.append(subprocess.Popen(command, env={**os.environ}, text=True, **streams))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(condition):
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def has_lines(file, number):
    return lambda: file.exists() and file.read_bytes().count(b"\n") >= number


@pytest.fixture
def held(user, tmp_path):
    """Crawls into h.jsonl wait when they have some lines, until this is set."""
    go_on, part = threading.Event(), tmp_path / "h.jsonl.part"
    user.on_request = lambda *_: go_on.wait(30) if has_lines(part, 3)() else None
    yield go_on
    go_on.set()


@pytest.fixture
def stopped(start, user, tmp_path):
    """A crawl that was killed when its file had some lines: the unfinished file."""
    user.latency = 0.02
    process = start(*CRAWL, "-o", "h.jsonl")
    part = tmp_path / "h.jsonl.part"
    wait_for(has_lines(part, 5))
    process.kill()
    process.communicate()
    user.latency = 0
    return part


# --- there is one already


def test_a_rerun_leaves_the_unfinished_file_alone(stopped, whole, user, tkstudies, tmp_path):
    before, asked = stopped.read_bytes(), len(user.log)
    result = tkstudies(*CRAWL, "-o", "h.jsonl")
    assert (result.exit_code, result.stdout, len(user.log)) == (2, "", asked)
    assert "h.jsonl.part is there, of a crawl that was stopped" in result.stderr
    assert "--resume h.jsonl" in result.stderr and f"rm {stopped}" in result.stderr
    assert stopped.read_bytes() == before and not (tmp_path / "h.jsonl").exists()
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole and not stopped.exists()


@pytest.mark.parametrize("second", [[], ["--resume", "h.jsonl"], ["--resume", "h.jsonl.part"]])
@pytest.mark.parametrize("first", [[], ["--resume", "h.jsonl"]])
def test_two_crawls_of_one_file(first, second, whole, start, user, held, tmp_path, tkstudies):
    part, asked = tmp_path / "h.jsonl.part", len(user.log)
    running = start(*CRAWL, "-o", "h.jsonl", *first)
    wait_for(has_lines(part, 3))
    other = tkstudies(*CRAWL, "-o", "h.jsonl", *second)
    assert (other.exit_code, running.poll()) == (2, None)
    told = other.stderr
    assert "another crawl is writing" in told and "wait for its end" in told and "-o" in told
    held.set()
    _, told = running.communicate(timeout=30)
    assert running.returncode == 0, told
    assert (tmp_path / "h.jsonl").read_text() == whole and not part.exists()
    assert len(user.log) - asked == 1 + len(whole.splitlines())  # the second asked for nothing


def test_an_unfinished_file_that_is_written_is_not_taken_over_elsewhere(start, held, tmp_path, tkstudies):
    running = start(*CRAWL, "-o", "h.jsonl")
    wait_for(has_lines(tmp_path / "h.jsonl.part", 3))
    result = tkstudies(*CRAWL, "--resume", "h.jsonl")
    assert (result.exit_code, result.stdout) == (2, "") and "another crawl is writing" in result.stderr
    assert running.poll() is None


@pytest.mark.parametrize("options", [[], ["--resume", "h.jsonl"]])
@pytest.mark.parametrize("target", ["precious", "not there"])
def test_a_link_in_its_place_is_not_followed(options, target, user, tkstudies, tmp_path):
    (tmp_path / "precious").write_text("old\n")
    (tmp_path / "h.jsonl.part").symlink_to(target)
    asked = len(user.log)
    result = tkstudies(*CRAWL, "-o", "h.jsonl", *options)
    assert (result.exit_code, result.stdout, len(user.log)) == (2, "", asked)
    assert "h.jsonl.part is a symbolic link, which isn't followed: remove it" in result.stderr
    assert (tmp_path / "precious").read_text() == "old\n" and not (tmp_path / "not there").exists()
    assert not (tmp_path / "h.jsonl").exists()


@pytest.mark.parametrize("options", [[], ["--resume", "h.jsonl"]])
@pytest.mark.parametrize("make", ["mkdir", "mkfifo"])
def test_something_else_in_its_place(options, make, user, tkstudies, tmp_path):
    getattr(os, make)(tmp_path / "h.jsonl.part")
    asked = len(user.log)
    result = tkstudies(*CRAWL, "-o", "h.jsonl", *options)
    assert (result.exit_code, len(user.log)) == (2, asked) and "h.jsonl.part is no file" in result.stderr


def test_a_link_to_the_file_itself_is_as_good_as_the_file(whole, user, tkstudies, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "h.jsonl").symlink_to("disk/h.jsonl")
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 0
    assert (tmp_path / "disk" / "h.jsonl").read_text() == whole and (tmp_path / "h.jsonl").is_symlink()


def test_a_temporary_file_is_not_written_through_a_link(user, tkstudies, tmp_path):
    (tmp_path / "precious").write_text("old\n")
    (tmp_path / f".out.jsonl.{os.getpid()}.tmp").symlink_to("precious")
    assert tkstudies("filter", "run_number > 0", "-i", "runs.jsonl", "-o", "out.jsonl").exit_code == 0
    assert (tmp_path / "precious").read_text() == "old\n"
    assert (tmp_path / "out.jsonl").read_text().count("\n") == len(TABLE)


# --- one line every time


def test_one_line_begins_goes_on_and_leaves_alone(whole, start, user, tmp_path, tkstudies):
    line = (*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl")
    user.latency = 0.02
    part = tmp_path / "h.jsonl.part"
    for lines in (1, 9, 20):
        process = start(*line)
        wait_for(has_lines(part, lines))
        process.send_signal(signal.SIGKILL if lines % 2 else signal.SIGINT)
        process.communicate(timeout=20)
    user.latency = 0
    asked = len(user.log)
    for _ in range(2):
        result = tkstudies(*line)
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "h.jsonl").read_text() == whole and not part.exists()
    assert len(user.log) - asked < len(whole.splitlines())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["h.jsonl", "runs.jsonl"]


def test_nothing_to_go_on_with_is_a_beginning(whole, user, tkstudies):
    result = tkstudies(*CRAWL, "--resume", "h.jsonl")
    assert (result.exit_code, result.stdout) == (0, whole)
    assert "neither" in result.stderr and "starting afresh" in result.stderr


def test_so_it_is_beside_an_output_of_another_name_which_may_be_a_slip(whole, user, tkstudies, tmp_path):
    result = tkstudies(*CRAWL, "-q", "-o", "other.jsonl", "--resume", "h.jsonl")
    assert result.exit_code == 0
    assert (tmp_path / "other.jsonl").read_text() == whole
    assert result.stderr.startswith("warning: nothing to go on with: neither ")


def test_a_newer_finished_file_counts_beside_an_older_unfinished_one(whole, user, tkstudies, tmp_path):
    lines = whole.splitlines(keepends=True)
    (tmp_path / "h.jsonl.part").write_text("".join(lines[5:25]).replace('"type":"TH1"', '"type":"old"', 1))
    os.utime(tmp_path / "h.jsonl.part", (1, 1))
    (tmp_path / "h.jsonl").write_text("".join(lines[:20]))
    asked = len(user.log)
    result = tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl")
    assert (tmp_path / "h.jsonl").read_text() == whole, result.stderr
    assert len(user.log) - asked == 1 + len(lines) - 25


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("{", "  {", 1),
        lambda text: text + "\n \n",
        lambda text: text.rstrip("\n"),
        lambda text: text + text,
        lambda text: text.replace('"run_number":317291', '"run_number":"317291"', 1),
    ],
)
@pytest.mark.parametrize("name", ["h.jsonl", "h.jsonl.part"])
@pytest.mark.parametrize("part", [7, 45])
def test_an_untidy_file_is_put_right(spoil, name, part, whole, user, tkstudies, tmp_path):
    lines = whole.splitlines(keepends=True)
    (tmp_path / name).write_bytes(spoil("".join(lines[:part])).encode())
    result = tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl")
    assert result.exit_code == 0, result.stderr
    expected = whole.replace('"run_number":317291', '"run_number":"317291"', 1)
    assert (tmp_path / "h.jsonl").read_text() in (whole, expected)
    assert not (tmp_path / "h.jsonl.part").exists()


# --- what happens to it meanwhile


def test_without_locks_the_work_goes_on(whole, user, tkstudies, tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert tkstudies(*CRAWL, "-o", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole
    (tmp_path / "h.jsonl").rename(tmp_path / "h.jsonl.part")
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole


def test_without_hard_links_a_finished_file_is_gone_on_with(whole, user, tkstudies, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "h.jsonl").write_text(whole[:9000])
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_an_unfinished_file_that_is_taken_away(how, whole, user, tkstudies, tmp_path):
    part = tmp_path / "h.jsonl.part"
    (tmp_path / "h.jsonl").write_text("old\n")

    def meddle(service, path):
        if has_lines(part, 9)() and not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            part.unlink()
            if how == "replaced":
                part.write_text("of somebody else\n")

    user.on_request = meddle
    result = tkstudies(*CRAWL, "-o", "h.jsonl")
    assert result.exit_code == 1 and "was removed or replaced while it was written" in result.stderr
    assert (tmp_path / "h.jsonl").read_text() == "old\n"
    assert not part.exists() or part.read_text() == "of somebody else\n"
    saved = tmp_path / f"h.jsonl.{os.getpid()}.part"
    assert saved.read_text() == whole and f"--resume {saved} -o h.jsonl" in result.stderr
    user.on_request = None
    part.unlink(missing_ok=True)
    assert tkstudies(*CRAWL, "--resume", saved, "-o", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole


def test_somebody_else_writes_into_it(whole, user, tkstudies, tmp_path):
    part = tmp_path / "h.jsonl.part"
    lines = whole.splitlines(keepends=True)

    def meddle(service, path):
        if has_lines(part, 9)() and not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            with part.open("a") as stream:
                stream.write(lines[3])

    user.on_request = meddle
    result = tkstudies(*CRAWL, "-o", "h.jsonl")
    assert result.exit_code == 1 and "another process has written into" in result.stderr
    assert not (tmp_path / "h.jsonl").exists() and part.exists()
    user.on_request = None
    assert tkstudies(*CRAWL, "--resume", "h.jsonl", "-o", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole


@pytest.mark.parametrize("resume", ["", "--resume h.jsonl"])
def test_a_full_disk(resume, whole, user, shell, tkstudies, tmp_path):
    size = len(whole) // 2048
    result = shell(f"ulimit -f {size}; tkstudies {shlex.join(CRAWL)} -o h.jsonl {resume}")
    assert result.returncode == 1 and "h.jsonl: can't be written: File too large" in result.stderr
    assert "Traceback" not in result.stderr and not (tmp_path / "h.jsonl").exists()
    assert tkstudies(*CRAWL, "--resume", "h.jsonl", "-o", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole


@pytest.mark.parametrize("place", ["/proc/h.jsonl", "no/such/folder/h.jsonl"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_place_that_takes_nothing(place, resume, user, tkstudies):
    asked = len(user.log)
    result = tkstudies(*CRAWL, "-o", place, *(["--resume", place] if resume else []))
    assert (result.exit_code, result.stdout) == (1, "") and place in result.stderr
    assert len(user.log) == asked


def test_a_full_device(user, tkstudies):
    result = tkstudies(*CRAWL, "-o", "/dev/full")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "tkstudies: /dev/full: can't be written: No space left on device"
    time.sleep(0.2)  # requests that were under way


def test_a_folder_that_is_only_read(user, tkstudies, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    result = tkstudies(*CRAWL, "-o", folder / "h.jsonl")
    assert result.exit_code == 1 and "can't be written: Permission denied" in result.stderr


def test_a_failure_before_the_first_record_leaves_nothing(user, tkstudies, tmp_path, monkeypatch, quick_retries):
    monkeypatch.setenv("TKSTUDIES_DQM_URL", "http://127.0.0.1:9")
    for options in ([], [], ["--resume", "h.jsonl"]):
        assert tkstudies(*CRAWL, "-o", "h.jsonl", *options).exit_code == 1
        assert [file.name for file in tmp_path.iterdir()] == ["runs.jsonl"]
    (tmp_path / "h.jsonl").write_text('{"run_number":317291,"reco":"express","plot":"/a","dataset":"/b"}\n')
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["h.jsonl", "runs.jsonl"]


# --- Ctrl-C in a pipe


def test_ctrl_c_in_a_pipe_says_that_nothing_was_kept_and_gives_the_line(start, user, tmp_path):
    user.latency = 0.02
    process = start(*CRAWL, "--plot", "/a b")
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130 and "nothing was kept: standard output is no file" in told
    line = f"tkstudies {shlex.join(CRAWL)} --plot '/a b' -o hists.jsonl --resume hists.jsonl"
    assert f"goes on when it is run again: {line} (" in told


def test_ctrl_c_with_a_file_speaks_of_the_file(start, user, tmp_path):
    user.latency = 0.02
    process = start(*CRAWL, "-o", "h.jsonl")
    wait_for(has_lines(tmp_path / "h.jsonl.part", 2))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130 and "nothing was kept" not in told
    assert "go on with the same command and --resume h.jsonl" in told


# --- once more at the end


@pytest.fixture
def failing(user, quick_retries, monkeypatch):
    """Let the answers to some requests be unusable, the first so many times each."""
    handle = user.dqm.handle

    def start(*words, times):
        seen = {}

        def answer(request):
            if any(word in request.path for word in words):
                seen[request.path] = seen.get(request.path, 0) + 1
                if seen[request.path] <= times:
                    return handle(request)._replace(body=b"Exception: disk")
            return handle(request)

        monkeypatch.setitem(user._services, "dqm", answer)

    return start


@pytest.mark.parametrize("words", [("NumberOfTracks_GenTk",), ("317292",), ("NumberOfRec", "317297")])
def test_what_failed_is_tried_once_more(words, whole, failing, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    failing(*words, times=5)
    result = tkstudies(*CRAWL, "-o", "h.jsonl", "--errors", errors)
    assert (result.exit_code, errors.read_text()) == (0, ""), result.stderr
    assert (tmp_path / "h.jsonl").read_text() == whole
    assert "failed: trying once more" in result.stderr


def test_a_look_up_that_failed_is_made_again(whole, failing, user, tkstudies, tmp_path):
    rows = [*TABLE[:2], {"run_number": 320065, "reco": "express"}, TABLE[2]]
    expected = tkstudies("dqm", "--collection", "tracking", input=rows).stdout
    handle, seen = user.dqm.handle, []

    def answer(request):
        if "320065" in request.query or "session" in request.path or request.path == "/offline/":
            seen.append(request.path)
            if len(seen) <= 10:
                return handle(request)._replace(body=b"Exception: disk")
        return handle(request)

    user._services["dqm"] = answer
    try:
        result = tkstudies("dqm", "--collection", "tracking", "-o", "h.jsonl", input=rows)
    finally:
        user._services["dqm"] = handle
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "h.jsonl").read_text() == expected
    assert "1 request failed: trying once more" in result.stderr


def test_what_fails_for_good_is_told_once(whole, failing, tkstudies, tmp_path):
    errors = tmp_path / "errors.jsonl"
    failing("NumberOfTracks_GenTk", times=10**9)
    result = tkstudies(*CRAWL, "-o", "h.jsonl", "--errors", errors)
    kept = [line for line in whole.splitlines() if "/NumberOfTracks_GenTk" not in line]
    assert (result.exit_code, (tmp_path / "h.jsonl").read_text().splitlines()) == (3, kept)
    assert [json.loads(line)["error"] for line in errors.read_text().splitlines()] == ["failed"] * 3
    assert f"{len(kept)} plots fetched, 3 failed" in result.stderr


def test_a_stream_stays_in_order_when_one_plot_fails(whole, failing, tkstudies):
    failing("NumberOfTracks_GenTk", times=5)
    result = tkstudies(*CRAWL)
    assert (result.exit_code, result.stdout) == (0, whole), result.stderr


def test_a_stream_has_what_came_late_at_its_end(whole, failing, tkstudies):
    failing("NumberOfTracks_GenTk", times=10)
    result = tkstudies(*CRAWL)
    late = [line for line in whole.splitlines() if "/NumberOfTracks_GenTk" in line]
    assert result.exit_code == 0 and result.stdout.splitlines()[-len(late) :] == late
    assert sorted(result.stdout.splitlines()) == sorted(whole.splitlines())


def test_what_came_late_and_was_stopped_goes_on_in_order(whole, failing, user, tkstudies, tmp_path):
    failing("NumberOfTracks_GenTk", "317297", times=10**9)
    assert tkstudies(*CRAWL, "-o", "h.jsonl").exit_code == 3
    user._services["dqm"] = user.dqm.handle
    assert tkstudies(*CRAWL, "-o", "h.jsonl", "--resume", "h.jsonl").exit_code == 0
    assert (tmp_path / "h.jsonl").read_text() == whole
