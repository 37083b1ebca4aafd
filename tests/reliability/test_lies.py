"""Servers that lie: bodies, headers and listings without end, packed traps, half answers. Each kind once."""

from __future__ import annotations

import gzip
import json
import resource
import socketserver
import threading
import time
import zlib
from functools import cache

import pytest

from tests.reliability import hostile

HARMLESS = ("more rows than there are", "fewer rows than there are", "cookies", "UTF-16")
COMMANDS = ("oms runs --run 317291", "doctor references", "wbm --run 317291", "check --service oms")
MEGABYTE = 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ROWS = [{"id": str(n), "type": "runs", "attributes": {"run_number": 317291 + n}} for n in range(3)]


def listing(total):
    return json.dumps({"data": ROWS, "meta": {"totalResourceCount": total}}).encode()


def whole(body, *headers):
    lines = b"".join(line + b"\r\n" for line in (*headers, b"Content-Length: %d" % len(body)))
    return [HEAD + lines + b"\r\n" + body]


def endless(piece, first=b""):
    yield first
    while True:
        yield piece


def slowly(text, pause=0.05):
    for n in range(len(text)):
        yield text[n : n + 1]
        time.sleep(pause)


@cache
def bomb(size):
    """A gzip file of some kilobytes that holds ``size`` bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"[" + b" " * (MEGABYTE - 1)) for _ in range(size // MEGABYTE))
    return packed + packer.flush()


LIES = {
    "a body without end": lambda: endless(b" " * 65536, HEAD + b"\r\n"),
    "chunks without end": lambda: endless(b"4\r\n    \r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a chunk's size without end": lambda: endless(b"0" * 1000, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a trailer without end": lambda: endless(b"A: b\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    "headers without end": lambda: endless(b"A: b\r\n", HEAD),
    "a header without end": lambda: endless(b"b" * 1000, HEAD + b"A: "),
    "a status without end": lambda: endless(b"x" * 1000, b"HTTP/1.1 200 "),
    "100 Continue without end": lambda: endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100 Continue slowly": lambda: slowly(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "slow headers": lambda: slowly(HEAD * 100),
    "a slow body": lambda: [HEAD + b"Content-Length: 9999\r\n\r\n", *slowly(b" " * 60)],
    "a gzip bomb": lambda: whole(bomb(60 * MEGABYTE), b"Content-Encoding: gzip"),
    "a bomb in a bomb": lambda: whole(gzip.compress(bomb(60 * MEGABYTE)), b"Content-Encoding: gzip, gzip"),
    "damaged gzip": lambda: whole(bomb(MEGABYTE)[:500] + b"\xff" * 500, b"Content-Encoding: gzip"),
    "half a gzip": lambda: whole(bomb(MEGABYTE)[:500], b"Content-Encoding: gzip"),
    "no gzip": lambda: whole(listing(3), b"Content-Encoding: gzip"),
    "no deflate": lambda: whole(listing(3), b"Content-Encoding: deflate"),
    "more rows than there are": lambda: whole(listing(10**15)),
    "fewer rows than there are": lambda: whole(listing(-5)),
    "a number beyond all": lambda: whole(b'{"data": [], "meta": {"totalResourceCount": %s}}' % (b"9" * 200_000)),
    "deep": lambda: whole(b'{"data": ' + b"[" * 2_000_000),
    "deep and closed": lambda: whole(b'{"data": ' + b'[{"a":' * 500_000 + b"1" + b"}]" * 500_000 + b"}"),
    "not UTF-8": lambda: whole(b'{"data": [{"id": "\xff\xfe"}]}'),
    "UTF-16": lambda: whole(listing(3).decode().encode("utf-16")),
    "nothing": lambda: [],
    "not HTTP": lambda: [b"\x16\x03\x01\x02\x00\x01\x00" + b"\xff" * 500],
    "half a header": lambda: [HEAD + b"Content-Le"],
    "half a body": lambda: [HEAD + b"Content-Length: 500\r\n\r\n{"],
    "two lengths": lambda: [HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"],
    "a length below 0": lambda: [HEAD + b"Content-Length: -1\r\n\r\n{}"],
    "a length in words": lambda: [HEAD + b"Content-Length: many\r\n\r\n{}"],
    "a chunk below 0": lambda: [HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}"],
    "a line that is no header": lambda: [HEAD + b"\x1b]52;c;eA==\x07\r\n\r\n{}"],
    "a status beyond all": lambda: [b"HTTP/1.1 99999 \x1b[2J\r\n\r\n"],
    "a status in words": lambda: [b"HTTP/1.1 fine\r\n\r\n"],
    "another protocol": lambda: [b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    "204": lambda: [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "304": lambda: [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "101": lambda: [b"HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    "to a file": lambda: [b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"],
    "to itself": lambda: [b"HTTP/1.1 302 Found\r\nLocation: ?\r\nContent-Length: 0\r\n\r\n"],
    "wait for ever": lambda: [b"HTTP/1.1 429 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n"],
    "cookies": lambda: whole(listing(3), *[b"Set-Cookie: a%d=%s" % (n, b"x" * 5000) for n in range(90)]),
}  # fmt: skip


class Liar(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.request.settimeout(10)
            while self.request.recv(65536):
                for piece in self.server.lie():
                    self.request.sendall(piece)
                if not self.server.keeps_open:
                    return
        except OSError:
            pass  # the client has had enough


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    keeps_open = False


@pytest.fixture(scope="module")
def liar():
    with Server(("127.0.0.1", 0), Liar) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def lied_to(liar, quick_retries, monkeypatch):
    for service in ("OMS", "CERTHELPER", "WBM", "SSO"):
        monkeypatch.setenv(f"TKSTUDIES_{service}_URL", f"http://127.0.0.1:{liar.server_address[1]}/x")
    monkeypatch.setenv("TKSTUDIES_PATIENCE", "0.4")
    monkeypatch.setenv("TKSTUDIES_TIMEOUT", "0.3")
    monkeypatch.setenv("TKSTUDIES_MAX_ANSWER", "20")
    return liar


@pytest.mark.parametrize("name", LIES)
def test_lies(lied_to, tkstudies, name):
    lied_to.lie, lied_to.keeps_open = LIES[name], name == "more rows than there are"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for command in COMMANDS if hostile.SIZE > 1 else COMMANDS[:1]:
        result = hostile.check(lambda command=command: tkstudies(*command.split()), (name, command))
        assert result.exit_code != 0 or name in HARMLESS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


def test_an_answer_that_is_too_large_names_the_variable(lied_to, tkstudies):
    bomb(60 * MEGABYTE)
    lied_to.lie = LIES["a gzip bomb"]
    result = tkstudies(*COMMANDS[0].split())
    assert result.exit_code == 1 and "sent more than 20 MB (TKSTUDIES_MAX_ANSWER allows more)" in result.stderr


def test_a_listing_that_brings_nothing_new_ends(lied_to, tkstudies):
    lied_to.lie, lied_to.keeps_open = LIES["more rows than there are"], True
    result = tkstudies("oms", "runs", "--min", 317291, "--max", 317299)
    assert result.exit_code == 3 and len(result.stdout.splitlines()) == 3
    assert "999999999999997 of 1000000000000000 runs never came" in result.stderr


@pytest.mark.parametrize("name", LIES)
def test_a_token_endpoint_that_lies(lied_to, tkstudies, monkeypatch, name):
    if hostile.SIZE <= 1 and name not in ("a body without end", "slow headers", "a gzip bomb", "to itself"):
        pytest.skip("with TKSTUDIES_TEST_SIZE above 1")
    monkeypatch.setattr("tkstudies.services.web.sso._SECONDS", 0.4)
    monkeypatch.setattr("tkstudies.services.web.sso._DELAYS", (0.01, None))
    monkeypatch.setenv("SSO_CLIENT_ID", "tkstudies-test")
    monkeypatch.setenv("SSO_CLIENT_SECRET", "not-a-real-secret")
    lied_to.lie, lied_to.keeps_open = LIES[name], False
    result = hostile.check(lambda: tkstudies(*COMMANDS[0].split()), name)
    assert result.exit_code == 1 and "no token for cmsoms-prod" in result.stderr


# --- files


def packed(content, file):
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize(
    "command", ["filter 'a = 1' -i", "sort", "export --to jsonl", "dqm --run 1 --reco express --plot /A --resume"]
)
def test_a_line_without_end(tkstudies, monkeypatch, tmp_path, command):
    monkeypatch.setenv("TKSTUDIES_MAX_LINE", "1")
    monkeypatch.setenv("TKSTUDIES_DQM_URL", "http://127.0.0.1:9")
    long = b"x" * 1_100_000
    line = b"a,b\n" + long + b",1\n" if "export" in command else b'{"a": "' + long + b'"}\n'
    arguments = [part.strip("'") for part in command.replace(" '", "\n'").replace("' ", "'\n").split("\n")]
    arguments = arguments if len(arguments) == 3 else command.split()
    for content in (line, b"{}\n" + line, gzip.compress(line)):
        if content[:1] != line[:1] and ("resume" in command or content[:1] == b"{"):
            continue
        file = packed(content, tmp_path / "table.csv")
        more = [] if "resume" not in command else ["-o", tmp_path / "out"]
        result = hostile.check(lambda: tkstudies(*arguments, file, *more), command)  # noqa: B023
        assert result.exit_code == 1
        assert "resume" in command or "a line of more than 1 MB (TKSTUDIES_MAX_LINE allows more)" in result.stderr


@pytest.mark.parametrize("command", ["sort", "export --to jsonl", "filter --golden", "pca --apply"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: data[:300] + b"\xff" * 300, lambda data: data + b"x"]
)
def test_damaged_gzip_is_an_input_error(tkstudies, tmp_path, command, damage):
    good = gzip.compress(b"".join(b'{"run_number": %d, "x": %d}\n' % (n, n**9) for n in range(2000)))
    file = packed(damage(good), tmp_path / "table.csv")
    result = hostile.check(lambda: tkstudies(*command.split(), file, input="{}\n"), command)
    assert result.exit_code == 1 and file in result.stderr


def test_a_model_that_is_a_bomb(tkstudies, monkeypatch, tmp_path):
    monkeypatch.setenv("TKSTUDIES_MAX_ANSWER", "5")
    file = packed(bomb(20 * MEGABYTE), tmp_path / "model.json")
    result = tkstudies("pca", "--apply", file, input="{}\n")
    assert result.exit_code == 1 and "more than 5 MB (TKSTUDIES_MAX_ANSWER" in result.stderr


@pytest.mark.parametrize("variable", ["TKSTUDIES_MAX_LINE", "TKSTUDIES_MAX_ANSWER"])
def test_limits_that_are_no_numbers(tkstudies, monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, "much")
    result = tkstudies("pca", "--apply", packed(b"{}", tmp_path / "model.json"), input="{}\n")
    assert result.exit_code == 2 and f"{variable}=much: expected a number of MB above 0" in result.stderr
