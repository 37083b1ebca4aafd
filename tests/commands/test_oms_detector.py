"""``tkstudies oms detector``: one row per run, out of its lumisections and DAQ readouts."""

import pytest

from tests.cern.faults import Reply
from tests.cern.simulated_oms import FEDS
from tests.conftest import from_lines, rows
from tkstudies.services.omsdetector import FLAGS, PARTITIONS, _feds, _flags

TRACKER = ("bpix", "fpix", "tibtid", "tob", "tecp", "tecm")
pytestmark = pytest.mark.usefixtures("quick_retries")


def lumisections(tkstudies, run):
    return rows(tkstudies("oms", "lumisections", "--run", run))


def readout(partition, included, excluded, run=1):
    return {"run_number": run, "partition": partition, "feds_included": included, "feds_excluded": excluded}


@pytest.mark.parametrize("run", [315265, 317338])
def test_parts_are_those_of_the_lumisections(live, tkstudies, run):
    (row,) = rows(tkstudies("oms", "detector", "--run", run))
    sections = lumisections(tkstudies, run)
    assert row["oms_lumisections"] == len(sections)
    flags = [name for name in sections[0] if isinstance(sections[0][name], bool) or name.endswith("_ready")]
    assert set(FLAGS) < set(flags)
    for flag in flags:
        values = [section[flag] for section in sections]
        known = set(values) != {None}
        assert row[f"{flag}_fraction"] == (pytest.approx(sum(map(bool, values)) / len(values)) if known else None), flag
    assert row["gem_ready_fraction"] is None
    assert list(row)[:3] == ["run_number", "fill_number", "fill_type_runtime"]


def test_feds_of_the_partitions_of_the_tracker(live, tkstudies):
    found = {row["run_number"]: row for row in rows(tkstudies("oms", "detector", "--run", "317291,317320,317480"))}
    assert {name for name in found[317291] if name.endswith("_feds_fraction")} == {
        f"{name}_feds_fraction" for name in PARTITIONS
    }
    assert [found[317320][f"{name}_feds_fraction"] for name in ("bpixm", "fpixp")] == [0, 0]  # excluded
    assert found[317320]["tecm_feds_fraction"] > 0.98
    assert {found[317480][f"{name}_feds_fraction"] for name in PARTITIONS} == {0}
    assert found[317320]["fill_type_runtime"] == "PROTONS"


def test_a_fed_that_one_readout_excludes_is_out():
    columns = _feds(
        [
            readout("bpix-", [1, 2, 3], [4]), readout("bpix-", [1, 2, 4, "5"], [3]),
            readout("BPIXP", [1], []), readout("tob", [], []), readout("eb+", [], [628]),
            readout("tec+", None, [7]), readout("tec-", [7], None), readout("fpix+", [1], [], run=2),
        ]
    )  # fmt: skip
    assert columns == {
        1: {f"{name}_feds_fraction": value for name, value in
            {"bpixm": 0.6, "bpixp": 1, "fpixm": None, "fpixp": None, "tibtid": None, "tob": None, "tecm": 1,
             "tecp": 0}.items()},
        2: {f"{name}_feds_fraction": 1 if name == "fpixp" else None for name in PARTITIONS},
    }  # fmt: skip


def test_what_oms_has_no_rows_for_is_null_and_told(live, tkstudies):
    result = tkstudies("oms", "detector", "--run", "315265,315269,317291,1")
    first, without, _ = rows(result)
    assert (first["run_number"], first["tob_feds_fraction"], first["tob_ready_fraction"]) == (315265, None, 60 / 63)
    assert without == {
        "run_number": 315269, **dict.fromkeys(list(first)[1:]), "oms_lumisections": 0,
    }  # fmt: skip
    assert result.stderr.splitlines() == [
        "3 runs of OMS",
        "warning: 1 run without a DAQ readout of tob in OMS: *_feds_fraction of it is null (315265)",
        "warning: 1 run without lumisections in OMS: the fractions of flags are null (315269)",
        "warning: 1 run without DAQ readouts in OMS: *_feds_fraction are null (315269)",
        "warning: 1 run that OMS has no row of, in sequence GLOBAL-RUN (1)",
    ]


