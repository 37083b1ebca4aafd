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
