"""The rows with what is said of them, the most unusual first; and what is said of all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tkstudies import console
from tkstudies.analysis.multivariate.rows import KEPT
from tkstudies.analysis.multivariate.suspects.groups import EVERYTHING
from tkstudies.analysis.multivariate.suspects.judge import NOTICE, Judge, in_order
from tkstudies.analysis.multivariate.suspects.known import Known
from tkstudies.analysis.multivariate.suspects.verdicts import Verdict
from tkstudies.jsonl import decode
from tkstudies.records import Record, addresses, find_row_key, number

COLUMNS = (
    "rank", "score", "p_value", "unusual", "flagged_by", "subsystem", "findings", "finding_features", "finding_sigmas",
    "low_statistics", "not_judged",
)  # fmt: skip
LABELS = tuple(dict.fromkeys(["run_number", "reco", "lumisection_number", *KEPT]))

RARE = 0.01


@dataclass(frozen=True)
class Shape:
    """How the result looks.

    Attributes:
        keep_all: All columns stay beside the result, not only keys and labels.
        top: Only so many rows.
        in_input_order: As the rows came, not by score.
        by_run: One row a run.
        fdr: Add q_value.
        links: Add addresses.
        known: What is known already.
    """

    keep_all: bool = False
    top: int | None = None
    in_input_order: bool = False
    by_run: bool = False
    fdr: bool = False
    links: bool = False
    known: Known | None = None


def rows(judge: Judge, shape: Shape, replaced: set[str]) -> Iterator[Record]:
    """The rows to report.

    Args:
        replaced: Gets the columns of the input that gave way to ours.
    """
    verdicts = judge.verdicts[: judge.table.reported]
    order = in_order(verdicts)
    ranks = {row: rank for rank, row in enumerate(order, start=1) if verdicts[row].score is not None}
    q_values = benjamini_hochberg([verdict.p_value for verdict in verdicts]) if shape.fdr else None
    if shape.by_run:
        yield from list(_runs(judge, verdicts, shape))[: shape.top]
        return
    shown = sorted(order[: shape.top]) if shape.in_input_order else order[: shape.top]
    for row, line in zip(shown, judge.table.lines.pick(shown), strict=True):
        record = decode(line)
        added = _columns(judge, verdicts[row], ranks.get(row), record.get("reco"))
        if q_values is not None:
            added["q_value"] = q_values[row]
        if shape.known is not None:
            key = find_row_key(*map(record.get, ("run_number", "reco", "lumisection_number")))
            added["known"], added["known_is_worse"] = shape.known.about(key, verdicts[row])
        if shape.links:
            added.update(addresses(int(judge.table.runs[row]), record.get("reco")))
        replaced.update(added.keys() & record.keys())
        kept = record if shape.keep_all else {name: record[name] for name in LABELS if name in record}
        yield {**{name: value for name, value in kept.items() if name not in added}, **added}


def _columns(judge: Judge, verdict: Verdict, rank: int | None, reco: Any) -> Record:
    told = [finding for finding in verdict.findings if finding.feature]  # that a run is short is no feature
    return {
        "rank": rank,
        "score": _rounded(verdict.score),
        "p_value": _rounded(verdict.p_value),
        "unusual": _unusual(judge, verdict, reco),
        "flagged_by": verdict.flagged_by,
        "subsystem": verdict.subsystem,
        "findings": [finding.text for finding in verdict.findings],
        "finding_features": [finding.feature for finding in told],
        "finding_sigmas": [None if finding.sigmas is None else round(finding.sigmas, 1) for finding in told],
        "low_statistics": verdict.low_statistics,
        "not_judged": verdict.reason,
        **({"comparison_z": _rounded(verdict.comparison_z)} if judge.comparisons else {}),
    }


def _unusual(judge: Judge, verdict: Verdict, reco: Any) -> str | None:
    """How unusual a row is among those that judged it, in words; None of what isn't worth a notice."""
    if verdict.flagged_by is None or verdict.p_value is None:
        return None
    noun = "lumisections" if judge.table.is_of_lumisections else "runs"
    known = [
        "last" if judge.options.earlier else "",
        f"{verdict.history:,}",
        "good" if judge.rule.is_known else "",
        *(["rows"] if verdict.is_mixed else [reco if isinstance(reco, str) else "", noun]),
    ]
    others = "all" if verdict.least_unusual == verdict.history else f"{verdict.least_unusual:,}"
    return f"more unusual than {others} of the {' '.join(filter(None, known))} of this kind"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _runs(judge: Judge, verdicts: Sequence[Verdict], shape: Shape) -> Iterator[Record]:
    """One row a run: the mean score of its rows, and what is said of the most unusual one."""
    of_runs: dict[int, list[Verdict]] = {}
    for run, verdict in zip(judge.table.runs.tolist(), verdicts, strict=False):
        of_runs.setdefault(run, []).append(verdict)
    means = {}
    for run, members in of_runs.items():
        scores = [verdict.score for verdict in members if verdict.score is not None]
        means[run] = sum(scores) / len(scores) if scores else None
    order = sorted(of_runs, key=lambda run: (means[run] is None, -(means[run] or 0.0), run))
    for rank, run in enumerate(order, start=1):
        members = of_runs[run]
        first = members[in_order(members)[0]]
        mean = means[run]
        judged = sum(verdict.score is not None for verdict in members)
        yield {
            "run_number": run or None,
            **_columns(judge, first, None if mean is None else rank, None),
            "score": _rounded(mean),
            "rows_judged": judged,
            "rows_flagged": sum(verdict.flagged_by is not None for verdict in members),
            **(addresses(run, None) if shape.links else {}),
        }


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """For each p-value the share of false ones among all that are at least as small.

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    [0.03, None, 0.04, 0.04]

    Source: Benjamini and Hochberg, J. R. Statist. Soc. B 57 (1995) 289.
    """
    places = [place for place, value in enumerate(p_values) if value is not None]
    values = np.array([p_values[place] for place in places], dtype=float)
    order = np.argsort(-values, kind="stable")
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    result: list[float | None] = [None] * len(p_values)
    for place, value in zip(order.tolist(), np.minimum.accumulate(scaled).tolist(), strict=True):
        result[places[place]] = _rounded(min(value, 1.0))
    return result


