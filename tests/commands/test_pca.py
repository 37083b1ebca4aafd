"""``pca`` against scikit-learn's full SVD and against the notebook's recipe."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tests.analysis import studies
from tests.conftest import from_lines, nearly, to_lines
from tkstudies.analysis.multivariate import components as analysis

ORIGIN = ("command", "made_at", "inputs")


def notebook(rows, components=5, missing="zero", fit=None):
    """The notebook's cells in pandas and scikit-learn, without the row number among the features."""
    df = pd.DataFrame(rows)
    names = [c for c in df if (".rms" in c or "mean" in c or c == "recorded_lumi") and df[c].map(type).ne(str).all()]
    X = df[names].apply(pd.to_numeric)
    keep = X.notna().any(axis=1)
    X = X[keep]
    fit = keep[keep] if fit is None else pd.Series(fit)[keep]
    X = X.fillna(X[fit].mean() if missing == "mean" else 0).to_numpy()
    fit = fit.to_numpy(dtype=bool)
    scaler = StandardScaler().fit(X[fit])
    pca = PCA(components, svd_solver="full").fit(scaler.transform(X[fit]))
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[np.arange(components), largest])
    scores = pca.transform(scaler.transform(X)) * signs
    residual = ((scaler.transform(X) - pca.inverse_transform(scores * signs)) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore"):  # of all components the last may have no variance at all
        t2 = (scores**2 / pca.explained_variance_).sum(axis=1)
    return keep.to_numpy(), scores, t2, residual, pca


def columns(rows, *names):
    return np.array([[row[name] for name in names] for row in rows])


def close(one, other):
    scale = np.abs(other).max()
    return np.abs(np.asarray(one) - other).max() <= 1e-9 * scale


@pytest.mark.parametrize("missing", ["zero", "mean"])
def test_equals_the_notebook(missing, tkstudies):
    rows = studies.features()
    keep, scores, t2, q, pca = notebook(rows, missing=missing)
    result = tkstudies("pca", "--missing", missing, input=rows)
    assert result.exit_code == 0
    out = from_lines(result.stdout)
    assert f"{(~keep).sum()} rows had no features and are left out" in result.stderr
    assert [(r["run_number"], r["reco"]) for r in out] == [
        (r["run_number"], r["reco"]) for r, kept in zip(rows, keep, strict=True) if kept
    ]
    assert close(columns(out, "pc1", "pc2", "pc3", "pc4", "pc5"), scores)
    assert close(columns(out, "t2")[:, 0], t2)
    assert close(columns(out, "q")[:, 0], q)
    assert f"{pca.explained_variance_ratio_[0]:8.1%}" in result.stderr


def test_equals_full_svd_to_ten_digits():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(5000, 40)) @ rng.normal(size=(40, 40)) + 1e4
    model = analysis.fit(np.split(X, 7 * [0] + [4096]), [f"f{n}" for n in range(40)], 5, np.zeros(40))
    reference = PCA(5, svd_solver="full").fit(StandardScaler().fit_transform(X))
    signs = np.sign(reference.components_[range(5), np.abs(reference.components_).argmax(axis=1)])
    assert np.abs(model.components - reference.components_ * signs[:, None]).max() < 1e-10
    assert np.abs(model.variance / reference.explained_variance_ - 1).max() < 1e-10


def test_twice_is_the_same_bit_for_bit(tkstudies):
    rows = studies.features(300)
    assert tkstudies("pca", input=rows).stdout == tkstudies("pca", input=rows).stdout


def test_fit_on_some_project_all(tkstudies):
    rows = studies.features(400)
    for number, row in enumerate(rows):
        row["tracking"] = "BAD" if number % 7 == 0 else "GOOD"
    keep, scores, t2, _, _ = notebook(rows, 3, fit=[row["tracking"] == "GOOD" for row in rows])
    out = from_lines(tkstudies("pca", "-n", "3", "--fit-where", "tracking = GOOD", input=rows).stdout)
    assert len(out) == keep.sum()
    assert close(columns(out, "pc1", "pc2", "pc3"), scores)
    assert close(columns(out, "t2")[:, 0], t2)
    assert {row["tracking"] for row in out} == {"GOOD", "BAD"}


