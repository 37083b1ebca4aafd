import json
import random

import pandas
import pytest
from typer.testing import CliRunner

from tkstudies.analysis.tables.differences import same
from tkstudies.cli import app

REGISTRY = [
    {"run_number": 1, "reco": "express", "pixel": "GOOD", "strip": "GOOD", "tracking": "BAD", "lumi": 1.0},
    {"run_number": 1, "reco": "prompt", "pixel": "GOOD", "strip": "GOOD", "tracking": "GOOD"},
    {"run_number": 2, "reco": "express", "pixel": "GOOD", "strip": None, "tracking": "GOOD", "lumi": 5},
]
DOCTOR = [
    {"run_number": 2, "reco": "express", "doctor_pixel": "Good", "doctor_strip": "Excluded", "lumi": "5.00"},
    {"run_number": 1, "reco": "express", "doctor_pixel": "Good", "doctor_strip": "Good", "doctor_tracking": "Good"},
    {"run_number": 3, "reco": "express", "doctor_pixel": "Bad"},
]


def to_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def diff(tmp_path):
    def run(left, right, *args):
        (tmp_path / "right.jsonl").write_text(to_lines(right))
        result = CliRunner().invoke(app, ["diff", str(tmp_path / "right.jsonl"), *args], input=to_lines(left))
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr, result.exit_code

    return run


def cell(run, column, left, right):
    return {
        "run_number": run, "reco": "express", "column": column, "left": left, "right": right, "side": "both"
    }  # fmt: skip


def row(run, reco, side):
    return {
        "run_number": run, "reco": reco, "column": None, "left": None, "right": None, "side": side
    }  # fmt: skip


def test_doctor_against_registry(diff):
    records, said, code = diff(REGISTRY, DOCTOR, "--columns", "pixel,strip,tracking")
    assert records == [
        cell(1, "tracking", "BAD", "Good"),
        row(1, "prompt", "left"),
        cell(2, "strip", None, "Excluded"),
        cell(2, "tracking", "GOOD", None),
        row(3, "express", "right"),
    ]
    assert said == ("2 rows on both sides, 2 differ (tracking 2, strip 1); only left 1, only right 1\n")
    assert code == 0


def test_names_of_the_other_side_are_found_either_way(diff):
    raw = [{("sistrip" if c == "doctor_strip" else c): v for c, v in row.items()} for row in DOCTOR]
    records, _, _ = diff(raw, REGISTRY, "--columns", "tracking", "--columns", "strip")
    assert [r for r in records if r["side"] == "both"] == [
        cell(2, "tracking", None, "GOOD"),
        cell(2, "strip", "Excluded", None),
        cell(1, "tracking", "Good", "BAD"),
    ]


def test_all_columns_in_common_by_default(diff):
    records, _, _ = diff(REGISTRY, DOCTOR)
    columns = [r["column"] for r in records if r["side"] == "both"]
    assert columns == ["lumi", "tracking", "strip", "tracking"]  # 5 and "5.00" are equal


def test_a_table_with_both_names_compares_each_with_itself(diff):
    both = [{"run_number": 1, "doctor_pixel": "Good", "pixel": "BAD"}]
    assert diff(both, both)[0] == []
    assert [r["left"] for r in diff(both, [{"run_number": 1, "pixel": "GOOD"}])[0]] == ["BAD"]
    records, _, _ = diff(both, both, "--columns", "pixel=doctor_pixel")
    assert [(r["column"], r["left"], r["right"]) for r in records] == [("pixel", "BAD", "Good")]


def test_express_against_prompt(diff):
    records, said, _ = diff(
        REGISTRY, REGISTRY, "--on", "run_number",
        "--left-where", "reco = express", "--right-where", "reco = prompt",
    )  # fmt: skip
    assert [(r["run_number"], r["column"], r["left"], r["right"], r["side"]) for r in records] == [
        (1, "tracking", "BAD", "GOOD", "both"),
        (1, "lumi", 1.0, None, "both"),
        (2, None, None, None, "left"),
    ]
    assert all("reco" not in r for r in records)
    assert said.startswith("1 row on both sides, 1 differ (tracking 1, lumi 1)")


