"""Files that are worked on one by one, in whatever process: to parts of an output, or to the files of a folder."""

from __future__ import annotations

import os
import pickle
import shlex
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from tkstudies import console, jsonl
from tkstudies.errors import InputError, UsageError
from tkstudies.provenance import printable
from tkstudies.settings import current
from tkstudies.shards.jobs import Workers
from tkstudies.shards.manifest import Made, filled, seen
from tkstudies.shards.workspace import workspace
from tkstudies.shardwise import InTwoParts, Mend, Shardwise

Work = TypeVar("Work", bound=Shardwise)


class Item(NamedTuple):
    """A file to work on.

    Attributes:
        source: Its name. target: Where its lines go.
        known: What the manifest says of the target, if it was made before.
    """

    source: str
    target: str
    known: Made | None = None

    def __str__(self) -> str:
        return self.source


class Part(NamedTuple):
    """What became of a file.

    Attributes:
        item: The file. made: What a manifest says of it.
        noted: What the work noted. is_kept: Was it made before, so that nothing was noted?
        skipped: Malformed lines. is_empty: Had it no record?
    """

    item: Item
    made: Made
    noted: Any = None
    is_kept: bool = True
    skipped: int = 0
    is_empty: bool = False


class Task:
    """The work on one file, in whatever process.

    Args:
        make: Makes the work; a function that pickle takes.
        skip_bad_lines: As the user has chosen.
        hashed: Is the hash of the input wanted?
    """

    def __init__(self, make: Callable[[], Shardwise], skip_bad_lines: bool, hashed: bool):
        self._make, self._skip, self._hashed = pickle.dumps(make), skip_bad_lines, hashed
        self._call = uuid.uuid4().hex

    def __call__(self, item: Item) -> Part:
        if item.known and item.known.is_current(item.target, item.source):
            return Part(item, item.known)
        return self.made_by(_first(self._make, self._call).fresh(), item)

    def made_by(self, work: Shardwise, item: Item) -> Part:
        """What work that hasn't seen a record makes of a file."""
        made = seen(item.source, hashed=self._hashed)
        records = jsonl.Reader([item.source], skip_bad_lines=self._skip)
        before, current.partial = current.partial, False
        try:
            written = write_at_once(work.lines(records), item.target)
            is_partial = bool(records.skipped) or work.is_partial or current.partial
        finally:
            current.partial = current.partial or before
        made.whole(item.target, written)
        made.remembered, made.is_partial = work.remember(), is_partial
        return Part(item, made, work.noted(), False, records.skipped, bool(records.empty))


@lru_cache(maxsize=1)
def _first(make: bytes, call: str) -> Shardwise:
    """The work of which all files of a process share what is large; another call may find other side files."""
    work: Shardwise = pickle.loads(make)()  # noqa: S301  # our own function, that this process or its parent has packed
    return work


def write_at_once(lines: Iterable[bytes], file: str) -> int:
    """Write lines to a file that is there when it is whole, whatever else the command writes; their number."""
    writer = jsonl.Writer(file)
    writer.waits = False
    with writer:
        for line in lines:
            writer.write_line(line)
    return writer.written


def to_parts(make: Callable[[], Work], records: jsonl.Reader, output: str, several: Workers) -> Work:
    """Several processes, each file to a part of its own, and these in their order to the output."""
    work = make()
    records.look_ahead()
    with workspace(several, output) as folder, jsonl.Writer(output) as writer:
        items = [Item(source, os.path.join(folder, f"{number}.jsonl")) for number, source in enumerate(records.sources)]
        parts = _settled(work, make, records, items, several, hashed=False)
        for part, mend in list(parts) if work.waits else parts:
            with open(part.item.target, "rb") as lines:
                for line in lines:
                    writer.write_line(mend.line(line[:-1]) if mend else line[:-1])
            os.unlink(part.item.target)
        work.check()
    return work


def to_folder(make: Callable[[], Work], records: jsonl.Reader, output: str, several: Workers) -> Work:
    """Each file to a file of the folder."""
    names = file_names(records.sources)
    work = make()
    records.look_ahead()
    kept = 0
    try:
        with filled(output, work.recipe(), names, "no input is behind it any more") as manifest:
            items = [
                Item(source, os.path.join(output, name), manifest.made.get(name))
                for source, name in zip(records.sources, names, strict=True)
            ]
            settled = _settled(work, make, records, items, several, hashed=True)
            for name, (part, mend) in zip(names, settled, strict=True):
                kept += part.is_kept
                if mend:
                    manifest.forget(name)
                    part.made.written, part.made.remembered = _mended(part.item.target, mend), mend.remembered
                manifest.add(name, part.made)
            work.check()
    except InTwoParts as found:
        raise InputError(f"{together(found, records)}, or write one file (-o FILE)") from None
    manifest.say_kept(kept)
    return work


def _settled(
    work: Shardwise,
    make: Callable[[], Shardwise],
    records: jsonl.Reader,
    items: Sequence[Item],
    several: Workers,
    *,
    hashed: bool,
) -> Iterator[tuple[Part, Mend | None]]:
    """The parts in the order of the files, as they are among each other, and how to mend their lines.

    The work learns what they noted, the reader what was skipped.
    """
    task = Task(make, bool(records.skips), hashed)
    with console.progress("files", len(items)) as bar:
        for part in several.map(task, items):
            mend = _absorbed(work, part, items)
            if isinstance(mend, Shardwise):
                part = task.made_by(mend, part.item)
                mend = _absorbed(work, part, items)
            assert not isinstance(mend, Shardwise), "made again it is right"  # noqa: S101  # no input leads here
            records.note(part.item.source, part.skipped, part.is_empty)
            yield part, mend
            bar.advance()


def _absorbed(work: Shardwise, part: Part, items: Sequence[Item]) -> Mend | Shardwise | None:
    try:
        return work.recall(part.made.remembered) if part.is_kept else work.absorb(part.noted)
    except InTwoParts as found:
        found.files = items[found.part].source, part.item.source
        raise


def together(found: InTwoParts, records: jsonl.Reader) -> str:
    """What is in two files, and how to bring it into one."""
    table = " ".join(map(shlex.quote, records.named))
    advice = found.advice or f"tkstudies shard {table} -o NAME/ --runs-per-file 50 puts all rows of a run into one file"
    return f"{found.what} is in both {' and '.join(found.files)}: {advice}"


def file_names(sources: Sequence[str]) -> list[str]:
    """The names of the files that the sources become."""
    if jsonl.STDIN in sources:
        raise UsageError("-o NAME/ writes a file for each input file, and standard input has no name: name a file")
    names = [os.path.basename(source).removesuffix(".gz") for source in sources]
    names = [name if name.endswith(".jsonl") else f"{os.path.splitext(name)[0]}.jsonl" for name in names]
    if odd := next((name for name in names if printable(name) != name), None):
        raise InputError(f"{printable(odd)}: its name isn't UTF-8: rename it, or write one file (-o FILE)")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"two inputs would both become {twice}: read them one folder at a time")
    return names


def _mended(file: str, mend: Mend) -> int:
    """Write the lines of a file anew; its size."""
    with open(file, "rb") as lines:
        write_at_once((mend.line(line[:-1]) for line in lines), file)
    return os.path.getsize(file)
