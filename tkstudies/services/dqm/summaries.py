"""What the index of the DQM GUI says of the histograms of a folder: entries, mean, rms, limits, quality tests; no bins.

One listing (``data/json/archive``) has it for every plot of a folder, from the server's index and not from the
histograms. Source: cms-DQM/dqmgui_prod, src/cpp/DQM/serverext.cc (objectToJSON, axisStatsToJSON) and index.cc: what
ROOT's GetEntries, GetMean and GetRMS gave at the import, the quantities of jsonfairy. The server prints them with six
digits, the entries too (jsonfairy prints all of these).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from tkstudies import jsonl
from tkstudies.errors import ServiceError
from tkstudies.records import Record, number
from tkstudies.services.dqm import repair
from tkstudies.services.web.answers import shaped

QUALITY = {
    30: "other", 50: "disabled", 60: "invalid", 70: "low_statistics", 90: "did_not_run",
    100: "ok", 200: "warning", 300: "error",
}  # fmt: skip
"""Names of the statuses of quality tests, the worst last (src/cpp/DQM/DQMDefinitions.h: higher is more severe)."""

UNTESTED = "untested"
"""The status of a plot without quality tests."""

_TYPE = re.compile(r"TH(?P<dimensions>[123])\w*|TPROF(?P<profile>2?)D?")

_Number = int | float | Annotated[str, msgspec.Meta(pattern="(?i)nan|inf")]
"""A number; one that isn't finite is the text ``NaN or Inf`` or ``Nan or Inf``."""


class _Axis(msgspec.Struct):
    mean: _Number
    rms: _Number
    nbins: int | None = None
    min: int | float | None = None
    max: int | float | None = None


class _Properties(msgspec.Struct):
    type: str = ""


class _Test(msgspec.Struct):
    status: int


class Item(msgspec.Struct):
    """One thing in a folder: a folder, or an object, which is a histogram or has a value."""

    subdir: str | None = None
    obj: str | None = None
    properties: _Properties | None = None
    qresults: list[_Test] | None = None
    nentries: _Number | None = None
    stats: dict[str, _Axis] | None = None
    value: Any = msgspec.UNSET

    @property
    def is_histogram(self) -> bool:
        """Can features be had from it?"""
        if self.obj is None or self.value is not msgspec.UNSET:
            return False
        return self.properties is None or _TYPE.fullmatch(self.properties.type) is not None

    @property
    def quality(self) -> str:
        """The worst status of its quality tests."""
        worst = max((test.status for test in self.qresults or ()), default=None)
        return UNTESTED if worst is None else QUALITY.get(worst, "other")

    def hist(self) -> bytes:
        """The histogram as jsonfairy has it, as one line of JSON, without bins.

        Raises:
            ServiceError: The server says nothing of it.
        """
        kind = _TYPE.fullmatch(self.properties.type) if self.properties else None
        dimensions = int(kind["dimensions"] or kind["profile"] or 1) if kind else 1
        axes = {name.upper(): axis for name, axis in (self.stats or {}).items() if name in "xyz"[:dimensions]}
        if kind is None or len(axes) < dimensions or self.nentries is None:
            raise ServiceError("the DQM GUI lists it without its entries, mean and rms: fetch it without --summaries")
        try:
            entries = None if isinstance(self.nentries, str) else number(float(self.nentries))
        except OverflowError:
            entries = None
        hist: Record = {
            "type": f"TH{dimensions}" if kind["dimensions"] else f"TProfile{kind['profile']}".replace("2", "2D"),
            "is_summary": True,
            "stats": {
                "entries": entries,
                "mean": {name: {"value": number(axis.mean)} for name, axis in axes.items()},
                "rms": {name: {"value": number(axis.rms)} for name, axis in axes.items()},
            },
        }
        for name, axis in axes.items():
            first = {"id": 1, "value": number(axis.min)}
            hist[f"{name.lower()}axis"] = {"first": first, "last": {"id": axis.nbins, "value": number(axis.max)}}
        return jsonl.encode(hist)


class _Folder(msgspec.Struct):
    contents: list[Item]


_decode = msgspec.json.Decoder(_Folder).decode


def read_listing(content: bytes) -> list[Item]:
    """What is in a folder, from the answer of the server.

    Raises:
        repair.Unreadable, answers.Unusable: It is another kind of answer.

    Example:
        >>> axis = '{"nbins": 2, "mean": 1.5, "rms": "Nan or Inf", "min": 0, "max": 4}'
        >>> item = '{"obj": "a", "properties": {"type": "TH1F"}, "nentries": 9, "stats": {"x": %s}}' % axis
        >>> found = read_listing(b'{"contents": [{"subdir": "b"}, %s]}' % item.encode())
        >>> found[0].subdir, found[1].quality
        ('b', 'untested')
        >>> print(found[1].hist().decode()[:107])
        {"type":"TH1","is_summary":true,"stats":{"entries":9.0,"mean":{"X":{"value":1.5}},"rms":{"X":{"value":null}
    """
    try:
        return _decode(content).contents
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return shaped(repair.loads(content), _Folder).contents
