"""``tkstudies report``: what a study says, on one page."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Annotated

import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import UsageError

app = options.application()

ENDINGS = {".html": "HTML", ".md": "Markdown"}


@app.command()
def report(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where the tables are.", show_default=False)],
    outputs: Annotated[
        list[str],
        typer.Option("-o", "--output", metavar="FILE", help="The page: .html or .md (repeatable).", show_default=False),
    ],
    week: Annotated[bool, typer.Option("--week", help="The last seven days: fills, runs, pb^-1, day by day.")] = False,
    expert: Annotated[
        bool, typer.Option("--expert", help="Add components, T2, Q, q-values and p-values in full.")
    ] = False,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Without histograms and trends: faster.")] = False,
) -> None:
    """Make one page of a study: what must be certified, what looks unusual, what is missing.

    \b
    FOLDER is that of examples/quickstart.sh: runs.jsonl, oms_runs.jsonl,
    doctor.jsonl, summaries.jsonl or hists.jsonl (with bins: pictures of the plots),
    features.jsonl, study.jsonl, suspects.jsonl; and, if there, todo.jsonl,
    known.jsonl (from_run, to_run, subsystem, text), changes.json, pca.jsonl,
    oms_lumisections.jsonl, certhelper.jsonl (run_number, reco, pixel, strip,
    tracking; made by hand, as the Certification Helper serves reference runs only),
    errors.jsonl, failed.jsonl (command, exit_code). What isn't there is said on the
    page. It needs no network when it is opened. To sort, search and select in a
    table of all rows: pip install 'tkstudies[page]' (bokeh).
    The page never says that a run is good or bad: people do.

    \b
    Examples:
      tkstudies report study -o report.html
      tkstudies report study -o report.html -o report.md
      tkstudies report study --week -o week.md
    """
    from tkstudies.report import interactive
    from tkstudies.report.folder import Folder
    from tkstudies.report.html import to_html
    from tkstudies.report.markdown import to_markdown
    from tkstudies.report.page import daily, weekly

    for output in outputs:
        if output == jsonl.STDOUT or os.path.splitext(output)[1].lower() not in ENDINGS:
            raise UsageError(f"-o {output}: a page ends in .html or .md")
    if week and expert:
        raise UsageError("--week has no columns for experts: leave out --expert")
    found = Folder(folder)
    is_html = any(not output.lower().endswith(".md") for output in outputs)
    with ExitStack() as stack:
        files = [stack.enter_context(jsonl.OutputFile(output)) for output in outputs]  # before the long work
        page = weekly(found) if week else daily(found, with_pictures=is_html and not no_pictures, is_expert=expert)
        sizes = []
        for output, file in zip(outputs, files, strict=True):
            text = to_markdown(page) if output.lower().endswith(".md") else to_html(page)
            content = text.encode("utf-8", "replace")
            with file.guarded():
                file.stream.write(content)
            sizes.append(len(content))
    for output, size in zip(outputs, sizes, strict=True):
        console.say(f"{output}: {console.counted(len(page.sections), 'section')}, {size / 1e6:.1f} MB")
    for text in found.troubles():
        console.warn(text)
    if is_html and not week and not interactive.is_there():
        console.say(interactive.ADVICE)
