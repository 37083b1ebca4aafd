"""What a fit of principal components found: how much each describes, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.categories import fit_names
from tkstudies.plots.figures import Drawing, sheet_of
from tkstudies.plots.look import Sheet
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE, RED
from tkstudies.plots.texts import NARROW, ending, is_drawable, letters_in
from tkstudies.records import Record, number


def scree(records: Sequence[Record], look: Sheet = Sheet()) -> Drawing:
    """Draw the share of the variance that each principal component describes, and all so far together.

    Raises:
        InputError: The model has no shares.

    Example:
        tkstudies pca --components 10 --model model.json study.jsonl > pca.jsonl
        tkstudies plot scree -o scree.png model.json
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    shares = _numbers(records[0].get("explained_variance_ratio"))
    if not shares:
        raise InputError("plot scree: the model has no explained_variance_ratio: tkstudies pca --model FILE writes it")
    figure = sheet_of(look, 6.8, 4.4)
    ax = figure.subplots()
    places = range(1, len(shares) + 1)
    together = [sum(shares[:place]) for place in places]
    ax.bar(places, shares, 0.7, color=BLUE)
    ax.plot(places, together, color=RED, marker="X", markersize=6)
    for place, share in zip(places, shares, strict=True):
        if len(shares) <= 12:
            ax.annotate(
                f"{share:.0%}",
                (place, share),
                xytext=(0, 2 if place > 1 else 5),  # the first is where both meet
                textcoords="offset points",
                ha="center",
                fontsize=0.8 * look.font_size,
            )
    ax.set(ylim=(0, 1.05), xlabel="principal component", ylabel="share of the variance")
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    entries = [legends.Entry(legends.bar(BLUE), "each"), legends.Entry(legends.line(RED, marker="X"), "together")]
    legends.add_legend(figure, entries, "", may_widen=False, font_size=look.font_size)
    losses = Losses()
    losses.add(len(records) - 1, "model", "not drawn: a figure shows the first")
    return Drawing(figure, len(shares), "component", losses, look, records)


def loadings(
    records: Sequence[Record],
    components: Annotated[
        int, Option("--components", "How many components, from the first.", "N", minimum=1, maximum=6)
    ] = 2,
    top: Annotated[int, Option("--top", "How many features of each, the largest.", "N", minimum=1, maximum=60)] = 12,
    *,
    look: Sheet = Sheet(),
) -> Drawing:
    """Draw of which features each principal component is made: the loadings that are largest, whatever their sign.

    Raises:
        InputError: No record has a loading.

    Example:
        tkstudies pca --loadings loadings.jsonl study.jsonl > pca.jsonl
        tkstudies plot loadings --components 3 -o loadings.png loadings.jsonl
    """
    from matplotlib.ticker import MaxNLocator

    names = [f"pc{place}" for place in range(1, components + 1)]
    names = [name for name in names if any(_loading(row, name) is not None for row in records)]
    if not names:
        raise InputError("plot loadings: no record has a number in pc1")
    across = min(len(names), 1 if look.inches(9, 1)[0] < NARROW else 3)
    down = -(-len(names) // across)
    most = min(top, len(records))
    figure = sheet_of(look, 4.6 * across, (0.8 + 0.24 * most) * down)
    size = look.font_size
    fits = int(72 * (figure.get_figheight() / down - 0.6) / (0.8 * size))
    most = max(1, min(most, fits))
    panels = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
    room = letters_in(0.5 * figure.get_figwidth() / across, size)
    for ax, name in zip(panels, names, strict=False):
        known = [(value, row) for row in records if (value := number(row.get(name))) is not None and is_drawable(value)]
        largest = sorted(known, key=lambda pair: -abs(pair[0]))[:most]
        values = [value for value, _ in largest]
        colours = [BLUE if value >= 0 else RED for value in values]
        hatches = ["" if value >= 0 else "///" for value in values]
        ax.barh(range(len(values)), values, 0.75, color=colours, hatch=hatches, edgecolor="white", linewidth=0.5)
        ax.set_yticks(range(len(values)), [ending(str(row.get("feature")), room) for _, row in largest])
        ax.set_ylim(len(values) - 0.5, -0.5)
        ax.minorticks_off()
        ax.axvline(0, color="black", linewidth=0.8)
        ax.xaxis.set_major_locator(
            MaxNLocator(max(2, min(4, letters_in(0.4 * figure.get_figwidth() / across, size) // 8)))
        )
        ax.set_title(name, fontsize=size)
        ax.grid(False, axis="y")
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    figure.supxlabel("loading", fontsize=size)
    losses = Losses()
    drawing = Drawing(figure, len(names), "component", losses, look, records)
    fit_names(figure, list(panels[: len(names)]))
    return drawing


def _loading(record: Record, name: str) -> float | None:
    value = number(record.get(name))
    return float(value) if value is not None and is_drawable(value) else None


def _numbers(values: object) -> list[float]:
    known = [number(value) for value in values] if isinstance(values, list) else []
    return [float(value) for value in known if value is not None] if None not in known else []