def test_missing_drop_leaves_incomplete_rows_out(tkstudies):
    rows = studies.features(400)
    result = tkstudies("pca", "--missing", "drop", input=rows)
    complete = [row for row in rows if all(v is not None for v in row.values()) and "constant.mean" in row]
    _, scores, _, _, _ = notebook(complete)
    out = from_lines(result.stdout)
    assert close(columns(out, "pc1", "pc2", "pc3", "pc4", "pc5"), scores)
    assert all(row["missing_features"] == 0 for row in out)
    assert "features missing (--missing drop)" in result.stderr


def test_a_row_with_only_a_luminosity_has_no_features(tkstudies):
    rows = [{"run_number": n, "recorded_lumi": n, "a.mean": n, "b.rms": n * n} for n in range(10)]
    rows.append({"run_number": 99, "reco": "online", "recorded_lumi": 5.0})
    result = tkstudies("pca", "-n", "2", input=rows)
    assert len(from_lines(result.stdout)) == 10
    assert "warning: 1 row had no features and is left out" in result.stderr
    alone = tkstudies("pca", "-n", "1", input=[{"recorded_lumi": n, "x": 1} for n in range(5)])
    assert len(from_lines(alone.stdout)) == 5


def test_labels_or_everything_beside_the_components(tkstudies):
    rows = [
        {"run_number": n, "pixel": "GOOD", "note": "x", "is_bad": False, "a.mean": n, "b.mean": -n} for n in range(9)
    ]
    labels = from_lines(tkstudies("pca", "-n", "1", input=rows).stdout)[0]
    assert list(labels)[:4] == ["run_number", "pixel", "is_bad", "pc1"]
    everything = from_lines(tkstudies("pca", "-n", "1", "--keep", "all", input=rows).stdout)[0]
    assert list(everything)[:6] == ["run_number", "pixel", "note", "is_bad", "a.mean", "b.mean"]


