"""Is everything there that the commands need: each service reachable, and we logged in?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from tkstudies.errors import LoginError, ServiceError, TkstudiesError
from tkstudies.services.web import endpoints
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.endpoints import SSO, Service
from tkstudies.settings import current

SECONDS = 5.0  # patience with each service

_ONE_DATASET = {
    "page": 0,
    "page_size": 1,
    "filter": {"run_number": {"=": 1}},
    "sortings": [["run_number", "ASC"], ["name", "ASC"]],
}


class Probe(NamedTuple):
    """A service, one small question that it answers to those who may ask, and whether one can do without it."""

    service: Service
    ask: Callable[[Connection], Any]
    needed: bool = False


def _get(path: str, **params: Any) -> Callable[[Connection], Any]:
    return lambda connection: connection.request("GET", path, params=params, parse=lambda response: True)


PROBES = {
    "runreg": Probe(
        endpoints.RUNREG,
        lambda connection: connection.post_json(
            "/datasets_filtered_ordered", _ONE_DATASET, expect=lambda answer: answer["datasets"]
        ),
        needed=True,
    ),
    "oms": Probe(
        endpoints.OMS,
        lambda connection: connection.get_json("/runs", {"page[limit]": 1}, expect=lambda page: page["data"]),
        needed=True,
    ),
    "dqm": Probe(
        endpoints.DQM,
        lambda connection: connection.get_json(
            "/offline/data/json/samples",
            {"match": "^/none$", "run": "^1$"},
            expect=lambda answer: answer["samples"],
        ),
        needed=True,
    ),
    "doctor": Probe(endpoints.DOCTOR, _get("/json/problems/")),
    "certhelper": Probe(endpoints.CERTHELPER, _get("/certify/allRunsRefRuns/")),
    "v3": Probe(endpoints.RESTHUB, _get("/tables")),
    "wbm": Probe(endpoints.WBM, _get("/RunSummary", RUN=1, FORMAT="XML")),
}


class Health(NamedTuple):
    """How it is with one service; None where nobody could tell.

    Attributes:
        service: Its short name, a key of PROBES.
        title, url: What messages call it, and where it is (empty if the environment says nothing usable).
        needed: Can nothing much be done without it?
        reachable: Did it answer?
        logged_in_as: Certificate, application or cookie file; None if it asks for none of them, or without one.
        valid_until: When that ends.
        ok: Can it be used?
        advice: What is wrong, and what to do about it; empty if nothing is.
    """

    service: str
    title: str
    url: str
    needed: bool
    reachable: bool | None = None
    logged_in_as: str | None = None
    valid_until: datetime | None = None
    ok: bool | None = None
    advice: str = ""


def examine(
    names: Iterable[str] = (), *, cookies: str | None = None, seconds: float | None = None
) -> list[Health]:
    """How it is with each service, all asked at the same time; with a replay none of them is.

    Args:
        names: Keys of PROBES, all of them needed; by default all services.
        cookies: A Netscape cookie file of a session at TkDQMDoctor.
        seconds: When to stop waiting, by default after SECONDS.
    """
    seconds = seconds or SECONDS
    named = list(dict.fromkeys(names))
    patients = [_Patient(name, bool(named), cookies, seconds) for name in named or PROBES]
    if current.replay is None:
        deadline = time.monotonic() + seconds
        for patient in patients:
            patient.start()
        for patient in patients:
            patient.join(max(0.0, deadline - time.monotonic()))
    return [patient.health() for patient in patients]


class _Patient(threading.Thread):
    """A service under examination, in a thread of its own that nobody waits for too long."""

    def __init__(self, name: str, needed: bool, cookies: str | None, seconds: float):
        super().__init__(daemon=True)
        self._probe = PROBES[name]
        self._cookies = cookies if self._probe.service is endpoints.DOCTOR else None
        self._seconds = seconds
        service = self._probe.service
        self._plain = Health(name, service.title, _url(service), needed or self._probe.needed)
        self._found: Health | None = None
        self._bug: Exception | None = None
        self._doing = ""

    def run(self) -> None:
        """Log in and ask."""
        try:
            self._found = self._examined()
        except Exception as error:
            self._bug = error

    def _examined(self) -> Health:
        found = self._plain
        try:
            self._doing = f"reading credentials for {found.title}"
            with Connection(self._probe.service, cookies=self._cookies, patience=self._seconds) as connection:
                self._doing = f"fetching a token from {SSO.title}"
                identity = connection.identity()
                if identity:
                    found = found._replace(logged_in_as=identity.name, valid_until=identity.until)
                self._doing = f"asking {found.url}"
                try:
                    self._probe.ask(connection)
                finally:
                    found = found._replace(reachable=connection.answered)
            return found._replace(ok=True)
        except TkstudiesError as error:
            if isinstance(error, LoginError):
                found = found._replace(logged_in_as=None, valid_until=None)
            return found._replace(ok=False, advice=str(error))

    def health(self) -> Health:
        """What is known by now; raises what is no failure of the service."""
        if self._bug:
            raise self._bug
        if self._found:
            return self._found
        if not self._doing:
            return self._plain._replace(
                advice=f"not asked: answers come from the cassettes in {current.replay}"
            )
        advice = f"no answer within {self._seconds:g} s while {self._doing}. {self._probe.service.route}"
        return self._plain._replace(reachable=False, ok=False, advice=advice)


def _url(service: Service) -> str:
    try:
        return service.base_url()
    except ServiceError:
        return ""  # told when it is asked
