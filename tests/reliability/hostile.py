"""Hostile values, how they get into an answer, and what every command promises whatever it is given."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

SIZE = float(os.environ.get("TKSTUDIES_TEST_SIZE", "1"))
"""How many times more than usual is tried (see tests/README.md)."""

SECONDS = 10.0
ESCAPE = "\x1b]52;c;ZXZpbA==\x07\x9b\u202e"
RAW = "\0raw:"  # begins a text that stands in JSON as it is, without quotes
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -7,
    "fraction": 0.5,
    "huge": 10**30,
    "5,000 digits": RAW + "9" * 5000,
    "1e400": RAW + "1e400",
    "NaN": RAW + "NaN",
    "empty text": "",
    "text": "x",
    "number as text": "317291",
    "escapes": ESCAPE,
    "surrogate": RAW + '"\\ud800"',
    "line ends": "a\r\nb\n",
    "long text": "y" * 5000,
    "empty list": [],
    "empty object": {},
    "list": [1, "a", None],
    "list of lists": [[[]], [1]],
    "object": {"a": {"b": 1}},
    "900 deep": RAW + "[" * 900 + "]" * 900,
}
GONE = "\0gone"

Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where there is something in a value: of lists the first and the last member."""
    yield at
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths(member, (*at, key))
    elif isinstance(value, list):
        for place in sorted({0, len(value) - 1} if value else ()):
            yield from paths(value[place], (*at, place))


def mutated(text: bytes, path: Path, value: Any) -> bytes:
    """JSON with another value in one place, or without it."""
    content = json.loads(text)
    if not path:
        content = value
    else:
        parent = content
        for step in path[:-1]:
            parent = parent[step]
        if value is GONE or value == GONE:
            del parent[path[-1]]
        else:
            parent[path[-1]] = value
    encoded = json.dumps(content, ensure_ascii=False)
    return re.sub(r'"\\u0000raw:((?:[^"\\]|\\.)*)"', lambda m: json.loads(f'"{m[1]}"'), encoded).encode()


def check(run: Callable[[], Any], what: Any, codes: tuple[int, ...] = (0, 1, 3)) -> Any:
    """Run a command and see to it that it keeps its promises; the result."""
    start = time.monotonic()
    result = run()
    seconds = time.monotonic() - start
    told = f"{what}\n{result.stderr[-1500:]}"
    assert result.exit_code in codes, (result.exit_code, told)
    assert "internal error" not in result.stderr and "Traceback" not in result.stderr, told
    assert all(line.isprintable() for line in result.stderr.split("\n")), told
    assert result.exit_code != 1 or result.stderr.rstrip().split("\n")[-1].startswith("tkstudies: "), told
    assert seconds < SECONDS, (seconds, told)
    return result


def some(things: list[Any], number: int, seed: int = 12) -> list[Any]:
    """So many of them, times SIZE, the same each time."""
    number = min(len(things), max(1, round(number * SIZE)))
    return random.Random(seed).sample(things, number)
