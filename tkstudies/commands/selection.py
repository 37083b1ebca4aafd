"""The options that select runs and fills, shared by the commands that fetch them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Annotated

import typer

from tkstudies import jsonl
from tkstudies.commands import options
from tkstudies.commands.signatures import gathered
from tkstudies.errors import InputError, UsageError, WrongRecord
from tkstudies.records import whole
from tkstudies.services.runselection import HIGHEST, Numbers, Range, RunSelection, intersected

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class RunType(str, Enum):
    """What a run was taken with, as its class says."""

    collisions = "collisions"
    cosmics = "cosmics"


Inputs = Annotated[
    list[str] | None,
    typer.Option("-i", "--input", metavar="FILE", help="The runs of these records; - is standard input (repeatable)."),
]
Fill = Annotated[
    list[str] | None, typer.Option("--fill", metavar="FILLS", help="Fills and ranges: 6759,6761-6763 (repeatable).")
]
Since = Annotated[
    str | None, typer.Option("--since", "--start", metavar="TIME", help="Started at or after this UTC date or time.")
]
Until = Annotated[
    str | None,
    typer.Option("--until", "--end", metavar="TIME", help="Started at or before it; a date includes its day."),
]
Last = Annotated[str | None, typer.Option("--last", metavar="TIME", help="Started in the last 90m, 24h, 7d, 2w.")]


@dataclass(frozen=True)
class RunOptions:
    """The options that select runs, in the order of the help pages; ``selects_runs`` gives them to a command."""

    words: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False)] = None
    minimum: Annotated[int | None, typer.Option("--min", metavar="RUN", min=0, help="First run number.")] = None
    maximum: Annotated[int | None, typer.Option("--max", metavar="RUN", min=0, help="Last run number.")] = None
    run: Annotated[
        list[str] | None,
        typer.Option("--run", metavar="RUNS", help="Runs and ranges: 355100,355205-355210 (repeatable)."),
    ] = None
    runs_from: Annotated[
        list[str] | None,
        typer.Option("--runs-from", metavar="FILE", help="The runs of a record file or runs.txt (repeatable)."),
    ] = None
    inputs: Inputs = None
    fill: Fill = None
    since: Since = None
    until: Until = None
    last: Last = None
    era: Annotated[
        str | None, typer.Option("--era", metavar="ERA", help="An era, such as 2018B or Run2018B (asks OMS).")
    ] = None
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="Run class, such as Collisions18 (repeatable).")
    ] = None
    runtype: Annotated[
        RunType | None, typer.Option("--type", help="Only collisions or only cosmics, by run class.")
    ] = None
    min_lumisections: Annotated[
        int | None, typer.Option("--min-ls", metavar="N", min=1, help="At least N lumisections.")
    ] = None

    @property
    def names_each_run(self) -> bool:
        """Are there lists of runs only, rather than ranges or fills in which runs have to be looked for?"""
        return self.minimum is None and self.maximum is None and not self.fill

    @property
    def lists_runs(self) -> bool:
        """Are runs listed one by one or in files, rather than chosen by ranges or in other ways?"""
        chosen = (self.fill, self.since, self.until, self.last, self.era)
        runs, files = options.runs_among(self.words)
        typed = [*(self.run or []), *runs]
        is_listed = typed or files or self.runs_from or self.inputs
        return self.names_each_run and bool(is_listed) and not any(chosen) and not any("-" in runs for runs in typed)

    def selection(self, cookies: str | None = None) -> RunSelection:
        """The runs that fulfil all options given; lists of runs from different options add up.

        Args:
            cookies: The cookie file to ask OMS with, for ``--era``.

        Raises:
            UsageError: A value has another form than it should, or options contradict each other.
            InputError: A file can't be read, or has no run numbers.
        """
        since, until = times(self.since, self.until, self.last)
        return RunSelection(
            runs=self._runs(cookies),
            fills=Numbers(options.split_numbers(self.fill, "fill")) if self.fill else None,
            since=since,
            until=until,
            min_lumisections=self.min_lumisections,
            classes=tuple(self.classes or ()),
            runtype=self.runtype.value if self.runtype else None,
        )

    def _runs(self, cookies: str | None) -> Numbers | None:
        """What is said of run numbers, None if nothing is."""
        between = bounds(self.minimum, self.maximum)
        listed = None
        runs, files = options.runs_among(self.words)
        inputs = [*(self.inputs or []), *files]
        if self.run or runs or self.runs_from or inputs:
            listed = options.split_numbers([*(self.run or []), *runs], "run")
            for source in self.runs_from or []:
                listed += single(_numbers_of_file(source))
            listed += single(numbers_of_records(inputs, "run_number") if inputs else ())
        of_era = None
        if self.era:
            from tkstudies.services import omsruns

            of_era = [omsruns.era_runs(self.era, cookies=cookies)]
        return numbers_in_all(between, listed, of_era)


# Which of these options a command has, for selects_runs.
BY_NUMBER = ("words", "minimum", "maximum", "run", "runs_from", "inputs", "fill")
BY_TIME = (*BY_NUMBER, "since", "until", "last", "era")
BY_CLASS = (*BY_TIME, "classes", "runtype", "min_lumisections")


def selects_runs(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options that select runs: its parameter ``given`` gets them as ``RunOptions``.

    Args:
        names: Attributes of RunOptions, in any order.

    Example:
        @app.command()
        @selects_runs("minimum", "maximum")
        def command(given: RunOptions, output: options.Output = "-") -> None:
            selected = given.selection()
    """
    return gathered("given", RunOptions, *names)


