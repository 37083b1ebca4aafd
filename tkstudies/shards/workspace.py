"""A folder for the parts of a result, beside it; one whose command was killed is removed by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob

from tkstudies import console, jsonl
from tkstudies.errors import UsageError
from tkstudies.shards.jobs import Workers

_PREFIX, _UNNAMED = ".tkstudies-", ".tkstudies."
_LOCK = ".lock"


@contextmanager
def workspace(several: Workers, output: str) -> Iterator[str]:
    """A folder for parts, where all workers can write; it goes at the end.

    Args:
        output: Where the result goes: parts wait beside a file or folder, where there is as much room.
    """
    is_folder, is_file = output.endswith("/"), os.path.isfile(output) or not os.path.exists(output)
    is_named = output != jsonl.STDOUT and (is_folder or is_file)
    place = (os.path.dirname(os.path.abspath(output)) if is_named else several.folder) or tempfile.gettempdir()
    _remove_left_behind(place)
    try:
        folder, lock = _made(place)
    except OSError as error:
        raise UsageError(f"{place}: no place for parts: {error.strerror}") from None
    try:
        yield folder
    finally:
        for wait in (0, 0.05, 0.2, 1):  # a worker may be at what nobody waits for any more, and add to it
            time.sleep(wait)
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
        os.close(lock)


def _made(place: str) -> tuple[str, int]:
    """A folder that is locked from the moment it has its name, and the lock, which goes with this process."""
    made = tempfile.mkdtemp(prefix=_UNNAMED, dir=place)
    folder = os.path.join(place, _PREFIX + os.path.basename(made)[len(_UNNAMED) :])
    try:
        lock = os.open(os.path.join(made, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(lock, _here())
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(made, folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return folder, lock


def _here() -> bytes:
    return os.fsencode(socket.gethostname())


def _remove_left_behind(place: str) -> None:
    for folder in sorted(glob(os.path.join(escape(place), f"{_PREFIX}*"))):
        try:
            lock = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # somebody else's
            continue
        try:
            if os.read(lock, len(_here()) + 1) != _here():  # locks may be known on one machine only
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside = os.path.join(place, _UNNAMED + os.path.basename(folder)[len(_PREFIX) :])
            os.rename(folder, aside)  # a worker that hasn't stopped yet finds it no more
            shutil.rmtree(aside)
            console.say(f"{folder}: removed, a command that was killed had left it")
        except OSError:  # at work, or a file system without locks
            pass
        finally:
            os.close(lock)
