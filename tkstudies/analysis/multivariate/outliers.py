"""Which rows of a table differ from the others: five detectors on one scale.

Scores of all methods have one orientation: larger is more anomalous, and above zero the row is an outlier.
They are the negative of scikit-learn's ``decision_function`` (for the two-class machine, its distance to the
side of the bad rows). The size of a score compares rows of one method, not methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.points import Array, Points, reproducible
from tkstudies.analysis.tables.statuses import REGISTRY, given_tracking
from tkstudies.errors import InputError
from tkstudies.records import Record, status

METHODS = ("envelope", "one-class-svm", "isolation-forest", "lof", "svc")
CONTAMINATED = ("envelope", "isolation-forest", "lof")
"""Methods that are told which part of their training rows are outliers."""
SEEDED = ("envelope", "isolation-forest")
"""Methods that draw random numbers."""

LABELS = (*REGISTRY, "tracking", "doctor_tracking", "is_bad")
"""Columns that tell which rows are good or bad."""

CONTAMINATION = 0.05
NU = 0.07
NEIGHBORS = 20
SEED = 42

Mask = NDArray[np.bool_]


@dataclass
class Findings:
    """What one method says about a table.

    Attributes:
        method: One of METHODS.
        scores: NaN for rows that have no score, shape (rows,).
        trained: How many rows it learned from.
        warnings: What the user should know before trusting it.
    """

    method: str
    scores: Array
    trained: int
    warnings: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, str]:
        """Names of the columns that hold the score and the flag."""
        name = self.method.replace("-", "_")
        return f"{name}_score", f"{name}_outlier"


def detect(
    method: str,
    points: Points,
    rows: Sequence[Record],
    training: Mask | None = None,
    *,
    contamination: float = CONTAMINATION,
    nu: float = NU,
    seed: int = SEED,
) -> Findings:
    """Score all rows with one method.

    ================  ==============================================  =====================================
    method            what it does                                    learns from, unless told otherwise
    ================  ==============================================  =====================================
    envelope          robust Gaussian, distance from its centre       all rows
    one-class-svm     the boundary of the good rows (RBF)             rows whose tracking is GOOD
    isolation-forest  how few random cuts isolate a row               all rows
    lof               local density against that of the neighbours    all rows
    svc               the boundary between good and bad rows (RBF)    rows known to be good or bad
    ================  ==============================================  =====================================

    Args:
        method: One of METHODS.
        points: Where the rows lie.
        rows: The same rows as records, for their labels.
        training: Rows to learn from instead, shape (rows,). The local outlier factor then compares each other
            row with the training rows (novelty detection); a training row keeps the factor that it has among
            its own.
        contamination: The part of the training rows that are outliers, (0, 0.5].
        nu: For the one-class machine: at most this part of the training rows lies outside.
        seed: For the methods in SEEDED.

    Raises:
        InputError: Too few rows to learn from, no good or no bad one where the method needs it, or
            scikit-learn can't fit them.
    """
    usable = points.usable
    bad, known = classes(rows)
    if method == "svc":
        chosen = usable & known if training is None else usable & known & training
        _require_both(bad[chosen])
    elif training is not None:
        chosen = usable & training
    else:
        chosen = usable & good_rows(rows) if method == "one-class-svm" else usable
    if chosen.sum() < 2:
        raise InputError(f"{method}: {chosen.sum()} rows to learn from are too few (see --train-where)")

    scores = np.full(len(rows), np.nan)
    with reproducible() as said:
        values = points.scaled(chosen)
        learned = chosen[usable]
        try:
            if method == "svc":
                scores[usable] = _two_class(values, learned, bad[usable])
            elif method == "lof":
                scores[usable] = _local_outlier_factor(values, learned, contamination)
            else:
                estimator = _estimator(method, contamination, nu, seed).fit(values[learned])
                scores[usable] = -estimator.decision_function(values)
        except (ValueError, np.linalg.LinAlgError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{method}: {int(chosen.sum())} rows of {len(points.columns)} columns: {reason}") from None
    if method == "lof" and chosen.sum() <= NEIGHBORS:
        said = [f"{chosen.sum()} rows are few for {NEIGHBORS} neighbours: all others are neighbours", *said]
    return Findings(method, scores, int(chosen.sum()), said)


def good_rows(rows: Sequence[Record]) -> Mask:
    """Rows whose tracking is GOOD, in any case, shape (rows,).

    Raises:
        InputError: There is none.
    """
    good = np.array([status(given_tracking(row)) == "GOOD" for row in rows], dtype=bool)
    if not good.any():
        raise InputError(
            "one-class-svm learns from rows whose tracking is GOOD, and there are none: "
            "join the run registry, or choose rows with --train-where"
        )
    return good


def classes(rows: Sequence[Record]) -> tuple[Mask, Mask]:
    """Which rows are bad, and of which it is known: by tracking (GOOD, BAD), in a table without by is_bad.

    In a table of TkDQMDoctor alone tracking is doctor_tracking.

    Returns:
        Two arrays of shape (rows,); where the second is False the first means nothing.

    Example:
        >>> bad, known = classes([{"tracking": "BAD"}, {"tracking": "good"}, {"tracking": "EXCLUDED"}])
        >>> bad.tolist(), known.tolist()
        ([True, False, False], [True, True, False])
    """
    words = [status(given_tracking(row)) for row in rows]
    if any(words):
        bad = [word == "BAD" for word in words]
        known = [word in ("GOOD", "BAD") for word in words]
    else:
        bad = [row.get("is_bad") is True for row in rows]
        known = [isinstance(row.get("is_bad"), bool) for row in rows]
    return np.array(bad, dtype=bool), np.array(known, dtype=bool)


def _require_both(bad: Mask) -> None:
    if bad.all() or not bad.any():
        good_count, bad_count = int((~bad).sum()), int(bad.sum())
        raise InputError(
            f"svc learns the difference of good and bad rows and needs both: {good_count} good, "
            f"{bad_count} bad (tracking GOOD or BAD, in a table without tracking is_bad); "
            "--method chooses others"
        )


def _estimator(method: str, contamination: float, nu: float, seed: int) -> Any:
    if method == "envelope":
        from sklearn.covariance import EllipticEnvelope

        return EllipticEnvelope(contamination=contamination, random_state=seed)
    if method == "one-class-svm":
        from sklearn.svm import OneClassSVM

        return OneClassSVM(nu=nu, gamma="scale")
    from sklearn.ensemble import IsolationForest

    return IsolationForest(contamination=contamination, random_state=seed)


def _two_class(values: Array, learned: Mask, bad: Mask) -> Array:
    from sklearn.svm import SVC

    return SVC(gamma="scale").fit(values[learned], bad[learned]).decision_function(values)


def _local_outlier_factor(values: Array, learned: Mask, contamination: float) -> Array:
    """Own factors for the rows that were learned from; scikit-learn's novelty score holds for others only."""
    from sklearn.neighbors import LocalOutlierFactor

    neighbors = min(NEIGHBORS, int(learned.sum()) - 1)
    others = ~learned
    estimator = LocalOutlierFactor(n_neighbors=neighbors, contamination=contamination, novelty=bool(others.any())).fit(
        values[learned]
    )
    scores = np.empty(len(values))
    scores[learned] = estimator.offset_ - estimator.negative_outlier_factor_
    if others.any():
        scores[others] = -estimator.decision_function(values[others])
    return scores
