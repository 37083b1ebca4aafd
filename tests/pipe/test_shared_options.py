"""Options of all commands: switches, defaults and bounds, bad lines, cookie files, completion."""

from __future__ import annotations

import ast
import json

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT, to_lines
from tests.pipe.test_cli import GROUP, READS_RECORDS, leaves
from tkstudies.cli import app

LEAVES = {path: leaf for path, leaf in leaves(GROUP).items() if not path.startswith("plot ")}
NOTHING = ("", None, [], ())

# Option -> what it is unless given, its least and its greatest value, of which commands (all that have it: *)
NUMBERS = {
    "--check-summaries": [(None, 1, None, "dqm")],
    "--components": [(None, 1, None, "pca")],
    "--contamination": [(None, None, None, "outliers")],
    "--digits": [(5, 1, 17, "show")],
    "--dimensions": [(2, 1, 3, "embed")],
    "--head": [(None, 1, None, "show")],
    "--last": [(100, 10, None, "rank")],
    "--max": [(None, 0, None, "*")],
    "--min": [(None, 0, None, "*")],
    "--min-ls": [(None, 1, None, "*")],
    "--min-lumisections": [(100, 0, None, "rank")],
    "--nu": [(None, None, None, "outliers")],
    "--perplexity": [(30.0, None, None, "embed")],
    "--reference": [(None, None, None, "rank")],
    "--runs-per-file": [(None, 1, None, "*")],
    "--seed": [(42, 0, 2**32 - 1, "suspects embed"), (None, 0, 2**32 - 1, "outliers"), (None, 0, None, "compare")],
    "--since": [(None, None, None, "suspects")],
    "--tolerance": [(None, 0.0, 1.0, "compare"), (0.0, None, None, "diff")],
    "--top": [(None, 0, None, "sort"), (None, 1, None, "suspects"), (3, 1, None, "rank")],
    "--workers": [(16, 1, 64, "dqm"), (4, 1, 32, "*")],
}
WORDS = {
    "--api": "v4",
    "--by": {"suspects": "row", "rank": "conditions"},
    "--history": "all",
    "--how": "left",
    "--jobs": "1",
    "--keep": "labels",
    "--missing": {"outliers": "zero", "embed": "zero"},
    "--order": "score",
    "--plot": {"trackingmap": "TrackEtaPhi_ImpactPoint_GenTk"},
    "--sequence": "GLOBAL-RUN",
    "--to": {"show": "text"},
    "--workspace": "tracker",
    "-o": "-",
}


ON = {  # switches of functions that are on unless given: file, function, name
    ("pca", "principal_components", "keep_all"),
    ("python", "suspects", "keep_all"),
    ("differences", "add", "wanted"),
    ("header", "_header", "is_first_row"),
    ("dqm", "_exclude_each_other", "needed"),
    ("groups", "global_options", "fetches"),
    ("drawing", "placed", "is_cut"),
    ("page", "daily", "with_pictures"),
    ("pictures", "__init__", "wanted"),
    ("trends", "trends", "wanted"),
}


def options_with_values():
    for path, leaf in LEAVES.items():
        for option in leaf.params:
            if option.param_type_name == "option" and not option.is_flag:
                yield path, option


@pytest.mark.parametrize("path", LEAVES)
def test_a_switch_is_off_unless_given(path):
    switches = [option for option in LEAVES[path].params if getattr(option, "is_flag", False)]
    assert switches and not [option.opts for option in switches if option.default]


def test_a_switch_of_a_function_is_off_unless_given():
    found = set()
    for file in (ROOT / "tkstudies").rglob("*.py"):
        if file.parent.name == "plots":
            continue
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                of = function.args
                places = [*of.posonlyargs, *of.args]
                given = [
                    *zip(places[::-1], of.defaults[::-1], strict=False),
                    *zip(of.kwonlyargs, of.kw_defaults, strict=True),
                ]
                on = [name.arg for name, value in given if isinstance(value, ast.Constant) and value.value is True]
                found |= {(file.stem, function.name, name) for name in on}
    assert found == ON


def test_numbers_have_their_defaults_and_bounds():
    found = set()
    for path, option in options_with_values():
        bounds = (getattr(option.type, "min", None), getattr(option.type, "max", None))
        if bounds == (None, None) and option.type.name not in ("int", "integer", "float"):
            continue
        known = NUMBERS[option.opts[0]]
        expected = next(row[:3] for row in known if path in row[3].split() or row[3] == "*")
        assert (option.default, *bounds) == expected, (path, option.opts)
        found.add(option.opts[0])
    assert found == set(NUMBERS)


def test_words_have_their_defaults():
    for path, option in options_with_values():
        name = option.opts[0]
        default = getattr(option.default, "value", option.default)
        expected = WORDS.get(name)
        if (path, name) in (("report", "-o"), ("shard", "-o")):  # a page and a folder have to be named
            assert option.required
        elif isinstance(expected, dict):
            expected = expected.get(path)
        if isinstance(default, str) and default:
            assert default == expected, (path, name)
        elif name not in NUMBERS and not option.required:
            assert default in NOTHING and expected is None, (path, name)


