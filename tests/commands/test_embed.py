import json
import random

import numpy as np
import pytest
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

from tkstudies.cli import app


def clusters(rows=40, seed=2):
    draw = random.Random(seed)
    return [
        {"run_number": number, "kind": number % 2, **{f"{c}.mean": draw.gauss(20 * (number % 2), 1) for c in "abc"}}
        for number in range(rows)
    ]


ROWS = clusters()


def run(rows, *args):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return CliRunner().invoke(app, ["embed", *args], input=text)


def records(rows, *args):
    result = run(rows, *args)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def places(found):
    return np.array([[row["tsne1"], row["tsne2"]] for row in found])


def test_everything_is_kept_in_order():
    found = records(ROWS)
    assert [{name: row[name] for name in ROWS[0]} for row in found] == ROWS
    assert list(found[0])[-2:] == ["tsne1", "tsne2"]


def test_against_scikit_learn():
    values = StandardScaler().fit_transform([[row[f"{c}.mean"] for c in "abc"] for row in ROWS])
    with threadpool_limits(1):
        reference = TSNE(2, perplexity=7, init="pca", random_state=5).fit_transform(values)
    found = places(records(ROWS, "--perplexity", "7", "--seed", "5"))
    assert found == pytest.approx(reference.astype(float), rel=1e-9)


def test_neighbours_stay_neighbours():
    found = places(records(ROWS))
    distances = np.linalg.norm(found[:, None] - found[None], axis=2) + np.diag(np.full(len(found), np.inf))
    nearest = distances.argmin(axis=1)
    assert np.array_equal(nearest % 2, np.arange(len(found)) % 2)


def test_components_are_used_as_they_are():
    rows = [{f"pc{i + 1}": row[f"{c}.mean"] * 10**-i for i, c in enumerate("abc")} | row for row in ROWS]
    values = np.array([[row["pc1"], row["pc2"], row["pc3"]] for row in rows])
    with threadpool_limits(1):
        reference = TSNE(2, perplexity=13, init="pca", random_state=42).fit_transform(values)
    assert places(records(rows)) == pytest.approx(reference.astype(float), rel=1e-9)


def test_two_runs_are_equal_bit_for_bit():
    rows = clusters(120)
    assert run(rows).stdout == run(rows).stdout
    assert run(ROWS, "--seed", "1").stdout == run(ROWS, "--seed", "1").stdout


def test_dimensions():
    found = records(ROWS, "--dimensions", "3")
    assert list(found[0])[-3:] == ["tsne1", "tsne2", "tsne3"]
    assert list(records(ROWS, "--dimensions", "1", "--columns", "a.mean")[0])[-1] == "tsne1"


def test_few_rows_lower_the_perplexity():
    result = run(ROWS[:10])
    assert "perplexity lowered from 30 to 3: only 10 rows" in result.stderr
    assert "lowered" not in run(ROWS, "--perplexity", "5").stderr


def test_rows_without_a_place():
    rows = [*ROWS, {"run_number": 99}, {"run_number": 100, "a.mean": 1.0}]
    result = run(rows)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["run_number"] for row in found if row["tsne1"] is None] == [99]
    assert "warning: 1 row without a place (null): no value in the columns" in result.stderr
    dropped = run(rows, "--missing", "drop")
    found = [json.loads(line) for line in dropped.stdout.splitlines()]
    assert [row["run_number"] for row in found if row["tsne1"] is None] == [99, 100]
    assert "warning: 2 rows without a place (null): a gap in the columns" in dropped.stderr


@pytest.mark.parametrize(
    ("rows", "args", "code", "said"),
    [
        ([], [], 1, "no records"),
        ([{"run_number": 1}], [], 1, "no record has a principal component or a feature"),
        (ROWS[:3], [], 1, "3 rows with values in the columns are too few"),
        ([ROWS[0]] * 9, [], 1, "all rows have the same values"),
        (ROWS, ["--columns", "a.mean"], 1, "1 columns (a.mean) don't make 2 dimensions"),
        (ROWS, ["--columns", "x*"], 1, "no such numeric column; there are run_number, kind"),
        (ROWS, ["--perplexity", "0.5"], 2, "expected at least 1"),
        (ROWS, ["--perplexity", "nan"], 2, "expected at least 1"),
        (ROWS, ["--dimensions", "4"], 2, "1<=x<=3"),
    ],
)
def test_errors(rows, args, code, said):
    result = run(rows, *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
