"""``tkstudies columns``: the catalogue says what the commands really write; a file's columns are counted right."""

from __future__ import annotations

import json
import re
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CASSETTES, from_lines, rows, to_lines
from tkstudies.analysis.histograms.statistics import STATISTICS
from tkstudies.analysis.tables import catalogue, profile
from tkstudies.analysis.tables.profile import Profile

REPLAY = ("--replay", str(CASSETTES))
QUICK_START = ("--min", 317291, "--max", 318877)
FEW = ("--min", 317500, "--max", 317530)
COOKIES = ("--cookies", "cookies.txt")

STAGES = [  # what the catalogue calls it, arguments; the output is NAME.jsonl, with _ for blanks
    ("runreg", *REPLAY, "runreg", *QUICK_START),
    ("oms runs", *REPLAY, "oms", "runs", *QUICK_START),
    ("oms fills", *REPLAY, "oms", "fills", "-i", "oms_runs.jsonl"),
    ("doctor runs", *REPLAY, "doctor", "runs"),
    ("dqm", "dqm", "--collection", "modules", "--run", 317527, "--reco", "express"),
    ("features", "features", "dqm.jsonl"),
    ("dqm", *REPLAY, "dqm", "--collection", "tracking", "--reco", "prompt,rereco", "runreg.jsonl"),
    ("features", "features", "dqm.jsonl"),
    ("dqm --quality", *REPLAY, "dqm", "--summaries", "--quality", "--collection", "tracking", "runreg.jsonl"),
    ("features", "features", "dqm_--quality.jsonl"),
    ("dqm --check-summaries", "dqm", "--check-summaries", "2", "--collection", "tracking", "--run", 317527, "--reco",
     "prompt"),
    ("merge", "merge", "doctor_runs.jsonl", "oms_runs.jsonl", "oms_fills.jsonl", "features.jsonl", "-i",
     "runreg.jsonl"),
    ("label", "label", "merge.jsonl"),
    ("filter", "filter", "fill__era = 2018B", "reco in express,prompt", "Hits.Pixel.mean > 0", "-i", "label.jsonl"),
    ("pivot", "pivot", "--columns", "reco", "--values", "tracking,is_bad", "label.jsonl"),
    ("count", "count", "tracking", "--sum", "recorded_lumi", "-i", "label.jsonl"),
    ("pca", "pca", "filter.jsonl", "--keep", "all", "--contributions", "--loadings",
     "pca_--loadings.jsonl"),
    ("outliers", "outliers", "-m", "lof", "-m", "one-class-svm", "pca.jsonl"),
    ("embed", "embed", "pca.jsonl"),
    ("suspects", "suspects", "filter.jsonl"),
    ("suspects", "suspects", "filter.jsonl", "--fdr", "--links", "--known", "suspects.jsonl"),
    ("suspects --by", "suspects", "filter.jsonl", "--by", "run"),
    ("suspects", "suspects", "sections.jsonl"),
    ("rank", "rank", "--by", "both", "pca.jsonl"),
    ("rank", "rank", "--prefer-used", "doctor_runs.jsonl", "pca.jsonl"),
    ("rank", "rank", "lumisections.jsonl"),
    ("rank --typical", "rank", "--typical", "filter.jsonl"),
    ("diff", "diff", "doctor_runs.jsonl", "--columns", "pixel,strip,tracking", "-i", "runreg.jsonl"),
    ("diff", "diff", "lumisections.jsonl", "-i", "others.jsonl"),
    ("runreg", "runreg", "--api", "v3", *FEW),
    ("runreg", "runreg", "--workspace", "global", *FEW),
    ("runreg --add-lumis", "runreg", "--add-lumis", *FEW),
    ("runreg --add-lumis", "runreg", "--api", "v3", "--add-lumis", *FEW),
    ("runreg --lumisections", "runreg", "--lumisections", "--run", 317509),
    ("oms runs", "oms", "runs", "--run", "315265,327489"),
    ("oms fills", "oms", "fills", "--min", 6610, "--max", 7490),
    ("oms fills --split-filling-scheme", "oms", "fills", "--fill", 6615, "--split-filling-scheme"),
    ("oms lumisections", "oms", "lumisections", "--run", 315265),
    ("oms detector", "oms", "detector", "--run", 315265),
    ("oms hltpaths", "oms", "hltpaths", "--run", 317509),
    ("oms hltrates", "oms", "hltrates", "--run", 317509, "--path", "HLT_ZeroBias*"),
    ("doctor problem-runs", "doctor", "problem-runs", *COOKIES),
    ("doctor problems", "doctor", "problems", *COOKIES),
    ("doctor references", "doctor", "references"),
    ("wbm", "wbm", *FEW),
    ("todo", "todo", *QUICK_START),
    ("dqm --datasets", "dqm", "--datasets", "--run", 317527, "--reco", "express"),
    ("dqm --ls", "dqm", "--run", 317527, "--reco", "express", "--ls", "/Info/ProvInfo"),
    ("dqm --check-complete", "dqm", "--run", "1,317291-317292,317527", "--reco", "express", "--tracking-map",
     "--check-complete", "--errors", "dqm_--errors.jsonl"),
    ("trackingmap", "trackingmap", "--maps", "dqm_--check-complete.jsonl", "label.jsonl"),
    ("features --content", "features", "--content", *(f"--stats={name}" for name in STATISTICS), "few.jsonl"),
    ("compare", "compare", "few.jsonl", "--reference-run", 317291),
    ("compare", "compare", "--reference-run", 317291, "dqm_--check-complete.jsonl"),
    ("compare", "compare", "--reference-reco", "prompt", "few.jsonl"),
    ("compare", "compare", "--changes", "changes.json", "--reference-run", "317291,317383", "--run", "317295-317297",
     "dqm.jsonl"),
    ("suspects", "suspects", "filter.jsonl", "--comparisons", "compare.jsonl"),
    ("check", "check", "--service", "oms"),
    ("columns", "columns"),
    ("columns FILE", "columns", "runreg.jsonl"),
]  # fmt: skip
BESIDE = ("pca --loadings", "dqm --errors")
ADDING = ("merge", "label", "pivot", "count", "filter", "suspects", "pca", "outliers", "embed", "trackingmap")

TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?")
IS_OF_TYPE = {
    "integer": lambda value: type(value) in (int, float) and value == int(value),
    "number": lambda value: type(value) in (int, float),
    "text": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "list": lambda value: type(value) is list,
    "object": lambda value: type(value) is dict,
    "time": lambda value: type(value) is str and TIME.fullmatch(value),
}
_written: list[tuple[str, list[dict]]] = []


def rows_of_lumisections(recorded):
    return [
        {"run_number": run, "reco": "prompt", "lumisection_number": 7, "is_bad": False, "recorded_lumi": recorded}
        for run in (317291, 317292)
    ]


def sections_with_features():
    return [
        {"run_number": run, "lumisection_number": number, "is_bad": False, "Hits.mean": 14 + (run * number) % 7 / 10}
        for run in range(317291, 317311)
        for number in range(1, 5)
    ]


def other_entries(service, request, reply):
    """Let summaries have other numbers of entries than histograms."""
    return reply._replace(body=reply.body.replace(b'"nentries": ', b'"nentries": 1'))


@pytest.fixture
def written(live, tkstudies, tmp_path, monkeypatch):
    """What each stage writes, once for all tests."""
    monkeypatch.chdir(tmp_path)
    if not _written:
        live.write_cookies(tmp_path / "cookies.txt")
        (tmp_path / "lumisections.jsonl").write_text(to_lines(rows_of_lumisections(1.5)))
        (tmp_path / "sections.jsonl").write_text(to_lines(sections_with_features()))
        (tmp_path / "others.jsonl").write_text(to_lines(rows_of_lumisections(2.5)))
        for name, *arguments in STAGES:
            if "few.jsonl" in arguments:
                runs = (317291, 317292)
                histograms = [hist for hist in dict(_written)["dqm"] if hist["run_number"] in runs]
                of_lumisections = [{**hist, "lumisection_number": 7} for hist in histograms]
                (tmp_path / "few.jsonl").write_text(to_lines(histograms + of_lumisections))
            if "changes.json" in arguments:
                assert tkstudies("compare", "--learn", "dqm.jsonl", "-o", "changes.json").exit_code == 0
            if name == "dqm --check-summaries":
                live.rewrite = other_entries
            result = tkstudies(*arguments)
            live.rewrite = None
            allowed = (0, 1) if name in ("check", "dqm --check-summaries") else (0,)
            assert result.exit_code in allowed, f"{name}: {result.stderr}"
            (tmp_path / f"{name.replace(' ', '_')}.jsonl").write_text(result.stdout)
            _written.append((name, from_lines(result.stdout)))
        _written.extend(
            (name, from_lines((tmp_path / f"{name.replace(' ', '_')}.jsonl").read_text())) for name in BESIDE
        )
    return _written


