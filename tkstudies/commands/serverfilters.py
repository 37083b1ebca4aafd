"""``--filter`` of commands that ask a server: NAME__OP=VALUE, its own form, or an expression as those of ``filter``.

What a server can decide is sent to it; ``in``, ``~``, ``!~``, ``exists``, ``missing`` and ``or`` are decided here, on
the records that it sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tkstudies import console
from tkstudies.errors import UsageError
from tkstudies.records import Record

if TYPE_CHECKING:
    from tkstudies.analysis.tables.conditions import Conditions

Item = TypeVar("Item")

_OPERATORS = {"=": "eq", "!=": "ne", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_OWN_FORM = re.compile(r"[\w.-]+=(?!=).*", re.DOTALL)


class ServerFilters:
    """The conditions of ``--filter``.

    Args:
        texts: As they were given.

    Attributes:
        sent: Those for the server, as NAME__OP=VALUE.
        columns: The columns of those that are decided here.
        comes_in_parts: Do the records come by several calls? Then `tell` says at the end what there is to say.

    Raises:
        UsageError: One can't be understood.

    Example:
        >>> filters = ServerFilters(["strip = BAD", "energy__gte=6500", "reco in express,prompt"])
        >>> filters.sent, filters.columns
        (['strip__eq=BAD', 'energy__gte=6500'], ('reco',))
        >>> list(filters.kept([{"reco": "express"}, {"reco": "online"}]))
        [{'reco': 'express'}]
    """

    def __init__(self, texts: Iterable[str] | None):
        self.sent: list[str] = []
        here = []
        for text in texts or ():
            sent = _for_the_server(text)
            if sent is None:
                here.append(text)
            else:
                self.sent.append(sent)
        self._here = here
        self._conditions: Conditions | None = None
        self.columns: tuple[str, ...] = ()
        self.comes_in_parts = self._is_recalled = False
        self._seen = self._kept = 0
        self._met: dict[str, None] = {}
        if here:
            from tkstudies.analysis.tables.conditions import Conditions

            self._conditions = Conditions(here)
            self.columns = self._conditions.columns

    def kept(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those of a server's records that hold here too; says why if none does (see `comes_in_parts`)."""
        return self.kept_items(records, lambda record: record)

    def kept_items(self, items: Iterable[Item], record_of: Callable[[Item], Record]) -> Iterator[Item]:
        """The same of what has a record."""
        if self._conditions is None:
            yield from items
            return
        for item in items:
            record = record_of(item)
            self._seen += 1
            self._met.update(dict.fromkeys(record))
            if self._conditions.hold(record):
                self._kept += 1
                yield item
        if not self.comes_in_parts:
            self.tell()

    def recall(self, kept: int) -> None:
        """Take it that so many records of a part were kept that an earlier call has fetched."""
        self._kept += kept
        self._is_recalled = True

    def tell(self) -> None:
        """Say after all records which columns they didn't have, and why none was kept."""
        if self._conditions is None or self._is_recalled:
            return
        losses = console.Losses()
        self._conditions.check(self._met, losses)
        losses.tell()
        if self._seen and not self._kept:
            why = self._conditions.why_nothing(self._met)
            console.warn(f"--filter {' '.join(self._here)}: none of {console.counted(self._seen, 'record')}{why}")


def _for_the_server(text: str) -> str | None:
    """The condition in the server's form; None if it can't be."""
    from tkstudies.analysis.tables import expressions

    is_own = _OWN_FORM.fullmatch(text) is not None
    try:
        parsed = expressions.parse(text)
    except UsageError:
        if is_own:
            return text
        raise
    if isinstance(parsed, expressions.Either):
        return None
    if is_own:
        return text
    if parsed.operator not in _OPERATORS:
        return None
    return f"{parsed.column}__{_OPERATORS[parsed.operator]}={_as_text(parsed.value)}"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
