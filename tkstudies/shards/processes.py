"""Processes of this machine that work on the files of a table."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any, TypeVar

from tkstudies import console
from tkstudies.shards.jobs import AHEAD, Ears, check_tries, remote

Item = TypeVar("Item")
Result = TypeVar("Result")


class Processes:
    """A pool of processes; one that is killed is replaced, and its item tried again.

    They are started anew rather than forked: a fork of a process with threads may hang.
    """

    shares_memory = False
    folder = ""

    def __init__(self, number: int):
        self._number = number
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results, in the order of the items."""
        ears = Ears()
        work = remote(task)
        under_way: dict[int, Future[Any]] = {}
        killed: Counter[int] = Counter()
        for number in range(len(items)):
            told = None
            while told is None:
                try:
                    for ahead in range(number, min(number + AHEAD * self._number, len(items))):
                        if ahead not in under_way:
                            with deaf():
                                under_way[ahead] = self._started().submit(work, items[ahead])
                    told = under_way[number].result()
                except BrokenProcessPool:
                    self._end()
                    lost = [ahead for ahead, future in under_way.items() if not _is_done(future)]
                    killed.update(lost)
                    check_tries(killed, items)
                    console.debug(f"a worker was killed: {console.counted(len(lost), 'item')} tried again")
                    under_way = {ahead: future for ahead, future in under_way.items() if ahead not in lost}
            del under_way[number]
            yield ears.result(told)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._number, mp_context=context, initializer=begin)
        return self._pool

    def _end(self) -> None:
        """Stop the workers, whatever they are at: unfinished files never count."""
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _is_done(future: Future[Any]) -> bool:
    """Has it a result, or an error of its own?"""
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


@contextmanager
def deaf() -> Iterator[None]:
    """Processes that are started now don't hear Ctrl-C, not even before they can say so themselves."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    _start_tracker()
    resource_tracker.ensure_running()  # it would lift the mask when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def _start_tracker() -> None:
    """Start the process that clears up behind us; it stays when the terminal is closed, until we are gone."""
    hangup = getattr(signal, "SIGHUP", None)
    before = signal.getsignal(hangup) if hangup and threading.current_thread() is threading.main_thread() else None
    if before is None or hangup is None:
        return
    signal.signal(hangup, signal.SIG_IGN)
    try:
        resource_tracker.ensure_running()
    finally:
        signal.signal(hangup, before)


def begin(folder: str = "") -> None:
    """What a worker does first: Ctrl-C is the parent's to answer, and a worker whose parent is gone stops.

    Args:
        folder: What the parent would have removed in the end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_stop_with, args=(parent.sentinel, folder), daemon=True).start()


def _stop_with(sentinel: int, folder: str) -> None:
    wait([sentinel])
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
