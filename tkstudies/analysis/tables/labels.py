"""The derived columns of ``tkstudies label``: what the certification of a row means, in one word.

Every label is a pure function of one record, and null (None) when what it needs is unknown: absent, null,
or of a type that it can't be. Statuses compare without regard to case. Labels that hold for a whole
run as soon as they hold for one of its rows (`SPREADING`) are spread by `RunLabels`; the others need nothing
but `label_record`.

A row of TkDQMDoctor alone, of which the Run Registry says nothing, is judged by its ``doctor_*`` columns.

Labelling a labelled record again changes nothing: all labels derive from the services' own columns.
Rules: cms-tracker-studies, trackerstudies/determine.py, with null rules of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from tkstudies.analysis.tables.beams import is_heavy_ion, runtype
from tkstudies.analysis.tables.eras import run_era
from tkstudies.analysis.tables.reasons import reason
from tkstudies.analysis.tables.statuses import Record, is_derived_online, is_doctors, statuses, text, tracking
from tkstudies.errors import UsageError
from tkstudies.records import number, status, whole

GOOD_FRACTION = 0.95
"""Below this fraction of good lumisections a component is partly bad."""

PROBLEMS: dict[str, tuple[str, ...]] = {
    "has_fed_error": ("fed error",),
    "has_dcs_error": ("dcs error",),
    "has_new_hole": ("new hole",),
    "has_dead_channel": ("dead channel",),
    "has_low_signal_noise": ("low s/n",),
    "has_noisy_module": ("noisy module",),
    "has_ps_problem": ("ps problem", "ps issue"),
    "has_low_cluster_charge": ("low cluster charge",),
    "has_many_bad_components": ("large number of bad component",),
    "has_trigger_problem": ("trigger issue", "trigger problem"),
    "has_off_track_noise": ("offtrk noise", "off trk noise", "offtrack noise", "off track noise"),
}
"""Label -> what one of TkDQMDoctor's problem names must contain, ``-`` and ``_`` read as blanks."""

SIGNED_STATES = ("SIGNOFF", "COMPLETED")
"""States of rows that somebody certified."""

_COMMENTS = ("pixel_comment", "strip_comment", "tracking_comment", "comment")
_CAUSES = ("pixel_cause", "strip_cause", "tracking_cause")
_LOW_STATISTICS_FLAGS = ("doctor_pixel_lowstat", "doctor_strip_lowstat", "doctor_tracking_lowstat")
_LOW_STATISTICS = re.compile(r"low[\s_-]*stat", re.IGNORECASE)


def is_commissioning(record: Record) -> bool | None:
    """Whether the row itself is one of commissioning; `RunLabels` spreads it over the run."""
    return _either(_contains(record, "run_class_name", "Commissioning"), _contains(record, "rda_name", "Commiss"))


def is_special(record: Record) -> bool | None:
    """Whether the row belongs to a special run."""
    return _either(_contains(record, "run_class_name", "Special"), _contains(record, "rda_name", "Special"))


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
    pixel, strip, track = statuses(record)
    if pixel is None:
        return None
    if pixel != "GOOD":
        kind = runtype(record)
        if kind is None:
            return None
        if kind.lower() == "collisions":
            return True
    for other in (strip, track):
        if other is None:
            return None
        if other != "GOOD":
            return True
    return False


def is_certified_good(record: Record) -> bool | None:
    """Whether somebody certified pixel, strip and tracking as good; false if one was certified bad.

    Nobody's judgement is None: the state isn't ``SIGNOFF`` or ``COMPLETED``, or nothing is bad and a component is
    EXCLUDED, STANDBY, NOTSET, LOWSTAT or unknown. Of online rows pixel and strip decide.

    Example:
        >>> good = {"rda_state": "COMPLETED", "pixel": "GOOD", "strip": "GOOD", "tracking": "GOOD"}
        >>> is_certified_good(good), is_certified_good({**good, "strip": "BAD"})
        (True, False)
        >>> is_certified_good({**good, "rda_state": "OPEN"}), is_certified_good({**good, "pixel": "STANDBY"})
        (None, None)
    """
    words = _certified(record)
    if "BAD" in words:
        return False
    return True if words and all(word == "GOOD" for word in words) else None


