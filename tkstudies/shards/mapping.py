"""Files in, lines out: the work of a command on one file or many, by one process or several.

The output is that of one process on the files one after the other, byte for byte: parts are put together in the order
of the files. With an output that ends in ``/`` each file becomes a file of that folder, and a second call does only
what is missing or has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from tkstudies import console, jsonl
from tkstudies.shardwise import InTwoParts, Shardwise

Work = TypeVar("Work", bound=Shardwise)
ONE = "1"


def map_files(make: Callable[[], Work], records: jsonl.Reader, output: str = jsonl.STDOUT, jobs: str = ONE) -> Work:
    """Do the work on all files; what comes back has noted what there is to tell.

    Args:
        make: Makes the work; a function that pickle takes.
        records: The files; what was skipped in them is noted there.
        output: A file name, ``-``, or a folder with ``/`` at its end.
        jobs: See `workers.workers`.

    Raises:
        UsageError: Standard input has no name for a file of a folder.
    """
    if output.endswith("/"):
        from tkstudies.shards.manifest import writing
        from tkstudies.shards.parts import to_folder
        from tkstudies.shards.workers import workers

        with writing(output), workers(jobs) as several:
            return to_folder(make, records, output, several)
    work = make()
    if jobs != ONE or (work.waits and _is_folder(records)):  # file by file it holds the rows of one file at a time
        from tkstudies.shards.parts import to_parts, together
        from tkstudies.shards.workers import workers

        with workers(jobs) as several:
            if jsonl.STDIN in records.sources:
                console.say("standard input can't be shared: one process works on it")
            elif len(records.sources) > 1 and (jobs == ONE or not several.shares_memory):
                try:
                    return to_parts(make, records, output, several)
                except InTwoParts as found:
                    if jobs != ONE:
                        console.say(f"one process works on all files: {together(found, records)}")
                    records.skipped = 0
            elif not several.shares_memory:
                say_one_file(records)
    jsonl.write_lines(_lines(work, records), output)
    return work


def _is_folder(records: jsonl.Reader) -> bool:
    """Are there more files than names, which can be read again?"""
    is_folder = len(records.sources) > len(records.named) and jsonl.STDIN not in records.sources
    return is_folder and all(map(os.path.isfile, records.sources))


def _lines(work: Shardwise, records: jsonl.Reader) -> Iterator[bytes]:
    yield from work.lines(records)
    work.check()


def say_one_file(records: jsonl.Reader) -> None:
    """Say why several processes don't help."""
    if records.sources:
        console.say(f"{records.name} is one file, on which one process works: tkstudies shard cuts it")
