"""What needs all rows of a table, on a table that is cut into files: components, counts, columns, suspects.

The same folder gives the same bytes for every --jobs; what one file with all rows gives is the same to 1e-9.
"""

import pytest

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


PCA = {
    "plainly": [],
    "all columns": ["--keep", "all", "--contributions"],
    "good rows": ["--fit-where", "f3.rms < 310", "--missing", "mean"],
    "whole rows": ["--missing", "drop", "--features", "*.mean"],
    "few rows": ["--fit-where", "run_number < 315004", "-n", "2"],
}


class TestComponents:
    @pytest.mark.parametrize("options", PCA)
    def test_of_a_folder_are_those_of_a_file(self, tkstudies, cut, tmp_path, options):
        whole, folder = cut(study(250 if options == "whole rows" else 400))
        side = ["--loadings", tmp_path / "loadings.jsonl"]
        one = tkstudies("pca", *PCA[options], *side, whole)
        loadings = from_lines((tmp_path / "loadings.jsonl").read_text())
        many = tkstudies("pca", *PCA[options], *side, folder)
        assert (many.stderr, many.exit_code) == (one.stderr, one.exit_code) and one.stdout
        assert from_lines(many.stdout) == nearly(from_lines(one.stdout))
        assert from_lines((tmp_path / "loadings.jsonl").read_text()) == nearly(loadings)


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
