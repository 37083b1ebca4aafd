"""``tkstudies runreg --api v3``: SQL without user text, pages, query ids that expire, records as of v4."""

from __future__ import annotations

import pytest

from tests.cern.faults import Faults
from tests.conftest import rows
from tkstudies.services.registry import v3
from tkstudies.services.registry.fields import BASE_FIELDS


@pytest.fixture
def posted(monkeypatch):
    """The SQL and the parameters of every query."""
    queries = []
    start = v3._Query.__init__

    def recording(self, connection, sql, parameters):
        queries.append((sql, parameters))
        start(self, connection, sql, parameters)

    monkeypatch.setattr(v3._Query, "__init__", recording)
    return queries


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--workspace", "global"],
        ["--exclude-cosmics", "--exclude-non-regular"],
        ["--exclude-cosmics", "--reco", "express"],
        ["--class", "Cosmics18"],
        ["--type", "cosmics"],
        ["--state", "OPEN"],
        ["--reco", "online"],
        ["--filter", "strip__ne=GOOD"],
        ["--filter", "pixel__like=%D%"],
        ["--filter", "pixel__notlike=BA_"],
        ["--filter", "run_number=317297"],
        ["--filter", "run_number__gte=317500"],
        ["--filter", "rda_state__like=%o%"],
        ["--filter", "pixel_comment__like=%hv%", "--filter", "run_number__lt=317600"],
    ],
)
def test_both_apis_give_the_same_records(options, live, tkstudies):
    base = ["runreg", "--min", 317000, "--max", 318000, *options]
    old, new = rows(tkstudies(*base, "--api", "v3")), rows(tkstudies(*base))
    assert [list(row) for row in old] == [list(BASE_FIELDS)] * len(old) != []

    def comparable(records):  # the names of datasets are the only thing that was renamed
        kept = [{key: row[key] for key in BASE_FIELDS if key != "rda_name"} for row in records]
        return sorted(kept, key=lambda row: (row["run_number"], row["reco"] or "", str(row)))

    assert comparable(old) == comparable(new)


def test_online_rows_keep_their_old_name(live, tkstudies):
    found = rows(tkstudies("runreg", "--api", "v3", "--run", 317291))
    assert {row["reco"]: row["rda_name"] for row in found}["online"] == "/Global/Online/ALL"


def test_texts_travel_as_parameters(live, tkstudies, posted):
    name = "Collisions18' or '1'='1"
    result = tkstudies("runreg", "--api", "v3", "--run", "317000-318000", "--class", name)
    assert (result.exit_code, result.stdout) == (0, "")
    ((sql, parameters),) = posted
    assert "'" not in sql
    assert parameters == {"class0": name}


def test_a_year_comes_in_pages_and_complete(live, tkstudies):
    live.log.clear()
    found = rows(tkstudies("runreg", "--api", "v3", "--min", 314000, "--max", 327744))
    keys = [(row["run_number"], row["rda_name"]) for row in found]
    assert len(keys) > 2 * v3.PAGE_SIZE and keys == sorted(set(keys))
    paths = [entry.path.split("?")[0] for entry in live.requests_to("resthub")]
    assert paths.count("/query") == 1 and sum(path.endswith("/count") for path in paths) == 1
    assert sum("/page/1000/" in path for path in paths) == 3


def test_many_runs_are_few_queries(live, tkstudies, posted, world, tmp_path):
    wanted = sorted(world.runs)[100:500:3]
    listed = tmp_path / "runs.txt"
    listed.write_text("".join(f"{run} Online\n" for run in wanted))
    found = rows(tkstudies("runreg", "--api", "v3", "--runs-from", listed, "--reco", "online"))
    assert [row["run_number"] for row in found] == wanted
    assert len(posted) <= 3


