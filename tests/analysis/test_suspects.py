"""The parts of ``suspects``: false alarms by simulation, invariances, the numbers against other implementations."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from tkstudies import jsonl, suspects
from tkstudies.analysis.multivariate.suspects import calibration, fit, groups, lumisections, scores
from tkstudies.analysis.multivariate.suspects.findings import _text, loudest_subsystem
from tkstudies.analysis.multivariate.suspects.judge import Judge, Options
from tkstudies.errors import InputError, UsageError
from tkstudies.shardwise import Whole


def year(runs=260, width=12, seed=1, bad_part=0.1, shift=6.0):
    """Rows of runs: common factors, bad rows with three features off, no row of the same run twice."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(runs, 3)) @ rng.normal(size=(3, width)) + rng.normal(size=(runs, width))
    bad = rng.random(runs) < bad_part
    values[np.ix_(bad, range(3))] += shift
    return [
        {"run_number": 1000 + 3 * n, "reco": "prompt", "is_bad": bool(bad[n]),
         **{f"Plot{place}.mean": 50 + float(value) for place, value in enumerate(row)}}
        for n, row in enumerate(values)
    ]  # fmt: skip


def by_run(rows):
    return {row["run_number"]: row for row in rows}


# --- what is found, and false alarms


@pytest.mark.parametrize("history", ["all", "earlier"])
def test_bad_rows_come_first_and_good_ones_rarely(history):
    rows = year()
    found = suspects(rows, history=history)
    bad = sum(row["is_bad"] for row in rows)
    assert sum(row["is_bad"] for row in found[:bad]) >= 0.9 * bad
    p_values = np.array([row["p_value"] for row in found if not row["is_bad"]])
    assert (p_values <= 0.01).mean() <= 0.03
    assert 0.01 <= (p_values <= 0.05).mean() <= 0.09


@pytest.mark.parametrize("history", ["all", "earlier"])
@pytest.mark.parametrize("tails", [False, True])
def test_p_values_are_honest(history, tails):
    """Pooled over toys: 1 % and 5 % mean what they say, also if nothing is Gaussian."""
    p_values = []
    for seed in range(4):
        rows = year(seed=seed, bad_part=0)
        if tails:
            rng = np.random.default_rng(100 + seed)
            for row in rows:
                row.update({name: 50 + rng.standard_t(4) for name in row if name.startswith("Plot")})
        p_values += [row["p_value"] for row in suspects(rows, history=history)]
    assert 0.0 <= np.mean(np.array(p_values) <= 0.01) <= 0.02
    assert 0.03 <= np.mean(np.array(p_values) <= 0.05) <= 0.07


def test_healthy_runs_after_a_drift_are_not_all_flagged():
    rows = year(bad_part=0.1)
    for n, row in enumerate(rows):
        for name in [name for name in row if name.startswith("Plot")]:
            row[name] += 5 * n / len(rows)
    p_values = [row["p_value"] for row in suspects(rows, history="earlier") if not row["is_bad"]]
    assert np.mean(np.array(p_values) <= 0.05) < 0.1


def test_p_is_never_below_what_the_history_can_tell():
    rows = year()
    rows[100].update({name: 1e6 for name in rows[100] if name.startswith("Plot")})
    worst = suspects(rows)[0]
    assert worst["run_number"] == 1300
    assert worst["p_value"] == pytest.approx(1 / 201, rel=1e-5)


# --- invariances


def test_scales_and_shifts_of_features_do_not_matter():
    rows = year()
    rng = random.Random(1)
    factors = {
        f"Plot{place}.mean": (10 ** rng.uniform(-9, 9) * rng.choice([-1, 1]), rng.uniform(-5, 5)) for place in range(12)
    }
    other = [
        {name: value * factors[name][0] + factors[name][1] * abs(factors[name][0]) if name in factors else value
         for name, value in row.items()}
        for row in rows
    ]  # fmt: skip
    first, second = by_run(suspects(rows)), by_run(suspects(other))
    for run, row in first.items():
        assert second[run]["score"] == pytest.approx(row["score"], rel=1e-4)
        assert second[run]["finding_features"] == row["finding_features"]


