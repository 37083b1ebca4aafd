"""Models of principal components as files of JSON, and what may be wrong with such a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from tkstudies import __version__
from tkstudies.analysis.multivariate.components import Model
from tkstudies.errors import InputError
from tkstudies.jsonl import convert

FORMAT = "tkstudies-pca-1"


def to_json(model: Model) -> dict[str, Any]:
    """A model as plain JSON values."""
    return {
        "format": FORMAT,
        "tkstudies_version": __version__,
        "rows": model.rows,
        "missing": model.missing,
        "patterns": model.patterns,
        "features": model.features,
        "filler": model.filler.tolist(),
        "mean": model.mean.tolist(),
        "scale": model.scale.tolist(),
        "components": model.components.tolist(),
        "explained_variance": model.variance.tolist(),
        "explained_variance_ratio": model.variance_ratio.tolist(),
        "residual_sums": list(model.residual_sums),
        "constant": model.constant,
    }


def from_json(content: Any, name: str) -> Model:
    """The model that to_json wrote.

    Raises:
        InputError: ``content`` isn't such a model.
    """
    try:
        kind = content.get("format") if isinstance(content, dict) else None
        if kind != FORMAT:
            raise ValueError(f"its format is {kind!r:.40}, not {FORMAT!r}")
        stored = convert(content, _Stored)
        model = Model(
            features=stored.features,
            filler=np.array(stored.filler, dtype=float),
            mean=np.array(stored.mean, dtype=float),
            scale=np.array(stored.scale, dtype=float),
            components=np.array(stored.components, dtype=float),
            variance=np.array(stored.explained_variance, dtype=float),
            variance_ratio=np.array(stored.explained_variance_ratio, dtype=float),
            rows=stored.rows,
            residual_sums=stored.residual_sums,
            missing=stored.missing,
            patterns=stored.patterns,
            constant=stored.constant,
        )
        _check(model)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{name} is not a model of tkstudies pca: {str(error).replace('`', '')}") from None
    return model


class _Stored(msgspec.Struct):
    """A model in its file."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    missing: Literal["zero", "mean", "drop"]
    patterns: list[str]
    features: list[str]
    filler: list[float]
    mean: list[float]
    scale: list[float]
    components: list[list[float]]
    explained_variance: list[float]
    explained_variance_ratio: list[float]
    residual_sums: tuple[float, float, float]
    constant: list[str] = []  # older versions didn't write it


def _check(model: Model) -> None:
    """Refuse arrays that don't fit together, and numbers that no fit gives.

    Raises:
        ValueError: What is wrong.
    """
    width, count = len(model.features), len(model.variance)
    shapes = {model.filler.shape, model.mean.shape, model.scale.shape}
    if shapes != {(width,)} or model.components.shape != (count, width) or model.variance_ratio.shape != (count,):
        raise ValueError("its arrays don't fit together")
    arrays = (model.filler, model.mean, model.scale, model.components, model.variance, model.variance_ratio)
    one, two, three = sums = model.residual_sums
    is_possible = (
        0 < count <= width == len(set(model.features))
        and all(np.isfinite(array).all() for array in (*arrays, np.array(sums)))
        and (model.scale > 0).all()
        and min(*sums, model.variance.min()) >= 0
        and (min(sums) == 0 or (two**3 >= 0.999 * three**2 and two**2 <= 1.001 * one * three))  # of powers of numbers
    )
    if not is_possible:
        raise ValueError("its numbers can't be those of a model")
