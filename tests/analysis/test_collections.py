import pytest

from tests.cern.simulated_modules import module_plots
from tkstudies.analysis.histograms.collections import (
    COLLECTIONS,
    TRACKING_MAP,
    feature_name,
    feature_order,
    is_per_lumisection,
    members,
    plots,
    to_offline,
    to_online,
)
from tkstudies.errors import UsageError

TRACKS = "/Tracking/TrackParameters"


def test_the_quick_collections_have_77_plots():
    sizes = {name: len(plots(name)) for name in COLLECTIONS}
    assert sizes["all"] == sizes["tracking"] + sizes["pixel"] + sizes["strip"] == 77
    assert sum(plot.online is None for plot in plots("all")) == 14


def test_features_are_unique():
    everything = [*plots("all"), *plots("cosmics")]
    assert len({plot.feature for plot in everything}) == len({plot.name for plot in everything}) == 81
    modules = {plot.feature: plot.offline for plot in plots("modules")}
    assert len(modules) == len(set(modules.values())) == len(plots("modules")) == 77
    shared = modules.keys() & {plot.feature for plot in everything}
    assert {feature: modules[feature] for feature in shared} == {"deadRoc": "/PixelPhase1/deadRocTotal"}
    assert list(feature_order())[:3] == ["Tracks", "Hits", "TrackPt"]


def test_the_misspelt_feature_is_corrected():
    assert "adc.PXForward" in {plot.feature for plot in plots("pixel")}


def test_cosmics_plots_have_no_track_selection():
    assert [plot.offline for plot in plots("cosmics")] == [
        f"{TRACKS}/GeneralProperties/NumberOfTracks_CKFTk",
        f"{TRACKS}/HitProperties/NumberOfRecHitsPerTrack_CKFTk",
        f"{TRACKS}/GeneralProperties/TrackPt_CKFTk",
        f"{TRACKS}/GeneralProperties/Chi2oNDF_CKFTk",
    ]


def test_an_unknown_collection_is_a_usage_error():
    with pytest.raises(UsageError, match="tracking, pixel, strip, all, cosmics, modules"):
        plots("muons")


@pytest.mark.parametrize(
    ("plot", "feature"),
    [
        (f"{TRACKS}/highPurityTracks/pt_1/GeneralProperties/NumberOfTracks_GenTk", "Tracks"),
        (f"{TRACKS}/GeneralProperties/NumberOfTracks_GenTk", "Tracks"),
        ("NumberOfTracks_GenTk", "Tracks"),
        (f"{TRACKS}/generalTracks/GeneralProperties/NumberOfTracks_GenTk", "NumberOfTracks_GenTk"),
        (TRACKING_MAP.online, "TrackEtaPhi_ImpactPoint_GenTk"),
        ("/PixelPhase1/Tracks/PXForward/residual_x_PXDisk_+3", "residual.x.PXDisk_+3"),
        ("/SiStrip/MechanicalView/TEC/PLUS/wheel_9/HitResiduals_TEC__wheel__9", "residual.TEC.PLUS.wheel_9"),
        ("HitResiduals_TIB__Layer__1", "residual.TIB.layer_1"),
        ("HitResiduals_TEC__wheel__9", "HitResiduals_TEC__wheel__9"),  # of either side
        ("/Some/Folder/a plot+1", "a plot+1"),
        ("own", "own"),
    ],
)
def test_feature_name(plot, feature):
    assert feature_name(plot) == feature


@pytest.mark.parametrize(
    "plot", [*plots("all"), *plots("cosmics"), TRACKING_MAP, *plots("modules")], ids=lambda plot: plot.feature
)
def test_table_paths_translate_both_ways(plot):
    assert to_online(plot.offline) == plot.online
    assert to_offline(plot.offline) == plot.offline
    if plot.online:
        assert to_offline(plot.online) == plot.offline
        assert to_online(plot.online) == plot.online


def test_the_plots_of_modules_are_those_that_the_server_has():
    for service in ("offline", "online"):
        assert {getattr(plot, service) for plot in plots("modules")} - {None} == set(module_plots(service))
    assert members("modules", is_cosmics=True) == members("modules", is_cosmics=False) == plots("modules")
    assert not {plot.offline for plot in plots("modules")} & {plot.offline for plot in plots("tracking")}


def test_paths_outside_the_table():
    offline = f"{TRACKS}/generalTracks/LSanalysis/Chi2oNDF_lumiFlag_GenTk"
    online = f"{TRACKS}/LSanalysis/Chi2oNDF_lumiFlag_GenTk"
    assert to_online(offline) == to_online(offline.replace("generalTracks", "highPurityTracks/pt_1")) == online
    assert to_offline(offline) == offline
    assert to_offline(online) is None
    assert to_offline("/PixelPhase1/other") == to_online("/PixelPhase1/other") == "/PixelPhase1/other"


def test_which_plots_are_against_lumisections():
    of_table = [plot.feature for plot in plots("all") if is_per_lumisection(plot.name)]
    assert of_table == [plot.feature for plot in plots("all") if is_per_lumisection(plot.offline)]
    assert of_table == [
        f"{what}.lumiblock.{where}"
        for what, where in (
            ("digis", "PXBarrel"), ("adc", "PXBarrel"), ("digis", "PXForward"), ("adc", "PXForward"),
            ("clusters", "PXBarrel"), ("clusters", "PXForward"),
        )
    ]  # fmt: skip
    others = ("LSanalysis/Chi2oNDF_GenTk", "Chi2oNDF_lumiFlag_GenTk", "TracksVsLS", "hits_per_LS", "x_lumisection")
    for name in others:
        assert is_per_lumisection(name), name
    for name in ("eventrate_per_BX", "TrackEtaPhi_ImpactPoint_GenTk", "NumberOfRecHitsPerTrack_GenTk", "luminosity"):
        assert not is_per_lumisection(name), name
