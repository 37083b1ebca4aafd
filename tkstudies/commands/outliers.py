"""``tkstudies outliers``: scores and flags for the rows that differ from the others."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.multivariate.outliers import Findings

app = options.application()


class Method(str, Enum):
    """How outliers are found."""

    envelope = "envelope"
    one_class_svm = "one-class-svm"
    isolation_forest = "isolation-forest"
    lof = "lof"
    svc = "svc"
    all = "all"


@app.command()
def outliers(
    files: options.Files = None,
    methods: Annotated[
        list[Method] | None, typer.Option("--method", "-m", help="Repeatable; default: envelope.")
    ] = None,
    contamination: Annotated[
        float | None,
        typer.Option(
            "--contamination",
            metavar="FRACTION",
            help="Part of the training rows that are outliers (envelope, isolation-forest, lof) [0.05].",
        ),
    ] = None,
    nu: Annotated[
        float | None,
        typer.Option("--nu", metavar="FRACTION", help="Part of the training rows left outside (one-class-svm) [0.07]."),
    ] = None,
    features: options.PointFeatures = None,
    columns: options.OldColumns = None,
    train_where: Annotated[
        list[str] | None,
        typer.Option(
            "--train-where",
            metavar="EXPR",
            autocompletion=completion.columns,
            help="Learn from the rows for which this holds.",
        ),
    ] = None,
    missing: Annotated[
        options.Missing, typer.Option("--missing", help="Fill gaps in a row, or leave it without a score (drop).")
    ] = options.Missing.zero,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="For envelope and isolation-forest [42]."),
    ] = None,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Score each row by how much it differs from the others, and flag outliers.

    For experts; start with 'tkstudies suspects', which learns from good rows only,
    finds more at the same rate of false alarms, and says what stands out.

    \b
    Adds METHOD_score and METHOD_outlier (with _ for -). For all methods a larger
    score is more anomalous, and above 0 the row is an outlier. Scores of different
    methods don't compare. All rows and columns stay; a row without values in the
    columns gets nulls, and is counted.

    \b
    Looks at pc1, pc2, ... if the rows have them, else at the features of pca
    (without those that only tell how long a run was), standardised.
    Methods, and what they learn from unless --train-where tells:
      envelope          robust Gaussian (minimum covariance determinant); all rows
      one-class-svm     boundary of the good; rows with tracking GOOD
      isolation-forest  random cuts; all rows
      lof               local outlier factor, 20 neighbours; all rows
                        (with --train-where: novelty among the training rows)
      svc               boundary between good and bad; tracking GOOD and BAD,
                        in a table without tracking is_bad
      all               all of them

    \b
    Examples:
      tkstudies pca study.jsonl | tkstudies outliers | tkstudies filter 'envelope_outlier = true'
      tkstudies outliers -m one-class-svm -m lof --train-where 'is_bad = false' study.jsonl
      tkstudies outliers --features 'Hits.*' --contamination 0.02 study.jsonl | head
    """
    from tkstudies.analysis.multivariate import outliers as analysis

    chosen = _chosen(methods)
    settings = _settings(chosen, contamination, nu, seed)
    conditions = options.conditions(train_where)
    patterns = options.words([*(features or []), *(columns or [])])
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    import numpy as np

    from tkstudies.analysis.multivariate.points import PointTable

    table = PointTable(records, (*analysis.LABELS, *conditions.columns), patterns, missing.value)
    options.require_records(records)
    rows, where = table.rows, table.points
    training = None
    if conditions:
        training = np.array([conditions.hold(row) for row in rows], dtype=bool)
        losses = console.Losses()
        conditions.check(table.columns, losses)
        losses.tell()
        if not training.any():
            why = conditions.why_nothing(table.columns)
            raise InputError(f"--train-where {' '.join(train_where or [])}: no row to learn from{why}")
    findings = [analysis.detect(method, where, rows, training, **settings) for method in chosen]
    jsonl.write_lines(table.lines(_verdicts(findings, len(rows))), output)
    scored = int(where.usable.sum())
    _report(findings, len(rows), scored, missing)
    options.warn_of_gaps(where.filled, scored, missing.value, "--missing drop leaves them out")
    options.report_skipped(records)


def _chosen(methods: list[Method] | None) -> list[str]:
    from tkstudies.analysis.multivariate.outliers import METHODS

    names = [method.value for method in methods or [Method.envelope]]
    return list(METHODS) if "all" in names else list(dict.fromkeys(names))


def _settings(chosen: list[str], contamination: float | None, nu: float | None, seed: int | None) -> dict[str, Any]:
    from tkstudies.analysis.multivariate.outliers import CONTAMINATED, SEEDED

    if contamination is not None and not 0 < contamination <= 0.5:
        raise UsageError(f"--contamination {contamination:g}: expected a part above 0, and at most 0.5")
    if nu is not None and not 0 < nu <= 1:
        raise UsageError(f"--nu {nu:g}: expected a part above 0, and at most 1")
    given = {"contamination": (contamination, CONTAMINATED), "nu": (nu, ("one-class-svm",)), "seed": (seed, SEEDED)}
    for name, (value, users) in given.items():
        if value is not None and not set(users) & set(chosen):
            raise UsageError(f"--{name} is for --method {', '.join(users)}; chosen: {', '.join(chosen)}")
    return {name: value for name, (value, _) in given.items() if value is not None}


def _verdicts(findings: list[Findings], rows: int) -> Iterator[dict[str, float | bool | None]]:
    for number in range(rows):
        added: dict[str, float | bool | None] = {}
        for found in findings:
            added.update(_verdict(found, number))
        yield added


def _verdict(found: Findings, number: int) -> dict[str, float | bool | None]:
    score_column, flag_column = found.columns
    score = float(found.scores[number])
    if score != score:  # NaN: no score
        return {score_column: None, flag_column: None}
    return {score_column: score, flag_column: score > 0}


def _report(findings: list[Findings], rows: int, scored: int, missing: options.Missing) -> None:
    if scored < rows:
        why = "a gap" if missing is options.Missing.drop else "no value"
        console.warn(f"{console.counted(rows - scored, 'row')} without a score (null): {why} in the columns")
    for found in findings:
        for text in found.warnings:
            console.warn(f"{found.method}: {text}")
        outliers = console.counted(int((found.scores > 0).sum()), "outlier")
        learned = console.counted(found.trained, "row")
        console.say(f"{found.method}: {outliers} among {scored:,} rows; learned from {learned}")
