"""The realm of CERN's single sign-on: tokens for applications, and logins by device code.

Sources: RFC 8628 (device codes), RFC 7636 (PKCE), RFC 8693 (token exchange), RFC 7009 (revocation), RFC 6749 (the
rest); Keycloak's words for errors; clients and audiences as in the clients of CERN (cmsdials, tsgauth).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tests.cern.faults import Reply

CLIENT_ID, CLIENT_SECRET = "tkstudies-test", "not-a-real-secret"
AUDIENCES = {"oms": "cmsoms-prod", "runregistry": "cmsrunregistry-sso-proxy"}
PUBLIC_CLIENTS = {"cmsoms-prod-public": "cmsoms-prod", "cms-dials-prod-public-app": "cms-dials-prod-confidential-app"}
REALM = "/auth/realms/cern"
_OPENID = f"{REALM}/protocol/openid-connect"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class Sso:
    """The realm, with knobs for tests.

    Args:
        url: Address of the fixture server.
        tokens: Where each token for a service goes with its audience and expiry; the services look there.
        lifetime: Seconds that such a token lives.

    Attributes:
        interval: Seconds between polls that the server asks for; who comes earlier is told to slow down.
        code_lifetime: Seconds that a device code lives.
        approves_after: Polls after which the person has agreed; None: when somebody opens the address of the code.
        denies: The person says no instead.
        rotates: A refresh token may be used once.
        refresh_lifetime: Seconds that one lives.
        known: Which of ``revoke`` and ``logout`` the realm has.
        person: Whose login it is.
        clock: What the time is.
        calls: What was asked for so far: names of endpoints and grants.
    """

    def __init__(self, url: str, tokens: dict[str, tuple[str, float]], lifetime: float) -> None:
        self.url, self.tokens, self.lifetime = url, tokens, lifetime
        self.interval, self.code_lifetime, self.refresh_lifetime = 5.0, 600.0, 36000.0
        self.approves_after: int | None = 1
        self.denies = False
        self.rotates = True
        self.known = {"revoke", "logout"}
        self.person = "jdoe"
        self.clock: Callable[[], float] = time.time
        self.calls: list[str] = []
        self.issued = 0
        self.refresh_tokens: dict[str, tuple[str, float]] = {}  # with client and expiry
        self._devices: dict[str, dict[str, Any]] = {}
        self._subjects: dict[str, tuple[str, float]] = {}  # tokens of public clients

    def handle(self, request: Any) -> Reply:
        """Answer one request below the address of the server."""
        handlers: dict[tuple[str, str], Callable[[dict[str, str]], Reply]] = {
            ("POST", "/token"): lambda form: self._application(request, form),
            ("POST", f"{REALM}/api-access/token"): lambda form: self._application(request, form),
            ("POST", f"{_OPENID}/auth/device"): self._device,
            ("POST", f"{_OPENID}/token"): self._token,
            ("POST", f"{_OPENID}/revoke"): self._revoke,
            ("POST", f"{_OPENID}/logout"): self._logout,
            ("GET", f"{REALM}/device"): lambda _: self._page(request.parameters),
        }
        handler = handlers.get((request.method, request.path))
        if handler is None:
            return oauth_error(404, "not_found", "Unknown resource")
        return handler(dict(parse_qsl(request.body.decode())))

    def revoke_all(self) -> None:
        """End all logins; tokens for services live on until they expire."""
        self.refresh_tokens.clear()

    # applications

    def _application(self, request: Any, form: dict[str, str]) -> Reply:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            credentials = base64.b64decode(encoded).decode() if scheme.lower() == "basic" else ""
        except ValueError:
            credentials = ""
        if credentials != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return oauth_error(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        if form.get("grant_type") != "client_credentials":
            return oauth_error(400, "unsupported_grant_type", "Unsupported grant_type")
        if form.get("audience") not in AUDIENCES.values():
            return oauth_error(400, "invalid_request", "Audience not found")
        self.calls.append("client_credentials")
        person = f"service-account-{CLIENT_ID}"
        token = self._issue(form["audience"], self.lifetime, azp=CLIENT_ID, preferred_username=person)
        return _json({"access_token": token, "expires_in": int(self.lifetime), "token_type": "Bearer"})

    def _issue(self, audience: str, seconds: float, **claims: Any) -> str:
        expiry = self.clock() + seconds
        issuer = {"iss": f"{self.url}/sso{REALM}", "aud": audience, "exp": int(expiry), "jti": secrets.token_hex(8)}
        parts = [_base64url({"alg": "RS256", "typ": "JWT"}), _base64url(issuer | claims), secrets.token_urlsafe(24)]
        token = ".".join(parts)
        self.tokens[token] = (audience, expiry)
        self.issued += 1
        return token

    # people

    def token_for(self, audience: str, seconds: float = 1200, **claims: Any) -> str:
        """A token as a person gets one in another way."""
        known = {"sub": "5f0c-person", "azp": "cmsoms-prod-public", "preferred_username": self.person}
        return self._issue(audience, seconds, **(known | claims))

    def _device(self, form: dict[str, str]) -> Reply:
        self.calls.append("device")
        if form.get("client_id") not in PUBLIC_CLIENTS:
            return oauth_error(401, "invalid_client", "Invalid client or Invalid client credentials")
        if form.get("code_challenge_method") != "S256" or len(form.get("code_challenge", "")) != 43:
            return oauth_error(400, "invalid_request", "Missing parameter: code_challenge_method")
        device, user = secrets.token_urlsafe(32), "-".join(_letters(4) for _ in range(2))
        self._devices[device] = {
            "client": form["client_id"],
            "challenge": form["code_challenge"],
            "user_code": user,
            "until": self.clock() + self.code_lifetime,
            "interval": self.interval,
            "polls": 0,
            "polled": self.clock(),
            "verdict": "",
        }
        page = f"{self.url}/sso{REALM}/device"
        return _json(
            {
                "device_code": device,
                "user_code": user,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={user}",
                "expires_in": int(self.code_lifetime),
                "interval": self.interval,
            }
        )

    def _page(self, parameters: dict[str, str]) -> Reply:
        """What the person opens in a browser: with ``deny`` in the query the answer is no."""
        for device in self._devices.values():
            if device["user_code"] == parameters.get("user_code"):
                device["verdict"] = "denied" if "deny" in parameters else "agreed"
                return Reply(200, b"<html><body>You may close this page.</body></html>\n", "text/html")
        return Reply(400, b"<html><body>Invalid code, please try again.</body></html>\n", "text/html")

    def _token(self, form: dict[str, str]) -> Reply:
        grants = {_DEVICE: self._by_device, "refresh_token": self._by_refresh, _EXCHANGE: self._exchange}
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            return oauth_error(400, "unsupported_grant_type", "Unsupported grant_type")
        self.calls.append(form["grant_type"].rpartition(":")[2])
        if form.get("client_id") not in PUBLIC_CLIENTS:
            return oauth_error(401, "invalid_client", "Invalid client or Invalid client credentials")
        return grant(form)

    def _by_device(self, form: dict[str, str]) -> Reply:
        code = form.get("device_code", "")
        device = self._devices.get(code)
        if device is None or device["client"] != form["client_id"]:
            return oauth_error(400, "invalid_grant", "Device code not valid")
        now = self.clock()
        if now >= device["until"]:
            return oauth_error(400, "expired_token", "Device code is expired")
        is_early = now - device["polled"] < device["interval"] - 0.05
        device["polled"] = now
        if is_early:
            return oauth_error(400, "slow_down", "Slow down")
        device["polls"] += 1
        if self.approves_after is not None and device["polls"] > self.approves_after:
            device["verdict"] = device["verdict"] or ("denied" if self.denies else "agreed")
        if device["verdict"] == "denied":
            return oauth_error(400, "access_denied", "The end user denied the authorization request")
        if not device["verdict"]:
            return oauth_error(400, "authorization_pending", "The authorization request is still pending")
        verifier = form.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if digest != device["challenge"] or not 43 <= len(verifier) <= 128:
            return oauth_error(400, "invalid_grant", "PKCE verification failed: Code mismatch")
        del self._devices[code]
        return self._grant(form["client_id"])

    def _by_refresh(self, form: dict[str, str]) -> Reply:
        token = form.get("refresh_token", "")
        client, expiry = self.refresh_tokens.get(token, ("", 0.0))
        if client != form["client_id"]:
            return oauth_error(400, "invalid_grant", "Session not active")
        if expiry <= self.clock():
            return oauth_error(400, "invalid_grant", "Token is not active")
        if self.rotates:
            del self.refresh_tokens[token]
        return self._grant(client, "" if self.rotates else token)

    def _grant(self, client: str, refresh: str = "") -> Reply:
        refresh = refresh or f"refresh.{secrets.token_urlsafe(32)}"
        self.refresh_tokens[refresh] = (client, self.clock() + self.refresh_lifetime)
        subject = f"subject.{secrets.token_urlsafe(24)}"
        self._subjects[subject] = (client, self.clock() + self.lifetime)
        return _json(
            {
                "access_token": subject,
                "expires_in": int(self.lifetime),
                "refresh_token": refresh,
                "refresh_expires_in": int(self.refresh_lifetime),
                "token_type": "Bearer",
            }
        )

    def _exchange(self, form: dict[str, str]) -> Reply:
        client, expiry = self._subjects.get(form.get("subject_token", ""), ("", 0.0))
        if client != form["client_id"] or expiry <= self.clock() or form.get("subject_token_type") != _ACCESS_TOKEN:
            return oauth_error(400, "invalid_token", "Invalid token")
        if form.get("audience") != PUBLIC_CLIENTS[client]:
            return oauth_error(403, "access_denied", "Client not allowed to exchange")
        token = self.token_for(form["audience"], self.lifetime, azp=client)
        return _json({"access_token": token, "expires_in": int(self.lifetime), "token_type": "Bearer"})

    def _revoke(self, form: dict[str, str]) -> Reply:
        if "revoke" not in self.known:
            return oauth_error(404, "not_found", "Unknown resource")
        self.calls.append("revoke")
        self.refresh_tokens.pop(form.get("token", ""), None)
        return Reply(200, b"")

    def _logout(self, form: dict[str, str]) -> Reply:
        if "logout" not in self.known:
            return oauth_error(404, "not_found", "Unknown resource")
        self.calls.append("logout")
        if self.refresh_tokens.pop(form.get("refresh_token", ""), None) is None:
            return oauth_error(400, "invalid_grant", "Invalid refresh token")
        return Reply(204, b"")


def oauth_error(status: int, error: str, description: str) -> Reply:
    """An error in the form that OAuth 2 gives it (RFC 6749, 5.2)."""
    return Reply(status, json.dumps({"error": error, "error_description": description}).encode())


def _json(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode())


def _letters(number: int) -> str:
    return "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(number))


def _base64url(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
