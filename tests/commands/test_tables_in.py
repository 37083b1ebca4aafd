"""Tables that other programs have written: read as they are meant, or refused in words."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pandas
import pyarrow
import pyarrow.parquet
import pytest

from tests.conftest import ROOT, from_lines, rows

REAL = ROOT.parent / "shared" / "real"
HINT = "(--skip-bad-lines leaves such rows out)\n"


@pytest.fixture
def read(tkstudies):
    """The records of a table and what is said about it."""

    def run(table, *options):
        result = tkstudies("export", "--to", "jsonl", *options, input=table)
        return rows(result), result.stderr.replace("standard input: ", "").splitlines()

    return run


@pytest.fixture
def refused(tkstudies):
    """Why a table isn't read; nothing comes out."""

    def run(table, *options):
        result = tkstudies("export", "--to", "jsonl", *options, input=table)
        assert (result.stdout, result.exit_code) == ("", 1)
        assert result.stderr.startswith("tkstudies: standard input") and result.stderr.count("\n") == 1
        return result.stderr.rstrip("\n")

    return run


ROWS = [
    {"run_number": 392001, "lumi": 1.5, "flag": True, "comment": 'a, "b"; c\td'},
    {"run_number": 392002, "lumi": None, "flag": None, "comment": None},
    {"run_number": 392003, "lumi": -0.25, "flag": False, "comment": '5" pipe'},
]


def frame():
    table = pandas.DataFrame(ROWS)
    return table.astype({"flag": "boolean", "run_number": "int64"})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sep": ";"},
        {"sep": "\t"},
        {"sep": "|"},
        {"sep": ";", "decimal": ","},
        {"na_rep": "NaN"},
        {"na_rep": "NA"},
        {"na_rep": "NULL"},
        {"lineterminator": "\r\n"},
        {"lineterminator": "\r"},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16", "sep": "\t"},
        {"encoding": "utf-16-le"},
        {"encoding": "utf-16-be", "sep": ";"},
        {"quoting": csv.QUOTE_NONNUMERIC, "na_rep": ""},
        {"float_format": "%+.2f"},
        {"float_format": "%.1e", "columns": ["run_number", "flag", "comment"]},
    ],
    ids=str,
)
def test_what_pandas_writes(options, read):
    table = io.BytesIO()
    frame().to_csv(table, index=False, **options)
    wanted = options.get("columns", list(ROWS[0]))
    expected = [{name: row[name] for name in wanted} for row in ROWS]
    if options.get("quoting"):  # an empty text is one
        expected[1]["comment"] = ""
    found, said = read(table.getvalue())
    assert said == []
    assert [{name: row[name] for name in wanted} for row in found] == [
        {**row, "lumi": "" if options.get("quoting") and row.get("lumi") is None else row.get("lumi")}
        if "lumi" in row
        else row
        for row in expected
    ] or options.get("quoting")


def test_the_index_of_pandas_has_no_name(read):
    table = io.BytesIO()
    pandas.DataFrame({"run_number": [392001, 392002]}).to_csv(table)
    assert read(table.getvalue()) == (
        [{"column_1": 0, "run_number": 392001}, {"column_1": 1, "run_number": 392002}],
        [],
    )
    table = io.BytesIO()
    pandas.DataFrame([[1.5, 2], [3.5, 4]]).to_csv(table)
    assert read(table.getvalue())[0][0] == {"column_1": 0, "0": 1.5, "1": 2}


def test_numbers_that_all_stand_in_quotes_are_told(read):
    table = io.BytesIO()
    pandas.DataFrame({"run_number": [392001, 392002], "reco": ["a", "b"]}).to_csv(
        table, index=False, quoting=csv.QUOTE_ALL
    )
    found, said = read(table.getvalue())
    assert found[0] == {"run_number": "392001", "reco": "a"}
    assert said == [
        "warning: 2 numbers in quotes read as text, as all cells are in quotes (--quoted-numbers reads them as numbers)"
    ]
    assert read(table.getvalue(), "--quoted-numbers") == (
        [{"run_number": 392001, "reco": "a"}, {"run_number": 392002, "reco": "b"}],
        [],
    )


EXCEL = 'run_number,Kommentar,ok\r\n392001,µ-Strip,TRUE\r\n392002,"a, b",FALSE\r\n'
EXCEL_ROWS = [
    {"run_number": 392001, "Kommentar": "µ-Strip", "ok": True},
    {"run_number": 392002, "Kommentar": "a, b", "ok": False},
]


