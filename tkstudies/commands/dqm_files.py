"""A crawl of ``tkstudies dqm`` to the files of a folder, some runs in each."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tkstudies import console
from tkstudies.commands.dqm_output import Tally
from tkstudies.errors import InputError
from tkstudies.jsonl import part
from tkstudies.services.dqm.pairs import Pair
from tkstudies.services.dqm.resume import EarlierCrawl
from tkstudies.shards.fetched import Fetched, fetch_files
from tkstudies.shards.groups import RUNS_PER_FILE, Group, by_number
from tkstudies.shards.manifest import Made


def write_files(
    output: str,
    recipe: Any,
    pairs: list[Pair],
    runs_per_file: int | None,
    tally: Tally,
    crawl: Callable[[list[Pair], str, str], None] = lambda some, file, resume: None,
) -> None:
    """Fetch the histograms of the pairs, file by file.

    Args:
        recipe: All that decides what is fetched of a pair, as JSON.
        crawl: Fetches those of some pairs to a file, and takes over what a file of an earlier crawl has.

    Raises:
        ServiceError: The server can't be used, or nothing came at all.
    """
    by_run: dict[int, list[Pair]] = {}
    for pair in pairs:
        by_run.setdefault(pair.run_number, []).append(pair)
    place = {pair: number for number, pair in enumerate(pairs)}

    def of(group: Group) -> list[Pair]:
        return sorted((pair for run in group.numbers for pair in by_run[run]), key=place.__getitem__)

    def fetch(group: Group, file: str) -> Fetched:
        before = tally.written + tally.kept
        with tally.part() as noted:
            crawl(of(group), file, file if _is_usable(file) else "")
        return Fetched(tally.written + tally.kept - before, noted.remember(), noted.has_failed)

    def recall(group: Group, made: Made) -> None:
        tally.recall(of(group), made.records, made.remembered)

    fetch_files(output, recipe, by_number(by_run, runs_per_file or RUNS_PER_FILE), of, fetch, recall)
    tally.refuse_nothing()


def _is_usable(file: str) -> bool:
    """Is there something of an earlier crawl to go on with? What is damaged is removed."""
    unfinished = file + part.SUFFIX
    if not (os.path.exists(file) or os.path.exists(unfinished)):
        return False
    try:
        EarlierCrawl(file).close()
    except InputError as error:
        console.warn(f"{error}: fetched again")
        for damaged in (file, unfinished):
            with suppress(FileNotFoundError):
                os.unlink(damaged)
        return False
    return True
