"""``tkstudies rank``: the most similar good runs of each run, as candidates for its reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError, WrongRecord

if TYPE_CHECKING:
    from tkstudies.analysis.certification import Certification
    from tkstudies.analysis.ranking import Candidate

app = options.application()

Row = dict[str, Any]
Key = tuple[Any, Any, Any]  # run, reco and lumisection


class By(str, Enum):
    """What similar means."""

    conditions = "conditions"
    dqm = "dqm"
    both = "both"


@app.command()
def rank(
    files: options.Files = None,
    by: Annotated[
        By, typer.Option("--by", help="Similar conditions, or similar histograms (pc1, pc2, ... of pca).")
    ] = By.conditions,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="Conditions to compare (repeatable; commas).",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Candidates for each run.")] = 3,
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUNS", help="Rank for these runs only.")
    ] = None,
    golden: Annotated[
        str,
        typer.Option("--golden", metavar="FILE", help="Good are the runs of this certification JSON."),
    ] = "",
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Find the most similar good runs of each run: candidates for its reference.

    \b
    Candidates are earlier runs of the same reco that are certified good: is_bad is
    false (where it is unknown: tracking is GOOD), or those of --golden instead.
    Conditions are energy, b_field, fill__peak_pileup, recorded_lumi and
    fill__bunches_colliding, each in units of its spread over the candidates.
    For a lumisection they are lumisections of earlier runs.
    One record per run and candidate: rank, candidate_run_number, distance,
    columns_compared, and contribution_COLUMN, which add up to distance squared.

    \b
    Examples:
      tkstudies label study.jsonl | tkstudies rank --run 317591
      tkstudies pca --keep all study.jsonl | tkstudies rank --by both --top 5
      tkstudies rank --golden golden.json study.jsonl | tkstudies filter 'rank = 1'
    """
    chosen = options.words(columns)
    runs = options.split_numbers(run, "run")
    certified = options.certification(golden) if golden else None
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    rows, repeated = _distinct(records)
    if not rows:
        raise InputError("no runs to rank: no records with a run_number")
    names = _columns(rows, by, chosen)
    candidates = [row for row in rows if _is_good(row, certified)]
    if not candidates:
        raise InputError(
            f"no run is in {golden}"
            if golden
            else "no run is certified good (is_bad false, or tracking GOOD): label the rows, or give --golden"
        )
    wanted = [row for row in rows if not runs or any(low <= row["run_number"] <= high for low, high in runs)]
    if not wanted:
        raise InputError(f"--run {', '.join(run or [])}: no such run in the input")
    alone = 0
    with jsonl.Writer(output) as writer:
        for found in _ranked(wanted, candidates, names, top):
            alone += not found
            for record in found:
                writer.write(record)
    if repeated:
        console.warn(
            f"{console.counted(repeated, 'row')} left out: same run (or lumisection) and reco as before"
        )
    if alone:
        console.warn(
            f"{console.counted(alone, 'row')} without a candidate: no earlier good run to compare with"
        )
    options.report_skipped(records)


def _distinct(records: jsonl.Reader) -> tuple[list[Row], int]:
    """The first row of each run (or lumisection) and reco, and how many others there were."""
    rows: dict[Key, Row] = {}
    repeated = 0
    with records.located():
        for record in records:
            run_number, reco, lumisection = key = _key(record)
            if type(run_number) is not int or not isinstance(reco, str | None):
                raise WrongRecord(f"not a run record: run_number {run_number!r:.80}, reco {reco!r:.80}")
            if not isinstance(lumisection, int | None):
                raise WrongRecord(f"not a run record: lumisection_number {lumisection!r:.80}")
            repeated += key in rows
            rows.setdefault(key, record)
    return list(rows.values()), repeated


def _key(row: Row) -> Key:
    return row.get("run_number"), row.get("reco"), row.get("lumisection_number")


