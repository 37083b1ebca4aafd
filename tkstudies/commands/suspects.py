"""``tkstudies suspects``: which rows deserve a second look, how unusual they are, and what stands out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options

if TYPE_CHECKING:
    from tkstudies.analysis.multivariate.suspects.comparisons import Comparisons
    from tkstudies.analysis.multivariate.suspects.known import Known

app = options.application()


class History(str, Enum):
    """By which good rows a row is judged."""

    all = "all"
    earlier = "earlier"


class Order(str, Enum):
    """Which row comes first."""

    score = "score"
    input = "input"


class By(str, Enum):
    """What a line is about."""

    row = "row"
    run = "run"


@app.command()
def suspects(
    files: options.Files = None,
    good: Annotated[
        list[str] | None,
        typer.Option(
            "--good",
            metavar="EXPR",
            autocompletion=completion.columns,
            help="Rows for which this holds are good (repeatable; default: certified good).",
        ),
    ] = None,
    history: Annotated[
        History, typer.Option("--history", help="Good rows that judge: all, or earlier ones only (new data).")
    ] = History.all,
    history_from: Annotated[
        list[str] | None,
        typer.Option("--history-from", metavar="FILE", help="Rows that judge but aren't reported (repeatable)."),
    ] = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            "--group-by",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Compare only rows that agree in it too (repeatable).",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="PATTERN",
            autocompletion=completion.columns,
            help="Feature columns (repeatable; default: *.mean, *.rms).",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Take out what depends on it, such as pileup (repeatable).",
        ),
    ] = None,
    since: Annotated[
        int | None, typer.Option("--since", metavar="RUN", help="From this run on compare with each other only.")
    ] = None,
    by: Annotated[By, typer.Option("--by", help="A line for each row, or for each run.")] = By.row,
    known: Annotated[
        str,
        typer.Option("--known", metavar="FILE", help="Known issues, or an older list: mark rows that show only these."),
    ] = "",
    comparisons: Annotated[
        list[str] | None,
        typer.Option("--comparisons", metavar="FILE", help="What compare --changes wrote: more evidence (repeatable)."),
    ] = None,
    fdr: Annotated[bool, typer.Option("--fdr", help="Add q_value (Benjamini-Hochberg).")] = False,
    links: Annotated[bool, typer.Option("--links", help="Add addresses in OMS, Run Registry, DQM GUI.")] = False,
    keep: Annotated[options.Keep, typer.Option("--keep", help="Columns beside the result.")] = options.Keep.labels,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="Only so many rows.")] = None,
    order: Annotated[Order, typer.Option("--order", help="The most unusual first, or as they came.")] = Order.score,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="For what is drawn.")] = 42,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Rank rows by how unusual they are among good ones, and say what stands out.

    \b
    Learns what good rows of the same kind look like (reco, run type, beams,
    energy, field; a kind with less than 30 good rows joins one of another reco or
    period) and judges each row by models that haven't seen it. Works on rows of
    runs, and of lumisections (there beside their neighbours too, and without what
    pileup and luminosity explain). Good: is_certified_good; else state SIGNOFF or
    COMPLETED and pixel, strip, tracking GOOD; else golden; else is_bad = false.
    All other rows are judged, and never learned from.
    Adds rank, score (in standard deviations of good rows), p_value (part of the
    good rows of its history that are as unusual; 1/201 is the smallest),
    unusual (the same in words), flagged_by (distance, largest, missing or
    comparisons), subsystem, findings, finding_features, finding_sigmas,
    low_statistics, not_judged (why).
    It never says that a row is good or bad: people do.
    With --comparisons also comparison_z, the mean of the ten largest z of the row's
    plots: a further measure if half of the good rows have comparisons too.
    With --jobs several processes read the files of a folder, and fit the models of
    any table; the result is the same for every --jobs.

    \b
    Known limits: a good short run is flagged 5 times too often. If the last
    certified run is 40 runs back, 11 % of good rows come out at p <= 0.05. After
    a sudden harmless change the next 20 to 60 runs stand out: --since RUN.
    Measured on one real year (2016) and on simulations.

    \b
    Examples:
      tkstudies suspects study.jsonl --top 20
      tkstudies suspects new.jsonl --history earlier --history-from season.jsonl
      tkstudies suspects lumisections.jsonl --good 'golden = true' --by run
      tkstudies suspects study.jsonl --comparisons compared.jsonl
    """
    from tkstudies.analysis.multivariate.suspects.judge import Judge, Options
    from tkstudies.analysis.multivariate.suspects.report import Shape, rows, summary
    from tkstudies.shards.reducing import shards
    from tkstudies.shardwise import one_thread

    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    options.check_stdin_once(
        records, [*(history_from or []), *(comparisons or []), known], "two inputs: name a file for one of them"
    )
    judging = options.named_reader(history_from, skip_bad_lines=skip_bad_lines)
    shape = Shape(keep is options.Keep.all, top, order is Order.input, by is By.run, fdr, links, _known(known))
    chosen = Options(
        tuple(good or ()),
        history is History.earlier,
        options.words(group_by),
        options.words(features),
        options.words(condition),
        since,
        seed,
    )
    replaced: set[str] = set()
    compared = _comparisons(comparisons) if comparisons else None
    tables = [records] if judging is None else [records, judging]
    with one_thread(), shards(jobs, output, *tables, also_one=True) as (reported, *of_judging):
        judge = Judge(reported, next(iter(of_judging), None), chosen, compared)
        jsonl.write(rows(judge, shape, replaced), output)
        told = summary(judge)
    if replaced:
        console.warn(f"columns of the input were replaced: {console.listed(sorted(replaced))}")
    if compared:
        compared.losses(judge.keys).tell()
    for line in told:
        console.say(line)
    options.report_skipped(records, judging)


def _comparisons(files: list[str]) -> Comparisons:
    from tkstudies.analysis.multivariate.suspects.comparisons import Comparisons

    records = jsonl.Reader(files, expected="comparisons")
    with records.located():
        found = Comparisons(records)
    options.require_records(records, "--comparisons: ")
    return found


def _known(file: str) -> Known | None:
    if not file:
        return None
    from tkstudies.analysis.multivariate.suspects.known import Known

    records = jsonl.Reader([file], expected="known issues")
    with records.located():
        return Known(records)
