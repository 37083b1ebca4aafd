"""Where a product comes from: version, command line, time, inputs with their hashes, range of runs.

Models, pages and side files carry this, so that somebody who finds one knows how to make it again.
"""

from __future__ import annotations

import hashlib
import os
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


def command_line() -> str:
    """The command line of this process, as a shell reads it; of Python users what they run."""
    name, *arguments = [*sys.argv, ""][: max(len(sys.argv), 1)]
    called = os.path.basename(name)
    return shlex.join(["tkstudies" if called in ("__main__.py", "tkstudies") else called, *arguments])


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
