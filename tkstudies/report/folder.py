"""The folder of a study: which tables are there, how old they are, and what is wrong with them.

What isn't there, can't be read or is old is told on the page; only a folder without any table is an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tkstudies import jsonl
from tkstudies.errors import InputError
from tkstudies.provenance import stamp
from tkstudies.records import Record, RowKey, find_row_key, whole

SOURCES = {
    "runs.jsonl": "tkstudies runreg",
    "oms_runs.jsonl": "tkstudies oms runs",
    "oms_fills.jsonl": "tkstudies oms fills",
    "doctor.jsonl": "tkstudies doctor runs",
    "hists.jsonl": "tkstudies dqm",
    "summaries.jsonl": "tkstudies dqm --summaries",
}
"""What services said -> the command that asks them."""

DERIVED = {
    "features.jsonl": ("tkstudies features hists.jsonl", ("hists.jsonl",)),
    "study.jsonl": ("tkstudies merge", ("runs.jsonl", "oms_runs.jsonl", "features.jsonl")),
    "suspects.jsonl": ("tkstudies suspects study.jsonl", ("study.jsonl",)),
}
"""What was made of others -> the command, and these others."""

EXTRAS = {
    "todo.jsonl": "tkstudies todo",
    "known.jsonl": "known issues: from_run, to_run, subsystem, text",
    "changes.json": "tkstudies compare --learn",
    "oms_lumisections.jsonl": "tkstudies oms lumisections",
    "certhelper.jsonl": "run_number, reco, pixel, strip, tracking of the Certification Helper, by hand",
    "pca.jsonl": "tkstudies pca",
    "errors.jsonl": "tkstudies dqm --errors",
    "failed.jsonl": "commands that failed, as examples/night.sh notes them: command, exit_code",
}
"""What may be there too."""

INSTEAD = {"hists.jsonl": "summaries.jsonl"}
"""What does without another source: features are made of it, where it is there."""

_OLD = 12 * 3600
"""Seconds by which a source may be older than the newest one."""
_SLACK = 60
"""Seconds by which files of one copy may differ."""


@dataclass
class File:
    """A file of the folder.

    Attributes:
        name: Without the folder.
        changed: When it was written [seconds since 1970].
        rows: Its number of records, None if nobody has read it.
        problem: Why it can't be used.
    """

    name: str
    changed: float
    rows: int | None = None
    problem: str = ""

    @property
    def time(self) -> str:
        """When it was written, in UTC."""
        return stamp(datetime.fromtimestamp(self.changed, timezone.utc))


class Folder:
    """The tables of a study.

    Args:
        path: The folder.

    Attributes:
        files: What is there, by name.

    Raises:
        InputError: It is no folder, or has no table of a study.
    """

    def __init__(self, path: str):
        self.path = Path(path)
        if not self.path.is_dir():
            kind = "no such folder" if not self.path.exists() else "not a folder"
            raise InputError(f"{path}: {kind}; report reads the folder that examples/quickstart.sh makes")
        self.files: dict[str, File] = {}
        for name in (*SOURCES, *DERIVED, *EXTRAS):
            file = self.path / name
            if file.is_file():
                self.files[name] = File(name, file.stat().st_mtime)
        if not any(name in self.files for name in (*SOURCES, *DERIVED)):
            raise InputError(f"{path}: no table of a study (runs.jsonl, study.jsonl, suspects.jsonl, ...)")
        self._tables: dict[str, list[Record]] = {}

    def has(self, name: str) -> bool:
        """Is a file there that can be used?"""
        return name in self.files and not self.files[name].problem

    def place(self, name: str) -> str:
        """The path of a file."""
        return str(self.path / name)

    def table(self, name: str) -> list[Record]:
        """The records of a file; none where it isn't there or can't be read (which `troubles` tells)."""
        if name not in self._tables:
            self._tables[name] = list(self.records(name, lambda record: True))
        return self._tables[name]

    def records(self, name: str, is_wanted: Callable[[Record], bool]) -> Iterator[Record]:
        """Some records of a file that needn't be in memory whole."""
        file = self.files.get(name)
        if file is None or file.problem:
            return
        count = 0
        try:
            for record in jsonl.Reader([self.place(name)]):
                count += 1
                if is_wanted(record):
                    yield record
        except InputError as error:
            file.problem = str(error).replace(f"{self.path}{os.sep}", "")
            return
        file.rows = count

    def by_row(self, name: str) -> dict[RowKey, Record]:
        """The records of a file by their row, the first one of each."""
        found: dict[RowKey, Record] = {}
        for record in self.table(name):
            key = find_row_key(*map(record.get, ("run_number", "reco", "lumisection_number")))
            if key is not None:
                found.setdefault(key, record)
        return found

    def runs(self) -> list[int]:
        """The runs of all tables of rows, in order."""
        tables = [self.table(name) for name in ("runs.jsonl", "study.jsonl", "suspects.jsonl")]
        found = {whole(record.get("run_number")) for table in tables for record in table}
        return sorted(run for run in found if run is not None)

    def missing(self) -> list[str]:
        """Tables of a study that aren't there, with the command that makes them."""
        commands = {**SOURCES, **{name: command for name, (command, _) in DERIVED.items()}}
        there = {*self.files, *INSTEAD.values(), *(name for name, other in INSTEAD.items() if other in self.files)}
        return [f"{name} ({command})" for name, command in commands.items() if name not in there]

    def as_of(self) -> str | None:
        """When the oldest source that is there was asked."""
        times = [file.changed for name, file in self.files.items() if name in SOURCES]
        times = times or [file.changed for file in self.files.values()]
        return stamp(datetime.fromtimestamp(min(times), timezone.utc)) if times else None

    def troubles(self) -> list[str]:
        """Sources that failed or are stale, a line each; ask after the tables were read."""
        return [*self._failed(), *self._stale()]

    def _failed(self) -> Iterator[str]:
        for name in (*SOURCES, *DERIVED, *EXTRAS):
            file = self.files.get(name)
            if file is not None and file.problem:
                yield f"{name} can't be used: {file.problem}"
            elif file is not None and file.rows == 0 and name not in EXTRAS:
                yield f"{name} holds no record"
            if (self.path / f"{name}.part").exists():
                yield f"{name}.part is there: {SOURCES.get(name, 'the command that makes it')} didn't come to its end"
        for record in self.table("failed.jsonl"):
            command, code = " ".join(str(record.get("command")).split()), record.get("exit_code")
            yield f"{command} failed{' in part' if code == 3 else ''} (exit code {code})"
        failed = sum(record.get("error") == "failed" for record in self.table("errors.jsonl"))
        if failed:
            yield f"errors.jsonl: {failed:,} histograms couldn't be fetched"

    def _stale(self) -> Iterator[str]:
        times = {name: file.changed for name, file in self.files.items()}
        newest = max((times[name] for name in SOURCES if name in times), default=0.0)
        for name in SOURCES:
            if name in times and newest - times[name] > _OLD:
                hours = (newest - times[name]) / 3600
                yield f"{name} is {hours:,.0f} h older than the newest source: its service may have failed since"
        for name, (command, others) in DERIVED.items():
            sources = {one: INSTEAD[one] if INSTEAD.get(one) in times else one for one in others}
            newer = [one for one in sources.values() if name in times and times.get(one, 0.0) > times[name] + _SLACK]
            if newer:
                for one, source in sources.items():
                    command = command.replace(one, source)
                yield f"{name} is older than {' and '.join(newer)}: run {command} again"
