"""The simulated DQM histograms: their shapes, how they answer to the detector, and the server's text.

Each plot has a :class:`Shape`, a distribution whose mean moves with the :class:`Conditions` of a run. Bin
contents are drawn from it (Poisson), and mean and rms are those of the contents. The text follows the
hand-made JSON of the DQM GUI, including the forms that are not JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random

DATA = Path(__file__).parents[1] / "data"
MAP_NAME = "TrackEtaPhi_ImpactPoint_GenTk"
MAP_PATH = f"/Tracking/TrackParameters/generalTracks/GeneralProperties/{MAP_NAME}"
MAP_ONLINE_PATH = f"/Tracking/TrackParameters/GeneralProperties/{MAP_NAME}"
OCCUPANCY_PATH = (
    "/PixelPhase1/Phase1_MechanicalView/PXBarrel/digi_occupancy_per_SignedModuleCoord_per_SignedLadder_PXLayer_1"
)
COSMICS_PATHS = tuple(
    f"/Tracking/TrackParameters/{path}_CKFTk"
    for path in (
        "HitProperties/NumberOfRecHitsPerTrack",
        "GeneralProperties/NumberOfTracks",
        "GeneralProperties/Chi2oNDF",
        "GeneralProperties/TrackPt",
    )
)


@dataclass(frozen=True)
class Conditions:
    """What the histograms of one dataset show of the machine and of the detector."""

    events: float = 1e5  # events that the dataset holds
    pileup: float = 0.0  # log of mean interactions per crossing over 35
    ageing: float = 0.0  # slow drift of calibration, about -1 to 1
    scale: float = 1.0  # spread of the per-plot noise
    pixel_off: float = 0.0  # fraction of the data without pixel high voltage
    strip_off: float = 0.0
    hole: float = 0.0  # depth of a hole at (hole_phi, hole_eta), 0 to 1
    hole_phi: float = 1.2
    hole_eta: float = 1.0
    charge: float = 0.0  # relative loss of collected charge


@dataclass(frozen=True)
class Shape:
    """A distribution and the logarithmic response of its mean to each of the conditions."""

    axis: str
    bins: int
    low: float
    high: float
    mean: float
    rms: float
    family: str = "gamma"
    per_event: float = 1.0
    noise: float = 0.004
    pileup: float = 0.0
    ageing: float = 0.0
    pixel_off: float = 0.0
    strip_off: float = 0.0
    hole: float = 0.0
    charge: float = 0.0
    dark: str = ""  # the condition under which a part of the entries has ``dark_mean`` instead
    dark_mean: float = 0.0

    def centres(self) -> list[float]:
        width = (self.high - self.low) / self.bins
        return [self.low + (i + 0.5) * width for i in range(self.bins)]


def _seeds(mean: float, **response: float) -> Shape:
    return Shape("Number of seeds", 50, 0, 8 * mean, mean, 0.55 * mean, noise=0.02, **response)


_TRACKING = {
    "Tracks": Shape("Number of Tracks per Event", 50, 0, 1500, 260, 110, noise=0.012, pileup=1.0,
                    pixel_off=-0.7, strip_off=-0.75, hole=-0.1, charge=-0.2),
    "Hits": Shape("Number of RecHits per Track", 40, -0.5, 39.5, 14.6, 4.3, "normal", 200, pileup=-0.02,
                  ageing=-0.004, pixel_off=-0.2, hole=-0.05, charge=-0.08, dark="strip_off", dark_mean=6),
    "TrackPt": Shape("Track p_{T} (GeV/c)", 50, 0, 25, 2.3, 2.0, per_event=200, pileup=-0.03,
                     pixel_off=0.12, strip_off=-0.25, hole=0.03, charge=0.06),
    "Chi2oNDF": Shape("Track #chi^{2}/ndf", 50, 0, 5, 1.08, 0.5, per_event=200, pileup=0.04, ageing=0.006,
                      pixel_off=0.15, strip_off=0.25, hole=0.06, charge=0.5),
    "TrackPhi": Shape("Track #phi", 36, -math.pi, math.pi, 0, 1.8, "phi", 200),
    "TrackEta": Shape("Track #eta", 31, -3, 3, 0, 1.4, "eta", 200),
    "Hits.Strip": Shape("Number of Strip RecHits per Track", 35, -0.5, 34.5, 11.2, 4.0, "normal", 200,
                        pileup=-0.02, ageing=-0.005, hole=-0.06, charge=-0.1, dark="strip_off", dark_mean=2),
    "Hits.Pixel": Shape("Number of Pixel RecHits per Track", 10, -0.5, 9.5, 3.3, 0.9, "normal", 200,
                        pileup=-0.03, ageing=-0.006, charge=-0.04, dark="pixel_off", dark_mean=0),
    "Seeds.initialStep": _seeds(120, pileup=1.1, pixel_off=-1.1, charge=-0.3),
    "Seeds.lowPtTriplet": _seeds(220, pileup=1.2, pixel_off=-1.2, charge=-0.35),
    "Seeds.pixelPair": _seeds(90, pileup=1.3, pixel_off=-0.6, hole=0.35, charge=-0.1),
    "Seeds.detachedTriplet": _seeds(100, pileup=1.3, pixel_off=-1.0, strip_off=0.1, charge=-0.3),
    "Seeds.mixedTriplet": _seeds(150, pileup=1.5, pixel_off=0.5, strip_off=-0.9, hole=0.3, charge=-0.5),
    "Seeds.pixelLess": _seeds(110, pileup=1.6, pixel_off=0.4, strip_off=-1.3, hole=-0.3, charge=-0.7),
    "Seeds.tobTec": _seeds(130, pileup=1.7, strip_off=-1.1, hole=-0.4, charge=-0.9),
}  # fmt: skip

# The pixel and strip plots by the first text that their feature name contains.
_OTHERS = (
    ("lumiblock", Shape("Lumisection", 40, 0, 800, 400, 230, "profile", pileup=1.0, pixel_off=-1.0)),
    ("eventrate", Shape("BX", 66, 0, 3564, 1780, 1000, "flat")),
    ("deadRoc", Shape("Subdetector", 6, 0, 6, 3, 1.7, "flat")),  # made in simulated_modules
    ("digis", Shape("digis", 50, 0, 300, 38, 30, pileup=0.9, pixel_off=-1.0, noise=0.01)),
    ("adc", Shape("adc readout", 50, 0, 256, 102, 45, "normal", 50, charge=-1.0, noise=0.006)),
    ("charge", Shape("Charge (e)", 50, 0, 80000, 24000, 9500, per_event=40, charge=-1.0, ageing=-0.01)),
    ("size", Shape("size[pixels]", 30, 0, 30, 4.6, 3.0, per_event=40, charge=-0.3, ageing=-0.01)),
    ("residual", Shape("(x_rec - x_pred) [cm]", 50, -0.15, 0.15, 0, 0.035, "normal", 40)),
    ("ntracks", Shape("Number of Tracks", 50, 0, 1200, 230, 100, pileup=1.0, pixel_off=-0.9, noise=0.01)),
    ("FEDErrors", Shape("# Errors", 40, 0, 40, 2.1, 2.0, noise=0.03, strip_off=0.5)),
    ("BadActive", Shape("# Channels", 40, 0, 400, 55, 30, noise=0.03, hole=0.8)),
    ("OnTrack", Shape("Signal/Noise", 50, 0, 100, 26, 9.5, per_event=60, charge=-1.0, ageing=-0.01)),
    ("OffTrack", Shape("Number of Clusters", 50, 0, 9000, 1900, 900, pileup=1.0, strip_off=-1.2, noise=0.01)),
    ("clusters", Shape("clusters", 50, 0, 200, 24, 18, pileup=0.9, pixel_off=-1.0, noise=0.01)),
)  # fmt: skip

_COSMICS = {
    "NumberOfRecHitsPerTrack_CKFTk": replace(_TRACKING["Hits"], mean=19.0, rms=6.0, per_event=1),
    "NumberOfTracks_CKFTk": Shape("Number of Tracks per Event", 10, -0.5, 9.5, 0.6, 0.6),
    "Chi2oNDF_CKFTk": replace(_TRACKING["Chi2oNDF"], per_event=1),
    "TrackPt_CKFTk": replace(_TRACKING["TrackPt"], mean=9.0, rms=8.0, per_event=1),
}


@dataclass(frozen=True)
class Plot:
    name: str
    feature: str
    collection: str
    offline: str
    online: str | None
    shape: Shape


@lru_cache(maxsize=1)
def quick_plots() -> tuple[Plot, ...]:
    """The 77 plots of the quick collections."""
    plots = []
    for line in (DATA / "quick_collections.jsonl").read_text().splitlines():
        row = json.loads(line)
        feature = row["feature"]
        shape = _TRACKING.get(feature) or next(s for key, s in _OTHERS if key in feature)
        plots.append(Plot(**row, shape=shape))
    return tuple(plots)


def cosmics_plots() -> tuple[Plot, ...]:
    names = [(path.rsplit("/", 1)[1], path) for path in COSMICS_PATHS]
    return tuple(Plot(name, name, "cosmics", path, path, _COSMICS[name]) for name, path in names)


def _bump(x: float, centre: float, width: float) -> float:
    return math.exp(-0.5 * ((x - centre) / width) ** 2)


def _gamma(xs: list[float], mean: float, rms: float) -> list[float]:
    k = (mean / rms) ** 2
    theta = mean / k
    logs = [(k - 1) * math.log(x) - x / theta if x > 0 else -700.0 for x in xs]
    top = max(logs)
    return [math.exp(max(value - top, -700.0)) for value in logs]


def _weights(shape: Shape, now: Conditions, rng: Random) -> list[float]:
    """Relative bin contents expected under the conditions."""
    xs = shape.centres()
    wobble = rng.gauss(0, now.scale)
    if shape.family == "phi":
        depth, at, tilt = now.hole, now.hole_phi, 0.004 * wobble + 0.006 * now.ageing
        return [(1 + 0.05 * math.cos(2 * x) + tilt * math.sin(x)) * (1 - depth * _bump(x, at, 0.5)) for x in xs]
    if shape.family == "eta":
        depth, at = now.hole, now.hole_eta
        tilt = 0.004 * wobble - 0.004 * now.ageing
        bend = 0.1 + 0.02 * now.pileup - 0.25 * now.strip_off + 0.2 * now.pixel_off
        return [
            math.exp(-((abs(x) / 2.5) ** 10)) * (1 + bend * x * x / 3 + tilt * x) * (1 - depth * _bump(x, at, 0.6))
            for x in xs
        ]
    if shape.family == "flat":
        return [1 + 0.1 * _bump(i, len(xs) / 3, 4) for i in range(len(xs))]
    response = shape.noise * wobble + sum(
        getattr(shape, name) * getattr(now, name)
        for name in ("pileup", "ageing", "pixel_off", "strip_off", "hole", "charge")
    )
    mean = shape.mean * math.exp(response)
    rms = shape.rms * math.exp(response) * math.exp(0.5 * shape.noise * rng.gauss(0, now.scale))
    if shape.family == "normal":
        centre = shape.noise * shape.rms * wobble if shape.mean == 0 else mean
        weights = [_bump(x, centre, rms) for x in xs]
    else:
        weights = _gamma(xs, mean, rms)
    total = sum(weights) or 1.0
    weights = [weight / total for weight in weights]
    off = getattr(now, shape.dark) if shape.dark else 0.0
    if off:
        dark = [1.0] + [0.0] * (shape.bins - 1)
        if shape.dark_mean:
            dark = _gamma([x + 0.5 for x in xs], shape.dark_mean, 0.6 * shape.dark_mean)
        total = sum(dark)
        weights = [(1 - off) * w + off * d / total for w, d in zip(weights, dark, strict=True)]
    return weights


def _poisson(rng: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _moments(xs: list[float], contents: list[float]) -> tuple[float, float]:
    total = sum(contents)
    if not total:
        return 0.0, 0.0
    mean = sum(x * c for x, c in zip(xs, contents, strict=True)) / total
    return mean, math.sqrt(sum(c * (x - mean) ** 2 for x, c in zip(xs, contents, strict=True)) / total)


def _number(value: float) -> str:
    """A value as the server prints it: six digits, and a text where it is not finite."""
    return f"{value:.6g}" if math.isfinite(value) else f'"{value}"'


def _stat(value: float, error: float) -> str:
    if math.isnan(value):
        return '{"value":"NaN","error":"NaN}'  # the server loses the second quote
    return f'{{"value":{_number(value)},"error":{_number(error)}}}'


def _axis(name: str, title: str, bins: int, low: float, high: float, labels: list[str] | None = None) -> str:
    text = f'"{name}":{{'
    if title:
        text += f'"title":"{title}",'
    text += f'"first":{{"id":1,"value":{low:.6g}}},"last": {{"id":{bins},"value":{high:.6g}}}'
    if labels:
        text += ',"labels":[' + ",".join(f'{{"id":{i},"value":"{x}"}}' for i, x in enumerate(labels, 1)) + "]"
    return text + "}"


@dataclass(frozen=True)
class Damage:
    """How the server's text of a histogram fails to be JSON."""

    not_finite: bool = False  # mean and rms: an unbalanced quote
    bare_nan: bool = False  # in the errors of the bins
    apostrophe: bool = False  # a title with an apostrophe, sent as a double quote


