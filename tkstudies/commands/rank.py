"""``tkstudies rank``: the most similar good runs of each run, as candidates for its reference."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError
from tkstudies.records import Record, row_key

app = options.application()


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
    run: Annotated[list[str] | None, typer.Option("--run", metavar="RUNS", help="Rank for these runs only.")] = None,
    golden: Annotated[
        str, typer.Option("--golden", metavar="FILE", help="Good are the runs of this certification JSON.")
    ] = "",
    prefer_used: Annotated[
        str,
        typer.Option(
            "--prefer-used", metavar="FILE", help="First those that shifters use: records with reference_run_number."
        ),
    ] = "",
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Find the most similar good runs of each run: candidates for its reference.

    \b
    Candidates are earlier runs of the same reco that are certified good: is_bad is
    false (where it is unknown: tracking is GOOD), or those of --golden instead.
    Conditions are energy, b_field, init_lumi, end_lumi (fill__peak_pileup if no row
    has them), recorded_lumi and fill__bunches_colliding, each in units of its spread
    over the candidates. A column that a candidate lacks counts as a difference of
    1.4; candidates with fewer than half of the columns come last.
    For a lumisection they are lumisections of earlier runs.
    With --prefer-used candidates that are the reference of other runs come first,
    unless they are more than 5 farther away than the nearest.
    One record per run and candidate: rank, candidate_run_number, distance,
    columns_compared, and contribution_COLUMN, which add up to distance squared.

    \b
    Examples:
      tkstudies label study.jsonl | tkstudies rank --run 317591
      tkstudies rank --prefer-used doctor.jsonl study.jsonl
      tkstudies pca --keep all study.jsonl | tkstudies rank --by both --top 5
      tkstudies rank --golden golden.json study.jsonl | tkstudies filter 'rank = 1'
    """
    from tkstudies.analysis.multivariate.candidates import distinct, is_good, nearest, why_none

    chosen = options.words(columns)
    runs = options.split_numbers(run, "run")
    certified = options.certification(golden) if golden else None
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    options.check_stdin_once(records, [prefer_used], "both the runs and the references: name a file for one of them")
    used = _uses(prefer_used) if prefer_used else None
    with records.located():
        rows, repeated = distinct(records)
    options.require_records(records, "no runs to rank: ")
    if not rows:
        raise InputError("no runs to rank: no records with a run_number")
    names = _columns(rows, by, chosen)
    good = [row for row in rows if is_good(row, certified)]
    if not good:
        raise InputError(
            f"no run is in {golden}"
            if golden
            else "no run is certified good (is_bad false, or tracking GOOD): label the rows, or give --golden"
        )
    wanted = [row for row in rows if not runs or _is_among(row, runs)]
    if not wanted:
        raise InputError(f"--run {', '.join(run or [])}: no such run in the input")
    alone = []
    with jsonl.Writer(output) as writer:
        for row, found in zip(wanted, nearest(wanted, good, names, top, used), strict=True):
            if not found:
                alone.append(row)
            for record in found:
                writer.write(record)
    losses = console.Losses()
    losses.add(repeated, "row", "left out: same run (or lumisection) and reco as before")
    for reason, count in why_none(alone, good, names).items():
        losses.add(count, "row", f"without a candidate: {reason}")
    if used is not None and used.keys().isdisjoint(row_key(row).run_number for row in good):
        losses.note(f"--prefer-used {prefer_used}: none of its reference runs ({len(used):,}) is a candidate")
    losses.tell()
    options.report_skipped(records)


def _uses(file: str) -> dict[int, int]:
    """How often each run is the reference of another."""
    from tkstudies.analysis.multivariate.candidates import uses

    found = uses(jsonl.read(file, expected="records with reference_run_number"))
    if not found:
        raise InputError(
            f"{jsonl.shown(file)}: no record has a reference_run_number: "
            "give what 'tkstudies doctor references' or 'tkstudies doctor runs' wrote"
        )
    return found


def _is_among(row: Record, runs: Sequence[tuple[int, int]]) -> bool:
    return any(low <= row_key(row).run_number <= high for low, high in runs)


def _columns(rows: Sequence[Record], by: By, chosen: Sequence[str]) -> list[str]:
    """The columns to compare; says which conditions aren't compared, and why."""
    from tkstudies.analysis.multivariate.candidates import choose_components, choose_conditions, twin_of

    names: list[str] = []
    if by is not By.dqm:
        choice = choose_conditions(rows, chosen)
        names += choice.columns
        if choice.absent:
            console.warn(f"not compared, no row has it: {', '.join(choice.absent)}")
        if choice.of_fill:
            console.say(
                "no row has init_lumi or end_lumi: fill__peak_pileup, that of the whole fill, is compared instead"
            )
        for column, units in choice.mixed.items():
            console.say(f"{column} is in different units ({', '.join(units)}): {twin_of(column)} is compared instead")
    elif chosen:
        raise UsageError("--columns names conditions, which --by dqm doesn't compare")
    if by is not By.conditions:
        components = choose_components(rows)
        if not components:
            raise InputError(f"--by {by.value}: no columns pc1, pc2, ...: run pca --keep all before")
        names += components
        console.warn(
            f"--by {by.value}: the run with the most similar histograms has the same faults and hides them; "
            "for a reference choose --by conditions"
        )
    return list(dict.fromkeys(names))
