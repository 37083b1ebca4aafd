"""``plot``: a picture of the right kind and size, and one clear line when there is none."""

from __future__ import annotations

import inspect
import json
import sys

import matplotlib
import pytest
from matplotlib import image
from matplotlib.colors import to_hex
from matplotlib.text import Text

from tests.conftest import to_lines
from tkstudies import frontdoor
from tkstudies.plots import colours, kinds, palette
from tkstudies.plots.axes import days
from tkstudies.plots.look import Look
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
    return sum(len(c.get_offsets()) for ax in figure.axes for c in ax.collections if hasattr(c, "get_offsets"))


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
    drawing = scatter(ROWS, "pc1", "pc2", hue="tracking", annotate=2)
    figure, points = drawing.figure, drawing.number
    assert points == drawn(figure) == 11
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["GOOD (8)", "BAD (2)", "no value (1)"]
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ["317300 express", "317299 prompt"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("pc1", "pc2")


def test_numbers_get_a_colour_bar_and_values_a_panel_each():
    figure = scatter(ROWS, "pc1", "pc2", hue="t2", look=Look(facet="reco")).figure
    assert [ax.get_title() for ax in figure.axes[:2]] == ["reco: express", "reco: prompt"]
    assert figure.axes[-1].get_ylabel() == "Hotelling's T²"
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
            ["-o", "x.png", "--x", "zzz"],
            1,
            "no record has a number (or time) in zzz; columns with numbers are run_number, pc1",
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
    figure = scatter(ROWS, "pc1", "pc2", hue="nope").figure
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
    figure = scatter(rows, "pc1", "pc2", hue="word").figure
    legend = figure.legends[0]
    told = {to_hex(h.get_color()): t.get_text() for h, t in zip(legend.legend_handles, legend.texts, strict=True)}
    assert len(told) == len(words)
    drawn = {colour: f"({count})" for colour, count in colours_of(figure).items()}
    assert drawn == {colour: text[text.index("(") :] for colour, text in told.items()}
    for colour, text in told.items():
        word = text[: text.index(" (")]
        assert colour == palette.STATUS_COLOURS.get(word.upper(), colour)
        assert (colour == palette.UNKNOWN) == (word == "no value")


def test_the_many_words_beyond_the_colours_are_others():
    rows = [{"pc1": n, "pc2": n, "word": f"w{n % 15}"} for n in range(150)]
    figure = scatter(rows, "pc1", "pc2", hue="word").figure
    assert figure.legends[0].texts[-1].get_text() == "others (50)"
    assert colours_of(figure)[palette.UNKNOWN] == 50


def test_numbers_are_coloured_by_their_size():
    figure = scatter([*ROWS, {"pc1": 3, "pc2": 3, "t2": None}], "pc1", "pc2", hue="t2").figure
    without, coloured = figure.axes[0].collections
    assert to_hex(without.get_facecolor()[0]) == palette.UNKNOWN
    assert coloured.get_array().tolist() == [row["t2"] for row in ROWS]
    assert coloured.get_clim() == (0, 5)


def test_title_and_number_of_names(tmp_path, tkstudies):
    figure = scatter(ROWS, "pc1", "pc2", annotate=4, look=Look(title="Run 2018B: 100 %")).figure
    assert figure.get_suptitle() == "Run 2018B: 100 %"
    assert len(figure.axes[0].texts) == 4
    assert not scatter(ROWS, "pc1", "pc2", annotate=0).figure.axes[0].texts
    assert len(scatter(ROWS).figure.axes[0].texts) == 3
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
    figure = scatter(rows, "pc1", "pc2", annotate=4).figure
    assert len(figure.axes[0].texts) == 4
    assert not overlapping(figure.axes[0].texts, figure)


@pytest.mark.parametrize("values", [1, 2, 4, 5])
def test_tick_labels_stand_below_every_column_of_panels_and_apart(values):
    rows = [{"run_number": 317000 + 37 * n, "y": n, "kind": n % values} for n in range(40)]
    figure = scatter(rows, "run_number", "y", look=Look(facet="kind" if values > 1 else "")).figure
    figure.draw_without_rendering()
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == values
    below = [ax for ax in shown if any(label.get_visible() for label in ax.get_xticklabels())]
    assert len(below) == min(values, 3)
    for ax in below:
        assert not overlapping([label for label in ax.get_xticklabels() if label.get_text()], figure)


def test_one_point(tmp_path):
    drawing = scatter([{"pc1": -3.8131, "pc2": 1.2}], "pc1", "pc2")
    figure, points = drawing.figure, drawing.number
    assert points == 1
    figure.draw_without_rendering()
    assert not overlapping(figure.axes[0].get_xticklabels(), figure)


def test_times_are_an_axis():
    rows = [{"start_time": f"2018-06-{day:02}T02:11:05{end}", "lumi": day} for day, end in ((1, "Z"), (21, ".5Z"))]
    drawing = scatter([*rows, {"start_time": None, "lumi": 1}], "start_time", "lumi")
    figure, points = drawing.figure, drawing.number
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


def test_drawing_leaves_the_settings_of_others_alone(tmp_path, tkstudies, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "backend", "svg")
    before = dict(matplotlib.rcParams)
    assert tkstudies("plot", "-o", tmp_path / "x.png", input=ROWS).exit_code == 0
    assert (matplotlib.get_backend(), dict(matplotlib.rcParams)) == ("svg", before)


# --- kinds


@pytest.fixture
def box_kind(monkeypatch, tmp_path, new_command_line):
    """A kind of plot as somebody adds it: one file with a function, one line in the table."""
    (tmp_path / "boxes.py").write_text(BOXES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(kinds.KINDS, "crate", kinds.Kind("boxes:box", "Draw a box for each value of a column."))
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("boxes", None)


BOXES = '''
from typing import Annotated

from tkstudies.plots.figures import Drawing
from tkstudies.plots.look import Sheet
from tkstudies.plots.options import Option


def box(
    records,
    column: Annotated[str, Option("--column", "What to draw.", is_column=True)] = "pc1",
    *,
    by: Annotated[list[str] | None, Option("--by", "Boxes (repeatable).", is_column=True)] = None,
    width: Annotated[float, Option("--width", "Of a box.", "CM")] = 0.5,
    outliers: Annotated[bool, Option("--outliers", "Draw them, too.")] = False,
    look=Sheet(),
):
    """Draw boxes.

    Example:
        tkstudies plot crate --by reco -o boxes.png pca.jsonl
    """
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().boxplot([row[column] for row in records], widths=width, sym="." if outliers else "")
    figure.suptitle(f"{look.title} {column} {by} {width} {outliers}")
    drawing = Drawing(figure, len(by or [1]), "box")
    drawing.losses.add(2, "row", "far out", partial=True)
    return drawing
'''


def test_a_new_kind_needs_one_file_and_one_line(box_kind, tkstudies, tmp_path):
    arguments = ["--by", "reco", "--by", "rico", "--width", "0.2", "--outliers", "--title", "T"]
    result = tkstudies("plot", "crate", *arguments, "-o", "x.svg", input=ROWS)
    assert result.stderr.splitlines() == [
        "warning: --by: no record has a column rico; did you mean reco?",
        "warning: 2 rows far out",
        "x.svg: 2 boxes",
    ]
    assert (result.stdout, result.exit_code) == ("", 3)
    assert (tmp_path / "x.svg").read_bytes()[:5] == b"<?xml"
    assert tkstudies("plot", "-q", "crate", "-o", "y.png", input=ROWS).exit_code == 3
    assert tkstudies("plot", "crate", "--x", "pc1", "-o", "z.png", input=ROWS).exit_code == 2


def test_the_help_of_a_new_kind(box_kind, tkstudies):
    shown = tkstudies("plot", "crate", "--help").stdout
    assert " plot crate [OPTIONS] [FILE]...\n" in shown
    assert "Draw a box for each value of a column." in shown
    assert "tkstudies plot crate --by reco -o boxes.png pca.jsonl" in shown
    for words in ("--column COLUMN", "[default: pc1]", "--width CM", "--outliers ", "--title", "--output FILE"):
        assert words in shown
    assert "--hue" not in shown and "--replay" not in shown
    overview = tkstudies("plot", "--help").stdout
    assert "  crate          Draw a box for each value of a column.\n" in overview
    assert "  scatter        Draw a point for each record" in overview
    assert "--hue COLUMN" in overview and "--outliers" not in overview


@pytest.mark.parametrize(
    "arguments",
    [
        ["crate", "-o", "a.png", "f.jsonl"],
        ["-q", "crate", "-o", "a.png", "f.jsonl"],
        ["-vq", "crate", "f.jsonl", "-o", "a.png"],
        ["--replay", ".", "crate", "-i", "f.jsonl", "-o", "a.png"],
        ["--replay=.", "--quiet", "crate", "f.jsonl", "-o", "a.png"],
    ],
)
def test_the_kind_stands_behind_the_global_options(arguments, box_kind, tkstudies, tmp_path):
    (tmp_path / "f.jsonl").write_text(to_lines(ROWS))
    result = tkstudies("plot", *arguments)
    assert (result.stdout, result.exit_code) == ("", 3), result.stderr
    assert result.stderr.startswith("warning: 2 rows far out\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "a.png", "f.jsonl"],
        ["f.jsonl", "-o", "a.png"],
        ["--x", "t2", "--y", "pc1", "f.jsonl", "-o", "a.png"],
        ["--replay", ".", "-o", "a.png", "-i", "f.jsonl"],
        ["-o", "a.png", "--", "f.jsonl"],
        ["-o", "a.png", "--replay", ".", "f.jsonl", "--hue", "scatter"],
    ],
)
def test_everything_else_is_a_scatter(arguments, box_kind, tkstudies, tmp_path):
    (tmp_path / "f.jsonl").write_text(to_lines(ROWS))
    result = tkstudies("plot", *arguments)
    assert (result.stdout, result.exit_code) == ("", 0), result.stderr
    assert result.stderr.endswith("a.png: 11 points\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-o", "a.png", "crate", "f.jsonl"], 2, "crate: no such file; the kind comes first: plot crate ..."),
        (["f.jsonl", "crate", "-o", "a.png"], 2, "crate: no such file; the kind comes first: plot crate ..."),
        (["bax", "-o", "a.png"], 2, "bax: neither a kind of plot (KINDS) nor a file"),
        (["-o", "a.png", "bax"], 2, "bax: neither a kind of plot (KINDS) nor a file"),
        (["bax.jsonl", "-o", "a.png"], 1, "bax.jsonl: neither a kind of plot (KINDS) nor a file"),
        (["crate", "bax", "-o", "a.png"], 1, "bax: no such file"),
        (["f.jsonl", "bax", "-o", "a.png"], 1, "bax: no such file"),
    ],
)
def test_a_word_that_is_no_file(arguments, code, told, box_kind, tkstudies, tmp_path):
    (tmp_path / "f.jsonl").write_text(to_lines(ROWS))
    result = tkstudies("plot", *arguments)
    told = told.replace("KINDS", ", ".join(kinds.KINDS))
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"tkstudies: {told}\n", code)


