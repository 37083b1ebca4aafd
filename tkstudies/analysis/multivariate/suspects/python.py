"""``tkstudies.suspects``: the same for Python users, on records or a DataFrame."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tkstudies.analysis.multivariate.suspects.comparisons import Comparisons
from tkstudies.analysis.multivariate.suspects.judge import Judge, Options
from tkstudies.analysis.multivariate.suspects.known import Known
from tkstudies.analysis.multivariate.suspects.report import Shape, rows, summary
from tkstudies.jsonl import Given, Record
from tkstudies.records import Record as _Record
from tkstudies.shardwise import Whole, one_thread

if TYPE_CHECKING:
    import pandas


def suspects(
    records: Iterable[Mapping[str, Any]] | pandas.DataFrame,
    *,
    good: Sequence[str] = (),
    history: str = "all",
    history_from: Iterable[Mapping[str, Any]] | pandas.DataFrame | None = None,
    features: Sequence[str] = (),
    conditions: Sequence[str] = (),
    group_by: Sequence[str] = (),
    since: int | None = None,
    by_run: bool = False,
    known: Iterable[Mapping[str, Any]] | None = None,
    comparisons: Iterable[Mapping[str, Any]] | None = None,
    fdr: bool = False,
    links: bool = False,
    keep_all: bool = True,
    top: int | None = None,
    seed: int = 42,
    told: list[str] | None = None,
) -> Any:
    """Which rows deserve a second look, how unusual they are, and what stands out (see ``tkstudies suspects``).

    Args:
        records: Rows of runs and recos, or of lumisections, with features; a DataFrame or records (dicts).
        good: Filter expressions that tell good rows; by default certified good, by what the rows have.
        history: ``all`` (good rows before and after judge a row) or ``earlier`` (only those before).
        history_from: Rows that judge but aren't reported.
        features, conditions, group_by: Columns, as the options of the command.
        since: A run from which on rows are compared among themselves.
        by_run: One row a run.
        known: Known issues, or rows of an older list.
        comparisons: What ``tkstudies compare --changes`` wrote: further evidence.
        fdr, links, keep_all, top, seed: As the options of the command.
        told: Gets the lines of the summary.

    Returns:
        Records, or a DataFrame if one came in; the most unusual first.

    Raises:
        InputError: Too few good rows, or no feature.
        UsageError: A column or an expression is wrong.

    Example:
        >>> rows = [{"run_number": run, "is_bad": False, "Hits.mean": 14 + run % 7 / 10} for run in range(1, 61)]
        >>> rows.append({"run_number": 61, "is_bad": True, "Hits.mean": 9.0})
        >>> worst = suspects(rows, top=1)[0]
        >>> worst["run_number"], worst["findings"]
        (61, ['Hits.mean 9; 90 % of good rows: 14 to 14.6 (-37 %)'])
    """
    if history not in ("all", "earlier"):
        from tkstudies.errors import UsageError

        raise UsageError(f"history {history!r}: choose all or earlier")
    options = Options(
        tuple(good), history == "earlier", tuple(group_by), tuple(features), tuple(conditions), since, seed
    )
    shape = Shape(keep_all, top, by_run=by_run, fdr=fdr, links=links, known=Known(known) if known is not None else None)
    compared = None if comparisons is None else Comparisons(comparisons)
    judging = None if history_from is None else Whole(Given(_records(history_from)))
    with one_thread():
        judge = Judge(Whole(Given(_records(records))), judging, options, compared)
        replaced: set[str] = set()
        result = list(rows(judge, shape, replaced))
    if told is not None:
        told.extend(summary(judge))
    if compared is not None:
        compared.losses(judge.keys).warn()
    if replaced:
        warnings.warn(f"replaced columns of the input: {', '.join(sorted(replaced))}", UserWarning, stacklevel=2)
    return _like(records, result)


def _records(given: Any) -> Iterable[_Record]:
    """Records of a DataFrame, in which missing values are None."""
    if not hasattr(given, "to_dict"):
        return given
    import pandas as pd

    names = [str(name) for name in given.columns]
    columns = []
    for place in range(given.shape[1]):
        column = given.iloc[:, place]
        values = column.astype(object).tolist()
        columns.append([None if _is_null(value, pd) else _plain(value) for value in values])
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _is_null(value: Any, pd: Any) -> bool:
    return value is None or (not isinstance(value, list | dict) and pd.isna(value) is True)


def _plain(value: Any) -> Any:
    """A number of Python for one of numpy, an ISO text for a time."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value


def _like(given: Any, result: list[Record]) -> Any:
    if not hasattr(given, "to_dict"):
        return result
    import pandas as pd

    return pd.DataFrame.from_records(result)