def columns_of(records):
    return list(dict.fromkeys(column for record in records for column in record))


def makers(name):
    """The names in the catalogue that a stage may stand for."""
    return {name, re.split(" --| FILE", name)[0]}


def test_every_column_is_in_the_catalogue_with_its_type_and_unit(written):
    for name, records in written:
        assert records, name
        explained = catalogue.explain(columns_of(records))
        assert not [column for column, entry in explained.items() if entry is None], name
        for record in records:
            for column, value in record.items():
                entry = explained[column]
                is_right = value is None or "of any type" in entry.meaning or IS_OF_TYPE[entry.type](value)
                assert is_right, (name, column, value)
                unit = record.get(f"{column}_unit")
                assert unit is None or unit in entry.unit.split(" or "), (name, column, unit)


def test_every_column_is_explained_by_the_command_that_makes_it(written):
    before = set()
    for name, records in written:
        for column, entry in catalogue.explain(columns_of(records)).items():
            if name not in ADDING:
                assert entry.commands & makers(name), (name, column)
            elif column not in before:
                expected = {"oms fills"} if column.startswith("fill__") else {name}
                expected |= {"runreg", "label"} if name == "pivot" else set()
                assert entry.commands & expected, (name, column)
        before.update(columns_of(records))


def test_no_entry_is_dead(written):
    made: dict[str, set[str]] = {}
    for name, records in written:
        for maker in makers(name):
            made.setdefault(maker, set()).update(columns_of(records))
    for entry in catalogue.entries():
        for command in entry.commands:
            assert any(catalogue._matches(entry.column, column) for column in made[command]), (entry.column, command)


def test_the_catalogue_is_complete_and_plain(tkstudies):
    found = rows(tkstudies("columns"))
    assert [tuple(record) for record in found] == [("column", "unit", "type", "meaning", "command")] * len(found)
    assert {record["type"] for record in found} <= IS_OF_TYPE.keys()
    made = [(record["column"], command) for record in found for command in record["command"].split(", ")]
    assert len(set(made)) == len(made)
    for record in found:
        meaning = record["meaning"]
        assert meaning[-1] in ".?" and meaning.isascii() and len(meaning) < 140, meaning
        if record["unit"] and ("b^{-1}" in record["unit"] or "cm^{-2}" in record["unit"]):
            assert re.search("run|fill|lumisection|bunch", meaning), meaning
            assert "(OMS online, no normtag)" in meaning, meaning


