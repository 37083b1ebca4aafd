"""The runs of the simulated year: numbers, fills, times, luminosity, class, and what went wrong in each.

Run numbers and lumisection ranges come from the real DCS-only and golden files of 2018. Everything else is
invented but plausible. Runs that are in no file are invented altogether: see ``INVENTED``.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from random import Random

from tests.cern.simulated_histograms import DATA, Conditions

SECONDS_PER_LUMISECTION = 23.31

# (first run, name) of the eras; the runs before 2018A are commissioning with beam.
ERAS = (
    (0, "2017G"),
    (313000, "Commissioning2018"),
    (315252, "2018A"),
    (317080, "2018B"),
    (319337, "2018C"),
    (320413, "2018D"),
    (325309, "2018E"),
    (326381, "HIRun2018A"),
    (352499, "2022A"),
    (374300, "HIRun2023A"),
    (379412, "2024C"),
    (387474, "2024J"),
    (394050, "OORun2025"),
    (399000, "HIRun2025A"),
)

# (run, fill) between which fills are interpolated; inside a flat piece all runs share the fill.
FILLS = (
    (306631, 6397), (314472, 6570), (315192, 6614), (315193, 6615), (315259, 6615), (315260, 6616),
    (315273, 6616), (315274, 6617), (315322, 6617), (315323, 6618), (317080, 6736), (317187, 6742),
    (317188, 6743), (317301, 6743), (317302, 6757), (317441, 6757), (317475, 6759), (317500, 6762),
    (317600, 6769.99), (317696, 6777), (318733, 6850), (319337, 6901), (320065, 6961), (321012, 7033),
    (325175, 7334), (325680, 7358), (327489, 7482), (353001, 7921), (374810, 9235), (379415, 9510),
)  # fmt: skip

# (run, day of 2018 with fraction, from 1 January as 0)
DAYS = ((306631, -48.0), (314472, 106.0), (315260, 115.97), (317080, 146.0), (317291, 152.0), (317696, 161.0),
        (318733, 178.0), (319337, 188.0), (320065, 207.0), (325175, 296.0), (327489, 334.0), (353001, 1640.0),
        (374810, 2100.0), (379415, 2295.0))  # fmt: skip

# Runs that never were: numbers between the real ones, to exercise the choice of rows.
INVENTED = {
    314700: "Cosmics18", 316500: "Cosmics18", 317540: "Cosmics18", 317700: "Cosmics18", 319050: "Cosmics18",
    317560: "Collisions18SpecialRun", 318600: "Collisions18SpecialRun", 320300: "Collisions18SpecialRun",
    317570: "Commissioning18", 318500: "Commissioning18",
    317585: "Collisions18", 318700: "Collisions18",
    326900: "Collisions18", 326901: "Collisions18",
    353001: "Collisions22", 374810: "Collisions23", 379415: "Collisions24",
    387500: "Collisions24", 394154: "Collisions25", 399100: "Collisions25", 399200: "Collisions25",
}  # fmt: skip
# Real run numbers that the DCS-only file does not hold but the documents speak of.
OUTSIDE_DCS = {306631: "Collisions17", 325680: "Cosmics18", 327489: "Collisions18"}
CAPTURED_ONLY = {317188: "Cosmics18", 317301: "Commissioning18", 317441: "Collisions18"}
OPEN_RUNS = (317585, 318700)
# Prompt reconstruction that is not in the DQM GUI yet, and the state of its row in the registry.
NO_PROMPT = {317382: "waiting dqm gui", 317585: "OPEN", 318877: "OPEN", 320062: "OPEN", 325175: "waiting dqm gui"}
WITHOUT_FILL = (314700, 316500, 317540, 319050)
FULLY_OFF = 317480

# What the captured Run Registry rows say in words, as conditions of the detector.
CAPTURED_FATES = {
    317292: ("pixel_hv", "weak", False),
    317297: ("strip_hv", "strong", True),
    317320: ("pixel_excluded", "strong", False),
    317339: ("off", "strong", False),
    317392: ("pixel_hv", "weak", False),
}

EFFECTS: dict[str, dict[str, dict[str, float]]] = {
    "strip_hv": {s: {"strip_off": x} for s, x in (("weak", 0.008), ("medium", 0.3), ("strong", 0.5))},
    "pixel_hv": {s: {"pixel_off": x} for s, x in (("weak", 0.008), ("medium", 0.3), ("strong", 0.5))},
    "hole": {s: {"hole": x} for s, x in (("weak", 0.01), ("medium", 0.6), ("strong", 0.95))},
    "charge": {s: {"charge": x} for s, x in (("weak", 0.006), ("medium", 0.25), ("strong", 0.4))},
    "low_statistics": {s: {"events": x} for s, x in (("weak", 3000), ("medium", 12), ("strong", 6))},
    "off": {"strong": {"events": 0}},
    "pixel_excluded": {"strong": {"pixel_off": 1.0}},
}

# Comments as shifters write them, and the cause that goes with them.
COMMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "strip_hv": (("HV off for LS 1-{n}", "HV"), ("Strip HV was off until LS {n}", "HV"), ("HV problem in TOB", "HV")),
    "pixel_hv": (
        ("BPix HV is off in LS 1-{n}", "Pixel HV"),
        ("no HV in FPix for LS 1-{n}", "Pixel HV"),
        ("Pixel HV scan", "Pixel HV"),
    ),
    "hole": (("new hole in TIB L2", "DAQ"), ("hole in TOB L4, FED not in DAQ", "DAQ"), ("hole in TID- ring 1", "LV")),
    "charge": (("timing scan", "SCAN"), ("strip timing_scan, low S/N", "SCAN"), ("misconfiguration of APVs", "CONFIG")),
    "low_statistics": (
        ("low stat", "LOW_STATS"),
        ("only 1 LS with stable beam", "LOW_STATS"),
        ("stats too low to judge", "LOW_STATS"),
    ),
    "off": (("tracker excluded, plots empty", "DAQ"),),
}
PROBLEMS = {
    "strip_hv": ["SiStrip PS problem", "SiStrip HV off"],
    "pixel_hv": ["Pixel PS problem", "Pixel DCS error"],
    "hole": ["New hole in SiStrip", "Large number of bad components"],
    "charge": ["Low S/N", "Low cluster charge"],
    "low_statistics": ["Low statistics"],
    "off": ["SiStrip FED error", "DCS error"],
}


@dataclass(frozen=True)
class Fate:
    """What is wrong with a run: kind and strength as in ``EFFECTS``, and the shifter's words."""

    kind: str = "good"
    strength: str = "none"
    is_bad: bool = False  # the registry's word for tracking is BAD
    comment: str = ""
    cause: str = ""


