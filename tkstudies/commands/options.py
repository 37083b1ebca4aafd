"""Options and arguments that several commands share, and how their inputs are opened."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion
from tkstudies.errors import InputError, UsageError
from tkstudies.records import split_numbers as split_numbers

if TYPE_CHECKING:
    from tkstudies.analysis.tables.certification import Certification
    from tkstudies.analysis.tables.conditions import Conditions
    from tkstudies.services.web.endpoints import Service


def application(**settings: Any) -> typer.Typer:
    """The typer application of one command, plain and quick to start."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, **settings)


_RUNS = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*", re.ASCII)
_MANY_INCOMPLETE = 0.1  # of the rows


ENDINGS = (".jsonl", ".json", ".gz")
_OTHER_ENDINGS = (".csv", ".tsv", ".parquet", ".root", ".xlsx")
"""By these an argument of a command that takes words is known as a file of records."""


class Missing(str, Enum):
    """What stands for a missing feature."""

    zero = "zero"
    mean = "mean"
    drop = "drop"


class Keep(str, Enum):
    """Which columns stay beside those that a command adds."""

    labels = "labels"
    all = "all"


Inputs = Annotated[
    list[str] | None,
    typer.Option("-i", "--input", metavar="FILE", help="Records to read; - is standard input (repeatable)."),
]
Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", show_default=False)]
Output = Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Write there instead of standard output.")]
OutputFiles = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="Write there; NAME/: a file for each input file.")
]
SkipBadLines = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Leave malformed lines out and count them (exit code 3).")
]


Cookies = Annotated[
    str | None, typer.Option("--cookies", metavar="FILE", help="Log in with a cookie file made by auth-get-sso-cookie.")
]
Jobs = Annotated[
    str,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Work on the files of a folder in N processes, on Dask (dask), or on its cluster (dask:ADDRESS).",
    ),
]
RunsPerFile = Annotated[
    int | None,
    typer.Option(
        "--runs-per-file", metavar="N", min=1, help="With -o NAME/: so many runs in each file.  [default: 50]"
    ),
]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=32, help="Requests under way at once.")]
LoginService = Annotated[
    str, typer.Argument(metavar="[oms|dials]", autocompletion=completion.logins, show_default=False)
]


Recos = Annotated[
    list[str] | None,
    typer.Option(
        "--reco",
        metavar="RECO",
        autocompletion=completion.recos,
        help="online, express, prompt, rereco, rerecoul (repeatable).",
    ),
]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on", metavar="COLUMN", autocompletion=completion.columns, help="Key column (repeatable; default: automatic)."
    ),
]
PointFeatures = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        metavar="PATTERN",
        autocompletion=completion.columns,
        help="Columns to look at, e.g. 'Hits.*.mean' (repeatable).",
    ),
]
OldColumns = Annotated[list[str] | None, typer.Option("--columns", metavar="COLUMN", hidden=True)]
"""The older name of an option that chooses what is computed with."""


def reader(
    inputs: list[str] | None, files: list[str] | None = None, *, skip_bad_lines: bool = False, expected: str = "records"
) -> jsonl.Reader:
    """The records that a command was given: by ``-i``, as arguments, else on standard input."""
    sources = [*(inputs or []), *(files or [])] or [jsonl.STDIN]
    if runs := runs_among(files)[0]:
        raise UsageError(
            f"{runs[0]}: no such file; for rows of a run: tkstudies filter 'run_number = {runs[0]}' FILE | ..."
        )
    return jsonl.Reader(sources, skip_bad_lines=skip_bad_lines, expected=expected)


def runs_among(words: list[str] | None) -> tuple[list[str], list[str]]:
    """The words that are runs or ranges of runs, and the others: files. A file may have such a name.

    >>> runs_among(["315265", "315265-315270,7", "runs.jsonl", "-"])
    (['315265', '315265-315270,7'], ['runs.jsonl', '-'])
    """
    runs = [word for word in words or () if _RUNS.fullmatch(word) and not os.path.exists(word)]
    return runs, [word for word in words or () if word not in runs]


def with_files(words: list[str] | None, inputs: list[str] | None) -> tuple[list[str], list[str] | None]:
    """The words of a command that takes words, and its inputs: files among them are inputs, as people expect.

    A word is a file if it is - or has the name of one and exists; behind the last other word also if it exists and
    holds a /, or is a folder with tables.

    Raises:
        InputError: A word has the name of a file, and there is none.
    """
    left = list(words or [])
    behind: list[str] = []
    while left and (_is_named_like_a_file(left[-1]) or _is_elsewhere(left[-1])):
        behind.insert(0, left.pop())
    files = [*filter(_is_named_like_a_file, left), *behind]
    return [word for word in left if word not in files], [*(inputs or []), *files] or None


def _is_named_like_a_file(word: str) -> bool:
    if word == jsonl.STDIN:
        return True
    if not word.endswith((*ENDINGS, *_OTHER_ENDINGS)):
        return False
    if os.path.exists(word):
        return True
    if len(word.split()) == 1:  # else it may be an expression
        raise InputError(f"{word}: no such file")
    return False


def _is_elsewhere(word: str) -> bool:
    if os.path.isdir(word):
        return "/" in word or jsonl.is_table(word)
    return "/" in word and os.path.exists(word)


