"""A table to a folder, where what becomes of a row may depend on all others: each file becomes one of the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from tkstudies import jsonl
from tkstudies.provenance import digest
from tkstudies.shards.files import Ending, Files
from tkstudies.shards.jobs import Workers
from tkstudies.shards.manifest import Made, Manifest, filled, seen, writing
from tkstudies.shards.parts import file_names, write_at_once
from tkstudies.shards.reducing import shards
from tkstudies.shards.workers import workers
from tkstudies.shards.workspace import workspace
from tkstudies.shardwise import Shards, Writing, one_thread

Item = TypeVar("Item")
Noted = TypeVar("Noted")


class Recipe(NamedTuple):
    """What decides what becomes of a file.

    Attributes:
        choices: All but the files, as JSON.
        is_of_all: Does it depend on the other files, too? Then all are made again if one has changed.
        is_current: May files stay as they are? Not if something else than these is to be made.
    """

    choices: Any
    is_of_all: bool
    is_current: bool = True


@contextmanager
def shards_to(jobs: str, output: str, records: jsonl.Reader, recipe: Recipe) -> Iterator[Shards | None]:
    """The parts of a table (see `reducing.shards`), for a command that can write a folder: each file becomes one of it.

    Args:
        recipe: What decides what becomes of a file.

    Returns:
        None if there is nothing to do.
    """
    if not output.endswith("/"):
        with shards(jobs, output, records) as (table,):
            yield table
        return
    with (
        workers(jobs) as several,
        workspace(several, output) as folder,
        one_thread(),
        _into_folder(records, several, folder, output, recipe) as table_to_folder,
    ):
        yield table_to_folder


class ToFolder(Files):
    """Files as the parts of a table, whose lines go into a file for each (see `shardwise.Shards`).

    Args:
        manifest: That of the output folder.
        digests: The hash of each file.
    """

    def __init__(
        self,
        records: jsonl.Reader,
        several: Workers,
        folder: str,
        manifest: Manifest,
        digests: Mapping[str, str | None],
    ):
        super().__init__(records, several, folder)
        self._manifest, self._digests = manifest, digests

    def lines(
        self, task: Writing[Item, Noted], items: Sequence[Item], absorb: Callable[[Noted], None]
    ) -> Iterator[bytes]:
        """None: all go into the folder."""
        sources = self._records.sources
        targets = [os.path.join(self._manifest.folder, name) for name in file_names(sources)]
        named = list(zip(sources, targets, items, strict=True))
        for (source, target, _), (made, noted) in zip(named, self.map(_ToFile(task), named), strict=True):
            made.sha256, made.is_partial = self._digests[source], source in self.skipped_in
            self._manifest.add(os.path.basename(target), made)
            absorb(noted)
        return
        yield


class _ToFile:
    def __init__(self, task: Writing[Any, Any]):
        self._task = task

    def __call__(self, item: tuple[str, str, Any]) -> tuple[Made, Any]:
        source, target, content = item
        made, lines = seen(source, hashed=False), Ending(self._task(content))
        return made.whole(target, write_at_once(lines, target)), lines.noted


@contextmanager
def _into_folder(
    records: jsonl.Reader, several: Workers, folder: str, output: str, recipe: Recipe
) -> Iterator[ToFolder | None]:
    """The parts of a table whose lines go to the files of a folder; None if all of them are there already.

    Files that are there and needn't be made again are left out of the table.

    Args:
        folder: Where parts can be left. output: The folder, its name with ``/`` at the end.

    Raises:
        UsageError: Standard input has no name for a file of a folder.
    """
    names = file_names(records.sources)
    with writing(output):
        digests = dict(zip(records.sources, several.map(digest, records.sources), strict=True))
        choices = [recipe.choices, list(digests.values()) if recipe.is_of_all else None]
        with filled(output, choices, names, "no input is behind it any more") as manifest:
            current = {
                name: source
                for name, (source, sha256) in zip(names, digests.items(), strict=True)
                if (made := manifest.made.get(name)) and made.is_current(os.path.join(output, name), source, sha256)
            }
            if not recipe.is_current or (recipe.is_of_all and len(current) < len(names)):
                current = {}
            manifest.done.update(current)
            records.leave_out(current.values())
            yield ToFolder(records, several, folder, manifest, digests) if records.sources else None
        manifest.say_kept(len(current))
