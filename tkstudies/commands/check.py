"""``tkstudies check``: is this machine ready for the other commands?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import ServiceError
from tkstudies.records import Record
from tkstudies.settings import current
from tkstudies.texttable.drawing import Drawing, is_terminal

if TYPE_CHECKING:
    from tkstudies.services.health import Health

app = options.application()

_HEADINGS = ("ok", "service", "reachable", "logged in as", "valid until (UTC)", "what to do")


@app.command()
def check(
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            metavar="NAME",
            autocompletion=completion.services,
            help="runreg, oms, dqm, doctor, certhelper, v3 or wbm (repeatable).",
        ),
    ] = None,
    cookies: Annotated[
        str | None,
        typer.Option("--cookies", metavar="FILE", help="Cookie file for TkDQMDoctor (default: $TKSTUDIES_COOKIES)."),
    ] = None,
    output: options.Output = "-",
) -> None:
    """Check that each service can be reached and knows us.

    \b
    On a terminal: a table, ok or NO first. In a pipe or file: one record for each
    service, and the table on standard error. runreg, oms and dqm are needed, or
    else those that --service names: if one can't be used, the exit code is 1.
    As whom we are logged in, by which way (login, ready token, client secret,
    certificate, cookie file) and until when; 'tkstudies help login' has the ways.

    \b
    Examples:
      tkstudies check
      tkstudies check --service oms --service dqm | jq 'select(.ok | not) | .advice'
    """
    from tkstudies.services import health

    names = options.known_words(service, tuple(health.PROBES), "--service")
    if current.replay:
        console.say(f"replay is on: no service is asked, answers come from the cassettes in {current.replay}")
    found = health.examine(names, cookies=cookies or os.environ.get("TKSTUDIES_COOKIES"))
    if output == jsonl.STDOUT and is_terminal():
        jsonl.write_lines(_table(found, shutil.get_terminal_size().columns), output)
    else:
        jsonl.write(map(_record, found), output)
        for line in _table(found) if not current.quiet else ():
            console.say(line.decode())
    for remark in health.remarks(found):
        console.say(remark)
    if exposed := health.exposed():
        console.warn(exposed)
    missing = [one.title for one in found if one.needed and one.ok is False]
    if missing:
        jsonl.publish()  # they are what was asked for
        raise ServiceError(f"not ready: {', '.join(missing)} can't be used")


def _record(one: Health) -> Record:
    until = one.valid_until and one.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**one._asdict(), "valid_until": until}


def _table(found: list[Health], width: int | None = None) -> Iterator[bytes]:
    """ok or NO for each service, and what to do: in a column, or below where the table must fit a terminal."""
    names = _HEADINGS if width is None else _HEADINGS[:-1]
    drawing = Drawing([_row(one) for one in found], names, width=width, style=_style)
    yield from drawing.table()
    for one in found if width is not None else ():
        if one.advice:
            yield f"{one.title}: {console.clean(one.advice)}".encode("utf-8", "backslashreplace")


def _row(one: Health) -> Record:
    answers = {True: "yes", False: "no", None: None}
    return {
        "ok": {True: "ok", False: "NO", None: None}[one.ok],
        "service": one.title if one.needed else f"{one.title} (optional)",
        "reachable": answers[one.reachable],
        "logged in as": _us(one),
        "valid until (UTC)": f"{one.valid_until:%Y-%m-%d %H:%M}" if one.valid_until else None,
        "what to do": one.advice or None,
    }


def _us(one: Health) -> str | None:
    """Whom the service knows, and by which way."""
    is_said = one.logged_in_by in (None, one.logged_in_as)
    return one.logged_in_as if is_said else f"{one.logged_in_as} ({one.logged_in_by})"


def _style(column: str, value: Any) -> str:
    return {"ok": "green", "NO": "red"}.get(value, "") if column == "ok" else ""
