"""``tkstudies oms``: the real records as the target, selections as few requests, paging that is checked."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec import convert

from tests.cern.simulated_histograms import DATA
from tests.conftest import rows
from tkstudies.errors import ServiceError
from tkstudies.services import oms, omslistings, omsruns
from tkstudies.services.injection import FIELDS, split_scheme
from tkstudies.services.omsrecords import Row, flat_record, lacks_units, with_units_of_run
from tkstudies.services.runselection import Numbers, RunSelection

UB = "{\\mu}b^{-1}"
pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def asked(live):
    """The listings that were asked for since the test began, as (path, parameters)."""
    live.log.clear()

    def listings():
        parts = [urlsplit(entry.path) for entry in live.requests_to("oms")]
        return [(part.path, dict(parse_qsl(part.query))) for part in parts if not part.path.endswith("/meta")]

    return listings


@pytest.fixture
def faulty(fail, monkeypatch):
    """As ``fail``, with short pages, so that there are many."""
    monkeypatch.setattr(omslistings, "PAGE_SIZE", 50)
    return fail


def real(name):
    return [json.loads(line) for line in (DATA / "oms" / name).read_text().splitlines()]


# --- records


def test_runs_are_the_real_records_and_two_columns(live, tkstudies):
    found = rows(tkstudies("oms", "runs", "--min", 315260, "--max", 315273))
    expected = real("runs.jsonl")
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == [*theirs, "recorded_lumi_pb", "delivered_lumi_pb"]
        assert {key: ours[key] for key in theirs} == theirs
        assert ours["recorded_lumi_pb"] == theirs["recorded_lumi"]
    without_beam = next(run for run in found if run["fill_number"] is None)
    assert not any(key.endswith("_unit") for key in without_beam)
    assert without_beam["recorded_lumi_pb"] is None


def test_fills_are_the_real_records_and_two_columns(live, tkstudies):
    found = rows(tkstudies("oms", "fills", "--min", 6615, "--max", 6617))
    for ours, theirs in zip(found, real("fills.jsonl"), strict=True):
        assert list(ours) == [*theirs, "recorded_lumi_pb", "delivered_lumi_pb"]
        assert {key: ours[key] for key in theirs} == theirs


def test_lumisections_are_the_real_records(live, tkstudies):
    found = rows(tkstudies("oms", "lumisections", "--run", 315265))
    units = {
        **dict.fromkeys(("init_lumi_unit", "end_lumi_unit"), "10^{34}cm^{-2}s^{-1}"),
        **dict.fromkeys(("delivered_lumi_unit", "recorded_lumi_unit"), "pb^{-1}"),
    }
    sent = real("lumisections_315265.jsonl")
    in_picobarns = {f"{name}_pb": name for name in ("recorded_lumi", "delivered_lumi")}
    assert found == [{**row, **units, **{pb: row[name] for pb, name in in_picobarns.items()}} for row in sent]
    assert list(found[0])[: len(sent[0])] == list(sent[0])
    assert found[0]["delivered_lumi_pb"] == 42.98796875  # the fill's sum before the first lumisection of the run


def test_units_of_lumisections_come_from_the_run_where_oms_sends_none(asked, tkstudies):
    found = rows(tkstudies("oms", "lumisections", "--run", "315265,327489"))
    by_run = {row["run_number"]: row["recorded_lumi_unit"] for row in found}
    assert by_run == {315265: "pb^{-1}", 327489: "{\\mu}b^{-1}"}
    row = next(row for row in found if row["run_number"] == 327489)
    assert row["recorded_lumi_pb"] == pytest.approx(row["recorded_lumi"] * 1e-6)
    assert [path.rpartition("/")[2] for path, _ in asked()].count("runs") == 2  # runs so far apart are two listings


def test_without_the_units_the_lumisections_come_all_the_same(live, tkstudies, monkeypatch):
    def fail(*args, **options):
        raise ServiceError("OMS: no answer")

    listed = omslistings.listed
    monkeypatch.setattr(
        omslistings, "listed", lambda c, name, *rest: fail() if name == "runs" else listed(c, name, *rest)
    )
    result = tkstudies("oms", "lumisections", "--run", 315265)
    assert (len(rows(result)), rows(result)[0]["recorded_lumi_unit"]) == (63, None)
    assert "the units of luminosities (*_unit, *_pb) are null: OMS didn't tell those of the runs" in result.stderr


def test_units_that_oms_sends_with_a_lumisection_are_taken():
    sent = {"attributes": {"run_number": 1, "recorded_lumi": 1500.0}, "meta": {"row": {"recorded_lumi": {"units": UB}}}}
    record = flat_record(convert(sent, Row), with_units=True)
    assert not lacks_units(record)
    assert with_units_of_run(record, {"recorded_lumi_unit": "pb^{-1}"}) == {
        "run_number": 1, "recorded_lumi": 1500.0, "recorded_lumi_unit": UB, "recorded_lumi_pb": 0.0015,
    }  # fmt: skip


def test_heavy_ion_luminosity_gets_a_twin_in_inverse_picobarns(live, tkstudies):
    (run,) = rows(tkstudies("oms", "runs", "--run", 327489))
    assert run["recorded_lumi_unit"] == "{\\mu}b^{-1}"
    assert run["recorded_lumi_pb"] == pytest.approx(run["recorded_lumi"] * 1e-6)


@pytest.mark.parametrize(
    ("unit", "factor"), [("pb^{-1}", 1), ("nb^{-1}", 1e-3), ("{\\mu}b^{-1}", 1e-6), ("fb^{-1}", 1e3)]
)
def test_units_of_luminosity(unit, factor):
    row = {"attributes": {"delivered_lumi": 2.0}, "meta": {"row": {"delivered_lumi": {"units": unit}}}}
    assert flat_record(convert(row, Row), with_units=True)["delivered_lumi_pb"] == pytest.approx(2 * factor)


def test_an_unknown_unit_gives_null():
    row = {"attributes": {"recorded_lumi": 2.0}, "meta": {"row": {"recorded_lumi": {"units": "cm"}}}}
    assert flat_record(convert(row, Row), with_units=True) == {
        "recorded_lumi": 2.0,
        "recorded_lumi_unit": "cm",
        "recorded_lumi_pb": None,
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("25ns_2556b_2544_2215_2332_144bpi_20injV3", ("25", 2556, 2544, 2215, 2332, 144, 20, "V3")),
        ("25ns_603b_590_526_547_96bpi_13inj", ("25", 603, 590, 526, 547, 96, 13, None)),
        ("75_150ns_733Pb_733_702_468_42bpi_20inj", ("75_150", 733, 733, 702, 468, 42, 20, None)),
        ("100_150ns_648Pb_620_619_52_36bpi_20inj_V2", ("100_150", 648, 620, 619, 52, 36, 20, "V2")),
        ("200ns_16Xe_8_8_8_4bpi_4inj", ("200", 16, 8, 8, 8, 4, 4, None)),
        ("100ns_9O_3_3_3_1bpi_9inj", ("100", 9, 3, 3, 3, 1, 9, None)),
        ("Multi_100ns_14Ne_6_6_6_2bpi_7inj_V1", ("100", 14, 6, 6, 6, 2, 7, "V1")),
        ("Single_10b_5_0_5_pilot", (None,) * 8),
        ("", (None,) * 8),
        (None, (None,) * 8),
        (7, (None,) * 8),
    ],
)
def test_injection_schemes(name, values):
    assert split_scheme(name) == dict(zip(FIELDS, values, strict=True))


def test_injection_schemes_of_fills(live, tkstudies):
    (fill,) = rows(tkstudies("oms", "fills", "--fill", 6615, "--split-filling-scheme", "--fields", "era"))
    assert fill["fill_number"] == 6615 and fill["era"] == "2018A"
    assert (fill["bunches_per_beam"], fill["colliding_bunches_ip1_ip5"], fill["injections"]) == (603, 590, 13)


# --- selections


def test_only_global_runs_unless_told_otherwise(changes, tkstudies):
    local = another_run(changes, 317528, "LOCAL-RUN")
    changes.add_rows("oms", [local], "runs")
    base = ["oms", "runs", "--run", "317527-317528"]
    assert [row["run_number"] for row in rows(tkstudies(*base))] == [317527]
    assert [row["run_number"] for row in rows(tkstudies(*base, "--sequence", "all"))] == [317527, 317528]
    assert [row["run_number"] for row in rows(tkstudies(*base, "--sequence", "LOCAL-RUN"))] == [317528]


def another_run(server, number, sequence="GLOBAL-RUN"):
    """A run in the wire format that the server doesn't have yet."""
    template = next(row for row in server.world.oms_rows("runs", 317527))
    attributes = {**template["attributes"], "run_number": number, "sequence": sequence}
    return {**template, "id": str(number), "attributes": attributes}


