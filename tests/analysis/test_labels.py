import pytest
from hypothesis import given
from hypothesis import strategies as st

from tkstudies.analysis.tables import labels
from tkstudies.analysis.tables.labels import LABELS, PROBLEMS, ROW_WISE, SPREADING, RunLabels, label_record, select
from tkstudies.errors import UsageError

PARTIES = ("fill_type_party1", "fill_type_party2")


def statuses(pixel, strip, tracking, **others):
    return {"pixel": pixel, "strip": strip, "tracking": tracking, **others}


def spread(rows, names=tuple(SPREADING)):
    run_labels = RunLabels(names)
    for row in rows:
        run_labels.observe(row)
    return [run_labels.apply(row) for row in rows]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"run_class_name": "Collisions18"}, "collisions"),
        ({"run_class_name": "Cosmics18"}, "cosmics"),
        ({"run_class_name": "CosmicsAndCollisions"}, "collisions"),
        ({"run_class_name": "Commissioning18"}, None),
        ({"run_class_name": None}, None),
        ({"runtype": "cosmics"}, "cosmics"),
        ({"runtype": "cosmics", "run_class_name": "Collisions18"}, "collisions"),
        ({}, None),
    ],
)
def test_runtype(record, expected):
    assert labels.runtype(record) == expected


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("is_heavy_ion", {"rda_name": "/PromptReco/HICollisions18/DQM"}, True),
        ("is_heavy_ion", {"rda_name": "/PromptReco/Collisions18/DQM"}, False),
        ("is_heavy_ion", {"rda_name": None}, None),
        ("is_special", {"run_class_name": "Collisions18SpecialRun", "rda_name": None}, True),
        ("is_special", {"run_class_name": "Collisions18", "rda_name": "/Express/Special/DQM"}, True),
        ("is_special", {"run_class_name": "Collisions18", "rda_name": "/Express/Collisions18/DQM"}, False),
        ("is_special", {"run_class_name": "Collisions18"}, None),
        ("is_commissioning", {"run_class_name": "Commissioning18", "rda_name": None}, True),
        ("is_commissioning", {"run_class_name": None, "rda_name": "/Express/Commiss2018/DQM"}, True),
        ("is_commissioning", {"run_class_name": "Collisions18", "rda_name": "/Express/x/DQM"}, False),
        ("is_commissioning", {"run_class_name": None, "rda_name": "/Express/x/DQM"}, None),
    ],
)
def test_flags_of_the_names(name, record, expected):
    assert LABELS[name](record) is expected


LEAD, PROTONS = dict.fromkeys(PARTIES, "PB82"), dict.fromkeys(PARTIES, "PROTON")
PLAIN = {"rda_name": "/PromptReco/Collisions2025OO/DQM", "run_class_name": "Collisions25"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (PLAIN, None),
        *(({**PLAIN, **dict.fromkeys(PARTIES, ion)}, True) for ion in ("O8", "NE10", "XE54", "PB82", "OXYGEN")),
        ({**PLAIN, "fill__fill_type_runtime": "IONS"}, True),
        ({**PLAIN, "fill_type_runtime": "PROTONS"}, False),
        ({**PLAIN, "fill_type_runtime": "PROTON-PROTON"}, False),
        ({**PLAIN, "fill_type_runtime": "PROTON_ION"}, True),
        ({**PLAIN, **PROTONS}, False),
        ({**PLAIN, "fill__fill_type_party1": "PROTON", "fill__fill_type_party2": "PB82"}, True),
        ({**PLAIN, "fill_type_party1": "PROTON"}, None),
        ({**PLAIN, **dict.fromkeys(PARTIES, "UNKNOWN")}, None),
        ({"rda_name": "/PromptReco/HICollisions2023A/DQM", **PROTONS}, False),
        ({"rda_name": "/PromptReco/Collisions2018B/DQM", **LEAD}, True),
        ({"rda_name": "/Express/Cosmics18/DQM", "run_class_name": "Cosmics18", **LEAD}, False),
        ({"rda_name": "/ReReco/Run2018_UL_CHIc/DQM", "run_class_name": "Collisions18"}, None),
        ({"rda_name": "/ReReco/Run2016B_HIPM_UL2016/DQM", "run_class_name": "Collisions16"}, False),
        ({"rda_name": "/ReReco/Run2018B_17Sep2018/DQM"}, False),
        ({"rda_name": "/PromptReco/HIRun2018A/DQM"}, True),
        ({"rda_name": "/PromptReco/PARun2016C/DQM"}, None),
        ({"rda_name": "online", "run_class_name": "Collisions22HI"}, True),
        ({"rda_name": "online", "run_class_name": "Collisions18"}, None),
        ({"beamtype": "HeavyIon-HeavyIon", "doctor_pixel": "GOOD"}, True),
        ({"beamtype": "Proton-Proton", "doctor_pixel": "GOOD"}, False),
    ],
)
def test_heavy_ions_by_the_beams_then_by_the_names(record, expected):
    assert labels.is_heavy_ion(record) is expected


