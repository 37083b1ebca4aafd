"""What a server answers: reading the body and its JSON, and telling a login page or an error by its content."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from requests import PreparedRequest, Response

from tkstudies import jsonl

Result = TypeVar("Result")

_LOGIN_WORDS = (b"login", b"sign in", b"log in", b"sso", b"openid")
_LONGEST_WAIT = 120.0  # [s] that a server may ask us to wait


class Unusable(Exception):
    """An answer that isn't what the service normally sends: worth another try."""


class TooSlow(Exception):
    """An answer of which there is no end."""


# --- the body


def read_body(response: Response, seconds: float) -> None:
    """Read the body piece by piece, because the timeout of requests holds for each piece, not for all of them.

    Raises:
        TooSlow: The server is still sending after so many seconds.
    """
    if response._content is not False:
        return  # out of a cassette
    parts = []
    deadline = time.monotonic() + seconds
    response.raw.decode_content = True
    while part := response.raw.read1(1 << 16):
        parts.append(part)
        if time.monotonic() > deadline:
            response.close()
            raise TooSlow
    response._content = b"".join(parts)
    response._content_consumed = True


def hide_credentials(request: PreparedRequest, response: Response) -> None:
    """Remove our token and cookies from an answer that repeats them: answers are quoted and recorded."""
    token = request.headers.get("Authorization", "").rpartition(" ")[2]
    cookies = request.headers.get("Cookie", "").split("; ")
    for secret in (token, *(cookie.partition("=")[2] for cookie in cookies)):
        if len(secret) > 7 and secret.encode() in response.content:
            response._content = response.content.replace(secret.encode(), b"***")


def parse_json(response: Response) -> Any:
    """The JSON value of an answer.

    Raises:
        Unusable: It isn't JSON.
    """
    content = response.content
    try:
        return jsonl.decode_value(content)
    except jsonl.BadRecord:
        what = "HTML" if content.lstrip()[:1] == b"<" else "something that isn't JSON"
        raise Unusable(f"sent {what}: {jsonl.quoted(content)}") from None


def json_parser(expect: Callable[[Any], Result]) -> Callable[[Response], Result]:
    """A function that gives what ``expect`` takes out of the JSON value of an answer."""
    return lambda response: expect(parse_json(response))


def any_content(response: Response) -> bool:
    """True: it is enough that the service answered."""
    return True


def list_of(kind: type[Result], value: Any) -> list[Result]:
    """The value of a member of an answer, if it is a list with members of this kind, else a TypeError.

    >>> list_of(dict, [{"a": 1}])
    [{'a': 1}]
    """
    if type(value) is list and all(type(member) is kind for member in value):
        return value
    raise TypeError(f"not a list of {kind.__name__}")


# --- what isn't an answer


def login_demand(response: Response) -> str:
    """How the service demands that we log in, in words; empty if it doesn't.

    A service whose session has expired answers 401, redirects, or sends its login page with status 200.
    """
    if response.status_code == 401:
        return "is refused (401)"
    is_redirect = response.status_code in (301, 302, 303, 307, 308)
    if not (is_redirect or _is_login_page(response)):
        return ""
    host = urlsplit(response.headers.get("Location", "")).hostname
    return f"redirects to {host}" if host else "answers with a login page"


def _is_login_page(response: Response) -> bool:
    content = response.content
    if response.status_code != 200 or content.lstrip()[:1] != b"<":
        return False
    page = content[:20000].lower()
    return b"<form" in page and any(word in page for word in _LOGIN_WORDS)


def retry_after(response: Response) -> float:
    """Seconds that the server asks us to wait, 0 to 120.

    Source: RFC 9110, 10.2.3 (Retry-After: seconds, or a date).
    """
    value = response.headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def reason(response: Response) -> str:
    """What an error answer says of itself, in brackets with a blank in front; empty if it says nothing."""
    content = response.content.strip()
    if not content or content[:1] == b"<":
        return f" ({response.reason})" if response.reason else ""
    return f" ({jsonl.quoted(content, 200)})"
