"""From what the Run Registry stores to flat records: names, reconstruction, one word for each component."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tkstudies.errors import UsageError
from tkstudies.records import Record, number, whole
from tkstudies.services.registry import shapes
from tkstudies.services.registry.fields import COMPONENTS, STATUSES

Counts = dict[str, int]
StatusRule = Callable[[Counts], str]

LOW_FRACTION = 0.95  # GOOD below that deserves a word

_WORST_FIRST = STATUSES[:4]
_TEXTS = ("causes", "comments")
_NOBODYS = ("", "EMPTY", "NULL", "UNDEFINED")  # a null that became a key of counts is the word null
_ACTIVE = ("cms_active", "beam1_stable", "beam2_stable")
RULES = ("any-good", "majority", "worst", "fraction=X")


def reco_of_name(name: str) -> str | None:
    """The reconstruction that a dataset name of the registry speaks of.

    Source: the tracker group's certification helper, extended by the online datasets of v3 and v4.

    >>> [reco_of_name(name) for name in ("online", "/Global/Online/ALL", "/PromptReco/TRKDelay", "/Test/DQM")]
    ['online', 'online', 'prompt', None]
    >>> [reco_of_name(name) for name in ("/ReReco/Run2017B_UL2019/DQM", "/Run2012D-22Jan2013ReReco/DQM")]
    ['rerecoul', 'rereco']
    """
    lower = name.lower()
    if lower == "online" or lower.startswith("/global/online/"):
        return "online"
    for part in ("express", "prompt"):
        if part in lower:
            return part
    if "rereco" in lower:
        return "rerecoul" if "UL" in name else "rereco"
    return None


def run_type_of(run_class: str | None) -> str | None:
    """The leading letters of a run class.

    >>> run_type_of("Collisions18SpecialRun"), run_type_of(None)
    ('Collisions', None)
    """
    letters = re.match(r"[A-Za-z]+", run_class or "")
    return letters[0] if letters else None


# --- one word out of counts


def status_rule(text: str) -> StatusRule:
    """How counts of lumisections by status become one word: a function of non-empty counts.

    ``any-good``: GOOD if there is any (what v3's word became when it was migrated), else the largest count;
    ``majority``: the largest count; ``worst``: the first present of BAD, STANDBY, EXCLUDED, NOTSET, GOOD;
    ``fraction=X``: GOOD if more than the fraction X is GOOD, else the largest of the others.

    >>> counts = {"GOOD": 35, "BAD": 5}
    >>> [status_rule(rule)(counts) for rule in ("any-good", "majority", "worst", "fraction=0.95")]
    ['GOOD', 'GOOD', 'BAD', 'BAD']

    Raises:
        UsageError: There is no such rule.
    """
    name, given, value = text.partition("=")
    if name == "fraction" and given:
        return _fraction_rule(value)
    rules = {"any-good": _any_good, "majority": _largest, "worst": _worst}
    if text not in rules:
        raise UsageError(f"--status-rule {text!r}: known are {', '.join(RULES)}")
    return rules[text]


def _any_good(counts: Counts) -> str:
    return "GOOD" if counts.get("GOOD") else _largest(counts)


def _largest(counts: Counts) -> str:
    return min(counts, key=lambda status: (-counts[status], _rank(status)))


def _worst(counts: Counts) -> str:
    return min(counts, key=_rank)


def _fraction_rule(value: str) -> StatusRule:
    try:
        least = float(value)
    except ValueError:
        least = -1.0
    if not 0 <= least < 1:
        raise UsageError(f"--status-rule fraction={value}: expected a number from 0 to below 1, such as fraction=0.95")

    def rule(counts: Counts) -> str:
        if counts.get("GOOD", 0) / sum(counts.values()) > least:
            return "GOOD"
        return _largest({status: number for status, number in counts.items() if status != "GOOD"})

    return rule


def _rank(status: str) -> tuple[int, str]:
    """The order of ties: the worst first, unknown words behind the known ones, GOOD last."""
    if status in _WORST_FIRST:
        return _WORST_FIRST.index(status), ""
    return (len(_WORST_FIRST) + (status == "GOOD"), status)


def status_word(status: Any) -> str | None:
    """A status as records have it, in capitals: nobody's judgement is None, a missing value NOTSET.

    >>> status_word("Good"), status_word("null"), status_word("EMPTY"), status_word("NO VALUE FOUND")
    ('GOOD', None, None, 'NOTSET')
    """
    word = (shapes.text(status) or "").strip().upper()
    return None if word in _NOBODYS else {"NO VALUE FOUND": "NOTSET"}.get(word, word)


def judged(entry: dict[str, Any] | None, odd: shapes.Odd | None = None) -> Counts:
    """How many lumisections have each status in an entry of ``triplet_summary``, but for those nobody judged.

    A count that is no number counts nothing and is noted in ``odd``.

    >>> judged({"BAD": 3, "GOOD": 4, "EMPTY": 3, "causes": ["y"], "comments": ["x bad"]})
    {'BAD': 3, 'GOOD': 4}
    """
    counts: Counts = {}
    for status, value in (entry or {}).items():
        word = None if status in _TEXTS else status_word(status)
        count = whole(value)
        if odd is not None and word and value is not None and (count is None or count < 0):
            odd.note(f"the number of {status} lumisections", value)
        if word and count and count > 0:
            counts[word] = counts.get(word, 0) + count
    return counts


# --- records


def v4_record(dataset: dict[str, Any], workspace: str, rule: StatusRule, odd: shapes.Odd | None = None) -> Record:
    """One element of a v4 listing as a flat record (BASE_FIELDS and V4_FIELDS).

    Args:
        dataset: As the server sends it; what is null or absent in it gives nulls.
        workspace: Whose states: ``tracker`` or ``global``.
        rule: How counts become one word (see status_rule).
        odd: Takes note of members that have another shape than they should have, which give nulls too.
    """
    odd = shapes.Odd() if odd is None else odd
    run = odd.members(dataset, "Run")
    attributes = odd.members(run, "rr_attributes")
    cache = odd.members(dataset, "DatasetTripletCache")
    summary = odd.members(cache, "triplet_summary")
    states = odd.members(dataset, "dataset_attributes")
    run_class = shapes.text(attributes.get("class"))
    name = shapes.text(dataset.get("name"))
    state = attributes.get("state") if name == "online" else states.get(f"{workspace}_state")
    record: Record = {
        "run_number": whole(dataset.get("run_number")),
        "reco": reco_of_name(name or ""),
        "run_type": run_type_of(run_class),
        "workspace": workspace,
        "rda_name": name,
        "rda_state": shapes.text(state),
        "run_class_name": run_class,
    }
    statuses: dict[str, Counts] = {}
    for component, column in COMPONENTS.items():
        entry = odd.members(summary, column)
        counts = judged(entry, odd)
        record[component] = rule(counts) if counts else None
        statuses[component] = counts
        record[f"{component}_cause"] = " | ".join(shapes.texts(entry.get("causes"))) or None
        record[f"{component}_comment"] = " | ".join(shapes.texts(entry.get("comments"))) or None
    bits = odd.members(cache, "dcs_summary")
    record["lumisections"] = number(odd.members(bits, "ls_duration").get("TRUE"))
    return {**record, **good_fractions(statuses, bits), "gui_datasets": shapes.texts(dataset.get("datasets_in_gui"))}


def good_fractions(counts: dict[str, Counts], bits: dict[str, Any]) -> Record:
    """The part of the lumisections in which each component is GOOD, and of which lumisections.

    Of those with CMS active and both beams stable (``active``) where the listing tells their number: it counts each
    bit for itself and not together with the statuses, so that the lumisections that aren't active are taken as the
    ones that aren't GOOD first. A component that is GOOD in just as many as are active and flagged for physics is
    GOOD in all that count (run 315265: 55 of 55; of 63 lumisections 5 have CMS inactive, 3 others no physics flag).
    Where it can't be (more are GOOD than active), in a run without stable beams and without these bits it is the part
    of all that were judged (``judged``).

    Args:
        counts: Judged lumisections by status, for each component.
        bits: ``dcs_summary``: TRUE, FALSE, NULL, EMPTY for each bit of the detector control system.

    >>> bits = {"cms_active": {"TRUE": 55, "FALSE": 8}, **dict.fromkeys(["beam1_stable", "beam2_stable"], {"TRUE": 63})}
    >>> good_fractions({"pixel": {"GOOD": 55, "BAD": 8}}, bits)
    {'pixel_good_fraction': 1.0, 'good_fraction_of': 'active'}
    >>> good_fractions({"pixel": {"GOOD": 60, "BAD": 3}}, bits)
    {'pixel_good_fraction': 0.9523809523809523, 'good_fraction_of': 'judged'}
    """
    flagged, active = _active(bits)
    known = [by_status for by_status in counts.values() if by_status]
    is_told = active > 0 and all(
        by_status.get("GOOD", 0) <= active or by_status.keys() == {"GOOD"} for by_status in known
    )
    record: Record = {}
    for name, by_status in counts.items():
        good, total = by_status.get("GOOD", 0), sum(by_status.values())
        if is_told and good < total:
            total = good if good == flagged > 0 else min(total, active)
        record[f"{name}_good_fraction"] = good / total if by_status else None
    record["good_fraction_of"] = None if not known else "active" if is_told else "judged"
    return record


def _active(bits: dict[str, Any]) -> tuple[int, int]:
    """How many lumisections have CMS active in stable beams: those flagged for physics, and all.

    (0, 0) where it isn't known.
    """
    known = [count for name in _ACTIVE if (count := _count(bits.get(name), "TRUE")) is not None]
    if len(known) < len(_ACTIVE):
        return 0, 0
    active = min(known)
    return active - (_count(bits.get("physics_flag"), "FALSE") or 0), active


def _count(entry: Any, status: str) -> int | None:
    count = entry.get(status) if isinstance(entry, dict) else None
    return count if type(count) is int and count >= 0 else None


def v3_record(row: dict[str, Any], workspace: str) -> Record:
    """One row of v3's datasets table, by lower-case column names, as a flat record (BASE_FIELDS)."""
    row = {**row, **{column: shapes.text(value) for column, value in row.items() if column != "run_number"}}
    record: Record = {
        "run_number": whole(row["run_number"]),
        "reco": reco_of_name(row["rda_name"] or ""),
        "run_type": run_type_of(row["run_class_name"]),
        "workspace": (row["rda_wor_name"] or workspace).lower(),
        "rda_name": row["rda_name"],
        "rda_state": row["rda_state"],
        "run_class_name": row["run_class_name"],
    }
    for component, column in v3_columns(workspace).items():
        record[component] = row[column] if status_word(row[column]) else None
        record[f"{component}_cause"] = row[f"{column}_cause"]
        record[f"{component}_comment"] = row[f"{column}_comment"]
    return record


def v3_columns(workspace: str) -> dict[str, str]:
    """The columns of the components, which the two workspaces of v3 spell differently."""
    short = workspace == "global"
    return {
        "pixel": "rda_cmp_pix" if short else "rda_cmp_pixel",
        "strip": "rda_cmp_strip",
        "tracking": "rda_cmp_track" if short else "rda_cmp_tracking",
    }


def flattened(value: dict[str, Any]) -> Record:
    """The server's own object with nested keys joined by ``__``; history and lumisections are dropped.

    >>> flattened({"Run": {"version": 3, "history": []}, "names": ["a"]})
    {'Run__version': 3, 'names': ['a']}
    """
    flat: Record = {}

    def add(prefix: str, part: dict[str, Any]) -> None:
        for key, member in part.items():
            if key in ("history", "lumisections"):
                continue
            if isinstance(member, dict):
                add(f"{prefix}{key}__", member)
            else:
                flat[prefix + key] = member

    add("", value)
    return flat
