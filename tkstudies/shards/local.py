"""A Dask cluster of this machine, that ends with us: the scheduler is in this process, and each core has a worker.

Workers are our own processes rather than those of Dask's nannies: they begin to import Dask, which takes longest,
before this process does, and they needn't be asked to close.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, NamedTuple

from tkstudies.errors import TkstudiesError, UsageError
from tkstudies.shards.processes import begin, deaf

if TYPE_CHECKING:
    from distributed.security import Security

EXTRA = "pip install 'tkstudies[dask]'"

_HERE = "127.0.0.1"
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # we count them, over each item
    # who looks at nothing needn't gather anything to look at
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.active-memory-manager.start": False,
}


class _Meeting(NamedTuple):
    """Where workers go."""

    address: str
    security: Security


class Crew:
    """The processes that work; one that is killed is replaced.

    Args:
        folder: For what they write; it goes with them.

    Attributes:
        number: How many there are, one for each core.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._context = multiprocessing.get_context("spawn")
        self._meeting: _Meeting | None = None
        self._lock = threading.Lock()
        self._told: dict[BaseProcess, Connection] = {}
        for _ in range(self.number):
            self._start()
        self._end, self._at_end = self._context.Pipe(duplex=False)
        self._watch = threading.Thread(target=self._replace, daemon=True)
        self._watch.start()

    def check(self) -> None:
        """Is anybody left? Who can't even begin isn't replaced.

        Raises:
            TkstudiesError: Nobody.
        """
        with self._lock:  # not between the last that is gone and the one in its place
            is_left = bool(self._told)
        if not is_left:
            raise TkstudiesError("Dask can't start workers on this machine: take --jobs N, plain processes")

    def meet(self, meeting: _Meeting) -> None:
        """Let the workers join a scheduler."""
        with self._lock:
            self._meeting = meeting
            for told in self._told.values():
                _tell(told, meeting)

    def end(self) -> None:
        """Stop them, whatever they are at: what is wanted of them is here."""
        self._at_end.close()
        self._watch.join()
        for process in self._told:
            process.kill()
        for process in self._told:
            process.join()

    def _start(self) -> None:
        listening, told = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(self._folder, listening), daemon=True)
        with deaf():
            process.start()
        listening.close()
        if self._meeting:
            _tell(told, self._meeting)
        self._told[process] = told

    def _replace(self) -> None:
        """Look after the workers until the end."""
        while self._end not in (gone := wait([self._end, *(process.sentinel for process in self._told)])):
            for process in [process for process in self._told if process.sentinel in gone]:
                process.join()
                with self._lock:
                    self._told.pop(process).close()
                    if (process.exitcode or 0) <= 0:
                        self._start()


def _tell(told: Connection, meeting: _Meeting) -> None:
    with suppress(OSError):  # it may be dead already, and is replaced then
        told.send(meeting)


@contextmanager
def local_cluster() -> Iterator[tuple[Any, Crew]]:
    """A cluster of this machine, which nobody else on the machine can talk to, and those who work for it.

    Raises:
        UsageError: Dask isn't installed, or can't keep strangers out.
    """
    with tempfile.TemporaryDirectory(prefix="tkstudies-dask-", ignore_cleanup_errors=True) as folder:
        crew = Crew(folder)
        try:
            with _scheduler(folder) as (cluster, meeting):
                crew.meet(meeting)
                try:
                    yield cluster, crew
                finally:
                    crew.end()  # before the scheduler, which would ask them to close
        finally:
            crew.end()


@contextmanager
def _scheduler(folder: str) -> Iterator[tuple[Any, _Meeting]]:
    import dask
    from distributed import Scheduler
    from distributed.deploy.spec import SpecCluster
    from distributed.security import Security

    try:
        security = Security.temporary()
    except ImportError as error:
        raise UsageError(
            f"--jobs dask needs cryptography, as others may be on this machine ({error}): {EXTRA}"
        ) from None
    silence()
    options = {
        "host": _HERE,
        "protocol": "tls://",
        "security": security,
        "dashboard": False,
        "dashboard_address": f"{_HERE}:0",
    }
    with (
        dask.config.set({**_CONFIG, "temporary-directory": folder}),
        SpecCluster(scheduler={"cls": Scheduler, "options": options}, security=security) as cluster,
    ):
        yield cluster, _Meeting(cluster.scheduler_address, security)


def silence() -> None:
    """What Dask says to programmers isn't for users: what goes wrong is told by us."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio", "bokeh"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _work(folder: str, listening: Connection) -> None:
    """What a worker does, until it is killed."""
    begin(folder)
    try:
        import dask
        from distributed import Worker

        meeting = listening.recv()
    except (ImportError, EOFError):  # the parent will find that out, too
        sys.exit(1)
    silence()

    async def work() -> None:
        options = {"security": meeting.security, "host": _HERE, "memory_limit": 0, "dashboard_address": f"{_HERE}:0"}
        async with Worker(meeting.address, nthreads=1, **options) as worker:
            await worker.finished()

    with dask.config.set({**_CONFIG, "temporary-directory": folder}):
        asyncio.run(work())
