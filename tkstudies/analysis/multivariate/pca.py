"""Principal components of a table: its rows are read once, a model is fitted or given, and each row gets its scores."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from tkstudies import console
from tkstudies.analysis.multivariate import components
from tkstudies.analysis.multivariate.components import CONFIDENCES, Model
from tkstudies.analysis.multivariate.matrix import FeatureMatrix, MatrixBuilder, filler, require_rows
from tkstudies.analysis.tables.conditions import ALL_HOLD, Conditions
from tkstudies.analysis.tables.labels import LABELS
from tkstudies.errors import InputError
from tkstudies.jsonl import Records, decode, encode, records_of
from tkstudies.jsonl.columns import NamedColumns, Values
from tkstudies.jsonl.store import LineStore
from tkstudies.records import Record

COMPONENTS = 5

KEYS = ("run_number", "lumisection_number", "fill_number", "reco", "fill__era", "pixel", "strip", "tracking")
KEPT = tuple(dict.fromkeys([*KEYS, *LABELS, "recorded_lumi_unit"]))
"""Columns that stay beside the components unless all do."""

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

    Attributes:
        matrix: The features of the rows.
        losses: What was left out so far.
    """

    def __init__(
        self,
        records: Records,
        *,
        patterns: Sequence[str] = (),
        model: Model | None = None,
        fit_where: Sequence[str] = (),
        keep_all: bool = False,
    ):
        self.losses = console.Losses()
        self._patterns = list(model.patterns if model else patterns)
        self._keep_all = keep_all
        self._beside = LineStore()
        self._fitted = bytearray()  # whether a model is fitted to a row, a byte each
        self._fit_where = fit_where
        self._chosen = Conditions(fit_where)
        wanted = [*KEPT, *self._chosen.columns]
        self._builder = MatrixBuilder(self._patterns, model.features if model else None, wanted)
        self._read(records, self._chosen)
        self.matrix: FeatureMatrix = self._builder.matrix()
        left_out = len(self._fitted) - self.matrix.rows
        self.losses.add(left_out, "row", f"had no features and {'is' if left_out == 1 else 'are'} left out")

    def _read(self, records: Records, chosen: Conditions) -> None:
        places = [self._builder.wanted.index(column) for column in chosen.columns]
        for line, row in records.rows(self._builder):
            values = self._builder.add(row)
            tested = [values[place] for place in places]
            failed = chosen.failing(tested)
            chosen.reasons.add(failed, tested)
            self._fitted.append(failed == ALL_HOLD)
            self._beside.add(line if self._keep_all else _labels(values))
        chosen.check(self._builder.columns, self.losses)

    def fit(self, count: int = COMPONENTS, missing: str = "zero") -> Model:
        """Fit principal components to the chosen rows.

        Args:
            count: How many components.
            missing: What fills gaps: ``zero``, ``mean`` (of the chosen rows), or ``drop`` for rows with gaps.

        Raises:
            InputError: Too few rows, or no number in the columns of a pattern.
        """
        matrix = self.matrix
        chosen = np.frombuffer(self._fitted, dtype=bool)[matrix.kept]
        if matrix.rows and not chosen.any():
            why = self._chosen.why_nothing(self._builder.columns)
            raise InputError(f"--fit-where {' '.join(self._fit_where)}: no row to fit{why}")
        for pattern in self._patterns:
            if not fnmatch.filter(matrix.features, pattern):
                others = f"; there are {console.listed(matrix.features)}" if matrix.features else ""
                raise InputError(f"--features {pattern}: no numbers in such a column{others}")
        if missing == "drop":
            if matrix.rows and matrix.gaps.all():
                raise InputError("every row lacks some feature: --missing drop leaves none (choose with --features)")
            chosen = chosen & ~matrix.gaps
        require_rows(int(chosen.sum()), matrix.features, 2)
        values = filler(missing, matrix.chunks(chosen), len(matrix.features))
        return components.fit(matrix.chunks(chosen), matrix.features, count, values, missing, self._patterns)

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

    def note_mixtures(self) -> None:
        """Note columns of `MIXTURES` in which the rows differ."""
        named = NamedColumns(MIXTURES)
        kinds: list[set[Any]] = [set() for _ in MIXTURES]
        for line in compress(self._beside, self.matrix.kept):
            for found, value in zip(kinds, _values(named, line), strict=False):
                if isinstance(value, str | bool):
                    found.add(value)
        for (column, what), found in zip(MIXTURES.items(), kinds, strict=True):
            if len(found) > 1:
                words = ", ".join(sorted(map(str, found)))
                self.losses.note(f"{what} are mixed ({column}: {words}): their differences will dominate; filter first")

    def lines(self, model: Model) -> Iterator[bytes]:
        """The rows with their scores: pc1, pc2, ..., t2, q and their limits, missing_features.

        Scores stand behind the other columns, or in the place of older ones if all columns were kept.
        """
        limits: dict[str, dict[str, float | None]] = {"t2": {}, "q": {}}
        for confidence in CONFIDENCES:
            limits["t2"][f"t2_limit_{confidence * 100:.0f}"] = model.t2_limit(confidence)
            limits["q"][f"q_limit_{confidence * 100:.0f}"] = model.q_limit(confidence)
        names = [f"pc{number + 1}" for number in range(len(model.variance))]
        dropped = 0
        lines = compress(self._beside, self.matrix.kept)
        for chunk in self.matrix.chunks():
            results = [*model.project(chunk), np.isnan(chunk).sum(axis=1)]
            rows = zip(*(result.tolist() for result in results), strict=True)
            for (scores, t2, q, gaps), line in zip(rows, lines, strict=False):
                if gaps and model.missing == "drop":
                    dropped += 1
                    continue
                added = dict(zip(names, scores, strict=True))
                added.update({"t2": t2, **limits["t2"], "q": q, **limits["q"], "missing_features": gaps})
                if self._keep_all:
                    yield encode({**decode(line), **added})
                else:
                    yield line[:-1] + (b"," if len(line) > 2 else b"") + encode(added)[1:]
        self.losses.add(dropped, "row", "left out: features missing (--missing drop)")


def _labels(values: Values) -> bytes:
    kept = {column: value for column, value in zip(KEPT, values, strict=False) if value is not UNSET}
    if not kept.get("recorded_lumi_unit"):
        kept.pop("recorded_lumi_unit", None)
    return encode(kept)


def _values(named: NamedColumns, line: bytes) -> Values:
    try:
        return named.decode(line)
    except msgspec.DecodeError:
        return named.from_record(decode(line))


def principal_components(
    records: Iterable[Mapping[str, Any]],
    count: int = COMPONENTS,
    *,
    features: Sequence[str] = (),
    fit_where: Sequence[str] = (),
    missing: str = "zero",
    keep_all: bool = True,
) -> Iterator[Record]:
    """Add principal components, Hotelling's T2 and the residual Q to rows, as ``tkstudies pca`` does.

    Args:
        records: Rows with features; those without any are left out, with a warning.
        count: How many components.
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
