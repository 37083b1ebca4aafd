"""A table cut into the files of a folder: the rows of a run stay together, whatever their order in the input.

The input is read twice: to learn which runs there are, and to give each row to its file. So neither it nor a file
need fit into memory. What is there already is compared before anything is written: a file that would be the same is
not touched.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from tkstudies import console
from tkstudies.errors import InputError, OutputError, WrongRecord
from tkstudies.jsonl import Reader, decode
from tkstudies.jsonl.columns import NamedColumns
from tkstudies.jsonl.output import reason, to_disk
from tkstudies.jsonl.store import LineStore
from tkstudies.provenance import DIGITS, printable
from tkstudies.records import whole
from tkstudies.shards.groups import Group
from tkstudies.shards.manifest import Made, Manifest, filled, writing

_HELD = 1 << 26  # bytes of all files together that wait to be written
_BLOCK = 1 << 20
_RUN, _FILL = "run_number", "fill_number"


class Table:
    """The rows of an input, each with the number of its run; of a table of fills with that of its fill.

    Args:
        records: Where they come from. What isn't a file that can be read again waits in a temporary one.

    Attributes:
        key: ``run_number`` or ``fill_number``, as the first row has it.
        rows: Number of rows by run. sizes: Their bytes.
        content: The first digits of the hash of all lines, after `count`.
        name: What the input is called.
    """

    def __init__(self, records: Reader):
        self.name = records.name
        self._records = records
        self._form = NamedColumns((_RUN, _FILL), unset=(_RUN, _FILL))
        again = all(map(os.path.isfile, records.sources))
        self._held = None if again else LineStore()
        self.key = ""
        self.rows: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.content = ""

    def count(self) -> None:
        """Read all rows for the first time.

        Raises:
            InputError: One has no run.
        """
        found = hashlib.sha256()
        rows, sizes = self.rows, self.sizes
        with self._records.located():
            for line, values in self._records.rows(self._form):
                run = self._run(values)
                rows[run] = rows.get(run, 0) + 1
                sizes[run] = sizes.get(run, 0) + len(line) + 1
                found.update(line)
                found.update(b"\n")
                if self._held is not None:
                    self._held.add(line)
        self.content = found.hexdigest()[:DIGITS]

    def again(self) -> Iterator[tuple[int, bytes]]:
        """Each row once more: run, line."""
        if self._held is None:
            records = Reader(self._records.sources, skip_bad_lines=self._records.skips)
            with records.located():
                for line, values in records.rows(self._form):
                    yield self._run(values), line
            return
        for line in self._held:
            try:
                values = self._form.decode(line)
            except msgspec.DecodeError:  # integers of any size
                values = self._form.from_record(decode(line))
            yield self._run(values), line

    def _run(self, values: tuple[Any, ...]) -> int:
        if not self.key:
            self.key = _FILL if values[0] is msgspec.UNSET and values[1] is not msgspec.UNSET else _RUN
        value = values[self.key == _FILL]
        run = whole(value)
        if run is None or run < 0:
            if value is None or value is msgspec.UNSET:
                raise WrongRecord(
                    f"a row without {self.key}: tkstudies filter '{self.key} exists' leaves such rows out"
                )
            raise WrongRecord(f"{self.key} is no whole number: {value!r:.40}")
        return run


def cut(table: Table, parts: list[Group], output: str, recipe: Any) -> None:
    """Write a table as the files of a folder, and say what there is.

    Args:
        table: Its rows are counted already.
        parts: Which runs go together.
        recipe: All that decides this, as JSON.

    Raises:
        InputError: The input changed while it was read.
        OutputError: The folder can't be written.
        UsageError: It isn't one of ours.
    """
    noun = "fill" if table.key == _FILL else "run"
    kept = 0
    names = [part.name for part in parts]
    why = "the table is cut at other places now"
    with writing(output), filled(output, recipe, names, why, console.say) as manifest:
        if _is_current(manifest, table, len(parts)):
            manifest.done.update(manifest.made)
            kept = len(parts)
        else:
            for part, is_kept in _written(table, parts, output):
                kept += is_kept
                size = os.path.getsize(os.path.join(output, part.name))
                records = sum(table.rows[run] for run in part.numbers)
                name, length = printable(table.name), sum(table.sizes.values())
                manifest.add(part.name, Made(name, length, table.content, size, records))
    told = [console.counted(len(parts), "file"), console.counted(len(table.rows), noun)]
    told.append(console.counted(sum(table.rows.values()), "row"))
    stay = f"; {kept:,} of {console.counted(len(parts), 'file')} stay as they are" if kept else ""
    console.say(f"{output}: {', '.join(told)}{stay}")


def _is_current(manifest: Manifest, table: Table, expected: int) -> bool:
    """Is all there that was made of the very same lines?"""
    made = manifest.made.items()
    return len(made) == expected and all(
        each.sha256 == table.content and _size(os.path.join(manifest.folder, name)) == each.written
        for name, each in made
    )


def _written(table: Table, parts: list[Group], output: str) -> Iterator[tuple[Group, bool]]:
    """Give each row to its file; each group when its file is whole, and whether it was so before."""
    files = [_File(output, part.name, sum(table.rows[run] for run in part.numbers)) for part in parts]
    place = {run: number for number, part in enumerate(parts) for run in part.numbers}
    held = 0
    try:
        with console.progress("rows", sum(table.rows.values())) as bar:
            for run, line in table.again():
                file = files[place[run]] if run in place else None
                if file is None or not file.missing:
                    raise _changed(table)
                file.add(line)
                held += len(line)
                bar.advance()
                if not file.missing:
                    held -= file.held
                    yield parts[place[run]], file.finish()
                elif held > _HELD:
                    for other in files:
                        other.pour()
                    held = 0
        if any(file.missing for file in files):
            raise _changed(table)
    except OSError as error:
        raise OutputError(f"{output}: can't be written: {reason(error)}") from None
    finally:
        for file in files:
            file.discard()


def _changed(table: Table) -> InputError:
    return InputError(f"{table.name} changed while it was read: try again")


class _File:
    """A file while its lines come: they are compared with what is there, and written from the first difference on.

    Attributes:
        missing: So many lines are still to come. held: Bytes that wait to be written.
    """

    def __init__(self, folder: str, name: str, lines: int):
        self.missing = lines
        self.held = 0
        self._path = os.path.join(folder, name)
        self._temporary = os.path.join(folder, f".{name}.tmp")
        self._lines: list[bytes] = []
        self._same = 0  # bytes of the older file that would be written again
        self._differs = False

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self.held += len(line)
        self.missing -= 1

    def pour(self) -> None:
        """Write what is held, or see that it is there."""
        if not self._lines:
            return
        content = b"\n".join([*self._lines, b""])
        self._lines.clear()
        self.held = 0
        if not self._differs and self._is_there(content):
            self._same += len(content)
        else:
            self._append(content)

    def finish(self) -> bool:
        """The last line has come: the file gets its name. Was it there already?"""
        self.pour()
        if not self._differs and _size(self._path) == self._same:
            return True
        self._append(b"", sync=True)
        os.replace(self._temporary, self._path)
        return False

    def discard(self) -> None:
        """Remove what isn't whole."""
        if self._differs:
            with suppress(OSError):
                os.unlink(self._temporary)

    def _is_there(self, content: bytes) -> bool:
        try:
            with open(self._path, "rb") as older:
                older.seek(self._same)
                return older.read(len(content)) == content
        except FileNotFoundError:
            return False

    def _append(self, content: bytes, sync: bool = False) -> None:
        begin = os.O_APPEND if self._differs else os.O_TRUNC  # what a killed process has left is written over
        flags = os.O_WRONLY | begin | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._temporary, flags, 0o666), "wb") as file:
            if not self._differs:
                self._differs = True
                self._copy(file)
            file.write(content)
            if sync:
                file.flush()
                to_disk(file)

    def _copy(self, file: Any) -> None:
        """Begin with what is the same in the older file."""
        left = self._same
        if left:
            with open(self._path, "rb") as older:
                while left and (block := older.read(min(left, _BLOCK))):
                    file.write(block)
                    left -= len(block)


def _size(file: str) -> int | None:
    try:
        return os.path.getsize(file)
    except OSError:
        return None
