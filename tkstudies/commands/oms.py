"""``tkstudies oms``: runs, fills, lumisections and any other resource of OMS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies.commands import options, selection
from tkstudies.commands.oms_fetch import Fetch, Fields, Filters, fetches
from tkstudies.commands.output import Fetchable, write_all
from tkstudies.errors import UsageError
from tkstudies.records import Record, whole

if TYPE_CHECKING:
    from tkstudies.services.omslistings import Wanted
    from tkstudies.services.runselection import Numbers, RunSelection

app = options.application(no_args_is_help=True, help="Fetch runs, fills, lumisections and more from OMS.")

Sequence = Annotated[str, typer.Option("--sequence", metavar="NAME", help="Kind of data taking, or all.")]
Paths = Annotated[
    list[str] | None, typer.Option("--path", metavar="PATH", help="Trigger path; * stands for any text (repeatable).")
]
SplitScheme = Annotated[
    bool, typer.Option("--split-filling-scheme", help="Add what the name of the injection scheme says.")
]
FillsPerFile = Annotated[
    int | None,
    typer.Option(
        "--runs-per-file", metavar="N", min=1, help="With -o NAME/: so many fills in each file.  [default: 50]"
    ),
]


@app.command()
@selection.selects_runs(*selection.BY_CLASS)
@fetches
def runs(given: selection.RunOptions, sequence: Sequence = "GLOBAL-RUN", *, fetch: Fetch) -> None:
    """Fetch runs, with units and with luminosities in inverse picobarns.

    \b
    --filter takes expressions as filter does, and ATTR__OP=VALUE with the operators
    eq ne lt lte gt gte like contains. --class and --type are known to the Run
    Registry, which is asked first.

    \b
    Examples:
      tkstudies oms runs --min 317500 --max 317600 > oms_runs.jsonl
      tkstudies oms runs -i runs.jsonl --fields fill_number,recorded_lumi
      tkstudies oms runs --last 24h --filter components__contains=TRACKER
      tkstudies oms runs --era 2018B --runs-per-file 50 -o oms_runs/
    """
    from tkstudies.services import oms

    selected = given.selection(fetch.cookies)
    if selected.classes or selected.runtype:
        selected = _of_the_registry(selected, fetch.workers, fetch.cookies)
    wanted = fetch.wanted()
    kind = None if sequence == "all" else sequence

    def found(numbers: Numbers | None, wanted: Wanted = wanted) -> Iterator[Record]:
        return oms.runs(replace(selected, runs=numbers or selected.runs), wanted, sequence=kind)

    recipe = ["oms runs", sequence, fetch.filters, wanted.fields]
    fetch.write(Fetchable(found, lambda: _listed(found, wanted, "run_number"), "run", recipe))


@app.command()
def fills(
    words: Annotated[list[str] | None, typer.Argument(metavar="[FILL]...", show_default=False)] = None,
    minimum: Annotated[int | None, typer.Option("--min", metavar="FILL", min=0, help="First fill number.")] = None,
    maximum: Annotated[int | None, typer.Option("--max", metavar="FILL", min=0, help="Last fill number.")] = None,
    fill: selection.Fill = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="FILE", help="The fills of these records; - is standard input."),
    ] = None,
    since: selection.Since = None,
    until: selection.Until = None,
    last: selection.Last = None,
    filters: Filters = None,
    fields: Fields = None,
    split_scheme: SplitScheme = False,
    cookies: options.Cookies = None,
    workers: options.Workers = 4,
    fills_per_file: FillsPerFile = None,
    output: options.Output = "-",
) -> None:
    """Fetch fills, by their numbers or for the fill_number of records.

    \b
    Examples:
      tkstudies oms fills -i oms_runs.jsonl > oms_fills.jsonl
      tkstudies oms fills --min 6762 --max 6769 --split-filling-scheme
    """
    from tkstudies.services import oms

    numbered, files = options.runs_among(words)
    fill, inputs = [*(fill or []), *numbered], [*(inputs or []), *files]
    first, end = selection.times(since, until, last)
    between = selection.bounds(minimum, maximum)
    listed = None
    if fill or inputs:
        listed = options.split_numbers(fill, "fill")
        listed += selection.single(selection.numbers_of_records(inputs, "fill_number") if inputs else ())
    numbers = selection.numbers_in_all(between, listed)
    if numbers is None and not (first or end or filters):
        raise UsageError("select fills: --min, --max, --fill, -i, --since, --until, --last or --filter")
    fetch = Fetch(filters, fields, cookies, workers, fills_per_file, output)
    wanted = fetch.wanted(split_scheme=split_scheme)

    def found(some: Numbers | None, wanted: Wanted = wanted) -> Iterator[Record]:
        return oms.fills(some or numbers, wanted, since=first, until=end)

    recipe = ["oms fills", filters, wanted.fields, split_scheme]
    fetch.write(Fetchable(found, lambda: _listed(found, wanted, "fill_number"), "fill", recipe))


@app.command()
@selection.selects_runs(*selection.BY_TIME)
@fetches
def lumisections(given: selection.RunOptions, fetch: Fetch) -> None:
    """Fetch lumisections: luminosity, pileup and detector flags of each.

    \b
    Examples:
      tkstudies oms lumisections --run 317527
      tkstudies oms lumisections -i runs.jsonl --fields pileup,tob_ready > lumisections.jsonl
      tkstudies oms lumisections -i runs.jsonl --runs-per-file 50 -o lumisections/
    """
    from tkstudies.services import oms, omsruns

    wanted, selected = fetch.wanted(), given.selection(fetch.cookies)

    def found(numbers: Numbers | None) -> Iterator[Record]:
        return oms.lumisections(replace(selected, runs=numbers or selected.runs), wanted)

    recipe = ["oms lumisections", fetch.filters, wanted.fields, selected.since, selected.until]
    fetch.write(Fetchable(found, lambda: omsruns.runs_during(selected, wanted), "lumisection", recipe))


@app.command()
@selection.selects_runs(*selection.BY_TIME)
def detector(
    given: selection.RunOptions,
    sequence: Sequence = "GLOBAL-RUN",
    cookies: options.Cookies = None,
    workers: options.Workers = 4,
    output: options.Output = "-",
) -> None:
    """Fetch one row per run: FEDs in the data taking, parts of the lumisections with each DCS bit.

    \b
    tob_feds_fraction is the part of the FEDs of TOB that were read out (bpixm, bpixp, fpixm,
    fpixp, tibtid, tob, tecm, tecp); a FED that one of several readouts excludes is out.
    tob_ready_fraction is the part of the run's lumisections with this bit; so for
    physics_flag, cms_active, beam1_present, beam1_stable and the like. What OMS has no
    rows for is null, and told.

    \b
    Examples:
      tkstudies oms detector --min 317500 --max 317600 > detector.jsonl
      tkstudies oms detector -i runs.jsonl | tkstudies filter 'tob_feds_fraction < 1'
    """
    from tkstudies.console import Losses
    from tkstudies.services import omsdetector
    from tkstudies.services.omslistings import Wanted

    selected = given.selection(cookies)
    if not selected.is_bounded:
        raise UsageError("select runs: --min, --max, --run, --runs-from, -i, --fill, --since, --until, --last or --era")
    losses = Losses()
    found = omsdetector.rows(
        selected,
        Wanted(workers=workers, cookies=cookies),
        sequence=None if sequence == "all" else sequence,
        expected=selected.runs if given.lists_runs else None,
        losses=losses,
    )
    write_all(found, output, "run", "OMS")
    losses.tell()


@app.command()
@selection.selects_runs(*selection.BY_NUMBER)
@fetches
def hltpaths(given: selection.RunOptions, path: Paths = None, *, fetch: Fetch) -> None:
    """Fetch the trigger paths of runs.

    \b
    Examples:
      tkstudies oms hltpaths --run 317527
      tkstudies oms hltpaths -i runs.jsonl --path 'HLT_ZeroBias*'
    """
    from tkstudies.services import oms

    _fetch_of_paths("hltpaths", oms.hlt_paths, "path", given, path, fetch)


@app.command()
@selection.selects_runs(*selection.BY_NUMBER)
@fetches
def hltrates(*, path: Paths = None, given: selection.RunOptions, fetch: Fetch) -> None:
    """Fetch the rates of trigger paths in each lumisection of runs, of all paths unless some are named.

    \b
    Examples:
      tkstudies oms hltrates --run 317527 --path HLT_ZeroBias_v6
      tkstudies oms hltrates --run 317527 > rates.jsonl
    """
    from tkstudies.services import oms

    _fetch_of_paths("hltrates", oms.hlt_rates, "rate", given, path, fetch)


@app.command()
def get(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="runs, fills, eras, l1triggerrates, ...")],
    filters: Filters = None,
    fields: Fields = None,
    sort: Annotated[
        list[str] | None,
        typer.Option("--sort", metavar="NAMES", help="Sort by these attributes; -a descending (repeatable)."),
    ] = None,
    cookies: options.Cookies = None,
    workers: options.Workers = 4,
    output: options.Output = "-",
) -> None:
    """Fetch the rows of any resource of OMS.

    \b
    Examples:
      tkstudies oms get eras --sort start_run
      tkstudies oms get fills --filter era=2018B --filter stable_beams=true --sort=-peak_lumi
    """
    from tkstudies.services import oms

    fetch = Fetch(filters, fields, cookies, workers, output=output)
    found = oms.resource(resource, fetch.wanted(sort=sort))
    write_all(fetch.chosen.kept(found), output, "row", "OMS")


def _fetch_of_paths(
    name: str,
    rows_of: Callable[[Iterable[int], Iterable[str], Wanted], Iterator[Record]],
    noun: str,
    given: selection.RunOptions,
    paths: list[str] | None,
    fetch: Fetch,
) -> None:
    """Write what OMS has of trigger paths in each run."""
    wanted = fetch.wanted()
    numbers = _run_numbers(given, wanted)

    def found(some: Numbers | None) -> Iterator[Record]:
        return rows_of(some or numbers, paths or (), wanted)

    recipe = [f"oms {name}", paths, fetch.filters, wanted.fields]
    fetch.write(Fetchable(found, lambda: numbers, noun, recipe))


def _of_the_registry(selected: RunSelection, workers: int, cookies: str | None) -> RunSelection:
    """The same runs by their numbers: which class a run has is known to the Run Registry only."""
    from tkstudies.services.registry import v4
    from tkstudies.services.registry.query import Query
    from tkstudies.services.runselection import Numbers

    if not selected.is_bounded:
        raise UsageError("--type needs runs to choose among: --min, --max, --run, --fill, --since, --era, ...")
    rows = v4.rows(Query(selected, states=None), workers=workers, cookies=cookies)
    return replace(selected, runs=Numbers.of(record["run_number"] for _, record in rows), classes=(), runtype=None)


def _listed(found: Callable[[Numbers | None, Wanted], Iterator[Record]], wanted: Wanted, attribute: str) -> list[int]:
    """The numbers alone of all that is wanted."""
    records = found(None, replace(wanted, fields=(attribute,), split_scheme=False))
    return [number for record in records if (number := whole(record.get(attribute))) is not None]


def _run_numbers(given: selection.RunOptions, wanted: Wanted) -> list[int]:
    """The numbers of the selected runs one by one: as listed, or looked up for open ranges and fills."""
    from tkstudies.services import oms, omsruns

    selected = given.selection()
    if not selected.is_bounded:
        raise UsageError("select runs: --run, --min, --max, --runs-from, -i or --fill")
    if given.names_each_run:
        return list(selected.runs or ())
    return list(omsruns.run_numbers(selected, wanted, sequence=oms.GLOBAL_RUN))
