"""Principal components of a table: its rows are read once, a model is fitted or given, and each row gets its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, repeat
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies import console
from tkstudies.analysis.multivariate import components
from tkstudies.analysis.multivariate.components import CONFIDENCES, ENOUGH_ROWS, Array, Model
from tkstudies.analysis.multivariate.matrix import FeatureMatrix, MatrixBuilder, filler, require_rows
from tkstudies.analysis.tables.conditions import ALL_HOLD, Conditions
from tkstudies.analysis.tables.labels import LABELS, is_bad
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, decode, encode, records_of
from tkstudies.jsonl.columns import NamedColumns, Values
from tkstudies.jsonl.store import LineStore
from tkstudies.records import Record, is_named

COMPONENTS = 5
"""How many are made by default; fewer if fewer columns were chosen."""

STATUSES = ("pixel", "strip", "tracking")
KEYS = ("run_number", "lumisection_number", "fill_number", "reco", "fill__era", *STATUSES)
CONTRIBUTIONS = 5
"""So many features are named behind T2, and behind Q, of a row."""

KEPT = tuple(dict.fromkeys([*KEYS, *LABELS, "recorded_lumi_unit"]))
"""Columns that stay beside the components unless all do."""

_IS_BAD = KEPT.index("is_bad")
_STATUSES = {name: KEPT.index(name) for name in STATUSES}

MIXTURES = {
    "runtype": "run types",
    "is_heavy_ion": "proton and heavy-ion runs",
    "recorded_lumi_unit": "luminosity units",
}
"""Columns in which rows that are studied together should agree, and what is mixed if they don't."""


