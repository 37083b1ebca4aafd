"""``tkstudies wbm``: XML with texts, read by a parser that refuses entities."""

from __future__ import annotations

import pytest
import requests

from tests.conftest import from_lines
from tkstudies.errors import ServiceError
from tkstudies.services.wbm import parse_summaries
from tkstudies.services.web.answers import Unusable


def answer(text):
    response = requests.Response()
    response._content = text.encode()
    return response


def test_summaries_come_by_run_as_texts(live, tkstudies, world):
    result = tkstudies("wbm", "--min", 317500, "--max", 317600)
    found = from_lines(result.stdout)
    expected = [number for number in sorted(world.runs) if 317500 <= number <= 317600]
    assert result.exit_code == 0 and [row["run_number"] for row in found] == expected
    texts = {type(value) for row in found for key, value in row.items() if key != "run_number"}
    assert texts <= {str, type(None)}
    sent = next(run for run in world.wbm_runs if run["run"] == "317527")
    row = next(row for row in found if row["run_number"] == 317527)
    assert {key: value for key, value in row.items() if key != "run_number"} == {
        key: value for key, value in sent.items() if key != "run"
    }


def test_scattered_runs(live, tkstudies):
    live.log.clear()
    result = tkstudies("wbm", "--run", "317527,317291-317292,317509")
    assert [row["run_number"] for row in from_lines(result.stdout)] == [317291, 317292, 317509, 317527]
    assert len(live.requests_to("wbm")) == 2


def test_the_runs_of_records(live, tkstudies, tmp_path):
    table = tmp_path / "runs.jsonl"
    table.write_text('{"run_number": 317527, "reco": "express"}\n{"run_number": 317291}\n')
    result = tkstudies("wbm", "-i", table)
    assert [row["run_number"] for row in from_lines(result.stdout)] == [317291, 317527]
    result = tkstudies("wbm", "-i", "-", input=[{"run_number": 317509}])
    assert [row["run_number"] for row in from_lines(result.stdout)] == [317509]
    result = tkstudies("wbm", "-i", "-", input="")
    assert (result.exit_code, result.stdout) == (0, "")


def test_nothing_found_is_no_byte(live, tkstudies):
    result = tkstudies("wbm", "--run", "1")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_selection_is_needed(live, tkstudies):
    result = tkstudies("wbm")
    assert (result.exit_code, result.stdout) == (2, "") and "--min" in result.stderr


@pytest.mark.parametrize("text", ["", "<html>RunSummary</html>", "<cmsdb><runInfo><run>x</run></runInfo></cmsdb>", "x"])
def test_what_isnt_a_summary_is_worth_another_try(text):
    with pytest.raises(Unusable):
        parse_summaries(answer(text))


def test_entities_are_refused():
    bomb = '<!DOCTYPE c [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><cmsdb><runInfo><run>&b;</run></runInfo></cmsdb>'
    with pytest.raises(ServiceError, match="safe"):
        parse_summaries(answer(bomb))
