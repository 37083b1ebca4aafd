"""``plot``: a picture of the right kind and size, and one clear line when there is none."""

from __future__ import annotations

import pytest
from matplotlib import image
from matplotlib.colors import to_hex

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
    assert legend == ["GOOD (8)", "BAD (2)", "no value (1)"]
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
    assert "warning: 2 records not drawn: no number or time in pc1 or pc2" in result.stderr


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
            "no record has a number (or time) in pc9; columns with numbers are run_number, pc1",
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


def colours_of(figure):
    """Colour -> number of its points."""
    found = {}
    for collection in figure.axes[0].collections:
        assert len(collection.get_facecolor()) == 1
        colour = to_hex(collection.get_facecolor()[0])
        found[colour] = found.get(colour, 0) + len(collection.get_offsets())
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["GOOD", "BAD", "EXCLUDED", None],
        ["Good", "Pixel Standby", "Bad", "Strip Bad", "Tracking Bad"],
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", None],
    ],
    ids=len,
)
def test_each_word_has_a_colour_of_its_own_that_the_legend_tells(words):
    rows = [{"pc1": n, "pc2": n % 3, "word": word} for n, word in enumerate(words * 3)]
    rows += [{"pc1": 0, "pc2": 0, "word": words[0]}]
    figure, _ = scatter(rows, "pc1", "pc2", hue="word")
    legend = figure.legends[0]
    told = {
        to_hex(h.get_color()): t.get_text() for h, t in zip(legend.legend_handles, legend.texts, strict=True)
    }
    assert len(told) == len(words)
    drawn = {colour: f"({count})" for colour, count in colours_of(figure).items()}
    assert drawn == {colour: text[text.index("(") :] for colour, text in told.items()}
    for colour, text in told.items():
        word = text[: text.index(" (")]
        assert colour == figures.STATUS_COLOURS.get(word.upper(), colour)
        assert (colour == figures.UNKNOWN) == (word == "no value")


def test_the_many_words_beyond_the_colours_are_others():
    rows = [{"pc1": n, "pc2": n, "word": f"w{n % 15}"} for n in range(150)]
    figure, _ = scatter(rows, "pc1", "pc2", hue="word")
    assert figure.legends[0].texts[-1].get_text() == "others (50)"
    assert colours_of(figure)[figures.UNKNOWN] == 50


def test_numbers_are_coloured_by_their_size():
    figure, _ = scatter([*ROWS, {"pc1": 3, "pc2": 3, "t2": None}], "pc1", "pc2", hue="t2")
    without, coloured = figure.axes[0].collections
    assert to_hex(without.get_facecolor()[0]) == figures.UNKNOWN
    assert coloured.get_array().tolist() == [row["t2"] for row in ROWS]
    assert coloured.get_clim() == (0, 5)


def test_title_and_number_of_names(tmp_path, tkstudies):
    figure, _ = scatter(ROWS, "pc1", "pc2", annotate=4, title="Run 2018B: 100 %")
    assert figure.get_suptitle() == "Run 2018B: 100 %"
    assert len(figure.axes[0].texts) == 4
    assert not scatter(ROWS, "pc1", "pc2")[0].axes[0].texts
    pictures = []
    for arguments in ([], ["--title", "A title"], ["--annotate", "0"]):
        tkstudies("plot", "-q", *arguments, "-o", tmp_path / "x.svg", input=ROWS)
        pictures.append((tmp_path / "x.svg").read_text())
    assert len(set(pictures)) == 3


def overlapping(texts, figure):
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    return [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]


def test_names_of_near_points_do_not_overlap():
    rows = [{"run_number": 317290 + n, "pc1": 1 + n / 1000, "pc2": 2, "t2": n} for n in range(4)]
    rows += [{"pc1": 0, "pc2": 0}, {"pc1": 3, "pc2": 3}]
    figure, _ = scatter(rows, "pc1", "pc2", annotate=4)
    assert len(figure.axes[0].texts) == 4
    assert not overlapping(figure.axes[0].texts, figure)


@pytest.mark.parametrize("values", [1, 2, 4, 5])
def test_tick_labels_stand_below_every_column_of_panels_and_apart(values):
    rows = [{"run_number": 317000 + 37 * n, "y": n, "kind": n % values} for n in range(40)]
    figure, _ = scatter(rows, "run_number", "y", facet="kind" if values > 1 else "")
    figure.draw_without_rendering()
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == values
    below = [ax for ax in shown if any(label.get_visible() for label in ax.get_xticklabels())]
    assert len(below) == min(values, 3)
    for ax in below:
        assert not overlapping([label for label in ax.get_xticklabels() if label.get_text()], figure)


def test_one_point(tmp_path):
    figure, points = scatter([{"pc1": -3.8131, "pc2": 1.2}], "pc1", "pc2")
    assert points == 1
    figure.draw_without_rendering()
    assert not overlapping(figure.axes[0].get_xticklabels(), figure)


def test_times_are_an_axis():
    rows = [
        {"start_time": f"2018-06-{day:02}T02:11:05{end}", "lumi": day} for day, end in ((1, "Z"), (21, ".5Z"))
    ]
    figure, points = scatter([*rows, {"start_time": None, "lumi": 1}], "start_time", "lumi")
    assert points == 2
    offsets = figure.axes[0].collections[0].get_offsets()
    assert offsets[1][0] - offsets[0][0] == pytest.approx(20 + 0.5 / 86400)
    figure.draw_without_rendering()
    assert "2018" in figure.axes[0].xaxis.get_major_formatter().get_offset()


def test_a_column_of_the_facets_that_is_nowhere_is_told(tmp_path, tkstudies):
    result = tkstudies("plot", "--facet", "rico", "-o", tmp_path / "x.png", input=ROWS)
    assert "--facet: no record has a column rico; did you mean reco?" in result.stderr


def test_a_link_stays_a_link_and_permissions_stay(tmp_path, tkstudies):
    (tmp_path / "real.png").write_bytes(b"")
    (tmp_path / "real.png").chmod(0o640)
    (tmp_path / "link.png").symlink_to("real.png")
    assert tkstudies("plot", "-o", tmp_path / "link.png", input=ROWS).exit_code == 0
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").stat().st_size > 10_000
    assert (tmp_path / "real.png").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_told(tkstudies, tmp_path):
    (tmp_path / "x.png").symlink_to("/dev/full")
    result = tkstudies("plot", "-o", tmp_path / "x.png", input=ROWS)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "x.png: can't be written: No space left on device" in result.stderr


def test_drawing_leaves_the_settings_of_others_alone(tmp_path, shell):
    code = (
        "import matplotlib; matplotlib.use('svg')\n"
        "from typer.testing import CliRunner; from tkstudies.cli import app\n"
        "CliRunner().invoke(app, ['plot', '-o', 'x.png'], input='{\"pc1\":1,\"pc2\":2}')\n"
        "print(matplotlib.get_backend())"
    )
    result = shell(f"python -c '{code.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'")
    assert result.stdout == "svg\n", result.stderr
