"""When a request that failed is sent again: how often and after how long, by the kind of failure."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from requests.exceptions import ConnectTimeout, ProxyError, RequestException
from urllib3.exceptions import NewConnectionError

LOGIN_KINDS = ("login", "token", "old token")
_TOKEN_KINDS = ("token", "old token")  # a new token is there at once: waiting longer gains nothing
_MOST_TRIES = {"unreachable": 3, "login": 3, "token": 8, "old token": 100, "content": 5, "busy": 10}


class Failure(Exception):
    """One try that failed.

    Attributes:
        kind: ``unreachable`` (nobody listens), ``login`` (we aren't logged in), ``token`` (our token is refused),
            ``old token`` (another thread has replaced it already), ``content`` (an unusable answer) or ``busy``.
        reason: What went wrong, as a sentence goes on behind the name of the service.
        wait: Seconds that the server asks us to wait.
    """

    def __init__(self, kind: str, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.kind, self.reason, self.wait = kind, reason, wait


@dataclass(frozen=True)
class Retries:
    """How often a request is tried, and the pauses between the tries.

    Attributes:
        first_delay: Seconds before the second try; doubled for each further one.
        longest_delay: Seconds that a pause has at most, unless the server asks for more.
        most_tries: Tries by kind of failure.
        unlimited_above: A busy service with more than so many seconds of patience is tried until that ends.
    """

    first_delay: float = 0.25
    longest_delay: float = 30.0
    most_tries: Mapping[str, int] = field(default_factory=lambda: _MOST_TRIES)
    unlimited_above: float = 300.0


USUAL = Retries()
"""The policy of connections that aren't given another one; tests replace it."""


class Tries:
    """The tries of one request.

    Args:
        policy: How often, and how long the pauses are.
        patience: Seconds from now on after which the request is given up.

    Attributes:
        deadline: When that is, by time.monotonic.
    """

    def __init__(self, policy: Retries, patience: float):
        self._policy = policy
        self._is_unlimited = patience > policy.unlimited_above
        self.deadline = time.monotonic() + patience
        self._failed: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._failed.total()

    def delay_after(self, failure: Failure) -> float | None:
        """Count a failure; the seconds to wait before the next try, None if there should be none."""
        kind, policy = failure.kind, self._policy
        self._failed[kind] += 1
        doublings = 0 if kind in _TOKEN_KINDS else len(self) - 1
        delay = min(policy.first_delay * 2**doublings, policy.longest_delay) * random.uniform(0.5, 1.0)  # noqa: S311
        delay = max(delay, failure.wait)
        is_late = time.monotonic() + delay > self.deadline
        is_last = self._failed[kind] >= policy.most_tries[kind] and not (kind == "busy" and self._is_unlimited)
        return None if is_late or is_last else delay


def never_connected(error: RequestException) -> bool:
    """Was there no connection at all, in contrast to one that broke off?"""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, (ConnectTimeout, ProxyError)) or isinstance(reason, NewConnectionError)


def cause_of(error: BaseException) -> str:
    """Why a network error happened, in a few words: requests and urllib3 wrap one error into another."""
    seen: set[int] = set()
    inner: Any = error
    while id(inner) not in seen:
        seen.add(id(inner))
        following = getattr(inner, "reason", None) or next(
            (a for a in getattr(inner, "args", ()) if isinstance(a, BaseException)), None
        )
        if not isinstance(following, BaseException):
            break
        inner = following
    return str(getattr(inner, "strerror", None) or inner).split(": ")[-1].rstrip("'\")>")[:200]
