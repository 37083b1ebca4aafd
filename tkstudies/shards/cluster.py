"""Dask: a cluster of this machine, or one whose scheduler is there already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tkstudies.errors import UsageError
from tkstudies.shards.jobs import Workers


@contextmanager
def dask_workers(address: str) -> Iterator[Workers]:
    """The workers of a cluster."""
    raise UsageError(f"--jobs dask:{address}: isn't built yet")
    yield
