import json
import math
import random
import time

import numpy as np
import pytest

from tests.conftest import from_lines, to_lines

CONDITIONS = ["energy", "b_field", "fill__peak_pileup", "recorded_lumi", "fill__bunches_colliding"]
GOOD = {"is_bad": False}


def study(rows, seed=5, recos=("express", "prompt", None)):
    """Runs of a year: constant energy but for a few, gaps, duplicates, statuses of all kinds."""
    rng = random.Random(seed)
    table = []
    for number in range(rows):
        table.append(
            {
                "run_number": 315000 + number // len(recos) + (rng.random() < 0.02),
                "reco": recos[number % len(recos)],
                "is_bad": rng.choice([False] * 7 + [True, None]),
                "tracking": rng.choice(["GOOD", "good", "BAD", None]),
                "energy": rng.choice([6499.32, 6500, 6500, 6500, 6500, 6500, 6500, 6500, 2510, None]),
                "b_field": 3.8 if rng.random() < 0.97 else 0.0,
                "fill__peak_pileup": None if rng.random() < 0.1 else rng.gauss(40, 9),
                "recorded_lumi": rng.choice([None, rng.expovariate(0.02), 12.5]),
                "fill__bunches_colliding": rng.choice([2544, 2544, 2544, 1868, 590]),
                "pc1": rng.gauss(0, 5),
                "pc2": rng.gauss(0, 2),
                "pc10": None if rng.random() < 0.05 else rng.gauss(0, 1),
                "comment": "naïve ☃",
            }
        )
    rng.shuffle(table)
    return table


def expected_ranks(rows, columns, top):
    """The specification as loops."""
    distinct = {}
    for row in rows:
        distinct.setdefault((row["run_number"], row["reco"]), row)
    records, spreads_of = [], {}
    for row in distinct.values():
        good = [
            other
            for other in distinct.values()
            if other["reco"] == row["reco"]
            and is_of_the_same_kind(other, row)
            and (other["is_bad"] is False or (other["is_bad"] is None and (other["tracking"] or "").upper() == "GOOD"))
        ]
        of_good = tuple(id(other) for other in good)
        if of_good not in spreads_of:
            spreads_of[of_good] = [expected_spread(good, column) for column in columns]
        spreads = spreads_of[of_good]
        found = []
        for other in good:
            if other["run_number"] >= row["run_number"]:
                continue
            squares = [
                None if None in (row[column], other[column]) else ((row[column] - other[column]) / width) ** 2
                for column, width in zip(columns, spreads, strict=True)
            ]
            known = sum(square is not None for square in squares)
            of_row = sum(row[column] is not None for column in columns)
            if known:  # a column that only the candidate lacks counts as 2
                for place, column in enumerate(columns):
                    if row[column] is not None and squares[place] is None:
                        squares[place] = 2.0
                distance = math.sqrt(sum(square for square in squares if square is not None) / of_row)
                shares = [None if square is None else square / of_row for square in squares]
                found.append((2 * known < of_row, round(distance, 9), -other["run_number"], distance, known, shares))
        for place, (_, _, number, distance, known, shares) in enumerate(sorted(found)[:top], start=1):
            records.append(
                {
                    "run_number": row["run_number"],
                    "reco": row["reco"],
                    "rank": place,
                    "candidate_run_number": -number,
                    "distance": distance,
                    "columns_compared": known,
                    **{f"contribution_{c}": share for c, share in zip(columns, shares, strict=True)},
                }
            )
    return records


def is_of_the_same_kind(one, other):
    """Energy to 5 %, field on or off, where both are known."""
    energies = [row["energy"] for row in (one, other)]
    fields = [row["b_field"] > 2 for row in (one, other)]
    return fields[0] == fields[1] and (None in energies or max(energies) / min(energies) < 1.05)


