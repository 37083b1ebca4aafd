"""``tkstudies embed``: a map of the rows by t-SNE."""

from __future__ import annotations

from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def embed(
    files: options.Files = None,
    features: options.PointFeatures = None,
    columns: options.OldColumns = None,
    dimensions: Annotated[int, typer.Option("--dimensions", "-n", metavar="N", min=1, max=3, help="Of the map.")] = 2,
    perplexity: Annotated[
        float,
        typer.Option("--perplexity", metavar="NUMBER", help="Neighbours of a row, roughly; lowered when rows are few."),
    ] = 30.0,
    missing: Annotated[
        options.Missing, typer.Option("--missing", help="Fill gaps in a row, or leave it without a place (drop).")
    ] = options.Missing.zero,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**32 - 1,
            help="Of the random numbers; the start is principal components, so it matters little.",
        ),
    ] = 42,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Map rows that are alike to places that are near: adds tsne1, tsne2 (t-SNE).

    For experts; start with 'tkstudies suspects': t-SNE ranks nothing.

    \b
    Looks at pc1, pc2, ... if the rows have them, else at the features of pca
    (without those that only tell how long a run was), standardised.
    All rows and columns stay; a row without values in the columns
    gets nulls, and is counted. Distances between far groups mean nothing.

    \b
    Examples:
      tkstudies pca study.jsonl | tkstudies embed | tkstudies plot --x tsne1 --y tsne2 -o map.png
      tkstudies embed --features 'Hits.*' --perplexity 10 study.jsonl > map.jsonl
    """
    if not 1 <= perplexity < float("inf"):
        raise UsageError(f"--perplexity {perplexity:g}: expected at least 1")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="rows with features")
    rows = list(records)

    from tkstudies.analysis.multivariate import embedding
    from tkstudies.analysis.multivariate.points import points

    options.require_records(records)
    where = points(rows, options.words([*(features or []), *(columns or [])]), missing.value)
    mapped = embedding.embed(where, dimensions, perplexity, seed)
    names = [f"tsne{number + 1}" for number in range(dimensions)]
    with jsonl.Writer(output) as writer:
        for row, place in zip(rows, mapped.coordinates.tolist(), strict=True):
            writer.write({**row, **dict(zip(names, place, strict=True))})

    placed = int(where.usable.sum())
    if placed < len(rows):
        why = "a gap" if missing is options.Missing.drop else "no value"
        console.warn(f"{console.counted(len(rows) - placed, 'row')} without a place (null): {why} in the columns")
    options.warn_of_gaps(where.filled, placed, missing.value, "--missing drop leaves them out")
    for text in mapped.warnings:
        console.warn(text)
    if mapped.perplexity < perplexity:
        console.say(f"perplexity lowered from {perplexity:g} to {mapped.perplexity:.4g}: only {placed:,} rows")
    console.say(
        f"{placed:,} rows, {console.counted(len(where.columns), 'column')}; "
        f"Kullback-Leibler divergence {mapped.divergence:.3g}"
    )
    options.report_skipped(records)
