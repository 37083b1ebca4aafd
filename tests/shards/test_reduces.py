"""What needs all rows of a table, on a table that is cut into files: components, counts, columns, suspects.

The same folder gives the same bytes for every --jobs; what one file with all rows gives is the same to 1e-9.
"""

import pickle
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tests.analysis import studies
from tests.conftest import from_lines, nearly, to_lines


@pytest.fixture
def cut(tmp_path):
    """Writes rows to a file, and to files of a folder."""

    def cut(rows, sizes=(90, 1, 0, 150)):
        folder, start = tmp_path / "table", 0
        folder.mkdir()
        for number, size in enumerate([*sizes, len(rows)]):
            (folder / f"{number}.jsonl").write_text(to_lines(rows[start : start + size]))
            start += size
        (tmp_path / "whole.jsonl").write_text(to_lines(rows))
        return tmp_path / "whole.jsonl", folder

    return cut


def study(number=400):
    """Rows in which features come and go."""
    rows = studies.features(number)
    for place, row in enumerate(rows):
        row["late.mean" if place > 250 else "early.mean"] = place % 7
        row["recorded_lumi"] = place % 13 / 3
    return rows


CHOICES = {
    "plainly": [],
    "all columns": ["--keep", "all", "--contributions"],
    "good rows": ["--fit-where", "f3.rms < 310", "--missing", "mean"],
    "whole rows": ["--missing", "drop", "--features", "*.mean"],
    "few rows": ["--fit-where", "run_number < 315004", "-n", "2"],
}


class TestComponents:
    @pytest.mark.parametrize("options", CHOICES)
    def test_of_a_folder_are_those_of_a_file(self, tkstudies, cut, tmp_path, options):
        whole, folder = cut(study(250 if options == "whole rows" else 400))
        side = ["--loadings", tmp_path / "loadings.jsonl"]
        one = tkstudies("pca", *CHOICES[options], *side, whole)
        loadings = without_time(from_lines((tmp_path / "loadings.jsonl").read_text()))
        many = tkstudies("pca", *CHOICES[options], *side, folder)
        assert (many.stderr, many.exit_code) == (one.stderr, one.exit_code) and one.stdout
        assert from_lines(many.stdout) == nearly(from_lines(one.stdout))
        assert without_time(from_lines((tmp_path / "loadings.jsonl").read_text())) == nearly(loadings)

    def test_of_a_folder_are_those_of_scikit_learn(self, tkstudies, cut):
        rng = np.random.default_rng(5)
        values = rng.normal(size=(160, 6)) @ rng.normal(size=(6, 6)) + 1e4
        rows = [{f"{name}.mean": value for name, value in zip("abcdef", row, strict=True)} for row in values.tolist()]
        _, folder = cut(rows, (3, 70, 0, 50))
        found = from_lines(tkstudies("pca", "-n", "3", folder).stdout)
        scores = PCA(3, svd_solver="full").fit_transform(StandardScaler().fit_transform(values))
        ours = np.array([[row[f"pc{number}"] for number in (1, 2, 3)] for row in found])
        assert np.abs(ours) == pytest.approx(np.abs(scores), rel=1e-9, abs=1e-9)


def without_time(loadings):
    """The loadings without where they come from, which differs."""
    return [{name: value for name, value in row.items() if name not in ("made_at", "inputs")} for row in loadings]