class ComponentTable:
    """The rows of a table on their way to principal components.

    Args:
        records: All rows; those without any feature are left out.
        patterns: Shell patterns of feature names; empty for the notebook's selection.
        model: The model that will be used, if there is one already.
        fit_where: Filter expressions that choose the rows that a model is fitted to.
        keep_all: Whether all columns stay beside the components, not only the labels.
        with_contributions: Whether rows name the features behind their t2 and q.

    Attributes:
        matrix: The features of the rows.
        losses: What was left out so far.
        projected: How many rows `lines` has written.
        fitted: How many of them were fitted.
        bad_fitted: How many rows that were fitted are bad (``is_bad``, else their statuses).
        above: How many of them lie above the 99 % limit of t2, and of q, where there are limits.
    """

    def __init__(
        self,
        records: Records,
        *,
        patterns: Sequence[str] = (),
        model: Model | None = None,
        fit_where: Sequence[str] = (),
        keep_all: bool = False,
        with_contributions: bool = False,
    ):
        self.losses = console.Losses()
        self._patterns = list(model.patterns if model else patterns)
        self._keep_all = keep_all
        self._with_contributions = with_contributions
        self._beside = LineStore()
        self._wanted = bytearray()  # whether a model is to be fitted to a row, a byte each
        self._bad = bytearray()  # whether a row is bad, likewise
        self.projected, self.fitted, self.bad_fitted = 0, 0, 0
        self.above: dict[str, int] = {}
        self._fit_where = fit_where
        self._chosen = Conditions(fit_where)
        wanted = [*KEPT, *self._chosen.columns]
        self._builder = MatrixBuilder(self._patterns, model.features if model else None, wanted)
        self._read(records, self._chosen)
        self.matrix: FeatureMatrix = self._builder.matrix()
        self._fitted: NDArray[np.bool_] = np.zeros(self.matrix.rows, dtype=bool)  # whether one was
        left_out = len(self._wanted) - self.matrix.rows
        self.losses.add(left_out, "row", f"had no features and {'is' if left_out == 1 else 'are'} left out")

    def _read(self, records: Records, chosen: Conditions) -> None:
        places = [self._builder.wanted.index(column) for column in chosen.columns]
        for line, row in records.rows(self._builder):
            values = self._builder.add(row)
            tested = [values[place] for place in places]
            failed = chosen.failing(tested)
            chosen.reasons.add(failed, tested)
            self._wanted.append(failed == ALL_HOLD)
            self._bad.append(_is_bad(values))
            self._beside.add(line if self._keep_all else _labels(values))
        chosen.check(self._builder.columns, self.losses)

    def fit(self, count: int | None = None, missing: str = "zero") -> Model:
        """Fit principal components to the chosen rows, and note what is odd about them.

        Args:
            count: How many components; by default `COMPONENTS`, or as many as there are if patterns chose fewer
                columns.
            missing: What fills gaps: ``zero``, ``mean`` (of the chosen rows), or ``drop`` for rows with gaps.

        Raises:
            InputError: Too few rows, or no number in the columns of a pattern.
        """
        matrix = self.matrix
        chosen = np.frombuffer(self._wanted, dtype=bool)[matrix.kept]
        if matrix.rows and not chosen.any():
            why = self._chosen.why_nothing(self._builder.columns)
            raise InputError(f"--fit-where {' '.join(self._fit_where)}: no row to fit{why}")
        for pattern in self._patterns:
            if not any(is_named(name, pattern) for name in matrix.features):
                others = f"; there are {console.listed(matrix.features)}" if matrix.features else ""
                raise InputError(f"--features {pattern}: no numbers in such a column{others}")
        if missing == "drop":
            if matrix.rows and matrix.gaps.all():
                raise InputError("every row lacks some feature: --missing drop leaves none (choose with --features)")
            chosen = chosen & ~matrix.gaps
        require_rows(int(chosen.sum()), matrix.features, 2)
        smaller = min(int(chosen.sum()), len(matrix.features))
        console.say_memory(8 * (3 * smaller**2 + 2 * smaller * len(matrix.features)))
        values = filler(missing, matrix.chunks(chosen), len(matrix.features))
        if count is None:
            count = min(COMPONENTS, len(matrix.features)) if self._patterns else COMPONENTS
        rows = int(chosen.sum())
        model = components.fit(matrix.chunks(chosen), matrix.features, count, values, missing, self._patterns, rows)
        self._fitted = chosen
        self.bad_fitted = int(np.frombuffer(self._bad, dtype=bool)[matrix.kept][chosen].sum())
        if model.constant:
            many = len(model.constant) > 1
            self.losses.note(
                f"{console.counted(len(model.constant), 'column')} of {len(model.features)} "
                f"{'are' if many else 'is'} constant and {'tell' if many else 'tells'} nothing: "
                f"{console.listed(model.constant, 5)}"
            )
        return model

    def check(self, model: Model, tolerant: bool = False) -> None:
        """See to it that the rows have the features of a given model; a tolerant check notes what differs.

        Raises:
            InputError: They don't.
        """
        matrix, extra = self.matrix, self._builder.extra
        if not matrix.rows:
            raise InputError("no row has a feature of the model")
        absent = [name for name, there in zip(model.features, matrix.known, strict=True) if not there]
        problems = []
        if absent:
            count = console.counted(len(absent), "feature")
            lacking = f"the rows lack {count} of the model ({console.listed(absent, 5)})"
            problems.append((lacking, "fills"))
        if extra:
            count = console.counted(len(extra), "feature")
            problems.append((f"the rows have {count} that the model lacks ({console.listed(extra, 5)})", "ignores"))
        if problems and not tolerant:
            what = "; ".join(problem for problem, _ in problems)
            raise InputError(f"{what}: --tolerant {' and '.join(verb for _, verb in problems)} such features")
        for problem, verb in problems:
            self.losses.note(f"{problem}: --tolerant {verb} such features")

    def fitted_runs(self) -> Iterator[Any]:
        """The run_number of each row that a model was fitted to."""
        named = NamedColumns(("run_number",))
        for line in compress(compress(self._beside, self.matrix.kept), self._fitted):
            yield named.read(line)[0]

    def note_mixtures(self) -> None:
        """Note columns of `MIXTURES` in which the rows differ."""
        named = NamedColumns(MIXTURES)
        kinds: list[set[Any]] = [set() for _ in MIXTURES]
        for line in compress(self._beside, self.matrix.kept):
            for found, value in zip(kinds, named.read(line), strict=False):
                if isinstance(value, str | bool):
                    found.add(value)
        for (column, what), found in zip(MIXTURES.items(), kinds, strict=True):
            if len(found) > 1:
                words = ", ".join(sorted(map(str, found)))
                self.losses.note(f"{what} are mixed ({column}: {words}): their differences will dominate; filter first")

    def lines(self, model: Model) -> Iterator[bytes]:
        """The rows with their scores: pc1, pc2, ..., t2, q and their limits, is_fitted, missing_features.

        Scores stand behind the other columns, or in the place of older ones if all columns were kept. A row that was
        fitted has another limit of t2 than one that wasn't.
        """
        t2_limits = [_named_limits("t2", partial(model.t2_limit, fitted=fitted)) for fitted in (False, True)]
        q_limits = _named_limits("q", model.q_limit)
        names = [f"pc{number + 1}" for number in range(len(model.variance))]
        varying = np.zeros(len(model.features), dtype=bool)
        dropped = start = 0
        lines = compress(self._beside, self.matrix.kept)
        for chunk in self.matrix.chunks():
            fitted = self._fitted[start : start + len(chunk)]
            start += len(chunk)
            if model.constant:
                varying |= _varying(model, chunk)
            results = [*model.project(chunk), np.isnan(chunk).sum(axis=1)]
            self._count(model, fitted, *results[1:])
            reasons = _reasons(model, chunk) if self._with_contributions else repeat({})
            rows = zip(fitted.tolist(), *(result.tolist() for result in results), strict=True)
            for (is_fitted, scores, t2, q, gaps), line, behind in zip(rows, lines, reasons, strict=False):
                if gaps and model.missing == "drop":
                    dropped += 1
                    continue
                added = dict(zip(names, scores, strict=True))
                limits = {"t2": t2, **t2_limits[is_fitted], "q": q, **q_limits}
                added.update({**limits, "is_fitted": is_fitted, "missing_features": gaps, **behind})
                if self._keep_all:
                    yield encode({**decode(line), **added})
                else:
                    yield line[:-1] + (b"," if len(line) > 2 else b"") + encode(added)[1:]
        self.losses.add(dropped, "row", "left out: features missing (--missing drop)")
        self._note_fresh(model, varying)

    def _count(self, model: Model, fitted: NDArray[np.bool_], t2: Array, q: Array, gaps: Array) -> None:
        """Count the rows of a chunk, and those above their 99 % limits."""
        written = np.ones(len(gaps), dtype=bool) if model.missing != "drop" else gaps == 0
        self.projected += int(written.sum())
        self.fitted += int((written & fitted).sum())
        for is_fitted, rows in ((False, written & ~fitted), (True, written & fitted)):
            limits = {"t2": (t2, model.t2_limit(0.99, is_fitted)), "q": (q, model.q_limit(0.99))}
            for name, (values, limit) in limits.items():
                if limit is not None and rows.any():
                    self.above[name] = self.above.get(name, 0) + int((values[rows] > limit).sum())

    def _note_fresh(self, model: Model, varying: NDArray[np.bool_]) -> None:
        """Note what the model can't say about rows that weren't fitted."""
        fresh = self.projected - self.fitted
        if fresh and model.rows < ENOUGH_ROWS and model.q_limit(0.99) is not None:
            self.losses.add(
                fresh,
                "row",
                f"that {'was' if fresh == 1 else 'were'} not fitted: the limits of q are too low for such rows, as the "
                f"model comes from {console.counted(model.rows, 'row')} (fewer than {ENOUGH_ROWS})",
            )
        if varying.any():
            names = console.listed(np.asarray(model.features)[varying].tolist(), 5)
            self.losses.note(f"constant in the fitted rows but not in the others, where q counts it in full: {names}")


