"""Principal components of a table: its rows are read once, a model is fitted or given, and each row gets its scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from sys import intern
from typing import Any

import numpy as np

from tkstudies import console
from tkstudies.analysis.multivariate import components
from tkstudies.analysis.multivariate.components import ENOUGH_ROWS, Array, Model
from tkstudies.analysis.multivariate.matrix import ColumnMeans, filler, join_features, require_rows
from tkstudies.analysis.multivariate.moments import Deviations, Moments
from tkstudies.analysis.multivariate.rows import MIXTURES, Counted, Reading, Rows, Scoring
from tkstudies.analysis.tables.conditions import Conditions
from tkstudies.errors import InputError
from tkstudies.jsonl import decode, records_of
from tkstudies.records import Record, is_named
from tkstudies.shardwise import Shards, Whole, merged

COMPONENTS = 5
"""How many are made by default; fewer if fewer columns were chosen."""


class ComponentTable:
    """The rows of a table on their way to principal components.

    What needs the rows themselves is done part by part, by whoever works on the parts; what is known of the parts is
    put together in their order.

    Args:
        shards: All rows; those without any feature are left out.
        patterns: Shell patterns of feature names; empty for the notebook's selection.
        model: The model that will be used, if there is one already.
        fit_where: Filter expressions that choose the rows that a model is fitted to.
        keep_all: Whether all columns stay beside the components, not only the labels.
        with_contributions: Whether rows name the features behind their t2 and q.

    Attributes:
        features: Their names, in order of first appearance.
        rows: Number of rows. gaps: How many of them lack a feature.
        losses: What was left out so far.
        bad_fitted: How many rows that were fitted are bad (``is_bad``, else their statuses).
        counted: What is known of the scores that `lines` has written.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        patterns: Sequence[str] = (),
        model: Model | None = None,
        fit_where: Sequence[str] = (),
        keep_all: bool = False,
        with_contributions: bool = False,
    ):
        self.losses = console.Losses()
        self.bad_fitted = 0
        self.counted = Counted()
        self._shards = shards
        self._patterns = list(model.patterns if model else patterns)
        self._keep_all, self._with_contributions = keep_all, with_contributions
        self._fit_where = fit_where
        self._chosen = Conditions(fit_where)
        self._parts: list[Rows] = []
        self._columns: dict[str, None] = {}
        self._extra: dict[str, None] = {}
        self._read(Reading(self._patterns, model.features if model else None, fit_where, keep_all))
        self.features = join_features([part.matrix for part in self._parts], self._patterns)
        self.rows = sum(part.matrix.rows for part in self._parts)
        self.gaps = sum(int(part.matrix.gaps.sum()) for part in self._parts)
        left_out = sum(part.left_out for part in self._parts)
        self.losses.add(left_out, "row", f"had no features and {'is' if left_out == 1 else 'are'} left out")

    def _read(self, reading: Reading) -> None:
        for part, columns in self._shards.read(reading):
            part.matrix.features = list(map(intern, part.matrix.features))  # thousands of parts have the same names
            self._parts.append(part)
            self._columns.update(dict.fromkeys(columns.names))
            self._extra.update(dict.fromkeys(columns.extra))
            self._chosen.absorb(columns.noted)
        self._chosen.check(self._columns, self.losses)

    def fit(self, count: int | None = None, missing: str = "zero") -> Model:
        """Fit principal components to the chosen rows, and note what is odd about them.

        Args:
            count: How many components; by default `COMPONENTS`, or as many as there are if patterns chose fewer
                columns.
            missing: What fills gaps: ``zero``, ``mean`` (of the chosen rows), or ``drop`` for rows with gaps.

        Raises:
            InputError: Too few rows, or no number in the columns of a pattern.
        """
        features = self.features
        if self.rows and not any(part.wanted.any() for part in self._parts):
            why = self._chosen.why_nothing(self._columns)
            raise InputError(f"--fit-where {' '.join(self._fit_where)}: no row to fit{why}")
        for pattern in self._patterns:
            if not any(is_named(name, pattern) for name in features):
                others = f"; there are {console.listed(features)}" if features else ""
                raise InputError(f"--features {pattern}: no numbers in such a column{others}")
        if missing == "drop" and self.rows and self.gaps == self.rows:
            raise InputError("every row lacks some feature: --missing drop leaves none (choose with --features)")
        for part in self._parts:
            part.fitted = part.wanted & ~part.matrix.gaps if missing == "drop" else part.wanted
        rows = sum(int(part.fitted.sum()) for part in self._parts)
        require_rows(rows, features, 2)
        smaller = min(rows, len(features))
        console.say_memory(8 * (3 * smaller**2 + 2 * smaller * len(features)))
        if count is None:
            count = min(COMPONENTS, len(features)) if self._patterns else COMPONENTS
        values = filler(missing, len(features), self._means)
        model = components.fit_to(self._found(values, rows), features, count, values, missing, self._patterns)
        self.bad_fitted = sum(int(part.bad[part.fitted].sum()) for part in self._parts)
        if model.constant:
            many = len(model.constant) > 1
            self.losses.note(
                f"{console.counted(len(model.constant), 'column')} of {len(model.features)} "
                f"{'are' if many else 'is'} constant and {'tell' if many else 'tells'} nothing: "
                f"{console.listed(model.constant, 5)}"
            )
        return model

    def _means(self) -> ColumnMeans:
        return merged(self._shards.map(_means, self._parts))

    def _found(self, values: Array, rows: int) -> Moments | Deviations:
        """What a fit needs to know of the rows."""
        if rows < len(self.features):
            return Deviations(chain.from_iterable(part.chosen() for part in self._parts), values)
        return merged(self._shards.map(partial(_moments, values), self._parts))

    def check(self, model: Model, tolerant: bool = False) -> None:
        """See to it that the rows have the features of a given model; a tolerant check notes what differs.

        Raises:
            InputError: They don't.
        """
        if not self.rows:
            raise InputError("no row has a feature of the model")
        known = np.any([part.matrix.known for part in self._parts], axis=0)
        absent = [name for name, there in zip(model.features, known, strict=True) if not there]
        problems = []
        if absent:
            count = console.counted(len(absent), "feature")
            lacking = f"the rows lack {count} of the model ({console.listed(absent, 5)})"
            problems.append((lacking, "fills"))
        if self._extra:
            count = console.counted(len(self._extra), "feature")
            lacking = f"the rows have {count} that the model lacks ({console.listed(self._extra, 5)})"
            problems.append((lacking, "ignores"))
        if problems and not tolerant:
            what = "; ".join(problem for problem, _ in problems)
            raise InputError(f"{what}: --tolerant {' and '.join(verb for _, verb in problems)} such features")
        for problem, verb in problems:
            self.losses.note(f"{problem}: --tolerant {verb} such features")

    def fitted_runs(self) -> set[int | None]:
        """The run numbers of the rows that a model was fitted to."""
        return set().union(*self._shards.map(Rows.fitted_runs, self._parts))

    def note_mixtures(self) -> None:
        """Note columns of `MIXTURES` in which the rows differ."""
        of_parts = list(self._shards.map(Rows.kinds, self._parts))
        for place, (column, what) in enumerate(MIXTURES.items()):
            found = set().union(*(kinds[place] for kinds in of_parts))
            if len(found) > 1:
                words = ", ".join(sorted(map(str, found)))
                self.losses.note(f"{what} are mixed ({column}: {words}): their differences will dominate; filter first")

    def lines(self, model: Model) -> Iterator[bytes]:
        """The rows with their scores: pc1, pc2, ..., t2, q and their limits, is_fitted, missing_features."""
        scoring = Scoring(model, self._keep_all, self._with_contributions)
        yield from self._shards.lines(scoring, self._parts, self.counted.absorb)
        self.losses.add(self.counted.dropped, "row", "left out: features missing (--missing drop)")
        self._note_fresh(model)

    def _note_fresh(self, model: Model) -> None:
        """Note what the model can't say about rows that weren't fitted."""
        fresh = self.counted.projected - self.counted.fitted
        if fresh and model.rows < ENOUGH_ROWS and model.q_limit(0.99) is not None:
            self.losses.add(
                fresh,
                "row",
                f"that {'was' if fresh == 1 else 'were'} not fitted: the limits of q are too low for such rows, as the "
                f"model comes from {console.counted(model.rows, 'row')} (fewer than {ENOUGH_ROWS})",
            )
        if np.any(self.counted.varying):
            names = console.listed(np.asarray(model.features)[self.counted.varying].tolist(), 5)
            self.losses.note(f"constant in the fitted rows but not in the others, where q counts it in full: {names}")


def _means(rows: Rows) -> ColumnMeans:
    return ColumnMeans(rows.chosen(), len(rows.matrix.features))


def _moments(values: Array, rows: Rows) -> Moments:
    return Moments(rows.chosen(), values)


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
    table = ComponentTable(Whole(records_of(records)), patterns=features, fit_where=fit_where, keep_all=keep_all)
    model = table.fit(count, missing)
    table.note_mixtures()
    yield from map(decode, table.lines(model))
    table.losses.warn()
