"""The pairs of a crawl: which run a record is about, however other tools wrote its number."""

from __future__ import annotations

import pytest

from tkstudies.errors import WrongRecord
from tkstudies.services.dqm.pairs import Pair, pair_of, reference_of


@pytest.mark.parametrize("run_number", [392001, 392001.0, "392001", "392001.0", " 392001 "])
def test_a_run_number_in_any_spelling(run_number):
    assert pair_of({"run_number": run_number, "reco": "PromptReco"}) == Pair(392001, "prompt")
    record = {"run_number": 1, "reco": "express", "reference_run_number": run_number}
    assert reference_of(record) == Pair(392001, "express")


@pytest.mark.parametrize("run_number", [None, True, "", "x", 0.5, "1e5", [392001]])
def test_what_is_no_run_number(run_number):
    with pytest.raises(WrongRecord, match="a record without run_number"):
        pair_of({"run_number": run_number, "reco": "express"})
    assert reference_of({"run_number": 1, "reference_run_number": run_number}) is None
