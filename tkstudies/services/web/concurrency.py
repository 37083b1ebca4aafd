"""Many calls at once, their results in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int = 4
) -> Iterator[tuple[Item, Result | Exception]]:
    """Yield (item, result) in the order of the items, with up to ``workers`` calls under way.

    An exception of a call is yielded as its result. At most ``ahead`` items per worker are taken in advance, so
    that memory doesn't grow with the number of items. When the iterator is closed no further call begins. The
    threads end with the process: Ctrl-C doesn't wait.
    """
    tasks: queue.SimpleQueue = queue.SimpleQueue()
    waiting: deque[_Slot] = deque()

    def work() -> None:
        while (slot := tasks.get()) is not None:
            try:
                slot.result = function(slot.item)
            except Exception as error:
                slot.result = error
            slot.done.set()

    threads: list[threading.Thread] = []
    try:
        for item in items:
            slot = _Slot(item)
            waiting.append(slot)
            tasks.put(slot)
            if len(threads) < workers and not _started(threads, work):
                workers = len(threads)  # as many as the system allows
            while waiting and (len(waiting) >= workers * ahead or waiting[0].done.is_set()):
                yield _finished(waiting.popleft())
        while waiting:
            yield _finished(waiting.popleft())
    finally:
        with suppress(queue.Empty):
            while True:
                tasks.get_nowait()
        for _ in threads:
            tasks.put(None)


def _started(threads: list[threading.Thread], work: Callable[[], None]) -> bool:
    """Start one more thread; False if the system allows no more than there are.

    Raises:
        RuntimeError: It allows none at all.
    """
    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        if not threads:
            raise
        return False
    threads.append(thread)
    return True


class _Slot:
    """An item, and its result once that is there."""

    __slots__ = ("done", "item", "result")

    def __init__(self, item: Any):
        self.item = item
        self.done = threading.Event()
        self.result: Any = None


def _finished(slot: _Slot) -> tuple[Any, Any]:
    """The item and its result, waited for."""
    slot.done.wait()
    return slot.item, slot.result
