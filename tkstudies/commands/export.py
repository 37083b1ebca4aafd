"""``tkstudies export``: records as CSV or Parquet for other programs, and back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl.folder import table_files

if TYPE_CHECKING:
    from tkstudies.analysis.tables.dialect import Choices
    from tkstudies.analysis.tables.export import Tables

app = options.application()


class Format(str, Enum):
    """What to write."""

    csv = "csv"
    parquet = "parquet"
    jsonl = "jsonl"


ENDINGS = {
    ".csv": Format.csv,
    ".parquet": Format.parquet,
    ".pq": Format.parquet,
    ".jsonl": Format.jsonl,
    ".ndjson": Format.jsonl,
}


@app.command()
def export(
    files: options.Files = None,
    to: Annotated[
        Format | None, typer.Option("--to", help="Default: by the ending of -o; csv on standard output.")
    ] = None,
    drop_nulls: Annotated[
        bool, typer.Option("--drop-nulls", help="With --to jsonl: leave out columns that are null.")
    ] = False,
    defuse: Annotated[
        bool, typer.Option("--defuse", help="Of CSV: ' before texts that a spreadsheet takes for formulas.")
    ] = False,
    names: Annotated[
        list[str] | None, typer.Option("--names", metavar="A,B,...", help="Columns of a CSV table without a header.")
    ] = None,
    header: Annotated[
        bool, typer.Option("--header", help="The first row of the CSV table is its header, also if it has numbers.")
    ] = False,
    delimiter: Annotated[
        str, typer.Option("--delimiter", metavar="SIGN", help="Between the cells of the CSV table.")
    ] = "",
    decimal: Annotated[
        str, typer.Option("--decimal", metavar="SIGN", help="Decimal sign of the CSV table, . or a comma.")
    ] = "",
    encoding: Annotated[
        str, typer.Option("--encoding", metavar="NAME", help="Of the CSV table: cp1252, macroman, ...")
    ] = "",
    quoted_numbers: Annotated[
        bool, typer.Option("--quoted-numbers", help="Numbers in quotes in the CSV table are numbers, too.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Write records as CSV or Parquet; with --to jsonl read such a table back.

    \b
    The columns are all that occur, in order of first appearance. Records come back
    as they were, but for columns that a record didn't have: those come back as
    nulls (--drop-nulls leaves them out).
    CSV (RFC 4180, lines end with a line feed): nothing between commas is null,
    texts are always quoted (so "12" is a text and 12 a number, "" an empty text),
    true and false are booleans, lists are JSON in quotes, and a text that looks
    like such a list is a JSON string in quotes. Numbers are copied digit by digit.
    Parquet (needs pyarrow: pip install 'tkstudies[parquet]'): one type a column;
    columns of mixed types or of objects hold texts. With -o NAME/ each input file
    becomes a Parquet file of that folder, all with one schema: pandas, polars,
    DuckDB ('NAME/*.parquet') and Spark read it as one table.
    \b
    Tables of pandas, R, Excel and brilcalc are read, too: what is between cells
    (, ; tab |), decimal commas, line ends, UTF-16, and lines of comments (#) are
    found out. Of Parquet, times become texts in ISO 8601, durations seconds.

    \b
    Examples:
      tkstudies export study.jsonl > study.csv
      tkstudies filter 'tracking = BAD' < study.jsonl | tkstudies export -o bad.parquet
      tkstudies export --to parquet ten_years/ -o ten-years-parquet/
      tkstudies export --to jsonl ten-years-parquet/ > again.jsonl
      tkstudies export --to jsonl --drop-nulls study.csv | tkstudies pca
      tkstudies export --to jsonl --names run_number,group list-without-header.csv
    """
    from tkstudies.analysis.tables.dialect import Choices
    from tkstudies.analysis.tables.export import Export, Tables

    files, output = _with_folder_behind(to, files, inputs, output)
    target = to or _by_ending(output)
    if output.endswith("/") and target is not Format.parquet:
        raise UsageError("-o NAME/ is for Parquet: name a file, or write records with | tkstudies shard -o NAME/")
    if jobs != "1" and not output.endswith("/"):
        raise UsageError("--jobs is for the files of a folder: --to parquet -o NAME/")
    choices = Choices(delimiter, decimal, tuple(options.words(names)), header, encoding, quoted_numbers)
    _check_options(target, choices, drop_nulls, defuse)
    if target is Format.parquet and output == jsonl.STDOUT:
        raise UsageError("Parquet doesn't go to standard output: name a file with -o, or a folder with -o NAME/")
    expected = "a CSV or Parquet table" if target is Format.jsonl else "records"
    if target is Format.jsonl:
        inputs, files = _files_of_folders(inputs), _files_of_folders(files)
    source = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected=expected)
    exported, tables = Export(defuse=defuse), Tables(choices)
    if target is Format.jsonl:
        if not jsonl.write(_rows(tables, source, drop_nulls, skip_bad_lines), output):
            for name in source.sources:
                source.note(name, 0, True)
        tables.losses.tell()
    elif target is Format.csv:
        jsonl.write_lines(exported.csv_lines(source), output)
    elif output.endswith("/"):
        from tkstudies.commands.export_files import write_parquet_files

        write_parquet_files(source, output, jobs, exported)
    else:
        exported.write_parquet(source, output)
    if target is not Format.jsonl:
        exported.losses().tell()
        where = "" if output == jsonl.STDOUT else f"{output}: "
        columns = console.counted(len(exported.columns), "column")
        console.say(f"{where}{console.counted(exported.records, 'record')}, {columns}")
    options.report_skipped(source)


