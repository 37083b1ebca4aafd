"""What people on shift wrote down: TkDQMDoctor, Certification Helper, and the run summaries of WBM."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Any

from tests.cern.simulated_runs import PROBLEMS, SimulatedRun


class ShiftRecords:
    """The answers of the three services, in their wire format."""

    def __init__(self, runs: dict[int, SimulatedRun], dqm_datasets: Callable[[int], list[str]]) -> None:
        self._runs = runs
        self._dqm_datasets = dqm_datasets

    def _gui_dataset(self, run: SimulatedRun, reco: str) -> str:
        part = {"express": "-Express-", "prompt": "-PromptReco-"}[reco]
        return next((name for name in self._dqm_datasets(run.number) if part in name), "")

    @cached_property
    def _certified(self) -> list[tuple[SimulatedRun, str, int]]:
        """(run, reco, reference run) of what the shift leaders certified in the doctor."""
        rows = []
        reference = 0
        for run in self._runs.values():
            if (
                run.is_cosmics
                or not run.has_beam
                or not 315252 <= run.number < 326000
                or run.run_class != "Collisions18"
            ):
                continue
            if reference == 0 or (run.fate.kind == "good" and run.last > 900):
                reference = run.number
            rows += [(run, reco, reference) for reco in ("express", "prompt") if run.number % 17 or reco == "express"]
        return rows

    @cached_property
    def doctor_runs(self) -> list[dict[str, Any]]:
        """``/json/runs/``; one (run, reco) appears twice."""
        rows = [self._doctor_run(*row) for row in self._certified]
        again = next(row for row in rows if row["run_number"] == 317527 and row["type__reco"] == "Express")
        position = rows.index(again) + 1
        rows.insert(position, {**again, "comment": "certified twice by mistake", "date": "2018-06-30"})
        return rows

    def _doctor_run(self, run: SimulatedRun, reco: str, reference: int) -> dict[str, Any]:
        fate = run.fate
        disagrees = run.number % 13 == 0  # the doctor's first look was corrected in the registry
        words = dict.fromkeys(("pixel", "sistrip", "tracking"), "Good")
        if fate.is_bad and not disagrees:
            words["tracking"] = "Lowstat" if fate.kind == "low_statistics" else "Bad"
            words["pixel"] = "Bad" if fate.kind in ("pixel_hv", "off") else "Good"
            words["sistrip"] = "Bad" if fate.kind in ("strip_hv", "charge", "hole", "off") else "Good"
        elif disagrees and not fate.is_bad:
            words["tracking"] = "Bad"
        low = fate.kind == "low_statistics"
        reco_name = reco.capitalize()
        dataset = self._gui_dataset(run, reco)
        same = {"runtype": "Collisions", "bfield": "3.8 T", "beamtype": "Proton-Proton", "beamenergy": "13 TeV"}
        comment = fate.comment or ("pixel was excluded" if fate.kind == "pixel_excluded" else "")
        return {
            "run_number": run.number,
            "type__reco": reco_name,
            **{f"type__{name}": value for name, value in same.items()},
            "type__dataset": dataset,
            "reference_run__reference_run": reference,
            "reference_run__reco": reco_name,
            **{f"reference_run__{name}": value for name, value in same.items()},
            "reference_run__dataset": self._dqm_datasets(reference)[0],
            "trackermap": "Exists",
            "number_of_ls": run.last,
            "int_luminosity": f"{run.recorded:.2f}",
            **words,
            **{f"{name}_lowstat": low for name in words},
            "comment": comment,
            "date": f"{run.end + timedelta(days=1):%Y-%m-%d}",
        }

    @cached_property
    def doctor_problems(self) -> list[dict[str, Any]]:
        """``/json/problems/``: the categories with the runs that have them."""
        names = dict.fromkeys(name for names in PROBLEMS.values() for name in names)
        holders: dict[str, list[list[Any]]] = {name: [] for name in names}
        for run, reco, _ in self._certified:
            for name in self._problem_names(run):
                holders[name].append([run.number, reco.capitalize()])
        return [
            {
                "id": index,
                "name": name,
                "description": "",
                "parent": None,
                "full_display_name": f"Tracker / {name}",
                "runs": holders[name],
            }
            for index, name in enumerate(names, 1)
        ]

    @staticmethod
    def _problem_names(run: SimulatedRun) -> list[str]:
        return PROBLEMS.get(run.fate.kind, []) if run.fate.is_bad else []

    @cached_property
    def doctor_problem_runs(self) -> list[dict[str, Any]]:
        """``/json/problem_runs/``: the runs with problems, and which."""
        identities = {problem["name"]: problem["id"] for problem in self.doctor_problems}
        return [
            {
                **self._doctor_run(run, reco, reference),
                "problem_names": list(names),
                "problem_ids": [identities[name] for name in names],
            }
            for run, reco, reference in self._certified
            if (names := self._problem_names(run))
        ]

    @cached_property
    def certhelper_reference_runs(self) -> list[dict[str, Any]]:
        """``/certify/allRunsRefRuns/`` of the Certification Helper."""
        return [
            {
                "run_number": run.number,
                "run_reconstruction_type": reco,
                "reference_run_number": reference,
                "reference_run_reconstruction_type": reco,
                "dataset": self._gui_dataset(run, reco),
            }
            for run, reco, reference in self._certified
        ]

    @cached_property
    def wbm_runs(self) -> list[dict[str, str]]:
        """The run summaries, newest first, all values text."""
        return [self._wbm_run(run) for run in reversed(self._runs.values()) if run.number < 330000]

    @staticmethod
    def _wbm_run(run: SimulatedRun) -> dict[str, str]:
        fill = "" if run.fill is None else str(run.fill)
        recorded, delivered = f"{run.recorded:.3f}", f"{run.delivered:.3f}"
        return {
            "run": str(run.number),
            "nLumiSections": str(run.last),
            "bField": "3.801",
            "lhcFill": fill,
            "fill": fill,
            "lhcEnergy": "6500" if run.has_beam else "0",
            "initLumi": f"{run.inst_lumi:.4f}",
            "endLumi": f"{0.92 * run.inst_lumi:.4f}",
            "runLumi": delivered,
            "runLiveLumi": recorded,
            "liveLumi": recorded,
            "recordedLumi": recorded,
            "delivLumi": delivered,
            "eff": "93.0" if run.has_beam else "",
            "lumiFillBegin": f"{run.inst_lumi:.4f}",
            "lumiFillEnd": f"{0.92 * run.inst_lumi:.4f}",
            "liveLumiFillBegin": f"{0.93 * run.inst_lumi:.4f}",
            "liveLumiFillEnd": f"{0.86 * run.inst_lumi:.4f}",
        }
