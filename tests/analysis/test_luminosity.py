"""Sums of luminosity: every run once, one unit, running sums of OMS taken apart."""

import json

import pytest

from tests.cern.simulated_histograms import DATA
from tkstudies.analysis.tables.luminosity import Total, luminosity, of_lumisections, total
from tkstudies.errors import UsageError

UB = "{\\mu}b^{-1}"


def run(number, value, unit="pb^{-1}", **others):
    return {"run_number": number, "recorded_lumi": value, "recorded_lumi_unit": unit, **others}


def lines(name):
    return [json.loads(line) for line in (DATA / "oms" / name).read_text().splitlines()]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (run(1, 2.5), 2.5),
        (run(1, 1500, UB), 0.0015),
        (run(1, 3, "fb^{-1}"), 3000),
        (run(1, 1500, UB, recorded_lumi_pb=0.0015), 0.0015),
        (run(1, 2.5, None), None),
        (run(1, 2.5, "barn"), None),
        (run(1, "2.5"), None),
        (run(1, float("nan")), None),
        (run(1, True), None),
        ({}, None),
    ],
)
def test_a_luminosity_is_in_picobarns_or_unknown(record, expected):
    assert luminosity(record) == (None if expected is None else pytest.approx(expected))


def test_each_run_counts_once_and_units_never_mix():
    rows = [run(1, 100.0, reco="express"), run(1.0, 100.0, reco="prompt"), run("2", 500.0, UB), run(2, 500.0, UB)]
    assert total(rows) == Total(pytest.approx(100.0005), 2)


def test_what_is_not_in_the_sum_is_counted():
    rows = [run(1, None), run(1, 7.0), run(2, 3.0, None), run(3, 4.0), run(3, 5.0), {"recorded_lumi": 1.0}]
    assert total(rows) == Total(11.0, 2, unknown=1, unequal=1, keyless=1)
    assert total([]) == Total(0, 0)


def test_fills_and_columns_of_fills():
    rows = [{"run_number": n, "fill_number": 1, "fill__recorded_lumi": 9.0, "fill__recorded_lumi_unit": "pb^{-1}"}
            for n in (1, 2)]  # fmt: skip
    assert total(rows, "fill__recorded_lumi", "fill") == Total(9.0, 1)
    with pytest.raises(UsageError, match="no luminosity of each 'week'; there are run, fill, lumisection"):
        total([], each="week")


def test_the_real_lumisections_add_up_to_their_run():
    sections = [{**row, "recorded_lumi_unit": "pb^{-1}"} for row in lines("lumisections_315265.jsonl")]
    of_run = next(row for row in lines("runs.jsonl") if row["run_number"] == 315265)
    own = list(of_lumisections(reversed([*sections, *sections])))
    assert [row["lumisection_number"] for row in own] == list(range(1, 64))
    assert own[-1]["recorded_lumi_pb"] is None
    assert total(own, each="lumisection") == Total(pytest.approx(of_run["recorded_lumi"], abs=1e-6), 62, unknown=1)


def test_running_sums_are_not_taken_across_gaps_and_fills():
    sums = ((1, 5, 1), (2, 6, 1), (4, 9, 1), (5, 1, 2))
    rows = [run(1, value, lumisection_number=n, fill_number=fill) for n, value, fill in sums]
    assert [row["recorded_lumi_pb"] for row in of_lumisections(rows)] == [1, None, None, None]