def test_a_global_option_that_lacks_its_value(tkstudies):
    result = tkstudies("plot", "-q", "--replay")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "'--replay' requires an argument" in result.stderr


def test_a_file_may_be_called_like_a_kind(box_kind, tkstudies, tmp_path):
    (tmp_path / "crate").write_text(to_lines(ROWS))
    result = tkstudies("plot", "-o", "a.png", "crate")
    assert (result.stderr, result.exit_code) == ("a.png: 11 points\n", 0)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tkstudies plot sca", ["scatter"]),
        ("tkstudies plot -q sca", ["scatter"]),
        ("tkstudies plot --hu", ["--hue"]),
        ("tkstudies plot scatter --hu", ["--hue"]),
        ("tkstudies plot -i pca.jsonl --x p", ["pc1", "pc2"]),
        ("tkstudies plot pca.jsonl -o a.png --hue t", ["t2"]),
        ("tkstudies plot --replay . scatter pca.jsonl --y p", ["pc1", "pc2"]),
    ],
)
def test_the_shell_completes_kinds_options_and_columns(typed, offered, shell, tmp_path):
    (tmp_path / "pca.jsonl").write_text('{"run_number":1,"pc1":1,"pc2":2,"t2":3}\n')
    words = typed.split()
    result = shell("tkstudies", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1), _TKSTUDIES_COMPLETE="complete_bash")
    assert (result.stdout.split(), result.stderr, result.returncode) == (offered, "", 0)


