"""Answers with one field that isn't what it should be: converted, left out with a word, or one error with its path."""

from __future__ import annotations

import json
from functools import cache

import pytest

from tests.cern.faults import Reply
from tests.cern.server import CernServer
from tests.conftest import from_lines
from tests.reliability import hostile
from tkstudies.services.web import retries

COMMANDS = {
    "runreg": "runreg --run 317291-317297",
    "runreg raw": "runreg --raw --run 317291-317297",
    "runreg lumis": "runreg --add-lumis --status-rule worst --exclude-cosmics --run 317291",
    "runreg lumisections": "runreg --lumisections --run 317291",
    "v3": "runreg --api v3 --run 317291-317297 --add-lumis",
    "v3 raw": "runreg --api v3 --raw --run 317291",
    "oms runs": "oms runs --run 317291-317297",
    "oms fields": "oms runs --run 317291 --fields recorded_lumi",
    "oms era": "oms runs --era 2018B --fields recorded_lumi",
    "oms fills": "oms fills --min 6615 --max 6617 --split-filling-scheme",
    "oms lumisections": "oms lumisections --run 317291",
    "oms detector": "oms detector --run 317291",
    "oms paths": "oms hltpaths --run 317291",
    "oms rates": "oms hltrates --run 317291",
    "oms eras": "oms get eras",
    "dqm": "dqm --plot /Tracking/TrackParameters/highPurityTracks/pt_1/GeneralProperties/NumberOfTracks_GenTk "
    "--run 317291 --reco express",
    "dqm summaries": "dqm --summaries --quality --run 317291 --reco express --plot "
    "/Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties/NumberOfRecHitsPerTrack_GenTk",
    "dqm tree": "dqm --summaries --folder /SiStrip/ReadoutView --run 317291 --reco express",
    "dqm folders": "dqm --ls /Tracking --check-complete --run 317291 --reco express",
    "dqm datasets": "dqm --datasets --run 317291 --reco prompt",
    "doctor runs": "doctor runs",
    "doctor problem-runs": "doctor problem-runs",
    "doctor problems": "doctor problems",
    "references": "doctor references",
    "wbm": "wbm --run 317291",
    "check": "check --service oms --service runreg",
}


@pytest.fixture(scope="module")
def running(world):
    with CernServer(world=world) as server:
        yield server


@pytest.fixture
def user(running, quick_retries, monkeypatch, tmp_path_factory):
    for name, value in running.env.items():
        monkeypatch.setenv(name, value)
    cookies = running.write_cookies(tmp_path_factory.mktemp("login") / "cookies.txt")
    monkeypatch.setenv("TKSTUDIES_COOKIES", str(cookies))
    policy = retries.Retries(first_delay=0.001, longest_delay=0.002, most_tries=dict.fromkeys(retries._MOST_TRIES, 2))
    monkeypatch.setattr(retries, "USUAL", policy)
    yield running
    running.rewrite = None


_answers: dict[str, list[bytes]] = {}


def answers(server, tkstudies, command):
    """What the server answers to a command when nothing is wrong."""
    if command not in _answers:
        seen: list[bytes] = []

        def keep(_, __, reply):
            seen.append(reply.body)
            return reply

        server.rewrite = keep
        result = tkstudies(*command.split())
        assert result.exit_code == 0, result.stderr
        _answers[command] = seen
    return _answers[command]


@cache
def places(body: bytes):
    try:
        return list(hostile.paths(json.loads(body)))
    except ValueError:
        return []


def places_in(server, tkstudies):
    """Every place of every answer: (command, number of the answer, path)."""
    return [
        (command, number, path)
        for command in COMMANDS.values()
        for number, body in enumerate(answers(server, tkstudies, command))
        for path in places(body)
    ]


def change(server, wanted, new):
    """Let the answer with this number be another."""
    number = -1

    def rewrite(_, __, reply):
        nonlocal number
        number += 1
        return new(reply) if number >= wanted else reply

    server.rewrite = rewrite


def test_fields(user, tkstudies):
    known = places_in(user, tkstudies)
    trials = [(*place, name) for place in known for name in (*hostile.VALUES, "gone")]
    for command, number, path, name in hostile.some(trials, 60):
        if name == "gone" and not path:
            continue
        value = hostile.GONE if name == "gone" else hostile.VALUES[name]
        body = answers(user, tkstudies, command)[number]

        def new(reply, body=body, path=path, value=value):
            return reply._replace(body=hostile.mutated(body, path, value)) if reply.body == body else reply

        change(user, number, new)
        result = hostile.check(lambda command=command: tkstudies(*command.split()), (command, number, path, name))
        from_lines(result.stdout)


