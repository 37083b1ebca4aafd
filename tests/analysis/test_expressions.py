import math
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.analysis.tables.conditions import ALL_HOLD, Conditions
from tkstudies.analysis.tables.expressions import OPERATORS, Condition, parse
from tkstudies.console import Losses
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl import encode
from tkstudies.jsonl.columns import NamedColumns

ROW = {
    "run_number": 321012,
    "reco": "express",
    "pixel": "GOOD",
    "strip": None,
    "fill__era": "2018D",
    "Hits.Pixel.mean": 2.5,
    "charge.PXDisk_+1.mean": -3,
    "size.PXDisk_-1.rms": 0.25,
    "int_luminosity": "12.50",
    "stable_beam": True,
    "start_time": "2018-08-10T12:00:00Z",
    "problem_names": ["FED error", "noisy module"],
    "components": [],
    "big": 9007199254740993,
    "comment": "HV off, 1 LS",
    "odd name": 1,
    "bad": math.nan,
    "hist": {"type": "TH1"},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("reco = express", True),
        ("reco=express", True),
        ("  reco  =  express  ", True),
        ("reco != express", False),
        ("reco = Express", False),
        ("reco in express,prompt", True),
        ("reco in prompt , online", False),
        ("run_number in 1, 321012", True),
        ("comment in 'HV off, 1 LS'", True),
        ("Hits.Pixel.mean > 0", True),
        ("Hits.Pixel.mean>2.5", False),
        ("Hits.Pixel.mean >= 25e-1", True),
        ("charge.PXDisk_+1.mean < -2", True),
        ("charge.PXDisk_+1.mean=-3.0", True),
        ("size.PXDisk_-1.rms <= .25", True),
        ("run_number = 321012.0", True),
        ('run_number = "321012"', False),
        ("run_number = express", False),
        ("run_number < express", False),
        ("run_number ~ ^3210", True),
        ("int_luminosity = 12.5", True),
        ("int_luminosity > 9", True),
        ("int_luminosity > '9'", False),
        ("big = 9007199254740993", True),
        ("big = 9007199254740992", False),
        ("big > 9007199254740992", True),
        ("stable_beam = true", True),
        ("stable_beam = 1", False),
        ("stable_beam > 0", False),
        ("stable_beam != false", True),
        ("stable_beam ~ tru", True),
        ("start_time >= 2018-08-01", True),
        ("start_time < 2018-08-01", False),
        ("fill__era = 2018D", True),
        ("fill__era > 2018C", True),
        ("problem_names = 'FED error'", True),
        ("problem_names != 'FED error'", False),
        ("problem_names in dcs,noisy module", True),
        ("problem_names ~ (?i)fed", True),
        ("problem_names !~ timing", True),
        ("problem_names > a", False),
        ("components = x", False),
        ("components exists", True),
        ("comment ~ \\b1 LS", True),
        ("comment !~ scan", True),
        ("'odd name' = 1", True),
        ('"odd name" exists', True),
        ("hist exists", True),
        ("hist = TH1", False),
        ("hist !~ TH1", True),
    ],
)
def test_condition(text, holds):
    assert parse(text)(ROW) is holds


@pytest.mark.parametrize("column", ["strip", "absent", "bad"])
@pytest.mark.parametrize(
    ("rest", "holds"),
    [
        ("missing", True),
        ("exists", False),
        ("= GOOD", False),
        ("!= GOOD", True),
        ("~ .", False),
        ("!~ .", True),
        ("in GOOD,0", False),
        ("< 1", False),
        (">= 0", False),
        ("= 0", False),
    ],
)
def test_null_absent_and_nan_are_the_same(column, rest, holds):
    assert parse(f"{column} {rest}")(ROW) is holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected COLUMN OP VALUE"),
        ("reco", "expected COLUMN OP VALUE"),
        ("= express", "expected COLUMN OP VALUE"),
        ("odd name = 1", "quote a column"),
        ("reco not in express", "expected COLUMN OP VALUE"),
        ("reco =", "expected a value after ="),
        ("reco in", "expected a value after in"),
        ("reco == express", "== is no operator"),
        ("reco =~ express", "=~ is no operator"),
        ("x => 3", "=> is no operator"),
        ("reco exists 3", "exists takes no value"),
        ("reco = null", "missing"),
        ("reco != None", "missing"),
        ("x = NaN", "missing"),
        ("reco in express,null", "missing"),
        ("reco in a,,b", "member of the list is empty"),
        ("reco in a,", "member of the list is empty"),
        ("reco in [a,b]", "without brackets"),
        ("reco in 'a'b,c", "a quoted value must end"),
        ("reco = 'express", "a quoted value must end"),
        ("reco = express and pixel = GOOD", "one condition per expression"),
        ("comment ~ (", "bad regular expression '('"),
        ("comment ~ " + "a" * 1001, "1000 characters"),
        ("comment ~ a{99999999999999999999}", "bad regular expression"),
    ],
)
def test_errors_say_what_was_expected(text, says):
    with pytest.raises(UsageError) as error:
        parse(text)
    message = str(error.value)
    assert says in message
    assert " ".join(OPERATORS) in message
    assert repr(text[:60])[:-1] in message
    assert error.value.exit_code == 2


