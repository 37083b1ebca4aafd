"""Why a run is bad, out of what shifters wrote: phrases and the reasons that they stand for.

The phrases of trackerstudies/determine.py come first, then those learned from a year of certification comments.
A comment often names several things; the order of the tables says which of them is the reason: what happened to
the whole detector before what was seen in the plots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BAD_REASONS = (
    ("timing", "timing_scan"),
    ("config", "misconfiguration"),
    ("cm threshold", "cm_threshold_scan"),
    ("hv scan", "hv_scan"),
    ("hv problem", "hv_problem"),
    ("hv off", "hv_off"),
    ("hv is off", "hv_off"),
    ("stats too low", "low_statistics"),
    ("on for only", "hv_off"),
    ("on only", "hv_off"),
    ("only in", "hv_off"),
    ("only on", "hv_off"),
    ("no hv", "hv_off"),
    ("hv for tracker is off", "hv_off"),
    ("hv was off", "hv_off"),
    ("excluded", "excluded"),
    ("emittance", "emittance_scan"),
    ("scan", "misc_scan"),
    ("plots empty", "empty_plots"),
    ("empty plot", "empty_plots"),
    ("in daq", "not_in_daq"),
    ("1 ls", "low_statistics"),
    ("dqm offline gui", "dqm_gui"),
    ("low stat", "low_statistics"),
)
"""Phrase in a shifter's comment -> reason; the first phrase found decides."""

_TRACKER = r"(?:pix(?:el)?(?:phase1)?|(?:si)?-? ?strips?|tracker|detectors?)"
_MUON = r"(?:dt'?s?|csc'?s?|rpc'?s?)"
_BE = r"(?:(?:is|are|was|were|been|being|both|all) )*"
_GAP = r"[^.;!]{0,40}?"

LEARNED_REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile("|".join(patterns)), reason)
    for reason, *patterns in (
        ("fire_alarm", r"fire[ -]?alarm"),
        (
            "hv_problem",
            r"(?:problem|issue)s? with (?:the )?(?:hv|high[ -]?voltage)",
            r"\b(?:hv|high[ -]?voltage) (?:trip|issue|fault|problem)",
            rf"(?:hv|{_TRACKER}) {_BE}tripped",
        ),
        (
            "hv_off",
            rf"\b(?:high[ -]?voltages?|hv)\b{_GAP}\b(?:off|not on|down)\b",
            r"\b(?:no|without) (?:high[ -]?voltage|hv)\b",
            r"powered off|switched off",
            rf"\b{_TRACKER} {_BE}off\b",
        ),
        ("standby", r"(?<!pixel: )(?<!pixel )(?<!pixel in )(?<!pixel was )(?<!pixel is )\bst?and[ -]?by\b"),
        ("dead_at_beginning", rf"\b(?:dead|no (?:hits|data|clusters))\b{_GAP}\b(?:beginning|begin|start|first)\b"),
        ("zero_suppression", r"zero[ -]?suppress"),
        (
            "reconstruction_problem",
            r"\breco(?:nstruction)? (?:problem|error|issue)",
            r"\b(?:use[sd]?|using|with) (?:the )?(?:3\.8 ?t b[ -]?field|wrong (?:magnetic )?field)",
        ),
        (
            "missing_trigger",
            rf"(?:missing|lack of){_GAP}\b(?:triggers?|{_MUON})\b",
            rf"\b(?:no|without) {_MUON}(?! nois)\b",
            rf"\b{_MUON} {_BE}(?:out\b|off\b|missing|excluded|not (?:in\b|included|present)|problem|issue)",
            rf"\btriggers?\b{_GAP}\b(?:missing|not included|problem|issue|setup|wrong|off|out)\b",
            r"\b(?:no|wrong|different|without)\b(?: \w+)? triggers?\b",
            r"\b[be]mtf\b",
            rf"(?:\b|track)eta\w*{_GAP}\b(?:two peaks|double peak|peaks? at)",
        ),
        ("ps_problem", r"\bps (?:problem|issue|trip|failure)", r"power suppl(?:y|ies)"),
        ("noise", r"(?<!no )(?<!signal to )(?<!signal-to-)\bnois[ey]"),
        ("not_in_daq", r"\b(?:no|out of(?: the)?) daq\b"),
        (
            "empty_plots",
            rf"(?:plots?|maps?|distributions?|efficiency|histograms?)\b{_GAP}\bempty\b",
            r"\bempty (?:distribution|map|histogram)",
        ),
        (
            "low_statistics",
            r"\blow ?-?stat|\b(?:too|very) few (?:events|tracks|hits)|\b[12] ?ls (?:run|processed)|\bshort run",
        ),
        (
            "test_run",
            r"(?<!quality )\btest run|starting tests|run (?:to|for) test|peak mode|special (?:run|tracker key)",
        ),
        (
            "wrong_conditions",
            r"\bpayload|conditions? (?:were|weren't|was|wasn't|not|wrong)|wrong (?:conditions|alignment)",
        ),
        ("signal_to_noise", r"\bs/n\b|\bston\b|signal[ -]to[ -]noise"),
        ("power_off", r"power[ -]?groups?\b|\bcrate\b"),
        (
            "low_good_fraction",
            r"% ?< ?\d|fraction (?:is )?(?:<|below|low)|efficiency ?<",
            r"\b(?:tid|tec|tib|tob)\b.{0,14}?(?<!\d)0?\.\d{3}",
        ),
        ("fed_error", r"(?<!no )(?<!excluded )\bfeds?\b(?![^.,;]{0,30}\bexcluded)"),
        (
            "track_distributions",
            r"\bpeak|\blow p_?t\b|track.{0,20}\bbad\b",
            r"\b(?:bad|wei?rd|wired|strange|odd)\b.{0,40}\b(?:track|eta|pt)",
        ),
        ("clusters", r"number of clusters|cluster charge|# of ?:? ?(?:clusters|digis)"),
        ("dead_modules", r"dead (?:rocs?|modules?|channels?)|bad modules?|new hole"),
        ("standby", r"\bst?and[ -]?by\b"),
    )
)  # fmt: skip
"""Further phrases, as patterns of a comment in small letters with single blanks -> reason; the first decides."""