def summary(judge: Judge) -> list[str]:
    """What a user should know, in a few lines."""
    told, table = judge.told, judge.table
    verdicts = judge.verdicts[: table.reported]
    judged = [verdict for verdict in verdicts if verdict.score is not None]
    noun = "lumisection" if table.is_of_lumisections else "row"
    lines = [f"{console.counted(len(judged), noun)} judged by {told.good:,} good ones ({told.rule.text})"]
    if not told.rule.is_known:
        lines[0] = (
            f"{console.counted(len(judged), noun)} judged; {told.rule.text}: all rows are compared with each other"
        )
    if told.repeated:
        again = console.counted(told.repeated, noun)
        lines.append(f"  {again} came before with the same run and reco: nothing is learned from a row twice")
    for reason, count in sorted(told.not_judged.items(), key=lambda item: -item[1]):
        lines.append(f"  {count:,} not judged: {reason}")
    if list(told.groups) != [EVERYTHING]:
        what = "good" if told.rule.is_known else "rows"
        lines += [f"  compared among themselves: {kind} ({count:,} {what})" for kind, count in told.groups.items()]
    lines.append(f"  {_features(told.features, told.left_out)}")
    if told.behind and told.rule.is_known:
        late = ": expect 7 to 11 % of good rows at p <= 0.05" if told.behind >= 20 else ""
        lines.append(f"  the last good run is {console.counted(told.behind, 'run')} back{late}")
    lines.append(f"  {_rare(judged)}{_at_stake(judge)}")
    if judge.comparisons is not None:
        lines += _comparisons(verdicts)
    short = sum(verdict.low_statistics is True for verdict in judged)
    if short:
        lines.append(f"  {console.counted(short, noun)} with low statistics (low_statistics): short, which is no fault")
    return lines


def _rare(judged: Sequence[Verdict]) -> str:
    """How many are beyond 1 in 100 of the good ones, or beyond all of them where they are fewer, and by chance."""
    rare = sum(map(is_rare, judged))
    chance = sum(max(RARE, 1 / (1 + verdict.history)) for verdict in judged)
    most = max((verdict.history for verdict in judged), default=0)
    few = f" (all of {most:,}, where there are so few)" if 0 < most < 1 / RARE - 1 else ""
    flagged = sum(verdict.flagged_by is not None for verdict in judged)
    usual = sum(max(NOTICE, 1 / (1 + verdict.history)) for verdict in judged)
    return (
        f"{rare:,} beyond 1 in 100 of the good ones{few}, {flagged:,} beyond 1 in 20 (flagged_by); "
        f"chance would give {chance:.0f} and {usual:.0f}"
    )


def is_rare(verdict: Verdict) -> bool:
    """Whether at most 1 in 100 good rows of its history are as unusual; none of a history of fewer."""
    return verdict.p_value is not None and verdict.p_value <= max(RARE, 1.000001 / (1 + verdict.history))


def _comparisons(verdicts: Sequence[Verdict]) -> list[str]:
    """Of how many rows plots were compared, and whether it counts."""
    compared = [verdict for verdict in verdicts if verdict.comparison_z is not None]
    counted = sum(verdict.is_compared for verdict in compared)
    lines = [f"  {counted:,} of {console.counted(len(verdicts), 'row')} judged by comparisons with references too"]
    if counted < len(compared):
        lines.append(
            f"  {len(compared) - counted:,} with comparisons that are only named in findings: too few good rows that "
            "they are judged by have some (20 and half of them needed)"
        )
    return lines


def _features(used: int, left_out: dict[str, str]) -> str:
    text = console.counted(used, "feature")
    if left_out:
        text += f"; {len(left_out)} left out ({console.listed(left_out, 3)}): {next(iter(left_out.values()))}"
    return text


def _at_stake(judge: Judge) -> str:
    """The luminosity of runs with a row beyond 1 in 100."""
    table = judge.table
    column = next((name for name in ("recorded_lumi_pb", "recorded_lumi") if name in table.numbers_in), None)
    if column is None or table.is_of_lumisections:
        return ""
    if column == "recorded_lumi" and any(
        unit not in (None, "pb^{-1}") for unit in set(table.column("recorded_lumi_unit"))
    ):
        return ""
    of_run: dict[int, float] = {}
    for run, lumi, verdict in zip(
        table.runs.tolist(), table.number(column).tolist(), judge.verdicts[: table.reported], strict=False
    ):
        if is_rare(verdict) and number(lumi) is not None:
            of_run[run] = max(of_run.get(run, 0.0), lumi)
    return f"; {sum(of_run.values()):,.0f} /pb are in these runs" if of_run else ""