def test_the_catalogue_never_waits(shell):
    assert shell("tkstudies columns <&- | wc -l").stdout == f"{len(catalogue.entries())}\n"
    in_a_terminal = shell("script -qec 'tkstudies columns | wc -l' /dev/null", timeout=20)
    assert in_a_terminal.stdout.strip() == str(len(catalogue.entries()))
    waits = shell("script -qec 'tkstudies columns -i -' /dev/null", timeout=20)
    assert "standard input is a terminal" in waits.stdout
    assert waits.returncode == 2


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tracking", [("tracking", "runreg")]),
        ("fill__era", [("era", "oms fills")]),
        ("fill__recorded_lumi", [("recorded_lumi", "oms fills")]),
        ("fill__of_the_future", [("fill__*", "merge")]),
        ("recorded_lumi", [("recorded_lumi", f"oms {table}") for table in ("runs", "fills", "lumisections")]),
        ("run__b_field", [("b_field", "oms runs, oms fills")]),
        ("Hits.Pixel.mean", [("*.mean", "features")]),
        ("adc.PXForward_31", [("*_#", "features --content")]),
        ("contribution_fill__peak_pileup", [("contribution_*", "rank")]),
        ("t2_limit_95", [("t2_limit_95", "pca")]),
        ("pc12", [("pc#", "pca"), ("pc#", "pca --loadings")]),
    ],
)
def test_about_one_column(name, found, tkstudies):
    result = rows(tkstudies("columns", "--about", name))
    assert [(record["column"], record["command"]) for record in result] == found


def test_what_cannot_be_explained(tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.jsonl").write_text("{}\n")
    unknown = tkstudies("columns", "--about", "Trakcing\x1b[31m")
    assert (unknown.stdout, unknown.exit_code) == ("", 2)
    assert "'Trakcing\\x1b[31m': no command makes such a column; did you mean" in unknown.stderr
    both = tkstudies("columns", "--about", "era", "x.jsonl")
    assert (both.stdout, both.exit_code) == ("", 2)
    no_file = tkstudies("columns", "era")
    assert (no_file.stdout, no_file.exit_code) == ("", 2)
    assert "--about era" in no_file.stderr
    missing = tkstudies("columns", "missing.jsonl")
    assert (missing.stdout, missing.stderr) == ("", "tkstudies: missing.jsonl: no such file\n")


@pytest.mark.parametrize(
    ("others", "column", "command"),
    [
        (["fill_number", "first_run_number"], "recorded_lumi", "oms fills"),
        (["run_number", "reco", "fill__era"], "recorded_lumi", "oms runs"),
        (["run_number", "lumisection_number"], "recorded_lumi", "oms lumisections"),
        (["beam1_stable", "last_update"], "recorded_lumi", "oms lumisections"),
        (["run_number", "plot", "doctor_pixel"], "dataset", "dqm"),
        (["run_number", "doctor_pixel", "plot"], "dataset", "doctor runs, doctor problem-runs, doctor references"),
        (["feature"], "pc1", "pca --loadings"),
        (["t2"], "pc1", "pca"),
        ([], "duration", "oms runs"),
    ],
)
def test_the_other_columns_tell_what_a_name_means(others, column, command):
    assert catalogue.explain([*others, column])[column].command == command


# --- a file


ROWS = [
    {"run_number": 1, "tracking": "GOOD", "fill__recorded_lumi": 2.5, "fill__recorded_lumi_unit": "pb^{-1}"},
    {"run_number": 4, "tracking": "BAD", "start_time": "2018-06-02T00:00:00Z", "is_bad": True, "own": [1]},
    {"run_number": 2, "tracking": "GOOD", "start_time": "2018-06-02T00:00:00.5Z", "is_bad": None, "hist": {}},
    {"tracking": "", "start_time": "2018-05-30 10:00", "is_bad": False, "own": "x\x1b[31m" + 80 * "é", "none": None},
]


def test_the_columns_of_a_file(tkstudies):
    found = {record.pop("column"): record for record in rows(tkstudies("columns", "-i", "-", input=ROWS))}
    assert list(found) == [
        "run_number", "tracking", "fill__recorded_lumi", "fill__recorded_lumi_unit", "start_time", "is_bad", "own",
        "hist", "none",
    ]  # fmt: skip
    assert {record["records"] for record in found.values()} == {4}
    assert found["run_number"] == {
        "type": "integer", "filled": 3, "records": 4, "smallest": 1, "median": 2, "largest": 4, "distinct": 3,
        "commonest": None, "meaning": "Number of the run: the key of most tables.", "unit": None,
    }  # fmt: skip
    assert found["tracking"]["commonest"] == ["GOOD (2)", "BAD (1)", '"" (1)']
    assert found["tracking"]["distinct"] == 3
    lumi = found["fill__recorded_lumi"]
    assert (lumi["type"], lumi["unit"], "fill" in lumi["meaning"]) == ("number", "pb^{-1}", True)
    times = found["start_time"]
    assert (times["type"], times["smallest"], times["median"]) == ("text", "2018-05-30 10:00", None)
    assert times["largest"] == "2018-06-02T00:00:00.5Z"
    assert (found["is_bad"]["type"], found["is_bad"]["filled"]) == ("boolean", 2)
    assert found["is_bad"]["commonest"] == ["true (1)", "false (1)"]
    assert (found["own"]["type"], found["own"]["distinct"], found["own"]["meaning"]) == ("mixed", None, None)
    assert found["own"]["commonest"] == ["x\\x1b[31m" + 54 * "é" + "... (1)"]
    assert (found["hist"]["type"], found["hist"]["smallest"]) == ("object", None)
    assert (found["none"]["type"], found["none"]["filled"], found["none"]["distinct"]) == ("null", 0, None)


def test_nothing_to_tell(tkstudies):
    result = tkstudies("columns", "-i", "-", input="")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "warning: no records on standard input\n", 0)
    result = tkstudies("columns", "-i", "-", input="{}\n")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "all records are empty\n", 0)


