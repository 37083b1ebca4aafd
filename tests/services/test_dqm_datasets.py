"""The choice of a dataset: known answers, and each clause of the rules."""

import re

import pytest

from tkstudies.services.dqm.datasets import choose, looks_like_cosmics, match_expression, of_reco, reco_of

SPECTATORS = [
    "/JetHT/Run2018C-PromptReco-v9/DQMIO",
    "/StreamExpressAlignment/Run2018D-Express-v1/ALCAPROMPT",
    "/StreamExpress/Run2018D-Express-v3/ALCARECO",
    "/ZeroBias/Run2018C-PromptReco-v9/AOD",
    "/Global/Online/ALL",
    "nonsense",
]


def chosen(names, reco, **known):
    choice = choose([*SPECTATORS, *names], reco, **known)
    return choice and choice.dataset


@pytest.mark.parametrize(
    ("reco", "is_cosmics", "answer", "others"),
    [
        ("express", False, "/StreamExpress/Run2018D-Express-v1/DQMIO", []),
        ("prompt", True, "/Cosmics/Run2018E-PromptReco-v1/DQMIO", ["/ZeroBias/Run2018E-PromptReco-v1/DQMIO"]),
        ("prompt", False, "/ZeroBias/Run2018C-PromptReco-v3/DQMIO", ["/Cosmics/Run2018C-PromptReco-v3/DQMIO"]),
        (
            "prompt",
            False,
            "/HIMinimumBias1/HIRun2018A-PromptReco-v2/DQMIO",
            ["/HIMinimumBias0/HIRun2018A-PromptReco-v2/DQMIO", "/HIMinimumBias1/HIRun2018A-PromptReco-v1/DQMIO"],
        ),
        (
            "rereco",
            False,
            "/SingleTrack/Run2017G-17Nov2017-v1/DQMIO",
            ["/ZeroBias/Run2017G-17Nov2017-v1/DQMIO", "/ZeroBias/Run2017G-PromptReco-v1/DQMIO"],
        ),
        (
            "rereco",
            False,
            "/ZeroBias/Run2018B-17Sep2018-v1/DQMIO",
            ["/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO", "/ZeroBias/Run2018B-Express-v2/DQMIO"],
        ),
        ("express", False, "/StreamExpress/Run2024C-Express-v1/DQMIO", []),
        ("rereco", False, "/ZeroBias/Run2022A-19Jan2023-v2/DQMIO", ["/ZeroBias/Run2022A-10Dec2022-v1/DQMIO"]),
        ("express", False, "/StreamHIExpressRawPrime/HIRun2023A-Express-v2/DQMIO", []),
        (
            "prompt",
            False,
            "/HIPhysicsRawPrime0/HIRun2023A-PromptReco-v2/DQMIO",
            ["/HIPhysicsRawPrime1/HIRun2023A-PromptReco-v2/DQMIO"],
        ),
    ],
)
def test_known_answers(reco, is_cosmics, answer, others):
    assert chosen([*others, answer], reco, is_cosmics=is_cosmics) == answer
    assert chosen([answer, *others], reco, is_cosmics=is_cosmics) == answer
    assert chosen([], reco, is_cosmics=is_cosmics) is None


def named(reco, *primaries, processing=""):
    processing = processing or {"express": "Run2018D-Express-v1", "prompt": "Run2018D-PromptReco-v1"}[reco]
    return [f"/{primary}/{processing}/DQMIO" for primary in primaries]


