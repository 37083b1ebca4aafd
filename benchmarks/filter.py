"""``python -m benchmarks.filter``: half of 200,000 rows kept, against polars."""

from __future__ import annotations

from benchmarks import data
from benchmarks.duel import duel, folder
from benchmarks.timing import TKSTUDIES

POLARS = """
import sys, polars
polars.scan_ndjson(sys.argv[1]).filter(polars.col("pixel") == "GOOD").sink_ndjson("/dev/null")
"""


def main() -> None:
    """One size, and a quarter of it: memory must be the same."""
    with folder() as where:
        for rows in (50_000, 200_000):
            file = where / "runs.jsonl"
            data.runs(file, rows)
            duel(
                f"filter: {rows:,} rows of 71 columns",
                [TKSTUDIES, "filter", "-i", file, "pixel = GOOD"],
                "polars",
                POLARS,
                [file],
                ratio=0.6,
                memory=30,
            )


if __name__ == "__main__":
    main()
