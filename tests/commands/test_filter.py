"""``filter``: the rows of the definition, byte for byte, whatever else is in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis import studies
from tests.conftest import ROOT, from_lines, rows, to_lines
from tests.pipe.test_columns import NAMES, ODD_LINES, lines
from tkstudies import console, jsonl
from tkstudies.analysis.tables.expressions import parse
from tkstudies.commands.filter import filter_records

EXPRESSIONS = [
    ["reco = express"],
    ["reco in express,prompt", "run_number > 315300"],
    ["problem_names ~ FED", "naïve exists"],
    ["comment missing"],
    ["no_such_column !~ x"],
    ["pixel = GOOD", "pixel != BAD", "pixel exists"],
]


@pytest.mark.parametrize("expressions", EXPRESSIONS, ids=str)
@pytest.mark.parametrize("invert", [False, True])
def test_a_study_equals_the_definition(expressions, invert, tkstudies):
    rows = studies.runs()
    conditions = [parse(expression) for expression in expressions]
    kept = [row for row in rows if all(condition(row) for condition in conditions) != invert]
    result = tkstudies("filter", *expressions, *["--invert"] * invert, input=rows)
    assert (result.stdout, result.exit_code) == (to_lines(kept), 0)
    unknown = expressions == ["no_such_column !~ x"]
    *warnings, counted = result.stderr.splitlines()
    assert counted.startswith(f"{len(kept):,} of {len(rows):,} records kept")
    assert any("warning: no record has a value in no_such_column" in line for line in warnings) == unknown
    assert bool(warnings) == unknown
    assert tkstudies("-q", "filter", *expressions, input=rows).stderr.count("\n") == unknown
    assert kept or unknown


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("trackin = GOOD", "no record has a value in trackin; did you mean tracking?"),
        ("PIXEL missing", "no record has a value in PIXEL; did you mean pixel?"),
        ("x > 1", "no record has a value in x; columns are pixel, tracking, bad_reason"),
        ("strip = GOOD", ""),  # in the first record
        ("bad_reason = hv_scan", ""),  # null in the last one
    ],
)
def test_a_column_that_is_nowhere_is_told(expression, words, tkstudies):
    rows = [{"strip": "BAD"}, {"pixel": "GOOD", "tracking": "GOOD", "bad_reason": None}]
    result = tkstudies("-q", "filter", expression, "pixel = BAD", input=rows)
    assert result.stderr == (f"warning: {words}\n" if words else "")
    assert result.exit_code == 0


STATUSES = [{"tracking": status} for status in ["GOOD"] * 60 + ["BAD"] * 28 + ["NOTSET"] * 2]


@pytest.mark.parametrize(
    ("rows", "expressions", "why"),
    [
        (STATUSES, ["tracking = good"], "tracking is GOOD (60), BAD (28), NOTSET (2); good differs in case only"),
        (STATUSES, ["tracking = EXCLUDED"], "tracking is GOOD (60), BAD (28), NOTSET (2)"),
        (STATUSES, ["tracking in Bad,x"], "tracking is GOOD (60), BAD (28), NOTSET (2); Bad differs in case only"),
        (
            STATUSES,
            ["tracking ~ notset"],
            "tracking is GOOD (60), BAD (28), NOTSET (2); notset differs in case only: (?i)notset finds it",
        ),
        (
            STATUSES,
            ["tracking = GOOD,BAD"],
            "tracking is GOOD (60), BAD (28), NOTSET (2); a list goes with in, and has commas: tracking in GOOD,BAD",
        ),
        (
            STATUSES,
            ["tracking in GOOD BAD"],
            "tracking is GOOD (60), BAD (28), NOTSET (2); a list goes with in, and has commas: tracking in GOOD,BAD",
        ),
        ([{"is_bad": True}], ["is_bad = 1"], "is_bad is true (1); is_bad is true or false"),
        (STATUSES, ["tracking != BAD", "tracking = x"], "tracking is GOOD (60), NOTSET (2) in the 62 that satisfy "),
        ([{"a": "x ", "b": 1}], ["a = x"], 'a is "x " (1); x differs in blanks only'),
        ([{"run": 5}, {"run": 7}], ['run = "5"'], 'run is 5 (1), 7 (1); "5" in quotes is a text, run is a number'),
        ([{"run": 5}, {"run": 7}], ['run > "5"'], 'run is 5 (1), 7 (1); "5" in quotes is a text, run is a number'),
        ([{"run": 5}], ["run = 1-9"], "run is 5 (1); a range goes with in: run in 1-9"),
        ([{"run": 5}], ["run in 9-1"], "run is 5 (1); the range 9-1 is reversed"),
        ([{"x": n / 8} for n in range(9)], ["x > 5"], "x is 0 to 1 (9)"),
        ([{"x": n / 8} for n in range(99)], ["x = 50"], "x is 0 to 12.25 (99)"),
        ([{"x": str(n)} for n in range(25)], ["x = 50"], 'x is "0" (1), "1" (1), '),
        ([{"x": None}, {"x": "5"}, {}, {"x": True}], ["x = 6"], 'x is null (2), "5" (1), true (1)'),
        ([{"x": ["a", "b"]}, {"x": []}, {"x": {"y": 1}}], ["x = c"], "x is a (1), b (1), [] (1), {...} (1)"),
        ([{"x": "\x1b[31m"}], ["x = 6"], "x is '\\x1b[31m' (1)"),
        ([{"x": "y" * 99}], ["x = 6"], f"x is {'y' * 37}... (1)"),
        ([{"t": 5, "lim": 9}], ["t > lim or u = 2"], "t is 5 (1), lim is 9 (1)"),
        ([{"tracking": "GOOD"}], ["--invert", "tracking = GOOD"], "all of them satisfy the conditions, and --invert"),
    ],
)
def test_why_nothing_was_kept(rows, expressions, why, tkstudies):
    result = tkstudies("filter", *expressions, input=rows)
    assert (result.stdout, result.exit_code) == ("", 0)
    counted = f"0 of {len(rows)} record{'s' if len(rows) > 1 else ''} kept: "
    assert result.stderr.splitlines()[-1].startswith(counted + why)
    assert "--invert" in expressions or "in the" in why or len(rows) == 25 or result.stderr.endswith(why + "\n")
    assert tkstudies("filter", "-q", *expressions, input=rows).stderr.count(" kept") == 0


def test_at_most_twenty_values_are_told(tkstudies):
    result = tkstudies("filter", "x = no", input=[{"x": f"v{n}"} for n in range(30)] + [{"x": "v0"}])
    assert result.stderr.startswith("0 of 31 records kept: x is v0 (2), v1 (1), ")
    assert result.stderr.endswith(", v19 (1) and others (10)\n")


def test_the_count_is_always_told(tkstudies):
    assert tkstudies("filter", "tracking = GOOD", input=STATUSES).stderr == "60 of 90 records kept\n"
    assert tkstudies("filter", "--invert", "tracking = GOOD", input=STATUSES).stderr == "30 of 90 records kept\n"
    assert tkstudies("-q", "filter", "tracking = GOOD", input=STATUSES).stderr == ""


GOLDEN = {"317435": [[1, 50]], "317436": [[1, 9]], "317440": []}


@pytest.mark.parametrize(
    ("rows", "arguments", "why"),
    [
        ([{"run_number": 317434}] * 260, [], "run 317434 isn't in it"),
        ([{"run_number": 317434}, {"run_number": "317433.0"}], [], "runs 317434, 317433 aren't in it"),
        ([{"run_number": 317440}], [], "run 317440 isn't in it"),
        ([{"run_number": n} for n in range(300, 330)], [], "runs 300, 301, 302, 303, 304 and others aren't in it"),
        (
            [{"run_number": 317435, "lumisection_number": n} for n in (51, 52)],
            [],
            "run 317435 is in it, but not lumisections 51, 52",
        ),
        ([{"run_number": 317434, "x": 1}], ["x = 1"], "run 317434 isn't in it"),
    ],
)
def test_why_nothing_is_certified(rows, arguments, why, tkstudies, tmp_path):
    (tmp_path / "golden.json").write_text(json.dumps(GOLDEN))
    result = tkstudies("filter", "--golden", tmp_path / "golden.json", *arguments, input=rows)
    assert (result.stdout, result.exit_code) == ("", 0)
    assert result.stderr == f"0 of {console.counted(len(rows), 'record')} kept: {tmp_path}/golden.json: {why}\n"


def test_what_a_certified_run_lacks(tkstudies, tmp_path):
    (tmp_path / "golden.json").write_text(json.dumps(GOLDEN))
    rows = [{"run_number": 317435, "x": 2}, {"run_number": 317434, "x": 1}]
    result = tkstudies("filter", "--golden", tmp_path / "golden.json", "x = 1", input=rows)
    assert (result.stdout, result.stderr) == ("", "0 of 2 records kept: x is 2 (1)\n")
    (tmp_path / "empty.json").write_text("{}")
    result = tkstudies("filter", "--golden", tmp_path / "empty.json", input=rows)
    assert result.stderr.endswith("empty.json names no run\n")
    rows = [{"run_number": 317435}, {"run_number": None}, {"run_number": "run 317435"}]
    result = tkstudies("filter", "--golden", tmp_path / "golden.json", input=rows)
    assert result.stderr.splitlines() == [
        f"warning: 2 records without a run number can't be in {tmp_path}/golden.json",
        "1 of 3 records kept",
    ]


def test_keys_of_records_in_other_clothes(tkstudies, tmp_path):
    (tmp_path / "golden.json").write_text('{"392001": [[1, 50]], "392002": [[5, 9]]}')
    good = [{"run_number": run} for run in (392001, 392001.0, "392002", " 392002.0 ")]
    good += [{"run_number": 392001, "lumisection_number": number} for number in (12, 12.0, "12")]
    bad = [{"run_number": 392003.0}, {"run_number": 392002, "lumisection_number": 12.0}]
    result = tkstudies("filter", "--golden", tmp_path / "golden.json", input=[*good, *bad])
    assert from_lines(result.stdout) == good
    assert result.stderr == "7 of 9 records kept\n"


def test_certified_runs_need_a_run_number(tkstudies, tmp_path):
    (tmp_path / "golden.json").write_text('{"315257": [[1, 88]]}')
    result = tkstudies("filter", "--golden", tmp_path / "golden.json", input=[{"run": 315257}])
    assert (result.stdout, result.exit_code) == ("", 0)
    assert "no record has a value in run_number" in result.stderr


@given(st.lists(lines, max_size=8), st.sampled_from([name for name in NAMES if name and '"' not in name]))
def test_odd_lines_pass_unchanged(tmp_path_factory, some, column):
    folder = tmp_path_factory.mktemp("filter")
    source = folder / "in.jsonl"
    source.write_bytes(b"\n".join(some))
    condition = parse(f'"{column}" exists')
    filter_records([f'"{column}" exists'], inputs=[str(source)], output=str(folder / "out.jsonl"))
    expected = b"".join(line.strip() + b"\n" for line in some if condition(jsonl.decode(line)))
    assert (folder / "out.jsonl").read_bytes() == expected


@pytest.mark.parametrize("line", ODD_LINES)
def test_a_name_may_be_escaped_or_repeated(line, tkstudies):
    record = json.loads(line)
    for column in ("run_number", "a.mean"):
        result = tkstudies("filter", f"{column} exists", input=line)
        assert bool(from_lines(result.stdout)) == (record.get(column) is not None)


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "tab\t"])
def test_any_name_can_be_asked_for(name, tkstudies):
    quote = "'" if '"' in name else '"'
    rows = [{name: 1}, {name: None}, {"other": 2}]
    result = tkstudies("filter", f"{quote}{name}{quote} = 1", input=rows)
    assert from_lines(result.stdout) == rows[:1]


def test_not_a_number_becomes_null_also_where_nobody_looks(tkstudies):
    result = tkstudies("filter", "a = 1", input='{"a":1,"b":[NaN,{"c":-Infinity}]}\n{"a":NaN}\n')
    assert result.stdout == '{"a":1,"b":[null,{"c":null}]}\n'


@pytest.mark.parametrize("line", [b'{"a":1,"b":"\xff"}', b'{"a":1,"\xff":2}', b'{"a":1,"b":tru}', b'{"a":1}}'])
def test_what_is_not_json_is_found_also_where_nobody_looks(line, tkstudies):
    result = tkstudies("filter", "a = 1", input=b'{"a":1}\n' + line + b"\n")
    assert (result.stdout, result.exit_code) == ('{"a":1}\n', 1)
    assert "standard input, line 2: not a JSON object" in result.stderr


def test_a_lone_surrogate_passes(tkstudies):
    result = tkstudies("filter", "a ~ x", input='{"a":"x\\ud800","b":"\\udfff"}\n')
    assert from_lines(result.stdout) == [{"a": "x\ud800", "b": "\udfff"}]


def test_a_record_is_handed_on_while_the_next_one_is_awaited(shell):
    script = (
        "(echo '{\"a\":1}'; sleep 2.5) | tkstudies filter 'a = 1' | tkstudies select a"
        " | tkstudies filter 'a = 1' | timeout 2 head -1"
    )
    assert shell(script).stdout == '{"a":1}\n'


def test_memory_does_not_grow_with_the_input(shell):
    script = (
        'python -c "for n in range(400000): print(\'{\\"a\\":1,\\"run_number\\":%d}\' % n)" > in.jsonl;'
        'python -c "import resource, subprocess;'
        "subprocess.run(['tkstudies', 'filter', 'a = 1', '-i', 'in.jsonl'], stdout=subprocess.DEVNULL, check=True);"
        'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"'
    )
    assert int(shell(script).stdout) < 60


def test_a_certification_file_keeps_good_runs_and_lumisections(tmp_path, tkstudies):
    golden = tmp_path / "golden.json"
    golden.write_text('{\n "315257": [[1, 88],\n [91, 92]], "315258": []}')
    rows = [
        {"run_number": 315257, "x": 1},
        {"run_number": 315258, "x": 1},
        {"run_number": 315257, "lumisection_number": 90, "x": 1},
        {"run_number": 315257, "lumisection_number": 92, "x": 2},
        {"x": 1},
    ]
    assert from_lines(tkstudies("filter", "--golden", golden, input=rows).stdout) == [rows[0], rows[3]]
    assert from_lines(tkstudies("filter", "--golden", golden, "x = 1", input=rows).stdout) == [rows[0]]
    inverted = tkstudies("filter", "--golden", golden, "x = 1", "--invert", input=rows)
    assert from_lines(inverted.stdout) == rows[1:]


def test_the_golden_lumisections_of_a_real_run(tkstudies):
    data = ROOT / "tests/data"
    lumisections = (data / "oms/lumisections_315265.jsonl").read_text()
    kept = tkstudies("filter", "--golden", data / "certification/golden_2018.json", input=lumisections)
    assert [row["lumisection_number"] for row in from_lines(kept.stdout)] == list(range(4, 59))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "nothing to filter by"),
        (["--golden", "nope.json"], 1, "nope.json: no such file"),
        (["--golden", ROOT / "pyproject.toml"], 1, "is not a certification file"),
    ],
)
def test_nothing_to_filter_by(arguments, code, words, tkstudies):
    result = tkstudies("filter", *arguments, input='{"a":1}\n')
    assert (result.stdout, result.exit_code) == ("", code)
    assert words in result.stderr


PCA = [{"run_number": n, "t2": n, "t2_limit_99": 30.5, "q": n % 7, "q_limit_99": 5.5} for n in range(44)]


def test_rows_above_their_limit(tkstudies):
    result = tkstudies("filter", "t2 > t2_limit_99", input=PCA)
    assert (from_lines(result.stdout), result.stderr) == (PCA[31:], "13 of 44 records kept\n")
    either = tkstudies("filter", "t2 > t2_limit_99 or q > q_limit_99", input=PCA)
    assert from_lines(either.stdout) == [row for row in PCA if row["t2"] > 30.5 or row["q"] > 5.5]
    inverted = tkstudies("filter", "--invert", "t2 > t2_limit_99", input=PCA)
    assert from_lines(inverted.stdout) == PCA[:31]
    odd = [{'t "2"': 5, "lim\\it": 3}, {'t "2"': 5, "lim\\it": None}, {'t "2"': 5}]
    assert from_lines(tkstudies("filter", "'t \"2\"' > lim\\it", input=odd).stdout) == odd[:1]


def test_a_word_beside_a_column_of_that_name(tkstudies):
    rows = [{"truth_component": "strip", "strip": "BAD"}, {"truth_component": "BAD", "strip": "BAD"}]
    for expression in ("truth_component = strip", "truth_component in strip,pixel", "truth_component != BAD"):
        assert from_lines(tkstudies("filter", expression, input=rows).stdout) == rows[:1]


def test_a_number_has_no_order_to_a_word(tkstudies, tmp_path):
    (tmp_path / "old.jsonl").write_text("kept\n")
    for options in ([], ["-o", tmp_path / "old.jsonl"]):
        result = tkstudies("filter", "t2 > nonsense", *options, input=PCA)
        assert (result.stdout, result.exit_code) == ("", 1)
        told = "tkstudies: t2 is a number, nonsense is neither a number nor a column; columns are run_number, t2, "
        assert result.stderr.startswith(told)
        assert result.stderr.count("\n") == 1
    assert (tmp_path / "old.jsonl").read_text() == "kept\n"
    result = tkstudies("filter", "run_number = 3 or t2 > t2_limit", input=PCA)
    assert (from_lines(result.stdout), result.exit_code) == (PCA[3:4], 1)
    assert result.stderr.endswith("did you mean t2_limit_99 or q_limit_99?\n")


def test_a_word_that_only_some_records_have(tkstudies):
    rows = [{"t2": 9}, {"t2": 9, "limit": 3}, {"t2": 9, "limit": None}, {"t2": 9}]
    result = tkstudies("filter", "t2 > limit", input=rows)
    assert (from_lines(result.stdout), result.stderr, result.exit_code) == (rows[1:2], "1 of 4 records kept\n", 0)
    result = tkstudies("filter", "a > limit", input=[{"a": "x"}, {"a": "x", "limit": "b"}])
    assert result.exit_code == 1
    assert "limit is a column of this record, and records before it had none" in result.stderr


def test_dates_and_eras_are_texts(tkstudies):
    rows = [
        {"start_time": f"2018-0{month}-10T00:00:00Z", "fill__era": f"2018{'ABCD'[month - 4]}"} for month in range(4, 8)
    ]
    assert from_lines(tkstudies("filter", "start_time < 2018-06-01", input=rows).stdout) == rows[:2]
    assert from_lines(tkstudies("filter", "fill__era >= 2018B", input=rows).stdout) == rows[1:]


def test_ranges_and_or(tkstudies):
    rows = [{"run_number": 317430 + n, "pixel": "BAD" if n == 9 else "GOOD"} for n in range(12)]
    result = tkstudies("filter", "run_number in 317434-317436,317440 or pixel = BAD", input=rows)
    assert [row["run_number"] for row in from_lines(result.stdout)] == [317434, 317435, 317436, 317439, 317440]
    for told in ("and", "&&"):
        refused = tkstudies("filter", f"pixel = BAD {told} strip = BAD", input=rows)
        assert (refused.stdout, refused.exit_code) == ("", 2)
        assert "write 'pixel = BAD' 'strip = BAD'" in refused.stderr


EXPRESSION = "x > limit or pixel = BAD"
TABLE = [
    {"run_number": n, "a.mean": n * n % 7, "b.mean": n % 5, "x": n, "limit": 6.5, "pixel": "BAD" if n < 2 else "GOOD"}
    for n in range(12)
]


def test_every_option_that_takes_an_expression(tkstudies, tmp_path):
    (tmp_path / "right.jsonl").write_text(to_lines([]))
    left = rows(tkstudies("diff", tmp_path / "right.jsonl", "--left-where", EXPRESSION, input=TABLE))
    assert [row["run_number"] for row in left] == [0, 1, 7, 8, 9, 10, 11]
    (tmp_path / "right.jsonl").write_text(to_lines(TABLE))
    right = rows(tkstudies("diff", tmp_path / "right.jsonl", "--right-where", EXPRESSION, input=TABLE[:1]))
    assert [row["run_number"] for row in right] == [1, 7, 8, 9, 10, 11]
    fitted = tkstudies("pca", "-n", "1", "--features", "*.mean", "--fit-where", EXPRESSION, input=TABLE)
    assert "7 rows" in fitted.stderr
    learned = tkstudies("outliers", "-m", "lof", "--columns", "*.mean", "--train-where", EXPRESSION, input=TABLE)
    assert "learned from 7 rows" in learned.stderr


COMMANDS = {
    "--left-where": ["diff", "right.jsonl"],
    "--right-where": ["diff", "right.jsonl"],
    "--fit-where": ["pca", "-n", "1", "--features", "*.mean"],
    "--train-where": ["outliers", "--columns", "*.mean"],
}


@pytest.mark.parametrize("option", COMMANDS)
def test_the_same_words_for_every_expression(option, tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.jsonl").write_text(to_lines(TABLE))
    result = tkstudies(*COMMANDS[option], option, "x > nonsense", input=TABLE)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "x is a number, nonsense is neither a number nor a column; columns are run_number" in result.stderr
    result = tkstudies(*COMMANDS[option], option, "pixel = bad", input=TABLE)
    assert "pixel is GOOD (10), BAD (2); bad differs in case only" in result.stderr
    result = tkstudies(*COMMANDS[option], option, "pixl = BAD", input=TABLE)
    assert "no record has a value in pixl; did you mean pixel?" in result.stderr
    result = tkstudies(*COMMANDS[option], option, "x = 1 and pixel = BAD", input=TABLE)
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "write 'x = 1' 'pixel = BAD'" in result.stderr
