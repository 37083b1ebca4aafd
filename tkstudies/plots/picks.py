"""What a user may choose of all kinds that draw histograms; light, for ``tkstudies plot --help`` reads it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from tkstudies.plots.options import Option

PlotPattern = Annotated[str, Option("--plot", "Plots like this: a path, name or feature, with * and ?.", "PATTERN")]
Runs = Annotated[list[str] | None, Option("--run", "Draw these runs, such as 317434,317500-317510.", "RUNS")]
Recos = Annotated[list[str] | None, Option("--reco", "Draw these reconstructions (repeatable).", "RECO")]
ReferenceRuns = Annotated[
    list[str] | None,
    Option(
        "--reference-run", "The references of every run, such as 317480,317527 [that which its record names].", "RUNS"
    ),
]
ReferenceFiles = Annotated[
    list[str] | None, Option("--reference", "Histograms of the reference runs (repeatable).", "FILE")
]
Top = Annotated[int | None, Option("--top", "No more pictures than this [50 pages in a .pdf].", "N", minimum=1)]


class Below(str, Enum):
    """What stands below a histogram."""

    ratio = "ratio"
    pull = "pull"
    none = "none"
