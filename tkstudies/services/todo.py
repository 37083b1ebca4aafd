"""What is still to certify: rows of the Run Registry that are open or wait, with what a shift leader asks of each.

Each service besides the Run Registry may fail: its columns are null then, which is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tkstudies import console
from tkstudies.console import Losses
from tkstudies.errors import ServiceError
from tkstudies.records import Record, number, picobarns, whole
from tkstudies.services import doctor, oms
from tkstudies.services.dqm.crawl import Sample, samples
from tkstudies.services.dqm.gui import DqmGui
from tkstudies.services.dqm.pairs import pair_of
from tkstudies.services.omslistings import Wanted
from tkstudies.services.registry import v4
from tkstudies.services.registry.query import Query
from tkstudies.services.runselection import Numbers, RunSelection

STATES = ("OPEN", "waiting dqm gui")
"""States of rows that nobody has signed."""

_PROTONS = "PROTONS"
_PB = "pb^{-1}"


@dataclass
class Todo:
    """The rows of a query that are to be certified.

    Attributes:
        query: Which rows of the Run Registry.
        workers: Requests under way at once.
        cookies: A Netscape cookie file to log in with at the Run Registry and OMS.
        losses: What a service didn't tell.
    """

    query: Query
    workers: int = 4
    cookies: str | None = None
    losses: Losses = field(default_factory=Losses)

    def rows(self) -> Iterator[Record]:
        """One record a row, by run number, as soon as the DQM GUI has told of it.

        run_is_complete is also False where the GUI has no file of the row; None only where nobody knows.

        Raises:
            UsageError: The query would read the whole registry.
            LoginError, ServiceError: The Run Registry can't be used.
        """
        how: dict[str, Any] = {"workers": self.workers, "cookies": self.cookies, "losses": self.losses}
        rows = list(v4.rows(replace(self.query, states=STATES), **how))
        if not rows:
            return
        references = self._references()
        luminosities = self._luminosities(sent for sent, _ in rows)
        for (sent, row), sample in zip(rows, self._samples([row for _, row in rows]), strict=True):
            attributes = _attributes(sent)
            duration = number(attributes.get("duration"))
            reference = references.get((row["run_number"], row["reco"]))
            yield {
                **{name: row[name] for name in ("run_number", "reco", "run_type", "rda_state")},
                "run_is_complete": _is_complete(sample),
                "has_reference": None if references.is_unknown else reference is not None,
                "lumisections": row["lumisections"] or whole(attributes.get("ls_duration")),
                "hours": None if duration is None else duration / 3600,
                "recorded_lumi_pb": luminosities.get(row["run_number"]),
                "start_time": attributes.get("start_time"),
                "reference_run_number": reference and reference.get("reference_run_number"),
                "reference_reco": reference and reference.get("reference_reco"),
                "dataset": sample.dataset or None if sample else None,
                "rda_name": row["rda_name"],
                "run_class_name": row["run_class_name"],
            }

    def _references(self) -> _References:
        """The reference runs by (run_number, reco), of the Certification Helper."""
        try:
            listed = list(doctor.references())
        except ServiceError as error:
            self.losses.note(f"no reference runs (has_reference is null): {error}", partial=True)
            return _References(is_unknown=True)
        found = _References()
        for row in listed:
            found.setdefault((whole(row.get("run_number")), row.get("reco")), row)
        return found

    def _luminosities(self, sent: Iterable[dict[str, Any]]) -> dict[int | None, float | None]:
        """The recorded luminosity by run [pb^-1]: of protons the registry's copy, which has no unit, else OMS's own."""
        found: dict[int | None, float | None] = {}
        others: dict[int, None] = {}
        for row in sent:
            attributes, run = _attributes(row), whole(row.get("run_number"))
            if attributes.get("fill_type_runtime") == _PROTONS:
                found[run] = picobarns(attributes.get("recorded_lumi"), _PB)
            elif run is not None and number(attributes.get("recorded_lumi")):
                others[run] = None
        if others:
            selection = RunSelection(Numbers.of(others))
            try:
                for row in oms.runs(selection, Wanted(workers=self.workers, cookies=self.cookies), sequence=None):
                    found[whole(row.get("run_number"))] = number(row.get("recorded_lumi_pb"))
            except ServiceError as error:
                runs = console.counted(len(others), "run")
                self.losses.note(f"no luminosity of {runs} that aren't of protons: {error}", partial=True)
        return found

    def _samples(self, rows: Sequence[Record]) -> Iterator[Sample | None]:
        """Each row's file in the DQM GUI; None from where on the GUI can't be used."""
        done = failed = 0
        try:
            with DqmGui(workers=self.workers) as gui:
                for sample in samples(gui, map(pair_of, rows), check_complete=True):
                    done += 1
                    failed += sample.problem is not None and sample.problem.error == "failed"
                    yield sample
        except ServiceError as error:
            left = console.counted(len(rows) - done, "row")
            self.losses.note(f"the DQM GUI tells nothing of {left} (run_is_complete is null): {error}", partial=True)
            yield from [None] * (len(rows) - done)
        why = "of which the DQM GUI could not be asked (run_is_complete is null)"
        self.losses.add(failed, "row", why, partial=True)


class _References(dict[tuple[int | None, str | None], Record]):
    """Reference runs by the row they are for."""

    def __init__(self, is_unknown: bool = False):
        super().__init__()
        self.is_unknown = is_unknown


def _attributes(sent: dict[str, Any]) -> dict[str, Any]:
    """The registry's copy of what OMS has of the run."""
    run = sent.get("Run")
    attributes = run.get("oms_attributes") if isinstance(run, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _is_complete(sample: Sample | None) -> bool | None:
    if sample is None or sample.pair.reco is None or (sample.problem and sample.problem.error == "failed"):
        return None
    return False if sample.problem else sample.run_is_complete
