"""What a folder of files was made from: so that a second call does only what is missing or has changed."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob
from typing import Any, BinaryIO

import msgspec

from tkstudies import __version__, console, jsonl
from tkstudies.errors import InputError, OutputError, UsageError
from tkstudies.jsonl.folder import MANIFEST, read_manifest, table_files
from tkstudies.jsonl.output import reason
from tkstudies.jsonl.part import SUFFIX
from tkstudies.provenance import command_line, digest, printable, stamp
from tkstudies.records import Record
from tkstudies.settings import current
from tkstudies.shardwise import InTwoParts

_LOCK = ".lock"
_CHANGED = ".changed"
_PAUSE = 1.0  # seconds between two writings, as there may be thousands of files


class Made(msgspec.Struct, omit_defaults=True):
    """A file of the folder.

    Attributes:
        input: Name of what it was made from. size: Of that, in bytes. sha256: The first digits of its hash.
        written: Size of the file itself, in bytes.
        records: Number of its records.
        remembered: What the work on the files behind it must know of it.
        is_partial: Was something lost on the way? Then it is made again.
    """

    input: str
    size: int
    sha256: str | None
    written: int
    records: int
    remembered: Any = None
    is_partial: bool = False

    def whole(self, file: str, records: int) -> Made:
        """The entry once the file is whole."""
        self.written, self.records = os.path.getsize(file), records
        return self

    def is_current(self, file: str, source: str, sha256: str | None = None) -> bool:
        """Is the file still what would be made of the source now? Its hash may be known already."""
        try:
            sizes = os.path.getsize(file), os.path.getsize(source)
        except OSError:
            return False
        return not self.is_partial and sizes == (self.written, self.size) and (sha256 or digest(source)) == self.sha256


class Manifest:
    """The manifest of an output folder while it is written.

    Args:
        folder: Where. recipe: All that decides what becomes of a file, as JSON.
        expected: The names of the files that the folder will have.

    Attributes:
        made: The files that are there, by name: first those of an earlier call with the same recipe.
        done: Names of those that this call has made or looked at.
        is_complete: Has it done so with all of them?
        is_new_recipe: Was there another recipe before? Then everything is made again.
        layout: The schema of files that have one, once it is known.
    """

    name = MANIFEST
    layout: Any = None

    def __init__(self, folder: str, recipe: Any, expected: list[str]):
        self.folder = folder
        self._expected = expected
        self._recipe = msgspec.json.decode(msgspec.json.encode(recipe))
        self._written = 0.0
        self.done: set[str] = set()
        self.is_complete = False
        before = self.read(folder)
        same = before is not None and (before.get("tkstudies_version"), before.get("recipe")) == (
            __version__,
            self._recipe,
        )
        self.is_new_recipe = before is not None and not same
        self._under_way = _names(before.get("under_way")) if before else []
        self._before = self._files(before) if before else {}
        self.made = {name: made for name, made in self._before.items() if same and name in expected}

    def removed(self) -> list[str]:
        """Remove the files of an earlier call that aren't expected any more; those that somebody changed are kept."""
        self._set_aside()
        gone = [name for name in self._before if name not in self._expected]
        left = [name for name in self._under_way if name not in self._expected]  # whole, and never noted
        for name in [*gone, *left, *(name for name in self._before if name not in self.made)]:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, name))
        for file in glob(os.path.join(escape(self.folder), f"*{SUFFIX}")):  # of a crawl that asked for others
            if self.is_new_recipe or os.path.basename(file).removesuffix(SUFFIX) not in self._expected:
                with suppress(OSError):
                    os.unlink(file)
        return gone

    def _set_aside(self) -> None:
        """Keep a copy of files that aren't as they were written: somebody's work may be in them."""
        changed = []
        for name, made in self._before.items():
            file = os.path.join(self.folder, name)
            if os.path.isfile(file) and os.path.getsize(file) != made.written:
                shutil.copyfile(file, f"{file}{_CHANGED}")
                changed.append(name)
        if changed:
            console.warn(
                f"{self.folder}: {console.listed(changed, 3)} isn't as it was written: a copy is kept (NAME{_CHANGED})"
            )

    def _files(self, before: Record) -> dict[str, Made]:
        try:
            return jsonl.convert(before["files"], dict[str, Made])
        except msgspec.ValidationError as error:
            raise InputError(f"{self.name} of the output folder can't be read: {error}: remove the folder") from None

    def add(self, name: str, made: Made) -> None:
        """Note that a file is whole."""
        self.made[name] = made
        self.done.add(name)
        if time.monotonic() - self._written > _PAUSE:
            self.write()

    def forget(self, name: str) -> None:
        """Note that a file is about to change: should that be interrupted, it is made again."""
        if self.made.pop(name, None):
            self.write()

    def write(self) -> None:
        """Write what is known so far."""
        content: Record = {
            "tkstudies_version": __version__,
            "command": command_line(),
            "written_by": current.command,
            "made_at": stamp(),
            "recipe": self._recipe,
            "complete": self.is_complete,
            "expected": len(self._expected),
            "files": {name: msgspec.to_builtins(self.made[name]) for name in self._expected if name in self.made},
        }
        if not self.is_complete:
            content["under_way"] = [name for name in self._expected if name not in self.made]
        output = jsonl.OutputFile(os.path.join(self.folder, self.name))
        output.waits = False
        with output, output.guarded():
            self.store(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n", output.stream)
        self._written = time.monotonic()

    @classmethod
    def read(cls, folder: str) -> Record | None:
        """What the manifest of a folder says, None if it has none."""
        return read_manifest(folder)

    @classmethod
    def strangers(cls, folder: str) -> list[str]:
        """The files of a folder that would be read as parts of the table."""
        return table_files(folder)

    def store(self, content: bytes, stream: BinaryIO) -> None:
        """Write the manifest to an open file."""
        stream.write(content)

    def unfinished(self) -> str:
        """How a work goes on that was stopped."""
        return (
            f"{len(self.done):,} of {console.counted(len(self._expected), 'file')} are whole in {self.folder}: "
            "the same command goes on from there"
        )

    def say_kept(self, kept: int) -> None:
        """Say of a second call what it left as it was."""
        if kept:
            console.say(
                f"{kept:,} of {console.counted(len(self._expected), 'file')} in {self.folder} stay as they are: "
                "neither their sizes nor what they come from have changed; the other numbers are about the rest"
            )


@contextmanager
def filled(
    folder: str,
    recipe: Any,
    expected: list[str],
    why_removed: str,
    tell: Callable[[str], None] = console.warn,
    kind: type[Manifest] = Manifest,
) -> Iterator[Manifest]:
    """Fill an output folder that is ours (see `writing`): its manifest tells at each moment which files are whole.

    Args:
        recipe: All that decides what becomes of a file, as JSON.
        expected: The names of the files that it will have.
        why_removed: Why others go that it had. tell: How this is told.
        kind: How the manifest is kept.

    Raises:
        OutputError: It can't be written. InputError: Its manifest is damaged. UsageError: This command reads from it.
    """
    _check_not_read(folder)
    manifest = kind(folder, recipe, expected)
    if manifest.is_new_recipe:
        why = "was made by another command line or version, or from other input"
        console.say(f"{folder}: {why}: all of it is made again")
    if gone := manifest.removed():
        tell(f"{folder}: {console.listed(gone, 3)} removed, as {why_removed}")
    manifest.write()
    try:
        yield manifest
        manifest.is_complete = True
    except InTwoParts:  # the same command doesn't go on from there
        raise
    except (KeyboardInterrupt, Exception):
        if manifest.done:
            console.warn(manifest.unfinished())
        raise
    finally:
        manifest.write()


@contextmanager
def writing(folder: str, kind: type[Manifest] = Manifest) -> Iterator[None]:
    """Have an output folder for oneself; it is made if it isn't there.

    Raises:
        OutputError: It can't be made or written.
        UsageError: Another command writes it, somebody else's records are in it, or those of another command, or this
            command reads from it.
    """
    _check_not_read(folder)
    if os.path.exists(folder.rstrip("/")) and not os.path.isdir(folder):
        raise OutputError(f"{folder}: is a file, not a folder: name another one")
    if os.path.isdir(folder) and not os.path.exists(os.path.join(folder, _LOCK)):
        _check_ours(folder, kind)  # before anything is written into a folder of somebody else
    try:
        os.makedirs(folder, exist_ok=True)
        lock = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"{folder}: can't be written: {reason(error)}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: another command writes it: wait for its end, or name another folder") from None
        except OSError:
            pass  # a file system without locks
        _check_ours(folder, kind)
        try:
            yield
        finally:
            for left in glob(os.path.join(escape(folder), ".*.tmp")):  # of workers that were killed
                with suppress(OSError):
                    os.unlink(left)
    finally:
        os.close(lock)