ONLINE = {"workspace": "global", "reco": "online"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({**ONLINE, **statuses("GOOD", "GOOD", None)}, "GOOD"),
        ({**ONLINE, **statuses("GOOD", "EXCLUDED", "GOOD")}, "BAD"),
        ({**ONLINE, **statuses("GOOD", None, "GOOD")}, None),
        ({**ONLINE, **statuses("BAD", None, None)}, None),
        ({"rda_name": "online", "workspace": "tracker", **statuses("GOOD", "GOOD", None)}, "GOOD"),
        ({"rda_name": "/Global/Online/ALL", "workspace": "tracker", "reco": "online"}, None),
        ({"workspace": "tracker", "reco": "online", **statuses("BAD", "BAD", "GOOD")}, "GOOD"),
        ({"workspace": "global", "reco": "express", **statuses("BAD", "BAD", "GOOD")}, "GOOD"),
    ],
)
def test_tracking_is_derived_where_nobody_certifies_it(record, expected):
    assert labels.tracking(record) == expected


COLLISIONS, COSMICS = {"run_class_name": "Collisions18"}, {"run_class_name": "Cosmics18"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (statuses("GOOD", "GOOD", "GOOD", **COLLISIONS), False),
        (statuses("good", "Good", "GOOD", **COLLISIONS), False),
        (statuses("BAD", "GOOD", "GOOD", **COLLISIONS), True),
        (statuses("EXCLUDED", "GOOD", "GOOD", **COSMICS), False),
        (statuses("BAD", "BAD", "GOOD", **COSMICS), True),
        (statuses("GOOD", "GOOD", "BAD", **COSMICS), True),
        (statuses("GOOD", "GOOD", "GOOD"), False),
        (statuses("BAD", "BAD", "BAD"), None),
        (statuses("BAD", None, None, **COLLISIONS), True),
        (statuses("BAD", None, "BAD", **COSMICS), None),
        (statuses(None, "BAD", "BAD", **COLLISIONS), None),
        (statuses("GOOD", None, "BAD", **COLLISIONS), None),
        (statuses("GOOD", "BAD", None, **COLLISIONS), True),
        (statuses("GOOD", "GOOD", None, **COLLISIONS), None),
        (statuses("BAD", "GOOD", "GOOD", runtype="Collisions"), True),
        ({**ONLINE, **statuses("STANDBY", "GOOD", None, **COSMICS)}, True),
        ({}, None),
    ],
)
def test_is_bad(record, expected):
    assert labels.is_bad(record) is expected


