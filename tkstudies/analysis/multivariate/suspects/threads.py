"""One thread for linear algebra: the same digits however many cores there are, and others keep theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread while this is open."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