def test_runs_of_a_file_are_few_requests(asked, tkstudies, tmp_path):
    wanted = [315259, 315260, 315264, 315267, 327489, 317527, 317527]
    listed = tmp_path / "runs.jsonl"
    listed.write_text("".join(f'{{"run_number": {run}}}\n' for run in wanted))
    found = rows(tkstudies("oms", "runs", "-i", listed))
    assert [row["run_number"] for row in found] == sorted(set(wanted))
    assert len(asked()) == 3


def test_fills_of_runs_are_unique_in_order_and_without_nulls(asked, tkstudies):
    runs = [{"run_number": 3, "fill_number": fill} for fill in (6617, 6615, None, 6615, 99999, 6616)]
    found = rows(tkstudies("oms", "fills", "-i", "-", input=runs))
    assert [row["fill_number"] for row in found] == [6615, 6616, 6617]
    assert len(asked()) == 2


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (["--fill", "6616,6762-6764"], lambda run: run.fill == 6616 or 6762 <= (run.fill or 0) <= 6764),
        (["--fill", "6764", "--min-ls", "100"], lambda run: run.fill == 6764 and run.last >= 100),
        (["--era", "Run2018A"], lambda run: 315257 <= run.number <= 316995),
        (
            ["--since", "2018-06-10T00:00", "--until", "2018-06-12"],
            lambda run: "2018-06-10" <= str(run.start) < "2018-06-13",
        ),
    ],
)  # fmt: skip
def test_selections(options, holds, live, tkstudies, world):
    found = {row["run_number"] for row in rows(tkstudies("oms", "runs", "--sequence", "all", *options))}
    expected = {number for number, run in world.runs.items() if holds(run)}
    assert expected and expected <= found | {315252, 315255, 315256}
    extra = found - expected  # runs that only OMS knows
    assert not extra & set(world.runs)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("runs", ["--min", "327400"]),
        ("runs", ["--max", "315270"]),
        ("runs", ["--run", "315265"]),
        ("runs", ["315265"]),
        ("runs", ["--fill", "6757"]),
        ("runs", ["--since", "2018-10-20", "--max", "327564"]),
        ("runs", ["--until", "2018-04-28"]),
        ("runs", ["--class", "Cosmics18", "--max", "317200"]),
        ("runs", ["--filter", "fill_number=6757"]),
        ("fills", ["--min", "7240"]),
        ("fills", ["--max", "6620"]),
        ("fills", ["--fill", "6757"]),
        ("fills", ["6757"]),
        ("fills", ["--since", "2018-10-20"]),
        ("fills", ["--until", "2018-05-01"]),
        ("fills", ["--filter", "era=2018B"]),
        ("lumisections", ["--run", "315265"]),
        ("lumisections", ["--fill", "6616", "--max", "315270"]),
        ("hltpaths", ["--run", "317291"]),
        ("hltpaths", ["--min", "317291", "--max", "317291"]),
        ("hltpaths", ["--fill", "6757", "--path", "HLT_ZeroBias*"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_one_selection_is_enough(command, options, live, tkstudies):
    assert rows(tkstudies("oms", command, *options))


@pytest.mark.parametrize("command", ["runs", "fills"])
def test_the_last_hours_alone_are_enough(command, live, tkstudies):
    result = tkstudies("oms", command, "--last", "2h")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_condition_that_is_there_twice_is_one(live, tkstudies):
    twice = ["--min", "317291", "--max", "317291", "--filter", "run_number__eq=317291"]
    (row,) = rows(tkstudies("oms", "runs", *twice))
    assert row["run_number"] == 317291


def test_lumisections_of_several_runs(asked, tkstudies):
    found = rows(tkstudies("oms", "lumisections", "--run", "315265,317527", "--fields", "pileup"))
    assert {tuple(sorted(row)) for row in found} == {("lumisection_number", "pileup", "run_number")}
    keys = [(row["run_number"], row["lumisection_number"]) for row in found]
    assert keys == sorted(set(keys)) and {run for run, _ in keys} == {315265, 317527}
    assert len(asked()) == 3  # one for the short run, two pages for the long one


def test_filters_and_fields(live, tkstudies):
    base = ["oms", "runs", "--min", 317000, "--max", 318000]
    found = rows(tkstudies(*base, "--filter", "components__contains=PIXEL", "--filter", "energy__gt=6000"))
    assert found and all("PIXEL" in row["components"] and row["energy"] > 6000 for row in found)
    some = rows(tkstudies(*base, "--fields", "recorded_lumi,b_field"))
    assert set(some[0]) == {"run_number", "recorded_lumi", "b_field", "recorded_lumi_unit", "recorded_lumi_pb"}


def test_get_any_resource(live, tkstudies):
    eras = rows(tkstudies("oms", "get", "eras", "--sort=-start_run"))
    starts = [era["start_run"] for era in eras]
    assert starts == sorted(starts, reverse=True) and len(starts) > 3
    best = rows(tkstudies("oms", "get", "fills", "--filter", "era=2018B", "--sort=-peak_lumi", "--fields", "peak_lumi"))
    lumis = [fill["peak_lumi"] for fill in best]
    assert lumis == sorted(lumis, reverse=True) != []


def test_trigger_paths_and_rates(live, tkstudies, world):
    paths = [row["path_name"] for row in rows(tkstudies("oms", "hltpaths", "--run", 317527))]
    assert "HLT_ZeroBias_v6" in paths and len(paths) == len(set(paths))
    like = rows(tkstudies("oms", "hltpaths", "--run", "317527,317291", "--path", "HLT_ZeroBias%"))
    assert [(row["run_number"], row["path_name"]) for row in like] == [
        (317291, "HLT_ZeroBias_v6"),
        (317527, "HLT_ZeroBias_v6"),
    ]
    globbed = tkstudies("oms", "hltpaths", "--run", "317527,317291", "--path", "HLT_ZeroBias*")
    assert rows(globbed) == like
    rates = rows(tkstudies("oms", "hltrates", "--run", 317527, "--path", "HLT_ZeroBias_v6"))
    assert [row["last_lumisection_number"] for row in rates] == list(range(1, world.runs[317527].last + 1))
    every = rows(tkstudies("oms", "hltrates", "--run", "317527"))
    assert list(dict.fromkeys(row["path_name"] for row in every)) == paths
    assert [row for row in every if row["path_name"] == "HLT_ZeroBias_v6"] == rates


@pytest.mark.parametrize("path", [["--path", "HLT_ZeroBias_v6"], ["--path", "HLT_%"], []])
def test_named_fields_of_trigger_paths_come_with_run_and_path(path, live, tkstudies):
    runs = ["--run", "317527,317291", *path]
    whole = rows(tkstudies("oms", "hltrates", *runs))
    found = rows(tkstudies("oms", "hltrates", *runs, "--fields", "rate"))
    names = {"run_number", "path_name", "last_lumisection_number", "rate"}
    assert found == [{name: row[name] for name in row if name in names} for row in whole] != []
    found = rows(tkstudies("oms", "hltpaths", *runs, "--fields", "path_number"))
    assert {tuple(row) for row in found} == {("run_number", "path_name", "path_number")}


def test_rates_of_all_paths_take_few_connections(changes, tkstudies):
    before = changes.connections
    result = tkstudies("oms", "hltrates", "--run", "317527,317291,317509", "--workers", 1)
    assert len({row["run_number"] for row in rows(result)}) == 3
    assert changes.connections - before <= 2  # one of them for the token


def test_run_classes_are_looked_up_in_the_registry(live, tkstudies):
    span = ("--min", 317000, "--max", 317300)
    every = [row["run_number"] for row in rows(tkstudies("oms", "runs", *span))]
    classes = {row["run_number"]: row["run_class_name"] for row in rows(tkstudies("runreg", *span, "--state", "all"))}
    for option, word in (("collisions", "Collisions"), ("cosmics", "Cosmics")):
        found = [row["run_number"] for row in rows(tkstudies("oms", "runs", *span, "--type", option))]
        assert found == [run for run in every if word in classes.get(run, "")] != []
    named = rows(tkstudies("oms", "runs", *span, "--class", "Collisions18"))
    assert [row["run_number"] for row in named] == [run for run in every if classes.get(run) == "Collisions18"]


def test_python_users_get_the_same(live, tkstudies):
    selection = RunSelection(runs=Numbers([(315260, 315273)]))
    assert list(oms.runs(selection)) == rows(tkstudies("oms", "runs", "--run", "315260-315273"))


# --- what goes wrong


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (["runs"], "--filter"),
        (["runs", "--min-ls", "5"], "--filter"),
        (["fills"], "--fill"),
        (["lumisections"], "select"),
        (["hltpaths"], "--run"),
        (["hltrates"], "--run"),
        (["runs", "--type", "cosmics"], "--era"),
        (["runs", "--run", "1", "--fields", "nonsense"], "recorded_lumi"),
        (["fills", "--fill", "1", "--fields", "nonsense"], "peak_lumi"),
        (["lumisections", "--run", "1", "--fields", "nonsense"], "pileup"),
        (["hltpaths", "--run", "317291", "--fields", "nonsense"], "path_name"),
        (["hltrates", "--run", "317291", "--fields", "nonsense"], "path_name"),
        (["get", "eras", "--fields", "nonsense"], "start_run"),
        (["fills", "--fill", "1", "--filter", "nonsense=1"], "peak_lumi"),
        (["hltrates", "--run", "317291", "--filter", "nonsense=1"], "path_name"),
        (["runs", "--run", "1", "--filter", "nonsense=1"], "recorded_lumi"),
        (["get", "eras", "--sort", "nonsense"], "start_run"),
        (["runs", "--run", "1", "--filter", "energy__over=1"], "gte"),
        (["runs", "--run", "1", "--filter", "energy"], "COLUMN OP VALUE"),
        (["runs", "--run", "1-300", "--filter", "run_number__gte=2"], "run_number"),
        (["runs", "--min", "9", "--max", "8"], "empty"),
        (["get", "../runs"], "resource"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_wrong_command_line_names_what_is_known(arguments, known, live, tkstudies):
    result = tkstudies("oms", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert known in result.stderr


def test_an_unknown_resource_is_told(live, tkstudies):
    result = tkstudies("oms", "get", "nonsense")
    assert (result.exit_code, result.stdout) == (1, "") and "nonsense" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["runs", "--run", "1"], ["fills", "--fill", "1"], ["lumisections", "--run", "1"]]
)
def test_nothing_found_is_no_byte(arguments, live, tkstudies):
    result = tkstudies("oms", *arguments)
    assert (result.exit_code, result.stdout) == (0, "")


def test_records_without_the_number_are_told(live, tkstudies):
    result = tkstudies("oms", "fills", "-i", "-", input=[{"run_number": 1}])
    assert (result.exit_code, result.stdout) == (1, "") and "fill_number" in result.stderr
    result = tkstudies("oms", "fills", "-i", "-", input=[{"fill_number": "6615a"}])
    assert (result.exit_code, result.stdout) == (1, "") and "'6615a'" in result.stderr
    result = tkstudies("oms", "fills", "-i", "-", input=[{"fill_number": None}])
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("written", [317527, 317527.0, "317527", " 317527.0 "])
def test_the_numbers_of_records_are_whole_however_they_are_written(written, live, tkstudies):
    table = [{"run_number": 317291}, {"run_number": written}, {"run_number": None}]
    found = rows(tkstudies("oms", "runs", "-i", "-", "--fields", "sequence", input=table))
    assert [row["run_number"] for row in found] == [317291, 317527]


@pytest.mark.parametrize("written", [True, 317527.5, "RUN", "3e5", [317527]])
def test_numbers_of_records_that_are_none(written, live, tkstudies):
    result = tkstudies("oms", "runs", "-i", "-", input=[{"run_number": 317291}, {"run_number": written}])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"standard input, line 2: run_number is not an integer: {written!r}" in result.stderr


def test_pages_that_shift_are_healed(faulty, tkstudies):
    options = ["oms", "lumisections", "--run", "317527", "--fields", "pileup", "--workers", 3]
    expected = rows(tkstudies(*options))
    faults = faulty("repeated_rows", rate=0.7, max_repeat=2)
    found = rows(tkstudies(*options))
    assert faults.total("repeated_rows") > 0
    assert sorted(found, key=lambda row: row["lumisection_number"]) == expected
    assert len(expected) > 20 * omslistings.PAGE_SIZE


def test_runs_that_begin_while_pages_are_read_change_nothing_else(changes, monkeypatch, tkstudies):
    monkeypatch.setattr(omslistings, "PAGE_SIZE", 20)
    options = ["oms", "runs", "--min", 317000, "--max", 318000, "--workers", 1]
    before = [row["run_number"] for row in rows(tkstudies(*options))]
    pages = []

    def insert(service, path):
        pages.append(path)
        if len(pages) == 2:
            changes.add_rows("oms", [another_run(changes, 317001)], "runs")

    changes.on_request = insert
    after = [row["run_number"] for row in rows(tkstudies(*options))]
    assert len(pages) > 3
    assert len(after) == len(set(after)) and set(after) == {*before, 317001}


def test_faults_that_pass_are_not_noticed(faulty, tkstudies):
    options = ["oms", "runs", "--min", 317000, "--max", 318000]
    expected = tkstudies(*options).stdout
    faults = faulty(["wrong_type", "503", "login_page", "token_expiry", "truncated"], rate=0.5, retry_after=0)
    result = tkstudies(*options)
    assert (result.exit_code, result.stdout) == (0, expected)
    assert faults.injected


def test_without_a_login_it_says_what_to_do(live, monkeypatch, tkstudies):
    monkeypatch.delenv("SSO_CLIENT_SECRET")
    result = tkstudies("oms", "runs", "--run", "317527")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not logged in to OMS" in result.stderr and "SSO_CLIENT_ID" in result.stderr


def test_cookies_are_another_way_in(live, monkeypatch, tkstudies, tmp_path):
    monkeypatch.delenv("SSO_CLIENT_ID")
    cookies = live.write_cookies(tmp_path / "cookies.txt")
    result = tkstudies("oms", "hltpaths", "--min", 317527, "--max", 317527, "--cookies", cookies)
    assert len(rows(result)) == 3


def test_an_era_without_run_numbers_is_taken_from_its_fills(live, monkeypatch):
    rows_of = oms.resource

    def without_runs(name, wanted):
        eras = name == "eras"
        return ({"era": row["era"]} if eras else row for row in rows_of(name, wanted))

    monkeypatch.setattr(oms, "resource", without_runs)
    first, last = omsruns.era_runs("Run2018B")
    fills = [fill for fill in rows_of("fills", omslistings.Wanted()) if fill["era"] == "2018B"]
    assert (first, last) == (min(f["first_run_number"] for f in fills), max(f["last_run_number"] for f in fills))
