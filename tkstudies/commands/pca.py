"""``tkstudies pca``: principal components of the features of a table."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.multivariate.components import Model
    from tkstudies.analysis.multivariate.matrix import FeatureMatrix
    from tkstudies.analysis.tables.expressions import Condition
    from tkstudies.jsonl.store import LineStore

app = options.application()

KEYS = ("run_number", "lumisection_number", "fill_number", "reco", "fill__era", "pixel", "strip", "tracking")
MIXTURES = {
    "runtype": "run types",
    "is_heavy_ion": "proton and heavy-ion runs",
    "recorded_lumi_unit": "luminosity units",
}


class Keep(str, Enum):
    """Which columns stay beside the components."""

    labels = "labels"
    all = "all"


@app.command()
def pca(
    files: options.Files = None,
    components: Annotated[
        int | None, typer.Option("--components", "-n", min=1, help="How many components (default: 5).")
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
        options.Missing | None,
        typer.Option("--missing", help="Fill gaps in a row, or drop it (default: zero)."),
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
    import numpy as np

    from tkstudies.analysis.multivariate import components as analysis

    _check_side_files(output, model_file, loadings_file)
    if tolerant and not apply_file:
        raise UsageError("--tolerant goes with --apply")
    fitting = (features, fit_where, model_file, components, missing)
    model = _read_model(apply_file, *fitting) if apply_file else None
    conditions = options.conditions(fit_where)
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    patterns = model.patterns if model else options.words(features)
    rows = _gather(records, lambda **how: Rows(patterns, model, conditions, keep, **how))
    matrix = rows.builder.matrix()
    left_out = len(rows.fitted) - matrix.rows
    if left_out:
        be = "is" if left_out == 1 else "are"
        console.warn(f"{console.counted(left_out, 'row')} had no features and {be} left out")

    if model:
        _check_features(model, matrix, rows.builder.extra, tolerant)
    else:
        chosen = np.frombuffer(rows.fitted, dtype=bool)[matrix.kept]
        if matrix.rows and not chosen.any():
            raise InputError(f"--fit-where {' '.join(fit_where or [])}: no row to fit")
        _check_patterns(patterns, matrix.features)
        filling = (missing or options.Missing.zero).value
        model = _fit(matrix, chosen, components or 5, filling, list(patterns))
    advice = "see missing_features" + ("" if apply_file else ", or use --missing drop")
    options.warn_of_gaps(int(matrix.gaps.sum()), matrix.rows, model.missing, advice)
    _warn_of_mixtures(rows.beside, matrix)
    if model_file:
        jsonl.write([analysis.to_json(model)], model_file)
    if loadings_file:
        jsonl.write(analysis.loadings(model), loadings_file)
    _write_scores(output, model, matrix, rows.beside, replaces=keep is Keep.all)
    _say_variance(model)
    options.report_skipped(records)


class Rows:
    """What the first pass over the records keeps of them.

    Attributes:
        builder: Their features.
        beside: The columns that stay beside the components.
        fitted: Whether the components are fitted to a row, a byte each.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        model: Model | None,
        conditions: Sequence[Condition],
        keep: Keep,
        on_disk: bool = False,
    ):
        from tkstudies.analysis.multivariate.matrix import MatrixBuilder
        from tkstudies.jsonl.store import LineStore

        self._conditions, self._keep = conditions, keep
        self._columns = _label_columns()
        tested = [condition.column for condition in conditions]
        features = model.features if model else None
        self.builder = MatrixBuilder(patterns, features, [*self._columns, *tested], on_disk)
        self._places = [self.builder.wanted.index(column) for column in tested]
        self.beside = LineStore(on_disk=on_disk)
        self.fitted = bytearray()

    def read(self, records: jsonl.Reader) -> Rows:
        """Take all records."""
        everything = self._keep is Keep.all
        for line, row in records.lines(self.builder.decode):
            values = self.builder.add(row)
            self.fitted.append(all(map(_holds, self._conditions, [values[place] for place in self._places])))
            self.beside.add(line if everything else _labels(self._columns, values))
        return self

    def read_apart(self, records: jsonl.Reader) -> Any:
        """Take all records in a forked process: what ``extend`` has to know about that."""
        self.read(records)
        self.beside.flush()
        return self.builder.flush(), bytes(self.fitted), records.skipped

    def extend(self, other: Rows, found: Any) -> int:
        """Go on with the rows that a fork of ``other`` has read; the number of lines it skipped."""
        builder, fitted, skipped = found
        other.builder.restore(builder)
        self.builder.extend(other.builder)
        self.beside.extend(other.beside)
        self.fitted += fitted
        return skipped


def _gather(records: jsonl.Reader, start: Callable[..., Rows]) -> Rows:
    """The rows of all records, large files by all cores."""
    from tkstudies.analysis.multivariate import forked

    first, *others = records.split(forked.workers())
    if not others:
        return start().read(records)
    shares = [start(on_disk=True) for _ in others]
    work = [partial(share.read_apart, other) for share, other in zip(shares, others, strict=True)]
    try:
        rows, *found = forked.shared([partial(start().read, first), *work])
    except forked.WorkerFailed:
        return start().read(records)  # which says what is wrong, and in which line
    records.skipped = first.skipped + sum(map(rows.extend, shares, found))
    return rows


