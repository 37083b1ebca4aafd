"""``tkstudies suspects``: options, outputs, messages, exit codes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.conftest import rows as rows_of
from tests.conftest import to_lines
from tkstudies import suspects


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
    assert "4 beyond 1 in 100 of the good ones (all of 40, where there are so few), 5 beyond 1 in 20 (fla" in said


def test_the_summary(tkstudies):
    said = tkstudies("suspects", "-i", "-", input=study()).stderr
    assert "120 rows judged by 113 good ones (state SIGNOFF or COMPLETED, pixel, strip and tracking GOOD" in said
    assert "the last good run is 4 runs back" in said
    assert "beyond 1 in 100 of the good ones, 8 beyond 1 in 20 (flagged_by); chance would give 1 and 6; " in said
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
    rows += [{**row, "run_number": row["run_number"] + 999, "run_class_name": "Cosmics18"} for row in study()[:12]]
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
        (["--good", "nothing = 1"], 2, "no row has a value in nothing; columns are run_number"),
        (["--good", "trackng = GOOD"], 2, "no row has a value in trackng; did you mean tracking"),
        (["--good", "tracking = good"], 1, "no good row to learn from (tracking = good): tracking is GOOD ("),
        (["--good", "tracking = good"], 1, "; good differs in case only\n"),
        (["--good", "tracking"], 2, "expected COLUMN OP VALUE"),
        (["--features", "zz*"], 2, "--features zz*: no numbers in such a column"),
        (["--history-from", "-"], 2, "standard input can't be two inputs"),
        (["--history-from", "gone.jsonl"], 1, "gone.jsonl: no such file"),
        (["--top", "0"], 2, "--top"),
        (["--since", "999999"], 2, "--since 999999 divides nothing: runs are 315000 to 315119"),
        (["--since", "2018"], 2, "--since 2018 divides nothing"),
    ],
)
def test_what_goes_wrong(options, code, message, tkstudies):
    result = tkstudies("suspects", *options, "-i", "-", input=study())
    assert (result.stdout, result.exit_code) == ("", code)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_rows_without_runs_are_told_as_such(tkstudies):
    rows = [{key: value for key, value in row.items() if key != "run_number"} for row in study()]
    assert tkstudies("suspects", input=rows).stderr == "tkstudies: no row has a run_number: nothing can be judged\n"


@pytest.mark.parametrize("rows", [[], [{"run_number": 1}], [{"run_number": 1, "a.mean": 1.0}] * 5])
def test_little_or_nothing(rows, tkstudies):
    result = tkstudies("suspects", "-i", "-", input=rows or "")
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_rows_that_come_again_in_the_history_change_nothing(tkstudies, tmp_path):
    """Counted twice they would make p-values smaller than they are."""
    (tmp_path / "study.jsonl").write_text(to_lines(study()))
    alone = tkstudies("suspects", tmp_path / "study.jsonl")
    again = tkstudies("suspects", tmp_path / "study.jsonl", "--history-from", tmp_path / "study.jsonl")
    assert again.stdout == alone.stdout
    assert "came before with the same run and reco" in again.stderr


def test_what_tells_the_length_of_a_run_is_no_feature_unless_it_is_named(tkstudies):
    rows = study()
    for row in rows:
        row["adc.lumiblock.PXBarrel.mean"] = 1_000.0 if row["run_number"] == 315_030 else 90.0 + row["run_number"] % 7
    assert rows_of(tkstudies("suspects", "-i", "-", input=rows)) == rows_of(tkstudies("suspects", input=study()))
    named = tkstudies("suspects", "--features", "*.mean", "-i", "-", input=rows)
    assert "adc.lumiblock" in named.stdout


def test_a_row_without_numbers_is_never_the_most_usual(tkstudies):
    rows = [{key: value for key, value in row.items() if key not in ("pixel", "strip", "tracking")} for row in study()]
    for row in rows[::9]:
        for name in [name for name in row if name.endswith((".mean", ".rms"))]:
            del row[name]
    empty = {row["run_number"] for row in rows[::9]}
    found = rows_of(tkstudies("suspects", "-i", "-", input=rows))
    assert {row["run_number"] for row in found[: len(empty)]} == empty
    assert all(row["findings"] == ["all features are missing"] for row in found[: len(empty)])


def test_groups_that_joined_are_told(tkstudies):
    rows = study()
    for row in rows[::5]:
        row["reco"] = "prompt"
    said = tkstudies("suspects", "-i", "-", input=rows).stderr
    assert "compared among themselves: express, collisions" in said and ", joined by prompt (113 good)" in said


def compared(rows, z_of=None, seed=2):
    """Comparisons of the plots of each row: z as good rows have them, and those of ``z_of`` by run."""
    rng = np.random.default_rng(seed)
    return [
        {"run_number": row["run_number"], "reco": row["reco"], "reference_run_number": 314000,
         "plot": f"/t/Plot{place}", "reason": None, "z": z + rng.normal(), "change": 0.25, "usual_change": 0.01}
        for row in rows
        for place, z in enumerate((z_of or {}).get(row["run_number"], [0.0] * 12))
    ]  # fmt: skip


def shape_only(run):
    """A run whose plots have another shape, of the same mean and rms: features can't see it."""
    return {run: [20.0, 15.0] + [0.0] * 10}


