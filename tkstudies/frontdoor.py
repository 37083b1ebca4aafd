"""The tables of commands and global options, and the help page made of them without importing any command."""

from __future__ import annotations

from typing import NamedTuple

SECTIONS: dict[str, dict[str, str]] = {
    "Fetch": {
        "runreg": "Run Registry rows: who certified what as good or bad",
        "oms": "OMS runs, fills, lumisections and any other resource",
        "dqm": "DQM GUI histograms for the (run, reco) pairs of a table",
        "doctor": "TkDQMDoctor runs, problem runs, problems and reference runs",
        "todo": "what is still to certify: open rows, complete or not, with reference or not",
        "wbm": "run summaries of WBM, the predecessor of OMS",
        "login": "log in by browser, to OMS or DIALS; no application of your own is needed",
        "logout": "forget that login, here and at CERN",
        "check": "is this machine ready: each service reachable, and we logged in",
    },
    "Shape": {
        "merge": "join tables on run, reco, fill or lumisection",
        "label": "add derived columns: is_bad, status_summary, bad_reason, ...",
        "filter": "keep the rows for which all expressions hold",
        "select": "keep some columns, or drop some",
        "sort": "order rows, or take the first of them",
        "pivot": "long to wide: the rows of a run become one row",
        "shard": "cut a table into the files of a folder, for many processes",
        "count": "rows by the values of columns, and sums",
        "show": "a table for people: what fits the terminal, or one wide row",
        "columns": "what the columns mean, and what those of a file hold",
        "features": "histograms -> one wide row of numbers per (run, reco)",
    },
    "Study": {
        "suspects": "which rows deserve a second look, and what stands out in them",
        "pca": "principal components, Hotelling T2 and residuals",
        "outliers": "rows that differ from the others: five detectors",
        "embed": "a t-SNE map of features or components",
        "trackingmap": "tracking maps against those of the reference runs",
        "compare": "histograms against those of a reference run",
        "rank": "the most similar good runs: candidates for a reference",
        "diff": "where two tables differ, cell by cell",
        "plot": "a figure from records",
        "report": "one page of a study: what to certify, what looks unusual, what is missing",
        "export": "records -> CSV or Parquet, and back",
        "help": "the words that tkstudies uses, or the help of a command",
    },
}

COMMANDS: dict[str, str] = {name: text for section in SECTIONS.values() for name, text in section.items()}


class GlobalOption(NamedTuple):
    """An option that every command takes, before its name and behind it.

    Attributes:
        names: How it is written, the long name last.
        help: What it does.
        metavar: What its value is called; a switch has no value.
        of_servers: Does it say something only to commands that ask servers?
    """

    names: tuple[str, ...]
    help: str
    metavar: str = ""
    of_servers: bool = False

    @property
    def name(self) -> str:
        """The attribute of ``settings.current`` that it sets."""
        return self.names[-1].removeprefix("--")

    @property
    def usage(self) -> str:
        """How the help page writes it."""
        return f"{', '.join(self.names)} {self.metavar}".rstrip()


GLOBAL_OPTIONS = (
    GlobalOption(("-q", "--quiet"), "No progress and no counts at the end; warnings and errors remain."),
    GlobalOption(("-v", "--verbose"), "Log each request; show where an internal error comes from."),
    GlobalOption(("--replay",), "Answer every request from the cassettes in DIR.", "DIR", True),
    GlobalOption(("--record",), "Record every request as a cassette in DIR.", "DIR", True),
)

OPTIONS = {
    **{option.usage: option.help for option in GLOBAL_OPTIONS},
    "--version": "Show the version and exit.",
    "--install-completion": "Install completion for the current shell.",
    "--show-completion": "Show completion for the current shell.",
    "-h, --help": "Show this message and exit.",
}

EXAMPLE = """\
  tkstudies runreg --min 317500 --max 317600 > runs.jsonl
  tkstudies dqm --summaries --collection tracking runs.jsonl -o summaries.jsonl
  tkstudies features summaries.jsonl > features.jsonl
  tkstudies merge features.jsonl < runs.jsonl | tkstudies pca | tkstudies plot -o pca.png"""


def help_text() -> str:
    """The page that ``tkstudies --help`` shows."""
    lines = [
        "Usage: tkstudies [OPTIONS] COMMAND [ARGS]...",
        "",
        "  CMS tracker data-certification studies as one pipe: every command reads and",
        "  writes JSON Lines. 'tkstudies COMMAND --help' tells more, with examples.",
    ]
    for title, commands in SECTIONS.items():
        lines += ["", f"{title}:", *_rows(commands)]
    lines += ["", "Options:", *_rows(OPTIONS), "", "Example:", EXAMPLE]
    return "\n".join(lines) + "\n"


def _rows(table: dict[str, str]) -> list[str]:
    width = max(map(len, table)) + 2
    return [f"  {name:{width}}{text}" for name, text in table.items()]
