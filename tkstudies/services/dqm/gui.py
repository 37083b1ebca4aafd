"""The DQM GUI: histograms, folders, and the datasets that a run has.

Its answers call themselves HTML whatever they are, have status 200 whether or not anything was found, and
are not always JSON (see repair): everything is decided by content.
"""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError
from tkstudies.records import whole
from tkstudies.services.dqm import datasets, repair, summaries
from tkstudies.services.web.answers import Unusable, odd, shaped
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.endpoints import DQM
from tkstudies.settings import current

_SAMPLES = "/offline/data/json/samples"
BLOCK = 50
"""Run numbers per look-up of datasets; blocks are fixed: a part of the runs asks what all of them asked."""

_NOT_FOUND = "unsupported type"
_NEEDS_DECODING = re.compile(rb'"-?(?:nan|inf)"|\de\+?\d{3}', re.IGNORECASE)
_SESSION = re.compile(r"session/(\w+)'")

Datasets = dict[int, tuple[str, ...]]


class _Answer(msgspec.Struct):
    hist: msgspec.Raw


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


class _Folder(msgspec.Struct):
    contents: list[dict[str, Any]]


_decode_answer = msgspec.json.Decoder(_Answer).decode


class DqmGui:
    """A connection to the DQM GUI, offline and online; safe to share between threads, to be used in a ``with``.

    Args:
        workers: How many requests may be under way at once.
        primary_dataset: Ask only for datasets of this primary dataset, not for those that the rules know.

    Raises:
        LoginError: There is no certificate that can be used.
    """

    def __init__(self, *, workers: int = 16, primary_dataset: str = ""):
        self._connection = Connection(DQM, workers=workers)
        self._match = datasets.match_expression(primary_dataset)
        self._blocks: dict[tuple[int, str], _MadeOnce] = {}
        self._lock = threading.Lock()
        self._session = _WebSession(self._connection)
        self._uses_session = False

    def __enter__(self) -> DqmGui:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def histogram(self, run_number: int, dataset: str, path: str) -> bytes | None:
        """The histogram as one line of JSON, or None when the run doesn't have it.

        Raises:
            LoginError: The certificate isn't accepted.
            ServiceError: The server can't be used, or its answer can't be read.
        """
        url = f"/{_gui_of(dataset)}/jsonfairy/archive/{run_number}{quote(dataset)}{quote(path)}"
        return self._connection.request("GET", url, parse=_parser(histogram_json))

    def folder(self, run_number: int, dataset: str, path: str) -> list[dict[str, Any]]:
        """What a folder holds: ``{"subdir": name}`` or ``{"obj": name, ...}``, scalars with a ``value``.

        A folder that doesn't exist is empty.
        """
        return self._connection.request("GET", _folder_url(run_number, dataset, path), parse=_parser(_contents))

    def listing(self, run_number: int, dataset: str, path: str) -> list[summaries.Item]:
        """The same with what the server's index knows of each histogram."""
        url = _folder_url(run_number, dataset, path)
        return self._connection.request("GET", url, parse=_parser(summaries.read_listing))

    def run_is_complete(self, run_number: int, dataset: str) -> bool | None:
        """Has the harvesting of this dataset finished? None if the server doesn't say."""
        for item in self.folder(run_number, dataset, "Info/ProvInfo"):
            if item.get("obj") == "runIsComplete" and "value" in item:
                return str(item["value"]).strip() in ("1", "1.0", "true")
        return None

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
        return self._connection.request("GET", _SAMPLES, params=parameters, parse=_parser(_samples))


def probe(connection: Connection) -> None:
    """Does the DQM GUI take our certificate? Raises what is wrong."""
    nothing = {"match": "^/none$", "run": "^1$"}
    connection.get_json(_SAMPLES, nothing, expect=lambda answer: answer["samples"])


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
        """The datasets of one run."""
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


def histogram_json(content: bytes) -> bytes | None:
    """The histogram of a jsonfairy answer as one line of JSON, or None when there is none.

    The server's own text is handed on where it is valid: decoding and encoding it costs ten times more.

    Raises:
        repair.Unreadable: Not a histogram, even with the known repairs.

    Example:
        >>> histogram_json(b'{"hist": {"type": "TH1", "bins": {"content": [1, nan]}}}')
        b'{"type":"TH1","bins":{"content":[1,null]}}'
    """
    if not _NEEDS_DECODING.search(content):
        try:
            raw = bytes(_decode_answer(content).hist)
            if raw[:1] == b"{" and (raw.isascii() or raw.decode()):
                return raw.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in raw or b"\r" in raw else raw
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # repaired below, or reported there
    hist = repair.loads(content).get("hist")
    if hist == _NOT_FOUND:
        return None
    if not isinstance(hist, dict):
        raise repair.Unreadable(f"no histogram: {jsonl.quoted(content)}")
    return jsonl.encode(repair.without_texts_for_numbers(hist))


def _parser(read: Callable[[bytes], Any]) -> Callable[[requests.Response], Any]:
    """``read`` for the body of a response; an answer that it can't read is worth another try."""

    def parse(response: requests.Response) -> Any:
        try:
            return read(response.content)
        except repair.Unreadable as error:
            raise Unusable(f"sent something unreadable: {error}") from None

    return parse


def _contents(content: bytes) -> list[dict[str, Any]]:
    """What is in the folder; what comes before it (the streamers of ROOT) is not."""
    return [item for item in shaped(repair.loads(content), _Folder).contents if "subdir" in item or "obj" in item]


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


def _folder_url(run_number: int, dataset: str, path: str) -> str:
    return f"/{_gui_of(dataset)}/data/json/archive/{run_number}{quote(dataset)}/{quote(path.strip('/'))}"


def _gui_of(dataset: str) -> str:
    return "online" if dataset == datasets.ONLINE else "offline"
