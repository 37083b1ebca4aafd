"""Composable command-line tools for CMS tracker data-certification studies.

Every stage of the pipe is a function too, which takes records (dicts) and gives records; ``load_runs`` gives the
table of a whole study as a DataFrame.

Example:
    >>> import tkstudies
    >>> rows = [{"run_number": 1, "reco": "prompt", "pixel": "GOOD", "strip": "BAD", "tracking": "BAD"}]
    >>> bad = tkstudies.filter_rows(tkstudies.label_rows(rows), "is_bad = true")
    >>> [row["status_summary"] for row in bad]
    ['Strip Bad']
"""

from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load_runs": "study",
    "read_records": "study",
    "write_records": "study",
    "join_tables": "analysis.tables.join",
    "label_rows": "analysis.tables.labelling",
    "filter_rows": "analysis.tables.filter",
    "select_columns": "analysis.tables.select",
    "sort_rows": "analysis.tables.sort",
    "count_rows": "analysis.tables.counts",
    "pivot_rows": "analysis.tables.pivot",
    "feature_rows": "analysis.histograms.features",
    "principal_components": "analysis.multivariate.pca",
    "suspects": "analysis.multivariate.suspects.python",
}
"""Public functions, and where they are: imported when asked for, as every command imports this package."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tkstudies' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"tkstudies.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