def near(found, expected):
    """Equal to 1e-9, where None is None."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


def expected_spread(good, column):
    values = sorted(row[column] for row in good if row[column] is not None)
    if not values:
        return 1
    low, median, high = np.percentile(values, [15.865525393145707, 50, 84.13447460685429])
    return max((high - low) / 2, 0.01 * abs(median)) or 1


@pytest.mark.parametrize(
    ("arguments", "columns", "top"),
    [
        ([], CONDITIONS, 3),
        (["--by", "dqm", "--top", "2"], ["pc1", "pc2", "pc10"], 2),
        (["--by", "both", "-n", "40"], [*CONDITIONS, "pc1", "pc2", "pc10"], 40),
        (["--columns", "recorded_lumi,b_field"], ["recorded_lumi", "b_field"], 3),
    ],
)
def test_against_loops(tkstudies, arguments, columns, top):
    rows = study(300)
    result = tkstudies("rank", *arguments, input=rows)
    assert result.exit_code == 0, result.stderr
    found, expected = from_lines(result.stdout), expected_ranks(rows, columns, top)
    assert len(found) == len(expected) > 250
    for record, wanted in zip(found, expected, strict=True):
        assert list(record) == list(wanted)
        assert {k: record[k] for k in ("run_number", "reco", "rank", "columns_compared")} == {
            k: wanted[k] for k in ("run_number", "reco", "rank", "columns_compared")
        }
        assert near(record["distance"], wanted["distance"])
        shares = [f"contribution_{column}" for column in columns]
        assert all(near(record[name], wanted[name]) for name in shares)
    assert [r["candidate_run_number"] for r in found] == [r["candidate_run_number"] for r in expected]
    repeated = len(rows) - len({(row["run_number"], row["reco"]) for row in rows})
    assert f"{repeated} rows left out: same run (or lumisection) and reco as before" in result.stderr


def test_contributions_add_up_to_the_square_of_the_distance(tkstudies):
    result = tkstudies("rank", "--by", "both", input=study(200))
    for record in from_lines(result.stdout):
        shares = [value for key, value in record.items() if key.startswith("contribution_") and value]
        assert sum(shares) == pytest.approx(record["distance"] ** 2)


def test_who_is_a_candidate(tkstudies, tmp_path):
    rows = [
        {"run_number": 10, "reco": "express", "energy": 1, **GOOD},
        {"run_number": 11, "reco": "express", "energy": 1, "is_bad": True, "tracking": "GOOD"},
        {"run_number": 12, "reco": "express", "energy": 1, "tracking": "GOOD"},
        {"run_number": 13, "reco": "express", "energy": 1, "tracking": "BAD"},
        {"run_number": 14, "reco": "prompt", "energy": 1, **GOOD},
        {"run_number": 20, "reco": "express", "energy": 1, "is_bad": None},
        {"run_number": 21, "reco": "express", "energy": 1, **GOOD},
    ]

    def candidates(*arguments):
        result = tkstudies("rank", "--run", "20", *arguments, input=rows)
        assert result.exit_code == 0, result.stderr
        return [record["candidate_run_number"] for record in from_lines(result.stdout)]

    assert candidates() == [12, 10]  # as far away as each other: the latest first
    assert candidates("--top", "1") == [12]
    golden = tmp_path / "golden.json"
    golden.write_text(json.dumps({"11": [[1, 5]], "13": [[7, 9]], "12": [], "21": [[1, 2]]}, indent=1))
    assert candidates("--golden", golden) == [13, 11]


def test_the_nearest_is_first_and_units_of_spread_count(tkstudies):
    rows = [
        {"run_number": 1 + n, "reco": "prompt", "energy": 6500.0, "fill__peak_pileup": 20.0 + n, **GOOD}
        for n in range(20)
    ]
    rows.append({"run_number": 50, "reco": "prompt", "energy": 2510.0, "fill__peak_pileup": 33.0, **GOOD})
    rows.append({"run_number": 90, "reco": "prompt", "energy": 2510.0, "fill__peak_pileup": 30.0, **GOOD})
    result = tkstudies("rank", "--run", "90", input=rows)
    (only,) = from_lines(result.stdout)
    assert only["candidate_run_number"] == 50  # runs of another beam energy are of another kind
    rows[-1]["energy"] = 6500.0
    first, second, third = from_lines(tkstudies("rank", "--run", "90", input=rows).stdout)
    assert (first["candidate_run_number"], first["distance"]) == (11, 0)
    assert {second["candidate_run_number"], third["candidate_run_number"]} == {10, 12}
    assert "no row has it: b_field, recorded_lumi, fill__bunches_colliding" in result.stderr


def test_mixed_units(tkstudies):
    rows = [
        {
            "run_number": n,
            "reco": "express",
            "recorded_lumi": lumi,
            "recorded_lumi_unit": unit,
            "recorded_lumi_pb": lumi_pb,
            **GOOD,
        }
        for n, lumi, unit, lumi_pb in [
            (1, 50.0, "pb^{-1}", 50.0),
            (2, 51.0, "{\\mu}b^{-1}", 51e-6),
            (3, 90.0, "pb^{-1}", 90.0),
            (4, 51.0, "pb^{-1}", 51.0),
        ]
    ]
    result = tkstudies("rank", "--run", "4", "--columns", "recorded_lumi", input=rows)
    found = from_lines(result.stdout)
    assert [record["candidate_run_number"] for record in found] == [1, 3, 2]
    assert "contribution_recorded_lumi_pb" in found[0]
    assert "recorded_lumi_pb is compared instead" in result.stderr
    for row in rows:
        del row["recorded_lumi_pb"]
    result = tkstudies("rank", "--run", "4", "--columns", "recorded_lumi", input=rows)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no recorded_lumi_pb" in result.stderr


def test_one_unit_is_no_mixture(tkstudies):
    rows = [
        {"run_number": n, "reco": "express", "recorded_lumi": lumi, "recorded_lumi_unit": "pb^{-1}", **GOOD}
        for n, lumi in [(1, 50.0), (2, 90.0), (3, 51.0)]
    ]
    rows.append({"run_number": 4, "reco": "express", "recorded_lumi": 52.0, "recorded_lumi_unit": None, **GOOD})
    result = tkstudies("rank", "--run", "3", "--condition", "recorded_lumi", input=rows)
    assert [record["candidate_run_number"] for record in from_lines(result.stdout)] == [1, 2]
    assert "compared instead" not in result.stderr and result.exit_code == 0


@pytest.mark.parametrize("value", [True, "6500", [6500], float("nan")])
def test_what_is_no_number_is_no_condition(tkstudies, value):
    rows = [{"run_number": n, "reco": "express", "energy": 1, "odd": value, **GOOD} for n in (1, 2)]
    result = tkstudies("rank", "--condition", "odd", input=rows)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no numbers in odd; columns with numbers are energy, run_number" in result.stderr


def test_runs_without_a_candidate_are_counted(tkstudies):
    rows = [{"run_number": n, "reco": "express", "pileup": float(n), **GOOD} for n in (5, 6, 7)]
    rows.append({"run_number": 9, "reco": "express", "pileup": None, **GOOD})
    result = tkstudies("rank", "--columns", "pileup", input=rows)
    assert [record["run_number"] for record in from_lines(result.stdout)] == [6, 7, 7]
    assert result.stderr == (
        "warning: 1 row without a candidate: no earlier good run to compare with\n"
        "warning: 1 row without a candidate: no numbers in pileup\n"
    )
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "rows", "code", "message"),
    [
        ([], [], 1, "no runs to rank"),
        ([], [{"run_number": 1, "reco": "x", "a": 1}], 1, "columns with numbers are a, run_number"),
        (["--columns", "energies"], study(9), 1, "no numbers in energies"),
        (["--by", "dqm"], [{"run_number": 1, "energy": 1, **GOOD}], 1, "no columns pc1, pc2"),
        (["--by", "dqm", "--columns", "energy"], study(9), 2, "--by dqm doesn't compare"),
        (["--run", "7"], study(9), 1, "--run 7: no such run"),
        (["--run", "seven"], study(9), 2, "expected numbers"),
        (["--top", "0"], study(9), 2, ""),
        ([], [{"run_number": 1, "energy": 1, "tracking": "BAD"}], 1, "no run is certified good"),
        ([], [{"run": 1}], 1, "not a run record"),
        ([], [{"run_number": 10**20, "energy": 1, **GOOD}], 1, "line 1: not a run record: run_number 1000"),
    ],
)
def test_what_cannot_be_ranked(tkstudies, arguments, rows, code, message):
    result = tkstudies("rank", *arguments, input=rows)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


@pytest.mark.parametrize("content", ["[1, 2]", '{"a": [[1, 2]]}', '{"1": 5}', '{"1": []}'])
def test_a_file_that_is_no_certification(tkstudies, tmp_path, content):
    (tmp_path / "golden.json").write_text(content)
    result = tkstudies("rank", "--golden", tmp_path / "golden.json", input=study(9))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "golden.json" in result.stderr


def test_a_year_takes_seconds(tkstudies, tmp_path):
    (tmp_path / "study.jsonl").write_text(to_lines(study(2000, recos=("express",))))
    start = time.process_time()
    first = tkstudies("rank", "--by", "both", tmp_path / "study.jsonl")
    assert time.process_time() - start < 5
    assert first.stdout == tkstudies("rank", "--by", "both", tmp_path / "study.jsonl").stdout


def test_lumisections_are_ranked_among_lumisections_of_earlier_runs(tkstudies, tmp_path):
    rows = [
        {"run_number": run, "reco": "express", "lumisection_number": n, "is_bad": False, "pileup": 10 * run + n}
        for run in (1, 2)
        for n in (1, 2, 3)
    ]
    rows.append({"run_number": 1, "reco": "express", "is_bad": False, "pileup": 21})
    result = tkstudies("rank", "--columns", "pileup", "--top", "1", input=rows)
    found = from_lines(result.stdout)
    assert [(r["run_number"], r["lumisection_number"], r["candidate_lumisection_number"]) for r in found] == [
        (2, n, 3) for n in (1, 2, 3)
    ]
    assert "left out" not in result.stderr
    (tmp_path / "golden.json").write_text('{"1": [[1, 2]]}')
    golden = tkstudies("rank", "--columns", "pileup", "--top", "1", "--golden", tmp_path / "golden.json", input=rows)
    assert [r["candidate_lumisection_number"] for r in from_lines(golden.stdout)] == [2, 2, 2]


def test_of_lumisections_at_the_same_distance_the_latest_comes_first(tkstudies):
    rows = [
        {"run_number": run, "lumisection_number": n, "energy": 1, **GOOD}
        for run, n in [(1, 2), (1, 9), (1, 5), (2, 1), (3, 1)]
    ]
    result = tkstudies("rank", "--columns", "energy", "--run", "3", input=rows)
    columns = ("candidate_run_number", "candidate_lumisection_number")
    found = [tuple(r[column] for column in columns) for r in from_lines(result.stdout)]
    assert found == [(2, 1), (1, 9), (1, 5)]


def test_a_number_beyond_all_floats_is_told(tkstudies):
    rows = [{"run_number": n, "is_bad": False, "pileup": 10**400 if n == 2 else n} for n in (1, 2)]
    result = tkstudies("rank", "--columns", "pileup", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == "tkstudies: pileup: a number too large to compute with in run 2\n"


SIGNED = {"rda_state": "COMPLETED", "pixel": "GOOD", "strip": "GOOD", "tracking": "GOOD"}


@pytest.mark.parametrize(
    ("other", "is_candidate"),
    [
        ({}, True),
        ({"rda_state": "OPEN", "is_certified_good": None}, False),
        ({"is_certified_good": None}, False),
        ({"strip": "STANDBY", "is_certified_good": None}, False),
        ({"tracking": "BAD", "is_certified_good": False}, False),
        ({"pixel_good_fraction": 0.5}, False),
        ({"doctor_pixel_lowstat": True, "is_low_statistics": True}, False),
        ({"run_class_name": "Commissioning18", "rda_name": "/Special/X/DQM"}, False),
        ({"b_field": 0.0}, False),
        ({"energy": 2510.0}, False),
        ({"energy": 6499.0}, True),
        ({"run_class_name": "Cosmics18", "runtype": "cosmics"}, False),
        ({"is_heavy_ion": True, "fill__fill_type_runtime": None}, False),
        ({"fill__fill_type_runtime": None}, True),
        ({"fill__fill_type_runtime": "IONS"}, False),
        ({"lumisections": 99}, False),
        ({"lumisections": None, "last_lumisection_number": 12}, False),
        ({"lumisections": 100}, True),
    ],
)
def test_references_are_certified_long_enough_and_of_the_same_kind(tkstudies, other, is_candidate):
    like = {"reco": "prompt", "energy": 6500.0, "b_field": 3.8, "runtype": "collisions", "is_heavy_ion": False}
    like |= SIGNED | {"is_certified_good": True, "lumisections": 400, "fill__fill_type_runtime": "PROTONS"}
    rows = [
        {"run_number": 1, **like, "pileup": 30.0},
        {"run_number": 2, **like, "pileup": 40.0, **other},
        {"run_number": 3, **like, "pileup": 40.0, "rda_state": "OPEN", "is_certified_good": None, "lumisections": 3},
    ]
    result = tkstudies("rank", "--columns", "pileup", "--run", "3", input=rows)
    assert [row["candidate_run_number"] for row in from_lines(result.stdout)] == ([2, 1] if is_candidate else [1])


def test_short_runs_are_told_and_can_be_taken(tkstudies):
    rows = [{"run_number": n, "reco": "prompt", "pileup": 30.0 + n, "lumisections": 40 * n, **GOOD} for n in (1, 2, 3)]
    result = tkstudies("rank", "--columns", "pileup", input=rows)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 good rows of fewer than 100 lumisections are no candidates\n" in result.stderr
    reason = "the earlier good runs of its kind are too short (--min-lumisections takes shorter ones)"
    assert f"warning: 2 rows without a candidate: {reason}\n" in result.stderr
    short = tkstudies("rank", "--columns", "pileup", "--min-lumisections", "40", input=rows)
    assert [row["candidate_run_number"] for row in from_lines(short.stdout)] == [1, 2, 1]


def test_runs_that_are_references_already_come_first(tkstudies):
    rows = [{"run_number": n, "reco": "prompt", "pileup": 30.0 + n / 10, **GOOD} for n in range(1, 9)]
    for row in rows[2:6]:
        row["reference_run_number"] = 2
    found = from_lines(tkstudies("rank", "--columns", "pileup", "--run", "8", input=rows).stdout)
    assert [(row["candidate_run_number"], row["times_used"]) for row in found] == [(2, 4), (7, 0), (6, 0)]


class TestTypicalRuns:
    @staticmethod
    def season(drift_from=10**9, runs=150, seed=3):
        rng = np.random.default_rng(seed)
        return [
            {"run_number": 1000 + n, "reco": reco, "lumisections": 50 if n == 77 else 300, "reference_run_number": 1005}
            | {f"Plot{i}.mean": 10 + rng.normal() + 4 * (n >= drift_from) for i in range(12)}
            | {f"Plot{i}.entries": 1e6 for i in range(12)}
            | SIGNED
            for n in range(runs)
            for reco in ("express", "prompt")
        ]

    def test_the_one_nearest_to_the_centre_of_the_last_good_ones(self, tkstudies):
        rows = self.season()
        for reco, run in (("express", 1120), ("prompt", 1090)):
            row = next(row for row in rows if (row["run_number"], row["reco"]) == (run, reco))
            row.update({f"Plot{i}.mean": 10.0 for i in range(12)})
        middle = next(row for row in rows if row["run_number"] == 1077)
        middle.update({f"Plot{i}.mean": 10.0 for i in range(12)})  # but a short run
        found = from_lines(tkstudies("rank", "--typical", "--top", "2", input=rows[::-1]).stdout)
        assert [(row["reco"], row["rank"]) for row in found] == [
            ("express", 1), ("express", 2), ("prompt", 1), ("prompt", 2)
        ]  # fmt: skip
        assert [row["candidate_run_number"] for row in found[::2]] == [1120, 1090]
        assert all(row["good_rows"] == 100 and row["features_compared"] == 12 for row in found)
        assert (found[0]["first_run"], found[0]["last_run"]) == (1049, 1149)
        assert all(row["reference_is_typical"] and row["reference_not_typical_since"] is None for row in found)

    def test_since_when_the_reference_is_not(self, tkstudies):
        rows = self.season(drift_from=70)
        found = from_lines(tkstudies("rank", "--typical", "--last", "40", input=rows).stdout)
        for row in found:
            assert row["reference_run_number"] == 1005
            assert row["reference_is_typical"] is False
            assert row["reference_distance"] > 3 > row["typical_distance"]
            assert 1070 < row["reference_not_typical_since"] <= 1070 + 40
        chosen = from_lines(tkstudies("rank", "--typical", "--reference", "1100", input=rows).stdout)
        assert all(row["reference_run_number"] == 1100 for row in chosen)

    def test_how_often_a_good_reference_is_called_untypical(self, tkstudies):
        rows = [row for row in self.season(runs=120) if row["reco"] == "prompt"]
        flagged = 0
        for run in range(1000, 1120, 4):
            (found,) = from_lines(tkstudies("rank", "--typical", "--top", "1", "--reference", run, input=rows).stdout)
            flagged += not found["reference_is_typical"]
        assert flagged <= 5  # 5 % of 30 are expected

    @pytest.mark.parametrize(
        ("arguments", "runs", "code", "message"),
        [
            (["--by", "dqm"], 50, 2, "--typical looks at features of all runs: leave out --by"),
            (["--run", "1000"], 50, 2, "leave out --by, --condition, --run"),
            (["--reference", "7"], 50, 0, "the reference 7 isn't among the rows: nothing is said of it"),
            ([], 9, 1, "no reco and kind of run has 10 good rows"),
        ],
    )
    def test_what_it_says(self, tkstudies, arguments, runs, code, message):
        result = tkstudies("rank", "--typical", *arguments, input=self.season(runs=runs))
        assert (result.exit_code, message in result.stderr) == (code, True)

    def test_without_features(self, tkstudies):
        rows = [{"run_number": n, "energy": 6500, **GOOD} for n in range(30)]
        result = tkstudies("rank", "--typical", input=rows)
        assert (result.exit_code, "join the features first" in result.stderr) == (1, True)
        assert tkstudies("rank", "--reference", "7", input=rows).exit_code == 2