# --- numbers


def numbers_in_all(*conditions: Iterable[Range] | None) -> Numbers | None:
    """The numbers that fulfil all conditions; None is no condition.

    >>> list(numbers_in_all([(1, 5)], None, [(4, 4), (5, 9)]))
    [4, 5]
    """
    given = [condition for condition in conditions if condition is not None]
    return Numbers(functools.reduce(intersected, given)) if given else None


def single(numbers: Iterable[int]) -> list[Range]:
    """Each number as a range of its own."""
    return [(number, number) for number in numbers]


def bounds(minimum: int | None, maximum: int | None) -> list[Range] | None:
    """The range from ``--min`` to ``--max``, either of which may be missing; None if both are."""
    if minimum is None and maximum is None:
        return None
    low, high = minimum or 0, HIGHEST if maximum is None else maximum
    if low > high:
        raise UsageError(f"--min {low} --max {high}: the range is empty")
    return [(low, high)]


def numbers_of_records(sources: list[str], column: str) -> list[int]:
    """The distinct whole numbers in one column of record files, in order; nulls are left out.

    Raises:
        InputError: There are records, but none has the column, or a value isn't an integer.
    """
    found: set[int] = set()
    seen = named = False
    records = jsonl.Reader(sources, expected=f"records with {column}")
    with records.located():
        for record in records:
            seen = True
            named = named or column in record
            value = record.get(column)
            if value is None:
                continue
            number = whole(value)
            if number is None:
                raise WrongRecord(f"{column} is not an integer: {value!r:.80}")
            found.add(number)
    if seen and not named:
        raise InputError(f"{' and '.join(map(jsonl.shown, sources))}: no record has {column}")
    options.report_skipped(records)
    return sorted(found)


def _numbers_of_file(source: str) -> list[int]:
    """The runs of a record file, or of a runs.txt: ``RUN [RECO [CLASS]]`` in each line."""
    if source == jsonl.STDIN or not _is_runs_txt(source):
        return numbers_of_records([source], "run_number")
    return list(_numbers_of_runs_txt(source))


def _is_runs_txt(source: str) -> bool:
    try:
        with open(source, "rb") as stream:
            return stream.read(4096).lstrip()[:1].isdigit()
    except OSError:
        return False  # the reader of records says what is wrong


def _numbers_of_runs_txt(source: str) -> Iterator[int]:
    with open(source, encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            words = line.split()
            if words and not words[0].isdecimal():
                raise InputError(f"{source}, line {number}: expected a run number: {jsonl.quoted(line.encode())}")
            if words:
                yield int(words[0])


# --- times


def times(since: str | None, until: str | None, last: str | None) -> tuple[str | None, str | None]:
    """The bounds of the start time, as OMS writes times.

    Raises:
        UsageError: A time has another form than it should, or both ``--last`` and a bound are given.
    """
    if last:
        if since or until:
            raise UsageError("--last and --since or --until exclude each other")
        try:
            return _written(datetime.now(timezone.utc) - _duration(last)), None
        except OverflowError:
            raise UsageError(f"--last {last}: that is before all time") from None
    first, end = _bound("--since", since, False), _bound("--until", until, True)
    if first and end and first > end:
        raise UsageError(f"--since {since} --until {until}: the range is empty")
    return first, end


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+)([mhdw])", text.strip())
    if not match:
        raise UsageError(f"--last {text!r}: expected a number with m, h, d or w, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _bound(option: str, text: str | None, is_end: bool) -> str | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip()))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) and is_end:
            time += timedelta(days=1, seconds=-1)
        return _written(time if time.tzinfo else time.replace(tzinfo=timezone.utc))
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r}: expected a UTC date or time, such as 2018-06-21T12:00") from None


def _written(time: datetime) -> str:
    return time.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
