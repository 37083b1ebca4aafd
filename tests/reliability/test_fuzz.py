"""Inputs that nobody would write, given to every command: records, tables, models, cassettes, cookies, settings."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from tests.reliability import hostile


def study(n):
    return {
        "run_number": 317000 + n,
        "reco": "prompt",
        "rda_name": "/PromptReco/Collisions2018B/DQM",
        "rda_state": "COMPLETED",
        "run_class_name": "Collisions18",
        "pixel": "GOOD",
        "strip": "GOOD",
        "tracking": "BAD" if n % 3 == 0 else "GOOD",
        "tracking_comment": "HV",
        "fill_number": 6700,
        "start_time": "2018-05-01T00:00:00Z",
        "is_bad": n % 3 == 0,
        "energy": 6500,
        "b_field": 3.8,
        "recorded_lumi": 10.0 * n,
        "recorded_lumi_unit": "pb^{-1}",
        "Hits.Pixel.mean": n,
        "Hits.Strip.mean": n * n % 7,
        "Chi2.rms": n % 5,
        "components": ["DQM", "PIXEL"],
        "reference_run_number": 317001,
        "reference_reco": "prompt",
        "pc1": n,
        "pc2": -n,
        "t2": n,
        "gui_datasets": ["/a/b/DQM"],
    }


def histogram(n):
    axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 4}, "title": "x"}
    stats = {"entries": 10, "mean": {"X": {"value": 1.5, "error": 0.1}}, "rms": {"X": {"value": 1, "error": 0.1}}}
    hist = {
        "type": "TH1F",
        "stats": stats,
        "xaxis": axis,
        "bins": {"integral": 10, "content": [1, 2, 3, 4], "error": [1] * 4},
    }
    return {
        "run_number": 317000 + n % 3,
        "reco": "prompt",
        "dataset": "/a/b/DQM",
        "plot": f"/Tracking/H{n}",
        "name": f"H{n}",
        "hist": hist,
    }


def tracking_map(n):
    axis = {"first": {"id": 1, "value": 0}, "last": {"id": 2, "value": 4}, "title": "x"}
    hist = {
        "type": "TH2F",
        "xaxis": axis,
        "yaxis": axis,
        "bins": {"integral": [[0] * 3] * 3, "content": [[1, 2], [3, n]]},
    }
    return histogram(n) | {
        "plot": "/Tracking/TrackEtaPhi_ImpactPoint_GenTk",
        "name": "TrackEtaPhi_ImpactPoint_GenTk",
        "hist": hist,
        "reference_run_number": 317001,
        "reference_reco": "prompt",
    }


def doctor(n):
    return {
        "run_number": 317000 + n,
        "problem_names": ["HV"],
        "full_display_name": "a",
        "type__reco": "Express",
        "type__runtype": "Collisions",
        "tracking": "Good",
        "reference_run__reference_run": 1,
        "date": "2018-05-01",
    }


def lines(make, count=24):
    return "".join(json.dumps(make(n)) + "\n" for n in range(count)).encode()


MODEL = {
    "format": "tkstudies-pca-1",
    "tkstudies_version": "2",
    "rows": 24,
    "missing": "zero",
    "patterns": [],
    "features": ["Hits.Pixel.mean", "Hits.Strip.mean", "Chi2.rms", "recorded_lumi"],
    "filler": [0, 0, 0, 0],
    "mean": [1, 2, 3, 4],
    "scale": [1, 2, 3, 4],
    "components": [[1, 0, 0, 0]],
    "explained_variance": [2],
    "explained_variance_ratio": [0.5],
    "residual_sums": [2, 1.5, 1.2],
    "constant": [],
}
EXCHANGE = {
    "request": {
        "method": "GET",
        "uri": "https://certhelper.web.cern.ch/certify/allRunsRefRuns/",
        "body": None,
        "headers": {},
    },
    "response": {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["application/json"]},
        "body": {"string": '[{"run_number": 1, "reference_run_number": 2}]'},
    },
}
COOKIE = "127.0.0.1\tFALSE\t/\tFALSE\t1893456000\tsessionid\tabcdefgh\n"
BASES = {
    "study": lines(study),
    "array": json.dumps([study(n) for n in range(9)]).encode(),
    "histograms": lines(histogram),
    "doctor": lines(doctor),
    "maps": lines(tracking_map, 4),
    "names": lines(lambda n: {"plot": f"/Tracking/H{n}", "feature": f"F{n}"}, 4),
    "csv": b"run_number,reco,Hits.mean\n317000,prompt,1.5\n317001,express,\n317002,prompt,nan\n" * 3,
    "golden": b'{"317000": [[1, 20], [30, 40]], "317001": [[1, 5]]}',
    "model": json.dumps(MODEL).encode(),
    "cassette.json": json.dumps({"version": 1, "interactions": [EXCHANGE]}).encode(),
    "cookies": b"# Netscape HTTP Cookie File\n" + COOKIE.encode() * 2,
    ".env": b'SSO_CLIENT_ID=abc\nSSO_CLIENT_SECRET="defghijkl"\n# a comment\n',
    "runs.txt": b"317000 Express Collisions18\n317001 Prompt\n",
}
COMMANDS = {
    "study": (
        "filter|tracking = BAD|run_number > 317003|-i|{}",
        "filter|x ~ a|-i|{}",
        "filter|Hits.Pixel.mean > Chi2.rms|-i|{}",
        "select|run_*|-i|{}",
        "sort|--by|tracking|{}",
        "sort|{}",
        "columns|{}",
        "label|{}",
        "pca|-n|2|{}",
        "pca|-n|2|--keep|all|{}",
        "pca|-n|2|--fit-where|tracking = GOOD|--missing|drop|{}",
        "diff|{}|-i|{}",
        "merge|{}|-i|{}",
        "merge|--many|{}|-i|{}",
        "rank|{}",
        "rank|--by|dqm|{}",
        "export|{}",
        "suspects|{}",
        "outliers|-m|isolation-forest|{}",
        "plot|{}|-o|{}.svg",
        "dqm|--datasets|{}",
        "oms|hltpaths|-i|{}",
        "export|--to|parquet|-o|{}.parquet|{}",
        "suspects|--known|{}|{}",
        "merge|{}",
        "diff|--on|run_number|{}|-i|{}",
    ),
    "array": ("sort|{}", "label|{}", "pca|-n|2|{}", "export|{}", "doctor|references|--from|{}"),
    "histograms": (
        "features|{}",
        "features|--content|{}",
        "compare|--reference-run|317001|{}",
        "compare|--reference|{}|{}",
        "dqm|--run|317000|--reco|prompt|--plot|/Tracking/H0|--resume|{}|-o|{}.out",
    ),
    "doctor": ("doctor|runs|--from|{}", "doctor|problem-runs|--from|{}", "doctor|problems|--from|{}"),
    "csv": ("export|--to|jsonl|{}", "export|--to|jsonl|--drop-nulls|{}"),
    "golden": ("filter|--golden|{}|-i|study", "rank|--golden|{}|study"),
    "model": ("pca|--apply|{}|study", "pca|--apply|{}|--tolerant|study"),
    "maps": ("trackingmap|--maps|{}|{}", "features|{}"),
    "names": ("features|--names|{}|histograms",),
    "cassette.json": ("doctor|references|--replay|.",),
    "cookies": ("doctor|runs|--cookies|{}", "check|--service|doctor|--cookies|{}"),
    ".env": ("oms|runs|--run|1", "check|--service|oms"),
    "runs.txt": ("dqm|--datasets|{}", "runreg|--runs-from|{}"),
}
SLOW = ("plot", "outliers", "suspects", "export|--to|parquet")
BYTES = (
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\x1b]52;c;eA==\x07",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"[",
    b'"',
    b"\\",
    b",",
    b"NaN",
    b"1e999",
    b"9" * 400,
    b"\t",
    b"=",
    b"\xe2\x80\xae",
    b"<html>",
    b"#",
    b"'",
    b"-",
)


def fuzzed(text, random):
    """A text with something wrong in it: another value in a place, or other bytes."""
    for _ in range(random.choice((1, 1, 1, 1, 4))):
        how = random.random()
        if how < 0.75:
            text = _other_value(text, random)
        elif how < 0.88:
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(BYTES) + text[at + random.choice((0, 0, 1, 7)) :]
        elif how < 0.91:
            text = text[: random.randrange(len(text) + 1)]
        elif how < 0.94:
            at = random.randrange(len(text) + 1)
            text = text[:at] + text[at - 40 : at + 40] * random.choice((1, 3)) + text[at:]
        elif how < 0.96:
            packed = bytearray(gzip.compress(text))
            packed[random.randrange(len(packed))] ^= 1 << random.randrange(8)
            text = bytes(packed)
        elif how < 0.98:
            text = text.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32", "utf-8-sig")))
        else:
            text = text[::-1] if random.random() < 0.2 else b""
    return text


def _other_value(text, random):
    """In a line of it, or in all of it, where that is JSON."""
    parts = text.split(b"\n") if text.count(b"\n") > 1 else [text]
    for _ in range(5):
        number = random.randrange(len(parts))
        try:
            places = list(hostile.paths(json.loads(parts[number])))
            value = random.choice([*hostile.VALUES.values(), hostile.GONE])
            parts[number] = hostile.mutated(parts[number], random.choice(places[value == hostile.GONE :]), value)
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
        if random.random() < 0.7:
            break
    return b"\n".join(parts)


@pytest.fixture
def lonely(monkeypatch, tmp_path, quick_retries):
    """Nobody answers, and nobody waits; files are in a folder of their own."""
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.2")
    monkeypatch.setenv("X509_USER_PROXY", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return tmp_path


BLOCKS = 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_inputs(lonely, tkstudies, monkeypatch, block):
    for trial in range(round(50 * hostile.SIZE)):
        seed = 1000 * block + 1_000_000 * trial
        draw = random.Random(seed)
        kind = draw.choice(["study", "study", "study", *BASES])
        command = draw.choice(COMMANDS[kind])
        if command.startswith(SLOW) and draw.random() < 0.8:
            continue
        for name in ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET"):
            monkeypatch.delenv(name, raising=False)
        for file in lonely.iterdir():
            file.unlink()
        name = kind if "." in kind else f"{kind}.jsonl"
        for other in ("study", "histograms"):
            (lonely / other).write_bytes(BASES[other])
        (lonely / name).write_bytes(fuzzed(BASES[kind], draw))
        arguments = [part.replace("{}", name) for part in command.split("|")]
        codes = (0, 1, 2, 3)
        hostile.check(lambda arguments=arguments: tkstudies(*arguments), (seed, command), codes)
        for name in ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET"):
            monkeypatch.delenv(name, raising=False)
