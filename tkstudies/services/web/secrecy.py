"""What nobody shall read: secrets that a server repeats, and those that stand in a URL."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from requests import PreparedRequest, Response

_HIDDEN = "***"
_SHORTEST = 8  # letters of a secret: what is shorter may be any word

_SECRET_FIELDS = ("device_code", "code_verifier", "refresh_token", "subject_token", "token")  # of forms


def without_query(url: str) -> str:
    """A URL for a message, without what may be secret in it: user name, query and fragment.

    >>> without_query("https://me:pw@host/token?key=1"), without_query("https://host:1/a")
    ('https://host/token?***', 'https://host:1/a')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return f"{shown}?{_HIDDEN}" if parts.query or parts.fragment else shown


def hide(request: PreparedRequest, response: Response) -> None:
    """Remove what we log in with from an answer that repeats it: answers are quoted and recorded."""
    content, headers, reason = response.content, response.headers, response.reason
    for secret in _written(request):
        hidden = secret.encode("utf-8", "surrogateescape")
        if hidden in content:
            content = content.replace(hidden, _HIDDEN.encode())
        for name, value in headers.items():
            if secret in value:
                headers[name] = value.replace(secret, _HIDDEN)
        if isinstance(reason, str):
            reason = reason.replace(secret, _HIDDEN)
    response._content, response.reason = content, reason


def _written(request: PreparedRequest) -> Iterator[str]:
    """The secrets of a request, in the ways in which they may be written."""
    sent = _text(request.headers.get("Authorization", "")).rpartition(" ")[2]
    cookies = _text(request.headers.get("Cookie", "")).split("; ")
    forms = parse_qsl(_text(request.body)) if isinstance(request.body, str | bytes) else []
    plain = [sent, os.environ.get("SSO_CLIENT_SECRET", ""), *(cookie.partition("=")[2] for cookie in cookies)]
    plain += [value for name, value in forms if name in _SECRET_FIELDS]
    for secret in dict.fromkeys(plain):
        if len(secret) >= _SHORTEST:
            yield secret
            encoded = secret.encode("utf-8", "surrogateescape")
            for code in (base64.b64encode, base64.urlsafe_b64encode):
                yield code(encoded).decode().rstrip("=")
            yield quote(secret, safe="")
            yield encoded.hex()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
