"""``tkstudies todo``: what is still to certify, also when a service is down."""

from __future__ import annotations

import pytest

from tests.conftest import CASSETTES, NOWHERE, from_lines, rows
from tkstudies.services.todo import Todo

RANGE = ("--min", 317291, "--max", 318877)
COLUMNS = [
    "run_number", "reco", "run_type", "rda_state", "run_is_complete", "has_reference", "lumisections", "hours",
    "recorded_lumi_pb", "start_time", "reference_run_number", "reference_reco", "dataset", "rda_name",
    "run_class_name",
]  # fmt: skip


def by_row(found):
    return {(row["run_number"], row["reco"]): row for row in found}


def test_what_is_to_certify(live, tkstudies):
    result = tkstudies("todo", *RANGE)
    found = rows(result)
    assert {tuple(row) for row in found} == {tuple(COLUMNS)}
    assert {row["rda_state"] for row in found} == {"OPEN", "waiting dqm gui"}
    of_row = by_row(found)
    waiting, done = of_row[317382, "prompt"], of_row[318700, "express"]
    assert (waiting["rda_state"], waiting["run_is_complete"], waiting["dataset"]) == ("waiting dqm gui", False, None)
    assert (done["run_is_complete"], done["has_reference"], done["reference_run_number"]) == (True, True, 317661)
    assert (done["lumisections"], done["recorded_lumi_pb"]) == (15, 4.441)
    assert done["hours"] == pytest.approx(345 / 3600)
    assert (of_row[317339, "prompt"]["has_reference"], of_row[317339, "prompt"]["reference_run_number"]) == (
        False,
        None,
    )
    assert of_row[317441, None]["run_is_complete"] is None  # of which reco would its file be?
    signed = {(row["run_number"], row["reco"]) for row in rows(tkstudies("runreg", *RANGE, "--state", "COMPLETED"))}
    assert not signed & of_row.keys()
    told = "express, collisions: 4 rows (4 complete in the DQM GUI), 173 lumisections, 72.16 pb^-1"
    assert told in result.stderr.splitlines()
    assert "1 waiting for it" in result.stderr


def test_a_part_of_it(live, tkstudies):
    assert {row["reco"] for row in rows(tkstudies("todo", *RANGE, "--reco", "express"))} == {"express"}
    nothing = tkstudies("todo")
    assert (nothing.stdout, nothing.exit_code) == ("", 0)
    assert nothing.stderr.splitlines() == [
        "the runs of the last two weeks (others: --last, --min, --era, ...)",
        "nothing is left to certify",
    ]


@pytest.mark.parametrize(
    ("service", "columns", "told"),
    [
        ("DQM", ["run_is_complete", "dataset"], "the DQM GUI tells nothing of 4 rows (run_is_complete is null)"),
        ("CERTHELPER", ["has_reference", "reference_run_number", "reference_reco"], "no reference runs (has_reference"),
    ],
)
def test_without_a_service_the_rows_still_come(service, columns, told, live, quick_retries, tkstudies, monkeypatch):
    few = ("--min", 318700, "--max", 318877)
    whole = rows(tkstudies("todo", *few))
    monkeypatch.setenv(f"TKSTUDIES_{service}_URL", NOWHERE)
    result = tkstudies("todo", *few)
    assert result.exit_code == 3
    assert from_lines(result.stdout) == [{**row, **dict.fromkeys(columns)} for row in whole]
    assert told in result.stderr and result.stderr.count("warning") == 1
    assert ("perhaps complete" in result.stderr) == (service == "DQM")


def test_without_the_registry_there_is_nothing(live, quick_retries, tkstudies, monkeypatch):
    monkeypatch.setenv("TKSTUDIES_RUNREG_URL", NOWHERE)
    result = tkstudies("todo", *RANGE)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "Run Registry can't be reached" in result.stderr


def test_off_line(live, tkstudies):
    replayed = tkstudies("todo", *RANGE, "--replay", CASSETTES)
    assert (rows(replayed), replayed.stderr) == (rows(live_result := tkstudies("todo", *RANGE)), live_result.stderr)


@pytest.mark.parametrize(
    ("beams", "run", "expected"), [("PROTONS", 317434, 12.5), ("IONS", 317434, "oms"), ("COSMICS", 1, None)]
)
def test_a_luminosity_has_a_unit(beams, run, expected, live):
    sent = {"run_number": run, "Run": {"oms_attributes": {"fill_type_runtime": beams, "recorded_lumi": 12.5}}}
    if expected is None:
        sent["Run"]["oms_attributes"]["recorded_lumi"] = None
    found = Todo(query=None)._luminosities([sent])
    if expected == "oms":
        assert found[run] not in (None, 12.5)
    else:
        assert found.get(run) == expected