def histogram_text(plot: Plot, now: Conditions, rng: Random, damage: Damage | None = None) -> str:
    """The jsonfairy answer for a one-dimensional plot (``TH1`` or ``TProfile``)."""
    shape, damage = plot.shape, damage or Damage()
    xs = shape.centres()
    if shape.family == "profile":
        level = 60 * math.exp(shape.pileup * now.pileup + shape.pixel_off * now.pixel_off)
        contents: list[float] = [round(level * (1.1 - 0.005 * i + rng.gauss(0, 0.01)), 6) for i in range(shape.bins)]
        errors = [f"{0.02 * c:.6g}" for c in contents]
        entries = now.events * shape.bins
        kind, extra = "TProfile", ',"yMin":0,"yMax":0,"errorStyle":""'
    else:
        expected = now.events * shape.per_event
        weights = _weights(shape, now, rng)
        scale = expected / (sum(weights) or 1.0)
        contents = [_poisson(rng, weight * scale) for weight in weights]
        errors = [f"{math.sqrt(c):.6g}" for c in contents]
        entries = sum(contents)
        kind, extra = "TH1", ""
    mean, rms = _moments(xs, contents)
    root = math.sqrt(entries) if entries else math.inf
    if damage.not_finite:
        mean = rms = math.nan
    if damage.bare_nan:
        errors[len(errors) // 2] = "nan"
        errors[0] = "inf"
    title = plot.name + ('"s distribution' if damage.apostrophe else "")
    overflow = _poisson(rng, min(entries * 1e-5, 25))
    return (
        f'{{"hist":{{"type":"{kind}","title":"{title}","stats":{{"name":"{plot.name}",'
        f'"entries":{entries + overflow:f},"mean":{{"X":{_stat(mean, rms / root)}}},'
        f'"rms":{{"X":{_stat(rms, rms / root / math.sqrt(2))}}},"underflow":0,"overflow":{overflow}}},'
        f"{_axis('xaxis', shape.axis, shape.bins, shape.low, shape.high)},"
        f'"values":{{"min":{min(contents):.11g},"max":{max(contents):.11g}}},'
        f'"bins":{{"integral":{sum(contents):.11g},"width":{(shape.high - shape.low) / shape.bins:.6g},'
        f'"content":[{",".join(f"{c:.11g}" for c in contents)}],"error":[{",".join(errors)}]}}{extra}}} }}'
    )


@lru_cache(maxsize=1)
def real_map_text() -> str:
    """The answer of the real server for the online tracking map of run 321012."""
    return (DATA / "dqm" / "321012_online_TrackEtaPhi_ImpactPoint_GenTk.json").read_text()


@lru_cache(maxsize=1)
def _real_map() -> tuple[list[list[float]], float]:
    content = json.loads(real_map_text())["hist"]["bins"]["content"]
    return content, sum(map(sum, content))


def _table_text(
    kind: str,
    name: str,
    contents: list[list[float]],
    x: tuple[str, float, float],
    y: tuple[str, float, float],
    extra: str,
) -> str:
    columns, rows = len(contents[0]), len(contents)
    xs = [x[1] + (i + 0.5) * (x[2] - x[1]) / columns for i in range(columns)]
    ys = [y[1] + (i + 0.5) * (y[2] - y[1]) / rows for i in range(rows)]
    total = sum(map(sum, contents))
    stats = [_moments(xs, [sum(c) for c in zip(*contents, strict=True)]), _moments(ys, [sum(row) for row in contents])]
    root = math.sqrt(total) if total else math.inf
    means = ",".join(f'"{a}":{_stat(m, r / root)}' for a, (m, r) in zip("XY", stats, strict=True))
    spreads = ",".join(f'"{a}":{_stat(r, r / root / math.sqrt(2))}' for a, (m, r) in zip("XY", stats, strict=True))
    body = ",".join("[" + ",".join(f"{c:.6g}" for c in row) + "]" for row in contents)
    return (
        f'{{"hist":{{"type":"{kind}","title":"{name}","stats":{{"name":"{name}","entries":{total:f},'
        f'"mean":{{{means}}},"rms":{{{spreads}}},"underflow":0,"overflow":0}},'
        f"{_axis('xaxis', x[0], columns, x[1], x[2])},{_axis('yaxis', y[0], rows, y[1], y[2])},"
        f'"values":{{"min":{min(map(min, contents)):.6g},"max":{max(map(max, contents)):.6g}}},'
        f'"bins":{{"integral":[[0,0,0],[0,{total:.6g},0],[0,0,0]],"content":[{body}]}}{extra}}} }}'
    )


def map_text(now: Conditions, rng: Random) -> str:
    """The tracking map (``TH2``, 31 bins of eta by 32 of phi), after the pattern of the real one."""
    base, total = _real_map()
    scale = min(now.events * 20, 4e6) * (1 - 0.8 * now.strip_off) * (1 - 0.6 * now.pixel_off) / total
    tilt = 0.01 * now.ageing + 0.003 * rng.gauss(0, 1)
    contents: list[list[float]] = []
    for row, counts in enumerate(base):
        phi = -math.pi + (row + 0.5) * math.pi / 16
        dip = now.hole * _bump(phi, now.hole_phi, 0.5)
        contents.append(
            [
                _poisson(rng, c * scale * (1 + tilt * (i - 15) / 15) * (1 - dip * _bump(i, 15 + 5 * now.hole_eta, 3)))
                for i, c in enumerate(counts)
            ]
        )
    return _table_text("TH2", MAP_NAME, contents, ("Track #eta", -3, 3), ("Track #phi", -math.pi, math.pi), "")


def occupancy_text(now: Conditions, rng: Random) -> str:
    """A small ``TProfile2D``: mean pixel occupancy by module and ladder of barrel layer 1."""
    level = 300 * math.exp(now.pileup) * (1 - now.pixel_off)
    contents = [[round(level * (1 + 0.05 * rng.gauss(0, 1)), 3) for _ in range(9)] for _ in range(13)]
    return _table_text(
        "TProfile2D",
        OCCUPANCY_PATH.rsplit("/", 1)[1],
        contents,
        ("SignedModuleCoord", -4.5, 4.5),
        ("SignedLadder", -6.5, 6.5),
        ',"yMin":0,"yMax":0,"errorStyle":""',
    )
