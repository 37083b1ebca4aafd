"""One command of ours against one reference program: times in turns, the ratio to reach, and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import PYTHON, medians, megabytes, report, seconds


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder for generated inputs, deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="tkstudies-benchmark-") as name:
        yield Path(name)


def duel(
    title: str,
    ours: Sequence[object],
    reference: str,
    program: str,
    arguments: Sequence[object],
    *,
    ratio: float,
    memory: float | None = None,
    rounds: int = 5,
) -> None:
    """Run both in turns and print times, their ratio and memory.

    Args:
        title: What is measured.
        ours: Our command.
        reference: Name of the reference.
        program: Its Python code.
        arguments: Its arguments.
        ratio: The part of the reference's time that we may take.
        memory: How much memory we may take [MB].
        rounds: How often both run.
    """
    mine = [str(part) for part in ours]
    theirs = [PYTHON, "-c", program, *map(str, arguments)]
    contestants = {reference: lambda: seconds(theirs), "tkstudies": lambda: seconds(mine)}
    report(title, medians(contestants, rounds), reference, {"tkstudies": ratio})
    used = megabytes(mine)
    goal = "" if memory is None else f"   to reach: {memory:.0f}  {'ok' if used <= memory else 'MISSED'}"
    print(f"  {'memory':34} {used:9.1f} MB, {reference} {megabytes(theirs):.1f} MB{goal}")
