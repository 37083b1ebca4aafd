"""What a user can cause or mend: one class per kind of failure, each with its exit code.

A message says what happened, where, and what to do next, in one line; nothing in it is secret.
"""


class TkstudiesError(Exception):
    """A failure that is told to the user in one line."""

    exit_code = 1


class UsageError(TkstudiesError):
    """The command line itself is wrong."""

    exit_code = 2


class InputError(TkstudiesError):
    """A file or stream that can't be read, or records that can't be used."""


class WrongRecord(InputError):
    """A record of another kind than the command works on; ``jsonl.Reader.located`` tells where it stands."""


class OutputError(TkstudiesError):
    """A file or stream that can't be written."""


class ServiceError(TkstudiesError):
    """A server that can't be used: unreachable, failing, or answering something else than it should."""


class Unreachable(ServiceError):
    """A server to which there is no way: no address, no route, or nobody who listens."""


class LoginError(ServiceError):
    """A server that doesn't know us, or no longer."""


class Stopped(KeyboardInterrupt):
    """A signal that ends the command as Ctrl-C does.

    Attributes:
        exit_code: That of a process which the signal has ended, as shells count: 130 for Ctrl-C.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.exit_code = 128 + number


class ReaderGone(Exception):
    """Whoever read our standard output has closed it (``| head``): the end of the work, not a failure."""
