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

In a table that another program has written, an unquoted cell that is neither number nor boolean is a text
(`cells`); how it is written otherwise is found out from its first lines (`dialect`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tkstudies.analysis.tables.cells import readable
from tkstudies.analysis.tables.header import is_plain_name
from tkstudies.jsonl import decode_value, encode

RawRecord = dict[str, msgspec.Raw]

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
MAY_HAVE_FORMULA = re.compile(rb'"[=+@\t\r-]').search
"""Perhaps a cell of a line begins like a formula: fast, and never wrong if it says no."""

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
    return ",".join(name if is_plain_name(name) else _quoted(name) for name in columns).encode()


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


def formulas(record: RawRecord) -> RawRecord:
    """The texts of a record that a spreadsheet takes for formulas, each with a ' before it.

    >>> formulas(RawRecords.decode(b'{"a":"=1+2","b":-2,"c":"a=1"}')).keys()
    dict_keys(['a'])
    """
    found: RawRecord = {}
    for column, value in record.items():
        raw = bytes(value)
        if raw[:1] == b'"' and str(decode_value(raw)).startswith(_FORMULA_BEGINS):
            found[column] = msgspec.Raw(encode("'" + decode_value(raw)))
    return found
