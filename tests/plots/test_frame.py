"""What all kinds of figures share: files, size, words, panels, lines, units, colours and markers, batches."""

from __future__ import annotations

import json

import pytest
from matplotlib import image
from matplotlib.text import Text
from PIL import Image

from tests.conftest import to_lines
from tkstudies import __version__ as tkstudies_version
from tkstudies.errors import UsageError
from tkstudies.plots import palette, quantities
from tkstudies.plots.axes import Axis
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import style
from tkstudies.plots.look import Look, Sheet
from tkstudies.plots.scatter import scatter
from tkstudies.provenance import digest

ROWS = [
    {
        "run_number": 317290 + n,
        "reco": ["express", "prompt"][n % 2],
        "runtype": ["collisions", "cosmics"][n % 3 > 0],
        "pc1": n - 5,
        "pc2": n * n % 7,
        "t2": n / 2 + 0.1,
        "t2_limit_99": 4.0,
        "tracking": status,
    }
    for n, status in enumerate(["GOOD"] * 8 + ["BAD", "BAD", None])
]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


# --- files


def test_several_files_of_one_figure(tmp_path, tkstudies):
    names = [tmp_path / name for name in ("a.png", "a.pdf", "a.svg")]
    outputs = [word for name in names for word in ("-o", name)]
    result = tkstudies("plot", *outputs, input=ROWS)
    assert result.stderr.splitlines() == [f"{name}: 11 points" for name in names]
    assert [name.read_bytes()[:4] for name in names] == [b"\x89PNG", b"%PDF", b"<?xm"]


def test_one_wrong_ending_and_nothing_is_written(tmp_path, tkstudies):
    result = tkstudies("plot", "-o", tmp_path / "a.png", "-o", tmp_path / "a.doc", input=ROWS)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "pictures end in" in result.stderr


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_same_records_make_the_same_bytes(ending, tmp_path, tkstudies):
    files = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for file in files:
        tkstudies("plot", "-q", "-o", file, input=ROWS)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_picture_says_where_it_comes_from(tmp_path, tkstudies):
    (tmp_path / "rows.jsonl").write_text(to_lines(ROWS))
    names = [tmp_path / f"a.{ending}" for ending in ("png", "pdf", "svg")]
    assert tkstudies("plot", *(f"-o{name}" for name in names), tmp_path / "rows.jsonl").exit_code == 0
    told = Image.open(names[0]).text
    found = json.loads(told["Source"])
    assert told["Software"] == f"tkstudies {tkstudies_version}" == f"tkstudies {found['tkstudies_version']}"
    assert found["inputs"] == [{"file": str(tmp_path / "rows.jsonl"), "sha256": digest(str(tmp_path / "rows.jsonl"))}]
    runs = [row["run_number"] for row in ROWS]
    assert (found["first_run"], found["last_run"]) == (min(runs), max(runs))
    assert "made_at" not in found and found["command"]
    for name in names[1:]:
        assert found["inputs"][0]["sha256"].encode() in name.read_bytes()


# --- size and words


@pytest.mark.parametrize(
    ("size", "dpi", "pixels"),
    [("3.5x2.6", 100, (350, 260)), ("10x5.6", 50, (500, 280)), ("3.4", 100, (340, 240)), ("4 X 3", 20, (80, 60))],
)
def test_size_and_resolution(size, dpi, pixels, tmp_path, tkstudies):
    assert tkstudies("plot", "--size", size, "--dpi", dpi, "-o", tmp_path / "x.png", input=ROWS).exit_code == 0
    assert image.imread(tmp_path / "x.png").shape[1::-1] == pixels


@pytest.mark.parametrize(
    "size", ["", "3x", "x3", "0x3", "3x0", "-3x3", "wide", "1000x2", "99x99", "0.1", "3x3x3", "nan"]
)
def test_a_size_that_is_none(size):
    if size == "":
        assert Sheet(size=size).inches(2, 1) == (2, 1)
        return
    with pytest.raises(UsageError, match="--size"):
        Sheet(size=size, dpi=400)


