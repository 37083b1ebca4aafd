"""Reading and writing records: the one place that touches standard input, standard output and record files.

A stream of records is JSON Lines or one JSON array of objects, plain or gzip. Records come out as JSON Lines.
"""

from tkstudies.jsonl.codec import (
    NOT_STRICT,
    BadRecord,
    convert,
    decode,
    decode_strictly,
    decode_value,
    encode,
    finite,
    quoted,
)
from tkstudies.jsonl.folder import is_table
from tkstudies.jsonl.output import STDOUT, OutputFile, publish, together
from tkstudies.jsonl.reader import Form, Given, Reader, Records, WholeRecords, read, records_of
from tkstudies.jsonl.source import (
    STDIN,
    LimitedLines,
    is_utf16,
    opened,
    other_format,
    read_value,
    shown,
    size_of,
    value_in,
)
from tkstudies.jsonl.writer import Writer, write, write_lines
from tkstudies.records import Record

__all__ = [
    "NOT_STRICT",
    "STDIN",
    "STDOUT",
    "BadRecord",
    "Form",
    "Given",
    "LimitedLines",
    "OutputFile",
    "Reader",
    "Record",
    "Records",
    "WholeRecords",
    "Writer",
    "convert",
    "decode",
    "decode_strictly",
    "decode_value",
    "encode",
    "finite",
    "is_table",
    "is_utf16",
    "opened",
    "other_format",
    "publish",
    "quoted",
    "read",
    "read_value",
    "records_of",
    "shown",
    "size_of",
    "together",
    "value_in",
    "write",
    "write_lines",
]
