"""The cassettes: honest about themselves, small, without secrets, and readable by vcrpy with the network blocked."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import CASSETTES, from_lines
from tkstudies.services.web.shared import finish

FILES = sorted(CASSETTES.glob("*.json"))
HOSTS = {
    "runreg": {"cmsrunregistry.web.cern.ch", "vocms00170"},
    "oms": {"cmsoms.cern.ch"},
    "dqm": {"cmsweb.cern.ch"},
    "doctor": {"tkdqmdoctor.web.cern.ch", "certhelper.web.cern.ch"},
    "todo": {"cmsrunregistry.web.cern.ch", "certhelper.web.cern.ch", "cmsweb.cern.ch"},
}


@pytest.fixture(scope="module")
def vcr_config():
    return {"record_mode": "none", "serializer": "json", "match_on": ["method", "scheme", "host", "path", "query"]}


@pytest.fixture
def real_addresses(monkeypatch, tmp_path):
    """The services' own addresses, and a certificate that nobody has to accept; vcrpy answers."""
    for name in ("RUNREG", "RESTHUB", "OMS", "DQM", "DOCTOR", "CERTHELPER"):
        monkeypatch.delenv(f"TKSTUDIES_{name}_URL")
    for name in ("usercert.pem", "userkey.pem"):
        (tmp_path / name).write_text("not a certificate\n")
    monkeypatch.setenv("CERN_CERTIFICATE_PATH", str(tmp_path))


def test_they_are_small_and_of_every_service():
    assert sum(file.stat().st_size for file in FILES) < 15_000_000
    assert {file.name.split("-")[0] for file in FILES} == set(HOSTS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_they_hold_the_services_own_addresses_and_no_secret(file):
    text = file.read_text()
    for exchange in json.loads(text)["interactions"]:
        assert re.match(r"https?://([^/:]+)", exchange["request"]["uri"])[1] in HOSTS[file.name.split("-")[0]]
        headers = {*exchange["request"]["headers"], *exchange["response"]["headers"]}
        assert headers <= {"content-type", "location", "retry-after"}
    for secret in ("Bearer", "not-a-real-secret", "sessionid", "127.0.0.1", "localhost"):
        assert secret not in text


def test_the_readme_tells_what_they_are():
    readme = (CASSETTES / "README.md").read_text()
    for word in ("**real**", "invented contents", "**simulated**", "cassettes/record.sh"):
        assert word in readme


@pytest.mark.vcr(str(CASSETTES / "oms-000.json"))
def test_vcrpy_replays_oms(real_addresses, tkstudies, tmp_path):
    live = tkstudies("oms", "runs", "--min", "317291", "--max", "318877")
    assert live.exit_code == 0, live.stderr
    replayed = tkstudies("oms", "runs", "--min", "317291", "--max", "318877", "--replay", CASSETTES)
    assert live.stdout == replayed.stdout
    assert {row["run_number"] for row in from_lines(live.stdout)} >= {317291, 318877}


@pytest.mark.vcr(str(CASSETTES / "doctor-002.json"))
def test_vcrpy_replays_the_certification_helper(real_addresses, tkstudies):
    result = tkstudies("doctor", "references")
    assert result.exit_code == 0, result.stderr
    assert {"run_number", "reco", "reference_run_number", "reference_reco", "dataset"} == set(
        from_lines(result.stdout)[0]
    )


def test_both_versions_of_the_registry_replay(tkstudies):
    options = ["--min", "317291", "--max", "317300", "--replay", CASSETTES]
    v3 = tkstudies("runreg", "--api", "v3", *options)
    assert v3.exit_code == 0, v3.stderr
    assert {row["run_number"] for row in from_lines(v3.stdout)} == {317291, 317292, 317295, 317296, 317297}
    missed = tkstudies("runreg", *options)
    assert (missed.stdout, missed.exit_code) == ("", 1)
    assert "not in the cassettes of" in missed.stderr


def test_a_subset_of_the_runs_still_replays(tkstudies, tmp_path):
    pairs = [{"run_number": 317626, "reco": "prompt"}, {"run_number": 317291, "reco": "rereco"}]
    plot = "/Tracking/TrackParameters/highPurityTracks/pt_1/GeneralProperties/NumberOfTracks_GenTk"
    result = tkstudies("dqm", "--plot", plot, "--replay", CASSETTES, input=pairs)
    assert (result.exit_code, [row["run_number"] for row in from_lines(result.stdout)]) == (0, [317626, 317291])
    finish()
