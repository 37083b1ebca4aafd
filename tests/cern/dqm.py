"""The DQM GUI, offline and online: histograms as text, samples, folders, and the session of the web page."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.cern.faults import Reply
from tests.cern.simulated_summaries import scalar, summary

HTML = "text/html;charset=utf-8"
SESSION_SECONDS = 15 * 60
BAD_PAGE = b"<html><head><title>Bad Page</title></head><body><h1>Bad Page</h1></body></html>\n"
NOT_FOUND = b'{"hist": "unsupported type"}'
ONLINE_DATASET = "/Global/Online/ALL"


class _Session:
    """One browser session: requests come one at a time, ``modify`` needs ``chooseSample`` first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.used = time.monotonic()
        self.choosing = False
        self.vary, self.pattern = "any", ""


class DqmGui:
    """The service: ``handle`` takes a request below the base URL and gives the reply."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.digits: int | None = None  # of the entries in listings, all by default; 6 as the real server has them
        self._lock = threading.Lock()
        self._samples: dict[str, list[dict]] = {}
        self._sessions: dict[str, _Session] = {}

    def expire_sessions(self) -> None:
        """End all sessions, as after 15 idle minutes."""
        self._sessions.clear()

    def handle(self, request: Any) -> Reply:
        """Route one request."""
        parts = request.path.split("/", 2)
        service, rest = parts[1], parts[2] if len(parts) > 2 else ""
        if service not in ("offline", "online") or request.method != "GET":
            return Reply(404, b"<html><body><h1>404 Not Found</h1></body></html>\n", HTML)
        try:
            if rest.startswith("jsonfairy/archive/"):
                run, dataset, path = _address(rest.removeprefix("jsonfairy/archive/"))
                text = self.world.dqm_text(service, run, dataset, path)
                return Reply(200, NOT_FOUND if text is None else text.encode(), HTML)
            if rest == "data/json/samples":
                return self._answer_samples(service, request)
            if rest.startswith("data/json/archive/"):
                run, dataset, path = _address(rest.removeprefix("data/json/archive/"))
                return Reply(200, self._listing(service, run, dataset, path).encode())
            if rest.startswith("session/"):
                return self._session(service, rest, request.query)
        except (ValueError, re.error) as error:
            return Reply(200, f"Exception: {error}".encode(), "text/plain")  # the server's exceptions are 200
        return self._start(service) if rest in ("", "start") else Reply(200, BAD_PAGE, HTML)

    def samples(self, service: str) -> list[dict]:
        """All samples: type, run (a string), dataset, version, importversion."""
        with self._lock:
            if service not in self._samples:
                self._samples[service] = [
                    {"type": f"{service}_data", "run": str(run), "dataset": dataset, "version": "", "importversion": 1}
                    for run in self.world.dqm_runs(service)
                    for dataset in (self.world.dqm_datasets(run) if service == "offline" else [ONLINE_DATASET])
                ]
            return self._samples[service]

    def _answer_samples(self, service: str, request: Any) -> Reply:
        match = re.compile(request.parameters.get("match", ""))
        run = re.compile(request.parameters.get("run", ""))
        found = [item for item in self.samples(service) if run.search(item["run"]) and match.search(item["dataset"])]
        groups = [{"type": f"{service}_data", "items": found}] if found else []
        return Reply(200, json.dumps({"samples": groups}).encode())

    def _listing(self, service: str, run: int, dataset: str, folder: str) -> str:
        """What a folder holds: streamers first, then objects with what the index knows of them, then its folders."""
        contents = self.world.dqm_folder(service, run, dataset, folder)
        found = ['{ "streamerinfo":"" }\n'] if self.world.dqm_knows(service, run, dataset) else []
        for item in contents:
            if "value" in item:
                found.append(scalar(item["obj"], item["path"], item["value"]))
            elif "obj" in item:
                text = self.world.dqm_text(service, run, dataset, "/" + item["path"])
                found.append(summary(item["obj"], item["path"], text, self.digits))
        found += [f'{{ "subdir": {json.dumps(item["subdir"])} }}\n' for item in contents if "subdir" in item]
        return f'{{"contents": [{", ".join(found)}]}}'

    # the walk through the web page

    def _start(self, service: str) -> Reply:
        with self._lock:
            name = hashlib.sha1(f"{service}{len(self._sessions)}{time.time()}".encode(), usedforsecurity=False)
            identifier = name.hexdigest()[:6]
            self._sessions[f"{service}/{identifier}"] = _Session()
        page = (
            "<html><head><title>CMS data quality</title><script>\n"
            f"GUI.init('/dqm/{service}/', '/dqm/{service}/session/{identifier}');\n"
            "</script></head><body></body></html>\n"
        )
        return Reply(200, page.encode(), HTML)

    def _session(self, service: str, rest: str, query: str) -> Reply:
        _, identifier, name = [*rest.split("/", 2), ""][:3]
        session = self._sessions.get(f"{service}/{identifier}")
        if session is None or time.monotonic() - session.used > SESSION_SECONDS:
            self._sessions.pop(f"{service}/{identifier}", None)
            return Reply(200, BAD_PAGE, HTML)
        with session.lock:
            session.used = time.monotonic()
            parameters = dict(parse_qsl(query.replace(";", "&"), keep_blank_values=True))
            if name == "chooseSample":
                session.choosing, session.vary, session.pattern = True, parameters.get("vary", "any"), ""
            elif name != "modify" or not session.choosing:
                return Reply(200, BAD_PAGE, HTML)
            else:
                session.vary = parameters.get("vary", session.vary)
                session.pattern = parameters.get("pat", session.pattern)
            return Reply(200, self._literal(service, session).encode(), "text/javascript;charset=utf-8")

    def _literal(self, service: str, session: _Session) -> str:
        """A JavaScript literal in single quotes; with vary=run nothing is listed without a pattern."""
        items = []
        if session.vary == "any" or session.pattern:
            items = [item for item in self.samples(service) if item["run"].startswith(session.pattern)]
        listed = ",".join("{" + ",".join(f"'{name}':{value!r}" for name, value in item.items()) + "}" for item in items)
        empty = "{'type':'online_data_live','items':[]}"
        groups = f"{empty},{{'type':'{service}_data','items':[{listed}]}}" if items else ""
        return (
            "([{'kind':'AutoUpdate', 'interval':300, 'stamp':1545000000, 'serverTime':1.2},"
            f"{{'kind':'DQMSample', 'vary':'{session.vary}', 'order':'dataset', 'dynsearch':'yes', "
            f"'search':'{session.pattern}', 'current':{{}}, 'items':[{groups}]}}])"
        )


def _address(text: str) -> tuple[int, str, str]:
    """``321012/Global/Online/ALL/Tracking/...`` -> run, dataset of three parts, path (both begin with /)."""
    parts = unquote(text).split("/", 4)
    if not parts[0].isdigit() or len(parts) < 4:
        raise ValueError(f"bad address {text}")
    return int(parts[0]), "/" + "/".join(parts[1:4]), "/" + (parts[4] if len(parts) > 4 else "")