def test_the_order_of_rows_and_columns_does_not_matter():
    rows = year()
    shuffled = [dict(random.Random(n).sample(list(row.items()), len(row))) for n, row in enumerate(rows)]
    random.Random(7).shuffle(shuffled)
    first, second = by_run(suspects(rows)), by_run(suspects(shuffled))
    ours = ("rank", "score", "p_value", "flagged_by", "findings")
    assert all([first[run][name] == second[run][name] for name in ours] for run in first)


@pytest.mark.parametrize("history", ["all", "earlier"])
def test_good_rows_do_not_notice_the_others(history):
    """The scores of good rows keep every digit when all other rows are gone."""
    rows = year(bad_part=0.3)
    options = Options(earlier=history == "earlier")
    judges = [
        Judge(Whole(jsonl.Given(some)), None, options) for some in (rows, [row for row in rows if not row["is_bad"]])
    ]
    all_rows, alone = (
        {
            run: (verdict.score, verdict.p_value)
            for run, verdict in zip(judge.table.runs.tolist(), judge.verdicts, strict=True)
        }
        for judge in judges
    )
    assert len(alone) > 150
    assert all(all_rows[run] == verdict for run, verdict in alone.items())


def test_good_lumisections_do_not_notice_the_others():
    rows = lumisection_rows()
    good = [row for row in rows if row["golden"]]
    judges = [Judge(Whole(jsonl.Given(some)), None, Options()) for some in (rows, good)]
    keyed = []
    for judge, some in zip(judges, (rows, good), strict=True):
        keys = [(row["run_number"], row["lumisection_number"]) for row in some]
        keyed.append(dict(zip(keys, [(v.score, v.p_value) for v in judge.verdicts], strict=True)))
    assert all(keyed[0][key] == verdict for key, verdict in keyed[1].items())


# --- features


def test_labels_are_no_features():
    rows = year()
    rng = random.Random(2)
    for row in rows:
        grade = rng.choice([0, -1]) if not row["is_bad"] else 1
        row.update({"label": grade, "label.1": grade, "copy": grade, "fill_number": row["run_number"] // 7})
    with_labels = suspects(rows, good=["label <= 0"], features=["*"])
    without = suspects(
        [{name: row[name] for name in row if name not in ("label.1", "copy", "fill_number")} for row in rows],
        good=["label <= 0"], features=["Plot*"],
    )  # fmt: skip
    assert [row["score"] for row in with_labels] == [row["score"] for row in without]


def test_a_row_without_any_feature_is_missing():
    rows = year()
    rows[50] = {name: value for name, value in rows[50].items() if not name.startswith("Plot")}
    first = suspects(rows)[0]
    assert (first["run_number"], first["flagged_by"]) == (1150, "missing")
    assert first["findings"] == ["all features are missing"]


def test_missing_plots_are_named():
    rows = year()
    for place in range(4):
        rows[50][f"Plot{place}.mean"] = None
    found = by_run(suspects(rows))[1150]
    assert found["flagged_by"] == "missing"
    assert (
        found["findings"] == ["Plot0 is missing", "Plot1 is missing", "Plot10 is missing"]
        or len(found["findings"]) == 3
    )
    assert found["finding_sigmas"] == [None] * 3


def test_a_failed_fit_does_no_harm():
    rows = year()
    good = next(row for row in rows if not row["is_bad"])
    good["Plot5.mean"] = 1e11
    found = suspects(rows)
    bad = sum(row["is_bad"] for row in rows)
    assert sum(row["is_bad"] for row in found[: bad + 1]) >= 0.9 * bad


def test_entries_tell_how_well_a_number_is_measured():
    """A short run may be farther off; a profile tells nothing of its errors."""
    rng = np.random.default_rng(4)
    rows = []
    for n in range(200):
        entries = 100 if n % 10 == 0 else 100_000
        mean = rng.normal(0, 0.01) + rng.normal(0, 10 / np.sqrt(entries))
        rows.append({"run_number": n + 1, "is_bad": False, "A.mean": 50 + mean, "A.rms": 10 + rng.normal(0, 0.01),
                     "A.entries": entries, "A.integral": entries})  # fmt: skip
    short = [row["p_value"] for row in suspects(rows) if row["run_number"] % 10 == 1]
    assert np.median(short) > 0.2
    for row in rows:
        row["A.integral"] = row["A.entries"] * 7.5
    assert np.median([row["p_value"] for row in suspects(rows) if row["run_number"] % 10 == 1]) < 0.2


# --- good rows and groups


def certified(run, **changed):
    statuses = {
        "pixel": "GOOD",
        "strip": "Good",
        "tracking": "GOOD",
        "rda_state": "COMPLETED",
        "run_class_name": "Collisions18",
    }
    return {
        "run_number": run,
        "reco": "prompt",
        "Hits.mean": 14 + run % 7 / 10,
        "rda_name": "/Prompt/C18/DQM",
        **statuses,
        **changed,
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"rda_state": "OPEN"}, {"pixel": "NOTSET"}, {"strip": "EXCLUDED"}, {"tracking": "STANDBY"}, {"tracking": None},
        {"is_partly_bad": True}, {"pixel_good_fraction": 0.5}, {"is_special": True}, {"rda_name": "/Special/C18/DQM"},
        {"tracking_lowstat": True}, {"is_low_statistics": True}, {"pixel": "BAD"}, {"run_number": None},
    ],
)  # fmt: skip
def test_rows_that_are_not_good(changed):
    rows = [certified(run) for run in range(1, 41)] + [{**certified(100), **changed}]
    judge = Judge(Whole(jsonl.Given(rows)))
    assert judge.good.tolist() == [True] * 40 + [False]


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"is_certified_good": True, "is_bad": True, "is_low_statistics": False}, "is_certified_good"),
        ({"golden": True, "is_bad": True}, "golden = true"),
        ({"golden": 1}, "golden = true"),
        ({"is_bad": False}, "is_bad = false"),
        ({}, "no label tells good rows"),
    ],
)
def test_which_rule_is_taken(columns, rule):
    rows = [{"run_number": run, "Hits.mean": run % 7, **columns} for run in range(1, 41)]
    told = []
    suspects(rows, told=told)
    assert rule in told[0]
    assert Judge(Whole(jsonl.Given(rows))).told.good == 40


