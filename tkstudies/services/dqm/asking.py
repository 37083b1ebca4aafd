"""The requests of a crawl: many at once, in order, and which failures it survives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from tkstudies.errors import LoginError, ServiceError, Unreachable
from tkstudies.services.dqm.pairs import Pair
from tkstudies.services.web.concurrency import in_order

_MOST_FAILURES = 25  # in a row, of more than one pair: then the server is given up

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Problem(NamedTuple):
    """Why something isn't there; ``error`` begins with ``missing``, or is ``incomplete`` or ``failed``."""

    error: str
    message: str


def answers(
    ask: Callable[[Question], Answer],
    questions: Iterable[Question],
    pair_of: Callable[[Question], Pair],
    workers: int,
    *,
    is_proof: Callable[[Answer], Any] = lambda answer: True,
    is_patient: bool = False,
    failures: Failures | None = None,
) -> Iterator[tuple[Question, Answer | Problem]]:
    """Yield (question, answer) in the order of the questions; of one that failed the problem.

    Args:
        pair_of: Whose a question is.
        workers: How many requests may be under way at once.
        is_proof: Does this answer show that the server works? One that needed no request doesn't.
        is_patient: Ask once more at once for what failed alone.
        failures: Those before, if these aren't the first questions of the crawl.

    Raises:
        LoginError: The certificate isn't accepted.
        ServiceError: The server can't be used.
    """
    failures = failures or Failures()
    for question, answer in in_order(ask, questions, workers):
        if isinstance(answer, ServiceError) and is_patient and failures.is_first(answer):
            try:
                answer = ask(question)
            except ServiceError as error:
                answer = error
        if isinstance(answer, Exception):
            failures.add(pair_of(question), answer)
            yield question, Problem("failed", str(answer))
        else:
            if is_proof(answer):
                failures.end()
            yield question, answer


class Failures:
    """Counts failures, to know a server that can't be used from a single plot or run that can't be fetched."""

    def __init__(self) -> None:
        self._ever_worked = False
        self._in_a_row = 0
        self._pairs: set[Pair] = set()

    def is_first(self, error: ServiceError) -> bool:
        """Does this failure come alone, from a server that can be reached?"""
        return not self._in_a_row and not isinstance(error, (LoginError, Unreachable))

    def end(self) -> None:
        """Something was fetched: the next failure is the first in a row."""
        self._ever_worked = True
        self._in_a_row = 0
        self._pairs.clear()

    def add(self, pair: Pair, error: Exception) -> None:
        """Count a failure.

        Raises:
            ServiceError: This one ends the crawl; so does an error of another kind, which is raised as it is.
        """
        if isinstance(error, LoginError) or not isinstance(error, ServiceError):
            raise error
        if isinstance(error, Unreachable) and not self._ever_worked:
            raise error
        self._in_a_row += 1
        self._pairs.add(pair)
        if self._in_a_row >= _MOST_FAILURES and (len(self._pairs) > 1 or not self._ever_worked):
            raise ServiceError(f"given up after {self._in_a_row} failures in a row, the last: {error}")
