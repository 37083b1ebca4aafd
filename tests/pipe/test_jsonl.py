"""The rules of the pipe: what goes in, what comes out, and what happens when either goes wrong."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import from_lines, to_lines
from tkstudies import jsonl
from tkstudies.errors import InputError, OutputError, UsageError

ROWS = [{"run_number": 317291, "reco": "express", "é": "ü"}, {"run_number": 317292, "lumi": 1.25, "ok": None}]
LINES = to_lines(ROWS).encode()

FORMS = {
    "lines": LINES,
    "no last newline": LINES.rstrip(b"\n"),
    "crlf": LINES.replace(b"\n", b"\r\n"),
    "blank lines": b"\n  \n" + LINES.replace(b"\n", b"\n\n"),
    "byte order mark": b"\xef\xbb\xbf" + LINES,
    "array": json.dumps(ROWS).encode(),
    "pretty array": b"\n " + json.dumps(ROWS, indent=2).encode(),
    "gzip": gzip.compress(LINES),
    "gzip array": gzip.compress(json.dumps(ROWS).encode()),
    "several gzip members": gzip.compress(LINES[: LINES.index(b"\n") + 1]) + gzip.compress(to_lines(ROWS[1:]).encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_records(form, tmp_path, tkstudies):
    file = tmp_path / "records"
    file.write_bytes(FORMS[form])
    assert list(jsonl.read(str(file))) == ROWS
    result = tkstudies("filter", "run_number exists", input=FORMS[form])
    assert (from_lines(result.stdout), result.stderr, result.exit_code) == (ROWS, "2 of 2 records kept\n", 0)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b" [ ] ", gzip.compress(b"", mtime=0)])
def test_no_records_no_byte(content, tkstudies):
    result = tkstudies("filter", "a exists", input=content)
    told = "warning: no records on standard input\n"
    assert (result.stdout, result.stderr, result.exit_code) == ("", told, 0)


@pytest.mark.parametrize(
    ("content", "line", "quote"),
    [
        (b'{"a":1}\n{"a":', 2, '{"a":'),
        (b'{"a":1}\n\n[1]\n', 3, "[1]"),
        (b'{"a":1}\n7\n', 2, "7"),
        (b'{"a":1} {"a":2}\n', 1, '{"a":1} {"a":2}'),
        (b"\x00\x01\xfe\n", 1, "\\x00\\x01\\xfe"),
        (b'{"a":"' + b"x" * 200 + b"\n", 1, '{"a":"' + "x" * 74 + "..."),
        (b"<!DOCTYPE html>\n", 1, "<!DOCTYPE html>"),
        (b'{\n "a": 1\n}\n', 1, "{"),
    ],
)
def test_a_malformed_line_is_named_and_quoted(content, line, quote, tmp_path, tkstudies):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    result = tkstudies("filter", "a exists", "-i", file)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tkstudies: {file}, line {line}: not a JSON object: {quote} (")
    assert len(result.stderr.splitlines()) == 1


def test_bad_lines_can_be_skipped_and_are_counted(tkstudies):
    result = tkstudies("filter", "a exists", "--skip-bad-lines", input='{"a":1}\nnonsense\n{"a":2}\n{"a":')
    assert from_lines(result.stdout) == [{"a": 1}, {"a": 2}]
    assert result.stderr == "2 of 2 records kept\nwarning: 2 malformed lines skipped in standard input\n"
    assert result.exit_code == 3


def test_sources_without_records_are_known(tmp_path):
    for name, content in {"empty": "", "blank": "\n\n", "one": '{"a":1}\n', "bad": "nonsense\n"}.items():
        (tmp_path / name).write_text(content)
    names = [str(tmp_path / name) for name in ("empty", "one", "blank", "bad")]
    reader = jsonl.Reader(names, skip_bad_lines=True)
    for _ in range(2):
        assert list(reader) == [{"a": 1}]
        assert reader.empty == [names[0], names[2], names[3]]
    stopped = jsonl.Reader(names[1:])
    next(iter(stopped))
    assert stopped.empty == []


@pytest.mark.parametrize("content", ["[1, 2]", '[{"a": 1}, "x"]'])
def test_an_array_of_other_things_is_refused(content, tkstudies):
    result = tkstudies("filter", "a exists", input=content)
    assert result.exit_code == 1
    assert "standard input, line" in result.stderr
    assert "not a JSON object" in result.stderr


def test_a_broken_array_names_the_line(tkstudies):
    result = tkstudies("filter", "a exists", input='[\n{"a": 1},\n{"a": }\n]')
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr.startswith("tkstudies: standard input, line 3: not a JSON array of records")


def test_truncated_gzip_is_an_error(tmp_path, tkstudies):
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(LINES * 1000)[:-20])
    result = tkstudies("filter", "a exists", "-i", file)
    assert result.exit_code == 1
    assert str(file) in result.stderr


def test_files_that_cannot_be_read(tmp_path, tkstudies):
    missing = tkstudies("filter", "a exists", "-i", tmp_path / "nope.jsonl")
    assert (missing.stderr, missing.exit_code) == (f"tkstudies: {tmp_path / 'nope.jsonl'}: no such file\n", 1)
    folder = tkstudies("filter", "a exists", "-i", tmp_path)
    assert (folder.stderr, folder.exit_code) == (
        f"tkstudies: {tmp_path}: is a folder without files that end in .jsonl or .jsonl.gz\n",
        1,
    )


def test_standard_input_is_read_once():
    with pytest.raises(UsageError, match="only once"):
        jsonl.Reader(["-", "-"])


def test_values_survive_to_the_last_digit(tkstudies):
    line = '{"big":123456789012345678901234567890,"i":9007199254740993,"f":0.1,"t":"2018-06-21T02:11:05Z","e":1E5}\n'
    assert tkstudies("filter", "i exists", input=line).stdout == line


def test_numbers_that_are_not_finite_become_null(tkstudies):
    result = tkstudies("filter", "a exists", input='{"a":1,"b":NaN,"c":[Infinity,2],"d":-Infinity,"e":1e999}\n')
    assert result.stdout == '{"a":1,"b":null,"c":[null,2],"d":null,"e":null}\n'


def test_a_lone_surrogate_survives():
    assert jsonl.decode(jsonl.encode(jsonl.decode(b'{"a":"\\ud800"}'))) == {"a": "\ud800"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_is_written_is_read_again(record):
    line = jsonl.encode(record)
    assert b"\n" not in line
    assert jsonl.decode(line) == jsonl.finite(record)


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_a_record_or_a_bad_line(line):
    with suppress(jsonl.BadRecord):
        assert isinstance(jsonl.decode(line), dict)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4), st.booleans(), st.booleans())
def test_reader_gives_back_what_was_written(tmp_path_factory, records, packed, array):
    file = tmp_path_factory.mktemp("read") / "records"
    text = (
        b"[" + b",".join(map(jsonl.encode, records)) + b"]"
        if array
        else b"".join(jsonl.encode(r) + b"\n" for r in records)
    )
    file.write_bytes(gzip.compress(text) if packed else text)
    assert list(jsonl.read(str(file))) == [jsonl.finite(record) for record in records]


# --- writing


def test_a_failed_command_leaves_the_old_file_and_no_other(tmp_path, tkstudies):
    output = tmp_path / "out.jsonl"
    output.write_text("old\n")
    result = tkstudies("filter", "a exists", "-o", output, input='{"a":1}\nnonsense\n')
    assert result.exit_code == 1
    assert output.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_file_may_be_its_own_input(tmp_path, tkstudies):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a":1}\n{"a":2}\n')
    file.chmod(0o640)
    result = tkstudies("filter", "a = 2", "-i", file, "-o", file)
    assert (result.stdout, result.stderr, result.exit_code) == ("", "1 of 2 records kept\n", 0)
    assert file.read_text() == '{"a":2}\n'
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path, tkstudies):
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old\n")
    link.symlink_to(target)
    tkstudies("filter", "a = 2", "-o", link, input='{"a":2}\n')
    assert link.is_symlink()
    assert target.read_text() == '{"a":2}\n'


@pytest.mark.parametrize("name", ["", "no/such/folder/out.jsonl"])
def test_places_that_cannot_be_written(name, tmp_path, tkstudies):
    result = tkstudies("filter", "a exists", "-o", tmp_path / name, input='{"a":1}\n')
    assert (result.stdout, result.exit_code) == ("", 1)
    assert str(tmp_path / name) in result.stderr


def test_a_resumable_file_keeps_its_whole_lines(tmp_path):
    output = tmp_path / "crawl.jsonl"
    with pytest.raises(InputError), jsonl.Writer(str(output), resumable=True, at_once=True) as writer:
        writer.write({"a": 1})
        assert (tmp_path / "crawl.jsonl.part").read_text() == '{"a":1}\n'
        raise InputError("stopped")
    assert not output.exists()
    assert (tmp_path / "crawl.jsonl.part").read_text() == '{"a":1}\n'


def test_a_full_disk_is_an_error():
    with pytest.raises(OutputError, match="/dev/full: can't be written: No space left"):
        jsonl.write([{"a": 1}], "/dev/full")


def test_write_counts_and_nulls(tmp_path):
    assert jsonl.write([{"a": math.nan}, {"a": 2**70}], str(tmp_path / "x")) == 2
    assert (tmp_path / "x").read_text() == '{"a":null}\n{"a":1180591620717411303424}\n'


def test_an_unfinished_file_has_whole_lines(tmp_path):
    output = tmp_path / "out.jsonl"
    with pytest.raises(InputError), jsonl.Writer(str(output), resumable=True) as writer:
        for number in range(1000):
            writer.write({"a": number})
        raise InputError("stopped")
    lines = (tmp_path / "out.jsonl.part").read_text().splitlines()
    assert [json.loads(line)["a"] for line in lines] == list(range(1000))


@pytest.mark.parametrize("length", [10, 1 << 18, 3 << 18])
def test_lines_longer_than_a_buffer(length, tmp_path, tkstudies):
    rows = [{"a": "x" * (length - n)} for n in range(3)]
    result = tkstudies("filter", "a exists", input=rows)
    assert from_lines(result.stdout) == rows


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("<!DOCTYPE html>", "(a web page, perhaps of a login)"),
        ('{\n "a": 1\n}', "(a record over several lines? jq -c writes one line each)"),
        ('{"a":', "(--skip-bad-lines leaves such lines out)"),
    ],
)
def test_what_to_do_about_a_malformed_line(content, advice, tkstudies):
    assert tkstudies("filter", "a = 1", input=content).stderr.endswith(advice + "\n")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["features"], "not a histogram record: run_number None"),
        (["compare", "--reference-run", "1"], "not a histogram record: run_number None"),
        (["rank"], "not a run record: run_number None"),
        (["dqm", "--plot", "/a"], "a record without run_number"),
        (["oms", "runs", "-i"], "run_number is not an integer: '7a'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_record_of_another_kind_is_found_by_its_line(arguments, wrong, tkstudies, tmp_path):
    file = tmp_path / "records"
    odd = {"run_number": "7a"} if arguments[0] == "oms" else {"lumi": 1}
    file.write_text(to_lines([{"run_number": 1, "reco": "express", "plot": "/a", "hist": None}] * 2 + [odd]))
    result = tkstudies(*arguments, file, input="")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert f"{file}, line 3: {wrong}" in result.stderr


PARQUET, ROOT_FILE = b"PAR1\x15\x04\x15", b"root\x00\x00\xf3\x1c\x00\x00\x00d"
OTHERS = {
    "Parquet": (PARQUET, "is a Parquet file, not JSON Lines: tkstudies export --to jsonl reads it"),
    "packed Parquet": (gzip.compress(PARQUET), "is a Parquet file, not JSON Lines: tkstudies export --to jsonl"),
    "ROOT": (ROOT_FILE, "is a ROOT file, not JSON Lines: no command reads it, histograms come from tkstudies dqm"),
    "UTF-16": ("run\tlumi\n1\t2\n".encode("utf-16"), "is UTF-16 text, not JSON Lines: tkstudies export --to jsonl"),
    "UTF-16 without BOM": ('{"a":1}\n'.encode("utf-16-le"), "is UTF-16 text, not JSON Lines: "),
    "UTF-16 of other bytes": ('{"a":1}\n'.encode("utf-16-be"), "is UTF-16 text, not JSON Lines: "),
    "Excel": (b"PK\x03\x04\x14\x00", "is an Excel workbook or a zip archive, not JSON Lines: save it as CSV UTF-8"),
    "bzip2": (b"BZh91AY&SY", "is packed with bzip2, not JSON Lines: bunzip2 unpacks it"),
    "HTML": (b"<!DOCTYPE html>\n<p>\n", "(a web page, perhaps of a login)"),
    "CSV": (b"run_number,comment\n1,a\n", "(a CSV table? tkstudies export --to jsonl reads it)"),
    "quoted CSV": (b'"run_number","comment"\n1,a\n', "(a CSV table? tkstudies export --to jsonl reads it)"),
    "TSV": (b"run_number\tcomment\n1\ta\n", "(a CSV table? tkstudies export --to jsonl reads it)"),
    "semicolons": (b"\xef\xbb\xbfrun;lumi\r\n1;2,5\r\n", "(a CSV table? tkstudies export --to jsonl reads it)"),
    "CR": (b"run,lumi\r1,2\r", "(a CSV table? tkstudies export --to jsonl reads it)"),
    "brilcalc": (b"#Data tag : online\n#run:fill,ls\n1:2,3\n", "(a CSV table? tkstudies export --to jsonl reads it)"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_refused_before_anything_comes_out(name, tmp_path, tkstudies):
    content, words = OTHERS[name]
    good, other = tmp_path / "good.jsonl", tmp_path / "other"
    good.write_text('{"run_number":1}\n')
    other.write_bytes(content)
    for arguments, stdin in (
        (["filter", "run_number exists"], content),
        (["filter", "run_number exists", "-i", good, "-i", other], ""),
        (["merge", other, "--on", "run_number"], '{"run_number":1}\n'),
        (["sort", "--by", "run_number", "-i", other], ""),
    ):
        result = tkstudies(*arguments, input=stdin)
        assert (result.stdout, result.exit_code) == ("", 1), arguments
        assert words in result.stderr and result.stderr.count("\n") == 1
        assert ("standard input" if stdin == content else str(other)) in result.stderr


@pytest.mark.parametrize("name", ["Parquet", "ROOT", "UTF-16", "Excel"])
def test_what_has_no_lines_has_no_bad_lines(name, tkstudies):
    result = tkstudies("filter", "a exists", "--skip-bad-lines", input=OTHERS[name][0])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert OTHERS[name][1] in result.stderr


def test_standard_input_behind_a_file_is_looked_at_first(shell, tmp_path):
    (tmp_path / "good.jsonl").write_text('{"a":1}\n')
    result = shell("printf 'a,b\\n1,2\\n' | tkstudies filter 'a exists' -i good.jsonl -i -")
    assert (result.stdout, result.returncode) == ("", 1)
    assert "standard input, line 1: not a JSON object: a,b (a CSV table?" in result.stderr
    result = shell("(echo '{\"a\":2}'; echo '{\"a\":3}') | tkstudies filter 'a exists' -i good.jsonl -i -")
    assert (result.stdout, result.returncode) == ('{"a":1}\n{"a":2}\n{"a":3}\n', 0)


def test_a_file_of_one_value_is_told_apart_from_other_formats(tmp_path):
    (tmp_path / "golden").write_bytes(PARQUET)
    with pytest.raises(InputError, match="is a Parquet file, not a certification: tkstudies export"):
        jsonl.read_value(str(tmp_path / "golden"), "a certification")


def test_integers_of_any_size_stay_integers(tkstudies):
    line = '{"a":1,"n":' + "9" * 5000 + "}\n"
    result = tkstudies("sort", "--by", "n", input=line)
    assert (result.stdout, result.exit_code) == (line, 0)


IN_THREADS = """
import sys, threading
import msgspec
from tkstudies.jsonl import convert

def convert_in_threads(shape):
    begin = threading.Barrier(8)
    found = []
    def one():
        begin.wait()
        found.append(convert({"many": [{"number": 1}], "named": {"a": {"number": 2}}}, shape))
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert [value.named["a"].number for value in found] == [2] * 8

sys.setswitchinterval(1e-6)
for _ in range(100):
    class Part(msgspec.Struct):
        number: int
    class Whole(msgspec.Struct):
        many: list[Part]
        named: dict[str, Part]
    convert_in_threads(Whole)
"""


def test_threads_that_use_a_shape_for_the_first_time_dont_end_the_process():
    found = subprocess.run([sys.executable, "-c", IN_THREADS], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
