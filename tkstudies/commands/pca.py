"""``tkstudies pca``: principal components of the features of a table."""

from __future__ import annotations

from enum import Enum
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.components import Model
    from tkstudies.analysis.matrix import FeatureMatrix

app = options.application()

KEYS = ("run_number", "lumisection_number", "fill_number", "reco", "fill__era", "pixel", "strip", "tracking")
MANY_IMPUTED = 0.1  # of the rows


class Keep(str, Enum):
    """Which columns stay beside the components."""

    labels = "labels"
    all = "all"


@app.command()
def pca(
    files: options.Files = None,
    components: Annotated[int, typer.Option("--components", "-n", min=1, help="How many components.")] = 5,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features", metavar="PATTERN", help="Feature columns, e.g. 'Hits.*.mean' (repeatable)."
        ),
    ] = None,
    missing: Annotated[
        options.Missing, typer.Option("--missing", help="Fill gaps in a row, or drop it.")
    ] = options.Missing.zero,
    fit_where: Annotated[
        list[str] | None,
        typer.Option(
            "--fit-where", metavar="EXPR", help="Fit on the rows for which this holds, project all."
        ),
    ] = None,
    model_file: Annotated[
        str, typer.Option("--model", metavar="FILE", help="Write the fitted model (JSON).")
    ] = "",
    apply_file: Annotated[
        str, typer.Option("--apply", metavar="FILE", help="Project with that model, fit none.")
    ] = "",
    tolerant: Annotated[
        bool,
        typer.Option(
            "--tolerant", help="With --apply: accept missing features (filled) and extra ones (unused)."
        ),
    ] = False,
    keep: Annotated[Keep, typer.Option("--keep", help="Columns beside the components.")] = Keep.labels,
    loadings_file: Annotated[
        str, typer.Option("--loadings", metavar="FILE", help="Write the loading of each feature as records.")
    ] = "",
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Principal components, Hotelling T2 and residual Q of each row.

    \b
    Features are the columns with .rms or mean in their names, and recorded_lumi,
    unless --features chooses others. Each is brought to zero mean and unit
    variance. Rows without any feature are left out and counted.
    Adds pc1, pc2, ..., t2 and q with their 95 % and 99 % limits, missing_features.

    \b
    Examples:
      tkstudies pca study.jsonl > pca.jsonl
      tkstudies pca --fit-where 'tracking = GOOD' --model good.json study.jsonl | head
      tkstudies pca --apply good.json new.jsonl | tkstudies filter 't2 > 15'
    """
    from tkstudies.analysis import components as analysis
    from tkstudies.analysis.matrix import MatrixBuilder

    model = _read_model(apply_file, features, fit_where, model_file) if apply_file else None
    conditions = _conditions(fit_where)
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    patterns = model.patterns if model else features or []
    builder = MatrixBuilder(patterns, model.features if model else None)
    rows: list[dict[str, Any]] = []
    fitted: list[bool] = []
    for record in records:
        builder.add(record)
        fitted.append(all(condition(record) for condition in conditions))
        rows.append(record if keep is Keep.all else _labels(record))
    matrix = builder.matrix()
    if rows and matrix.rows < len(rows):
        left_out = len(rows) - matrix.rows
        be = "is" if left_out == 1 else "are"
        console.warn(f"{console.counted(left_out, 'row')} had no features and {be} left out")
    rows, fitted = list(compress(rows, matrix.kept)), list(compress(fitted, matrix.kept))

    if model:
        _check_features(model, matrix, builder.extra, tolerant)
    else:
        model = _fit(matrix, fitted, components, missing.value, list(patterns))
    _warn_of_mixtures(rows, matrix, model)
    _write_scores(output, model, matrix, rows, drop=model.missing == options.Missing.drop.value)
    if model_file:
        jsonl.write([analysis.to_json(model)], model_file)
    if loadings_file:
        jsonl.write(analysis.loadings(model), loadings_file)
    _say_variance(model)
    options.report_skipped(records)


def _conditions(expressions: list[str] | None) -> list[Any]:
    if not expressions:
        return []
    from tkstudies.analysis.expressions import parse

    return [parse(text) for text in expressions]


def _labels(record: dict[str, Any]) -> dict[str, Any]:
    from tkstudies.analysis.labels import LABELS

    kept = {column: record[column] for column in KEYS if column in record}
    kept.update((column, record[column]) for column in LABELS if column in record)
    if record.get("recorded_lumi_unit"):
        kept["recorded_lumi_unit"] = record["recorded_lumi_unit"]
    return kept


def _read_model(file: str, *excluded: Any) -> Model:
    from tkstudies.analysis import components as analysis

    if any(excluded):
        raise UsageError("--apply uses the model as it is: leave out --features, --fit-where and --model")
    contents = list(jsonl.Reader([file], expected="a model"))
    if len(contents) != 1:
        raise InputError(f"{file} is not a model of tkstudies pca: it holds {len(contents)} records")
    return analysis.from_json(contents[0], file)


def _check_features(model: Model, matrix: FeatureMatrix, extra: dict[str, None], tolerant: bool) -> None:
    import numpy as np

    present = (
        ~np.all([np.isnan(chunk).all(axis=0) for chunk in matrix.chunks], axis=0) if matrix.chunks else []
    )
    absent = [name for name, there in zip(model.features, present, strict=False) if not there]
    if not matrix.chunks:
        raise InputError("no row has a feature of the model")
    problems = [f"{len(absent)} features of the model are in no row ({console.listed(absent, 5)})"] * bool(
        absent
    )
    problems += [f"{len(extra)} features aren't in the model ({console.listed(extra, 5)})"] * bool(extra)
    if problems and not tolerant:
        raise InputError("; ".join(problems) + ": --tolerant fills the former and ignores the latter")
    for problem in problems:
        console.warn(problem)


def _fit(
    matrix: FeatureMatrix, fitted: list[bool], components: int, missing: str, patterns: list[str]
) -> Model:
    import numpy as np

    from tkstudies.analysis import components as analysis
    from tkstudies.analysis.matrix import filler, require_rows

    chosen = np.array(fitted, dtype=bool)
    if missing == "drop":
        chosen &= matrix.missing_per_row() == 0
    ends = np.cumsum([len(chunk) for chunk in matrix.chunks])
    parts = np.split(chosen, ends[:-1]) if len(ends) else []
    chunks = [chunk[part] for chunk, part in zip(matrix.chunks, parts, strict=True)]
    require_rows(int(chosen.sum()), matrix.features, 2)
    values = filler(missing, chunks, len(matrix.features))
    model = analysis.fit(chunks, matrix.features, components, values, missing)
    model.patterns = patterns
    return model


def _write_scores(
    output: str, model: Model, matrix: FeatureMatrix, rows: list[dict[str, Any]], drop: bool
) -> None:
    from tkstudies.analysis.components import CONFIDENCES

    limits: dict[str, dict[str, float | None]] = {"t2": {}, "q": {}}
    for confidence in CONFIDENCES:
        limits["t2"][f"t2_limit_{confidence * 100:.0f}"] = model.t2_limit(confidence)
        limits["q"][f"q_limit_{confidence * 100:.0f}"] = model.q_limit(confidence)
    names = [f"pc{number + 1}" for number in range(len(model.variance))]
    missing = matrix.missing_per_row()
    dropped = number = 0
    with jsonl.Writer(output) as writer:
        for chunk in matrix.chunks:
            scores, t2, q = model.project(chunk)
            for row_scores, row_t2, row_q in zip(scores.tolist(), t2.tolist(), q.tolist(), strict=True):
                row, gaps = rows[number], int(missing[number])
                number += 1
                if drop and gaps:
                    dropped += 1
                    continue
                row.update(zip(names, row_scores, strict=True))
                row.update(
                    {"t2": row_t2, **limits["t2"], "q": row_q, **limits["q"], "missing_features": gaps}
                )
                writer.write(row)
    if dropped:
        console.warn(f"{console.counted(dropped, 'row')} left out: features missing (--missing drop)")


def _warn_of_mixtures(rows: list[dict[str, Any]], matrix: FeatureMatrix, model: Model) -> None:
    imputed = int((matrix.missing_per_row() > 0).sum())
    if model.missing != "drop" and imputed > MANY_IMPUTED * max(len(rows), 1):
        console.warn(
            f"{imputed} of {len(rows)} rows lack features and were filled with {model.missing}: "
            "see missing_features, or use --missing drop"
        )
    for column, what in (
        ("runtype", "run types"),
        ("is_heavy_ion", "proton and heavy-ion runs"),
        ("recorded_lumi_unit", "luminosity units"),
    ):
        found = {row[column] for row in rows if isinstance(row.get(column), str | bool)}
        if len(found) > 1:
            values = ", ".join(sorted(map(str, found)))
            console.warn(
                f"{what} are mixed ({column}: {values}): their differences will dominate; filter first"
            )


def _say_variance(model: Model) -> None:
    console.say(f"{model.rows} rows, {len(model.features)} features\n  component  explained  together")
    together = 0.0
    for number, ratio in enumerate(model.variance_ratio, start=1):
        together += ratio
        console.say(f"  {f'pc{number}':9}  {ratio:8.1%}  {together:8.1%}")
