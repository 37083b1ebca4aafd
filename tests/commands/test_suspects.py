"""``tkstudies suspects``: options, outputs, messages, exit codes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.conftest import rows as rows_of


def study(runs=120, seed=1):
    """Rows of good runs, three bad ones and one that nobody has judged yet."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(runs):
        status = "BAD" if n in (40, 80, 100) else "GOOD"
        row = {"run_number": 315000 + n, "reco": "express", "rda_state": "OPEN" if n > 115 else "COMPLETED",
               "pixel": status, "strip": "GOOD", "tracking": status, "run_class_name": "Collisions18",
               "recorded_lumi_pb": 2.0, "note": "x"}  # fmt: skip
        pixel = 9.1 if status == "BAD" else 14.5
        row["Hits.Pixel.mean"] = round(pixel + rng.normal(0, 0.2), 4)
        row.update({f"Plot{place}.mean": round(rng.normal(5, 1), 4) for place in range(6)})
        found.append(row)
    return found


KEYS = ["rank", "score", "p_value", "unusual", "flagged_by", "subsystem", "findings", "finding_features",
        "finding_sigmas", "low_statistics", "not_judged"]  # fmt: skip


def test_the_most_unusual_rows_come_first(tkstudies):
    result = tkstudies("suspects", "-i", "-", input=study())
    found = rows_of(result)
    assert len(found) == 120
    assert {row["run_number"] for row in found[:3]} == {315040, 315080, 315100}
    assert [row["rank"] for row in found] == list(range(1, 121))
    first = found[0]
    assert list(first)[-len(KEYS) :] == KEYS
    assert "note" not in first
    assert first["tracking"] == "BAD"
    assert (first["subsystem"], first["finding_features"][0]) == ("pixel", "Hits.Pixel.mean")
    assert first["findings"][0].startswith(("Hits.Pixel.mean 8.", "Hits.Pixel.mean 9."))
    assert "; 90 % of good rows: 14." in first["findings"][0]
    assert all(row["flagged_by"] is None and row["findings"] == [] for row in found if row["p_value"] > 0.05)


def test_how_unusual_a_row_is_stands_in_words(tkstudies):
    found = rows_of(tkstudies("suspects", "-i", "-", "--keep", "all", input=study()))
    assert found[0]["unusual"] == "more unusual than all of the 113 good express runs of this kind"
    for row in found:
        if row["flagged_by"]:
            history = 113 if row["tracking"] == "BAD" or row["rda_state"] == "OPEN" else 112
            less = history + 1 - round(row["p_value"] * (history + 1))
            others = "all" if less == history else less
            assert row["unusual"] == f"more unusual than {others} of the {history} good express runs of this kind"
        else:
            assert row["unusual"] is None
    signed = [{**row, "rda_state": "COMPLETED"} for row in study(250)]
    earlier = rows_of(tkstudies("suspects", "-i", "-", "--history", "earlier", input=signed))
    late = [row for row in earlier if row["unusual"] and row["run_number"] > 315230]
    assert late and all("of the last 200 good express runs of this kind" in row["unusual"] for row in late)
    mixed = study() + [{**row, "reco": "prompt"} for row in study(20, seed=2)]
    rows = rows_of(tkstudies("suspects", "-i", "-", input=mixed))
    assert "good rows of this kind" in rows[0]["unusual"]


def test_few_good_rows_and_how_many_stand_out(tkstudies):
    rows = [row for row in study() if row["tracking"] == "BAD" or row["run_number"] < 315040]
    said = tkstudies("suspects", "-i", "-", input=rows).stderr
    assert "4 beyond 1 in 100 of the good ones (all of 40, where there are so few); chance would give 1" in said


def test_the_summary(tkstudies):
    said = tkstudies("suspects", "-i", "-", input=study()).stderr
    assert "120 rows judged by 113 good ones (state SIGNOFF or COMPLETED, pixel, strip and tracking GOOD" in said
    assert "the last good run is 4 runs back" in said
    assert "beyond 1 in 100 of the good ones; chance would give 1; " in said
    assert " /pb are in these runs" in said
    assert "7 features" in said
    assert tkstudies("--quiet", "suspects", "-i", "-", input=study()).stderr == ""


def test_late_certification_is_said(tkstudies):
    rows = study()
    for row in rows[80:]:
        row["rda_state"] = "OPEN"
    said = tkstudies("suspects", "-i", "-", input=rows).stderr
    assert "the last good run is 40 runs back: expect 7 to 11 % of good rows at p <= 0.05" in said


def test_the_same_bytes_twice(tkstudies):
    first, second = (tkstudies("suspects", "-i", "-", input=study()).stdout for _ in range(2))
    assert first == second


def test_keep_top_and_order(tkstudies):
    found = rows_of(tkstudies("suspects", "--keep", "all", "--top", 3, "--order", "input", "-i", "-", input=study()))
    assert [row["run_number"] for row in found] == [315040, 315080, 315100]
    assert sorted(row["rank"] for row in found) == [1, 2, 3]
    assert found[0]["note"] == "x"


def test_a_column_of_the_same_name_is_replaced(tkstudies):
    rows = [{**row, "rank": 77, "score": "x"} for row in study()]
    result = tkstudies("suspects", "--keep", "all", "-i", "-", input=rows)
    assert rows_of(result)[0]["rank"] == 1
    assert "warning: columns of the input were replaced: rank, score\n" in result.stderr