@dataclass(frozen=True)
class SimulatedRun:
    number: int
    run_class: str
    last: int  # number of lumisections
    dcs: tuple[tuple[int, int], ...]  # lumisections with the tracker on
    fill: int | None
    era: str
    start: datetime
    pileup: float  # mean interactions per crossing; 0 without beam
    state: str = "COMPLETED"
    fate: Fate = field(default_factory=Fate)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=round(self.last * SECONDS_PER_LUMISECTION))

    @property
    def is_cosmics(self) -> bool:
        return "Cosmics" in self.run_class

    @property
    def is_heavy_ion(self) -> bool:
        return self.era.startswith("HI")

    @property
    def has_beam(self) -> bool:
        return self.run_class.startswith("Collisions") and self.fill is not None

    @property
    def inst_lumi(self) -> float:
        """Instantaneous luminosity at the start [10^34 cm^-2 s^-1]."""
        return self.pileup / 36 if self.has_beam else 0.0

    @property
    def recorded(self) -> float:
        """Recorded luminosity [pb^-1; for heavy ions ub^-1]."""
        return 0.93 * self.delivered

    @property
    def delivered(self) -> float:
        return self.inst_lumi * 0.2331 * self.last


def interpolate(table: tuple[tuple[int, float], ...], x: int) -> float:
    index = min(max(bisect_right([first for first, _ in table], x) - 1, 0), len(table) - 2)
    (x0, y0), (x1, y1) = table[index], table[index + 1]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def era_of(number: int) -> str:
    return ERAS[bisect_right([first for first, _ in ERAS], number) - 1][1]


@lru_cache(maxsize=1)
def certification() -> tuple[dict[int, list[list[int]]], dict[int, list[list[int]]]]:
    """The DCS-only and the golden ranges of 2018, merged and sorted, by run."""
    files = (DATA / "certification" / f"{name}_2018.json" for name in ("dcsonly", "golden"))
    dcs, golden = ({int(run): _merge(ranges) for run, ranges in json.loads(f.read_text()).items()} for f in files)
    return dcs, golden