def test_comparisons_are_further_evidence(tkstudies, tmp_path):
    rows = study()
    (tmp_path / "z.jsonl").write_text(to_lines(compared(rows, shape_only(315060))))
    without = {row["run_number"]: row for row in rows_of(tkstudies("suspects", "-i", "-", input=rows))}
    result = tkstudies("suspects", "--comparisons", tmp_path / "z.jsonl", "-i", "-", input=rows)
    found = {row["run_number"]: row for row in rows_of(result)}
    assert without[315060]["flagged_by"] is None
    shown = found[315060]
    assert shown["flagged_by"] == "comparisons"
    assert {row["run_number"] for row in found.values() if row["rank"] <= 4} == {315040, 315060, 315080, 315100}
    assert shown["findings"] == [
        "Plot0 changed by 0.25 against run 314000; good runs: 0.01",
        "Plot1 changed by 0.25 against run 314000; good runs: 0.01",
    ]
    assert shown["finding_features"] == ["Plot0", "Plot1"]
    assert shown["finding_sigmas"][0] == pytest.approx(20, abs=4)
    assert list(shown)[-1] == "comparison_z"
    assert shown["comparison_z"] > 3 > max(row["comparison_z"] for run, row in found.items() if run != 315060)
    assert "  120 of 120 rows judged by comparisons with references too\n" in result.stderr


def test_false_alarms_stay_with_comparisons(tkstudies, tmp_path):
    rows = study(400)
    (tmp_path / "z.jsonl").write_text(to_lines(compared(rows)))
    for some in (rows, rows[:210]):
        (tmp_path / "z.jsonl").write_text(to_lines(compared(some)))
        options = ("--history", "all", "--comparisons", tmp_path / "z.jsonl")
        found = rows_of(tkstudies("suspects", *options, "-i", "-", input=rows))
        p_values = [row["p_value"] for row in found if row["tracking"] == "GOOD" and row["p_value"] is not None]
        assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.075


def test_few_comparisons_are_named_but_not_counted(tkstudies, tmp_path):
    rows = study()
    some = [*rows[:10], rows[60]]
    (tmp_path / "z.jsonl").write_text(to_lines(compared(some, shape_only(315060))))
    result = tkstudies("suspects", "--comparisons", tmp_path / "z.jsonl", "-i", "-", input=rows)
    plain = {row["run_number"]: row for row in rows_of(tkstudies("suspects", "-i", "-", input=rows))}
    found = {row["run_number"]: row for row in rows_of(result)}
    assert all(found[run]["score"] == plain[run]["score"] for run in found)
    assert found[315060]["flagged_by"] is None
    assert found[315060]["finding_features"] == ["Plot0", "Plot1"]
    assert found[315100]["findings"] == plain[315100]["findings"]
    assert found[315100]["comparison_z"] is None
    assert "  11 with comparisons that are only named in findings: too few good rows" in result.stderr


def test_comparisons_that_say_nothing_are_told(tkstudies, tmp_path):
    rows = study()
    others = [{**rows[0], "run_number": 1}, {**rows[0], "run_number": 2, "reco": "prompt"}]
    records = compared([*rows, *others])
    records[3]["z"] = None
    (tmp_path / "z.jsonl").write_text(to_lines(records))
    said = tkstudies("suspects", "--comparisons", tmp_path / "z.jsonl", "-i", "-", input=rows).stderr
    assert "warning: 1 comparison without a z not used\n" in said
    assert "warning: 2 rows of comparisons not in the input: 1 express, 2 prompt\n" in said


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"run_number": 1, "plot": "/a", "ks": 0.1}, "z.jsonl, line 1: not a comparison with plot and z, as tkstudies"),
        ({"plot": "/a", "z": 1}, "z.jsonl, line 1: not a comparison: run_number None"),
        (None, "--comparisons: no records in"),
    ],
)
def test_what_is_no_comparison(tkstudies, tmp_path, monkeypatch, record, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "z.jsonl").write_text(to_lines([record] if record else []))
    result = tkstudies("suspects", "--comparisons", "z.jsonl", "-i", "-", input=study())
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


def test_comparisons_in_python():
    rows = study()
    found = suspects(rows, comparisons=compared(rows, shape_only(315060)))
    assert next(row["flagged_by"] for row in found if row["run_number"] == 315060) == "comparisons"
    with pytest.warns(UserWarning, match="1 row of comparisons not in the input: 7"):
        suspects(rows, comparisons=compared([*rows, {"run_number": 7, "reco": None}]))
