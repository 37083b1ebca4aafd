"""The JSON of the DQM GUI, which is put together by hand on the server and is not always JSON.

Strict parsing comes first; then exactly the forms that the server is known to send are mended:

- ``nan``, ``inf`` and ``-inf`` without quotes become null;
- ``"error":"NaN}``, which lacks its closing quote, becomes null as well;
- a double quote inside a text was an apostrophe (the server turns every one into it), and becomes one again.

Anything else stays an error: a guess would be worse than a gap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import requests

from tkstudies import jsonl
from tkstudies.services.web.answers import Unusable

_STRING_OR_WORD = re.compile(r'"|(?<![\w.])-?(?:nan|inf|infinity)(?![\w.])', re.IGNORECASE)
_UNCLOSED = re.compile(r'"-?(?:nan|inf)(?=\})', re.IGNORECASE)
_STRING_END = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPED_OR_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_BEHIND_VALUE = re.compile(r'\s*(?:[\]}]\s*(?:[,\]}]|\Z)|,\s*(?:"\w{1,40}"\s*:|\{))')
_NOT_FINITE = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
_TEXTS = frozenset(("title", "name", "type", "labels", "errorStyle"))


class Unreadable(ValueError):
    """An answer that isn't a JSON object, and none of the known forms either."""


def parser(read: Callable[[bytes], Any]) -> Callable[[requests.Response], Any]:
    """``read`` for the body of a response; what it can't read is Unusable: worth another try."""

    def parse(response: requests.Response) -> Any:
        try:
            return read(response.content)
        except Unreadable as error:
            raise Unusable(f"sent something unreadable: {error}") from None

    return parse


def loads(content: bytes) -> dict[str, Any]:
    """The object that an answer of the server means.

    Valid JSON is taken as it is. Takes time linear in the length of the answer.

    Raises:
        Unreadable: It isn't an object, and the known repairs don't make it one.

    Example:
        >>> loads(b'{"rms": {"value": "NaN","error":"NaN}, "content": [1, nan, -inf], "title": "run"s end"}')
        {'rms': {'value': 'NaN', 'error': None}, 'content': [1, None, None], 'title': "run's end"}
    """
    try:
        value = jsonl.decode_value(content)
    except jsonl.BadRecord:
        value = _repaired(content)
    if type(value) is not dict:
        raise Unreadable(f"not a JSON object: {jsonl.quoted(content)}")
    return value


def _repaired(content: bytes) -> Any:
    try:
        return jsonl.decode_value(_repair(content.decode()))
    except UnicodeDecodeError:
        raise Unreadable(f"not UTF-8: {jsonl.quoted(content)}") from None
    except jsonl.BadRecord as error:
        raise Unreadable(f"not JSON ({error}): {jsonl.quoted(content)}") from None


def _repair(text: str) -> str:
    """The text with the known forms mended; strings that need no repair stay as they are."""
    pieces: list[str] = []
    at = 0
    while found := _STRING_OR_WORD.search(text, at):
        start = found.start()
        pieces.append(text[at:start])
        if found.group() != '"':
            pieces.append("null")
            at = found.end()
        elif unclosed := _follows(pieces, "error") and _UNCLOSED.match(text, start):
            pieces.append("null")
            at = unclosed.end()
        else:
            at = _end_of_string(text, start + 1, is_value=_is_value(pieces))
            inner = text[start + 1 : at - 1]
            pieces += ('"', _ESCAPED_OR_QUOTE.sub(_apostrophe, inner), '"')
    pieces.append(text[at:])
    return "".join(pieces)


def _is_value(pieces: list[str]) -> bool:
    return pieces[-1].rstrip().endswith(":")


def _follows(pieces: list[str], key: str) -> bool:
    """Is what comes next the value of this key?"""
    return _is_value(pieces) and pieces[-4:-1] == ['"', key, '"']


def _end_of_string(text: str, start: int, is_value: bool) -> int:
    """The end of a string that begins at ``start``; a value ends at the first quote that JSON follows."""
    at = start
    while end := _STRING_END.match(text, at):
        at = end.end()
        if not is_value or _BEHIND_VALUE.match(text, at):
            return at
    raise jsonl.BadRecord("a string that doesn't end")


def _apostrophe(found: re.Match[str]) -> str:
    return "'" if found.group() == '"' else found.group()


def without_texts_for_numbers(value: Any) -> Any:
    """The same histogram with None where the server wrote ``"nan"``, ``"inf"`` or ``"-inf"`` for a number.

    Titles, names and labels stay, whatever they say.

    Example:
        >>> without_texts_for_numbers({"title": "nan", "stats": {"mean": "NaN"}, "content": ["inf", 1]})
        {'title': 'nan', 'stats': {'mean': None}, 'content': [None, 1]}
    """
    if isinstance(value, dict):
        return {key: member if key in _TEXTS else without_texts_for_numbers(member) for key, member in value.items()}
    if isinstance(value, list):
        return [without_texts_for_numbers(member) for member in value]
    if isinstance(value, str):
        return None if _NOT_FINITE.fullmatch(value) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
