"""``tkstudies filter``: keep the records for which all expressions hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.tables.expressions import Condition

app = options.application()


@app.command()
def filter_records(
    expressions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPRESSION...",
            autocompletion=completion.columns,
            help="COLUMN OP VALUE",
            show_default=False,
        ),
    ] = None,
    golden: Annotated[
        str,
        typer.Option(
            "--golden", metavar="FILE", help="And in this certification JSON: run, or lumisection if any."
        ),
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

    \b
    Examples:
      tkstudies filter 'tracking = BAD' < study.jsonl
      tkstudies filter 'reco in express,prompt' 'Hits.Pixel.mean > 0' -i study.jsonl
      tkstudies filter --invert 'bad_reason missing' -i study.jsonl | head
      tkstudies filter --golden Cert_Collisions2018.json < lumisections.jsonl
    """
    from tkstudies.jsonl.columns import NamedColumns

    if not expressions and not golden:
        raise UsageError(
            "nothing to filter by: give an expression such as 'tracking = BAD', or --golden FILE"
        )
    conditions = options.conditions(expressions)
    certified = options.certification(golden) if golden else None
    keys = ("run_number", "lumisection_number") if certified else ()
    named = NamedColumns([*(condition.column for condition in conditions), *keys])
    places = [named.columns.index(key) for key in keys]
    tests = [(named.columns.index(condition.column), condition.holds) for condition in conditions]
    records = options.reader(inputs, skip_bad_lines=skip_bad_lines)
    tested = [condition.column for condition in conditions] + ["run_number"] * bool(certified)
    unmet = {column: named.columns.index(column) for column in tested}
    line = b"{}"
    with jsonl.Writer(output) as writer:
        for line, row in records.lines(named.decode):
            values = row if type(row) is tuple else named.of(row)
            if unmet:
                unmet = {column: place for column, place in unmet.items() if values[place] is None}
            kept = certified is None or certified.contains(*[values[place] for place in places])
            for place, holds in tests:
                if not holds(values[place]):
                    kept = False
                    break
            if kept != invert:
                writer.write_line(line)
    last = jsonl.decode(line)
    for column in [column for column in unmet if last and column not in last]:
        console.warn(f"no record has a value in {column}; {console.alternatives(column, last)}")
    if last and not writer.written:
        _say_why(last, conditions)
    options.report_skipped(records)


def _say_why(last: dict[str, Any], conditions: list[Condition]) -> None:
    """Nothing was kept: show what the conditions met."""
    values = {c.column: last[c.column] for c in conditions if last.get(c.column) is not None and not c(last)}
    if values:
        console.say(f"no record kept; the last one has {jsonl.encode(values).decode()[1:-1]:.200}")
