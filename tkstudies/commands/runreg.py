"""``tkstudies runreg``: rows of the Run Registry."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options, selection
from tkstudies.commands.runreg_output import Census, Row, raw_lines, record_lines, runs_txt_lines
from tkstudies.commands.serverfilters import ServerFilters
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from tkstudies.services.registry.query import Query

app = options.application()


class Workspace(str, Enum):
    """Whose statuses and states."""

    tracker = "tracker"
    everyone = "global"


class Api(str, Enum):
    """Which Run Registry."""

    v4 = "v4"
    v3 = "v3"


@app.command()
@selection.selects_runs(*selection.BY_CLASS)
def runreg(
    given: selection.RunOptions,
    workspace: Annotated[Workspace, typer.Option("--workspace", help="Whose states.")] = Workspace.tracker,
    api: Annotated[Api, typer.Option("--api", help="Which Run Registry; v3 ends with 2018.")] = Api.v4,
    reco: options.Recos = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            autocompletion=completion.states,
            help="States of the rows (online: of the run), or all  [default: OPEN,SIGNOFF,COMPLETED]",
        ),
    ] = None,
    exclude_cosmics: Annotated[
        bool, typer.Option("--exclude-cosmics", help="Without any row of a run that has a cosmics row.")
    ] = False,
    exclude_non_regular: Annotated[
        bool,
        typer.Option("--exclude-non-regular", help="Without any row of a run with a special or commissioning row."),
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="EXPRESSION", help="'strip = BAD' as in filter, or FIELD__OP=VALUE (repeatable)."
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            "--status-rule",
            metavar="RULE",
            autocompletion=completion.status_rules,
            help="One word for many lumisections: any-good, majority, worst, fraction=X  [default: any-good]",
        ),
    ] = None,
    add_lumis: Annotated[
        bool, typer.Option("--add-lumis", help="Add lhc_fill, lumisections, run_lumi, run_live_lumi.")
    ] = False,
    lumisections: Annotated[
        bool, typer.Option("--lumisections", help="One record for each lumisection of each row (v4).")
    ] = False,
    runs_txt: Annotated[bool, typer.Option("--runs-txt", help="Plain lines: RUN RECO CLASS.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The server's own object, flattened with __.")] = False,
    cookies: options.Cookies = None,
    workers: options.Workers = 4,
    runs_per_file: options.RunsPerFile = None,
    output: options.Output = "-",
) -> None:
    """Fetch rows of the Run Registry: who certified which run as good or bad.

    \b
    A row is one dataset of one run. pixel, strip and tracking are one word out of
    the statuses of all lumisections (--status-rule); *_good_fraction is the part
    that is GOOD. --filter takes expressions as filter does, and FIELD__OP=VALUE
    with eq ne gt gte lt lte like notlike, on these columns or on the server's own
    fields (tracker-strip.BAD, oms_attributes.b_field, ...).

    \b
    Examples:
      tkstudies runreg --min 317500 --max 317600 > runs.jsonl
      tkstudies runreg --era 2018B --reco express --filter 'strip = BAD or pixel = BAD'
      tkstudies runreg --last 24h --filter 'tracker-strip.BAD__gt=0' | jq .rda_name
      tkstudies runreg --fill 6757 --runs-txt > runs.txt
      tkstudies runreg --era 2018B --runs-per-file 50 -o runs/
      tkstudies runreg --api v3 --min 313052 --max 327564 --exclude-cosmics --exclude-non-regular
    """
    from tkstudies.services.recos import RECOS
    from tkstudies.services.registry.conditions import parse
    from tkstudies.services.registry.query import COSMICS, NON_REGULAR, Query
    from tkstudies.services.registry.records import status_rule

    _check_shape({"--runs-txt": runs_txt, "--raw": raw, "--lumisections": lumisections, "--add-lumis": add_lumis})
    if api is Api.v3 and (rule or lumisections):
        option = "--status-rule" if rule else "--lumisections"
        raise UsageError(f"{option} needs --api v4: v3 has one status for a whole run")
    here = ServerFilters(filters)
    conditions = tuple(parse(text, api.value) for text in here.sent)
    filtered = {*here.columns, *(condition.name for condition in conditions)}
    states = _states(state, "rda_state" in filtered)
    recos = options.known_words(reco, RECOS, "--reco")
    chosen_rule = status_rule(rule or "any-good")
    selected = given.selection(cookies)
    if not selected.is_bounded and not any(condition.rules for condition in conditions):
        raise UsageError(
            "select runs: --min, --max, --run, --runs-from, -i, --fill, --since, --until, --last, --era or "
            "--class (--min 1 reads the whole registry)"
        )
    excluded = (*(COSMICS if exclude_cosmics else ()), *(NON_REGULAR if exclude_non_regular else ()))
    query = Query(selected, workspace.value, recos, states, conditions, excluded)
    if api is Api.v3:
        if cookies and not (selected.needs_oms or given.era):
            raise UsageError("--cookies needs --api v4: v3 asks for no login")
        query = _known_to_v3(query, workers, cookies)
    elif add_lumis:
        console.say(
            "v4 keeps no sums over active lumisections: lhc_fill, run_lumi and run_live_lumi are the "
            "fill, delivered and recorded luminosity that OMS has for the run, in its unit; "
            "lumisections is the number of the dataset"
        )
    shows_statuses = not (raw or runs_txt or lumisections)

    def rows(query: Query, losses: console.Losses, raw: bool = False, add_lumis: bool = False) -> Iterator[Row]:
        if api is Api.v4:
            from tkstudies.services.registry import v4

            return v4.rows(query, chosen_rule, add_lumis=add_lumis, workers=workers, cookies=cookies, losses=losses)
        from tkstudies.services.registry import v3

        return v3.rows(query, raw=raw, add_lumis=add_lumis, workers=workers, losses=losses)

    def lines(query: Query, census: Census, losses: console.Losses) -> Iterator[bytes]:
        found = rows(query, losses, raw, add_lumis)
        passing = census.counting(here.kept_items(found, lambda row: row[1]))
        if raw:
            return raw_lines(passing)
        if runs_txt:
            return runs_txt_lines(passing)
        return _lumisection_lines(passing, workers, cookies, losses) if lumisections else record_lines(passing)

    if options.is_folder(output, runs_per_file):
        if runs_txt:
            raise UsageError("--runs-txt is one list of plain lines: write it to a file, without the slash")
        from tkstudies.commands.crawlfiles import write_registry

        recipe = ["runreg", api, workspace, recos, states, filters, excluded, rule, add_lumis, lumisections, raw]
        write_registry(query, lines, rows, here, output, runs_per_file, recipe).report(shows_statuses)
        return
    census, losses = Census(), console.Losses()
    jsonl.write_lines(lines(query, census, losses), output, at_once=True)
    losses.tell()
    census.report(shows_statuses)


def _check_shape(given: dict[str, bool]) -> None:
    """Refuse two options of which one would be in vain."""
    chosen = [name for name, value in given.items() if value]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other")


def _states(values: list[str] | None, is_filtered: bool) -> tuple[str, ...] | None:
    """The states that are wanted, None for all; a --filter on rda_state replaces the default."""
    from tkstudies.services.registry.fields import DEFAULT_STATES, STATES

    if not values:
        return None if is_filtered else DEFAULT_STATES
    states = options.known_words(values, (*STATES, "all"), "--state")
    return None if "all" in states else states


def _known_to_v3(query: Query, workers: int, cookies: str | None) -> Query:
    """The same query for the old Run Registry, which knows no fills and times: OMS says which runs these are."""
    from dataclasses import replace

    from tkstudies.services import omsruns
    from tkstudies.services.omslistings import Wanted

    if not query.selection.needs_oms:
        return query
    return replace(query, selection=omsruns.resolved(query.selection, Wanted(workers=workers, cookies=cookies)))


def _lumisection_lines(
    rows: Iterator[Row], workers: int, cookies: str | None, losses: console.Losses
) -> Iterator[bytes]:
    from tkstudies.services.registry import v4

    records = (record for _, record in rows)
    return map(jsonl.encode, v4.lumisections(records, workers=workers, cookies=cookies, losses=losses))