def test_features_are_chosen_by_patterns(tkstudies):
    rows = [{"x1": n, "x2": n % 3, "y": -n} for n in range(9)]
    out = from_lines(tkstudies("pca", "-n", "2", "--features", "x*", input=rows).stdout)
    assert set(out[0]) >= {"pc1", "pc2"}
    result = tkstudies("pca", "--features", "nothing*", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "--features nothing*: no numbers in such a column" in result.stderr


def test_nothing_is_left_when_every_row_has_a_gap(tkstudies):
    rows = [{"a.mean": n} if n % 2 else {"b.mean": n} for n in range(9)]
    result = tkstudies("pca", "--missing", "drop", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "every row lacks some feature: --missing drop leaves none" in result.stderr


def test_nothing_of_the_model_is_an_error(tkstudies, tmp_path):
    rows = [{"a.mean": n, "b.mean": n % 4} for n in range(9)]
    tkstudies("pca", "-n", "1", "--model", tmp_path / "m", input=rows)
    result = tkstudies("pca", "--apply", tmp_path / "m", "--tolerant", input=[{"run_number": 1}])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "no row has a feature of the model" in result.stderr


def test_fit_where_nothing_holds(tkstudies):
    rows = [{"a.mean": n, "b.mean": n % 4} for n in range(9)]
    result = tkstudies("pca", "--fit-where", "trackng = GOOD", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "--fit-where trackng = GOOD: no row to fit" in result.stderr


class TestModels:
    def test_applied_to_its_own_rows_it_gives_the_same(self, tmp_path, tkstudies):
        rows = studies.features(300)
        model, loadings = tmp_path / "model.json", tmp_path / "loadings.jsonl"
        fitted = tkstudies("pca", "--model", model, "--loadings", loadings, input=rows)
        applied = tkstudies("pca", "--apply", model, input=rows)
        assert applied.exit_code == 0
        for old, new in zip(from_lines(fitted.stdout), from_lines(applied.stdout), strict=True):
            assert list(old) == list(new)
            changed = {column for column in old if old[column] != new[column]}
            assert changed == {"t2_limit_95", "t2_limit_99", "is_fitted"}
            assert (old["is_fitted"], new["is_fitted"]) == (True, False)
        written, records = json.loads(model.read_text()), from_lines(loadings.read_text())
        assert [record["feature"] for record in records] == written["features"]
        for number, component in enumerate(written["components"], start=1):
            assert [record[f"pc{number}"] for record in records] == component
        assert [[record["mean"], record["scale"]] for record in records] == [
            list(pair) for pair in zip(written["mean"], written["scale"], strict=True)
        ]
        assert min(map(min, written["components"])) < 0

    def test_missing_and_extra_features(self, tmp_path, tkstudies):
        rows = [{"a.mean": n, "b.mean": n % 4, "c.mean": -n} for n in range(9)]
        model = tmp_path / "model.json"
        tkstudies("pca", "-n", "2", "--model", model, input=rows)
        other = [{"a.mean": 1, "b.mean": 2, "d.mean": 3}]
        result = tkstudies("pca", "--apply", model, input=other)
        assert (result.stdout, result.exit_code) == ("", 1)
        assert (
            "the rows lack 1 feature of the model (c.mean); the rows have 1 feature that the model lacks (d.mean): "
            "--tolerant fills and ignores such features" in result.stderr
        )
        tolerated = tkstudies("pca", "--apply", model, "--tolerant", input=other)
        assert tolerated.exit_code == 0
        assert from_lines(tolerated.stdout)[0]["missing_features"] == 1

    @pytest.mark.parametrize("text", ["{}", '{"format":"tkstudies-pca-1"}', '{"format":"other"}', "", "[1]", "{}\n{}"])
    def test_other_files_are_no_models(self, text, tmp_path, tkstudies):
        (tmp_path / "model.json").write_text(text)
        result = tkstudies("pca", "--apply", tmp_path / "model.json", input=[{"a.mean": 1}])
        assert (result.stdout, result.exit_code) == ("", 1)
        assert str(tmp_path / "model.json") in result.stderr
        assert len(result.stderr.splitlines()) == 1

    def test_a_model_excludes_fitting(self, tmp_path, tkstudies):
        result = tkstudies("pca", "--apply", "m.json", "--features", "x", input="")
        assert (result.stdout, result.exit_code) == ("", 2)


@pytest.mark.parametrize(
    ("rows", "arguments", "code", "words"),
    [
        ([{"a.mean": 1}], [], 1, "too few"),
        ([{"a.mean": n} for n in range(5)], [], 1, "allow 1 to 1 components"),
        ([{"run_number": 1}], [], 1, "no record has a feature"),
        (
            [{"a.mean": n, "b.mean": 1e308 * (n - 2)} for n in range(5)],
            ["-n", "1"],
            1,
            "too large for a variance: b.mean",
        ),
        ([{"a.mean": n} for n in range(5)], ["--fit-where", "a.mean >"], 2, "expression"),
        ([{"a.mean": n} for n in range(5)], ["-n", "0"], 2, "0"),
    ],
)
def test_what_cannot_be_studied(rows, arguments, code, words, tkstudies):
    result = tkstudies("pca", *arguments, input=to_lines(rows))
    assert (result.stdout, result.exit_code) == ("", code)
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_constant_features_do_no_harm(tkstudies):
    rows = [{"a.mean": n, "b.mean": 3.3, "c.mean": 1e12 + 0.1} for n in range(9)]
    out = from_lines(tkstudies("pca", "-n", "3", input=rows).stdout)
    assert all(abs(row["pc2"]) < 1e-9 and abs(row["pc3"]) < 1e-9 for row in out)
    assert all(row["t2"] is not None for row in out)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("runtype", ["collisions", "cosmics"], "run types are mixed"),
        ("is_heavy_ion", [True, False], "proton and heavy-ion runs are mixed"),
        ("recorded_lumi_unit", ["pb^{-1}", "{\\mu}b^{-1}"], "luminosity units are mixed"),
    ],
)
def test_mixtures_are_warned_of(column, values, words, tkstudies):
    rows = [{"a.mean": n, "b.mean": n % 3, column: values[n % 2]} for n in range(10)]
    result = tkstudies("pca", "-n", "2", input=rows)
    assert result.exit_code == 0
    assert words in result.stderr


def test_many_imputed_rows_are_warned_of(tkstudies):
    rows = [{"a.mean": n, **({"b.mean": n % 3} if n % 2 else {})} for n in range(10)]
    assert "5 of 10 rows lack features, filled with zero" in tkstudies("pca", "-n", "2", input=rows).stderr


def test_memory_does_not_grow_with_the_rows(shell, tmp_path):
    others = json.dumps({f"f{n}.mean": n * n % 7 for n in range(1, 100)})[1:]
    script = (
        'python -c "\n'
        "import resource, subprocess\n"
        "subprocess.run(['tkstudies', 'pca', '-q', 'in.jsonl', '-o', 'out.jsonl'], check=True)\n"
        'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"'
    )
    used = []
    for rows in (12_000, 30_000):
        with (tmp_path / "in.jsonl").open("w") as file:
            file.writelines(f'{{"run_number":{n},"f0.mean":{n},{others}\n' for n in range(rows))
        used.append(float(shell(script).stdout))
    assert used[1] < used[0] + 8


def test_temporary_files_that_cannot_be_written(tkstudies, monkeypatch):
    with open("/dev/full", "wb", 0) as full:
        monkeypatch.setattr("tkstudies.jsonl.store.SpooledTemporaryFile", lambda **_: full)
        result = tkstudies("pca", input=studies.features(5))
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "temporary files can't be written: No space left on device" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--loadings", "x", "-o", "x"],
        ["--model", "x", "--loadings", "./x"],
        ["--model", "-"],
        ["--loadings", "-"],
        ["--tolerant"],
        ["--apply", "m.json", "--components", "3"],
        ["--apply", "m.json", "--missing", "drop"],
    ],
)
def test_options_that_do_not_go_together(arguments, tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tkstudies("pca", *arguments, input=[{"a.mean": n, "b.mean": -n} for n in range(9)])
    assert (result.stdout, result.exit_code) == ("", 2)
    assert not list(tmp_path.iterdir())


def test_no_output_when_the_model_cannot_be_written(tkstudies, tmp_path):
    rows = [{"a.mean": n, "b.mean": n % 4} for n in range(9)]
    result = tkstudies("pca", "-n", "1", "--model", "/dev/full", "-o", tmp_path / "out", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "/dev/full: can't be written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_pattern_that_matches_nothing_is_told(tkstudies):
    rows = [{"a.mean": n, "b.mean": n % 4} for n in range(9)]
    result = tkstudies("pca", "-n", "1", "--features", "a*", "--features", "c*", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "--features c*: no numbers in such a column; there are a.mean" in result.stderr


def test_a_number_beyond_all_floats_is_no_internal_error(tkstudies):
    result = tkstudies("pca", "-n", "1", input='{"a.mean":' + "9" * 400 + '}\n{"a.mean":1}\n{"a.mean":2}\n')
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == "tkstudies: values too large for a variance: a.mean\n"


class TestFiles:
    """The rows of files, in which features appear at any place."""

    @pytest.fixture
    def rows(self):
        rows = studies.features(400)
        for number, row in enumerate(rows):
            row["a new one.mean" if number > 250 else "an old one.mean"] = number % 7
        return [{**row, "late.rms": 1.5} if number % 90 == 80 else row for number, row in enumerate(rows)]

    @pytest.mark.parametrize(
        "options", [[], ["--keep", "all"], ["--fit-where", "run_number > 1"], ["--missing", "mean"]]
    )
    def test_several_give_what_one_gives(self, options, rows, tkstudies, tmp_path):
        file, halves = tmp_path / "all", [tmp_path / "one", tmp_path / "two"]
        file.write_text(to_lines(rows))
        halves[0].write_text(to_lines(rows[:300]))
        halves[1].write_text(to_lines(rows[300:]).rstrip("\n"))
        one = tkstudies("pca", *options, "--model", tmp_path / "m1", input=to_lines(rows))
        named = tkstudies("pca", *options, "--model", tmp_path / "m2", file)
        assert (named.stdout, named.stderr, named.exit_code) == (one.stdout, one.stderr, 0)
        assert self.fitted(tmp_path / "m2") == self.fitted(tmp_path / "m1")
        several = tkstudies("pca", *options, *halves)
        assert (several.stderr, several.exit_code) == (one.stderr, 0)
        assert from_lines(several.stdout) == nearly(from_lines(one.stdout))

    @staticmethod
    def fitted(file):
        """A model, whatever it was made from."""
        return {name: value for name, value in json.loads(file.read_text()).items() if name not in ORIGIN}

    def test_name_the_line_of_an_error(self, rows, tkstudies, tmp_path):
        lines = to_lines(rows).splitlines()
        lines[390] = lines[390][:40]
        file = tmp_path / "all"
        file.write_text("\n".join(lines))
        result = tkstudies("pca", file)
        assert (result.stdout, result.exit_code) == ("", 1)
        assert f"{file}, line 391: not a JSON object" in result.stderr
        lines[3] = "nonsense"
        file.write_text("\n".join(lines))
        result = tkstudies("pca", "--skip-bad-lines", file)
        assert "2 malformed lines skipped" in result.stderr
        assert (len(from_lines(result.stdout)) > 300, result.exit_code) == (True, 3)
        assert f"{file}, line 4: not a JSON object" in tkstudies("pca", file).stderr

    def test_packed_files_and_arrays_give_the_same(self, rows, tkstudies, tmp_path):
        expected = tkstudies("pca", input=rows).stdout
        for content in (gzip.compress(to_lines(rows).encode()), json.dumps(rows).encode()):
            (tmp_path / "file").write_bytes(content)
            assert tkstudies("pca", tmp_path / "file").stdout == expected


def test_contributions_add_up_to_t2_and_q(tkstudies, tmp_path):
    rows = studies.features()
    names = sorted({name for row in rows for name in row if name.endswith((".mean", ".rms"))})[:4]
    few = [word for name in names for word in ("--features", name)]
    plain = from_lines(tkstudies("pca", "-n", "2", *few, input=rows).stdout)
    found = from_lines(tkstudies("pca", "-n", "2", *few, "--contributions", input=rows).stdout)
    assert [{name: row[name] for name in plain[0]} for row in found] == plain
    for row in found:
        for score in ("t2", "q"):
            values = row[f"{score}_contributions"]
            assert sorted(row[f"{score}_features"]) == names
            assert values == sorted(values, reverse=True)
            assert sum(values) == pytest.approx(row[score], rel=1e-9, abs=1e-9)


def test_contributions_name_the_feature_that_is_off(tkstudies):
    rng = np.random.default_rng(3)
    rows = [{"run_number": n, **{f"f{i}.mean": value for i, value in enumerate(rng.normal(size=9))}} for n in range(60)]
    rows[7]["f4.mean"] = 9.0
    options = ["--contributions", "--fit-where", "run_number != 7"]
    row = from_lines(tkstudies("pca", "-n", "3", *options, input=rows).stdout)[7]
    largest = max(("t2", "q"), key=lambda score: row[f"{score}_contributions"][0])
    assert row[f"{largest}_features"][0] == "f4.mean"
    assert len(row["t2_features"]) == len(row["q_features"]) == 5


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"is_bad": [True, True, False]}, [], "20 of 30 fitted rows are bad"),
        ({"is_bad": [True, True, False]}, ["--fit-where", "is_bad = false"], ""),
        ({"is_bad": [True, None, False]}, ["--fit-where", "run_number < 4"], "2 of 4 fitted rows are bad"),
        ({"pixel": ["GOOD", "GOOD"], "strip": ["GOOD", "BAD"], "tracking": ["GOOD", "BAD"]}, [], "15 of 30 fitted"),
        ({"tracking": [None, None]}, [], ""),
        ({}, [], ""),
    ],
)
def test_what_bad_rows_among_the_fitted_ones_cost_is_said(columns, options, said, tkstudies):
    rng = np.random.default_rng(3)
    rows = [
        {"run_number": n, **{name: values[n % len(values)] for name, values in columns.items()}}
        | {f"f{i}.mean": value for i, value in enumerate(rng.normal(size=6))}
        for n in range(30)
    ]
    stderr = tkstudies("pca", "-n", "2", *options, input=rows).stderr
    assert ("see suspects, or --fit-where 'is_bad = false' --missing mean" in stderr) == bool(said)
    assert said in stderr
