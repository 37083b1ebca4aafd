"""One HTTP connection for all clients: pooled, logged in, patient, replayed and recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cached_property
from http.cookiejar import CookieJar
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests import PreparedRequest, Response

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError, Unreachable
from tkstudies.services.web import answers, identity, login, retries, secrecy, shared, transport
from tkstudies.services.web.cassettes import Recorder
from tkstudies.services.web.endpoints import Service
from tkstudies.services.web.identity import Identity
from tkstudies.services.web.retries import Failure, Retries, Tries, cause_of, never_connected
from tkstudies.services.web.tokens import Tokens
from tkstudies.settings import current, positive

Result = TypeVar("Result")
Parser = Callable[[Response], Result]
Refusal = Callable[[Response], str | None]

_PLAIN_PATH = re.compile(r"(?!.*/\.)(?:[\w~./-]|%[0-9A-F]{2})+", re.ASCII)
"""A path as quote writes it, without dots to be resolved: requests would leave it as it is."""

_RETRIED = (429, 500, 502, 503, 504)


class Connection:
    """A connection to one service, which logs in and tries again; safe to share between threads.

    Args:
        service: Which one.
        workers: How many requests may be under way at once, and so the number of connections.
        cookies: A Netscape cookie file to log in with.
        patience: Seconds after which a request is given up, by default those of the service.
        policy: When a failed request is tried again, by default retries.USUAL.

    Attributes:
        answered: Has the service answered at all, even if only that it refuses us?

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
        policy: Retries | None = None,
    ):
        self.service = service
        self.base = service.base_url()
        self.answered = False
        self._cookies_file = cookies
        self._cookies: CookieJar | None = None
        self._is_live = current.replay is None
        self._policy = policy or retries.USUAL
        self._patience = patience or positive("TKSTUDIES_PATIENCE", service.patience, "seconds")
        read = positive("TKSTUDIES_TIMEOUT", 60.0, "seconds")
        longest = patience or float("inf")
        self._timeout = (min(10.0, longest), min(read, longest))  # [s] to connect, and of silence
        replay = shared.replay_adapter(current.replay) if current.replay else None
        self._session = transport.session(self.base, workers, replay)
        self._recorder: Recorder | None = None
        self._tokens: Tokens | None = None
        if self._is_live:
            self._log_in(cookies)

    def _log_in(self, cookies: str | None) -> None:
        shared.made_once("dotenv", login.load_dotenv)
        parts = urlsplit(self.base)
        secure = parts.scheme == "https"
        private = secure or parts.hostname in transport.LOOPBACK
        if cookies:
            self._cookies = login.cookies(cookies)
            # requests takes any CookieJar, and adds the cookies of answers to it; its stubs know only its own
            self._session.cookies = self._cookies  # type: ignore[assignment]
        elif self.service.certificate and secure:
            self._session.cert = login.require_certificate()
        elif self.service.audience and private:
            self._tokens = shared.tokens_for(self.service)
        if current.record:
            self._recorder = shared.recorder(current.record)

    def identity(self) -> Identity | None:
        """Who we are to the service, None if nobody in particular (or when answers come from cassettes).

        Raises:
            LoginError: The credentials can't be used, or have expired.
        """
        if self._cookies is not None:
            return identity.of_cookies(self._cookies, urlsplit(self.base).hostname or "")
        if self._session.cert:
            return identity.of_certificate(self._session.cert)
        if self._tokens:
            return self._tokens.get().identity
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
        refusal: Refusal | None = None,
    ) -> Any:
        """What ``expect`` takes out of the JSON answer to a GET (see ``request``)."""
        return self.request("GET", path, params=params, parse=answers.json_parser(expect), refusal=refusal)

    def post_json(
        self,
        path: str,
        payload: Any,
        *,
        expect: Callable[[Any], Any] = lambda answer: answer,
        refusal: Refusal | None = None,
    ) -> Any:
        """The same for a POST of JSON; only for requests that read (they may be repeated)."""
        body, parse, kind = jsonl.encode(payload), answers.json_parser(expect), "application/json"
        return self.request("POST", path, body=body, content_type=kind, parse=parse, refusal=refusal)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        parse: Parser[Result],
        refusal: Refusal | None = None,
    ) -> Result:
        """What ``parse`` makes of the answer; the request is sent again while that can help.

        Args:
            path: Below the base URL, percent-encoded, with a slash in front.
            params: Query parameters, not yet encoded.
            parse: Turns an answer with status 200 into the result. When it raises answers.Unusable, or what an
                unexpected shape leads to (KeyError, TypeError, ...), the request is sent again.
            refusal: Gives the server's own words when an answer with another status is final, else None.

        Raises:
            LoginError: A login page came instead, or the credentials were refused.
            Unreachable: Nobody listens there.
            ServiceError: No usable answer within the service's patience.
        """
        request = self._prepared(method, path, params, body, content_type)
        tries = Tries(self._policy, self._patience)
        while True:
            try:
                with transport.until(tries.deadline):
                    return self._try(request, parse, refusal)
            except Failure as failure:
                self._wait_or_give_up(request, failure, tries)

    def _prepared(
        self, method: str, path: str, params: dict[str, Any] | None, body: bytes | None, content_type: str
    ) -> PreparedRequest:
        """A request; the usual ones, which are many, are copies of one that requests has prepared."""
        if method == "GET" and not params and body is None and _PLAIN_PATH.fullmatch(path):
            request = self._blank.copy()
            request.url = f"{(self._blank.url or '')[:-1]}{path}"
            return request
        request = PreparedRequest()
        headers = {**self._session.headers, **({"Content-Type": content_type} if content_type else {})}
        request.prepare(method=method, url=self.base + path, headers=headers, params=params or {}, data=body)
        return request

    @cached_property
    def _blank(self) -> PreparedRequest:
        request = PreparedRequest()
        request.prepare(method="GET", url=self.base + "/", headers=dict(self._session.headers))
        vars(request).update(_cookies=None, headers=dict(self._session.headers))  # quick to copy
        return request

    def _try(self, request: PreparedRequest, parse: Parser[Result], refusal: Refusal | None) -> Result:
        token = self._tokens.get().text if self._tokens else ""
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        if self._cookies is not None:
            request.headers.pop("Cookie", None)
            request.prepare_cookies(self._cookies)
        response = self._send(request)
        if demand := answers.login_demand(response):
            kind = "login"
            if self._tokens and token:
                kind = self._tokens.refuse(token)
            raise Failure(kind, demand)
        if response.status_code != 200:
            raise self._bad_status(request, response, refusal)
        try:
            if not response.content.strip():
                raise answers.Unusable("sent an empty answer")
            return parse(response)
        except answers.Unusable as error:
            raise Failure("content", str(error)) from None
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError):
            told = f"sent something of an unexpected shape: {jsonl.quoted(response.content)}"
            raise Failure("content", told) from None

    def _bad_status(self, request: PreparedRequest, response: Response, refusal: Refusal | None) -> Exception:
        title, url, status = self.service.title, _short(request.url), response.status_code
        words = refusal(response) if refusal else None
        if words is not None:
            return ServiceError(f"{title} refuses: {words} ({url})")
        told = f"answers {status}{answers.reason(response)}"
        if status in _RETRIED:
            return Failure("busy", told, answers.retry_after(response))
        if status == 403:
            return LoginError(f"not allowed at {title}: 403 for {url}. {self.service.advice}")
        return ServiceError(f"{title} {told} for {url}")

    def _send(self, request: PreparedRequest) -> Response:
        start = time.monotonic()
        try:
            response = self._session.send(request, timeout=self._timeout, allow_redirects=False, stream=True)
            self.answered = True
            answers.read_body(response)
            secrecy.hide(request, response)
        except requests.exceptions.SSLError as error:
            self.answered = True
            raise self._no_secure_connection(request, error) from None
        except requests.exceptions.InvalidSchema:
            raise ServiceError("a SOCKS proxy needs PySocks: pip install 'tkstudies[socks]'") from None
        except transport.TooSlow:
            raise Failure("content", f"was still sending after {self._patience:g} s") from None
        except answers.Unusable as error:
            raise Failure("content", str(error)) from None
        except answers.TooLarge as error:
            raise ServiceError(f"{self.service.title} {error}: {request.method} {_short(request.url)}") from None
        except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            raise Failure("content", f"sent nothing for {min(self._timeout[1], self._patience):g} s") from None
        except requests.exceptions.ConnectionError as error:
            if never_connected(error):
                raise Failure("unreachable", f"can't be reached ({cause_of(error)})") from None
            raise Failure("busy", f"breaks off the connection ({cause_of(error)})") from None
        except urllib3.exceptions.HTTPError as error:
            raise Failure("busy", f"broke off in the middle of an answer ({cause_of(error)})") from None
        except requests.exceptions.RequestException as error:
            raise ServiceError(f"{self.service.title}: {cause_of(error)} ({_short(request.url)})") from None
        if self._recorder:
            self._recorder.add(request, response, self.base, self.service.default)
        if current.verbose:
            console.debug(
                f"{request.method} {request.url} -> {response.status_code}, "
                f"{len(response.content):,} bytes, {time.monotonic() - start:.3f} s"
            )
        return response

    def _no_secure_connection(self, request: PreparedRequest, error: Exception) -> Exception:
        """A server that we don't trust, one that doesn't take our certificate, or one that broke off."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
            return ServiceError(
                f"{self.service.title}: no secure connection to {_short(request.url)}: {cause_of(error)}. "
                "If a proxy or tunnel signs with an authority of its own, name its bundle in REQUESTS_CA_BUNDLE"
            )
        if self._session.cert:
            identity.of_certificate(self._session.cert)  # what is wrong with the files is told in words
        kind = "login" if self._session.cert else "busy"
        return Failure(kind, f"breaks off the secure connection ({cause_of(error)})")

    def _wait_or_give_up(self, request: PreparedRequest, failure: Failure, tries: Tries) -> None:
        delay = tries.delay_after(failure)
        if delay is None or not self._is_live:
            raise self._final_error(request, failure, len(tries))
        console.debug(f"{self.service.title} {failure.reason}: trying again in {delay:.1f} s")
        if delay > 5:
            console.say(f"{self.service.title} {failure.reason}: trying again in {delay:.0f} s")
        time.sleep(delay)

    def _final_error(self, request: PreparedRequest, failure: Failure, tries: int) -> ServiceError:
        service, url = self.service, _short(request.url)
        if failure.kind in retries.LOGIN_KINDS:
            told = f"not logged in to {service.title}: {url} {failure.reason}. {self._advice()}"
            return LoginError(told.rstrip(". "))
        tried = f"given up after {console.counted(tries, 'try') if tries == 1 else f'{tries} tries'}"
        told = f"{service.title} {failure.reason}: {request.method} {url}, {tried}"
        if failure.kind == "unreachable":
            return Unreachable(f"{told}. {service.route}, or set {service.variable}")
        return ServiceError(told)

    def _advice(self) -> str:
        """What to do when the service doesn't know us."""
        if self._cookies_file:
            return f"the cookies of {self._cookies_file} are not accepted: they may have expired, make new ones"
        return (self._tokens and self._tokens.advice()) or self.service.advice


def _short(url: str | None) -> str:
    """A URL for a message, not too long."""
    text = url or ""
    return text if len(text) <= 160 else text[:157] + "..."
