"""``tkstudies compare --learn``: how much each plot changes between good runs, as a file for ``--changes``."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError
from tkstudies.provenance import command_line, provenance
from tkstudies.records import RowKey

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.changesfile import Changes
    from tkstudies.analysis.histograms.learning import Learner
    from tkstudies.analysis.multivariate.suspects.goodrows import GoodRows


def learn(
    records: jsonl.Reader,
    output: str,
    *,
    study: str,
    good: list[str],
    is_chosen: Callable[[int], bool],
    reference_reco: str | None,
    seed: int,
) -> None:
    """Learn from histograms, and write what was learned.

    Args:
        study: File of rows that tell which runs are good; if empty, all runs count as good.
        good: Expressions for good rows.
        is_chosen: Whether a run may be used.
        reference_reco: Compare each run with itself in that reco.

    Raises:
        InputError: No plot has enough good runs to learn from.
    """
    from tkstudies.analysis.histograms.changesfile import Changes, Source, to_json
    from tkstudies.analysis.histograms.learning import Learner
    from tkstudies.histogramrecord import HistogramRecord

    rows = _good_rows(study, good) if study else None
    kind_of: Callable[[RowKey], Hashable] = rows.kind_of if rows else lambda key: ()
    learner = Learner(kind_of, reference_reco, seed)
    with records.located():
        for record in records.parsed(HistogramRecord):
            if is_chosen(record.run_number):
                learner.add(record)
    options.require_records(records, "nothing to learn from: ")
    usual, not_learned = learner.learn()
    _tell_left_out(learner, rows, study)
    if not usual:
        why = f" ({next(iter(not_learned.values()))})" if not_learned else ""
        raise InputError(f"nothing learned{why}: give the histograms of more good runs")
    if rows is None:
        console.warn(
            f"nothing tells which runs are good: all {len(learner.runs):,} used count as such "
            "(--study FILE names rows with labels)"
        )
    source = Source(
        command_line(),
        list(records.sources),
        rows.text if rows else "all runs given",
        len(learner.runs),
        min(learner.runs),
        max(learner.runs),
        reference_reco,
        seed,
    )
    changes = Changes(usual, not_learned, source)
    files = [*records.sources, *([study] if study else [])]
    jsonl.write([{**to_json(changes), **provenance(files, learner.runs)}], output)
    _report(changes)
    options.report_skipped(records)


def _good_rows(study: str, good: list[str]) -> GoodRows:
    from tkstudies.analysis.multivariate.suspects.goodrows import GoodRows

    try:
        return GoodRows(jsonl.Reader([study], expected="rows with labels"), good)
    except InputError as error:
        text = str(error)
        raise type(error)(text if text.startswith(jsonl.shown(study)) else f"{jsonl.shown(study)}: {text}") from None


def _tell_left_out(learner: Learner, rows: GoodRows | None, study: str) -> None:
    losses = console.Losses()
    for why, count in learner.left_out.items():
        losses.add(count, "histogram", f"left out: {why}")
    losses.tell()
    if learner.not_good:
        console.say(f"{console.counted(learner.not_good, 'histogram')} of rows that aren't good left out")
    if rows and rows.missing:
        shown = (" ".join(str(part) for part in key if part is not None) for key in sorted(rows.missing, key=str))
        console.say(f"  {console.counted(len(rows.missing), 'row')} not in {study}: {console.listed(shown, 3)}")


def _report(changes: Changes) -> None:
    source = changes.source
    pairs = sorted({usual.pairs for usual in changes.usual.values()})
    span = " to ".join(f"{count:,}" for count in dict.fromkeys([pairs[0], pairs[-1]]))
    against = "" if source.reference_reco is None else f", each beside itself in {source.reference_reco}"
    console.say(
        f"learned how much {console.counted(len(changes.usual), 'plot')} usually change: {span} pairs of "
        f"{console.counted(source.runs, 'run')}{against} ({source.good})"
    )
    reasons: dict[str, list[str]] = {}
    for key, why in changes.not_learned.items():
        reasons.setdefault(why, []).append(" ".join(filter(None, (key.plot.rpartition("/")[2], key.reco))))
    for why, names in reasons.items():
        console.warn(f"not learned: {console.listed(names, 5)}: {why}")