def test_help_waits_for_no_matplotlib(shell):
    code = (
        "import sys\n"
        "from tkstudies.__main__ import main\n"
        f"for words in ([], *([name] for name in {list(kinds.KINDS)})):\n"
        "    sys.argv = ['tkstudies', 'plot', *words, '--help']\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
        "heavy = {'matplotlib', 'numpy', 'pandas', 'requests'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = shell(f'python -c "{code}"')
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout.count("Usage:") == len(kinds.KINDS) + 1


@pytest.mark.parametrize("name", kinds.KINDS)
def test_what_every_kind_declares(name):
    draw = kinds.KINDS[name].load()
    chosen = list(kinds.choices(draw))
    assert kinds.examples(draw)
    assert "look" in inspect.signature(draw).parameters
    shared = {"--title", "--show", "--input", "-i", "--output", "-o", "--skip-bad-lines"}
    shared |= {name for option in frontdoor.GLOBAL_OPTIONS for name in option.names}
    assert not shared & {choice.option.name for choice in chosen}
    for choice in chosen:
        assert choice.option.name.startswith("--") and choice.option.help.endswith((".", ")."))
        assert choice.default is not inspect.Parameter.empty


# --- odd values


def legend_of(figure):
    """Text of the legend -> colour."""
    legend = figure.legends[0]
    return {t.get_text(): to_hex(h.get_color()) for h, t in zip(legend.legend_handles, legend.texts, strict=True)}


def rows_of_words(words):
    return [{"run_number": n, "pc1": n, "pc2": n % 7, "t2": n, "word": word} for n, word in enumerate(words)]


def test_an_empty_text_is_a_word_of_its_own_beside_the_others():
    words = [""] * 11 + [f"w{n}" for n in range(18)] * 4 + [None] * 7
    figure = scatter(rows_of_words(words), "pc1", "pc2", hue="word").figure
    told = legend_of(figure)
    counts = {text: int(text[text.rindex("(") + 1 : -1]) for text in told}
    assert (counts['"" (11)'], counts["no value (7)"], counts["others (40)"]) == (11, 7, 40)
    assert sum(counts.values()) == len(words)
    assert len(set(told.values())) == len(told)
    assert colours_of(figure) == {told[text]: count for text, count in counts.items()}


def test_texts_that_look_like_entries_of_the_legend():
    figure = scatter(rows_of_words(["no value", None, "_hidden", "others", "", " "]), "pc1", "pc2", hue="word").figure
    told = legend_of(figure)
    assert set(told) == {f"{text} (1)" for text in ('"no value"', "no value", "_hidden", "others", '""', '" "')}
    assert colours_of(figure) == dict.fromkeys(told.values(), 1)


SUMMARY = ["Good", "Bad", "Excluded", "Standby", *[f"{c} {s}" for c in ("Pixel", "Strip") for s in ("Bad", "Standby")]]


@pytest.mark.parametrize(
    "words",
    [
        ["GOOD", "BAD", "EXCLUDED", "STANDBY", "NOTSET", "LOWSTAT", "EMPTY"],
        [True, False],
        [*SUMMARY, "Tracking Bad"],
        ["express", "prompt", "rereco", "online"],
        [f"{c} {s}" for c in ("Pixel", "Strip", "Tracking") for s in ("Bad", "Excluded", "Standby")],
    ],
    ids=["statuses", "truth values", "status_summary", "reco", "more of status_summary"],
)
def test_a_known_value_has_the_same_colour_in_every_picture(words):
    seen = {}
    for first in range(len(words)):
        for chosen in ([words[first]], words[first:], words[: first + 1], [None, *words[first:], *words[:first] * 3]):
            if any(word is not None for word in chosen):
                hue = colours.Hue("word", rows_of_words(chosen))
                for word in hue.words:
                    seen.setdefault(word, set()).add(hue.colour(word))
    assert all(len(found) == 1 for found in seen.values()), seen
    assert len({colour for found in seen.values() for colour in found}) == len(seen)


def test_a_word_keeps_its_colour_beside_words_behind_it_in_the_alphabet():
    alone = scatter(rows_of_words(["2018A"]), "pc1", "pc2", hue="word").figure
    among = scatter(rows_of_words(["2018D"] * 3 + ["2018A", "2018B"] * 2), "pc1", "pc2", hue="word").figure
    assert legend_of(alone)["2018A (1)"] == legend_of(among)["2018A (2)"]


FORMULAS = ["$\\frac{1$", "price $$ unknown", "$", "$a$ b", "\\$", "$\\unknown{x}$", "_a^b", "\\alpha", "100 %", "{}"]


@pytest.mark.parametrize("text", FORMULAS)
def test_dollar_signs_are_text(text):
    rows = rows_of_formulas(text)
    drawing = scatter(rows, text, "y", hue="hue", look=Look(facet="facet", title=text))
    texts = [found for found in drawing.figure.findobj(Text) if text in found.get_text()]
    assert len(texts) >= 5  # title, panel, axis, legend, name
    assert not any(found.get_parse_math() for found in texts)


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_dollar_signs_are_drawn(ending, tmp_path, tkstudies):
    text, output = FORMULAS[0], tmp_path / f"x.{ending}"
    arguments = ["--x", text, "--y", "y", "--hue", "hue", "--facet", "facet", "--title", text]
    result = tkstudies(
        "plot", *arguments, "-o", output, input=[row for one in FORMULAS[:4] for row in rows_of_formulas(one)]
    )
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"{output}: 12 points\n", 0)


