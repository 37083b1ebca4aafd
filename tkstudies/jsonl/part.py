"""``FILE.part``: the unfinished file of a crawl, which one process makes or goes on with, and no other touches.

It is made anew or not at all (O_EXCL), no link at its place is followed, and whoever writes it holds its lock
(flock). Where the file system has no locks the work goes on without.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
from typing import BinaryIO

from tkstudies.errors import OutputError, UsageError

SUFFIX = ".part"
_MINE = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def create(path: str, output: str) -> BinaryIO:
    """A new, locked unfinished file of an output.

    Raises:
        UsageError: Something is there already: it is left alone.
        OSError: It can't be made.
    """
    try:
        file = os.open(path, _MINE | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise UsageError(_what_is_there(path, output)) from None
    _lock(file, path, output)
    return os.fdopen(file, "wb")


def reopen(path: str, output: str) -> BinaryIO | None:
    """The unfinished file that is there, locked, to be gone on with at its end; None if there is none.

    Raises:
        UsageError: Another process is writing it, or it isn't a file.
        OutputError: It can't be opened.
    """
    while True:
        try:
            file = os.open(path, _MINE | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise UsageError(_what_is_there(path, output)) from None
            raise OutputError(f"{path}: can't be gone on with: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise UsageError(_what_is_there(path, output))
        _lock(file, path, output)
        stream = os.fdopen(file, "wb")
        if is_at(stream, path):
            return stream
        stream.close()  # finished or removed by another process in between


def is_at(stream: BinaryIO, path: str) -> bool:
    """Is this open file still the one of that name?"""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.lstat(path))
    except OSError:
        return False


def rescue(stream: BinaryIO, path: str) -> str:
    """Copy an unfinished file whose name has gone to a name of its own, which `--resume` takes; the new name."""
    name = f"{path.removesuffix(SUFFIX)}.{os.getpid()}{SUFFIX}"
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb") as copy:
        at = 0
        while piece := os.pread(stream.fileno(), 1 << 20, at):
            copy.write(piece)
            at += len(piece)
    return name


def hold(file: int, path: str, output: str) -> None:
    """Lock a file that is only read, while others must not write it."""
    if not _locked(file):
        raise UsageError(_held(path, output))


def _lock(file: int, path: str, output: str) -> None:
    if not _locked(file):
        os.close(file)
        raise UsageError(_held(path, output))


def _locked(file: int) -> bool:
    """Lock it; False if another process has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


def _held(path: str, output: str) -> str:
    return (
        f"another crawl is writing {path}: wait for its end (if it was stopped then, the same command with "
        f"--resume {shlex.quote(output)} goes on), or name another file with -o"
    )


def _what_is_there(path: str, output: str) -> str:
    """What stands in the way, and the ways out."""
    remove = f"rm {shlex.quote(path)}"
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        mode = stat.S_IFREG
    if stat.S_ISLNK(mode):
        return f"{path} is a symbolic link, which isn't followed: remove it ({remove})"
    if not stat.S_ISREG(mode):
        return f"{path} is no file: remove it, or name another file with -o"
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        is_free = _locked(file)
        os.close(file)
    except OSError:
        is_free = True
    if not is_free:
        return _held(path, output)
    return (
        f"{path} is there, of a crawl that was stopped: go on with it by the same command with "
        f"--resume {shlex.quote(output)}, or begin anew after {remove}"
    )