def test_bad_lines(tkstudies, tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\nnonsense\n')
    failed = tkstudies("columns", file)
    assert (failed.stdout, failed.exit_code) == ("", 1)
    assert "line 2: not a JSON object" in failed.stderr
    skipped = tkstudies("columns", file, "--skip-bad-lines")
    assert (from_lines(skipped.stdout)[0]["records"], skipped.exit_code) == (1, 3)


def test_several_files_are_one_table(tkstudies, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps({"both": 1, name: 2}) + "\n")
    found = rows(tkstudies("columns", tmp_path / "a", tmp_path / "b"))
    assert [(record["column"], record["filled"]) for record in found] == [("both", 2), ("a", 1), ("b", 1)]


VALUES = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES, "z": VALUES})))
def test_numbers_are_those_of_the_whole_table(records):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "_ROW", 3)
        patch.setattr(profile, "_IN_MEMORY", 4)
        patch.setattr(profile, "_BATCH", 5)
        table = Profile()
        for record in records:
            table.add(record, 2)
        found = list(table.rows())
    assert [row["column"] for row in found] == columns_of(records)
    for row in found:
        numbers = [r[row["column"]] for r in records if r.get(row["column"]) is not None]
        assert row["filled"] == len(numbers)
        if numbers:
            assert (row["smallest"], row["largest"]) == (min(numbers), max(numbers))
            assert row["median"] == pytest.approx(float(statistics.median(map(Fraction, numbers))), rel=1e-15)
        floats = set(map(float, numbers))
        exact = all(abs(number) <= 2**53 for number in floats)
        assert row["distinct"] == (len(floats) if numbers and exact else None)


def test_numbers_beyond_floats_and_many_texts(tkstudies, monkeypatch):
    monkeypatch.setattr(profile, "MOST_DISTINCT", 3)
    records = [{"big": 10**400 + n, "text": f"t{n}", "few": f"t{n % 3}"} for n in range(5)]
    big, text, few = rows(tkstudies("columns", "-i", "-", input=records))
    assert (big["smallest"], big["largest"], big["distinct"]) == (10**400, 10**400 + 4, None)
    assert (text["filled"], text["distinct"], text["commonest"]) == (5, None, None)
    assert few["distinct"] == 3


def test_a_table_of_the_columns_goes_on_in_the_pipe(shell):
    result = shell(
        "set -o pipefail; printf '%s\\n' '{\"run_number\": 1, \"t2\": 2.5}' | tkstudies columns -i - "
        "| tkstudies export --to csv; tkstudies columns | head -1 | wc -l",
        COLUMNS="20",
    )
    lines = result.stdout.splitlines()
    assert lines[0] == "column,type,filled,records,smallest,median,largest,distinct,commonest,meaning,unit"
    assert (len(lines), lines[-1]) == (4, "1")
    assert "Traceback" not in result.stderr
