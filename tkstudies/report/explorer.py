"""The rows to look through: at most 40 columns, and which were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tkstudies import console
from tkstudies.records import Record, number, whole
from tkstudies.report.folder import Folder
from tkstudies.report.judged import Judged, key_run, texts
from tkstudies.report.parts import MOST_COLUMNS, Block, Explorer, Section, Sentence
from tkstudies.report.people import said
from tkstudies.texttable.cells import cell

MOST_ROWS = 20_000
MOST_SCORE = 10
"""Beyond this a score says no more than that nothing like it was among the good rows."""

_ALWAYS = ("run", "reco", "score")
EXPERT = ("t2", "t2_limit_99", "q", "q_limit_99", "q_value", "comparison_z", "tsne1", "tsne2")


def explorer(folder: Folder, judged: Judged, is_expert: bool = False) -> Section:
    """All rows that were judged, as a table and a figure."""
    rows: list[Record] = judged.rows
    if is_expert and folder.has("pca.jsonl"):
        more = folder.by_row("pca.jsonl")
        rows = [{**_scores(more, row), **row} for row in rows]
    if not rows:
        return Section("table", "All rows", [Sentence("There are none: nothing is judged.")])
    marks = {run.number: run.mark for run in judged.standing_out}
    first = [_first_cells(row, is_expert, marks) for row in rows[:MOST_ROWS]]
    fixed = [name for name in first[0] if name in _ALWAYS or any(cells[name] is not None for cells in first)]
    features = [name for name in [*(_expert(rows) if is_expert else []), *_named(rows)] if name not in first[0]]
    shown, left_out = features[: MOST_COLUMNS - len(fixed)], features[MOST_COLUMNS - len(fixed) :]
    cells = [
        [*(before[name] for name in fixed), *(_plain(row.get(name)) for name in shown)]
        for before, row in zip(first, rows, strict=False)
    ]
    numbers = ["score", *(name for name in shown if any(number(row.get(name)) is not None for row in rows))]
    blocks: list[Block] = [Explorer([*fixed, *shown], cells, numbers)]
    told = f"Features are those that a finding names{'' if is_expert else f'; scores are shown up to {MOST_SCORE}'}."
    if left_out:
        told += f" Left out, as a table has at most {MOST_COLUMNS} columns: {console.listed(left_out, 40)}."
    if len(rows) > MOST_ROWS:
        told += f" The first {MOST_ROWS:,} of {len(rows):,} rows, the most unusual ones."
    return Section("table", "All rows", [*blocks, Sentence(told, is_note=True)])


def two_digits(p: float) -> float:
    """A p-value as far as it means something.

    >>> two_digits(0.0263158), two_digits(0.4)
    (0.026, 0.4)
    """
    return float(f"{p:.2g}")


def _first_cells(row: Record, is_expert: bool, marks: dict[int, str]) -> Record:
    score, p_value = number(row.get("score")), number(row.get("p_value"))
    sigmas = row.get("finding_sigmas")
    return {
        "run": whole(row.get("run_number")),
        "reco": _text(row.get("reco")),
        "lumisection": whole(row.get("lumisection_number")),
        "fill": whole(row.get("fill_number")),
        "statuses": said(row),
        "rank": number(row.get("rank")),
        "score": None if score is None else round(score if is_expert else min(score, MOST_SCORE), 2),
        "p": p_value if is_expert or p_value is None else two_digits(p_value),
        "subsystem": _text(row.get("subsystem")) if row.get("flagged_by") else None,
        "findings": "; ".join(texts(row.get("findings"))) or None,
        "sigmas": cell(sigmas) if is_expert and sigmas else None,
        "new or known": marks.get(key_run(row)) if row.get("flagged_by") else _text(row.get("known")),
        "not judged": _text(row.get("not_judged")),
    }


def _named(rows: Sequence[Record]) -> list[str]:
    """Features that findings name, the most often named first."""
    counted = Counter(name for row in rows for name in texts(row.get("finding_features")))
    return [name for name, _ in counted.most_common() if any(number(row.get(name)) is not None for row in rows)]


def _expert(rows: Sequence[Record]) -> list[str]:
    there = {name for row in rows for name in row}
    components = sorted(int(name[2:]) for name in there if name.startswith("pc") and name[2:].isdecimal())
    return [*(f"pc{number}" for number in components[:5]), *(name for name in EXPERT if name in there)]


def _scores(more: dict[Any, Record], row: Record) -> Record:
    from tkstudies.records import ROW_KEYS, find_row_key

    key = find_row_key(*map(row.get, ROW_KEYS))
    return more.get(key, {}) if key is not None else {}


def _plain(value: Any) -> Any:
    found = number(value)
    return float(f"{found:.5g}") if found is not None and abs(found) < 1e300 else _text(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
