"""One value to and from JSON: strict and fast where it is strict, lenient where other programs weren't."""

from __future__ import annotations

import math
import sys
import threading
from typing import Any, TypeVar

import msgspec

from tkstudies.console import clean
from tkstudies.records import Record

Shape = TypeVar("Shape")

_one_at_a_time = threading.Lock()
_decode_any = msgspec.json.Decoder().decode
_encode_any = msgspec.json.Encoder().encode


MOST_DIGITS = 100_000
"""Of an integer. Python's own limit keeps off texts whose conversion takes minutes; these take milliseconds."""

if 0 < getattr(sys, "get_int_max_str_digits", int)() < MOST_DIGITS:
    sys.set_int_max_str_digits(MOST_DIGITS)


class BadRecord(ValueError):
    """A line that isn't a JSON object."""


NOT_STRICT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRecord)
"""What a strict decoder raises for a line that a lenient one may still read."""


def convert(value: Any, shape: type[Shape]) -> Shape:
    """The value in a shape of msgspec, in whatever thread.

    msgspec 0.22 ends the process (SIGSEGV) when two threads use the same Struct for the first time.

    Raises:
        msgspec.ValidationError: It has another one.
    """
    with _one_at_a_time:
        return msgspec.convert(value, shape)


def decode(line: bytes | str) -> Record:
    """One record from one line; NaN and Infinity are accepted and become None.

    Integers stay integers, up to MOST_DIGITS.

    Raises:
        BadRecord: The line isn't one JSON object.
    """
    value = decode_value(line)
    if type(value) is not dict:
        raise BadRecord("not a JSON object")
    return value


def decode_strictly(line: bytes) -> Record:
    """One record from one line of strict JSON.

    Raises:
        BadRecord: The line isn't a JSON object.
        msgspec.DecodeError: It isn't strict JSON.
    """
    value = _decode_any(line)
    if type(value) is not dict:
        raise BadRecord("not a JSON object")
    return value


def decode_value(text: bytes | str) -> Any:
    """Any JSON value, otherwise as `decode`."""
    try:
        return _decode_any(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(text)


def _decode_leniently(text: bytes | str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRecord(str(error)) from None


def loads(text: bytes | str) -> Any:
    """What msgspec refuses but JSON writers produce: bare NaN and Infinity (as None), lone surrogates, 1e999.

    Raises:
        ValueError, RecursionError: It isn't JSON all the same, or nested too deeply.
    """
    import json

    return json.loads(text, parse_constant=_nothing, parse_float=_finite_float)


def _nothing(_: str) -> None:
    """What stands for NaN and Infinity."""


def _finite_float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def encode(value: Any) -> bytes:
    """A value as one line of JSON, without the line end; numbers that aren't finite become null."""
    try:
        return _encode_any(value)
    except UnicodeEncodeError:
        import json

        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            return json.dumps(finite(value), separators=(",", ":")).encode()


def finite(value: Any) -> Any:
    """The same value with None for every number that isn't finite.

    >>> finite({"a": [1, float("nan")], "b": float("inf")})
    {'a': [1, None], 'b': None}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, list):
        return [finite(member) for member in value]
    return value


def quoted(line: bytes, most: int = 80) -> str:
    """The beginning of a line, safe for a terminal.

    >>> quoted(b'{"run_number": \\x1b[31m')
    '{"run_number": \\\\x1b[31m'
    """
    text = line[: 4 * most].decode("utf-8", "backslashreplace")[:most]
    return clean(text) + ("..." if len(line) > most else "")
