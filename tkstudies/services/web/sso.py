"""CERN's single sign-on: where it is, form posts to it that are tried again, and its refusals.

What one logs in with goes nowhere else, and nothing of a good answer is quoted: it is made of secrets.
Source: CERN's API access guide; RFC 6749 for the forms of answers and errors.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
import requests
import urllib3

from tkstudies import console, jsonl
from tkstudies.errors import LoginError, ServiceError
from tkstudies.services.web import answers, secrecy, transport
from tkstudies.services.web.endpoints import SSO

Result = TypeVar("Result")

_SECONDS = 30.0  # patience with one question
_DELAYS = (0.5, 1.0, None)  # [s] before the next try
_EARLY = 60.0  # [s] that a token is renewed before it expires
_LONGEST = 86400.0  # [s] that a token is believed to live
_TOKEN_PATH = "/api-access/token"  # noqa: S105 (where tokens come from, in the realm)
_PRINTABLE = re.compile(r"[!-~]+")


class Refused(Exception):
    """No: asking again doesn't help.

    Attributes:
        code: What OAuth calls the reason; empty if the answer doesn't say.
    """

    def __init__(self, words: str, code: str = ""):
        super().__init__(words)
        self.code = code


class Grant(msgspec.Struct):
    """A token, and what it is renewed with (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float
    refresh_token: str = ""
    refresh_expires_in: float = 0.0

    @property
    def renewed_in(self) -> float:
        """Seconds until another one should be fetched."""
        return max(self.expires_in - _EARLY, self.expires_in / 2)


class _Error(msgspec.Struct):
    error: str = ""


def endpoint() -> str:
    """Where an application gets its tokens.

    Raises:
        ServiceError: A secret isn't sent there.
    """
    url = SSO.base_url()
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in transport.LOOPBACK:
        raise ServiceError(f"{SSO.variable} must be https: a secret isn't sent in the clear")
    return url


def realm() -> str:
    """The realm that the endpoint belongs to, below which people log in.

    Raises:
        ServiceError: The endpoint doesn't say, or a secret isn't sent there.
    """
    parts = urlsplit(endpoint())
    if not parts.path.endswith(_TOKEN_PATH):
        raise ServiceError(f"{SSO.variable} must end in {_TOKEN_PATH}: what stands before that is where one logs in")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix(_TOKEN_PATH), "", ""))


def grant(what: str, url: str, form: dict[str, str], **options: Any) -> Grant:
    """The token that an endpoint gives for a form (see ``post``)."""
    return post(what, url, form, _grant, **options)


def post(
    what: str,
    url: str,
    form: dict[str, str],
    read: Callable[[bytes], Result],
    *,
    auth: tuple[bytes, bytes] | None = None,
    tries: int = len(_DELAYS),
) -> Result:
    """The answer to a form, after at most three tries within _SECONDS.

    Args:
        what: What fails when this does: the beginning of a message.
        read: Makes the result of the body; raises answers.Unusable if it can't.
        auth: Name and secret of an application.

    Raises:
        Refused: The answer is no.
        LoginError: No usable answer.
        ServiceError: Nobody can be reached there.
    """
    shown = secrecy.without_query(url)
    deadline = time.monotonic() + _SECONDS
    no_answer = LoginError(f"{what}: {shown} didn't answer within {_SECONDS:.0f} s")
    for delay in (*_DELAYS[: tries - 1], None):
        console.debug(f"{SSO.title}: POST {shown}")
        try:
            with transport.until(deadline):
                return _ask(url, form, read, auth)
        except transport.TooSlow:
            raise no_answer from None
        except (answers.Unusable, answers.TooLarge) as error:
            failed: Exception = LoginError(f"{what}: {shown} {error}")
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            failed = no_answer
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
            failed = ServiceError(f"{what}: {shown} can't be reached: check the network")
        if delay is None or time.monotonic() + delay > deadline:
            raise failed
        time.sleep(delay)
    raise AssertionError


def _ask(url: str, form: dict[str, str], read: Callable[[bytes], Result], auth: tuple[bytes, bytes] | None) -> Result:
    with transport.session(url) as session:
        request = session.prepare_request(requests.Request("POST", url, data=form, auth=auth))
        response = session.send(request, timeout=(10.0, _SECONDS), allow_redirects=False, stream=True)
        answers.read_body(response)
    if response.status_code in (200, 204):
        return read(response.content)
    secrecy.hide(request, response)
    if response.is_redirect:
        raise Refused(" (it redirects elsewhere, where no secret is sent)")
    words = f"{response.status_code}{answers.reason(response)}"
    if 400 <= response.status_code < 500 and response.status_code != 429:
        raise Refused(f" ({words})", _code(response.content))
    raise answers.Unusable(f"answers {words}")


def shaped(content: bytes, shape: type[Result]) -> Result:
    """The JSON of an answer in a shape; it isn't quoted where it has another one.

    Raises:
        answers.Unusable: It has.
    """
    try:
        value = jsonl.decode_value(content)
    except jsonl.BadRecord:
        is_page = content.lstrip()[:1] == b"<"
        raise answers.Unusable(f"sent {'HTML' if is_page else 'something that is no JSON'} instead") from None
    return answers.shaped(value, shape)


def _grant(content: bytes) -> Grant:
    """A token goes into a header, where a blank or a new line in it would make another header of it."""
    found = shaped(content, Grant)
    if not _PRINTABLE.fullmatch(found.access_token) or not _PRINTABLE.fullmatch(found.refresh_token or "-"):
        raise answers.Unusable("sent something that is no token")
    if not (math.isfinite(found.expires_in) and math.isfinite(found.refresh_expires_in)):
        raise answers.Unusable("sent a token without its end")
    found.expires_in = min(max(found.expires_in, 1.0), _LONGEST)
    return found


def _code(content: bytes) -> str:
    try:
        return shaped(content, _Error).error
    except answers.Unusable:
        return ""
