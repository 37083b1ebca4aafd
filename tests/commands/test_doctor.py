"""``tkstudies doctor``: saved pages and live ones, the names that merge and label use."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.conftest import rows

PAGES = {"runs": "doctor_runs", "problem-runs": "doctor_problem_runs", "problems": "doctor_problems"}


@pytest.fixture
def cookies(live, tmp_path):
    return live.write_cookies(tmp_path / "cookies.txt")


@pytest.mark.parametrize("page", PAGES)
def test_a_saved_page_and_the_service_give_the_same(page, cookies, tkstudies, world, tmp_path):
    saved = tmp_path / "page.json"
    saved.write_text(json.dumps(getattr(world, PAGES[page]), indent=1))
    lines = tmp_path / "page.jsonl.gz"
    lines.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in getattr(world, PAGES[page])).encode()))
    live = rows(tkstudies("doctor", page, "--cookies", cookies))
    assert live == rows(tkstudies("doctor", page, "--from", saved)) == rows(tkstudies("doctor", page, "--from", lines))
    assert len(live) == len(getattr(world, PAGES[page])) > 0


def test_names_and_values(cookies, tkstudies, world):
    row = rows(tkstudies("doctor", "runs", "--cookies", cookies))[0]
    sent = world.doctor_runs[0]
    assert set(row) == {
        "run_number", "reco", "doctor_runtype", "bfield_class", "beamtype", "beamenergy", "dataset",
        "reference_run_number", "reference_reco", "reference_runtype", "reference_bfield",
        "reference_beamtype", "reference_beamenergy", "reference_dataset", "trackermap",
        "number_of_ls", "int_luminosity", "doctor_pixel", "doctor_strip", "doctor_tracking",
        "doctor_pixel_lowstat", "doctor_strip_lowstat", "doctor_tracking_lowstat", "comment",
        "certification_date",
    }  # fmt: skip
    assert (row["reco"], row["reference_reco"]) == ("express", "express")
    assert row["int_luminosity"] == sent["int_luminosity"] and isinstance(row["int_luminosity"], str)
    assert row["doctor_strip"] == sent["sistrip"].upper()
    assert row["reference_run_number"] == sent["reference_run__reference_run"]
    assert row["doctor_pixel_lowstat"] is False


def test_problem_runs_bring_the_names_of_their_problems(cookies, tkstudies, world):
    found = rows(tkstudies("doctor", "problem-runs", "--cookies", cookies))
    assert [row["problem_names"] for row in found] == [row["problem_names"] for row in world.doctor_problem_runs]
    assert all("problem_ids" in row and row["reco"] in ("express", "prompt") for row in found)


def test_a_run_certified_twice_comes_twice(cookies, tkstudies):
    found = rows(tkstudies("doctor", "runs", "--cookies", cookies))
    assert sum((row["run_number"], row["reco"]) == (317527, "express") for row in found) == 2


def test_reference_runs_need_no_login(live, monkeypatch, tkstudies, world):
    monkeypatch.delenv("SSO_CLIENT_ID")
    found = rows(tkstudies("doctor", "references"))
    assert list(found[0]) == ["run_number", "reco", "reference_run_number", "reference_reco", "dataset"]
    assert len(found) == len(world.certhelper_reference_runs)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_session_it_says_both_ways_in(page, live, tkstudies):
    result = tkstudies("doctor", page)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not logged in to TkDQMDoctor" in result.stderr
    assert "--cookies" in result.stderr and "--from" in result.stderr


def test_a_file_that_holds_no_cookies_is_told(live, tkstudies, tmp_path):
    file = tmp_path / "cookies.txt"
    file.write_text("{}\n")
    result = tkstudies("doctor", "runs", "--cookies", file)
    assert (result.exit_code, result.stdout) == (1, "") and str(file) in result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"id": 3, "full_display_name": "x"}]', "type__reco"),
        ("<html><form>Sign in</form></html>", "page.json"),
        ('[{"run_number": 1', "page.json"),
    ],
)
def test_the_wrong_page_is_told(content, told, tkstudies, tmp_path):
    file = tmp_path / "page.json"
    file.write_text(content)
    result = tkstudies("doctor", "runs", "--from", file)
    assert (result.exit_code, result.stdout) == (1, "") and told in result.stderr


def test_an_empty_page_is_no_byte(tkstudies, tmp_path):
    file = tmp_path / "page.json"
    file.write_text("[]")
    result = tkstudies("doctor", "runs", "--from", file)
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_saved_page_needs_no_cookies(tkstudies, tmp_path):
    result = tkstudies("doctor", "runs", "--from", "x", "--cookies", "y")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_picture_is_no_cookie_file(live, tkstudies, tmp_path):
    (tmp_path / "cookies.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    result = tkstudies("doctor", "runs", "--cookies", tmp_path / "cookies.png")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "cookies.png is not a Netscape cookie file" in result.stderr


@pytest.mark.parametrize("page", ["runs", "problem-runs", "references"])
def test_only_the_runs_of_a_table(page, cookies, live, tkstudies, tmp_path):
    login = [] if page == "references" else ["--cookies", cookies]
    everything = rows(tkstudies("doctor", page, *login))
    wanted = {row["run_number"] for row in everything[::3]}
    table = "".join(json.dumps({"run_number": number}) + "\n" for number in [*wanted, 1])
    (tmp_path / "runs.jsonl").write_text(table)
    expected = [row for row in everything if row["run_number"] in wanted]
    assert 0 < len(expected) < len(everything)
    assert rows(tkstudies("doctor", page, *login, "-i", tmp_path / "runs.jsonl")) == expected
    assert rows(tkstudies("doctor", page, *login, "-i", "-", input=table)) == expected
    assert rows(tkstudies("doctor", page, *login, input=table)) == everything


def test_the_runs_of_a_table_are_whole_numbers_however_they_are_written(tkstudies, tmp_path):
    page = [{"run_number": "317527", "reference_run_number": 1}, {"run_number": 317509.0}, {"run_number": 3}]
    page = [{"reference_run_number": 1, "reco": "Express", **row} for row in page]
    (tmp_path / "page.json").write_text(json.dumps(page))
    table = '{"run_number": 317527.0}\n{"run_number": "317509"}\n{"run_number": null}\n'
    command = ("doctor", "references", "--from", tmp_path / "page.json", "-i", "-")
    found = rows(tkstudies(*command, input=table))
    assert [int(float(row["run_number"])) for row in found] == [317527, 317509]
    refused = tkstudies(*command, input='{"run_number": true}\n')
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "run_number is not an integer: True" in refused.stderr
