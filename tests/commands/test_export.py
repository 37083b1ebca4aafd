import csv
import gzip
import io
import json
import math
import sys

import msgspec
import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.conftest import TRIALS
from tkstudies import jsonl
from tkstudies.analysis.tables import csv as tables_csv
from tkstudies.analysis.tables import parquet
from tkstudies.analysis.tables.csvtable import CsvTable
from tkstudies.analysis.tables.export import RereadRows
from tkstudies.cli import app
from tkstudies.errors import InputError

ROWS = [
    {"run_number": 321012, "reco": "express", "fill__era": "2018D", "Hits.Pixel.mean": 0.1, "ok": True},
    {"run_number": 321013, "comment": 'HV "off",\r\n1 LS', "problem_names": ["FED error", 'a "b", c']},
    {"run_number": 321014, "comment": "", "problem_names": [], "Hits.Pixel.mean": 1e-300, "ok": False},
    {"run_number": None, "comment": "12", "int_luminosity": "12.50", "big": 2**63 - 1, "n": -1},
    {"comment": "true", "problem_names": None, "reco": "[1]", "fill__era": '"quoted"', "n": 7},
    {"run_number": 321015, "reco": " x ", "comment": "µb⁻¹ 𝄞"},
]


def run(*args, input=None):
    return CliRunner().invoke(app, ["export", *map(str, args)], input=input)


def to_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def from_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def without_nulls(rows):
    return [{column: value for column, value in row.items() if value is not None} for row in rows]


def exact(rows):
    """Records without nulls, their values as JSON: 1, 1.0 and true differ."""
    return [{column: jsonl.encode(value) for column, value in row.items()} for row in without_nulls(rows)]


def test_csv_is_what_it_says():
    result = run(input=to_lines(ROWS[:3]))
    assert result.exit_code == 0
    assert result.stderr == "3 records, 7 columns\n"
    assert result.stdout_bytes.decode() == (
        "run_number,reco,fill__era,Hits.Pixel.mean,ok,comment,problem_names\n"
        '321012,"express","2018D",0.1,true,,\n'
        '321013,,,,,"HV ""off"",\r\n1 LS","[""FED error"", ""a \\""b\\"", c""]"\n'
        '321014,,,1e-300,false,"","[]"\n'
    )


def test_numbers_are_copied_digit_by_digit():
    numbers = "1.50", "1E5", "-0.0", "12345678901234567890123", "0.1000000000000000055511151231257827"
    line = "{" + ",".join(f'"c{i}": {number}' for i, number in enumerate(numbers)) + "}\n"
    assert run(input=line).stdout.splitlines()[1] == ",".join(numbers)


def test_other_readers_agree():
    text = run("-q", input=to_lines(ROWS)).stdout_bytes.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["comment"] for row in rows] == ["", 'HV "off",\r\n1 LS', "", "12", "true", "µb⁻¹ 𝄞"]
    assert json.loads(rows[1]["problem_names"]) == ROWS[1]["problem_names"]
    frame = pandas.read_csv(io.StringIO(text))
    assert frame["run_number"].dropna().tolist() == [321012, 321013, 321014, 321015]
    assert frame["Hits.Pixel.mean"].dropna().tolist() == [0.1, 1e-300]


@pytest.mark.parametrize("ending", ["csv", "parquet", "pq"])
@pytest.mark.parametrize("from_stdin", [True, False])
def test_round_trip(tmp_path, ending, from_stdin):
    source, table = tmp_path / "in.jsonl", tmp_path / f"table.{ending}"
    source.write_text(to_lines(ROWS))
    first = run("-o", table, input=to_lines(ROWS)) if from_stdin else run("-o", table, source)
    assert (first.exit_code, first.stdout) == (0, "")
    columns = list(dict.fromkeys(column for row in ROWS for column in row))
    assert first.stderr == f"{table}: 6 records, {len(columns)} columns\n"
    back = run("--to", "jsonl", table)
    assert (back.exit_code, back.stderr) == (0, "")
    rows = from_lines(back.stdout)
    assert [list(row) for row in rows] == [columns] * len(ROWS)
    assert exact(rows) == exact(ROWS)
    dropped = run("--to", "jsonl", "--drop-nulls", input=table.read_bytes())
    assert from_lines(dropped.stdout) == from_lines(to_lines(without_nulls(rows)))


