"""What is fetched as the files of a folder: each is there when it is whole, and no second call fetches it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tkstudies import console
from tkstudies.jsonl import encode
from tkstudies.provenance import DIGITS
from tkstudies.settings import current
from tkstudies.shards.groups import Group
from tkstudies.shards.manifest import Made, filled, writing


class Fetched(NamedTuple):
    """What came of a file.

    Attributes:
        records: Their number.
        remembered: What a later call must know of it for its summary, as JSON.
        is_partial: Did something fail? Then it is fetched again.
    """

    records: int
    remembered: Any = None
    is_partial: bool = False


def fetch_files(
    output: str,
    recipe: Any,
    groups: Sequence[Group],
    asked: Callable[[Group], Any],
    fetch: Callable[[Group, str], Fetched],
    recall: Callable[[Group, Made], None],
) -> None:
    """Fetch the files that are missing, that aren't what is asked for any more, or for which something had failed.

    Args:
        output: The folder.
        recipe: All that decides what is fetched of a run, as JSON.
        groups: The runs of each file.
        asked: What is fetched of a group, as JSON.
        fetch: Fetches it to the file of that name.
        recall: Takes what is known of a file that stays as it is.

    Raises:
        OutputError, UsageError: The folder can't be written, or isn't ours (see `manifest.filled`).
    """
    kept = 0
    names = [group.name for group in groups]
    why = "the runs are cut at other places now"
    with writing(output), filled(output, recipe, names, why, console.say) as manifest:
        for group in groups:
            file = os.path.join(output, group.name)
            key = hashlib.sha256(encode(asked(group))).hexdigest()[:DIGITS]
            known = manifest.made.get(group.name)
            if known and not known.is_partial and known.sha256 == key and _size(file) == known.written:
                recall(group, known)
                manifest.done.add(group.name)
                kept += 1
                continue
            before, current.partial = current.partial, False
            try:
                fetched = fetch(group, file)
                is_partial = fetched.is_partial or current.partial
            finally:
                current.partial = current.partial or before
            made = Made("", len(group.numbers), key, os.path.getsize(file), *fetched[:2], is_partial)
            manifest.add(group.name, made)
    if kept:
        console.say(
            f"{kept:,} of {console.counted(len(groups), 'file')} in {output} stay as they are: all that was to be "
            "had is in them (remove one to have it fetched again)"
        )


def _size(file: str) -> int | None:
    return os.path.getsize(file) if os.path.isfile(file) else None
