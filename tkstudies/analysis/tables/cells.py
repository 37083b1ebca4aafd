"""What a cell of a table holds: texts that stand for JSON, and words and numbers as other programs write them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tkstudies.jsonl import BadRecord, decode_value, encode

_JSON_BEGINS = ("[", "{", '"')
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"([+-]?)((?:0|[1-9][0-9]*)?)(?:\.([0-9]*))?((?:[eE][+-]?[0-9]+)?)")
_COMMA_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)?,[0-9]*(?:[eE][+-]?[0-9]+)?")
_NUMBERS = re.compile(r"[+-]?[0-9]+(?:,[+-]?[0-9]+){2,}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+Z?)?")
_WORDS: dict[str, Any] = {"true": True, "false": False}
_GERMAN_WORDS = {**_WORDS, "wahr": True, "falsch": False}
_MISSING = {
    *("NA", "N/A", "n/a", "<NA>", "#N/A", "#NV", "NaN", "nan", "NAN", "-nan", "-NaN", "NaT", "1.#QNAN", "-1.#IND"),
    *("NULL", "null", "None"),
}
_INFINITE = re.compile(r"[+-]?(?:inf|infinity|1\.#inf)|#div/0!|#num!|#zahl!", re.IGNORECASE)


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


def is_number(bare: str) -> bool:
    """Is it a number with a decimal point, as any program writes it?

    >>> [is_number(text) for text in ("12", "+3.5", ".5", "5.", "1e5", "0012", ".", "1,5")]
    [True, True, True, True, True, False, False, False]
    """
    match = _NUMBER.fullmatch(bare)
    return match is not None and bool(match[2] or match[3])


def has_decimal_comma(bare: str) -> bool:
    """Is it a number with a decimal comma?

    >>> [has_decimal_comma(text) for text in ("1,5", "-,5", "1.234,5", "1.5", "12", ",")]
    [True, True, True, False, False, False]
    """
    return _COMMA_NUMBER.fullmatch(bare) is not None and any(map(str.isdigit, bare))


def is_list_of_numbers(bare: str) -> bool:
    """Are there commas between several numbers, rather than within one?

    >>> is_list_of_numbers("1,2,3"), is_list_of_numbers("1,2")
    (True, False)
    """
    return _NUMBERS.fullmatch(bare) is not None


def is_data(bare: str) -> bool:
    """Is it a number, a boolean or a time, rather than the name of a column?"""
    return is_number(bare) or bare.lower() in _WORDS or _TIME.fullmatch(bare) is not None


def is_missing(bare: str) -> bool:
    """Is it a word by which programs mark a missing value?"""
    return bare in _MISSING


def is_infinite(bare: str) -> bool:
    """Is it infinity, or the error of a spreadsheet that divides by zero?"""
    return _INFINITE.fullmatch(bare) is not None


def bare_value(bare: str, *, comma: bool = False, german: bool = False) -> Any:
    """The value of a cell without quotes, which isn't empty.

    Args:
        comma: Numbers have a decimal comma.
        german: ``WAHR`` and ``FALSCH`` are booleans.

    >>> [bare_value(text) for text in ("+3.5", ".5", "TRUE", "NaN", "0012", "GOOD")]
    [3.5, 0.5, True, None, '0012', 'GOOD']
    >>> bare_value("1.234,5", comma=True)
    1234.5
    """
    if _JSON_NUMBER.fullmatch(bare):
        return _number(bare)
    word = (_GERMAN_WORDS if german else _WORDS).get(bare.lower())
    if word is not None:
        return word
    if bare in _MISSING or is_infinite(bare):
        return None
    if comma and has_decimal_comma(bare):
        bare = bare.replace(".", "").replace(",", ".")
    if is_number(bare):
        return _number(_as_json(bare))
    return from_readable(bare)


def _as_json(number: str) -> str:
    """A number as JSON spells it.

    >>> _as_json("+.5"), _as_json("5.e3"), _as_json("-7")
    ('0.5', '5.0e3', '-7')
    """
    match = _NUMBER.fullmatch(number)
    if match is None:
        return number
    sign, whole, fraction, exponent = match.groups()
    decimals = "" if fraction is None else f".{fraction or '0'}"
    return f"{sign.strip('+')}{whole or '0'}{decimals}{exponent}"


def _number(text: str) -> Any:
    try:
        return decode_value(text)
    except BadRecord:  # thousands of digits: they stay as they are
        return msgspec.Raw(text.encode())


def _from_json(text: str) -> Any:
    try:
        return decode_value(text)
    except BadRecord:
        return text
