"""How a command that fetches records writes them to the files of a folder, some runs in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tkstudies import console
from tkstudies.commands.output import Fetchable
from tkstudies.commands.runreg_output import Census, Row
from tkstudies.commands.serverfilters import ServerFilters
from tkstudies.jsonl import encode
from tkstudies.services.runselection import Numbers
from tkstudies.shards.fetched import Fetched, fetch_files
from tkstudies.shards.groups import RUNS_PER_FILE, Group, by_number
from tkstudies.shards.manifest import Made
from tkstudies.shards.parts import write_at_once

if TYPE_CHECKING:
    from tkstudies.services.registry.query import Query


def write_oms(found: Fetchable, chosen: ServerFilters, output: str, runs_per_file: int | None) -> None:
    """Write the records of OMS to files, and say how many there are.

    Args:
        chosen: What is decided of the records here.
        output: The folder.
    """
    chosen.comes_in_parts = True
    total = 0

    def fetch(group: Group, file: str) -> Fetched:
        nonlocal total
        records = chosen.kept(found.of(Numbers.of(group.numbers)))
        written = write_at_once(map(encode, records), file)
        total += written
        return Fetched(written)

    def recall(_: Group, made: Made) -> None:
        nonlocal total
        total += made.records
        chosen.recall(made.records)

    groups = by_number(found.numbers(), runs_per_file or RUNS_PER_FILE)
    fetch_files(output, found.recipe, groups, lambda group: group.numbers, fetch, recall)
    chosen.tell()
    console.say(f"{console.counted(total, found.noun)} of OMS in {console.counted(len(groups), 'file')}: {output}")


def write_registry(
    query: Query,
    lines: Callable[[Query, Census, console.Losses], Iterator[bytes]],
    rows: Callable[[Query, console.Losses], Iterator[Row]],
    here: ServerFilters,
    output: str,
    runs_per_file: int | None,
    recipe: Any,
) -> Census:
    """Write rows of the Run Registry to files; what there is to say of all of them.

    Args:
        lines: What is written of a query.
        rows: Its rows, to learn which runs there are.
    """
    here.comes_in_parts = True
    total, all_losses = Census(), console.Losses()

    def fetch(group: Group, file: str) -> Fetched:
        census, losses = Census(), console.Losses()
        part = replace(query, selection=replace(query.selection, runs=Numbers.of(group.numbers)))
        written = write_at_once(lines(part, census, losses), file)
        total.absorb(census.noted())
        all_losses.absorb(losses)
        return Fetched(written, census.noted(), losses.partial)

    def recall(_: Group, made: Made) -> None:
        total.absorb(made.remembered)
        here.recall(made.records)

    runs = {record["run_number"] for _, record in rows(query, console.Losses())}
    groups = by_number(runs, runs_per_file or RUNS_PER_FILE)
    fetch_files(output, recipe, groups, lambda group: group.numbers, fetch, recall)
    here.tell()
    all_losses.tell()
    return total