def lumis(number=240):
    """Rows of runs, each with two recos, in two units; every ninth luminosity isn't known."""
    return [
        {
            "run_number": 320000 + place // 2,
            "reco": ("express", "prompt")[place % 2],
            "tracking": ("GOOD", "BAD", None)[place // 2 % 3],
            "recorded_lumi": None if place % 9 == 8 else place // 2 / 7,
            "recorded_lumi_unit": "pb^{-1}" if place // 2 % 5 else "{\\mu}b^{-1}",
            "l1_rate": place / 3,
            "lumisections": place,
        }
        for place in range(number)
    ]


COUNTS = {
    "values": ["tracking", "reco"],
    "luminosity": ["tracking", "--sum", "recorded_lumi", "--sum", "l1_rate"],
    "each": ["reco", "--sum", "lumisections", "--each", "run"],
    "no column": ["trackin"],
}


@pytest.mark.parametrize("words", COUNTS)
def test_counts_of_a_folder_are_those_of_a_file(tkstudies, cut, words):
    whole, folder = cut(lumis(), (51, 0, 50))
    one, many = (tkstudies("count", *COUNTS[words], "-i", named) for named in (whole, folder))
    assert from_lines(many.stdout) == nearly(from_lines(one.stdout))
    assert (many.stderr, many.exit_code) == (one.stderr, one.exit_code)


def test_luminosities_of_lumisections_go_on_in_the_next_file(tkstudies, cut):
    rows = [{"run_number": 320001, "lumisection_number": n, "recorded_lumi_pb": n * n / 9} for n in range(60)]
    whole, folder = cut(rows, (20, 20))
    one, many = (tkstudies("count", "--sum", "recorded_lumi_pb", "-i", named) for named in (whole, folder))
    assert from_lines(many.stdout) == nearly(from_lines(one.stdout)) and "running sum" in one.stderr
    assert many.stderr == one.stderr


def test_columns_of_a_folder_hold_the_same_byte_for_byte(tkstudies, cut):
    rows = study(3000)
    for place, row in enumerate(rows):
        row |= {"text": f"text {place % 40}", "time": f"2018-06-0{place % 9 + 1}T00:00:00Z", "flag": place % 3 == 0}
        row |= {"many": str(place) * 9} if place < 2900 else {"of the last": [place]}
    whole, folder = cut(rows, (1100, 1200, 0))
    one, many = (tkstudies("columns", named) for named in (whole, folder))
    assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)
    assert len(from_lines(one.stdout)) > 20


def good_rows(number=120):
    """Runs of which three stand out, one of them in a column that comes late."""
    rows = []
    for place in range(number):
        row = {"run_number": 320000 + place, "reco": "express", "is_bad": place in (20, 70)}
        row |= {"Hits.mean": 14 + place % 7 / 10, "Tracks.mean": 500.0 + place % 11, "Tracks.entries": 9000 + place}
        row["Hits.mean"] *= 0.5 if place in (20, 110) else 1
        rows.append({**row, "new.mean": 3 + place % 5 / 9 + (place == 70)} if place > 40 else row)
    return rows


SUSPECTS = {"rows": ["--keep", "all"], "runs": ["--by", "run", "--top", "5"], "new": ["--history", "earlier"]}


@pytest.mark.parametrize("options", SUSPECTS)
def test_suspects_of_a_folder_are_those_of_a_file_byte_for_byte(tkstudies, cut, options):
    whole, folder = cut(good_rows(), (35, 0, 30, 30))
    one, many = (tkstudies("suspects", *SUSPECTS[options], named) for named in (whole, folder))
    assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)
    assert "Hits.mean" in one.stdout


def test_suspects_learn_from_the_rows_of_a_folder(tkstudies, cut, tmp_path):
    whole, folder = cut(good_rows(100), (35, 30))
    new = tmp_path / "new.jsonl"
    new.write_text(to_lines(good_rows()[100:]))
    one, many = (tkstudies("suspects", new, "--history-from", named) for named in (whole, folder))
    assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)
    assert from_lines(one.stdout)[0]["run_number"] == 320110


class Elsewhere:
    """Workers that have nothing but what is sent to them, in this process."""

    shares_memory = False
    folder = ""
    items = 0

    def map(self, task, items):
        for item in items:
            self.items += 1
            sent, content = pickle.loads(pickle.dumps((task, item)))
            yield pickle.loads(pickle.dumps(sent(content)))


STAGES = {
    "pca": ["pca", "--missing", "mean", "--contributions"],
    "pca applied": ["pca", "--apply", "{model}", "--tolerant"],
    "count": ["count", "reco", "--sum", "f3.rms", "--sum", "recorded_lumi", "--each", "run", "-i"],
    "columns": ["columns"],
    "suspects": ["suspects", "--features", "f*.mean"],
}


