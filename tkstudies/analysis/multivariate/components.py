"""Principal components of a feature matrix, and how far a row lies from the others.

Definitions: Jolliffe, Principal Component Analysis. Limits of Hotelling's T2: Tracy, Young and Mason, Journal of
Quality Technology 24 (1992) 88, who tell rows that were fitted from others. Limit of the residual Q, a sum of squares
with the remaining variances as weights: the chi-square with the same three first moments (Imhof, Biometrika 48 (1961)
419, after Pearson), which needs no special cases, unlike that of Jackson and Mudholkar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.distributions import beta_quantile, chi_square_quantile, f_quantile
from tkstudies.analysis.multivariate.moments import Deviations, Moments
from tkstudies.errors import InputError

Array = NDArray[np.float64]

CONFIDENCES = (0.95, 0.99)

ENOUGH_ROWS = 200
"""From so many fitted rows on the limits of Q hold for other rows too; of 50 rows 6 % lie above the 99 % limit."""

_COMPONENT = re.compile(r"pc[1-9][0-9]*")


def is_component(column: str) -> bool:
    """Is it a principal component's column?

    >>> is_component("pc1"), is_component("pc0"), is_component("pc_count")
    (True, False, False)
    """
    return _COMPONENT.fullmatch(column) is not None


def component_columns(columns: Iterable[str]) -> list[str]:
    """Those that are principal components, in the order of their numbers.

    >>> component_columns(["pc10", "t2", "pc2"])
    ['pc2', 'pc10']
    """
    return sorted(filter(is_component, columns), key=lambda name: int(name[2:]))


@dataclass
class Model:
    """A fitted principal component analysis.

    Attributes:
        features: Names of the features, in the order of all arrays.
        filler: Value for a missing feature, shape (features,).
        mean: Shape (features,).
        scale: Population standard deviation, 1 for constant features, shape (features,).
        components: Loadings, shape (components, features); the largest of each in magnitude is positive.
        variance: Variance of each component (n - 1), shape (components,).
        variance_ratio: Its part of the total variance, shape (components,).
        rows: Number of rows that were fitted.
        residual_sums: Sums of the first, second and third powers of the remaining variances.
        missing: How gaps were filled.
        patterns: How features were chosen; empty for the notebook's selection.
        constant: Features that have the same value in all fitted rows, as far as known.
    """

    features: list[str]
    filler: Array
    mean: Array
    scale: Array
    components: Array
    variance: Array
    variance_ratio: Array
    rows: int
    residual_sums: tuple[float, float, float]
    missing: str = "zero"
    patterns: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)

    def standardised(self, chunk: Array) -> Array:
        """Rows to zero mean and unit variance, gaps filled, shape (rows, features)."""
        gaps = np.isnan(chunk)
        values = (np.where(gaps, self.filler, chunk) if gaps.any() else chunk) - self.mean
        values /= self.scale
        return values

    def project(self, chunk: Array) -> tuple[Array, Array, Array]:
        """Scores (rows, components), Hotelling's T2 (rows,) and squared residual Q (rows,) of raw rows.

        A component without variance counts nothing in T2.
        """
        standardised = self.standardised(chunk)
        scores = standardised @ self.components.T
        varies = self.variance > 0
        t2 = (scores[:, varies] ** 2 / self.variance[varies]).sum(axis=1)
        residual = standardised - scores @ self.components
        return scores, t2, (residual**2).sum(axis=1)

    def contributions(self, chunk: Array) -> tuple[Array, Array]:
        """What each feature adds to T2 and to Q of raw rows, shape (rows, features) both.

        Those of T2 (Nomikos, ISA Transactions 35 (1996) 259) can be negative; both add up to the row's score.
        """
        standardised = self.standardised(chunk)
        scores = standardised @ self.components.T
        residual = standardised - scores @ self.components
        weights = np.divide(1, self.variance, out=np.zeros_like(self.variance), where=self.variance > 0)
        return standardised * ((scores * weights) @ self.components), residual**2

    def t2_limit(self, confidence: float, fitted: bool = False) -> float | None:
        """The T2 that a row of the same kind exceeds with probability 1 - confidence.

        Args:
            fitted: Is the row one of those that were fitted? Such a row pulls the components towards itself.

        Returns:
            None if there are too few rows: T2 is the same for all fitted rows, or has no limit for others.

        Example:
            >>> none = np.zeros((0, 5))
            >>> model = Model([], *[none] * 4, np.ones(5), np.ones(5) / 5, 60, (0, 0, 0))
            >>> round(model.t2_limit(0.99, fitted=True), 1), round(model.t2_limit(0.99), 1)
            (13.8, 18.4)
        """
        p, n = int((self.variance > 0).sum()), self.rows
        if not 0 < p < n - fitted:
            return None
        if fitted:
            return (n - 1) ** 2 / n * beta_quantile(p / 2, (n - p - 1) / 2, confidence)
        return p * (n - 1) * (n + 1) / (n * (n - p)) * f_quantile(p, n - p, confidence)

    def q_limit(self, confidence: float) -> float | None:
        """The same for the residual Q; None when nothing is left over."""
        one, two, three = self.residual_sums
        if min(one, two, three) <= 0:
            return None
        freedom = two * (two / three) ** 2
        excess = chi_square_quantile(freedom, confidence) - freedom
        return float(one + excess * (two / freedom) ** 0.5)


def fit(
    chunks: Iterable[Array],
    features: list[str],
    components: int,
    filler: Array,
    missing: str = "zero",
    patterns: Sequence[str] = (),
    rows: int | None = None,
) -> Model:
    """Fit principal components of standardised features.

    Args:
        chunks: Raw rows, shape (any, features) each; NaN where missing.
        components: How many to keep.
        filler: Value for a missing feature, shape (features,).
        missing: How the filler was chosen, for the record.
        patterns: How the features were chosen, for the record.
        rows: How many there are, if that is known: few rows of many features are fitted another way.

    Raises:
        InputError: More components than rows or features allow, or a feature too large for a variance.
    """
    few = rows is not None and rows < len(features)
    found = Deviations(chunks, filler) if few else Moments(chunks, filler)
    return fit_to(found, features, components, filler, missing, patterns)


def fit_to(
    found: Moments | Deviations,
    features: list[str],
    components: int,
    filler: Array,
    missing: str = "zero",
    patterns: Sequence[str] = (),
) -> Model:
    """The same of what is known of the rows; it is used up."""
    rows, mean, squares = found.rows, found.mean, found.squares
    most = min(rows, len(features))
    if not 1 <= components <= most:
        raise InputError(
            f"--components {components}: {rows} rows of {len(features)} features allow 1 to {most} components"
        )
    if not np.isfinite(squares).all():
        names = ", ".join(np.asarray(features)[~np.isfinite(squares)][:5])
        raise InputError(f"values too large for a variance: {names}")
    deviation = np.sqrt(squares / rows)
    constant = _constant(deviation, mean, rows)
    scale = np.where(constant, 1.0, deviation)
    eigenvalues, vectors = found.eigen(scale, components)
    variances = eigenvalues / max(rows - 1, 1)
    rest = variances[components:]
    total = variances.sum()
    return Model(
        features=features,
        filler=filler,
        mean=mean,
        scale=scale,
        components=_signed(vectors[:, :components].T),
        variance=variances[:components],
        variance_ratio=variances[:components] / total if total > 0 else np.zeros(components),
        rows=rows,
        residual_sums=(float(rest.sum()), float((rest**2).sum()), float((rest**3).sum())),
        missing=missing,
        patterns=list(patterns),
        constant=[feature for feature, same in zip(features, constant, strict=True) if same],
    )


def _constant(deviation: Array, mean: Array, rows: int) -> NDArray[np.bool_]:
    """Which features are constant, or vary by rounding only, shape (features,)."""
    eps = np.finfo(float).eps
    constant = deviation**2 <= rows * eps * deviation**2 + (rows * mean * eps) ** 2
    result: NDArray[np.bool_] = constant | (deviation == 0)
    return result


def _signed(components: Array) -> Array:
    """Each component with the sign that makes its loading of largest magnitude positive."""
    largest = np.argmax(np.abs(components), axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return np.ascontiguousarray(components * np.where(signs == 0, 1.0, signs)[:, None])


def loadings(model: Model) -> list[dict[str, Any]]:
    """One record per feature: its loading on every component, its mean and its scale."""
    return [
        {
            "feature": feature,
            **{f"pc{i + 1}": float(row[number]) for i, row in enumerate(model.components)},
            "mean": float(model.mean[number]),
            "scale": float(model.scale[number]),
        }
        for number, feature in enumerate(model.features)
    ]
