"""Every fault on every service: what passes isn't noticed, what stays is named, what is stopped goes on.

The faults are those of ``tests.cern.faults``: chosen by seed and request, never more than twice in a row on one
request where a client that tries again is to get through.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pytest

from tests.cern.faults import KINDS, Faults
from tkstudies.services import omslistings
from tkstudies.services.registry import v3, v4

PAGE = 10  # rows: many pages out of few rows
RATES = (0.1, 0.3)
LEAST = 8  # requests in each cell of the matrix
CERTIFIED = 40  # rows of the tables that the shift leaders' services send whole

SHORT_RUNS = "runreg --lumisections --run 317295,317338,317339,317382"  # of few lumisections, on two pages of datasets


@dataclass(frozen=True)
class Case:
    """Commands that read from one service, and how the fixture server and our messages call it."""

    prefix: str
    title: str
    commands: tuple[str, ...]
    is_paged: bool = False
    takes_tokens: bool = False
    seed: int = 2018  # another where few different requests, each of the whole table, waited long for their fault


CASES = {
    "v4": Case("runregistry", "Run Registry", ("runreg --min 317280 --max 317400 --exclude-cosmics",), True, True),
    "v4 lumisections": Case(
        "runregistry", "Run Registry", ("runreg --lumisections --run 317295,317338,317339,317382",), True, True
    ),
    "v3": Case("resthub", "Run Registry v3", ("runreg --api v3 --min 317280 --max 317400 --add-lumis",), True),
    "oms runs": Case("oms", "OMS", ("oms runs --min 316900 --max 317400",), True, True),
    "oms fills": Case("oms", "OMS", ("oms fills --min 6700 --max 6900",), True, True),
    "oms detector": Case("oms", "OMS", ("oms detector --run 317327-317338",), True, True),
    "oms lumisections": Case("oms", "OMS", ("oms lumisections --run 317295,317301",), True, True),
    "dqm": Case("dqm", "DQM GUI", ("dqm --collection tracking --run 317291 --reco express",)),
    "dqm folders": Case("dqm", "DQM GUI", ("dqm --check-complete --ls /Tracking --run 317291,317297 --reco express",)),
    "dqm summaries": Case(
        "dqm",
        "DQM GUI",
        (
            "dqm --summaries --quality --collection tracking --run 317291 --reco express",
            "dqm --summaries --folder /SiStrip/ReadoutView --run 317291 --reco express",
        ),
    ),
    "doctor": Case("doctor", "TkDQMDoctor", ("doctor runs", "doctor problem-runs", "doctor problems"), seed=1),
    "references": Case("certhelper", "Certification Helper", ("doctor references",), seed=14),
    "wbm": Case("wbm", "WBM", ("wbm --run 315257,315400,315600,316200,316700,317291,317500",)),
}


def can_hit(kind, case):
    if kind == "repeated_rows":
        return case.is_paged
    return case.takes_tokens if kind == "token_expiry" else True


CELLS = [(name, kind) for name, case in CASES.items() for kind in KINDS if can_hit(kind, case)]


@pytest.fixture
def faulty(running, quick_retries, monkeypatch, tmp_path):
    """The environment of a user of that server, with quick retries, small pages and short tables."""
    for name, value in running.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TKSTUDIES_COOKIES", str(running.write_cookies(tmp_path / "cookies.txt")))
    for module in (omslistings, v4, v3):
        monkeypatch.setattr(module, "PAGE_SIZE", PAGE)
    shift = running.world.shift
    for table in ("doctor_runs", "doctor_problem_runs", "certhelper_reference_runs"):
        monkeypatch.setattr(shift, table, getattr(shift, table)[:CERTIFIED])
    running.faults = None
    yield running
    running.faults = None


_undisturbed: dict[str, str] = {}


def undisturbed(command, server, tkstudies):
    """What a command writes when nothing fails."""
    if command not in _undisturbed:
        faults, server.faults = server.faults, None
        result = tkstudies(*command.split())
        server.faults = faults
        assert result.exit_code == 0 and result.stdout, result.stderr
        _undisturbed[command] = result.stdout
    return _undisturbed[command]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_what_passes_is_not_noticed(faulty, tkstudies, monkeypatch, name, kind, rate):
    case = CASES[name]
    for command in case.commands:
        undisturbed(command, faulty, tkstudies)
    if kind == "hang":
        monkeypatch.setenv("TKSTUDIES_TIMEOUT", "0.1")
    faulty.faults = faults = Faults(
        [kind], rate, seed=case.seed, services=[case.prefix], retry_after=0, hang_seconds=0.2, slow_seconds=0.04
    )
    first = len(faulty.log)
    rounds = 0
    while not faults.total(kind) or len(faulty.log) - first < LEAST:
        for command in case.commands:
            result = tkstudies(*command.split())
            assert result.exit_code == 0, result.stderr
            assert result.stdout == undisturbed(command, faulty, tkstudies)
            assert "warning" not in result.stderr
        rounds += 1
        assert rounds < 40, "the fault never came"


def test_that_is_more_than_two_thousand_requests():
    assert len(CELLS) * len(RATES) * LEAST >= 2000
    assert {kind for _, kind in CELLS} == set(KINDS)


CAUSES = {
    "reset": "breaks off the connection",
    "truncated": "broke off in the middle of an answer",
    "hang": r"sent nothing for 0\.1 s",
    "429": "answers 429",
    "500": "answers 500",
    "502": "answers 502",
    "503": "answers 503",
    "login_page": "not logged in to",
    "login_redirect": "not logged in to",
    "token_expiry": "not logged in to",
    "empty": "sent an empty answer|sent no|isn't XML",
    "bad_json": "isn't JSON|unreadable|sent no|isn't XML",
    "wrong_type": "sent",
    "html_error": "sent HTML|sent .*<html>",
}


@pytest.mark.parametrize(("name", "kind"), [cell for cell in CELLS if cell[1] in CAUSES])
def test_what_stays_is_named(faulty, tkstudies, monkeypatch, tmp_path, name, kind):
    case = CASES[name]
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.4")
    if kind == "hang":
        monkeypatch.setenv("TKSTUDIES_TIMEOUT", "0.1")
    faulty.faults = Faults([kind], 1.0, services=[case.prefix], max_repeat=10**9, retry_after=0, hang_seconds=0.2)
    output = tmp_path / "records.jsonl"
    output.write_text("older\n")
    for command in case.commands:
        result = tkstudies(*command.split(), "-o", output)
        assert result.exit_code == 1, (result.exit_code, result.stderr)
        last = result.stderr.splitlines()[-1]
        assert last.startswith("tkstudies: "), result.stderr
        assert case.title in last and re.search(CAUSES[kind], last), last
        assert "Traceback" not in result.stderr
        assert (result.stdout, output.read_text()) == ("", "older\n")
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".records")] == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_paged])
def test_pages_that_go_on_repeating_rows(faulty, tkstudies, name):
    case = CASES[name]
    faulty.faults = Faults("repeated_rows", 1.0, services=[case.prefix], max_repeat=10**9)
    result = tkstudies(*case.commands[0].split())
    kept, all_lines = (text.splitlines() for text in (result.stdout, undisturbed(case.commands[0], faulty, tkstudies)))
    if name == "oms detector":  # whose rows are made of many
        assert result.exit_code == 3 and "lumisections never came" in result.stderr
        return
    assert len(kept) == len(set(kept)) and set(kept) <= set(all_lines)
    if len(kept) == len(all_lines):  # shifted by the same rows throughout, and the last page had room for them
        assert (result.exit_code, kept) == (0, all_lines)
    else:
        assert result.exit_code == 3 and "never came" in result.stderr


@pytest.mark.parametrize("name", CASES)
def test_an_answer_without_end_is_given_up(faulty, tkstudies, monkeypatch, name):
    case = CASES[name]
    undisturbed(case.commands[0], faulty, tkstudies)  # the simulated year is made at the first request
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.4")
    faulty.faults = Faults("slow", 1.0, services=[case.prefix], max_repeat=10**9, slow_seconds=2.0)
    start = time.monotonic()
    result = tkstudies(*case.commands[0].split())
    assert time.monotonic() - start < 5
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    assert f"{case.title} was still sending after 0.4 s" in result.stderr
