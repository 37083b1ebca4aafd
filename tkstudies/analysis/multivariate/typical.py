"""Typical runs: those nearest to the centre of the last good ones, and whether a reference is still like them.

A run's distance from the centre is the root mean square of its features' differences from the medians of the last good
runs, each in units of its robust spread over them (`ranking.spread`), at most `MOST` in size. A run is typical if
it is as near as 95 % of these runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tkstudies import console
from tkstudies.analysis.multivariate.ranking import Array, spread
from tkstudies.analysis.multivariate.suspects import features as columns_of
from tkstudies.analysis.multivariate.suspects.groups import Kind, kinds
from tkstudies.errors import InputError
from tkstudies.jsonl.store import as_float
from tkstudies.records import Record, number, row_key, whole

FEWEST = 10
"""Good runs that have a centre."""

MOST = 12.0
"""Standard deviations beyond which a single feature doesn't count more."""

USUAL = 0.95

STEPS = 20
"""Part of the window by which it goes back in time."""


class _Centre(NamedTuple):
    """The middle of some rows, their spread, and the distance that most of them keep from the middle."""

    middle: Array
    width: Array
    limit: float = 0.0

    @classmethod
    def of(cls, values: Array) -> _Centre:
        """That of rows with numbers, shape (rows, features)."""
        columns = [column[~np.isnan(column)] for column in values.T]
        middle = np.array([np.median(known) if len(known) else np.nan for known in columns])
        centre = cls(middle, spread(values - middle))
        return centre._replace(limit=float(np.quantile(centre.distances(values), USUAL)))

    def distances(self, values: Array) -> Array:
        """How far rows are from it, shape (rows,); infinite of a row without numbers."""
        deviations = np.clip(np.abs(values - self.middle) / self.width, 0, MOST)
        known = ~np.isnan(deviations)
        squares = np.where(known, deviations**2, 0).sum(axis=1)
        count = known.sum(axis=1)
        return np.sqrt(np.divide(squares, count, out=np.full(len(values), np.inf), where=count > 0))


def typical_runs(
    rows: Sequence[Record],
    good: Sequence[Record],
    losses: console.Losses,
    *,
    top: int = 3,
    last: int = 100,
    reference: int | None = None,
) -> Iterator[Record]:
    """The most typical of the last good rows of each kind, nearest to the centre first.

    Args:
        rows: All rows; the latest ones tell the present reference (reference_run_number).
        good: Those that may be references.
        losses: Takes note of kinds with fewer than `FEWEST` good rows, and of references that aren't among the rows.
        top: How many of each kind.
        last: Of how many good rows.
        reference: The present reference of all kinds.

    Raises:
        InputError: No good row has a feature, or no kind has enough of them.
    """
    numeric = sorted({column for row in good for column, value in row.items() if number(value) is not None})
    names = columns_of.candidates(numeric, (), ("reference_run_number",), columns_of.SHAPES)
    if not names:
        raise InputError("no good row has a feature (*.mean, *.rms): join the features first")
    chosen = {id(row) for row in good}
    ordered = sorted(rows, key=lambda row: (row_key(row).run_number, row_key(row).lumisection_number or 0))
    is_good = [id(row) in chosen for row in ordered]
    of_kind: dict[Kind, list[int]] = {}
    for place, kind in enumerate(kinds(ordered, is_good, None)):
        of_kind.setdefault(kind, []).append(place)
    found = 0
    for kind in sorted(of_kind, key=str):
        mine = _Runs(kind, [ordered[place] for place in of_kind[kind]], names, last)
        mine.learn([ordered[place] for place in of_kind[kind] if is_good[place]])
        if len(mine.good) < FEWEST:
            losses.note(f"{kind.text}: {console.counted(len(mine.good), 'good row')}, {FEWEST} needed")
            continue
        found += 1
        yield from mine.nearest(top, mine.about(reference, losses))
    if not found:
        losses.tell()
        raise InputError(f"no reco and kind of run has {FEWEST} good rows")


class _Runs:
    """The rows of one kind, in order of time.

    Attributes:
        good: Those that may be references.
    """

    def __init__(self, kind: Kind, rows: Sequence[Record], names: Sequence[str], last: int):
        self._kind, self._rows, self._names, self._last = kind, rows, names, last
        self.good: Sequence[Record] = ()

    def learn(self, good: Sequence[Record]) -> None:
        """Take the features that good rows have and in which they differ."""
        self.good = good
        values = self._numbers(good)
        everyone = np.ones(len(good), dtype=bool)
        self._kept = columns_of.usable(values, everyone, np.zeros((len(good), 0)))
        self._values = values[:, self._kept]

    def _numbers(self, rows: Sequence[Record]) -> Array:
        return np.array([[as_float(number(row.get(name))) for name in self._names] for row in rows], dtype=np.float64)

    def _centre(self, end: int) -> _Centre:
        return _Centre.of(self._values[max(0, end - self._last) : end])

    def nearest(self, top: int, reference: Record) -> Iterator[Record]:
        """The ``top`` rows nearest to the centre of the last good ones, beside what is said of the reference."""
        window = self.good[-self._last :]
        distances = self._centre(len(self.good)).distances(self._values[-self._last :])
        for place, index in enumerate(np.argsort(distances, kind="stable")[:top].tolist(), start=1):
            yield {
                "reco": self._kind.reco,
                "kind": self._kind.text,
                "rank": place,
                "candidate_run_number": row_key(window[index]).run_number,
                "distance": float(distances[index]),
                "features_compared": int(self._kept.sum()),
                "good_rows": len(window),
                "first_run": row_key(window[0]).run_number,
                "last_run": row_key(window[-1]).run_number,
                **reference,
            }

    def about(self, chosen: int | None, losses: console.Losses) -> Record:
        """How far the present reference is from the centre, and since when it isn't typical any more."""
        run = chosen if chosen is not None else self._latest_reference()
        row = next((row for row in self._rows if row_key(row).run_number == run), None)
        centre = self._centre(len(self.good))
        found = {"reference_run_number": run, "reference_distance": None, "typical_distance": centre.limit}
        if run is not None and row is None:
            losses.note(f"{self._kind.text}: the reference {run} isn't among the rows: nothing is said of it")
        if row is None:
            return {**found, "reference_is_typical": None, "reference_not_typical_since": None}
        values = self._numbers([row])[:, self._kept]
        distance = float(centre.distances(values)[0])
        found["reference_distance"] = distance if np.isfinite(distance) else None
        is_typical = distance <= centre.limit
        since = None if is_typical else self._not_typical_since(values)
        return {**found, "reference_is_typical": is_typical, "reference_not_typical_since": since}

    def _latest_reference(self) -> int | None:
        named = (whole(row.get("reference_run_number")) for row in reversed(self._rows))
        return next((run for run in named if run is not None), None)

    def _not_typical_since(self, values: Array) -> int:
        """The good run from which on a row is farther away than most of the last good ones, in steps of a few runs."""
        since = len(self.good)
        for end in range(len(self.good), FEWEST - 1, -max(self._last // STEPS, 1)):
            centre = self._centre(end)
            if centre.distances(values)[0] <= centre.limit:
                break
            since = end
        return row_key(self.good[since - 1]).run_number
