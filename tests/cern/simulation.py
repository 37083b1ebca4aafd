"""The simulated CMS of 2018 that the fixture server serves: one :class:`World`, the same for the same seed.

Real: the run numbers and lumisection ranges of the certification files, the OMS records and the tracking
map in ``tests/data``. Real wire format with invented contents: the captured Run Registry rows. Everything
else is made up in the ``simulated_*`` modules, without any code of the package.
"""

from __future__ import annotations

from functools import cached_property
from random import Random
from typing import Any

from tests.cern.simulated_histograms import (
    MAP_ONLINE_PATH,
    MAP_PATH,
    OCCUPANCY_PATH,
    Damage,
    Plot,
    cosmics_plots,
    histogram_text,
    map_text,
    occupancy_text,
    quick_plots,
    real_map_text,
)
from tests.cern.simulated_modules import module_plots
from tests.cern.simulated_oms import OmsRecords
from tests.cern.simulated_registry import Registry
from tests.cern.simulated_resthub import Table, resthub_tables
from tests.cern.simulated_runs import NO_PROMPT, SimulatedRun, conditions, make_runs
from tests.cern.simulated_shift import ShiftRecords

ONLINE_DATASET = "/Global/Online/ALL"
PROVENANCE = "Info/ProvInfo"
INCOMPLETE = (317696, 320064)  # harvesting of their express datasets has not finished
NOTHING_ONLINE = (317478, 320002)

# Datasets beside the usual ones of a run: other campaigns, versions and names that the choice rules meet.
EXTRA_DATASETS = {
    306631: ("/SingleTrack/Run2017G-17Nov2017-v1/DQMIO", "/ZeroBias/Run2017G-17Nov2017-v1/DQMIO"),
    317080: (
        "/ZeroBias/Run2018B-17Sep2018-v1/DQMIO",
        "/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO",
        "/ZeroBias/Run2018B-12Nov2019_UL2018-v10/DQMIO",
        "/JetHT/Run2018B-17Sep2018-v1/DQMIO",
    ),
    325680: (
        "/StreamExpressCosmics/Run2018E-Express-v1/DQMIO",
        "/Cosmics/Run2018E-PromptReco-v1/DQMIO",
        "/ZeroBias/Run2018E-PromptReco-v1/DQMIO",
    ),
    327489: (
        "/StreamHIExpress/HIRun2018A-Express-v1/DQMIO",
        "/HIMinimumBias0/HIRun2018A-PromptReco-v2/DQMIO",
        "/HIMinimumBias1/HIRun2018A-PromptReco-v1/DQMIO",
        "/HIMinimumBias1/HIRun2018A-PromptReco-v2/DQMIO",
    ),
    353001: (
        "/StreamExpress/Run2022A-Express-v1/DQMIO",
        "/ZeroBias/Run2022A-PromptReco-v1/DQMIO",
        "/ZeroBias/Run2022A-10Dec2022-v1/DQMIO",
        "/ZeroBias/Run2022A-19Jan2023-v1/DQMIO",
        "/ZeroBias/Run2022A-19Jan2023-v2/DQMIO",
    ),
    374810: (
        "/StreamHIExpressRawPrime/HIRun2023A-Express-v1/DQMIO",
        "/StreamHIExpressRawPrime/HIRun2023A-Express-v2/DQMIO",
        "/HIPhysicsRawPrime1/HIRun2023A-PromptReco-v2/DQMIO",
        "/HIPhysicsRawPrime0/HIRun2023A-PromptReco-v2/DQMIO",
    ),
    379415: ("/StreamExpress/Run2024C-Express-v1/DQMIO", "/ZeroBias/Run2024C-PromptReco-v1/DQMIO"),
    387500: (
        "/StreamExpress/Run2024J-Express-v1/DQMIO",
        "/PPRefZeroBiasPlusForward1/Run2024J-PromptReco-v1/DQMIO",
        "/PPRefZeroBiasPlusForward0/Run2024J-PromptReco-v1/DQMIO",
    ),
    394154: (
        "/StreamExpress/OORun2025-Express-v1/DQMIO",
        "/IonPhysics10/OORun2025-PromptReco-v1/DQMIO",
        "/IonPhysics2/OORun2025-PromptReco-v1/DQMIO",
        "/Cosmics/OORun2025-PromptReco-v1/DQMIO",
    ),
    399100: (
        "/StreamHIExpressRawPrime/HIRun2025A-Express-v1/DQMIO",
        "/HIForward0/HIRun2025A-PromptReco-v1/DQMIO",
        "/HIPhysicsRawPrime3/HIRun2025A-PromptReco-v1/DQMIO",
        "/SpecialHLTPhysics0/HIRun2025A-PromptReco-v1/DQMIO",
    ),
    399200: ("/StreamHIExpressRawPrime/HIRun2025A-Express-v1/DQMIO", "/JetHT/HIRun2025A-PromptReco-v1/DQMIO"),
}


