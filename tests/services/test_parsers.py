"""No input makes a traceback: the parsers of what users type and of what servers send, on anything at all."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.commands import options, selection
from tkstudies.errors import UsageError
from tkstudies.services.dqm.datasets import RULES, choose, looks_like_cosmics, reco_of
from tkstudies.services.injection import FIELDS, split_scheme
from tkstudies.services.omslistings import parse_filter

RECOS = sorted(RULES)
scheme_parts = st.sampled_from(
    ["25ns", "75", "150ns", "2556b", "733Pb", "2544", "144bpi", "20injV3", "20inj", "V2", ""]
)
processings = st.builds(
    "{}-{}-v{}".format,
    st.sampled_from(["Run2018B", "HIRun2023A", "Run2017G", "Commissioning2018"]),
    st.sampled_from(["PromptReco", "Express", "17Sep2018", "UL2018", "19Jan2023", "UL2018_MiniAODv2", ""]),
    st.integers(0, 120),
)
primaries = st.sampled_from(
    ["ZeroBias", "ZeroBias12", "StreamExpress", "Cosmics", "HIMinimumBias9", "JetHT", "SingleTrack"]
)
datasets = st.one_of(
    st.builds("/{}/{}/{}".format, primaries, processings, st.sampled_from(["DQMIO", "DQM", "AOD"])),
    st.text(max_size=40),
)


@given(st.one_of(st.text(max_size=60), st.lists(scheme_parts, max_size=9).map("_".join), st.none(), st.integers()))
def test_an_injection_scheme_gives_all_its_fields_or_nulls(name):
    assert set(split_scheme(name)) == set(FIELDS)


@given(
    st.lists(datasets, max_size=12),
    st.sampled_from([*RECOS, "nonsense", ""]),
    st.sampled_from([None, True, False]),
    st.text(),
)
def test_a_dataset_is_one_of_the_runs_own_or_none(names, reco, is_cosmics, rda_name):
    chosen = choose(names, reco, is_cosmics=is_cosmics, rda_name=rda_name)
    assert chosen is None or chosen.dataset in names
    again = choose(list(reversed(names)), reco, is_cosmics=is_cosmics, rda_name=rda_name)
    assert (again and again.dataset) == (chosen and chosen.dataset)
    looks_like_cosmics(names)


@given(st.builds("/{}/{}/{}".format, *[st.text().filter(lambda part: "/" not in part)] * 3))
def test_a_dataset_tells_its_reco(name):
    assert reco_of(name) in RECOS


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[a-z_.]{1,9}(__[a-z]{1,4})?(=.{0,9})?", fullmatch=True)))
def test_a_filter_of_oms_is_three_texts_or_a_wrong_command_line(text):
    with suppress(UsageError):
        attribute, operator, value = parse_filter(text)
        assert attribute and operator.isupper() and value is not None


@given(
    st.lists(
        st.one_of(st.text(max_size=15), st.from_regex(r"\d{1,7}(-\d{1,7})?(,\d{1,7})*", fullmatch=True)), max_size=4
    )
)
def test_runs_are_ranges_or_a_wrong_command_line(values):
    with suppress(UsageError):
        assert all(first <= last for first, last in options.split_numbers(values, "run"))


@given(
    st.text(max_size=25), st.one_of(st.none(), st.text(max_size=10), st.from_regex(r"\d{1,12}[hdwms]", fullmatch=True))
)
def test_times_are_iso_or_a_wrong_command_line(since, last):
    with suppress(UsageError):
        for bound in selection.times(since or None, None, last):
            assert bound is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bound)


@pytest.mark.parametrize(("text", "duration"), [("24h", timedelta(hours=24)), ("7d", timedelta(days=7))])
def test_durations(text, duration):
    assert selection._duration(text) == duration
