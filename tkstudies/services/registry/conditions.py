"""Conditions on Run Registry rows, ``FIELD[__OP]=VALUE``: what v4's server is asked, what is decided here.

The server takes some conditions wrongly without a word (an unknown attribute or operator matches nothing, a
number sent as text compares as text, an absent count isn't zero). So only known fields are sent, typed, in
forms that were seen to work: one ``and`` list, with every ``or`` inside one field or one table.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tkstudies.errors import UsageError
from tkstudies.jsonl import Record
from tkstudies.services.recos import RECOS
from tkstudies.services.registry.records import BASE_FIELDS, COMPONENTS, STATUSES, V4_FIELDS, WORDS
from tkstudies.services.runselection import Numbers, RunSelection

Rule = dict[str, Any]

SYMBOLS = {
    "eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "like": "like", "notlike": "notlike",
}  # fmt: skip
DEFAULT_STATES = ("OPEN", "SIGNOFF", "COMPLETED")
STATES = (*DEFAULT_STATES, "waiting dqm gui", "not significant for workspace")

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt,
    "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip

_OMS_ATTRIBUTES = {
    "number": "energy b_field l1_rate duration end_lumi init_lumi run_number fill_number ls_duration "
    "recorded_lumi delivered_lumi hlt_physics_rate hlt_physics_size hlt_physics_counter l1_triggers_counter "
    "hlt_physics_throughput initial_prescale_index",
    "text": "l1_key hlt_key l1_menu end_time sequence clock_type start_time l1_hlt_mode last_update "
    "trigger_mode cmssw_version l1_key_stripped fill_type_party1 fill_type_party2 injection_scheme "
    "fill_type_runtime l1_hlt_mode_stripped",
    "flag": "dt_included es_included csc_included daq_included dcs_included dqm_included rpc_included "
    "trg_included ecal_included hcal_included scal_included tcds_included pixel_included tracker_included "
    "stable_beam tier0_transfer beams_present_and_stable",
}
_COLUMNS = {  # by workspace
    "dc": "lowlumi", "dt": "dt", "cms": "cms", "csc": "csc", "hlt": "hlt", "l1t": "l1t l1tmu l1tcalo",
    "rpc": "rpc", "tau": "tau", "btag": "btag", "ecal": "ecal es", "hcal": "hcal", "lumi": "lumi",
    "muon": "muon", "egamma": "egamma", "global": "", "jetmet": "jetmet", "tracker": "pixel strip track",
}  # fmt: skip
COLUMNS = [f"{workspace}-{name}" for workspace, names in _COLUMNS.items() for name in names.split()]

# Server's name of a field -> its type there: number, text, flag, member (of a list)
SERVER_FIELDS: dict[str, str] = {
    "run_number": "number",
    "name": "text",
    "version": "number",
    "datasets_in_gui": "member",
    "rr_attributes.class": "text",
    "rr_attributes.state": "text",
    "rr_attributes.stop_reason": "text",
    "rr_attributes.significant": "flag",
    "rr_attributes.short_run": "flag",
    **{f"oms_attributes.{name}": kind for kind, names in _OMS_ATTRIBUTES.items() for name in names.split()},
    **{f"dataset_attributes.{workspace}_state": "text" for workspace in _COLUMNS},
}
# Our names, and those of the official client, of fields that the server can decide on
ALIASES = {
    "rda_name": "name",
    "dataset_name": "name",
    "gui_datasets": "datasets_in_gui",
    "run_class_name": "rr_attributes.class",
    "class": "rr_attributes.class",
    "fill_number": "oms_attributes.fill_number",
    "start_time": "oms_attributes.start_time",
    "tracker_state": "dataset_attributes.tracker_state",
    "global_state": "dataset_attributes.global_state",
}
_OPERATORS = {
    "number": ("eq", "ne", "gt", "gte", "lt", "lte"),
    "count": ("eq", "ne", "gt", "gte", "lt", "lte"),
    "text": tuple(SYMBOLS),
    "flag": ("eq", "ne"),
    "member": ("eq",),
    "texts": ("like", "notlike"),
    "record": tuple(SYMBOLS),
}


@dataclass(frozen=True)
class Condition:
    """One condition: on a field of the server (``rules`` is what to send) or, without rules, of records."""

    name: str
    operator: str
    value: Any
    rules: tuple[Rule, ...] = ()

    def holds(self, record: Record) -> bool:
        """Does the record fulfil it? Null fulfils only ne and notlike."""
        found, wanted = record.get(self.name), self.value
        if found is None:
            return self.operator in ("ne", "notlike")
        if self.operator in ("like", "notlike"):
            matches = _like(wanted).match(str(found)) is not None
            return matches == (self.operator == "like")
        if isinstance(found, (int, float)):
            number = _number(wanted)
            return number is not None and _COMPARE[self.operator](found, number)
        return _COMPARE[self.operator](str(found), str(wanted))


@dataclass(frozen=True)
class Query:
    """Which rows of the registry are wanted, whichever API has them.

    Attributes:
        selection: Which runs.
        workspace: ``tracker`` or ``global``.
        recos: Only these reconstructions; empty for all rows, those without a known one included.
        states: Only these states (of online rows: the run's); None for all.
        conditions: All of these hold.
        excluded: Parts of dataset and class names; every row of a run that has one of them in any row goes.
    """

    selection: RunSelection
    workspace: str = "tracker"
    recos: tuple[str, ...] = ()
    states: tuple[str, ...] | None = DEFAULT_STATES
    conditions: tuple[Condition, ...] = ()
    excluded: tuple[str, ...] = ()

    def keeps(self, record: Record) -> bool:
        """Do reconstruction, state and the conditions that are decided here hold for a record?"""
        if self.recos and record["reco"] not in self.recos:
            return False
        if self.states is not None and record["rda_state"] not in self.states:
            return False
        return all(condition.holds(record) for condition in self.conditions if not condition.rules)


COSMICS = ("osmic",)
NON_REGULAR = ("ecial", "ommiss")


# --- parsing


def parse(text: str, api: str = "v4") -> Condition:
    """A condition out of ``FIELD[__OP]=VALUE``.

    >>> parse("run_number__gte=327596").rules
    ({'run_number': {'>=': 327596}},)
    >>> parse("strip=BAD").rules
    ()

    Raises:
        UsageError: The field, the operator or the value is not known or doesn't fit.
    """
    left, given, value = text.partition("=")
    name, separator, op = left.strip().rpartition("__")
    if not separator:
        name, op = left.strip(), "eq"
    if not given or not name:
        raise UsageError(f"--filter {text!r}: expected FIELD=VALUE or FIELD__OP=VALUE, such as strip=BAD")
    if op not in SYMBOLS:
        raise UsageError(f"--filter {text!r}: unknown operator {op!r}: known are {', '.join(SYMBOLS)}")
    if api == "v3":
        if name not in BASE_FIELDS:
            raise UsageError(
                f"--filter {text!r}: unknown field {name!r}: --api v3 knows {', '.join(BASE_FIELDS)}"
            )
        return _on_record(text, name, op, value)
    path, kind = _server_field(text, name)
    if not path:
        return _on_record(text, name, op, value)
    _check_operator(text, op, kind)
    return Condition(name, op, value, _rules(path, kind, op, _typed(text, kind, value)))


def _server_field(text: str, name: str) -> tuple[str, str]:
    """The server's name and type of a field; an empty name for a field of our record."""
    path = ALIASES.get(name, name)
    if path in SERVER_FIELDS:
        return path, SERVER_FIELDS[path]
    if name in BASE_FIELDS or name in V4_FIELDS:
        return "", "record"
    column, _, status = name.removeprefix("triplet_summary.").rpartition(".")
    column = COMPONENTS.get(column, column)
    if column in COLUMNS:
        if status in ("comments", "causes"):
            return f"triplet_summary.{column}.{status}", "texts"
        if status.upper() in STATUSES:
            return f"triplet_summary.{column}.{status.upper()}", "count"
        known = ", ".join((*STATUSES, "comments", "causes"))
        raise UsageError(f"--filter {text!r}: {column} has no {status!r}: known are {known}")
    raise UsageError(f"--filter {text!r}: unknown field {name!r}: {_known_fields(name)}")


def _known_fields(name: str) -> str:
    """What there is, in the part of the tree that the user seems to mean."""
    for prefix in ("oms_attributes.", "rr_attributes.", "dataset_attributes."):
        if name.startswith(prefix):
            return "known are " + ", ".join(path for path in SERVER_FIELDS if path.startswith(prefix))
    if name.startswith("triplet_summary.") or "-" in name:
        return f"known are counts such as tracker-strip.BAD__gt=0, of the columns {', '.join(COLUMNS)}"
    ours = dict.fromkeys([*BASE_FIELDS, *V4_FIELDS, *ALIASES, "version"])
    return (
        f"known are {', '.join(ours)}, tracker-strip.BAD and the like for counts of lumisections, "
        "rr_attributes.X, oms_attributes.X, dataset_attributes.X"
    )


def _check_operator(text: str, op: str, kind: str) -> None:
    if op not in _OPERATORS[kind]:
        known = ", ".join(_OPERATORS[kind])
        raise UsageError(f"--filter {text!r}: the operator {op} doesn't fit the field: known are {known}")


def _on_record(text: str, name: str, op: str, value: str) -> Condition:
    numeric = name in ("run_number", "lumisections") or name.endswith("_fraction")
    if numeric:
        _check_operator(text, op, "number")
        _typed(text, "number", value)
    if op in ("eq", "ne") and (name in COMPONENTS or name in ("rda_state", "reco")):
        value = _known_word(text, name, value)
    return Condition(name, op, value)


def _known_word(text: str, name: str, value: str) -> str:
    known = {"rda_state": STATES, "reco": RECOS}.get(name, WORDS)
    for word in known:
        if word.lower() == value.lower():
            return word
    raise UsageError(f"--filter {text!r}: {name} is never {value!r}: known are {', '.join(known)}")


def _typed(text: str, kind: str, value: str) -> Any:
    if kind in ("number", "count"):
        number = _number(value)
        if number is None:
            raise UsageError(f"--filter {text!r}: {value!r} is not a number")
        return number
    if kind == "flag":
        if value.lower() not in ("true", "false"):
            raise UsageError(f"--filter {text!r}: expected true or false, not {value!r}")
        return value.lower() == "true"
    return value


def _number(text: Any) -> int | float | None:
    if isinstance(text, str) and not re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text.strip()):
        return None
    value = float(text)
    return int(value) if value.is_integer() else value