class World:
    """The simulated CMS of 2018, deterministic for a seed; everything is made when asked for."""

    def __init__(self, seed: int = 2018) -> None:
        self.seed = seed
        self._texts: dict[tuple[str, int, str, str], str | None] = {}  # made once: many tests ask for the same ones

    @cached_property
    def runs(self) -> dict[int, SimulatedRun]:
        """All runs by number, in order."""
        return make_runs(self.seed)

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self.seed, self.runs, self.dqm_datasets)

    def truth(self, run: int, reco: str = "express") -> dict[str, Any]:
        """What is wrong with a run, for tests: ``kind``, ``strength`` and whether tracking is BAD.

        All reconstructions of a run share its fate, but ``online`` has no word for tracking.
        """
        fate = self.runs[run].fate
        return {"kind": fate.kind, "strength": fate.strength, "is_bad": fate.is_bad and reco != "online"}

    # --- Run Registry

    @cached_property
    def _datasets(self) -> list[dict[str, Any]]:
        return list(self._registry.datasets())

    def registry_datasets(self) -> list[dict[str, Any]]:
        """Every dataset, visible and hidden, in the full wire form. Shared: not to be changed."""
        return self._datasets

    def registry_lumisections(self, run: int, name: str) -> list[dict[str, dict[str, str]]]:
        """One ``{column: {"status", "comment", "cause"}}`` per lumisection, [] if there are none."""
        return self._registry.lumisections(run, name)

    def oms_flags(self, run: int) -> list[dict[str, Any]]:
        """One ``{bit: true/false/null}`` per lumisection, with its luminosities and prescale."""
        return self._registry.oms_flags(run)

    @cached_property
    def _resthub_tables(self) -> dict[tuple[str, str], Table]:
        return resthub_tables(self._datasets, self.runs)

    def resthub_tables(self) -> dict[tuple[str, str], Table]:
        """Run Registry v3: ``{(namespace, table): (column names, rows)}``."""
        return self._resthub_tables

    # --- OMS

    @cached_property
    def _oms(self) -> OmsRecords:
        return OmsRecords(self.seed, self.runs)

    def oms_rows(self, resource: str, run: int | None = None, fill: int | None = None) -> list[dict[str, Any]]:
        """The rows of an OMS resource, of one run or fill if given; KeyError for an unknown resource."""
        return self._oms.rows(resource, run, fill)

    # --- DQM GUI

    def dqm_datasets(self, run: int) -> list[str]:
        """The offline datasets of a run, [] if it is unknown."""
        if run in EXTRA_DATASETS and run != 317080:
            return list(EXTRA_DATASETS[run])
        record = self.runs.get(run)
        if record is None or (record.run_class == "Commissioning18" and not record.has_beam):
            return []
        era = record.era if record.era.startswith("Commissioning") else f"Run{record.era}"
        version = self._prompt_version(record)
        if record.is_cosmics:
            return [f"/StreamExpressCosmics/{era}-Express-v1/DQMIO", f"/Cosmics/{era}-PromptReco-v{version}/DQMIO"]
        if record.is_heavy_ion:
            return [name for name in EXTRA_DATASETS[327489] if not name.endswith("-v1/DQMIO") or "Express" in name]
        names = [f"/StreamExpress/{era}-Express-v1/DQMIO", f"/StreamExpressAlignment/{era}-Express-v1/ALCAPROMPT"]
        if run not in NO_PROMPT:
            primary = "ZeroBias" if run % 40 else "ZeroBias2"
            names += [f"/{name}/{era}-PromptReco-v{version}/DQMIO" for name in (primary, "SingleMuon", "JetHT")]
            if run % 40 == 0:
                names.append(f"/ZeroBias10/{era}-PromptReco-v{version}/DQMIO")
            if version > 1 and run % 3 == 0:
                names.append(f"/ZeroBias/{era}-PromptReco-v{version - 1}/DQMIO")
        if record.era == "2018B" and (run % 4 == 0 or run <= 317297):
            names.append("/ZeroBias/Run2018B-17Sep2018-v1/DQMIO")
        if record.era == "2018B" and (run % 8 == 0 or run in (317291, 317292)):
            names.append("/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO")
        return [*names, *(name for name in EXTRA_DATASETS.get(run, ()) if name not in names)]

    def _prompt_version(self, record: SimulatedRun) -> int:
        limits = {"2018A": (315700, 316300), "2018B": (317650,), "2018C": (319700, 320000), "2018D": (322000,)}
        return 1 + sum(record.number >= limit for limit in limits.get(record.era, ()))

    def dqm_runs(self, service: str) -> list[int]:
        """The runs that the ``offline`` or the ``online`` GUI knows."""
        if service == "online":
            return [run for run in self.runs if self._is_online(run)]
        return [run for run in self.runs if self.dqm_datasets(run)]

    def _is_online(self, run: int) -> bool:
        return run in self.runs and run not in NOTHING_ONLINE

    @cached_property
    def _paths(self) -> dict[tuple[str, bool], dict[str, Plot]]:
        """Plots by path, for (service, cosmics)."""
        result: dict[tuple[str, bool], dict[str, Plot]] = {}
        for service in ("offline", "online"):
            detector = [plot for plot in quick_plots() if plot.collection != "tracking"]
            for cosmics in (False, True):
                plots = [*detector, *cosmics_plots()] if cosmics else quick_plots()
                paths = {getattr(plot, service): plot for plot in plots}
                paths.pop(None, None)
                result[service, cosmics] = paths
        return result

    def _has_plot(self, run: SimulatedRun, dataset: str, plot: Plot) -> bool:
        """A few plots are missing here and there; of the tracking collection only in 2018A."""
        if plot.collection in ("tracking", "cosmics"):
            return not (run.era == "2018A" and run.number % 29 == 0 and "tobTec" in plot.name)
        return Random(f"{self.seed}/missing/{run.number}/{dataset}/{plot.name}").random() > 0.01

    def dqm_knows(self, service: str, run: int, dataset: str) -> bool:
        """Does the GUI have this dataset of the run?"""
        if service == "online":
            return dataset == ONLINE_DATASET and self._is_online(run)
        return dataset in self.dqm_datasets(run)

    def dqm_text(self, service: str, run: int, dataset: str, path: str) -> str | None:
        """The text of the jsonfairy answer, None if there is no such histogram."""
        key = service, run, dataset, path
        if key not in self._texts:
            self._texts[key] = self._dqm_text(*key)
        return self._texts[key]

    def _dqm_text(self, service: str, run: int, dataset: str, path: str) -> str | None:
        if not self.dqm_knows(service, run, dataset):
            return None
        if (service, run, path) == ("online", 321012, MAP_ONLINE_PATH):
            return real_map_text()
        record = self.runs[run]
        reco = self._reco(dataset)
        now = conditions(self.seed, record, reco, dataset)
        rng = Random(f"{self.seed}/{run}/{dataset}/{path}")
        if path == (MAP_ONLINE_PATH if service == "online" else MAP_PATH) and not record.is_cosmics:
            return map_text(now, rng)
        if path == OCCUPANCY_PATH:
            return occupancy_text(now, rng)
        if path in module_plots(service):
            return module_plots(service)[path](now, rng)
        plot = self._paths[service, record.is_cosmics].get(path)
        if plot is None or not self._has_plot(record, dataset, plot):
            return None
        return histogram_text(plot, now, rng, self._damage(run, plot))

    @staticmethod
    def _reco(dataset: str) -> str:
        if dataset == ONLINE_DATASET:
            return "online"
        if "-Express-" in dataset:
            return "express"
        return "prompt" if "-PromptReco-" in dataset else "rereco"

    @staticmethod
    def _damage(run: int, plot: Plot) -> Damage | None:
        """The answers that are not JSON: in three pixel plots, and in one tracking plot outside 2018B."""
        if plot.feature == "residual.x.PXForward":
            return Damage(not_finite=run % 11 == 0, bare_nan=run % 13 == 0)
        if plot.feature == "residual.y.PXForward":
            return Damage(apostrophe=run % 7 == 0)
        if plot.feature == "TrackPt" and not 317080 <= run < 319337:
            return Damage(bare_nan=run % 101 == 0)
        return None

    def dqm_folder(self, service: str, run: int, dataset: str, folder: str) -> list[dict[str, Any]]:
        """What a folder holds, as the GUI lists it; [] for what does not exist."""
        if not self.dqm_knows(service, run, dataset):
            return []
        folder = folder.strip("/")
        if folder == PROVENANCE:
            complete = service == "online" or run not in INCOMPLETE or "-Express-" not in dataset
            values = {"CMSSW": "CMSSW_10_1_7", "hostName": "simulated", "runIsComplete": str(int(complete))}
            return [{"obj": name, "path": f"{folder}/{name}", "value": value} for name, value in values.items()]
        record = self.runs[run]
        paths = [
            p
            for p, plot in self._paths[service, record.is_cosmics].items()
            if self._has_plot(record, dataset, plot) and p not in module_plots(service)
        ]
        paths += [*module_plots(service), OCCUPANCY_PATH]
        if not record.is_cosmics:
            paths.append(MAP_ONLINE_PATH if service == "online" else MAP_PATH)
        paths.append(f"/{PROVENANCE}/runIsComplete")
        prefix = f"/{folder}/" if folder else "/"
        rest = [path[len(prefix) :] for path in sorted(paths) if path.startswith(prefix)]
        subfolders = dict.fromkeys(path.split("/")[0] for path in rest if "/" in path)
        objects = [path for path in rest if "/" not in path]
        return [
            *({"subdir": name} for name in subfolders),
            *({"obj": name, "path": f"{folder}/{name}".lstrip("/")} for name in objects),
        ]

    # --- TkDQMDoctor, Certification Helper, WBM

    @cached_property
    def shift(self) -> ShiftRecords:
        """What the shift leaders' services and WBM serve."""
        return ShiftRecords(self.runs, self.dqm_datasets)

    @property
    def doctor_runs(self) -> list[dict[str, Any]]:
        """``/json/runs/``; one (run, reco) appears twice."""
        return self.shift.doctor_runs

    @property
    def doctor_problem_runs(self) -> list[dict[str, Any]]:
        """``/json/problem_runs/``: the runs with problems, and which."""
        return self.shift.doctor_problem_runs

    @property
    def doctor_problems(self) -> list[dict[str, Any]]:
        """``/json/problems/``: the categories with the runs that have them."""
        return self.shift.doctor_problems

    @property
    def certhelper_reference_runs(self) -> list[dict[str, Any]]:
        """``/certify/allRunsRefRuns/`` of the Certification Helper."""
        return self.shift.certhelper_reference_runs

    @property
    def wbm_runs(self) -> list[dict[str, str]]:
        """The WBM run summaries, newest first, all values text."""
        return self.shift.wbm_runs
