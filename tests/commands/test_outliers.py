import json
import random

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM
from typer.testing import CliRunner

from tests.conftest import from_lines, to_lines
from tkstudies.cli import app

FEATURES = [f"Hits.{name}.{what}" for name in ("Pixel", "Strip", "Detµ") for what in ("mean", "rms")]
METHODS = ["envelope", "one-class-svm", "isolation-forest", "lof", "svc"]


def study(runs=300, seed=1):
    """Runs with two rows each: some bad, some special, gaps here and there, rows without any feature."""
    draw = random.Random(seed)
    rows = []
    for run in range(317000, 317000 + runs):
        bad = draw.random() < 0.1
        for reco in ("express", "prompt"):
            tracking = "Bad" if bad else draw.choice(["GOOD"] * 8 + ["EXCLUDED", None])
            row = {"run_number": run, "reco": reco, "tracking": tracking, "problem_names": ["µ"]}
            if run % 50 != 7:
                size = 3 if bad else 1
                row |= {
                    name: draw.gauss(100 * place, size * (place + 1)) if draw.random() < 0.98 else None
                    for place, name in enumerate(FEATURES)
                }
            rows.append(row)
    return rows


ROWS = study()


def run(rows, *args):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return CliRunner().invoke(app, ["outliers", *args], input=text)


def records(rows, *args):
    result = run(rows, *args)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def matrix(rows, columns=FEATURES):
    """Rows that have a feature, their features with gaps as zero, and which rows those are."""
    kept = [number for number, row in enumerate(rows) if any(row.get(c) is not None for c in columns)]
    return np.array([[rows[number].get(c) or 0.0 for c in columns] for number in kept]), kept


def status(rows, kept):
    return np.array([(rows[number]["tracking"] or "").upper() for number in kept])


REFERENCES = {
    "envelope": lambda: EllipticEnvelope(contamination=0.05, random_state=42),
    "one-class-svm": lambda: OneClassSVM(nu=0.07, gamma="scale"),
    "isolation-forest": lambda: IsolationForest(contamination=0.05, random_state=42),
}


@pytest.mark.parametrize("method", REFERENCES)
def test_against_scikit_learn(method):
    values, kept = matrix(ROWS)
    training = status(ROWS, kept) == "GOOD" if method == "one-class-svm" else np.full(len(kept), True)
    reference = make_pipeline(StandardScaler(), REFERENCES[method]()).fit(values[training])
    compare(
        records(ROWS, "-m", method), kept, method, -reference.decision_function(values), reference.predict(values) < 0
    )


def test_local_outlier_factor_against_scikit_learn():
    values, kept = matrix(ROWS)
    reference = LocalOutlierFactor(n_neighbors=20, contamination=0.05)
    flags = reference.fit_predict(StandardScaler().fit_transform(values)) < 0
    scores = reference.offset_ - reference.negative_outlier_factor_
    compare(records(ROWS, "-m", "lof"), kept, "lof", scores, flags)


def test_two_classes_against_scikit_learn():
    values, kept = matrix(ROWS)
    classes = status(ROWS, kept)
    known = np.isin(classes, ["GOOD", "BAD"])
    reference = make_pipeline(StandardScaler(), SVC(gamma="scale")).fit(values[known], classes[known] == "BAD")
    compare(records(ROWS, "-m", "svc"), kept, "svc", reference.decision_function(values), reference.predict(values))


def compare(found, kept, method, scores, flags):
    score, flag = f"{method.replace('-', '_')}_score", f"{method.replace('-', '_')}_outlier"
    assert [found[number][score] for number in kept] == pytest.approx(scores.tolist(), rel=1e-9, abs=1e-9)
    assert [found[number][flag] for number in kept] == flags.tolist()
    assert any(flags) and not all(flags)


def test_everything_is_kept_in_order():
    found = records(ROWS, "--method", "all")
    names = [f"{m.replace('-', '_')}_{what}" for m in METHODS for what in ("score", "outlier")]
    for row, result in zip(ROWS, found, strict=True):
        assert {name: result[name] for name in row} == row
        assert list(result) == [*row, *names]


def test_rows_without_features_have_no_score_and_are_counted():
    result = run(ROWS, "-m", "lof")
    empty = [row for row in map(json.loads, result.stdout.splitlines()) if row["run_number"] % 50 == 7]
    assert len(empty) == 12
    assert all(row["lof_score"] is None and row["lof_outlier"] is None for row in empty)
    assert result.stderr.splitlines() == [
        "warning: 12 rows without a score (null): no value in the columns",
        "lof: 30 outliers among 588 rows; learned from 588 rows",
        "warning: 65 of 588 rows lack features, filled with zero: --missing drop leaves them out",
    ]