def test_rows_that_judge_but_are_not_reported(tkstudies, tmp_path):
    (tmp_path / "season.jsonl").write_text("".join(json.dumps(row) + "\n" for row in study()[:110]))
    new = [{**row, "rda_state": "OPEN", "tracking": "NOTSET"} for row in study()[110:]]
    new[4]["Hits.Pixel.mean"] = 9.0
    options = ("--history", "earlier", "--history-from", tmp_path / "season.jsonl")
    found = rows_of(tkstudies("suspects", *options, "-i", "-", input=new))
    assert sorted(row["run_number"] for row in found) == [row["run_number"] for row in new]
    assert found[0]["run_number"] == new[4]["run_number"]
    alone = tkstudies("suspects", "-i", "-", input=new)
    assert (alone.stdout, alone.exit_code) == ("", 1)
    assert "no good row to learn from" in alone.stderr


def test_known_issues(tkstudies, tmp_path):
    issues = [
        {"from_run": 315070, "to_run": 315090, "subsystem": "pixel", "text": "layer 1 off"},
        {"from_run": 315095, "to_run": None, "subsystem": "strip", "text": "a fibre"},
    ]
    (tmp_path / "known.jsonl").write_text("".join(json.dumps(row) + "\n" for row in issues))
    result = tkstudies("suspects", "--known", tmp_path / "known.jsonl", "-i", "-", input=study())
    found = {row["run_number"]: row for row in rows_of(result)}
    assert [found[run]["known"] for run in (315040, 315080, 315100)] == [None, "layer 1 off", None]


def test_the_list_of_yesterday(tkstudies, tmp_path):
    (tmp_path / "before.jsonl").write_text(tkstudies("suspects", "-i", "-", input=study()).stdout)
    rows = study()
    rows[80].update({"Hits.Pixel.mean": 3.0})
    rows[90].update({"Hits.Pixel.mean": 9.0})
    result = tkstudies("suspects", "--known", tmp_path / "before.jsonl", "-i", "-", input=rows)
    found = {row["run_number"]: row for row in rows_of(result)}
    assert found[315100]["known"].startswith("listed before with score ")
    assert found[315090]["known"] is None
    assert found[315100]["known_is_worse"] is False


def test_what_is_no_known_issue(tkstudies, tmp_path):
    (tmp_path / "known.jsonl").write_text('{"run": 1}\n')
    result = tkstudies("suspects", "--known", tmp_path / "known.jsonl", "-i", "-", input=study())
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "known.jsonl, line 1: neither a known issue (from_run, to_run, subsystem, text) nor a row" in result.stderr


def test_links_fdr_and_runs(tkstudies):
    found = rows_of(tkstudies("suspects", "--links", "--fdr", "-i", "-", input=study()))
    assert found[0]["oms_link"].endswith(f"cms_run={found[0]['run_number']}")
    assert all(row["q_value"] >= row["p_value"] for row in found)
    runs = rows_of(tkstudies("suspects", "--by", "run", "--top", 2, "-i", "-", input=study()))
    assert [row["rank"] for row in runs] == [1, 2]
    assert runs[0]["rows_judged"] == 1


def test_rows_that_are_not_judged_come_last(tkstudies):
    rows = [*study(), {"reco": "express", "Hits.Pixel.mean": 1.0}]
    rows += [{**row, "run_class_name": "Cosmics18"} for row in study()[:12]]
    result = tkstudies("suspects", "-i", "-", input=rows)
    last = rows_of(result)[-13:]
    assert {row["score"] for row in last} == {None}
    reason = "12 good rows of this kind, 30 needed (express, cosmics)"
    assert {row["not_judged"] for row in last} == {"no run_number", reason}
    assert f"  12 not judged: {reason}\n" in result.stderr


def test_a_short_run_is_told_as_such(tkstudies):
    rows = study()
    for n, row in enumerate(rows):
        row["Tracks.entries"] = 100 if n == 60 else 100_000
        row["Tracks.mean"] = 300 + n % 7 + (100 if n == 60 else 0)
    found = {row["run_number"]: row for row in rows_of(tkstudies("suspects", "-i", "-", input=rows))}
    assert found[315060]["low_statistics"] is True
    assert found[315060]["findings"][0].startswith("short: less than 10 % of the usual entries")
    assert found[315061]["low_statistics"] is False


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--good", "nothing = 1"], 2, "no row has a value in nothing"),
        (["--good", "tracking"], 2, "expected COLUMN OP VALUE"),
        (["--features", "zz*"], 2, "--features zz*: no numbers in such a column"),
        (["--history-from", "-"], 2, "standard input can't be two inputs"),
        (["--history-from", "gone.jsonl"], 1, "gone.jsonl: no such file"),
        (["--top", "0"], 2, "--top"),
    ],
)
def test_what_goes_wrong(options, code, message, tkstudies):
    result = tkstudies("suspects", *options, "-i", "-", input=study())
    assert (result.stdout, result.exit_code) == ("", code)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("rows", [[], [{"run_number": 1}], [{"run_number": 1, "a.mean": 1.0}] * 5])
def test_little_or_nothing(rows, tkstudies):
    result = tkstudies("suspects", "-i", "-", input=rows or "")
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr
