"""``tkstudies export --to parquet -o NAME/``: a Parquet file for each input file, together one data set.

All files have one schema, which the values of all inputs decide, so that every program that reads Parquet reads the
folder as one table. The manifest is a Parquet file itself, of the same schema and without a row, with what it says in
its metadata: programs that read each file of a folder (polars) take no other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from tkstudies import console, jsonl
from tkstudies.analysis.tables import parquet
from tkstudies.analysis.tables.export import Export
from tkstudies.errors import InputError
from tkstudies.jsonl.folder import checked_manifest, whole_files
from tkstudies.provenance import DIGITS, digest
from tkstudies.records import Record
from tkstudies.shards.manifest import Made, Manifest, filled, seen, writing
from tkstudies.shards.parts import Item, file_names
from tkstudies.shards.workers import workers

ENDING = ".parquet"
_KEY = b"tkstudies_manifest"
_HIDDEN = (".", "_")


class ParquetManifest(Manifest):
    """A manifest in a folder of Parquet files."""

    name = f"_manifest{ENDING}"

    def write(self) -> None:
        """Write what is known so far, as soon as there is a schema."""
        if self.layout is not None:
            super().write()

    @classmethod
    def read(cls, folder: str) -> Record | None:
        arrow, path = parquet.library(), os.path.join(folder, cls.name)
        if not os.path.exists(path):
            return None
        try:
            found = jsonl.decode((arrow.parquet.read_schema(path).metadata or {}).get(_KEY, b""))
        except (OSError, ValueError, arrow.ArrowException) as error:
            raise InputError(f"{path}: can't be read: {error}") from None
        return checked_manifest(found, path)

    @classmethod
    def strangers(cls, folder: str) -> list[str]:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(ENDING) and entry.is_file()]
        return sorted(name for name in names if not name.startswith(_HIDDEN))

    def store(self, content: bytes, stream: BinaryIO) -> None:
        arrow = parquet.library()
        empty = self.layout.with_metadata({_KEY: content}).empty_table()
        arrow.parquet.write_table(empty, stream)


class Looked(NamedTuple):
    """What the first look at a file found.

    Attributes:
        columns: The types of its columns. sha256: The hash of the file.
        skipped: Malformed lines.
    """

    columns: dict[str, parquet.ColumnType]
    sha256: str | None
    skipped: int = 0


def parquet_files(folder: str) -> list[str]:
    """The files of a data set, in the order of their names.

    Raises:
        InputError: There is none, or they aren't those of the manifest.
    """
    names = ParquetManifest.strangers(folder)
    if not names:
        raise InputError(f"{folder}: is a folder without files that end in {ENDING}")
    if written := ParquetManifest.read(folder):
        names = whole_files(folder, names, written, ParquetManifest.name)
    return [os.path.join(folder, name) for name in names]


def write_parquet_files(records: jsonl.Reader, output: str, jobs: str, exported: Export) -> None:
    """Write each input file as a file of the folder; what there is to tell is noted in ``exported``.

    Raises:
        TkstudiesError: pyarrow isn't installed.
        InputError: There is no column.
        OutputError, UsageError: The folder can't be written, or isn't ours.
    """
    parquet.library()
    names = _visible([name.removesuffix(".jsonl") + ENDING for name in file_names(records.sources)])
    records.look_ahead()
    skips, kept = bool(records.skips), 0
    with (
        writing(output, ParquetManifest),
        workers(jobs) as several,
        filled(output, "parquet", names, "no input is behind it any more", kind=ParquetManifest) as manifest,
    ):
        items = [
            Item(source, os.path.join(output, name), manifest.made.get(name))
            for source, name in zip(records.sources, names, strict=True)
        ]
        looked = list(_with_progress("files looked at", several.map(partial(_look, skips), items), len(items)))
        layout = exported.layout(parquet.joined(each.columns for each in looked), is_typed=True)
        manifest.layout = layout
        manifest.write()
        tasks = list(zip(items, looked, strict=True))
        made = several.map(partial(_make, skips, layout), tasks)
        for name, (item, look), (one, is_kept) in zip(
            names, tasks, _with_progress("files", made, len(items)), strict=True
        ):
            kept += is_kept
            records.note(item.source, look.skipped, not one.records)
            exported.records += one.records
            manifest.add(name, one)
    if kept:
        console.say(f"{kept:,} of {console.counted(len(names), 'file')} in {output} stay as they are")


def _visible(names: list[str]) -> list[str]:
    """The names with "part" before those that begin with _ or a dot: Spark, pandas and we don't read such files."""
    visible, taken = [], set(names)
    for name in names:
        if name.startswith(_HIDDEN):
            while name.startswith(_HIDDEN) or name in taken:
                name = f"part{name}"
            taken.add(name)
        visible.append(name)
    return visible


def _with_progress(what: str, results: Iterable[Any], total: int) -> Iterator[Any]:
    with console.progress(what, total) as bar:
        for result in results:
            yield result
            bar.advance()


def _look(skips: bool, item: Item) -> Looked:
    """The types of the columns of a file, which a manifest may know."""
    source, _, known = item
    sha256 = digest(source)
    if known and not known.is_partial and known.sha256 == sha256 and known.size == os.path.getsize(source):
        return Looked({name: parquet.ColumnType.of_json(type_) for name, type_ in known.remembered[1].items()}, sha256)
    records = jsonl.Reader([source], skip_bad_lines=skips)
    return Looked(parquet.column_types(records), sha256, records.skipped)


def _make(skips: bool, layout: Any, task: tuple[Item, Looked]) -> tuple[Made, bool]:
    """The file in the schema of all, and whether it was there before."""
    (source, target, known), looked = task
    schema = hashlib.sha256(layout.serialize().to_pybytes()).hexdigest()[:DIGITS]
    if known and known.is_current(target, source) and known.remembered[0] == schema:
        return known, True
    made = seen(source, hashed=False)
    number = 0

    def rows() -> Iterator[Record]:
        nonlocal number
        for record in jsonl.Reader([source], skip_bad_lines=skips):
            if not record.keys() <= looked.columns.keys():
                raise InputError(f"{source}: changed while it was read")
            number += 1
            yield record

    output = jsonl.OutputFile(target)
    output.waits = False
    with output, output.guarded():
        parquet.write(rows(), layout, output.stream)
    made.whole(target, number)
    made.sha256, made.is_partial = looked.sha256, bool(looked.skipped)
    made.remembered = [schema, {name: column.as_json() for name, column in looked.columns.items()}]
    return made, False