def test_quotes_allow_any_text():
    assert parse("comment = 'a and b = c'")({"comment": "a and b = c"})
    assert parse('comment = ""')({"comment": ""})
    assert parse('comment = "=x"')({"comment": "=x"})
    assert parse("comment ~ 'null'")({"comment": "nullify"})


def test_columns_and_value_are_readable():
    condition = parse("reco in express,1,true,'2'")
    assert (condition.column, condition.operator, condition.columns) == ("reco", "in", ("reco",))
    assert condition.value == ("express", 1, True, "2")
    assert parse("x ~ ^a").value == "^a"
    assert condition == parse("reco in express, 1, true, '2'")


def test_holds_judges_a_value_without_its_record():
    assert parse("Hits.mean > 1").holds(2)
    assert not parse("Hits.mean > 1").holds(None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
VALUES = st.text(max_size=12) | st.integers().map(str) | st.floats().map(repr) | st.sampled_from(["1e999", "true"])


@given(st.text(max_size=40) | st.tuples(st.text(max_size=5), st.sampled_from(OPERATORS), VALUES).map(" ".join))
def test_any_text_is_a_condition_or_a_usage_error(text):
    try:
        condition = parse(text)
    except UsageError:
        return
    assert isinstance(condition, Condition)
    assert isinstance(condition({}), bool)


@given(st.sampled_from(OPERATORS[:-2]), VALUES, JSON)
def test_a_condition_never_raises(name, value, item):
    try:
        condition = parse(f"x {name} {value}")
    except UsageError:
        return
    assert isinstance(condition({"x": item}), bool)


@given(st.sampled_from(["=", "~"]), VALUES, JSON)
def test_negated_operators_are_exact_negations(name, value, item):
    try:
        condition = parse(f"x {name} {value!r}")
    except UsageError:
        return
    assert parse(f"x !{name} {value!r}")({"x": item}) is not condition({"x": item})


@given(st.integers(), st.integers())
def test_integers_compare_exactly(left, right):
    assert parse(f"x < {right}")({"x": left}) is (left < right)
    assert parse(f"x = {right}")({"x": str(left)}) is (left == right)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("m > 0", "abc", False),
        ("m < 0", "abc", False),
        ("m > 0", "12.5", True),
        ("m = 5", "5.0", True),
        ("m != 5", "abc", True),
        ("t > 2018-06", "2018-06-21T02:11:05Z", True),
        ('t > "2018"', "2018-06-21T02:11:05Z", True),
    ],
)
def test_a_number_and_a_word_have_no_order(text, value, holds):
    assert parse(text)({text[0]: value}) is holds


# --- two columns


