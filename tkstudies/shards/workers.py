"""Who does the work on many files: this process, several of them, or a Dask cluster. No other place knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from tkstudies.errors import UsageError
from tkstudies.shards.jobs import Workers

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_JOBS = 256


def workers(jobs: str = "1") -> AbstractContextManager[Workers]:
    """The workers that ``--jobs`` names: ``N`` processes, ``dask`` (a cluster on this machine), ``dask:ADDRESS``.

    Raises:
        UsageError: It names something else.
    """
    word = jobs.strip()
    kind, _, address = word.partition(":")
    if kind.lower() == "dask":
        from tkstudies.shards.cluster import dask_workers

        return dask_workers(address)
    if not re.fullmatch(r"[0-9]+", word, re.ASCII) or not 1 <= int(word) <= MOST_JOBS:
        raise UsageError(
            f"--jobs {jobs!r}: expected a number of processes (1 to {MOST_JOBS}), dask, or dask:ADDRESS of a scheduler"
        )
    if int(word) == 1:
        return _one()
    from tkstudies.shards.processes import Processes

    return Processes(int(word))


@contextmanager
def _one() -> Iterator[Workers]:
    yield _Here()


class _Here:
    """This process."""

    shares_memory = True
    folder = ""

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return map(task, items)
