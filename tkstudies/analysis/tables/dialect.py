"""How a program has written a table: encoding, delimiter, comments and decimal sign.

Known are the tables of ``pandas.to_csv``, of R (``write.csv``, ``write.csv2``), of Excel (in English, in German with
``;`` and decimal commas, on a Mac with CR as the line end, "Unicode text" with tabs in UTF-16), and of brilcalc,
whose last ``#`` line before the data has the names.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tkstudies.analysis.tables.cells import has_decimal_comma, is_list_of_numbers, is_number
from tkstudies.analysis.tables.csvrows import Line, Row, rows_of
from tkstudies.analysis.tables.header import Header, header_of
from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl import BadRecord

_DELIMITERS = "\t;|,"  # the first of those that fit equally well
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_DRAWN_LINE = re.compile(r"\+[-=+]+\+\s*")
_MARKDOWN_LINE = re.compile(r"\|?[\s:]*-{2,}[-\s:|]*")


@dataclass(frozen=True)
class Choices:
    """What a user knows about a table; what isn't said is found out.

    Attributes:
        delimiter: The sign between cells.
        decimal: ``.`` or ``,``.
        names: The names of the columns: the table has none.
        header: The first row has the names, whatever it looks like.
        encoding: The encoding of its text.
        quoted_numbers: Numbers in quotes are numbers, too.
    """

    delimiter: str = ""
    decimal: str = ""
    names: tuple[str, ...] = ()
    header: bool = False
    encoding: str = ""
    quoted_numbers: bool = False


NOTHING_KNOWN = Choices()


@dataclass(frozen=True)
class Dialect:
    """How the rows of a table are to be read.

    Attributes:
        delimiter: The sign between cells.
        comma: Do numbers have a decimal comma? None if no number tells.
        skipped: Lines before the rows.
        comments: Are lines that begin with ``#`` comments, wherever they stand?
        header: The names of the columns.
    """

    delimiter: str
    comma: bool | None
    skipped: int
    comments: bool
    header: Header


def lines_of_text(stream: Any, encoding: str) -> Generator[Line]:
    """The lines of a stream of bytes with their numbers and line ends; ends are LF, CRLF or CR.

    Raises:
        UsageError: There is no such encoding.
    """
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream)
    name = encoding or _encoding_of(stream.peek(16))
    try:
        text = io.TextIOWrapper(
            stream, encoding=name, newline="", errors="surrogateescape" if name.startswith("utf-8") else "strict"
        )
    except LookupError:
        raise UsageError(
            f"--encoding {encoding}: no such encoding; there are utf-8, utf-16, cp1252, macroman"
        ) from None
    try:
        yield from enumerate(text, start=1)
    except UnicodeError as error:
        raise InputError(f"not a text in {name}: {error}") from None
    finally:
        text.detach()


def _encoding_of(beginning: bytes) -> str:
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if len(beginning) >= 8 and not any(beginning[1::2]):
        return "utf-16-le"
    if len(beginning) >= 8 and not any(beginning[::2]):
        return "utf-16-be"
    return "utf-8-sig"


def dialect_of(lines: Sequence[Line], choices: Choices) -> Dialect | None:
    """How a table is written, from its first lines; None if they have no row.

    Raises:
        BadRecord: Nobody can tell which line has the names, or it is no table.
    """
    skipped, delimiter = 0, choices.delimiter
    if lines and (separator := _SEPARATOR_LINE.fullmatch(lines[0][1])):
        skipped, delimiter = 1, delimiter or separator[1]
    comment = ""
    while skipped < len(lines) and (not lines[skipped][1].strip() or lines[skipped][1].startswith("#")):
        comment = lines[skipped][1].strip() or comment
        skipped += 1
    rest = [line for line in lines[skipped:] if not (comment and line[1].startswith("#"))]
    told = [line for line in rest if line[1].strip()]
    texts = [text for _, text in told]
    if not texts and not comment:
        return None
    _refuse_drawings(texts)
    delimiter = delimiter or _delimiter(told or [(0, comment)])
    rows = [row for row in rows_of(rest, delimiter) if row.cells]
    header = header_of(comment, rows, delimiter, names=choices.names, forced=choices.header)
    return Dialect(delimiter, _decimal(rows, choices), skipped, bool(comment), header)


def _refuse_drawings(rows: Sequence[str]) -> None:
    if rows and _DRAWN_LINE.fullmatch(rows[0]):
        raise BadRecord("it draws a table with lines: brilcalc writes CSV with --output-style csv")
    if len(rows) > 1 and "|" in rows[0] and _MARKDOWN_LINE.fullmatch(rows[1].strip()):
        raise BadRecord("it is a table in Markdown, which is for people")


def _delimiter(lines: Sequence[Line]) -> str:
    """The sign that cuts the first row, and gives the most other rows as many cells as it has."""
    rows = {sign: [_number_of_cells(row) for row in islice(rows_of(lines, sign), 50)] for sign in _DELIMITERS}
    known = [sign for sign in _DELIMITERS if rows[sign][0] > 1]
    if known:
        return max(known, key=lambda sign: (rows[sign].count(rows[sign][0]) / len(rows[sign]), len(rows[sign])))
    outside = [_QUOTED.sub("", text) for _, text in lines[:50]]
    words = {len(row.split()) for row in outside}
    if len(outside) > 1 and len(words) == 1 and words != {1} and any(map(is_number, " ".join(outside[1:]).split())):
        raise BadRecord("blanks stand between its cells: tr -s ' ' ',' < FILE puts commas there")
    return ","


def _number_of_cells(row: Row) -> int:
    return 0 if isinstance(row.cells, BadRecord) else len(row.cells)


def _decimal(rows: Sequence[Row], choices: Choices) -> bool | None:
    """Do numbers have a decimal comma?

    Raises:
        BadRecord: Some have a point or several commas, others a comma.
    """
    if choices.decimal:
        return choices.decimal == ","
    bare = [bare for row in rows if isinstance(row.cells, list) for _, bare in row.cells]
    with_comma = next((text for text in bare if has_decimal_comma(text)), None)
    with_point = next((text for text in bare if "." in text and is_number(text)), None)
    several = next((text for text in bare if is_list_of_numbers(text)), None)
    if with_comma and (with_point or several):
        both = f"{with_comma} and {with_point or several}"
        raise BadRecord(f"are its commas decimal commas, in {both}? --decimal , or --decimal . tells")
    return True if with_comma else False if with_point else None
