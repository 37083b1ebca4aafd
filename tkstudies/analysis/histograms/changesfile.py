"""The usual changes of plots as a file: what ``compare --learn`` writes and ``compare --changes`` reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tkstudies import __version__
from tkstudies.analysis.histograms.changes import PlotKey, Usual
from tkstudies.errors import InputError
from tkstudies.records import Record, number, whole

FORMAT = "tkstudies-changes-1"


@dataclass(frozen=True)
class Source:
    """What changes were learned from.

    Attributes:
        command: The command line.
        files: Names of the inputs.
        good: How good runs were told.
        runs: How many there were, of how many the first and last were.
        first_run, last_run: Their first and last number.
        reference_reco: The reco that each run was compared with; None if it was another run.
        seed: Of what was drawn.
    """

    command: str
    files: list[str]
    good: str
    runs: int
    first_run: int | None
    last_run: int | None
    reference_reco: str | None
    seed: int


@dataclass(frozen=True)
class Changes:
    """The usual changes of plots.

    Attributes:
        usual: By plot.
        not_learned: Plots without them, and why.
        source: What they were learned from.
    """

    usual: dict[PlotKey, Usual]
    not_learned: dict[PlotKey, str]
    source: Source


def to_json(changes: Changes) -> Record:
    """The changes as plain JSON values."""
    source = changes.source
    plots: list[Record] = []
    for key in sorted({*changes.usual, *changes.not_learned}, key=str):
        usual = changes.usual.get(key)
        plots.append(
            {
                **key._asdict(),
                "is_profile": usual.is_profile if usual else None,
                "pairs": usual.pairs if usual else None,
                "natural": usual.natural if usual else None,
                "centre": usual.centre if usual else None,
                "width": usual.width if usual else None,
                "not_learned": None if usual else changes.not_learned[key],
            }
        )
    return {
        "format": FORMAT,
        "tkstudies_version": __version__,
        "command": source.command,
        "learned_from": {name: value for name, value in vars(source).items() if name != "command"},
        "plots": plots,
    }


def from_json(content: Any, name: str) -> Changes:
    """The changes that `to_json` wrote.

    Raises:
        InputError: ``content`` is something else, or doesn't fit together.
    """
    try:
        if not isinstance(content, dict) or "format" not in content:
            raise ValueError("it doesn't say its format")
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r:.80}, not {FORMAT!r}")
        about = content["learned_from"]
        source = Source(
            str(content["command"]),
            [str(file) for file in about["files"]],
            str(about["good"]),
            int(about["runs"]),
            whole(about["first_run"]),
            whole(about["last_run"]),
            _text_or_none(about["reference_reco"]),
            int(about["seed"]),
        )
        usual: dict[PlotKey, Usual] = {}
        not_learned: dict[PlotKey, str] = {}
        for plot in content["plots"]:
            key = PlotKey(str(plot["plot"]), _text_or_none(plot["reco"]), _text_or_none(plot["stream"]))
            if plot["not_learned"] is not None:
                not_learned[key] = str(plot["not_learned"])
            else:
                usual[key] = _usual(plot)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{name} is not what tkstudies compare --learn wrote: {told}") from None
    return Changes(usual, not_learned, source)


def _usual(plot: Record) -> Usual:
    natural, centre, width = (number(plot[name]) for name in ("natural", "centre", "width"))
    pairs = whole(plot["pairs"])
    if natural is None or centre is None or not width or not pairs or min(natural, centre, width, pairs) < 0:
        raise ValueError(f"the numbers of {plot['plot']!s:.200} can't be those of changes")
    return Usual(float(natural), float(centre), float(width), pairs, plot["is_profile"] is True)


def _text_or_none(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"a text was expected instead of {value!r:.80}")
    return value
