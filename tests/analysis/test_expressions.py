import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.analysis.tables.expressions import OPERATORS, Condition, parse
from tkstudies.errors import UsageError

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