def test_larger_is_more_anomalous_for_every_method():
    """A row far from the good ones, on the side of the bad ones, scores above the middle of them."""
    rows = [{"tracking": "GOOD", "a": random.Random(i).gauss(0, 1), "b": i % 7} for i in range(100)]
    rows += [{"tracking": "BAD", "a": 30 + i, "b": -20} for i in range(3)]
    found = records(rows, "-m", "all", "--columns", "a", "--columns", "b")
    for method in METHODS:
        name = method.replace("-", "_")
        scores = [row[f"{name}_score"] for row in found]
        assert min(scores[100:]) > np.percentile(scores[:100], 90), method
        assert [row[f"{name}_outlier"] for row in found] == [score > 0 for score in scores]
        assert all(row[f"{name}_outlier"] for row in found[100:]), method


def test_components_are_used_as_they_are():
    draw = random.Random(3)
    rows = [{"pc10": draw.gauss(0, 0.1), "pc1": draw.gauss(0, 9), "Hits.mean": 5, "pc_x": 1} for _ in range(80)]
    values = np.array([[row["pc1"], row["pc10"]] for row in rows])
    expected = -EllipticEnvelope(contamination=0.05, random_state=42).fit(values).decision_function(values)
    found = [row["envelope_score"] for row in records(rows)]
    assert found == pytest.approx(expected.tolist(), rel=1e-9)


def test_columns_contamination_nu_seed_reach_the_methods():
    columns = FEATURES[:2]
    values, kept = matrix(ROWS, columns)
    args = ["--columns", "Hits.Pixel.*", "--contamination", "0.2", "--nu", "0.3", "--seed", "7"]
    found = records(ROWS, *args, "-m", "isolation-forest", "-m", "one-class-svm")
    forest = make_pipeline(StandardScaler(), IsolationForest(contamination=0.2, random_state=7)).fit(values)
    good = values[status(ROWS, kept) == "GOOD"]
    machine = make_pipeline(StandardScaler(), OneClassSVM(nu=0.3, gamma="scale")).fit(good)
    compare(found, kept, "isolation-forest", -forest.decision_function(values), forest.predict(values) < 0)
    compare(found, kept, "one-class-svm", -machine.decision_function(values), machine.predict(values) < 0)


def test_train_where_is_novelty_detection():
    values, kept = matrix(ROWS)
    training = np.array([ROWS[number]["run_number"] < 317200 for number in kept])
    scaler = StandardScaler().fit(values[training])
    novelty = LocalOutlierFactor(contamination=0.05, novelty=True).fit(scaler.transform(values[training]))
    own = LocalOutlierFactor(contamination=0.05)
    own.fit_predict(scaler.transform(values[training]))
    scores = -novelty.decision_function(scaler.transform(values))
    scores[training] = own.offset_ - own.negative_outlier_factor_
    found = records(ROWS, "-m", "lof", "-m", "envelope", "--train-where", "run_number < 317200")
    compare(found, kept, "lof", scores, scores > 0)
    envelope = make_pipeline(StandardScaler(), REFERENCES["envelope"]()).fit(values[training])
    compare(found, kept, "envelope", -envelope.decision_function(values), envelope.predict(values) < 0)


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_gaps(missing):
    result = run(ROWS, "--missing", missing, "-m", "lof")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    values = np.array([[np.nan if row.get(c) is None else row[c] for c in FEATURES] for row in ROWS])
    gaps = np.isnan(values)
    kept = ~(gaps.any(axis=1) if missing == "drop" else gaps.all(axis=1))
    values = np.where(gaps, np.nanmean(values, axis=0), values)[kept]
    reference = LocalOutlierFactor(contamination=0.05)
    reference.fit_predict(StandardScaler().fit_transform(values))
    scores = np.full(len(ROWS), np.nan)
    scores[kept] = reference.offset_ - reference.negative_outlier_factor_
    expected = [None if np.isnan(score) else pytest.approx(score, rel=1e-9) for score in scores]
    assert [row["lof_score"] for row in found] == expected
    why = "a gap in the columns" if missing == "drop" else "no value in the columns"
    assert f"warning: {(~kept).sum()} rows without a score (null): {why}" in result.stderr


def test_is_bad_stands_in_for_tracking():
    rows = [{"is_bad": i % 5 == 0, "a.mean": i % 5 + i / 100, "b.mean": i} for i in range(40)]
    rows += [{"is_bad": None, "a.mean": 0.1, "b.mean": 3}]
    with_tracking = [{**row, "tracking": {True: "BAD", False: "GOOD", None: None}[row["is_bad"]]} for row in rows]
    scores = [row["svc_score"] for row in records(rows, "-m", "svc")]
    assert scores == [row["svc_score"] for row in records(with_tracking, "-m", "svc")]
    assert scores[-1] is not None


def test_doctor_tracking_stands_in_for_tracking():
    renamed = [{("doctor_tracking" if k == "tracking" else k): v for k, v in row.items()} for row in ROWS]
    renamed = [{k: v for k, v in row.items() if k not in ("pixel", "strip", "rda_name")} for row in renamed]
    for method in ("svc", "one-class-svm"):
        expected = [row[f"{method.replace('-', '_')}_score"] for row in records(ROWS, "-m", method)]
        assert [row[f"{method.replace('-', '_')}_score"] for row in records(renamed, "-m", method)] == expected


