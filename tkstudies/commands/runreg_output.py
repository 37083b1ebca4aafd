"""What ``tkstudies runreg`` writes of a row, and what it says of all rows as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tkstudies import console, jsonl
from tkstudies.records import Record

Row = tuple[Record, Record]
"""A row as the server sent it, and as we write it."""

_RECO_WORDS = {"online": "Online", "express": "Express", "prompt": "Prompt", "rereco": "ReReco", "rerecoul": "ReRecoUL"}


def record_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """Our records."""
    return (jsonl.encode(record) for _, record in rows)


def raw_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """The server's own objects, flattened."""
    from tkstudies.services.registry.records import flattened

    return (jsonl.encode(flattened(sent)) for sent, _ in rows)


def runs_txt_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """``RUN RECO CLASS``, once for each run and reconstruction; CLASS is Collisions, Cosmics, ..."""
    seen: set[tuple[int, str]] = set()
    without_reco = 0
    for _, record in rows:
        key = record["run_number"], record["reco"]
        without_reco += record["reco"] is None
        if record["reco"] is None or key in seen:
            continue
        seen.add(key)
        words = [str(record["run_number"]), _RECO_WORDS[record["reco"]], record["run_type"]]
        yield " ".join(word for word in words if word).encode()
    if without_reco:
        console.say(f"{console.counted(without_reco, 'row')} without a known reconstruction left out of the list")


class Census:
    """What a reader of the rows should know about them as a whole."""

    def __init__(self) -> None:
        self._rows = self._hardly_good = 0
        self._keys: Counter[tuple[int, str]] = Counter()

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they pass."""
        from tkstudies.services.registry.fields import COMPONENTS
        from tkstudies.services.registry.records import LOW_FRACTION

        for sent, record in rows:
            self._rows += 1
            if record["reco"]:
                self._keys[record["run_number"], record["reco"]] += 1
            self._hardly_good += any(
                record[name] == "GOOD" and record.get(f"{name}_good_fraction", 1.0) < LOW_FRACTION
                for name in COMPONENTS
            )
            yield sent, record

    def noted(self) -> list[Any]:
        """What `absorb` takes, as JSON; of runs with several datasets only."""
        repeated = [[*key, number] for key, number in self._keys.items() if number > 1]
        return [self._rows, self._hardly_good, repeated]

    def absorb(self, noted: list[Any]) -> None:
        """Count the rows of a part in, of other runs."""
        rows, hardly_good, repeated = noted
        self._rows += rows
        self._hardly_good += hardly_good
        self._keys.update({(run, reco): number for run, reco, number in repeated})

    def report(self, shows_statuses: bool) -> None:
        """Say it; about the statuses of components only to those who see them."""
        console.say(f"{console.counted(self._rows, 'row')} of the Run Registry")
        if self._hardly_good and shows_statuses:
            console.say(
                f"{console.counted(self._hardly_good, 'row')} GOOD by the rule with less than 95 % GOOD "
                "lumisections in pixel, strip or tracking: see *_good_fraction, or take another --status-rule"
            )
        repeated = [key for key, number in self._keys.items() if number > 1]
        if repeated:
            shown = console.listed((f"{run} {reco}" for run, reco in repeated), most=3)
            console.warn(
                f"{console.counted(len(repeated), 'run and reco')} with several datasets, told apart by "
                f"rda_name ({shown}): merge takes the first"
            )
