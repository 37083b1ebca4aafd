"""What a server answers: reading the body and its JSON, and telling a login page or an error by its content."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from requests import Response

from tkstudies import jsonl, settings

Result = TypeVar("Result")

_LOGIN_WORDS = (b"login", b"sign in", b"log in", b"sso", b"openid")
_LONGEST_WAIT = 120.0  # [s] that a server may ask us to wait


class Unusable(Exception):
    """An answer that isn't what the service normally sends: worth another try."""


class TooLarge(Exception):
    """An answer of more bytes than we take."""


# --- the body


def read_body(response: Response) -> None:
    """Read and unpack the body, unless it is too large (TKSTUDIES_MAX_ANSWER).

    Raises:
        TooLarge: It is.
        Unusable: It is packed more than once, as only a trap is.
    """
    if response._content is not False:
        return  # out of a cassette
    try:
        response._content = b"".join(_pieces(response))
    finally:
        # where it wasn't read to its end nobody else may go on with the connection, or wait for it
        if getattr(response.raw, "connection", None) is not None:
            response.close()
    response._content_consumed = True


def _pieces(response: Response) -> Iterator[bytes]:
    if "," in response.headers.get("Content-Encoding", ""):
        raise Unusable("sent something that is packed several times")
    most = settings.megabytes("TKSTUDIES_MAX_ANSWER", 256)
    announced = getattr(response.raw, "length_remaining", None)
    if isinstance(announced, int) and announced <= most and "Content-Encoding" not in response.headers:
        yield response.raw.read()  # never more than was announced
        return
    size = 0
    response.raw.decode_content = True
    while piece := response.raw.read1(1 << 16):
        size += len(piece)
        if size > most:
            raise TooLarge(f"sent more than {most / 1e6:g} MB (TKSTUDIES_MAX_ANSWER allows more)")
        yield piece


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


def shaped(value: Any, shape: type[Result]) -> Result:
    """The value of an answer in the shape that its service declares.

    Raises:
        Unusable: It has another one; says where.

    >>> shaped([{"a": 1}], list[dict[str, int]])
    [{'a': 1}]
    """
    try:
        return jsonl.convert(value, shape)
    except msgspec.ValidationError as error:
        what, _, path = str(error).replace("`", "").partition(" - at ")
        raise odd(path or "$", what) from None
    except RecursionError:
        raise odd("$", "nested too deeply") from None


def odd(path: str, what: str) -> Unusable:
    """The failure that a member of an answer isn't what it should be.

    >>> str(odd("$.data[3].run_number", "Expected int, got str"))
    'sent something of an unexpected shape: $.data[3].run_number: expected int, got str'
    """
    return Unusable(f"sent something of an unexpected shape: {path}: {what[:1].lower()}{what[1:]}")


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
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        host = None
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
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), _LONGEST_WAIT)  # 0 for one that isn't a number


def reason(response: Response) -> str:
    """What an error answer says of itself, in brackets with a blank in front; empty if it says nothing."""
    content = response.content.strip()
    if not content or content[:1] == b"<":
        return f" ({response.reason})" if response.reason else ""
    return f" ({jsonl.quoted(content, 200)})"
