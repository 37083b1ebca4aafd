"""A server on loopback that answers as the CERN services do, quirks included.

One port, one path prefix per service. For tests::

    with CernServer(seed=2018, faults=Faults(["reset"], rate=0.1)) as server:
        os.environ.update(server.env)

and for the shell, where it prints the ``export`` lines and serves until Ctrl-C::

    python -m tests.cern --seed 2018 --latency 0.02 --fault reset --fault 503

It shares no code with the package under test: what both get wrong in the same way would not be noticed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import secrets
import signal
import socket
import socketserver
import struct
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from tests.cern.dqm import DqmGui
from tests.cern.faults import KINDS, Faults, Reply, spoil
from tests.cern.oms import Oms
from tests.cern.registry import Registry
from tests.cern.resthub import RestHub
from tests.cern.sso import AUDIENCES, CLIENT_ID, CLIENT_SECRET, REALM, Sso

ENVIRONMENT = {
    "TKSTUDIES_RUNREG_URL": "/runregistry",
    "TKSTUDIES_RESTHUB_URL": "/resthub",
    "TKSTUDIES_OMS_URL": "/oms",
    "TKSTUDIES_DQM_URL": "/dqm",
    "TKSTUDIES_DOCTOR_URL": "/doctor",
    "TKSTUDIES_CERTHELPER_URL": "/certhelper",
    "TKSTUDIES_WBM_URL": "/wbm",
    "TKSTUDIES_SSO_URL": f"/sso{REALM}/api-access/token",
}
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>CERN Single Sign-On</title></head><body>\n"
    b'<h1>Sign in with your CERN account</h1>\n<form method="post"><input name="username">'
    b'<input name="password" type="password"><button>Sign in</button></form>\n</body></html>\n'
)
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass
class Request:
    """One request below a service's base URL."""

    method: str
    path: str  # with the leading slash, as sent
    query: str
    headers: dict[str, str]  # lower-case names
    body: bytes
    base_url: str
    shift: int = 0  # rows by which a page is to be shifted: the fault repeated_rows
    parameters: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {}


class LogEntry(NamedTuple):
    """One answered request; status 0 when nothing was answered."""

    service: str
    method: str
    path: str
    status: int
    connection: int


class _Hangup(Exception):
    """The connection ends here."""


class _Connection(socketserver.StreamRequestHandler):
    """One client connection: reads requests and sends answers until either side closes."""

    disable_nagle_algorithm = True
    server: _TcpServer

    def handle(self) -> None:
        owner = self.server.owner
        number = owner._opened(self.connection)
        try:
            while self._one(owner, number):
                pass
        except (OSError, _Hangup, ValueError):
            pass  # the client went away, or sent what isn't HTTP
        finally:
            owner._closed(self.connection)

    def _one(self, owner: CernServer, number: int) -> bool:
        line = self.rfile.readline(65537)
        if not line:
            return False
        method, target, version = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        last = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        owner._serve(self.connection, number, method, target, headers, body, last)
        return not last

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, owner: CernServer, port: int) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), _Connection)

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # the FIN of a shutdown would come before the RST of the fault "reset"

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.owner.errors.append(traceback.format_exc())