@pytest.mark.parametrize(
    ("text", "record", "holds"),
    [
        ("t2 > t2_limit_99", {"t2": 14, "t2_limit_99": 13.8}, True),
        ("t2>t2_limit_99", {"t2": 13, "t2_limit_99": 13.8}, False),
        ("a <= b", {"a": 2, "b": 2.0}, True),
        ("a < b", {"a": "9", "b": 10}, True),
        ("a < b", {"a": 9, "b": "10"}, True),
        ("a < b", {"a": "9", "b": "10"}, True),
        ("a < b", {"a": "2018A", "b": "2018B"}, True),
        ("a < b", {"a": "2018-05-01", "b": "2018-05"}, False),
        ("a < b", {"a": 1, "b": None}, False),
        ("a < b", {"a": None, "b": 1}, False),
        ("a >= b", {"a": None, "b": None}, False),
        ("a < b", {"b": 1}, False),
        ("a < b", {"a": 1}, False),
        ("a < b", {"a": 1, "b": math.nan}, False),
        ("a < b", {"a": 1, "b": True}, False),
        ("a < b", {"a": False, "b": True}, False),
        ("a < b", {"a": 1, "b": [2]}, False),
        ("a < b", {"a": 1, "b": "x"}, False),
        ("a < Hits.Pixel_+1.mean", {"a": 1, "Hits.Pixel_+1.mean": 2}, True),
        ("a < true", {"a": 1, "true": 2}, True),
        ("a < 5", {"a": 1, "5": 0}, True),
        ("a < 'b'", {"a": "a", "b": "A"}, True),
        ("a = b", {"a": "b", "b": "c"}, True),
        ("a != b", {"a": "c", "b": "c"}, True),
        ("a in b,c", {"a": "b", "b": 1, "c": 1}, True),
        ("a ~ b", {"a": "xbx", "b": "q"}, True),
        ("start_time < 2018-06-01", {"start_time": "2018-05-31T23:59:59Z"}, True),
        ("start_time < 2018-06-01", {"start_time": "2018-06-01T00:00:00Z"}, False),
        ("fill__era >= 2018B", {"fill__era": "2018C"}, True),
        ("fill__era >= Run2018B", {"fill__era": "Run2018A"}, False),
    ],
)
def test_an_order_to_a_word(text, record, holds):
    assert parse(text)(record) is holds
    stream = Conditions([text])
    assert stream.hold(record) is holds
    form = NamedColumns(stream.columns, unset=stream.words)
    assert (stream.failing(form.from_record(record)) == ALL_HOLD) is holds
    assert (stream.failing(form.decode(encode(record))) == ALL_HOLD) is holds


def test_the_columns_of_an_order():
    assert parse("t2 > t2_limit_99").columns == ("t2", "t2_limit_99")
    assert parse("a = b or t2 > limit").columns == ("a", "t2", "limit")
    for text in ("a = b", "a in b", "a ~ b", "a > 5", "a > 'b'", "a exists"):
        assert parse(text).columns == ("a",)


def stream(text, records):
    conditions = Conditions([text])
    kept = [record for record in records if conditions.hold(record)]
    losses = Losses()
    conditions.check(records[-1], losses)
    return kept, losses.texts()


def test_a_column_that_comes_later():
    numbers = [{"t2": 5}, {"t2": 5, "limit": 3}, {"t2": 1, "limit": 3}, {"t2": 9}, {"t2": 9, "limit": None}]
    assert stream("t2 > limit", numbers) == (numbers[1:2], [])
    texts = [{"a": "x"}, {"a": "x", "limit": "b"}, {"a": "x"}]
    with pytest.raises(InputError, match="a > limit: limit is a column of this record, and records before it had none"):
        stream("a > limit", texts)
    assert stream("a < limit", texts) == ([], [])  # the text would not have held either
    conditions = Conditions(["limit exists", "a > limit"])
    assert [conditions.hold(record) for record in texts] == [False, True, False]
    assert stream("a > 'limit'", texts) == (texts, [])


def test_a_number_and_a_word_that_is_no_column():
    for word in ("nonsense", "2018-06-01", "true", "12a"):
        with pytest.raises(InputError) as error:
            stream(f"t2 > {word}", [{"t2": 5, "b": 1}, {"t2": None}])
        assert str(error.value) == f"t2 is a number, {word} is neither a number nor a column; columns are t2"
        assert error.value.exit_code == 1
    with pytest.raises(InputError, match=r"did you mean t2_limit_99\?"):
        stream("t2 > t2_limit99", [{"t2": 5, "t2_limit_99": 7}])
    with pytest.raises(InputError, match="nonsense is neither"):
        stream("x = 1 or t2 < nonsense", [{"t2": 5, "x": 2}])
    assert stream("t2 > limit", [{"t2": 5}, {"t2": 5, "limit": None}]) == ([], [])
    mixed = [{"era": "2018B"}, {"era": 2018}, {"era": 2017}]
    told = "2 numbers in era not compared with 2018A, which is no number and no column"
    assert stream("era > 2018A", mixed) == (mixed[:1], [told])
    assert stream("t2 > nonsense", [{"t2": None}, {"t2": True}, {}]) == ([], [])


