"""Records as CSV, and back without loss.

Tables follow RFC 4180, with ``\\n`` as the line end. What a cell holds shows in its quotes:

==================  =======================================================================
cell                value
==================  =======================================================================
nothing             null (or a column that the record doesn't have)
``321012`` ``0.5``  a number, digit by digit as in the record
``true`` ``false``  a boolean
``"GOOD"`` ``""``   a text: texts are always quoted, also those that look like numbers
``"[1,""a""]"``     a list (or object) as JSON
``\"""[1]\"""``       a text that would be read as JSON, as a JSON string
==================  =======================================================================

In a table that another program has written, an unquoted cell that is neither number nor boolean is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tkstudies.jsonl import BadRecord, decode_value, encode
from tkstudies.records import Record

RawRecord = dict[str, msgspec.Raw]
Cell = tuple["str | None", str]  # what stands in quotes if there are any, and what stands without

BOM = b"\xef\xbb\xbf"

_JSON_BEGINS = ("[", "{", '"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|\Z)')
_PLAIN_NAME = re.compile(r'[^",\r\n\s](?:[^",\r\n]*[^",\r\n\s])?')

_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class RawRecords:
    """The form of records whose values stay encoded, digit by digit."""

    @staticmethod
    def decode(line: bytes) -> RawRecord:
        """The encoded values of one line by column.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError: The line isn't plain JSON.
        """
        line.decode()  # raw members aren't checked for UTF-8
        return _decode_raw(line)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> RawRecord:
        """The same of a decoded record."""
        return {column: msgspec.Raw(encode(value)) for column, value in record.items()}


# --- CSV


def csv_header(columns: Iterable[str]) -> bytes:
    """The first line of a table; only names that need quotes have them.

    >>> csv_header(["run_number", "a, b", ""])
    b'run_number,"a, b",""'
    """
    return ",".join(name if _PLAIN_NAME.fullmatch(name) else _quoted(name) for name in columns).encode()


def csv_line(columns: Iterable[str], record: RawRecord) -> bytes:
    """One record as a line of a table.

    >>> csv_line("abcd", RawRecords.decode(b'{"a":"1","b":1.50,"d":["x"]}'))
    b'"1",1.50,,"[""x""]"'
    """
    return b",".join([_cell(bytes(record[name])) if name in record else b"" for name in columns])


def _cell(raw: bytes) -> bytes:
    first = raw[:1]
    if first == b'"':
        if b"\\" not in raw and raw[1:2] not in (b"[", b"{"):
            return raw  # a JSON string without escapes is a quoted cell as it stands
        return _quoted(readable(decode_value(raw))).encode()
    if first in (b"[", b"{"):
        return b'"' + raw.replace(b'"', b'""') + b'"'
    return b"" if raw == b"null" else raw


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def readable(text: str) -> str:
    """A text as itself, or as a JSON string where `from_readable` would take it for JSON
    or UTF-8 can't write it.

    >>> readable("GOOD"), readable("[1]"), readable("[sic]")
    ('GOOD', '"[1]"', '[sic]')
    """
    ambiguous = text.startswith(_JSON_BEGINS) and is_json(text)
    return encode(text).decode() if ambiguous or not is_unicode(text) else text


def from_readable(text: str) -> Any:
    """What ``readable`` stands for, or a list or object given as JSON."""
    return _from_json(text) if text.startswith(_JSON_BEGINS) else text


def is_json(text: str) -> bool:
    """Does the text read as a JSON value?"""
    try:
        decode_value(text)
    except BadRecord:
        return False
    return True


def is_unicode(text: str) -> bool:
    """False for a text with half a surrogate pair, which UTF-8 can't hold."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _from_json(text: str) -> Any:
    try:
        return decode_value(text)
    except BadRecord:
        return text


def csv_records(lines: Iterable[bytes]) -> Iterator[tuple[int, Record | None]]:
    """Yield the records of a table, each with the number of its first line; None for a row that isn't one.

    A row goes on over line ends while a quote is open. Blank lines count only in a table of one column, where
    they are a null.

    Args:
        lines: The bytes of the file, line by line.

    Raises:
        BadRecord: The first row can't be a header.
    """
    rows = _csv_rows(lines)
    number, cells = next(rows, (0, []))
    if not number:
        return
    columns = _names(cells)
    for number, cells in rows:
        if cells == []:
            if len(columns) > 1:
                continue
            cells = [(None, "")] * len(columns)
        if cells is None or len(cells) != len(columns):
            yield number, None
        else:
            yield number, dict(zip(columns, map(_value, cells), strict=True))


def _names(cells: list[Cell] | None) -> list[str]:
    if cells is None:
        raise BadRecord("its first line is no header")
    names = [bare if quoted is None else quoted for quoted, bare in cells]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadRecord(f"its header repeats {', '.join(repeated)}")
    return names


def _csv_rows(lines: Iterable[bytes]) -> Iterator[tuple[int, list[Cell] | None]]:
    held: list[bytes] = []
    quotes = start = 0
    for number, line in enumerate(lines, start=1):
        start = start if held else number
        held.append(line.removeprefix(BOM) if number == 1 else line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield start, _cells(b"".join(held))
            held, quotes = [], 0
    if held:
        yield start, None


def _cells(row: bytes) -> list[Cell] | None:
    """The cells of a row; None if it isn't UTF-8, or has text beside a quoted cell."""
    try:
        text = row.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return None
    cells: list[Cell] = []
    position, separator = 0, "," if text else ""
    while separator:
        match = _CELL.match(text, position)
        if match is None:
            return None
        quoted, bare, separator = match.groups()
        cells.append((quoted and quoted.replace('""', '"'), bare))
        position = match.end()
    return cells


def _value(cell: Cell) -> Any:
    quoted, bare = cell
    if quoted is not None:
        return from_readable(quoted)
    if not bare:
        return None
    if bare.lower() in ("true", "false"):
        return bare.lower() == "true"
    return _from_json(bare) if _NUMBER.fullmatch(bare) else from_readable(bare)