@pytest.mark.parametrize(
    ("record", "good"),
    [
        (statuses("GOOD", "GOOD", "GOOD", rda_state="COMPLETED"), True),
        (statuses("Good", "good", "GOOD", rda_state="signoff"), True),
        (statuses("GOOD", "BAD", "GOOD", rda_state="COMPLETED"), False),
        (statuses("BAD", "EXCLUDED", None, rda_state="COMPLETED"), False),
        (statuses("BAD", "GOOD", "GOOD", rda_state="COMPLETED", run_class_name="Cosmics18"), False),
        *((statuses("GOOD", word, "GOOD", rda_state="COMPLETED"), None)
          for word in ("EXCLUDED", "STANDBY", "NOTSET", "LOWSTAT", "EMPTY", None, "")),
        *((statuses("BAD", "GOOD", "GOOD", rda_state=state), None)
          for state in ("OPEN", "waiting dqm gui", "not significant for workspace", None, "")),
        (statuses("GOOD", "GOOD", "GOOD"), None),
        ({"rda_name": "online", "rda_state": "SIGNOFF", **statuses("GOOD", "GOOD", None)}, True),
        ({"rda_name": "online", "rda_state": "SIGNOFF", **statuses("GOOD", "EXCLUDED", None)}, None),
        ({"rda_name": "online", "rda_state": "SIGNOFF", **statuses("GOOD", "BAD", None)}, False),
        ({"doctor_pixel": "Good", "doctor_strip": "Good", "doctor_tracking": "Good"}, True),
        ({"doctor_pixel": "Good", "doctor_strip": "Good", "doctor_tracking": "Lowstat"}, None),
        ({"doctor_pixel": "Good", "doctor_strip": "Good", "doctor_tracking": "Good", "rda_state": "OPEN"}, None),
    ],
)  # fmt: skip
def test_certified_good_and_bad_are_three_valued(record, good):
    assert labels.is_certified_good(record) is good
    assert labels.is_certified_bad(record) is (None if good is None else not good)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"doctor_pixel_lowstat": True, "doctor_strip_lowstat": False}, True),
        ({"doctor_pixel_lowstat": False, "doctor_strip_lowstat": None}, False),
        ({"doctor_tracking_lowstat": None}, None),
        ({"strip_cause": "HV | LOW_STATS", "strip": "BAD"}, True),
        ({"strip_cause": "Low statistics", "strip": "BAD"}, True),
        ({"strip_cause": "HV", "strip": "BAD"}, False),
        ({"strip_cause": None, "strip": None}, None),
        ({"pixel": "LOWSTAT"}, True),
        ({"doctor_pixel": "Lowstat", "doctor_pixel_lowstat": False}, True),
        ({"pixel": "GOOD"}, None),
        ({}, None),
    ],
)
def test_is_low_statistics(record, expected):
    assert labels.is_low_statistics(record) is expected


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ((1.0, 0.95, 0.99), False),
        ((1.0, 0.9499, 0.99), True),
        ((None, 0.5, None), True),
        ((1.0, 1.0, None), None),
        ((None, None, None), None),
        ((), None),
        ((1, "0.5", True), None),
    ],
)
def test_is_partly_bad(fractions, expected):
    columns = [f"{name}_good_fraction" for name in ("pixel", "strip", "tracking")]
    record = dict(zip(columns, fractions, strict=False))
    assert labels.is_partly_bad(record) is expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (statuses("GOOD", "GOOD", "GOOD"), "Good"),
        (statuses("BAD", "BAD", "BAD"), "Bad"),
        (statuses("EXCLUDED", "EXCLUDED", "EXCLUDED"), "Excluded"),
        (statuses("STANDBY", "STANDBY", "BAD"), "Standby"),
        (statuses("STANDBY", "STANDBY", None), "Standby"),
        (statuses("BAD", "GOOD", "BAD"), "Pixel Bad"),
        (statuses("NOTSET", "GOOD", None), "Pixel Notset"),
        (statuses("GOOD", "EXCLUDED", "GOOD"), "Strip Excluded"),
        (statuses("GOOD", "GOOD", "BAD"), "Tracking Bad"),
        (statuses("GOOD", "GOOD", None), "Pixel Good, Strip Good"),
        (statuses("BAD", "EXCLUDED", "BAD"), "Pixel Bad, Strip Excluded"),
        (statuses("BAD", "BAD", "GOOD"), "Pixel Bad, Strip Bad"),
        (statuses("NOTSET", "NOTSET", "NOTSET"), "Pixel Notset, Strip Notset"),
        (statuses(None, "GOOD", "BAD"), None),
        (statuses("BAD", None, "BAD"), None),
        ({**ONLINE, **statuses("BAD", "BAD", None)}, "Bad"),
    ],
)
def test_status_summary(record, expected):
    assert labels.status_summary(record) == expected


