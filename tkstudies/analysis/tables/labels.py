"""The derived columns of ``tkstudies label``: what the certification of a row means, in one word.

Every label is a pure function of one record, and null (None) when what it needs is unknown: absent, null,
or of a type that it can't be. Statuses compare without regard to case. Labels that hold for a whole
run as soon as they hold for one of its rows (`SPREADING`) are spread by `RunLabels`; the others need nothing
but `label_record`.

Labelling a labelled record again changes nothing: all labels derive from the services' own columns.
Rules: cms-tracker-studies, trackerstudies/determine.py, with null rules of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from tkstudies.analysis.tables.eras import run_era
from tkstudies.errors import UsageError
from tkstudies.records import number, status, whole

Record = Mapping[str, Any]

GOOD_FRACTION = 0.95
"""Below this fraction of good lumisections a component is partly bad."""

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

OTHER_REASON = "miscellaneous"

PROBLEMS = {
    "has_fed_error": "fed error",
    "has_dcs_error": "dcs error",
    "has_new_hole": "new hole",
    "has_dead_channel": "dead channel",
    "has_low_signal_noise": "low s/n",
    "has_noisy_module": "noisy module",
    "has_ps_problem": "ps problem",
    "has_low_cluster_charge": "low cluster charge",
    "has_many_bad_components": "large number of bad component",
    "has_trigger_problem": "trigger issue",
}
"""Label -> what TkDQMDoctor's problem names must contain."""

_COMMENTS = ("pixel_comment", "strip_comment", "tracking_comment", "comment")


def runtype(record: Record) -> str | None:
    """``collisions`` or ``cosmics`` by run_class_name; a record without one keeps the runtype that it brings.

    Example:
        >>> runtype({"run_class_name": "Collisions18"}), runtype({"run_class_name": "Commissioning18"})
        ('collisions', None)
    """
    run_class = _text(record, "run_class_name")
    if run_class is None:
        return _text(record, "runtype")
    if "Collisions" in run_class:
        return "collisions"
    return "cosmics" if "Cosmics" in run_class else None


def is_heavy_ion(record: Record) -> bool | None:
    """Whether the dataset is one of heavy ions.

    Example:
        >>> is_heavy_ion({"rda_name": "/PromptReco/HICollisions18/DQM"}), is_heavy_ion({})
        (True, None)
    """
    return _contains(record, "rda_name", "HI")


def is_commissioning(record: Record) -> bool | None:
    """Whether the row itself is one of commissioning; `RunLabels` spreads it over the run."""
    return _either(_contains(record, "run_class_name", "Commissioning"), _contains(record, "rda_name", "Commiss"))


def is_special(record: Record) -> bool | None:
    """Whether the row belongs to a special run."""
    return _either(_contains(record, "run_class_name", "Special"), _contains(record, "rda_name", "Special"))


def tracking(record: Record) -> str | None:
    """The status of tracking; online it isn't certified and follows from pixel and strip.

    Derived for online rows of the global workspace and for Run Registry v4's dataset ``online`` in any
    workspace, whatever tracking these rows bring: null if pixel or strip is unknown, ``GOOD`` if both are
    good, else ``BAD``. All other rows keep their own status.

    Example:
        >>> tracking({"workspace": "global", "reco": "online", "pixel": "GOOD", "strip": "STANDBY"})
        'BAD'
        >>> tracking({"rda_name": "online", "pixel": "GOOD", "strip": None})
    """
    if not _is_derived_online(record):
        return record.get("tracking")
    statuses = [status(record.get("pixel")), status(record.get("strip"))]
    if None in statuses:
        return None
    return "GOOD" if statuses == ["GOOD", "GOOD"] else "BAD"