def _names(found: Any) -> list[str]:
    """Names of files of the folder itself, whatever a manifest holds."""
    names = found if isinstance(found, list) else []
    return [name for name in names if isinstance(name, str) and name and os.path.basename(name) == name != MANIFEST]


def _check_ours(folder: str, kind: type[Manifest]) -> None:
    """Refuse a folder with files that another command has written, or somebody else."""
    before = kind.read(folder)
    writer = before.get("written_by") if before else None
    if writer not in (None, current.command):
        raise UsageError(f"{folder}: its files were written by tkstudies {writer}: name another folder, or remove it")
    if before is None and (others := kind.strangers(folder)):
        raise UsageError(
            f"{folder}: holds {others[0]}, which no command wrote as a file of this table: name a new folder"
        )


def _check_not_read(folder: str) -> None:
    """A folder isn't both read and written: files that aren't wanted in it any more are removed first."""
    inside = os.path.realpath(folder)
    for source in sorted(current.inputs):
        if inside in (os.path.dirname(os.path.realpath(source)), os.path.realpath(os.path.dirname(source) or ".")):
            raise UsageError(f"{source} is in the folder that is written: name another one with -o")


def seen(source: str, *, hashed: bool) -> Made:
    """The entry of a file, before its input is read: what may take the place of that input later isn't in the file."""
    return Made(printable(source), os.path.getsize(source), digest(source) if hashed else None, 0, 0)
