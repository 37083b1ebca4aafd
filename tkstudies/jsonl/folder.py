"""A folder as input: the one table that its files are together, in the order of their names.

Its files are those that end in ``.jsonl`` or ``.jsonl.gz``. Where tkstudies has written the folder, ``manifest.json``
in it says which files belong to it, so that one that is missing isn't overlooked.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from tkstudies import console
from tkstudies.errors import InputError
from tkstudies.jsonl.codec import BadRecord, decode, decode_value
from tkstudies.jsonl.source import lines_of, opened
from tkstudies.records import Record
from tkstudies.settings import current

MANIFEST = "manifest.json"
ENDINGS = (".jsonl", ".jsonl.gz")

_KEYS = ("run_number", "reco", "lumisection_number", "fill_number", "plot")
_ANEW = "remove the folder and make it again, or name the files in it"
_OVERLAP = 0.5  # of the columns of the narrower table


def files_in(folder: str) -> list[str]:
    """The files of the table that a folder is, in the order of their names.

    Raises:
        InputError: There is none, they are different tables, or they aren't those of the manifest.
    """
    current.folders.add(folder)
    names = table_files(folder)
    written = read_manifest(folder)
    if not names and written is None:
        raise InputError(f"{folder}: is a folder without files that end in .jsonl or .jsonl.gz")
    if written is not None:  # by one command, as one table
        return [os.path.join(folder, name) for name in whole_files(folder, names, written)]
    paths = [os.path.join(folder, name) for name in names]
    _check_one_table(folder, paths)
    return paths


def table_files(folder: str) -> list[str]:
    """The names of the files of a folder that hold records, in order; hidden ones are never whole.

    Raises:
        InputError: The folder can't be read, holds a file twice, or what is named as one is none.
    """
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_file() for entry in entries if entry.name.endswith(ENDINGS)}
    except OSError as error:
        raise InputError(f"{folder}: can't be read: {error.strerror}") from None
    names = sorted(name for name in found if not name.startswith("."))
    if broken := [name for name in names if not found[name]]:
        raise InputError(f"{folder}: {console.listed(broken, 3)} is no file, or a link to one that isn't there")
    for name in names:
        if f"{name}.gz" in names:
            raise InputError(f"{folder}: holds both {name} and {name}.gz: remove one of them")
    return names


def is_table(folder: str) -> bool:
    """Does a folder hold files of records, or will it when the command that writes it is done?"""
    try:
        return os.path.exists(os.path.join(folder, MANIFEST)) or bool(table_files(folder))
    except InputError:
        return True


def read_manifest(folder: str) -> Record | None:
    """What tkstudies noted when it wrote a folder; None of a folder that it hasn't written.

    Raises:
        InputError: The manifest is damaged.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, "rb") as stream:
            found = decode_value(stream.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: can't be read: {why}: {_ANEW}") from None
    return checked_manifest(found, path)


def checked_manifest(found: Any, path: str) -> Record:
    """What a manifest says, if it is one.

    Raises:
        InputError: It isn't.
    """
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or not all(map(_is_entry, files, files.values())):
        raise InputError(f"{path}: isn't a manifest of tkstudies: {_ANEW}")
    return dict(found)


def _is_entry(name: str, entry: Any) -> bool:
    """A file of the folder itself: files that go are deleted by these names."""
    return os.path.basename(name) == name and isinstance(entry, dict)


def whole_files(folder: str, names: list[str], written: Record, manifest: str = MANIFEST) -> list[str]:
    """Those of the files that are whole, by what the manifest says; one that isn't complete is told.

    Raises:
        InputError: They are others.
    """
    files = written["files"]
    if absent := [name for name in files if name not in names]:
        raise InputError(f"{folder}: {console.listed(absent, 3)} of its {manifest} is missing: make the folder again")
    if written.get("complete") is not True:
        console.left_out(
            f"{folder}: not all of its files are made yet ({len(files):,} of {written.get('expected')}): go on with "
            f"the command that writes it ({written.get('command', 'see its manifest')})"
        )
    elif strange := [name for name in names if name not in files]:
        raise InputError(
            f"{folder}: {console.listed(strange, 3)} isn't in its {manifest}: remove it if it doesn't belong there, "
            "or name files"
        )
    whole = [name for name in names if name in files]
    if written.get("complete") is True and (changed := [name for name in whole if _is_changed(folder, name, files)]):
        console.warn(f"{folder}: {console.listed(changed, 3)} isn't as it was written: has somebody changed it?")
    return whole


def _is_changed(folder: str, name: str, files: dict[str, Any]) -> bool:
    size = files[name].get("written")
    return isinstance(size, int) and os.path.getsize(os.path.join(folder, name)) != size


def _check_one_table(folder: str, paths: list[str]) -> None:
    """Refuse files that can't be parts of one table: of other kinds, or with the same rows."""
    known: tuple[str, Record] | None = None
    begins: dict[tuple[Any, ...], str] = {}
    for path in paths:
        record = _first_record(path)
        if not record:
            continue
        name = os.path.basename(path)
        if known and (why := _differ(known[1], record)):
            raise InputError(
                f"{folder}: its files are different tables, {known[0]} and {name} ({why}): "
                f"name one, or if they are one table all, {folder.rstrip('/')}/*.jsonl"
            )
        known = known or (name, record)
        key = tuple(_text(record.get(column)) for column in _KEYS)
        if any(key):
            if key in begins:
                row = " ".join(text for text in key if text)
                raise InputError(f"{folder}: {begins[key]} and {name} begin with the same row ({row}): name one")
            begins[key] = name


def _first_record(path: str) -> Record | None:
    """The first record of a file; None where that isn't known before the file is read."""
    try:
        with opened(path) as stream:
            if stream.peek(1)[:1] == b"[":
                return None
            line = next(iter(lines_of(path, stream)), b"").strip()
        return decode(line) if line else None
    except (OSError, EOFError, InputError, BadRecord, msgspec.DecodeError):  # told when it is read
        return None


def _differ(first: Record, other: Record) -> str:
    """Why two records are of different tables; empty if they may be of one."""
    for column in _KEYS:
        if (column in first) is not (column in other):
            return f"only one has {column}"
    columns, others = first.keys() - set(_KEYS), other.keys() - set(_KEYS)
    narrower = min(len(columns), len(others))
    return "most of their columns differ" if len(columns & others) < _OVERLAP * narrower else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