def test_words_at_the_axes_and_above():
    figure = scatter(ROWS, look=Look(title="Title", xlabel="first", ylabel="second")).figure
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("first", "second")
    assert figure.get_suptitle() == "Title"
    long = scatter(ROWS, look=Look(title="word " * 100, size="3.5")).figure
    assert long.get_suptitle().count("\n") == 1
    assert long.get_suptitle().endswith("…")


@pytest.mark.parametrize("size", ["", "3.5x2.6", "10x5.6"])
@pytest.mark.parametrize(
    "look", [{}, {"style": "cms", "label": "Work in progress", "title": "T" * 60}, {"col": "reco"}]
)
def test_no_words_overlap_or_are_cut_off(size, look):
    with style(Look(size=size, **look)):
        figure = scatter(ROWS, hue="tracking", look=Look(size=size, **look)).figure
        figure.draw_without_rendering()
    page = figure.bbox.padded(1)
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in found if text is not figure._suptitle]
    ticks = [label for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    shown = [box for text, box in zip(found, boxes, strict=False) if text not in ticks]
    for place, (text, box) in enumerate(shown):
        assert page.containsx(box.x0) and page.containsx(box.x1), text
        assert page.containsy(box.y0) and page.containsy(box.y1), text
        assert not [other for other, its in shown[:place] if its.overlaps(box)], text


def test_the_label_of_cms_is_only_there_when_asked_for():
    assert not [text for text in texts(scatter(ROWS, look=Look(style="cms")).figure) if "CMS" in text]
    drawn = texts(scatter(ROWS, look=Look(label="Work in progress")).figure)
    assert {"CMS", "Work in progress"} <= set(drawn)
    assert not any("Preliminary" in text for text in drawn)


@pytest.mark.parametrize("column", ["simulated", "is_simulated"])
def test_simulated_rows_say_so_and_get_no_label(column, tmp_path, tkstudies):
    rows = [*ROWS[:-1], {**ROWS[-1], column: True}]
    drawn = texts(scatter(rows, look=Look(label="Work in progress")).figure)
    assert "simulated, not CMS data" in drawn
    assert "CMS" not in drawn and "Work in progress" not in drawn
    result = tkstudies("plot", "--label", "Work in progress", "-o", tmp_path / "x.svg", input=rows)
    assert "warning: --label left out: the records are simulated, not CMS data" in result.stderr
    assert "simulated" not in " ".join(texts(scatter([{**row, column: False} for row in ROWS]).figure))


# --- panels, lines, scales


def test_panels_both_ways():
    figure = scatter(ROWS, look=Look(row="runtype", col="reco")).figure
    assert len(figure.axes) == 4
    assert [ax.get_title() for ax in figure.axes] == ["reco: express", "reco: prompt", "", ""]
    assert {"runtype: collisions", "runtype: cosmics"} <= set(texts(figure))
    for ax, (runtype, reco) in zip(
        figure.axes, [(a, b) for a in ("collisions", "cosmics") for b in ("express", "prompt")], strict=True
    ):
        drawn = sum(len(collection.get_offsets()) for collection in ax.collections)
        assert drawn == sum((row["runtype"], row["reco"]) == (runtype, reco) for row in ROWS)


def test_rows_alone_stand_below_each_other():
    figure = scatter(ROWS, look=Look(row="reco")).figure
    first, second = figure.axes
    assert first.get_position().y0 > second.get_position().y1
    assert first.get_position().x0 == second.get_position().x0


def test_numbers_of_panels_are_in_their_order():
    rows = [{"pc1": 1, "pc2": 2, "layer": value} for value in (10, 9, None, 1)]
    figure = scatter(rows, look=Look(col="layer")).figure
    assert [ax.get_title() for ax in figure.axes if ax.get_visible()] == [
        f"layer: {value}" for value in (1, 9, 10, "no value")
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--facet", "run_number", "--x", "t2"], 1, "--facet run_number has 13 values: at most 12"),
        (["--row", "five", "--col", "three"], 1, "--row five and --col three make 5 x 3 panels: at most 12"),
        (["--facet", "reco", "--col", "reco"], 2, "--facet is --col"),
        (["--log", "z"], 2, "--log z: the axes are x and y"),
        (["--line", "nope"], 1, "--line nope: neither a value nor a column with numbers"),
        (["--line", "1e300"], 1, "--line 1e300: a number or time that is too large"),
        (["--size", "big"], 2, "--size big: expected WIDTHxHEIGHT in inches"),
    ],
)
def test_what_makes_no_panels_or_lines(arguments, code, told, tmp_path, tkstudies):
    rows = [{**ROWS[0], "run_number": n, "t2": n, "five": n % 5, "three": n % 3} for n in range(13)]
    result = tkstudies("plot", *arguments, "-o", tmp_path / "x.png", input=rows)
    assert (result.stdout, result.exit_code) == ("", code)
    assert told in result.stderr


