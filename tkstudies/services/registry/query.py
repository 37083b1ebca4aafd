"""Which rows of the Run Registry are wanted, whichever API has them, and how v4's server is asked for them."""

from __future__ import annotations

from dataclasses import dataclass

from tkstudies.records import Record
from tkstudies.services.registry.conditions import Condition, Rule
from tkstudies.services.registry.fields import DEFAULT_STATES
from tkstudies.services.runselection import Numbers, RunSelection

# Parts of dataset and class names, for Query.excluded. They lack the first letter, as v4's ``like`` ignores case but
# v3 doesn't: they are in "Cosmics18" and "cosmics", "Special" and "special", "Commissioning18" and "commiss"
COSMICS = ("osmic",)
NON_REGULAR = ("ecial", "ommiss")


@dataclass(frozen=True)
class Query:
    """Which rows of the registry are wanted, whichever API has them.

    Attributes:
        selection: Which runs.
        workspace: ``tracker`` or ``global``.
        recos: Only these reconstructions; empty for all rows, those without a known one included.
        states: Only these states (of online rows: the run's); None for all.
        conditions: All of these hold.
        excluded: Parts of dataset and class names; a run with one of them in any row loses all its rows.
    """

    selection: RunSelection
    workspace: str = "tracker"
    recos: tuple[str, ...] = ()
    states: tuple[str, ...] | None = DEFAULT_STATES
    conditions: tuple[Condition, ...] = ()
    excluded: tuple[str, ...] = ()

    def keeps(self, record: Record) -> bool:
        """Does a record have a wanted reconstruction and state, and fulfil the conditions without rules?"""
        if self.recos and record["reco"] not in self.recos:
            return False
        if self.states is not None and record["rda_state"] not in self.states:
            return False
        return all(condition.holds(record) for condition in self.conditions if not condition.rules)


def server_filter(query: Query) -> Rule:
    """The filter that v4 is sent for a query. It lets more rows pass than the query: Query.keeps decides."""
    rules = [*_run_rules(query.selection), *_excluded_classes(query), *_reco_rules(query.recos), *_state_rules(query)]
    rules += [rule for condition in query.conditions for rule in condition.rules]
    return {"and": rules}


def excluded_names_filter(query: Query) -> Rule:
    """The filter of the datasets whose name excludes their run, but for runs that server_filter leaves out by class."""
    names = {"name": {"or": [{"like": f"%{part}%"} for part in query.excluded]}}
    return {"and": [*_run_rules(query.selection), *_excluded_classes(query), names]}


def _run_rules(selection: RunSelection) -> list[Rule]:
    """What v4 is sent for the conditions on the run."""
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
    """The states of datasets. Online rows have the state of the run, in another table: Query.keeps decides."""
    if query.states is None:
        return []
    in_state = {f"dataset_attributes.{query.workspace}_state": {"or": [{"=": state} for state in query.states]}}
    if query.recos and "online" not in query.recos:
        return [in_state]
    return [{"or": [{"name": {"=": "online"}}, in_state]}]
