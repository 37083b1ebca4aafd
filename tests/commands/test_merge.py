"""``merge`` against a join written from its definition, and its promises to users."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.analysis import studies
from tests.conftest import from_lines, to_lines

KEYS = [
    ("run_number", "reco", "lumisection_number"),
    ("run_number", "lumisection_number"),
    ("run_number", "reco"),
    ("run_number",),
    ("fill_number",),
]


def reference_join(left, right, *, on=None, how="left", prefix="", many=False):
    """Every left row with the first (or every) right row of its key; what the left side has is never overwritten."""
    left_columns = {column for row in left for column in row}
    valued = [{column for row in side for column in row if row[column] is not None} for side in (left, right)]
    keys = on or next(keys for keys in KEYS if all(side.issuperset(keys) for side in valued))
    by_key = {}
    for match in right:
        by_key.setdefault(tuple(match.get(name) for name in keys), []).append(match)
    joined = []
    for row in left:
        key = tuple(row.get(name) for name in keys)
        matches = by_key.get(key, []) if None not in key else []
        if not matches:
            joined += [row] if how == "left" else []
        for match in matches if many else matches[:1]:
            new = dict(row)
            for column, value in match.items():
                if column in keys:
                    continue
                column = f"fill__{column}" if keys == ("fill_number",) else column
                if column in left_columns:
                    column = prefix + column
                if column not in left_columns:
                    new.setdefault(column, value)
            joined.append(new)
    return joined


def write(tmp_path, **tables):
    files = []
    for name, rows in tables.items():
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_text(to_lines(rows))
    return files


@pytest.mark.parametrize("options", [{}, {"how": "inner"}, {"prefix": "oms_"}, {"many": True}], ids=str)
def test_a_study_equals_the_definition(options, tmp_path, tkstudies):
    runs, oms, fills, features = studies.runs(), studies.oms_runs(), studies.fills(), studies.features()
    runs[5]["recorded_lumi"] = 1.5  # on both sides, in one row only, long after the columns seemed known
    runs[1500]["recorded_lumi"] = None
    expected = runs
    for right in (oms, fills, features):
        expected = reference_join(expected, right, **options)
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name}"] if value is True else [f"--{name}", value]
    result = tkstudies("merge", *arguments, *write(tmp_path, oms=oms, fills=fills, features=features), input=runs)
    assert result.exit_code == 0, result.stderr
    assert from_lines(result.stdout) == expected


def test_the_order_of_columns_is_left_then_right(tmp_path, tkstudies):
    files = write(tmp_path, a=[{"x": 1, "run_number": 1, "y": 2}], b=[{"run_number": 1, "reco": "express", "z": 3}])
    result = tkstudies("merge", *files, input='{"q":0,"run_number":1,"reco":"express"}\n')
    assert result.stdout == '{"q":0,"run_number":1,"reco":"express","x":1,"y":2,"z":3}\n'


def test_values_pass_to_the_last_digit(tmp_path, tkstudies):
    left = '{"run_number":1,"reco":"é","big":123456789012345678901234567890,"f":0.1000,"t":"2018-06-21T02:11:05Z"}'
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"reco":"é","n":1.50,"m":[1,null]}\n')
    result = tkstudies("merge", tmp_path / "right.jsonl", input=left + "\n")
    assert result.stdout == left[:-1] + ',"n":1.50,"m":[1,null]}\n'


@pytest.mark.parametrize("right", ["", "[]"])
def test_an_empty_right_side_joins_nothing(right, tmp_path, tkstudies):
    (tmp_path / "right.jsonl").write_text(right)
    result = tkstudies("merge", tmp_path / "right.jsonl", input='{"run_number":1}\n')
    told = f"warning: no records in {tmp_path}/right.jsonl\n"
    assert (result.stdout, result.stderr, result.exit_code) == ('{"run_number":1}\n', told, 0)


def test_repeated_keys_are_counted(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": 1, "a": 1}, {"run_number": 1, "a": 2}, {"run_number": None, "a": 3}])
    result = tkstudies("merge", *files, input=[{"run_number": 1}])
    assert from_lines(result.stdout) == [{"run_number": 1, "a": 1}]
    assert "right.jsonl: 1 row with a repeated run_number dropped" in result.stderr


def test_a_column_on_both_sides_is_told_once(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": n, "a": n} for n in range(5)])
    result = tkstudies("merge", *files, input=[{"run_number": n, "a": -n} for n in range(5)])
    assert [row["a"] for row in from_lines(result.stdout)] == [0, -1, -2, -3, -4]
    assert result.stderr == "warning: a is on both sides: the right one is dropped (--prefix keeps it)\n"


def test_keys_may_be_named(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"reference_run_number": 7, "a": 1}])
    left = [{"run_number": 1, "reference_run_number": 7}, {"run_number": 2, "reference_run_number": 8}]
    result = tkstudies("merge", "--on", "reference_run_number", *files, input=left)
    assert from_lines(result.stdout) == [{**left[0], "a": 1}, left[1]]
    assert result.exit_code == 0


def test_no_common_key_names_the_columns(tmp_path, tkstudies):
    result = tkstudies("merge", *write(tmp_path, right=[{"b": 1}]), input=[{"run_number": 1}])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "no key in common with the left side" in result.stderr
    assert "it has b; the left side has run_number" in result.stderr


def test_nothing_matched_is_told(tmp_path, tkstudies):
    result = tkstudies("merge", *write(tmp_path, right=[{"run_number": 2, "a": 1}]), input=[{"run_number": 1}])
    assert from_lines(result.stdout) == [{"run_number": 1}]
    assert "no left row has a run_number that is in it" in result.stderr


@pytest.mark.parametrize("left", [1, 1.0, "1", "1.0"])
@pytest.mark.parametrize("right", [1, 1.0, "1", " 1.0"])
def test_a_run_is_the_same_however_its_number_is_written(left, right, tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": True, "a": "no run"}, {"run_number": right, "a": "right"}])
    result = tkstudies("merge", *files, input=[{"run_number": left}, {"run_number": True}, {"run_number": "x"}])
    expected = [{"run_number": left, "a": "right"}, {"run_number": True}, {"run_number": "x"}]
    assert from_lines(result.stdout) == expected
    assert "1 row without run_number not joined" in result.stderr


def test_keys_of_several_columns_are_the_same_however_written(tmp_path, tkstudies):
    rows = [{"run_number": "7", "reco": "express", "lumisection_number": 2.0, "a": 1}]
    files = write(tmp_path, right=rows, fills=[{"fill_number": "5", "era": "x"}])
    left = [{"run_number": 7, "reco": "express", "lumisection_number": "2", "fill_number": 5.0}]
    result = tkstudies("merge", *files, input=left)
    assert from_lines(result.stdout) == [{**left[0], "a": 1, "fill__era": "x"}]


def test_true_is_not_the_number_one_in_any_key(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"k": True, "a": "true"}, {"k": 1, "a": "one"}])
    result = tkstudies("merge", "--on", "k", *files, input=[{"k": 1}, {"k": True}, {"k": 1.0}])
    assert [row["a"] for row in from_lines(result.stdout)] == ["one", "true", "one"]


def test_both_sides_cannot_be_standard_input(tkstudies):
    result = tkstudies("merge", "-", input="")
    assert (result.stdout, result.exit_code) == ("", 2)


def test_bad_lines_on_either_side_are_counted(tmp_path, tkstudies):
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"a":1}\n{"run_number":\n')
    result = tkstudies("merge", "--skip-bad-lines", tmp_path / "right.jsonl", input='oops\n{"run_number":1}\n')
    assert (from_lines(result.stdout), result.exit_code) == ([{"run_number": 1, "a": 1}], 3)
    assert len(result.stderr.splitlines()) == 2


def test_a_row_wider_than_any_before_it_joins_too(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": n, "late": n} for n in range(500)])
    left = [{"run_number": n, **({f"c{n}": n, "late": -1} if n % 50 == 49 else {})} for n in range(500)]
    assert from_lines(tkstudies("merge", *files, input=left).stdout) == left
    prefixed = from_lines(tkstudies("merge", "--prefix", "r_", *files, input=left).stdout)
    assert prefixed == [{**row, "r_late": n} for n, row in enumerate(left)]


def test_what_the_first_megabyte_does_not_tell(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": n, "x": n} for n in range(100)])
    left = [{"run_number": n, "filling": "-" * 20_000} for n in range(100)]
    left[80]["x"] = None
    result = tkstudies("merge", *files, input=left)
    assert [row.get("x") for row in from_lines(result.stdout)] == [*range(80), *[None] * 20]
    assert "x is on both sides, on the left only from row 81 on: the rows before have the right one" in result.stderr
    assert "x" not in from_lines(result.stdout)[81]
    prefixed = tkstudies("merge", "--prefix", "r_", *files, input=left)
    assert [row.get("r_x") for row in from_lines(prefixed.stdout)] == [*[None] * 80, *range(80, 100)]

    files = write(tmp_path, right=[{"run_number": n, "reco": "express", "y": n} for n in range(100)])
    left[90]["reco"] = "express"
    result = tkstudies("merge", *files, input=left)
    assert result.exit_code == 1
    assert "joined on run_number, but from row 91 on the left side has run_number and reco" in result.stderr
    assert tkstudies("merge", "--on", "run_number", *files, input=left).exit_code == 0


@pytest.mark.parametrize("unknown", [{}, {"reco": None}])
def test_keys_are_those_of_all_rows(unknown, tmp_path, tkstudies):
    right = [{"run_number": 7, "f": 0, **unknown}]
    right += [{"run_number": 1, "reco": "express", "f": 1}, {"run_number": 1, "reco": "prompt", "f": 2}]
    left = [{"run_number": 9, **unknown}, {"run_number": 1, "reco": "prompt"}, {"run_number": 7, "reco": "prompt"}]
    result = tkstudies("merge", *write(tmp_path, right=right), input=left)
    assert from_lines(result.stdout) == [left[0], {**left[1], "f": 2}, left[2]]
    assert "right.jsonl: 1 row without run_number and reco not joined" in result.stderr


def test_lumisections_are_joined_by_lumisection(tmp_path, tkstudies):
    right = [{"run_number": 1, "a": 0}, *({"run_number": 1, "lumisection_number": n, "a": n} for n in (1, 2))]
    left = [{"run_number": 1}, *({"run_number": 1, "lumisection_number": n} for n in (2, 1))]
    result = tkstudies("merge", *write(tmp_path, right=right), input=left)
    assert [row.get("a") for row in from_lines(result.stdout)] == [None, 2, 1]


def test_lumisections_of_several_recos(tmp_path, tkstudies):
    rows = [{"run_number": 1, "reco": reco, "lumisection_number": n} for n in (1, 2) for reco in ("express", "prompt")]
    right = [{**row, "f": number} for number, row in enumerate(rows)]
    lumis = [{"run_number": 1, "lumisection_number": n, "lumi": n} for n in (1, 2)]
    result = tkstudies("merge", *write(tmp_path, right=right[::-1], lumis=lumis), input=rows)
    assert [(row["f"], row["lumi"]) for row in from_lines(result.stdout)] == [(0, 1), (1, 1), (2, 2), (3, 2)]
    assert result.stderr == ""


def test_a_first_run_that_oms_does_not_know(tmp_path, tkstudies):
    files = write(tmp_path, oms=[{"run_number": 2, "fill_number": 7}], fills=[{"fill_number": 7, "era": "2018B"}])
    left = [{"run_number": 1}, {"run_number": 2}]
    once = tkstudies("merge", *files, input=left)
    first = tkstudies("merge", files[0], input=left)
    twice = tkstudies("merge", files[1], input=first.stdout)
    assert once.stdout == twice.stdout
    assert from_lines(once.stdout) == [left[0], {"run_number": 2, "fill_number": 7, "fill__era": "2018B"}]


def test_a_table_without_any_value_of_the_key(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"fill_number": None, "era": "2018B"}])
    result = tkstudies("merge", *files, input=[{"run_number": 1, "fill_number": 5}])
    assert (from_lines(result.stdout), result.exit_code) == ([{"run_number": 1, "fill_number": 5}], 0)
    assert "right.jsonl: 1 row without fill_number not joined" in result.stderr


def test_colliding_columns_leave_every_value_as_it_is_written(tmp_path, tkstudies):
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"x":5,"big":1E+2,"text":"\\u00e9"}\n')
    left = '{"run_number":1,"x":0.1000000000000000055,"y":1E+2}'
    result = tkstudies("merge", tmp_path / "right.jsonl", input=left + "\n")
    assert result.stdout == left[:-1] + ',"big":1E+2,"text":"\\u00e9"}\n'
    result = tkstudies("merge", "--prefix", "r_", tmp_path / "right.jsonl", input=left + "\n")
    assert result.stdout == left[:-1] + ',"r_x":5,"big":1E+2,"text":"\\u00e9"}\n'


@pytest.mark.parametrize("taken", ["r_x", "x"])
def test_a_prefixed_column_never_overwrites_one(taken, tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": 1, "x": 1, "z": 3}])
    left = [{"run_number": 1, "x": 0, taken: -1}]
    result = tkstudies("merge", "--prefix", "r_", *files, input=left)
    row = from_lines(result.stdout)[0]
    assert row == {**left[0], **({"r_x": 1} if taken == "x" else {}), "z": 3}
    told = "x is on both sides, and so is r_x: the right one is dropped (another --prefix keeps it)"
    assert (told in result.stderr) == (taken == "r_x")
    again = tkstudies("merge", "--prefix", "r_", *files, *files, input=left)
    assert from_lines(again.stdout)[0] == {**row, "r_z": 3}
    assert told in again.stderr


def test_nan_on_either_side_becomes_null(tmp_path, tkstudies):
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"a":NaN}\n')
    result = tkstudies("merge", tmp_path / "right.jsonl", input='{"run_number":1,"b":Infinity}\n')
    assert json.loads(result.stdout) == {"run_number": 1, "b": None, "a": None}


RIGHT_LINES = [
    b'{"run_number":1,"a":1.50}',
    b'{"run_number": 1, "a": [1, {"run_number": 2}]}',
    b'{"a":"\\u00e9","run_number":1}',
    b'{"run_number":10,"run_number":1,"a":5}',
    b'{"run\\u005fnumber":1,"a":null}',
    b'{"run_number":1}',
    b'{"run_number":1,"a":12345678901234567890123,"run_number":1}',
]


@pytest.mark.parametrize("right", RIGHT_LINES)
@pytest.mark.parametrize("arguments", [[], ["--many"], ["--how", "inner"], ["--prefix", "p_"]], ids=str)
def test_a_right_row_may_be_written_in_any_way(right, arguments, tmp_path, tkstudies):
    (tmp_path / "right.jsonl").write_bytes(right + b"\n" + b'{"run_number":2,"a":7}\n')
    left = [{"run_number": 1, "b": 0}, {"run_number": 10, "b": 1}, {"run_number": 2, "b": 2, "a": "own"}]
    expected = reference_join(
        left,
        [json.loads(right), {"run_number": 2, "a": 7}],
        how="inner" if "inner" in arguments else "left",
        prefix="p_" if "--prefix" in arguments else "",
    )
    result = tkstudies("merge", *arguments, tmp_path / "right.jsonl", input=left)
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected


def test_an_inner_join_with_nothing_is_nothing(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": 1}], empty=[])
    result = tkstudies("merge", "--how", "inner", *files, input=[{"run_number": 1}])
    assert (result.stdout, result.exit_code) == ("", 0)


@pytest.mark.parametrize("key", [None, [1], {"a": 1}, "1", True])
def test_what_is_no_key_joins_nothing(key, tmp_path, tkstudies):
    files = write(
        tmp_path, right=[{"run_number": 7, "a": 1}, {"run_number": [1], "a": 2}, {"run_number": None, "a": 3}]
    )
    result = tkstudies("merge", *files, input=[{"run_number": key}])
    assert (from_lines(result.stdout), result.exit_code) == ([{"run_number": key}], 0)


def test_a_table_brings_the_key_of_the_next_one(tmp_path, tkstudies):
    oms = [{"run_number": n, "fill_number": 6000 + n // 3} for n in range(9)]
    files = write(tmp_path, oms=oms, fills=[{"fill_number": 6000 + n, "era": f"2018{n}"} for n in range(3)])
    left = [{"run_number": n % 9} for n in range(100)]
    rows = from_lines(tkstudies("merge", *files, input=left).stdout)
    eras = [f"2018{n % 9 // 3}" for n in range(100)]
    assert [row["fill__era"] for row in rows] == eras


def test_many_rows_of_many_tables(tmp_path, tkstudies):
    files = write(
        tmp_path,
        a=[{"run_number": 1, "a": n} for n in range(2)],
        b=[{"run_number": 1, "b": n, "a": -1} for n in range(3)],
    )
    rows = from_lines(tkstudies("merge", "--many", *files, input=[{"run_number": 1}, {"run_number": 2}]).stdout)
    joined = [{"run_number": 1, "a": a, "b": b} for a in range(2) for b in range(3)]
    assert rows == [*joined, {"run_number": 2}]


def test_the_right_side_takes_little_more_than_its_bytes(tmp_path):
    size = 60 << 20
    line = b'{"run_number":%d,"reco":"express",' + b",".join(b'"f%d":%.17g' % (n, n / 7) for n in range(80)) + b"}\n"
    with open(tmp_path / "right.jsonl", "wb") as stream:
        for number in range(size // len(line)):
            stream.write(line % number)
    (tmp_path / "left.jsonl").write_text('{"run_number":1,"reco":"express"}\n')
    code = (
        "import resource, sys\nfrom tkstudies import cli\n"
        "sys.argv = ['tkstudies', 'merge', '-i', 'left.jsonl', sys.argv[1], '-o', 'out.jsonl']\n"
        "try:\n    cli.run()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    used = [
        float(subprocess.run([sys.executable, "-c", code, file], cwd=tmp_path, capture_output=True, check=True).stdout)
        for file in (str(empty), "right.jsonl")
    ]
    assert used[1] - used[0] < 1.2 * 60


@pytest.mark.parametrize(
    ("right", "told"),
    [
        ({f"c{n}": n for n in range(24)}, ""),
        ({f"c{n}": float(n) for n in range(24)}, ""),
        ({"c1": None, "c2": 2, "new": 5}, ""),
        ({"c1": True}, "c1 is on both sides: the right one is dropped (--prefix keeps it)"),
        ({"only_here": 5}, "only_here is on both sides: the right one is dropped (--prefix keeps it)"),
        (
            {f"c{n}": -n for n in range(24)},  # of which c0 is equal
            f"{', '.join(f'c{n}' for n in range(1, 11))}, ... (13 more) are on both sides with other values: the right "
            "ones are dropped (--prefix keeps them)",
        ),
    ],
)
def test_one_warning_of_all_columns_with_other_values(right, told, tmp_path, tkstudies):
    left = {"run_number": 1, **{f"c{n}": n for n in range(24)}, "only_here": None}
    files = write(tmp_path, right=[{"run_number": 1, **right}, {"run_number": 2, "c3": 999}])
    result = tkstudies("merge", *files, input=[left, {"run_number": 3}])
    assert from_lines(result.stdout)[0] == {**right, **left} and result.exit_code == 0
    assert result.stderr == (f"warning: {told}\n" if told else "")


def test_of_rows_with_the_same_key_each_is_looked_at(tmp_path, tkstudies):
    files = write(tmp_path, right=[{"run_number": 1, "a": 1, "b": 2}, {"run_number": 1, "a": 7, "b": 3}])
    result = tkstudies("merge", "--many", *files, input=[{"run_number": 1, "a": 1}])
    assert [row["b"] for row in from_lines(result.stdout)] == [2, 3]
    assert result.stderr.startswith("warning: a is on both sides")
