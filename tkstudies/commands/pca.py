"""``tkstudies pca``: principal components of the features of a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError
from tkstudies.provenance import columns, digest, provenance

if TYPE_CHECKING:
    from tkstudies.analysis.multivariate.components import Model
    from tkstudies.analysis.multivariate.pca import ComponentTable

app = options.application()


@app.command()
def pca(
    files: options.Files = None,
    components: Annotated[
        int | None,
        typer.Option(
            "--components",
            "-n",
            metavar="N",
            min=1,
            help="How many components (default: 5, or all of fewer --features).",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="PATTERN",
            autocompletion=completion.columns,
            help="Feature columns, e.g. 'Hits.*.mean' (repeatable).",
        ),
    ] = None,
    missing: Annotated[
        options.Missing | None, typer.Option("--missing", help="Fill gaps in a row, or drop it (default: zero).")
    ] = None,
    fit_where: Annotated[
        list[str] | None,
        typer.Option(
            "--fit-where",
            metavar="EXPR",
            autocompletion=completion.columns,
            help="Fit on the rows for which this holds, project all.",
        ),
    ] = None,
    model_file: Annotated[str, typer.Option("--model", metavar="FILE", help="Write the fitted model (JSON).")] = "",
    apply_file: Annotated[str, typer.Option("--apply", metavar="FILE", help="Project with that model, fit none.")] = "",
    tolerant: Annotated[
        bool, typer.Option("--tolerant", help="With --apply: accept missing features (filled) and extra ones (unused).")
    ] = False,
    keep: Annotated[options.Keep, typer.Option("--keep", help="Columns beside the components.")] = options.Keep.labels,
    loadings_file: Annotated[
        str, typer.Option("--loadings", metavar="FILE", help="Write the loading of each feature as records.")
    ] = "",
    contributions: Annotated[
        bool, typer.Option("--contributions", help="Name the five features behind T2, and behind Q, of each row.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.OutputFiles = "-",
    jobs: options.Jobs = "1",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Principal components, Hotelling T2 and residual Q of each row.

    \b
    Features are the columns with .rms or mean in their names, and recorded_lumi,
    unless --features chooses others. Each is brought to zero mean and unit
    variance. Rows without any feature are left out and counted.
    Adds pc1, pc2, ..., t2 and q with their 95 % and 99 % limits, is_fitted and
    missing_features.
    Rows that were fitted have other limits of t2 than rows that were not (those
    outside --fit-where, those of --apply). Bad rows that are fitted draw the
    components to themselves and hide: --fit-where 'is_bad = false' --missing mean
    shows them. With --contributions t2_features and q_features name what is behind
    T2 and Q, t2_contributions and q_contributions how much of them each explains.
    The files of a folder are summed one by one, in the order of their names: the
    same output for every --jobs, and that of one file with all rows to 1e-9. With
    -o NAME/ each becomes a file of that folder; a second call does only what is
    missing or has changed: with --apply file by file, else all if any has.

    \b
    Examples:
      tkstudies pca --fit-where 'is_bad = false' --missing mean study.jsonl > pca.jsonl
      tkstudies pca study.jsonl > as_in_the_notebook.jsonl
      tkstudies pca --fit-where 'tracking = GOOD' --model good.json study.jsonl | head
      tkstudies pca --apply good.json new.jsonl | tkstudies filter 't2 > 15'
      tkstudies pca --missing mean ten_years/ --jobs 4 -o pca.jsonl
    """
    from tkstudies.analysis.multivariate import modelfile
    from tkstudies.analysis.multivariate.components import loadings
    from tkstudies.analysis.multivariate.pca import ComponentTable
    from tkstudies.shards.byfile import Recipe, shards_to

    _check_side_files(output, model_file, loadings_file)
    if tolerant and not apply_file:
        raise UsageError("--tolerant goes with --apply")
    fitting = (features, fit_where, model_file, components, missing)
    model = _read_model(apply_file, *fitting) if apply_file else None
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    patterns = options.words(features)
    chosen = [patterns, fit_where, components, missing, keep, contributions, tolerant, digest(apply_file)]
    recipe = Recipe(chosen, is_of_all=model is None, is_current=not (model_file or loadings_file))
    with shards_to(jobs, output, records, recipe) as rows:
        if rows is None:
            return
        table = ComponentTable(
            rows,
            patterns=patterns,
            model=model,
            fit_where=fit_where or (),
            keep_all=keep is options.Keep.all,
            with_contributions=contributions,
        )
        options.require_records(records)
        table.losses.tell()
        if model:
            table.check(model, tolerant)
        else:
            model = table.fit(components, (missing or options.Missing.zero).value)
        table.losses.tell()
        advice = "see missing_features" + ("" if apply_file else ", or use --missing drop")
        options.warn_of_gaps(table.gaps, table.rows, model.missing, advice)
        table.note_mixtures()
        table.losses.tell()
        if model_file or loadings_file:
            made = provenance(records.sources, table.fitted_runs())
        if model_file:
            jsonl.write([{**modelfile.to_json(model), **made}], model_file)
        if loadings_file:
            jsonl.write(({**feature, **columns(made)} for feature in loadings(model)), loadings_file)
        jsonl.write_lines(table.lines(model), os.devnull if output.endswith("/") else output)  # a folder has them
    table.losses.tell()
    _say_rows(table, model, apply_file)
    _warn_of_bad_rows(table)
    _say_variance(model)
    options.report_skipped(records)


