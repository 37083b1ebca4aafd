"""The (run, reco) pairs of a crawl: read from records or from the lines of a runs.txt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tkstudies import console, jsonl
from tkstudies.errors import WrongRecord
from tkstudies.records import Record, whole
from tkstudies.services.recos import reco_word

_RUNS_TXT = re.compile(rb"(\d+)[\s,;]+([A-Za-z]\w*)(?:[\s,;]+(\S.*))?")
_CLASS_FIELDS = ("run_class_name", "run_type", "runtype", "rda_name", "doctor_runtype")


class Pair(NamedTuple):
    """One (run, reco) whose histograms are wanted, and what its record says of the datasets.

    Attributes:
        run_number: The run.
        reco: Its reconstruction, one of recos.RECOS if it is known; None if the record has none.
        is_cosmics: Did the run take cosmics? None if the record doesn't say.
        rda_name: The registry's name of the dataset, empty if unknown.
        gui_datasets: The datasets of the run in the DQM GUI, as far as the registry knows them.
    """

    run_number: int
    reco: str | None
    is_cosmics: bool | None = None
    rda_name: str = ""
    gui_datasets: tuple[str, ...] = ()


def parse_line(line: bytes) -> Record:
    """A record from a line of JSON, or from ``RUN RECO [CLASS]``.

    >>> parse_line(b"321012 Express")
    {'run_number': 321012, 'reco': 'Express'}
    """
    found = _RUNS_TXT.fullmatch(line)
    if not found:
        return jsonl.decode(line)
    run, reco, run_class = found.groups()
    record = {"run_number": int(run), "reco": reco.decode()}
    return {**record, "run_class_name": run_class.decode("utf-8", "replace")} if run_class else record


class PairLines:
    """How ``jsonl.Reader.parsed`` reads what pairs come from: records, or the lines of a runs.txt."""

    decode = staticmethod(parse_line)

    @staticmethod
    def from_record(record: Record) -> Record:
        """The record itself."""
        return record


def pair_of(record: Record) -> Pair:
    """The pair that a record is about.

    Raises:
        WrongRecord: It has no run number.
    """
    run_number = whole(record.get("run_number"))
    if run_number is None:
        raise WrongRecord(f"a record without run_number: {jsonl.quoted(jsonl.encode(record))}")
    gui_datasets = record.get("gui_datasets")
    return Pair(
        run_number,
        _reco(record.get("reco")),
        _is_cosmics(str(record.get(field) or "") for field in _CLASS_FIELDS),
        str(record.get("rda_name") or ""),
        tuple(map(str, gui_datasets)) if isinstance(gui_datasets, list) else (),
    )


def reference_of(record: Record) -> Pair | None:
    """The pair of the reference run that a record names, in the reconstruction of the record itself."""
    reference = whole(record.get("reference_run_number"))
    if reference is None:
        return None
    is_cosmics = _is_cosmics([str(record.get("reference_runtype") or "")])
    return Pair(reference, _reco(record.get("reco")), pair_of(record).is_cosmics if is_cosmics is None else is_cosmics)


def distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """Each (run, reco) once, in order; the first record of a pair counts.

    Two re-reconstructions of a run share its key: that the second is left out is told.
    """
    found: dict[tuple[int, str | None], Pair] = {}
    others = 0
    for pair in pairs:
        first = found.setdefault((pair.run_number, pair.reco), pair)
        others += pair.reco != "online" and bool(pair.rda_name) and pair.rda_name != first.rda_name
    if others:
        rows = console.counted(others, "row")
        console.warn(f"{rows} of a (run, reco) that came before under another rda_name: the first is taken")
    return list(found.values())


def _reco(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    return reco_word(value)


def _is_cosmics(texts: Iterable[str]) -> bool | None:
    text = " ".join(texts).lower()
    if "cosmics" in text:
        return True
    return False if "collisions" in text else None