class CernServer:
    """All services on one loopback port, as a context manager.

    Args:
        seed: Seed of the simulated world.
        world: Another world with the same methods as ``tests.cern.simulation.World``.
        latency: Seconds slept before each answer.
        login: Whether OMS, the registry and TkDQMDoctor ask for a token or a cookie.
        faults: Which requests fail and how.
        token_lifetime: Seconds that a token lives.
        port: 0 for a free one.
    """

    def __init__(
        self,
        seed: int = 2018,
        world: Any = None,
        latency: float = 0.0,
        login: bool = True,
        faults: Faults | None = None,
        token_lifetime: float = 1200,
        port: int = 0,
    ) -> None:
        if world is None:
            from tests.cern.simulation import World

            world = World(seed)
        self.world, self.latency, self.login, self.faults = world, latency, login, faults
        self.token_lifetime = token_lifetime
        self.log: list[LogEntry] = []
        self.errors: list[str] = []
        self.connections = self.open_connections = self.peak_connections = 0
        self.on_request: Callable[[str, str], None] | None = None
        self.rewrite: Callable[[str, Request, Reply], Reply] | None = None  # answers that are about to be sent
        self.registry, self.resthub, self.oms, self.dqm = (Registry(world), RestHub(world), Oms(world), DqmGui(world))
        self._services: dict[str, Callable[[Request], Reply]] = {
            "runregistry": self.registry.handle,
            "resthub": self.resthub.handle,
            "oms": self.oms.handle,
            "dqm": self.dqm.handle,
            "doctor": self._doctor,
            "certhelper": self._certhelper,
            "wbm": self._wbm,
            "sso": lambda request: self.sso.handle(request),
        }
        self._tokens: dict[str, tuple[str, float]] = {}
        self._session_id = secrets.token_hex(16)
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tcp = _TcpServer(self, port)
        self.url = f"http://127.0.0.1:{self._tcp.server_address[1]}"
        self.sso = Sso(self.url, self._tokens, token_lifetime)
        self.env = {name: self.url + path for name, path in ENVIRONMENT.items()}
        self.env |= {"SSO_CLIENT_ID": CLIENT_ID, "SSO_CLIENT_SECRET": CLIENT_SECRET}
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> CernServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and drop every open connection."""
        self._stop.set()
        self._tcp.shutdown()
        self._tcp.server_close()
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self.resthub.close()

    # hooks for tests

    def write_cookies(self, path: str | Path) -> Path:
        """A Netscape cookie file with valid sessions of TkDQMDoctor and of the OMS and registry proxies."""
        expiry = int(time.time()) + 12 * 3600
        lines = ["# Netscape HTTP Cookie File", "# as written by auth-get-sso-cookie", ""]
        for prefix, name in (
            ("doctor", "sessionid"),
            ("oms", "mod_auth_openidc_session"),
            ("runregistry", "mod_auth_openidc_session"),
        ):
            lines.append("\t".join(["127.0.0.1", "FALSE", f"/{prefix}", "FALSE", str(expiry), name, self._session_id]))
        path = Path(path)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def add_rows(self, service: str, rows: list, table: Any = None) -> None:
        """Rows that appear from now on.

        ``runregistry``: datasets in full form; ``oms``: rows, ``table`` the resource; ``resthub``: tuples,
        ``table`` the pair (namespace, table).
        """
        if service == "runregistry":
            self.registry.add(rows)
        elif service == "oms":
            self.oms.add(table, rows)
        elif service == "resthub":
            self.resthub.add(*table, rows)
        else:
            raise ValueError(f"rows can't be added to {service}")

    def expire_queries(self) -> None:
        """Forget the query ids of RestHub."""
        self.resthub.expire()

    def expire_sessions(self) -> None:
        """End the sessions of the DQM GUI."""
        self.dqm.expire_sessions()

    def expire_tokens(self) -> None:
        """Let every token handed out so far expire, and every cookie."""
        for token, (audience, _) in list(self._tokens.items()):
            self._tokens[token] = (audience, 0.0)
        self._session_id = secrets.token_hex(16)

    def requests_to(self, service: str) -> list[LogEntry]:
        """The log of one service."""
        return [entry for entry in self.log if entry.service == service]

    # connections

    def _opened(self, connection: socket.socket) -> int:
        with self._lock:
            self._sockets.add(connection)
            self.connections += 1
            self.open_connections += 1
            self.peak_connections = max(self.peak_connections, self.open_connections)
            return self.connections

    def _closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)
            self.open_connections -= 1

    def _serve(
        self,
        connection: socket.socket,
        number: int,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        last: bool,
    ) -> None:
        if target.startswith("http://"):  # as a proxy is asked
            target = "/" + target.split("/", 3)[3]
        path, _, query = target.partition("?")
        service, _, rest = path[1:].partition("/")
        request = Request(method, "/" + rest, query, headers, body, f"{self.url}/{service}")
        below = f"/{rest}?{query}" if query else f"/{rest}"
        if self.on_request:
            self.on_request(service, below)
        if self.latency:
            self._stop.wait(self.latency)
        key = "|".join([service, method, below, body.decode("latin-1")])
        kind = self._fault(service, key, request)
        status = 0
        try:
            if kind in ("reset", "hang"):
                if kind == "hang":
                    self._stop.wait(self.faults.hang_seconds)
                else:  # no lingering: closing sends RST
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _Hangup
            reply = self._reply(service, request, kind, key)
            if self.rewrite:
                reply = self.rewrite(service, request, reply)
            status = reply.status
        finally:
            self.log.append(LogEntry(service, method, below, status, number))
        self._send(connection, reply, kind, last, method == "HEAD")
        if kind == "truncated":
            raise _Hangup

    def _fault(self, service: str, key: str, request: Request) -> str | None:
        if self.faults is None:
            return None
        bearer = "authorization" in request.headers
        return self.faults.choose(service, key, bearer, _is_later_page(service, request))

    def _reply(self, service: str, request: Request, kind: str | None, key: str) -> Reply:
        if kind == "login_page":
            return Reply(200, LOGIN_PAGE, "text/html; charset=utf-8")
        if kind == "login_redirect":
            return self._to_login(service, request)
        if kind == "token_expiry":
            token = request.headers["authorization"].removeprefix("Bearer ")
            if token in self._tokens:
                self._tokens[token] = (self._tokens[token][0], 0.0)
            return self._expired()
        if kind and (reply := self.faults.instead(kind, key)):
            return reply
        if kind == "repeated_rows":
            request.shift = 2
        if service == "login":
            return Reply(200, LOGIN_PAGE, "text/html; charset=utf-8")
        handler = self._services.get(service)
        if handler is None:
            return Reply(404, b"<html><body><h1>404 Not Found</h1></body></html>\n", "text/html")
        refused = self._refuse(service, request) if self.login and service in AUDIENCES else None
        try:
            reply = refused or handler(request)
        except Exception:  # a bug here, not in the client: tests look at server.errors
            self.errors.append(traceback.format_exc())
            return Reply(500, b"the fixture server failed\n", "text/plain")
        return spoil(kind, reply) if kind else reply

    def _send(self, connection: socket.socket, reply: Reply, kind: str | None, last: bool, head_only: bool) -> None:
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        if last:
            extra += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, '')}\r\n"
            f"Content-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\n{extra}\r\n"
        ).encode("latin-1")
        body = b"" if head_only else reply.body
        if kind == "truncated":
            connection.sendall(head + body[: len(body) // 2])
        elif kind == "slow":
            connection.sendall(head)
            step = max(1, len(body) // 8)
            pause = self.faults.slow_seconds / 8 if self.faults else 0.0
            for start in range(0, len(body), step):
                self._stop.wait(pause)
                connection.sendall(body[start : start + step])
        else:
            connection.sendall(head + body)

    # login

    def _refuse(self, service: str, request: Request) -> Reply | None:
        """None with a valid token or cookie; 401 for an expired token, otherwise 302 to the login page."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        audience, expiry = self._tokens.get(token, (None, 0.0))
        if audience == AUDIENCES[service]:
            return None if expiry > self.sso.clock() else self._expired()
        if self._cookie(request, "mod_auth_openidc_session"):
            return None
        return self._to_login(service, request)

    def _cookie(self, request: Request, name: str) -> bool:
        try:
            cookies = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return False
        return name in cookies and cookies[name].value == self._session_id

    def _expired(self) -> Reply:
        challenge = 'Bearer realm="cern", error="invalid_token", error_description="The token has expired"'
        return Reply(401, b'{"error": "invalid_token"}', "application/json", (("WWW-Authenticate", challenge),))

    def _to_login(self, service: str, request: Request) -> Reply:
        if service == "doctor":
            location = f"{request.base_url}/accounts/login/?next={quote(request.path)}"
        else:
            location = f"{self.url}/login/auth/realms/cern?redirect_uri={quote(request.base_url + request.path, '')}"
        return Reply(302, b"", "text/html; charset=utf-8", (("Location", location),))

    # the small services

    def _doctor(self, request: Request) -> Reply:
        if request.path.startswith("/accounts/login/"):
            return Reply(200, LOGIN_PAGE, "text/html; charset=utf-8")
        if self.login and not self._cookie(request, "sessionid"):
            return self._to_login("doctor", request)
        tables = {
            "/json/runs/": "doctor_runs",
            "/json/problem_runs/": "doctor_problem_runs",
            "/json/problems/": "doctor_problems",
        }
        if request.path not in tables:
            return Reply(404, b"<h1>Not Found</h1>", "text/html; charset=utf-8")
        return _json(getattr(self.world, tables[request.path]))

    def _certhelper(self, request: Request) -> Reply:
        if request.path != "/certify/allRunsRefRuns/":
            return Reply(404, b"<h1>Not Found</h1>", "text/html; charset=utf-8")
        return _json(self.world.certhelper_reference_runs)

    def _wbm(self, request: Request) -> Reply:
        if request.path != "/RunSummary":
            return Reply(404, b"<h1>Not Found</h1>", "text/html")
        parameters = request.parameters
        first = parameters.get("RUN") or parameters.get("RUN_BEGIN") or "0"
        last = parameters.get("RUN") or parameters.get("RUN_END") or "999999999"
        if parameters.get("FORMAT") != "XML" or not (first.isdigit() and last.isdigit()):
            return Reply(200, b"<html><body>RunSummary</body></html>", "text/html")
        runs = [run for run in self.world.wbm_runs if int(first) <= int(run["run"]) <= int(last)]
        rows = "".join(
            "<runInfo>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in run.items()) + "</runInfo>"
            for run in sorted(runs, key=lambda run: int(run["run"]), reverse=True)
        )
        return Reply(200, f'<?xml version="1.0"?>\n<cmsdb>{rows}</cmsdb>\n'.encode(), "text/xml;charset=UTF-8")


