"""The realm of the fixture server: what RFC 8628, 7636 and 8693 want of it, asked without the package."""

from __future__ import annotations

import base64
import hashlib
import json
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tests.cern.sso import REALM, Sso

CLIENT = "cmsoms-prod-public"
GRANTS = "urn:ietf:params:oauth:grant-type:"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture
def realm():
    """A realm whose time stands still, and where nobody has agreed yet."""
    made = Sso("http://host", {}, 1200)
    made.now, made.approves_after = 1000.0, None
    made.clock = lambda: made.now
    return made


def ask(realm, path, method="POST", query=None, **form):
    request = SimpleNamespace(
        method=method, path=REALM + path, headers={}, parameters=query or {}, body=urlencode(form).encode()
    )
    reply = realm.handle(request)
    return reply.status, json.loads(reply.body) if reply.body[:1] == b"{" else reply.body


def device(realm):
    return ask(realm, "/protocol/openid-connect/auth/device", client_id=CLIENT, **PKCE)[1]


def token(realm, grant, seconds=5.0, **form):
    realm.now += seconds
    status, answer = ask(realm, "/protocol/openid-connect/token", grant_type=grant, **{"client_id": CLIENT, **form})
    return status, answer if status == 200 else answer["error"]


def test_a_device_code_needs_a_known_client_and_a_challenge(realm):
    path = "/protocol/openid-connect/auth/device"
    assert ask(realm, path, client_id="other", **PKCE)[0] == 401
    assert ask(realm, path, client_id=CLIENT)[0] == 400
    assert ask(realm, path, client_id=CLIENT, **PKCE)[1]["verification_uri"] == f"http://host/sso{REALM}/device"


def test_polls(realm):
    code = device(realm)
    poll = {"grant": GRANTS + "device_code", "device_code": code["device_code"], "code_verifier": VERIFIER}
    assert token(realm, **poll) == (400, "authorization_pending")
    assert token(realm, seconds=1.0, **poll) == (400, "slow_down")
    assert token(realm, **{**poll, "client_id": "cms-dials-prod-public-app"}) == (400, "invalid_grant")
    assert ask(realm, "/device", "GET", {"user_code": code["user_code"]})[0] == 200
    assert token(realm, **{**poll, "code_verifier": "w" * 43}) == (400, "invalid_grant")
    status, given = token(realm, **poll)
    assert status == 200 and given["refresh_token"]
    assert token(realm, **poll) == (400, "invalid_grant"), "a code works once"


def test_a_denial_and_an_old_code(realm):
    code = device(realm)
    ask(realm, "/device", "GET", {"user_code": code["user_code"], "deny": "1"})
    poll = {"grant": GRANTS + "device_code", "device_code": code["device_code"], "code_verifier": VERIFIER}
    assert token(realm, **poll) == (400, "access_denied")
    assert token(realm, seconds=601.0, **poll) == (400, "expired_token")


def test_exchange_renewal_and_revocation(realm):
    code = device(realm)
    ask(realm, "/device", "GET", {"user_code": code["user_code"]})
    poll = {"grant": GRANTS + "device_code", "device_code": code["device_code"], "code_verifier": VERIFIER}
    given = token(realm, **poll)[1]
    exchange = {"grant": GRANTS + "token-exchange", "subject_token": given["access_token"]}
    exchange |= {"subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "audience": "cmsoms-prod"}
    assert token(realm, **{**exchange, "audience": "cmsrunregistry-sso-proxy"}) == (403, "access_denied")
    assert token(realm, **{**exchange, "subject_token": "other"}) == (400, "invalid_token")
    assert realm.tokens[token(realm, **exchange)[1]["access_token"]][0] == "cmsoms-prod"
    refresh = {"grant": "refresh_token", "refresh_token": given["refresh_token"]}
    renewed = token(realm, **refresh)[1]["refresh_token"]
    assert token(realm, **refresh) == (400, "invalid_grant"), "it works once"
    assert ask(realm, "/protocol/openid-connect/revoke", client_id=CLIENT, token=renewed)[0] == 200
    assert token(realm, "refresh_token", refresh_token=renewed) == (400, "invalid_grant")
