"""The options that select runs: declared once, given to commands by a decorator."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timezone

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tkstudies import cli
from tkstudies.commands import options, selection
from tkstudies.errors import InputError, UsageError
from tkstudies.services.runselection import Numbers, RunSelection, coarse, intersected

OPTIONS = [
    "--min", "--max", "--run", "--runs-from", "--input", "--fill", "--since", "--until", "--last", "--era",
    "--class", "--type", "--min-ls",
]  # fmt: skip


def long_options(command):
    return [name for parameter in command.params for name in parameter.opts if name in OPTIONS]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("runreg", OPTIONS),
        ("oms runs", OPTIONS),
        ("oms lumisections", OPTIONS[:-3]),
        ("oms hltpaths", OPTIONS[:6]),
        ("oms hltrates", OPTIONS[:6]),
        ("wbm", ["--min", "--max", "--run", "--input"]),
    ],
)
def test_each_command_has_its_part_of_the_options_in_one_order(path, expected):
    command = get_command(cli.app)
    for name in path.split():
        command = command.get_command(None, name)
    assert long_options(command) == expected


def application(*names):
    app = options.application()
    seen = []

    @app.command()
    @selection.selects_runs(*names)
    def show(
        *,
        before: str = "b",
        given: selection.RunOptions,
        after: typer.Context,
        cookies: options.Cookies = None,
        number: options.Workers = 4,
    ) -> None:
        """Show what was given."""
        seen.append((before, given, number))

    return app, seen


def test_the_options_stand_where_the_parameter_stood():
    app, seen = application("maximum", "run", "minimum")
    parameters = get_command(app).params
    names = [parameter.opts[0] for parameter in parameters]
    assert names == ["--before", "--min", "--max", "--run", "--cookies", "--workers"]
    assert all(parameter.help for parameter in parameters[1:])
    result = CliRunner().invoke(app, ["--run", "3,7", "--max", "9", "--run", "8", "--workers", "2"])
    assert (result.exit_code, result.output) == (0, "")
    ((before, given, number),) = seen
    assert (before, number) == ("b", 2)
    assert given == selection.RunOptions(maximum=9, run=["3,7", "8"])
    assert list(given.selection().runs) == [3, 7, 8]


def test_typer_checks_their_values():
    app, seen = application(*selection.BY_CLASS)
    for wrong in (["--min", "-1"], ["--type", "heavy"], ["--min-ls", "0"], ["--max", "x"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2
    assert CliRunner().invoke(app, ["--type", "cosmics"]).exit_code == 0
    ((_, given, _),) = seen
    assert given.runtype is selection.RunType.cosmics


def test_all_of_them_are_in_by_class():
    assert tuple(field.name for field in fields(selection.RunOptions)) == selection.BY_CLASS


def test_an_option_that_is_none_is_noticed_at_once():
    with pytest.raises(ValueError, match="not all of these are attributes of RunOptions: minimum, maximal"):
        selection.selects_runs("minimum", "maximal")


@pytest.mark.parametrize(
    ("given", "names_each_run"), [({"run": ["3"]}, True), ({}, True), ({"minimum": 0}, False), ({"fill": ["6"]}, False)]
)
def test_whether_runs_are_named_one_by_one(given, names_each_run):
    assert selection.RunOptions(**given).names_each_run == names_each_run


# --- values at their bounds


def test_a_range_of_one_is_a_range():
    assert selection.bounds(5, 5) == [(5, 5)]
    assert selection.bounds(0, None) == [(0, 9_999_999)]
    assert selection.bounds(None, 0) == [(0, 0)]
    assert selection.bounds(None, None) is None
    with pytest.raises(UsageError, match="--min 6 --max 5: the range is empty"):
        selection.bounds(6, 5)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, (None, None)),
        ("2018-06-21", None, ("2018-06-21T00:00:00Z", None)),
        (None, "2018-06-21", (None, "2018-06-21T23:59:59Z")),
        ("2018-06-21T02:00", "2018-06-21T02:00", ("2018-06-21T02:00:00Z", "2018-06-21T02:00:00Z")),
        (" 2018-06-21T02:00z", None, ("2018-06-21T02:00:00Z", None)),
        ("2018-06-21T02:00+02:00", None, ("2018-06-21T00:00:00Z", None)),
        ("2018-06-21", "2018-06-21", ("2018-06-21T00:00:00Z", "2018-06-21T23:59:59Z")),
    ],
)
def test_times_of_either_bound(since, until, expected):
    assert selection.times(since, until, None) == expected


@pytest.mark.parametrize(("last", "ago"), [("90m", 5400), ("24h", 86400), ("7d", 604800), (" 2w ", 1209600), ("0m", 0)])
def test_the_last_hours(last, ago):
    since, until = selection.times(None, None, last)
    seconds = (datetime.now(timezone.utc) - datetime.fromisoformat(since.replace("Z", "+00:00"))).total_seconds()
    assert until is None and abs(seconds - ago) < 60


@pytest.mark.parametrize(("since", "until"), [("2018-01-01", None), (None, "2018-01-01")])
def test_the_last_hours_exclude_each_bound(since, until):
    with pytest.raises(UsageError, match="exclude each other"):
        selection.times(since, until, "2h")


def test_numbers_at_the_ends_of_ranges():
    numbers = Numbers([(1, 3), (9, 9)])
    assert [number for number in range(-1, 12) if number in numbers] == [1, 2, 3, 9] == list(numbers)
    assert len(numbers) == 4 and "2" not in numbers and 2.0 not in numbers
    assert coarse([(1, 1), (3, 3)], 0) == [(1, 1), (3, 3)] and coarse([(1, 1), (2, 3)], 0) == [(1, 3)]
    assert coarse([(1, 1), (3, 3)], 1) == [(1, 3)] and coarse([(1, 1), (4, 4)], 1) == [(1, 1), (4, 4)]
    assert coarse([(1, 9), (2, 3)], 0) == [(1, 9)]
    assert intersected([(1, 5)], [(5, 9)]) == [(5, 5)] and intersected([(1, 4)], [(5, 9)]) == []


@pytest.mark.parametrize(
    ("part", "is_bounded", "is_empty", "needs_oms"),
    [
        ({}, False, False, False),
        ({"runs": Numbers([(1, 2)])}, True, False, False),
        ({"runs": Numbers([])}, True, True, False),
        ({"fills": Numbers([(1, 2)])}, True, False, True),
        ({"fills": Numbers([])}, True, True, True),
        ({"since": "2018"}, True, False, True),
        ({"until": "2018"}, True, False, True),
        ({"min_lumisections": 5}, False, False, True),
        ({"classes": ("Cosmics18",)}, True, False, False),
        ({"runtype": "cosmics"}, False, False, False),
    ],
)
def test_what_each_part_of_a_selection_alone_means(part, is_bounded, is_empty, needs_oms):
    selected = RunSelection(**part)
    assert (selected.is_bounded, selected.is_empty, selected.needs_oms) == (is_bounded, is_empty, needs_oms)


def test_runs_come_from_records_and_lists(tmp_path, capsys):
    records, listed, empty = (tmp_path / name for name in ("r.jsonl", "runs.txt", "e.jsonl"))
    records.write_text('{"run_number":7}\n{"run_number":"5"}\n{"run_number":null}\n{"run_number":7.0}\n')
    listed.write_text("  9 Express\n\n7 Prompt Collisions18\n")
    empty.write_text("")
    assert list(selection.RunOptions(runs_from=[str(records), str(listed)], run=["1"]).selection().runs) == [1, 5, 7, 9]
    assert list(selection.RunOptions(inputs=[str(records)], words=["3"], minimum=5).selection().runs) == [5, 7]
    assert list(selection.RunOptions(inputs=[str(empty)]).selection().runs) == []
    records.write_text('{"fill_number":7}\n')
    with pytest.raises(InputError, match="no record has run_number"):
        selection.RunOptions(inputs=[str(records)]).selection()
    records.write_text('{"run_number":7}\n{"run_number":0.5}\n')
    with pytest.raises(InputError, match=r"line 2: run_number is not an integer: 0\.5"):
        selection.RunOptions(inputs=[str(records)]).selection()
    listed.write_text("9\nx 8\n")
    with pytest.raises(InputError, match="line 2: expected a run number"):
        selection.RunOptions(runs_from=[str(listed)]).selection()
