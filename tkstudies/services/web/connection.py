"""One HTTP layer for all clients: pooled connections, login, retries, replay and recording."""

from __future__ import annotations

import email.utils
import os
import random
import threading
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import ConnectTimeout, ProxyError
from urllib3.exceptions import NewConnectionError

from tkstudies import __version__, console, jsonl
from tkstudies.errors import LoginError, ServiceError, Unreachable, UsageError
from tkstudies.services.web import identity, login
from tkstudies.services.web.cassettes import Recorder, ReplayAdapter
from tkstudies.services.web.endpoints import SSO, Service
from tkstudies.services.web.identity import Identity
from tkstudies.settings import current

Result = TypeVar("Result")
Final = Callable[[requests.Response], str | None]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RETRIED = (429, 500, 502, 503, 504)
_MOST_TRIES = {"unreachable": 3, "login": 3, "token": 8, "old token": 100, "content": 5, "busy": 10}
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 30.0  # [s]
_TOKEN_KINDS = ("token", "old token")  # refused to us first, or to another thread before us
_LOGIN_WORDS = (b"login", b"sign in", b"log in", b"sso", b"openid")


class Unusable(Exception):
    """An answer that isn't what the service normally sends: worth another try."""


class _Failure(Exception):
    """One try that failed: how (a key of _MOST_TRIES), why, and how long the server wants us to wait."""

    def __init__(self, kind: str, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.kind, self.reason, self.wait = kind, reason, wait


class _TooSlow(Exception):
    """An answer of which there is no end."""


class Connection:
    """A pooled, logged-in, patient connection to one service; safe to share between threads.

    Args:
        service: Which one.
        workers: How many requests may be under way at once, and so the number of connections.
        cookies: A Netscape cookie file to log in with.
        patience: Seconds after which a request is given up, if other than usual for the service.

    Attributes:
        answered: Has the service said anything yet, be it that it doesn't want us?

    Raises:
        LoginError: Credentials that are named can't be used.
    """

    def __init__(
        self,
        service: Service,
        *,
        workers: int = 1,
        cookies: str | None = None,
        patience: float | None = None,
    ):
        self.service = service
        self.base = service.base_url()
        self.answered = False
        self._cookies_file = cookies
        self._live = current.replay is None
        self._patience = patience or _seconds("TKSTUDIES_PATIENCE", service.patience)
        read = _seconds("TKSTUDIES_TIMEOUT", 60.0)
        self._timeout = (
            (10.0, read) if patience is None else (min(10.0, patience), min(read, patience))
        )  # [s]
        self._session = requests.Session()
        self._session.trust_env = False  # read once here, not for every request
        self._session.headers = {
            "User-Agent": f"tkstudies/{__version__}",
            "Accept": "*/*",
            "Connection": "keep-alive",
        }
        self._recorder: Recorder | None = None
        self._tokens: login.Tokens | None = None
        if self._live:
            self._log_in(workers, cookies)
        else:
            self._session.mount("https://", _replay_adapter())
            self._session.mount("http://", _replay_adapter())

    def _log_in(self, workers: int, cookies: str | None) -> None:
        login.load_dotenv()
        parts = urlsplit(self.base)
        secure = parts.scheme == "https"
        private = secure or parts.hostname in _LOOPBACK
        if parts.hostname not in _LOOPBACK:
            self._session.proxies = requests.utils.get_environ_proxies(self.base)
        self._session.mount(f"{parts.scheme}://", _PooledAdapter(workers, secure))
        if cookies:
            self._session.cookies = login.cookies(cookies)
        elif self.service.certificate and secure:
            self._session.cert = login.require_certificate()
        elif self.service.audience and private:
            tokens = _tokens()
            self._tokens = tokens if tokens.available() else None
        if current.record:
            self._recorder = _recorder()
        self._cookies: CookieJar | None = self._session.cookies if cookies else None

    def identity(self) -> Identity | None:
        """Who we are to the service, None if nobody in particular (or when answers come from cassettes).

        Raises:
            LoginError: The credentials can't be used, or have expired.
        """
        if not self._live:
            return None
        if self._cookies is not None:
            return identity.of_cookies(self._cookies, urlsplit(self.base).hostname or "")
        if self._session.cert:
            return identity.of_certificate(self._session.cert)
        if self._tokens:
            self._tokens.get(self.service.audience)
            return identity.of_token(self._tokens.expires_in(self.service.audience))
        return None

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- requests

    def get_json(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        *,
        expect: Callable[[Any], Any] = lambda answer: answer,
        final: Final | None = None,
    ) -> Any:
        """What ``expect`` takes out of the JSON answer to a GET (see ``request``)."""
        return self.request("GET", path, params=params, parse=_json_for(expect), final=final)

    def post_json(
        self,
        path: str,
        payload: Any,
        *,
        expect: Callable[[Any], Any] = lambda answer: answer,
        final: Final | None = None,
    ) -> Any:
        """The same for a POST of JSON; only for requests that read (they may be repeated)."""
        body, parse = jsonl.encode(payload), _json_for(expect)
        return self.request(
            "POST", path, body=body, content_type="application/json", parse=parse, final=final
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        parse: Callable[[requests.Response], Result],
        final: Final | None = None,
    ) -> Result:
        """What ``parse`` makes of the answer, tried again while that can help.

        Args:
            path: Below the base URL, percent-encoded, with a slash in front.
            params: Query parameters, not yet encoded.
            parse: Turns an answer with status 200 into the result. It may raise Unusable, or what comes of an
                unexpected shape (KeyError, TypeError, ...): worth another try.
            final: The server's own words when an error status won't go away by trying again, else None.

        Raises:
            LoginError: A login page came instead, or the credentials were refused.
            Unreachable: Nobody listens there.
            ServiceError: No usable answer within the service's patience.
        """
        request = requests.PreparedRequest()
        headers = dict(self._session.headers)
        if content_type:
            headers["Content-Type"] = content_type
        request.prepare(method=method, url=self.base + path, headers=headers, params=params or {}, data=body)
        deadline = time.monotonic() + self._patience
        tries: dict[str, int] = {}
        while True:
            try:
                return self._try(request, parse, final)
            except _Failure as failure:
                tries[failure.kind] = tries.get(failure.kind, 0) + 1
                self._wait_or_give_up(request, failure, tries, deadline)

    def _try(self, request: requests.PreparedRequest, parse: Callable, final: Final | None) -> Any:
        token = self._tokens.get(self.service.audience) if self._tokens else ""
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        if self._live and self._cookies is not None:
            request.headers.pop("Cookie", None)
            request.prepare_cookies(self._cookies)
        response = self._send(request)
        status = response.status_code
        if status == 401 or _leads_to_login(response):
            kind = "login"
            if token:
                first = self._tokens.discard(self.service.audience, token)
                kind = "token" if first else "old token"
            raise _Failure(kind, _way_to_login(response))
        if status != 200:
            told = final(response) if final else None
            if told is not None:
                raise ServiceError(f"{self.service.title} refuses: {told} ({_shown(request.url)})")
            if status in _RETRIED:
                raise _Failure("busy", f"answers {status}{_reason(response)}", _retry_after(response))
            if status == 403:
                raise LoginError(
                    f"not allowed at {self.service.title}: 403 for {_shown(request.url)}. {self.service.advice}"
                )
            raise ServiceError(
                f"{self.service.title} answers {status}{_reason(response)} for {_shown(request.url)}"
            )
        try:
            if not response.content.strip():
                raise Unusable("sent an empty answer")
            return parse(response)
        except Unusable as error:
            raise _Failure("content", str(error)) from None
        except (LookupError, TypeError, AttributeError, ValueError):
            told = f"sent something of an unexpected shape: {jsonl.quoted(response.content)}"
            raise _Failure("content", told) from None

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        start = time.monotonic()
        try:
            response = self._session.send(request, timeout=self._timeout, allow_redirects=False, stream=True)
            self.answered = True
            _read_body(response, self._patience)
            _hide_credentials(request, response)
        except requests.exceptions.SSLError as error:
            self.answered = True
            raise self._no_secure_connection(request, error) from None
        except requests.exceptions.InvalidSchema:
            raise ServiceError("a SOCKS proxy needs PySocks: pip install 'tkstudies[socks]'") from None
        except _TooSlow:
            raise _Failure("content", f"was still sending after {self._patience:g} s") from None
        except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            raise _Failure("content", f"sent nothing for {self._timeout[1]:g} s") from None
        except requests.exceptions.ConnectionError as error:
            if _never_connected(error):
                raise _Failure("unreachable", f"can't be reached ({_cause(error)})") from None
            raise _Failure("busy", f"breaks off the connection ({_cause(error)})") from None
        except urllib3.exceptions.HTTPError as error:
            raise _Failure("busy", f"broke off in the middle of an answer ({_cause(error)})") from None
        except requests.exceptions.RequestException as error:
            raise ServiceError(f"{self.service.title}: {_cause(error)} ({_shown(request.url)})") from None
        if self._recorder:
            self._recorder.add(request, response, self.base, self.service.default)
        console.debug(
            f"{request.method} {request.url} -> {response.status_code}, "
            f"{len(response.content):,} bytes, {time.monotonic() - start:.3f} s"
        )
        return response

    def _no_secure_connection(self, request: requests.PreparedRequest, error: Exception) -> Exception:
        """A server that we don't trust, one that doesn't take our certificate, or one that broke off."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
            return ServiceError(
                f"{self.service.title}: no secure connection to {_shown(request.url)}: {_cause(error)}. "
                "If a proxy or tunnel signs with an authority of its own, name its bundle in REQUESTS_CA_BUNDLE"
            )
        kind = "login" if self._session.cert else "busy"
        return _Failure(kind, f"breaks off the secure connection ({_cause(error)})")

    def _wait_or_give_up(
        self, request: requests.PreparedRequest, failure: _Failure, tries: dict[str, int], deadline: float
    ) -> None:
        number = tries[failure.kind]
        growth = 0 if failure.kind in _TOKEN_KINDS else sum(tries.values()) - 1
        delay = min(_FIRST_DELAY * 2**growth, _LONGEST_DELAY) * random.uniform(0.5, 1.0)  # noqa: S311
        delay = max(delay, failure.wait)
        late = time.monotonic() + delay > deadline
        most = _MOST_TRIES[failure.kind]
        patient = failure.kind == "busy" and self._patience > 300
        if not self._live or late or (number >= most and not patient):
            raise self._final_error(request, failure, sum(tries.values()))
        console.debug(f"{self.service.title} {failure.reason}: trying again in {delay:.1f} s")
        if delay > 5:
            console.say(f"{self.service.title} {failure.reason}: trying again in {delay:.0f} s")
        time.sleep(delay)

    def _final_error(self, request: requests.PreparedRequest, failure: _Failure, tries: int) -> ServiceError:
        service, url = self.service, _shown(request.url)
        if failure.kind in ("login", *_TOKEN_KINDS):
            advice = service.advice
            if self._cookies_file:
                advice = f"the cookies of {self._cookies_file} are not accepted: they may have expired, make new ones"
            return LoginError(
                f"not logged in to {service.title}: {url} {failure.reason}. {advice}".rstrip(". ")
            )
        tried = f"given up after {console.counted(tries, 'try') if tries == 1 else f'{tries} tries'}"
        told = f"{service.title} {failure.reason}: {request.method} {url}, {tried}"
        if failure.kind == "unreachable":
            return Unreachable(f"{told}. {service.route}, or set {service.variable}")
        return ServiceError(told)


def _shown(url: str | None) -> str:
    """A URL for a message, not too long."""
    text = url or ""
    return text if len(text) <= 160 else text[:157] + "..."


def _seconds(variable: str, default: float) -> float:
    """A positive number of seconds from the environment."""
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError(f"{variable}={text}: expected a number of seconds above 0")
    return seconds


class _PooledAdapter(HTTPAdapter):
    """As many kept-alive connections as workers, trusting public authorities and CERN's."""

    def __init__(self, workers: int, secure: bool):
        self._context = login.trusted_authorities() if secure else None
        super().__init__(pool_connections=2, pool_maxsize=workers, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)


# --- what all connections of a process share

_shared: dict[Any, Any] = {}
_sharing = threading.Lock()


def _once(what: Any, make: Callable[[], Any]) -> Any:
    with _sharing:
        if what not in _shared:
            _shared[what] = make()
        return _shared[what]


def _replay_adapter() -> BaseAdapter:
    folder = current.replay
    return _once(("replay", folder), lambda: ReplayAdapter(folder))


def _recorder() -> Recorder:
    folder, command = current.record, current.command
    return _once(("record", folder), lambda: Recorder(folder, command))


def _tokens() -> login.Tokens:
    endpoint = SSO.base_url()
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ServiceError(f"{SSO.variable} must be https: a secret isn't sent in the clear")
    return _once(("tokens", endpoint, os.environ.get("SSO_CLIENT_ID")), lambda: login.Tokens(endpoint))


def finish() -> None:
    """End of a command: write what was recorded and forget what was shared."""
    with _sharing:
        shared = dict(_shared)
        _shared.clear()
    for thing in shared.values():
        if isinstance(thing, Recorder):
            thing.close()


# --- answers


def _read_body(response: requests.Response, seconds: float) -> None:
    """Take the body as it comes: one that drips in would otherwise keep us for ever, as each drop is in time."""
    if response._content is not False:
        return  # out of a cassette
    parts = []
    deadline = time.monotonic() + seconds
    response.raw.decode_content = True
    while part := response.raw.read1(1 << 16):
        parts.append(part)
        if time.monotonic() > deadline:
            response.close()
            raise _TooSlow
    response._content = b"".join(parts)
    response._content_consumed = True


def _hide_credentials(request: requests.PreparedRequest, response: requests.Response) -> None:
    """Take what we logged in with out of an answer that echoes it: answers are quoted and recorded."""
    cookies = request.headers.get("Cookie", "").split("; ")
    sent = [
        request.headers.get("Authorization", "").rpartition(" ")[2],
        *(c.partition("=")[2] for c in cookies),
    ]
    for secret in sent:
        if len(secret) > 7 and secret.encode() in response.content:
            response._content = response.content.replace(secret.encode(), b"***")


def parse_json(response: requests.Response) -> Any:
    """The JSON value of an answer; what isn't JSON is worth another try."""
    content = response.content
    try:
        return jsonl.decode_value(content)
    except jsonl.BadRecord:
        what = "HTML" if content.lstrip()[:1] == b"<" else "something that isn't JSON"
        raise Unusable(f"sent {what}: {jsonl.quoted(content)}") from None


def _json_for(expect: Callable[[Any], Result]) -> Callable[[requests.Response], Result]:
    return lambda response: expect(parse_json(response))


def list_of(kind: type[Result], value: Any) -> list[Result]:
    """The value of a member of an answer, if it is a list with members of this kind, else a TypeError.

    >>> list_of(dict, [{"a": 1}])
    [{'a': 1}]
    """
    if type(value) is list and all(type(member) is kind for member in value):
        return value
    raise TypeError(f"not a list of {kind.__name__}")


def _leads_to_login(response: requests.Response) -> bool:
    """Is this the login page, or the way to it, that a service sends when a session has expired?"""
    if response.status_code in (301, 302, 303, 307, 308):
        return True
    content = response.content
    if response.status_code != 200 or content.lstrip()[:1] != b"<":
        return False
    page = content[:20000].lower()
    return b"<form" in page and any(word in page for word in _LOGIN_WORDS)


def _way_to_login(response: requests.Response) -> str:
    if response.status_code == 401:
        return "is refused (401)"
    host = urlsplit(response.headers.get("Location", "")).hostname
    return f"redirects to {host}" if host else "answers with a login page"


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks us to wait [0, longest delay]."""
    value = response.headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(seconds, 0.0), 120.0)


def _reason(response: requests.Response) -> str:
    content = response.content.strip()
    if not content or content[:1] == b"<":
        return f" ({response.reason})" if response.reason else ""
    return f" ({jsonl.quoted(content, 200)})"


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, (ConnectTimeout, ProxyError)) or isinstance(reason, NewConnectionError)


def _cause(error: BaseException) -> str:
    """The innermost reason of a wrapped network error, in a few words."""
    seen: set[int] = set()
    inner: Any = error
    while id(inner) not in seen:
        seen.add(id(inner))
        following = getattr(inner, "reason", None) or next(
            (a for a in getattr(inner, "args", ()) if isinstance(a, BaseException)), None
        )
        if not isinstance(following, BaseException):
            break
        inner = following
    return str(getattr(inner, "strerror", None) or inner).split(": ")[-1].rstrip("'\")>")[:200]