def _check_side_files(output: str, *files: str) -> None:
    """The model and the loadings need files of their own."""
    named = [os.path.realpath(file) for file in (output, *files) if file and file != jsonl.STDOUT]
    if jsonl.STDOUT in files or len(set(named)) < len(named):
        raise UsageError("--model and --loadings need files of their own, beside the output")


def _read_model(file: str, *excluded: Any) -> Model:
    from tkstudies.analysis.multivariate import modelfile

    if any(excluded):
        options_of_fits = "--features, --fit-where, --model, --components and --missing"
        raise UsageError(f"--apply uses the model as it is: leave out {options_of_fits}")
    return modelfile.from_json(jsonl.read_value(file, "a model of tkstudies pca"), file)


def _say_rows(table: ComponentTable, model: Model, apply_file: str) -> None:
    """How many rows there are, how many were fitted, and how many are unusual."""
    features = console.counted(len(model.features), "feature")
    counted = table.counted
    rows = console.counted(counted.projected, "row")
    if apply_file:
        text = f"{rows} projected with {jsonl.shown(apply_file)} ({console.counted(model.rows, 'row')}, {features})"
    elif counted.fitted < counted.projected:
        text = f"{rows}, {counted.fitted:,} of them fitted, {features}"
    else:
        text = f"{rows}, {features}"
    if "t2" in counted.above:
        text += f": {counted.above['t2']:,} above the 99 % limit of T2"
    else:
        text += f": no limit of T2 ({'too few fitted rows' if model.variance.any() else 'nothing varies'})"
    console.say(
        text + (f", {counted.above['q']:,} of Q" if "q" in counted.above else ", no limit of Q (nothing is left over)")
    )


def _warn_of_bad_rows(table: ComponentTable) -> None:
    """What fitting bad rows costs: they look like the others."""
    if table.bad_fitted:
        be = "is" if table.bad_fitted == 1 else "are"
        console.warn(
            f"{table.bad_fitted:,} of {console.counted(table.counted.fitted, 'fitted row')} {be} bad: "
            "see suspects, or --fit-where 'is_bad = false' --missing mean"
        )


def _say_variance(model: Model) -> None:
    console.say("  component  explained  together")
    together = 0.0
    for number, ratio in enumerate(model.variance_ratio, start=1):
        together += ratio
        console.say(f"  {f'pc{number}':9}  {ratio:8.1%}  {together:8.1%}")
