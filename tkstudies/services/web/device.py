"""Logging in by browser: a device code, the token of a service for it, renewal and revocation.

Sources: RFC 8628 (device codes), RFC 7636 (PKCE), RFC 8693 (token exchange), RFC 7009 (revocation); the clients and
audiences of CERN's own clients (tsgauth, cmsdials).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from tkstudies import console
from tkstudies.errors import LoginError, OutputError, ServiceError
from tkstudies.services.web import logins, sso, transport
from tkstudies.services.web.endpoints import SSO, Service
from tkstudies.services.web.logins import Ended, Kept

SECONDS = 300.0  # patience with the person
_USUAL_PAUSE = 5.0  # [s] between polls if the server says nothing (RFC 8628, 3.2)
_LEAST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # [s], whatever the server says
_SLOWER = 5.0  # [s] that "slow_down" adds (RFC 8628, 3.5)
_MOST_FAILURES = 5  # polls without a usable answer, one after the other
_OPENID = "/protocol/openid-connect"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 (the name of a kind)
_USER_CODE = re.compile(r"[A-Za-z0-9-]{1,32}")
_ADDRESS = re.compile(r"[!-\[\]-~]{1,2000}")  # printable, and no backslash, which browsers take for a slash


class _Code(msgspec.Struct):
    device_code: str
    user_code: str = ""
    verification_uri: str = ""
    verification_uri_complete: str | None = None
    expires_in: float = SECONDS
    interval: float | None = None


def _read_code(content: bytes) -> _Code:
    return sso.shaped(content, _Code)


def _nothing(_: bytes) -> None:
    """That it answers is enough."""


class Invitation(NamedTuple):
    """What the person is asked to do.

    Attributes:
        address: To be opened in a browser.
        code: To be typed there; empty if the address has it.
        seconds: How long that is possible.
    """

    address: str
    code: str
    seconds: float


def log_in(service: Service, invite: Callable[[Invitation], None]) -> Kept:
    """Log in by browser, and keep the login.

    Args:
        service: One with a public client.
        invite: Shows the person what to do.

    Raises:
        LoginError: Denied, too late, or no usable answer.
        OutputError: The login can't be kept.
    """
    logins.prepare(service)
    realm = sso.realm()
    verifier = secrets.token_urlsafe(48)
    try:
        subject = _approved(service, realm, verifier, invite)
    except sso.Refused as refused:
        raise LoginError(f"no login to {service.title}: {realm} refuses{refused}") from None
    try:
        kept = _kept(service, realm, subject, _exchanged(service, realm, subject.access_token))
    except sso.Refused as refused:
        raise LoginError(
            f"no login to {service.title}: you are known, but {realm} gives no token for {service.audience}{refused}"
        ) from None
    with logins.locked(service):
        logins.write(service, kept)
    return kept


def _approved(service: Service, realm: str, verifier: str, invite: Callable[[Invitation], None]) -> sso.Grant:
    """The token of the public client, once the person has agreed."""
    what, again = f"no login to {service.title}", f"tkstudies login {service.login} starts again"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {"client_id": service.client, "code_challenge": challenge, "code_challenge_method": "S256"}
    start = time.monotonic()
    code = sso.post(what, f"{realm}{_OPENID}/auth/device", asked, _read_code)
    seconds = min(max(code.expires_in, 0.0), SECONDS)
    invite(_invitation(what, code, realm, seconds))
    form = {"grant_type": _DEVICE, "client_id": service.client, "device_code": code.device_code}
    form["code_verifier"] = verifier
    pause = min(max(_USUAL_PAUSE if code.interval is None else code.interval, _LEAST_PAUSE), _LONGEST_PAUSE)
    failures = 0
    while time.monotonic() + pause <= start + seconds:
        time.sleep(pause)
        try:
            return sso.grant(what, f"{realm}{_OPENID}/token", form, tries=1)
        except sso.Refused as refused:
            failures = 0
            if refused.code == "access_denied":
                raise LoginError(f"{what}: it was denied in the browser; {again}") from None
            if refused.code == "expired_token":
                break
            if refused.code not in ("authorization_pending", "slow_down"):
                raise
            pause += _SLOWER if refused.code == "slow_down" else 0
        except ServiceError:
            failures += 1
            if failures >= _MOST_FAILURES:
                raise
    minutes = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    raise LoginError(f"{what}: nobody agreed in the browser within {minutes}; {again}")


def _invitation(what: str, code: _Code, realm: str, seconds: float) -> Invitation:
    """What to show of the answer: an address of the login host only, and a plain code."""
    if code.verification_uri_complete and _is_of(realm, code.verification_uri_complete):
        return Invitation(code.verification_uri_complete, "", seconds)
    if _is_of(realm, code.verification_uri) and _USER_CODE.fullmatch(code.user_code):
        return Invitation(code.verification_uri, code.user_code, seconds)
    host = urlsplit(realm).netloc
    raise LoginError(f"{what}: the address or code to log in with, which {host} sent, isn't one of {host}: not shown")


def _is_of(realm: str, url: str) -> bool:
    """Is it an address of the login host: that of the realm or CERN's own (which may be asked through a tunnel)?

    By https, or on loopback if the realm is there.

    >>> [_is_of("https://sso.org/a", url) for url in ("https://sso.org/b?c", "https://SSO.org:443/", SSO.default)]
    [True, True, True]
    >>> [_is_of("https://sso.org", url) for url in ("http://sso.org/", "https://me@sso.org/", "https://sso.org:1/")]
    [False, False, False]
    """
    if not _ADDRESS.fullmatch(url):
        return False
    try:
        address, *hosts = map(urlsplit, (url, realm, SSO.default))
        known = [(host.scheme, host.hostname, host.port or 443) for host in hosts]
        place = (address.scheme, address.hostname, address.port or 443)
    except ValueError:
        return False
    if "@" in address.netloc:
        return False
    if known[0][1] in transport.LOOPBACK and address.hostname in transport.LOOPBACK:
        return address.scheme in ("http", "https")
    return address.scheme == "https" and place in known


def _exchanged(service: Service, realm: str, subject: str) -> sso.Grant:
    """The token for the service, for that of the public client."""
    form = {
        "grant_type": _EXCHANGE,
        "client_id": service.client,
        "subject_token": subject,
        "subject_token_type": _ACCESS_TOKEN,
        "audience": service.audience,
    }
    return sso.grant(f"no token for {service.audience}", f"{realm}{_OPENID}/token", form)


def _kept(service: Service, realm: str, subject: sso.Grant, token: sso.Grant) -> Kept:
    now = time.time()
    refresh_until = now + subject.refresh_expires_in if subject.refresh_expires_in > 0 else 0.0
    return Kept(
        realm,
        token.access_token,
        now + token.renewed_in,
        now + token.expires_in,
        subject.refresh_token,
        refresh_until if subject.refresh_token else 0.0,
    )


def current(service: Service, refused: str = "") -> Kept:
    """The kept login with a token that is valid now, renewed if need be.

    Args:
        refused: A token that the service doesn't take, whatever its end says.

    Raises:
        Ended: It can't be used any longer.
        LoginError, ServiceError: The realm gives no usable answer.
    """
    kept = logins.read(service)
    if _is_fresh(kept, refused):
        return kept
    realm = sso.realm()
    with logins.locked(service):
        kept = logins.read(service)  # another command may have renewed it
        if _is_fresh(kept, refused):
            return kept
        return _renewed(service, kept, realm)


def _is_fresh(kept: Kept, refused: str) -> bool:
    return kept.token != refused and time.time() < kept.renewed


def _renewed(service: Service, kept: Kept, realm: str) -> Kept:
    again = f"tkstudies login {service.login}"
    if realm != kept.realm:
        raise Ended(f"the login to {service.title} was made at {kept.realm}, not at {realm}: {again}")
    if not kept.refresh:
        raise Ended(f"the login to {service.title} has ended, and can't be renewed: {again}")
    form = {"grant_type": "refresh_token", "client_id": service.client, "refresh_token": kept.refresh}
    try:
        subject = sso.grant(f"login to {service.title} not renewed", f"{realm}{_OPENID}/token", form)
    except sso.Refused as refused:
        raise Ended(f"the login to {service.title} has ended: {realm} refuses to renew it{refused}: {again}") from None
    if not subject.refresh_token:
        subject.refresh_token = kept.refresh  # RFC 6749, 6: the old one goes on
    # kept at once: the old one may be used up, and the exchange may fail
    _keep(service, msgspec.structs.replace(kept, refresh=subject.refresh_token, renewed=0.0))
    try:
        token = _exchanged(service, realm, subject.access_token)
    except sso.Refused as refused:
        raise Ended(
            f"the login to {service.title} gives no token any more: {realm} refuses one for "
            f"{service.audience}{refused}: {again}"
        ) from None
    kept = _kept(service, realm, subject, token)
    _keep(service, kept)
    return kept


def _keep(service: Service, kept: Kept) -> None:
    """Keep what was renewed; where that isn't possible it serves this command all the same."""
    try:
        logins.write(service, kept)
    except OutputError as error:
        if kept.renewed:
            console.warn(f"{error} (this command goes on; a later one may have to log in again)")


