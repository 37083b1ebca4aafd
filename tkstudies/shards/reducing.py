"""Many files, one result: each file is read by a worker, what comes back is merged in the order of the files.

One file, or standard input, is one part, on which this process works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tkstudies import jsonl
from tkstudies.errors import UsageError
from tkstudies.shards.mapping import say_one_file
from tkstudies.shards.workers import workers
from tkstudies.shardwise import Shards, Whole, one_thread


@contextmanager
def shards(jobs: str, output: str, *tables: jsonl.Reader, also_one: bool = False) -> Iterator[list[Shards]]:
    """The parts of tables, with those who work on them: what they leave on disk goes at the end.

    Args:
        jobs: See `workers.workers`.
        output: Where the result goes; parts wait beside it, or where the workers want them.
        tables: The first is the one that is reported.
        also_one: Whether several have work on a table of one file, too (`Shards.each`).

    Raises:
        UsageError: ``jobs`` means nothing, the output is a folder, or there is no place for parts.
    """
    if output.endswith("/"):
        raise UsageError(f"-o {output}: the result is one table: name a file (tkstudies shard cuts it)")
    with ExitStack() as stack:
        several = stack.enter_context(workers(jobs))
        if all(len(records.sources) < 2 for records in tables) and (several.shares_memory or not also_one):
            if not several.shares_memory:
                say_one_file(tables[0])
            yield [Whole(records) for records in tables]
            return
        from tkstudies.shards.files import Files, OneFile
        from tkstudies.shards.workspace import workspace

        folder = stack.enter_context(workspace(several, output))
        stack.enter_context(one_thread())
        yield [(OneFile if len(table.sources) < 2 else Files)(table, several, folder) for table in tables]
