"""``tkstudies show``: a table that fits the terminal, plain and complete in a pipe; nothing of the data is obeyed."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len

from tests.conftest import to_lines
from tkstudies.texttable.drawing import Drawing

WIDE = [
    {
        "lumi": 12.3456789 * n,
        "tracking": "GOOD" if n % 2 else "BAD",
        "none": None,
        "reco": "express",
        "run_number": 317640 + n,
        "is_bad": n % 2 == 0,
        "comment": "HV off for LS 1-40" if n % 2 else None,
        **{f"Hits.{number}.mean": n + number for number in range(200)},
    }
    for n in range(50)
]
EVIL = "\x1b[31mred\x1b]0;title\x07 \u202e [bold]x[/bold] \x9b2J"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def drawn(rows, width, **options):
    return plain(line.decode() for line in Drawing(rows, width=width, **options).table())


def plain(lines):
    return [ESCAPE.sub("", line) for line in lines]


@pytest.fixture
def terminal(shell):
    """What a terminal of a width shows of a command line."""

    def run(command, columns=80, **environment):
        given = {"TERM": "xterm", "NO_COLOR": "", **environment}
        result = shell(f"script -qec 'stty cols {columns}; {command}' /dev/null < /dev/null", **given)
        return result.stdout.replace("\r\n", "\n")

    return run


@pytest.mark.parametrize("width", [10, 20, 60, 80, 200])
def test_it_fits_and_keys_and_statuses_come_first(width):
    lines = drawn(WIDE, width)
    assert max(map(cell_len, lines[:-1])) <= width
    headings = lines[0].split()
    order = ["run_number", "reco", "tracking", "is_bad", "lumi", "comment", "Hits.0.mean"]
    assert headings[: len(order)] == order[: len(headings)]
    assert lines[-1] == f"... {207 - len(headings)} more columns (tkstudies columns)"
    assert len(lines) == 52


def test_a_narrow_table_says_nothing_of_more():
    lines = drawn([{"run_number": 1.0, "a": 0.123456789, "b": [1, "x"], "c": ""}], 80)
    assert lines == ["run_number        a  b     c", '         1  0.12346  1, x  ""']


def test_chosen_columns_are_narrowed_before_one_is_left_out():
    rows = [{"run_number": 1, "a": "x" * 300, "b": "y" * 300, "c": "日本語" * 100}]
    lines = drawn(rows, 60, names=["run_number", "a", "b", "c"])
    assert (len(lines), max(map(cell_len, lines)) <= 60) == (2, True)
    assert lines[1].count("…") == 3
    few = drawn(rows, 30, names=["run_number", "a", "b", "c"])
    assert few[-1] == "... 2 more columns (tkstudies columns)"


def test_a_text_takes_the_rest_of_the_line():
    lines = drawn([{"run_number": 1, "comment": "x" * 300, "b": 2}], 40)
    assert lines[1] == "         1  " + "x" * 27 + "…"
    assert lines[2] == "... 1 more column (tkstudies columns)"


def test_empty_records(tkstudies):
    result = tkstudies("show", input=[{}, {}])
    assert (result.stdout, result.stderr, result.exit_code) == ("", "all records are empty\n", 0)


def test_all_columns_come_in_blocks_with_their_keys():
    lines = plain(line.decode() for line in Drawing(WIDE[:2], width=60).table(every=True))
    headings = [line.split() for line in lines if "run_number" in line]
    assert [names[:2] for names in headings] == [["run_number", "reco"]] * len(headings)
    shown = [name for names in headings for name in names[2:]]
    assert sorted(shown) == sorted(WIDE[0].keys() - {"run_number", "reco"})
    assert max(map(len, lines)) <= 60


def test_columns_without_values_come_last_and_statuses_first():
    rows = [{"a": 1, "express__tracking": "GOOD", "pixel": None, "b": "GOOD enough", "run_number": "7"}]
    assert drawn(rows, 80)[0].split() == ["run_number", "express__tracking", "a", "b", "pixel"]


def test_a_comment_of_several_lines(tkstudies):
    rows = [{"run_number": 1, "comment": "HV off\r\n\r\n\tfor LS 1-40\n"}]
    assert tkstudies("show", input=rows).stdout.splitlines()[1] == "         1  HV off / for LS 1-40"
    lines = tkstudies("show", "--vertical", input=rows).stdout.splitlines()
    assert lines[1:3] == ["comment       HV off", "              for LS 1-40"]


def test_in_a_pipe_it_is_plain_and_complete(tkstudies):
    result = tkstudies("show", input=WIDE)
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr, len(lines)) == (0, "", 51)
    assert lines[0].split()[-1] == "none" and len(lines[0].split()) == 207
    assert "\x1b" not in result.stdout and "…" not in result.stdout
    assert len(tkstudies("show", "--head", 3, input=WIDE).stdout.splitlines()) == 4


def test_long_texts_are_whole_in_a_pipe(tkstudies):
    rows = [{"a": "x" * 500, "b": 1}, {"a": "y", "b": 2}]
    lines = tkstudies("show", input=rows).stdout.splitlines()
    assert "x" * 500 in lines[1]
    assert lines[2] == "y" + " " * 59 + "  2"


def test_numbers_are_rounded_but_not_keys(tkstudies):
    rows = [{"run_number": 317640.0, "a": 1234567.891, "b": 1e-9 / 3, "c": 2**53, "d": 0.1 + 0.2, "e": 123456789012}]
    values = tkstudies("show", input=rows).stdout.splitlines()[1].split()
    assert values == ["317640", "1234568", "3.3333e-10", "9007199254740992", "0.3", "123456789012"]
    assert tkstudies("show", "--digits", 2, "-c", "b", input=rows).stdout.split()[-1] == "3.3e-10"


@pytest.mark.parametrize("arguments", [[], ["--vertical"], ["--to", "markdown"]])
def test_texts_are_data(arguments, tkstudies):
    rows = [{"run_number": 1, "comment": EVIL, f"name{EVIL}": "a\nb\tc"}, {"comment": "\ud800"}]
    result = tkstudies("show", *arguments, input="".join(json.dumps(row) + "\n" for row in rows))
    assert result.exit_code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.stdout)
    assert "x1b" in result.stdout and "ud800" in result.stdout
    assert arguments or "[bold]x[/bold]" in result.stdout


def test_markdown_for_an_elog(tkstudies):
    rows = [{"run_number": 1, "bad_reason": "hv_off", "x": "a|b <img> *c*"}, {"run_number": 2, "x": None}]
    result = tkstudies("show", "--to", "markdown", input=rows)
    assert result.stdout.splitlines() == [
        "| run_number | bad_reason | x |",
        "| ---: | --- | --- |",
        "| 1 | hv_off | a\\|b \\<img\\> \\*c\\* |",
        "| 2 | - | - |",
    ]


def test_one_wide_row(tkstudies):
    result = tkstudies("show", "--vertical", input=WIDE[:1])
    lines = result.stdout.splitlines()
    assert (lines[0].split(), lines[2].split()) == (["run_number", "317640"], ["tracking", "BAD"])
    assert len(lines) == 207 + 3
    assert [line.split()[-1] for line in lines[-3:]] == [
        "https://cmsoms.cern.ch/cms/runs/report?cms_run=317640",
        "https://cmsrunregistry.web.cern.ch/offline/datasets/global?run_number=317640",
        "https://cmsweb.cern.ch/dqm/offline/start?runnr=317640",
    ]
    assert "https" not in tkstudies("show", "--vertical", input=[{"fill_number": 6757}]).stdout


def test_chosen_columns(tkstudies, tmp_path):
    result = tkstudies("show", "-c", "comment,Hits.1?.mean", "-c", "nothing", input=WIDE)
    headings = result.stdout.splitlines()[0].split()
    assert headings == ["run_number", "reco", "comment", *(f"Hits.{n}.mean" for n in range(10, 20))]
    assert result.stderr.startswith("warning: no column matches nothing; ")
    named = tkstudies("show", "tracking")
    assert (named.stderr, named.exit_code) == (
        "tkstudies: tracking: no such file (columns are chosen with --columns tracking)\n",
        2,
    )
    assert tkstudies("show", tmp_path / "no.jsonl").exit_code == 1


def test_a_malformed_line_is_left_out(tkstudies):
    result = tkstudies("show", "--skip-bad-lines", input='{"a":1}\nx\n')
    assert (result.stdout, result.exit_code) == ("a\n1\n", 3)


def test_on_a_terminal(terminal, tmp_path):
    (tmp_path / "x.jsonl").write_text(to_lines(WIDE))
    shown = terminal("tkstudies show x.jsonl")
    lines = shown.splitlines()
    assert "\x1b[32mGOOD\x1b[0m" in shown and "\x1b[31mBAD\x1b[0m" in shown
    assert max(map(len, plain(lines)[:-2])) <= 80
    assert len(lines) == 43 and "more columns (tkstudies columns)" in lines[-2]
    assert lines[-1] == "... more than these 40 rows (--head N, or all of them: | less -S)"
    without = terminal("tkstudies show x.jsonl --head 2", columns=60, NO_COLOR="1")
    assert "\x1b" not in without and len(without.splitlines()) == 4
    assert "\x1b" not in terminal(
        "tkstudies show x.jsonl --head 2; tkstudies show x.jsonl -n 1 --vertical", TERM="dumb"
    )


def test_a_terminal_reads_no_more_than_it_shows(terminal):
    assert "more than these 40 rows" in terminal('yes "{\\"a\\":1}" | timeout 20 tkstudies show')


def test_the_first_rows_of_a_slow_stream_are_not_waited_for():
    command = [sys.executable, "-m", "tkstudies", "show", "--head", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b'{"a":1}\n{"a":2}\n')
        process.stdin.flush()  # and it stays open
        assert process.wait(timeout=30) == 0
        assert process.stdout.read() == b"a\n1\n2\n"


def test_a_reader_that_stops(shell, tmp_path):
    (tmp_path / "x.jsonl").write_text(to_lines(WIDE * 40))
    result = shell("set -o pipefail; tkstudies show x.jsonl | head -1 | wc -l; tkstudies show x.jsonl > /dev/full")
    assert (result.stdout, result.returncode) == ("1\n", 1)
    assert result.stderr == "tkstudies: standard output: can't be written: No space left on device\n"