def log_out(service: Service) -> str:
    """Forget the login, here and in the realm.

    Returns:
        Why the realm may still know it; empty if it doesn't.

    Raises:
        OutputError: The file is still there.
    """
    refresh, realm = "", ""
    try:
        with logins.locked(service):
            try:
                kept = logins.read(service)
                refresh, realm = kept.refresh, kept.realm
            except Ended:
                pass  # gone without being read
            logins.forget(service)
    finally:
        words = _revoked(service, realm, refresh) if refresh else ""
    return words


def _revoked(service: Service, realm: str, refresh: str) -> str:
    """End a login at its realm, which has one of two ways; why that failed, else nothing."""
    try:
        if realm != sso.realm():
            return f"it was made at {realm}, which isn't asked now"
        try:
            form = {"client_id": service.client, "token": refresh, "token_type_hint": "refresh_token"}
            sso.post("not revoked", f"{realm}{_OPENID}/revoke", form, _nothing, tries=1)
        except sso.Refused:
            form = {"client_id": service.client, "refresh_token": refresh}
            sso.post("not revoked", f"{realm}{_OPENID}/logout", form, _nothing, tries=1)
    except sso.Refused as refused:
        return f"{realm} refuses{refused}"
    except ServiceError as error:
        return str(error)
    return ""
