"""The JSON of the DQM GUI: what is mended, and that nothing else is touched."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.services.dqm.gui import histogram_json
from tkstudies.services.dqm.repair import Unreadable, loads, without_texts_for_numbers

NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip
PIECES = ('"', "{", "}", "[", "]", ":", ",", "nan", "inf", "-", "\\", "'", '"error":"NaN}', '"title":"', " ", "1", "é")


@given(st.dictionaries(st.text(), JSON))
def test_valid_json_is_never_changed(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


@given(st.binary() | st.lists(st.sampled_from(PIECES)).map(lambda pieces: "".join(pieces).encode()))
def test_any_bytes_give_an_object_or_the_one_error(content):
    try:
        assert isinstance(loads(content), dict)
    except Unreadable as error:
        assert str(error)


@given(st.binary() | st.lists(st.sampled_from(PIECES)).map(lambda pieces: ('{"hist":' + "".join(pieces)).encode()))
def test_any_answer_gives_one_line_of_strict_json_or_the_one_error(content):
    try:
        line = histogram_json(content)
    except Unreadable:
        return
    assert line is None or (b"\n" not in line and isinstance(json.loads(line, parse_constant=pytest.fail), dict))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"error":[nan,1,-inf,inf,NaN]}', {"error": [None, 1, None, None, None]}),
        ('{"error":[inf, nan ,\n-nan]}', {"error": [None, None, None]}),
        ('{"min":nan,"max":-inf}', {"min": None, "max": None}),
        ('{"title":"nan inf","content":[nan]}', {"title": "nan inf", "content": [None]}),
        ('{"banana":[1],"x":[nan]}', {"banana": [1], "x": [None]}),
        (
            '{"mean":{"X":{"value":"NaN","error":"NaN}},"rms":{"X":{"value":"inf","error":"inf}},"underflow":0}',
            {
                "mean": {"X": {"value": "NaN", "error": None}},
                "rms": {"X": {"value": "inf", "error": None}},
                "underflow": 0,
            },
        ),
        ('{"title":"run"s end","n":1}', {"title": "run's end", "n": 1}),
        ('{"title":""quoted"","stats":{"name":"a"b"}}', {"title": "'quoted'", "stats": {"name": "a'b"}}),
        ('{"title":"dogs", cats" and more","type":"TH1"}', {"title": "dogs', cats' and more", "type": "TH1"}),
        (
            '{"labels":[{"id":1,"value":"5" pipe"},{"id":2,"value":"x"}]}',
            {"labels": [{"id": 1, "value": "5' pipe"}, {"id": 2, "value": "x"}]},
        ),
        ('{"title":"it"s nan","error":[nan]}', {"title": "it's nan", "error": [None]}),
        ('{"title":"a\\"b","error":[nan]}', {"title": 'a"b', "error": [None]}),
    ],
)
def test_known_forms_are_mended(text, meant):
    assert loads(text.encode()) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Exception: no such file",
        "[1, 2]",
        '"hist"',
        '{"hist": {"type": "TH1", "bins": {"content": [1, 2',
        '{"a": 1,}',
        '{"a": undefined}',
        "{'a': 1}",
        '{"a": __import__("os")}',
        "[" * 100_000,
    ],
)
def test_what_is_not_a_known_form_is_an_error(text):
    with pytest.raises(Unreadable):
        loads(text.encode())


def test_takes_linear_time():
    def seconds(count):
        hard = '{"title":"' + '" , "a' * count + '","e":[' + "nan, " * count + "nan]" + ' "' * count
        start = time.perf_counter()
        with pytest.raises(Unreadable):
            loads(hard.encode())
        return time.perf_counter() - start

    seconds(1000)
    assert min(seconds(40_000) for _ in range(3)) < 40 * min(seconds(4000) for _ in range(3))


def test_texts_for_numbers_become_null_but_titles_and_labels_stay():
    hist = {
        "title": "inf",
        "stats": {"name": "nan", "mean": {"X": {"value": "NaN", "error": "-inf"}}},
        "xaxis": {"title": "nan", "labels": [{"id": 1, "value": "inf"}], "last": {"id": 3, "value": "inf"}},
        "bins": {"content": ["nan", 1.5], "integral": "inf"},
    }
    clean = without_texts_for_numbers(hist)
    assert clean["title"] == "inf" and clean["stats"]["name"] == "nan" and clean["xaxis"]["title"] == "nan"
    assert clean["stats"]["mean"]["X"] == {"value": None, "error": None}
    assert clean["xaxis"]["labels"] == hist["xaxis"]["labels"] and clean["xaxis"]["last"] == {"id": 3, "value": None}
    assert clean["bins"] == {"content": [None, 1.5], "integral": None}


@pytest.mark.parametrize(
    ("answer", "hist"),
    [
        (b'{"hist": "unsupported type"}', None),
        (b'{"hist":{"a":1.50, "b":"x"} }', b'{"a":1.50, "b":"x"}'),  # the server's own text
        (b'{"hist":{"a":1,\r\n "b":2}}', b'{"a":1,   "b":2}'),
        (b'{"hist":{"a":"nan"}}', b'{"a":null}'),
        (b'{"hist":{"a":1e999}}', b'{"a":null}'),
        ('{"hist":{"title":"µ"}}'.encode(), '{"title":"µ"}'.encode()),
    ],
)
def test_an_answer_becomes_one_line(answer, hist):
    assert histogram_json(answer) == hist


@pytest.mark.parametrize(
    "answer", [b'{"hist":{"title":"\xff"}}', b'{"hist":[1]}', b'{"hist":"no"}', b"{}", b"[]", b'{"hist":{"a":1}']
)
def test_an_answer_without_a_histogram_is_an_error(answer):
    with pytest.raises(Unreadable):
        histogram_json(answer)
