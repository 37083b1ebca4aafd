"""Which dataset of the DQM GUI belongs to a (run, reco): the rules as one table, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

ONLINE = "/Global/Online/ALL"


class Rule(NamedTuple):
    """What the dataset of a reconstruction looks like.

    Attributes:
        contains: Texts that its processing string has, all of them.
        lacks: Texts that its processing string doesn't have.
        collisions: Primary datasets, the best first; ``<lowest>`` and ``<highest>`` stand for a number, or none,
            and which of the numbers is taken: none before all of them.
        cosmics: The same for cosmics runs.
        has_campaigns: Is the data processed again and again, in campaigns with a date?
    """

    contains: tuple[str, ...]
    lacks: tuple[str, ...]
    collisions: tuple[str, ...]
    cosmics: tuple[str, ...]
    has_campaigns: bool = False


_EXPRESS = ("StreamExpress", "StreamHIExpress", "StreamHIExpressRawPrime", "StreamExpressPA")
_EXPRESS_COSMICS = "StreamExpressCosmics"
_COLLISIONS = (
    "ZeroBias<lowest>",
    "MinimumBias<lowest>",
    "HIMinimumBias<highest>",
    "HIPhysicsRawPrime<lowest>",
    "IonPhysics<lowest>",
    "PPRefZeroBiasPlusForward<lowest>",
    "PAMinimumBias<lowest>",
    "HIForward<lowest>",
)
_FIRST_PASS = ("-PromptReco-", "-Express-")

RULES: dict[str, Rule] = {
    "express": Rule(("-Express-",), (), _EXPRESS, (_EXPRESS_COSMICS, *_EXPRESS)),
    "prompt": Rule(("-PromptReco-",), (), (*_COLLISIONS, "Cosmics"), ("Cosmics", *_COLLISIONS)),
    "rereco": Rule((), (*_FIRST_PASS, "UL"), _COLLISIONS, ("Cosmics", *_COLLISIONS), has_campaigns=True),
    "rerecoul": Rule(("UL",), _FIRST_PASS, _COLLISIONS, ("Cosmics", *_COLLISIONS), has_campaigns=True),
}
"""By reconstruction. The data tier is always DQM or DQMIO, and of several versions the highest is taken."""

ERA_PRIMARIES = {"Run2017G": ("SingleTrack",)}
"""Eras whose re-reconstructions are looked at in other primary datasets."""

_USUAL = (
    *_EXPRESS, _EXPRESS_COSMICS, "ZeroBias", "ZeroBias[0-9]+", "MinimumBias", "HIMinimumBias[0-9]+",
    "HIPhysicsRawPrime[0-9]+", "Cosmics", "SingleTrack",
)  # fmt: skip
"""The primary datasets of nearly all runs, which are looked up first. Recordings hold these words: they stay."""

ANY = "/DQM"
"""A regular expression for all datasets that have histograms."""

_LIKELY = ("ZeroBias", "MinimumBias", "MinBias", "Physics", "Forward")  # the most to the least inclusive
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PROCESSING = re.compile(r"(?P<era>[^-]+)-(?P<campaign>.+)-v(?P<version>\d+)")
_DATE = re.compile(r"(\d{1,2})([a-z]{3})(\d{4})")
_YEAR = re.compile(r"(?:19|20)\d\d")


class Choice(NamedTuple):
    """The chosen dataset, and what the user should know about it."""

    dataset: str
    warning: str = ""


class _Candidate(NamedTuple):
    name: str
    rank: tuple[int, float]  # place of its primary dataset in the rule
    campaign: str
    version: int


def choose(
    names: Iterable[str],
    reco: str,
    *,
    is_cosmics: bool | None = None,
    rda_name: str = "",
    primary_dataset: str = "",
    any_primary: bool = False,
) -> Choice | None:
    """The dataset of a reconstruction among those that a run has, or None.

    Args:
        names: Datasets of the run, such as ``/ZeroBias/Run2018C-PromptReco-v3/DQMIO``.
        reco: A key of RULES; no other reco has a dataset.
        is_cosmics: Was it a cosmics run? If nobody knows (None), its express streams tell.
        rda_name: The registry's name, which tells the campaign of a re-reconstruction.
        primary_dataset: Take this one instead of those of the rule.
        any_primary: Take another one than those of the rule, with a warning: the name that promises the most events
            without a selection, else the first.

    Example:
        >>> versions = [f"/ZeroBias/Run2018C-PromptReco-v{version}/DQMIO" for version in (2, 10, 9)]
        >>> choose(versions, "prompt")
        Choice(dataset='/ZeroBias/Run2018C-PromptReco-v10/DQMIO', warning='')
    """
    rule = RULES.get(reco)
    if rule is None:
        return None
    names = list(dict.fromkeys(names))
    if is_cosmics is None:
        is_cosmics = looks_like_cosmics(names)
    primaries = (primary_dataset,) if primary_dataset else rule.cosmics if is_cosmics else rule.collisions
    if any_primary:
        primaries = _likely_first(names)
    is_fixed = bool(primary_dataset) or any_primary
    candidates = [c for name in names if (c := _candidate(name, rule, primaries, is_fixed))]
    if not candidates:
        return None
    warning = ""
    if rule.has_campaigns:
        campaign, warning = _choose_campaign({c.campaign for c in candidates}, rda_name)
        candidates = [c for c in candidates if c.campaign == campaign]
    best = min(candidates, key=lambda c: (c.rank, -c.version, c.name))
    if any_primary:
        told = f"none of the usual primary datasets: took {best.name.split('/')[1]} of the record's gui_datasets"
        warning = f"{warning}; {told}" if warning else told
    return Choice(best.name, warning)


def of_reco(names: Iterable[str], reco: str) -> list[str]:
    """Those datasets that are of a reconstruction, whatever their primary dataset.

    >>> of_reco(["/JetHT/Run2018C-PromptReco-v1/DQMIO", "/JetHT/Run2018C-17Sep2018-v1/DQMIO", "x"], "prompt")
    ['/JetHT/Run2018C-PromptReco-v1/DQMIO']
    """
    parts = [(name, name.split("/")) for name in names]
    return [
        name for name, part in parts
        if len(part) == 4 and part[3].startswith("DQM") and reco in RULES and _fits(part[2], RULES[reco])
    ]  # fmt: skip


def _likely_first(names: Iterable[str]) -> tuple[str, ...]:
    """The primary datasets of some datasets, those first that select the fewest events."""
    primaries = dict.fromkeys(name.split("/")[1] for name in names if name.count("/") == 3)

    def place(primary: str) -> int:
        return next((i for i, word in enumerate(_LIKELY) if word.lower() in primary.lower()), len(_LIKELY))

    return tuple(sorted(primaries, key=place))


def looks_like_cosmics(names: Iterable[str]) -> bool:
    """Do these datasets of one run say that it took cosmics?

    >>> looks_like_cosmics(["/StreamExpressCosmics/Run2018E-Express-v1/DQMIO"])
    True
    """
    primaries = {name.split("/")[1] for name in names if "/DQM" in name}
    if primaries.intersection(_EXPRESS):
        return False
    return _EXPRESS_COSMICS in primaries or primaries == {"Cosmics"}


def reco_of(dataset: str) -> str:
    """The reconstruction that a dataset is of.

    >>> reco_of("/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO"), reco_of("/Global/Online/ALL")
    ('rerecoul', 'online')
    """
    if dataset == ONLINE:
        return "online"
    processing = dataset.split("/")[2]
    return next(reco for reco, rule in reversed(RULES.items()) if _fits(processing, rule))


def match_expression(primary_dataset: str = "") -> str:
    """A regular expression for the datasets that are looked up first; the same for all runs."""
    return f"^/{re.escape(primary_dataset)}/" if primary_dataset else f"^/({'|'.join(_USUAL)})/"


def _fits(processing: str, rule: Rule) -> bool:
    return all(text in processing for text in rule.contains) and not any(text in processing for text in rule.lacks)


def _candidate(name: str, rule: Rule, primaries: tuple[str, ...], is_fixed: bool) -> _Candidate | None:
    parts = name.split("/")
    if len(parts) != 4 or not parts[3].startswith("DQM") or not _fits(parts[2], rule):
        return None
    found = _PROCESSING.fullmatch(parts[2])
    era, campaign, version = found.groups() if found else (parts[2], "", "0")
    if rule.has_campaigns and not is_fixed:
        primaries = ERA_PRIMARIES.get(era, primaries)
    rank = _rank(parts[1], primaries)
    return None if rank is None else _Candidate(name, rank, campaign, int(version))


def _rank(primary: str, primaries: tuple[str, ...]) -> tuple[int, float] | None:
    """Place of a primary dataset in a list of the rules, or None: the smaller, the better."""
    for place, wanted in enumerate(primaries):
        stem, _, which = wanted.partition("<")
        if primary == stem:
            return place, float("-inf")
        number = primary.removeprefix(stem)
        if which and primary.startswith(stem) and re.fullmatch(r"[0-9]+", number):
            return place, -int(number) if which == "highest>" else int(number)
    return None


def _choose_campaign(campaigns: set[str], rda_name: str) -> tuple[str, str]:
    """The campaign that the registry names, else the latest; and a warning if that is a guess."""
    named = set(re.split(r"[/_-]", rda_name.lower().replace("sept", "sep").replace("rereco", "")))
    parts_named = {c: sum(part in named for part in c.lower().replace("sept", "sep").split("_")) for c in campaigns}
    best = max(sorted(campaigns), key=lambda c: (parts_named[c], _date(c)))
    names_another = any(_DATE.fullmatch(part) for part in named)
    if parts_named[best] or (len(campaigns) == 1 and not names_another):
        return best, ""
    wanted = f"{rda_name} isn't in the DQM GUI" if names_another else "the record names no campaign"
    return best, f"{wanted}: took the latest of {', '.join(sorted(campaigns))}"


def _date(campaign: str) -> tuple[int, int, int]:
    """Year, month and day of a campaign such as ``17Sep2018`` or ``12Nov2019_UL2018``."""
    if found := _DATE.search(campaign.lower().replace("sept", "sep")):
        day, month, year = found.groups()
        return int(year), _MONTHS.index(month) if month in _MONTHS else -1, int(day)
    year = _YEAR.search(campaign)
    return int(year.group()) if year else 0, 0, 0