def test_a_logarithmic_axis_counts_what_it_cannot_draw(tmp_path, tkstudies):
    drawing = scatter(ROWS, "t2", "pc1", look=Look(log=["x", "y"]))
    assert (drawing.figure.axes[0].get_xscale(), drawing.figure.axes[0].get_yscale()) == ("log", "log")
    assert drawing.number == 5
    assert drawing.losses.texts() == ["6 records not drawn: no number above zero for the logarithmic axis in t2 or pc1"]
    result = tkstudies("plot", "--log", "y", "--y", "pc2", "-o", tmp_path / "x.png", input=[{"pc1": 1, "pc2": 0}])
    assert (result.exit_code, "above zero" in result.stderr) == (1, True)


def test_lines_at_values_and_columns():
    figure = scatter(ROWS, "run_number", "t2", look=Look(line=["2.5", "t2_limit_99"])).figure
    assert [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_zorder() < 2] == [2.5, 4.0]
    assert figure.legends[0].get_texts()[-1].get_text() == "99 % limit of T²"
    changing = [{**row, "limit": row["run_number"] % 7} for row in ROWS]
    line = scatter(changing, "run_number", "t2", look=Look(line=["limit"])).figure.axes[0].lines[0]
    assert list(zip(*line.get_data(), strict=True)) == [(row["run_number"], row["run_number"] % 7) for row in ROWS]


def test_a_line_at_a_time():
    rows = [{"x": day, "start_time": f"2018-06-{day:02}T00:00:00Z"} for day in (1, 9)]
    ax = scatter(rows, "x", "start_time", look=Look(line=["2018-06-05"])).figure.axes[0]
    assert ax.lines[0].get_ydata()[0] == pytest.approx(sum(ax.collections[0].get_offsets()[:, 1]) / 2)


# --- units


def test_axes_say_quantity_and_unit():
    rows = [{"run_number": 1, "init_lumi": 1.5, "init_lumi_unit": "10^{34}cm^{-2}s^{-1}", "duration": 60, "b_field": 3}]
    assert quantities.label("init_lumi", rows) == "initial instantaneous luminosity [10³⁴ cm⁻² s⁻¹]"
    assert [quantities.label(name, rows) for name in ("duration", "b_field", "Hits.mean")] == [
        "duration [s]",
        "magnetic field [T]",
        "Hits.mean",
    ]
    assert Axis("t", [{"t": "2018-01-01"}]).label == "t [UTC]"


def test_the_share_of_the_variance_is_that_of_the_scores():
    rows = [{"pc1": 3.0, "pc2": 0.0, "q": 1.0}, {"pc1": -3.0, "pc2": 1.0, "q": 0.0}]
    assert quantities.label("pc1", rows) == "pc1 (90 % of variance)"
    assert quantities.label("pc2", rows) == "pc2 (5 % of variance)"
    assert quantities.label("pc1", [{"pc1": 1.0}]) == "pc1"


def test_luminosities_in_several_units_are_drawn_in_one(tmp_path, tkstudies):
    rows = [{"run_number": n, "recorded_lumi": 2.0, "recorded_lumi_unit": "pb^{-1}"} for n in range(3)]
    rows.append({"run_number": 3, "recorded_lumi": 500_000.0, "recorded_lumi_unit": "{\\mu}b^{-1}"})
    rows.append({"run_number": 4, "recorded_lumi": 5.0, "recorded_lumi_unit": "bananas"})
    drawing = scatter(rows, "run_number", "recorded_lumi")
    ax = drawing.figure.axes[0]
    assert ax.collections[0].get_offsets()[:, 1].tolist() == [2, 2, 2, 0.5]
    assert ax.get_ylabel() == "recorded luminosity [pb⁻¹]"
    assert drawing.losses.texts() == ["1 record not drawn: another unit than pb⁻¹ in run_number or recorded_lumi"]


