"""Many columns at once: each against each, as points or as correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.axes import Axis, Point, columns_with_numbers
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing, sheet_of
from tkstudies.plots.hist import edges_of
from tkstudies.plots.look import Sheet
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE
from tkstudies.plots.quantities import quantity
from tkstudies.plots.scatter import draw_points
from tkstudies.plots.texts import NARROW, ending, letters_in, shown
from tkstudies.records import Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_MOST_PAIRS = 7
_MOST_COLUMNS = 80
_SMALLEST = 4  # typographic points of a tile with a name
_NUMBERED = 26  # columns, up to which the tiles have room for numbers
_NO_FEATURES = ("run_number", "fill_number", "lhc_fill", "lumisection_number", "*_limit_9[59]", "missing_features")
_USUAL_PAIRS = ("pc[1-4]",)
_USUAL_FEATURES = ("*.mean", "*.rms")

Columns = Annotated[
    list[str] | None, Option("--columns", "Columns of numbers, e.g. 'Hits.*.mean' (repeatable).", "PATTERN")
]
"""The columns of such a figure."""


def pairs(
    records: Sequence[Record],
    columns: Columns = None,
    *,
    hue: Annotated[str, Option("--hue", "Colour by this column.", is_column=True)] = "tracking",
    look: Sheet = Sheet(),
) -> Drawing:
    """Draw each of some columns against each other, and on the diagonal how it is distributed.

    Without ``columns`` they are pc1 to pc4, or the first four columns of numbers.

    Raises:
        InputError: There are fewer than two columns of numbers, or more than seven.

    Example:
        tkstudies plot pairs -o pairs.png pca.jsonl
        tkstudies plot pairs --columns run_number --columns recorded_lumi --columns 'Hits.*.mean' -o pairs.png study.jsonl
    """  # noqa: E501
    names = chosen_columns(records, columns, _USUAL_PAIRS, "pairs")
    if not columns:
        names = names[:4]
    if len(names) > _MOST_PAIRS:
        raise InputError(f"plot pairs: {len(names)} columns match --columns: at most {_MOST_PAIRS} can be drawn")
    axes = [Axis(name, records) for name in names]
    rows = [row for row in records if any(axis.value(row) is not None for axis in axes)]
    colours = Hue(hue, rows, may_be_numeric=False)
    size = min(2.1 * len(names), 11)
    figure = sheet_of(look, size + 1.4, size)
    grid = figure.subplots(len(names), len(names), sharex="col", squeeze=False)
    most = max(2, min(4, letters_in(figure.get_figwidth() / (len(names) + 1), look.font_size) // 7))
    drawn: set[int] = set()
    for down, up in enumerate(axes):
        for right, along in enumerate(axes):
            ax = grid[down][right]
            if right == down:
                _draw_distribution(ax, rows, along, colours)
            else:
                points = _points(rows, along, up)
                draw_points(ax, points, colours)
                drawn.update(id(point.row) for point in points)
                up.set_ticks(ax.yaxis, most)
            along.set_ticks(ax.xaxis, most)
            _label(ax, along, up, right == 0, down == len(axes) - 1, figure, len(axes), look.font_size)
    _shrink(grid, look.font_size)
    if colours.column:
        legends.add_legend(figure, colours.entries(), colours.column, not look.size, look.font_size)
    losses = Losses()
    losses.add(len(records) - len(drawn), "record", "without two numbers in these columns not drawn")
    return Drawing(figure, len(drawn), "row", losses, look, rows)


def _points(rows: Sequence[Record], along: Axis, up: Axis) -> list[Point]:
    return [
        Point(x, y, row) for row in rows if (x := along.value(row)) is not None and (y := up.value(row)) is not None
    ]


def _draw_distribution(ax: Axes, rows: Sequence[Record], along: Axis, colours: Hue) -> None:
    import numpy as np

    known = [row for row in rows if along.value(row) is not None]
    if not known:
        return
    edges = edges_of([along.value(row) or 0.0 for row in known], 0, False)
    for word in colours.shown_words() if colours.column else [None]:
        members = [row for row in known if not colours.column or colours.shown_word(row) == word]
        counts, _ = np.histogram([along.value(row) or 0.0 for row in members], edges)
        ax.stairs(counts, edges, color=colours.colour(word) if colours.column else BLUE, fill=True, alpha=0.55)
    ax.set_yticks([])


def _label(
    ax: Axes, along: Axis, up: Axis, is_left: bool, is_low: bool, figure: Figure, count: int, font_size: float
) -> None:
    ax.tick_params(labelleft=is_left and up is not along, labelbottom=is_low)
    for is_there, axis, length, write in (
        (is_low, along, figure.get_figwidth(), ax.set_xlabel),
        (is_left, up, figure.get_figheight(), ax.set_ylabel),
    ):
        room = max(4, letters_in(length / (count + 1), 0.85 * font_size))
        if is_there:
            text = axis.label if len(axis.label) <= room else quantity(axis.column)
            write(shown(text, room), fontsize=0.85 * font_size)


def _shrink(grid: Any, font_size: float) -> None:
    for ax in grid.ravel():
        ax.tick_params(labelsize=0.8 * font_size)
        for collection in ax.collections:
            sizes = collection.get_sizes() if hasattr(collection, "get_sizes") else ()
            collection.set_sizes([0.4 * size for size in sizes]) if len(sizes) else None


def correlation(
    records: Sequence[Record],
    columns: Columns = None,
    *,
    truth: Annotated[str, Option("--by", "Column that is true for bad rows.", is_column=True)] = "is_bad",
    of: Annotated[str, Option("--of", "Rows: all, good or bad.", "WORD")] = "all",
    lost_above: Annotated[
        float | None, Option("--lost-above", "Show what is lost: correlations above this among good rows ...", "R")
    ] = None,
    now_below: Annotated[
        float | None, Option("--now-below", "... and below this among bad ones (default: the same).", "R")
    ] = None,
    look: Sheet = Sheet(),
) -> Drawing:
    """Draw the correlations (Pearson) of columns; or those that good rows have and bad ones have lost.

    A number in a tile is the correlation, or by how much it is smaller among bad rows. A pair of columns counts the
    rows that have both.

    Raises:
        InputError: There are fewer than two columns of numbers, too few rows, or nothing is lost.

    Example:
        tkstudies plot correlation --columns '*.mean' -o r.png study.jsonl
        tkstudies plot correlation --lost-above .95 --now-below .85 -o lost.png study.jsonl
    """
    import numpy as np

    names = chosen_columns(records, columns, _USUAL_FEATURES, "correlation")
    losses = Losses()
    if lost_above is None and now_below is None:
        rows = rows_of(records, of, truth)
        r, what = correlations(rows, names), f"correlation of {of} rows"
        varying = [place for place in range(len(names)) if np.isfinite(r[place, place])]
    else:
        rows = list(records)
        above = lost_above if lost_above is not None else now_below
        below = now_below if now_below is not None else above
        good = correlations(rows_of(records, "good", truth), names)
        bad = correlations(rows_of(records, "bad", truth), names)
        with np.errstate(invalid="ignore"):
            is_lost = (good > above) & (bad < below)
        varying = [place for place in range(len(names)) if is_lost[place].any()]
        if not varying:
            raise InputError(f"no correlation is above {above:g} among good rows and below {below:g} among bad ones")
        r, what = np.where(is_lost, good - bad, np.nan), "correlation lost (good rows less bad ones)"
    constant = len(names) - len(varying)
    if len(varying) > _MOST_COLUMNS:
        raise InputError(f"plot correlation: {len(varying)} columns: at most {_MOST_COLUMNS} can be drawn: --columns")
    if len(varying) < 2:
        raise InputError("plot correlation: fewer than two columns vary among these rows")
    if lost_above is None and now_below is None:
        losses.add(constant, "column", "not drawn: constant, or too few rows have it")
    shown_names = [names[place] for place in varying]
    figure = _draw_matrix(r[np.ix_(varying, varying)], shown_names, what, look)
    drawing = Drawing(figure, len(shown_names), "column", losses, look, rows)
    _fit_texts(figure, len(shown_names))
    return drawing


def _fit_texts(figure: Figure, columns: int) -> None:
    """Make names and numbers as small as the tiles want it; the layout of the figure must stand."""
    ax = figure.axes[0]
    ax.apply_aspect()
    tile = 72 * ax.get_window_extent().width / figure.dpi / columns  # typographic points
    step = max(1, math.ceil(_SMALLEST / tile))  # where names have no room every second or third has one
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        for place, label in enumerate(labels):
            label.set_fontsize(min(label.get_fontsize(), 0.85 * tile * step))
            label.set_visible(place % step == 0)
    for text in ax.texts:
        text.set_fontsize(min(text.get_fontsize(), 0.36 * tile))


def rows_of(records: Sequence[Record], which: str, truth: str) -> list[Record]:
    """All rows, the good or the bad ones.

    Raises:
        InputError: There are fewer than three, or ``which`` is another word.
    """
    if which == "all":
        rows = list(records)
    elif which in ("good", "bad"):
        rows = [row for row in records if row.get(truth) is (which == "bad")]
    else:
        raise InputError(f"--of {which}: the rows are all, good or bad")
    if len(rows) < 3:
        made = "" if which == "all" or any(truth in row for row in records) else " (tkstudies label makes is_bad)"
        raise InputError(f"plot correlation: {len(rows)} {which} rows by {truth}, at least 3 are needed{made}")
    return rows


def correlations(rows: Sequence[Record], names: Sequence[str]) -> NDArray:
    """Pearson's r of each two columns over the rows that have both [shape (columns, columns)], nan where undefined.

    >>> rows = [{"a": 1, "b": 2}, {"a": 2, "b": 4}, {"a": 3, "b": 6}, {"a": 9, "b": None}]
    >>> correlations(rows, ["a", "b"]).round(3).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    import numpy as np

    values = np.full((len(names), len(rows)), np.nan)
    for place, name in enumerate(names):
        values[place] = [
            np.nan if (value := number(row.get(name))) is None or abs(value) > 1e100 else value for row in rows
        ]
    known = np.isfinite(values)
    middle = np.array([row[there].mean() if there.any() else 0 for row, there in zip(values, known, strict=True)])
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(known, values - middle[:, None], 0)
        scale = np.sqrt((centred**2).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
        is_constant = scale <= 1e-12 * np.maximum(np.abs(middle), 1e-300)
        centred = centred / np.where(is_constant, np.nan, scale)[:, None]
        filled, weights = np.where(known, centred, 0), known.astype(float)
        count = weights @ weights.T
        sums, squares = filled @ weights.T, (filled**2) @ weights.T
        covariance = filled @ filled.T - sums * sums.T / count
        variance = squares - sums**2 / count
        r = covariance / np.sqrt(variance * variance.T)
    r[count < 3] = np.nan
    r[is_constant, :] = np.nan
    r[:, is_constant] = np.nan
    return np.clip(r, -1, 1)


def _draw_matrix(r: NDArray, names: Sequence[str], what: str, look: Sheet) -> Figure:
    import matplotlib
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    side = min(max(3.6, 1.8 + 0.34 * len(names)), 14)
    figure = sheet_of(look, side + 1, side)
    ax = figure.subplots()
    is_loss = "lost" in what
    colours = matplotlib.colormaps["Reds" if is_loss else "RdBu_r"].with_extremes(bad="#eeeeee")
    limit = max(float(np.nanmax(r)), 1e-3) if is_loss else 1.0
    image = ax.imshow(r, cmap=colours, vmin=0 if is_loss else -limit, vmax=limit)
    is_narrow = figure.get_figwidth() < NARROW
    room = max(6, letters_in(0.3 * figure.get_figwidth(), look.font_size))
    tile = 0.6 * min(figure.get_size_inches()) / len(names)  # inches
    size = min(look.font_size, max(72 * tile * 0.75, 3))
    places = range(len(names))
    texts = [ending(names[place], room) for place in places]
    ax.set_xticks(places, texts, rotation=90, fontsize=size)
    ax.set_yticks(places, texts, fontsize=size)
    ax.minorticks_off()
    ax.grid(False)
    number_size = min(look.font_size, 72 * tile * 0.36)
    if len(names) <= _NUMBERED and number_size >= 3:
        for (down, right), value in np.ndenumerate(r):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.65 * limit else "black"
                text = f"{value:.2f}".replace("0.", ".", 1)
                ax.text(right, down, text, ha="center", va="center", color=colour, fontsize=number_size)
    label = shown(what, letters_in(figure.get_figwidth() * 0.7, look.font_size))
    bar = figure.colorbar(image, ax=ax, label=label, location="bottom" if is_narrow else "right", shrink=0.8)
    bar.locator = MaxNLocator(4)
    return figure


def chosen_columns(records: Sequence[Record], patterns: list[str] | None, usual: Sequence[str], kind: str) -> list[str]:
    """The columns of numbers that match the patterns; without patterns the usual ones, else all that may be features.

    Raises:
        InputError: There are fewer than two.
    """
    known = columns_with_numbers(records)
    wanted = [one.strip() for pattern in patterns or [] for one in pattern.split(",") if one.strip()]
    matching = [name for name in known if any(fnmatchcase(name, one) for one in wanted or usual)]
    if not wanted and len(matching) < 2:
        matching = [name for name in known if not any(fnmatchcase(name, one) for one in _NO_FEATURES)]
    if len(matching) < 2:
        given = f"--columns {' '.join(wanted)}: " if wanted else ""
        told = ", ".join(known[:20]) or "none"
        raise InputError(f"plot {kind}: {given}at least two columns of numbers are needed; there are {told}")
    return matching
