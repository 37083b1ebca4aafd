"""``tkstudies check``: is this machine ready for the other commands?"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import ServiceError
from tkstudies.records import Record
from tkstudies.settings import current

if TYPE_CHECKING:
    from tkstudies.services.health import Health

app = options.application()

_HEADINGS = ("service", "reachable", "logged in as", "valid until (UTC)", "what to do")


@app.command()
def check(
    service: Annotated[
        list[str] | None,
        typer.Option("--service", metavar="NAME", help="runreg, oms, dqm, doctor, certhelper, v3 or wbm (repeatable)."),
    ] = None,
    cookies: Annotated[
        str | None,
        typer.Option("--cookies", metavar="FILE", help="Cookie file for TkDQMDoctor (default: $TKSTUDIES_COOKIES)."),
    ] = None,
    output: options.Output = "-",
) -> None:
    """Check that each service can be reached and knows us.

    \b
    A table comes on standard error, one record for each service on standard
    output. runreg, oms and dqm are needed, or else those that --service names:
    if one of them can't be used, the exit code is 1.

    \b
    Examples:
      tkstudies check > /dev/null
      tkstudies check --service oms --service dqm | jq 'select(.ok | not) | .advice'
    """
    from tkstudies.services import health

    names = options.known_words(service, tuple(health.PROBES), "--service")
    if current.replay:
        console.say(f"replay is on: no service is asked, answers come from the cassettes in {current.replay}")
    found = health.examine(names, cookies=cookies or os.environ.get("TKSTUDIES_COOKIES"))
    jsonl.write(map(_record, found), output)
    _show(found)
    missing = [one.title for one in found if one.needed and one.ok is False]
    if missing:
        jsonl.publish()  # they are what was asked for
        raise ServiceError(f"not ready: {', '.join(missing)} can't be used")


def _record(one: Health) -> Record:
    until = one.valid_until and one.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**one._asdict(), "valid_until": until}


def _show(found: list[Health]) -> None:
    if current.quiet:
        return
    rows = [_row(one) for one in found]
    if sys.stderr is not None and sys.stderr.isatty():
        _show_in_colour(rows, found)
    else:
        widths = [max(map(len, column)) for column in list(zip(_HEADINGS, *rows, strict=True))[:-1]]
        for row in (_HEADINGS, *rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            console.say("  ".join([*cells, row[-1]]).rstrip())


def _row(one: Health) -> tuple[str, ...]:
    until = f"{one.valid_until:%Y-%m-%d %H:%M}" if one.valid_until else "-"
    reachable = {True: "yes", False: "no", None: "-"}[one.reachable]
    title = one.title if one.needed else f"{one.title} (optional)"
    return title, reachable, console.clean(one.logged_in_as or "-"), until, console.clean(one.advice)


def _show_in_colour(rows: list[tuple[str, ...]], found: list[Health]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEADINGS[:-1])
    for row, one in zip(rows, found, strict=True):
        table.add_row(*map(Text, row[:-1]), style=_style(one))
    screen = Console(stderr=True)
    screen.print(table)
    for one in found:
        if one.advice:
            screen.print(Text(f"{one.title}: ", style=_style(one)) + Text(console.clean(one.advice)))


def _style(one: Health) -> str:
    if one.ok is not False:
        return ""
    return "red" if one.needed else "yellow"
