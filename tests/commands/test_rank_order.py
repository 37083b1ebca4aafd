"""``rank``: ties, candidates with gaps, which conditions count, and the references that shifters use."""

from __future__ import annotations

import pytest

from tests.commands.test_rank import GOOD, study
from tests.conftest import from_lines, to_lines


class TestOrder:
    def test_distances_that_differ_by_rounding_are_ties(self, tkstudies):
        rows = [
            {"run_number": run, "a": a, "b": b, **GOOD}
            for run, a, b in [(1, 0.1 + 0.2, 0.0), (2, 0.3, 0.0), (3, 0.1, 0.2), (4, 0.2, 0.1), (9, 0.0, 0.0)]
        ]
        for factor in (1.0, 1e-3, 7e5, 1 / 3):
            scaled = [{**row, "a": row["a"] * factor, "b": row["b"] * factor} for row in rows]
            found = from_lines(tkstudies("rank", "--run", "9", "--columns", "a", "-n", "4", input=scaled).stdout)
            assert [r["candidate_run_number"] for r in found] == [3, 4, 2, 1]

    @pytest.mark.parametrize("offset", [0.1, 0.7, 1e6 + 0.1])
    def test_the_latest_of_many_ties_comes_first(self, tkstudies, offset):
        rows = [{"run_number": n, "a": offset + 0.1 * (-1) ** n, **GOOD} for n in range(1, 40)]
        rows.append({"run_number": 90, "a": offset, **GOOD})
        found = from_lines(tkstudies("rank", "--run", "90", "--columns", "a", "-n", "5", input=rows).stdout)
        assert [r["candidate_run_number"] for r in found] == [39, 38, 37, 36, 35]

    def test_a_candidate_of_which_little_is_known_is_not_similar(self, tkstudies):
        values = dict(zip("abcde", (6500.0, 3.8, 1.5, 400.0, 2544.0), strict=True))
        near = {column: 1.03 * value for column, value in values.items()}
        rows = [
            {"run_number": 1, **near, **GOOD},
            {"run_number": 2, "a": values["a"], **GOOD},
            {"run_number": 3, "a": values["a"], "b": values["b"], **GOOD},
            {"run_number": 9, **values, **GOOD},
        ]
        found = from_lines(tkstudies("rank", "--run", "9", "--columns", "a,b,c,d,e", input=rows).stdout)
        assert [(r["candidate_run_number"], r["columns_compared"]) for r in found] == [(1, 5), (3, 2), (2, 1)]
        assert [r["distance"] for r in found[1:]] == [pytest.approx((2 * gaps / 5) ** 0.5) for gaps in (3, 4)]
        for record in found:
            shares = [record[f"contribution_{column}"] for column in "abcde"]
            assert sum(shares) == pytest.approx(record["distance"] ** 2)
        assert found[2]["contribution_e"] == pytest.approx(2 / 5)

    def test_columns_that_the_run_itself_lacks_do_not_count(self, tkstudies):
        rows = [{"run_number": 1, "a": 1.0, **GOOD}, {"run_number": 2, "a": 2.0, "b": 5.0, **GOOD}]
        rows.append({"run_number": 3, "a": 1.0, "b": None, **GOOD})
        found = from_lines(tkstudies("rank", "--run", "3", "--columns", "a,b", input=rows).stdout)
        assert [(r["candidate_run_number"], r["columns_compared"]) for r in found] == [(1, 1), (2, 1)]
        assert (found[0]["distance"], found[0]["contribution_b"]) == (0, None)


