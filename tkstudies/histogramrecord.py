"""The one reading of a histogram record, for all who work on them: features, comparisons, maps, crawls that go on.

A record is ``{"run_number": 321012, "reco": "express", "dataset": ..., "plot": "/Tracking/...", "name": ...,
"hist": {...}}``, of a lumisection with a lumisection_number. ``hist`` is the object of the DQM GUI's jsonfairy
answer; for a plot that the run doesn't have it is the text ``unsupported type``. The bins stay encoded until
somebody wants them: most only want the few numbers of ``stats``. A summary (``tkstudies dqm --summaries``) has
``"is_summary": true`` in ``hist`` and no bins; its record may have a ``quality_test``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from tkstudies.errors import WrongRecord
from tkstudies.jsonl import convert, decode_value
from tkstudies.records import RowKey, row_key, whole

Scalar = int | float | str | None
"""A number; the server writes ``"nan"`` and ``"inf"`` as texts."""

_NOTHING = msgspec.Raw(b"null")


class Number(msgspec.Struct):
    """A number of an axis."""

    value: Scalar = None


class Axes(msgspec.Struct):
    """A number for each axis."""

    X: Number | None = None
    Y: Number | None = None


class Stats(msgspec.Struct):
    """The server's own statistics."""

    entries: Scalar = None
    mean: Axes | None = None
    rms: Axes | None = None
    underflow: Scalar = None
    overflow: Scalar = None


class Bins(msgspec.Struct):
    """What the bins hold; the integral of a 2-D histogram is a table of below, inside and above."""

    integral: int | float | str | list[Any] | None = None
    content: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    width: msgspec.Raw = _NOTHING


class Hist(msgspec.Struct):
    """A histogram as the DQM GUI serves it; one with a root_class is an object of JSROOT instead."""

    type: str | None = None
    root_class: str | None = msgspec.field(default=None, name="_typename")
    errorStyle: str | None = None
    is_summary: bool | None = None
    stats: Stats | None = None
    bins: Bins | None = None
    xaxis: msgspec.Raw = _NOTHING
    yaxis: msgspec.Raw = _NOTHING

    @property
    def is_profile(self) -> bool:
        """Do the bins hold means rather than counts?"""
        return (self.type or "").startswith("TProfile")

    @property
    def is_empty(self) -> bool:
        """Is there nothing in it that we can read?"""
        return self.stats is None and self.bins is None


class HistogramRecord(msgspec.Struct):
    """One histogram of a run, or of a lumisection."""

    run_number: int
    reco: str | None = None
    lumisection_number: int | None = None
    dataset: str | None = None
    plot: str | None = None
    name: str | None = None
    reference_run_number: int | None = None
    hist: Hist | str | None = None
    quality_test: str | None = None

    @classmethod
    def decode(cls, line: bytes) -> HistogramRecord:
        """The record of a line that has the usual types; others are left to `from_record`.

        Raises:
            msgspec.DecodeError: It isn't one.
        """
        record = _decode(line)
        return record if record.plot or record.name else cls.from_record(decode_value(line))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> HistogramRecord:
        """The same of a decoded record, whatever else is in it: members of other types are as good as absent.

        Raises:
            WrongRecord: It doesn't say which run or which plot.

        Example:
            >>> HistogramRecord.from_record({"run_number": "1", "plot": "/a/b", "hist": "unsupported type"}).label
            '/a/b'
        """
        plot = record.get("plot") or record.get("name")
        if "_typename" in record:
            kind = f"{record['_typename']!s:.40}"
            raise WrongRecord(f"not a histogram record but an object of JSROOT ({kind}, as jsrootfairy answers)")
        if not isinstance(plot, str):
            shown = f"run_number {record.get('run_number')!r:.80}, plot {plot!r:.80}"
            raise WrongRecord(f"not a histogram record: {shown}")
        run_number, reco, lumisection = row_key(record, "histogram record")
        hist = record.get("hist")
        return cls(
            run_number,
            reco,
            lumisection,
            _text(record.get("dataset")),
            _text(record.get("plot")),
            _text(record.get("name")),
            whole(record.get("reference_run_number")),
            as_hist(hist) if isinstance(hist, dict) else _text(hist),
            _text(record.get("quality_test")),
        )

    @property
    def key(self) -> RowKey:
        """Whose histogram it is."""
        return RowKey(self.run_number, self.reco, self.lumisection_number)

    @property
    def label(self) -> str:
        """The path of the plot, else its name."""
        return self.plot or self.name or ""

    @property
    def is_summary(self) -> bool:
        """Has it numbers only, and no bins?"""
        return isinstance(self.hist, Hist) and self.hist.is_summary is True


_decode = msgspec.json.Decoder(HistogramRecord).decode

Struct = TypeVar("Struct", bound=msgspec.Struct)

_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "stats": Stats, "bins": Bins, "mean": Axes, "rms": Axes, "X": Number, "Y": Number,
}  # fmt: skip


def as_hist(hist: Any) -> Hist | None:
    """``hist`` of a record, decoded or not, as a histogram; None if it is none.

    Example:
        >>> as_hist({"type": "TH1", "stats": {"entries": 9, "mean": []}, "bins": {"content": [1, 2]}}).stats
        Stats(entries=9, mean=None, rms=None, underflow=None, overflow=None)
        >>> as_hist("unsupported type")
    """
    if isinstance(hist, Hist):
        return hist
    return _fitting(Hist, hist) if isinstance(hist, dict) else None


def _fitting(kind: type[Struct], members: Mapping[str, Any]) -> Struct:
    """A Struct of those members that have the types it expects."""
    found: dict[str, Any] = {}
    for field in _fields(kind):
        value = members.get(field.encode_name)
        if field.type is msgspec.Raw:
            found[field.name] = value  # decoded already: `member` takes both
        elif field.name in _STRUCTS:
            found[field.name] = _fitting(_STRUCTS[field.name], value) if isinstance(value, dict) else None
        else:
            try:
                found[field.name] = convert(value, field.type)
            except msgspec.ValidationError:
                found[field.name] = None
    return kind(**found)


@lru_cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The members of a Struct, which msgspec finds out anew each time."""
    return msgspec.structs.fields(kind)


def member(value: Any) -> Any:
    """The value of a member, encoded or not."""
    return decode_value(bytes(value)) if isinstance(value, msgspec.Raw) else value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
