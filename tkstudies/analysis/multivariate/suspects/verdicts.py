"""What is said of a row, and of how all rows were judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from tkstudies.analysis.multivariate.suspects import good
from tkstudies.analysis.multivariate.suspects.findings import Finding


@dataclass
class Verdict:
    """What is said of a row; None where nothing is.

    Attributes:
        reason: Why it isn't judged.
        history: With how many good rows it was compared.
        is_mixed: Whether some of them are of another reco.
        comparison_z: How unusual its plots are beside those of its reference.
        is_compared: Whether that could be brought to the scale of the other measures.
    """

    score: float | None = None
    p_value: float | None = None
    flagged_by: str | None = None
    subsystem: str | None = None
    findings: list[Finding] = field(default_factory=list)
    low_statistics: bool | None = None
    reason: str | None = None
    history: int = 0
    is_mixed: bool = False
    comparison_z: float | None = None
    is_compared: bool = False

    @property
    def least_unusual(self) -> int:
        """How many of the rows of its history are less unusual than it is."""
        return 0 if self.p_value is None else self.history + 1 - round(self.p_value * (self.history + 1))


@dataclass
class Told:
    """What a user should know of how rows were judged.

    Attributes:
        rule: How good rows were told.
        good: Number of good rows. repeated: Those beside them that came before.
        groups: Name of each group and its number of good rows.
        not_judged: Reasons, and of how many rows.
        left_out: Features that were left out, and why.
        behind: Runs between the last good one and the last one.
    """

    rule: good.Rule
    good: int = 0
    repeated: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    not_judged: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    features: int = 0
    behind: int = 0
