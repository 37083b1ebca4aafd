"""Maps over eta and phi: ``etaphi`` and its relatives, ``etaphi-line``, ``angular``."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from tests.plots.histograms import MAP, SIZES, record, track_map
from tests.plots.words import quarrels, texts
from tkstudies.analysis.histograms.trackingmaps import angular_correlation, angular_entropy, map_array
from tkstudies.errors import InputError
from tkstudies.plots.angular import angular
from tkstudies.plots.etaphi import etaphi, etaphi_diff, etaphi_ratio, etaphi_side
from tkstudies.plots.etaphiline import etaphi_line
from tkstudies.plots.figures import style
from tkstudies.plots.look import Graph, Look
from tkstudies.plots.palette import COLOURS

LUMI = {"lumisections": 60, "recorded_lumi": 59.604, "recorded_lumi_unit": "pb^{-1}"}
RUN = track_map(2, hole=0.5, reference_run_number=1, is_bad=True, **LUMI)
REFERENCE = track_map(1, scale=3, reference_run_number=1, is_bad=False)
BOTH = [RUN, REFERENCE]
ALONE, WITH_REFERENCE = (etaphi,), (etaphi_diff, etaphi_ratio, etaphi_side)


def maps(figure):
    meshes = (one for ax in figure.axes for one in ax.collections if isinstance(one, QuadMesh))
    return [one for one in meshes if one.get_array().size == 48]


def first(kind, records=None, **options):
    return kind(BOTH if records is None else records, run=["2"], **options).first().figure


def test_a_map_of_tracks():
    figure = first(etaphi)
    assert maps(figure)[0].get_array().tolist() == RUN["hist"]["bins"]["content"]
    ax, bar = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("η of the track", "φ of the track [rad]")
    assert (ax.get_xlim(), bar.get_ylabel()) == ((-3, 3), "tracks in the bin")
    assert ax.get_title() == "run 2 express\n60 LS, 59.6 pb⁻¹"


def test_panels_of_maps_have_one_scale():
    figure = etaphi(BOTH, look=Look(facet="run_number")).first().figure
    assert [ax.get_title() for ax in figure.axes[:2]] == ["run_number: 1", "run_number: 2"]
    assert maps(figure)[0].get_clim() == maps(figure)[1].get_clim()


def test_the_difference_is_in_percent_and_a_hole_leaves_the_rest_alone():
    mesh = maps(first(etaphi_diff))[0]
    expected = np.zeros((8, 6))
    reference = np.array(REFERENCE["hist"]["bins"]["content"])
    expected[3, 2] = -50 * reference[3, 2] / reference.mean()
    assert_allclose(mesh.get_array(), expected, atol=1e-9)
    assert mesh.get_clim()[0] == -mesh.get_clim()[1]
    assert first(etaphi_diff).axes[1].get_ylabel() == "difference [% of the mean]"


def test_the_ratio_as_a_map_and_in_ten_bins():
    figure = first(etaphi_ratio)
    ratio = maps(figure)[0].get_array()
    assert_allclose([ratio[3, 2], ratio[0, 0]], [0.5, 1])
    ax = next(ax for ax in figure.axes if ax.get_ylabel() == "bins of the map")
    counts, edges, _ = ax.patches[0].get_data()
    assert counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 47]
    assert_allclose(edges[[0, -1]], [1 / 6, 1 / 3])
    assert ax.get_xlabel() == "ratio (most common: 0.3333)"


def test_few_tracks_are_scaled_by_their_sum():
    rng = np.random.default_rng(5)
    few = track_map(2)
    few["hist"]["bins"]["content"] = rng.poisson(np.array(few["hist"]["bins"]["content"]) / 200).tolist()
    mesh = maps(first(etaphi_diff, [few, track_map(1)], reference_run=["1"]))[0]
    assert abs(mesh.get_array().mean()) < 1e-9


def test_side_by_side_with_lumisections_and_luminosity():
    figure = first(etaphi_side)
    run, change, reference = maps(figure)
    assert run.get_array().tolist() == RUN["hist"]["bins"]["content"]
    assert reference.get_array().tolist() == REFERENCE["hist"]["bins"]["content"]
    assert change.get_array().min() == change.get_array()[3, 2] < 0
    titles = [ax.get_title() for ax in figure.axes[:3]]
    assert titles == ["2 express\n60 LS, 59.6 pb⁻¹", "difference", "reference 1 express"]


def test_a_batch_of_all_runs(tmp_path, tkstudies):
    words = ["--batch", "reco", "--batch", "is_bad", "-o", tmp_path / "maps"]
    result = tkstudies("plot", "etaphi-side", *words, input=BOTH)
    assert (result.exit_code, result.stderr) == (0, f"{tmp_path / 'maps'}: 2 pictures\n")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        f"maps/express/false/1_express_{MAP}.png",
        f"maps/express/true/2_express_{MAP}.png",
    ]


@pytest.mark.parametrize("kind", WITH_REFERENCE)
def test_without_a_reference_it_says_what_to_do(kind):
    with pytest.raises(InputError, match=r"run 2 express, /Tracking/.*: no reference: name it with --reference-run"):
        kind([track_map(2)]).first()
    with pytest.raises(InputError, match="no histogram of the reference run 9"):
        kind([track_map(2)], reference_run=["9"]).first()
    with pytest.raises(InputError, match="reference 1 express: the map or that of the reference is empty"):
        kind([track_map(2), track_map(1, scale=0)], reference_run=["1"]).first()
    other = track_map(1)
    other["hist"]["bins"]["content"] = [[1, 2], [3, 4]]
    with pytest.raises(InputError, match="the reference has another binning"):
        kind([track_map(2), other], reference_run=["1"]).first()


@pytest.mark.parametrize("kind", [*ALONE, *WITH_REFERENCE, etaphi_line, angular])
def test_a_histogram_of_one_dimension_is_no_map(kind):
    with pytest.raises(InputError, match="a map needs two dimensions: plot histogram draws it"):
        kind([record(name=MAP)])
    with pytest.raises(InputError, match=r"no plot like TrackEtaPhi.*; there are Charge"):
        kind([record()])


def test_other_maps_say_what_their_axes_are():
    figure = etaphi([track_map(1, name="Occupancy")], plot="Occ*").first().figure
    assert [figure.axes[0].get_xlabel(), figure.axes[1].get_ylabel()] == ["Track #eta", "entries in the bin"]


# --- lines


def test_maps_as_lines_in_percent():
    figure = etaphi_line(BOTH).figure
    lines = figure.axes[0].lines
    content = np.array(RUN["hist"]["bins"]["content"])
    assert_allclose(lines[0].get_ydata(), 100 * content.T.ravel() / content.mean())
    assert [to_hex(line.get_color()) for line in lines] == list(COLOURS[:2])
    assert_allclose(lines[0].get_xdata()[[0, 7, 8]], [-3 + 1 / 16, -2 - 1 / 16, -2 + 1 / 16])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2", "1"]
    assert figure.legends[0].get_title().get_text() == "express"
    assert figure.axes[0].get_ylabel() == "tracks [% of the mean bin]"


def test_maps_as_lines_in_counts():
    line = etaphi_line(BOTH, counts=True).figure.axes[0].lines[1]
    assert line.get_ydata().max() == np.max(REFERENCE["hist"]["bins"]["content"])


def test_lines_in_panels_keep_their_colour():
    records = [track_map(run, reco=reco) for reco in ("express", "prompt") for run in (1, 2)]
    figure = etaphi_line(records, look=Look(row="reco")).figure
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    assert len({line.get_color() for ax in figure.axes for line in ax.lines}) == 4


@pytest.mark.parametrize("kind", [etaphi_line, angular])
def test_too_many_lines_and_empty_maps(kind):
    with pytest.raises(InputError, match="11 maps: at most 10 lines"):
        kind([track_map(run) for run in range(11)])
    assert kind([RUN, track_map(3, scale=0)]).losses.texts() == [f"not drawn: run 3 express, /Tracking/{MAP}: empty"]
    with pytest.raises(InputError, match=f"run 3 express, /Tracking/{MAP}: empty"):
        kind([track_map(3, scale=0)])


@pytest.mark.parametrize("periodic", [False, True])
def test_the_angular_correlation_is_that_of_the_analysis(periodic):
    figure = angular([RUN], periodic_phi=periodic, counts=True).figure
    distance, correlation = angular_correlation(map_array(RUN["hist"]), periodic)
    known = np.isfinite(correlation)
    assert_allclose(figure.axes[0].lines[0].get_ydata(), correlation[known])
    assert_allclose(figure.axes[0].lines[0].get_xdata(), distance[known])


def test_the_legend_has_the_angular_entropy():
    fine = track_map(5)
    fine["hist"]["bins"]["content"] = np.random.default_rng(1).poisson(100, (32, 31)).tolist()
    figure = angular([fine]).figure
    entropy = angular_entropy(map_array(fine["hist"]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"5 (S {entropy:.3f})"]


@pytest.mark.parametrize("size", [*SIZES, "3.5x6"])
@pytest.mark.parametrize("kind", [*ALONE, *WITH_REFERENCE])
def test_words_of_maps_do_not_quarrel(kind, size):
    look = (Graph if kind in (etaphi_ratio, etaphi_side) else Look)(size=size)
    with style(look):
        assert quarrels(first(kind, look=look)) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [etaphi_line, angular])
def test_words_of_lines_do_not_quarrel(kind, size):
    with style(Look(size=size)):
        assert quarrels(kind([track_map(317_000 + run) for run in range(5)], look=Look(size=size)).figure) == []


def test_words_of_panels_do_not_quarrel():
    look = Look(row="reco", col="run_number")
    records = [track_map(run, reco=reco) for run in (1, 2) for reco in ("express", "prompt")]
    with style(look):
        figure = etaphi(records, look=look).first().figure
        assert quarrels(figure) == []
        assert "reco: prompt" in texts(figure)
