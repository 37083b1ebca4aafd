"""Every example in the help of a command is one that the command takes; ``test_examples`` runs them all."""

from __future__ import annotations

import pytest

from tests.pipe import help_examples
from tests.pipe.test_cli import leaves
from tkstudies.errors import TkstudiesError

LINES = list(help_examples.lines())


def test_every_command_has_examples_of_its_own():
    named = {path for path, line in LINES if f"tkstudies {path}".strip() in line}
    assert not set(leaves(help_examples.GROUP)) - named


@pytest.mark.parametrize(("path", "line"), LINES, ids=[line[:60] for _, line in LINES])
def test_the_command_takes_it(path, line):
    for stage in help_examples.own(line):
        help_examples.parse(stage.words)


@pytest.mark.parametrize(
    "line", ["runreg --nonsense", "dqm --workers 0", "rank --by nothing", "oms runes", "plot scatter --x", "nonsense"]
)
def test_a_wrong_one_would_be_noticed(line):
    with pytest.raises(Exception) as raised:  # typer's, or ours
        help_examples.parse(["tkstudies", *line.split()])
    assert isinstance(raised.value, TkstudiesError) or hasattr(raised.value, "exit_code")
