"""``tkstudies count``: rows by value; luminosities each run once, never in mixed units."""

from __future__ import annotations

import pytest

from tests.conftest import rows

PB, UB = "pb^{-1}", "{\\mu}b^{-1}"


def row(run, reco, tracking, lumi=None, unit=PB, **others):
    unit = unit if lumi is not None else None
    return {"run_number": run, "reco": reco, "tracking": tracking, "recorded_lumi": lumi,
            "recorded_lumi_unit": unit, **others}  # fmt: skip


ROWS = [
    row(1, "express", "GOOD", 10.0, fill__recorded_lumi=30.0, fill__recorded_lumi_unit=PB, fill_number=7, size=1),
    row(1, "prompt", "GOOD", 10.0, fill__recorded_lumi=30.0, fill__recorded_lumi_unit=PB, fill_number=7, size=2),
    row(2, "express", "GOOD", 2_000_000.0, UB, fill__recorded_lumi=30.0, fill__recorded_lumi_unit=PB, fill_number=7),
    row(2, "prompt", "BAD", 2_000_000.0, UB),
    row(3, "express", None),
]


def test_rows_by_value_the_most_first(tkstudies):
    assert rows(tkstudies("count", "tracking", input=ROWS)) == [
        {"tracking": "GOOD", "rows": 3, "share": 0.6, "runs": 2},
        {"tracking": "BAD", "rows": 1, "share": 0.2, "runs": 1},
        {"tracking": None, "rows": 1, "share": 0.2, "runs": 1},
    ]


def test_several_columns_one_record_for_each_combination(tkstudies):
    found = rows(tkstudies("count", "tracking,reco", input=ROWS))
    assert [(one["tracking"], one["reco"], one["rows"]) for one in found] == [
        ("GOOD", "express", 2), ("BAD", "prompt", 1), ("GOOD", "prompt", 1), (None, "express", 1),
    ]  # fmt: skip
    assert sum(one["share"] for one in found) == pytest.approx(1)


def test_all_rows_together(tkstudies):
    assert rows(tkstudies("count", input=ROWS)) == [{"rows": 5, "share": 1.0, "runs": 3}]


def test_equal_values_are_one(tkstudies):
    values = [1, 1.0, True, "1", None, [1], [1], {"a": 1}]
    found = rows(tkstudies("count", "x", input=[{"x": value} for value in values] + [{"y": 1}]))
    assert [(one["x"], one["rows"]) for one in found] == [
        (1, 2), ([1], 2), (None, 2), (True, 1), ("1", 1), ({"a": 1}, 1),
    ]  # fmt: skip
    runs = rows(tkstudies("count", "run_number", input=[{"run_number": value} for value in (1, "1", 1.0)]))
    assert runs == [{"run_number": 1, "rows": 3, "share": 1.0}]


def test_a_luminosity_counts_each_run_once_in_picobarns(tkstudies):
    result = tkstudies("count", "tracking", "--sum", "recorded_lumi", input=ROWS)
    found = {one["tracking"]: (one["recorded_lumi_sum"], one["recorded_lumi_sum_unit"]) for one in rows(result)}
    assert found == {"GOOD": (pytest.approx(12.0), PB), "BAD": (pytest.approx(2.0), PB), None: (None, PB)}
    told = "warning: 1 run not in the sum of recorded_lumi: no number, or its unit isn't known\n"
    assert result.stderr == told


def test_of_fills_each_fill_once_and_other_numbers_each_row(tkstudies):
    (found,) = rows(tkstudies("count", "--sum", "fill__recorded_lumi,size", input=ROWS[:3]))
    assert (found["fill__recorded_lumi_sum"], found["size_sum"]) == (30.0, 3)
    assert "size_sum_unit" not in found
    (found,) = rows(tkstudies("count", "--sum", "size", "--each", "run", input=ROWS[:1] * 3))
    assert found["size_sum"] == 1


def test_a_luminosity_without_a_unit_is_not_added(tkstudies):
    result = tkstudies("count", "--sum", "run_lumi", input=[{"run_number": 1, "run_lumi": 3.0}])
    assert rows(result)[0]["run_lumi_sum"] is None
    assert "its unit isn't known" in result.stderr
    runs = [{"run_number": 1, "recorded_lumi_pb": 0.5}, {"run_number": 2, "recorded_lumi_pb": 1}]
    assert rows(tkstudies("count", "--sum", "recorded_lumi_pb", input=runs))[0]["recorded_lumi_pb_sum"] == 1.5


def test_units_that_cannot_be_added(tkstudies):
    result = tkstudies(
        "count", "--sum", "rate", input=[{"rate": 1, "rate_unit": "Hz"}, {"rate": 1, "rate_unit": "kHz"}]
    )
    assert rows(result)[0]["rate_sum"] is None
    assert "rate has several units (Hz, kHz), which can't be added" in result.stderr


def test_what_differs_and_what_has_no_key_is_told(tkstudies):
    result = tkstudies(
        "count", "--sum", "recorded_lumi", input=[*ROWS, row(1, "rereco", "GOOD", 11.0), row(None, "x", "GOOD", 1.0)]
    )
    assert rows(result)[0]["recorded_lumi_sum"] == pytest.approx(12)
    assert "1 run with different values of recorded_lumi in their rows: the first counts" in result.stderr
    assert "1 row not in the sum of recorded_lumi: no run_number" in result.stderr


def section(number, value, status="GOOD", run=1):
    return {"run_number": run, "lumisection_number": number, "recorded_lumi": value, "recorded_lumi_unit": PB,
            "status": status, "fill_number": 5}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected", "told"),
    [
        ([40.0, 40.5, 41.5, 42.0], {"GOOD": 1.0, "BAD": 1.0}, "is a running sum"),  # of OMS
        ([0.5, 0.4, 0.7, 0.3], {"GOOD": 1.2, "BAD": 0.7}, ""),  # of each lumisection
        ([9.0, 9.0, 9.0, 9.0], {"GOOD": 9.0, "BAD": 9.0}, ""),  # of the run
    ],
)
def test_lumisections(values, expected, told, tkstudies):
    sections = [
        section(n, value, status) for n, value, status in zip(range(1, 5), values, ["GOOD", "BAD"] * 2, strict=True)
    ]
    result = tkstudies("count", "status", "--sum", "recorded_lumi", input=sections)
    found = {one["status"]: one["recorded_lumi_sum"] for one in rows(result)}
    assert found == {status: pytest.approx(value) for status, value in expected.items()}
    assert told in result.stderr and bool(told) == bool(result.stderr)


def test_what_goes_wrong(tkstudies):
    unknown = tkstudies("count", "trakcing", input=ROWS)
    assert (unknown.stdout, unknown.exit_code) == ("", 1)
    assert unknown.stderr == "tkstudies: no record has a column trakcing; did you mean tracking?\n"
    assert "no record has a column lumi;" in tkstudies("count", "--sum", "lumi", input=ROWS).stderr
    assert tkstudies("count", "--each", "run", input=ROWS).exit_code == 2