@lru_cache
def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE without regard to case, as the server has it: ``%`` any text, ``_`` one character.

    As a shell pattern, whose translation needs no more than quadratic time, however many ``%`` there are.
    """
    shell = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    translated = fnmatch.translate("".join(shell.get(c, c) for c in pattern))
    return re.compile(translated, re.IGNORECASE)


# --- what is sent to v4


def _rules(path: str, kind: str, op: str, value: Any) -> tuple[Rule, ...]:
    """One condition in the server's language, with what is absent meant as users mean it."""
    test: Rule = {SYMBOLS[op]: value}
    if kind == "count" and _COMPARE[op](0, value):  # no lumisection at all: the server stores no zero
        column = path.rpartition(".")[0]
        return {path: {"or": [test, {"=": None}]}}, {f"{column}.EMPTY": {"<>": None}}
    if "." in path and op in ("ne", "notlike"):  # a missing attribute is different too
        return ({path: {"or": [test, {"=": None}]}},)
    return ({path: test},)


def server_filter(query: Query) -> Rule:
    """The v4 filter of a query: a superset of its rows, narrowed down by Query.keeps."""
    rules = [
        *run_rules(query.selection),
        *_excluded_classes(query),
        *_reco_rules(query.recos),
        *_state_rules(query),
    ]
    rules += [rule for condition in query.conditions for rule in condition.rules]
    return {"and": rules}


