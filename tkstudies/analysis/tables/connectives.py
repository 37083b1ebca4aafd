"""Several conditions in one expression: where ``or`` stands between two of them, and what else people write there."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain, product
from math import prod

Clauses = list[list[str]]

CONNECTIVE = re.compile(r"\s+(or|and|\|{1,2}|&{1,2})\s+|\s*(\|\||&&)\s*", re.IGNORECASE)
_MEANINGS = {"|": "or", "||": "or", "&": "and", "&&": "and"}
_MOST_CLAUSES = 4


def in_text(text: str) -> str:
    """The first connective beside other words of a text, as it is written there; empty if there is none."""
    match = CONNECTIVE.search(f" {text} ")
    word = (match[1] or match[2]) if match else ""
    return "" if word == text else word


def split(text: str, is_condition: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The conditions of a text and the connectives between them, as they are written.

    A connective counts where a condition stands on both sides of it: elsewhere it is part of a text or a pattern.

    Returns:
        Nothing if the text isn't made of conditions.
    """
    found = [(match.start(), match.end(), match[1] or match[2]) for match in CONNECTIVE.finditer(text)]
    starts = [0, *[end for _, end, _ in found]]
    ends = [*[start for start, _, _ in found], len(text)]
    following: dict[int, int] = {}  # number of a start -> that of the end of the condition there; from the last back
    for first in reversed(range(len(starts))):
        for last in range(first, len(ends)):
            is_end = last + 1 == len(ends)
            if (is_end or last + 1 in following) and is_condition(text[starts[first] : ends[last]]):
                following[first] = last
                break
    conditions, connectives, first = [], [], 0
    while first in following:
        last = following[first]
        conditions.append(text[starts[first] : ends[last]].strip())
        connectives += [word for _, _, word in found[last : last + 1]]
        first = last + 1
    return conditions, connectives


def rewritten(text: str, is_condition: Callable[[str], bool]) -> list[str]:
    """Expressions that say the same without brackets, ``and``, ``&&`` and ``||``; none if they aren't few.

    >>> rewritten("(a = 1 || b = 2) && c = 3", lambda part: "=" in part and "(" not in part)
    ['a = 1 or b = 2', 'c = 3']
    """
    try:
        clauses = _clauses(text.strip(), is_condition)
    except (ValueError, RecursionError):
        return []
    return [" or ".join(alternatives) for alternatives in clauses] if len(clauses) <= _MOST_CLAUSES else []


def _clauses(text: str, is_condition: Callable[[str], bool]) -> Clauses:
    """The text as alternatives all of which must hold: ``and`` binds closer than ``or``, as everywhere."""
    for meaning in ("or", "and"):
        parts = _outside(text, meaning)
        if len(parts) > 1:
            inner = [_clauses(part, is_condition) for part in parts]
            if meaning == "and":
                return [clause for clauses in inner for clause in clauses]
            if prod(map(len, inner)) > _MOST_CLAUSES:
                raise ValueError
            return [list(dict.fromkeys(chain.from_iterable(clauses))) for clauses in product(*inner)]
    if text.startswith("(") and text.endswith(")"):
        return _clauses(text[1:-1].strip(), is_condition)
    if not is_condition(text):
        raise ValueError
    return [[text]]


def _outside(text: str, meaning: str) -> list[str]:
    """The parts between connectives of that meaning which stand in no brackets and no quotes."""
    parts, begin, position, depth, quote = [], 0, 0, 0, ""
    while position < len(text):
        character = text[position]
        match = None if quote or depth else CONNECTIVE.match(text, position)
        if match and _meaning(match[1] or match[2]) == meaning:
            parts.append(text[begin:position].strip())
            begin = position = match.end()
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return [*parts, text[begin:].strip()]


def _meaning(word: str) -> str:
    return _MEANINGS.get(word, word.lower())
