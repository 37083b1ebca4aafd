"""Which runs go into a file together, and what the file is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tkstudies.errors import UsageError

RUNS_PER_FILE = 50

_DIGITS = 6  # of run numbers today: with zeros in front, names sort as numbers
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([kMGT]?)(i?)B?", re.ASCII | re.IGNORECASE)


class Group(NamedTuple):
    """The runs of a file.

    Attributes:
        name: Of the file. numbers: The runs, in order.
    """

    name: str
    numbers: list[int]


def by_number(numbers: Iterable[int], most: int = RUNS_PER_FILE) -> list[Group]:
    """So many runs in each group; numbers that come behind all others change the last one only.

    >>> by_number([7, 5, 9], 2)
    [Group(name='000005-000007.jsonl', numbers=[5, 7]), Group(name='000009.jsonl', numbers=[9])]
    """
    ordered = sorted(set(numbers))
    return _named([ordered[first : first + most] for first in range(0, len(ordered), most)])


def by_size(sizes: Mapping[int, int], most: int) -> list[Group]:
    """As many runs in each group as have so many bytes; a larger one is alone.

    Args:
        sizes: Of each run [bytes].

    >>> [group.numbers for group in by_size({1: 40, 2: 50, 3: 20, 4: 500}, 100)]
    [[1, 2], [3], [4]]
    """
    parts: list[list[int]] = []
    filled = 0
    for number in sorted(sizes):
        if not parts or filled + sizes[number] > most:
            parts.append([])
            filled = 0
        parts[-1].append(number)
        filled += sizes[number]
    return _named(parts)


def _named(parts: list[list[int]]) -> list[Group]:
    digits = max([_DIGITS, *(len(str(part[-1])) for part in parts)])
    ends = [dict.fromkeys((part[0], part[-1])) for part in parts]
    names = ["-".join(f"{number:0{digits}d}" for number in pair) for pair in ends]
    return [Group(f"{name}.jsonl", part) for name, part in zip(names, parts, strict=True)]


def size_in_bytes(text: str) -> int:
    """What ``100MB`` means.

    Raises:
        UsageError: It has another form.

    >>> size_in_bytes("100MB"), size_in_bytes("1.5 GB"), size_in_bytes("64KiB"), size_in_bytes("2000")
    (100000000, 1500000000, 65536, 2000)
    """
    found = _SIZE.fullmatch(text.strip())
    size = 0.0
    if found:
        number, prefix, binary = found.groups()
        size = float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
    if not 1 <= size < 1e15:
        raise UsageError(f"--size {text!r}: expected a size such as 100MB or 1.5GB")
    return int(size)
