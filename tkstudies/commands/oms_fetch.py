"""What the commands share that fetch rows of OMS: their options, and where the rows go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from tkstudies.commands import options
from tkstudies.commands.output import Fetchable, write_all
from tkstudies.commands.serverfilters import ServerFilters
from tkstudies.commands.signatures import gathered

if TYPE_CHECKING:
    from tkstudies.services.omslistings import Wanted

Fields = Annotated[
    list[str] | None,
    typer.Option("--fields", metavar="NAMES", help="Only these attributes and the key: a,b,c (repeatable)."),
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", metavar="EXPRESSION", help="'energy >= 6500' as in filter, or ATTR__OP=VALUE (repeatable)."
    ),
]


@dataclass(frozen=True)
class Fetch:
    """The options of a command that fetches rows, in the order of the help pages; ``fetches`` gives them to it."""

    filters: Filters = None
    fields: Fields = None
    cookies: options.Cookies = None
    workers: options.Workers = 4
    runs_per_file: options.RunsPerFile = None
    output: options.Output = "-"

    @cached_property
    def chosen(self) -> ServerFilters:
        """The conditions of ``--filter``.

        Raises:
            UsageError: One can't be understood.
        """
        return ServerFilters(self.filters)

    def wanted(self, sort: list[str] | None = None, split_scheme: bool = False) -> Wanted:
        """What is asked of OMS.

        Raises:
            UsageError: A condition can't be understood.
        """
        from tkstudies.services.omslistings import Wanted, parse_filter

        return Wanted(
            filters=tuple(parse_filter(text) for text in self.chosen.sent),
            fields=options.words(self.fields),
            sort=options.words(sort),
            split_scheme=split_scheme,
            workers=self.workers,
            cookies=self.cookies,
        )

    def write(self, rows: Fetchable) -> None:
        """Write the rows, and say how many there are.

        Raises:
            UsageError: ``--runs-per-file`` without a folder.
        """
        if not options.is_folder(self.output, self.runs_per_file):
            write_all(self.chosen.kept(rows.of(None)), self.output, rows.noun, "OMS")
            return
        from tkstudies.commands.crawlfiles import write_oms

        write_oms(rows, self.chosen, self.output, self.runs_per_file)


fetches = gathered("fetch", Fetch)
"""Gives a command the options of `Fetch`, as its parameter ``fetch``."""
