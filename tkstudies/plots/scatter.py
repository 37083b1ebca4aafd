"""Scatter plots: one point per record, coloured by a status, a word or a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tkstudies.errors import InputError
from tkstudies.plots.figures import COLOURS, STATUS_COLOURS, UNKNOWN

_MOST_COLOURS = len(COLOURS)
_MOST_PANELS = 12


def scatter(
    records: Sequence[dict[str, Any]],
    x: str,
    y: str,
    *,
    hue: str = "",
    facet: str = "",
    annotate: int = 0,
    title: str = "",
) -> tuple[Figure, int]:
    """Draw ``y`` against ``x``.

    Args:
        records: Rows; those without two finite numbers aren't drawn.
        hue: Column to colour by: numbers get a colour bar, words a legend with counts.
        facet: Column whose values get a panel each.
        annotate: Name the runs of so many rows with the largest ``t2``.

    Returns:
        The figure and the number of points.

    Raises:
        InputError: No row has numbers in both columns, or ``facet`` has too many values.
    """
    rows = [row for row in records if _number(row.get(x)) is not None and _number(row.get(y)) is not None]
    if not rows:
        columns = list(dict.fromkeys(column for row in records[:100] for column in row))
        raise InputError(f"no record has numbers in both {x} and {y}; columns are {', '.join(columns[:30])}")
    panels = _panels(rows, facet)
    colours = _Colours(rows, hue)
    across = min(len(panels), 3)
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(6.8 if across == 1 else 4.2 * across + 1.6, 4.8 * down), layout="constrained")
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (name, members) in zip(axes, panels.items(), strict=False):
        colours.draw(ax, members, x, y)
        if name is not None:
            ax.set_title(f"{facet}: {name}", fontsize=10)
        ax.set_xlabel(x)
        ax.set_ylabel(y)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    _annotate(axes, panels, x, y, annotate)
    colours.explain(figure, axes)
    if title:
        figure.suptitle(title)
    return figure, len(rows)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _panels(rows: Sequence[dict[str, Any]], facet: str) -> dict[str | None, list[dict[str, Any]]]:
    if not facet:
        return {None: list(rows)}
    panels: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        panels.setdefault(_word(row.get(facet)), []).append(row)
    if len(panels) > _MOST_PANELS:
        raise InputError(
            f"--facet {facet} has {len(panels)} values: at most {_MOST_PANELS} panels can be drawn"
        )
    return dict(sorted(panels.items(), key=lambda item: str(item[0])))


class _Colours:
    """The colours of one figure: the same in all its panels."""

    def __init__(self, rows: Sequence[dict[str, Any]], hue: str):
        self._hue = hue if any(row.get(hue) is not None for row in rows) else ""
        values = [row.get(hue) for row in rows] if self._hue else []
        known = [value for value in values if value is not None]
        self._numbers = [n for n in map(_number, known) if n is not None]
        self._is_numeric = bool(self._numbers) and len(self._numbers) == len(known)
        self._mappable: Any = None
        counts: dict[str, int] = {}
        for value in values:
            counts[_word(value)] = counts.get(_word(value), 0) + 1
        most_first = sorted(counts, key=lambda word: (word == "unknown", -counts[word], word))
        self._words = most_first[:_MOST_COLOURS]
        self._counts = counts
        free = iter(COLOURS)
        self._colour = {
            w: STATUS_COLOURS.get(w.upper()) or next(free, UNKNOWN) for w in self._words if w != "unknown"
        }

    def draw(self, ax: Axes, rows: Sequence[dict[str, Any]], x: str, y: str) -> None:
        size = 26 if len(rows) < 2000 else 9
        style = {"s": size, "alpha": 0.8, "linewidths": 0.4, "edgecolors": "white"}
        if not self._hue:
            ax.scatter([r[x] for r in rows], [r[y] for r in rows], color=COLOURS[0], **style)
        elif self._is_numeric:
            coloured = [r for r in rows if _number(r.get(self._hue)) is not None]
            others = [r for r in rows if _number(r.get(self._hue)) is None]
            ax.scatter([r[x] for r in others], [r[y] for r in others], color=UNKNOWN, **style)
            self._mappable = ax.scatter(
                [r[x] for r in coloured],
                [r[y] for r in coloured],
                c=[r[self._hue] for r in coloured],
                cmap="viridis",
                vmin=min(self._numbers),
                vmax=max(self._numbers),
                **style,
            )
        else:
            for word in [*self._words, None]:  # the many first, so that the few lie on top
                members = [r for r in rows if self._shown_word(r) == word]
                if members:
                    colour = self._colour.get(word or "", UNKNOWN)
                    ax.scatter([r[x] for r in members], [r[y] for r in members], color=colour, **style)

    def _shown_word(self, row: dict[str, Any]) -> str | None:
        word = _word(row.get(self._hue))
        return word if word in self._words else None

    def explain(self, figure: Figure, axes: Sequence[Axes]) -> None:
        """Add the colour bar or the legend."""
        if not self._hue:
            return
        if self._is_numeric:
            figure.colorbar(self._mappable, ax=list(axes), label=self._hue)
            return
        from matplotlib.lines import Line2D

        labels = {word: f"{word} ({self._counts[word]})" for word in self._words}
        handles = [
            Line2D([], [], marker="o", linestyle="", color=self._colour.get(word, UNKNOWN), label=text)
            for word, text in labels.items()
        ]
        others = sum(count for word, count in self._counts.items() if word not in self._words)
        if others:
            handles.append(
                Line2D([], [], marker="o", linestyle="", color=UNKNOWN, label=f"others ({others})")
            )
        figure.legend(handles=handles, title=self._hue, loc="outside right upper")


def _annotate(
    axes: Sequence[Axes], panels: dict[Any, list[dict[str, Any]]], x: str, y: str, number: int
) -> None:
    """Name the rows that lie farthest out by Hotelling's T2, one for each run (or lumisection)."""
    found = [
        (row["t2"], ax, row)
        for ax, rows in zip(axes, panels.values(), strict=False)
        for row in rows
        if _number(row.get("t2")) is not None
    ]
    named: set[tuple[Any, Any]] = set()
    for _, ax, row in sorted(found, key=lambda item: -item[0]):
        key = row.get("run_number"), row.get("lumisection_number")
        if len(named) == number:
            break
        if key in named:
            continue
        named.add(key)
        words = [str(word) for word in (*key, row.get("reco")) if word is not None]
        ax.annotate(
            " ".join(words),
            (row[x], row[y]),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=7.5,
            color="#333333",
        )
