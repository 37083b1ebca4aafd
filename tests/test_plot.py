"""``plot``: a picture of the right kind and size, and one clear line when there is none."""

from __future__ import annotations

import pytest
from matplotlib import image

from tkstudies.plots import figures
from tkstudies.plots.scatter import scatter

ROWS = [
    {
        "run_number": 317290 + n,
        "reco": ["express", "prompt"][n % 2],
        "pc1": n,
        "pc2": n * n % 7,
        "t2": n / 2,
        "tracking": s,
    }
    for n, s in enumerate(["GOOD"] * 8 + ["BAD", "BAD", None])
]


def drawn(figure):
    return sum(
        len(c.get_offsets()) for ax in figure.axes for c in ax.collections if hasattr(c, "get_offsets")
    )


def test_without_a_kind_a_scatter_of_pc1_and_pc2(tmp_path, tkstudies):
    output = tmp_path / "pca.png"
    result = tkstudies("plot", "-o", output, input=ROWS)
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"{output}: 11 points\n", 0)
    pixels = image.imread(output)
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 800
    assert [path.name for path in tmp_path.iterdir()] == ["pca.png"]


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_the_ending_chooses_the_format(ending, tmp_path, tkstudies):
    output = tmp_path / f"pca.{ending}"
    assert tkstudies("plot", "-q", "scatter", "-o", output, input=ROWS).exit_code == 0
    assert output.read_bytes()[:5] in (b"%PDF-", b"<?xml")


def test_colours_legend_and_names_say_what_the_rows_say():
    figure, points = scatter(ROWS, "pc1", "pc2", hue="tracking", annotate=2)
    assert points == drawn(figure) == 11
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["GOOD (8)", "BAD (2)", "unknown (1)"]
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ["317300 express", "317299 prompt"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("pc1", "pc2")


def test_numbers_get_a_colour_bar_and_values_a_panel_each():
    figure, _ = scatter(ROWS, "pc1", "pc2", hue="t2", facet="reco")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["reco: express", "reco: prompt"]
    assert figure.axes[-1].get_ylabel() == "t2"
    assert drawn(figure) >= 11


def test_rows_without_numbers_are_counted(tmp_path, tkstudies):
    rows = [*ROWS, {"pc1": None, "pc2": 1}, {"pc1": "x", "pc2": 1}]
    result = tkstudies("plot", "-o", tmp_path / "x.png", input=rows)
    assert "warning: 2 records not drawn: no number in pc1 or pc2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "-o FILE.png"),
        (["-o", "-"], 2, "doesn't go to standard output"),
        (["-o", "x.jpgg"], 2, "pictures end in"),
        (["-o", "x"], 2, "pictures end in"),
        (["scater", "-o", "x.png"], 2, "scater: neither a kind of plot (scatter"),
        (
            ["-o", "x.png", "--x", "pc9"],
            1,
            "no record has numbers in both pc9 and pc2; columns are run_number",
        ),
        (["-o", "no/such/x.png"], 1, "no/such/x.png: can't be written"),
        (["-o", "x.png", "--facet", "run_number", "--x", "pc1"], 0, ""),
    ],
)
def test_what_cannot_be_drawn(arguments, code, words, tmp_path, tkstudies, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tkstudies("plot", *arguments, input=ROWS)
    assert (result.stdout, result.exit_code) == ("", code), result.stderr
    assert words in result.stderr
    assert code == 0 or not list(tmp_path.iterdir())


def test_a_window_needs_a_display(monkeypatch, tkstudies):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    result = tkstudies("plot", "--show", input=ROWS)
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "--show needs a display" in result.stderr


def test_a_missing_column_to_colour_by_is_no_failure():
    figure, _ = scatter(ROWS, "pc1", "pc2", hue="nope")
    assert not figure.legends
    assert figures.STATUS_COLOURS["GOOD"] != figures.STATUS_COLOURS["BAD"]
