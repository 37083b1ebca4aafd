"""What the index of the DQM GUI says of a histogram: the objects of ``data/json/archive``, without bins.

Sources: cms-DQM/dqmgui_prod, src/cpp/DQM/serverext.cc (objectToJSON, axisStatsToJSON), index.cc (what is stored) and
DQMDefinitions.h (codes of quality tests). The server prints the numbers with ``%g``: six digits, of the entries too
(classlib, StringFormat::arg(double)). ``digits`` says how many the entries get here.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

_TYPES = {"TH1": "TH1F", "TH2": "TH2F", "TProfile": "TPROF", "TProfile2D": "TPROF2D"}
_KIND = re.compile(r'"type":"(\w+)"')
_ENTRIES = re.compile(r'"entries":([\d.]+)')
_MOMENTS = re.compile(r'"mean":\{(.*?)\},"rms":\{(.*?)\},"underflow"')
_VALUE = re.compile(r'"([XY])":\{"value":("?[^,"]+)')
_AXIS = re.compile(r'"([xy])axis":\{.*?"first":\{"id":1,"value":([^}]+)\},"last": \{"id":(\d+),"value":([^}]+)\}')
_NO_AXIS = '{ "nbins": 0, "mean": 0, "rms": 0, "min": 0, "max": 0 }'

OK, WARNING, ERROR, DID_NOT_RUN = 100, 200, 300, 90

_EXPECTED = {  # the test of a plot: its name, and what the mean has to be
    "NumberOfRecHitsPerTrack_GenTk": ("Hits per Track", 14.6),
    "NumberOfRecHitsPerTrack_Pixel_GenTk": ("Pixel's Hits", 3.3),
    "Chi2oNDF_GenTk": ("Track chi2", 1.08),
    "NumberOfRecHitsPerTrack_CKFTk": ("Hits per Track", 19.0),
}


def scalar(name: str, path: str, value: str) -> str:
    """The object of a scalar."""
    stats = f'"stats": {{ "x": {_NO_AXIS}, "y": {_NO_AXIS}, "z": {_NO_AXIS} }}'
    return (
        f'{{"obj": {json.dumps(name)}, "path": {json.dumps(path)}, {_properties("SCALAR", "STRING", 0)},"tag": 0,'
        f' "qresults": [], "nentries": 0, {stats}, "value": {json.dumps(value)}}}\n'
    )


@lru_cache(maxsize=20_000)
def summary(name: str, path: str, jsonfairy: str, digits: int | None = None) -> str:
    """The object of the histogram that jsonfairy answers with such a text."""
    kind = _first(_KIND, jsonfairy)
    sent = _first(_ENTRIES, jsonfairy).rstrip("0").rstrip(".") or "0"
    entries = float(sent)
    means, spreads = (dict(_VALUE.findall(part)) for part in _MOMENTS.search(jsonfairy).groups())
    axes = {axis.upper(): limits for axis, *limits in _AXIS.findall(jsonfairy)}
    stats = ", ".join(
        f'"{axis.lower()}": {_axis(axes.get(axis), means.get(axis, "0"), spreads.get(axis, "0"))}' for axis in "XYZ"
    )
    tests = _quality(name, means["X"], entries)
    worst = max((code for code, _, _ in tests), default=0)
    results = ", ".join(
        f' {{"status": {code},"result": {0 if code == ERROR else 1}, "name": {json.dumps(test)},'
        f' "algorithm": "MeanWithinExpected", "message": {json.dumps(message)}}}'
        for code, test, message in tests
    )
    number = f"{entries:.{digits}g}" if digits else sent
    return (
        f'{{"obj": {json.dumps(name)}, "path": {json.dumps(path)}, {_properties("ROOT", _TYPES[kind], worst)},"tag": 0,'
        f' "qresults": [{results}], "nentries": {number}, "stats": {{ {stats} }}, "rootobj": ""}}\n'
    )


def _properties(kind: str, type_: str, worst: int) -> str:
    flags = {"error": worst == ERROR, "warn": worst == WARNING, "other": worst == DID_NOT_RUN}
    report = ", ".join(f'"{name}": {int(flag)}' for name, flag in ({"alarm": worst == ERROR} | flags).items())
    return (
        f'"properties": {{"kind": "{kind}", "type": "{type_}", "lumisect": "0", "report": {{ {report} }},'
        ' "hasref": 0, "isEff": 0, "tagged": 0 }'
    )


def _axis(limits: list[str] | None, mean: str, rms: str) -> str:
    low, bins, high = limits or ("0", "1", "1")
    mean = '"NaN or Inf"' if "NaN" in mean else mean
    rms = '"Nan or Inf"' if "NaN" in rms else rms
    return f'{{ "nbins": {bins}, "mean": {mean}, "rms": {rms}, "min": {low}, "max": {high} }}'


def _quality(name: str, mean: str, entries: float) -> list[tuple[int, str, str]]:
    """(status, name, message) of the tests of a plot; most plots have none."""
    if name not in _EXPECTED:
        return []
    test, expected = _EXPECTED[name]
    if entries < 10_000:
        return [(DID_NOT_RUN, test, "not enough entries"), (OK, "Filled", "")]
    off = abs(float(mean) / expected - 1)
    code = OK if off < 0.08 else WARNING if off < 0.15 else ERROR
    return [(OK, "Filled", ""), (code, test, f'mean {mean}, "expected" {expected:g}')]


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found is not None
    return found[1]