def _is_later_page(service: str, request: Request) -> bool:
    if service == "runregistry" and request.path.endswith("_filtered_ordered"):
        page = re.search(rb'"page"\s*:\s*(\d+)', request.body)
        return page is not None and int(page[1]) > 0
    if service == "oms":
        return request.parameters.get("page[offset]", "0") != "0"
    page = re.search(r"/page/\d+/(\d+)/data$", request.path) if service == "resthub" else None
    return page is not None and int(page[1]) > 1


def _json(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode())


def main(arguments: list[str] | None = None) -> None:
    """Print the environment for a shell and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.cern", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=2018)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-login", action="store_true")
    parser.add_argument(
        "--fault", action="extend", nargs="+", default=[], choices=KINDS, metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--fault-rate", type=float, default=0.1)
    options = parser.parse_args(arguments)
    faults = Faults(options.fault, options.fault_rate) if options.fault else None
    server = CernServer(
        options.seed, latency=options.latency, login=not options.no_login, faults=faults, port=options.port
    )
    with server, tempfile.TemporaryDirectory() as folder:
        for name, value in server.env.items():
            print(f"export {name}={value}")
        if server.login:
            print(f"export TKSTUDIES_COOKIES={server.write_cookies(Path(folder) / 'cookies.txt')}", flush=True)
        print("# serving until Ctrl-C", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