HEADERS = {
    "Location": ["//", "http://[", "http://\x9b\xff/", "javascript:x", "http://a:b/", "\x1b]52;c;eA==\x07", "a" * 9000],
    "Retry-After": ["nan", "inf", "-inf", "1e999", "9" * 400, "-1", "Fri, 31 Dec 10000 23:59:59 GMT", "x\x1b"],
    "Content-Type": ["text/html; charset=\x1b", "application/json; charset=no-such", "\xff"],
    "Set-Cookie": ["a=b; expires=Fri, 31-Dec-10000 23:59:59 GMT", "a=b; max-age=" + "9" * 400, "=; ; domain=.."],
    "Content-Encoding": ["gzip", "br", "deflate, gzip", "no-such", "gzip" + ", gzip" * 50],
    "Content-Length": ["-1", "x", "1, 2", "9" * 30],
    "Transfer-Encoding": ["chunked", "x"],
    "X\x1b": ["\x1b]52;c;eA==\x07"],
}  # fmt: skip


def test_headers(user, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.3")
    monkeypatch.setenv("TKSTUDIES_TIMEOUT", "0.2")
    trials = [
        (command, status, name, value)
        for command in ("oms runs --run 317291", "doctor references", "-v wbm --run 317291")
        for status in (200, 302, 401, 429, 503)
        for name, values in HEADERS.items()
        for value in values
    ]
    for command, status, name, value in hostile.some(trials, 20):

        def rewrite(service, _, reply, status=status, header=(name, value)):
            return reply if service == "sso" else reply._replace(status=status, headers=(*reply.headers, header))

        user.rewrite = rewrite
        hostile.check(lambda command=command: tkstudies(*command.split()), (command, status, name, value))


TOKENS = {
    "line ends": {"access_token": "a\r\nHost: evil\r\n\r\n", "expires_in": 1200},
    "beyond latin-1": {"access_token": "\u20ac" * 20, "expires_in": 1200},
    "escapes": {"access_token": hostile.ESCAPE, "expires_in": 1200},
    "a number": {"access_token": 12345678, "expires_in": 1200},
    "empty": {"access_token": "", "expires_in": 1200},
    "null": {"access_token": None, "expires_in": None},
    "no life": {"access_token": "abcdefgh", "expires_in": -5},
    "an endless life": {"access_token": "abcdefgh", "expires_in": 1e300},
    "a life in words": {"access_token": "abcdefgh", "expires_in": "soon"},
    "a list": ["access_token"],
    "a text": "access_token",
    "nothing": None,
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("command", ["oms runs --run 317291", "check --service oms"])
def test_tokens(user, tkstudies, monkeypatch, kind, command):
    monkeypatch.setattr("tkstudies.services.web.sso._DELAYS", (0.01, None))
    body = json.dumps(TOKENS[kind]).encode()
    user.rewrite = lambda service, _, reply: Reply(200, body) if service == "sso" else reply
    result = hostile.check(lambda: tkstudies(*command.split()), kind)
    assert result.exit_code == 1


def test_xml(user, tkstudies):
    good = answers(user, tkstudies, COMMANDS["wbm"])[0].decode()
    for old, new in (
        ("</run>", "9" * 5000 + "</run>"),
        ("<run>", "<run>\u0663"),
        ("<run>", "<run><b/>"),
        ("<runInfo>", "<runInfo><x>" * 5000),
        ("<cmsdb>", "<cmsdb xmlns='x'>"),
        ("<cmsdb>", '<!DOCTYPE a [<!ENTITY b "b">]><cmsdb>'),
        ("<cmsdb>", "<cmsdb>\x1b]52;"),
        ("</cmsdb>", ""),
        ("<nLumiSections>", "<nLumiSections>\u202e"),
    ):
        body = good.replace(old, new).encode()
        user.rewrite = lambda _, __, reply, body=body: reply._replace(body=body)
        hostile.check(lambda: tkstudies(*COMMANDS["wbm"].split()), (old, new[:40]))