def test_kinds_never_mix():
    rows = [certified(run) for run in range(1, 61)]
    rows += [certified(run, run_class_name="Cosmics18") for run in range(101, 113)]
    found = by_run(suspects(rows))
    assert found[105]["score"] is None
    assert found[105]["not_judged"] == "12 good rows of this kind, 30 needed (prompt, cosmics)"
    assert found[5]["score"] is not None
    assert [row["run_number"] for row in suspects(rows)[-12:]] == list(range(101, 113))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"energy": 6500}, {"energy": 6499}, True),
        ({"energy": 6500}, {"energy": 6800}, True),
        ({"energy": 6500}, {"energy": 2510}, False),
        ({"b_field": 3.8}, {"b_field": 3.801}, True),
        ({"b_field": 3.8}, {"b_field": 0.02}, False),
        ({"rda_name": "/PromptReco/HICollisions18/DQM"}, {"rda_name": "/PromptReco/Collisions18/DQM"}, False),
        ({"reco": "prompt"}, {"reco": "express"}, False),
        ({"reco": "prompt"}, {"reco": "Prompt"}, True),
        ({"source": "dials"}, {"source": "dqm"}, False),
        ({"energy": None}, {"energy": 6500}, True),
    ],
)
def test_what_makes_a_kind(one, other, same):
    kinds = groups.kinds([certified(1, **one), certified(2, **other)], [True, True], None)
    assert (kinds[0] == kinds[1]) is same


def test_a_small_reco_joins_another_of_its_kind():
    rng = np.random.default_rng(1)
    rows = [certified(run, **{"Hits.mean": rng.normal(14, 0.1)}) for run in range(1, 61)]
    rows += [certified(run, reco="express", **{"Hits.mean": rng.normal(24, 0.1)}) for run in range(1, 13)]
    rows.append(certified(70, reco="express", tracking="BAD", **{"Hits.mean": 20.0}))
    found = suspects(rows)
    assert found[0]["run_number"] == 70
    assert found[0]["findings"][0].startswith("Hits.mean 20; 90 % of good rows: 23.")
    assert sum(row["p_value"] < 0.05 for row in found if row["reco"] == "express" and row["run_number"] < 13) <= 2


def test_since_begins_anew():
    rows = year(runs=200, bad_part=0)
    for row in rows[100:]:
        row.update({name: row[name] + 30 for name in row if name.startswith("Plot")})
    late = [
        row["p_value"]
        for row in suspects(rows, history="earlier", since=rows[100]["run_number"])
        if row["run_number"] >= 1300
    ]
    assert np.mean(np.array(late) <= 0.05) < 0.1
    without = by_run(suspects(rows, history="earlier"))
    assert np.mean([without[1300 + 3 * n]["p_value"] <= 0.05 for n in range(5)]) >= 0.7