def test_dollar_signs_beside_a_colour_bar():
    for text in FORMULAS[:2]:
        numbers = scatter(rows_of_formulas(text), "y", "t2", hue=text).figure
        assert numbers.axes[-1].get_ylabel() == text
        numbers.draw_without_rendering()


def rows_of_formulas(text):
    return [
        {"run_number": text, text: n, FORMULAS[0]: n, "y": n, "t2": n, "hue": text, "facet": text} for n in range(3)
    ]


@pytest.mark.parametrize("setting", ["text.usetex", "axes.formatter.use_mathtext"])
def test_the_settings_of_the_user_make_no_formulas(setting, tmp_path, tkstudies):
    with matplotlib.rc_context({setting: True}):
        result = tkstudies("plot", "--title", "a_b $", "-o", tmp_path / "x.svg", input=ROWS)
    assert result.exit_code == 0
    assert "a_b $" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize("column", ["x", "y", "hue"])
def test_numbers_beyond_a_picture_are_drawn_or_counted(column, tmp_path, tkstudies):
    rows = [{"x": n, "y": n * 2, "hue": n / 2} for n in range(3)]
    some, beyond = [1e99, 0], [10**400, -(10**400), 1e308, -1e308, 1e-300]
    odd = [{**rows[1], column: value} for value in (*some, *beyond)]
    result = tkstudies("plot", "--x", "x", "--y", "y", "--hue", "hue", "-o", tmp_path / "x.svg", input=[*rows, *odd])
    assert (result.stdout, result.exit_code) == ("", 0), result.stderr
    told = "a number or time that is too large or too small to draw"
    if column == "hue":
        told = f"warning: {len(beyond)} points without a colour: {told} in hue"
    else:
        told = f"warning: {len(beyond)} records not drawn: {told} in x or y"
    number = 3 + len(some) + (len(beyond) if column == "hue" else 0)
    assert result.stderr.splitlines() == [told, f"{tmp_path / 'x.svg'}: {number} points"]
    points = scatter([*rows, *odd], "x", "y", hue="hue").figure.axes[0].collections
    values = points[-1].get_array() if column == "hue" else points[-1].get_offsets()[:, "xy".index(column)]
    assert sorted(values) == sorted([*(row[column] for row in rows), *some])


