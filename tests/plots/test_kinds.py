"""What each kind of figure draws of a table: points, labels, limits, colours; and of tables with little in them."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex

from tests.conftest import to_lines
from tkstudies.errors import InputError, TkstudiesError, UsageError
from tkstudies.plots import kinds, palette
from tkstudies.plots.look import Look
from tkstudies.plots.matrices import correlations
from tkstudies.plots.roc import curve_of


def rows(count=12):
    """Runs in two recos, of two eras, the last third bad."""
    return [
        {
            "run_number": 317000 + 10 * (n // 2),
            "reco": ["express", "prompt"][n % 2],
            "fill_number": 6600 + n // 6,
            "fill__era": "2018A" if n < count / 2 else "2018B",
            "start_time": f"2018-06-{1 + n // 2:02}T00:00:00Z",
            "end_time": f"2018-06-{1 + n // 2:02}T12:00:00Z",
            "duration": 43200,
            "recorded_lumi": 10.0 * (1 + n // 2),
            "recorded_lumi_unit": "pb^{-1}",
            "lumisections": 100 * (1 + n // 2),
            "a.mean": float(n),
            "b.mean": 2.0 * n if n < 8 else -float(n),
            "c.mean": float(n % 3),
            "pc1": n - 5.0,
            "pc2": float(n % 4),
            "q": 1.0,
            "t2": 1.0 + n,
            "t2_limit_95": 9.0,
            "t2_limit_99": 11.5,
            "tracking": "GOOD" if n < 8 else "BAD",
            "is_bad": n >= 8,
            "lof_score": float(n),
        }
        for n in range(count)
    ]


MODEL = [{"features": ["a", "b"], "components": [[1, 0], [0, 1]], "explained_variance_ratio": [0.7, 0.2]}]
LOADINGS = [{"feature": f"f{n}", "pc1": (-1) ** n * n / 10, "pc2": 1 - n / 10} for n in range(8)]
NEEDED = {"trend": {"y": ["t2"]}, "hist": {"x": "t2"}, "box": {"x": "t2"}}
RECORDS = {"scree": MODEL, "loadings": LOADINGS}
TABLES = [
    name
    for name, kind in kinds.KINDS.items()
    if kind.function.split(":")[0].split(".")[-1]
    in ("scatter", "trend", "controlchart", "hist", "box", "count", "lumi", "era", "matrices", "roc", "components")
]


def draw(kind, records=None, **options):
    records = RECORDS.get(kind, rows()) if records is None else records
    return kinds.KINDS[kind].load()(records, **{**NEEDED.get(kind, {}), **options})


def points(ax):
    """All points of a panel, sorted."""
    found = [tuple(point) for c in ax.collections if hasattr(c, "get_offsets") for point in c.get_offsets()]
    return sorted((float(x), float(y)) for x, y in found)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


# --- every kind


@pytest.mark.parametrize("kind", TABLES)
def test_one_record_is_drawn_or_refused_in_one_line(kind):
    try:
        drawing = draw(kind, RECORDS.get(kind, rows())[:1])
    except TkstudiesError as error:
        assert "\n" not in str(error) and kind in ("roc", "correlation")
    else:
        assert drawing.number >= 1


@pytest.mark.parametrize("kind", TABLES)
def test_nulls_alone_are_refused_in_one_line(kind):
    records = [dict.fromkeys(row) for row in RECORDS.get(kind, rows())]
    with pytest.raises(TkstudiesError) as caught:
        draw(kind, records)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", TABLES)
def test_empty_input(kind, tmp_path, tkstudies):
    result = tkstudies("plot", kind, "-o", tmp_path / "x.png", input="")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "nothing to plot: no records on standard input" in result.stderr


@pytest.mark.parametrize("kind", ["scatter", "trend", "hist"])
def test_thousands_of_records(kind):
    many = [
        {"run_number": n, "pc1": n % 997, "pc2": n % 991, "t2": n % 13, "reco": "prompt", "tracking": "GOOD"}
        for n in range(20_000)
    ]
    drawing = draw(kind, many)
    assert drawing.number == 20_000
    if kind != "hist":
        assert all(collection.get_rasterized() for collection in drawing.figure.axes[0].collections)


@pytest.mark.parametrize("kind", TABLES)
def test_words_stay_inside_a_column_of_a_paper(kind, tmp_path, tkstudies):
    (tmp_path / "f.jsonl").write_text(to_lines(RECORDS.get(kind, rows())))
    needed = [word for name, value in NEEDED.get(kind, {}).items() for word in (f"--{name}", value)]
    needed = [word[0] if isinstance(word, list) else word for word in needed]
    output = tmp_path / f"x.{'pdf' if kind in ('trend', 'pairs', 'correlation') else 'png'}"  # one layout fits all
    result = tkstudies("plot", kind, *needed, tmp_path / "f.jsonl", "--size", "3.5x2.8", "-o", output)
    assert result.exit_code == 0, result.stderr
    assert "too small" not in result.stderr


@pytest.mark.parametrize("kind", TABLES)
def test_histogram_records_are_answered_with_what_can_draw_them(kind, tmp_path, tkstudies):
    result = tkstudies("plot", kind, "-o", tmp_path / "x.png", input=[{"run_number": 1, "hist": {}, "name": "x"}])
    assert (result.stdout, result.exit_code) == ("", 1)
    assert f"these are histogram records, and plot {kind} needs" in result.stderr


# --- trend


def test_a_trend_joins_the_points_of_each_reco():
    figure = draw("trend", y=["a.mean"]).figure
    ax = figure.axes[0]
    assert points(ax) == [(row["run_number"], row["a.mean"]) for row in rows()]
    assert legend(figure) == ["express (6)", "prompt (6)"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("run", "a.mean")
    assert [text.get_text() for text in ax.texts] == ["2018A", "2018B"]


def test_runs_side_by_side_and_as_wide_as_their_luminosity():
    ax = draw("trend", y=["a.mean"], side_by_side=True).figure.axes[0]
    assert sorted({x for x, _ in points(ax)}) == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert set(labels) <= {str(row["run_number"]) for row in rows()} and len(labels) > 2
    ax = draw("trend", y=["a.mean"], width="recorded_lumi").figure.axes[0]
    bars = [segment for c in ax.collections if hasattr(c, "get_segments") for segment in c.get_segments()]
    widths = sorted(round(float(right[0] - left[0]), 6) for left, right in bars)
    assert len(widths) == 12 and widths[-1] == pytest.approx(6 * widths[0], rel=1e-4)


def test_along_time_a_duration_is_to_scale():
    ax = draw("trend", y=["a.mean"], x="time", width="duration").figure.axes[0]
    bars = [segment for c in ax.collections if hasattr(c, "get_segments") for segment in c.get_segments()]
    assert {round(float(right[0] - left[0]), 6) for left, right in bars} == {0.5}
    assert ax.get_xlabel() == "start time [UTC]"


def test_two_trends_have_an_axis_each():
    drawing = draw("trend", y=["a.mean", "duration"], x="fill")
    left, right = drawing.figure.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("a.mean", "duration [s]")
    assert drawing.number == 24 and len(points(right)) == 12
    assert legend(drawing.figure) == ["a.mean", "duration [s]"]


def reach(span):
    """From where to where a stretch goes, whichever patch this version of matplotlib makes of it."""
    box = span.get_path().get_extents(span.get_patch_transform())
    return box.x0, box.x1


def test_marks_of_a_file(tmp_path):
    stops = [
        {"start_time": "2018-06-02T06:00:00Z", "end_time": "2018-06-04T06:00:00Z", "name": "TS1"},
        {"run_number": 317050, "name": "HV scan"},
        {"run_number": 999999, "name": "later"},
    ]
    (tmp_path / "stops.jsonl").write_text(to_lines(stops))
    drawing = draw("trend", y=["a.mean"], marks=str(tmp_path / "stops.jsonl"))
    ax = drawing.figure.axes[0]
    assert {"TS1", "HV scan"} <= {text.get_text() for text in ax.texts}
    assert reach(ax.patches[0]) == (317020, 317040)
    assert drawing.losses.texts() == []
    times = draw("trend", y=["a.mean"], x="time", marks=str(tmp_path / "stops.jsonl"))
    begin, end = reach(times.figure.axes[0].patches[0])
    assert end - begin == pytest.approx(2)
    assert times.losses.texts() == [f"1 mark of {tmp_path / 'stops.jsonl'} left out: behind all records"]
    (tmp_path / "stops.jsonl").write_text('{"name": "x"}\n')
    with pytest.raises(InputError, match="record 1 marks nothing"):
        draw("trend", y=["a.mean"], marks=str(tmp_path / "stops.jsonl"))


@pytest.mark.parametrize("y", [None, [], ["a.mean", "b.mean", "c.mean"]])
def test_a_trend_needs_one_or_two_columns(y):
    with pytest.raises(
        UsageError, match="name one or two columns to follow with --y; columns with numbers are run_num"
    ):
        draw("trend", y=y)


# --- control chart


def test_a_control_chart_has_limits_and_names_what_is_above():
    figure = draw("control-chart").figure
    ax = figure.axes[0]
    assert ax.get_yscale() == "log"
    assert sorted({line.get_ydata()[0] for line in ax.lines if line.get_zorder() == 1.5}) == [9.0, 11.5]
    assert legend(figure)[-2:] == ["95 % limit of T²", "99 % limit of T²"]
    assert [text.get_text() for text in ax.texts if "2018" not in text.get_text()] == ["317050 prompt"]
    assert draw("control-chart", linear=True).figure.axes[0].get_yscale() == "linear"


def test_a_control_chart_of_any_score():
    drawing = draw("control-chart", y="lof_score", look=Look(line=["9.5"]))
    ax = drawing.figure.axes[0]
    assert ax.get_yscale() == "linear"  # one score is zero
    assert [text.get_text() for text in ax.texts if "2018" not in text.get_text()] == ["317050"]
    assert drawing.losses.texts() == ["no limits of lof_score are drawn: no record has a column lof_score_limit_..."]


# --- distributions


def test_a_histogram_counts_the_rows_of_each_value():
    figure = draw("hist", x="c.mean", hue="tracking").figure
    steps = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert [patch.get_data().values.tolist() for patch in steps] == [[3, 3, 2], [1, 1, 2]]
    assert [to_hex(patch.get_edgecolor()) for patch in steps] == [palette.BLUE, palette.RED]
    assert len({str(patch.get_linestyle()) for patch in steps}) == 2
    assert legend(figure) == ["GOOD (8)", "BAD (4)"]
    shares = draw("hist", x="c.mean", share=True, bins=2).figure.axes[0].patches[0].get_data()
    assert (sum(shares.values), len(shares.values)) == (pytest.approx(1), 2)


def test_boxes_have_the_quartiles_of_each_value():
    figure = draw("box", x="t2", by="tracking").figure
    ax = figure.axes[0]
    medians = [line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 1.6]
    assert medians == [10.5, 4.5]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["BAD (4)", "GOOD (8)"]
    assert [to_hex(patch.get_facecolor()) for patch in ax.patches] == [palette.RED, palette.BLUE]


def test_bars_count_rows():
    figure = draw("count", x="tracking", hue="reco").figure
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [4, 2, 4, 2]
    assert [text.get_text() for text in ax.texts] == ["8", "4"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["GOOD", "BAD"]
    assert len({handle.get_hatch() for handle in figure.legends[0].legend_handles}) == 2


def test_values_without_room_are_one_bar_together():
    many = [{"tracking": f"w{n}"} for n in range(100)]
    ax = draw("count", many).figure.axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) <= 30 and names[-1] == f"{101 - len(names)} others"
    assert sum(bar.get_width() for bar in ax.patches) == 100


@pytest.mark.parametrize("kind", ["hist", "box", "count"])
def test_the_column_may_be_the_first_argument(kind, tmp_path, tkstudies):
    (tmp_path / "f.jsonl").write_text(to_lines(rows()))
    for words in (["c.mean", tmp_path / "f.jsonl"], ["--x", "c.mean", tmp_path / "f.jsonl"]):
        result = tkstudies("plot", kind, *words, "-o", tmp_path / "x.svg")
        assert (result.stdout, result.stderr) == ("", f"{tmp_path / 'x.svg'}: 12 rows\n")
    result = tkstudies("plot", kind, "no.jsonl", "-o", tmp_path / "x.svg")
    assert (result.exit_code, result.stderr) == (1, "tkstudies: no.jsonl: no such file\n")


def test_a_histogram_of_no_column_says_which_there_are(tmp_path, tkstudies):
    result = tkstudies("plot", "hist", "-o", tmp_path / "x.png", input=rows())
    assert result.exit_code == 2
    assert "name a column as the first argument, or with --x; columns with numbers are run_number" in result.stderr


# --- luminosity and eras


def test_luminosity_grows_and_counts_each_run_once():
    drawing = draw("lumi")
    ax = drawing.figure.axes[0]
    assert drawing.number == 6
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(10 + 20 + 30 + 40 + 50 + 60)
    assert ax.get_ylabel() == "recorded luminosity so far [pb⁻¹]"
    assert list(ax.lines[0].get_ydata()) == sorted(ax.lines[0].get_ydata())


def test_luminosity_of_each_status_and_unit():
    figure = draw("lumi", hue="tracking").figure
    assert legend(figure) == ["GOOD (100)", "BAD (110)"]
    large = [{**row, "recorded_lumi": 500.0} for row in rows()]
    assert draw("lumi", large).figure.axes[0].get_ylabel() == "recorded luminosity so far [fb⁻¹]"
    unknown = [{key: value for key, value in row.items() if key != "recorded_lumi_unit"} for row in rows()]
    assert draw("lumi", unknown).figure.axes[0].get_ylabel() == "recorded luminosity so far (unit unknown)"


def test_luminosity_against_lumisections():
    ax = draw("lumi", x="lumisections", hue="is_bad").figure.axes[0]
    assert points(ax)[-1] == (600, 60)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("number of lumisections", "recorded luminosity [pb⁻¹]")


def test_luminosity_of_lumisections_is_their_own_and_not_the_running_sum_of_the_fill():
    sums = [40.0, 40.5, 41.5, 41.5]
    rows = [{"run_number": 1, "lumisection_number": n, "start_time": f"2018-05-01T10:0{n}:00Z", "fill_number": 7,
             "recorded_lumi": pb, "recorded_lumi_unit": "pb^{-1}"} for n, pb in enumerate(sums, 1)]  # fmt: skip
    drawing = draw("lumi", rows)
    assert (drawing.number, drawing.noun) == (3, "lumisection")
    assert list(drawing.figure.axes[0].lines[0].get_ydata())[1::2] == [0.5, 1.5, 1.5]
    assert [text for text in drawing.losses.texts() if "running sum" in text]
    huge = draw("lumi", [{**rows[0], "lumisection_number": 9, "recorded_lumi": 10**400}, *rows])
    assert huge.number == 3
    of_run = [{**row, "recorded_lumi": 5.0} for row in rows]
    assert draw("lumi", of_run).figure.axes[0].lines[0].get_ydata()[-1] == 5.0


def test_eras_have_a_line_each():
    figure = draw("era").figure
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2018A", "2018B"]
    assert [round(y) for _, y in points(ax)] == [0] * 6 + [1] * 6
    assert len({y for _, y in points(ax)}) == 12
    assert points(ax) == points(draw("era").figure.axes[0])  # the same in every picture
    assert ax.get_xlabel() == "start time [UTC]" and ax.get_ylabel() == "era of the fill"


# --- many columns, scores, components


def test_pairs_have_each_column_against_each():
    figure = draw("pairs", columns=["pc1", "t2"]).figure
    assert len(figure.axes) == 4
    assert points(figure.axes[2]) == [(row["pc1"], row["t2"]) for row in rows()]
    assert [ax.get_xlabel() for ax in figure.axes[2:]] == ["pc1 (73 % of variance)", "Hotelling's T²"]
    assert sum(patch.get_data().values.sum() for patch in figure.axes[0].patches) == 12
    with pytest.raises(InputError, match="8 columns match --columns: at most 7"):
        draw("pairs", [{f"x{n}": 1 for n in range(8)}], columns=["x*"])


def test_correlations_and_what_bad_rows_lose():
    figure = draw("correlation").figure
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a.mean", "b.mean", "c.mean"]
    assert ax.images[0].get_array().shape == (3, 3)
    assert {"1.00"} <= {text.get_text() for text in ax.texts}
    lost = draw("correlation", lost_above=0.95, now_below=0.85).figure.axes[0]
    assert [label.get_text() for label in lost.get_xticklabels()] == ["a.mean", "b.mean"]
    assert [text.get_text() for text in lost.texts] == ["2.00", "2.00"]  # from 1 to -1
    with pytest.raises(InputError, match="no correlation is above"):
        draw("correlation", lost_above=0.99, now_below=-1)
    with pytest.raises(InputError, match="0 bad rows by nope, at least 3 are needed"):
        draw("correlation", of="bad", truth="nope")


def test_a_correlation_counts_the_rows_that_have_both():
    import numpy as np

    table = [{"a": n, "b": n * n, "c": None if n == 3 else n} for n in range(6)]
    r = correlations(table, ["a", "b", "c"])
    assert r[0, 1] == pytest.approx(np.corrcoef([0, 1, 2, 3, 4, 5], [0, 1, 4, 9, 16, 25])[0, 1])
    assert r[1, 2] == pytest.approx(np.corrcoef([0, 1, 4, 16, 25], [0, 1, 2, 4, 5])[0, 1])


def test_a_roc_has_a_curve_for_each_score():
    figure = draw("roc").figure
    assert legend(figure) == ["Q residual (0.500)", "Hotelling's T² (1.000)", "lof_score (1.000)"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == (
        "share of good rows above",
        "share of bad rows above",
    )
    with pytest.raises(InputError, match="no record has a column is_bad"):
        draw("roc", [{"t2": 1}])


def test_the_area_is_how_often_a_bad_row_has_the_higher_score():
    table = [{"score": (n * 7) % 5, "is_bad": n % 3 == 0} for n in range(40)]
    bad, good = ([row["score"] for row in table if row["is_bad"] is is_bad] for is_bad in (True, False))
    higher = sum((one > other) + (one == other) / 2 for one in bad for other in good)
    assert curve_of(table, "score").area == pytest.approx(higher / len(bad) / len(good))


def test_scree_and_loadings():
    ax = draw("scree").figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == [0.7, 0.2]
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([0.7, 0.9])
    first = draw("loadings", top=3).figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["f7", "f6", "f5"]
    assert [bar.get_width() for bar in first.patches] == [-0.7, 0.6, -0.5]
    assert [to_hex(bar.get_facecolor()) for bar in first.patches] == [palette.RED, palette.BLUE, palette.RED]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("scree", "tkstudies pca --model FILE makes a model"),
        ("loadings", "tkstudies pca --loadings FILE makes loadings"),
    ],
)
def test_a_table_is_no_model(kind, told, tmp_path, tkstudies):
    result = tkstudies("plot", kind, "-o", tmp_path / "x.png", input=rows())
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "these are rows of a table" in result.stderr and told in result.stderr
    assert "they can be drawn as scatter, trend, control-chart" in result.stderr
