"""``tkstudies diff``: where two tables with the same keys disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl, settings
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.tables.conditions import Conditions
    from tkstudies.analysis.tables.differences import Side, Summary

app = options.application()

_COLUMNS = 10  # that the summary names


@app.command()
def diff(
    tables: Annotated[list[str], typer.Argument(metavar="[LEFT] RIGHT", help="The tables; LEFT by default is -i.")],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="NAME,...",
            autocompletion=completion.columns,
            help="Columns to compare, LEFT=RIGHT where names differ (repeatable; default: all in common).",
        ),
    ] = None,
    on: options.On = None,
    left_where: Annotated[
        list[str] | None,
        typer.Option(
            "--left-where",
            metavar="EXPR",
            autocompletion=completion.columns,
            help="Only left rows for which this holds (repeatable).",
        ),
    ] = None,
    right_where: Annotated[
        list[str] | None,
        typer.Option(
            "--right-where", metavar="EXPR", autocompletion=completion.columns, help="The same for right rows."
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", metavar="FRACTION", help="Numbers may differ by this part of the larger one."),
    ] = 0.0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 3 if anything differs.")] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Compare the records of LEFT, or of standard input, with those of RIGHT.

    \b
    Writes one record for each value that differs: the keys, column, left, right,
    and side = both. A row that only one table has gives one record, with its side
    (left or right) and null for column, left and right.
    Keys are those of merge; of rows with the same key the first counts. Case
    doesn't matter; null and absent are the same; numbers compare as numbers.
    pixel, strip and tracking also find doctor_pixel, doctor_strip (or sistrip) and
    doctor_tracking. By default all columns in common are compared, but the keys
    and those that both --left-where and --right-where read.

    \b
    Examples:
      tkstudies diff doctor.jsonl --columns pixel,strip,tracking < runs.jsonl
      tkstudies diff today.jsonl last_week.jsonl | tkstudies filter 'column = tracking'
      tkstudies diff study.jsonl study.jsonl --on run_number --columns tracking \\
          --left-where 'reco = express' --right-where 'reco = prompt'
    """
    from tkstudies.analysis.tables import differences as analysis

    if not 0 <= tolerance < 1:
        raise UsageError(f"--tolerance {tolerance:g}: expected a part of at least 0 and below 1")
    if len(tables) > 2 or (inputs and len(tables) > 1):
        raise UsageError(f"diff takes two tables, LEFT and RIGHT: {', '.join([*(inputs or []), *tables])}")
    *left, right = tables
    left_conditions = options.conditions(left_where)
    right_conditions = options.conditions(right_where)
    left_reader = options.reader(inputs, left, skip_bad_lines=skip_bad_lines, expected="left-hand records")
    options.check_stdin_once(left_reader, [right])
    right_reader = jsonl.Reader([right], skip_bad_lines=skip_bad_lines)

    left_side = _load("the left side", left_reader, left_conditions)
    right_side = _load(jsonl.shown(right), right_reader, right_conditions)
    keys = analysis.shared_keys(left_side, right_side, options.words(on))
    chosen = set(left_conditions.columns) & set(right_conditions.columns)
    compared = analysis.shared_columns(left_side, right_side, keys, options.words(columns), chosen)
    if left_side.lines and right_side.lines and not compared:
        console.warn(f"no column in common but {', '.join(keys)}: only rows on one side are found")
    summary = analysis.Summary()
    found = analysis.differences(left_side, right_side, keys, compared, tolerance, summary)
    jsonl.write(found, output)
    _report(left_side, right_side, keys, summary)
    if strict and summary.anything:
        settings.current.partial = True
    options.report_skipped(left_reader, right_reader)


def _load(name: str, reader: jsonl.Reader, conditions: Conditions) -> Side:
    from tkstudies.analysis.tables.differences import Side

    side = Side(name)
    for line, record in reader.lines():
        side.add(line, record, wanted=conditions.hold(record))
    losses = console.Losses()
    conditions.check(side.columns, losses)
    losses.tell()
    if side.columns and not side.lines:
        console.warn(f"{name}: no row satisfies the conditions{conditions.why_nothing(side.columns)}")
    return side


def _report(left: Side, right: Side, keys: tuple[str, ...], summary: Summary) -> None:
    for side in (left, right):
        side.losses(keys).tell()
    cells = sorted(summary.cells.items(), key=lambda cell: -cell[1])
    more = [f"... {len(cells) - _COLUMNS:,} more"] if len(cells) > _COLUMNS else []
    columns = ", ".join([*(f"{name} {count:,}" for name, count in cells[:_COLUMNS]), *more])
    console.say(
        f"{console.counted(summary.common, 'row')} on both sides, {summary.differing:,} differ"
        f"{f' ({columns})' if columns else ''}; only left {summary.only['left']:,}, "
        f"only right {summary.only['right']:,}"
    )