# --- or, and, brackets


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pixel = BAD or strip = BAD", ["pixel = BAD", "strip = BAD"]),
        ("pixel=BAD OR strip=BAD  or\tt2 > limit", ["pixel=BAD", "strip=BAD", "t2 > limit"]),
        ("a missing or b exists or c in 1-5,7", ["a missing", "b exists", "c in 1-5,7"]),
        ("a ~ HV or b = 1", ["a ~ HV", "b = 1"]),
        ("a !~ x or y or b = 1", ["a !~ x or y", "b = 1"]),
        ("a ~ HV or LV", ["a ~ HV or LV"]),
        ("a ~ HV and LV || x & y | z", ["a ~ HV and LV || x & y | z"]),
        ("a ~ dead or missing", ["a ~ dead or missing"]),
        ("a ~ (x or b = 3)", ["a ~ (x or b = 3)"]),
        ("a ~ 'x or b = 1'", ["a ~ 'x or b = 1'"]),
        ("a = 'x or b = 1'", ["a = 'x or b = 1'"]),
        ('a in "x or b = 1",y or c = 2', ['a in "x or b = 1",y', "c = 2"]),
        ("a = 'x' or b ~ \"y or c = 1\" or d = 1", ["a = 'x'", 'b ~ "y or c = 1"', "d = 1"]),
        ("'a or b' = 3 or c = 1", ["'a or b' = 3", "c = 1"]),
        ("a = or", ["a = or"]),
        ("colour = orange", ["colour = orange"]),
        ("a = 'x and y'", ["a = 'x and y'"]),
    ],
)
def test_where_or_stands_between_conditions(text, parts):
    assert [condition.text for condition in parse(text).alternatives] == parts


@pytest.mark.parametrize("joined", [" or ", " OR ", "  or\n"])
def test_or_is_or(joined):
    condition = parse(joined.join(["pixel = BAD", "strip = BAD", "t2 > limit"]))
    rows = [{"pixel": p, "strip": s, "t2": t, "limit": 2} for p in ("BAD", None) for s in ("BAD", "X") for t in (1, 3)]
    stream = Conditions([condition])
    for row in rows:
        expected = "BAD" in (row["pixel"], row["strip"]) or row["t2"] == 3
        assert condition(row) is expected
        assert stream.hold(row) is expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pixel = BAD and strip = BAD", "write 'pixel = BAD' 'strip = BAD' (all expressions must hold)"),
        ("pixel = BAD AND strip = BAD", "write 'pixel = BAD' 'strip = BAD' (all"),
        ("pixel = BAD && strip = BAD", "write 'pixel = BAD' 'strip = BAD' (all"),
        ("a = 1&&b = 2", "write 'a = 1' 'b = 2' (all"),
        ("a = 1 & b = 2", "write 'a = 1' 'b = 2' (all"),
        ("a = 1 || b = 2", "write 'a = 1 or b = 2';"),
        ("a = 1||b = 2", "write 'a = 1 or b = 2';"),
        ("a = 1 | b = 2", "write 'a = 1 or b = 2';"),
        ("(a = 1)", "write 'a = 1';"),
        ("(a = 1 or b = 2) and c = 3", "write 'a = 1 or b = 2' 'c = 3' (all"),
        ("c = 3 && (a = 1 || b = 2)", "write 'c = 3' 'a = 1 or b = 2' (all"),
        ("a = 1 or b = 2 and c = 3", "write 'a = 1 or b = 2' 'a = 1 or c = 3' (all"),
        ("(a = 1 and b = 2) or c = 3", "write 'a = 1 or c = 3' 'b = 2 or c = 3' (all"),
        ("((a ~ (x|y)) and (b = ')'))", "write 'a ~ (x|y)' 'b = '\"'\"')'\"'\"'' (all"),
        ("a ~ x and b = 1", "write 'a ~ x' 'b = 1' (all"),
        ("a = 'x' and b = \"it's\"", "write"),
        ("(a) = 1", "without brackets: all expressions must hold"),
        ("(a = 1 or not b = 2)", "without brackets: all expressions must hold"),
        ("a = 1 and (b = 2", "without brackets"),
        ("or", "one argument: 'pixel = BAD or strip = BAD'"),
        ("pixel = BAD or EXCLUDED", "for several values write pixel in BAD,EXCLUDED; quote a text that holds or"),
        ("pixel != BAD or EXCLUDED", "behind or a whole condition is expected: quote a text that holds or"),
        ("a = x and y", "behind and a whole condition is expected"),
        ("a in x or y", "write a in x,y"),
        ("a = 1 or b =", "expected a value after ="),
        ("a = 1 or b = null", "write COLUMN missing"),
        ("a = 1 or b == 2", "== is no operator"),
        ("a = 1 or", "quote a text that holds or"),
        ("a = or b = 2", "quote a text that holds or"),
        ("a ~ 'x", "a quoted value must end with its quote"),
    ],
)
def test_what_is_written_in_another_way(text, line):
    with pytest.raises(UsageError) as error:
        parse(text)
    assert line in str(error.value)
    assert str(error.value).startswith(f"filter expression {text!r}: ")
    assert str(error.value).endswith("; operators are " + " ".join(OPERATORS))


