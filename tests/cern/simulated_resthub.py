"""The simulated Run Registry, version 3: its tables, with the contents of the version 4 datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.cern.simulated_registry import TRACKER_COLUMNS
from tests.cern.simulated_runs import SimulatedRun

Table = tuple[list[str], list[tuple[Any, ...]]]


def word(counts: dict[str, Any] | None) -> str | None:
    """The one word that version 3 had for a component."""
    numbers = {k: v for k, v in (counts or {}).items() if k not in ("EMPTY", "causes", "comments") and v}
    if not numbers:
        return None
    if "GOOD" in numbers:
        return "GOOD"
    status = max(sorted(numbers), key=lambda key: numbers[key])
    return "NOTSET" if status == "NO VALUE FOUND" else status


def resthub_tables(datasets: list[dict[str, Any]], runs: dict[int, SimulatedRun]) -> dict[tuple[str, str], Table]:
    """The tables of version 3, with the contents of the version 4 datasets."""
    tables: dict[tuple[str, str], Table] = {}
    for workspace, state_key, components in (
        ("tracker", "tracker_state", ("PIXEL", "STRIP", "TRACKING")),
        ("global", "global_state", ("PIX", "STRIP", "TRACK")),
    ):
        names = [f"RDA_CMP_{c}{suffix}" for c in components for suffix in ("", "_CAUSE", "_COMMENT")]
        header = ["RUN_NUMBER", "RUN_CLASS_NAME", "RDA_NAME", "RDA_WOR_NAME", "RDA_STATE", "RDA_LAST_SHIFTER"]
        rows, lumis = [], []
        for dataset in datasets:
            state = dataset["dataset_attributes"].get(state_key)
            if dataset["name"] == "online":
                state = dataset["Run"]["rr_attributes"]["state"]
            if dataset["deleted"] or state not in ("OPEN", "SIGNOFF", "COMPLETED"):
                continue
            number, name = dataset["run_number"], _old_name(dataset["name"], runs[dataset["run_number"]])
            values: list[Any] = []
            for column in TRACKER_COLUMNS:
                counts = dataset["DatasetTripletCache"]["triplet_summary"].get(column)
                texts = (" | ".join((counts or {}).get(key, ())) or None for key in ("causes", "comments"))
                values += [word(counts), *texts]
            fixed = (number, dataset["Run"]["rr_attributes"]["class"], name, workspace.upper(), state)
            rows.append((*fixed, f"Shifter {number % 7}", *values))
            for first, last in dataset["DatasetTripletCache"]["dcs_ranges"].get("tob_ready", {}).get("TRUE", ()):
                lumis.append((number, name, first, last, 1))
        tables[f"runreg_{workspace}", "datasets"] = ([*header, *names], rows)
        tables[f"runreg_{workspace}", "dataset_lumis"] = (
            ["RUN_NUMBER", "RDA_NAME", "RDR_SECTION_FROM", "RDR_SECTION_TO", "LSE_TIBTID"],
            lumis,
        )
        seen = {d["run_number"]: d["Run"]["rr_attributes"] for d in datasets}
        tables[f"runreg_{workspace}", "runs"] = (
            ["RUN_NUMBER", "RUN_CLASS_NAME", "RUN_STATE", "RUN_FILL"],
            [(run, seen[run]["class"], seen[run]["state"], runs[run].fill) for run in sorted(seen)],
        )
    tables["runinfo", "runs"] = (
        ["RUN_NUMBER", "LHCFILL", "STARTTIME", "STOPTIME"],
        [(r.number, r.fill, f"{r.start:%Y-%m-%d %H:%M:%S}", f"{r.end:%Y-%m-%d %H:%M:%S}") for r in runs.values()],
    )
    tables["runinfo", "lumi_sections"] = (
        ["RUN_NUMBER", "LHCFILL", "LUMISECTION", "CMS_ACTIVE", "DELIVLUMISECTION", "LIVELUMISECTION"],
        [row for run in runs.values() for row in _lumi_rows(run)],
    )
    return tables


def _lumi_rows(run: SimulatedRun) -> Iterator[tuple[Any, ...]]:
    delivered = round(run.inst_lumi * 0.2331, 6)
    live = round(0.93 * delivered, 6)
    for number in range(1, run.last + 1):
        yield (run.number, run.fill, number, 0 if number == 1 and run.last > 5 else 1, delivered, live)


def _old_name(name: str, run: SimulatedRun) -> str:
    if name == "online":
        return "/Global/Online/ALL"
    return name.replace("/Express/Collisions2018/", f"/Express/Collisions2018{run.era[-1]}/")