def _varying(model: Model, chunk: Array) -> NDArray[np.bool_]:
    """Which features were constant in the fit and have another value in a row, shape (features,)."""
    constant = np.isin(model.features, model.constant)
    other = np.abs(chunk[:, constant] - model.mean[constant]) > 1e-9 * np.abs(model.mean[constant])
    constant[constant] = other.any(axis=0)
    return constant


def _is_bad(values: Values) -> bool:
    label = values[_IS_BAD]
    if isinstance(label, bool):
        return label
    statuses = {name: value for name, place in _STATUSES.items() if (value := values[place]) is not UNSET}
    return any(statuses.values()) and bool(is_bad(statuses))


def _reasons(model: Model, chunk: Array) -> Iterator[dict[str, Any]]:
    """The features that add most to T2 and to Q of each row, the largest first, and how much each adds."""
    names = np.asarray(model.features, dtype=object)
    found = []
    for values in model.contributions(chunk):
        largest = np.argsort(-values, axis=1, kind="stable")[:, :CONTRIBUTIONS]
        found += [names[largest].tolist(), np.take_along_axis(values, largest, axis=1).tolist()]
    for of_t2, t2, of_q, q in zip(*found, strict=True):
        yield {"t2_features": of_t2, "t2_contributions": t2, "q_features": of_q, "q_contributions": q}


def _named_limits(score: str, limit: Callable[[float], float | None]) -> dict[str, float | None]:
    return {f"{score}_limit_{confidence * 100:.0f}": limit(confidence) for confidence in CONFIDENCES}


def _labels(values: Values) -> bytes:
    kept = {column: value for column, value in zip(KEPT, values, strict=False) if value is not UNSET}
    if not kept.get("recorded_lumi_unit"):
        kept.pop("recorded_lumi_unit", None)
    return encode(kept)


def principal_components(
    records: Iterable[Mapping[str, Any]],
    count: int | None = None,
    *,
    features: Sequence[str] = (),
    fit_where: Sequence[str] = (),
    missing: str = "zero",
    keep_all: bool = True,
) -> Iterator[Record]:
    """Add principal components, Hotelling's T2 and the residual Q to rows, as ``tkstudies pca`` does.

    Args:
        records: Rows with features; those without any are left out, with a warning.
        count: How many components; by default 5, or fewer if ``features`` chooses fewer columns.
        features: Shell patterns of feature columns; by default means, rms and the recorded luminosity.
        fit_where: Filter expressions that choose the rows to fit; all get scores.
        missing: ``zero``, ``mean`` or ``drop``.
        keep_all: Keep all columns, not only keys and labels.

    Raises:
        InputError: Too few rows or features.

    Example:
        >>> rows = [{"run_number": n, "a.mean": n, "b.rms": -n} for n in range(4)]
        >>> [round(row["pc1"], 2) for row in principal_components(rows, 1)]
        [-1.9, -0.63, 0.63, 1.9]
    """
    table = ComponentTable(records_of(records), patterns=features, fit_where=fit_where, keep_all=keep_all)
    model = table.fit(count, missing)
    table.note_mixtures()
    yield from map(decode, table.lines(model))
    table.losses.warn()
