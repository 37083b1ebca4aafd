"""The policy of retries: how often, after how long, and what makes it give up."""

from __future__ import annotations

import pytest

from tkstudies.errors import Unreachable
from tkstudies.services.web import endpoints
from tkstudies.services.web.connection import Connection
from tkstudies.services.web.retries import Failure, Retries, Tries


@pytest.mark.parametrize(
    ("kind", "number"),
    [("unreachable", 3), ("login", 3), ("content", 5), ("token", 8), ("busy", 10), ("old token", 100)],
)
def test_each_kind_of_failure_has_its_number_of_tries(kind, number):
    tries = Tries(Retries(first_delay=0.0), patience=120.0)
    delays = [tries.delay_after(Failure(kind, "fails")) for _ in range(number)]
    assert delays == [0.0] * (number - 1) + [None]
    assert len(tries) == number


def test_pauses_double_up_to_the_longest():
    tries = Tries(Retries(first_delay=1.0, longest_delay=5.0), patience=1000.0)
    for full in (1.0, 2.0, 4.0, 5.0, 5.0):
        assert full / 2 <= tries.delay_after(Failure("busy", "answers 503")) <= full


def test_pauses_before_a_new_token_do_not_grow():
    tries = Tries(Retries(first_delay=1.0), patience=1000.0)
    assert all(tries.delay_after(Failure("token", "is refused (401)")) <= 1.0 for _ in range(7))


def test_the_server_may_ask_for_a_longer_pause():
    tries = Tries(Retries(first_delay=0.0), patience=120.0)
    assert tries.delay_after(Failure("busy", "answers 429", wait=60.0)) == 60.0
    assert tries.delay_after(Failure("busy", "answers 429", wait=121.0)) is None  # beyond our patience


def test_a_busy_service_of_great_patience_is_tried_until_that_ends():
    tries = Tries(Retries(first_delay=0.0), patience=900.0)
    assert all(tries.delay_after(Failure("busy", "answers 503")) == 0.0 for _ in range(50))


def test_a_connection_takes_a_policy_of_its_own():
    once = Retries(most_tries={"unreachable": 1})
    told = pytest.raises(Unreachable, match="given up after 1 try")
    with Connection(endpoints.RUNREG, policy=once) as connection, told:
        connection.get_json("/datasets")