@pytest.mark.parametrize(
    ("comments", "expected"),
    [
        ({"comment": "Timing scan"}, "timing_scan"),
        ({"pixel_comment": "bad config"}, "misconfiguration"),
        ({"strip_comment": "CM_threshold scan"}, "cm_threshold_scan"),
        ({"comment": "HV scan, misconfigured"}, "misconfiguration"),
        ({"comment": "hv is off"}, "hv_off"),
        ({"comment": "stats too low"}, "low_statistics"),
        ({"comment": "HV on for only 3 LS"}, "hv_off"),
        ({"pixel_comment": "excluded", "comment": "no HV"}, "hv_off"),
        ({"comment": "emittance scan"}, "emittance_scan"),
        ({"comment": "some scan"}, "misc_scan"),
        ({"tracking_comment": "Plots empty"}, "empty_plots"),
        ({"comment": "strip not in DAQ"}, "not_in_daq"),
        ({"comment": "1 LS"}, "low_statistics"),
        ({"comment": "run of_1_LS."}, "low_statistics"),
        ({"comment": "21 LS"}, "miscellaneous"),
        ({"comment": "0.1 LS"}, "miscellaneous"),
        ({"comment": "not in DQM offline GUI"}, "dqm_gui"),
        ({"comment": "low statistics"}, "low_statistics"),
        ({"comment": "who knows"}, "miscellaneous"),
        ({"comment": None}, "miscellaneous"),
        ({}, "miscellaneous"),
    ],
)
def test_bad_reason(comments, expected):
    assert labels.bad_reason({"tracking": "BAD", **comments}) == expected


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("Tracker in STANDBY", "standby"),
        ("strip and pixel in stand-by", "standby"),
        ("Pixel: Standby. Large noise in TEC", "noise"),
        ("Pixel standby", "standby"),
        ("The High Voltage was off", "hv_off"),
        ("HighVoltage off in TIB", "hv_off"),
        ("pixel and strips are off", "hv_off"),
        ("problems with HV", "hv_problem"),
        ("Muon trigger missing", "missing_trigger"),
        ("DT is missing", "missing_trigger"),
        ("eta differs: no DT", "missing_trigger"),
        ("DTs not included", "missing_trigger"),
        ("Fire alarm in the cavern", "fire_alarm"),
        ("Cosmic noise", "noise"),
        ("TID is noisy", "noise"),
        ("No noise at all", "miscellaneous"),
        ("Strip dead at the beginning of the run", "dead_at_beginning"),
        ("BAD because of a 0T reco problem, power group off", "reconstruction_problem"),
        ("wrong zero-suppression", "zero_suppression"),
        ("PS issues in TOB", "ps_problem"),
        ("maps are empty", "empty_plots"),
        ("lowstat", "low_statistics"),
        ("Pixel: 91.1%  SiStrip: 0.0%", "low_good_fraction"),
        ("Pixel: 71.1%  SiStrip: 98.0%", "miscellaneous"),
        # a FED or another detector that is away isn't the tracker's reason
        ("FED 434 (TOB L3) excluded; noise in TID", "noise"),
        ("noise in TID, FED 434 is excluded", "noise"),
        ("excluded FED 434, fire alarm", "fire_alarm"),
        ("FED 434 excluded", "excluded"),
        ("FED 434 in error. Strip excluded, noise", "excluded"),
        ("DT not in DAQ, eta distribution has two peaks", "missing_trigger"),
        ("CSC was excluded", "missing_trigger"),
        # the old phrases come first
        ("low stat, noise in TID", "low_statistics"),
        ("pixel excluded, fire alarm", "excluded"),
        ("noise\nwas\nHV_off", "hv_off"),
    ],
)
def test_learned_reasons(comment, expected):
    assert labels.bad_reason({"tracking": "BAD", "comment": comment}) == expected


