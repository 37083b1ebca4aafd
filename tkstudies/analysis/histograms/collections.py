"""The plots of the quick collections: their names, paths and feature names.

The table is `quick_collections.jsonl` beside this module: 77 plots of proton-proton collisions, one a line.
Cosmics runs have none of the tracking ones; theirs are made here. Online paths have no ``generalTracks/`` and
no ``highPurityTracks/pt_1/`` part, and some plots exist offline only.

What single layers, wheels and modules show is the collection ``modules``, in `modules.jsonl`; its paths are those of
HDQM (Historic DQM) and of the layouts of the shifts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tkstudies.errors import UsageError

COLLECTIONS = ("tracking", "pixel", "strip", "all", "cosmics", "modules")

_QUICK, _MODULES = "quick_collections.jsonl", "modules.jsonl"
_TRACKS = "/Tracking/TrackParameters/"
_PER_LUMISECTION = re.compile(
    r"lumi[_ -]?(?:block|flag|section|seg)|LSanalysis|(?:per|vs)_?(?:LS|lumi)(?![a-z])", re.IGNORECASE
)
_MAP = re.compile(r"_per_Signed(?:Module|Ladder|Blade|Disk)")
_OFFLINE_PARTS = ("/generalTracks/", "/highPurityTracks/pt_1/")


class Plot(NamedTuple):
    """A histogram of the DQM GUI; `online` is None when the online GUI doesn't have it."""

    name: str
    feature: str
    collection: str
    offline: str
    online: str | None


TRACKING_MAP = Plot(
    name="TrackEtaPhi_ImpactPoint_GenTk",
    feature="TrackEtaPhi_ImpactPoint_GenTk",
    collection="trackingmap",
    offline=_TRACKS + "generalTracks/GeneralProperties/TrackEtaPhi_ImpactPoint_GenTk",
    online=_TRACKS + "GeneralProperties/TrackEtaPhi_ImpactPoint_GenTk",
)


def _cosmics(path: str, feature: str) -> Plot:
    """A plot of the cosmics tracks, made by a combinatorial Kalman filter (CKF); online has the same path."""
    return Plot(path.rpartition("/")[2], feature, "cosmics", _TRACKS + path, _TRACKS + path)


COSMICS = (
    _cosmics("GeneralProperties/NumberOfTracks_CKFTk", "Tracks.CKF"),
    _cosmics("HitProperties/NumberOfRecHitsPerTrack_CKFTk", "Hits.CKF"),
    _cosmics("GeneralProperties/TrackPt_CKFTk", "TrackPt.CKF"),
    _cosmics("GeneralProperties/Chi2oNDF_CKFTk", "Chi2oNDF.CKF"),
)


def plots(collection: str) -> list[Plot]:
    """The plots of a collection in the order of its table; ``all`` is tracking, pixel and strip.

    Raises:
        UsageError: No such collection.

    Example:
        >>> [plot.feature for plot in plots("tracking")][:3], len(plots("all"))
        (['Tracks', 'Hits', 'TrackPt'], 77)
    """
    if collection not in COLLECTIONS:
        raise UsageError(f"no collection {collection!r}; there are {', '.join(COLLECTIONS)}")
    if collection == "cosmics":
        return list(COSMICS)
    if collection == "modules":
        return list(_table(_MODULES))
    return [plot for plot in _table(_QUICK) if collection in ("all", plot.collection)]


def feature_name(plot: str) -> str:
    """The column prefix of a plot, given its path (offline or online) or its bare name.

    A plot outside the table uses its own name, the last part of the path: the same name in another folder is
    another plot (``generalTracks`` instead of ``highPurityTracks/pt_1``, say).

    Example:
        >>> feature_name("/SiStrip/ReadoutView/FED/nFEDErrors"), feature_name("/SiStrip/nFEDErrors")
        ('FEDErrors', 'nFEDErrors')
        >>> feature_name("NumberOfTracks_GenTk")
        'Tracks'
    """
    found = _by_path_or_name().get(plot)
    return found.feature if found else plot.rstrip("/").rpartition("/")[2]


def is_per_lumisection(plot: str) -> bool:
    """Does the plot, a path or a name, show something against the lumisections of the run?

    Mean and rms in x of such a plot tell how long the run was, and nothing else.

    Example:
        >>> is_per_lumisection("/PixelPhase1/Phase1_MechanicalView/adc_per_LumiBlock_PXBarrel")
        True
        >>> is_per_lumisection("/Tracking/TrackParameters/generalTracks/LSanalysis/Chi2oNDF_lumiFlag_GenTk")
        True
        >>> is_per_lumisection("/PixelPhase1/Phase1_MechanicalView/eventrate_per_BX")
        False
    """
    return _PER_LUMISECTION.search(plot) is not None


