"""Where results go: standard output, or a file that appears only when it is whole.

Records, CSV, Parquet, pictures and pages all go this way: nobody sees half a file or half a line, whoever stops
reading (``| head``) is no failure, Ctrl-C waits for the end of a line, and a full disk is told.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from tkstudies.errors import OutputError, ReaderGone, UsageError
from tkstudies.jsonl import part
from tkstudies.settings import current

STDOUT = "-"

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)  # of file systems that know no fsync

_open_outputs: list[OutputFile] = []
_finished: list[OutputFile] | None = None  # files that wait for the end of `together`


def reason(error: BaseException) -> str:
    """What went wrong with a file, in the words of the system."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def to_disk(file: BinaryIO) -> None:
    """See to it that the contents are on the disk before the name is: a crash leaves the old file or the new."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def flush_outputs() -> None:
    """Hand on what all open outputs hold: those who read it needn't wait while we wait for input."""
    for output in _open_outputs:
        output.flush()


def _new(path: str) -> BinaryIO:
    """A new file, even where a killed process of the same number has left one; a link at its place isn't followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags, 0o666), "wb")
    except FileExistsError:
        os.unlink(path)
        return os.fdopen(os.open(path, flags, 0o666), "wb")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and its like take effect after this: an interrupted write would leave half a line."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def together() -> Iterator[None]:
    """Files that are finished in here get their names at its end, or none of them does.

    So a command that fails after it has written a file replaces none, and a model doesn't stand without the scores
    that it was made for. Whoever stops reading (``| head``) is no failure.

    Raises:
        OutputError: One of them can't be given its name.
    """
    global _finished
    _finished = []
    try:
        yield
        publish()
    except ReaderGone:
        publish()
        raise
    finally:
        left, _finished = _finished, None
        for output in left:
            output.discard()


def publish() -> None:
    """Give the files that wait for it their names now, those that were finished last at the end."""
    if not _finished:
        return
    replaced: list[OutputFile] = []
    with _uninterrupted():
        try:
            while _finished:
                output = _finished.pop(0)
                output.replace(keeps_older=bool(_finished))
                replaced.append(output)
        except OutputError:
            for output in reversed(replaced):
                output.take_back()
            raise
        for output in replaced:
            output.discard()


class OutputFile:
    """Standard output, or a file that is written beside its final place and renamed at success.

    So a failure leaves an older file as it was.

    Args:
        output: A file name, or ``-`` for standard output.
        resumable: Keep the unfinished ``FILE.part``, complete to its last whole line, when the work stops early.
        unfinished: The open ``FILE.part`` that is gone on with (see `part.reopen`), instead of a new one.

    Attributes:
        stream: Where bytes go, for libraries that write by themselves (see `guarded`).
        part: The name of the unfinished file that is kept, empty if there is none.
        is_superseded: Somebody has written the final file already: the unfinished one is no more than removed.
        waits: Does the file wait for the end of `together`, where there is one?

    Raises:
        OutputError: The file can't be written, or the disk is full.
        UsageError: There is an unfinished file of another crawl already.
        ReaderGone: The reader of standard output has closed it.
    """

    def __init__(self, output: str = STDOUT, *, resumable: bool = False, unfinished: BinaryIO | None = None):
        self._name = output
        self._resumable = resumable
        self._unfinished = unfinished
        self._final = self._temporary = self.part = ""  # of a device or a pipe there is none
        self._older = ""  # what it has replaced, for the case that this is taken back
        self._is_new = True
        self.is_superseded = False
        self.waits = True
        if output != STDOUT:
            self.stream = self._opened(output)
        elif sys.stdout is None or sys.stdout.closed:
            raise OutputError("standard output is closed: name a file with -o")
        else:
            self.stream = sys.stdout.buffer

    def _opened(self, output: str) -> BinaryIO:
        try:
            mode = os.stat(output).st_mode if os.path.exists(output) else None
            if output.endswith("/") or (mode is not None and stat.S_ISDIR(mode)):
                raise OutputError(
                    f"{output}: is a folder: name a file (-o NAME/ is for commands that write a file for each input)"
                )
            _check_not_part(output)
            if mode is not None and not stat.S_ISREG(mode):
                return open(output, "wb")
            self._final = os.path.realpath(output)
            self._is_new = mode is None
            folder, base = os.path.split(self._final)
            if self._resumable:
                self._temporary = self.part = self._final + part.SUFFIX
                stream = self._unfinished or part.create(self.part, output)
            else:
                self._temporary = os.path.join(folder, f".{base}.{os.getpid()}.tmp")
                stream = _new(self._temporary)
            if mode is not None:
                os.fchmod(stream.fileno(), stat.S_IMODE(mode))
            return stream
        except OSError as error:
            raise OutputError(f"{output}: can't be written: {reason(error)}") from None

    def flush(self) -> None:
        """Hand on what is held, whole: Ctrl-C waits until a slow reader has taken it."""
        try:
            with self.guarded(), _uninterrupted():
                self._hand_on()
                self.stream.flush()
        except ValueError as error:  # somebody has closed the stream
            self._failed(error)

    def _hand_on(self) -> None:
        """Write what is held back, if anything is."""

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn a failure to write into our own errors, for libraries that write to ``stream`` by themselves."""
        try:
            yield
        except OSError as error:
            self._failed(error)

    def __enter__(self) -> OutputFile:
        _open_outputs.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _open_outputs.remove(self)
        if kind is None:
            try:
                self._finish()
            except BaseException:
                self.discard()
                raise
        else:
            self._abandon(was_stopped=issubclass(kind, KeyboardInterrupt))

    def _finish(self) -> None:
        self.flush()
        if self._name == STDOUT:
            return
        with self.guarded():
            try:
                if self._final:
                    to_disk(self.stream)
                if self.part:
                    self._finish_part()
            finally:
                self.stream.close()
        if self._final and not self.part:
            if self.waits and _finished is not None:
                _finished.append(self)
            else:
                self.replace()

    def replace(self, keeps_older: bool = False) -> None:
        """Give the finished file its name, and keep what it replaces for `take_back` if that is asked for."""
        try:
            if keeps_older and not self._is_new:
                with suppress(OSError):  # a file system without links
                    os.link(self._final, self._temporary + ".old")
                    self._older = self._temporary + ".old"
            os.replace(self._temporary, self._final)
        except OSError as error:
            self.discard()
            raise OutputError(f"{self._name}: can't be written: {reason(error)}") from None

    def take_back(self) -> None:
        """Put the older file in its place again, if there was one and `replace` kept it."""
        with suppress(OSError):
            if self._older:
                os.replace(self._older, self._final)
            elif self._is_new:
                os.unlink(self._final)

    def discard(self) -> None:
        """Remove what isn't needed any more, beside the final file."""
        for file in (self._temporary, self._older):
            if file and file != self.part:
                with suppress(OSError):
                    os.unlink(file)

    def _finish_part(self) -> None:
        """Give the unfinished file its name while it is still locked: another process may go on with it after that."""
        if not part.is_at(self.stream, self.part):
            saved = part.rescue(self.stream, self.part)
            raise OutputError(
                f"{self.part} was removed or replaced while it was written: {self._name} stays as it was, what this "
                f"crawl fetched is in {saved} (go on with --resume {saved} -o {self._name})"
            )
        if self.is_superseded:
            os.unlink(self.part)
        else:
            os.replace(self.part, self._final)

    def _abandon(self, was_stopped: bool) -> None:
        """The work failed: whole lines that are out stay out, a file that isn't finished doesn't appear."""
        try:
            with _uninterrupted():
                self._hand_on()
                self.stream.flush()
            if self.part and not was_stopped:
                self._remove_empty_part()
            if self._name != STDOUT:
                self.stream.close()
        except (OSError, ValueError):
            self._silence()
        self.discard()

    def _remove_empty_part(self) -> None:
        """A new unfinished file without anything in it would only be in the way of the next try."""
        if (
            self._unfinished is None
            and os.fstat(self.stream.fileno()).st_size == 0
            and part.is_at(self.stream, self.part)
        ):
            os.unlink(self.part)

    def _failed(self, error: Exception) -> None:
        self._silence()
        if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) == errno.EPIPE:
            raise ReaderGone from None
        name = "standard output" if self._name == STDOUT else self._name
        raise OutputError(f"{name}: can't be written: {reason(error)}") from None

    def _silence(self) -> None:
        """Keep the interpreter's last flush from failing once more, where nobody can catch it."""
        if self._name != STDOUT:
            with suppress(OSError, ValueError):
                self.stream.close()
        elif sys.__stdout__ is not None and self.stream is sys.__stdout__.buffer:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.__stdout__.fileno())
            os.close(nowhere)


def _check_not_part(output: str) -> None:
    """A table isn't written into itself: what is in a folder that is read is part of it."""
    place = os.path.dirname(os.path.realpath(output))
    for folder in current.folders:
        if output.endswith((".jsonl", ".jsonl.gz")) and os.path.realpath(folder) == place:
            raise UsageError(f"{output}: is in the folder that is read ({folder}): write to another one")
