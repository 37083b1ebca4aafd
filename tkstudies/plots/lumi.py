"""Luminosity: how it grew in time, and how much of it there is in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from tkstudies.analysis.tables.luminosity import luminosity, own_luminosities
from tkstudies.console import Losses
from tkstudies.errors import InputError
from tkstudies.plots import legends
from tkstudies.plots.axes import Axis, days, note_undrawn
from tkstudies.plots.colours import Hue
from tkstudies.plots.figures import Drawing
from tkstudies.plots.forms import require_columns
from tkstudies.plots.look import Look
from tkstudies.plots.options import Option
from tkstudies.plots.palette import BLUE, COLOURS, dashes_of
from tkstudies.plots.panels import Panels
from tkstudies.plots.quantities import quantity
from tkstudies.plots.scatter import scatter
from tkstudies.plots.slots import column_for
from tkstudies.plots.texts import is_drawable
from tkstudies.records import Record, number, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LUMISECTIONS = ("last_lumisection_number", "lumisections")
_PB_OF_FB = 1000
_KEYS = ("run_number", "fill_number")
_SHAPE = (7.4, 4.4)


class _Run(NamedTuple):
    """A run, or a lumisection, with its luminosity, and from when to when it went."""

    begin: float
    end: float
    pb: float
    row: Record


def lumi(
    records: Sequence[Record],
    y: Annotated[
        list[str] | None,
        Option("--y", "Luminosity: recorded_lumi (default), delivered_lumi (repeatable).", is_column=True),
    ] = None,
    x: Annotated[str, Option("--x", "time or run: how it grew; lumisections: how much is in a run.", "WORD")] = "time",
    *,
    hue: Annotated[str, Option("--hue", "A curve for each value of this column, such as is_bad.", is_column=True)] = "",
    look: Look = Look(),
) -> Drawing:
    """Draw the luminosity of all runs so far against time; or that of each run against its lumisections.

    A run counts once, however many rows it has (a lumisection, where these have luminosities of their own); for a
    curve of each value the row that comes first decides.
    Luminosities in other units are brought to pb^-1 (fb^-1 if there is much).

    Raises:
        InputError: No run has a luminosity and a time.

    Example:
        tkstudies plot lumi --y delivered_lumi --y recorded_lumi -o lumi.png oms_runs.jsonl
        tkstudies plot lumi --hue tracking -o certified.png study.jsonl
        tkstudies plot lumi --x lumisections --hue is_bad -o runs.png study.jsonl
    """
    columns = y or ["recorded_lumi"]
    require_columns(records, "lumi", *columns)
    if x in ("lumisections", *_LUMISECTIONS):
        found = next((name for name in _LUMISECTIONS if any(name in row for row in records)), _LUMISECTIONS[0])
        return scatter(records, found, columns[0], hue=hue or "tracking", annotate=0, look=look)
    along = Axis(column_for(x, records), records)
    losses = Losses()
    curves = {column: _runs(records, column, along, losses) for column in columns}
    if not any(curves.values()):
        raise InputError(f"no record has a number in {' or '.join(columns)} and a place in {along.column}")
    has_units = any(luminosity(row, column) is not None for row in records for column in columns)
    total = max(sum(run.pb for run in runs) for runs in curves.values())
    scale, unit = (1 / _PB_OF_FB, " [fb⁻¹]") if total > _PB_OF_FB else (1.0, " [pb⁻¹]")
    scale, unit = (scale, unit) if has_units else (1.0, " (unit unknown)")
    every = [run for runs in curves.values() for run in runs]
    colours = Hue(hue if len(columns) == 1 else "", [run.row for run in every], may_be_numeric=False)
    panels = Panels(every, look, lambda run: run.row, shape=_SHAPE)
    words = colours.shown_words() if colours.column else [None]
    entries = []
    for place, column in enumerate(columns):
        for word, dashes in zip(words, dashes_of(len(words) + place)[place:], strict=True):
            colour = colours.colour(word) if colours.column else (BLUE, *COLOURS[2:])[place % len(COLOURS)]
            sums = []
            for ax, _ in panels:
                own = [run for run in curves[column] if panels.panel_of(run.row) is ax]
                own = [run for run in own if not colours.column or colours.shown_word(run.row) == word]
                sums.append(sum(run.pb for run in own) * scale)
                _draw(ax, own, scale, colour, dashes, is_filled=len(words) == len(columns) == 1)
            name = (
                colours.text(word).rpartition(" (")[0]
                if colours.column
                else quantity(column).removesuffix(" luminosity")
            )
            entries.append(legends.Entry(legends.line(colour, dashes), f"{name} ({sum(sums):.4g})"))
    panels.axes[0].set_ylim(bottom=0)
    what = quantity(columns[0]) if len(columns) == 1 else "luminosity"
    title = colours.column or ("sum" + unit if len(entries) > 1 else "")
    panels.finish(along, f"{what} so far{unit}", entries=entries if len(entries) > 1 else (), legend_title=title)
    note_undrawn(losses, records, along)
    drawn = max(curves.values(), key=len)
    numbers = {whole(run.row.get("run_number")) for run in drawn}
    return panels.drawing(len(drawn), "lumisection" if 0 < len(numbers) < len(drawn) else "run", losses)


def _runs(records: Sequence[Record], column: str, along: Axis, losses: Losses) -> list[_Run]:
    """Each run once, or each lumisection where the rows have luminosities of their own, in order along the axis."""
    if not any(luminosity(row, column) is not None for row in records):
        records = [{**row, f"{column}_pb": number(row.get(column))} for row in records]  # in whatever unit
    of_lumisections: dict[tuple[int, ...], float | None] = {}
    if any("lumisection_number" in row for row in records):
        kind, of_lumisections = own_luminosities(records, column)
        if kind == "running":
            losses.note(f"{column} of lumisections is a running sum: each counts with its difference to the next")
    found: dict[object, _Run] = {}
    unknown: set[object] = set()
    for place, row in enumerate(records):
        run, lumisection = (whole(row.get(name)) for name in ("run_number", "lumisection_number"))
        key: object = next((value for name in _KEYS if (value := whole(row.get(name))) is not None), ("row", place))
        pb = luminosity(row, column)
        if of_lumisections and run is not None and lumisection is not None:
            key, pb = (run, lumisection), of_lumisections[run, lumisection]
        begin = along.value(row)
        if begin is None or key in found:
            continue
        if pb is None or not is_drawable(pb):
            unknown.add(key)
            continue
        end = days(row.get("end_time")) if along.is_time else None
        found[key] = _Run(begin, max(end, begin) if end is not None else begin, float(pb), row)
    what, why = ("lumisection", "of its own") if of_lumisections else ("run", "with a known unit")
    losses.add(len(unknown - set(found)), what, f"not drawn: no luminosity {why} in {column}")
    return sorted(found.values(), key=lambda run: run.begin)


def _draw(ax: Axes, runs: Sequence[_Run], scale: float, colour: str, dashes: Any, is_filled: bool) -> None:
    places, heights, so_far = [], [], 0.0
    for run in runs:
        places += [run.begin, run.end]
        heights += [so_far, so_far + run.pb * scale]
        so_far += run.pb * scale
    ax.plot(places, heights, color=colour, linestyle=dashes, linewidth=1.8)
    if is_filled:
        ax.fill_between(places, heights, color=colour, alpha=0.15, linewidth=0)
