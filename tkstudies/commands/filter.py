"""``tkstudies filter``: keep the records for which all expressions hold."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from tkstudies import console
from tkstudies.commands import completion, options
from tkstudies.errors import TkstudiesError, UsageError

app = options.application()


@app.command()
def filter_records(
    expressions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPRESSION... [FILE]...",
            autocompletion=completion.columns,
            help="COLUMN OP VALUE, in quotes.",
            show_default=False,
        ),
    ] = None,
    golden: Annotated[
        str,
        typer.Option("--golden", metavar="FILE", help="And in this certification JSON: run, or lumisection if any."),
    ] = "",
    invert: Annotated[bool, typer.Option("--invert", help="Keep the other records.")] = False,
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Keep the records for which all expressions hold.

    \b
    OP is one of  =  !=  <  <=  >  >=  in  ~  !~  exists  missing
    ~ searches for a regular expression; in takes a list; nothing is ever
    evaluated. Absent and null values satisfy only missing, != and !~.
    Behind < <= > >= a word that is a column is that column; in a list N-M is
    the numbers from N to M. or joins two conditions of one expression. If
    nothing is kept, the values that there are say why.

    \b
    Examples:
      tkstudies filter 'tracking = BAD' study.jsonl
      tkstudies filter 'reco in express,prompt' 'Hits.Pixel.mean > 0' study.jsonl
      tkstudies filter 'pixel = BAD or strip = BAD' 'run_number in 317434-317440' study.jsonl
      tkstudies filter 't2 > t2_limit_99 or q > q_limit_99' pca.jsonl
      tkstudies filter --invert 'bad_reason missing' -i study.jsonl | head
      tkstudies filter --golden Cert_Collisions2018.json study.jsonl
    """
    expressions, inputs = options.with_files(expressions, inputs)
    if not expressions and not golden:
        raise UsageError("nothing to filter by: give an expression such as 'tracking = BAD', or --golden FILE")
    from tkstudies.analysis.tables.filter import Filter
    from tkstudies.shards.mapping import map_files

    certified = options.certification(golden) if golden else None
    make = partial(Filter, expressions, certified, invert)
    try:
        make()
    except UsageError as error:
        raise _mistaken(expressions) or error from None
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    chosen = map_files(make, records, output, jobs)
    chosen.losses().tell()
    if chosen.records:
        console.say(chosen.summary())
    options.report_skipped(records)


def _mistaken(expressions: list[str]) -> TkstudiesError | None:
    """What to say of a file that isn't there, where the shell has cut an expression, or written a file called 15."""
    import shlex

    from tkstudies.analysis.tables.expressions import parse

    together = " ".join(expressions)
    if len(expressions) == 1 and len(together.split()) > 1:
        return None  # it is in quotes
    cut = together if len(expressions) > 1 else f"{together} > 15"
    try:
        parse(cut)
    except UsageError:
        return None
    return UsageError(
        f"{together}: put the expression into quotes, such as {shlex.quote(cut)}: "
        "without them the shell cuts it, and takes < and > for files"
    )
