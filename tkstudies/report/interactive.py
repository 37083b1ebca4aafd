"""The table and figure of all rows that share what is selected, made of bokeh's widgets (the extra ``page``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

from tkstudies.console import clean
from tkstudies.report.parts import Explorer

ADVICE = "To sort, search and select: pip install 'tkstudies[page]', then make the page again."
PLACE = "explorer"
MOST_STATIC = 200
COLOURS = ("#2f6db3", "#c8641e", "#6a4fa3", "#2a8c82", "#8a6d1f", "#5b6470")
START = f'Bokeh.embed.embed_item(JSON.parse(document.getElementById("{PLACE}-data").textContent), "{PLACE}");'

_MOST_LETTERS = 300
_WIDTHS = {"run": 75, "reco": 75, "lumisection": 80, "fill": 60, "statuses": 265, "rank": 50, "score": 60, "p": 60,
           "subsystem": 85, "findings": 520, "new or known": 150, "not judged": 160}  # fmt: skip

_SEARCH = """
const words = cb_obj.value_input.toLowerCase().split(/\\s+/).filter(Boolean);
const columns = fields.map((name) => source.data[name]);
const kept = [];
for (let row = 0; row < source.get_length(); row++) {
  const text = columns.map((column) => column[row] ?? "").join(" ").toLowerCase();
  if (words.every((word) => text.includes(word))) kept.push(row);
}
rows.indices = kept;
"""
_COPY = """
if (cb_obj.indices.length === 1) copyRun(String(source.data.c0[cb_obj.indices[0]]));
"""
_CHOOSE = """
dots.glyph.y = {field: fields[names.indexOf(cb_obj.value)]};
axis.axis_label = cb_obj.value;
"""


def is_there() -> bool:
    """Is bokeh installed?"""
    return find_spec("bokeh") is not None


def scripts() -> list[str]:
    """What a page needs of bokeh itself."""
    from bokeh.resources import Resources

    components: list[Any] = ["bokeh", "bokeh-widgets", "bokeh-tables"]
    library = Resources(mode="inline", log_level="warn", components=components).js_raw
    return [script.replace("</script", "<\\/script") for script in library]


def data(block: Explorer) -> str:
    """The rows as an element of the page that holds JSON; nothing in it can end the element or begin another."""
    from bokeh.embed import json_item

    text = json.dumps(json_item(_layout(block)), separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return f'<script type="application/json" id="{PLACE}-data">{text}</script>'


def _layout(block: Explorer) -> Any:
    from bokeh.layouts import column, row
    from bokeh.models import CDSView, ColumnDataSource, CustomJS, IndexFilter
    from bokeh.models.widgets import DataTable, Select, TextInput

    fields = [f"c{place}" for place in range(len(block.columns))]
    cells = {field: _column([one[place] for one in block.rows]) for place, field in enumerate(fields)}
    source = ColumnDataSource(cells)
    rows = IndexFilter(indices=list(range(len(block.rows))))
    view = CDSView(filter=rows)
    table = DataTable(
        source=source,
        view=view,
        columns=_table_columns(block.columns, fields, cells),
        height=420,
        sizing_mode="stretch_width",
        autosize_mode="none",
        index_position=None,
        frozen_columns=2,
        reorderable=False,
    )
    figure, dots = _figure(block, fields, source, view)
    numbers = [name for name in block.columns if name in block.numbers]
    shown = [clean(name) for name in numbers]
    options: list[Any] = list(dict.fromkeys(shown))
    choose = Select(title="Figure", options=options, value=shown[0] if shown else "", width=260)
    where = [fields[block.columns.index(name)] for name in numbers]
    choose.js_on_change(
        "value", CustomJS(args={"dots": dots, "axis": figure.yaxis[0], "names": shown, "fields": where}, code=_CHOOSE)
    )
    search = TextInput(title="Search", placeholder="317434, strip, hv off, ...", width=260)
    search.js_on_change("value_input", CustomJS(args={"source": source, "rows": rows, "fields": fields}, code=_SEARCH))
    source.selected.js_on_change("indices", CustomJS(args={"source": source}, code=_COPY))
    return column(row(search, choose), figure, table, sizing_mode="stretch_width")


def _table_columns(names: Sequence[str], fields: Sequence[str], cells: dict[str, Any]) -> list[Any]:
    from bokeh.models.widgets import NumberFormatter, StringFormatter, TableColumn

    columns = []
    for name, field in zip(names, fields, strict=True):
        is_number = isinstance(cells[field], np.ndarray)
        whole = name in ("run", "fill", "rank", "lumisection")
        form = NumberFormatter(format="0" if whole else "0.[0000]", nan_format="") if is_number else StringFormatter()
        # the grid reads the head of a column as HTML
        columns.append(
            TableColumn(field=field, title=escape(clean(name)), formatter=form, width=_WIDTHS.get(name, 110))
        )
    return columns


def _figure(block: Explorer, fields: Sequence[str], source: Any, view: Any) -> tuple[Any, Any]:
    from bokeh.models import HoverTool, NumeralTickFormatter
    from bokeh.plotting import figure
    from bokeh.transform import factor_cmap

    place = dict(zip(block.columns, fields, strict=True))
    words = sorted(set(source.data[place["reco"]]) - {""}) if isinstance(source.data[place["reco"]], list) else []
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(words))]
    shown = figure(
        height=300,
        sizing_mode="stretch_width",
        tools="pan,wheel_zoom,box_zoom,box_select,tap,reset",
        active_scroll=None,
        x_axis_label="run",
        y_axis_label="score",
    )
    shown.toolbar.logo = None
    shown.xaxis.formatter = NumeralTickFormatter(format="0")
    dots = shown.scatter(
        x=place["run"],
        y=place["score"],
        source=source,
        view=view,
        size=8,
        alpha=0.75,
        line_color="white",
        fill_color=factor_cmap(place["reco"], colours, words) if words else COLOURS[0],
        **({"legend_group": place["reco"]} if 0 < len(words) <= len(COLOURS) else {}),
    )
    if shown.legend:
        shown.legend.orientation = "horizontal"
        shown.add_layout(shown.legend[0], "above")
    tips = [
        ("run", f"@{place['run']}{{0}}"),
        *((name, f"@{place[name]}") for name in ("reco", "statuses", "findings") if name in place),
    ]
    shown.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    return shown, dots


def _column(values: list[Any]) -> Any:
    """A column as numbers if it has only these, else as texts."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return ["" if value is None else _short(str(value)) for value in values]


def _short(text: str) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= _MOST_LETTERS else f"{cleaned[:_MOST_LETTERS]}…"
