"""Logins that are kept: one file for each service, in a folder that is ours alone.

``$XDG_STATE_HOME/tkstudies``, else ``~/.local/state/tkstudies`` (XDG Base Directory Specification). A file of another
owner, one that others may read, a link, or rubbish isn't used.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tkstudies.errors import LoginError, OutputError
from tkstudies.services.web.endpoints import Service

_AFS = "/afs"
_LARGEST = 200_000  # bytes of a file
_LOCK_SECONDS = 60.0  # patience with another command that renews the same login
_PRINTABLE = re.compile(r"[!-~]*")


class Ended(LoginError):
    """A login that can't be used, or no longer: other ways remain, and a new login."""


class Kept(msgspec.Struct, frozen=True):
    """A login.

    Attributes:
        realm: Where it was made, and the only place where it is renewed.
        token: For the service.
        renewed, until: When the token should be renewed, and when it ends [s since 1970].
        refresh: What it is renewed with; empty if it can't be.
        refresh_until: When that ends; 0 if nobody says.
    """

    realm: str
    token: str
    renewed: float
    until: float
    refresh: str = ""
    refresh_until: float = 0.0

    @property
    def ends(self) -> float:
        """When one has to log in again, as far as is known."""
        return max(self.until, self.refresh_until)


def folder() -> Path:
    """Where logins are kept.

    Raises:
        Ended: There is no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the specification: what is relative is ignored
        return Path(state, "tkstudies")
    home = os.environ.get("HOME") or _home_of_the_system()
    if not os.path.isabs(home):
        raise Ended("there is no home folder to keep a login in: set XDG_STATE_HOME to a folder of yours")
    return Path(home, ".local", "state", "tkstudies")


def _home_of_the_system() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def file_of(service: Service) -> Path:
    """The file of the login to a service."""
    return folder() / f"{service.login}.json"


def exposed() -> str:
    """A warning if the folder is one that others may read whatever its mode says; empty otherwise.

    On AFS the rights of the folder count: below ~/private only its owner has some.
    """
    where = Path(os.path.realpath(folder()))
    if not where.is_relative_to(_AFS) or "private" in where.parts:
        return ""
    return (
        f"{where} is on AFS, where others may be able to read it: "
        "keep the login below ~/private (export XDG_STATE_HOME=~/private/state), and log in again"
    )


def exists(service: Service) -> bool:
    """Is a login kept, usable or not?"""
    try:
        return os.path.lexists(file_of(service))
    except Ended:
        return False


def read(service: Service) -> Kept:
    """The login to a service that is kept.

    Raises:
        Ended: There is none, or it can't be used.
    """
    file = file_of(service)
    again = f"tkstudies login {service.login}"
    try:
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Ended(f"not logged in to {service.title} any more: {again}") from None
    except OSError as error:
        why = "is a link: not used" if os.path.islink(file) else f"can't be read: {error.strerror}"
        raise Ended(f"{file} {why}; {again} makes a new one") from None
    try:
        if why := _unsafe(os.fstat(number)):
            raise Ended(f"{file} {why}: not used; {again} makes a new one")
        content = os.read(number, _LARGEST)
    except OSError as error:
        raise Ended(f"{file} can't be read: {error.strerror}; {again} makes a new one") from None
    finally:
        os.close(number)
    try:
        kept = msgspec.json.decode(content, type=Kept)
    except (ValueError, RecursionError):
        kept = None
    if kept is None or not _is_sound(kept):
        raise Ended(f"{file} is not what tkstudies login writes: not used; {again} makes a new one")
    return kept


def _unsafe(found: os.stat_result) -> str:
    """Why a file isn't used; empty if it may be."""
    if not stat.S_ISREG(found.st_mode):
        return "is no file (remove it)"
    if found.st_uid != os.getuid():
        return "belongs to another user (remove it)"
    if found.st_mode & 0o077:
        return "may be read or written by others (chmod 600 keeps it, if nobody else can have read it)"
    return ""


def _is_sound(kept: Kept) -> bool:
    numbers = (kept.renewed, kept.until, kept.refresh_until)
    return bool(kept.token and _PRINTABLE.fullmatch(kept.token + kept.refresh)) and all(map(math.isfinite, numbers))


def prepare(service: Service) -> None:
    """Make the folder, ours alone, or find that the login can't be kept there.

    Raises:
        OutputError: It can't.
    """
    where = folder()
    try:
        for each in (*reversed(where.parents), where):
            if not os.path.isdir(each):
                with suppress(FileExistsError):  # another command was faster
                    os.mkdir(each, 0o700)
        found = os.stat(where)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if found.st_uid != os.getuid():
            raise OutputError(f"{where} belongs to another user: set XDG_STATE_HOME to a folder of yours")
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.chmod(where, 0o700)
        tempfile.TemporaryFile(dir=where).close()
        if os.path.isdir(file_of(service)) and not os.path.islink(file_of(service)):
            raise OutputError(f"{file_of(service)} is a folder: remove it")
    except OSError as error:
        raise _unwritable(where, error) from None


def _unwritable(where: Path, error: OSError) -> OutputError:
    return OutputError(f"the login can't be kept in {where}: {error.strerror}; set XDG_STATE_HOME to a folder of yours")


def write(service: Service, kept: Kept) -> None:
    """Keep a login in the place of an older one: a reader finds either, whole.

    Raises:
        OutputError: It can't be written.
    """
    file = file_of(service)
    try:
        number, new = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    except OSError as error:
        raise _unwritable(file.parent, error) from None
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(msgspec.json.encode(kept))
            stream.flush()
            os.fsync(number)
        os.replace(new, file)
    except OSError as error:
        raise _unwritable(file.parent, error) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def forget(service: Service) -> None:
    """Remove the login, whatever stands in its place, and what a killed command may have left of it.

    Raises:
        OutputError: It is still there.
    """
    file = file_of(service)
    for one in (file, *file.parent.glob(f".{file.name}.*")):
        try:
            os.unlink(one)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"{one} can't be removed: {error.strerror}; remove it yourself") from None


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Nobody else changes the login meanwhile: a refresh token may work once only.

    Where locks can't be had (a folder that is read-only, some file systems) the work goes on without.

    Raises:
        LoginError: Somebody else holds it for too long.
    """
    file = file_of(service).with_suffix(".lock")
    try:
        number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        _lock(number, file)
        yield
    finally:
        os.close(number)


def _lock(number: int, file: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LoginError(
                    f"another command has held {file} for {_LOCK_SECONDS:.0f} s (is one of yours stopped?): try again"
                ) from None
            time.sleep(0.05)
        except OSError:
            return