def test_bad_reason_is_only_given_where_tracking_is_bad():
    assert labels.bad_reason({"tracking": "GOOD", "comment": "timing scan"}) is None
    assert labels.bad_reason({"tracking": None, "comment": "timing scan"}) is None
    assert labels.bad_reason({**ONLINE, **statuses("BAD", "BAD", None), "comment": "hv off"}) == "hv_off"


@pytest.mark.parametrize(("label", "phrase"), [(name, phrase) for name in PROBLEMS for phrase in PROBLEMS[name]])
def test_a_problem_of_one_row_is_one_of_its_run(label, phrase):
    rows = [
        {"run_number": 1, "reco": "online"},
        {"run_number": 1, "reco": "express", "problem_names": ["other", f"The {phrase.upper()} of TIB"]},
        {"run_number": 2, "problem_names": []},
        {"run_number": 2},
        {"run_number": 3, "problem_names": None},
    ]
    assert [row[label] for row in spread(rows)] == [True, True, False, False, None]


@pytest.mark.parametrize(
    ("problem", "label"),
    [
        ("PS issues", "has_ps_problem"),
        ("offTrk noise increase", "has_off_track_noise"),
        ("Off-track noise", "has_off_track_noise"),
        ("Noisy modules", "has_noisy_module"),
    ],
)
def test_problems_as_they_are_really_named(problem, label):
    [row] = spread([{"run_number": 1, "problem_names": [problem]}])
    assert [name for name in PROBLEMS if row[name]] == [label]


def test_commissioning_spreads_over_the_run():
    rows = [
        {"run_number": 1, "run_class_name": "Collisions18", "rda_name": "/Express/x/DQM"},
        {"run_number": 2, "run_class_name": "Collisions18", "rda_name": "/Express/x/DQM"},
        {"run_number": 1, "run_class_name": "Commissioning18", "rda_name": None},
        {"run_number": 1},
        {"run_number": 2},
    ]
    assert [row["is_commissioning"] for row in spread(rows)] == [True, False, True, True, None]


def test_rows_without_a_run_stand_for_themselves():
    rows = [{"problem_names": ["fed error"]}, {"problem_names": []}, {"run_number": [1], "problem_names": []}]
    assert [row["has_fed_error"] for row in spread(rows)] == [True, False, False]


def test_labels_come_in_the_order_of_the_table():
    assert select(["bad_reason", "runtype"]) == ("runtype", "bad_reason")
    assert set(ROW_WISE) | set(SPREADING) == set(LABELS)
    with pytest.raises(UsageError, match=r"is_fine.*runtype"):
        select(["is_fine"])


def test_label_record_keeps_the_record():
    record = statuses("GOOD", "GOOD", "GOOD", run_number=1)
    before = dict(record)
    labelled = label_record(record)
    assert record == before
    assert list(labelled)[:4] == list(record)
    assert (labelled["is_bad"], labelled["status_summary"], labelled["runtype"]) == (False, "Good", None)


def test_a_record_without_any_input_has_null_labels_only():
    labelled = spread([label_record({"run_number": 1})])[0]
    assert {name: labelled[name] for name in LABELS} == dict.fromkeys(LABELS)


INPUTS = ["pixel", "strip", "tracking", "reco", "workspace", "rda_name", "run_class_name", "problem_names"]
INPUTS += ["pixel_comment", "comment", "pixel_good_fraction", "runtype"]
WORDS = ["GOOD", "BAD", "online", "global", "Collisions18", "Cosmics18", "hv off", "", "1 ls", ["FED error"], [3]]
VALUES = st.none() | st.sampled_from(WORDS) | st.integers() | st.floats() | st.booleans() | st.just({"a": 1})


@given(st.lists(st.dictionaries(st.sampled_from(["run_number", *INPUTS]), VALUES), max_size=4))
def test_any_record_can_be_labelled_and_twice_is_once(rows):
    once = spread([label_record(row) for row in rows])
    twice = spread([label_record(row) for row in once])
    assert repr(twice) == repr(once)