def test_parquet_columns_have_one_type(tmp_path):
    table = tmp_path / "t.parquet"
    run("-o", table, input=to_lines(ROWS))
    frame = pandas.read_parquet(table, dtype_backend="pyarrow")
    types = {name: str(frame[name].dtype) for name in ("run_number", "n", "ok", "Hits.Pixel.mean")}
    assert types == {
        "run_number": "int64[pyarrow]",
        "n": "int64[pyarrow]",
        "ok": "bool[pyarrow]",
        "Hits.Pixel.mean": "double[pyarrow]",
    }
    assert str(frame["problem_names"].dtype).startswith("list<")
    assert frame["big"][3] == 2**63 - 1


def test_mixed_columns_become_texts_in_parquet(tmp_path):
    rows = [{"a": 1, "h": {"x": [1]}, "n": 1}, {"a": "1", "h": None, "n": 2.5}, {"a": "GOOD"}, {"a": True}]
    table = tmp_path / "t.parquet"
    result = run("-o", table, input=to_lines(rows))
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: a, h: mixed types or objects, written as texts")
    assert pandas.read_parquet(table)["a"].tolist() == ["1", '"1"', "GOOD", "true"]
    assert exact(from_lines(run("--to", "jsonl", table).stdout)) == exact([{**rows[0], "n": 1.0}, *rows[1:]])


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("-o", tmp_path / "t.parquet", input=to_lines(ROWS))
    assert result.exit_code == 1
    assert "pip install 'tkstudies[parquet]'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_tables_of_other_programs():
    table = b"\xef\xbb\xbfrun_number,reco,ok,note\r\n321012,express,TRUE,\r\n\r\n0012, 5,False,+7\r\n"
    result = run("--to", "jsonl", input=table)
    assert from_lines(result.stdout) == [
        {"run_number": 321012, "reco": "express", "ok": True, "note": None},
        {"run_number": "0012", "reco": 5, "ok": False, "note": 7},
    ]


def test_packed_table():
    packed = gzip.compress(b'a,b\n1,"x"\n')
    assert run("--to", "jsonl", input=packed).stdout == '{"a":1,"b":"x"}\n'


@pytest.mark.parametrize(
    ("row", "where"), [("1", 3), ("1,2,3", 3), ('"a"b,1', 3), ('1,"open', 3), ('a"b,"', 3), (b"\xff,1", 3)]
)
def test_bad_rows(row, where):
    row = row if isinstance(row, bytes) else row.encode()
    table = b'a,b\n1,"x"\n' + row + b"\n"
    failed = run("--to", "jsonl", input=table)
    assert failed.exit_code == 1
    assert f"standard input, line {where}: not a row of the table" in failed.stderr
    skipped = run("--to", "jsonl", "--skip-bad-lines", input=table)
    assert (skipped.exit_code, skipped.stdout) == (3, '{"a":1,"b":"x"}\n')
    assert "1 malformed line skipped" in skipped.stderr


def test_line_numbers_count_lines_within_quotes():
    failed = run("--to", "jsonl", input='a,b\n1,"x\ny\nz"\n1\n')
    assert "line 5:" in failed.stderr


@pytest.mark.parametrize(
    ("args", "input", "code", "said"),
    [
        (["--to", "jsonl"], "a,a\n1,2\n", 1, "header repeats a"),
        (["--to", "jsonl"], to_lines(ROWS), 1, "holds JSON already"),
        (["--to", "jsonl"], b"PAR1 nothing", 1, "not a readable Parquet file"),
        (["--drop-nulls"], to_lines(ROWS), 2, "--drop-nulls is for --to jsonl"),
        (["--to", "parquet"], to_lines(ROWS), 2, "name a file with -o"),
        (["-o", "table.xlsx"], to_lines(ROWS), 2, ".csv, .parquet"),
        (["no-such.jsonl"], None, 1, "no such file"),
        (["-o", "empty.parquet"], "", 1, "no columns"),
        ([], '{"a": 1}\n{"a": \n', 1, "line 2"),
        ([], '{"a": "\\udc00", "\\udc00": 1}\n', 1, "valid Unicode"),
    ],
)
def test_errors(args, input, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*args, input=input)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_empty_input():
    assert (run(input="").exit_code, run(input="").stdout) == (0, "")
    assert (run("--to", "jsonl", input="").exit_code, run("--to", "jsonl", input="").stdout) == (0, "")


