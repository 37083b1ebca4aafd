"""``python -m benchmarks.pca``: principal components of N x 308, against scikit-learn and polars."""

from __future__ import annotations

from pathlib import Path

from benchmarks import data
from benchmarks.duel import duel, folder
from benchmarks.timing import PYTHON, TKSTUDIES

WIDTH, CHUNK = 308, 1024

OURS = f"""
import sys
import numpy as np
from tkstudies.analysis.multivariate.components import fit

def chunks():
    with open(sys.argv[1], "rb") as stream:
        while (part := np.fromfile(stream, count={CHUNK * WIDTH})).size:
            yield part.reshape(-1, {WIDTH})

model = fit(chunks(), [str(n) for n in range({WIDTH})], 5, np.zeros({WIDTH}))
with open(sys.argv[2], "wb") as output:
    for chunk in chunks():
        (model.standardised(chunk) @ model.components.T).tofile(output)
"""

SCIKIT_LEARN = f"""
import sys
import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
values = np.fromfile(sys.argv[1]).reshape(-1, {WIDTH})
PCA(5).fit_transform(StandardScaler().fit_transform(values)).tofile(sys.argv[2])
"""

ONE_CORE = ["env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"]
POLARS = """
import os
os.environ["POLARS_MAX_THREADS"] = "1"
import sys, polars
table = polars.read_ndjson(sys.argv[1])
table.select([name for name in table.columns if name.startswith("feature")]).to_numpy()
"""


def main() -> None:
    """Computing alone at two sizes, then the whole way from JSON Lines."""
    with folder() as where:
        numbers, output = where / "numbers", where / "scores"
        for rows, ratio in ((20_000, 0.15), (300_000, 0.4)):
            _write_numbers(numbers, rows)
            duel(
                f"pca, computing: {rows:,} x {WIDTH}",
                [PYTHON, "-c", OURS, numbers, output],
                "scikit-learn",
                SCIKIT_LEARN,
                [numbers, output],
                ratio=ratio,
                memory=80,
                rounds=5 if rows < 100_000 else 3,
            )
        numbers.unlink()
        file = where / "features.jsonl"
        data.features(file, 40_000, WIDTH)
        duel(
            f"pca from {file.stat().st_size / 2**20:.0f} MB of JSON Lines, one core each",
            [*ONE_CORE, TKSTUDIES, "pca", file, "-o", output],
            "polars, reading into a matrix",
            POLARS,
            [file],
            ratio=1.3,
            memory=80,
        )


def _write_numbers(file: Path, rows: int) -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    mixture = rng.normal(size=(WIDTH, WIDTH))
    with open(file, "wb") as stream:
        for _ in range(0, rows, 1000):
            (rng.normal(size=(1000, WIDTH)) @ mixture).tofile(stream)


if __name__ == "__main__":
    main()
