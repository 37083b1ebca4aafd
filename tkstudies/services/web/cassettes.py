"""Replay and record: a transport adapter that answers from cassettes, and one that writes them.

Cassettes have the format of vcrpy (JSON or YAML), so that its users can read them; vcrpy's own patching isn't safe
with threads, therefore nothing is patched here. Keys and recordings use the default base URLs of the services.
"""

from __future__ import annotations

import base64
import io
import os
import threading
import time
from collections import deque
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
import requests
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from tkstudies import jsonl
from tkstudies.errors import InputError, OutputError, ServiceError

_PER_FILE = 300
_KEPT_REQUEST_HEADERS = ("content-type",)
_KEPT_RESPONSE_HEADERS = ("content-type", "location", "retry-after")

Key = tuple[str, str, str]


def key(method: str, url: str, body: bytes | str | None) -> Key:
    """What makes two requests the same: method, URL with its query in a fixed order, body in a fixed form.

    >>> key("get", "https://host/a?b=2&a=1", None)
    ('GET', 'https://host/a?a=1&b=2', '')
    """
    parts = urlsplit(url)
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)), quote_via=quote)
    path = quote(parts.path, safe="/%:@!$&'()*,;=~+-._")
    return (
        method.upper(),
        urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, query, "")),
        _canonical_body(body),
    )


def _canonical_body(body: bytes | str | None) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    if text[:1] in "{[":
        try:
            return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
        except (msgspec.DecodeError, RecursionError):
            pass
    return text