def _check_side_files(output: str, *files: str) -> None:
    """The model and the loadings need files of their own."""
    named = [os.path.realpath(file) for file in (output, *files) if file and file != jsonl.STDOUT]
    if jsonl.STDOUT in files or len(set(named)) < len(named):
        raise UsageError("--model and --loadings need files of their own, beside the output")


def _check_patterns(patterns: Sequence[str], features: Sequence[str]) -> None:
    for pattern in patterns:
        if not fnmatch.filter(features, pattern):
            others = f"; there are {console.listed(features)}" if features else ""
            raise InputError(f"--features {pattern}: no numbers in such a column{others}")


def _holds(condition: Any, value: Any) -> bool:
    return condition.holds(None if value is UNSET else value)


def _label_columns() -> list[str]:
    from tkstudies.analysis.tables.labels import LABELS

    return list(dict.fromkeys([*KEYS, *LABELS, "recorded_lumi_unit"]))


def _labels(columns: list[str], values: tuple[Any, ...]) -> bytes:
    kept = {column: value for column, value in zip(columns, values, strict=False) if value is not UNSET}
    if not kept.get("recorded_lumi_unit"):
        kept.pop("recorded_lumi_unit", None)
    return jsonl.encode(kept)


def _read_model(file: str, *excluded: Any) -> Model:
    from tkstudies.analysis.multivariate import components as analysis

    if any(excluded):
        options_of_fits = "--features, --fit-where, --model, --components and --missing"
        raise UsageError(f"--apply uses the model as it is: leave out {options_of_fits}")
    return analysis.from_json(jsonl.read_value(file, "a model of tkstudies pca"), file)


def _check_features(model: Model, matrix: FeatureMatrix, extra: dict[str, None], tolerant: bool) -> None:
    if not matrix.rows:
        raise InputError("no row has a feature of the model")
    absent = [name for name, there in zip(model.features, matrix.known, strict=True) if not there]
    problems = []
    if absent:
        count = console.counted(len(absent), "feature")
        problems.append((f"the rows lack {count} of the model ({console.listed(absent, 5)})", "fills"))
    if extra:
        count = console.counted(len(extra), "feature")
        problems.append(
            (f"the rows have {count} that the model lacks ({console.listed(extra, 5)})", "ignores")
        )
    if problems and not tolerant:
        what = "; ".join(problem for problem, _ in problems)
        raise InputError(f"{what}: --tolerant {' and '.join(verb for _, verb in problems)} such features")
    for problem, verb in problems:
        console.warn(f"{problem}: --tolerant {verb} such features")


def _fit(matrix: FeatureMatrix, chosen: Any, components: int, missing: str, patterns: list[str]) -> Model:
    from tkstudies.analysis.multivariate import components as analysis
    from tkstudies.analysis.multivariate.matrix import filler, require_rows

    if missing == "drop":
        if matrix.rows and matrix.gaps.all():
            raise InputError(
                "every row lacks some feature: --missing drop leaves none (choose with --features)"
            )
        chosen = chosen & ~matrix.gaps
    require_rows(int(chosen.sum()), matrix.features, 2)
    values = filler(missing, matrix.chunks(chosen), len(matrix.features))
    return analysis.fit(matrix.chunks(chosen), matrix.features, components, values, missing, patterns)


def _write_scores(
    output: str, model: Model, matrix: FeatureMatrix, beside: LineStore, replaces: bool
) -> None:
    """The rows with their scores behind them, or in the place of older ones if it ``replaces`` columns."""
    import numpy as np

    from tkstudies.analysis.multivariate.components import CONFIDENCES

    limits: dict[str, dict[str, float | None]] = {"t2": {}, "q": {}}
    for confidence in CONFIDENCES:
        limits["t2"][f"t2_limit_{confidence * 100:.0f}"] = model.t2_limit(confidence)
        limits["q"][f"q_limit_{confidence * 100:.0f}"] = model.q_limit(confidence)
    names = [f"pc{number + 1}" for number in range(len(model.variance))]
    drop = model.missing == options.Missing.drop.value
    dropped = 0
    lines = compress(map(bytes.strip, beside), matrix.kept)
    with jsonl.Writer(output) as writer:
        for chunk in matrix.chunks():
            results = [*model.project(chunk), np.isnan(chunk).sum(axis=1)]
            rows = zip(*(result.tolist() for result in results), strict=True)
            for (scores, t2, q, gaps), line in zip(rows, lines, strict=False):
                if drop and gaps:
                    dropped += 1
                    continue
                added = dict(zip(names, scores, strict=True))
                added.update({"t2": t2, **limits["t2"], "q": q, **limits["q"], "missing_features": gaps})
                if replaces:
                    writer.write({**jsonl.decode(line), **added})
                else:
                    writer.write_line(line[:-1] + (b"," if len(line) > 2 else b"") + jsonl.encode(added)[1:])
    if dropped:
        console.warn(f"{console.counted(dropped, 'row')} left out: features missing (--missing drop)")


def _warn_of_mixtures(beside: LineStore, matrix: FeatureMatrix) -> None:
    from tkstudies.jsonl.columns import NamedColumns

    named = NamedColumns(MIXTURES)
    kinds: list[set[Any]] = [set() for _ in MIXTURES]
    for line in compress(beside, matrix.kept):
        try:
            values = named.decode(line)
        except msgspec.DecodeError:
            values = named.of(jsonl.decode(line))
        for found, value in zip(kinds, values, strict=False):
            if isinstance(value, str | bool):
                found.add(value)
    for (column, what), found in zip(MIXTURES.items(), kinds, strict=True):
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
