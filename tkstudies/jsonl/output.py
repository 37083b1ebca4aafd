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

from tkstudies.errors import OutputError, ReaderGone

STDOUT = "-"

_open_outputs: list[OutputFile] = []


def reason(error: BaseException) -> str:
    """What went wrong with a file, in the words of the system."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def flush_outputs() -> None:
    """Hand on what all open outputs hold: those who read it needn't wait while we wait for input."""
    for output in _open_outputs:
        output.flush()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C takes effect after this: an interrupted write would leave half a line."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class OutputFile:
    """Standard output, or a file that is written beside its final place and renamed at success.

    So a failure leaves an older file as it was.

    Args:
        output: A file name, or ``-`` for standard output.
        resumable: Keep the unfinished ``FILE.part``, complete to its last whole line, when the work stops early.

    Attributes:
        stream: Where bytes go, for libraries that write by themselves (see `guarded`).

    Raises:
        OutputError: The file can't be written, or the disk is full.
        ReaderGone: The reader of standard output has closed it.
    """

    def __init__(self, output: str = STDOUT, *, resumable: bool = False):
        self._name = output
        self._resumable = resumable
        self._final = self._temporary = ""  # of a device or a pipe there is none
        if output != STDOUT:
            self.stream = self._opened(output)
        elif sys.stdout is None or sys.stdout.closed:
            raise OutputError("standard output is closed: name a file with -o")
        else:
            self.stream = sys.stdout.buffer

    def _opened(self, output: str) -> BinaryIO:
        try:
            mode = os.stat(output).st_mode if os.path.exists(output) else None
            if mode is not None and stat.S_ISDIR(mode):
                raise OutputError(f"{output}: is a folder: name a file")
            if mode is not None and not stat.S_ISREG(mode):
                return open(output, "wb")
            self._final = os.path.realpath(output)
            folder, base = os.path.split(self._final)
            unfinished = f"{base}.part" if self._resumable else f".{base}.{os.getpid()}.tmp"
            self._temporary = os.path.join(folder, unfinished)
            stream = open(self._temporary, "wb")  # noqa: SIM115 (closed at the end of the work)
            if mode is not None:
                os.chmod(self._temporary, stat.S_IMODE(mode))
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
            self._finish()
        else:
            self._abandon()

    def _finish(self) -> None:
        self.flush()
        if self._name == STDOUT:
            return
        with self.guarded():
            self.stream.close()
            if self._final:
                os.replace(self._temporary, self._final)

    def _abandon(self) -> None:
        """The work failed: whole lines that are out stay out, a file that isn't finished doesn't appear."""
        try:
            with _uninterrupted():
                self._hand_on()
                self.stream.flush()
            if self._name != STDOUT:
                self.stream.close()
        except (OSError, ValueError):
            self._silence()
        if self._temporary and not self._resumable and os.path.exists(self._temporary):
            os.unlink(self._temporary)

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