class TestManyProcessesMakeWhatOneMakes:
    @pytest.mark.parametrize("stage", STAGES)
    def test_byte_for_byte_with_the_same_words(self, tkstudies, cut, tmp_path, monkeypatch, stage):
        whole, folder = cut(study(), (90, 1, 0, 250))
        tkstudies("pca", "--features", "f*", "--model", tmp_path / "model.json", whole)
        words = [word.replace("{model}", str(tmp_path / "model.json")) for word in STAGES[stage]]
        one = tkstudies(*words, folder)
        monkeypatch.setattr("tkstudies.shards.reducing.workers", contextmanager(lambda _: iter([Elsewhere()])))
        many = tkstudies(*words, folder, "--jobs", "5")
        assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)
        assert sorted(place.name for place in tmp_path.iterdir()) == ["model.json", "table", "whole.jsonl"]

    @pytest.mark.parametrize("options", SUSPECTS)
    @pytest.mark.parametrize("table", ["rows", "lumisections", "without labels"])
    def test_models_are_fitted_by_several_even_of_one_file(self, tkstudies, cut, tmp_path, monkeypatch, table, options):
        rows = good_rows()
        if table == "lumisections":
            rows = [
                {
                    **row,
                    "run_number": 320000 + place // 5,
                    "lumisection_number": place % 5 + 1,
                    "pileup": place % 17 + 20,
                }
                for place, row in enumerate(rows)
            ]
        if table == "without labels":
            rows = [{name: value for name, value in row.items() if name != "is_bad"} for row in rows]
        whole, _ = cut(rows, (50,))
        one = tkstudies("suspects", *SUSPECTS[options], whole)
        workers = Elsewhere()
        monkeypatch.setattr("tkstudies.shards.reducing.workers", contextmanager(lambda _: iter([workers])))
        many = tkstudies("suspects", *SUSPECTS[options], whole, "--jobs", "5")
        assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)
        assert workers.items >= 10 and "Hits.mean" in one.stdout
        assert sorted(place.name for place in tmp_path.iterdir()) == ["table", "whole.jsonl"]

    def test_in_real_processes(self, tkstudies, cut, tmp_path):
        _, folder = cut(study(), (90, 1, 0, 250))
        side = ["--model", tmp_path / "model.json", "-o", tmp_path / "pca.jsonl"]
        made = []
        for jobs in ("1", "2"):
            found = tkstudies("pca", *side, folder, "--jobs", jobs)
            model = (tmp_path / "model.json").read_text().partition('"tkstudies_version"')[2].partition('"command"')
            made.append(((tmp_path / "pca.jsonl").read_bytes(), model[0], found.stderr, found.exit_code))
        assert made[0] == made[1] and made[0][0]
        assert sorted(place.name for place in tmp_path.iterdir()) == [
            "model.json", "pca.jsonl", "table", "whole.jsonl"
        ]  # fmt: skip

    def test_a_bad_line_is_told_with_its_place(self, tkstudies, cut, tmp_path):
        _, folder = cut(study(), (90, 1, 0, 150))
        with open(folder / "3.jsonl", "a") as file:
            file.write("{broken\n")
        found = tkstudies("pca", folder, "-o", tmp_path / "pca.jsonl")
        assert f"{folder}/3.jsonl, line 151: not a JSON object: {{broken" in found.stderr
        assert (found.stdout, found.exit_code) == ("", 1)
        assert sorted(place.name for place in tmp_path.iterdir()) == ["table", "whole.jsonl"]
        found = tkstudies("pca", folder, "--skip-bad-lines")
        assert found.exit_code == 3 and "1 malformed line skipped" in found.stderr

    def test_standard_input_is_for_one_process(self, tkstudies, cut):
        whole, _ = cut(study(9))
        found = tkstudies("count", "reco", "-i", whole, "-i", "-", "--jobs", "2", input=[{"reco": "prompt"}])
        assert found.exit_code == 2 and "standard input can't be read by several processes" in found.stderr

    def test_the_result_is_no_folder(self, tkstudies, cut, tmp_path):
        _, folder = cut(study(9))
        found = tkstudies("columns", folder, "-o", f"{tmp_path}/out/")
        assert found.exit_code == 2 and "the result is one table: name a file" in found.stderr
        assert not (tmp_path / "out").exists()

    def test_one_file_is_for_one_process(self, tkstudies, cut):
        whole, _ = cut(study(9))
        found = tkstudies("count", "reco", "-i", whole, "--jobs", "2")
        assert found.exit_code == 0 and "is one file, on which one process works" in found.stderr
        assert tkstudies("count", "reco", "-i", whole, "--jobs", "no").exit_code == 2