def _merge(ranges: list[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged


def _shuffled(rng: Random, items: tuple[str, ...], count: int) -> list[str]:
    """``count`` items in random order, each about equally often in any stretch of them."""
    result: list[str] = []
    while len(result) < count:
        result += rng.sample(items, len(items))
    return result[:count]


def make_fates(seed: int) -> dict[int, Fate]:
    """The fate of every run that is not golden, and of those that captured rows describe."""
    dcs, golden = certification()
    bad = sorted(set(dcs) - set(golden))
    rng = Random(f"{seed}/fates")
    strengths = _shuffled(rng, ("strong", "medium", "weak", "strong", "medium"), len(bad))
    kinds = _shuffled(rng, ("strip_hv", "hole", "charge", "pixel_hv", "low_statistics"), len(bad))
    fates = {}
    for run, kind, strength in zip(bad, kinds, strengths, strict=True):
        if run == FULLY_OFF:
            kind, strength = "off", "strong"
        comment, cause = rng.choice(COMMENTS[kind])
        last = max(end for _, end in dcs[run])
        fates[run] = Fate(kind, strength, True, comment.format(n=max(1, last // 3)), cause)
    for run, (kind, strength, is_bad) in CAPTURED_FATES.items():
        fates[run] = Fate(
            kind, strength, is_bad, "TIB HV off for the whole run" if is_bad else "", "HV" if is_bad else ""
        )
    return fates


def make_runs(seed: int) -> dict[int, SimulatedRun]:
    """All runs by number."""
    dcs, _ = certification()
    fates = make_fates(seed)
    runs: dict[int, SimulatedRun] = {}
    free = timedelta(seconds=120)
    previous = datetime(2017, 1, 1, tzinfo=timezone.utc)
    outside = {**INVENTED, **OUTSIDE_DCS, **CAPTURED_ONLY}
    for number in sorted({*dcs, *outside}):
        rng = Random(f"{seed}/run/{number}")
        run_class = outside.get(number, "Collisions18")
        ranges = dcs.get(number) or [[1, rng.randint(15, 120)]]
        day = timedelta(days=interpolate(DAYS, number))
        start = max(datetime(2018, 1, 1, tzinfo=timezone.utc) + day, previous + free).replace(microsecond=0)
        beam = run_class.startswith("Collisions")
        run = SimulatedRun(
            number=number,
            run_class=run_class,
            last=ranges[-1][1] + (rng.randint(0, 3) if number in dcs else 0),
            dcs=tuple((first, last) for first, last in ranges),
            fill=None if number in WITHOUT_FILL else int(interpolate(FILLS, number)),
            era=era_of(number),
            start=start,
            pileup=round(_pileup(rng, number), 4) if beam else 0.0,
            state="OPEN" if number in OPEN_RUNS else "COMPLETED",
            fate=fates.get(number, Fate()),
        )
        runs[number], previous = run, run.end
    return runs


def _pileup(rng: Random, number: int) -> float:
    """Between 22 and 52, and higher in the middle of the year when the machine ran best."""
    season = 2.0 * math.sin((number - 315000) / 3200)
    return 37 + season + rng.triangular(-12, 12, 0)


def conditions(seed: int, run: SimulatedRun, reco: str, dataset: str) -> Conditions:
    """What the histograms of a dataset of the run show."""
    rng = Random(f"{seed}/conditions/{run.number}")
    ageing = math.sin(run.number / 450) + rng.gauss(0, 0.35)
    side = rng.choice((-1, 1))
    hole_phi, hole_eta = side * rng.uniform(0.9, 1.8), side * rng.uniform(0.6, 1.5)
    row = Random(f"{seed}/conditions/{run.number}/{dataset}")
    pileup = math.log(run.pileup / 35) if run.pileup else -2.0
    fraction = {"express": 0.4, "online": 0.1}.get(reco, 1.0)
    now = Conditions(
        events=min(max(run.last * 900 * fraction * row.uniform(0.8, 1.2), 5000), 2e6),
        pileup=pileup + row.gauss(0, 0.012),
        ageing=ageing + (0.3 if reco == "express" else 0.0) + row.gauss(0, 0.15),
        hole_phi=hole_phi,
        hole_eta=hole_eta,
    )
    return replace(now, **EFFECTS.get(run.fate.kind, {}).get(run.fate.strength, {}))
