"""What people type: files at the end, runs by their numbers, missing quotes, older names of options."""

from __future__ import annotations

import pytest

from tests.conftest import from_lines, to_lines

ROWS = [
    {"run_number": 317512, "reco": "express", "tracking": "BAD", "t2": 20.5, "[x]": 1, "pixel": "GOOD", "is_bad": True},
    {"run_number": 317527, "reco": "prompt", "tracking": "GOOD", "t2": 3.5, "[x]": 2, "pixel": "GOOD", "is_bad": False},
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(to_lines(ROWS))
    for name in ("rows.txt", "my rows.jsonl"):
        (tmp_path / name).write_text(to_lines(ROWS))
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (["filter", "tracking = BAD", "rows.jsonl"], 1),
        (["filter", "tracking = BAD", "t2 > 1", "./rows.txt"], 1),
        (["filter", "tracking exists", "rows.jsonl", "rows.jsonl"], 4),
        (["filter", "tracking exists", "rows.jsonl", "-i", "rows.jsonl"], 4),
        (["select", "run_number", "rows.jsonl"], 2),
        (["select", "run_number", "t*", "./rows.txt"], 2),
        (["count", "tracking", "rows.jsonl"], 2),
        (["count", "rows.jsonl"], 1),
        (["count", "rows.jsonl", "tracking"], 2),
        (["count", "tracking", "my rows.jsonl"], 2),
        (["select", "rows.jsonl", "run_number", "./rows.txt"], 4),
        (["sort", "-r", "--by", "t2", "rows.jsonl"], 2),
    ],
)
def test_a_file_at_the_end_is_the_input(tkstudies, file, line, count):
    result = tkstudies(*line, input="not read")
    assert (len(from_lines(result.stdout)), result.exit_code) == (count, 0), result.stderr


def test_standard_input_at_the_end(tkstudies, file):
    assert len(from_lines(tkstudies("filter", "tracking = BAD", "-", input=ROWS).stdout)) == 1


def test_the_largest_first(tkstudies, file):
    found = from_lines(tkstudies("sort", "-r", "--by", "t2", "rows.jsonl").stdout)
    assert [row["t2"] for row in found] == [20.5, 3.5]


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (["filter", "tracking", "=", "BAD"], 2, "put the expression into quotes, such as 'tracking = BAD'"),
        (["filter", "tracking", "=", "BAD", "rows.jsonl"], 2, "tracking = BAD: put the expression into quotes"),
        (["filter", "t2"], 2, "t2: put the expression into quotes, such as 't2 > 15'"),
        (["filter", "t2", "rows.jsonl"], 2, "put the expression into quotes, such as 't2 > 15'"),
        (["filter", "tracking = BAD", "nowhere.jsonl"], 1, "nowhere.jsonl: no such file"),
        (["count", "tracking", "nowhere.jsonl"], 1, "nowhere.jsonl: no such file"),
        (["select", "nowhere.csv", "run_number"], 1, "nowhere.csv: no such file"),
        (["filter", "tracking = BAD", "table.csv"], 1, "table.csv, line 1: not a JSON object: a,b (a CSV table? "),
        (["filter", "tracking is BAD"], 2, "expected COLUMN OP VALUE"),
        (["filter", "pixel = null"], 2, "write COLUMN missing or COLUMN exists to ask for null"),
        (["filter", "tracking == BAD"], 2, "== is no operator: write =, or quote a value that begins with ="),
        (["filter", "1 < run_number < 9"], 2, "the column comes first (run_number > 1); two expressions ask for both"),
        (["filter", "t2 > 3,5"], 2, "numbers have a decimal point: 3.5"),
        (["filter", "start_time > 1.6.2018"], 2, "times are written with the year first: 2018-06-01"),
        (["filter", "start_time <= 2018/06/01 12:00"], 2, "the year first: 2018-06-01 12:00"),
        (["filter", "rows.jsonl"], 2, "nothing to filter by"),
        (["select", "rows.jsonl"], 2, "name columns to keep"),
        (["pca", "317512"], 2, "317512: no such file; for rows of a run: tkstudies filter 'run_number = 317512'"),
        (["diff", "rows.jsonl", "rows.jsonl", "rows.jsonl"], 2, "diff takes two tables, LEFT and RIGHT"),
        (["diff", "-i", "rows.jsonl", "rows.jsonl", "rows.jsonl"], 2, "diff takes two tables"),
    ],
)
def test_slips_are_answered_with_the_right_line(tkstudies, file, line, code, told):
    result = tkstudies(*line, input=ROWS)
    assert (result.stdout, result.exit_code) == ("", code)
    assert told in result.stderr


def test_an_exact_name_goes_before_a_pattern(tkstudies, file):
    assert from_lines(tkstudies("select", "[x]", "rows.jsonl").stdout) == [{"[x]": 1}, {"[x]": 2}]
    assert from_lines(tkstudies("select", "--drop", "[x]", "rows.jsonl").stdout)[0].keys() == ROWS[0].keys() - {"[x]"}


def test_both_tables_of_a_diff(tkstudies, file, tmp_path):
    (tmp_path / "new.jsonl").write_text(to_lines([{**ROWS[0], "tracking": "GOOD"}, ROWS[1]]))
    (found,) = from_lines(tkstudies("diff", "rows.jsonl", "new.jsonl").stdout)
    assert (found["column"], found["left"], found["right"]) == ("tracking", "BAD", "GOOD")
    assert (
        tkstudies("diff", "new.jsonl", "-i", "rows.jsonl").stdout == tkstudies("diff", "rows.jsonl", "new.jsonl").stdout
    )