def _columns(rows: Sequence[Row], by: By, chosen: Sequence[str]) -> list[str]:
    """The columns to compare.

    Raises:
        InputError: There are none, or one that was asked for isn't there.
    """
    from tkstudies.analysis.ranking import CONDITIONS

    known = {column for row in rows for column, value in row.items() if _is_number(value)}
    names: list[str] = []
    if by is not By.dqm:
        absent = [column for column in chosen or CONDITIONS if column not in known]
        if absent and (chosen or len(absent) == len(CONDITIONS)):
            raise InputError(
                f"no numbers in {', '.join(absent)}; columns with numbers are {console.listed(sorted(known))}"
            )
        if absent:
            console.warn(f"not compared, no row has it: {', '.join(absent)}")
        names += [_comparable(rows, column) for column in chosen or CONDITIONS if column in known]
    elif chosen:
        raise UsageError("--columns names conditions, which --by dqm doesn't compare")
    if by is not By.conditions:
        components = sorted(
            (column for column in known if re.fullmatch(r"pc[0-9]+", column)), key=lambda name: int(name[2:])
        )
        if not components:
            raise InputError(f"--by {by.value}: no columns pc1, pc2, ...: run pca --keep all before")
        names += components
    return list(dict.fromkeys(names))


def _comparable(rows: Sequence[Row], column: str) -> str:
    """The column, or its twin in pb^-1 if it is in different units in different rows."""
    units = {row[f"{column}_unit"] for row in rows if isinstance(row.get(f"{column}_unit"), str)}
    if len(units) < 2:
        return column
    twin = f"{column}_pb"
    mixed = f"{column} is in different units ({', '.join(sorted(units))})"
    if not any(_is_number(row.get(twin)) for row in rows):
        raise InputError(f"{mixed}, and there is no {twin}: take it from OMS, or choose with --columns")
    console.say(f"{mixed}: {twin} is compared instead")
    return twin


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(row: Row, column: str) -> float:
    try:
        return float(row[column]) if _is_number(row.get(column)) else float("nan")
    except OverflowError:
        raise InputError(f"{column}: a number too large to compute with in run {row['run_number']}") from None


def _is_good(row: Row, certified: Certification | None) -> bool:
    from tkstudies.analysis.labels import status

    if certified is not None:
        return certified.contains(row["run_number"], row.get("lumisection_number"))
    if isinstance(row.get("is_bad"), bool):
        return not row["is_bad"]
    return status(row.get("tracking")) == "GOOD"


def _ranked(
    rows: Sequence[Row], candidates: Sequence[Row], columns: Sequence[str], top: int
) -> Iterator[list[Row]]:
    """The records of each row, in the order of the rows; candidates have its reco, and are lumisections if it is."""
    import numpy as np

    from tkstudies.analysis import ranking

    def numbers(members: Sequence[Row]) -> Any:
        return np.array([row["run_number"] for row in members], dtype=np.int64)

    def values(members: Sequence[Row]) -> Any:
        table = [[_number(row, name) for name in columns] for row in members]
        return np.array(table, dtype=np.float64)

    results: dict[Key, list[Row]] = {}
    for kind in dict.fromkeys(map(_kind, rows)):
        mine = [row for row in rows if _kind(row) == kind]
        good = [row for row in candidates if _kind(row) == kind]
        if good:
            found = ranking.rank(values(mine), numbers(mine), values(good), numbers(good), top)
            for row, nearest in zip(mine, found, strict=True):
                results[_key(row)] = [
                    _record(row, good[candidate.index], place, candidate, columns)
                    for place, candidate in enumerate(nearest, start=1)
                ]
    for row in rows:
        yield results.get(_key(row), [])


def _kind(row: Row) -> tuple[Any, bool]:
    return row.get("reco"), row.get("lumisection_number") is None


def _record(row: Row, candidate_row: Row, place: int, candidate: Candidate, columns: Sequence[str]) -> Row:
    contributions = zip(columns, candidate.contributions.tolist(), strict=True)
    is_run = row.get("lumisection_number") is None
    own = {} if is_run else {"lumisection_number": row["lumisection_number"]}
    others = {} if is_run else {"candidate_lumisection_number": candidate_row["lumisection_number"]}
    return {
        "run_number": row["run_number"],
        "reco": row.get("reco"),
        **own,
        "rank": place,
        "candidate_run_number": candidate_row["run_number"],
        **others,
        "distance": candidate.distance,
        "columns_compared": candidate.compared,
        **{f"contribution_{column}": value for column, value in contributions},
    }