@pytest.mark.parametrize("digits", [400, 5000])
def test_only_numbers_beyond_a_picture(digits, tmp_path, tkstudies):
    line = '{"x":1,"y":2,"n":' + "9" * digits + "}\n"
    result = tkstudies("plot", "--x", "x", "--y", "n", "-o", tmp_path / "x.png", input=line)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == "tkstudies: no record has a number (or time) that can be drawn in both x and n\n"
    result = tkstudies("plot", "--x", "x", "--y", "y", "--hue", "n", "-o", tmp_path / "x.png", input=line)
    assert (result.stderr, result.exit_code) == (f"{tmp_path / 'x.png'}: 1 point\n", 0)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1500-01-01"])
def test_times_that_stand_for_none_are_counted(time, tmp_path, tkstudies):
    rows = [{"t": "2025-06-15T17:06:40Z", "y": 1.0}, {"t": "2025-06-16T17:06:40+02:00", "y": 2}, {"t": time, "y": 2.0}]
    result = tkstudies("plot", "--x", "t", "--y", "y", "-o", tmp_path / "x.png", input=rows)
    assert result.exit_code == 0
    assert "warning: 1 record not drawn: a number or time that is too large or too small" in result.stderr
    assert result.stderr.endswith(": 2 points\n")


def test_times_of_a_zone_are_those_of_utc():
    assert days("2025-06-16T19:06:40+02:00") == days("2025-06-16T17:06:40Z") == days("2025-06-16T12:06:40-0500")