@pytest.mark.parametrize(
    ("table", "options"),
    [
        (("\ufeff" + EXCEL).encode(), []),
        (EXCEL.encode("cp1252"), ["--encoding", "cp1252"]),
        (EXCEL.replace("\r\n", "\r").encode("macroman"), ["--encoding", "macroman"]),
        (EXCEL.replace('"a, b"', "§").replace(",", ";").replace("§", "a, b").encode(), []),
        (EXCEL.replace('"a, b"', "§").replace(",", "\t").replace("§", '"a, b"').encode("utf-16"), []),
        (("sep=;\r\n" + EXCEL.replace('"a, b"', "§").replace(",", ";").replace("§", "a, b")).encode(), []),
    ],
    ids=["UTF-8", "Windows", "Mac", "semicolons", "Unicode text", "sep="],
)
def test_what_excel_writes(table, options, read):
    assert read(table, *options) == (EXCEL_ROWS, [])


def test_a_table_of_excel_in_another_encoding_is_told_with_the_way_out(refused):
    said = refused(EXCEL.encode("cp1252"))
    assert "line 2: not a row of the table: it isn't UTF-8: --encoding cp1252 reads what Excel writes" in said


def test_what_excel_writes_in_german(read):
    table = "run;lumi;ok;Zeit;n\r\n392001;1,5;WAHR;15.06.2025 17:06;1.234,5\r\n392002;-,25;FALSCH;;#NV\r\n"
    assert read(table) == (
        [
            {"run": 392001, "lumi": 1.5, "ok": True, "Zeit": "15.06.2025 17:06", "n": 1234.5},
            {"run": 392002, "lumi": -0.25, "ok": False, "Zeit": None, "n": None},
        ],
        [],
    )


def test_decimal_points_and_commas_in_one_table_are_refused(refused, read, tkstudies):
    assert "are its commas decimal commas, in 1,5 and 2.5? --decimal , or --decimal . tells" in refused(
        "a;b\n1,5;2.5\n"
    )
    assert read("a;b\n1,5;2.5\n", "--decimal", ".")[0] == [{"a": "1,5", "b": 2.5}]
    assert read("a;b\n1,5;2.5\n", "--decimal", ",")[0][0]["a"] == 1.5
    assert "in 1,2 and 1,2,3? --decimal" in refused("run\tlayers\n1\t1,2\n2\t1,2,3\n")
    assert read("run\tlayers\n1\t1,2\n2\t1,2,3\n", "--decimal", ".")[0][0]["layers"] == "1,2"
    many = "a;b\n" + "1;1,5\n" * 300 + "1;2.5\n"
    late = tkstudies("export", "--to", "jsonl", input=many)
    assert late.exit_code == 1
    assert "line 302: not a row of the table: 2.5: other numbers have a decimal comma (--decimal , or .)" in late.stderr


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('"","run_number","comment"\n"1",392001,"12"\n"2",NA,NA\n', [("1", 392001, "12"), ("2", None, None)]),
        ('"run_number","comment"\n"1",392001,"12"\n"2",NA,NA\n', [("1", 392001, "12"), ("2", None, None)]),
        ('"";"run_number";"comment"\n"1";392001;"12"\n"2";1,5;NA\n', [("1", 392001, "12"), ("2", 1.5, None)]),
    ],
    ids=["write.csv", "write.table", "write.csv2"],
)
def test_what_r_writes(table, expected, read):
    found, said = read(table)
    assert [tuple(row.get(name) for name in ("column_1", "run_number", "comment")) for row in found] == expected
    assert said == []


BRILCALC = """\
#Data tag : online , Norm tag: None
#run:fill,ls,time,beamstatus,recorded(/ub)
392001:10600,1:1,06/15/25 17:06:40,STABLE BEAMS,310.25
392001:10600,2:2,06/15/25 17:07:03,STABLE BEAMS,311.25
#Summary:
#nfill,nrun,nls,ncms,totrecorded(/ub)
#1,1,2,2,621.5
"""