@pytest.mark.parametrize(
    ("reco", "is_cosmics", "primaries", "best"),
    [
        (
            "prompt",
            False,
            ("Cosmics", "HIPhysicsRawPrime0", "HIMinimumBias9", "MinimumBias", "ZeroBias1", "ZeroBias"),
            5,
        ),
        (
            "prompt",
            False,
            ("Cosmics", "HIPhysicsRawPrime0", "HIMinimumBias9", "MinimumBias", "ZeroBias10", "ZeroBias9"),
            5,
        ),
        ("prompt", False, ("Cosmics", "HIPhysicsRawPrime0", "HIMinimumBias9", "MinimumBias"), 3),
        ("prompt", False, ("Cosmics", "HIPhysicsRawPrime0", "HIMinimumBias9", "HIMinimumBias11"), 3),
        ("prompt", False, ("Cosmics", "HIPhysicsRawPrime10", "HIPhysicsRawPrime9"), 2),
        ("prompt", False, ("Cosmics",), 0),
        ("prompt", True, ("ZeroBias", "Cosmics"), 1),
        ("prompt", True, ("ZeroBias",), 0),
        ("prompt", False, ("Cosmics", "IonPhysics10", "IonPhysics9"), 2),
        ("prompt", False, ("Cosmics", "PPRefZeroBiasPlusForward1", "PPRefZeroBiasPlusForward0"), 2),
        ("prompt", False, ("HIForward0", "HIPhysicsRawPrime7"), 1),
        ("prompt", False, ("Cosmics", "HIForward3", "HIForward12"), 1),
        ("prompt", False, ("HIMinimumBias0", "HIMinimumBias"), 1),
        ("prompt", False, ("PAMinimumBias12", "PAMinimumBias2"), 1),
        ("prompt", False, ("MinimumBias3", "HIMinimumBias4"), 0),
        ("prompt", True, ("IonPhysics0", "Cosmics"), 1),
        ("express", False, ("StreamHIExpress", "StreamExpress"), 1),
        ("express", False, ("StreamExpressPA",), 0),
        ("express", True, ("StreamExpress", "StreamExpressCosmics"), 1),
        ("express", None, ("StreamExpressCosmics",), 0),
    ],
)
def test_primary_datasets_in_their_order(reco, is_cosmics, primaries, best):
    names = named(reco, *primaries)
    assert chosen(names, reco, is_cosmics=is_cosmics) == names[best]


def test_a_primary_dataset_that_only_begins_like_one_is_another():
    assert chosen(named("prompt", "ZeroBiasBunchTrains0", "ZeroBias_0T", "MinimumBiasX"), "prompt") is None
    assert (
        chosen(named("express", "StreamExpressAlignment", "StreamExpressCosmics"), "express", is_cosmics=False) is None
    )


def test_the_express_stream_tells_cosmics_when_the_class_does_not():
    prompt = named("prompt", "ZeroBias", "Cosmics")
    assert chosen([*prompt, *named("express", "StreamExpressCosmics")], "prompt") == prompt[1]
    assert chosen([*prompt, *named("express", "StreamExpressCosmics", "StreamExpress")], "prompt") == prompt[0]
    assert not looks_like_cosmics([])


@pytest.mark.parametrize("name", ["Cosmics", "StreamExpress", "SingleTrack"])
def test_a_primary_dataset_without_numbers_in_the_rule_has_none(name):
    reco = "express" if "Express" in name else "rereco" if name == "SingleTrack" else "prompt"
    processing = {"express": "Run2017G-Express-v1", "prompt": "Run2017G-PromptReco-v1"}.get(
        reco, "Run2017G-17Nov2017-v1"
    )
    assert chosen([f"/{name}1/{processing}/DQMIO"], reco, is_cosmics=name == "Cosmics") is None
    assert chosen([f"/{name}/{processing}/DQMIO"], reco, is_cosmics=name == "Cosmics")


def test_versions_are_numbers():
    names = [f"/ZeroBias/Run2018C-PromptReco-v{version}/DQMIO" for version in (9, 10, 2)]
    assert chosen(names, "prompt") == names[1]


CAMPAIGNS = [
    "/ZeroBias/Run2018B-22Jan2019-v1/DQMIO",
    "/ZeroBias/Run2018B-17Sep2018-v2/DQMIO",
    "/ZeroBias/Run2018B-17Sep2018-v10/DQMIO",
    "/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO",
]


@pytest.mark.parametrize(
    ("reco", "rda_name", "campaign", "is_a_guess"),
    [
        ("rereco", "/ReReco/Run2018B_17Sep2018/DQM", 2, False),
        ("rereco", "/ReReco/Run2018B_17Sept2018/DQM", 2, False),
        ("rereco", "/Run2018B-17Sep2018ReReco/DQM", 2, False),
        ("rereco", "/ReReco/Run2018B_22Jan2019/DQM", 0, False),
        ("rereco", "/ReReco/Run2018B_05May2020/DQM", 0, True),
        ("rereco", "", 0, True),
        ("rerecoul", "/ReReco/Run2018_UL2018/DQM", 3, False),
        ("rerecoul", "", 3, False),
    ],
)
def test_campaigns(reco, rda_name, campaign, is_a_guess):
    choice = choose(CAMPAIGNS, reco, rda_name=rda_name)
    assert choice.dataset == CAMPAIGNS[campaign]
    assert bool(choice.warning) == is_a_guess


