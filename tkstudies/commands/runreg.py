"""``tkstudies runreg``: rows of the Run Registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options, selection
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from tkstudies.services.registry.query import Query

app = options.application()

_RECO_WORDS = {
    "online": "Online",
    "express": "Express",
    "prompt": "Prompt",
    "rereco": "ReReco",
    "rerecoul": "ReRecoUL",
}


class Workspace(str, Enum):
    """Whose statuses and states."""

    tracker = "tracker"
    everyone = "global"


class Api(str, Enum):
    """Which Run Registry."""

    v4 = "v4"
    v3 = "v3"


@app.command()
def runreg(
    minimum: selection.Min = None,
    maximum: selection.Max = None,
    run: selection.Run = None,
    runs_from: selection.RunsFrom = None,
    inputs: selection.Inputs = None,
    fill: selection.Fill = None,
    since: selection.Since = None,
    until: selection.Until = None,
    last: selection.Last = None,
    era: selection.Era = None,
    classes: selection.Classes = None,
    runtype: selection.Type = None,
    min_lumisections: selection.MinLumisections = None,
    workspace: Annotated[Workspace, typer.Option("--workspace", help="Whose states.")] = Workspace.tracker,
    api: Annotated[Api, typer.Option("--api", help="Which Run Registry; v3 ends with 2018.")] = Api.v4,
    reco: Annotated[
        list[str] | None,
        typer.Option(
            "--reco", metavar="RECO", help="online, express, prompt, rereco, rerecoul (repeatable)."
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="States of the rows (online: of the run), or all  [default: OPEN,SIGNOFF,COMPLETED]",
        ),
    ] = None,
    exclude_cosmics: Annotated[
        bool, typer.Option("--exclude-cosmics", help="Without any row of a run that has a cosmics row.")
    ] = False,
    exclude_non_regular: Annotated[
        bool,
        typer.Option(
            "--exclude-non-regular", help="Without any row of a run with a special or commissioning row."
        ),
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="FIELD[__OP]=VALUE", help="A condition (repeatable: all must hold)."
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            "--status-rule",
            metavar="RULE",
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
    cookies: selection.Cookies = None,
    workers: selection.Workers = 4,
    output: options.Output = "-",
) -> None:
    """Fetch rows of the Run Registry: who certified which run as good or bad.

    \b
    A row is one dataset of one run. pixel, strip and tracking are one word out of
    the statuses of all lumisections (--status-rule); *_good_fraction is the part
    that is GOOD. --filter takes eq ne gt gte lt lte like notlike, on these columns
    or on the server's own fields (tracker-strip.BAD, oms_attributes.b_field, ...).

    \b
    Examples:
      tkstudies runreg --min 317500 --max 317600 > runs.jsonl
      tkstudies runreg --era 2018B --reco express --filter strip=BAD
      tkstudies runreg --last 24h --filter 'tracker-strip.BAD__gt=0' | jq .rda_name
      tkstudies runreg --fill 6757 --runs-txt > runs.txt
      tkstudies runreg --api v3 --min 313052 --max 327564 --exclude-cosmics --exclude-non-regular
    """
    from tkstudies.services.recos import RECOS
    from tkstudies.services.registry.conditions import parse
    from tkstudies.services.registry.query import COSMICS, NON_REGULAR, Query
    from tkstudies.services.registry.records import status_rule

    _check_shape(
        {"--runs-txt": runs_txt, "--raw": raw, "--lumisections": lumisections, "--add-lumis": add_lumis}
    )
    if api is Api.v3 and (rule or lumisections):
        option = "--status-rule" if rule else "--lumisections"
        raise UsageError(f"{option} needs --api v4: v3 has one status for a whole run")
    conditions = tuple(parse(text, api.value) for text in filters or [])
    states = _states(state, any(condition.name == "rda_state" for condition in conditions))
    recos = selection.chosen(reco, RECOS, "--reco")
    chosen_rule = status_rule(rule or "any-good")
    selected = selection.runs(
        minimum=minimum,
        maximum=maximum,
        run=run,
        runs_from=runs_from,
        inputs=inputs,
        fill=fill,
        since=since,
        until=until,
        last=last,
        era=era,
        classes=classes,
        runtype=runtype,
        min_lumisections=min_lumisections,
        cookies=cookies,
    )
    if not selected.is_bounded and not any(condition.rules for condition in conditions):
        raise UsageError(
            "select runs: --min, --max, --run, --runs-from, -i, --fill, --since, --until, --last, --era or "
            "--class (--min 1 reads the whole registry)"
        )
    excluded = (*(COSMICS if exclude_cosmics else ()), *(NON_REGULAR if exclude_non_regular else ()))
    query = Query(selected, workspace.value, recos, states, conditions, excluded)
    if api is Api.v4:
        from tkstudies.services.registry import v4

        rows = v4.rows(query, chosen_rule, add_lumis=add_lumis, workers=workers, cookies=cookies)
        if add_lumis:
            console.say(
                "v4 keeps no sums over active lumisections: lhc_fill, run_lumi and run_live_lumi are the "
                "fill, delivered and recorded luminosity that OMS has for the run, in its unit; "
                "lumisections is the number of the dataset"
            )
    else:
        if cookies and not (selected.needs_oms or era):
            raise UsageError("--cookies needs --api v4: v3 asks for no login")
        rows = _v3_rows(query, raw, add_lumis, workers, cookies)
    shape = _shape(raw, runs_txt, lumisections, workers, cookies)
    _write(rows, output, shape, has_words=not (raw or runs_txt or lumisections))


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
    states = selection.chosen(values, (*STATES, "all"), "--state")
    return None if "all" in states else states


def _v3_rows(
    query: Query, raw: bool, add_lumis: bool, workers: int, cookies: str | None
) -> Iterator[tuple[dict, dict]]:
    from dataclasses import replace

    from tkstudies.services import oms
    from tkstudies.services.registry import v3

    if query.selection.needs_oms:
        access = oms.Wanted(workers=workers, cookies=cookies)
        query = replace(query, selection=oms.resolved(query.selection, access))
    return v3.rows(query, raw=raw, add_lumis=add_lumis, workers=workers)


Lines = Callable[[Iterator[tuple[dict, dict]]], Iterator[bytes]]


def _shape(raw: bool, runs_txt: bool, lumisections: bool, workers: int, cookies: str | None) -> Lines:
    """What becomes of (the server's object, our record): the lines to write."""
    if raw:
        from tkstudies.services.registry.records import flattened

        return lambda rows: (jsonl.encode(flattened(own)) for own, _ in rows)
    if runs_txt:
        return _runs_txt_lines
    if lumisections:
        from tkstudies.services.registry import v4

        access = {"workers": workers, "cookies": cookies}
        return lambda rows: map(jsonl.encode, v4.lumisections((r for _, r in rows), **access))
    return lambda rows: (jsonl.encode(record) for _, record in rows)


def _runs_txt_lines(rows: Iterator[tuple[dict, dict]]) -> Iterator[bytes]:
    """``RUN RECO CLASS``, once for each run and reconstruction; CLASS is Collisions, Cosmics, ..."""
    seen: set[tuple[int, str]] = set()
    nameless = 0
    for _, record in rows:
        key = record["run_number"], record["reco"]
        nameless += record["reco"] is None
        if record["reco"] is None or key in seen:
            continue
        seen.add(key)
        words = [str(record["run_number"]), _RECO_WORDS[record["reco"]], record["run_type"]]
        yield " ".join(word for word in words if word).encode()
    if nameless:
        console.say(f"{console.counted(nameless, 'row')} without a known reconstruction left out of the list")


def _write(rows: Iterator[tuple[dict, dict]], output: str, lines: Lines, has_words: bool) -> None:
    census = _Census()
    with jsonl.Writer(output, at_once=True) as writer:
        for line in lines(census.counting(rows)):
            writer.write_line(line)
    census.report(has_words)


class _Census:
    """What a reader of the rows should know about them as a whole."""

    def __init__(self) -> None:
        self._rows = self._hardly_good = 0
        self._keys: Counter[tuple[int, str]] = Counter()

    def counting(self, rows: Iterator[tuple[dict, dict]]) -> Iterator[tuple[dict, dict]]:
        """The same rows, counted as they pass."""
        from tkstudies.services.registry.fields import COMPONENTS
        from tkstudies.services.registry.records import LOW_FRACTION

        for own, record in rows:
            self._rows += 1
            if record["reco"]:
                self._keys[record["run_number"], record["reco"]] += 1
            self._hardly_good += any(
                record[name] == "GOOD" and record.get(f"{name}_good_fraction", 1.0) < LOW_FRACTION
                for name in COMPONENTS
            )
            yield own, record

    def report(self, has_words: bool) -> None:
        """Say it; of the words of components only to those who see them."""
        console.say(f"{console.counted(self._rows, 'row')} of the Run Registry")
        if self._hardly_good and has_words:
            console.say(
                f"{console.counted(self._hardly_good, 'row')} GOOD by the rule with less than 95 % GOOD "
                "lumisections in pixel, strip or tracking: see *_good_fraction, or take another --status-rule"
            )
        repeated = [key for key, number in self._keys.items() if number > 1]
        if repeated:
            shown = console.listed((f"{run} {reco}" for run, reco in repeated), most=3)
            console.warn(
                f"{console.counted(len(repeated), 'run and reco')} with several datasets, told apart by "
                f"rda_name ({shown}): merge takes the first"
            )