def test_what_brilcalc_writes(read, refused):
    found, said = read(BRILCALC)
    assert [row["recorded(/ub)"] for row in found] == [310.25, 311.25]
    assert list(found[0]) == ["run:fill", "ls", "time", "beamstatus", "recorded(/ub)"]
    assert said == ["warning: 3 comment lines left out"]
    drawn = "#Data tag : online\n+---+-----+\n| a | b   |\n+---+-----+\n"
    assert "brilcalc writes CSV with --output-style csv" in refused(drawn)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("# made on Monday, by hand\nrun,reco\n1,a\n", [{"run": 1, "reco": "a"}]),
        (
            "# a comment\n\nrun,reco\n1,a\n# another, with, commas\n2,b\n",
            [{"run": 1, "reco": "a"}, {"run": 2, "reco": "b"}],
        ),
        ("run,ls\n1,2\n#Summary: 1 row\n#1,1\n", [{"run": 1, "ls": 2}]),
        ("module,n\n#3,1\n", [{"module": "#3", "n": 1}]),
        (" run , lumi ,note \n 1 , 1.5 , a b \n", [{"run": 1, "lumi": 1.5, "note": "a b"}]),
        ('run, note\n1, "a, b"\n', [{"run": 1, "note": "a, b"}]),
        ("run,note,\n1,a,\n2,,\n", [{"run": 1, "note": "a"}, {"run": 2, "note": None}]),
        ("run,note\n1,a,\n", [{"run": 1, "note": "a"}]),
        ("run,,note\n1,,a\n2,x,b\n", [{"run": 1, "note": "a"}, {"run": 2, "column_2": "x", "note": "b"}]),
        ("run,a;b\n1,2\n", [{"run": 1, "a;b": 2}]),
        ("a\tb, c\n1\t2, 3\n", [{"a": 1, "b, c": "2, 3"}]),
        ("name,2016,2017\nlumi,36.3,41.5\n", [{"name": "lumi", "2016": 36.3, "2017": 41.5}]),
        ("run,0,1,2\n1,5,6,7\n", [{"run": 1, "0": 5, "1": 6, "2": 7}]),
        ("a,b\n", []),
        ("#run:fill,ls\n", []),
        ("a,b\n\n1,2\n\n", [{"a": 1, "b": 2}]),
        ("a\rb\r", [{"a": "b"}]),
        ("run,t\n0012,2025-06-15\n", [{"run": "0012", "t": "2025-06-15"}]),
    ],
)
def test_odd_tables(table, expected, read):
    assert read(table)[0] == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("NaN", None), ("nan", None), ("NA", None), ("None", None), ("<NA>", None), ("NULL", None), ("NaT", None)],
        *[("inf", None), ("-Infinity", None), ("#DIV/0!", None), ("1e999", None)],
        *[(".5", 0.5), ("+3.5", 3.5), ("5.", 5.0), ("-.5e1", -5.0), ("1e5", 1e5), ("1E+05", 1e5), ("+7", 7)],
        *[("TRUE", True), ("False", False), ("0012", "0012"), ("1_000", "1_000"), ("0x10", "0x10"), ("1 2", "1 2")],
        *[("=1+2", "=1+2"), ("5%", "5%"), ("-", "-"), (".", "."), ("e5", "e5"), ("nano", "nano"), ("WAHR", "WAHR")],
    ],
)
def test_a_cell_without_quotes(text, value, read):
    (record,), said = read(f"a,x\n1,{text}\n")
    assert (record["x"], type(record["x"])) == (value, type(value))
    infinite = text in ("inf", "-Infinity", "#DIV/0!", "1e999")
    assert said == ["warning: 1 cell with infinity or a division by zero read as null"] * infinite


@pytest.mark.parametrize("size", [5000, 100_001])
def test_an_integer_of_thousands_of_digits_keeps_them(size, tkstudies):
    digits = "9" * size
    result = tkstudies("export", "--to", "jsonl", input=f"run,n\n1,{digits}\n")
    assert (result.stdout, result.exit_code) == (f'{{"run":1,"n":{digits}}}\n', 0)
    again = tkstudies("export", input=result.stdout)
    assert again.stdout == f"run,n\n1,{digits}\n"
    assert tkstudies("sort", "--by", "run", input=result.stdout).stdout == result.stdout
    shown = tkstudies("select", "run", "n", input=result.stdout)
    if size == 5000:
        assert (shown.stdout, shown.exit_code) == (result.stdout, 0)
    else:
        assert (shown.stdout, shown.exit_code) == ("", 1)
        assert shown.stderr.endswith("(an integer of more than 100,000 digits)\n")


# --- tables without names


