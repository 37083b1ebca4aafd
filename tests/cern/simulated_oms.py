"""The simulated OMS: the real records of ``tests/data/oms``, and invented ones of their shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache, cached_property
from random import Random
from typing import Any

from tests.cern.simulated_histograms import DATA
from tests.cern.simulated_runs import SECONDS_PER_LUMISECTION, SimulatedRun

HLT_PATHS = (("HLT_ZeroBias_v6", 28.0), ("HLT_IsoMu24_v13", 230.0), ("HLT_PFJet500_v18", 11.0))
FEDS = {
    "bpix-": range(1200, 1228), "bpix+": range(1228, 1256), "fpix-": range(1296, 1310), "fpix+": range(1310, 1324),
    "tec-": range(260, 356), "tec+": range(164, 260), "tibtid": range(50, 164), "tob": range(356, 490),
    "eb+": range(628, 646), "dt": range(770, 775),
}  # fmt: skip
LUMI_UNITS = ("delivered_lumi", "recorded_lumi", "init_lumi", "end_lumi")


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _row(resource: str, identity: Any, record: dict[str, Any], units: dict[str, str]) -> dict[str, Any]:
    """A JSON:API resource object; units of fields that the record has."""
    row = {name: {"units": unit} for name, unit in units.items() if name in record}
    return {"id": str(identity), "type": resource, "attributes": record, "meta": {"row": row}}


@cache
def _real_rows(resource: str, key: str) -> dict[Any, dict[str, Any]]:
    """The real OMS records, with ``<field>_unit`` put back into the meta data."""
    rows = {}
    for line in (DATA / "oms" / f"{resource}.jsonl").read_text().splitlines():
        record = json.loads(line)
        units = {k[:-5]: record.pop(k) for k in list(record) if k.endswith("_unit")}
        rows[record[key]] = _row(resource, record[key], record, units)
    return rows


class OmsRecords:
    """The rows of each OMS resource as JSON:API objects, units in ``meta.row``."""

    def __init__(self, seed: int, runs: dict[int, SimulatedRun]) -> None:
        self._seed = seed
        self._simulated = runs

    @cached_property
    def _runs(self) -> dict[int, dict[str, Any]]:
        simulated = {run.number: self._run(run) for run in self._simulated.values()}
        return dict(sorted((simulated | _real_rows("runs", "run_number")).items()))

    @cached_property
    def _fills(self) -> dict[int, dict[str, Any]]:
        members: dict[int, list[SimulatedRun]] = {}
        for run in self._simulated.values():
            if run.fill is not None:
                members.setdefault(run.fill, []).append(run)
        simulated = {fill: self._fill(fill, runs) for fill, runs in members.items()}
        return dict(sorted((simulated | _real_rows("fills", "fill_number")).items()))

    @cached_property
    def _template(self) -> dict[bool, dict[str, Any]]:
        """Real attributes of a collision run and of a run that never had a fill."""
        real = _real_rows("runs", "run_number")
        return {beam: real[number]["attributes"] for beam, number in ((True, 315270), (False, 315269))}

    def _run(self, run: SimulatedRun) -> dict[str, Any]:
        rng = Random(f"{self._seed}/oms/{run.number}")
        attributes = {
            **self._template[run.fill is not None],
            "run_number": run.number,
            "fill_number": run.fill,
            "start_time": _time(run.start),
            "end_time": _time(run.end),
            "last_update": _time(run.end + timedelta(hours=1)),
            "duration": int((run.end - run.start).total_seconds()),
        }
        if run.fill is None:
            return _row("runs", run.number, attributes, {})
        rate = 90000 * run.inst_lumi / 1.4 if run.has_beam else 900
        triggers = round(rate * run.last * SECONDS_PER_LUMISECTION)
        scale = 1e-6 if run.is_heavy_ion else 1.0  # the machine delivers a million times less to ion runs
        attributes |= {
            "last_lumisection_number": run.last,
            "stable_beam": run.has_beam,
            "energy": 6499.0 if run.has_beam else 0.0,
            "init_lumi": round(run.inst_lumi * scale, 6),
            "end_lumi": round(0.92 * run.inst_lumi * scale, 6),
            "delivered_lumi": round(run.delivered, 6),
            "recorded_lumi": round(run.recorded, 6),
            "l1_rate": round(rate * rng.uniform(0.97, 1.03), 3),
            "l1_triggers_counter": triggers,
            "hlt_physics_rate": round(rate / 60, 3),
            "hlt_physics_counter": triggers // 60,
            "b_field": 3.801,
            "initial_prescale_index": 2 if run.has_beam else 0,
            "fill_type_runtime": ("IONS" if run.is_heavy_ion else "PROTONS") if run.has_beam else "COSMICS",
        }
        if run.is_heavy_ion:
            attributes |= {"fill_type_party1": "PB82", "fill_type_party2": "PB82"}
        if not run.has_beam:
            attributes |= {
                "l1_hlt_mode": "cosmics2018",
                "l1_hlt_mode_stripped": "cosmics2018/v105",
                "trigger_mode": "l1_hlt_cosmics2018/v105",
                "hlt_key": "/cdaq/cosmic/commissioning2018/CRAFT/v1.2/HLT/V2",
                "l1_key": "l1_trg_cosmics2018/v63",
                "l1_key_stripped": "cosmics2018/v63",
                "clock_type": "LOCAL",
            }
        return _row("runs", run.number, attributes, self._units(run))

    @staticmethod
    def _units(run: SimulatedRun) -> dict[str, str]:
        total = r"{\mu}b^{-1}" if run.is_heavy_ion else "pb^{-1}"
        return dict(zip(LUMI_UNITS, (total, total, *["10^{34}cm^{-2}s^{-1}"] * 2), strict=True))

    def _fill(self, fill: int, runs: list[SimulatedRun]) -> dict[str, Any]:
        real = _real_rows("fills", "fill_number")[6617]
        rng = Random(f"{self._seed}/fill/{fill}")
        first, last = runs[0], runs[-1]
        with_beam = [run for run in runs if run.has_beam]
        best = max((run.inst_lumi for run in with_beam), default=0.0)
        delivered, recorded = (sum(getattr(run, name) for run in with_beam) for name in ("delivered", "recorded"))
        bunches, scheme = self._scheme(fill, first)
        units = {name: item["units"] for name, item in real["meta"]["row"].items()}
        if first.is_heavy_ion:
            units |= dict.fromkeys(("delivered_lumi", "recorded_lumi"), r"{\mu}b^{-1}")
        stable = [_time(with_beam[0].start), _time(with_beam[-1].end)] if with_beam else [None, None]
        attributes = {
            **real["attributes"],
            "fill_number": fill,
            "era": first.era if with_beam else None,
            "first_run_number": first.number,
            "last_run_number": last.number,
            "start_time": _time(first.start - timedelta(minutes=40)),
            "end_time": _time(last.end + timedelta(minutes=5)),
            "start_stable_beam": stable[0],
            "end_stable_beam": stable[1],
            "stable_beams": bool(with_beam),
            "duration": int((last.end - first.start).total_seconds()) + 2700,
            "injection_scheme": scheme if with_beam else None,
            "bunches_beam1": bunches,
            "bunches_beam2": bunches,
            "bunches_colliding": bunches - 12,
            "bunches_target": bunches - 12,
            "intensity_beam1": round(1.15 * bunches * rng.uniform(0.97, 1.03), 5),
            "intensity_beam2": round(1.15 * bunches * rng.uniform(0.97, 1.03), 5),
            "peak_lumi": round(best, 6),
            "peak_pileup": round(max((run.pileup for run in with_beam), default=0.0), 6),
            "delivered_lumi": round(delivered, 6),
            "recorded_lumi": round(recorded, 6),
            "efficiency_lumi": 93.0 if with_beam else None,
        }
        return _row("fills", fill, attributes, units)

    @staticmethod
    def _scheme(fill: int, run: SimulatedRun) -> tuple[int, str]:
        """Bunches per beam, and the injection scheme as the LHC spells it."""
        if run.is_heavy_ion:
            return 733, "75_150ns_733Pb_733_702_468_42bpi_20inj"
        if fill < 6640:
            return 987, "25ns_987b_974_878_917_144bpi_13inj"
        if fill % 9 == 0:
            return 2556, "25ns_2556b_2544_2215_2332_144bpi_20inj_INDIV"
        return 2556, "25ns_2556b_2544_2215_2332_144bpi_20injV3"

    @cached_property
    def _real_lumisections(self) -> dict[int, dict[str, Any]]:
        return _real_rows("lumisections_315265", "lumisection_number")

    def _lumisections(self, run: int) -> Iterator[dict[str, Any]]:
        if run == 315265:
            for number, row in self._real_lumisections.items():
                yield {**row, "id": f"{run}_{number}", "type": "lumisections"}
            return
        record = self._simulated.get(run)
        if record is None:
            return
        template = self._real_lumisections[10]["attributes"]
        seconds = SECONDS_PER_LUMISECTION
        for number in range(1, record.last + 1):
            on = any(first <= number <= last for first, last in record.dcs)
            lumi = record.inst_lumi * (1 - 0.08 * number / record.last)
            delivered = 59.2 * lumi  # the ratio of the real records, whatever their unit is
            attributes = {
                **template,
                **dict.fromkeys(
                    ("tecm_ready", "tecp_ready", "tob_ready", "tibtid_ready", "bpix_ready", "fpix_ready"), on
                ),
                **dict.fromkeys(("beam1_present", "beam2_present", "beam1_stable", "beam2_stable"), record.has_beam),
                "run_number": run,
                "lumisection_number": number,
                "fill_number": record.fill,
                "start_time": _time(record.start + timedelta(seconds=seconds * (number - 1))),
                "end_time": _time(record.start + timedelta(seconds=seconds * number)),
                "init_lumi": round(lumi, 8),
                "end_lumi": round(lumi, 8),
                "pileup": round(record.pileup * (1 - 0.08 * number / record.last), 8),
                "delivered_lumi": round(delivered, 8),
                "recorded_lumi": round(0.93 * delivered, 8),
                "physics_flag": record.has_beam and number > 2,
            }
            yield _row("lumisections", f"{run}_{number}", attributes, {})

    def _hlt_paths(self, run: int) -> Iterator[dict[str, Any]]:
        for index, (path, _) in enumerate(HLT_PATHS):
            attributes = {"run_number": run, "path_name": path, "path_number": index, "l1_prerequisite": "L1_ZeroBias"}
            yield _row("hltpathinfo", f"{run}_{index}", attributes, {})

    def _hlt_rates(self, run: int) -> Iterator[dict[str, Any]]:
        """Rates per lumisection, and one row for the whole run (lumisection 0)."""
        record = self._simulated[run]
        for path, rate in HLT_PATHS:
            rng = Random(f"{self._seed}/hlt/{run}/{path}")
            for number in range(record.last + 1):
                value = round(rate * record.inst_lumi * rng.uniform(0.9, 1.1), 5)
                attributes = {
                    "run_number": run,
                    "path_name": path,
                    "first_lumisection_number": number,
                    "last_lumisection_number": number,
                    "rate": value,
                    "counter": round(value * SECONDS_PER_LUMISECTION),
                }
                yield _row("hltpathrates", f"{run}_{path}_{number}", attributes, {"rate": "Hz"})

    def _daq_readouts(self, run: int) -> Iterator[dict[str, Any]]:
        """The FEDs of each partition; runs without fill have none, every 17th lacks TOB, every 13th has BPIX+ twice."""
        record = self._simulated[run]
        if record.fill is None:
            return
        kind = record.fate.kind
        for partition, feds in FEDS.items():
            rng = Random(f"{self._seed}/feds/{run}/{partition}")
            out = {rng.choice(feds)} if rng.random() < 0.05 else set()
            if kind == "off" or (kind == "pixel_excluded" and "pix" in partition):
                out = set(feds)
            elif kind == "hole" and partition == "tob":
                out |= set(rng.sample(feds, 12))
            parts = [feds]
            if run % 17 == 0 and partition == "tob":
                parts = []
            elif run % 13 == 0 and partition == "bpix+":
                parts = [feds[:14], feds[14:]]
            for number, part in enumerate(parts):
                attributes = {
                    "run_number": run,
                    "partition": partition,
                    "feds_included": [fed for fed in part if fed not in out],
                    "feds_excluded": sorted(out & set(part)),
                }
                yield _row("daqreadouts", f"{run}_{partition}_{number}", attributes, {})

    def _eras(self) -> Iterator[dict[str, Any]]:
        eras: dict[str, list[SimulatedRun]] = {}
        for run in self._simulated.values():
            if run.has_beam:
                eras.setdefault(run.era, []).append(run)
        for era, runs in eras.items():
            attributes = {
                "era": era,
                "start_run": runs[0].number,
                "end_run": runs[-1].number,
                "start_fill": runs[0].fill,
                "end_fill": runs[-1].fill,
                "start_time": _time(runs[0].start),
                "end_time": _time(runs[-1].end),
            }
            yield _row("eras", era, attributes, {})

    def rows(self, resource: str, run: int | None = None, fill: int | None = None) -> list[dict[str, Any]]:
        """The rows of an OMS resource, of one run or fill if given; KeyError for an unknown resource."""
        if resource == "fills":
            rows = [self._fill_of(run)] if run is not None else list(self._fills.values())
            return [row for row in rows if row and fill in (None, row["attributes"]["fill_number"])]
        if resource == "eras":
            return list(self._eras())
        wanted = [
            row
            for number, row in self._runs.items()
            if run in (None, number) and fill in (None, row["attributes"]["fill_number"])
        ]
        if resource == "runs":
            return wanted
        make = {
            "lumisections": self._lumisections,
            "hltpathinfo": self._hlt_paths,
            "hltpathrates": self._hlt_rates,
            "daqreadouts": self._daq_readouts,
        }[resource]
        numbers = [row["attributes"]["run_number"] for row in wanted]
        return [row for number in numbers if number in self._simulated for row in make(number)]

    def _fill_of(self, run: int) -> dict[str, Any] | None:
        record = self._runs.get(run)
        return self._fills.get(record["attributes"]["fill_number"]) if record else None
