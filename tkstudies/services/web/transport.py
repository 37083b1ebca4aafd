"""Below all requests: pooled sessions, and the time that a whole answer may take.

The timeout of requests holds for each piece of an answer: headers that come letter by letter, or ``100 Continue``
again and again, would never end. So what http.client reads goes through a reader that sets the socket's timeout to
what is left.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.utils import get_environ_proxies

from tkstudies import __version__
from tkstudies.services.web import login

LOOPBACK = ("localhost", "127.0.0.1", "::1")

_budget = threading.local()


class TooSlow(Exception):
    """An answer of which there is no end."""


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """No answer in here is read beyond that time (of time.monotonic).

    Raises:
        TooSlow: One is still coming then.
    """
    before = getattr(_budget, "deadline", inf)
    _budget.deadline = deadline
    try:
        yield
    finally:
        _budget.deadline = before  # a token is fetched within a request


class _NoCookies(RequestsCookieJar):
    """Whoever logs in without cookies needs none of an answer."""

    def extract_cookies(self, *_: Any) -> None:
        pass


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests would look at the place, whatever it is, and read a body of any size."""
        return None


def session(base: str, workers: int = 1, replay: BaseAdapter | None = None) -> requests.Session:
    """A session for the URLs below ``base``: what the environment says of proxies, but no netrc and no redirects.

    Args:
        replay: Answers instead of any server.

    Raises:
        ServiceError: The authorities that the environment names can't be used.
    """
    made = _Session()
    made.trust_env = False  # read once here, not for every request
    agent = f"tkstudies/{__version__}"
    made.headers = {"User-Agent": agent, "Accept": "*/*", "Connection": "keep-alive"}
    made.cookies = _NoCookies()
    if replay:
        made.mount("https://", replay)
        made.mount("http://", replay)
        return made
    parts = urlsplit(base)
    if parts.hostname not in LOOPBACK:
        made.proxies = get_environ_proxies(base)
    made.mount(f"{parts.scheme}://", _PooledAdapter(workers, parts.scheme == "https"))
    return made


class _Reader(io.RawIOBase):
    """The bytes of a socket, up to the deadline of the thread that began to read them."""

    def __init__(self, connection: socket.socket, below: io.RawIOBase):
        self._connection, self._below = connection, below
        self._silence = connection.gettimeout() or inf  # [s] that may pass without a byte
        self._has_begun = False
        self._deadline = getattr(_budget, "deadline", inf)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        longest = min(self._silence, left)
        self._connection.settimeout(None if longest == inf else longest)
        try:
            count = self._below.readinto(buffer)
        except TimeoutError:
            if self._has_begun and left < self._silence:
                raise TooSlow from None
            raise
        self._has_begun = True
        return count

    def close(self) -> None:
        self._below.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any):
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Reader(sock, self.fp.detach()))


def _timed(manager: Any) -> Any:
    """A pool manager whose connections read by _TimedResponse, whatever kind they are."""
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _timed_connection(pool.ConnectionCls)})
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager


def _timed_connection(connection: type) -> type:
    return type(connection.__name__, (connection,), {"response_class": _TimedResponse})


class _PooledAdapter(HTTPAdapter):
    """As many kept-alive connections as workers, trusting public authorities and CERN's."""

    def __init__(self, workers: int, secure: bool):
        self._context = login.trusted_authorities() if secure else None
        super().__init__(pool_connections=2, pool_maxsize=workers, pool_block=True)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The response without its own jar of cookies, which nobody asks for and which stumbles over odd ones."""
        original = resp._original_response
        with suppress(AttributeError):  # of vcrpy, whose responses are made up
            resp._original_response = None
        try:
            return super().build_response(req, resp)
        finally:
            with suppress(AttributeError):
                resp._original_response = original

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager = _timed(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        return _timed(manager) if is_new else manager