def is_map(plot: str) -> bool:
    """Does the plot, a path or a name, show a number of each module or readout chip of the pixel detector?

    Example:
        >>> is_map("/PixelPhase1/Tracks/PXBarrel/size_per_SignedModule_per_SignedLadder_PXLayer_1"), is_map("/a/size")
        (True, False)
    """
    return _MAP.search(plot) is not None


def tells_run_length(column: str) -> bool:
    """Is the column the mean or rms in x of a plot against lumisections?

    Example:
        >>> [tells_run_length("adc.lumiblock.PXBarrel" + name) for name in (".mean", ".rms", ".level")]
        [True, True, False]
    """
    return column.endswith((".mean", ".rms")) and is_per_lumisection(column)


@lru_cache(maxsize=1)
def feature_order() -> dict[str, int]:
    """The place of each feature of the tables, for columns in a stable order."""
    return {feature: place for place, feature in enumerate(dict.fromkeys(plot.feature for plot in _known_plots()))}


def to_online(path: str) -> str | None:
    """The online path of a plot; None when the table says that the online GUI doesn't have it.

    Example:
        >>> to_online("/Tracking/TrackParameters/generalTracks/LSanalysis/Chi2oNDF_lumiFlag_GenTk")
        '/Tracking/TrackParameters/LSanalysis/Chi2oNDF_lumiFlag_GenTk'
    """
    known = _by_path_or_name().get(path)
    if known and path == known.offline:
        return known.online
    for part in _OFFLINE_PARTS:
        path = path.replace(part, "/")
    return path


def to_offline(path: str) -> str | None:
    """The offline path of a plot; None when it can't be told.

    Outside the table an online path of the track parameters could belong to either track selection.

    Example:
        >>> to_offline("/Tracking/TrackParameters/GeneralProperties/NumberOfTracks_GenTk")
        '/Tracking/TrackParameters/highPurityTracks/pt_1/GeneralProperties/NumberOfTracks_GenTk'
        >>> to_offline("/Tracking/TrackParameters/LSanalysis/Chi2oNDF_lumiFlag_GenTk")
    """
    known = _by_path_or_name().get(path)
    if known and path in (known.online, known.offline):
        return known.offline
    is_ambiguous = path.startswith(_TRACKS) and not any(part in path for part in _OFFLINE_PARTS)
    return None if is_ambiguous else path


@lru_cache
def _table(name: str) -> tuple[Plot, ...]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return tuple(Plot(**json.loads(line)) for line in lines)


def _known_plots() -> Iterable[Plot]:
    return (*_table(_QUICK), *COSMICS, TRACKING_MAP, *_table(_MODULES))


@lru_cache(maxsize=1)
def _by_path_or_name() -> dict[str, Plot]:
    """Plots by their paths, and by those names that are of one plot only."""
    paths = {path: plot for plot in _known_plots() for path in (plot.offline, plot.online) if path is not None}
    named: dict[str, dict[str, Plot]] = {}
    for plot in _known_plots():
        named.setdefault(plot.name, {})[plot.offline] = plot
    return {name: plot for name, plots in named.items() if len(plots) == 1 for plot in plots.values()} | paths


def members(collection: str, is_cosmics: bool) -> list[Plot]:
    """The plots of a collection that a run has: the tracks of cosmics are in plots of their own.

    >>> [plot.name for plot in members("tracking", is_cosmics=True)][:1]
    ['NumberOfTracks_CKFTk']
    """
    found = plots(collection)
    if not is_cosmics:
        return [plot for plot in found if plot.collection != "cosmics"]
    others = [plot for plot in found if plot.collection not in ("tracking", "cosmics")]
    return others if len(others) == len(found) else [*plots("cosmics"), *others]


def paths(
    named: Iterable[str], collections: Iterable[str], tracking_map: bool, is_online: bool, is_cosmics: bool
) -> tuple[str, ...]:
    """The paths of plots in a kind of run, each once: those named, those of collections, the tracking map.

    A path of the other side, online or offline, is translated; one without a twin there is left out.
    """
    found = [to_online(path) if is_online else to_offline(path) or path for path in named]
    chosen = [plot for name in collections for plot in members(name, is_cosmics)]
    chosen += [TRACKING_MAP] * (tracking_map and not is_cosmics)
    found += [plot.online if is_online else plot.offline for plot in chosen]
    return tuple(dict.fromkeys(filter(None, found)))


def folder_paths(folders: Iterable[str], is_online: bool) -> tuple[str, ...]:
    """The paths of folders in a kind of run, each once; online the offline parts of a path are left out.

    >>> folder_paths(["/Tracking/TrackParameters/generalTracks/"], is_online=True)
    ('/Tracking/TrackParameters',)
    """
    found = [f"/{folder.strip('/')}/" for folder in folders]
    if is_online:
        found = [to_online(folder) or folder for folder in found]
    return tuple(dict.fromkeys(folder.rstrip("/") or "/" for folder in found))
