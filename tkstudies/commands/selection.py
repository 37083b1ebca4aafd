"""The options that select runs and fills, shared by the commands that fetch them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError, WrongRecord
from tkstudies.services.runselection import HIGHEST, Numbers, Range, RunSelection, intersected

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class RunType(str, Enum):
    """What a run was taken with, as its class says."""

    collisions = "collisions"
    cosmics = "cosmics"


Min = Annotated[int | None, typer.Option("--min", min=0, help="First run number.")]
Max = Annotated[int | None, typer.Option("--max", min=0, help="Last run number.")]
Run = Annotated[
    list[str] | None,
    typer.Option("--run", metavar="RUNS", help="Runs and ranges: 355100,355205-355210 (repeatable)."),
]
RunsFrom = Annotated[
    list[str] | None,
    typer.Option("--runs-from", metavar="FILE", help="The runs of a record file or runs.txt (repeatable)."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "-i", "--input", metavar="FILE", help="The runs of these records; - is standard input (repeatable)."
    ),
]
Fill = Annotated[
    list[str] | None,
    typer.Option("--fill", metavar="FILLS", help="Fills and ranges: 6759,6761-6763 (repeatable)."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", "--start", metavar="TIME", help="Started at or after this UTC date or time."),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", "--end", metavar="TIME", help="Started at or before it; a date includes its day."
    ),
]
Last = Annotated[
    str | None, typer.Option("--last", metavar="TIME", help="Started in the last 90m, 24h, 7d, 2w.")
]
Era = Annotated[
    str | None, typer.Option("--era", metavar="ERA", help="An era, such as 2018B or Run2018B (asks OMS).")
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="CLASS", help="Run class, such as Collisions18 (repeatable)."),
]
Type = Annotated[
    RunType | None, typer.Option("--type", help="Only collisions or only cosmics, by run class.")
]
MinLumisections = Annotated[
    int | None, typer.Option("--min-ls", metavar="N", min=1, help="At least N lumisections.")
]
Cookies = Annotated[
    str | None,
    typer.Option("--cookies", metavar="FILE", help="Log in with a cookie file made by auth-get-sso-cookie."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, max=32, help="Requests under way at once.")]


def runs(
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    run: list[str] | None = None,
    runs_from: list[str] | None = None,
    inputs: list[str] | None = None,
    fill: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    last: str | None = None,
    era: str | None = None,
    classes: list[str] | None = None,
    runtype: RunType | None = None,
    min_lumisections: int | None = None,
    cookies: str | None = None,
) -> RunSelection:
    """The runs that fulfil all options given; lists of runs from different options add up.

    Raises:
        UsageError: A value has another form than it should, or options contradict each other.
        InputError: A file can't be read, or has no run numbers.
    """
    since, until = times(since, until, last)
    return RunSelection(
        runs=_run_numbers(minimum, maximum, run, runs_from, inputs, era, cookies),
        fills=Numbers(options.split_numbers(fill, "fill")) if fill else None,
        since=since,
        until=until,
        min_lumisections=min_lumisections,
        classes=tuple(classes or ()),
        runtype=runtype.value if runtype else None,
    )


def _run_numbers(
    minimum: int | None,
    maximum: int | None,
    run: list[str] | None,
    runs_from: list[str] | None,
    inputs: list[str] | None,
    era: str | None,
    cookies: str | None,
) -> Numbers | None:
    ranges: list[Range] | None = None
    if minimum is not None or maximum is not None:
        ranges = [bounds(minimum, maximum)]
    if run or runs_from or inputs:
        listed = options.split_numbers(run, "run")
        for source in runs_from or []:
            listed += ((number, number) for number in _numbers_of_file(source))
        if inputs:
            listed += ((number, number) for number in numbers_of_records(inputs, "run_number"))
        ranges = listed if ranges is None else intersected(ranges, listed)
    if era:
        from tkstudies.services import oms

        of_era = [oms.era_runs(era, cookies=cookies)]
        ranges = of_era if ranges is None else intersected(ranges, of_era)
    return None if ranges is None else Numbers(ranges)


def bounds(minimum: int | None, maximum: int | None) -> Range:
    """The range from ``--min`` to ``--max``, either of which may be missing."""
    low, high = minimum or 0, HIGHEST if maximum is None else maximum
    if low > high:
        raise UsageError(f"--min {low} --max {high}: the range is empty")
    return low, high


def numbers_of_records(sources: list[str], column: str) -> list[int]:
    """The distinct integers in one column of record files, in order; nulls are left out.

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
            if type(value) is not int:
                raise WrongRecord(f"{column} is not an integer: {value!r:.80}")
            found.add(value)
    if seen and not named:
        raise InputError(f"{' and '.join(map(jsonl.shown, sources))}: no record has {column}")
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
                raise InputError(
                    f"{source}, line {number}: expected a run number: {jsonl.quoted(line.encode())}"
                )
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
        raise UsageError(
            f"{option} {text!r}: expected a UTC date or time, such as 2018-06-21T12:00"
        ) from None


def _written(time: datetime) -> str:
    return time.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


# --- words


def chosen(values: list[str] | None, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The values of a repeatable option that also takes lists, in the spelling of the known ones.

    Raises:
        UsageError: One isn't known.
    """
    spelling = {name.lower(): name for name in known}
    words = options.words(values)
    for word in words:
        if word.lower() not in spelling:
            raise UsageError(f"{option} {word!r}: known are {console.listed(known)}")
    return tuple(dict.fromkeys(spelling[word.lower()] for word in words))
