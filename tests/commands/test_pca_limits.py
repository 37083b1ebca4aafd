"""``pca``: the limits of T2 and Q of each row, the summary, constant columns, and how many components there are."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

from tests.analysis import studies
from tests.commands.test_pca import notebook
from tests.conftest import from_lines


def q_limit(remaining, confidence):
    """The chi-square with the first three moments of the remaining variances, by scipy."""
    one, two, three = ((remaining**power).sum() for power in (1, 2, 3))
    freedom = two**3 / three**2
    return one + (stats.chi2.ppf(confidence, freedom) - freedom) * np.sqrt(two / freedom)


def t2_limit(n, p, confidence, fitted):
    if fitted:
        return (n - 1) ** 2 / n * stats.beta.ppf(confidence, p / 2, (n - p - 1) / 2)
    return p * (n - 1) * (n + 1) / (n * (n - p)) * stats.f.ppf(confidence, p, n - p)


def test_limits_of_fitted_rows_are_those_of_the_beta_distribution_and_of_three_moments(tkstudies):
    rows = studies.features(500, gaps=0)
    out = from_lines(tkstudies("pca", input=rows).stdout)
    keep, _, _, _, _ = notebook(rows)
    _, _, _, _, pca = notebook(rows, components=14)  # all
    for confidence in (0.95, 0.99):
        name = f"limit_{100 * confidence:.0f}"
        [limit] = {row[f"t2_{name}"] for row in out}
        assert limit == pytest.approx(t2_limit(int(keep.sum()), 5, confidence, True), rel=1e-9)
        limit = out[0][f"q_{name}"]
        assert limit == pytest.approx(q_limit(pca.explained_variance_[5:], confidence), rel=1e-9)
        above = np.mean([row["q"] > limit for row in out])
        assert (1 - confidence) / 3 < above < 3 * (1 - confidence)
    assert out[0]["q_limit_99"] > out[0]["q_limit_95"] > np.mean([row["q"] for row in out])


def test_each_row_gets_the_limits_that_fit_it(tkstudies, tmp_path):
    rows = [{**row, "set": number % 3} for number, row in enumerate(studies.features(300, gaps=0))]
    result = tkstudies("pca", "--fit-where", "set = 0", "--keep", "all", "--model", tmp_path / "m", input=rows)
    out = from_lines(result.stdout)
    n = sum(row["set"] == 0 for row in out)
    assert json.loads((tmp_path / "m").read_text())["rows"] == n
    for row in out:
        for confidence in (0.95, 0.99):
            expected = pytest.approx(t2_limit(n, 5, confidence, row["set"] == 0), rel=1e-9)
            assert row[f"t2_limit_{100 * confidence:.0f}"] == expected
    assert f"{len(out) - n} rows that were not fitted: the limits of q are too low for such rows" in result.stderr
    assert f"as the model comes from {n} rows (fewer than 200)" in result.stderr
    assert f"{len(out)} rows, {n} of them fitted, 14 features: " in result.stderr
    applied = tkstudies("pca", "--apply", tmp_path / "m", input=rows)
    [limit] = {row["t2_limit_99"] for row in from_lines(applied.stdout)}
    assert limit == pytest.approx(t2_limit(n, 5, 0.99, False), rel=1e-9)
    assert f"{len(out)} rows that were not fitted" in applied.stderr
    enough = tkstudies("pca", "--fit-where", "set in 0,1", input=rows)
    assert ("not fitted" in enough.stderr) == (sum(row["set"] < 2 for row in out) < 200)


def test_rows_with_gaps_that_were_dropped_are_not_fitted(tkstudies):
    rows = [{"a.mean": n % 7, "b.mean": n % 5, "c.mean": (n * n) % 11} for n in range(30)]
    del rows[4]["b.mean"]
    result = tkstudies("pca", "-n", "1", "--missing", "drop", input=rows)
    [limit] = {row["t2_limit_99"] for row in from_lines(result.stdout)}
    assert limit == pytest.approx(t2_limit(29, 1, 0.99, True), rel=1e-9)
    assert "29 rows, 3 features: " in result.stderr


class TestSummary:
    def test_of_new_rows_counts_them_and_not_the_fit(self, tkstudies, tmp_path):
        rows = studies.features(44, gaps=0)
        model = tmp_path / "good.json"
        fitted = tkstudies("pca", "--model", model, input=rows)
        new = [dict(row) for row in rows[:5]]
        for number, row in enumerate(new):
            for column in [name for name, value in row.items() if isinstance(value, float) and number < 3]:
                row[column] += 1e4 * (number + 1)
        result = tkstudies("pca", "--apply", model, input=new)
        out = from_lines(result.stdout)
        t2, q = (sum(row[name] > row[f"{name}_limit_99"] for row in out) for name in ("t2", "q"))
        assert q >= 3
        n, width = json.loads(model.read_text())["rows"], len(json.loads(model.read_text())["features"])
        expected = (
            f"5 rows projected with {model} ({n} rows, {width} features): {t2} above the 99 % limit of T2, {q} of Q"
        )
        assert expected in result.stderr.splitlines()
        every = from_lines(fitted.stdout)
        t2, q = (sum(row[name] > row[f"{name}_limit_99"] for row in every) for name in ("t2", "q"))
        expected = f"{n} rows, {width} features: {t2} above the 99 % limit of T2, {q} of Q"
        assert expected in fitted.stderr.splitlines()

    def test_of_one_row(self, tkstudies, tmp_path):
        rows = [{"a.mean": n, "b.mean": n % 4, "c.mean": n % 3} for n in range(9)]
        tkstudies("pca", "-n", "2", "--model", tmp_path / "m", input=rows)
        result = tkstudies("pca", "--apply", tmp_path / "m", input=rows[:1])
        assert f"1 row projected with {tmp_path / 'm'} (9 rows, 3 features): 0 above" in result.stderr
        assert "warning: 1 row that was not fitted: the limits of q are too low for such rows" in result.stderr

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([{"a.mean": n % 3, "b.mean": n} for n in range(9)], "0 above the 99 % limit of T2, no limit of Q"),
            ([{"a.mean": n % 2, "b.mean": n} for n in range(3)], "no limit of T2 (too few fitted rows), no limit of Q"),
            ([{"a.mean": 1, "b.mean": 2} for n in range(9)], "no limit of T2 (nothing varies), no limit of Q"),
        ],
    )
    def test_says_which_limits_there_are_not(self, rows, words, tkstudies):
        result = tkstudies("pca", "-n", "2", input=rows)
        assert f"{len(rows)} rows, 2 features: {words} (nothing is left over)" in result.stderr
        assert from_lines(result.stdout)[0]["q_limit_99"] is None


class TestConstantColumns:
    ROWS: ClassVar = [
        {"a.mean": n, "b.mean": n % 3, "c.mean": 7, "d.mean": 1e12 + 0.1, "even": n % 2} for n in range(9)
    ]

    def test_are_told(self, tkstudies):
        result = tkstudies("pca", "-n", "2", input=self.ROWS)
        assert "warning: 2 columns of 4 are constant and tell nothing: c.mean, d.mean\n" in result.stderr
        one = tkstudies("pca", "-n", "2", "--features", "[abc].mean", input=self.ROWS)
        assert "warning: 1 column of 3 is constant and tells nothing: c.mean\n" in one.stderr
        assert "constant" not in tkstudies("pca", "-n", "1", "--features", "[ab].mean", input=self.ROWS).stderr

    def test_that_vary_in_other_rows_are_told(self, tkstudies, tmp_path):
        rows = [{**row, "c.mean": 7 + row["even"]} for row in self.ROWS]
        words = "warning: constant in the fitted rows but not in the others, where q counts it in full: c.mean\n"
        fitted = tkstudies("pca", "-n", "1", "--fit-where", "even = 0", "--model", tmp_path / "m", input=rows)
        assert words in fitted.stderr
        assert words in tkstudies("pca", "--apply", tmp_path / "m", input=rows).stderr
        assert "in full" not in tkstudies("pca", "--apply", tmp_path / "m", input=self.ROWS).stderr

    def test_in_python(self):
        from tkstudies import principal_components

        with pytest.warns(UserWarning, match="2 columns of 4 are constant and tell nothing: c.mean, d.mean"):
            assert len(list(principal_components(self.ROWS, 2))) == 9


@pytest.mark.parametrize(("pattern", "count"), [("a.mean", 1), ("[abc].mean", 3), ("*", 5)])
def test_fewer_chosen_columns_lower_the_number_of_components(pattern, count, tkstudies):
    rows = [{f"{name}.mean": (n * (2 + place) ** 2) % 13 for place, name in enumerate("abcdef")} for n in range(20)]
    result = tkstudies("pca", "--features", pattern, input=rows)
    assert result.exit_code == 0, result.stderr
    found = [column for column in from_lines(result.stdout)[0] if column.startswith("pc")]
    assert found == [f"pc{number + 1}" for number in range(count)]
    asked = tkstudies("pca", "--features", "[ab].mean", "-n", "3", input=rows)
    assert (asked.stdout, asked.exit_code) == ("", 1)
    assert "--components 3: 20 rows of 2 features allow 1 to 2 components" in asked.stderr


def test_models_of_older_versions_are_read(tkstudies, tmp_path):
    rows = studies.features(60, gaps=0)
    tkstudies("pca", "--model", tmp_path / "new", input=rows)
    model = json.loads((tmp_path / "new").read_text())
    assert (model["format"], model.pop("constant")) == ("tkstudies-pca-1", ["constant.mean"])
    (tmp_path / "old").write_text(json.dumps({**model, "tkstudies_version": "0.1.0"}))
    old, new = (tkstudies("pca", "--apply", tmp_path / name, input=rows) for name in ("old", "new"))
    assert (old.exit_code, old.stdout) == (0, new.stdout)
