"""What all connections of a process share: cassettes, the recorder, tokens; made when first asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from requests.adapters import BaseAdapter

from tkstudies.services.web import logins, tokens
from tkstudies.services.web.cassettes import Recorder, ReplayAdapter
from tkstudies.services.web.endpoints import SSO, Service
from tkstudies.services.web.tokens import Tokens
from tkstudies.settings import current

_shared: dict[Any, Any] = {}
_sharing = threading.Lock()


def made_once(key: Any, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, which is called once for each key until the end of the command."""
    with _sharing:
        if key not in _shared:
            _shared[key] = make()
        return _shared[key]


def replay_adapter(folder: Path) -> BaseAdapter:
    """Answers from the cassettes of a folder."""
    return made_once(("replay", folder), lambda: ReplayAdapter(folder))


def recorder(folder: Path) -> Recorder:
    """Writes cassettes to a folder."""
    command = current.command
    return made_once(("record", folder), lambda: Recorder(folder, command))


def tokens_for(service: Service) -> Tokens | None:
    """The tokens of a service, by the way of logging in that the environment names; None for no login.

    Raises:
        ServiceError: The environment names no single sign-on that one may send secrets to.
    """
    way = (os.environ.get(name) for name in (SSO.variable, "SSO_CLIENT_ID", service.token_variable or "-"))
    is_kept = bool(service.login) and logins.exists(service)
    return made_once(("tokens", service.audience, is_kept, *way), lambda: tokens.of(service))


def finish() -> None:
    """End of a command: write what was recorded and forget what was shared."""
    with _sharing:
        shared = dict(_shared)
        _shared.clear()
    for thing in shared.values():
        if isinstance(thing, Recorder):
            thing.close()
