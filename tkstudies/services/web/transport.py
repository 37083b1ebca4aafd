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
from contextlib import contextmanager
from math import inf
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers, get_environ_proxies

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


class _Response(requests.Response):
    def __init__(self) -> None:
        vars(self).update(_EMPTY, history=[])


_EMPTY = {name: value for name, value in vars(requests.Response()).items() if name != "cookies"}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests would look at the place, whatever it is, and read a body of any size."""
        return None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """The answer; without looking at hooks, redirects and cookies where there are none."""
        if not isinstance(self.cookies, _NoCookies):
            return super().send(request, **options)
        options.pop("allow_redirects", None)
        options = {"verify": self.verify, "cert": self.cert, "proxies": self.proxies, **options}
        return self.get_adapter(request.url or "").send(request, **options)


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
        if longest != (self._connection.gettimeout() or inf):  # setting it lets another thread in
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
        self._pools: dict[tuple[Any, ...], Any] = {}
        self._checked: dict[Any, tuple[Any, Any]] = {}
        super().__init__(pool_connections=2, pool_maxsize=workers, pool_block=True)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The response without its own jar of cookies, which nobody asks for and which stumbles over odd ones."""
        response = _Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.url = req.url or ""
        response.raw, response.request, response.connection = resp, req, self
        return response

    # What follows is the same for all requests of a session, and requests finds it out anew for each.

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """The pool of connections to the host of a request."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        key = (*_host_and_target(request)[0], verify, cert)
        pool = self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            self._pools[key] = pool
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Let the connections of a pool check the server's certificate, and show ours."""
        if self._checked.get(conn) != (verify, cert):
            super().cert_verify(conn, url, verify, cert)
            self._checked[conn] = verify, cert

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """What is written behind GET."""
        return super().request_url(request, proxies) if proxies else _host_and_target(request)[1]

    def close(self) -> None:
        """Give the connections back."""
        self._pools.clear()
        self._checked.clear()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager = _timed(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        return _timed(manager) if is_new else manager


def _host_and_target(request: requests.PreparedRequest) -> tuple[tuple[str, str], str]:
    """Scheme and host of a request, and the path with the query.

    >>> _host_and_target(requests.Request("GET", "https://host:1/a/b?c=d").prepare())
    (('https:', 'host:1'), '/a/b?c=d')
    """
    scheme, _, host, target = (request.url or "").partition("#")[0].split("/", 3)
    return (scheme, host), "/" + target
