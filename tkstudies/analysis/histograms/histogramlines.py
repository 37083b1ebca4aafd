"""The fast way from encoded histogram records to a `FeatureTable`: the bins are skipped, not decoded.

msgspec decodes the few members of a typed Struct and only validates the rest. A line that doesn't have the
usual types is decoded in full instead, so that the result is that of `FeatureTable.add` for every line.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from tkstudies.analysis.histograms.features import SERVER_STATISTICS, FeatureTable, finite, integral
from tkstudies.jsonl import decode as decode_record

_Value = int | float | str | None


class _Number(msgspec.Struct):
    value: _Value = None


class _Axes(msgspec.Struct):
    X: _Number | None = None
    Y: _Number | None = None


class _Stats(msgspec.Struct):
    entries: _Value = None
    mean: _Axes | None = None
    rms: _Axes | None = None
    underflow: _Value = None
    overflow: _Value = None


class _Bins(msgspec.Struct):
    integral: int | float | str | list[Any] | None = None


class _Hist(msgspec.Struct):
    stats: _Stats | None = None
    bins: _Bins | None = None


class _Record(msgspec.Struct):
    run_number: int
    reco: str | None = None
    lumisection_number: int | None = None
    plot: str | None = None
    name: str | None = None
    hist: _Hist | str | None = None


def line_adder(table: FeatureTable) -> Callable[[bytes], None]:
    """A function that takes in one encoded record, as `FeatureTable.add` does with a decoded one.

    Skips the bins if the table wants nothing of them.

    Raises (the function):
        WrongRecord: The record doesn't say which run or which plot.
        BadRecord: The line is no JSON object.

    Example:
        >>> table = FeatureTable(["entries"])
        >>> line_adder(table)(b'{"run_number": 1, "plot": "/a", "hist": {"stats": {"entries": 5}}}')
        >>> list(table.rows())
        [{'run_number': 1, 'reco': None, 'a.entries': 5}]
    """

    def add_decoded(line: bytes) -> None:
        table.add(decode_record(line))

    if table.content or not SERVER_STATISTICS.keys() >= set(table.names):
        return add_decoded
    decode = msgspec.json.Decoder(_Record).decode
    getters = [_getter(SERVER_STATISTICS[name]) for name in table.names]

    def add_line(line: bytes) -> None:
        try:
            record = decode(line)
        except msgspec.MsgspecError:
            return add_decoded(line)
        hist = record.hist
        values = tuple([get(hist) for get in getters]) if isinstance(hist, _Hist) else None
        lumisection = record.lumisection_number
        table.insert(record.run_number, record.reco, lumisection, record.plot or record.name, values)

    return add_line


def _getter(path: tuple[str, ...]) -> Callable[[_Hist], int | float | None]:
    convert = integral if path[-1] == "integral" else finite
    member = attrgetter(".".join(path))

    def get(hist: _Hist) -> int | float | None:
        try:
            return convert(member(hist))
        except AttributeError:  # a member on the way is null
            return None

    return get
