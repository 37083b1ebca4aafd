"""The options that select runs: declared once, given to commands by a decorator."""

from __future__ import annotations

from dataclasses import fields

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tkstudies import cli
from tkstudies.commands import options, selection

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
