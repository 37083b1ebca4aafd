"""Where a product comes from: version, command line, time, inputs with their hashes, range of runs.

Models, pages and side files carry this, so that somebody who finds one knows how to make it again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable
from datetime import datetime, timezone

from tkstudies import __version__
from tkstudies.records import Record, whole

HASH = "sha256"
DIGITS = 12
"""So many digits of a hash tell one input from another."""

_BLOCK = 1 << 20
_HIDDEN = "***"
_OF_SECRETS = re.compile(r"(?i)(passw|secret|token|credential)")
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_SHORTEST = 8
"""Letters of a secret of the environment: what is shorter may be any word."""


def provenance(files: Iterable[str] = (), runs: Iterable[object] = (), at: datetime | None = None) -> Record:
    """Version, command line, time, inputs and the range of runs of something that is about to be written.

    Args:
        files: Names of the inputs; what can't be read again (standard input, a pipe) has no hash.
        runs: Run numbers that it was made from, however they are written.
        at: When, now by default.

    Example:
        >>> made = provenance(["-"], [317291, "317640", None])
        >>> made["inputs"], made["first_run"], made["last_run"]
        ([{'file': '-', 'sha256': None}], 317291, 317640)
    """
    numbers = [run for run in map(whole, runs) if run is not None]
    return {
        "tkstudies_version": __version__,
        "command": command_line(),
        "made_at": stamp(at),
        "inputs": [{"file": file, HASH: digest(file)} for file in files],
        "first_run": min(numbers, default=None),
        "last_run": max(numbers, default=None),
    }


def undated(made: Record) -> Record:
    """Without the time, for files of which the same command makes the same bytes: pictures."""
    return {name: value for name, value in made.items() if name != "made_at"}


def columns(made: Record) -> Record:
    """The same for each record of a side file, flat as records are.

    >>> columns({"command": "tkstudies pca", "inputs": [{"file": "a.jsonl", "sha256": "2d711642b726"}]})["inputs"]
    ['a.jsonl sha256:2d711642b726']
    """
    files = [f"{one['file']} {HASH}:{one[HASH]}" if one[HASH] else one["file"] for one in made["inputs"]]
    return {**made, "inputs": files}


def printable(name: str) -> str:
    """The name of a file as UTF-8 can hold it.

    >>> printable("a\\udcff")
    'a\\\\xff'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def command_line() -> str:
    """The command line of this process, as a shell reads it, without secrets; of Python users what they run."""
    name, *arguments = [*map(printable, sys.argv), ""][: max(len(sys.argv), 1)]
    called = os.path.basename(name)
    return shlex.join(["tkstudies" if called in ("__main__.py", "tkstudies") else called, *without_secrets(arguments)])


def without_secrets(words: Iterable[str]) -> list[str]:
    """Words of a command line: no login of a URL, no value of an option for a secret, none of the environment.

    >>> without_secrets(["-i", "https://me:pw@host/a", "--password", "x", "--api-token=y"])
    ['-i', 'https://host/a', '--password', '***', '--api-token=***']
    """
    known = [value for name, value in os.environ.items() if _OF_SECRETS.search(name) and len(value) >= _SHORTEST]
    found: list[str] = []
    is_secret = False
    for word in words:
        option, equals, _ = word.partition("=")
        is_option = word.startswith("-") and bool(_OF_SECRETS.search(option))
        if is_secret and not word.startswith("-"):
            shown = _HIDDEN
        elif is_option and equals:
            shown = f"{option}={_HIDDEN}"
        else:
            shown = _LOGIN.sub("", word)
        for secret in known:
            shown = shown.replace(secret, _HIDDEN)
        found.append(shown)
        is_secret = is_option and not equals
    return found


def digest(file: str) -> str | None:
    """The first digits of the SHA-256 of a file; None of what isn't a file that can be read again."""
    if not os.path.isfile(file):
        return None
    found = hashlib.sha256()
    try:
        with open(file, "rb") as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
    except OSError:
        return None
    return found.hexdigest()[:DIGITS]


def stamp(at: datetime | None = None) -> str:
    """A time in UTC to the second, now by default.

    >>> stamp(datetime(2018, 6, 2, 5, 25, tzinfo=timezone.utc))
    '2018-06-02T05:25:00Z'
    """
    return (at or datetime.now(timezone.utc)).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