def test_first_of_repeated_keys_counts(diff):
    left = [{"run_number": 1, "a": 1}, {"run_number": 1, "a": 2}, {"run_number": None, "a": 3}, {"a": 4}]
    records, said, code = diff(left, [{"run_number": 1, "a": 2}, {"run_number": 1, "a": 1}])
    assert [(r["left"], r["right"]) for r in records] == [(1, 2)]
    assert "warning: the left side: 1 row with a repeated run_number not compared" in said
    assert "right.jsonl: 1 row with a repeated run_number" in said
    assert "warning: the left side: 2 rows without run_number not compared" in said
    assert code == 0


def test_strict_tells_by_its_exit_code(diff):
    assert diff(REGISTRY, DOCTOR, "--strict")[2] == 3
    assert diff(REGISTRY, REGISTRY, "--strict")[2] == 0
    assert diff(REGISTRY, REGISTRY[:1], "--strict")[2] == 3


def test_tolerance(diff):
    left, right = [{"run_number": 1, "a": 100.0, "b": 1}], [{"run_number": 1, "a": 100.9, "b": 2}]
    assert [r["column"] for r in diff(left, right, "--tolerance", "0.01")[0]] == ["b"]
    assert [r["column"] for r in diff(left, right)[0]] == ["a", "b"]


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "equal"),
    [
        (None, None, 0, True),
        (None, "", 0, False),
        (None, 0, 0, False),
        ("GOOD", "good", 0, True),
        ("GOOD", "GOOD ", 0, False),
        ("STRASSE", "straße", 0, True),
        ("1.0", "1.00", 0, False),
        (1, "1.00", 0, True),
        ("x", 1, 0.5, False),
        (1, 1.0, 0, True),
        (True, 1, 0, False),
        (False, False, 0, True),
        (2**70, 2**70 + 1, 0, False),
        (2**70, str(2**70 + 1), 0, False),
        (2**53 + 1, 2.0**53, 0, False),
        ("9007199254740993", "9007199254740992.0", 0, False),
        (2**53 + 1, 2.0**53, 1e-12, True),
        (100, 101, 0.0099, False),
        (100, 101, 1 / 101, True),
        (0, 0.0, 0, True),
        (0, 1, 1, True),
        (True, "true", 0, False),
        (None, False, 0, False),
        (2**70, 2**70 + 1, 1e-9, True),
        (10**400, 1.5, 0.1, False),
        (-100, -101, 0.01, True),
        (-1, 1, 0.9, False),
        (["a", 1.0], ["A", 1.001], 0.01, True),
        (["a"], ["a", "b"], 0, False),
        (["a", "b"], ["b", "a"], 0, False),
        (["a"], "a", 0, False),
        ({"x": [1]}, {"x": [1.0]}, 0, True),
        ({"x": 1}, {"y": 1}, 0, False),
    ],
)
def test_same(left, right, tolerance, equal):
    assert same(left, right, tolerance) is equal
    assert same(right, left, tolerance) is equal


@pytest.mark.parametrize(
    ("left", "right", "args", "code", "said"),
    [
        (REGISTRY, DOCTOR, ["--columns", "nope"], 1, "no column nope in the left side; it has run_number"),
        (REGISTRY, DOCTOR, ["--columns", "pixel=nope"], 1, "right.jsonl; it has run_number"),
        (REGISTRY, DOCTOR, ["--on", "fill_number"], 1, "--on fill_number: no such column"),
        ([{"a": 1}], DOCTOR, [], 1, "no key in common"),
        (REGISTRY, DOCTOR, ["--tolerance", "-1"], 2, "--tolerance"),
        (REGISTRY, DOCTOR, ["--left-where", "reco"], 2, "expected COLUMN OP VALUE"),
    ],
)
def test_errors(diff, left, right, args, code, said):
    records, stderr, exit_code = diff(left, right, *args)
    assert (records, exit_code) == ([], code)
    assert said in stderr