def is_bad(record: Record) -> bool | None:
    """Whether the tracker was bad: strip or tracking not good, or the pixel detector not good in collisions.

    Components are looked at in the order pixel, strip, tracking; an unknown one met before a bad one gives
    None. The pixel detector may be off in cosmics, so that the run type counts when pixel is not good, and
    only then.

    Example:
        >>> is_bad({"pixel": "EXCLUDED", "strip": "GOOD", "tracking": "GOOD", "run_class_name": "Cosmics18"})
        False
        >>> is_bad({"pixel": "GOOD", "strip": None, "tracking": "BAD"})
    """
    pixel = status(record.get("pixel"))
    if pixel is None:
        return None
    if pixel != "GOOD":
        kind = runtype(record)
        if kind is None:
            return None
        if kind.lower() == "collisions":
            return True
    for other in (status(record.get("strip")), status(tracking(record))):
        if other is None:
            return None
        if other != "GOOD":
            return True
    return False


def is_partly_bad(record: Record) -> bool | None:
    """Whether a component was good in less than 95 % of its judged lumisections (Run Registry v4 only).

    True if any ``*_good_fraction`` is known to be below; None if there is none, or if one is unknown and the
    others aren't below (online rows never have one of tracking).

    Example:
        >>> is_partly_bad({"pixel_good_fraction": 0.9, "strip_good_fraction": None})
        True
    """
    fractions = [value for column, value in record.items() if column.endswith("_good_fraction")]
    return _either(*(None if number(value) is None else value < GOOD_FRACTION for value in fractions))


def status_summary(record: Record) -> str | None:
    """Which component isn't good, and how it is instead.

    Example:
        >>> status_summary({"pixel": "STANDBY", "strip": "GOOD", "tracking": "BAD"})
        'Pixel Standby'
    """
    pixel, strip, track = map(status, (record.get("pixel"), record.get("strip"), tracking(record)))
    if pixel is None or strip is None:
        return None
    if pixel == strip == track and pixel in ("GOOD", "BAD", "EXCLUDED"):
        return pixel.capitalize()
    if pixel == strip == "STANDBY":
        return "Standby"
    if pixel != "GOOD" and strip == "GOOD":
        return f"Pixel {pixel.capitalize()}"
    if strip != "GOOD" and pixel == "GOOD":
        return f"Strip {strip.capitalize()}"
    if pixel == strip == "GOOD" and track is not None:
        return f"Tracking {track.capitalize()}"
    return f"Pixel {pixel.capitalize()}, Strip {strip.capitalize()}"


def bad_reason(record: Record) -> str | None:
    """Why tracking is bad, from the first known phrase in the comments; None where tracking isn't ``BAD``.

    Example:
        >>> bad_reason({"tracking": "BAD", "strip_comment": "HV_scan ongoing"})
        'hv_scan'
        >>> bad_reason({"tracking": "BAD", "comment": "only 21 LS"})
        'miscellaneous'
    """
    if status(tracking(record)) != "BAD":
        return None
    comments = [text.lower().replace("_", " ") for text in (_text(record, name) for name in _COMMENTS) if text]
    for phrase, reason in BAD_REASONS:
        if any(_says(comment, phrase) for comment in comments):
            return reason
    return OTHER_REASON


def _says(comment: str, phrase: str) -> bool:
    """Whether the phrase is in the comment; a leading number must stand alone ("1 ls" isn't in "21 ls")."""
    if phrase not in comment or not phrase[0].isdigit():
        return phrase in comment
    return re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(phrase)}", comment) is not None


def _has_problem(phrase: str) -> Callable[[Record], bool | None]:
    def has_problem(record: Record) -> bool | None:
        names = record.get("problem_names")
        if isinstance(names, str):
            names = [names]
        if not isinstance(names, list):
            return None
        return any(isinstance(name, str) and phrase in name.lower() for name in names)

    return has_problem


LABELS: dict[str, Callable[[Record], Any]] = {
    "runtype": runtype,
    "run_era": run_era,
    "is_heavy_ion": is_heavy_ion,
    "is_commissioning": is_commissioning,
    "is_special": is_special,
    "tracking": tracking,
    "is_bad": is_bad,
    "is_partly_bad": is_partly_bad,
    "status_summary": status_summary,
    "bad_reason": bad_reason,
    **{name: _has_problem(phrase) for name, phrase in PROBLEMS.items()},
}
"""Name -> function of one record, in the order of the columns."""