def is_certified_bad(record: Record) -> bool | None:
    """Whether somebody certified pixel, strip or tracking as bad; None where `is_certified_good` is None."""
    good = is_certified_good(record)
    return None if good is None else not good


def _certified(record: Record) -> list[str | None]:
    """The statuses that somebody signed; none of a row that nobody signed."""
    state = status(record.get("rda_state"))
    if state not in SIGNED_STATES and not (state is None and is_doctors(record)):
        return []
    words = statuses(record)
    return list(words[:2] if is_derived_online(record) else words)


def is_low_statistics(record: Record) -> bool | None:
    """Whether the row was certified on low statistics: by TkDQMDoctor's flags, a status or the registry's cause.

    Example:
        >>> is_low_statistics({"doctor_pixel_lowstat": False, "doctor_strip_lowstat": True})
        True
        >>> is_low_statistics({"pixel": "GOOD", "pixel_cause": None}), is_low_statistics({"pixel": "GOOD"})
        (False, None)
    """
    flags = [flag for flag in map(record.get, _LOW_STATISTICS_FLAGS) if isinstance(flag, bool)]
    words = [word for word in (*statuses(record), *(text(record, name) for name in _CAUSES)) if word]
    if any(flags) or any(map(_LOW_STATISTICS.search, words)):
        return True
    is_judged = any(statuses(record)) and any(name in record for name in _CAUSES)
    return False if flags or is_judged else None


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
    pixel, strip, track = statuses(record)
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
    return reason(comment for comment in (text(record, name) for name in _COMMENTS) if comment)


def _has_problem(phrases: Collection[str]) -> Callable[[Record], bool | None]:
    def has_problem(record: Record) -> bool | None:
        names = record.get("problem_names")
        if isinstance(names, str):
            names = [names]
        if not isinstance(names, list):
            return None
        texts = [re.sub(r"[\s_-]+", " ", name.lower()) for name in names if isinstance(name, str)]
        return any(phrase in text for text in texts for phrase in phrases)

    return has_problem


LABELS: dict[str, Callable[[Record], Any]] = {
    "runtype": runtype,
    "run_era": run_era,
    "is_heavy_ion": is_heavy_ion,
    "is_commissioning": is_commissioning,
    "is_special": is_special,
    "tracking": tracking,
    "is_bad": is_bad,
    "is_certified_good": is_certified_good,
    "is_certified_bad": is_certified_bad,
    "is_low_statistics": is_low_statistics,
    "is_partly_bad": is_partly_bad,
    "status_summary": status_summary,
    "bad_reason": bad_reason,
    **{name: _has_problem(phrases) for name, phrases in PROBLEMS.items()},
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

    Attributes:
        of_run: The runs observed -> the labels that hold for all their rows, and those that hold for none.

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
        self.of_run: dict[int | None, dict[str, bool]] = {}

    def observe(self, record: Record) -> None:
        """Learn what a record says about its run."""
        run = run_of(record)
        if run is None:
            return
        known = self.of_run.setdefault(run, {})
        for name in self.names:
            value = LABELS[name](record)
            if value or (value is False and name in PROBLEMS):
                known[name] = value or known.get(name, False)

    def apply(self, record: Record) -> dict[str, Any]:
        """A copy of the record with the labels of its run."""
        run = run_of(record)
        of_run = {} if run is None else self.of_run.get(run, {})
        labels = {name: of_run[name] if name in of_run else LABELS[name](record) for name in self.names}
        return {**record, **labels}


def run_of(record: Record) -> int | None:
    """The run that a record is of, None if it doesn't say."""
    return whole(record.get("run_number"))


def _contains(record: Record, column: str, part: str) -> bool | None:
    text = record.get(column)
    return part in text if isinstance(text, str) else None


def _either(*flags: bool | None) -> bool | None:
    """Logical or of flags, None if unknown: true if one is, false if all are, else (or of none) unknown."""
    if any(flags):
        return True
    return None if None in flags or not flags else False
