"""``tkstudies plot``: a figure from records."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import InputError, OutputError, UsageError

app = options.application()

KINDS = ("scatter",)


@app.command()
def plot(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND] [FILE]...", show_default=False)
    ] = None,
    x: Annotated[
        str, typer.Option("--x", metavar="COLUMN", autocompletion=completion.columns, help="Horizontal axis.")
    ] = "pc1",
    y: Annotated[
        str, typer.Option("--y", metavar="COLUMN", autocompletion=completion.columns, help="Vertical axis.")
    ] = "pc2",
    hue: Annotated[
        str,
        typer.Option(
            "--hue", metavar="COLUMN", autocompletion=completion.columns, help="Colour by this column."
        ),
    ] = "tracking",
    facet: Annotated[
        str,
        typer.Option(
            "--facet",
            metavar="COLUMN",
            autocompletion=completion.columns,
            help="One panel for each value of it.",
        ),
    ] = "",
    annotate: Annotated[
        int,
        typer.Option(
            "--annotate", metavar="N", min=0, help="Name the runs of the N largest t2 (if there is one)."
        ),
    ] = 3,
    title: Annotated[str, typer.Option("--title", help="A line above the figure.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Open a window.")] = False,
    inputs: options.Inputs = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Picture to write: .png, .pdf, .svg, ...")
    ] = "",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Draw a figure; without a kind a scatter of pc1 and pc2 coloured by tracking.

    \b
    Examples:
      tkstudies plot -o pca.png pca.jsonl
      tkstudies pca study.jsonl | tkstudies plot scatter --x pc1 --y pc3 --hue bad_reason -o bad.png
      tkstudies plot --x fill__peak_pileup --y Tracks.mean --facet reco -o pileup.pdf study.jsonl
    """
    kind, files = _kind_and_files(arguments or [])
    if not output and not show:
        raise UsageError("name a picture with -o FILE.png, or open a window with --show")
    if output == "-":
        raise UsageError("a picture doesn't go to standard output: name a file with -o")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="records to plot")
    rows = list(records)
    if not rows:
        raise InputError("nothing to plot: no records")

    from tkstudies.plots import figures, scatter

    with figures.style():
        figure, drawn = {"scatter": scatter.scatter}[kind](
            rows, x, y, hue=hue, facet=facet, annotate=annotate, title=title
        )
        for option, column in (("--hue", hue if hue != "tracking" else ""), ("--facet", facet)):
            if column and not any(column in row for row in rows):
                console.warn(
                    f"{option}: no record has a column {column}; {console.alternatives(column, rows[0])}"
                )
        if drawn < len(rows):
            console.warn(
                f"{console.counted(len(rows) - drawn, 'record')} not drawn: no number or time in {x} or {y}"
            )
        if output:
            _save(figure, output)
            console.say(f"{output}: {console.counted(drawn, 'point')}")
        if show:
            figures.show(figure)
    options.report_skipped(records)


def _kind_and_files(arguments: list[str]) -> tuple[str, list[str]]:
    """A first argument that isn't a kind but a path is a file."""
    if arguments and arguments[0] in KINDS:
        return arguments[0], arguments[1:]
    if arguments and arguments[0] != "-" and not os.path.exists(arguments[0]):
        wrong = InputError if {"/", "."} & set(arguments[0]) else UsageError
        raise wrong(f"{arguments[0]}: neither a kind of plot ({', '.join(KINDS)}) nor a file")
    return KINDS[0], arguments


def _save(figure, output: str) -> None:
    ending = os.path.splitext(output)[1].lstrip(".").lower()
    known = sorted(figure.canvas.get_supported_filetypes())
    if ending not in known:
        raise UsageError(f"-o {output}: pictures end in {', '.join('.' + name for name in known)}")
    with jsonl.Writer(output) as writer:
        try:
            figure.savefig(writer.stream, format=ending)
        except OSError as error:
            raise OutputError(f"{output}: can't be written: {error.strerror or error}") from None