def _with_folder_behind(
    to: Format | None, files: list[str] | None, inputs: list[str] | None, output: str
) -> tuple[list[str], str]:
    """The files, and the output: ``export --to parquet study.jsonl NAME/`` names its folder as an argument, too."""
    *before, last = files or [""]
    is_output = last.endswith("/") and not (os.path.isdir(last) and table_files(last))
    if to is Format.parquet and output == jsonl.STDOUT and is_output and (before or inputs or not sys.stdin.isatty()):
        return before, last
    return files or [], output


def _files_of_folders(sources: list[str] | None) -> list[str]:
    """The same, with the Parquet files of a folder in its place."""
    found: list[str] = []
    for source in sources or ():
        if os.path.isdir(source):
            from tkstudies.commands.export_files import parquet_files

            found += parquet_files(source)
        else:
            found.append(source)
    return found


def _by_ending(output: str) -> Format:
    if output == jsonl.STDOUT:
        return Format.csv
    if output.endswith("/"):
        return Format.parquet
    ending = os.path.splitext(output)[1].lower()
    if ending not in ENDINGS:
        raise UsageError(f"-o {output}: the ending is none of {', '.join(ENDINGS)}: choose with --to")
    return ENDINGS[ending]


def _check_options(target: Format, choices: Choices, drop_nulls: bool, defuse: bool) -> None:
    reading = {
        "--drop-nulls": drop_nulls,
        "--names": choices.names,
        "--header": choices.header,
        "--delimiter": choices.delimiter,
        "--decimal": choices.decimal,
        "--encoding": choices.encoding,
        "--quoted-numbers": choices.quoted_numbers,
    }
    for name, value in reading.items():
        if value and target is not Format.jsonl:
            raise UsageError(f"{name} is for --to jsonl")
    if defuse and target is not Format.csv:
        raise UsageError("--defuse is for --to csv")
    if choices.decimal not in ("", ".", ","):
        raise UsageError(f"--decimal {choices.decimal}: is . or ,")
    if len(choices.delimiter) > 1 or choices.delimiter in ('"', "\n", "\r"):
        raise UsageError(f"--delimiter {choices.delimiter}: is one sign, such as , or ; (a tab: --delimiter $'\\t')")


def _rows(tables: Tables, source: jsonl.Reader, drop_nulls: bool, skip_bad_lines: bool) -> Iterator[jsonl.Record]:
    """The records of tables."""
    for name in source.sources:
        for number, record in tables.records(name):
            if not isinstance(record, jsonl.BadRecord):
                yield {c: v for c, v in record.items() if v is not None} if drop_nulls else record
            elif skip_bad_lines:
                source.skipped += 1
            else:
                raise InputError(
                    f"{jsonl.shown(name)}, line {number}: not a row of the table: {record} "
                    "(--skip-bad-lines leaves such rows out)"
                )
