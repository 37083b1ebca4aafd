"""The simulated histograms of single layers, wheels and modules: bad components, dead chips, maps, residuals.

Paths, bins and labels are those of CMSSW (SiStripBadComponentInfo, SiPixelPhase1Summary) and of HDQM's configuration.
A run with a hole has its bad components in one strip layer; one without pixel high voltage has modules and chips that
are silent; a loss of charge makes residuals wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from random import Random

from tests.cern.simulated_histograms import Conditions, Plot, Shape, _axis, _poisson, _table_text, histogram_text

Make = Callable[[Conditions, Random], str]

SUBDETECTORS = ("TECB", "TECF", "TIB", "TIDB", "TIDF", "TOB")  # bins 1 to 6
LAYERS = {"TECB": 9, "TECF": 9, "TIB": 4, "TIDB": 3, "TIDF": 3, "TOB": 6}
STRIPS = {"TECB": 1933312, "TECF": 1933312, "TIB": 1787904, "TIDB": 282624, "TIDF": 282624, "TOB": 3096576}
PER_COMPONENT = {"Strip": 1, "Fiber": 256, "APV": 128}  # strips
ROCS = {"Layer 1": 1536, "Layer 2": 3584, "Layer 3": 5632, "Layer 4": 8192, "Ring 1": 4224, "Ring 2": 6528}
LADDERS = {1: 6, 2: 14, 3: 22, 4: 32}  # of a half barrel, in each layer
BLADES = {1: 11, 2: 17}  # of a half disk, in each ring
BAD = "/SiStrip/EventInfo/BadComponentContents"
DEAD, INEFFICIENT = "/PixelPhase1/deadRocTotal", "/PixelPhase1/ineffRocTotal"
DISKS = ("-3", "-2", "-1", "+1", "+2", "+3")
LEVELS = {"num_digis": 60.0, "charge": 24000.0, "size": 4.6}

_RESIDUAL = Shape("(x_rec - x_pred) [cm]", 50, -0.15, 0.15, 0, 0.03, "normal", 8)


def layer_with_hole(now: Conditions) -> tuple[str, int]:
    """The strip layer that lost modules in a run with a hole."""
    layers = [(name, layer) for name in ("TIB", "TOB", "TIDB", "TIDF") for layer in range(1, LAYERS[name] + 1)]
    return layers[int(abs(now.hole_phi) * 1e4) % len(layers)]


@lru_cache(maxsize=2)
def module_plots(service: str) -> dict[str, Make]:
    """How to make the text of each plot, by its path, that the ``offline`` or the ``online`` GUI has."""
    plots: dict[str, Make] = {}
    if service == "offline":
        plots |= {f"{BAD}/Bad{what}Map": partial(_bad_components, what) for what in PER_COMPONENT}
        plots |= {DEAD: partial(_rocs, "dead"), INEFFICIENT: partial(_rocs, "inefficient")}
    for what in LEVELS:
        folder = "/PixelPhase1/Phase1_MechanicalView" if what == "num_digis" else "/PixelPhase1/Tracks"
        for layer, ladders in LADDERS.items():
            name = f"{what}_per_SignedModule_per_SignedLadder_PXLayer_{layer}"
            plots[f"{folder}/PXBarrel/{name}"] = partial(_module_map, name, what, 4, ladders)
        for ring, blades in BLADES.items():
            name = f"{what}_per_PXDisk_per_SignedBladePanel_PXRing_{ring}"
            plots[f"{folder}/PXForward/{name}"] = partial(_module_map, name, what, 3, blades)
    return plots | {path: partial(_residual, path) for path in _residual_paths()}


def _residual_paths() -> list[str]:
    tracks = "/PixelPhase1/Tracks"
    paths = [f"{tracks}/PXBarrel/residual_{axis}_PXLayer_{layer}" for axis in "xy" for layer in LADDERS]
    paths += [f"{tracks}/PXForward/residual_{axis}_PXDisk_{disk}" for axis in "xy" for disk in DISKS]
    for name, layers in LAYERS.items():
        subdetector, side = name[:3], {"B": "/MINUS", "F": "/PLUS"}.get(name[3:], "")
        for layer in range(1, layers + 1):
            small, capital = ("wheel", "wheel") if side else ("layer", "Layer")
            last = f"HitResiduals_{subdetector}__{capital}__{layer}"
            paths.append(f"/SiStrip/MechanicalView/{subdetector}{side}/{small}_{layer}/{last}")
    return paths


def _bad_components(what: str, now: Conditions, rng: Random) -> str:
    """Bad strips, fibers or APVs by subdetector and layer, their sum in bin 10 of y; the known ones stay all year."""
    known = Random(7)
    contents: list[list[float]] = [[0.0] * len(SUBDETECTORS) for _ in range(10)]
    for column, name in enumerate(SUBDETECTORS):
        for layer in range(LAYERS[name]):
            strips = STRIPS[name] / LAYERS[name]
            part = known.uniform(0.01, 0.05) * (1 + 0.02 * now.ageing)
            if (name, layer + 1) == layer_with_hole(now):
                part += 0.3 * now.hole
            if now.events == 0:
                part = 1.0
            contents[layer][column] = int(min(part, 1.0) * strips / PER_COMPONENT[what])
        contents[9][column] = sum(row[column] for row in contents[:9])
    text = _table_text(
        "TH2", f"Bad{what}Map", contents, ("Sub Detector Type", 0.5, 6.5), ("Layer/Disc Number", 0.5, 10.5), ""
    )
    labels = _axis("xaxis", "Sub Detector Type", 6, 0.5, 6.5, list(SUBDETECTORS))
    return text.replace(_axis("xaxis", "Sub Detector Type", 6, 0.5, 6.5), labels)


def _rocs(what: str, now: Conditions, rng: Random) -> str:
    """Dead or inefficient readout chips by layer and ring: a profile with one entry in each bin."""
    contents = []
    for place, (name, number) in enumerate(ROCS.items()):
        usual = (0.004 if what == "dead" else 0.001) * (1 + place)
        lost = now.pixel_off * (0.25 if name in ("Layer 1", "Ring 1") else 0.1)
        part = usual * (1 + 0.1 * now.ageing) + (lost if what == "dead" else 0.2 * lost)
        if now.events == 0 or now.pixel_off == 1.0:
            part = float(what == "dead")
        contents.append(min(_poisson(rng, part * number) if part < 1 else number, number))
    xs = [0.5 + place for place in range(6)]
    total = sum(contents) or 1
    mean = sum(x * c for x, c in zip(xs, contents, strict=True)) / total
    rms = math.sqrt(sum(c * (x - mean) ** 2 for x, c in zip(xs, contents, strict=True)) / total)
    name = "deadRocTotal" if what == "dead" else "ineffRocTotal"
    return (
        f'{{"hist":{{"type":"TProfile","title":"N {what} ROCs","stats":{{"name":"{name}","entries":6.000000,'
        f'"mean":{{"X":{{"value":{mean:.6g},"error":0}}}},"rms":{{"X":{{"value":{rms:.6g},"error":0}}}},'
        f'"underflow":0,"overflow":0}},{_axis("xaxis", "Subdetector", 6, 0, 6, list(ROCS))},'
        f'"values":{{"min":{min(contents)},"max":{max(contents)}}},"bins":{{"integral":{sum(contents)},"width":1,'
        f'"content":[{",".join(map(str, contents))}],"error":[0,0,0,0,0,0]}},"yMin":0,"yMax":8192,"errorStyle":""}} }}'
    )


def _module_map(name: str, what: str, columns: int, rows: int, now: Conditions, rng: Random) -> str:
    """A mean by module: nothing in the middle column and row, where there are no modules, nor where they are silent."""
    silent_rows = round(2 * rows * 0.25 * now.pixel_off) if now.pixel_off < 1 else 2 * rows + 1
    level = LEVELS[what] * (math.exp(0.9 * now.pileup) if what == "num_digis" else 1 - 0.5 * now.charge)
    contents: list[list[float]] = []
    for row in range(-rows, rows + 1):
        is_silent = row + rows < silent_rows or now.events == 0
        contents.append(
            [
                0.0 if is_silent or not row or not column else round(level * (1 + 0.05 * rng.gauss(0, 1)), 3)
                for column in range(-columns, columns + 1)
            ]
        )
    return _table_text(
        "TProfile2D",
        name,
        contents,
        ("SignedModule" if columns == 4 else "PXDisk", -columns - 0.5, columns + 0.5),
        ("SignedLadder" if columns == 4 else "SignedBladePanel", -rows - 0.5, rows + 0.5),
        ',"yMin":0,"yMax":0,"errorStyle":""',
    )


def _residual(path: str, now: Conditions, rng: Random) -> str:
    """Residuals of hits, around zero: wide where charge is lost, and in the pixels without high voltage."""
    is_pixel = path.startswith("/PixelPhase1")
    wider = 1 + 0.8 * now.charge + (0.6 * now.pixel_off if is_pixel else 0.3 * now.strip_off)
    width = (0.02 if is_pixel else 0.03) * wider * rng.gauss(1, 0.004)
    centre = 0.0004 * now.ageing + rng.gauss(0, 0.0002)
    shape = Shape(_RESIDUAL.axis, 50, -0.15, 0.15, centre, width, "normal", _RESIDUAL.per_event)
    name = path.rpartition("/")[2]
    return histogram_text(Plot(name, name, "modules", path, path, shape), Conditions(events=now.events), rng)
