"""Objects as PostgreSQL's jsonb keeps them: keys by length, then by bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

NESTED = (dict, list)


def jsonb(value: Any) -> Any:
    """``value`` with the keys of all its objects in that order."""
    if isinstance(value, dict):
        return {key: jsonb(item) if isinstance(item := value[key], NESTED) else item for key in in_order(tuple(value))}
    if isinstance(value, list):
        return [jsonb(item) if isinstance(item, NESTED) else item for item in value]
    return value


@lru_cache(maxsize=10_000)
def in_order(keys: tuple[str, ...]) -> list[str]:
    """The keys in order; a year is made of few kinds of objects."""
    return sorted(keys, key=lambda key: (len(key.encode()), key))
