"""``tkstudies doctor``: what shifters wrote down in TkDQMDoctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import options, selection
from tkstudies.commands.output import write_all
from tkstudies.errors import InputError, UsageError
from tkstudies.records import Record, whole

app = options.application(
    no_args_is_help=True,
    help="Fetch certified runs, their problems and reference runs from TkDQMDoctor.\n\n"
    "(Whether this machine is ready for all services is told by 'tkstudies check'.)",
)

From = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="Read the page saved from a browser instead of fetching it."),
]
Cookies = Annotated[
    str | None,
    typer.Option(
        "--cookies", metavar="FILE", help="Cookie file made with auth-get-sso-cookie (default: $TKSTUDIES_COOKIES)."
    ),
]


@app.command()
def runs(
    saved: From = None, cookies: Cookies = None, inputs: selection.Inputs = None, output: options.Output = "-"
) -> None:
    """Fetch the certified runs.

    \b
    Shift leaders only: pass a cookie file, or log in in a browser, save the page
    https://tkdqmdoctor.web.cern.ch/json/runs/ and read it with --from.

    \b
    Examples:
      tkstudies doctor runs --from tkdqmdoctor_runs.json > doctor.jsonl
      tkstudies doctor runs --cookies cookies.txt -i runs.jsonl > doctor.jsonl
    """
    from tkstudies.services import doctor

    found = doctor.runs(_source(saved, cookies, "type__reco"), cookies=cookies)
    write_all(_of_runs(inputs, found), output, "certified run")


@app.command("problem-runs")
def problem_runs(
    saved: From = None, cookies: Cookies = None, inputs: selection.Inputs = None, output: options.Output = "-"
) -> None:
    """Fetch the certified runs with problems: the same with problem_names and problem_ids.

    \b
    Example:
      tkstudies doctor problem-runs --from tkdqmdoctor_problem_runs.json > problems.jsonl
    """
    from tkstudies.services import doctor

    found = doctor.problem_runs(_source(saved, cookies, "problem_names"), cookies=cookies)
    write_all(_of_runs(inputs, found), output, "run")


@app.command()
def problems(saved: From = None, cookies: Cookies = None, output: options.Output = "-") -> None:
    """Fetch the categories of problems.

    \b
    Example:
      tkstudies doctor problems --from tkdqmdoctor_problems.json | jq .full_display_name
    """
    from tkstudies.services import doctor

    write_all(doctor.problems(_source(saved, cookies, "full_display_name"), cookies=cookies), output, "category")


@app.command()
def references(saved: From = None, inputs: selection.Inputs = None, output: options.Output = "-") -> None:
    """Fetch the reference run of each certified run, from the Certification Helper (no login).

    \b
    Example:
      tkstudies doctor references > references.jsonl
    """
    from tkstudies.services import doctor

    found = doctor.references(_source(saved, None, "reference_run_number"))
    write_all(_of_runs(inputs, found), output, "reference run")


def _of_runs(inputs: list[str] | None, records: Iterator[Record]) -> Iterator[Record]:
    """The records of the runs in some files, all if there are no files."""
    if not inputs:
        return records
    wanted = set(selection.numbers_of_records(inputs, "run_number"))
    return (record for record in records if whole(record.get("run_number")) in wanted)


def _source(saved: str | None, cookies: str | None, column: str) -> Iterator[Record] | None:
    """The records of a saved page; the wrong one of the three pages is noticed by ``column``."""
    if saved is None:
        return None
    if cookies:
        raise UsageError("--from and --cookies exclude each other: a saved page needs no login")
    return _checked(saved, column)


def _checked(saved: str, column: str) -> Iterator[Record]:
    for record in jsonl.read(saved, expected="a saved page"):
        if column not in record:
            raise InputError(f"{jsonl.shown(saved)}: a record without {column}: is this the right page?")
        yield record
