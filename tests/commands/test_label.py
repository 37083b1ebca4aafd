"""``label`` against the rules written once more, over a generated study; exclusions, spreading, --sorted, memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.analysis import studies
from tests.conftest import from_lines, to_lines

REASONS = """timing timing_scan · config misconfiguration · cm threshold cm_threshold_scan · hv scan hv_scan
· hv problem hv_problem · hv off hv_off · hv is off hv_off · stats too low low_statistics · on for only hv_off
· on only hv_off · only in hv_off · only on hv_off · no hv hv_off · hv for tracker is off hv_off · hv was off hv_off
· excluded excluded · emittance emittance_scan · scan misc_scan · plots empty empty_plots · empty plot empty_plots
· in daq not_in_daq · 1 ls low_statistics · dqm offline gui dqm_gui · low stat low_statistics"""
REAL = Path(__file__).parents[2].parent / "shared" / "real"

PROBLEMS = {
    "has_fed_error": "fed error",
    "has_new_hole": "new hole",
    "has_ps_problem": "ps problem",
    "has_many_bad_components": "large number of bad component",
}


def word(row, column):
    value = row.get(column)
    return value.upper() if isinstance(value, str) and value else None


def tracking(row):
    if not (row.get("rda_name") == "online" or (row.get("workspace") == "global" and row.get("reco") == "online")):
        return row.get("tracking")
    pixel, strip = word(row, "pixel"), word(row, "strip")
    if pixel is None or strip is None:
        return None
    return "GOOD" if pixel == strip == "GOOD" else "BAD"


def is_bad(row):
    run_class = row.get("run_class_name") or None
    if word(row, "pixel") is None:
        return None
    if word(row, "pixel") != "GOOD":
        if run_class is None or not ("Collisions" in run_class or "Cosmics" in run_class):
            return None
        if "Collisions" in run_class:
            return True
    for column in ("strip", "tracking"):
        value = word({**row, "tracking": tracking(row)}, column)
        if value is None:
            return None
        if value != "GOOD":
            return True
    return False


def bad_reason(row):
    if (tracking(row) or "").upper() != "BAD":
        return None
    for phrase, reason in (part.strip().rsplit(" ", 1) for part in REASONS.replace("\n", " ").split("·")):
        for column in ("pixel_comment", "strip_comment", "tracking_comment", "comment"):
            text = (row.get(column) or "").lower().replace("_", " ")
            pattern = rf"(?<![\w.,]){phrase}(?!\w)" if phrase == "1 ls" else re.escape(phrase)
            if re.search(pattern, text):
                return reason
    return "miscellaneous"


def is_heavy_ion(row):
    run_class = row.get("run_class_name") or ""
    if "HI" in row["rda_name"] or "HI" in run_class:
        return True
    return None if row["rda_name"] == "online" and "Cosmics" not in run_class else False


def test_a_study_equals_the_rules(tkstudies):
    rows = studies.runs()
    result = tkstudies("label", input=rows)
    assert (result.stderr, result.exit_code) == ("", 0)
    labelled = from_lines(result.stdout)
    assert len(labelled) == len(rows)
    commissioning = {
        row["run_number"]
        for row in rows
        if "Commissioning" in (row.get("run_class_name") or "") or "Commiss" in (row.get("rda_name") or "")
    }
    for row, new in zip(rows, labelled, strict=True):
        assert {column: new[column] for column in row if column != "tracking"} == {
            column: value for column, value in row.items() if column != "tracking"
        }
        assert new["tracking"] == tracking(row), row
        assert new["is_bad"] == is_bad(row), row
        assert new["bad_reason"] == bad_reason(row), row
        if row["run_number"] in commissioning:
            assert new["is_commissioning"] is True
        if row.get("rda_name"):
            assert new["is_heavy_ion"] == is_heavy_ion(row), row
    for label, phrase in PROBLEMS.items():
        for row, new in zip(rows, labelled, strict=True):
            of_run = [r.get("problem_names") for r in rows if r["run_number"] == row["run_number"]]
            known = [names for names in of_run if names is not None]
            expected = any(phrase in name.lower() for names in known for name in names) if known else None
            assert new[label] == expected, (label, row)


def test_labelling_twice_changes_nothing(tkstudies):
    once = tkstudies("label", input=studies.runs(300)).stdout
    assert tkstudies("label", input=once).stdout == once


def test_only_some_labels(tkstudies):
    result = tkstudies("label", "--only", "is_bad,runtype", input='{"run_class_name":"Cosmics18"}\n')
    assert result.stdout == '{"run_class_name":"Cosmics18","runtype":"cosmics","is_bad":null}\n'
    unknown = tkstudies("label", "--only", "is_god", input="")
    assert (unknown.stdout, unknown.exit_code) == ("", 2)
    assert "is_god" in unknown.stderr
    assert "is_bad" in unknown.stderr


EXCLUDABLE = [
    {"run_number": 1, "run_class_name": "Collisions18", "rda_name": "/Express/Commiss18/DQM"},
    {"run_number": 1, "run_class_name": "Collisions18", "rda_name": "/PromptReco/Collisions18/DQM"},
    {"run_number": 2, "run_class_name": "Collisions18SpecialRun"},
    {"run_number": 3, "run_class_name": "Collisions18", "rda_state": "OPEN"},
    {"run_number": 4, "run_class_name": "Collisions18", "rda_state": "COMPLETED"},
]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], [1, 1, 2, 3, 4]),
        (["--exclude-commissioning"], [2, 3, 4]),
        (["--exclude-special"], [1, 1, 3, 4]),
        (["--exclude-open"], [1, 1, 2, 4]),
        (["--exclude-commissioning", "--exclude-special", "--exclude-open"], [4]),
        (["--exclude-commissioning", "--only", "is_bad"], [2, 3, 4]),
    ],
)
@pytest.mark.parametrize("in_order", [[], ["--sorted"]])
def test_exclusions(options, kept, in_order, tkstudies):
    result = tkstudies("label", *options, *in_order, input=[{"pixel": None, **row} for row in EXCLUDABLE])
    assert [row["run_number"] for row in from_lines(result.stdout)] == kept
    dropped = len(EXCLUDABLE) - len(kept)
    assert result.stderr == (f"{dropped} row{'s' if dropped > 1 else ''} dropped\n" if dropped else "")


def test_sorted_input_gives_the_same_and_disorder_fails(tkstudies):
    rows = sorted(studies.runs(600), key=lambda row: row["run_number"])
    assert tkstudies("label", "--sorted", input=rows).stdout == tkstudies("label", input=rows).stdout
    result = tkstudies("label", "--sorted", input='{"run_number":1}\n{"run_number":2}\n{"run_number":1}\n')
    assert result.exit_code == 1
    assert "run 1 comes again after other runs" in result.stderr


@pytest.mark.parametrize(
    ("rows", "options"), [(["{}", "{}"], "--only is_bad"), (['{"run_number":1}', '{"run_number":2}'], "--sorted")]
)
def test_rows_come_as_soon_as_they_can(rows, options, shell):
    feed = f"(echo '{rows[0]}'; sleep 0.2; echo '{rows[1]}'; sleep 3)"
    assert int(shell(f"{feed} | tkstudies label {options} | (read line; echo $SECONDS)").stdout) < 3


@pytest.mark.parametrize("value", [5, True, [], {}, "", "  ", 1.5])
def test_wrong_types_make_nulls_not_errors(value, tkstudies):
    columns = ["pixel", "strip", "tracking", "run_class_name", "rda_name", "problem_names", "comment", "run_number"]
    for column in columns:
        result = tkstudies("label", input=to_lines([{**dict.fromkeys(columns, "BAD"), column: value}]))
        assert (result.stderr, result.exit_code) == ("", 0), column


@pytest.mark.parametrize(
    ("option", "columns"),
    [
        ("--exclude-open", "rda_state"),
        ("--exclude-special", "run_class_name or rda_name"),
        ("--exclude-commissioning", "run_class_name or rda_name"),
    ],
)
def test_an_exclusion_that_nothing_tells_of(option, columns, tkstudies):
    result = tkstudies("label", option, input=[{"run_number": 1}])
    assert (len(from_lines(result.stdout)), result.exit_code) == (1, 0)
    assert f"{option} excluded nothing: no record has {columns}" in result.stderr
    known = {"run_number": 1, "pixel": None, "rda_state": "SIGNOFF", "rda_name": "/Express/Collisions2018/DQM"}
    assert tkstudies("label", option, input=[{"run_number": 1}, known]).stderr == ""


@pytest.mark.parametrize(
    ("statuses", "summary"),
    [
        (("GOOD", "GOOD", "GOOD"), "Good"),
        (("BAD", "BAD", "BAD"), "Bad"),
        (("EXCLUDED", "EXCLUDED", "EXCLUDED"), "Excluded"),
        (("bad", "Bad", "BAD"), "Bad"),
        (("STANDBY", "STANDBY", "STANDBY"), "Standby"),
        (("STANDBY", "STANDBY", "BAD"), "Standby"),
        (("STANDBY", "STANDBY", None), "Standby"),
        (("NOTSET", "NOTSET", "NOTSET"), "Pixel Notset, Strip Notset"),
        (("BAD", "GOOD", "GOOD"), "Pixel Bad"),
        (("EXCLUDED", "GOOD", "BAD"), "Pixel Excluded"),
        (("STANDBY", "GOOD", None), "Pixel Standby"),
        (("GOOD", "BAD", "GOOD"), "Strip Bad"),
        (("GOOD", "STANDBY", "BAD"), "Strip Standby"),
        (("GOOD", "NOTSET", None), "Strip Notset"),
        (("GOOD", "GOOD", "BAD"), "Tracking Bad"),
        (("GOOD", "GOOD", "EXCLUDED"), "Tracking Excluded"),
        (("GOOD", "GOOD", None), "Pixel Good, Strip Good"),
        (("BAD", "BAD", "GOOD"), "Pixel Bad, Strip Bad"),
        (("BAD", "BAD", None), "Pixel Bad, Strip Bad"),
        (("BAD", "STANDBY", "BAD"), "Pixel Bad, Strip Standby"),
        ((None, "GOOD", "GOOD"), None),
        (("GOOD", None, "BAD"), None),
    ],
)
def test_the_summary_of_statuses(statuses, summary, tkstudies):
    row = dict(zip(("pixel", "strip", "tracking"), statuses, strict=True))
    result = tkstudies("label", "--only", "status_summary", input=[row])
    assert from_lines(result.stdout)[0]["status_summary"] == summary


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("only 1 LSs", "low_statistics"),
        ("1 LS", "low_statistics"),
        ("21 LS", "miscellaneous"),
        ("0.1 ls", "miscellaneous"),
        ("HV_scan, timing", "timing_scan"),
    ],
)
def test_a_number_of_its_own(comment, reason, tkstudies):
    result = tkstudies("label", "--only", "bad_reason", input=[{"tracking": "BAD", "comment": comment}])
    assert from_lines(result.stdout)[0]["bad_reason"] == reason


def test_an_empty_text_is_known_and_says_nothing(tkstudies):
    row = {"run_class_name": "", "rda_name": "/Express/Collisions2018/DQM"}
    labelled = from_lines(tkstudies("label", input=[row]).stdout)[0]
    assert (labelled["is_special"], labelled["is_commissioning"], labelled["runtype"]) == (False, False, None)


DOCTORS = [
    {"run_number": 1, "doctor_runtype": "Collisions", "beamtype": "HeavyIon-HeavyIon", "doctor_pixel": "GOOD",
     "doctor_strip": "GOOD", "doctor_tracking": "GOOD", "doctor_pixel_lowstat": False, "comment": ""},
    {"run_number": 2, "doctor_runtype": "Cosmics", "beamtype": "Cosmics", "doctor_pixel": "EXCLUDED",
     "doctor_strip": "BAD", "doctor_tracking": "BAD", "doctor_strip_lowstat": True, "comment": "fire alarm"},
    {"run_number": 3, "doctor_runtype": "Cosmics", "beamtype": "Cosmics", "doctor_pixel": "Excluded",
     "doctor_strip": "Good", "doctor_tracking": "Good", "comment": None},
]  # fmt: skip


def test_a_table_of_the_doctor_alone_is_judged_by_its_own_statuses(tkstudies):
    result = tkstudies("label", input=DOCTORS)
    assert (result.stderr, result.exit_code) == ("", 0)
    expected = {
        "runtype": ["collisions", "cosmics", "cosmics"],
        "is_heavy_ion": [True, False, False],
        "tracking": ["GOOD", "BAD", "GOOD"],
        "is_bad": [False, True, False],
        "is_certified_good": [True, False, None],
        "is_certified_bad": [False, True, None],
        "is_low_statistics": [False, True, None],
        "status_summary": ["Good", "Pixel Excluded, Strip Bad", "Pixel Excluded"],
        "bad_reason": [None, "fire_alarm", None],
    }
    labelled = from_lines(result.stdout)
    assert {name: [row[name] for row in labelled] for name in expected} == expected
    assert tkstudies("label", input=result.stdout).stdout == result.stdout


def test_the_registry_comes_before_the_doctor(tkstudies):
    registry = {"rda_state": "OPEN", "pixel": None, "strip": None, "tracking": None}
    rows = from_lines(tkstudies("label", input=[{**row, **registry} for row in DOCTORS]).stdout)
    for name in ("tracking", "is_bad", "is_certified_good", "is_certified_bad", "status_summary", "bad_reason"):
        assert [row[name] for row in rows] == [None] * 3, name


def test_a_year_of_real_certifications(tkstudies):
    page = REAL / "doctor" / "runs.json"
    if not page.exists():
        pytest.skip(f"no real data at {page}")
    rows = from_lines(tkstudies("label", input=tkstudies("doctor", "runs", "--from", page).stdout).stdout)
    bad = [row["bad_reason"] for row in rows if row["tracking"] == "BAD"]
    assert len(bad) > 300 and bad.count("miscellaneous") < 0.25 * len(bad)
    assert sum(row["is_low_statistics"] is True for row in rows) == 419
    assert not any(row[name] is None for row in rows for name in ("is_bad", "status_summary", "is_heavy_ion"))


# --- columns of one's own


@pytest.mark.parametrize(
    ("text", "value"),
    [("23", 23), ("2.5", 2.5), ("true", True), ("null", None), ('"23"', "23"), ("good or bad", "good or bad"),
     ("a=b", "a=b"), ('""', ""), ("2018B", "2018B")],
)  # fmt: skip
def test_a_column_of_ones_own(text, value, tkstudies):
    result = tkstudies("label", "--set", f"week = {text}", "--only", "week", input=[{"run_number": 1}])
    assert (from_lines(result.stdout), result.stderr) == ([{"run_number": 1, "week": value}], "")


def test_it_comes_beside_the_labels(tkstudies):
    row = {"run_number": 1, "pixel": "GOOD", "strip": "BAD", "tracking": "GOOD"}
    (plain,) = from_lines(tkstudies("label", input=[row]).stdout)
    result = tkstudies("label", "--set", "a=1", "--set", "b=x", input=[row])
    assert from_lines(result.stdout) == [{**plain, "a": 1, "b": "x"}]
    assert from_lines(tkstudies("label", "--set", "a=1", "--only", "is_bad", input=[row]).stdout) == [
        {**row, "is_bad": True, "a": 1}
    ]


def test_what_is_replaced_is_told(tkstudies):
    rows = [{"run_number": 1, "week": 22}, {"run_number": 2, "week": 23}, {"run_number": 3, "week": None}]
    result = tkstudies("label", "--set", "week=23", "--only", "week", input=rows)
    assert [row["week"] for row in from_lines(result.stdout)] == [23, 23, 23]
    assert result.stderr == "warning: 1 row had another week, which was replaced\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["week"], "expected NAME=VALUE, such as week=23"),
        (["week="], "expected NAME=VALUE"),
        (["=23"], "expected NAME=VALUE"),
        (["week='23"], "a quoted value must end with its quote"),
        (["is_bad=true"], "is_bad is a label of its own"),
        (["a=1", "--set", "a=2"], "a: it is set twice"),
    ],
)
def test_what_cannot_be_set(arguments, told, tkstudies):
    result = tkstudies("label", "--set", *arguments, input=[{"run_number": 1}])
    assert (result.stdout, result.exit_code, told in result.stderr) == ("", 2, True), result.stderr


def test_rows_without_statuses_are_told(tkstudies):
    rows = [{"run_number": 1, "Hits.mean": 11.0}, {"run_number": 2}]
    said = tkstudies("label", input=rows).stderr
    assert "is_bad is null in all rows: no record has a status in pixel, strip or tracking" in said
    some = [*rows, {"run_number": 3, "pixel": "GOOD", "strip": "GOOD", "tracking": "GOOD"}]
    assert "is_bad" not in tkstudies("label", input=some).stderr
    assert "is_bad" not in tkstudies("label", "--only", "is_special", input=rows).stderr
    assert tkstudies("label", input="").stderr.count("is_bad") == 0
