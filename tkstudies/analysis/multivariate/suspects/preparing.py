"""From the columns of a group of rows to the views by which they are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tkstudies.analysis.multivariate.suspects import features as columns_of
from tkstudies.analysis.multivariate.suspects import lumisections
from tkstudies.analysis.multivariate.suspects.findings import Shown
from tkstudies.analysis.multivariate.suspects.groups import LEAST_TO_SHIFT, Group, Kind
from tkstudies.analysis.multivariate.suspects.judging import View
from tkstudies.analysis.multivariate.suspects.strata import Stratum
from tkstudies.analysis.multivariate.suspects.table import Part, Table

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

READY = ("bpix_ready", "fpix_ready", "tibtid_ready", "tob_ready", "tecp_ready", "tecm_ready")
"""Bits of the detector."""

CONDITIONS = ("pileup", "init_lumi", "recorded_lumi", "recorded_lumi_per_lumisection")
"""What features of lumisections depend on: pileup, and the first column of luminosity."""


def shift_to_host(values: Array, kinds: Sequence[Kind], group: Group, is_good: Flags) -> None:
    """Bring the good rows of small groups to where those of their host are.

    Args:
        values: Shape (rows, features); changed in place.
        kinds: Of each row.
    """
    host = np.array([kind == group.kind for kind in kinds], dtype=bool)
    for kind in group.joined:
        mine = np.array([other == kind for other in kinds], dtype=bool)
        known = (~np.isnan(values[mine & is_good])).sum(axis=0)
        with np.errstate(invalid="ignore"):
            shift = lumisections.median(values[host & is_good].T) - lumisections.median(values[mine & is_good].T)
        values[mine] += np.where((known >= LEAST_TO_SHIFT) & ~np.isnan(shift), shift, 0.0)


class Preparing:
    """Prepares rows of a table.

    Args:
        table: The rows, and the others.
        conditions: Columns that the features depend on; if empty those that are usual.

    Attributes:
        conditions: The columns of which the influence is taken away.
    """

    def __init__(self, table: Table, conditions: Sequence[str]):
        self._table = table
        self.conditions = tuple(conditions) or self._usual_conditions()

    def _usual_conditions(self) -> tuple[str, ...]:
        if not self._table.is_of_lumisections:
            return ()
        found = [column for column in CONDITIONS if column in self._table.numbers_in]
        luminosity = [column for column in found if column != "pileup"][:1]
        return tuple(column for column in found if column == "pileup" or column in luminosity)

    def stratum(
        self, part: Part, names: list[str], values: Array, shown: Array, is_good: Flags
    ) -> tuple[Stratum, Shown]:
        """The rows of a group with their views, and what is shown of them.

        Args:
            part: The rows, in time.
            names: The features.
            values: Their numbers, shape (rows, features). shown: The same as they were before a shift.
        """
        if self._table.is_of_lumisections:
            names, values, shown, errors = self._with_shares(part, names, values, shown, is_good)
        else:
            errors = columns_of.errors(part, names, is_good)
        expected, conditions = _expected(part, names), self._conditions(part)
        views = [View(values, errors, expected)]
        if self._table.is_of_lumisections or conditions.size:
            views = [lumisections.Conditioned(values, errors, expected, conditions)]
        if self._table.is_of_lumisections:
            near = lumisections.neighbours(part.runs, is_good, np.ones(len(values), dtype=bool))
            views.append(lumisections.Beside(views[0], near))
        return Stratum(part.runs, is_good, views), Shown(names, shown, values)

    def _with_shares(
        self, part: Part, names: list[str], values: Array, shown: Array, is_good: Flags
    ) -> tuple[list[str], Array, Array, Array]:
        """Names, values, what is shown, and errors, with the entries of each plot beside those of the others."""
        errors = columns_of.errors(part, names, is_good)
        entries = list(dict.fromkeys(columns_of.plot_of(name) + columns_of.ENTRIES for name in names))
        entries = [name for name in entries if name in self._table.numbers_in]
        if len(entries) < 2:
            return names, values, shown, errors
        share, share_errors = lumisections.shares(part.numbers(entries))
        kept = columns_of.usable(share, is_good, np.zeros((len(share), 0)))
        more = [name for name, keep in zip(entries, kept, strict=True) if keep]
        wider = np.hstack([values, share[:, kept]])
        shown = wider if shown is values else np.hstack([shown, share[:, kept]])
        return [*names, *more], wider, shown, np.hstack([errors, share_errors[:, kept]])

    def _conditions(self, part: Part) -> Array:
        """Numbers of the conditions, of luminosities their logarithm, shape (rows, conditions)."""
        numbers = part.numbers(self.conditions)
        for place, column in enumerate(self.conditions):
            if "lumi" in column:
                with np.errstate(invalid="ignore", divide="ignore"):
                    numbers[:, place] = np.where(numbers[:, place] > 0, np.log(numbers[:, place]), np.nan)
        return numbers


def _expected(part: Part, names: Sequence[str]) -> Flags | None:
    """Plots of a detector that was off can't be there: no evidence. None if none was off."""
    off_bits = {column: np.array([value is False for value in part.column(column)], dtype=bool) for column in READY}
    pixel = off_bits["bpix_ready"] | off_bits["fpix_ready"]
    strip = off_bits["tibtid_ready"] | off_bits["tob_ready"] | off_bits["tecp_ready"] | off_bits["tecm_ready"]
    off = {"pixel": pixel, "strip": strip, "tracking": pixel | strip}
    if not off["tracking"].any():
        return None
    return ~np.column_stack([off[columns_of.subsystem(name)] for name in names])
