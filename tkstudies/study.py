"""The table of a study for Python users: everything joined, labelled and sorted, as a DataFrame.

``load_runs`` does on a folder what ``merge``, ``label`` and ``sort`` do in a pipe, with the same functions.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkstudies.analysis.tables.join import Join, LeftRows
from tkstudies.analysis.tables.labelling import EXCLUSIONS, Labelling
from tkstudies.analysis.tables.rightside import LeftSide, NoCommonKey, Table, load_table
from tkstudies.analysis.tables.select import select_columns
from tkstudies.analysis.tables.sort import sorted_lines
from tkstudies.errors import InputError
from tkstudies.jsonl import Given, Reader, Record, Records, decode, write
from tkstudies.records import KEY_COLUMNS

if TYPE_CHECKING:
    import pandas

RUNS = "runs.jsonl"
GLOBAL_RUNS = "global_runs.jsonl"
PROBLEMS = "doctor_problems.jsonl"
FILLS = "oms_fills.jsonl"

OPTIONAL_FILES = {
    GLOBAL_RUNS: "online rows of the global workspace (runreg --workspace global --reco online)",
    "doctor.jsonl": "reference runs and comments of shifters (doctor runs)",
    PROBLEMS: "problem_names (doctor problem-runs)",
    "oms_runs.jsonl": "OMS runs (oms runs)",
    FILLS: "OMS fills (oms fills)",
    "features.jsonl": "histogram features (features)",
}
"""What may be in the folder beside the tracker's rows, in the order in which it is joined."""

TIMES = ("start_time", "end_time", "fill__start_time", "fill__end_time")

_TEXTS = ("reco", "pixel", "strip", "tracking", "runtype", "status_summary", "bad_reason", "good_fraction_of")


class StudyWarning(UserWarning):
    """Something is missing from the table of a study, or was dropped on the way to it."""


def load_runs(folder: str | os.PathLike[str] = "data") -> pandas.DataFrame:
    """The runs of a study, one row per (run_number, reco), from the JSON Lines files of a folder.

    The tracker's rows (``runs.jsonl``, from ``tkstudies runreg``) and, if there, the online rows of the
    global workspace, joined with the other files of ``OPTIONAL_FILES``. Runs with a commissioning row,
    special rows and rows whose state is OPEN are left out. Columns are those of the files (``fill__`` before
    those of fills) and all labels of ``tkstudies label``; rows are sorted by run_number and reco.

    Args:
        folder: Where the files are; each may be gzip or one JSON array, whatever its name.

    Returns:
        Integers as Int64, truth values as boolean, texts as string (all nullable), other numbers as float64,
        start_time, end_time, fill__start_time and fill__end_time as UTC timestamps, lists as they are.

    Raises:
        InputError: There is no ``runs.jsonl``, or a file can't be read or joined.

    Warns:
        StudyWarning: An optional file is missing (its columns are then missing too), or a row or column of
            a file was dropped because the table had it already.
            ``warnings.simplefilter("ignore", StudyWarning)`` silences it.

    Example:
        >>> import pathlib, tempfile, warnings
        >>> row = '{"run_number": 317591, "reco": "express", "run_class_name": "Collisions18"}'
        >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", StudyWarning)  # of the other files
        ...     _ = pathlib.Path(folder, "runs.jsonl").write_text(row)
        ...     runs = load_runs(folder)
        >>> runs[["run_number", "reco", "runtype"]].values.tolist()
        [[317591, 'express', 'collisions']]
    """
    return to_frame(study_records(folder))


def read_records(*files: str | os.PathLike[str]) -> Iterator[Record]:
    """The records of files: JSON Lines or one JSON array, plain or gzip, one file after the other.

    Raises:
        InputError: A file can't be read, or a line is malformed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "runs.jsonl").write_text('{"run_number": 317591}')
        ...     list(read_records(pathlib.Path(folder, "runs.jsonl")))
        [{'run_number': 317591}]
    """
    return iter(Reader(map(str, files)))


