"""Who we are to a service, and until when: out of certificates, cookies and tokens."""

from __future__ import annotations

import base64
import ssl
import time
from datetime import datetime, timezone
from http.cookiejar import CookieJar
from typing import Any, NamedTuple

from tkstudies import console, jsonl
from tkstudies.errors import LoginError
from tkstudies.services.web import pem, x509

_LONGEST_NAME = 100  # letters of a name in a token
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Identity(NamedTuple):
    """A name that a service knows us by, when that ends (None if nobody says), and the way in which it does."""

    name: str
    until: datetime | None = None
    way: str = ""


def of_certificate(files: tuple[str, str] | str) -> Identity:
    """The subject of a certificate, or of an X.509 proxy, which ends with the first of its chain.

    Args:
        files: (certificate, key), or one file with both.

    Raises:
        LoginError: It can't be read, has expired, or doesn't belong to the key.
    """
    certificate, key = (files, files) if isinstance(files, str) else files
    try:
        with open(certificate, encoding="ascii", errors="replace") as stream:
            text = stream.read()
    except OSError as error:
        raise LoginError(f"{certificate} can't be read: {error.strerror}") from None
    blocks = [_BEGIN + part.split(_END)[0] + _END for part in text.split(_BEGIN)[1:]]
    try:
        read = [x509.read(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]
        subject, until = read[0].subject, min(one.not_after for one in read)
    except (ValueError, IndexError):
        raise pem.no_certificate(certificate) from None
    if until <= datetime.now(timezone.utc):
        raise LoginError(f"{certificate} expired on {until:%Y-%m-%d %H:%M} UTC: renew it, or run voms-proxy-init")
    _check_key(certificate, key)
    return Identity(subject, until, "certificate")


def _check_key(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asked for on the terminal
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise pem.not_together(certificate, key, reason) from None


def of_cookies(jar: CookieJar, host: str) -> Identity:
    """The cookies for a host, which end when the last of them does.

    Raises:
        LoginError: There is none for it, or all have expired.
    """
    ours = [cookie for cookie in jar if host.endswith(cookie.domain.lstrip(".").lower())]
    if not ours:
        raise LoginError(f"the cookie file holds no cookie for {host}")
    ends = [cookie.expires for cookie in ours if cookie.expires]
    if ends and max(ends) < time.time() and len(ends) == len(ours):
        raise LoginError(f"the cookies for {host} have expired: make new ones with auth-get-sso-cookie")
    return Identity("cookie file", at(max(ends)) if ends else None, "cookie file")


def of_token(token: str, way: str) -> Identity:
    """Who a token says that it is for, and until when: its payload, which nobody here verifies (RFC 7519).

    >>> of_token("e30.eyJzdWIiOiAiNWYwYyIsICJleHAiOiAwfQ.c2ln", "login")
    Identity(name='5f0c', until=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), way='login')
    >>> of_token("a token without a payload", "login")
    Identity(name='unknown', until=None, way='login')
    """
    claims = _payload(token)
    names = (claims.get(claim) for claim in ("preferred_username", "sub", "azp"))
    name = next((name for name in names if isinstance(name, str) and name), "unknown")
    end = claims.get("exp")
    until = at(end) if isinstance(end, int | float) and not isinstance(end, bool) else None
    return Identity(console.clean(name[:_LONGEST_NAME]), until, way)


def _payload(token: str) -> dict[str, Any]:
    try:
        middle = token.split(".")[1]
        value = jsonl.decode_value(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, jsonl.BadRecord):
        return {}
    return value if isinstance(value, dict) else {}


def at(seconds: float) -> datetime:
    """A time [s since 1970]; one beyond the years that there are becomes the last of them."""
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=timezone.utc)
