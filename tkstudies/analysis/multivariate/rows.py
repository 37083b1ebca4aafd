"""The rows of one part of a table on their way to principal components: read once, then scored."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, repeat
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.components import CONFIDENCES, Array, Model
from tkstudies.analysis.multivariate.matrix import FeatureMatrix, MatrixBuilder
from tkstudies.analysis.tables.conditions import ALL_HOLD, Conditions
from tkstudies.analysis.tables.labels import LABELS, is_bad
from tkstudies.jsonl import Records, decode, encode
from tkstudies.jsonl.columns import NamedColumns, Values
from tkstudies.jsonl.store import LineStore
from tkstudies.records import whole

Flags = NDArray[np.bool_]

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


class Rows:
    """The rows of one part of a table that have features.

    Args:
        matrix: Their features. beside: A line for each record.
        wanted: Whether a model is to be fitted to a record. bad: Whether it is bad. Shape (records,) both.

    Attributes:
        fitted: Whether a model was fitted to a row, shape (rows,).
    """

    def __init__(self, matrix: FeatureMatrix, beside: LineStore, wanted: Flags, bad: Flags):
        self.matrix = matrix
        self._beside, self._wanted, self._bad = beside, wanted, bad
        self.fitted: Flags = np.zeros(matrix.rows, dtype=bool)

    @property
    def wanted(self) -> Flags:
        """Whether a model is to be fitted to a row, shape (rows,)."""
        return self._wanted[self.matrix.kept]

    @property
    def bad(self) -> Flags:
        """Whether a row is bad, shape (rows,)."""
        return self._bad[self.matrix.kept]

    @property
    def left_out(self) -> int:
        """Number of records that have no features."""
        return len(self.matrix.kept) - self.matrix.rows

    def lines(self) -> Iterator[bytes]:
        """The line of each row."""
        return compress(self._beside, self.matrix.kept)

    def chosen(self) -> Iterator[Array]:
        """The features of the rows that are fitted, in chunks."""
        return self.matrix.chunks(self.fitted)

    def fitted_runs(self) -> set[int | None]:
        """The run numbers of the rows that a model was fitted to."""
        named = NamedColumns(("run_number",))
        return {whole(named.read(line)[0]) for line in compress(self.lines(), self.fitted)}

    def kinds(self) -> list[set[Any]]:
        """The values of the columns of `MIXTURES`."""
        named = NamedColumns(MIXTURES)
        kinds: list[set[Any]] = [set() for _ in MIXTURES]
        for line in self.lines():
            for found, value in zip(kinds, named.read(line), strict=False):
                if isinstance(value, str | bool):
                    found.add(value)
        return kinds


class Columns(NamedTuple):
    """What is known of the columns of a part. extra: Features that a given model lacks. noted: Of the conditions."""

    names: list[str]
    extra: list[str]
    noted: Any


@dataclass
class Reading:
    """Reads a part, a task for `shardwise.Shards`.

    Attributes:
        patterns: Shell patterns of feature names; empty for the notebook's selection.
        features: Those of a given model.
        fit_where: Filter expressions that choose the rows that a model is fitted to.
        keep_all: Whether all columns stay beside the components, not only the labels.
    """

    patterns: Sequence[str]
    features: Sequence[str] | None
    fit_where: Sequence[str]
    keep_all: bool

    def __call__(self, records: Records, folder: str) -> tuple[Rows, Columns]:
        chosen = Conditions(self.fit_where)
        builder = MatrixBuilder(self.patterns, self.features, [*KEPT, *chosen.columns], folder)
        beside = LineStore(folder)
        wanted, bad = bytearray(), bytearray()  # a byte for each record
        places = [builder.wanted.index(column) for column in chosen.columns]
        for line, row in records.rows(builder):
            values = builder.add(row)
            tested = [values[place] for place in places]
            failed = chosen.failing(tested)
            chosen.reasons.add(failed, tested)
            wanted.append(failed == ALL_HOLD)
            bad.append(_is_bad(values))
            beside.add(line if self.keep_all else _labels(values))
        beside.finish()
        rows = Rows(builder.matrix(), beside, np.frombuffer(wanted, dtype=bool), np.frombuffer(bad, dtype=bool))
        return rows, Columns(list(builder.columns), list(builder.extra), chosen.noted())


@dataclass
class Counted:
    """What the scores of rows were.

    Attributes:
        projected: How many rows have scores.
        fitted: How many of them were fitted.
        dropped: How many were left out, as they lack a feature.
        above: How many of them lie above the 99 % limit of t2, and of q, where there are limits.
        varying: Features that were constant in the fit and have another value in a row.
    """

    projected: int = 0
    fitted: int = 0
    dropped: int = 0
    above: dict[str, int] = field(default_factory=dict)
    varying: Flags | bool = False

    def absorb(self, other: Counted) -> None:
        """Count those of other rows, too."""
        self.projected += other.projected
        self.fitted += other.fitted
        self.dropped += other.dropped
        for score, number in other.above.items():
            self.above[score] = self.above.get(score, 0) + number
        self.varying = self.varying | other.varying


@dataclass
class Scoring:
    """Gives rows their scores, a task for `shardwise.Shards`: the lines of a part, then what is to be told of them.

    Scores stand behind the other columns, or in the place of older ones if all columns were kept. A row that was
    fitted has another limit of t2 than one that wasn't.
    """

    model: Model
    keep_all: bool
    with_contributions: bool

    def __call__(self, rows: Rows) -> Generator[bytes, None, Counted]:
        model, counted, start = self.model, Counted(), 0
        t2_limits = [_named_limits("t2", partial(model.t2_limit, fitted=fitted)) for fitted in (False, True)]
        q_limits = _named_limits("q", model.q_limit)
        names = [f"pc{number + 1}" for number in range(len(model.variance))]
        lines = rows.lines()
        for chunk in rows.matrix.chunks():
            fitted = rows.fitted[start : start + len(chunk)]
            start += len(chunk)
            if model.constant:
                counted.varying = counted.varying | _varying(model, chunk)
            results = [*model.project(chunk), np.isnan(chunk).sum(axis=1)]
            self._count(counted, fitted, *results[1:])
            reasons = _reasons(model, chunk) if self.with_contributions else repeat({})
            scored = zip(fitted.tolist(), *(result.tolist() for result in results), strict=True)
            for (is_fitted, scores, t2, q, gaps), line, behind in zip(scored, lines, reasons, strict=False):
                if gaps and model.missing == "drop":
                    counted.dropped += 1
                    continue
                added = dict(zip(names, scores, strict=True))
                limits = {"t2": t2, **t2_limits[is_fitted], "q": q, **q_limits}
                added.update({**limits, "is_fitted": is_fitted, "missing_features": gaps, **behind})
                if self.keep_all:
                    yield encode({**decode(line), **added})
                else:
                    yield line[:-1] + (b"," if len(line) > 2 else b"") + encode(added)[1:]
        return counted

    def _count(self, counted: Counted, fitted: Flags, t2: Array, q: Array, gaps: Array) -> None:
        """Count the rows of a chunk, and those above their 99 % limits."""
        model = self.model
        written = np.ones(len(gaps), dtype=bool) if model.missing != "drop" else gaps == 0
        counted.projected += int(written.sum())
        counted.fitted += int((written & fitted).sum())
        for is_fitted, rows in ((False, written & ~fitted), (True, written & fitted)):
            limits = {"t2": (t2, model.t2_limit(0.99, is_fitted)), "q": (q, model.q_limit(0.99))}
            for name, (values, limit) in limits.items():
                if limit is not None and rows.any():
                    counted.above[name] = counted.above.get(name, 0) + int((values[rows] > limit).sum())


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
