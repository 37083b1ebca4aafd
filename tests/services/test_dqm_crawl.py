"""When a crawl gives the DQM GUI up, and when it goes on."""

from __future__ import annotations

import pytest

from tkstudies.errors import LoginError, ServiceError, Unreachable
from tkstudies.services.dqm import crawl
from tkstudies.services.dqm.pairs import Pair

EXPRESS = "/StreamExpress/Run2018B-Express-v1/DQMIO"
PLOTS = [f"/P{number}" for number in range(40)]


class Gui:
    """Fails for the plots of which ``is_broken(run, number of the request)``."""

    def __init__(self, is_broken, error=ServiceError):
        self.is_broken, self.error, self.asked = is_broken, error, 0

    def histogram(self, run, dataset, plot):
        self.asked += 1
        if self.is_broken(run, self.asked):
            raise self.error(f"{plot} is broken")
        return b"{}"


def outcomes(gui, runs=(1,), **options):
    samples = [crawl.Sample(Pair(run, "express"), EXPRESS) for run in runs]
    return list(crawl.histograms(gui, samples, lambda sample: PLOTS, crawl.Asking(workers=1, **options)))


def failed(found):
    return sum(outcome.problem is not None and outcome.problem.error == "failed" for outcome in found)


def test_one_pair_may_fail_as_often_as_it_has_plots_once_the_server_worked():
    assert failed(outcomes(Gui(lambda run, asked: asked > 1))) == 39


@pytest.mark.parametrize(
    ("runs", "first_broken"), [((1,), 1), ((1, 2), 30)], ids=["nothing ever came", "in two pairs, after some came"]
)
def test_25_failures_in_a_row_are_the_end(runs, first_broken):
    last = first_broken + 24
    with pytest.raises(ServiceError, match="given up after 25 failures in a row, the last: /P"):
        outcomes(Gui(lambda run, asked: first_broken <= asked <= last), runs)
    assert failed(outcomes(Gui(lambda run, asked: first_broken <= asked < last), runs)) == 24


def test_what_comes_between_begins_the_count_anew():
    gui = Gui(lambda run, asked: asked % 25 != 20)
    assert failed(outcomes(gui, (1, 2, 3))) == 120 - 5


@pytest.mark.parametrize(
    ("error", "first_broken", "ends"),
    [(LoginError, 30, True), (Unreachable, 1, True), (Unreachable, 2, False), (ServiceError, 1, False)],
)
def test_some_failures_are_the_end_at_once(error, first_broken, ends):
    gui = Gui(lambda run, asked: asked == first_broken, error)
    if ends:
        with pytest.raises(error, match="is broken"):
            outcomes(gui)
    else:
        assert failed(outcomes(gui)) == 1


@pytest.mark.parametrize(("is_patient", "lost"), [(True, 0), (False, 1)])
def test_a_failure_that_comes_alone_is_tried_again_by_the_patient(is_patient, lost):
    gui = Gui(lambda run, asked: asked == 5)
    assert failed(outcomes(gui, is_patient=is_patient)) == lost
