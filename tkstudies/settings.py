"""What the global options say, for the run of one command."""

from __future__ import annotations

import os
from pathlib import Path

from tkstudies.errors import InputError, UsageError


def megabytes(variable: str, default: int) -> int:
    """A size in bytes that the environment gives in MB.

    Raises:
        UsageError: It isn't a number above 0.
    """
    return round(1e6 * positive(variable, default, "MB"))


def positive(variable: str, default: float, unit: str) -> float:
    """A number above 0 from the environment.

    Raises:
        UsageError: It is something else.
    """
    text = os.environ.get(variable)
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UsageError(f"{variable}={text}: expected a number of {unit} above 0")
    return value


class Settings:
    """The global options, and whether something was left out on the way (exit code 3).

    Attributes:
        quiet: No progress, no counts at the end; warnings and errors remain.
        verbose: Each request is logged, and an internal error shows its traceback.
        replay: Folder of cassettes to answer from, or None.
        record: Folder to record cassettes in, or None.
        partial: True once a record was skipped or could not be fetched.
        inputs: Names of the files that the command reads.
        folders: Names of the folders that it reads as tables.
    """

    def __init__(self) -> None:
        self.quiet = self.verbose = self.partial = False
        self.replay: Path | None = None
        self.record: Path | None = None
        self.command = "tkstudies"
        self.inputs: set[str] = set()
        self.folders: set[str] = set()

    def reset(self, command: str = "tkstudies") -> None:
        """Start afresh from the environment, as for a new process.

        Raises:
            UsageError: Both a replay and a record folder are named.
            InputError: The replay folder doesn't exist.
        """
        self.quiet = self.verbose = self.partial = False
        self.command = command
        self.inputs, self.folders = set(), set()
        self.replay = self.record = None
        self.use_replay(os.environ.get("TKSTUDIES_REPLAY"), "TKSTUDIES_REPLAY")
        self.use_record(os.environ.get("TKSTUDIES_RECORD"))

    def use_replay(self, folder: str | None, named_by: str = "--replay") -> None:
        """Answer from the cassettes in ``folder``; it stays valid when the process changes folder."""
        if folder:
            self.replay = Path(folder).expanduser().absolute()
            if not self.replay.is_dir():
                raise InputError(f"{named_by}: no such folder: {folder}")
            self._only_one()

    def use_record(self, folder: str | None) -> None:
        """Record what passes into ``folder``, which is made when something is recorded."""
        if folder:
            self.record = Path(folder).expanduser().absolute()
            self._only_one()

    def _only_one(self) -> None:
        if self.replay and self.record:
            raise UsageError("replay and record exclude each other: unset TKSTUDIES_REPLAY or TKSTUDIES_RECORD")


current = Settings()
