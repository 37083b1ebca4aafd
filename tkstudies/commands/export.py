"""``tkstudies export``: records as CSV or Parquet for other programs, and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any

import msgspec
import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, OutputError, UsageError

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
        Format | None,
        typer.Option("--to", help="Default: by the ending of -o; csv on standard output."),
    ] = None,
    drop_nulls: Annotated[
        bool, typer.Option("--drop-nulls", help="With --to jsonl: leave out columns that are null.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
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
    columns of mixed types or of objects hold texts.

    \b
    Examples:
      tkstudies export study.jsonl > study.csv
      tkstudies filter 'tracking = BAD' < study.jsonl | tkstudies export -o bad.parquet
      tkstudies export --to jsonl --drop-nulls study.csv | tkstudies pca
    """
    target = to or _by_ending(output)
    if drop_nulls and target is not Format.jsonl:
        raise UsageError("--drop-nulls is for --to jsonl")
    if target is Format.parquet and output == jsonl.STDOUT:
        raise UsageError("Parquet doesn't go to standard output: name a file with -o")
    expected = "a CSV or Parquet table" if target is Format.jsonl else "records"
    source = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected=expected)
    if target is Format.jsonl:
        _to_jsonl(source, output, drop_nulls, skip_bad_lines)
    elif target is Format.csv:
        _to_csv(source, output)
    else:
        _to_parquet(source, output)
    options.report_skipped(source)


def _by_ending(output: str) -> Format:
    if output == jsonl.STDOUT:
        return Format.csv
    ending = os.path.splitext(output)[1].lower()
    if ending not in ENDINGS:
        raise UsageError(f"-o {output}: the ending is none of {', '.join(ENDINGS)}: choose with --to")
    return ENDINGS[ending]


# --- from records


class Twice:
    """The lines of an input, to be gone through twice: files are read again, other input is held.

    Args:
        source: Reads the input the first time, and counts bad lines.
        decoder: See ``jsonl.Reader.lines``.
    """

    def __init__(self, source: jsonl.Reader, decoder: Callable[[bytes], Any] | None = None):
        self._source = source
        self._decoder = decoder
        self._held: list[bytes] | None = None if all(map(os.path.isfile, source.sources)) else []

    def first(self) -> Iterator[dict[str, Any]]:
        """The records, for the first time."""
        for line, record in self._source.lines(self._decoder):
            if self._held is not None:
                self._held.append(line)
            yield record

    def again(self, columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The same records.

        Raises:
            InputError: One has a column beyond ``columns``: the file has changed.
        """
        for record in self._once_more():
            if not record.keys() <= columns.keys():
                raise InputError(f"{' and '.join(self._source.sources)}: changed while it was read")
            yield record

    def _once_more(self) -> Iterator[dict[str, Any]]:
        if self._held is None:
            again = jsonl.Reader(self._source.sources, skip_bad_lines=self._source.skipped > 0)
            for _, record in again.lines(self._decoder):
                yield record
        else:
            for line in self._held:
                yield self._decoded(line)

    def _decoded(self, line: bytes) -> dict[str, Any]:
        try:
            return (self._decoder or jsonl.decode)(line)
        except (msgspec.DecodeError, UnicodeDecodeError):  # NaN and the like
            return jsonl.decode(line)


def _to_csv(source: jsonl.Reader, output: str) -> None:
    from tkstudies.analysis.tables.csv import csv_header, csv_line, raw_record

    lines = Twice(source, raw_record)
    columns: dict[str, None] = {}
    records = 0
    for record in lines.first():
        records += 1
        if not record.keys() <= columns.keys():
            columns.update(dict.fromkeys(record))
    _check_names(columns)
    with jsonl.Writer(output) as writer:
        if records:
            writer.write_line(csv_header(columns))
        for record in lines.again(columns):
            writer.write_line(csv_line(columns, record))
    _say(records, columns, output)


def _to_parquet(source: jsonl.Reader, output: str) -> None:
    from tkstudies.analysis.tables import parquet

    parquet.library()
    lines = Twice(source)
    records = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal records
        for record in lines.first():
            records += 1
            yield record

    columns = parquet.column_types(counted())
    if not columns:
        raise InputError("no columns to write: Parquet needs at least one")
    _check_names(columns)
    layout, texts = parquet.schema(columns)
    with jsonl.Writer(output) as writer:
        try:
            parquet.write(lines.again(columns), layout, writer.stream)
        except OSError as error:
            raise OutputError(f"{output}: can't be written: {error.strerror or error}") from None
    if texts:
        console.warn(
            f"{console.listed(texts)}: mixed types or objects, written as texts (--to jsonl restores them)"
        )
    _say(records, columns, output)


def _check_names(columns: dict[str, Any]) -> None:
    from tkstudies.analysis.tables.csv import is_unicode

    odd = [name for name in columns if not is_unicode(name)]
    if odd:
        raise InputError(f"column names that aren't valid Unicode: {', '.join(map(ascii, odd))}")


def _say(records: int, columns: dict[str, Any], output: str) -> None:
    where = "" if output == jsonl.STDOUT else f"{output}: "
    console.say(f"{where}{console.counted(records, 'record')}, {console.counted(len(columns), 'column')}")


# --- to records


def _to_jsonl(source: jsonl.Reader, output: str, drop_nulls: bool, skip_bad_lines: bool) -> None:
    with jsonl.Writer(output) as writer:
        for name in source.sources:
            for number, record in _records(name):
                if record is None:
                    if not skip_bad_lines:
                        raise InputError(
                            f"{jsonl.shown(name)}, line {number}: not a row of the table: cells don't fit "
                            "the header, or a quote is out of place (--skip-bad-lines leaves such rows out)"
                        )
                    source.skipped += 1
                    continue
                if drop_nulls:
                    record = {column: value for column, value in record.items() if value is not None}
                writer.write(record)


def _records(name: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    from tkstudies.analysis.tables import csv, parquet

    with jsonl.opened(name) as stream:
        try:
            beginning = stream.peek(4)[:4]
            if beginning == parquet.MAGIC:
                yield from enumerate(_parquet_records(stream), start=1)
            elif beginning[:1] in (b"{", b"["):
                raise InputError(f"{jsonl.shown(name)}: holds JSON already, not CSV or Parquet")
            else:
                yield from csv.csv_records(stream)
        except jsonl.BadRecord as error:
            raise InputError(f"{jsonl.shown(name)}: not a CSV table: {error}") from None
        except (OSError, EOFError) as error:
            raise InputError(f"{jsonl.shown(name)}: can't be read: {error}") from None


def _parquet_records(stream: Any) -> Iterator[dict[str, Any]]:
    import io

    from tkstudies.analysis.tables import parquet

    arrow = parquet.library()
    try:
        yield from parquet.read(stream if stream.seekable() else io.BytesIO(stream.read()))
    except arrow.ArrowInvalid as error:
        raise InputError(f"not a readable Parquet file: {error}") from None
