"""Work shared among the processor cores: each piece in a process of its own that ends with it.

For pieces of a second and more that write what they find to files opened beforehand: a forked process has its own
memory, and only a short result comes back.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

_MOST = 4  # processes: lxplus is shared


class WorkerFailed(Exception):
    """A forked process didn't finish its piece."""


def workers() -> int:
    """How many processes are worth starting, 1 where forking isn't safe beside the threads of libraries."""
    if sys.platform != "linux":
        return 1
    return min(_MOST, len(os.sched_getaffinity(0)))


def shared(pieces: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of all pieces: the first is done here, each other one in a forked process.

    Args:
        pieces: Their results are plain values: numbers, texts, bytes, lists of such.

    Raises:
        WorkerFailed: A forked process failed; it says nothing about why.
        Exception: What the first piece raises.
    """
    workers = [_Worker(piece) for piece in pieces[1:]]
    try:
        return [pieces[0](), *(worker.result() for worker in workers)]
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    def __init__(self, piece: Callable[[], Any]):
        reading, writing = os.pipe()
        with warnings.catch_warnings():  # of numpy's idle threads: the piece doesn't use them
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process: int | None = os.fork()
        if not self._process:
            os.close(reading)
            _work(piece, writing)
        os.close(writing)
        self._result = os.fdopen(reading, "rb")

    def result(self) -> Any:
        """What the piece gives, waited for."""
        result = self._result.read()
        if self._wait():
            raise WorkerFailed
        return msgspec.msgpack.decode(result)

    def end(self) -> None:
        """Leave no process behind."""
        self._result.close()
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        _, status = os.waitpid(self._process, 0)
        self._process = None
        return status


def _work(piece: Callable[[], Any], writing: int) -> None:
    """The life of a forked process; whatever goes wrong, only its status tells."""
    status = 1
    try:
        with os.fdopen(writing, "wb") as stream:
            stream.write(msgspec.msgpack.encode(piece()))
        status = 0
    finally:
        os._exit(status)