class ReplayAdapter(BaseAdapter):
    """Answers from the cassettes of a folder, without any socket; safe with any number of threads.

    A request that was recorded several times gets its answers in turn, and the last one from then on.

    Args:
        folder: Its ``*.json``, ``*.yaml`` and ``*.yml`` files are read, sub-folders included.

    Raises:
        InputError: There is no cassette, or one can't be read.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder
        self._lock = threading.Lock()
        self._answers: dict[Key, deque[_Answer]] = {}
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".yaml", ".yml"))
        if not files:
            raise InputError(f"--replay: no cassettes (*.json, *.yaml) in {folder}")
        for file in files:
            for found, answer in _exchanges(file):
                self._answers.setdefault(found, deque()).append(answer)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        wanted = key(request.method or "GET", request.url or "", request.body)
        with self._lock:
            answers = self._answers.get(wanted)
            if not answers:
                body = f" with body {wanted[2][:200]}" if wanted[2] else ""
                raise ServiceError(
                    f"not in the cassettes of {self._folder}: {wanted[0]} {wanted[1]}{body} "
                    "(a recording answers exactly what was asked when it was made)"
                )
            answer = answers.popleft() if len(answers) > 1 else answers[0]
        return _response(request, answer)

    def close(self) -> None:
        pass


class _Request(msgspec.Struct):
    method: str
    uri: str
    body: Any = None


class _Status(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=100, le=999)]
    message: str | None = None


class _Answer(msgspec.Struct):
    status: _Status
    headers: dict[str, str | list[str] | None] | None = None
    body: Any = None


class _Exchange(msgspec.Struct):
    request: _Request
    response: _Answer


class _Cassette(msgspec.Struct):
    interactions: list[_Exchange]


def _exchanges(file: Path) -> list[tuple[Key, _Answer]]:
    """What was asked, and the answer with its body as bytes."""
    try:
        text = file.read_bytes()
        content = msgspec.json.decode(text) if file.suffix == ".json" else _yaml(text)
        found = []
        for exchange in jsonl.convert(content, _Cassette).interactions:
            asked, answer = exchange.request, exchange.response
            answer.body = _read_body(answer.body)
            found.append((key(asked.method, asked.uri, _read_body(asked.body)), answer))
        return found
    except OSError as error:
        raise InputError(f"--replay: {file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"--replay: {file} is not a cassette: expected interactions with request and response, as --record writes"
            f" ({error!s:.200})"
        ) from None


def _yaml(text: bytes) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _read_body(body: Any) -> bytes:
    """The contents of a cassette's body, in any of the forms that vcrpy has used.

    Raises:
        ValueError: It has none of them.
    """
    if isinstance(body, dict):
        if "base64_string" in body:
            packed = body["base64_string"]
            if not isinstance(packed, str | bytes):
                raise ValueError("a body that is no text")
            return base64.b64decode(packed)
        body = body.get("string")
    if isinstance(body, str):
        return body.encode("utf-8", "surrogateescape")
    if body is None or isinstance(body, bytes):
        return body or b""
    raise ValueError("a body that is no text")


def _response(request: requests.PreparedRequest, answer: _Answer) -> requests.Response:
    content = answer.body
    response = requests.Response()
    response.status_code = answer.status.code
    response.reason = answer.status.message or ""
    for name, values in (answer.headers or {}).items():
        if name.lower() not in ("content-encoding", "transfer-encoding", "content-length"):
            response.headers[name] = ((values or [""])[0] if isinstance(values, list) else values) or ""
    response.raw = HTTPResponse(io.BytesIO(content), preload_content=False)
    response._content = content
    response.url = request.url or ""
    response.request = request
    return response


class Recorder:
    """Collects exchanges and writes them as cassettes of some hundred each, one set of files per process.

    Only what a replay needs is kept: no credentials, no cookies.

    Args:
        folder: Made if it isn't there.
        command: Begins the names of the files.

    Raises:
        OutputError: Nothing can be written there.
    """

    def __init__(self, folder: Path, command: str):
        self._folder = folder
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._name = f"{command}-{stamp}-{os.getpid()}"
        self._lock = threading.Lock()
        self._exchanges: list[dict[str, Any]] = []
        self._files = 0
        try:  # told before anything is fetched
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OutputError(f"--record: {folder} can't be written: {error.strerror}") from None

    def add(self, request: requests.PreparedRequest, response: requests.Response, base: str, default: str) -> None:
        """Keep one exchange, with the service's ``default`` base URL wherever its ``base`` URL is."""
        url, body = request.url or "", request.body
        if not url.startswith(base):
            raise ValueError(f"{url} is not below {base}")
        exchange = {
            "request": {
                "method": request.method,
                "uri": default + url[len(base) :],
                "body": body.decode("utf-8", "replace") if isinstance(body, bytes) else body,
                "headers": _kept(request.headers, _KEPT_REQUEST_HEADERS),
            },
            "response": {
                "status": {"code": response.status_code, "message": response.reason or ""},
                "headers": _kept(response.headers, _KEPT_RESPONSE_HEADERS),
                "body": _written_body(response.content.replace(base.encode(), default.encode())),
            },
        }
        with self._lock:
            self._exchanges.append(exchange)
            if len(self._exchanges) >= _PER_FILE:
                self._write()

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            if self._exchanges:
                self._write()

    def _write(self) -> None:
        target = self._folder / f"{self._name}-{self._files:03d}.json"
        with jsonl.OutputFile(str(target)) as output, output.guarded():
            output.waits = False  # what was recorded stays, however the command ends
            output.stream.write(msgspec.json.encode({"version": 1, "interactions": self._exchanges}) + b"\n")
        self._files += 1
        self._exchanges = []


def _kept(headers: Any, names: tuple[str, ...]) -> dict[str, list[str]]:
    """The named headers. The location of a login page loses its query, which may hold the state of the session."""
    kept = {name: [headers[name]] for name in names if name in headers}
    if "location" in kept:
        kept["location"] = [kept["location"][0].partition("?")[0]]
    return kept


def _written_body(content: bytes) -> dict[str, str]:
    """The bytes of a body in the form that a cassette has them in: a text if they are UTF-8, else base64."""
    try:
        return {"string": content.decode()}
    except UnicodeDecodeError:
        return {"base64_string": base64.b64encode(content).decode()}