def test_standard_input_is_one_side_only():
    result = CliRunner().invoke(app, ["diff", "-"], input="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't be both sides" in result.stderr


def test_keys_are_those_of_all_rows(diff):
    left = [{"run_number": 1, "a": 1}, *({"run_number": 1, "lumisection_number": n, "a": n} for n in (1, 2))]
    right = [{"run_number": 1, "lumisection_number": n, "a": a} for n, a in ((1, 1), (2, 3))]
    records, stderr, _ = diff(left, right)
    assert [(r["lumisection_number"], r["left"], r["right"]) for r in records] == [(2, 2, 3)]
    assert "1 row without run_number and lumisection_number not compared" in stderr


def test_empty_sides(diff):
    assert diff([], [])[::2] == ([], 0)
    assert [r["side"] for r in diff([], DOCTOR)[0]] == ["right"] * 3
    assert [r["side"] for r in diff(DOCTOR, [])[0]] == ["left"] * 3


def test_only_keys_in_common(diff):
    records, said, code = diff([{"run_number": 1, "a": 1}, {"run_number": 2}], [{"run_number": 1, "b": 1}])
    assert [(r["run_number"], r["side"]) for r in records] == [(2, "left")]
    assert "warning: no column in common but run_number" in said
    assert code == 0


def test_bad_lines_on_either_side(tmp_path):
    right = tmp_path / "right.jsonl"
    right.write_text('{"run_number": 1, "a": 1}\nbad\n')
    args = ["diff", str(right), "--skip-bad-lines"]
    result = CliRunner().invoke(app, args, input='bad\n{"run_number": 1, "a": 2}\n')
    assert result.exit_code == 3
    assert json.loads(result.stdout)["left"] == 2
    assert result.stderr.count("1 malformed line skipped") == 2


def test_a_year_of_runs_against_pandas(diff):
    """Cells that differ, found by an outer join in pandas."""
    components = "pixel", "strip", "tracking"
    statuses = ["GOOD", "Good", "BAD", "EXCLUDED", "µ-Strip", None]

    def table(seed):
        random.seed(seed)
        runs = random.sample(range(315000, 317000), 1200)
        return [
            {
                "run_number": run,
                "reco": reco,
                **{c: random.choice(statuses) for c in ("pixel", "strip", "tracking") if random.random() < 0.9},
                "lumi": random.choice([None, 0, 1, 1.0, 2.5]),
            }
            for run in runs
            for reco in ("express", "prompt")
        ]

    left, right = table(1), table(2)
    records, _, _ = diff(left, right)
    frame = pandas.DataFrame(left).merge(
        pandas.DataFrame(right), how="outer", on=["run_number", "reco"], indicator=True
    )
    expected = set()
    for record in frame.to_dict("records"):
        key = record["run_number"], record["reco"]
        if record["_merge"] != "both":
            expected.add((*key, None, record["_merge"].removesuffix("_only")))
            continue
        for column in (*components, "lumi"):
            one, other = record[f"{column}_x"], record[f"{column}_y"]
            missing = pandas.isna(one) + pandas.isna(other)
            if missing == 1 or (not missing and str(one).casefold() != str(other).casefold()):
                expected.add((*key, column, "both"))
    found = [(r["run_number"], r["reco"], r["column"], r["side"]) for r in records]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert len(expected) > 2000


def test_the_summary_names_ten_columns(tkstudies, tmp_path):
    (tmp_path / "right.jsonl").write_text(to_lines([{"run_number": 1, **{f"c{n}": n for n in range(100)}}]))
    rows = [{"run_number": 1, **{f"c{n}": n + 1 for n in range(100)}}]
    result = tkstudies("diff", tmp_path / "right.jsonl", input=rows)
    assert result.stdout.count("\n") == 100
    assert result.stderr.count("\n") == 1
    assert "(c0 1, c1 1, c2 1, c3 1, c4 1, c5 1, c6 1, c7 1, c8 1, c9 1, ... 90 more)" in result.stderr
