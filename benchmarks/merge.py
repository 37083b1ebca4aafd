"""``python -m benchmarks.merge``: joins of 200,000 rows, against dicts of orjson."""

from __future__ import annotations

from benchmarks import data
from benchmarks.duel import duel, folder
from benchmarks.timing import TKSTUDIES

ORJSON_LOOP = """
import sys, orjson
left, *rights = sys.argv[1:]
tables = []
for name in rights:
    rows, keys, prefix = {}, None, ""
    with open(name, "rb") as stream:
        for line in stream:
            row = orjson.loads(line)
            if keys is None:
                keys = [key for key in ("run_number", "reco") if key in row] or ["fill_number"]
                prefix = "fill__" if keys == ["fill_number"] else ""
            key = tuple([row.pop(key) for key in keys])
            rows.setdefault(key, {prefix + column: row[column] for column in row} if prefix else row)
    tables.append((keys, rows))
with open(left, "rb") as stream:
    for line in stream:
        row = orjson.loads(line)
        for keys, rows in tables:
            found = rows.get(tuple([row.get(key) for key in keys]))
            if found:
                row.update(found)
        sys.stdout.buffer.write(orjson.dumps(row) + b"\\n")
"""


def main() -> None:
    """A study with its runs and fills, and one with a large table of features."""
    with folder() as where:
        left, oms, fills, features = (where / f"{name}.jsonl" for name in ("left", "oms", "fills", "features"))
        data.runs(left, 200_000)
        data.oms_runs(oms, 66_000)
        data.fills(fills, 3_300)
        duel(
            "merge: 200,000 rows of 71 columns with OMS and fills",
            [TKSTUDIES, "merge", "-i", left, oms, fills],
            "a loop over orjson's dicts",
            ORJSON_LOOP,
            [left, oms, fills],
            ratio=1.1,
            memory=250,
        )
        data.runs(left, 40_000)
        data.features(features, 40_000)
        size = features.stat().st_size / 2**20
        duel(
            f"merge: a right-hand table of {size:.0f} MB",
            [TKSTUDIES, "merge", "-i", left, features],
            "a loop over orjson's dicts",
            ORJSON_LOOP,
            [left, features],
            ratio=0.6,
            memory=1.2 * size,
        )


if __name__ == "__main__":
    main()
