"""SSO tokens: fetched with the application's secret, which goes nowhere else.

Source: CERN's API access guide, and cernrequests 0.5, whose call follows redirects and has no timeout.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time

import msgspec
import requests
import urllib3

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError
from tkstudies.services.web import answers, secrecy, transport
from tkstudies.services.web.login import SSO_ADVICE

_SECONDS = 30.0  # patience with the token endpoint
_EARLY_SECONDS = 60.0  # a token is renewed that long before it expires
_DELAYS = (0.5, 1.0, None)  # [s] before the next try
_LONGEST = 86400.0  # [s] that a token is believed to live
_PRINTABLE = re.compile(r"[!-~]+")


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float


class _Refused(Exception):
    """The endpoint's answer: no token, and asking again doesn't help."""


class Tokens:
    """SSO bearer tokens, one for each audience, shared by all threads and renewed before they expire."""

    def __init__(self, endpoint: str):
        self._endpoint = endpoint
        self._shown = secrecy.without_query(endpoint)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}

    def available(self) -> bool:
        """Are there credentials to fetch a token with?"""
        return bool(os.environ.get("SSO_CLIENT_ID") and os.environ.get("SSO_CLIENT_SECRET"))

    def get(self, audience: str) -> str:
        """A token that is valid now.

        Raises:
            LoginError: The endpoint refuses the credentials, or doesn't answer in time.
        """
        with self._lock:
            token, expires = self._known.get(audience, ("", 0.0))
            if time.monotonic() >= expires:
                token, seconds = self._fetch(audience)
                expires = time.monotonic() + max(seconds - _EARLY_SECONDS, seconds / 2)
                self._known[audience] = (token, expires)
            return token

    def expires_in(self, audience: str) -> float:
        """Seconds until ``get`` will fetch another token for ``audience``."""
        return self._known.get(audience, ("", 0.0))[1] - time.monotonic()

    def discard(self, audience: str, token: str) -> bool:
        """Forget a token that the server refuses, so that ``get`` fetches another; False if that was done already."""
        with self._lock:
            is_current = self._known.get(audience, ("",))[0] == token
            if is_current:
                del self._known[audience]
            return is_current

    def _fetch(self, audience: str) -> tuple[str, float]:
        """A new token and its life in seconds, after at most three tries within _SECONDS."""
        deadline = time.monotonic() + _SECONDS
        for delay in _DELAYS:
            console.debug(f"token for {audience}: POST {self._shown}")
            try:
                with transport.until(deadline):
                    return self._ask(audience)
            except _Refused as error:
                raise LoginError(
                    f"no token for {audience}: {self._shown} refuses{error}: "
                    f"check SSO_CLIENT_ID and SSO_CLIENT_SECRET; {SSO_ADVICE}"
                ) from None
            except transport.TooSlow:
                raise self._no_answer(audience) from None
            except (answers.Unusable, answers.TooLarge) as error:
                failed: Exception = LoginError(f"no token for {audience}: {self._shown} {error}")
            except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
                failed = self._no_answer(audience)
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
                told = f"no token for {audience}: {self._shown} can't be reached: check the network"
                failed = ServiceError(told)
            if delay is None or time.monotonic() + delay > deadline:
                raise failed
            time.sleep(delay)
        raise AssertionError

    def _no_answer(self, audience: str) -> LoginError:
        return LoginError(f"no token for {audience}: {self._shown} didn't answer within {_SECONDS:.0f} s")

    def _ask(self, audience: str) -> tuple[str, float]:
        credentials = (os.environ["SSO_CLIENT_ID"].encode(), os.environ["SSO_CLIENT_SECRET"].encode())
        form = {"grant_type": "client_credentials", "audience": audience}
        with transport.session(self._endpoint) as session:
            request = session.prepare_request(requests.Request("POST", self._endpoint, data=form, auth=credentials))
            response = session.send(request, timeout=(10.0, _SECONDS), allow_redirects=False, stream=True)
            answers.read_body(response)
        secrecy.hide(request, response)
        if response.is_redirect:
            raise _Refused(" (it redirects elsewhere, where no secret is sent)")
        if 400 <= response.status_code < 500:
            raise _Refused(f" ({response.status_code}{answers.reason(response)})")
        if response.status_code != 200:
            raise answers.Unusable(f"answers {response.status_code}{answers.reason(response)}")
        answer = answers.shaped(answers.parse_json(response), _Answer)
        if not _PRINTABLE.fullmatch(answer.access_token) or not math.isfinite(answer.expires_in):
            raise answers.Unusable(f"sent no token: {jsonl.quoted(response.content)}")
        return answer.access_token, min(max(answer.expires_in, 1.0), _LONGEST)
