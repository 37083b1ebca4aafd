"""``tkstudies runreg`` with v4: the mapping of rows, selections, filters, paging."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import from_lines, rows
from tkstudies.errors import UsageError
from tkstudies.services.registry import v3, v4
from tkstudies.services.registry.conditions import parse
from tkstudies.services.registry.records import status_rule, v4_record
from tkstudies.services.runselection import Numbers, coarse, intersected
from tkstudies.services.web.connection import Connection

PROMPT, EXPRESS = "/PromptReco/Collisions2018B/DQM", "/Express/Collisions2018/DQM"
ZERO_BIAS = "/ZeroBias/Run2018B-PromptReco-v1/DQMIO"

# The table of examples in the mapping from v4 datasets to flat records, rule any-good:
# run, dataset, reco, state, pixel, strip, tracking
SEEDED = [
    (317291, EXPRESS, "express", "COMPLETED", "GOOD", "GOOD", "GOOD"),
    (317292, PROMPT, "prompt", "COMPLETED", "GOOD", "GOOD", "GOOD"),
    (317297, "/ReReco/Run2018B_17Sep2018/DQM", "rereco", "COMPLETED", "GOOD", "BAD", "BAD"),
    (317292, "/ReReco/Run2018_UL2018/DQM", "rerecoul", "COMPLETED", "GOOD", "GOOD", "GOOD"),
    (317320, PROMPT, "prompt", "SIGNOFF", "EXCLUDED", "GOOD", "GOOD"),
    (317338, EXPRESS, "express", "COMPLETED", "GOOD", "GOOD", "NOTSET"),
    (317339, EXPRESS, "express", "COMPLETED", "STANDBY", "STANDBY", "STANDBY"),
    (317340, EXPRESS, "express", "OPEN", "GOOD", "GOOD", "GOOD"),
    (317382, PROMPT, "prompt", "waiting dqm gui", "GOOD", "GOOD", "NOTSET"),
    (317392, "online", "online", "SIGNOFF", "GOOD", "GOOD", None),
    (317301, "online", "online", "OPEN", None, None, None),
    (317441, "/Test/OwnOms/DQM", None, "OPEN", None, "GOOD", None),
    (317188, "/PromptReco/Cosmics18/DQM", "prompt", "SIGNOFF", "EXCLUDED", "GOOD", "GOOD"),
]


pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def faulty(fail, monkeypatch):
    """As ``fail``, with short pages, so that there are many."""
    monkeypatch.setattr(v4, "PAGE_SIZE", 40)
    return fail


@pytest.fixture
def sent(monkeypatch):
    """The bodies of the listings that the client asks for, as they go out."""
    bodies = []
    post = Connection.post_json

    def recording(connection, path, body, **how):
        bodies.append(body)
        return post(connection, path, body, **how)

    monkeypatch.setattr(Connection, "post_json", recording)
    return bodies


def names(result):
    return {(row["run_number"], row["rda_name"]) for row in rows(result)}


# --- records


def test_every_seeded_row_has_the_words_of_the_mapping(live, tkstudies):
    found = {
        (row["run_number"], row["rda_name"]): row
        for row in rows(tkstudies("runreg", "--min", 317188, "--max", 317441, "--state", "all"))
    }
    for run, name, *expected in SEEDED:
        row = found[run, name]
        assert [row[key] for key in ("reco", "rda_state", "pixel", "strip", "tracking")] == expected, (run, name)
    assert found[317441, "/Test/OwnOms/DQM"]["strip_good_fraction"] == pytest.approx(4 / 7)
    assert found[317441, "/Test/OwnOms/DQM"]["pixel_good_fraction"] is None
    assert found[317292, PROMPT]["pixel_good_fraction"] == 35 / 40


@pytest.mark.parametrize(
    ("rule", "pixel_317292", "strip_317340"),
    [
        ("any-good", "GOOD", "GOOD"),
        ("majority", "GOOD", "GOOD"),
        ("worst", "BAD", "BAD"),
        ("fraction=0.95", "BAD", "GOOD"),
        ("fraction=0.875", "BAD", "GOOD"),
        ("fraction=0.874", "GOOD", "GOOD"),
        ("fraction=0", "GOOD", "GOOD"),
    ],
)
def test_status_rules(rule, pixel_317292, strip_317340, live, tkstudies):
    result = tkstudies("runreg", "--run", "317292,317340", "--status-rule", rule)
    found = {(row["run_number"], row["rda_name"]): row for row in rows(result)}
    assert found[317292, PROMPT]["pixel"] == pixel_317292
    assert found[317340, EXPRESS]["strip"] == strip_317340


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"BAD": 2, "STANDBY": 2}, ("BAD", "BAD", "BAD", "BAD")),
        ({"STANDBY": 2, "EXCLUDED": 3}, ("EXCLUDED", "EXCLUDED", "STANDBY", "EXCLUDED")),
        ({"GOOD": 3, "NOTSET": 3}, ("GOOD", "NOTSET", "NOTSET", "NOTSET")),
        ({"GOOD": 19, "BAD": 1}, ("GOOD", "GOOD", "BAD", "BAD")),
        ({"ODD": 1, "EVEN": 1}, ("EVEN", "EVEN", "EVEN", "EVEN")),
        ({"GOOD": 1}, ("GOOD", "GOOD", "GOOD", "GOOD")),
    ],
)
def test_ties_and_thresholds_of_the_rules(counts, words):
    rules = ("any-good", "majority", "worst", "fraction=0.95")
    assert tuple(status_rule(rule)(counts) for rule in rules) == words


def test_a_record_is_complete_and_in_order(live, tkstudies):
    (row,) = rows(tkstudies("runreg", "--run", 317297, "--reco", "prompt"))
    assert row == {
        "run_number": 317297,
        "reco": "prompt",
        "run_type": "Collisions",
        "workspace": "tracker",
        "rda_name": PROMPT,
        "rda_state": "COMPLETED",
        "run_class_name": "Collisions18",
        "pixel": "GOOD",
        "pixel_cause": None,
        "pixel_comment": None,
        "strip": "BAD",
        "strip_cause": "HV | LV",
        "strip_comment": "TIB HV off for the whole run | TOB power group off",
        "tracking": "BAD",
        "tracking_cause": "HV",
        "tracking_comment": "TIB HV off for the whole run",
        "lumisections": 50,
        "pixel_good_fraction": 1.0,
        "strip_good_fraction": 0.0,
        "tracking_good_fraction": 0.0,
        "good_fraction_of": "active",
        "gui_datasets": ["/ZeroBias/Run2018B-PromptReco-v1/DQMIO", "/SingleMuon/Run2018B-PromptReco-v1/DQMIO"],
    }
    assert list(row)[:4] == ["run_number", "reco", "run_type", "workspace"]


def test_an_unclassified_dataset_without_summary_gives_nulls():
    dataset = {
        "run_number": 1,
        "name": "/Test/X/DQM",
        "Run": {"rr_attributes": {"class": ""}},
        "dataset_attributes": {},
        "DatasetTripletCache": None,
    }
    record = v4_record(dataset, "global", status_rule("any-good"))
    assert (record["run_class_name"], record["run_type"], record["rda_state"], record["pixel"]) == (None,) * 4
    assert record["gui_datasets"] == []


def bits(active, stable, total):
    counts = {"cms_active": active, "beam1_stable": stable, "beam2_stable": stable}
    return {
        "ls_duration": {"TRUE": total},
        **{name: {"TRUE": number, "FALSE": total - number} for name, number in counts.items()},
    }


@pytest.mark.parametrize(
    ("counts", "summary", "fraction", "of"),
    [
        ({"GOOD": 55, "BAD": 8, "EMPTY": 0}, bits(55, 63, 63), 1.0, "active"),
        ({"GOOD": 55, "BAD": 8, "EMPTY": 0}, bits(63, 55, 63), 1.0, "active"),
        ({"GOOD": 50, "BAD": 10, "EMPTY": 3}, bits(55, 63, 63), 50 / 55, "active"),
        ({"GOOD": 63, "EMPTY": 0}, bits(55, 63, 63), 1.0, "active"),
        ({"STANDBY": 63, "EMPTY": 0}, bits(55, 63, 63), 0.0, "active"),
        ({"GOOD": 35, "BAD": 5}, bits(40, 40, 40), 35 / 40, "active"),
        ({"GOOD": 60, "BAD": 3}, bits(55, 63, 63), 60 / 63, "judged"),
        ({"GOOD": 55, "BAD": 8}, bits(63, 0, 63), 55 / 63, "judged"),
        ({"GOOD": 55, "BAD": 8}, {"ls_duration": {"TRUE": 63}}, 55 / 63, "judged"),
        ({"EMPTY": 63}, bits(55, 63, 63), None, None),
    ],
)
def test_fractions_are_of_active_lumisections_in_stable_beams_where_known(counts, summary, fraction, of):
    record = v4_record(one_dataset({"tracker-pixel": counts}, summary), "tracker", status_rule("any-good"))
    assert (record["pixel_good_fraction"], record["good_fraction_of"]) == (fraction, of)
    assert record["strip_good_fraction"] is None


@pytest.mark.parametrize("key", ["null", "NULL", "undefined", "", " EMPTY "])
def test_a_status_that_is_null_stays_null(key):
    record = v4_record(one_dataset({"tracker-strip": {key: 9, "EMPTY": 1}}, {}), "tracker", status_rule("any-good"))
    assert record["strip"] is None and record["strip_good_fraction"] is None
    mixed = {"tracker-strip": {key: 9, "BAD": 1}}
    assert v4_record(one_dataset(mixed, {}), "tracker", status_rule("majority"))["strip"] == "BAD"


def one_dataset(triplets, summary):
    return {
        "run_number": 315265,
        "name": PROMPT,
        "Run": {"rr_attributes": {"class": "Collisions18", "state": "SIGNOFF"}},
        "dataset_attributes": {"tracker_state": "COMPLETED"},
        "DatasetTripletCache": {"triplet_summary": triplets, "dcs_summary": summary},
    }


def test_what_hides_behind_good_is_said(live, tkstudies):
    result = tkstudies("runreg", "--run", "317292")
    hardly = [row for row in rows(result) if row["pixel"] == "GOOD" and row["pixel_good_fraction"] < 0.95]
    assert len(hardly) == 4 and "4 rows GOOD by the rule with less than 95 %" in result.stderr
    quiet = tkstudies("runreg", "--run", "317292", "-q")
    assert (quiet.stderr, quiet.stdout) == ("", result.stdout)
    for option in ("--runs-txt", "--raw", "--lumisections"):  # no word out of many lumisections
        assert "GOOD" not in tkstudies("runreg", "--run", "317292", option).stderr


def test_several_datasets_of_one_reconstruction_are_kept_and_told(tkstudies, changes, world):
    twin = next(d for d in world.registry_datasets() if (d["run_number"], d["name"]) == (317291, PROMPT))
    changes.add_rows("runregistry", [{**twin, "name": "/PromptReco/Collisions2018Special/DQM"}])
    result = tkstudies("runreg", "--run", 317291, "--reco", "prompt")
    excluded = tkstudies("runreg", "--run", "317291,317292", "--exclude-non-regular", "--reco", "prompt")
    assert [row["rda_name"] for row in rows(result)] == [PROMPT, "/PromptReco/Collisions2018Special/DQM"]
    assert "317291 prompt" in result.stderr and "rda_name" in result.stderr
    assert {row["run_number"] for row in rows(excluded)} == {317292}  # all rows of 317291 go


# --- selections


@pytest.mark.parametrize(
    "options",
    [
        ["--min", 317500, "--max", 317600],
        ["--run", "317500-317550", "--run", "317551-317600"],
        ["--min", 317500, "--run", "317400-317600"],
        ["--fill", "6762-6764", "--max", 317600],
        ["--filter", "run_number__gte=317500", "--filter", "run_number__lte=317600"],
    ],
)
def test_ways_to_say_the_same(options, live, tkstudies):
    expected = tkstudies("runreg", "--run", "317500-317600").stdout
    assert expected and tkstudies("runreg", *options).stdout.splitlines()[0] in expected
    if "--fill" not in options:
        assert tkstudies("runreg", *options).stdout == expected


def test_rows_come_by_run_and_name_and_once(live, tkstudies):
    found = rows(tkstudies("runreg", "--min", 314000, "--max", 327744))
    keys = [(row["run_number"], row["rda_name"]) for row in found]
    assert len(found) > 4 * v4.PAGE_SIZE
    assert all(a < b for a, b in pairwise(keys))


def test_runs_of_files(live, tkstudies, tmp_path):
    listed = tmp_path / "runs.txt"
    listed.write_text("317291 Express\n\n317292 Prompt Collisions\n")
    records = tmp_path / "runs.jsonl"
    records.write_text('{"run_number": 317292, "x": 1}\n{"run_number": null}\n')
    assert {n for n, _ in names(tkstudies("runreg", "--runs-from", listed))} == {317291, 317292}
    assert {n for n, _ in names(tkstudies("runreg", "--runs-from", records))} == {317292}
    assert {n for n, _ in names(tkstudies("runreg", "-i", records, "--run", 317297))} == {317292, 317297}
    from_stdin = tkstudies("runreg", "-i", "-", input=[{"run_number": 317291}])
    assert {n for n, _ in names(from_stdin)} == {317291}


def test_hundreds_of_single_runs_are_one_listing(live, tkstudies, sent, world, tmp_path):
    wanted = sorted(world.runs)[100:400:2]
    listed = tmp_path / "runs.txt"
    listed.write_text("".join(f"{run} Express\n" for run in wanted))
    found = rows(tkstudies("runreg", "--runs-from", listed, "--reco", "online", "--state", "all"))
    assert [row["run_number"] for row in found] == wanted
    assert len({json.dumps(body["filter"]) for body in sent}) == 1


@pytest.mark.parametrize("name", ["2018B", "Run2018B", "run2018b"])
def test_an_era_is_looked_up(name, live, tkstudies):
    runs = [row["run_number"] for row in rows(tkstudies("runreg", "--era", name, "--reco", "express"))]
    assert runs and min(runs) >= 317080 and max(runs) < 319337


def test_an_unknown_era_names_the_known_ones(live, tkstudies):
    result = tkstudies("runreg", "--era", "2018Z")
    assert (result.exit_code, result.stdout) == (2, "") and "2018B" in result.stderr


def test_times_bound_the_start_of_the_run(live, tkstudies, sent):
    found = rows(tkstudies("runreg", "--since", "2018-06-21", "--until", "2018-06-21", "--raw"))
    times = [row["Run__oms_attributes__start_time"] for row in found]
    assert times and all("2018-06-21T00:00:00Z" <= time <= "2018-06-21T23:59:59Z" for time in times)
    assert {"oms_attributes.start_time": {"<=": "2018-06-21T23:59:59Z"}} in sent[0]["filter"]["and"]
    none = tkstudies("runreg", "--last", "2h")
    assert (none.exit_code, none.stdout) == (0, "")


def test_each_bound_of_the_start_alone(live, tkstudies):
    def found(*options):
        return names(tkstudies("runreg", "--min", 317000, "--max", 318000, *options))

    everything = found()
    later, earlier = found("--since", "2018-06-08"), found("--until", "2018-06-07")
    assert later and earlier and not later & earlier and later | earlier == everything
    assert found("--start", "2018-06-08T00:00") == later and found("--end", "2018-06-07T23:59:59Z") == earlier


@pytest.mark.parametrize(
    "options",
    [
        ["--min", "327400"],
        ["--max", "315259"],
        ["--run", "317292"],
        ["317292"],
        ["--fill", "6757"],
        ["--since", "2018-12-01"],
        ["--until", "2018-04-27"],
        ["--last", "2h"],
        ["--era", "2018B"],
        ["--class", "Cosmics18"],
        ["--filter", "class=Cosmics18"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("api", ["v4", "v3"])
def test_one_selection_is_enough(api, options, live, tkstudies):
    if api == "v3" and "--filter" in options:  # decided here: the whole registry would be read
        assert tkstudies("runreg", "--api", "v3", *options).exit_code == 2
        return
    found = rows(tkstudies("runreg", "--api", api, *options))
    if options[0] not in ("--last", "--since"):
        assert found
    if "Cosmics18" in options[-1]:
        assert {row["run_class_name"] for row in found} == {"Cosmics18"}


def test_class_type_and_length(live, tkstudies):
    base = ["runreg", "--min", 317000, "--max", 318000]
    assert {row["run_class_name"] for row in rows(tkstudies(*base, "--class", "Cosmics18"))} == {"Cosmics18"}
    assert {row["run_type"] for row in rows(tkstudies(*base, "--type", "cosmics"))} == {"Cosmics"}
    everything = rows(tkstudies(*base, "--reco", "express", "--raw"))
    long = rows(tkstudies(*base, "--reco", "express", "--raw", "--min-ls", 400))
    durations = [row["Run__oms_attributes__ls_duration"] for row in everything]
    assert 0 < len(long) == sum(duration >= 400 for duration in durations) < len(everything)


def test_states(live, tkstudies):
    base = ["runreg", "--min", 317188, "--max", 317600]
    assert {row["rda_state"] for row in rows(tkstudies(*base))} <= {"OPEN", "SIGNOFF", "COMPLETED"}
    opened = rows(tkstudies(*base, "--state", "open"))
    assert {row["rda_state"] for row in opened} == {"OPEN"}
    assert {"online"} < {row["reco"] for row in opened}
    everything = names(tkstudies(*base, "--state", "all"))
    assert everything > names(tkstudies(*base))
    waiting = names(tkstudies(*base, "--state", "waiting dqm gui"))
    assert (317382, PROMPT) in waiting and waiting < everything
    assert names(tkstudies(*base, "--filter", "rda_state=waiting dqm gui")) == waiting


def test_recos(live, tkstudies):
    base = ["runreg", "--min", 317000, "--max", 318000, "--state", "all"]
    found = {row["reco"] for row in rows(tkstudies(*base))}
    assert found == {"online", "express", "prompt", "rereco", "rerecoul", None}
    for reco in ("online", "express", "prompt", "rereco", "rerecoul"):
        assert {row["reco"] for row in rows(tkstudies(*base, "--reco", reco))} == {reco}
    assert {row["reco"] for row in rows(tkstudies(*base, "--reco", "express,Online"))} == {"express", "online"}


def test_the_state_of_an_online_row_is_the_runs(live, tkstudies):
    """Alone as well as beside others: its dataset has no state of its own."""
    base = ["runreg", "--min", 317000, "--max", 318000]
    for states in ([], ["--state", "SIGNOFF"]):
        beside = [row for row in rows(tkstudies(*base, *states)) if row["reco"] == "online"]
        assert rows(tkstudies(*base, *states, "--reco", "online")) == beside != []


def test_exclusions_take_whole_runs_before_the_other_options(live, tkstudies, world):
    base = ["runreg", "--min", 314000, "--max", 320000]
    regular = rows(tkstudies(*base, "--exclude-cosmics", "--exclude-non-regular"))
    assert {row["run_class_name"] for row in regular} == {"Collisions18"}
    texts = {}
    for dataset in world.registry_datasets():
        words = f"{dataset['name']} {dataset['Run']['rr_attributes']['class']}"
        texts[dataset["run_number"]] = texts.get(dataset["run_number"], "") + words
    everything = rows(tkstudies(*base))
    expected = [row for row in everything if not re.search("osmic|ecial|ommiss", texts[row["run_number"]])]
    assert regular == expected != everything
    express = {row["run_number"] for row in rows(tkstudies(*base, "--exclude-cosmics", "--reco", "express"))}
    assert 317188 not in express and express


# --- filters


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("strip=BAD", lambda r: r["strip"] == "BAD"),
        ("strip=bad", lambda r: r["strip"] == "BAD"),
        ("strip__ne=GOOD", lambda r: r["strip"] != "GOOD"),
        ("pixel_good_fraction__lt=0.9", lambda r: r["pixel"] is not None and r["pixel_good_fraction"] < 0.9),
        ("rda_name__like=%cosmics%", lambda r: "cosmics" in r["rda_name"].lower()),
        ("rda_name__notlike=/express/%", lambda r: not r["rda_name"].lower().startswith("/express/")),
        ("strip_comment__like=%HV%", lambda r: "hv" in (r["strip_comment"] or "").lower()),
        ("lumisections__gte=100", lambda r: (r["lumisections"] or 0) >= 100),
        ("class__ne=Collisions18", lambda r: r["run_class_name"] != "Collisions18"),
        (f"gui_datasets={ZERO_BIAS}", lambda r: ZERO_BIAS in r["gui_datasets"]),
        ("run_number__gt=317500", lambda r: r["run_number"] > 317500),
    ],
)  # fmt: skip
def test_filters_keep_what_they_say(condition, holds, live, tkstudies):
    base = ["runreg", "--min", 317000, "--max", 318000, "--state", "all"]
    everything = rows(tkstudies(*base))
    expected = [row for row in everything if holds(row)]
    assert 0 < len(expected) < len(everything)
    assert rows(tkstudies(*base, "--filter", condition)) == expected


def counts(row, status):
    """Lumisections of the strips with a status; None if the dataset has no such column."""
    prefix = "DatasetTripletCache__triplet_summary__tracker-strip__"
    return None if f"{prefix}EMPTY" not in row else row.get(prefix + status, 0)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("tracker-strip.BAD__gt=0", lambda bad, good: bad > 0),
        ("tracker-strip.BAD=0", lambda bad, good: bad == 0),
        ("strip.bad__lt=3", lambda bad, good: bad < 3),
        ("tracker-strip.BAD__ne=1", lambda bad, good: bad != 1),
        ("triplet_summary.tracker-strip.GOOD__gt=9", lambda bad, good: good > 9),
    ],
)
def test_counts_are_numbers_and_absent_ones_are_zero(condition, holds, live, tkstudies):
    base = ["runreg", "--min", 317188, "--max", 317441, "--state", "all", "--raw"]
    everything = rows(tkstudies(*base))
    expected = [
        row for row in everything if counts(row, "BAD") is not None and holds(counts(row, "BAD"), counts(row, "GOOD"))
    ]
    assert 0 < len(expected) < len(everything)
    assert rows(tkstudies(*base, "--filter", condition)) == expected


def test_what_is_sent_is_one_and_list_with_numbers_as_numbers(live, tkstudies, sent):
    selected = ["--min", 317291, "--max", 317441, "--fill", 6757, "--type", "collisions", "--exclude-cosmics"]
    conditions = ["tracker-strip.GOOD__gt=9", "oms_attributes.ls_duration__gt=5", "rr_attributes.significant=true"]
    filters = [word for condition in conditions for word in ("--filter", condition)]
    result = tkstudies("runreg", *selected, *filters, "--reco", "express", "--reco", "online")
    assert rows(result)
    for body in sent:
        assert set(body) == {"page", "page_size", "filter", "sortings"}
        assert body["sortings"] == [["run_number", "ASC"], ["name", "ASC"]]
        assert list(body["filter"]) == ["and"]
        for rule in body["filter"]["and"]:
            tables = {table(field) for field in fields(rule)}
            assert len(tables) == 1, rule  # no "or" reaches over two tables
    main = sent[-1]["filter"]["and"]
    assert {"triplet_summary.tracker-strip.GOOD": {">": 9}} in main
    assert {"oms_attributes.ls_duration": {">": 5}} in main
    assert {"rr_attributes.significant": {"=": True}} in main


def fields(rule):
    for key, value in rule.items():
        if key in ("and", "or"):
            for part in value:
                yield from fields(part)
        else:
            yield key


def table(name):
    head = name.split(".")[0]
    return {"rr_attributes": "run", "oms_attributes": "run", "triplet_summary": "summary"}.get(head, "dataset")


@pytest.mark.parametrize(
    ("options", "known"),
    [
        (["--filter", "nonsense=1"], "strip"),
        (["--filter", "strip__in=BAD"], "notlike"),
        (["--filter", "strip__!=BAD"], "unknown field"),
        (["--filter", "strip"], "COLUMN OP VALUE"),
        (["--filter", "strip=FINE"], "EXCLUDED"),
        (["--api", "v3", "--cookies", "x"], "v4"),
        (["--filter", "oms_attributes.nonsense=1"], "oms_attributes.b_field"),
        (["--filter", "rr_attributes=1"], "rr_attributes.X"),
        (["--filter", "tracker-strip.BADD__gt=0"], "STANDBY"),
        (["--filter", "tracker-pixel_private.BAD__gt=0"], "tracker-pixel"),
        (["--filter", "tracker-strip=BAD"], "tracker-strip"),
        (["--filter", "run_number__like=3%"], "gte"),
        (["--filter", "run_number=3x"], "number"),
        (["--filter", "oms_attributes.ls_duration__gt=many"], "number"),
        (["--filter", "rr_attributes.significant=maybe"], "true or false"),
        (["--filter", "tracker-strip.comments=x"], "like"),
        (["--reco", "reReco2"], "rerecoul"),
        (["--state", "CLOSED"], "SIGNOFF"),
        (["--status-rule", "best"], "any-good"),
        (["--status-rule", "fraction=1.5"], "0.95"),
        (["--status-rule", "fraction=1"], "from 0 to below 1"),
        (["--status-rule", "fraction=-0.1"], "from 0 to below 1"),
        (["--status-rule", "fraction=x"], "from 0 to below 1"),
        (["--status-rule", "fraction"], "known are any-good"),
        (["--workspace", "pixel"], "global"),
        (["--api", "v5"], "v3"),
        (["--type", "beam"], "cosmics"),
        (["--since", "yesterday"], "UTC"),
        (["--last", "soon"], "24h"),
        (["--last", "2h", "--since", "2018-01-01"], "exclude"),
        (["--last", "2h", "--until", "2018-01-01"], "exclude"),
        (["--since", "2018-06-02", "--until", "2018-06-01"], "the range is empty"),
        (["--min", "9", "--max", "8"], "the range is empty"),
        (["--raw", "--runs-txt"], "exclude"),
        (["--raw", "--add-lumis"], "exclude"),
        (["--run", "317292-317291"], "empty"),
        (["--run", "x"], "355100"),
        (["--api", "v3", "--status-rule", "worst"], "v4"),
        (["--api", "v3", "--lumisections"], "v4"),
        (["--api", "v3", "--filter", "tracker-strip.BAD__gt=0"], "rda_name"),
    ],
)
def test_a_wrong_command_line_names_what_is_known(options, known, live, tkstudies):
    before = len(live.log)
    result = tkstudies("runreg", *([] if "--run" in options else ["--run", "317292"]), *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert known in result.stderr and len(result.stderr.splitlines()) < 12
    assert len(live.log) == before  # nothing was asked for


def test_the_whole_registry_is_not_read_by_mistake(live, tkstudies):
    for options in ([], ["--reco", "express"], ["--filter", "strip=BAD"], ["--exclude-cosmics"]):
        result = tkstudies("runreg", *options)
        assert (result.exit_code, result.stdout) == (2, "") and "--min" in result.stderr


LIKE = st.text(st.sampled_from("aAbß%_*?[]!-.^$\\\n"), max_size=8)


@given(LIKE, LIKE)
def test_like_is_that_of_sql(pattern, text):
    """Against the definition: each ``%`` takes nothing, or one character and goes on."""

    def fits(pattern, text):
        if not pattern:
            return not text
        if pattern[0] == "%":
            return fits(pattern[1:], text) or (bool(text) and fits(pattern, text[1:]))
        same = bool(text) and (pattern[0] == "_" or pattern[0].lower() == text[0].lower())
        return same and fits(pattern[1:], text[1:])

    condition = parse(f"strip_comment__like={pattern}")
    assert condition.holds({"strip_comment": text}) == fits(pattern, text)


def test_like_takes_no_time():
    condition = parse("strip_comment__like=" + "%a" * 12 + "%b")
    start = time.monotonic()
    assert not condition.holds({"strip_comment": "a" * 500})
    assert time.monotonic() - start < 1


def test_parse_gives_typed_rules():
    assert parse("oms_attributes.b_field__gte=3.8").rules == ({"oms_attributes.b_field": {">=": 3.8}},)
    assert parse("run_class_name=Collisions18").rules == ({"rr_attributes.class": {"=": "Collisions18"}},)
    assert parse("strip_comment__like=%a=b%").value == "%a=b%"


@given(st.text(max_size=30), st.sampled_from(["", "__gt", "__like", "__x"]), st.text(max_size=8))
def test_any_text_is_a_condition_or_a_wrong_command_line(name, operator, value):
    for field in (name, "strip", "tracker-strip.BAD", "run_number", "oms_attributes.b_field"):
        try:
            condition = parse(f"{field}{operator}={value}")
        except UsageError:
            continue
        assert condition.rules or condition.holds({condition.name: None}) is (condition.operator == "ne")


RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair))))


@given(RANGES, RANGES, st.integers(0, 5))
def test_ranges_are_sets_of_numbers(left, right, gap):
    def numbers(ranges):
        return {number for first, last in ranges for number in range(first, last + 1)}

    chosen = Numbers(left)
    assert list(chosen) == sorted(numbers(left)) and len(chosen) == len(numbers(left))
    assert all((number in chosen) == (number in numbers(left)) for number in range(-1, 72))
    assert numbers(intersected(left, right)) == numbers(left) & numbers(right)
    covering = coarse(left, gap)
    assert numbers(covering) >= numbers(left)
    assert all(first - last > gap + 1 for (_, last), (first, _) in pairwise(covering))


# --- other shapes


def test_runs_txt(live, tkstudies):
    result = tkstudies("runreg", "--run", "317292,317441", "--state", "all", "--runs-txt")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "317292 Express Collisions" in lines and "317292 ReRecoUL Collisions" in lines
    assert len(lines) == len(set(lines)) and all(len(line.split()) == 3 for line in lines)
    assert "without a known reconstruction" in result.stderr


def test_raw_is_the_servers_own_object(live, tkstudies):
    (row,) = rows(tkstudies("runreg", "--run", 317297, "--reco", "prompt", "--raw"))
    assert row["DatasetTripletCache__triplet_summary__tracker-strip__BAD"] == 50
    assert row["Run__rr_attributes__stop_reason"] == "Problem with ECAL"
    assert not any(isinstance(value, dict) for value in row.values())


def test_lumisections(live, tkstudies):
    found = rows(tkstudies("runreg", "--run", 317292, "--reco", "prompt", "--lumisections"))
    assert [row["lumisection_number"] for row in found] == list(range(1, 41))
    assert [row["lumisection_number"] for row in found if row["pixel"] == "BAD"] == [10, 11, 12, 13, 14]
    assert found[9]["pixel_cause"] == "Pixel LV" and found[0]["pixel_cause"] is None
    assert {(row["run_number"], row["reco"], row["rda_name"]) for row in found} == {(317292, "prompt", PROMPT)}


def test_nobodys_judgement_is_null_for_each_lumisection(live, tkstudies):
    found = rows(tkstudies("runreg", "--run", 317441, "--filter", "rda_name=/Test/OwnOms/DQM", "--lumisections"))
    assert [row["strip"] for row in found] == ["GOOD"] * 4 + [None] * 3 + ["BAD"] * 3
    assert {row["tracking"] for row in found} == {None}


def test_luminosities_are_those_of_oms(live, tkstudies):
    result = tkstudies("runreg", "--run", 317297, "--reco", "prompt", "--add-lumis")
    (row,) = rows(result)
    assert (row["lhc_fill"], row["run_lumi"], row["run_live_lumi"], row["lumisections"]) == (6743, 26.8, 25.4, 50)
    assert "OMS" in result.stderr


@pytest.mark.parametrize("options", [[], ["--runs-txt"], ["--raw"], ["--lumisections"], ["--api", "v3"]])
def test_nothing_found_is_no_byte(options, live, tkstudies, tmp_path):
    result = tkstudies("runreg", "--run", "1", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    result = tkstudies("runreg", "-i", empty, *options)
    assert (result.exit_code, result.stdout) == (0, "")


# --- reliability


def test_rows_that_shift_between_pages_are_healed(faulty, tkstudies):
    options = ["runreg", "--min", 317000, "--max", 317700, "--workers", 3]
    expected = rows(tkstudies(*options))
    faults = faulty("repeated_rows", rate=0.7, max_repeat=2)
    shifted = rows(tkstudies(*options))
    assert faults.total("repeated_rows") > 0
    keys = [(row["run_number"], row["rda_name"]) for row in shifted]
    assert len(keys) == len(set(keys))
    assert sorted(shifted, key=lambda row: (row["run_number"], row["rda_name"])) == expected


def test_rows_that_never_come_are_told_and_the_exit_code_is_3(live, monkeypatch, tkstudies):
    listing = v4._listing
    monkeypatch.setattr(v4, "_listing", lambda answer: (listing(answer)[0], listing(answer)[1] + 2))
    result = tkstudies("runreg", "--run", "317292")
    assert result.exit_code == 3 and from_lines(result.stdout)
    assert "2 of 7 registry rows never came" in result.stderr


def test_a_dataset_made_while_pages_are_read_changes_nothing_else(changes, monkeypatch, tkstudies, world):
    monkeypatch.setattr(v4, "PAGE_SIZE", 40)
    options = ["runreg", "--min", 317000, "--max", 317700, "--workers", 1]
    before = names(tkstudies(*options))
    template = next(d for d in world.registry_datasets() if d["run_number"] == 317291)
    asked = []

    def insert(service, path):
        asked.append(service)
        if asked.count("runregistry") == 2:
            changes.add_rows("runregistry", [{**template, "name": "/Express/Aaa/DQM"}])

    changes.on_request = insert
    found = [(row["run_number"], row["rda_name"]) for row in rows(tkstudies(*options))]
    assert len(found) == len(set(found))
    assert before <= set(found) <= before | {(317291, "/Express/Aaa/DQM")}


def test_answers_of_another_kind_are_asked_for_again(faulty, tkstudies):
    options = ["runreg", "--min", 317000, "--max", 317700, "--lumisections", "--class", "Cosmics18"]
    expected = rows(tkstudies(*options))
    faults = faulty(["wrong_type", "bad_json", "500", "reset"], rate=0.5, retry_after=0, services=["runregistry"])
    assert rows(tkstudies(*options)) == expected != []
    assert faults.injected


def test_what_the_server_refuses_is_told_in_its_own_words(live, monkeypatch, tkstudies):
    monkeypatch.setattr(v4, "_ORDER", [["nonsense", "ASC"]])
    result = tkstudies("runreg", "--run", "317292")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "column Dataset.nonsense does not exist" in result.stderr


def test_without_a_login_it_says_what_to_do(live, monkeypatch, tkstudies):
    monkeypatch.delenv("SSO_CLIENT_ID")
    result = tkstudies("runreg", "--run", "317292")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not logged in to Run Registry" in result.stderr and "SSO_CLIENT_ID" in result.stderr


def test_cookies_are_another_way_in(live, monkeypatch, tkstudies, tmp_path):
    monkeypatch.delenv("SSO_CLIENT_ID")
    cookies = live.write_cookies(tmp_path / "cookies.txt")
    result = tkstudies("runreg", "--era", "2018B", "--run", 317292, "--lumisections", "--cookies", cookies)
    assert len(rows(result)) == 5 * 40


# --- odd shapes


@pytest.fixture
def answering(changes, monkeypatch):
    """A registry that answers every listing with these rows."""
    from tests.cern.faults import Reply

    def start(*elements, ranges=None):
        def answer(request):
            if "ranges" in request.path:
                return Reply(200, json.dumps(ranges).encode())
            return Reply(200, json.dumps({"datasets": elements, "pages": 1, "count": len(elements)}).encode())

        monkeypatch.setitem(changes._services, "runregistry", answer)

    return start


def a_dataset(run, **members):
    """A row of the registry as the server sends it, with some members replaced."""
    counts = {"GOOD": 100, "BAD": 20, "EMPTY": 0, "comments": [], "causes": []}
    dataset = {
        "run_number": run,
        "name": "/PromptReco/Collisions2025C/DQM",
        "dataset_attributes": {"tracker_state": "SIGNOFF"},
        "datasets_in_gui": ["/ZeroBias/Run2025C-PromptReco-v1/DQMIO"],
        "Run": {"rr_attributes": {"class": "Collisions25", "state": "SIGNOFF"}, "oms_attributes": {"fill_number": 1}},
        "DatasetTripletCache": {
            "triplet_summary": {f"tracker-{name}": dict(counts) for name in ("pixel", "strip", "track")},
            "dcs_summary": {"ls_duration": {"TRUE": 120}},
        },
    }
    return {**dataset, **members}


def with_strip(entry):
    """A row whose summary of the strips is this."""
    dataset = a_dataset(392001)
    dataset["DatasetTripletCache"]["triplet_summary"]["tracker-strip"] = entry
    return dataset


@pytest.mark.parametrize(
    ("comments", "text"),
    [
        (["HV ramp", None], "HV ramp"),
        ([None], None),
        ([None, "HV ramp", "", None, "noise"], "HV ramp | noise"),
        (None, None),
        ("HV ramp", "HV ramp"),
        ([7, "HV ramp"], "7 | HV ramp"),
        ([["HV", None]], '["HV",null]'),
        ([{"text": "HV"}], '{"text":"HV"}'),
        (0, "0"),
    ],
)
@pytest.mark.parametrize("name", ["comment", "cause"])
def test_comments_and_causes_of_any_shape(answering, tkstudies, comments, text, name):
    answering(a_dataset(392000), with_strip({"GOOD": 100, "BAD": 20, f"{name}s": comments}), a_dataset(392002))
    result = tkstudies("runreg", "--run", "392000-392002")
    found = rows(result)
    assert [row["run_number"] for row in found] == [392000, 392001, 392002]
    assert (found[1][f"strip_{name}"], found[1]["strip"], found[1]["strip_good_fraction"]) == (text, "GOOD", 100 / 120)
    assert "warning" not in result.stderr


@pytest.mark.parametrize("element", [None, 7, "oops", [], {}, {"run_number": None, "name": "online"}, {"name": "x"}])
@pytest.mark.parametrize("options", [[], ["--raw"]])
def test_an_element_that_is_no_row_is_told_and_the_others_come(answering, tkstudies, element, options):
    answering(a_dataset(392000), element, element, a_dataset(392002))
    result = tkstudies("runreg", "--run", "392000-392002", *options)
    assert [row["run_number"] for row in from_lines(result.stdout)] == [392000, 392002]
    assert result.exit_code == 3
    shown = json.dumps(element, separators=(",", ":"))
    assert f"2 elements of the Run Registry's answer left out: not a row of a run (the first: {shown})" in result.stderr
    assert "never came" not in result.stderr


@pytest.mark.parametrize(
    ("odd", "row"),
    [
        ({"DatasetTripletCache": None}, {"strip": None, "lumisections": None}),
        ({"DatasetTripletCache": {}}, {"strip": None, "lumisections": None}),
        ({"DatasetTripletCache": {"triplet_summary": None, "dcs_summary": None}}, {"strip": None}),
        ({"Run": None}, {"run_class_name": None, "run_type": None, "strip": "GOOD"}),
        ({"Run": {"rr_attributes": None, "oms_attributes": None}}, {"run_class_name": None, "run_type": None}),
        ({"datasets_in_gui": None}, {"gui_datasets": []}),
        ({"datasets_in_gui": [None, "/A/Run2025C-PromptReco-v1/DQMIO"]},
         {"gui_datasets": ["/A/Run2025C-PromptReco-v1/DQMIO"]}),
        ({"name": None}, {"rda_name": None, "reco": None}),
        ({"run_number": "392001"}, {"run_number": 392001}),
        ({"Run": {"rr_attributes": {"class": 25}}}, {"run_class_name": "25", "run_type": None}),
    ],
)  # fmt: skip
def test_what_is_absent_gives_nulls(answering, tkstudies, odd, row):
    answering(a_dataset(392000), a_dataset(392001, **odd), a_dataset(392002))
    result = tkstudies("runreg", "--run", "392000-392002")
    found = rows(result)
    assert len(found) == 3 and row.items() <= found[1].items()
    assert "warning" not in result.stderr


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (a_dataset(392001, DatasetTripletCache=[1]), "DatasetTripletCache is [1]"),
        (a_dataset(392001, DatasetTripletCache={"triplet_summary": "no"}), 'triplet_summary is "no"'),
        (a_dataset(392001, Run=7), "Run is 7"),
        (with_strip("GOOD"), 'tracker-strip is "GOOD"'),
        (with_strip([1, 2]), "tracker-strip is [1,2]"),
        (with_strip({"GOOD": "many"}), 'the number of GOOD lumisections is "many"'),
        (with_strip({"GOOD": -1}), "the number of GOOD lumisections is -1"),
        (with_strip({"GOOD": {"1": 2}}), 'the number of GOOD lumisections is {"1":2}'),
    ],
)
def test_members_of_another_shape_are_told(answering, tkstudies, dataset, words):
    answering(a_dataset(392000), dataset, a_dataset(392002))
    result = tkstudies("runreg", "--run", "392000-392002", "--add-lumis")
    assert [row["run_number"] for row in from_lines(result.stdout)] == [392000, 392001, 392002]
    assert from_lines(result.stdout)[1]["strip"] in (None, "GOOD") and result.exit_code == 3
    assert "1 row of the Run Registry read in part: a member of an odd shape became null" in result.stderr
    assert f"(the first: run 392001 /PromptReco/Collisions2025C/DQM: {words})" in result.stderr


def test_counts_as_texts_and_nulls_are_counts(answering, tkstudies):
    answering(with_strip({"GOOD": "30", "BAD": 10.0, "STANDBY": None, "EMPTY": 3}))
    (row,) = rows(tkstudies("runreg", "--run", "392001"))
    assert (row["strip"], row["strip_good_fraction"]) == ("GOOD", 0.75)


def test_odd_ranges_of_lumisections_are_told(answering, tkstudies):
    good = {"start": 1, "end": 2, "status": "GOOD", "cause": None, "comment": 5}
    odd = [None, 7, {}, {"start": None, "end": 3}, {"start": 1, "end": 10**12}, {"start": "3", "end": 3.0}]
    answering(a_dataset(392001), a_dataset(392002), ranges={"tracker-strip": [good, *odd], "tracker-pixel": None})
    result = tkstudies("runreg", "--run", "392001,392002", "--lumisections")
    found = from_lines(result.stdout)
    assert [row["lumisection_number"] for row in found] == [*range(1, 121)] * 2
    assert [(row["strip"], row["strip_comment"]) for row in found[:3]] == [("GOOD", "5"), ("GOOD", "5"), (None, None)]
    assert result.exit_code == 3
    assert "2 rows of the Run Registry read in part: a member of an odd shape" in result.stderr


def test_odd_rows_of_v3_are_told(changes, monkeypatch, tkstudies):
    data = v3._data

    def odd(response):
        found = data(response)
        return [*found, [], [None] * len(found[0]), ["x"]] if len(found[0]) > 5 else found

    monkeypatch.setattr(v3, "_data", odd)
    monkeypatch.setattr(v3, "_whole_number", lambda response: int(response.text) + 3)
    options = ("runreg", "--api", "v3", "--run", "317291", "--add-lumis")
    result = tkstudies(*options)
    assert result.exit_code == 3 and {row["run_number"] for row in from_lines(result.stdout)} == {317291}
    assert "3 elements of the Run Registry's answer" in result.stderr
