"""Composable command-line tools for CMS tracker data-certification studies.

``from tkstudies import load_runs`` gives the table of a study as a DataFrame.
"""

__version__ = "0.1.0"
__all__ = ["load_runs"]


def __getattr__(name):
    """Import what is asked for: every command imports this package, and few need pandas."""
    if name == "load_runs":
        from tkstudies.study import load_runs

        return load_runs
    raise AttributeError(f"module 'tkstudies' has no attribute {name!r}")
