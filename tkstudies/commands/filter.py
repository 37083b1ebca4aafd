"""``tkstudies filter``: keep the records for which all expressions hold."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def filter_records(
    expressions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPRESSION...", autocompletion=completion.columns, help="COLUMN OP VALUE", show_default=False
        ),
    ] = None,
    golden: Annotated[
        str,
        typer.Option("--golden", metavar="FILE", help="And in this certification JSON: run, or lumisection if any."),
    ] = "",
    invert: Annotated[bool, typer.Option("--invert", help="Keep the other records.")] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
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
      tkstudies filter 'tracking = BAD' < study.jsonl
      tkstudies filter 'reco in express,prompt' 'Hits.Pixel.mean > 0' -i study.jsonl
      tkstudies filter 'pixel = BAD or strip = BAD' 'run_number in 317434-317440' -i study.jsonl
      tkstudies filter 't2 > t2_limit_99 or q > q_limit_99' -i pca.jsonl
      tkstudies filter --invert 'bad_reason missing' -i study.jsonl | head
      tkstudies filter --golden Cert_Collisions2018.json < lumisections.jsonl
    """
    if not expressions and not golden:
        raise UsageError("nothing to filter by: give an expression such as 'tracking = BAD', or --golden FILE")
    from tkstudies.analysis.tables.filter import Filter

    certified = options.certification(golden) if golden else None
    chosen = Filter(expressions or (), certified, invert)
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    jsonl.write_lines(chosen.lines(records), output)
    chosen.losses().tell()
    if chosen.records:
        console.say(chosen.summary())
    options.report_skipped(records)