def test_luminosities_are_summed_over_active_lumisections(live, tkstudies, world):
    (row,) = rows(tkstudies("runreg", "--api", "v3", "--run", 317527, "--reco", "express", "--add-lumis"))
    run = world.runs[317527]
    delivered = run.inst_lumi * 0.2331
    assert (row["lhc_fill"], row["lumisections"]) == (run.fill, run.last)
    assert row["run_lumi"] == pytest.approx(delivered * (run.last - 1), rel=1e-5)
    assert row["run_live_lumi"] == pytest.approx(0.93 * delivered * (run.last - 1), rel=1e-5)


def test_fills_and_lengths_are_looked_up_in_oms(live, tkstudies, world):
    found = rows(tkstudies("runreg", "--api", "v3", "--fill", 6764, "--min-ls", 100, "--reco", "express"))
    expected = [run.number for run in world.runs.values() if run.fill == 6764 and run.last >= 100]
    assert [row["run_number"] for row in found] == expected != []
    nothing = tkstudies("runreg", "--api", "v3", "--fill", 1)
    assert (nothing.exit_code, nothing.stdout) == (0, "")


def test_raw_has_all_columns_of_the_table(live, tkstudies):
    (row,) = rows(tkstudies("runreg", "--api", "v3", "--run", 317297, "--reco", "prompt", "--raw"))
    assert row["rda_last_shifter"].startswith("Shifter") and row["rda_cmp_strip"] == "BAD"
    (row,) = rows(
        tkstudies("runreg", "--api", "v3", "--workspace", "global", "--run", 317297, "--reco", "prompt", "--raw")
    )
    assert row["rda_cmp_track"] == "BAD"


def test_runs_txt(live, tkstudies):
    result = tkstudies("runreg", "--api", "v3", "--run", 317527, "--runs-txt")
    assert sorted(result.stdout.splitlines()) == [
        "317527 Express Collisions",
        "317527 Online Collisions",
        "317527 Prompt Collisions",
    ]


def test_queries_that_expire_are_posted_again(changes, tkstudies):
    expected = tkstudies("runreg", "--api", "v3", "--min", 314000, "--max", 327744, "--workers", 2).stdout
    seen = []

    def expire(service, path):
        seen.append(path)
        if "/data?" in path and sum("/data?" in old for old in seen) in (1, 2):
            changes.expire_queries()

    changes.on_request = expire
    result = tkstudies("runreg", "--api", "v3", "--min", 314000, "--max", 327744, "--workers", 2)
    assert (result.exit_code, result.stdout) == (0, expected)
    assert sum(path == "/query" for path in seen) > 1


def test_a_server_that_forgets_every_query_is_given_up(changes, tkstudies):
    changes.on_request = lambda service, path: changes.expire_queries() if "/count" in path else None
    result = tkstudies("runreg", "--api", "v3", "--run", 317291)
    assert (result.exit_code, result.stdout) == (1, "") and "forgets" in result.stderr


def test_overload_and_shifted_pages_are_sat_out(changes, tkstudies):
    options = ["runreg", "--api", "v3", "--min", 314000, "--max", 327744]
    expected = tkstudies(*options).stdout
    changes.faults = Faults(["500", "reset", "repeated_rows"], rate=0.6, max_repeat=4, services=["resthub"])
    result = tkstudies(*options)
    assert (result.exit_code, result.stdout) == (0, expected)
    assert changes.faults.injected


def test_refused_sql_is_told_in_the_servers_words(live, monkeypatch, tkstudies):
    monkeypatch.setattr(v3, "_FIXED", (*v3._FIXED, "nonsense"))
    result = tkstudies("runreg", "--api", "v3", "--run", 317291)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no such column: r.nonsense" in result.stderr


def test_another_server_than_resthub_is_told(live, monkeypatch, tkstudies):
    monkeypatch.setenv("TKSTUDIES_RESTHUB_URL", f"{live.url}/certhelper")
    result = tkstudies("runreg", "--api", "v3", "--run", 317291)
    assert (result.exit_code, result.stdout) == (1, "") and "404" in result.stderr
