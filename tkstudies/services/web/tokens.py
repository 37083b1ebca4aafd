"""SSO tokens: the ways to one, tried in turn, and who it says that we are."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from datetime import datetime, timezone
from typing import NamedTuple, Protocol

from tkstudies import console
from tkstudies.errors import LoginError
from tkstudies.services.web import device, identity, logins, secrecy, sso
from tkstudies.services.web.endpoints import Service
from tkstudies.services.web.identity import Identity
from tkstudies.services.web.login import SSO_ADVICE

_PRINTABLE = re.compile(r"[!-~]+")


class Token(NamedTuple):
    """A token, the seconds until another one should be asked for, and whose it is."""

    text: str
    renewed_in: float
    identity: Identity


class Way(Protocol):
    """A way to a token.

    Attributes:
        renews: Can it give another one in the place of one that is refused?
    """

    renews: bool

    def token(self, refused: str) -> Token:
        """A token that is valid now, and isn't the one that was refused.

        Raises:
            logins.Ended: This way is closed; others remain.
            LoginError, ServiceError: There is none.
        """

    def advice(self) -> str:
        """What to do when the service doesn't take its tokens."""


class Tokens:
    """Bearer tokens for one service, shared by all threads and renewed before they expire."""

    def __init__(self, ways: list[Way]):
        self._ways = ways
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renewed = 0.0  # when it should be, by time.monotonic
        self._refused = ""

    def get(self) -> Token:
        """A token that is valid now.

        Raises:
            LoginError: No way leads to one.
        """
        with self._lock:
            if self._token is None or time.monotonic() >= self._renewed:
                self._token = self._next()
                self._renewed = time.monotonic() + self._token.renewed_in
            return self._token

    def _next(self) -> Token:
        while True:
            try:
                return self._ways[0].token(self._refused)
            except logins.Ended as error:
                if len(self._ways) == 1:
                    raise
                console.warn(f"{error}. Until then the application of SSO_CLIENT_ID is used")
                del self._ways[0]

    def refuse(self, text: str) -> str:
        """Forget a token that the service refuses; the kind of failure that this is (see retries)."""
        with self._lock:
            if not self._ways[0].renews:
                return "login"
            is_current = self._token is not None and self._token.text == text
            if is_current:
                self._token, self._refused = None, text
            return "token" if is_current else "old token"

    def advice(self) -> str:
        """What to do when the service doesn't take our tokens; empty if there is nothing better than its own."""
        return self._ways[0].advice()


def of(service: Service) -> Tokens | None:
    """The tokens for a service: a ready one of the environment, a login that is kept, or those of an application.

    Raises:
        ServiceError: The environment names no single sign-on that one may send secrets to.
    """
    if service.token_variable and os.environ.get(service.token_variable):
        return Tokens([Ready(service)])
    ways: list[Way] = []
    if service.login and logins.exists(service):
        ways.append(Login(service))
    if os.environ.get("SSO_CLIENT_ID") and os.environ.get("SSO_CLIENT_SECRET"):
        ways.append(Application(service.audience, sso.endpoint()))
    return Tokens(ways) if ways else None


class Ready:
    """A token that somebody else has made, as auth-get-user-token does; nobody can renew it."""

    renews = False

    def __init__(self, service: Service):
        self._service, self._variable = service, service.token_variable

    def token(self, refused: str) -> Token:
        text = os.environ.get(self._variable, "").strip().removeprefix("Bearer ").strip()
        if text[:1] == "{":
            raise LoginError(f"{self._variable} holds JSON: the access_token in it is the token")
        if not _PRINTABLE.fullmatch(text):
            raise LoginError(f"{self._variable} holds no token: letters without blanks are expected")
        known = identity.of_token(text, "ready token")
        if known.until and known.until <= datetime.now(timezone.utc):
            raise LoginError(
                f"{self._variable} holds a token that expired on {known.until:%Y-%m-%d at %H:%M} UTC: {self._mended()}"
            )
        left = (known.until - datetime.now(timezone.utc)).total_seconds() if known.until else math.inf
        return Token(text, left, known)

    def advice(self) -> str:
        try:
            known = self.token("").identity
        except LoginError as error:
            return str(error)
        until = f", which says that it holds until {known.until:%Y-%m-%d %H:%M} UTC" if known.until else ""
        return f"the token of {self._variable}{until} isn't accepted: {self._mended()}"

    def _mended(self) -> str:
        service = self._service
        return (
            f"make a new one (auth-get-user-token -c {service.client} -a {service.audience} -x -o FILE), "
            f"or unset {self._variable} and run tkstudies login {service.login}"
        )


class Login:
    """The login by browser that is kept."""

    renews = True

    def __init__(self, service: Service):
        self._service = service

    def token(self, refused: str) -> Token:
        kept = device.current(self._service, refused)
        known = identity.of_token(kept.token, "login")._replace(until=identity.at(kept.ends))
        return Token(kept.token, max(kept.renewed - time.time(), 1.0), known)

    def advice(self) -> str:
        return f"the login by browser isn't accepted: tkstudies login {self._service.login} makes a new one"


class Application:
    """The tokens of an application, by its secret."""

    renews = True

    def __init__(self, audience: str, endpoint: str):
        self._audience, self._endpoint = audience, endpoint

    def token(self, refused: str) -> Token:
        name, secret = os.environ["SSO_CLIENT_ID"], os.environ["SSO_CLIENT_SECRET"]
        form = {"grant_type": "client_credentials", "audience": self._audience}
        what = f"no token for {self._audience}"
        try:
            given = sso.grant(what, self._endpoint, form, auth=(name.encode(), secret.encode()))
        except sso.Refused as error:
            shown = secrecy.without_query(self._endpoint)
            raise LoginError(
                f"{what}: {shown} refuses{error}: check SSO_CLIENT_ID and SSO_CLIENT_SECRET; {SSO_ADVICE}"
            ) from None
        known = Identity(f"application {name}", identity.at(time.time() + given.renewed_in), "client secret")
        return Token(given.access_token, given.renewed_in, known)

    def advice(self) -> str:
        return ""