def test_the_only_campaign_is_taken_with_a_warning_if_the_registry_names_another():
    choice = choose(CAMPAIGNS[:1], "rereco", rda_name="/ReReco/Run2018B_17Sep2018/DQM")
    assert choice.dataset == CAMPAIGNS[0]
    assert "17Sep2018" in choice.warning and "22Jan2019" in choice.warning


def test_the_latest_campaign_is_so_by_date_not_by_name():
    names = [f"/ZeroBias/Run2022A-{date}-v1/DQMIO" for date in ("27Jun2023", "10Dec2022", "19Jan2023")]
    assert chosen(names, "rereco") == names[0]


def test_primary_dataset_of_the_user():
    names = named("prompt", "ZeroBias", "SingleMuon", "SingleMuon0")
    assert chosen(names, "prompt", primary_dataset="SingleMuon") == names[1]
    assert chosen(names, "prompt", primary_dataset="JetHT") == SPECTATORS[0]
    assert chosen(names, "prompt", primary_dataset="EGamma") is None
    assert chosen(names, "express", primary_dataset="SingleMuon") is None
    rereco = "/ZeroBias/Run2017G-17Nov2017-v1/DQMIO"
    assert chosen([rereco], "rereco") is None
    assert chosen([rereco], "rereco", primary_dataset="ZeroBias") == rereco


@pytest.mark.parametrize(
    ("dataset", "reco"),
    [
        ("/StreamExpress/Run2018D-Express-v1/DQMIO", "express"),
        ("/ZeroBias/Run2018C-PromptReco-v3/DQMIO", "prompt"),
        ("/ZeroBias/Run2018B-17Sep2018-v1/DQMIO", "rereco"),
        ("/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO", "rerecoul"),
        ("/Global/Online/ALL", "online"),
    ],
)
def test_reco_of_a_dataset(dataset, reco):
    assert reco_of(dataset) == reco


def test_the_look_up_asks_for_all_that_the_rules_know():
    found = re.compile(match_expression())
    for primary in (
        "StreamExpress",
        "StreamExpressCosmics",
        "ZeroBias",
        "ZeroBias12",
        "HIMinimumBias10",
        "SingleTrack",
    ):
        assert found.search(f"/{primary}/Run2018D-X-v1/DQMIO")
    assert not found.search("/JetHT/Run2018D-PromptReco-v1/DQMIO")
    assert not found.search("/StreamExpressAlignment/Run2018D-Express-v1/ALCAPROMPT")
    assert re.search(match_expression("JetHT"), "/JetHT/Run2018D-PromptReco-v1/DQMIO")


@pytest.mark.parametrize("primary", ["ZeroBias", "ZeroBias0", "ZeroBias11", "HIMinimumBias3", "IonPhysics4", "Cosmics"])
def test_rereconstructions_have_the_same_primary_datasets(primary):
    names = [f"/{primary}/HIRun2018A-04Apr2019-v1/DQMIO"]
    assert chosen(names, "rereco", is_cosmics=primary == "Cosmics") == names[0]
    assert chosen([names[0].replace("04Apr", "UL")], "rerecoul", is_cosmics=primary == "Cosmics")


@pytest.mark.parametrize("primary", ["ZeroBiasScouting", "ZeroBias8b4e10", "ZeroBias_0T", "ZeroBias1x", "HIForwardX"])
def test_what_follows_the_name_is_digits_only(primary):
    for processing, reco in (("Run2018D-PromptReco-v1", "prompt"), ("Run2018D-17Sep2018-v1", "rereco")):
        assert chosen([f"/{primary}/{processing}/DQMIO"], reco, is_cosmics=False) is None


def test_any_primary_dataset_is_a_guess_that_is_told():
    names = named("prompt", "HIHardProbes0", "HINewMinBias", "SpecialZeroBias1")
    assert choose(names, "prompt") is None
    choice = choose(names, "prompt", any_primary=True)
    assert choice.dataset == names[2] and "took SpecialZeroBias1 of the record's gui_datasets" in choice.warning
    assert choose(names[:1], "prompt", any_primary=True).dataset == names[0]
    assert choose(names, "express", any_primary=True) is None
    assert of_reco([*SPECTATORS, *names], "prompt") == [SPECTATORS[0], *names]
