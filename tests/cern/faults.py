"""Faults for the reliability tests: which request fails, and how its answer is spoilt.

The choice depends only on the seed and on the request (service, method, path, query, body) and on how often
that request has been made, so that a failing test fails again; the same request never fails more than
``max_repeat`` times in a row, so that a client that retries gets through.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from typing import NamedTuple

KINDS = (
    "reset",  # the connection is closed with RST before the answer
    "truncated",  # Content-Length promises more than is sent
    "slow",  # the body comes in small pieces
    "hang",  # no answer for hang_seconds, then the connection is closed
    "429",
    "500",
    "502",
    "503",
    "login_page",  # an expired session: 200 and HTML
    "login_redirect",  # an expired session: 302 to the login page
    "bad_json",  # the right answer, cut in the middle, with a matching Content-Length
    "empty",  # 200 without a body
    "wrong_type",  # valid JSON, but a list for an object and the other way round
    "html_error",  # 200 and an HTML error text
    "repeated_rows",  # a page repeats rows of the page before and drops as many
    "token_expiry",  # 401, and the token is dead from then on
)
TRANSPORT_KINDS = ("reset", "truncated", "slow", "hang")
TOKEN_SERVICES = ("runregistry", "oms")
PAGED_SERVICES = ("runregistry", "oms", "resthub")

_ERROR_BODIES = {
    "429": (429, "text/plain", b"Too Many Requests\n"),
    "500": (500, "text/html", b"<html><body><h1>500 Internal Server Error</h1></body></html>\n"),
    "502": (502, "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"),
    "503": (503, "text/html", b"<html><body><h1>503 Service Unavailable</h1></body></html>\n"),
}


class Reply(NamedTuple):
    """What a service answers: status, body, content type and further headers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Faults:
    """Decides which requests fail.

    Args:
        kinds: Names out of ``KINDS``.
        rate: Fraction of the requests that fail, 0 to 1.
        seed: Another seed, another choice of requests.
        services: Only these services; by default all but the token endpoint.
        max_repeat: The longest run of failures of one and the same request.
        hang_seconds: How long "hang" keeps silent.
        retry_after: Seconds named by 429 and 503; by default 0 or 1, by request.
    """

    def __init__(
        self,
        kinds: list[str] | tuple[str, ...] | str,
        rate: float = 0.1,
        seed: int = 0,
        services: list[str] | tuple[str, ...] | None = None,
        max_repeat: int = 2,
        hang_seconds: float = 30.0,
        slow_seconds: float = 0.2,
        retry_after: int | None = None,
    ) -> None:
        self.kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if unknown := set(self.kinds) - set(KINDS):
            raise ValueError(f"no such fault: {sorted(unknown)}; known: {', '.join(KINDS)}")
        self.rate, self.seed, self.services, self.max_repeat = rate, seed, services, max_repeat
        self.hang_seconds, self.slow_seconds, self.retry_after = hang_seconds, slow_seconds, retry_after
        self.injected: Counter[tuple[str, str]] = Counter()
        self._attempts: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()
        self._lock = threading.Lock()

    def choose(self, service: str, key: str, bearer: bool = False, later_page: bool = False) -> str | None:
        """The fault for this request or None; ``bearer`` and ``later_page`` say what can apply to it."""
        if service in ("sso", "login") if self.services is None else service not in self.services:
            return None
        kinds = [
            kind
            for kind in self.kinds
            if not (kind == "repeated_rows" and not (later_page and service in PAGED_SERVICES))
            and not (kind == "token_expiry" and not (bearer and service in TOKEN_SERVICES))
        ]
        with self._lock:
            attempt = self._attempts[key]
            self._attempts[key] += 1
            draw = self._draw(f"{attempt}|{key}")
            if not kinds or draw >= self.rate or self._in_a_row[key] >= self.max_repeat:
                self._in_a_row[key] = 0
                return None
            self._in_a_row[key] += 1
            kind = kinds[int(self._draw(f"kind|{attempt}|{key}") * len(kinds))]
            self.injected[kind, service] += 1
            return kind

    def _draw(self, text: str) -> float:
        digest = hashlib.sha256(f"{self.seed}|{text}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def total(self, kind: str) -> int:
        """How often this kind was injected, over all services."""
        return sum(count for (name, _), count in self.injected.items() if name == kind)

    def instead(self, kind: str, key: str) -> Reply | None:
        """The answer that comes in place of the right one, None for kinds that spoil the right one."""
        if kind in _ERROR_BODIES:
            status, content_type, body = _ERROR_BODIES[kind]
            seconds = self.retry_after if self.retry_after is not None else int(self._draw("wait|" + key) * 2)
            headers = (("Retry-After", str(seconds)),) if kind in ("429", "503") else ()
            return Reply(status, body, content_type, headers)
        if kind == "html_error":
            return Reply(200, b"<html><body><h1>Internal error</h1></body></html>\n", "text/html")
        return None


def spoil(kind: str, reply: Reply) -> Reply:
    """The right answer, spoilt: kinds bad_json, empty and wrong_type; others leave it as it is."""
    if kind == "empty":
        return reply._replace(body=b"")
    if kind == "bad_json":
        half = reply.body[: len(reply.body) // 2]
        return reply._replace(body=half if half[:1] in (b"{", b"[") else b'{"cut": ')
    if kind == "wrong_type":
        value = ["unexpected"] if reply.body.lstrip()[:1] == b"{" else {"unexpected": True}
        return reply._replace(body=json.dumps(value).encode())
    return reply
