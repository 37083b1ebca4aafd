"""What good rows look like: centre, spread and correlations of their features, learned robustly.

Every number of a row is the true value of its run plus the error of a limited number of entries. The spread of the
true values, without these errors, is what a good row may vary by; a row is then judged in units of both together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 5
"""So many of the largest deviations of a row make its score ``largest``."""

CLIP = 12.0
TRIMMED, TRIM_ROUNDS = 0.05, 3

_NORMAL_90 = 1.645  # 90 % of a normal distribution lie within so many standard deviations
_FAILED_FIT = 20.0  # standard deviations: a number that isn't a measurement
_LEAST_VARIANCE = 1e-200
_CHUNK = 4096  # rows


@dataclass(frozen=True)
class Model:
    """What a row of good data looks like.

    Attributes:
        centre: Mean of each feature over the good rows, shape (features,).
        variance: Variance of the true values, without the errors of the cells, shape (features,).
        offset: Mean of the standardised features over the good rows, shape (features,).
        precision: Inverse of their shrunk covariance, shape (features, features).
        absence: How much a missing feature says, -ln of how often good rows lack it, shape (features,).
    """

    centre: Array
    variance: Array
    offset: Array
    precision: Array
    absence: Array

    def standardised(self, values: Array, errors: Array) -> Array:
        """Deviations in standard deviations, 0 where a feature is missing, at most `CLIP`; shape as given."""
        deviations = self.deviations(values, errors)
        deviations[np.isnan(deviations)] = 0.0
        np.clip(deviations, -CLIP, CLIP, out=deviations)
        deviations -= self.offset
        return deviations

    def deviations(self, values: Array, errors: Array) -> Array:
        """The same without limit, NaN where a feature is missing."""
        deviations: Array = values - self.centre
        width = errors * errors
        width += self.variance
        deviations /= np.sqrt(width, out=width)
        return deviations


@dataclass(frozen=True)
class RawScores:
    """How unusual rows are, by three measures without a common scale; shape (rows,) each.

    Attributes:
        distance: Squared Mahalanobis distance.
        largest: Mean of the `LARGEST` largest deviations.
        missing: Sum over missing features of -ln of how often good rows lack them.
    """

    distance: Array
    largest: Array
    missing: Array

    @classmethod
    def empty(cls, rows: int) -> RawScores:
        """No score yet: NaN for so many rows."""
        return cls(*(np.full(rows, np.nan) for _ in range(3)))

    def put(self, where: NDArray[np.int64], scores: RawScores) -> None:
        """Fill in the scores of some rows."""
        self.distance[where], self.largest[where], self.missing[where] = scores.distance, scores.largest, scores.missing


def fit(values: Array, errors: Array, trimmed: float = TRIMMED) -> Model:
    """Learn from good rows, without the ``trimmed`` part of them that fits least: labels are not always right.

    Args:
        values: Shape (rows, features), NaN where a feature is missing; each feature is in five rows at least.
        errors: Standard error of each value, 0 where unknown; same shape.
        trimmed: Part of the rows that is left out in each of three rounds.

    Returns:
        A model; also of fewer rows than features.
    """
    values = np.where(is_failed(values), np.nan, values)
    chosen = np.ones(len(values), dtype=bool)
    model = _fit(values, errors)
    for _ in range(TRIM_ROUNDS if trimmed else 0):
        distances = distance(model.standardised(values, errors), model)
        kept = np.argsort(distances, kind="stable")[: len(values) - int(trimmed * len(values))]
        now = np.zeros(len(values), dtype=bool)
        now[kept] = True
        if (now == chosen).all():
            break
        chosen = now
        model = _fit(values[chosen], errors[chosen])
    return model


def is_failed(values: Array) -> NDArray[np.bool_]:
    """Numbers so far from all others that they are none (fits that failed give 1e11)."""
    distances = np.abs(values - _quantile(values, 0.5))
    width = _quantile(distances, 0.9)
    width = np.where(width > 0, width, np.nanmax(distances, axis=0, initial=0.0))
    return distances > _FAILED_FIT * width / _NORMAL_90


def _quantile(values: Array, part: float) -> Array:
    """Quantile of each column over its known values, the lower of two; NaN of none."""
    known = np.count_nonzero(~np.isnan(values), axis=0)
    place = np.maximum((part * (known - 1)).astype(np.int64), 0)
    ordered = np.partition(values, np.unique(place), axis=0)  # NaN come last
    return ordered[place, np.arange(values.shape[1])]


def _fit(values: Array, errors: Array) -> Model:
    known = ~np.isnan(values)
    centre, variance = _centre_and_variance(np.where(known, values, 0.0), known, errors**2)
    absent = (~known).sum(axis=0)
    absence = -np.log((absent + 0.5) / (len(values) + 1))
    model = Model(centre, variance, np.zeros_like(centre), np.eye(len(centre)), absence)
    standardised = model.standardised(values, errors)
    offset = standardised.mean(axis=0)
    precision = np.asarray(np.linalg.inv(shrunk_covariance(standardised - offset)), dtype=np.float64)
    return Model(centre, variance, offset, precision, absence)


def _centre_and_variance(values: Array, known: NDArray[np.bool_], squared_errors: Array) -> tuple[Array, Array]:
    """Mean and excess variance, each row weighted by how well it is measured (three rounds)."""
    count = np.maximum(known.sum(axis=0), 1)
    centre = values.sum(axis=0) / count
    total = np.where(known, (values - centre) ** 2, 0.0).sum(axis=0) / count
    total = np.maximum(total, np.maximum((1e-9 * centre) ** 2, _LEAST_VARIANCE))  # all trimmed rows may be equal
    variance = total
    measured = squared_errors.any(axis=0)
    if not measured.all():  # without errors all weights are the same
        if measured.any():
            part = _centre_and_variance(values[:, measured], known[:, measured], squared_errors[:, measured])
            centre[measured], variance[measured] = part
        return centre, variance
    weights, squares = np.empty_like(values), np.empty_like(values)
    for _ in range(3):
        np.add(squared_errors, variance, out=weights)
        np.divide(known, weights, out=weights)
        weights /= np.maximum(weights.max(axis=0), 1e-300)  # scales must not matter
        centre = np.einsum("ij,ij->j", weights, values) / np.maximum(weights.sum(axis=0), 1e-300)
        np.subtract(values, centre, out=squares)
        squares *= squares
        squares -= squared_errors
        weights *= weights
        excess = np.einsum("ij,ij->j", weights, squares)
        variance = np.maximum(excess / np.maximum(weights.sum(axis=0), 1e-300), 1e-3 * total)
    return centre, variance


def shrunk_covariance(values: Array) -> Array:
    """Covariance of centred rows, drawn towards a multiple of the identity.

    Source: Ledoit and Wolf, J. Multivariate Analysis 88 (2004) 365.
    """
    rows, features = values.shape
    covariance = values.T @ values / rows
    scale = np.trace(covariance) / features
    spread = ((covariance**2).sum() - features * scale**2) / features
    noise = (((values**2).sum(axis=1) ** 2).sum() / rows - (covariance**2).sum()) / (features * rows)
    shrinkage = 1.0 if spread <= 0 else min(max(noise, 0.0), spread) / spread
    shrinkage = max(shrinkage, 1e-6)  # features that repeat each other have no inverse
    return (1 - shrinkage) * covariance + shrinkage * max(scale, 1e-12) * np.eye(features)


def distance(standardised: Array, model: Model) -> Array:
    """Squared Mahalanobis distance of rows, shape (rows,)."""
    return np.einsum("ij,ij->i", standardised @ model.precision, standardised)


def score(values: Array, errors: Array, model: Model, expected: NDArray[np.bool_] | None = None) -> RawScores:
    """How unusual rows are that the model hasn't seen.

    Args:
        values, errors: As those of `fit`.
        expected: Whether a feature could be there at all (its detector was on), same shape; all if None.
    """
    scores = RawScores.empty(len(values))
    for rows in chunks(len(values)):
        standardised = model.standardised(values[rows], errors[rows])
        scores.distance[rows] = distance(standardised, model)
        scores.largest[rows] = _mean_of_largest(np.abs(standardised))
        absent = np.isnan(values[rows])
        if expected is not None:
            absent &= expected[rows]
        scores.missing[rows] = (absent * model.absence).sum(axis=1)
    return scores


def _mean_of_largest(sizes: Array) -> Array:
    count = min(LARGEST, sizes.shape[1])
    return np.sort(np.partition(sizes, sizes.shape[1] - count, axis=1)[:, -count:], axis=1).mean(axis=1)


def chunks(rows: int) -> Iterator[slice]:
    """Slices of some thousand rows: memory stays small."""
    for start in range(0, rows, _CHUNK):
        yield slice(start, min(start + _CHUNK, rows))
