"""Who we are to a service, and until when: out of certificates, cookies and tokens."""

from __future__ import annotations

import os
import ssl
import time
from datetime import datetime, timezone
from http.cookiejar import CookieJar
from typing import NamedTuple

from tkstudies.errors import LoginError
from tkstudies.services.web import pem, x509

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Identity(NamedTuple):
    """A name that a service knows us by, and when that ends (None if nobody says)."""

    name: str
    until: datetime | None = None


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
    return Identity(subject, until)


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
    return Identity("cookie file", _at(max(ends)) if ends else None)


def of_token(seconds: float) -> Identity:
    """The application that tokens are fetched for; the present one is renewed after so many seconds."""
    return Identity(f"application {os.environ.get('SSO_CLIENT_ID', '')}", _at(time.time() + seconds))


def _at(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=timezone.utc)  # beyond the years that there are