class TestConditions:
    def test_the_luminosity_of_the_run_counts_and_not_the_peak_of_its_fill(self, tkstudies):
        runs = [(1, 1.9, 1.2, 50.0), (2, 0.9, 0.7, 30.0), (3, 1.5, 1.4, 40.0), (9, 0.9, 0.7, 50.0)]
        rows = [
            {"run_number": run, "init_lumi": first, "end_lumi": last, "fill__peak_pileup": peak, **GOOD}
            for run, first, last, peak in runs
        ]
        result = tkstudies("rank", "--run", "9", input=rows)
        found = from_lines(result.stdout)
        assert (found[0]["candidate_run_number"], found[0]["distance"]) == (2, 0)
        assert "contribution_init_lumi" in found[0] and "contribution_fill__peak_pileup" not in found[0]
        assert "no row has it: energy, b_field, recorded_lumi, fill__bunches_colliding" in result.stderr
        for row in rows:
            del row["init_lumi"], row["end_lumi"]
        result = tkstudies("rank", "--run", "9", input=rows)
        assert from_lines(result.stdout)[0]["candidate_run_number"] == 1
        assert (
            "no row has init_lumi or end_lumi: fill__peak_pileup, that of the whole fill, is compared" in result.stderr
        )

    def test_luminosities_in_powers_of_ten_are_brought_to_one_unit(self, tkstudies):
        ions, protons = "10^{27}cm^{-2}s^{-1}", "10^{34}cm^{-2}s^{-1}"
        runs = [(1, 1.4, protons), (2, 1.5, ions), (3, 1.6, protons), (4, 2.4, ions), (8, 1.5, protons), (9, 1.5, ions)]
        rows = [{"run_number": run, "init_lumi": lumi, "init_lumi_unit": unit, **GOOD} for run, lumi, unit in runs]
        result = tkstudies("rank", "--run", "8-9", "-n", "2", input=rows)
        found = from_lines(result.stdout)
        assert [r["candidate_run_number"] for r in found] == [3, 1, 2, 4]
        assert found[2]["distance"] == 0
        assert result.exit_code == 0

    def test_by_default_the_histograms_are_not_looked_at(self, tkstudies):
        rows = study(60)
        other = [{**row, "pc1": 1e3 * number, "Hits.mean": number} for number, row in enumerate(rows)]
        first, second = (tkstudies("rank", input=table) for table in (rows, other))
        assert (first.stdout, first.stderr) == (second.stdout, second.stderr)
        assert "hides" not in first.stderr

    @pytest.mark.parametrize("by", ["dqm", "both"])
    def test_similar_histograms_are_warned_of(self, by, tkstudies):
        warning = f"warning: --by {by}: the run with the most similar histograms has the same faults and hides them"
        assert warning in tkstudies("rank", "--by", by, input=study(60)).stderr

    def test_why_there_is_no_candidate(self, tkstudies):
        rows = [
            {"run_number": 1, "reco": "express", "energy": 1, **GOOD},
            {"run_number": 2, "reco": "express", "energy": None, "b_field": 3.8, **GOOD},
            {"run_number": 3, "reco": "express", **GOOD},
            {"run_number": 4, "reco": "prompt", "energy": 1, **GOOD},
        ]
        result = tkstudies("rank", "--columns", "energy,b_field", input=rows)
        assert (result.stdout, result.exit_code) == ("", 0)
        assert sorted(result.stderr.splitlines()) == [
            "warning: 1 row without a candidate: no numbers in energy, b_field",
            "warning: 1 row without a candidate: the earlier good runs lack the columns that it has",
            "warning: 2 rows without a candidate: no earlier good run to compare with",
        ]


class TestPreferUsed:
    ROWS = tuple(
        {"run_number": run, "reco": "prompt", "init_lumi": lumi, **GOOD}
        for run, lumi in [(1, 1.0), (2, 1.5), (3, 1.2), (4, 300.0), (5, 1.4), (9, 1.2)]
    )

    def rank(self, tkstudies, tmp_path, references, *arguments):
        (tmp_path / "used.jsonl").write_text(to_lines(references))
        result = tkstudies(
            "rank", "--prefer-used", tmp_path / "used.jsonl", "--run", "9", *arguments, input=[*self.ROWS]
        )
        return from_lines(result.stdout), result.stderr, result.exit_code

    def test_used_ones_come_first_unless_they_are_too_far_away(self, tkstudies, tmp_path):
        references = [{"run_number": 7, "reference_run_number": run} for run in (2, 1, 1.0, "1", 4, None, 77)]
        found, _, code = self.rank(tkstudies, tmp_path, references, "-n", "9")
        assert code == 0
        assert [r["candidate_run_number"] for r in found] == [1, 2, 3, 5, 4]
        assert [r["times_used"] for r in found] == [3, 1, 0, 0, 1]
        assert [r["rank"] for r in found] == [1, 2, 3, 4, 5]
        without = from_lines(tkstudies("rank", "--run", "9", "-n", "9", input=[*self.ROWS]).stdout)
        assert [r["candidate_run_number"] for r in without] == [3, 5, 1, 2, 4]
        assert "times_used" not in without[0]

    def test_files_that_do_not_help(self, tkstudies, tmp_path):
        found, said, code = self.rank(tkstudies, tmp_path, [{"run_number": 1}])
        assert (found, code) == ([], 1)
        assert "used.jsonl: no record has a reference_run_number: give what 'tkstudies doctor references'" in said
        found, said, code = self.rank(tkstudies, tmp_path, [{"reference_run_number": 77}])
        assert ([r["candidate_run_number"] for r in found], code) == ([3, 5, 1], 0)
        assert "used.jsonl: none of its reference runs (1) is a candidate" in said
        twice = tkstudies("rank", "--prefer-used", "-", input=[*self.ROWS])
        assert (twice.stdout, twice.exit_code) == ("", 2)
        absent = tkstudies("rank", "--prefer-used", tmp_path / "nowhere", input=[*self.ROWS])
        assert (absent.stdout, absent.exit_code) == ("", 1)
        assert "nowhere: no such file" in absent.stderr