def test_runs_of_a_range_that_never_were_are_no_loss(live, tkstudies):
    result = tkstudies("oms", "detector", "--run", "317291-317297")
    assert [row["run_number"] for row in rows(result)] == [317291, 317292, 317295, 317296, 317297]
    assert result.stderr == "5 runs of OMS\n"


def test_runs_out_of_a_table_join_it_again(live, tkstudies, tmp_path):
    table = [{"run_number": run, "reco": reco} for run in (317297, 317291) for reco in ("express", "prompt")]
    result = tkstudies("oms", "detector", "-i", "-", input=table)
    assert [row["run_number"] for row in rows(result)] == [317291, 317297]
    file = tmp_path / "detector.jsonl"
    file.write_text(result.stdout)
    runs = tkstudies("oms", "runs", "--run", "317291,317297").stdout
    joined = tkstudies("merge", file, input=runs)
    assert joined.stderr == ""  # the columns that both have are the same
    assert [row["tob_ready_fraction"] for row in from_lines(joined.stdout)] == [
        row["tob_ready_fraction"] for row in from_lines(result.stdout)
    ]


def test_many_runs_are_few_requests(live, tkstudies):
    live.log.clear()
    assert tkstudies("oms", "detector", "--min", 317291, "--max", 317300).exit_code == 0
    asked = [entry.path for entry in live.requests_to("oms")]
    assert sum("daqreadouts?" in path for path in asked) == 1
    sections = [path for path in asked if "lumisections?" in path]
    assert all("fields=" in path and "pileup" not in path for path in sections)


def test_the_bits_of_other_years():
    assert _flags(["run_number", "tob_ready", "gemp_ready", "beam1_present", "start_time"]) == [
        "beam1_present", "tob_ready", "gemp_ready",
    ]  # fmt: skip


def test_without_a_list_of_attributes_the_flags_of_the_tracker_are_there(live, tkstudies):
    usual = rows(tkstudies("oms", "detector", "--run", 317291))
    nothing = Reply(200, b'{"meta": {"fields": {}}}')
    live.rewrite = lambda _, request, reply: nothing if "lumisections/meta" in request.path else reply
    try:
        result = tkstudies("oms", "detector", "--run", 317291)
    finally:
        live.rewrite = None
    (row,) = rows(result)
    assert {f"{name}_ready_fraction" for name in TRACKER} < row.keys() < usual[0].keys()
    assert row.items() <= usual[0].items()
    assert "OMS doesn't list the attributes of lumisections: only physics_flag" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "select runs: --min, --max, --run, --runs-from, -i, --fill, --since, --until, --last or --era"),
        (["--run", "x"], "--run"),
        (["-i", "missing.jsonl"], "missing.jsonl: no such file"),
    ],
)
def test_what_is_refused(live, tkstudies, arguments, told):
    result = tkstudies("oms", "detector", *arguments)
    assert result.exit_code in (1, 2) and result.stdout == ""
    assert told in result.stderr


def test_no_runs(live, tkstudies):
    result = tkstudies("oms", "detector", "-i", "-", input="")
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_server_has_what_the_source_describes(live, world):
    attributes = [row["attributes"] for row in world.oms_rows("daqreadouts", run=317291)]
    assert {tuple(sorted(row)) for row in attributes} == {("feds_excluded", "feds_included", "partition", "run_number")}
    partitions = [row["partition"] for row in attributes]
    assert {"bpix-", "bpix+", "fpix-", "fpix+", "tibtid", "tob", "tec-", "tec+"} < set(partitions) == set(FEDS)
    assert partitions.count("bpix+") == 2  # several readouts of one partition