def named_reader(
    inputs: list[str] | None, files: list[str] | None = None, *, skip_bad_lines: bool = False, expected: str = "records"
) -> jsonl.Reader | None:
    """The same of a command that can do without records: None unless some are named."""
    if not (inputs or files):
        return None
    return reader(inputs, files, skip_bad_lines=skip_bad_lines, expected=expected)


def is_folder(output: str, runs_per_file: int | None = None) -> bool:
    """Does a command that fetches write the files of a folder?

    Raises:
        UsageError: It doesn't, and a number of runs in each file is given.
    """
    if output.endswith("/"):
        return True
    if runs_per_file:
        raise UsageError("--runs-per-file is for the files of a folder: name it with a slash at its end, -o NAME/")
    return False


def output_folder(output: str, command: str) -> str:
    """The folder that a command writes which writes nothing else, with a slash at its end.

    Raises:
        UsageError: None is named, or a file.
    """
    if output == jsonl.STDOUT or output.endswith(ENDINGS) or os.path.isfile(output):
        raise UsageError(f"{command} writes the files of a folder: name it with -o NAME/")
    return output.rstrip("/") + "/"


def check_stdin_once(
    records: jsonl.Reader, others: Iterable[str], told: str = "both sides: name the left-hand file with -i"
) -> None:
    """Refuse standard input as two inputs of a command.

    Raises:
        UsageError: It is among both.
    """
    if jsonl.STDIN in records.sources and jsonl.STDIN in others:
        raise UsageError(f"standard input can't be {told}")


def check_read_often(files: Iterable[str], output: str, jobs: str) -> None:
    """Refuse what can be read but once as an input that several processes need, or a later call.

    Raises:
        UsageError: One is standard input or a pipe.
    """
    if jobs != "1" or output.endswith("/"):
        for name in files:
            if name == jsonl.STDIN or (os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)):
                once = f"{jsonl.shown(name)} can be read only once"
                raise UsageError(f"{once}, and --jobs and -o NAME/ need it again: write it to a file")


def certification(file: str) -> Certification:
    """The good runs and lumisections of a certification JSON."""
    from tkstudies.analysis.tables.certification import read_certification

    return read_certification(file)


def warn_of_gaps(incomplete: int, rows: int, missing: str, advice: str) -> None:
    """Say so if many rows were completed by something that nobody measured."""
    if missing != Missing.drop.value and incomplete > _MANY_INCOMPLETE * max(rows, 1):
        console.warn(f"{incomplete} of {console.counted(rows, 'row')} lack features, filled with {missing}: {advice}")


def report_skipped(*readers: jsonl.Reader | None) -> None:
    """Tell at the end where there was no record, and how many lines were left out, and where."""
    for records in readers:
        if records and records.empty:
            console.warn(_no_records(records))
        if records and records.skipped:
            console.left_out(f"{console.counted(records.skipped, 'malformed line')} skipped in {records.name}")


def require_records(records: jsonl.Reader, what: str = "") -> None:
    """Refuse to do without any record, after they were read.

    Raises:
        InputError: There was none.
    """
    if len(records.empty) == len(records.named):
        raise InputError(f"{what}{_no_records(records)}")


def _no_records(records: jsonl.Reader) -> str:
    """Where there was none; behind a command that failed the reader of a pipe knows no more than that."""
    files = [name for name in records.empty if name != jsonl.STDIN]
    where = ["on standard input"] if jsonl.STDIN in records.empty else []
    told = f"no records {' and '.join([*where, *(['in ' + ' and '.join(files)] if files else [])])}"
    return f"{told}: if the command before it failed, its message tells why" if where and _is_pipe() else told


def _is_pipe() -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


def conditions(expressions: list[str] | None) -> Conditions:
    """The conditions of a repeatable option that takes filter expressions."""
    from tkstudies.analysis.tables.conditions import Conditions

    return Conditions(expressions or ())


def words(values: list[str] | None) -> tuple[str, ...]:
    """The names given by a repeatable option that also takes lists.

    >>> words(["pixel, strip", "tracking"])
    ('pixel', 'strip', 'tracking')
    """
    return tuple(word.strip() for value in values or [] for word in value.split(",") if word.strip())


def known_words(values: list[str] | None, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The same of an option that takes some names only, in their own spelling and each once.

    Raises:
        UsageError: One isn't known.

    >>> known_words(["Prompt,express", "prompt"], ("express", "prompt"), "--reco")
    ('prompt', 'express')
    """
    spelling = {name.lower(): name for name in known}
    given = words(values)
    for word in given:
        if word.lower() not in spelling:
            raise UsageError(f"{option} {word!r}: known are {console.listed(known)}")
    return tuple(dict.fromkeys(spelling[word.lower()] for word in given))


def login_services(name: str) -> list[Service]:
    """The service that one wants to log in to by browser, all that there are for none.

    Raises:
        UsageError: One can't log in to it so.
    """
    from tkstudies.services.web.endpoints import LOGINS

    if not name:
        return list(LOGINS.values())
    if name.lower() not in LOGINS:
        raise UsageError(
            f"{name!r}: known are {console.listed(LOGINS)} ('tkstudies help login' has the other services)"
        )
    return [LOGINS[name.lower()]]
