"""From records to a matrix of features: which columns are features, and what fills their gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.errors import InputError, UsageError

FEATURE_TOKENS = (".rms", "mean")
FEATURE_NAMES = ("recorded_lumi",)
MISSING = ("zero", "mean", "drop")

_CHUNK = 4096  # rows


def is_feature(column: str, patterns: Sequence[str] = ()) -> bool:
    """Does a column belong to the feature matrix?

    Without patterns these are the notebook's: every mean and rms, and the recorded luminosity.

    >>> is_feature("Hits.Pixel.mean"), is_feature("fill__recorded_lumi"), is_feature("pileup", ["p*"])
    (True, False, True)
    """
    if patterns:
        return any(fnmatchcase(column, pattern) for pattern in patterns)
    return column in FEATURE_NAMES or any(token in column for token in FEATURE_TOKENS)


@dataclass
class FeatureMatrix:
    """Rows of numbers with NaN where a feature is missing.

    Attributes:
        features: Names of the columns, in order of their first appearance.
        chunks: Arrays of shape (up to 4096 rows, features).
        kept: For each record that was added, whether it has a row here.
    """

    features: list[str]
    chunks: list[NDArray[np.float64]] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(chunk) for chunk in self.chunks)

    def missing_per_row(self) -> NDArray[np.int64]:
        """How many features each row lacks, shape (rows,)."""
        counts = [np.isnan(chunk).sum(axis=1) for chunk in self.chunks]
        return np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)


class MatrixBuilder:
    """Collects the numeric features of records, one by one.

    Args:
        patterns: Shell patterns of feature names; empty for the notebook's selection.
        features: Fixed list of features in a fixed order (of a model); others are noted in ``extra``.
    """

    def __init__(self, patterns: Sequence[str] = (), features: Sequence[str] | None = None):
        self.extra: dict[str, None] = {}
        self._patterns = patterns
        self._fixed = features is not None
        self._places = {name: place for place, name in enumerate(features or ())}
        self._not_features: set[str] = set()
        self._rows: list[dict[int, float]] = []
        self._chunks: list[NDArray[np.float64]] = []

    def add(self, record: dict[str, Any]) -> None:
        """Take the features of one record."""
        row = {}
        for column, value in record.items():
            if type(value) is not float and type(value) is not int:
                continue
            place = self._places.get(column)
            if place is None:
                place = self._new_place(column)
            if place is not None:
                row[place] = value
        self._rows.append(row)
        if len(self._rows) == _CHUNK:
            self._pack()

    def _new_place(self, column: str) -> int | None:
        if column in self._not_features:
            return None
        if not is_feature(column, self._patterns):
            self._not_features.add(column)
            return None
        if self._fixed:
            self._not_features.add(column)
            self.extra[column] = None
            return None
        self._places[column] = len(self._places)
        return self._places[column]

    def _pack(self) -> None:
        chunk = np.full((len(self._rows), len(self._places)), np.nan)
        for number, row in enumerate(self._rows):
            chunk[number, list(row)] = list(row.values())
        self._chunks.append(chunk)
        self._rows = []

    def matrix(self) -> FeatureMatrix:
        """The rows of all records that have features of their own.

        Without patterns a luminosity alone doesn't count: the histograms of such a record were never fetched.
        """
        if self._rows:
            self._pack()
        features = list(self._places)
        telling = np.array(
            [bool(self._patterns) or name not in FEATURE_NAMES for name in features], dtype=bool
        )
        if not telling.any():
            telling[:] = True
        kept, chunks = [], []
        for chunk in self._chunks:
            chunk = _widened(chunk, len(features))
            known = ~np.isnan(chunk[:, telling]).all(axis=1)
            kept += known.tolist()
            chunks.append(chunk[known])
        return FeatureMatrix(features, chunks, kept)


def _widened(chunk: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    gap = np.full((len(chunk), width - chunk.shape[1]), np.nan)
    return np.hstack([chunk, gap]) if gap.size else chunk


def column_means(chunks: Iterable[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    """Mean of each feature over the rows that have it, 0 where none has, shape (features,)."""
    total, count = np.zeros(width), np.zeros(width)
    for chunk in chunks:
        known = ~np.isnan(chunk)
        total += np.where(known, chunk, 0.0).sum(axis=0)
        count += known.sum(axis=0)
    return total / np.maximum(count, 1)


def filler(how: str, chunks: Iterable[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    """The value that stands for a missing feature, shape (features,).

    Args:
        how: ``zero``, ``mean`` (of the rows in ``chunks``), or ``drop`` (rows with gaps are taken out before).
    """
    if how not in MISSING:
        raise UsageError(f"--missing {how}: choose {', '.join(MISSING)}")
    return column_means(chunks, width) if how == "mean" else np.zeros(width)


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
            "no record has a feature: join the features first, or choose columns with --features"
        )
    if rows < needed:
        raise InputError(f"{rows} rows with features are too few: at least {needed} are needed")
