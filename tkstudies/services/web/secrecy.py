"""What nobody shall read: secrets that a server repeats, and those that stand in a URL."""

from __future__ import annotations

import base64
import os
from functools import lru_cache
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
    secrets = _secrets(request)
    if not secrets:
        return
    content, headers, reason = response.content, response.headers, response.reason
    said = "\n".join([*headers.values(), reason if isinstance(reason, str) else ""])
    for secret in secrets:
        for written in _written(secret):
            hidden = written.encode("utf-8", "surrogateescape")
            if hidden in content:
                response._content = content = content.replace(hidden, _HIDDEN.encode())
            if written not in said:
                continue
            for name, value in headers.items():
                if written in value:
                    headers[name] = value.replace(written, _HIDDEN)
            if isinstance(reason, str):
                response.reason = reason = reason.replace(written, _HIDDEN)


def _secrets(request: PreparedRequest) -> list[str]:
    """What a request logs in with."""
    sent = _text(request.headers.get("Authorization", "")).rpartition(" ")[2]
    cookies = _text(request.headers.get("Cookie", "")).split("; ")
    forms = parse_qsl(_text(request.body)) if isinstance(request.body, str | bytes) else []
    plain = [sent, os.environ.get("SSO_CLIENT_SECRET", ""), *(cookie.partition("=")[2] for cookie in cookies)]
    plain += [value for name, value in forms if name in _SECRET_FIELDS]
    return [secret for secret in dict.fromkeys(plain) if len(secret) >= _SHORTEST]


@lru_cache(maxsize=64)
def _written(secret: str) -> tuple[str, ...]:
    """The ways in which a secret may be written."""
    encoded = secret.encode("utf-8", "surrogateescape")
    in_base64 = (code(encoded).decode().rstrip("=") for code in (base64.b64encode, base64.urlsafe_b64encode))
    return tuple(dict.fromkeys([secret, *in_base64, quote(secret, safe=""), encoded.hex()]))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