OTHER_REASON = "miscellaneous"

# What is said of a single FED or of the muon chambers isn't said of the tracker
_OF_OTHERS = re.compile(
    r"\b(?:feds?(?: error)?|power groups?|modules?|rocs?|dt'?s?|csc'?s?|rpc'?s?)\b"
    r"(?:(?!pix|strip|tracker)[^.,;:!]){0,30}?\b(?:excluded|in (?:the )?daq|hv (?:is |was )?off)"
    r"|\bexcluded (?:the )?feds?\b"
)
_STRIP_FRACTION = re.compile(r"\b(?:si)?[ -]?strips?\W{0,4}(\d{1,3}(?:\.\d+)?) ?%")
_GOOD_FRACTION = 90.0
"""Below this percentage of good strip modules (in a comment) the strip detector, and so tracking, is bad."""


def reason(comments: Iterable[str]) -> str:
    """The reason that comments give, ``miscellaneous`` if no phrase is known.

    Case, ``_`` and line ends don't matter. The order of the phrases decides, then that of the comments.

    Example:
        >>> reason(["Tracker HV_scan"]), reason(["FED 434 excluded; noise in TID"]), reason(["who knows"])
        ('hv_scan', 'noise', 'miscellaneous')
    """
    texts = [" ".join(comment.lower().replace("_", " ").replace("\u2019", "'").split()) for comment in comments]
    return (
        _first_phrase([_OF_OTHERS.sub(" ", text) for text in texts])
        or _first_pattern(texts)
        or _first_phrase(texts)
        or _fraction(texts)
        or OTHER_REASON
    )


def _first_phrase(texts: Sequence[str]) -> str | None:
    return next((found for phrase, found in BAD_REASONS if any(_says(text, phrase) for text in texts)), None)


def _first_pattern(texts: Sequence[str]) -> str | None:
    return next((found for pattern, found in LEARNED_REASONS if any(map(pattern.search, texts))), None)


def _fraction(texts: Sequence[str]) -> str | None:
    """Shifters copy the percentage of good strip modules: below 90 it is the reason where nothing else is said."""
    percentages = (float(text) for comment in texts for text in _STRIP_FRACTION.findall(comment))
    return "low_good_fraction" if any(value < _GOOD_FRACTION for value in percentages) else None


def _says(comment: str, phrase: str) -> bool:
    """Whether the phrase is in the comment; a leading number must stand alone ("1 ls" isn't in "21 ls")."""
    if phrase not in comment or not phrase[0].isdigit():
        return phrase in comment
    return re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(phrase)}", comment) is not None