def test_a_run_by_its_number(tkstudies, file, live):
    found = from_lines(tkstudies("oms", "runs", "317512", "317527-317530").stdout)
    assert found == from_lines(tkstudies("oms", "runs", "--run", "317512,317527-317530").stdout) != []
    assert tkstudies("runreg", "317512").stdout == tkstudies("runreg", "--run", "317512").stdout != ""
    assert {row["run_number"] for row in from_lines(tkstudies("oms", "runs", "rows.jsonl").stdout)} == {317512, 317527}
    fills = from_lines(tkstudies("oms", "fills", str(found[0]["fill_number"])).stdout)
    assert [row["fill_number"] for row in fills] == [found[0]["fill_number"]]
    assert tkstudies("oms", "runs", "nonsense").exit_code == 1
    datasets = from_lines(tkstudies("dqm", "317512", "--reco", "express", "--datasets").stdout)
    assert [row["run_number"] for row in datasets] == [317512]


def test_a_file_may_be_called_like_a_run(tkstudies, file, tmp_path):
    (tmp_path / "317512").write_text(to_lines(ROWS))
    assert len(from_lines(tkstudies("sort", "317512").stdout)) == 2


@pytest.mark.parametrize("command", ["outliers", "embed", "rank"])
def test_older_names_of_options_work_and_are_hidden(tkstudies, command):
    page = tkstudies(command, "--help").stdout
    new = "--condition" if command == "rank" else "--features"
    assert new in page and "--columns" not in page
    rows = [{"run_number": n, "is_bad": False, "a": float(n % 7), "b": float(n % 5)} for n in range(30)]
    old, now = (tkstudies(command, name, "a,b", input=rows).stdout for name in ("--columns", new))
    assert old == now != ""


def test_replay_is_shown_where_something_is_fetched(tkstudies):
    for command, fetches in (("runreg", True), ("oms runs", True), ("dqm", True), ("filter", False), ("pca", False)):
        assert ("--replay" in tkstudies(*command.split(), "--help").stdout) == fetches
    assert tkstudies("filter", "--replay", "/", "t2 > 4", input=ROWS).exit_code == 0  # older scripts go on


@pytest.mark.parametrize("line", ["", "filter", "oms", "oms runs", "plot", "plot scatter", "doctor"])
def test_h_is_help(tkstudies, line):
    assert tkstudies(*line.split(), "-h").stdout == tkstudies(*line.split(), "--help").stdout != ""


@pytest.mark.parametrize(
    ("expression", "own"),
    [
        ("strip = BAD", "strip=BAD"),
        ("strip != 'BAD'", "strip__ne=BAD"),
        ("run_number >= 317512", "run_number__gte=317512"),
        ("lumisections < 200", "lumisections__lt=200"),
        ("pixel=GOOD", "pixel=GOOD"),
    ],
)
def test_filters_of_the_registry_are_expressions_too(tkstudies, live, expression, own):
    selection = ["runreg", "--min", "317500", "--max", "317530"]
    found = tkstudies(*selection, "--filter", expression)
    assert found.stdout == tkstudies(*selection, "--filter", own).stdout != ""


@pytest.mark.parametrize(
    "expression", ["reco in express,prompt", "pixel = BAD or strip = BAD", "tracking exists", "rda_name ~ Express",
                   "rda_name !~ Express", "pixel missing"]
)  # fmt: skip
def test_what_a_server_cannot_decide_is_decided_here(tkstudies, live, expression):
    selection = ["runreg", "--min", "317500", "--max", "317530"]
    everything = tkstudies(*selection).stdout
    found = tkstudies(*selection, "--filter", expression)
    assert found.stdout == tkstudies("filter", expression, input=everything).stdout
    runs = tkstudies("oms", "runs", *selection[1:]).stdout
    chosen = tkstudies("oms", "runs", *selection[1:], "--filter", "fill_number in 6759-6800")
    assert chosen.stdout == tkstudies("filter", "fill_number in 6759-6800", input=runs).stdout


def test_filters_of_oms_are_expressions_too(tkstudies, live):
    selection = ["oms", "runs", "--min", "317500", "--max", "317600"]
    found = tkstudies(*selection, "--filter", "energy >= 6000")
    assert found.stdout == tkstudies(*selection, "--filter", "energy__gte=6000").stdout != ""
    nothing = tkstudies(*selection, "--filter", "era in 2017A,2017B")
    assert (nothing.stdout, nothing.exit_code) == ("", 0)
    assert "--filter era in 2017A,2017B: none of" in nothing.stderr
    assert tkstudies(*selection, "--filter", "energy").exit_code == 2


@pytest.mark.parametrize("command", ["pca -n 2", "suspects", "outliers", "embed"])
def test_features_with_brackets_in_their_names(tkstudies, command):
    rows = [
        {"run_number": n, "reco": "prompt", "is_bad": False, "[x]": (n * 7) % 11 / 3, "a[0].mean": (n * 5) % 13 / 4}
        for n in range(40)
    ]
    result = tkstudies(*command.split(), "--features", "[x]", "--features", "a[0].mean", input=rows)
    assert (len(from_lines(result.stdout)), result.exit_code) == (40, 0), result.stderr