def excluded_names_filter(query: Query) -> Rule:
    """The v4 filter of the datasets that exclude their run by name, where its class doesn't do so already."""
    names = {"name": {"or": [{"like": f"%{part}%"} for part in query.excluded]}}
    return {"and": [*run_rules(query.selection), *_excluded_classes(query), names]}


def run_rules(selection: RunSelection) -> list[Rule]:
    """The conditions on the run."""
    rules: list[Rule] = []
    if selection.runs is not None:
        rules.append(_in_ranges("run_number", selection.runs))
    if selection.fills is not None:
        rules.append(_in_ranges("oms_attributes.fill_number", selection.fills))
    if selection.since:
        rules.append({"oms_attributes.start_time": {">=": selection.since}})
    if selection.until:
        rules.append({"oms_attributes.start_time": {"<=": selection.until}})
    if selection.min_lumisections is not None:
        rules.append({"oms_attributes.ls_duration": {">=": selection.min_lumisections}})
    if selection.classes:
        rules.append({"rr_attributes.class": {"or": [{"=": name} for name in selection.classes]}})
    if selection.runtype:
        rules.append({"rr_attributes.class": {"like": f"%{selection.runtype}%"}})
    return rules


def _in_ranges(name: str, numbers: Numbers) -> Rule:
    ranges = numbers.ranges
    if name == "run_number" and len(ranges) > 100 and len(numbers) <= 50_000:
        return {name: list(numbers)}  # one condition for the database instead of hundreds
    tests = [{"=": a} if a == b else {"and": [{">=": a}, {"<=": b}]} for a, b in ranges]
    return {name: tests[0] if len(tests) == 1 else {"or": tests}}


def _excluded_classes(query: Query) -> list[Rule]:
    if not query.excluded:
        return []
    without = [{"notlike": f"%{part}%"} for part in query.excluded]
    return [{"rr_attributes.class": {"or": [{"and": without}, {"=": None}]}}]


def _reco_rules(recos: tuple[str, ...]) -> list[Rule]:
    if not recos:
        return []
    patterns = dict.fromkeys("rereco" if reco.startswith("rereco") else reco for reco in recos)
    tests = [{"=": "online"} if part == "online" else {"like": f"%{part}%"} for part in patterns]
    return [{"name": {"or": tests}}]


def _state_rules(query: Query) -> list[Rule]:
    """The states of datasets; those of online rows are the run's, another table, and are decided here."""
    if query.states is None:
        return []
    in_state = {
        f"dataset_attributes.{query.workspace}_state": {"or": [{"=": state} for state in query.states]}
    }
    if query.recos and "online" not in query.recos:
        return [in_state]
    return [{"or": [{"name": {"=": "online"}}, in_state]}]