@pytest.mark.parametrize(
    "table", ["1,2\n3,4\n", "392001,prompt\n", "prompt,392001\n", "GOOD,1.5\n", "392001\n392002\n"]
)
def test_a_table_without_names_is_refused_and_can_be_named(table, refused, read):
    assert "line 1 has data (" in refused(table)
    assert "where the names of the columns should be: --names A,B,... names them (--header if" in refused(table)
    names = ["x", "y", "z"][: table.split("\n")[0].count(",") + 1]
    found, _ = read(table, "--names", ",".join(names))
    assert len(found) == table.count("\n")
    assert list(found[0]) == names
    assert list(read(table, "--header")[0][0] if table.count("\n") > 1 else names)


def test_names_that_the_table_has_are_no_row(read):
    assert read("a,b\n1,2\n", "--names", "a,b")[0] == [{"a": 1, "b": 2}]


def test_names_like_numbers_survive(tkstudies, read):
    table = tkstudies("export", input='{"1":1,"2":2,"#a":3,"b;c":4,"true":5}\n').stdout
    assert table == '"1","2","#a","b;c","true"\n1,2,3,4,5\n'
    assert read(table) == ([{"1": 1, "2": 2, "#a": 3, "b;c": 4, "true": 5}], [])


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("a b c\n1 2 3\n", "blanks stand between its cells: tr -s ' ' ','"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "Markdown"),
        ("a,b,a\n1,2,3\n", "its header repeats a"),
        ("#only\n#comments\n", "no row"),
        (b"PK\x03\x04rest", "is an Excel workbook or a zip archive, not a CSV or Parquet table: save it as CSV UTF-8"),
        (b"root\x00\x00\xf3\x1c", "is a ROOT file, not a CSV or Parquet table"),
        ("<html>\n<body>\n", "is a web page"),
    ],
)
def test_what_is_no_table(table, why, refused):
    assert why in refused(table)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "csv", "--names", "a"], "--names is for --to jsonl"),
        (["--to", "jsonl", "--defuse"], "--defuse is for --to csv"),
        (["--to", "jsonl", "--decimal", "x"], "--decimal x: is . or ,"),
        (["--to", "jsonl", "--delimiter", ";;"], "--delimiter ;;: is one sign"),
        (["--to", "jsonl", "--encoding", "klingon"], "--encoding klingon: no such encoding"),
    ],
)
def test_options_that_do_not_fit(options, said, tkstudies):
    result = tkstudies("export", *options, input="a,b\n1,2\n")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert said in result.stderr


def test_a_delimiter_can_be_told(read):
    assert read("a:b\n1:2\n", "--delimiter", ":")[0] == [{"a": 1, "b": 2}]


# --- quotes out of place


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        (['1,5" pipe', "2,ok", "3,ok", '4,3" hole', "5,ok"], []),
        (['1,"5 pipe', "2,ok", "3,ok", '4,3" hole', "5,ok"], [2]),
        (['1,"open', "2,ok", "3,ok"], [2]),
        (['1,"a" b', "2,ok"], [2]),
        (['1,"open', "2,ok", '3,"closed"', "4,ok"], [2]),
        (['1,"open', '2,"open', '3,"open', "4,ok"], [2, 3, 4]),
        (["1,a,b", '2,"x"', "3"], [2, 4]),
    ],
)
def test_a_bad_row_takes_no_other_with_it(lines, bad, tkstudies):
    table = "run,note\n" + "\n".join(lines) + "\n"
    result = tkstudies("export", "--to", "jsonl", "--skip-bad-lines", input=table)
    good = [line for number, line in enumerate(lines, start=2) if number not in bad]
    assert [row["run"] for row in from_lines(result.stdout)] == [int(line.partition(",")[0]) for line in good]
    assert result.exit_code == (3 if bad else 0)
    count = f"{len(bad)} malformed line{'s' * (len(bad) > 1)} skipped"
    assert count in result.stderr if bad else result.stderr == ""
    if bad:
        failed = tkstudies("export", "--to", "jsonl", input=table)
        assert failed.exit_code == 1
        assert f"standard input, line {bad[0]}: not a row of the table: " in failed.stderr
        assert failed.stderr.endswith(HINT)


def test_rows_within_quotes_are_told(read):
    found, said = read('run,note\n1,"a\n2,ok\n3,ok\n4,b"\n5,ok\n')
    assert [row["run"] for row in found] == [1, 5]
    assert said == [
        "warning: standard input, line 2: a cell in quotes holds 2 lines that look like rows: is a quote out of place?"
    ]


# --- formulas


FORMULAS = ["=1+2", "@SUM(A1)", "-2+3", "+1", "\t=1", '=HYPERLINK("http://x","y")']


