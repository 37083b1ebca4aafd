"""What files and servers send never moves a terminal: everything said is clean, whoever says it."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.cern.faults import Reply
from tkstudies import console
from tkstudies.settings import current

HOSTILE = "\x1b]52;c;ZXZpbA==\x07 \x9b2J \u202e \r\n forged"
CASES = {
    "a malformed line": ("filter", "a = 1"),
    "an unknown column": ("filter", "b = 1", "a missing"),
    "a column to sort by": ("sort", "--by", f"x{HOSTILE}"),
    "an option": ("filter", f"--{HOSTILE}"),
    "a global option": (f"--{HOSTILE}", "filter"),
    "a command": (HOSTILE,),
    "a value": ("pca", "--components", HOSTILE),
    "a file": ("count", f"{HOSTILE}.jsonl"),
}


def is_clean(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", CASES)
def test_files_and_arguments(tkstudies, name):
    record = json.dumps({HOSTILE: HOSTILE, "tracking": HOSTILE, "run_number": 1}, ensure_ascii=False)
    bad = "" if name == "a column to sort by" else HOSTILE
    result = tkstudies(*CASES[name], input=f"{record}\n{bad}\n")
    assert result.exit_code in (1, 2) and is_clean(result.stderr), result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "command",
    ["runreg --run 317291", "oms runs --run 317291", "doctor references", "wbm --run 317291", "-v oms fills --fill 6"],
)
def test_servers(changes, tkstudies, command, status):
    said = json.dumps({"err": HOSTILE, "errors": [{"detail": HOSTILE}]}, ensure_ascii=False)
    said = HOSTILE + said if status == 200 else said + HOSTILE
    changes.rewrite = lambda service, _, reply: reply if service == "sso" else Reply(status, said.encode())
    result = tkstudies(*command.split())
    assert result.exit_code == 1 and is_clean(result.stderr), result.stderr
    assert "\\x1b]52" in result.stderr


def test_an_internal_error_shows_its_traceback_with_v_only(tkstudies, monkeypatch):
    from tkstudies.analysis.tables import sort

    def broken(*_):
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(sort, "sorted_lines", broken)
    for options, shown in (((), False), (("-v",), True)):
        result = tkstudies(*options, "sort", input="{}\n")
        assert result.exit_code == 1 and is_clean(result.stderr)
        assert ("Traceback" in result.stderr) is shown
        assert "internal error in sort: RuntimeError: \\x1b]52" in result.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_bars_and_tables(monkeypatch):
    from tkstudies.commands.check import _table
    from tkstudies.services.health import Health

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(current, "quiet", False)
    with console.progress(f"[red]{HOSTILE}", 3) as bar:
        bar.advance()
    ill = Health("oms", "OMS", "", True, logged_in_as=HOSTILE, ok=False, advice=HOSTILE)
    said = sys.stderr.getvalue() + b"\n".join([*_table([ill]), *_table([ill], 80)]).decode()
    assert "\x1b]52" not in said and "\x9b" not in said and "\u202e" not in said
    assert "[red]" in said and "\\x1b]52" in said
