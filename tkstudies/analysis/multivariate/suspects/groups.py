"""Rows that may be compared: of one kind of run and of one reconstruction; small groups join those of another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import log
from typing import Any, NamedTuple

from tkstudies.analysis.tables import labels
from tkstudies.records import RecordView as Record
from tkstudies.records import number

COLUMNS = (
    "reco", "runtype", "run_class_name", "is_heavy_ion", "rda_name", "beams", "fill__fill_type_runtime",
    "fill_type_runtime", "energy", "b_field", "source",
)  # fmt: skip
"""What tells the kind of a run."""

EVERYTHING = "all rows"
"""The kind of rows of which no kind is known."""

LEAST = 30
"""Good runs that a group needs."""

LEAST_TO_SHIFT = 5

_SAME_ENERGY = log(1.05)
_FIELD_ON, _FIELD_OFF = 3.0, 0.5  # tesla


class Kind(NamedTuple):
    """What rows of a group share; None where it is unknown. Only ``period`` and ``reco`` may differ from a host's."""

    period: str | None
    reco: str | None
    run_type: str | None
    beams: str | None
    energy: float | None
    field: str | None
    source: str | None
    chosen: tuple[Any, ...] = ()

    @property
    def text(self) -> str:
        """In words.

        >>> Kind(None, "express", "collisions", "protons", 6500.0, "field on", None).text
        'express, collisions, protons, 6500 GeV, field on'
        """
        energy = None if self.energy is None else f"{self.energy:g} GeV"
        parts = (self.period, self.reco, self.run_type, self.beams, energy, self.field, self.source, *self.chosen)
        return ", ".join(str(part) for part in parts if part is not None) or EVERYTHING


def kind_of(row: Record) -> Kind:
    """The kind of a row by itself, with its own energy."""
    return _kind(row, None, ())


def agree(one: Kind, other: Kind) -> bool:
    """Are rows of both kinds of the same reco and, as far as is known, of the same kind of run?

    >>> known = kind_of({"energy": 6500, "b_field": 3.8})
    >>> agree(known, kind_of({"energy": 6499.3})), agree(known, kind_of({"b_field": 0}))
    (True, False)
    """
    if one.reco != other.reco:
        return False
    if one.energy and other.energy and abs(log(one.energy / other.energy)) > _SAME_ENERGY:
        return False
    mine, theirs = one._replace(energy=None)[2:7], other._replace(energy=None)[2:7]
    return all(left is None or right is None or left == right for left, right in zip(mine, theirs, strict=True))


def kinds(rows: Iterable[Record], good: Sequence[bool], since: int | None, by: Iterable[str] = ()) -> list[Kind]:
    """The kind of each row.

    Args:
        rows: With the columns of `COLUMNS` and ``by``, and run_number.
        good: Whether a row is good. Only good rows tell which energies and kinds there are.
        since: A run from which on rows are compared among themselves.
        by: Further columns in which rows of a group agree.
    """
    by = tuple(by)
    cache: dict[tuple[Any, ...], Kind] = {}
    found = []
    for row in rows:
        period = None if since is None else ("since" if (number(row["run_number"]) or 0) >= since else "before")
        key = (period, *(str(row.get(column)) for column in (*COLUMNS, *by)))
        if key not in cache:
            cache[key] = _kind(row, None if period is None else f"{period} run {since}", by)
        found.append(cache[key])
    of_good = Counter(kind for kind, is_good in zip(found, good, strict=True) if is_good)
    energies = _clusters(kind.energy for kind in of_good if kind.energy is not None)
    known = list(dict.fromkeys(_with_energy(kind, energies) for kind in sorted(of_good, key=str)))
    resolved = {kind: _completed(_with_energy(kind, energies), known) for kind in set(found)}
    return [resolved[kind] for kind in found]


def _kind(row: Record, period: str | None, by: tuple[str, ...]) -> Kind:
    reco = row.get("reco")
    run_type = row.get("runtype") or labels.runtype(row)
    cosmics = run_type == "cosmics"
    ions = row["is_heavy_ion"] if row.get("is_heavy_ion") is not None else labels.is_heavy_ion(row)
    beams = next((row[name].lower() for name in COLUMNS[5:8] if isinstance(row.get(name), str)), None)
    if beams is None and ions is not None:
        beams = "ions" if ions else "protons"
    energy = number(row.get("energy"))
    return Kind(
        period,
        reco.lower() if isinstance(reco, str) else None,
        run_type,
        None if cosmics else beams,
        float(energy) if energy and energy > 0 and not cosmics else None,  # a beam may be there while no one looks
        _field(number(row.get("b_field"))),
        row["source"] if isinstance(row.get("source"), str) else None,
        tuple(f"{column} {row.get(column)}" for column in by),
    )