def test_too_few_good_rows_are_refused():
    with pytest.raises(InputError, match=r"9 good rows .* too few to learn from"):
        suspects([certified(run) for run in range(1, 10)])
    with pytest.raises(InputError, match="no good row to learn from"):
        suspects([certified(run, tracking="BAD") for run in range(1, 50)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"good": ["nothing = 1"]}, "--good nothing = 1: no row has a value in nothing; columns are run_number"),
        ({"features": ["nothing*"]}, "--features nothing"),
        ({"features": ["is_bad"]}, "labels, keys and sizes don't count"),
        ({"group_by": ["nothing"]}, "--group-by nothing"),
        ({"conditions": ["nothing"]}, "--condition nothing"),
        ({"history": "later"}, "choose all or earlier"),
    ],
)
def test_what_is_not_there_is_said(options, message):
    with pytest.raises(UsageError, match=message.replace("*", ".")):
        suspects(year(runs=60), **options)


# --- lumisections


def lumisection_rows(runs=20, sections=40, seed=3):
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(1, runs + 1):
        of_run = rng.normal(0, 0.3)
        for section in range(1, sections + 1):
            pileup = 50 - section / 2
            faulty = run == 7 and 20 <= section < 24
            row = {"run_number": run, "lumisection_number": section, "pileup": pileup, "init_lumi": pileup * 200,
                   "golden": not (run == 3 and section < 5)}  # fmt: skip
            for plot in range(5):
                entries = int(1000 * pileup * (0.3 if faulty and plot == 2 else 1))
                value = 20 + 0.1 * pileup + of_run + rng.normal(0, 3 / np.sqrt(entries))
                row.update(
                    {
                        f"P{plot}.entries": entries,
                        f"P{plot}.mean": value + (0.8 if faulty and plot == 1 else 0),
                        f"P{plot}.rms": 3.0 + rng.normal(0, 0.01),
                    }
                )
            rows.append(row)
    rows[5 * sections + 10]["init_lumi"] = 10.0
    return rows


def test_faulty_lumisections_stand_out_of_their_run():
    found = suspects(lumisection_rows())
    first = {(row["run_number"], row["lumisection_number"]) for row in found[:4]}
    assert first == {(7, section) for section in range(20, 24)}
    assert {"P2.entries", "P1.mean"} & set(found[0]["finding_features"])
    low = next(row for row in found if row["run_number"] == 6 and row["lumisection_number"] == 11)
    assert (low["score"], low["low_statistics"]) == (None, True)
    assert low["not_judged"].startswith("low statistics")


def test_one_row_a_run():
    found = suspects(lumisection_rows(), by_run=True)
    assert [row["rank"] for row in found] == list(range(1, 21))
    scores_of_7 = [row["score"] for row in suspects(lumisection_rows()) if row["run_number"] == 7]
    row = by_run(found)[7]
    assert row["score"] == pytest.approx(np.mean(scores_of_7), rel=1e-4)
    assert row["rows_judged"] == 40
    assert row["rows_flagged"] >= 4
    assert [row["score"] for row in found] == sorted([row["score"] for row in found], reverse=True)


def test_plots_of_a_detector_that_was_off_are_no_evidence():
    rows = lumisection_rows()
    row = rows[9 * 40 + 20]
    pixel = {name.replace("P0", "charge_PXLayer_1"): name for name in row if name.startswith("P0")}
    for one in rows:
        for new, old in pixel.items():
            one[new] = one.pop(old)
        one["bpix_ready"] = True
    for name in pixel:
        row[name] = None
    assert by_key(suspects(rows))[10, 21]["flagged_by"] == "missing"
    row["bpix_ready"] = False
    assert by_key(suspects(rows))[10, 21]["flagged_by"] != "missing"


def by_key(rows):
    return {(row["run_number"], row["lumisection_number"]): row for row in rows}


# --- numbers