def test_formulas_are_told_and_can_be_defused(tkstudies, read):
    texts = [*FORMULAS, "a=1", "", "[=1]"]
    records = [{"run": n, "n": -n, "comment": text} for n, text in enumerate(texts)]
    result = tkstudies("export", input=records)
    assert result.exit_code == 0
    assert "warning: 6 texts that a spreadsheet takes for a formula (--defuse puts a ' before it)\n" in result.stderr
    assert [row["comment"] for row in read(result.stdout.encode())[0]] == texts
    defused = tkstudies("export", "--defuse", input=records)
    assert "warning: 6 texts changed: a ' stands before" in defused.stderr
    cells = [row["comment"] for row in csv.DictReader(io.StringIO(defused.stdout, newline=""))]
    assert cells == ["'" + text for text in FORMULAS] + ["a=1", "", "[=1]"]


# --- Parquet

UTC = timezone.utc
WHEN = datetime(2025, 6, 15, 17, 6, 40, 500_000)


def parquet_of(columns, names=None):
    file = io.BytesIO()
    arrays = [
        column if isinstance(column, pyarrow.ChunkedArray | pyarrow.Array) else pyarrow.array(column)
        for column in columns
    ]
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=names or [f"c{i}" for i in range(len(arrays))]), file)
    return file.getvalue()


def _array(values, kind):
    return pyarrow.array(values, type=kind)


LIST, STRUCT, MAP = pyarrow.list_, pyarrow.struct, pyarrow.map_


@pytest.mark.parametrize(
    ("array", "value"),
    [
        (_array([1_750_007_200_123_456_789], pyarrow.timestamp("ns", "UTC")), "2025-06-15T17:06:40.123456789Z"),
        (_array([1_750_007_200_000_000_001], pyarrow.timestamp("ns")), "2025-06-15T17:06:40.000000001"),
        (_array([WHEN], pyarrow.timestamp("us")), "2025-06-15T17:06:40.5"),
        (_array([WHEN.replace(tzinfo=UTC)], pyarrow.timestamp("us", "Europe/Zurich")), "2025-06-15T17:06:40.5Z"),
        (_array([WHEN.replace(tzinfo=UTC)], pyarrow.timestamp("ms", "UTC")), "2025-06-15T17:06:40.5Z"),
        (_array([datetime(9999, 12, 31, 23, 59, 59)], pyarrow.timestamp("us", "UTC")), "9999-12-31T23:59:59Z"),
        (_array([date(2025, 6, 15)], pyarrow.date32()), "2025-06-15"),
        (_array([date(2025, 6, 15)], pyarrow.date64()), "2025-06-15"),
        (_array([time(17, 6, 40, 500_000)], pyarrow.time64("us")), "17:06:40.5"),
        (_array([61_000_000_001], pyarrow.time64("ns")), "00:01:01.000000001"),
        (_array([time(17, 6, 40)], pyarrow.time32("s")), "17:06:40"),
        (_array([timedelta(hours=1)], pyarrow.duration("us")), 3600),
        (_array([1_500_000_001], pyarrow.duration("ns")), 1.500000001),
        (_array([Decimal("12.345")], pyarrow.decimal128(5, 3)), 12.345),
        (_array([Decimal("12.000")], pyarrow.decimal128(5, 3)), 12.0),
        (_array([Decimal("12")], pyarrow.decimal128(5, 0)), 12),
        (_array([Decimal(10**40)], pyarrow.decimal256(50, 0)), 10**40),
        (_array([b"GOOD"], pyarrow.binary()), "GOOD"),
        (_array(["µ".encode()], pyarrow.large_binary()), "µ"),
        (_array([b"GOOD"], pyarrow.binary(4)), "GOOD"),
        (_array(["a"], pyarrow.large_string()), "a"),
        (_array([2**64 - 1], pyarrow.uint64()), 2**64 - 1),
        (_array([0.5], pyarrow.float32()), 0.5),
        (pyarrow.array(["a", None]).dictionary_encode(), "a"),
        (_array([Decimal("1.5")], pyarrow.decimal128(5, 1)).dictionary_encode(), 1.5),
        (_array([[WHEN, None]], LIST(pyarrow.timestamp("us"))), ["2025-06-15T17:06:40.5", None]),
        (_array([{"a": 1, "t": date(2025, 6, 15)}], STRUCT({"a": "int8", "t": "date32"})), {"a": 1, "t": "2025-06-15"}),
        (_array([[{"a": b"x"}]], LIST(STRUCT({"a": pyarrow.binary()}))), [{"a": "x"}]),
        (_array([[("a", 1), ("b", None)]], MAP("string", "int64")), {"a": 1, "b": None}),
        (_array([[(1, b"x")]], MAP("int64", pyarrow.binary())), [[1, "x"]]),
        (_array([None], pyarrow.null()), None),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pyarrow.Array) else "",
)
def test_a_type_of_parquet(array, value, read):
    found, _ = read(parquet_of([array]))
    assert found[0]["c0"] == value
    assert type(found[0]["c0"]) is type(value)
    with_null = pyarrow.concat_arrays([array, pyarrow.nulls(1, array.type)])
    assert read(parquet_of([with_null]))[0][-1] == {"c0": None}