ODD_TEXTS = ["half \ud800", "line\nbreak\ttab", "\x00\x1b[31m", "long " * 100, "漢字 🦉"]


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_texts_that_no_font_has(text, ending, tmp_path, tkstudies):
    rows = [{"run_number": text, text: n, "y": n, "t2": n, "hue": text} for n in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    arguments = ["plot", "--x", "t2", "--y", "y", "--hue", "hue", "--facet", "hue"]
    result = tkstudies(*arguments, "-o", tmp_path / f"x.{ending}", input=lines)
    assert (result.stdout, result.exit_code) == ("", 0), result.stderr
    lacking = f"warning: {tmp_path}/x.{ending}: the font lacks some characters, which are drawn as boxes"
    assert result.stderr.splitlines()[:-1] in ([], [lacking])
    assert (lacking in result.stderr) or "漢" not in text


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_a_legend_has_short_texts_that_can_be_printed(text):
    figure = scatter(rows_of_words([text] * 3), "t2", "pc2", hue="word", look=Look(title=text)).figure
    assert all(len(found) < 60 and found.isprintable() for found in legend_of(figure))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--y", "Hits.maen"], "tkstudies: no record has a number (or time) in Hits.maen; did you mean Hits.mean?\n"),
        (["--y", "recorded_lumi"], "in recorded_lumi; columns with numbers are run_number"),
        (["--y", "recorded_lumi"], "; pca drops other columns, pca --keep all keeps them"),
        (["--hue", "fill__era"], "; pca drops other columns, pca --keep all keeps them"),
        (["--hue", "recco"], "--hue: no record has a column recco; did you mean reco?"),
        (["--facet", "Hits.maen"], "--facet: no record has a column Hits.maen; did you mean Hits.mean?"),
    ],
)
def test_a_column_that_is_nowhere(arguments, told, tmp_path, tkstudies):
    rows = [*ROWS, {"pc1": 1, "pc2": 1, "Hits.mean": 2}]
    result = tkstudies("plot", *arguments, "-o", tmp_path / "x.png", input=rows)
    assert (result.stdout, result.exit_code) == ("", 1 if "--y" in arguments else 0)
    assert told in result.stderr
    plain = tkstudies("plot", "--x", "a", "--y", "recorded_lumi", "-o", tmp_path / "x.png", input=[{"a": 1, "b": 2}])
    assert "pca" not in plain.stderr


def test_column_names_of_every_kind(tmp_path, tkstudies):
    names = ["a=b", "c d", "e,f", 'g"h', "i'j", "k\nl", "-m", "[x]", "*", " "]
    rows = [{name: number + n for number, name in enumerate(names)} for n in range(3)]
    for name in names:
        arguments = [f"--x={name}", "--y=c d", f"--hue={name}"]
        result = tkstudies("plot", *arguments, "-o", tmp_path / "x.svg", input=rows)
        assert (result.stdout, result.stderr, result.exit_code) == ("", f"{tmp_path / 'x.svg'}: 3 points\n", 0)