def test_values_are_called_by_words_for_people():
    context = GROUP.make_context("tkstudies", [], resilient_parsing=True)
    for path, option in options_with_values():
        assert option.metavar or option.type.name == "choice", f"{path}: {option.opts} {option.make_metavar(context)}"


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["show", "--digits", "0"], "--digits"),
        (["show", "--digits", "18"], "--digits"),
        (["embed", "--dimensions", "4"], "--dimensions"),
        (["rank", "--last", "9"], "--last"),
        (["dqm", "--workers", "65"], "--workers"),
        (["oms", "runs", "--workers", "33"], "--workers"),
        (["runreg", "--min", "-1"], "--min"),
        (["suspects", "--seed", str(2**32)], "--seed"),
        (["compare", "--tolerance", "1.01"], "--tolerance"),
        (["sort", "--top", "-1"], "--top"),
    ],
)
def test_a_value_beyond_its_bounds_is_refused(arguments, option, tkstudies):
    result = tkstudies(*arguments, input="")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert option in result.stderr


# --- malformed lines

A_MAP = ROOT / "tests/data/dqm/321012_online_TrackEtaPhi_ImpactPoint_GenTk.json"
MAP = "/Tracking/TrackEtaPhi_ImpactPoint_GenTk"
READING = {
    **READS_RECORDS,
    "columns": ["-i", "-"],
    "compare": ["--reference-run", "1"],
    "diff": ["right.jsonl"],
    "export": [],
    "rank": [],
    "shard": ["-o", "cut/"],
    "suspects": [],
    "trackingmap": ["--maps", "right.jsonl"],
    "dqm": ["--datasets"],
    "plot": ["-o", "x.png"],
}


def test_all_commands_that_can_skip_lines_are_in():
    skipping = {path for path, leaf in LEAVES.items() if "--skip-bad-lines" in {o for p in leaf.params for o in p.opts}}
    assert skipping <= set(READING)


@pytest.mark.parametrize("name", READING)
def test_a_malformed_line_ends_a_command_unless_it_may_be_skipped(
    name, tkstudies, tmp_path, monkeypatch, quick_retries
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.jsonl").write_text(to_lines([{"run_number": 1, **json.loads(A_MAP.read_text()), "plot": MAP}]))
    lines = '{oops\n{"run_number":7,"reco":"express"}\n'
    refused = tkstudies(name, *READING[name], input=lines)
    assert (refused.stdout, refused.exit_code) == ("", 1)
    assert "line 1" in refused.stderr and "{oops" in refused.stderr
    skipped = tkstudies(name, *READING[name], "--skip-bad-lines", input=lines)
    assert "{oops" not in skipped.stderr and "internal error" not in skipped.stderr
    if skipped.exit_code != 1:  # for want of data
        assert skipped.exit_code == 3 and "1 malformed line skipped in standard input" in skipped.stderr


# --- cookies


@pytest.mark.parametrize(
    "arguments",
    [
        *([*name.split(), "--run", "317291"] for name in ("runreg", "todo", "oms runs", "oms lumisections")),
        *([*name.split(), "--run", "317291"] for name in ("oms hltpaths", "oms hltrates")),
        ["oms", "fills", "--fill", "6757"],
        ["oms", "get", "eras"],
        ["runreg", "--api", "v3", "--era", "2018B"],
        ["doctor", "runs"],
        ["doctor", "problem-runs"],
        ["doctor", "problems"],
    ],
    ids=" ".join,
)
def test_a_cookie_file_that_is_missing_is_named(arguments, live, tkstudies):
    result = tkstudies(*arguments, "--cookies", "no_such_cookies.txt")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "no_such_cookies.txt can't be read: No such file or directory" in result.stderr


# --- completion


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("runreg --reco e", ["express"]),
        ("runreg --reco express,re", ["express,rereco", "express,rerecoul"]),
        ("runreg --reco express,$(x),r", []),
        ("runreg --state ", ["OPEN", "SIGNOFF", "COMPLETED", "all"]),
        ("runreg --state O", ["OPEN"]),
        ("runreg --status-rule ", ["any-good", "majority", "worst"]),
        ("runreg --api v", ["v4", "v3"]),
        ("runreg --type co", ["collisions", "cosmics"]),
        ("todo --reco p", ["prompt"]),
        ("dqm --reco o", ["online"]),
        ("dqm --collection ", ["tracking", "pixel", "strip", "all", "cosmics", "modules"]),
        ("compare --reference-reco pr", ["prompt"]),
        ("check --service d", ["dqm", "doctor"]),
        ("login ", ["oms", "dials"]),
        ("logout d", ["dials"]),
        ("features --stats mean,sk", ["mean,skewness"]),
        ("label --only is_ba", ["is_bad"]),
        ("outliers --method i", ["isolation-forest"]),
        ("trackingmap --only map_s", ["map_scale"]),
        ("oms hlt", ["hltpaths", "hltrates"]),
        ("doctor problem-", ["problem-runs"]),
        ("plot corr", ["correlation"]),
        ("help luminos", ["luminosity"]),
        ("help wo", ["words", "workspace"]),
    ],
)
def test_the_shell_completes_known_words(typed, offered):
    line = f"tkstudies {typed}"
    completing = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_TKSTUDIES_COMPLETE": "complete_bash"}
    result = CliRunner().invoke(app, [], env=completing, prog_name="tkstudies")
    assert (result.stdout.split(), result.exit_code) == (offered, 0)