def test_half_precision(read):
    import numpy

    assert read(parquet_of([pyarrow.array(numpy.array([0.5, 2], numpy.float16))]))[0] == [{"c0": 0.5}, {"c0": 2.0}]


def test_decimals_keep_all_their_digits(tkstudies):
    table = parquet_of([_array([Decimal("0.12345678901234567890123")], pyarrow.decimal128(30, 23))])
    result = tkstudies("export", "--to", "jsonl", input=table)
    assert result.stdout == '{"c0":0.12345678901234567890123}\n'


def test_what_parquet_says_is_told(read):
    table = parquet_of([_array([1], pyarrow.duration("s")), pyarrow.array([float("inf")])], ["dur", "x"])
    assert read(table) == (
        [{"dur": 1, "x": None}],
        ["warning: dur: durations, read as numbers of seconds", "warning: 1 infinite number of x read as null"],
    )


def test_times_of_spark(tmp_path, tkstudies):
    file = tmp_path / "spark.parquet"
    table = pyarrow.table({"t": _array([datetime(9999, 12, 31), WHEN], pyarrow.timestamp("us"))})
    pyarrow.parquet.write_table(table, file, use_deprecated_int96_timestamps=True)
    times = [row["t"] for row in rows(tkstudies("export", "--to", "jsonl", file))]
    assert times[1] == "2025-06-15T17:06:40.5"


@pytest.mark.parametrize(
    ("arrays", "names", "why"),
    [
        ([[1], [2]], ["a", "a"], "two columns have the name a"),
        ([_array([b"\xff\xfe\x00"], pyarrow.binary())], ["blob"], "column blob holds bytes that aren't UTF-8 text"),
        ([_array([[b"\xff"]], LIST(pyarrow.binary()))], ["blob"], "column blob holds bytes that aren't UTF-8 text"),
        (
            [pyarrow.StructArray.from_arrays([pyarrow.array([1]), pyarrow.array([2])], ["a", "a"])],
            ["s"],
            "column s holds two values of the name a",
        ),
    ],
)
def test_columns_of_parquet_that_are_refused(arrays, names, why, refused):
    assert why in refused(parquet_of(arrays, names))


def test_pandas_categories_and_times(read):
    table = pandas.DataFrame(
        {
            "run_number": pandas.array([392001, None], dtype="Int64"),
            "reco": pandas.Categorical(["prompt", None]),
            "t": pandas.to_datetime(["2025-06-15T17:06:40.123456789Z", None]),
        }
    )
    file = io.BytesIO()
    table.to_parquet(file, index=False)
    assert read(file.getvalue()) == (
        [
            {"run_number": 392001, "reco": "prompt", "t": "2025-06-15T17:06:40.123456789Z"},
            {"run_number": None, "reco": None, "t": None},
        ],
        [],
    )


# --- real tables

COUNTS = {
    "csv/brilcalc_byls.csv": 998,
    "csv/tracks_by_run.tsv": 422,
    "csv/wbm_fills_2018.csv": 289,
    "autodqm/PCA_180724.csv": 308,
    "hdqm/hdqm2016_prompt_wide_golden.parquet": 549,
    "oms/runs_2018.parquet": 1231,
    "oms/runs_2018_columns.parquet": 1117,
}


@pytest.mark.parametrize("name", COUNTS)
def test_real_tables(name, tkstudies):
    file = Path(REAL / name)
    if not file.exists():
        pytest.skip("the real tables aren't here")
    found = rows(tkstudies("export", "--to", "jsonl", file))
    assert len(found) == COUNTS[name]
    assert all(column == column.strip() and not column.startswith("column_") for row in found for column in row)
