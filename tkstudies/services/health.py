"""Can the services be used: is each of them reachable, and does it know us?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from tkstudies.errors import LoginError, ServiceError, TkstudiesError
from tkstudies.services import doctor, oms, wbm
from tkstudies.services.dqm import gui
from tkstudies.services.registry import v3, v4
from tkstudies.services.web import endpoints, identity, logins
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.endpoints import SSO, Service
from tkstudies.settings import current

SECONDS = 5.0  # patience with each service


class Probe(NamedTuple):
    """A service and its client's question whether we may use it.

    Attributes:
        service: Where it is.
        ask: A small request that the service answers to those who may ask; raises what is wrong.
        needed: Can nothing much be done without it?
    """

    service: Service
    ask: Callable[[Connection], Any]
    needed: bool = False


PROBES = {
    "runreg": Probe(endpoints.RUNREG, v4.probe, needed=True),
    "oms": Probe(endpoints.OMS, oms.probe, needed=True),
    "dqm": Probe(endpoints.DQM, gui.probe, needed=True),
    "doctor": Probe(endpoints.DOCTOR, doctor.probe),
    "certhelper": Probe(endpoints.CERTHELPER, doctor.probe_references),
    "v3": Probe(endpoints.RESTHUB, v3.probe),
    "wbm": Probe(endpoints.WBM, wbm.probe),
}


class Health(NamedTuple):
    """How it is with one service; None where nobody could tell.

    Attributes:
        service: Its short name, a key of PROBES.
        title, url: What messages call it, and where it is (empty if the environment says nothing usable).
        needed: Is it an error when it can't be used?
        reachable: Did it answer?
        logged_in_as: Whom it knows us as; None if it asks for no login, or without one.
        logged_in_by: In which way: certificate, login (by browser), ready token, client secret, cookie file.
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
    logged_in_by: str | None = None
    valid_until: datetime | None = None
    ok: bool | None = None
    advice: str = ""


def examine(names: Iterable[str] = (), *, cookies: str | None = None, seconds: float | None = None) -> list[Health]:
    """How it is with each service, all asked at the same time; with a replay none of them is.

    Args:
        names: Keys of PROBES, all of them needed; by default all services.
        cookies: A Netscape cookie file of a session at TkDQMDoctor.
        seconds: When to stop waiting, by default after SECONDS.
    """
    seconds = seconds or SECONDS
    named = list(dict.fromkeys(names))
    examinations = [_Examination(name, bool(named), cookies, seconds) for name in named or PROBES]
    if current.replay is None:
        deadline = time.monotonic() + seconds
        for examination in examinations:
            examination.start()
        for examination in examinations:
            examination.join(max(0.0, deadline - time.monotonic()))
    return [examination.health() for examination in examinations]


def remarks(found: Iterable[Health]) -> list[str]:
    """What there is to know of logins by browser that are kept, beyond how it is with each service."""
    kept = [service for service in endpoints.LOGINS.values() if logins.exists(service)]
    if current.replay or not kept:
        return []
    texts = [_unused(service) for service in kept if service is endpoints.DIALS]
    if any(one.service == "runreg" and one.ok for one in found):
        texts.append(
            f"{endpoints.RUNREG.title}: no login by browser is known for it; "
            "it takes the application of SSO_CLIENT_ID and SSO_CLIENT_SECRET, or cookies"
        )
    return texts


def exposed() -> str:
    """A warning if others may be able to read a login that is kept; empty otherwise."""
    is_kept = current.replay is None and any(map(logins.exists, endpoints.LOGINS.values()))
    return logins.exposed() if is_kept else ""


def _unused(service: Service) -> str:
    try:
        login = logins.read(service)
    except LoginError as error:
        return f"{service.title}: {error}"
    name, until = identity.of_token(login.token, "login").name, identity.at(login.ends)
    return f"{service.title}: logged in as {name} by login until {until:%Y-%m-%d %H:%M} UTC (no command uses it yet)"


class _Examination(threading.Thread):
    """The examination of one service, in a thread of its own, so that nobody waits for it too long."""

    def __init__(self, name: str, needed: bool, cookies: str | None, seconds: float):
        super().__init__(daemon=True)
        self._probe = PROBES[name]
        self._cookies = cookies if self._probe.service is endpoints.DOCTOR else None
        self._seconds = seconds
        service = self._probe.service
        self._unknown = Health(name, service.title, _url(service), needed or self._probe.needed)
        self._health: Health | None = None
        self._bug: Exception | None = None
        self._doing = ""

    def run(self) -> None:
        """Log in and ask."""
        try:
            self._health = self._examine()
        except Exception as error:
            self._bug = error

    def _examine(self) -> Health:
        found = self._unknown
        try:
            self._doing = f"reading credentials for {found.title}"
            with Connection(self._probe.service, cookies=self._cookies, patience=self._seconds) as connection:
                self._doing = f"fetching a token from {SSO.title}"
                if us := connection.identity():
                    found = found._replace(logged_in_as=us.name, logged_in_by=us.way, valid_until=us.until)
                self._doing = f"asking {found.url}"
                try:
                    self._probe.ask(connection)
                finally:
                    found = found._replace(reachable=connection.answered)
            return found._replace(ok=True)
        except TkstudiesError as error:
            if isinstance(error, LoginError):
                found = found._replace(logged_in_as=None, logged_in_by=None, valid_until=None)
            return found._replace(ok=False, advice=str(error))

    def health(self) -> Health:
        """What is known by now; raises what is no failure of the service."""
        if self._bug:
            raise self._bug
        if self._health:
            return self._health
        if not self._doing:
            return self._unknown._replace(advice=f"not asked: answers come from the cassettes in {current.replay}")
        advice = f"no answer within {self._seconds:g} s while {self._doing}. {self._probe.service.route}"
        return self._unknown._replace(reachable=False, ok=False, advice=advice)


def _url(service: Service) -> str:
    try:
        return service.base_url()
    except ServiceError:
        return ""  # told when it is asked
