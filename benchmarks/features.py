"""``python -m benchmarks.features``: mean, rms, entries and integral of 34,000 histograms, against orjson."""

from __future__ import annotations

from benchmarks import data
from benchmarks.duel import duel, folder
from benchmarks.timing import TKSTUDIES

ORJSON_LOOP = """
import sys, orjson
rows = {}
with open(sys.argv[1], "rb") as stream:
    for line in stream:
        record = orjson.loads(line)
        hist, name = record["hist"], record["plot"].rpartition("/")[2]
        row = rows.setdefault((record["run_number"], record["reco"]), {})
        row[name + ".mean"] = hist["stats"]["mean"]["X"]["value"]
        row[name + ".rms"] = hist["stats"]["rms"]["X"]["value"]
        row[name + ".entries"] = hist["stats"]["entries"]
        row[name + ".integral"] = hist["bins"]["integral"]
for (run, reco), row in rows.items():
    sys.stdout.buffer.write(orjson.dumps({"run_number": run, "reco": reco, **row}) + b"\\n")
"""


def main() -> None:
    """The histograms of 448 (run, reco) pairs, 77 each."""
    with folder() as where:
        file = where / "histograms.jsonl"
        data.histograms(file, 34_500)
        duel(
            f"features: {file.stat().st_size / 2**20:.0f} MB of histograms",
            [TKSTUDIES, "features", file],
            "a loop over orjson's dicts",
            ORJSON_LOOP,
            [file],
            ratio=0.6,
            memory=30 + 4,  # the result
        )


if __name__ == "__main__":
    main()