def test_the_covariance_is_that_of_scikit_learn():
    from sklearn.covariance import ledoit_wolf

    for shape in ((200, 10), (30, 60)):
        values = np.random.default_rng(1).normal(size=shape) @ np.diag(np.linspace(1, 3, shape[1]))
        values -= values.mean(axis=0)
        expected = ledoit_wolf(values, assume_centered=True)[0]
        assert np.allclose(fit.shrunk_covariance(values), expected, rtol=1e-9)


def test_the_excess_variance_leaves_the_errors_out():
    rng = np.random.default_rng(2)
    errors = rng.choice([0.1, 2.0], size=(4000, 1))
    values = 5 + rng.normal(0, 1, (4000, 1)) + rng.normal(0, 1, (4000, 1)) * errors
    model = fit.fit(values, errors, trimmed=0)
    assert model.centre[0] == pytest.approx(5, abs=0.1)
    assert model.variance[0] == pytest.approx(1, abs=0.1)


def test_trimming_forgives_wrong_labels():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(500, 3))
    values[:15] += 30
    model = fit.fit(values, np.zeros_like(values))
    assert np.abs(model.centre).max() < 0.2
    assert model.variance.max() < 1.3


def test_folds_hold_whole_runs_and_no_row_teaches_its_judge():
    runs = np.repeat(np.arange(100, 150), 2)
    good = np.arange(100) % 3 > 0
    for split in (scores.by_folds, scores.walking_forward):
        judged = np.zeros(100, dtype=int)
        for part in split(runs, good, 42):
            tested = np.concatenate([part.good, part.others])
            assert not set(runs[part.training]) & set(runs[tested])
            assert good[part.training].all()
            judged[tested] += 1
        assert (judged == 1).all()


def test_walking_forward_never_looks_ahead():
    runs = np.arange(1000, 1300)
    good = np.arange(300) % 5 > 0
    first = np.unique(runs[good])[scores.EARLY]
    for part in scores.walking_forward(runs, good, 42):
        tested = np.concatenate([part.good, part.others])
        if runs[tested].max() > first:
            assert runs[part.training].max() < runs[tested].min()


def test_histories_are_of_other_runs():
    runs = np.repeat(np.arange(10, 40), 3)
    known = calibration.GoodRuns(np.arange(90), runs)
    nearest = known.nearest(20, size=12)
    assert sorted(set(runs[nearest])) == [18, 19, 21, 22]
    assert sorted(set(runs[known.earlier(20, size=6)])) == [18, 19]
    assert len(set(runs[known.nearest(20, size=6, least_runs=15)])) == 15


def test_shares_and_low_statistics():
    share, errors = lumisections.shares(np.array([[100.0, 100.0, 50.0], [10.0, 10.0, 5.0]]))
    assert np.allclose(share[0], share[1])
    assert share[0, 2] == pytest.approx(np.log(0.5))
    assert errors[0, 0] == pytest.approx(0.1)
    low = lumisections.is_low(np.array([10.0, 10, 10, 2, 9]), np.array([1, 1, 1, 1, 2]), np.ones(5, dtype=bool))
    assert low.tolist() == [False, False, False, True, False]


def test_words():
    good = np.linspace(14.05, 14.95, 101)
    assert _text("Hits.Pixel.mean", 9.1, good) == "Hits.Pixel.mean 9.1; 90 % of good rows: 14.1 to 14.9 (-37 %)"
    assert _text("X.mean", 3.0, np.full(50, 2.0)) == "X.mean 3; 90 % of good rows: 2 (+50 %)"
    names = ["Hits.Pixel.mean", "charge.PXBarrel.mean", "Hits.Strip.mean", "TrackPt.mean"]
    assert loudest_subsystem(np.array([30.0, 30.0, 1.0, 40.0]), names) == "pixel"
    assert loudest_subsystem(np.array([1.0, 1.0, 1.0, 40.0]), names) == "tracking"


# --- the Python face


def test_a_data_frame_gives_a_data_frame():
    import pandas as pd

    rows = year(runs=100)
    rows[3]["Plot1.mean"] = None
    frame = pd.DataFrame(rows)
    found = suspects(frame)
    assert isinstance(found, pd.DataFrame)
    expected = suspects(rows)
    assert found["run_number"].tolist() == [row["run_number"] for row in expected]
    assert found["score"].tolist() == [row["score"] for row in expected]
    nullable = suspects(frame.convert_dtypes())
    assert nullable["score"].tolist() == found["score"].tolist()
    assert json.dumps(expected)
