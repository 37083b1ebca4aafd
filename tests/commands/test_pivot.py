"""``tkstudies pivot``: the rows of a run in one row, nothing lost without a word."""

from __future__ import annotations

import pytest

from tests.conftest import from_lines, rows, to_lines

LONG = [
    {"run_number": 2, "reco": "prompt", "tracking": "BAD", "a": 1},
    {"run_number": 2, "reco": "express", "tracking": "GOOD", "a": 2},
    {"run_number": 1, "reco": "express", "tracking": "GOOD", "a": None},
]


def test_long_to_wide(tkstudies):
    assert rows(tkstudies("pivot", "--columns", "reco", "--values", "tracking", input=LONG)) == [
        {"run_number": 2, "prompt__tracking": "BAD", "express__tracking": "GOOD"},
        {"run_number": 1, "prompt__tracking": None, "express__tracking": "GOOD"},
    ]


def test_all_other_columns_are_values_and_all_rows_have_all_columns(tkstudies):
    found = rows(tkstudies("pivot", "--columns", "reco", input=LONG))
    names = ["run_number", "prompt__tracking", "prompt__a", "express__tracking", "express__a"]
    assert [list(row) for row in found] == [names, names]


def test_filter_understands_the_names(shell, tmp_path):
    (tmp_path / "x.jsonl").write_text(to_lines(LONG))
    result = shell("tkstudies pivot --columns reco x.jsonl | tkstudies filter 'express__tracking != prompt__tracking'")
    assert (from_lines(result.stdout)[0]["run_number"], "warning" in result.stderr) == (2, False)


def test_several_columns_and_an_index_of_ones_own(tkstudies):
    long = [
        {"era": "2018B", "plot": "a b", "n": n, "x": n / 2, "other": [n]} for n in (1, 2.0)
    ] + [{"era": "2018C", "plot": None, "n": True, "x": 7}]  # fmt: skip
    found = rows(tkstudies("pivot", "--index", "era", "--columns", "plot,n", "--values", "x", input=long))
    assert found == [
        {"era": "2018B", "a b__1__x": 0.5, "a b__2__x": 1.0, "null__true__x": None},
        {"era": "2018C", "a b__1__x": None, "a b__2__x": None, "null__true__x": 7},
    ]


def test_repeated_cells_are_told_if_they_differ(tkstudies):
    again = {"run_number": "2", "reco": "prompt", "tracking": "GOOD"}
    result = tkstudies("pivot", "--columns", "reco", "--values", "tracking", input=[*LONG, LONG[0], again])
    assert rows(result)[0]["prompt__tracking"] == "BAD"
    told = "1 row with a repeated run_number and reco and other values (2): the first counts"
    assert result.stderr.startswith(f"warning: {told}")
    assert tkstudies("pivot", "--columns", "reco", input=LONG * 2).stderr == ""


def test_rows_without_a_key_are_told(tkstudies):
    result = tkstudies("pivot", "--columns", "reco", input=[*LONG, {"reco": "express", "tracking": "BAD"}])
    assert len(rows(result)) == 2
    assert result.stderr == "warning: 1 row without run_number left out\n"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "--columns COLUMN: whose values become columns?"),
        (["--columns", "rceo"], 1, "no record has a column rceo; did you mean reco?"),
        (["--columns", "run_number"], 1, "no key left"),
        (["--columns", "reco", "--values", "reco"], 2, "reco: a column is"),
        (["--columns", "reco", "--index", "run_number,tracking,a"], 1, "no column left for values"),
    ],
)
def test_what_goes_wrong(arguments, code, told, tkstudies):
    result = tkstudies("pivot", *arguments, input=LONG)
    assert (result.stdout, result.exit_code, told in result.stderr) == ("", code, True), result.stderr


def test_too_many_columns(tkstudies, monkeypatch):
    monkeypatch.setattr("tkstudies.analysis.tables.pivot.MOST_COLUMNS", 5)
    result = tkstudies("pivot", "--columns", "n", input=[{"run_number": 1, "n": n, "x": 1} for n in range(9)])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "n has too many different values" in result.stderr
