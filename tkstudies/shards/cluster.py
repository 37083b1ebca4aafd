"""Dask: a cluster of this machine, or one whose scheduler is there already (HTCondor, SWAN, another machine).

Workers get the names of files and what is to be done, and open the files themselves: they and this process have to
see the same folders. Nothing else of this process goes to them, above all nothing of its environment.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from tkstudies import __version__, console
from tkstudies.errors import TkstudiesError, UsageError
from tkstudies.shards.jobs import AHEAD, Ears, Told, Workers, check_tries, remote
from tkstudies.shards.local import EXTRA, local_cluster, silence

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 600.0
"""Seconds to wait for the first worker: jobs may have to queue."""

_CONNECT = 20.0  # seconds for a scheduler to answer
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
_PIECE = 1.0
"""Seconds of work that are worth a trip through the scheduler (some 20 ms): small files go together."""


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
    if not find_spec("distributed"):
        raise UsageError(f"--jobs dask needs Dask (no module named distributed): {EXTRA}")
    if not address:
        with local_cluster() as (cluster, crew), _client(cluster) as client:
            yield _Dask(client, crew, "")
        return
    _check_address(address)
    silence()
    try:
        client = _client(address)
    except (OSError, ValueError, TimeoutError) as error:
        raise SchedulerGone(
            f"no Dask scheduler answers at {address}: {_first_line(error)} (is it running, and reachable from here?)"
        ) from None
    with client:
        _wait_for_workers(client, address)
        _compare_versions(client, address)
        yield _Dask(client, _Others(client, address), os.getcwd())


def _client(cluster: Any) -> Client:
    from distributed import Client

    return Client(cluster, timeout=_CONNECT, set_as_default=False)


class _Team(Protocol):
    """Those who do the work."""

    @property
    def number(self) -> int:
        """How many tasks they do at once."""

    def check(self) -> None:
        """Is there still somebody?

        Raises:
            TkstudiesError: Nobody.
        """


class _Others:
    """The workers of a cluster that was there before us."""

    def __init__(self, client: Client, address: str):
        self._client, self._address = client, address

    @property
    def number(self) -> int:
        self.check()
        return max(sum(self._client.nthreads().values()), 1)  # there may be more of them than before

    def check(self) -> None:
        if self._client.status != "running":
            raise SchedulerGone(
                f"the Dask scheduler {self._address} has gone away: start it again, and give the same command"
            )


class _Piece(NamedTuple):
    """Some items, one after the other, that a worker has or will have."""

    numbers: range
    future: Future


class _Several:
    """The task with some items: what it made of them, and the seconds it took.

    An item with which it fails is left for a piece that begins with it, whose own failure that is.
    """

    def __init__(self, work: Callable[[Any], Told]):
        self._work = work

    def __call__(self, items: Sequence[Any]) -> tuple[list[Told], float]:
        begin = perf_counter()
        done: list[Told] = []
        for item in items:
            try:
                done.append(self._work(item))
            except Exception:
                if not done:
                    raise
                break
        return done, perf_counter() - begin


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

    def __init__(self, client: Client, team: _Team, folder: str):
        self._client, self._team, self.folder = client, team, folder

    def map(self, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results, in the order of the items."""
        from distributed import KilledWorker

        ears = Ears()
        work = _Several(remote(task))
        name = f"tkstudies-{uuid4().hex[:12]}"  # a key that was used before would bring the result of then
        tries: Counter[int] = Counter()
        killed: Counter[int] = Counter()

        def given(numbers: range) -> _Piece:
            tries[numbers.start] += 1
            key = f"{name}-{numbers.start}-{tries[numbers.start]}"
            return _Piece(numbers, self._client.submit(work, items[numbers.start : numbers.stop], key=key, pure=False))

        pieces: deque[_Piece] = deque()
        begin, size = 0, 1
        try:
            while begin < len(items) or pieces:
                most = AHEAD * self._team.number
                while begin < len(items) and len(pieces) < most:
                    end = begin + max(1, min(size, (len(items) - begin) // most))
                    pieces.append(given(range(begin, min(end, len(items)))))
                    begin = pieces[-1].numbers.stop
                numbers, future = pieces.popleft()
                try:
                    done, seconds = self._result(future)
                except KilledWorker as error:
                    killed.update(dict.fromkeys(numbers, getattr(error, "allowed_failures", 0) + 1))
                    check_tries(killed, items)
                    pieces.extendleft(given(range(number, number + 1)) for number in reversed(numbers))
                    continue
                future.release()  # else it would be done again, over ours, when its worker is killed now
                if rest := numbers[len(done) :]:
                    pieces.appendleft(given(rest))
                size = round(_PIECE * len(done) / max(seconds, 1e-6))
                for told in done:
                    yield ears.result(told)
        finally:
            self._forget(pieces)

    def _result(self, future: Future) -> Any:
        from concurrent.futures import CancelledError

        from distributed import TimeoutError as NotYet
        from distributed.comm.core import CommClosedError

        try:
            while not future.done():
                with suppress(NotYet):
                    future.exception(timeout=1)
                self._team.check()
            return future.result()
        except (CancelledError, CommClosedError):
            self._team.check()
            raise SchedulerGone("the Dask scheduler has forgotten its work: give the same command again") from None

    def _forget(self, pieces: Iterable[_Piece]) -> None:
        """What isn't wanted any more needn't be done."""
        if pieces and self._client.status == "running":
            self._client.cancel([piece.future for piece in pieces], force=True)


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
