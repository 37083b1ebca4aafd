"""Certification files: the real golden and DCS-only files of 2018, and what isn't one."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT
from tkstudies.analysis.tables.certification import Certification
from tkstudies.errors import InputError

FILES = ROOT / "tests/data/certification"


@pytest.mark.parametrize("name", ["golden_2018.json", "dcsonly_2018.json"])
def test_every_lumisection_of_the_real_files(name):
    content = json.loads((FILES / name).read_text())
    certification = Certification(content, name)
    assert certification.runs == {int(run) for run in content}
    for run, ranges in list(content.items())[:80]:
        good = {number for first, last in ranges for number in range(first, last + 1)}
        for number in range(max(good) + 3):
            assert certification.contains(int(run), number) == (number in good)


@pytest.mark.parametrize("content", [[], {"x": []}, {"1": 5}, {"1": [[1]]}, {"1": [[1, "2"]]}, None, {"1": [[1, 2.5]]}])
def test_other_files_are_refused(content):
    with pytest.raises(InputError, match=r"golden\.json is not a certification file"):
        Certification(content, "golden.json")


@pytest.mark.parametrize("run", [None, "run 315257", 315257.5, [], 315258, True])
def test_what_is_no_good_run(run):
    assert not Certification({"1": [[1, 2]], "315257": [[1, 2]], "315258": []}, "x").contains(run)


@pytest.mark.parametrize(("run", "lumisection"), [("315257", "2"), (315257.0, 2.0), ("315257.0", None)])
def test_a_good_run_however_its_number_is_written(run, lumisection):
    assert Certification({"315257": [[1, 2]]}, "x").contains(run, lumisection)