def write_records(records: Iterable[Record], file: str | os.PathLike[str]) -> int:
    """Write records as JSON Lines to a file, which appears when it is whole; their number.

    Raises:
        OutputError: The file can't be written.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_records([{"run_number": 317591}], pathlib.Path(folder, "runs.jsonl"))
        1
    """
    return write(records, str(file))


def study_records(folder: str | os.PathLike[str]) -> list[Record]:
    """The rows of `load_runs` as records, with the values as the services sent them."""
    labelled = Labelling(exclude=EXCLUSIONS).rows(Given(_joined(Path(folder))))
    return list(map(decode, sorted_lines(Given(labelled), ("run_number", "reco"))))


def to_frame(records: list[Record]) -> pandas.DataFrame:
    """Records as a DataFrame with the types of `load_runs`; a column for every name in any record.

    Example:
        >>> to_frame([{"a": 1, "b": True, "c": 0.5}, {"a": None, "d": "x"}]).dtypes.astype(str).tolist()
        ['Int64', 'string', 'Int64', 'boolean', 'float64', 'string']
    """
    import pandas

    columns = dict.fromkeys(["run_number", "reco", *(column for record in records for column in record)])
    return pandas.DataFrame({column: _series(column, [record.get(column) for record in records]) for column in columns})


def _series(column: str, values: list[Any]) -> pandas.Series:
    import pandas

    kinds = {type(value) for value in values if value is not None}
    if column in TIMES and kinds <= {str}:
        return pandas.to_datetime(pandas.Series(values, dtype="string"), utc=True, format="ISO8601", errors="coerce")
    if not kinds:
        return pandas.Series(values, dtype=_empty_dtype(column))
    if kinds == {int} and not all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pandas.Series(values, dtype="object")
    dtypes = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
    dtype = dtypes.get(next(iter(kinds)), "object") if len(kinds) == 1 else "object"
    return pandas.Series(values, dtype="float64" if kinds == {int, float} else dtype)


def _empty_dtype(column: str) -> str:
    """The type of a column in which nothing is known, so that one can write conditions on it all the same."""
    if column in _TEXTS:
        return "string"
    if column.startswith(("is_", "has_")):
        return "boolean"
    return "Int64" if column in KEY_COLUMNS else "float64"


def _joined(folder: Path) -> list[Record]:
    """All rows of the tracker and the online ones of the global workspace, with the other files joined."""
    if not (folder / RUNS).exists():
        raise InputError(f"{folder / RUNS}: no such file (tkstudies runreg -o {RUNS} makes it)")
    left: Iterable[Record] = Reader([str(folder / RUNS)])
    missing = [name for name in OPTIONAL_FILES if not (folder / name).exists()]
    if GLOBAL_RUNS not in missing:
        others = Reader([str(folder / GLOBAL_RUNS)])
        left = chain(left, (record for record in others if record.get("reco") == "online"))
    rows = LeftRows(Given(left), ahead=None)
    side = rows.side()
    tables = []
    for name in OPTIONAL_FILES:
        if name == GLOBAL_RUNS or name in missing or not rows:
            continue
        if name == FILLS and "fill_number" not in side.columns:
            missing.append(name)
            continue
        tables.append(_table(folder / name, side))
    if missing:
        names = ", ".join(f"{name} with {OPTIONAL_FILES[name]}" for name in missing)
        warnings.warn(f"{folder}: the table goes without {names}", StudyWarning, stacklevel=4)
    join = Join(rows, tables)
    records = [decode(line) for line in join]
    join.losses().warn(StudyWarning, stacklevel=4)
    return records


def _table(file: Path, left: LeftSide) -> Table:
    records: Records = Reader([str(file)])
    if file.name == PROBLEMS:  # its other columns are those of the doctor's runs
        records = Given(select_columns(records, "run_number", "reco", "problem_names"))
    try:
        return load_table(str(file), records, left)
    except NoCommonKey:
        expected = OPTIONAL_FILES[file.name]
        raise InputError(f"{file}: nothing to join the runs with; expected {expected}") from None
