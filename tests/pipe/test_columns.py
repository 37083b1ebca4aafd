"""Quick decoders against the decoding of whole records: every value and every column must be the same."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tkstudies import jsonl
from tkstudies.analysis.multivariate.matrix import MatrixBuilder, is_feature
from tkstudies.jsonl.columns import LearnedColumns, NamedColumns

NAMES = ["run_number", "reco", "a.mean", "b.rms", "recorded_lumi", "é ☃", 'quo"te', "back\\slash", "", "c0", "null"]
ODD_LINES = [
    b'{"run\\u005fnumber":5}',
    b'{"run_number":1,"run_number":2}',
    b'{"run_number":1,"run\\u005fnumber":3,"a.mean":4}',
    b' { "reco" : "x" , "run_number" : [1, {"reco": 2}] } ',
    b'{"run_number":123456789012345678901234567890,"a.mean":1e300}',
    b'{"z":{"run_number":7},"a.mean":true,"b.rms":"text"}',
    b'{"a.mean":null,"b.rms":12345678901234567890123}',
    b"{}",
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)
records = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
lines = records.map(lambda r: json.dumps(r).encode()) | records.map(jsonl.encode) | st.sampled_from(ODD_LINES)


def same(one, other):
    return json.dumps(one) == json.dumps(other)


@given(lines, st.lists(st.sampled_from(NAMES), max_size=3))
def test_named_columns_are_those_of_the_record(line, names):
    named = NamedColumns(names)
    record = jsonl.decode(line)
    expected = [record.get(column) for column in named.columns]
    assert same(named.decode(line)[: len(expected)], expected)
    assert same(named.from_record(record), expected)


@settings(max_examples=40)
@given(st.lists(lines, min_size=1, max_size=20), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_learned_columns_are_those_of_all_records(some, names):
    learned = LearnedColumns(sorted(names))
    seen = {}
    for line in (some[:6] * 60)[:60] + some:  # enough to learn from, then what never came before
        record = jsonl.decode(line)
        seen.update(record)
        assert same(learned.decode(line)[: len(names)], [record.get(column) for column in sorted(names)])
        assert list(learned.columns) == list(seen)


@pytest.mark.parametrize("line", [b"[1]", b"7", b'{"a":', b'{"a":NaN}', b'{"a":01}', b"nonsense", b'{"a":1}x'])
def test_what_is_no_strict_record_is_refused(line):
    learned = LearnedColumns(["a"])
    for _ in range(60):
        learned.decode(b'{"a":1}')
    for decode in (NamedColumns(["a"]).decode, learned.decode):
        with pytest.raises((msgspec.DecodeError, jsonl.BadRecord)):
            decode(line)


@settings(max_examples=40)
@given(
    st.lists(lines, min_size=1, max_size=20),
    st.sampled_from([(), ("*.mean",), ("run*", "c0")]),
    st.none() | st.just(["b.rms", "a.mean"]),
)
def test_the_matrix_of_lines_is_that_of_records(some, patterns, features):
    others = ["reco", "a.mean"]
    builder = MatrixBuilder(patterns, features, others)
    expected, rows, extra = dict.fromkeys(features or ()), [], {}
    for line in (some[:6] * 60)[:60] + some:
        record = jsonl.decode(line)
        numbers = {
            column: value
            for column, value in record.items()
            if type(value) in (int, float) and (is_feature(column, patterns) or column in (features or ()))
        }
        (extra if features else expected).update(
            dict.fromkeys(column for column in numbers if column not in (features or ()))
        )
        rows.append(numbers)
        given_back = builder.add(builder.decode(line))
        assert same(
            [None if value is msgspec.UNSET else value for value in given_back],
            [record.get(column) for column in others],
        )
    matrix = builder.matrix()
    assert (matrix.features, list(builder.extra)) == (list(expected), list(extra))
    telling = [c for c in expected if patterns or c != "recorded_lumi"] or list(expected)
    kept = [any(column in row for column in telling) for row in rows]
    assert matrix.kept.tolist() == kept
    reference = [[float(row.get(c, math.nan)) for c in expected] for row, keep in zip(rows, kept, strict=True) if keep]
    chunks = list(matrix.chunks())
    stacked = np.vstack(chunks) if chunks else np.zeros((0, len(expected)))
    assert np.array_equal(stacked, np.array(reference).reshape(len(reference), len(expected)), equal_nan=True)
    assert matrix.gaps.tolist() == [any(map(math.isnan, row)) for row in reference]


def test_a_matrix_larger_than_its_memory_is_read_as_often_as_needed():
    builder = MatrixBuilder()
    for number in range(5000):
        columns = range(300 + (number > 100))
        builder.add(builder.from_record({f"f{column}.mean": number * column + 0.5 for column in columns}))
    matrix = builder.matrix()
    for _ in range(2):
        chunks = list(matrix.chunks())
        assert [len(chunk) for chunk in chunks] == [1024] * 4 + [904]
        assert np.isnan(chunks[0][:101, 300]).all()
        assert chunks[4][-1].tolist() == [4999 * column + 0.5 for column in range(301)]
    every_third = np.arange(5000) % 3 == 0
    assert np.vstack(list(matrix.chunks(every_third)))[:, 1].tolist() == [n + 0.5 for n in range(0, 5000, 3)]
