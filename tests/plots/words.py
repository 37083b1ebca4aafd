"""Are the words of a figure apart from each other and inside the page?"""

from __future__ import annotations

from matplotlib.text import Text


def texts(figure):
    """All that is written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def quarrels(figure):
    """Texts that overlap, or that are cut off, ticks included."""
    figure.draw_without_rendering()
    page = figure.bbox.padded(2)
    outside_view = {label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in _not_drawn(axis)}
    found = []
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and text not in outside_view:
            found.append((text.get_text(), text.get_window_extent().padded(-1)))
    bad = [text for text, box in found if not (page.containsx(box.x0) and page.containsx(box.x1))]
    bad += [text for text, box in found if not (page.containsy(box.y0) and page.containsy(box.y1))]
    for place, (text, box) in enumerate(found):
        bad += [f"{text} / {other}" for other, its in found[:place] if its.overlaps(box)]
    return bad


def _not_drawn(axis):
    low, high = sorted(axis.get_view_interval())
    away = 1e-6 * (high - low)
    shown = axis.get_tick_params().get("labelbottom", True) and axis.get_tick_params().get("labelleft", True)
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        if not (shown and low - away <= tick.get_loc() <= high + away):
            yield tick.label1
        yield tick.label2
