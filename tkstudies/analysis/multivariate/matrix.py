"""From records to a matrix of features: which columns are features, and what fills their gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tkstudies.errors import InputError, UsageError
from tkstudies.jsonl.columns import LearnedColumns, Values, row_decoder
from tkstudies.jsonl.store import NumberStore
from tkstudies.records import is_named, number

FEATURE_TOKENS = (".rms", "mean")
FEATURE_NAMES = ("recorded_lumi",)
MISSING = ("zero", "mean", "drop")

_NOT_A_NUMBER: Any = bool | str | list[Any] | dict[str, Any] | None
_A_NUMBER: Any = int | float | None


def is_feature(column: str, patterns: Sequence[str] = ()) -> bool:
    """Does a column belong to the feature matrix?

    Without patterns these are the notebook's: every mean and rms, and the recorded luminosity.

    >>> is_feature("Hits.Pixel.mean"), is_feature("fill__recorded_lumi"), is_feature("pileup", ["p*"])
    (True, False, True)
    """
    if patterns:
        return any(is_named(column, pattern) for pattern in patterns)
    return column in FEATURE_NAMES or any(token in column for token in FEATURE_TOKENS)


def telling_features(features: Sequence[str], patterns: Sequence[str] = ()) -> NDArray[np.bool_]:
    """Which features tell that the histograms of a row were fetched, shape (features,).

    A luminosity alone doesn't, unless patterns chose it or there is nothing else.
    """
    telling = np.array([bool(patterns) or name not in FEATURE_NAMES for name in features], dtype=bool)
    return telling if telling.any() else np.ones(len(features), dtype=bool)


@dataclass
class FeatureMatrix:
    """Rows of numbers with NaN where a feature is missing, read anew in chunks whenever they are needed.

    Attributes:
        features: Names of the columns, in order of their first appearance.
        stored: The rows of all records that were added.
        kept: Whether a record that was added has a row here, shape (records,).
        gaps: Whether the row lacks a feature, shape (rows,).
        known: Whether any row has the feature, shape (features,).
        width: How many features are stored.
        places: Which of ``features`` these are, if there are more, shape (width,).
    """

    features: list[str]
    stored: NumberStore
    kept: NDArray[np.bool_]
    gaps: NDArray[np.bool_]
    known: NDArray[np.bool_]
    width: int
    places: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.gaps)

    def chunks(self, where: NDArray[np.bool_] | None = None) -> Iterator[NDArray[np.float64]]:
        """Arrays of shape (up to 1024 rows, features), of all rows or those ``where`` of shape (rows,) says."""
        chosen = self.kept
        if where is not None:
            chosen = chosen.copy()
            chosen[chosen] = where
        start = 0
        for chunk in self.stored.chunks(self.width):
            part = chosen[start : start + len(chunk)]
            start += len(chunk)
            rows = chunk if part.all() else chunk[part]
            yield rows if self.places is None else self._placed(rows, self.places)

    def _placed(self, rows: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
        placed = np.full((len(rows), len(self.features)), np.nan)
        placed[:, places] = rows
        return placed


def join_features(parts: Sequence[FeatureMatrix], patterns: Sequence[str] = ()) -> list[str]:
    """Give the parts of one table the features of all of them, in order of their first appearance; these."""
    common: dict[str, int] = {}
    for part in parts:
        places = np.array([common.setdefault(name, len(common)) for name in part.features], dtype=np.int64)
        part.features, part.places = [], places
    features = list(common)
    telling = telling_features(features, patterns)
    for part in parts:
        _widen(part, features, telling)
    return features


def _widen(part: FeatureMatrix, features: list[str], telling: NDArray[np.bool_]) -> None:
    places = part.places
    part.features = features
    if places is None or np.array_equal(places, np.arange(len(features))):
        part.places = None
        return
    if not telling[places].any():
        part.kept[:] = False
        part.gaps, part.known = part.gaps[:0], np.zeros_like(part.known)
    if len(places) < len(features):
        part.gaps = np.ones_like(part.gaps)
    known = np.zeros(len(features), dtype=bool)
    known[places] = part.known
    part.known = known


class MatrixBuilder(LearnedColumns):
    """Collects the numeric features of records: a form for ``Records.rows``, whose values go to ``add``.

    Args:
        patterns: Shell patterns of feature names; empty for the notebook's selection.
        features: Fixed list of features in a fixed order (of a model); others are noted in ``extra``.
        others: Other columns whose values ``add`` gives back.
        folder: Where the numbers are, if another process is to read them (`jsonl.store`).

    Attributes:
        stored: The numbers of all records.
    """

    def __init__(
        self,
        patterns: Sequence[str] = (),
        features: Sequence[str] | None = None,
        others: Iterable[str] = (),
        folder: str = "",
    ):
        super().__init__(dict.fromkeys(others))
        self.extra: dict[str, None] = {}
        self._patterns = patterns
        self._fixed = features is not None
        self._features = dict.fromkeys(features or ())
        self._not_features: set[str] = set()
        self.stored = NumberStore(folder)

    def add(self, values: Values) -> Values:
        """Take the features of one record; the values of the other columns, UNSET where they are absent."""
        self.stored.add(values[len(values) - len(self._features) :])
        return values[: len(self.wanted)]

    def from_record(self, record: Mapping[str, Any]) -> Values:
        """The values of the other columns, then the features known so far."""
        known = len(self._features)
        for column, value in record.items():
            new = column not in self._features and column not in self._not_features
            if new and number(value) is not None:
                self._sort_out(column)
        if len(self._features) > known:
            self._forget()
        super().from_record(record)
        others = [record.get(column, UNSET) for column in self.wanted]
        return *others, *[number(record.get(feature)) for feature in self._features]

    def _sort_out(self, column: str) -> None:
        if is_feature(column, self._patterns) and not self._fixed:
            self._features[column] = None
            return
        self._not_features.add(column)
        if is_feature(column, self._patterns):
            self.extra[column] = None

    def _decoder(self) -> Any:
        """A number where there was none before, or the other way round, makes the decoder refuse the line."""
        types: dict[str, Any] = {}
        for column in (column for column in self.columns if column not in self._features):
            if column in self._not_features or not is_feature(column, self._patterns):
                types[column] = Any if column in self.wanted else msgspec.Raw
            else:
                types[column] = _NOT_A_NUMBER
        types.update(dict.fromkeys(self._features, _A_NUMBER))
        return row_decoder(types, self.wanted, only=True, unset=self.wanted, rest=len(self._features))

    @property
    def features(self) -> list[str]:
        """Those known so far."""
        return list(self._features)

    def matrix(self) -> FeatureMatrix:
        """The rows of all records that have features of their own.

        Without patterns a luminosity alone doesn't count: the histograms of such a record were never fetched.
        """
        features = self.features
        telling = telling_features(features, self._patterns)
        known = np.zeros(len(features), dtype=bool)
        kept: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
        gaps: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
        for chunk in self.stored.chunks(len(features)):
            there = ~np.isnan(chunk)
            kept.append(np.any(there[:, telling], axis=1))
            there = there[kept[-1]]
            gaps.append(~np.all(there, axis=1))
            known |= np.any(there, axis=0)
        return FeatureMatrix(features, self.stored, np.concatenate(kept), np.concatenate(gaps), known, len(features))


class ColumnMeans:
    """Mean of each feature over the rows that have it, good to its last digit, whatever the chunks.

    Args:
        chunks: Raw rows, shape (any, features) each; NaN where missing.
        width: Number of features.
    """

    def __init__(self, chunks: Iterable[NDArray[np.float64]], width: int):
        self._origin, self._mean, self._count = np.zeros(width), np.zeros(width), np.zeros(width)
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in chunks:
                known = ~np.isnan(chunk)
                count = known.sum(axis=0)
                centre = np.where(known, chunk, 0.0).sum(axis=0) / np.maximum(count, 1)
                rest = np.where(known, chunk - centre, 0.0).sum(axis=0) / np.maximum(count, 1)
                self._join(count, centre, rest)

    def absorb(self, other: ColumnMeans) -> None:
        """Take those of other rows, too."""
        with np.errstate(over="ignore", invalid="ignore"):
            self._join(other._count, other._origin, other._mean)

    def _join(self, count: NDArray[Any], origin: NDArray[np.float64], mean: NDArray[np.float64]) -> None:
        """Further rows have their mean ``mean`` away from an origin."""
        self._origin = np.where(self._count, self._origin, origin)
        self._count = self._count + count
        shift = origin - self._origin + mean - self._mean
        self._mean += np.where(count, shift * (count / np.maximum(self._count, 1)), 0.0)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Shape (features,); 0 where no row has the feature."""
        return self._origin + self._mean


def filler(how: str, width: int, means: Callable[[], ColumnMeans]) -> NDArray[np.float64]:
    """The value that stands for a missing feature, shape (features,).

    Args:
        how: ``zero``, ``mean`` (of the rows in ``means``), or ``drop`` (rows with gaps are taken out before).
    """
    if how not in MISSING:
        raise UsageError(f"--missing {how}: choose {', '.join(MISSING)}")
    return means().mean if how == "mean" else np.zeros(width)


def filled(chunk: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chunk with ``values`` of its columns where a feature is missing."""
    return np.where(np.isnan(chunk), values, chunk)


def require_rows(rows: int, features: Sequence[str], needed: int) -> None:
    """Refuse to study too little.

    Raises:
        InputError: No row, no feature, or fewer rows than ``needed``.
    """
    if not features:
        raise InputError(
            "no record has a feature: join the features first (tkstudies features), or choose columns (--features)"
        )
    if rows < needed:
        raise InputError(f"{rows} rows with features are too few: at least {needed} are needed")
