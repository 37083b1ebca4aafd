"""``plot lumisections``: a histogram lumisection by lumisection, and the strips below it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from tests.conftest import to_lines
from tests.plots.histograms import SIZES, record, track_map
from tests.plots.words import quarrels
from tkstudies.errors import InputError
from tkstudies.plots.figures import style
from tkstudies.plots.look import Graph
from tkstudies.plots.lumisections import lumisections
from tkstudies.plots.palette import AMBER, BLUE, RED

HISTS = [record(9, [number, 1, 1], lumisection_number=number) for number in (1, 2, 5)]
STATES = [
    {
        "run_number": 9,
        "lumisection_number": number,
        "beam1_stable": True,
        "beam2_stable": number > 1,
        "tob_ready": None if number == 3 else number < 4,
    }
    for number in range(1, 6)
]
FLAGS = [
    {"run_number": 9, "reco": reco, "lumisection_number": number, "pixel": flag, "strip": None}
    for reco, flag in (("express", "GOOD"), ("prompt", "BAD"))
    for number in range(1, 5)
] + [{"run_number": 9, "reco": "express", "lumisection_number": 5, "pixel": "STANDBY", "strip": None}]


@pytest.fixture
def sides(tmp_path):
    """Options that name the files of states and flags."""
    for name, rows in (("states", STATES), ("flags", FLAGS)):
        (tmp_path / name).write_text(to_lines(rows))
    return {name: str(tmp_path / name) for name in ("states", "flags")}


def mesh_of(ax):
    return next(one for one in ax.collections if isinstance(one, QuadMesh))


def table(figure):
    return np.ma.filled(mesh_of(figure.axes[0]).get_array(), np.nan)


def test_a_column_for_each_lumisection_those_that_are_not_there_are_empty():
    drawing = lumisections(HISTS).first()
    expected = np.full((3, 5), np.nan)
    for number in (1, 2, 5):
        expected[:, number - 1] = np.array([number, 1, 1]) / (number + 2)
    assert_allclose(table(drawing.figure), expected)
    ax = drawing.figure.axes[0]
    assert (ax.get_xlim(), ax.get_xlabel(), ax.get_ylabel()) == ((0.5, 5.5), "lumisection", "Charge (e)")
    assert drawing.number == 3
    assert drawing.losses.texts() == ["2 lumisections without a histogram in between: grey"]
    assert drawing.figure.axes[1].get_ylabel() == "fraction of entries"


def test_counts_and_profiles_stay_as_they_are():
    assert table(lumisections(HISTS, counts=True).first().figure)[0, 4] == 5
    profile = record(9, [0, 0], hist={"type": "TProfile", "bins": {"content": [0.5, 2]}}, lumisection_number=1)
    assert table(lumisections([profile]).first().figure).ravel().tolist() == [0.5, 2]


def test_strips_of_states_and_flags(sides):
    figure = lumisections(HISTS, **sides).first().figure
    strip = next(ax for ax in figure.axes if ax.get_yticklabels()[0].get_text() == "beams stable")
    assert [label.get_text() for label in strip.get_yticklabels()] == ["beams stable", "TOB", "pixel flag"]
    mesh = mesh_of(strip)
    colours = [[to_hex(colour) for colour in row] for row in mesh.cmap(mesh.norm(mesh.get_array()))]
    grey = "#e6e6e6"
    assert colours == [[RED, BLUE, BLUE, BLUE, BLUE], [BLUE, BLUE, grey, RED, RED], [BLUE, BLUE, BLUE, BLUE, AMBER]]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["on, GOOD", "off, BAD", "unknown", "STANDBY"]
    assert strip.get_xlim() == figure.axes[0].get_xlim()


def test_side_files_of_other_runs_or_kinds(tmp_path, sides):
    drawing = lumisections([{**one, "run_number": 8} for one in HISTS], states=sides["states"]).first()
    assert f"--states {sides['states']}: no states of run 8" in drawing.losses.texts()
    other = tmp_path / "runs"
    other.write_text('{"run_number": 1}\n')
    with pytest.raises(InputError, match="no records with run_number and lumisection_number"):
        lumisections(HISTS, flags=str(other))


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record()], "no histogram of a lumisection: all 1 are of whole runs"),
        ([track_map(1, lumisection_number=1)], "run 1 express lumisection 1, .*: a map; this kind draws one-dim"),
        ([record(1, [0, 0], lumisection_number=1)], "run 1, /Pixel/Charge: no lumisection has entries"),
        ([*HISTS, record(9, [1, 1, 1], lumisection_number=10**6)], "lumisections from 1 to 1,000,000: at most 20,000"),
    ],
)
def test_what_cannot_be_drawn(records, words):
    with pytest.raises(InputError, match=words):
        lumisections(records).first()


def test_odd_lumisections_are_counted():
    more = [HISTS[0], record(9, [1, 1], lumisection_number=3), record(9, [0, 0, 0], lumisection_number=4)]
    assert lumisections([*HISTS, *more]).first().losses.texts() == [
        "1 lumisection not drawn: another binning than the first one",
        "1 histogram not drawn: the same lumisection as before",
        "1 lumisection without entries: grey",
        "1 lumisection without a histogram in between: grey",
    ]


def test_a_page_for_each_plot_and_a_batch(tmp_path, tkstudies):
    records = [*HISTS, *({**one, "plot": "/Size", "name": "Size"} for one in HISTS)]
    result = tkstudies("plot", "lumisections", "-o", tmp_path / "x.pdf", input=records)
    assert f"{tmp_path / 'x.pdf'}: 2 pages" in result.stderr
    tkstudies("plot", "lumisections", "--batch", "reco", "-o", tmp_path / "all", input=records)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert found == ["all/express/9_express_Charge.png", "all/express/9_express_Size.png"]


@pytest.mark.parametrize("size", [*SIZES, "3.5x3.2"])
def test_words_do_not_quarrel(size, sides):
    with style(Graph(size=size)):
        assert quarrels(lumisections(HISTS, look=Graph(size=size), **sides).first().figure) == []


def test_many_lumisections():
    records = [record(9, [1, 2, 3], lumisection_number=number) for number in range(1, 5001)]
    assert lumisections(records).first().number == 5000
