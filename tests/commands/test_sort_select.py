"""``sort`` and ``select``: the two small tools between the others."""

from __future__ import annotations

import pytest

from tests.conftest import from_lines

ROWS = [
    {"run_number": 3, "reco": "prompt", "t2": 1.5},
    {"run_number": 1, "reco": "prompt", "t2": None},
    {"run_number": 1, "reco": "express", "t2": 7},
    {"run_number": 3, "reco": "express", "t2": 7.0},
    {"run_number": 2, "reco": None},
]


def runs(result):
    assert (result.stderr, result.exit_code) == ("", 0)
    return [(row["run_number"], row["reco"]) for row in from_lines(result.stdout)]


def test_keys_are_the_default_order(tkstudies):
    expected = [(1, "express"), (1, "prompt"), (2, None), (3, "express"), (3, "prompt")]
    assert runs(tkstudies("sort", input=ROWS)) == expected


def test_largest_first_nulls_last_ties_in_order(tkstudies):
    result = tkstudies("sort", "--by", "t2", "--descending", input=ROWS)
    assert runs(result) == [(1, "express"), (3, "express"), (3, "prompt"), (1, "prompt"), (2, None)]


def test_the_top_rows_of_different_runs(tkstudies):
    arguments = ["--by", "t2", "--descending", "--one-per", "run_number"]
    assert runs(tkstudies("sort", *arguments, "--top", "2", input=ROWS)) == [(1, "express"), (3, "express")]
    assert runs(tkstudies("sort", *arguments, "--top", "0", input=ROWS)) == []


def test_values_of_several_types_have_an_order(tkstudies):
    rows = [{"x": "b"}, {"x": [1]}, {"x": 2}, {"x": True}, {"x": "a"}, {"x": None}]
    result = tkstudies("sort", "--by", "x", input=rows)
    assert [row["x"] for row in from_lines(result.stdout)] == [True, 2, "a", "b", [1], None]


@pytest.mark.parametrize("option", ["--by", "--one-per"])
def test_an_unknown_column_is_an_error(option, tkstudies):
    result = tkstudies("sort", option, "t3", input=ROWS)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "no record has a column t3; columns are run_number, reco, t2" in result.stderr


def test_lists_of_columns_and_names_like_others(tkstudies):
    rows = [{"a": 1, "b": 2, "c": 1}, {"a": 1, "b": 1, "c": 2}]
    assert from_lines(tkstudies("sort", "--by", "a,b", input=rows).stdout) == rows[::-1]
    assert from_lines(tkstudies("select", "c,a", input=rows[:1]).stdout) == [{"c": 1, "a": 1}]
    assert "did you mean run_number?" in tkstudies("sort", "--by", "runnumber", input=ROWS).stderr


def test_select_orders_the_columns_as_asked(tkstudies):
    result = tkstudies("select", "t*", "run_number", input=ROWS[:1])
    assert (result.stdout, result.stderr) == ('{"t2":1.5,"run_number":3}\n', "")
    dropped = tkstudies("select", "--drop", "t*", "run_number", input=ROWS[:1])
    assert (dropped.stdout, dropped.stderr) == ('{"reco":"prompt"}\n', "")


@pytest.mark.parametrize("given", [["run_numbr"], ["run_numbr", "--jobs", "2"]])
def test_select_of_no_column_at_all_is_an_error(tkstudies, tmp_path, given):
    (tmp_path / "rows.jsonl").write_text('{"run_number": 1}\n')
    result = tkstudies("select", *given, "-i", tmp_path / "rows.jsonl", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 1 and not (tmp_path / "out.jsonl").exists()
    assert "no column matches run_numbr; did you mean run_number" in result.stderr
    assert tkstudies("select", "--drop", "run_numbr", "-i", tmp_path / "rows.jsonl").exit_code == 0


def test_select_warns_of_a_pattern_that_matches_nothing(tkstudies):
    result = tkstudies("select", "run_number", "Hits.*", input=ROWS[:1])
    assert (result.stdout, result.exit_code) == ('{"run_number":3}\n', 0)
    assert "no column matches Hits.*; columns are" in result.stderr
