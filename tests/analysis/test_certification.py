"""Certification files: the real golden and DCS-only files of 2018, and what isn't one."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.conftest import ROOT
from tkstudies.analysis.tables.certification import Certification, read_certification
from tkstudies.errors import InputError

FILES = ROOT / "tests/data/certification"
REAL = ROOT.parent / "shared/real/certification"

LAYOUTS = ["{%s}", "{\n  %s\n}\n", "\ufeff{%s}", "\n\r\n {%s} \n\n"]


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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_certification_file_however_it_is_laid_out(layout, packed, tmp_path):
    text = layout % '"392002": [[55, 60],\n[1,\n 54], [62, 62]], "392001": [[1, 1]], "392003": []'
    (tmp_path / "golden.txt").write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    golden = read_certification(str(tmp_path / "golden.txt"))
    assert golden.runs == {392001, 392002}
    assert [number for number in range(70) if golden.contains(392002, number)] == [*range(1, 61), 62]
    assert not golden.contains(392003)


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real beside the repository")
def test_the_files_of_cms():
    files = sorted(REAL.iterdir())
    assert len(files) == 7
    for file in files:
        content = json.loads(file.read_text())
        golden = read_certification(str(file))
        assert golden.runs == {int(run) for run in content}
        for run, ranges in content.items():
            good = {number for first, last in ranges for number in range(first, last + 1)}
            edges = {number + step for one in ranges for number in one for step in (-1, 0, 1)}
            assert {number for number in edges if golden.contains(run, number)} == good & edges, (file.name, run)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"392001": [[1, 2]], "392002": [[1, 2]], "392001": [[5, 6]]}', "run 392001 is named twice"),
        ('{"392001": [[1, 2]], "392001": [[1, 2]]}', "run 392001 is named twice"),
        ('{"392001": [[9, 3]]}', "run 392001: [9, 3] is reversed"),
        ('{"392001": [[1, 2], [9, 3]]}', "run 392001: [9, 3] is reversed"),
        ('{"392001": [[1, 5], [5, 9]]}', "run 392001: [1, 5] and [5, 9] overlap"),
        ('{"392001": [[40, 60], [1, 50]]}', "run 392001: [1, 50] and [40, 60] overlap"),
        ('{"392001": [[1, 5], [1, 5]]}', "run 392001: [1, 5] and [1, 5] overlap"),
        ('{"392001": [[0, 5]]}', "run 392001: [0, 5]: lumisections count from 1"),
        ('{"392001": [[-4, 5]]}', "run 392001: [-4, 5]: lumisections count from 1"),
        ('{"392001": [1, 88]}', "run 392001: 1 is no range of lumisections"),
        ('{"392001": [[1, 88, 90]]}', "run 392001: [1, 88, 90] is no range of lumisections"),
        ('{"392001": [[]]}', "run 392001: [] is no range of lumisections"),
        ('{"392001": [[[1, 2]]]}', "run 392001: [[1, 2]] is no range of lumisections"),
        ('{"392001": [[true, 5]]}', "run 392001: [true, 5] is no range of lumisections"),
        ('{"392001": [[1, 88.0]]}', "run 392001: [1, 88.0] is no range of lumisections"),
        ('{"392001": [["1", "88"]]}', 'run 392001: ["1", "88"] is no range of lumisections'),
        ('{"392001": [[1, null]]}', "run 392001: [1, null] is no range of lumisections"),
        ('{"392001": [[1, NaN]]}', "run 392001: [1, NaN] is no range of lumisections"),
        ('{"392001": ["1-88"]}', 'run 392001: "1-88" is no range of lumisections'),
        ('{"392001": "1-88"}', 'run 392001: "1-88" is no list of ranges'),
        ('{"392001": null}', "run 392001: null is no list of ranges"),
        ('{"392001": true}', "run 392001: true is no list of ranges"),
        ('{"392001": {"1": 88}}', 'run 392001: {"1": 88} is no list of ranges'),
        ('{" 392004 ": [[1, 2]]}', '" 392004 " is no run number'),
        ('{"392_005": [[1, 2]]}', '"392_005" is no run number'),
        ('{"392005.0": [[1, 2]]}', '"392005.0" is no run number'),
        ('{"+392005": [[1, 2]]}', '"+392005" is no run number'),
        ('{"0392005": [[1, 2]]}', '"0392005" is no run number'),
        ('{"-1": [[1, 2]]}', '"-1" is no run number'),
        ('{"3.9e5": [[1, 2]]}', '"3.9e5" is no run number'),
        ('{"٣٩": [[1, 2]]}', '"\\u0663\\u0669" is no run number'),
        ('{"": [[1, 2]]}', '"" is no run number'),
        ('{"run 392005": [[1, 2]]}', '"run 392005" is no run number'),
        ('{"\\u001b[31m": [[1, 2]]}', '"\\u001b[31m" is no run number'),
        ('[["392001", [[1, 2]]]]', '[["392001", [[1, 2]]]] is no object of runs'),
        ("null", "null is no object of runs"),
        ("{'392001': [[1, 2]]}", "Expecting property name"),
        ('{"392001": [[1, 2]]', "Expecting ',' delimiter"),
        ('{"392001": [[1, 2]]} {}', "Extra data"),
        ("", "Expecting value"),
    ],
)
def test_a_broken_file_is_refused_with_run_and_reason(text, reason, tmp_path):
    (tmp_path / "golden.json").write_text(text)
    with pytest.raises(InputError) as error:
        read_certification(str(tmp_path / "golden.json"))
    assert str(error.value).startswith(f"{tmp_path}/golden.json is not a certification file: {reason}")
    assert error.value.exit_code == 1
    assert str(error.value).isprintable()


def test_a_run_may_be_named_in_many_ways_in_records_only():
    for run in ("392001", 392001.0, " 392001 "):
        assert Certification({"392001": [[1, 50]]}, "x").contains(run, 12.0)
    with pytest.raises(InputError, match="is no run number"):
        Certification({392001: [[1, 50]]}, "x")
