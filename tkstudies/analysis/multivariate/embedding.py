"""Maps of a table: t-SNE, which keeps the neighbours of a row near it in few dimensions.

Source: van der Maaten and Hinton, Journal of Machine Learning Research 9 (2008) 2579.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tkstudies.analysis.multivariate.points import Array, Points, reproducible
from tkstudies.errors import InputError

PERPLEXITY = 30.0
SEED = 42


@dataclass
class Embedding:
    """Where the rows lie in the map.

    Attributes:
        coordinates: NaN for rows that have no place, shape (rows, dimensions).
        perplexity: The one that was used.
        divergence: Kullback-Leibler divergence at the end: how badly neighbourhoods are kept.
        warnings: What the user should know before trusting it.
    """

    coordinates: Array
    perplexity: float
    divergence: float
    warnings: list[str] = field(default_factory=list)


def largest_perplexity(rows: int) -> float:
    """The perplexity that so many rows bear: each looks at three times as many neighbours.

    >>> largest_perplexity(31), largest_perplexity(4)
    (10.0, 1.0)
    """
    return max((rows - 1) / 3, 1.0)


def embed(points: Points, dimensions: int = 2, perplexity: float = PERPLEXITY, seed: int = SEED) -> Embedding:
    """Lay out the rows by t-SNE, starting from their principal components.

    Args:
        points: Where the rows lie now.
        dimensions: Of the map, 1 to 3.
        perplexity: How many neighbours a row has, roughly; lowered to what the rows bear.
        seed: Of the random numbers that the start takes.

    Raises:
        InputError: Fewer than four rows, fewer columns than dimensions, or all rows at one point.
    """
    from sklearn.manifold import TSNE

    usable = points.usable
    rows = int(usable.sum())
    if rows < 4:
        raise InputError(f"{rows} rows with values in the columns are too few for a map: at least 4 are needed")
    if len(points.columns) < dimensions:
        raise InputError(
            f"{len(points.columns)} columns ({', '.join(points.columns)}) don't make "
            f"{dimensions} dimensions: choose more with --features"
        )
    used = min(perplexity, largest_perplexity(rows))
    coordinates = np.full((len(usable), dimensions), np.nan)
    with reproducible() as said:
        values = points.scaled(np.ones(len(usable), dtype=bool))
        if (values == values[0]).all():
            raise InputError("all rows have the same values in the columns: there is nothing to map")
        tsne = TSNE(dimensions, perplexity=used, init="pca", random_state=seed, method="barnes_hut")
        coordinates[usable] = tsne.fit_transform(values)
    return Embedding(coordinates, used, float(tsne.kl_divergence_), said)
