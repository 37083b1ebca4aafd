"""Dask: a cluster of this machine, or one whose scheduler is there already (HTCondor, SWAN, another machine).

Workers get the names of files and what is to be done, and open the files themselves: they and this process have to
see the same folders. Nothing else of this process goes to them, above all nothing of its environment.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from tkstudies import __version__, console
from tkstudies.errors import TkstudiesError, UsageError
from tkstudies.shards.jobs import AHEAD, Ears, Workers, check_tries, remote

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 600.0
"""Seconds to wait for the first worker: jobs may have to queue."""

_CONNECT = 20.0  # seconds for a scheduler to answer
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
_EXTRA = "pip install 'tkstudies[dask]'"


class SchedulerGone(TkstudiesError):
    """A scheduler that can't be reached, or no longer."""


@contextmanager
def dask_workers(address: str = "") -> Iterator[Workers]:
    """The workers of the cluster at an address, or of one that is started here and ends with us.

    Raises:
        UsageError: Dask isn't installed, or there can't be a scheduler at the address, or not without certificates.
        SchedulerGone: There is no scheduler at the address.
        TkstudiesError: Its workers can't do our work.
    """
    try:
        import distributed
    except ImportError as error:
        raise UsageError(f"--jobs dask needs Dask ({error}): {_EXTRA}") from None
    _silence()
    with ExitStack() as stack:
        if address:
            _check_address(address)
            cluster: Any = address
        else:
            cluster = stack.enter_context(_local())
        try:
            client = stack.enter_context(distributed.Client(cluster, timeout=_CONNECT, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise SchedulerGone(
                f"no Dask scheduler answers at {address}: {_first_line(error)} "
                "(is it running, and reachable from here?)"
            ) from None
        if address:
            _wait_for_workers(client, address)
            _compare_versions(client, address)
        yield _Dask(client, address)


def _check_address(address: str) -> None:
    """Refuse what is no address, and an encrypted one for which Dask's own configuration has no certificates.

    Dask itself would find out too late: a client that it can't make takes 40 s to end.
    """
    import dask
    from distributed.comm import get_address_host_port
    from distributed.security import Security

    try:
        get_address_host_port(address)
    except ValueError:
        raise UsageError(f"--jobs dask:{address}: expected dask:tcp://HOST:PORT, or tls://HOST:PORT") from None
    if not address.startswith(("tls:", "wss:")) or dask.config.get("distributed.client.security-loader", None):
        return
    try:
        why = "" if Security().get_connection_args("client").get("ssl_context") else "none are named"
    except (OSError, ValueError) as error:
        why = _first_line(error)
    if why:
        raise UsageError(
            f"{address} takes certificates only ({why}): name their files in {_TLS}CA_FILE, {_TLS}CLIENT__CERT and "
            f"{_TLS}CLIENT__KEY, or in distributed.yaml of Dask"
        )


class _Dask:
    shares_memory = False

    def __init__(self, client: Client, address: str):
        self._client, self._address = client, address
        self.folder = os.getcwd() if address else ""

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results, in the order of the items."""
        from distributed import KilledWorker

        ears = Ears()
        work = remote(task)
        under_way: dict[int, Future] = {}
        killed: Counter[int] = Counter()
        name = f"tkstudies-{uuid4().hex[:12]}"  # a key that was used before would bring the result of then
        try:
            for number in range(len(items)):
                told = None
                while told is None:
                    for ahead in range(number, min(number + AHEAD * self._slots(), len(items))):
                        if ahead not in under_way:
                            key = f"{name}-{ahead}-{killed[ahead]}"
                            under_way[ahead] = self._client.submit(work, items[ahead], key=key, pure=False)
                    try:
                        told = self._result(under_way[number])
                    except KilledWorker as error:
                        killed[number] += getattr(error, "allowed_failures", 0) + 1
                        check_tries(killed, items)
                        del under_way[number]
                del under_way[number]
                yield ears.result(told)
        finally:
            self._forget(under_way)

    def _slots(self) -> int:
        """How many tasks the workers do at once; there may be more of them than before."""
        self._check_scheduler()
        return max(sum(self._client.nthreads().values()), 1)

    def _result(self, future: Future) -> Any:
        from concurrent.futures import CancelledError

        from distributed.comm.core import CommClosedError

        try:
            return future.result()
        except (CancelledError, CommClosedError):
            raise SchedulerGone(self._gone()) from None

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise SchedulerGone(self._gone())

    def _gone(self) -> str:
        return f"the Dask scheduler {self._address} has gone away: start it again, and give the same command"

    def _forget(self, under_way: dict[int, Future]) -> None:
        """What isn't wanted any more needn't be done."""
        if under_way and self._client.status == "running":
            self._client.cancel(list(under_way.values()), force=True)


@contextmanager
def _local() -> Iterator[Any]:
    """A cluster of this machine: a process for each core, which nobody else on the machine can talk to."""
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    try:
        security = Security.temporary()
    except ImportError as error:
        raise UsageError(
            f"--jobs dask needs cryptography, as others may be on this machine ({error}): {_EXTRA}"
        ) from None
    dask.config.set({"distributed.scheduler.allowed-failures": 0})  # we count them, over each item
    with LocalCluster(
        n_workers=_cores(),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        security=security,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _silence() -> None:
    """What Dask says to programmers isn't for users: what goes wrong is told by us."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio", "bokeh"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _wait_for_workers(client: Client, address: str) -> None:
    if not client.nthreads():
        console.say(f"waiting for workers of {address} (at most {PATIENCE / 60:.0f} minutes)")
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise SchedulerGone(
            f"the Dask scheduler {address} has no workers: start some, or look at their queue"
        ) from None


def versions() -> dict[str, str]:
    """What decides whether two machines come to the same bytes."""
    import msgspec
    import numpy

    python = ".".join(map(str, sys.version_info[:2]))
    return {"tkstudies": __version__, "python": python, "numpy": numpy.__version__, "msgspec": msgspec.__version__}


def _compare_versions(client: Client, address: str) -> None:
    """Tell where workers differ from this process.

    Raises:
        TkstudiesError: They have no tkstudies, or another version of it.
    """
    try:
        theirs = client.run(versions)
    except Exception as error:  # whatever a worker raises: mostly that there is no tkstudies
        raise TkstudiesError(
            f"the workers of {address} can't work for tkstudies ({_first_line(error)}): "
            f"install tkstudies {__version__} where they run"
        ) from None
    ours = versions()
    for package, version in ours.items():
        others = sorted({found[package] for found in theirs.values()} - {version})
        if others and package == "tkstudies":
            raise TkstudiesError(
                f"workers of {address} have tkstudies {', '.join(others)}, here it is {version}: install the same"
            )
        if others:
            console.warn(f"workers of {address} have {package} {', '.join(others)}, here it is {version}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