def test_two_runs_are_equal_bit_for_bit():
    assert run(ROWS, "-m", "all").stdout == run(ROWS, "-m", "all").stdout


def test_few_neighbours_and_degenerate_columns_are_told():
    rows = [{"a": i, "b": 2 * i} for i in range(10)]
    result = run(rows, "-m", "lof", "-m", "envelope", "--columns", "?")
    assert result.exit_code == 0
    assert "warning: lof: 10 rows are few for 20 neighbours" in result.stderr
    assert "warning: envelope: " in result.stderr


def test_one_warning_of_many_in_our_own_words():
    rows = [{"run_number": n, **{f"c{k}": (n * k) % 7 + 1e-9 * (n % 3) for k in range(30)}} for n in range(60)]
    result = run(rows, "--columns", "c*")
    (warned,) = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert warned.startswith("warning: envelope: the columns depend on each other too much for a covariance")


GOOD_ONLY = [{"tracking": "GOOD", "a.mean": i} for i in range(9)]
UNKNOWN = [{"a.mean": i} for i in range(9)]


@pytest.mark.parametrize(
    ("rows", "args", "code", "said"),
    [
        ([], [], 1, "no records"),
        ([{"run_number": 1}], [], 1, "no record has a principal component or a feature"),
        (GOOD_ONLY[:1], [], 1, "too few"),
        (GOOD_ONLY, ["-m", "svc"], 1, "needs both: 9 good, 0 bad"),
        ([{"a.mean": i} for i in range(9)], ["-m", "one-class-svm"], 1, "tracking is GOOD, and there are none"),
        (UNKNOWN, ["-m", "svc"], 1, "0 good, 0 bad"),
        (GOOD_ONLY, ["--train-where", "tracking = BAD"], 1, "no row to learn from"),
        (GOOD_ONLY, ["--train-where", "tracking"], 2, "expected COLUMN OP VALUE"),
        (GOOD_ONLY, ["--columns", "Hits*"], 1, "--features Hits*: no such numeric column; there are a.mean"),
        (GOOD_ONLY, ["--columns", "tracking"], 1, "no such numeric column"),
        (GOOD_ONLY, ["--contamination", "0.6"], 2, "at most 0.5"),
        (GOOD_ONLY, ["--contamination", "0.1", "-m", "svc"], 2, "--contamination is for --method envelope"),
        (GOOD_ONLY, ["--nu", "0.1"], 2, "--nu is for --method one-class-svm"),
        (GOOD_ONLY, ["--nu", "0", "-m", "one-class-svm"], 2, "--nu 0"),
        (GOOD_ONLY, ["--seed", "1", "-m", "lof"], 2, "--seed is for"),
        (GOOD_ONLY, ["-m", "magic"], 2, "magic"),
        ([{"a.mean": 1e200 * i} for i in range(9)], [], 1, "too large for a variance: a.mean"),
        ([{"a.mean": 10**400}, {"a.mean": 1}], [], 1, "numbers too large to compute with: a.mean"),
    ],
)
def test_errors(rows, args, code, said):
    result = run(rows, *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "internal error" not in result.stderr


@pytest.mark.parametrize("command", [["outliers", "-m", "all"], ["embed"]])
def test_a_row_with_only_a_luminosity_is_no_point(command):
    rows = [{"tracking": "BAD" if n % 5 == 0 else "GOOD", "a.mean": n % 7, "recorded_lumi": n} for n in range(40)]
    rows += [{"tracking": "GOOD", "recorded_lumi": 1e9, "a.mean": None}, {"tracking": "GOOD", "recorded_lumi": 5}]
    result = CliRunner().invoke(app, command, input=to_lines(rows))
    assert result.exit_code == 0, result.stderr
    assert "2 rows without a" in result.stderr
    for row in from_lines(result.stdout)[-2:]:
        added = {column: value for column, value in row.items() if column not in rows[0]}
        assert added
        assert set(added.values()) == {None}
    alone = CliRunner().invoke(app, command, input=to_lines(rows[:-2]))
    assert result.stdout.startswith(alone.stdout)


def test_gaps_and_scale_are_those_of_the_training_rows():
    draw = np.random.default_rng(3)
    rows = [
        {
            "good": n % 3 > 0,
            "a.mean": float(draw.normal()) + 5 * (n % 3 == 0),
            "b.mean": float(draw.normal()) * (1 + n % 3),
        }
        for n in range(90)
    ]
    for row in rows[5::10]:
        row["a.mean"] = None
    result = run(rows, "-m", "isolation-forest", "--train-where", "good = true", "--missing", "mean")
    values = np.array([[row["a.mean"], row["b.mean"]] for row in rows], dtype=float)
    training = np.array([row["good"] for row in rows])
    means = np.nanmean(values[training], axis=0)
    values = np.where(np.isnan(values), means, values)
    values = StandardScaler().fit(values[training]).transform(values)
    forest = IsolationForest(contamination=0.05, random_state=42).fit(values[training])
    scores = [row["isolation_forest_score"] for row in from_lines(result.stdout)]
    assert scores == pytest.approx(list(-forest.decision_function(values)), rel=1e-9)