SPREADING = {"is_commissioning": ("run_class_name", "rda_name"), **dict.fromkeys(PROBLEMS, ("problem_names",))}
"""Labels that spread over a run -> the columns that they come from, besides run_number."""

ROW_WISE = tuple(name for name in LABELS if name not in SPREADING)


def select(names: Iterable[str]) -> tuple[str, ...]:
    """The given labels in the order of `LABELS`.

    Raises:
        UsageError: A label isn't known.

    Example:
        >>> select(["bad_reason", "runtype"])
        ('runtype', 'bad_reason')
    """
    wanted = set(names)
    unknown = sorted(wanted - LABELS.keys())
    if unknown:
        raise UsageError(f"no label {', '.join(unknown)}; there are {', '.join(LABELS)}")
    return tuple(name for name in LABELS if name in wanted)


def label_record(record: Record, names: Collection[str] = ROW_WISE) -> dict[str, Any]:
    """A copy of the record with the labels that its own columns decide.

    Example:
        >>> label_record({"rda_name": "/Express/Collisions18/DQM"}, ["is_heavy_ion"])
        {'rda_name': '/Express/Collisions18/DQM', 'is_heavy_ion': False}
    """
    return {**record, **{name: LABELS[name](record) for name in names}}


class RunLabels:
    """Labels that hold for every row of a run that has one row for which they hold.

    Two passes: `observe` every record, then `apply` to every record. A record without a run number stands for
    itself. ``is_commissioning`` stays unknown in a row that doesn't tell while no other row
    says yes; ``has_*`` is known for the whole run as soon as one row has problem_names, an empty list
    included.

    Example:
        >>> rows = [{"run_number": 1, "problem_names": ["FED error"]}, {"run_number": 1}]
        >>> labels = RunLabels(["has_fed_error"])
        >>> for row in rows:
        ...     labels.observe(row)
        >>> [labels.apply(row)["has_fed_error"] for row in rows]
        [True, True]
    """

    def __init__(self, names: Collection[str] = tuple(SPREADING)) -> None:
        self.names = tuple(names)
        self._of_run: dict[int, dict[str, bool]] = {}

    def observe(self, record: Record) -> None:
        """Learn what a record says about its run."""
        run = run_of(record)
        if run is None:
            return
        for name in self.names:
            value = LABELS[name](record)
            if value or (value is False and name in PROBLEMS):
                known = self._of_run.setdefault(run, {})
                known[name] = value or known.get(name, False)

    def apply(self, record: Record) -> dict[str, Any]:
        """A copy of the record with the labels of its run."""
        run = run_of(record)
        of_run = {} if run is None else self._of_run.get(run, {})
        labels = {name: of_run[name] if name in of_run else LABELS[name](record) for name in self.names}
        return {**record, **labels}


def run_of(record: Record) -> int | None:
    """The run that a record is of, None if it doesn't say."""
    return whole(record.get("run_number"))


def _text(record: Record, column: str) -> str | None:
    value = record.get(column)
    return value if isinstance(value, str) and value.strip() else None


def _is_derived_online(record: Record) -> bool:
    if _text(record, "rda_name") == "online":
        return True
    reco, workspace = _text(record, "reco"), _text(record, "workspace")
    return reco is not None and workspace is not None and (reco.lower(), workspace.lower()) == ("online", "global")


def _contains(record: Record, column: str, part: str) -> bool | None:
    text = record.get(column)
    return part in text if isinstance(text, str) else None


def _either(*flags: bool | None) -> bool | None:
    """Logical or of flags, None if unknown: true if one is, false if all are, else (or of none) unknown."""
    if any(flags):
        return True
    return None if None in flags or not flags else False