def _field(tesla: float | None) -> str | None:
    if tesla is None:
        return None
    if abs(tesla) >= _FIELD_ON:
        return "field on"
    return "field off" if abs(tesla) < _FIELD_OFF else f"field {abs(tesla):.0f} T"


def _clusters(energies: Iterable[float]) -> list[float]:
    """Energies of which none is within 5 % of another."""
    kept: list[float] = []
    for energy in sorted(energies):
        if not kept or log(energy / kept[-1]) > _SAME_ENERGY:
            kept.append(energy)
    return kept


def _with_energy(kind: Kind, energies: list[float]) -> Kind:
    own = kind.energy
    if own is None or not energies:
        return kind
    nearest = min(energies, key=lambda energy: abs(log(energy / own)))
    return kind._replace(energy=nearest) if abs(log(nearest / own)) <= _SAME_ENERGY else kind


def _completed(kind: Kind, known: list[Kind]) -> Kind:
    """A kind of which something is unknown is the one that agrees with the rest, if there is only one."""
    if kind in known and None not in kind[2:7]:
        return kind
    agreeing = [
        other
        for other in known
        if other[:2] == kind[:2]
        and other.chosen == kind.chosen
        and all(mine is None or mine == theirs for mine, theirs in zip(kind[2:7], other[2:7], strict=True))
    ]
    fuller = [other for other in agreeing if sum(part is None for part in other) < sum(part is None for part in kind)]
    return fuller[0] if len(fuller) == 1 else kind


class Group(NamedTuple):
    """Rows that are judged together.

    Attributes:
        kind: Of the rows that give most of the good ones.
        rows: Places of all rows, in the table.
        joined: Rows of small groups that joined, which are shifted by the difference of the means -> their kind.
    """

    kind: Kind
    rows: list[int]
    joined: dict[Kind, list[int]]

    @property
    def text(self) -> str:
        """In words, with the recos or periods that have joined.

        >>> express = Kind(None, "express", "collisions", None, None, None, None)
        >>> Group(express._replace(reco="prompt"), [0], {express: [1]}).text
        'prompt, collisions, joined by express'
        """
        others = [
            " ".join(str(one) for one, own in zip(kind[:2], self.kind[:2], strict=True) if one != own)
            for kind in self.joined
        ]
        return f"{self.kind.text}, joined by {' and '.join(others)}" if others else self.kind.text


def divide(of_rows: Sequence[Kind], good: Sequence[bool], least: int = LEAST) -> tuple[list[Group], dict[Kind, int]]:
    """The groups that have enough good rows, and the number of good rows of kinds that have not.

    A small group joins the largest that differs in nothing but the period or the reco.
    """
    rows: defaultdict[Kind, list[int]] = defaultdict(list)
    for row, kind in enumerate(of_rows):
        rows[kind].append(row)
    count = Counter(kind for kind, is_good in zip(of_rows, good, strict=True) if is_good)
    large = {kind: Group(kind, rows[kind], {}) for kind in sorted(rows, key=str) if count[kind] >= least}
    small = [kind for kind in sorted(rows, key=lambda kind: (-count[kind], str(kind))) if kind not in large]
    too_small: dict[Kind, int] = {}
    for kind in small:
        hosts = [host for host in large if host[2:] == kind[2:] and not (kind.reco is None or host.reco is None)]
        hosts.sort(key=lambda host: (host.reco != kind.reco, host.period != kind.period, -count[host], str(host)))
        alike = [other for other in small if other[2:] == kind[2:] and other.reco is not None]
        if hosts:
            large[hosts[0]].joined[kind] = rows[kind]
        elif kind.reco is not None and sum(count[other] for other in alike) >= least:
            large[kind] = Group(kind, rows[kind], {})  # the largest of the small ones: the others join it
        else:
            too_small[kind] = count[kind]
    return [*large.values()], too_small
