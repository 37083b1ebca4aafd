"""The DQM GUI: histograms, folders, and the datasets that a run has.

Its answers call themselves HTML whatever they are, have status 200 whether or not anything was found, and
are not always JSON (see repair): everything is decided by content.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec

from tkstudies import jsonl
from tkstudies.services.dqm import datasets, repair, summaries
from tkstudies.services.dqm.lookup import SAMPLES, DatasetLookup
from tkstudies.services.web.answers import shaped
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.endpoints import DQM

_NOT_FOUND = "unsupported type"
_NEEDS_DECODING = re.compile(rb'"-?(?:nan|inf)"|\de\+?\d{3}', re.IGNORECASE)


class _Answer(msgspec.Struct):
    hist: msgspec.Raw


class _Folder(msgspec.Struct):
    contents: list[dict[str, Any]]


_decode_answer = msgspec.json.Decoder(_Answer).decode


class DqmGui:
    """A connection to the DQM GUI, offline and online; safe to share between threads, to be used in a ``with``.

    Args:
        workers: How many requests may be under way at once.
        primary_dataset: Look only for datasets of this primary dataset, not for those that the rules know.

    Attributes:
        lookup: Tells which datasets a run has.

    Raises:
        LoginError: There is no certificate that can be used.
    """

    def __init__(self, *, workers: int = 16, primary_dataset: str = ""):
        self._connection = Connection(DQM, workers=workers)
        self.lookup = DatasetLookup(self._connection, primary_dataset)

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
        return self._connection.request("GET", url, parse=repair.parser(histogram_json))

    def folder(self, run_number: int, dataset: str, path: str) -> list[dict[str, Any]]:
        """What a folder holds: ``{"subdir": name}`` or ``{"obj": name, ...}``, scalars with a ``value``.

        A folder that doesn't exist is empty.
        """
        return self._connection.request("GET", _folder_url(run_number, dataset, path), parse=repair.parser(_contents))

    def listing(self, run_number: int, dataset: str, path: str) -> list[summaries.Item]:
        """The same with what the server's index knows of each histogram."""
        url = _folder_url(run_number, dataset, path)
        return self._connection.request("GET", url, parse=repair.parser(summaries.read_listing))

    def run_is_complete(self, run_number: int, dataset: str) -> bool | None:
        """Has the harvesting of this dataset finished? None if the server doesn't say."""
        for item in self.folder(run_number, dataset, "Info/ProvInfo"):
            if item.get("obj") == "runIsComplete" and "value" in item:
                return str(item["value"]).strip() in ("1", "1.0", "true")
        return None


def probe(connection: Connection) -> None:
    """Does the DQM GUI take our certificate? Raises what is wrong."""
    nothing = {"match": "^/none$", "run": "^1$"}
    connection.get_json(SAMPLES, nothing, expect=lambda answer: answer["samples"])


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


def _contents(content: bytes) -> list[dict[str, Any]]:
    """What is in the folder; what comes before it (the streamers of ROOT) is not."""
    return [item for item in shaped(repair.loads(content), _Folder).contents if "subdir" in item or "obj" in item]


def _folder_url(run_number: int, dataset: str, path: str) -> str:
    return f"/{_gui_of(dataset)}/data/json/archive/{run_number}{quote(dataset)}/{quote(path.strip('/'))}"


def _gui_of(dataset: str) -> str:
    return "online" if dataset == datasets.ONLINE else "offline"
