"""``tkstudies filter``: keep the records for which all expressions hold."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import options

app = options.application()


@app.command()
def filter_records(
    expressions: Annotated[list[str], typer.Argument(metavar="EXPRESSION...", help="COLUMN OP VALUE")],
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

    \b
    Examples:
      tkstudies filter 'tracking = BAD' < study.jsonl
      tkstudies filter 'reco in express,prompt' 'Hits.Pixel.mean > 0' -i study.jsonl
      tkstudies filter --invert 'bad_reason missing' -i study.jsonl | head
    """
    from tkstudies.analysis.expressions import parse

    conditions = [parse(text) for text in expressions]
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    with jsonl.Writer(output) as writer:
        for line, record in records.lines():
            if all(condition(record) for condition in conditions) != invert:
                writer.write_line(line)
    options.report_skipped(records)