def test_bad_lines_are_counted_once(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"a": 1}\nbad\n{"b": NaN, "a": 2}\n')
    result = run("--skip-bad-lines", source)
    assert (result.exit_code, result.stdout) == (3, "a,b\n1,\n2,\n")
    assert "1 malformed line skipped" in result.stderr
    assert run("--skip-bad-lines", input=source.read_text()).stdout == "a,b\n1,\n2,\n"


# --- any record

tricky = ["", "1", "-1.5", "true", "null", "[1]", '["a', '"', '""', "{}", "NaN", ",", "\r", "\n", "\0", "\ud800x"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(), max_size=8),
    st.sampled_from(tricky),
)
lists = st.lists(scalars, max_size=3)
values = st.one_of(scalars, lists, st.lists(lists, max_size=2), st.dictionaries(st.text(max_size=2), scalars))
names = st.one_of(
    st.sampled_from(["a", "b", "run_number", "1", "true", "[1]", "", " ", 'q"', "x,y", "l\nm"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
tables_of_records = st.lists(st.dictionaries(names, values, max_size=4), max_size=6)


@settings(max_examples=3 * TRIALS)
@given(tables_of_records)
@example([{"a": None, "|\r": 0.0, "": None}])
@example([{"|\r": None, "a": None}])
def test_any_record_survives_csv(rows):
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [tables_csv.csv_header(columns), *(_csv_line(columns, row) for row in rows)]
    table = b"".join(line + b"\n" for line in lines)
    back = [record for _, record in CsvTable(io.BytesIO(table)).records()]
    assert exact(back) == exact(rows)
    assert all(list(row) == columns for row in back)
    if columns and b"\0" not in table:  # which Python 3.10's csv refuses
        read = list(csv.reader(io.StringIO(table.decode(), newline="")))
        assert read[0] == columns


def _csv_line(columns, record):
    line = jsonl.encode(record)
    try:
        raw = tables_csv.RawRecords.decode(line)
    except msgspec.DecodeError:  # what jsonl.Reader decodes in full
        raw = tables_csv.RawRecords.from_record(jsonl.decode(line))
    return tables_csv.csv_line(columns, raw)


@given(tables_of_records.filter(any))
def test_any_record_survives_parquet(rows):
    layout, _ = parquet.schema(parquet.column_types(rows))
    file = io.BytesIO()
    parquet.write(rows, layout, file)
    back = list(parquet.read(file))
    assert len(back) == len(rows)
    for row, restored in zip(rows, back, strict=True):
        assert set(restored) == set(layout.names)
        for name, value in restored.items():
            assert _same(row.get(name), value)


def _same(value, restored):
    """Equal, and of one type but for integers in a column with floats."""
    if isinstance(value, list) and isinstance(restored, list):
        return len(value) == len(restored) and all(map(_same, value, restored))
    if type(value) is int and type(restored) is float:
        return value == restored
    return type(value) is type(restored) and value == restored and _sign(value) == _sign(restored)


def _sign(value):
    return math.copysign(1, value) if isinstance(value, float) else 0


@pytest.mark.parametrize("large", [2**53 + 1, -(2**53) - 1, 2**62 + 1])
def test_large_integers_beside_floats_stay_exact_in_parquet(large, tmp_path):
    rows = [{"x": large}, {"x": 0.5}]
    file = tmp_path / "t.parquet"
    assert run("-o", file, input=to_lines(rows)).exit_code == 0
    back = from_lines(run("--to", "jsonl", "-i", file).stdout)
    assert [int(back[0]["x"]), float(back[1]["x"])] == [large, 0.5]


def test_a_file_that_changes_while_it_is_read(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a":1}\n')
    twice = RereadRows(jsonl.Reader([str(file)]), jsonl.WholeRecords)
    columns = dict.fromkeys(column for record in twice.first() for column in record)
    file.write_text('{"a":1}\n{"a":2,"b":3}\n')
    with pytest.raises(InputError, match="changed while it was read"):
        list(twice.again(columns))
