"""Which offline datasets a run has: by the server's index for blocks of runs, or by a session of the web page."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import requests

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError
from tkstudies.records import whole
from tkstudies.services.dqm import datasets, repair
from tkstudies.services.web.answers import Unusable, odd, shaped
from tkstudies.services.web.connection import Connection
from tkstudies.settings import current

SAMPLES = "/offline/data/json/samples"
BLOCK = 50
"""Run numbers per look-up of datasets; blocks are fixed: a part of the runs asks what all of them asked."""

_SESSION = re.compile(r"session/(\w+)'")

Datasets = dict[int, tuple[str, ...]]


class _SampleItem(msgspec.Struct):
    type: str
    run: str | int
    dataset: str


class _SampleGroup(msgspec.Struct):
    items: list[_SampleItem]
    type: str = ""


class _Samples(msgspec.Struct):
    samples: list[_SampleGroup]


class _SessionGroups(msgspec.Struct):
    items: list[_SampleGroup]


class DatasetLookup:
    """Looks up the datasets of runs; safe to share between threads.

    Args:
        connection: To the DQM GUI.
        primary_dataset: Ask only for datasets of this primary dataset, not for those that the rules know.
    """

    def __init__(self, connection: Connection, primary_dataset: str = ""):
        self._connection = connection
        self._match = datasets.match_expression(primary_dataset)
        self._blocks: dict[tuple[int, str], _MadeOnce] = {}
        self._lock = threading.Lock()
        self._session = _WebSession(connection)
        self._uses_session = False

    def datasets(self, run_number: int) -> tuple[str, ...]:
        """The offline datasets of a run, as far as the rules know their primary datasets.

        They are looked up for a block of run numbers at once, or run by run in a browser session when the
        server doesn't offer that.
        """
        if not self._uses_session:
            try:
                return self._block(run_number // BLOCK, self._match).get(run_number, ())
            except LoginError:
                raise
            except ServiceError as error:
                return self._ask_session(run_number, error)
        return self._session.datasets(run_number)

    def all_datasets(self, run_number: int) -> tuple[str, ...]:
        """All offline datasets of a run that have histograms, for runs that have none of the usual ones.

        A recording that wasn't asked for them has none.
        """
        if self._uses_session:
            return self._session.datasets(run_number)
        try:
            return self._block(run_number // BLOCK, datasets.ANY).get(run_number, ())
        except ServiceError:
            if current.replay is None:
                raise
            return ()

    def forget_failures(self) -> None:
        """Look up again what could not be looked up."""
        with self._lock:
            self._blocks = {key: block for key, block in self._blocks.items() if not block.has_failed}

    def _ask_session(self, run_number: int, error: ServiceError) -> tuple[str, ...]:
        try:
            found = self._session.datasets(run_number)
        except ServiceError:
            raise error from None
        with self._lock:
            if not self._uses_session:
                self._uses_session = True
                console.warn(f"datasets are looked up run by run, which is slow: {error}")
        return found

    def _block(self, number: int, match: str) -> Datasets:
        with self._lock:
            block = self._blocks.setdefault((number, match), _MadeOnce(lambda: self._look_up(number, match)))
        return block.get()

    def _look_up(self, number: int, match: str) -> Datasets:
        runs = "|".join(str(run) for run in range(number * BLOCK, (number + 1) * BLOCK))
        parameters = {"match": match, "run": f"^({runs})$"}
        return self._connection.request("GET", SAMPLES, params=parameters, parse=repair.parser(_samples))


class _MadeOnce:
    """A value that one thread makes and the others wait for; a failure to make it is the same for all."""

    def __init__(self, make: Callable[[], Any]):
        self._make = make
        self._lock = threading.Lock()
        self._done = False
        self._value: Any = None
        self._error: ServiceError | None = None

    @property
    def has_failed(self) -> bool:
        """Was it tried, in vain?"""
        return self._error is not None

    def get(self) -> Any:
        """The value.

        Raises:
            ServiceError: It could not be made.
        """
        with self._lock:
            if not self._done:
                try:
                    self._value = self._make()
                except ServiceError as error:
                    self._error = error
                self._done = True
        if self._error:
            raise self._error
        return self._value


class _WebSession:
    """A session of the web page, which shows the datasets of one run at a time: slow.

    A session must have been at ``chooseSample`` before ``modify`` works, and ends after 15 idle minutes.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._lock = threading.Lock()
        self._name = ""
        self._no_start: ServiceError | None = None

    def datasets(self, run_number: int) -> tuple[str, ...]:
        """The datasets of one run.

        Raises:
            ServiceError: There is no session to be had, or its answers can't be read.
        """
        with self._lock:
            found = self._modify(run_number) if self._name else None
            if found is None:
                self._start()
                found = self._modify(run_number)
            if found is None:
                raise ServiceError("the DQM GUI ends its sessions at once")
            return found.get(run_number, ())

    def _start(self) -> None:
        """Begin a session; where that failed once, it isn't tried again for every run."""
        if self._no_start:
            raise self._no_start
        try:
            self._name = self._connection.request("GET", "/offline/", parse=_session_name)
            self._get("chooseSample?vary=run;order=dataset")
        except ServiceError as error:
            self._no_start = error
            raise

    def _modify(self, run_number: int) -> Datasets | None:
        return self._get(f"modify?vary=any;pat={run_number}")

    def _get(self, action: str) -> Datasets | None:
        """The datasets in an answer of the session, None if the session has ended."""
        return self._connection.request("GET", f"/offline/session/{self._name}/{action}", parse=_session_datasets)


# --- answers


def _samples(content: bytes) -> Datasets:
    groups = shaped(repair.loads(content), _Samples).samples
    return _by_run(item for group in groups for item in group.items)


def _by_run(items: Iterable[_SampleItem]) -> Datasets:
    found: dict[int, dict[str, None]] = {}
    for item in items:
        if item.type == "offline_data":
            run = whole(item.run)
            if run is None:
                raise odd("$.samples[...].items[...].run", f"expected a run number, got {item.run!r:.40}")
            found.setdefault(run, {})[item.dataset] = None
    return {run: tuple(datasets) for run, datasets in found.items()}


def _session_name(response: requests.Response) -> str:
    found = _SESSION.search(response.text)
    if not found:
        raise Unusable(f"started no session: {jsonl.quoted(response.content)}")
    return found.group(1)


def _session_datasets(response: requests.Response) -> Datasets | None:
    """The datasets in an answer of a session, None if the session has ended.

    The answer is JavaScript such as ``([{...}, {'items': [{'type': 'offline_data', ...}]}])``.
    """
    if response.content.lstrip()[:1] == b"<":
        return None
    try:
        answer = ast.literal_eval(response.text.strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise Unusable(f"sent something unreadable: {jsonl.quoted(response.content)}") from None
    groups = shaped(answer, tuple[Any, _SessionGroups])[1].items
    return _by_run(item for group in groups if group.type == "offline_data" for item in group.items)