# --- colours and markers


@pytest.mark.parametrize(
    "words",
    [
        ["GOOD", "BAD", "EXCLUDED", "STANDBY", "NOTSET", "LOWSTAT", "EMPTY", None],
        ["Good", *(f"{c} {s}" for c in ("Pixel", "Strip", "Tracking") for s in ("Bad", "Excluded", "Standby"))],
        [f"w{n}" for n in range(20)],
    ],
    ids=["statuses", "status_summary", "many"],
)
def test_no_two_entries_differ_by_hue_alone(words):
    rows = [{"pc1": n, "pc2": n, "word": word} for n, word in enumerate(words * 2)]
    figure = scatter(rows, hue="word").figure
    handles = figure.legends[0].legend_handles
    markers = [handle.get_marker() for handle in handles]
    assert len(set(markers)) == len(markers) == len({handle.get_color() for handle in handles})
    hue = Hue("word", rows)
    drawn = {len(c.get_paths()[0].vertices) for c in figure.axes[0].collections}
    assert len(drawn) > 1 and [hue.marker(word) for word in hue.shown_words()] == markers


def test_the_colours_of_statuses_are_of_the_published_palette_and_distinct():
    statuses = list(palette.STATUS_COLOURS.values())
    assert set(statuses) <= {*palette.COLOURS} and len(set(statuses)) == len(statuses)


def test_thousands_of_points_are_an_image_in_a_pdf(tmp_path, tkstudies):
    rows = [{"pc1": n % 97, "pc2": n % 89} for n in range(20_000)]
    assert tkstudies("plot", "-q", "-o", tmp_path / "x.pdf", input=rows).exit_code == 0
    assert (tmp_path / "x.pdf").stat().st_size < 400_000


# --- batches


def test_a_picture_for_each_value(tmp_path, tkstudies, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [*ROWS, {**ROWS[0], "reco": "../../etc"}, {**ROWS[0], "reco": None}]
    result = tkstudies("plot", "--batch", "runtype", "--batch", "reco", "-o", "maps/", "-o", "maps.svg", input=rows)
    assert (result.exit_code, result.stderr) == (0, "maps: 6 pictures\nmaps: 6 pictures\n")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    names = ["collisions/etc", "collisions/express", "collisions/no_value", "collisions/prompt"]
    names += ["cosmics/express", "cosmics/prompt"]
    assert found == [f"maps/{name}.{ending}" for name in names for ending in ("png", "svg")]


def test_values_whose_names_are_equal_once_safe_do_not_overwrite_each_other(tmp_path, tkstudies):
    rows = [{"pc1": 1, "pc2": 2, "name": name} for name in ("a/b", "a b", "A_B")]
    result = tkstudies("plot", "--batch", "name", "-o", tmp_path / "out", input=rows)
    assert result.stderr == f"{tmp_path / 'out'}: 3 pictures\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A_B-3.png", "a_b-2.png", "a_b.png"]


def test_pictures_that_cannot_be_drawn_are_told(tmp_path, tkstudies):
    rows = [*ROWS, {"reco": "none"}]
    result = tkstudies("plot", "--batch", "reco", "-o", tmp_path / "out", input=rows)
    assert result.exit_code == 3
    assert "warning: 1 picture could not be drawn, such as none: no record has a number" in result.stderr
    assert tkstudies("plot", "--batch", "reco", "-o", tmp_path / "out", input=rows[-1:]).exit_code == 1


# --- records of another kind


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"run_number": 1, "name": "x", "hist": {"bins": {}}}, "these are histogram records, and plot scatter needs"),
        ({"features": ["a"], "components": [[1]], "mean": [0]}, "these are a model of principal components"),
    ],
)
def test_a_file_of_the_wrong_kind(record, told, tmp_path, tkstudies):
    (tmp_path / "f.jsonl").write_text(to_lines([record] * 2))
    result = tkstudies("plot", "-o", tmp_path / "x.png", tmp_path / "f.jsonl")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr.startswith(f"tkstudies: {tmp_path}/f.jsonl: {told}")
    assert "tkstudies features makes a table of them" in result.stderr or "features" in record