def test_the_line_that_is_offered_means_the_same():
    rows = [{"a": a, "b": b, "c": c} for a in (1, 2) for b in (1, 2) for c in (1, 2)]
    meanings = {
        "(a = 1 or b = 2) and c = 1": lambda a, b, c: (a == 1 or b == 2) and c == 1,
        "a = 1 or b = 2 and c = 1": lambda a, b, c: a == 1 or (b == 2 and c == 1),
        "a = 1 && (b = 2 || c = 1)": lambda a, b, c: a == 1 and (b == 2 or c == 1),
        "(a = 1 and b = 2) or (b = 1 and c = 2)": lambda a, b, c: (a == 1 and b == 2) or (b == 1 and c == 2),
        "a = 1 or (b = 2 or (c = 1 and a = 2))": lambda a, b, c: a == 1 or b == 2 or (c == 1 and a == 2),
    }
    for text, meaning in meanings.items():
        with pytest.raises(UsageError) as error:
            parse(text)
        offered = shlex.split(str(error.value).partition("write ")[2].partition(" (all")[0])
        conditions = Conditions(offered)
        for row in rows:
            assert conditions.hold(row) is meaning(**row), (text, offered, row)


def test_many_alternatives():
    text = " or ".join(f"run = {number}" for number in range(3000))
    assert parse(text)({"run": 2999})
    assert parse("comment ~ " + " or ".join("x" for _ in range(190)))({"comment": " or ".join("x" * 190)})


# --- ranges


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("x in 317434-317440", 317434, True),
        ("x in 317434-317440", 317440, True),
        ("x in 317434-317440", 317437.0, True),
        ("x in 317434-317440", "317437", True),
        ("x in 317434-317440", 317433, False),
        ("x in 317434-317440", 317441, False),
        ("x in 317434-317440", 317437.5, False),
        ("x in 317434-317440", True, False),
        ("x in 317434-317440", None, False),
        ("x in 317434-317440", [1, 317439], True),
        ("x in 317434-317440", "317434-317440", True),
        ("x in 0-1", True, False),
        ("x in 5-5", 5, True),
        ("x in 1-3, 7 ,9 - 11", 10, True),
        ("x in 1-3, 7 ,9 - 11", 7, True),
        ("x in 1-3, 7 ,9 - 11", 8, False),
        ("x in 9-3", 5, False),
        ("x in 9-3", "9-3", True),
        ("x in 2018-06", "2018-06", True),
        ("x in 2018-06", 6, False),
        ("x in '1-9'", 5, False),
        ("x in '1-9'", "1-9", True),
        ("x in -5-9", 3, False),
        ("x in 1-2-3", 2, False),
        ("x = 1-9", 5, False),
        ("x = 1-9", "1-9", True),
    ],
)
def test_ranges_of_whole_numbers(text, value, holds):
    assert parse(text)({"x": value}) is holds
