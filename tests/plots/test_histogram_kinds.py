"""``plot histogram`` and ``plot compare``: what is drawn, at which scale, and what is said of the rest."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch
from numpy.testing import assert_allclose

from tests.conftest import to_lines
from tests.plots.histograms import SIZES, axis, record, track_map
from tests.plots.words import quarrels, texts
from tkstudies.analysis.histograms.comparable import read
from tkstudies.analysis.histograms.pulls import pulls_of
from tkstudies.errors import InputError, UsageError
from tkstudies.plots.comparison import compare
from tkstudies.plots.figures import style
from tkstudies.plots.histogram import histogram
from tkstudies.plots.look import Look
from tkstudies.plots.overlays import REFERENCE_COLOURS, RUN_COLOUR
from tkstudies.plots.picks import Below

RUN, REFERENCE, OTHER = record(2, [10, 40, 30, 20]), record(1, [100, 400, 300, 200]), record(3, [50, 40, 5, 5])
BOTH = [RUN, REFERENCE]


def steps(ax):
    return [patch for patch in ax.patches if isinstance(patch, StepPatch) and not patch.get_fill()]


def points(ax):
    return [container.lines[0] for container in ax.containers]


def drawn(records, **options):
    return histogram(records, **options).first().figure


# --- one histogram


def test_a_histogram_alone_has_its_entries_edges_and_numbers():
    figure = drawn([RUN])
    ax = figure.axes[0]
    values, edges, _ = steps(ax)[0].get_data()
    assert values.tolist() == [10, 40, 30, 20]
    assert edges.tolist() == [0, 1, 2, 3, 4]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Charge (e)", "entries in the bin")
    assert ax.get_title(loc="left").splitlines() == [
        "run 2 express, Charge", "entries 103, mean 1.5, rms 0.9, overflow 3"
    ]  # fmt: skip
    assert ax.get_xlim() == (0, 4)
    assert ax.get_ylim()[0] == 0
    assert len(figure.axes) == 1


def test_bins_of_different_width_keep_it():
    hist = {"bins": {"content": [5, 6, 7], "width": [1, 2, 5]}}
    _, edges, _ = steps(drawn([record(1, [5, 6, 7], hist=hist)]).axes[0])[0].get_data()
    assert edges.tolist() == [0, 1, 3, 8]


def test_words_of_the_bins_stand_at_them_and_are_no_formulas():
    labels = [{"id": 1, "value": "$x$"}, {"id": 3, "value": "<b>FPix</b>"}]
    ax = drawn([record(x=axis(4, labels=labels, title="$\\frac{1}{0}$"))]).axes[0]
    assert ax.get_xticks().tolist() == [0.5, 2.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["$x$", "<b>FPix</b>"]
    assert ax.get_xlabel() == "$\\frac{1}{0}$"
    assert not any(label.get_parse_math() for label in (*ax.get_xticklabels(), ax.xaxis.label))


def test_without_an_axis_the_bins_are_numbered():
    ax = drawn([record(hist={"xaxis": None})]).axes[0]
    assert (ax.get_xlabel(), ax.get_xlim()) == ("bin", (0, 4))


def test_profiles_are_means_with_their_errors():
    hist = {"type": "TProfile", "bins": {"content": [0.5, 0.6, 0.7], "error": [0.1, 0.1, 0]}}
    figure = drawn([record(2, [0, 0, 0], hist=hist), record(1, [0, 0, 0], hist=hist)], reference_run=["1"])
    assert figure.axes[0].get_ylabel() == "mean in the bin"
    assert points(figure.axes[0])[0].get_ydata().tolist() == [0.5, 0.6, 0.7]


def test_negative_contents_are_below_zero():
    ax = drawn([record(1, [-5, 10, 3])]).axes[0]
    assert steps(ax)[0].get_data()[0].tolist() == [-5, 10, 3]
    assert ax.get_ylim()[0] < -5
    assert ax.get_ylabel() == "content of the bin"


def test_without_entries_it_says_so():
    assert "no entries" in texts(drawn([record(1, [0, 0, 0])]))


def test_a_map_is_drawn_as_one():
    figure = drawn([track_map()])
    mesh = next(one for one in figure.axes[0].collections if isinstance(one, QuadMesh))
    assert mesh.get_array().shape == (8, 6)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("Track #eta", "Track #phi")
    assert figure.axes[1].get_ylabel() == "entries in the bin"


# --- over references


def test_run_and_references_have_a_sum_of_one_and_a_ratio_below():
    figure = drawn([RUN, REFERENCE, OTHER], reference_run=["1,3"])
    ax, lower = figure.axes
    assert_allclose(points(ax)[0].get_ydata(), [0.1, 0.4, 0.3, 0.2])
    assert [to_hex(points(ax)[0].get_color())] == [RUN_COLOUR]
    assert_allclose(steps(ax)[0].get_data()[0], [0.1, 0.4, 0.3, 0.2])
    assert_allclose(steps(ax)[1].get_data()[0], [0.5, 0.4, 0.05, 0.05])
    assert [to_hex(patch.get_edgecolor()) for patch in steps(ax)] == [*REFERENCE_COLOURS[:2]]
    assert_allclose(points(lower)[0].get_ydata(), [1, 1, 1, 1])
    assert_allclose(points(lower)[1].get_ydata(), [0.2, 1, 6, 4])
    assert (lower.get_ylabel(), lower.get_xlabel(), ax.get_xlabel()) == ("ratio", "Charge (e)", "")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2 express", "1 express", "3 express"]
    assert ax.get_ylabel() == "fraction of entries"
    assert lower.get_xlim() == ax.get_xlim()


def test_ratios_beyond_the_axis_are_pointed_at():
    lower = drawn([RUN, OTHER], reference_run=["3"]).axes[1]
    assert lower.get_ylim() == (0, 2)
    arrows = [line for line in lower.lines if line.get_marker() == "^"]
    assert [x for line in arrows for x in line.get_xdata()] == [2.5, 3.5]


def test_pulls_are_those_of_compare():
    lower = drawn([RUN, OTHER], reference_run=["3"], below=Below.pull).axes[1]
    expected, _ = pulls_of(read(RUN["hist"]), read(OTHER["hist"]))
    assert_allclose(steps(lower)[0].get_data()[0], expected)
    assert lower.get_ylabel() == "pull"
    assert lower.get_ylim()[0] == -lower.get_ylim()[1] <= -3


def test_nothing_below():
    assert len(drawn(BOTH, reference_run=["1"], below=Below.none).axes) == 1


def test_the_reference_that_the_record_names():
    figure = drawn([{**RUN, "reference_run_number": 1}, REFERENCE])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2 express", "1 express"]


def test_the_references_of_a_file(tmp_path):
    file = tmp_path / "reference.jsonl"
    file.write_text(to_lines([REFERENCE]))
    figure = drawn([RUN], reference=[str(file)])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2 express", "1 express"]


def test_references_that_cannot_be_compared_are_told():
    drawing = histogram([RUN, record(1, [1, 2, 3])], reference_run=["1"]).first()
    assert drawing.losses.texts() == ["run 2 express, /Pixel/Charge: not compared with run 1 express: binning differs"]
    drawing = histogram([RUN, record(1, [0, 0, 0, 0])], reference_run=["1"]).first()
    assert drawing.losses.texts() == ["not drawn as a reference: run 1 express, /Pixel/Charge: empty"]
    assert drawing.figure.axes[0].get_ylabel() == "entries in the bin"
    drawing = histogram([{**RUN, "reference_run_number": 9}]).first()
    assert "no histogram of the reference run 9" in drawing.losses.texts()[0]


def test_maps_beside_their_references_with_pulls():
    figure = drawn([track_map(2, hole=1), track_map(1, scale=3)], reference_run=["1"])
    meshes = [one for ax in figure.axes for one in ax.collections if isinstance(one, QuadMesh)]
    meshes = [one for one in meshes if one.get_array().size == 48]  # the others are colour bars
    pulls = meshes[2].get_array()
    assert pulls.shape == (8, 6)
    assert pulls.min() == pulls[3, 2] < -5
    assert meshes[2].get_clim()[0] == -meshes[2].get_clim()[1]


# --- choosing, panels, pages


def test_patterns_of_paths_names_and_features():
    hits = record(1, name="NumberOfRecHitsPerTrack_Pixel_GenTk")
    hits["plot"] = "/Tracking/TrackParameters/highPurityTracks/pt_1/HitProperties/Pixel/" + hits["name"]
    for pattern in ("Hits.Pixel", "*Pixel_GenTk", "/Tracking/*/Num*", "NumberOfRecHitsPerTrack_Pixel_GenTk"):
        pages = histogram([RUN, hits], plot=pattern)
        assert [page.record["name"] for page in pages.all] == [hits["name"]], pattern
    with pytest.raises(InputError, match=r"no plot like hits.*; there are Charge"):
        histogram([RUN], plot="hits*")


def test_panels_show_a_histogram_each():
    records = [record(run, [run, 5, 5]) for run in (1, 2, 3)]
    figure = drawn(records, look=Look(facet="run_number"))
    assert [ax.get_title() for ax in figure.axes] == ["run_number: 1", "run_number: 2", "run_number: 3"]
    assert [steps(ax)[0].get_data()[0][0] for ax in figure.axes] == [1, 2, 3]
    pages = histogram([*records, record(1, name="Size")], look=Look(facet="run_number"))
    assert pages.first().losses.texts() == ["1 histogram not drawn: a panel shows the first of its"]


def test_the_first_in_a_picture_all_in_a_pdf(tmp_path, tkstudies):
    records = [record(run) for run in range(1, 5)]
    png, pdf = tmp_path / "x.png", tmp_path / "x.pdf"
    result = tkstudies("plot", "histogram", "-o", png, input=records)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"{png}: 1 histogram",
        "warning: 3 histograms not drawn: a .pdf holds all, --run, --reco and --plot choose others",
    ]
    result = tkstudies("plot", "histogram", "-o", pdf, "-o", png, "--top", 3, input=records)
    assert result.stderr.splitlines() == [
        f"{pdf}: 3 pages", f"{png}: 1 histogram", "warning: 1 histogram beyond 3 pages not drawn: see --top"
    ]  # fmt: skip
    assert len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) == 3
    again = tmp_path / "again.pdf"
    tkstudies("plot", "-q", "histogram", "-o", again, "--top", 3, input=records)
    assert again.read_bytes() == pdf.read_bytes()


def test_a_batch_has_a_picture_of_each_with_its_reference(tmp_path, tkstudies):
    records = [{**record(run), "is_bad": run == 2, "reference_run_number": 1} for run in (1, 2)]
    result = tkstudies("plot", "histogram", "--batch", "reco", "--batch", "is_bad", "-o", tmp_path, input=records)
    assert (result.exit_code, result.stderr) == (0, f"{tmp_path}: 2 pictures\n")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        "express/false/1_express_Charge.png", "express/true/2_express_Charge.png"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "options", "words"),
    [
        ([record(hist={"bins": {"content": ["nan", 1]}})], {}, "run 1 express, /Pixel/Charge: contents that are not"),
        ([record(hist={"bins": None})], {}, "run 1 express, /Pixel/Charge: no histogram"),
        ([{**RUN, "hist": "unsupported type"}], {}, "run 2 express, /Pixel/Charge: no histogram"),
        ([record(1, [1e308, 1])], {}, "too large or too small"),
        ([{"run_number": None, "plot": None}], {}, "no histogram records"),
        ([RUN], {"run": ["7"]}, "--run 7: no such histogram; there are those of 2 express"),
        ([RUN], {"reco": ["prompt"]}, "--reco prompt: no such histogram"),
        ([REFERENCE], {"reference_run": ["1"]}, "all histograms are of the reference runs 1"),
    ],
)
def test_what_cannot_be_drawn_is_told_with_run_and_plot(records, options, words):
    with pytest.raises(InputError, match=words):
        drawn(records, **options)


@pytest.mark.parametrize("runs", [["1-3"], ["x"], ["1,2,3,4,5,6,7"]])
def test_references_are_named_each(runs):
    with pytest.raises(UsageError, match="--reference-run"):
        histogram(BOTH, reference_run=runs)


def test_bad_records_beside_good_ones_are_counted(tmp_path, tkstudies):
    records = [RUN, {**RUN, "hist": "unsupported type"}, {"plot": "/p", "hist": {}}]
    result = tkstudies("plot", "histogram", "-o", tmp_path / "x.png", input=records)
    assert "warning: 1 record not drawn: no histogram of a run and plot" in result.stderr
    assert "1 histogram not drawn: no histogram (such as run 2 express, /Pixel/Charge)" in result.stderr


def test_many_records_only_the_chosen_are_read():
    records = [RUN, *[{"run_number": run, "plot": "/p/Other", "hist": {}} for run in range(100_000)]]
    assert histogram(records, plot="Charge").first().number == 1


def test_the_wrong_kind_of_file(tmp_path, tkstudies):
    result = tkstudies("plot", "histogram", "-o", tmp_path / "x.png", input=[{"run_number": 1, "pc1": 2}])
    assert result.exit_code == 1
    assert "these are rows of a table, and plot histogram needs histogram records" in result.stderr
    result = tkstudies("plot", "scatter", "-o", tmp_path / "x.png", input=BOTH)
    assert "they can be drawn as histogram, compare, etaphi," in result.stderr


def test_a_reference_that_is_simulated_says_so():
    figure = drawn([RUN, {**REFERENCE, "simulated": True}], reference_run=["1"], look=Look(label="Private"))
    assert "simulated, not CMS data" in texts(figure)
    assert "CMS" not in texts(figure)


# --- compare


def test_the_worst_plots_come_first():
    worse = [record(2, [90, 5, 3, 2], name="Bad"), record(1, [100, 400, 300, 200], name="Bad")]
    pages = compare([*BOTH, *worse], run=["2"], reference_run=["1"])
    assert [page.record["name"] for page in pages.all] == ["Bad", "Charge"]
    figure = pages.first().figure
    assert figure.axes[1].get_ylabel() == "pull"
    assert "largest pull" in figure.axes[0].get_title(loc="left")
    assert "KS distance" in figure.axes[0].get_title(loc="left")


def test_what_could_not_be_compared_is_counted(tmp_path, tkstudies):
    records = [*BOTH, record(2, [1, 2], name="New"), record(2, [0, 0, 0, 0], name="Empty"), record(1, name="Empty")]
    result = tkstudies("plot", "compare", "--run", 2, "--reference-run", 1, "-o", tmp_path / "x.pdf", input=records)
    assert result.exit_code == 0
    assert "warning: 1 histogram not drawn: no histogram of the reference run 1" in result.stderr
    assert "warning: 1 histogram not drawn: empty" in result.stderr
    assert f"{tmp_path / 'x.pdf'}: 1 page" in result.stderr
    result = tkstudies("plot", "compare", "-o", tmp_path / "y.pdf", input=[RUN])
    assert result.exit_code == 1
    assert "name it with --reference-run" in result.stderr


def test_the_most_unusual_first_with_what_was_learned(tmp_path, tkstudies):
    rng = np.random.default_rng(3)

    def made(run, name, width):
        shape = rng.dirichlet(np.ones(4) * width)
        return record(run, rng.multinomial(5000, shape).tolist(), name=name)

    good = [made(run, name, width) for run in range(1, 31) for name, width in (("Wild", 10), ("Calm", 1e6))]
    changes = tmp_path / "changes.json"
    assert tkstudies("compare", "--learn", "-o", changes, input=good).exit_code == 0
    new = [record(99, [500, 1000, 1500, 2000], name="Wild"), record(99, [1400, 1300, 1200, 1100], name="Calm")]
    pages = compare([*good, *new], run=["99"], reference_run=["1"], changes=str(changes))
    assert [page.record["name"] for page in pages.all] == ["Calm", "Wild"]
    assert pages.first().figure.axes[0].get_title(loc="left").splitlines()[1].startswith("z ")


# --- words


BINS_WITH_NAMES = axis(4, labels=[{"id": place, "value": f"BPix layer {place}"} for place in range(1, 5)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("below", list(Below))
@pytest.mark.parametrize(
    ("records", "log"),
    [([RUN, REFERENCE, OTHER], []), ([record(run, x=BINS_WITH_NAMES) for run in (1, 2, 3)], ["y"])],
    ids=["numbers", "names, logarithmic"],
)
def test_words_do_not_quarrel(size, below, records, log):
    look = Look(size=size, log=log)
    with style(look):
        assert quarrels(drawn(records, run=["2"], reference_run=["1,3"], below=below, look=look)) == []


@pytest.mark.parametrize("size", SIZES)
def test_words_of_maps_do_not_quarrel(size):
    look = Look(size=size, title="A title")
    with style(look):
        assert quarrels(drawn([track_map(2), track_map(1)], reference_run=["1"], look=look)) == []
        assert quarrels(drawn([track_map(2)], look=look)) == []
