"""What principal components need to know of all rows: their mean and the products of their deviations from it.

The covariance is summed over chunks of rows, each passing once, so memory doesn't grow with the number of rows; sums
over parts of the rows can be put together. Where there are fewer rows than features their products with each other
take its place, which have the same eigenvalues.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.matrix import filled

Array = NDArray[np.float64]


class Moments:
    """Number of rows, their mean, and the sums of products of deviations from it (features, features).

    One pass, by the pairwise update of Chan, Golub and LeVeque (1979), relative to the mean of the first chunk,
    so that the mean of large numbers that vary little is good to its last digit.

    Args:
        chunks: Raw rows, shape (any, features) each; NaN where missing.
        filler: Value for a missing feature, shape (features,).

    Attributes:
        rows: How many there were.
    """

    def __init__(self, chunks: Iterable[Array], filler: Array):
        width = len(filler)
        self.rows = 0
        self._origin, self._mean, self._scatter = np.zeros(width), np.zeros(width), np.zeros((width, width))
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in chunks:
                if len(chunk):
                    self._add(chunk, filler)

    def _add(self, chunk: Array, filler: Array) -> None:
        centre = chunk.sum(axis=0) / len(chunk)
        if np.isnan(centre).any():
            chunk = filled(chunk, filler)
            centre = chunk.sum(axis=0) / len(chunk)
        values = chunk - centre
        rounding = values.sum(axis=0) / len(values)
        self._scatter += values.T @ values
        self._scatter -= np.outer(rounding, rounding * len(values))
        self._join(len(values), centre, rounding)

    def absorb(self, other: Moments) -> None:
        """Take the rows of another, too."""
        if other.rows:
            with np.errstate(over="ignore", invalid="ignore"):
                self._scatter += other._scatter
                self._join(other.rows, other._origin, other._mean)

    def _join(self, rows: int, origin: Array, mean: Array) -> None:
        """Further rows have their mean ``mean`` away from an origin: the means of both move to that of all."""
        if not self.rows:
            self._origin = origin
        together = self.rows + rows
        shift = origin - self._origin + mean - self._mean
        self._scatter += np.outer(shift, shift * (self.rows * rows / together))
        self._mean += shift * (rows / together)
        self.rows = together

    @property
    def mean(self) -> Array:
        """Shape (features,)."""
        return self._origin + self._mean

    @property
    def squares(self) -> Array:
        """Sum of the squared deviations of each feature, shape (features,)."""
        return self._scatter.diagonal()

    def eigen(self, scale: Array, count: int) -> tuple[Array, Array]:
        """Eigenvalues of the rows on this scale, the largest first, and ``count`` vectors or more as columns."""
        scatter = self._scatter
        scatter /= scale
        scatter /= scale[:, None]
        return _eigen(scatter, len(scatter))


class Deviations:
    """The same of few rows of many features, whose deviations from their mean are all kept (rows, features)."""

    def __init__(self, chunks: Iterable[Array], filler: Array):
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.concatenate([filled(chunk, filler) for chunk in chunks])
            mean = values.sum(axis=0) / len(values)
            values -= mean
            rounding = values.sum(axis=0) / len(values)
            values -= rounding
            self.rows, self.mean, self._values = len(values), mean + rounding, values

    @property
    def squares(self) -> Array:
        """Sum of the squared deviations of each feature, shape (features,)."""
        squares: Array = (self._values**2).sum(axis=0)
        return squares

    def eigen(self, scale: Array, count: int) -> tuple[Array, Array]:
        """Eigenvalues of the rows on this scale, the largest first, and ``count`` vectors as columns."""
        values = self._values
        values /= scale
        eigenvalues, vectors = _eigen(values @ values.T, values.shape[1])
        return eigenvalues, _of_features(values, eigenvalues[:count], vectors[:, :count])


def _eigen(products: Array, features: int) -> tuple[Array, Array]:
    """Eigenvalues, the largest first, and eigenvectors as columns; what is no more than rounding is zero."""
    eigenvalues, vectors = np.linalg.eigh(products)
    eigenvalues = np.clip(eigenvalues[::-1], 0.0, None)
    eigenvalues[eigenvalues < eigenvalues[0] * features * np.finfo(float).eps] = 0.0
    return eigenvalues, vectors[:, ::-1]


def _of_features(values: Array, eigenvalues: Array, vectors: Array) -> Array:
    """From eigenvectors of rows (rows, components) to those of features (features, components).

    Those without variance can be any that are orthogonal to the others.
    """
    varying = int((eigenvalues > 0).sum())
    found = values.T @ vectors[:, :varying] / np.sqrt(eigenvalues[:varying])
    others = np.eye(len(found), vectors.shape[1])
    return np.linalg.qr(np.hstack([found, others]))[0][:, : vectors.shape[1]] if varying < len(eigenvalues) else found
