"""``python -m benchmarks.plot``: a scatter of 90 points against a bare matplotlib script that draws the same.

Both read JSON Lines, colour the points of each status, add a legend with counts, name three points, and write a PNG.
Then each kind with 100,000 rows, in seconds.
"""

from __future__ import annotations

import json
import random

from benchmarks.duel import duel, folder
from benchmarks.timing import TKSTUDIES, seconds

BARE = """
import json, sys
from collections import defaultdict
from matplotlib.figure import Figure

rows = [json.loads(line) for line in open(sys.argv[1])]
figure = Figure(figsize=(6.8, 4.8), layout="constrained")
ax = figure.subplots()
parts = defaultdict(list)
for row in rows:
    parts[row["tracking"]].append(row)
looks = {"GOOD": ("#3f90da", "o"), "BAD": ("#bd1f01", "X")}
for word, members in parts.items():
    colour, marker = looks[word]
    x, y = [row["pc1"] for row in members], [row["pc2"] for row in members]
    ax.scatter(x, y, s=30, alpha=0.8, color=colour, marker=marker, edgecolors="white", label=f"{word} ({len(x)})")
for row in sorted(rows, key=lambda row: -row["t2"])[:3]:
    ax.annotate(f"{row['run_number']} {row['reco']}", (row["pc1"], row["pc2"]), xytext=(12, 8),
                textcoords="offset points", arrowprops={"arrowstyle": "-"})
ax.set(xlabel="pc1", ylabel="pc2")
ax.grid(True)
figure.legend(title="tracking", loc="outside right upper")
figure.savefig(sys.argv[2], dpi=160)
"""
KINDS = {
    "scatter": [],
    "trend": ["--y", "t2"],
    "control-chart": [],
    "hist": ["--x", "t2", "--hue", "tracking"],
    "box": ["--x", "t2"],
    "count": ["--x", "tracking"],
    "lumi": [],
    "era": [],
    "roc": [],
    "pairs": [],
    "correlation": ["--columns", "pc1,pc2,t2"],
}


def rows(count: int) -> str:
    """So many rows of a study with principal components, as JSON Lines."""
    chance = random.Random(1)
    lines = []
    for n in range(count):
        scores = {"pc1": chance.gauss(0, 3), "pc2": chance.gauss(0, 1), "t2": chance.expovariate(0.5)}
        judged = {"tracking": "BAD" if n % 9 == 0 else "GOOD", "is_bad": n % 9 == 0, "t2_limit_99": 9.0}
        run = {"run_number": 300000 + n // 2, "reco": ["express", "prompt"][n % 2], "fill__era": f"2018{'ABCD'[n % 4]}"}
        time = {"start_time": f"2018-{4 + n % 5:02}-{1 + n % 28:02}T{n % 24:02}:{n % 60:02}:00Z"}
        lumi = {"recorded_lumi": chance.random() * 100, "recorded_lumi_unit": "pb^{-1}"}
        lines.append(json.dumps({**run, **time, **lumi, **scores, "q": chance.random(), **judged}) + "\n")
    return "".join(lines)


def main() -> None:
    """Print both."""
    with folder() as work:
        small, large = work / "small.jsonl", work / "large.jsonl"
        small.write_text(rows(90))
        large.write_text(rows(100_000))
        ours = [TKSTUDIES, "plot", small, "-o", work / "ours.png"]
        duel("plot, 90 points", ours, "bare", BARE, [small, work / "bare.png"], ratio=1.3, rounds=9)
        print("100,000 rows, to reach: 5 s each")
        for kind, options in KINDS.items():
            taken = seconds([TKSTUDIES, "plot", kind, *options, str(large), "-o", str(work / "large.png")])
            print(f"  {kind:16} {taken:6.2f} s")


if __name__ == "__main__":
    main()
