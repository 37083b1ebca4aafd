"""Small invented files in the roles that the examples of the help give them, beside those of the quick start."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ROOT, from_lines, to_lines

CERTIFICATION = (ROOT / "tests/data/certification/golden_2018.json").read_text()
PLOTS = ("NumberOfRecHitsPerTrack_GenTk", "Chi2oNDF_GenTk")
DRAWN = ("NumberOfRecHitsPerTrack_Pixel_GenTk", "TrackEta_ImpactPoint_GenTk")
RUNS = (317291, 317295, 317434)
LUMIS = range(1, 13)


def _read(folder, name):
    return from_lines((folder / name).read_text())


def write(folder: Path) -> None:
    """Write them into a copy of the folder of the quick start, of which some plots stay."""
    runs, study = _read(folder, "runs.jsonl"), _read(folder, "study.jsonl")
    hists = [record for record in _read(folder, "hists.jsonl") if record["name"] in PLOTS or _is_drawn(record)]
    rows = {"today": runs, "last_week": runs, "season": study, "new": study, "outliers": _scored(study)}
    lumis = {"lumisections": _of_lumisections(), "lumis": _per_lumisection(), "states": _states(), "flags": _flags()}
    others = {"hists": hists, "reference": hists, "maps": _maps(), "stops": STOPS, "compared": _compared(study)}
    for name, records in {**rows, **lumis, **others}.items():
        (folder / f"{name}.jsonl").write_text(to_lines(records))
    for name, records in {"ten_years": study, "hists": hists}.items():
        (folder / name).mkdir()
        for number in range(2):
            part = [record for record in records if record["run_number"] % 2 == number]
            (folder / name / f"{number}.jsonl").write_text(to_lines(part))
    for name in ("Cert_Collisions2018.json", "golden.json"):
        (folder / name).write_text(CERTIFICATION)
    (folder / "list-without-header.csv").write_text("317291,1\n317292,2\n")


def shorten(folder: Path) -> None:
    """Leave so much in the tables that each picture has something to show."""
    for name in ("study", "pca", "outliers"):
        (folder / f"{name}.jsonl").write_text(to_lines(_read(folder, f"{name}.jsonl")[::2]))
    drawn = [record for record in _read(folder, "hists.jsonl") if _is_drawn(record)]
    (folder / "hists.jsonl").write_text(to_lines(drawn))


def _is_drawn(record):
    return record["name"] in DRAWN and record["run_number"] in RUNS and record["reco"] == "prompt"


STOPS = [
    {"name": "technical stop", "start_time": "2018-06-10T08:00:00Z"},
    {"name": "calibration", "run_number": 317500},
]


def _scored(study):
    return [{**row, "isolation_forest_score": place % 7 - 3} for place, row in enumerate(study)]


def _compared(study):
    for place, row in enumerate(study):
        for name in PLOTS:
            yield {
                "run_number": row["run_number"],
                "reco": row["reco"],
                "plot": f"/a/{name}",
                "name": name,
                "z": place % 5 / 2,
            }


def _of_lumisections():
    for run in range(317501, 317509):
        for n in LUMIS:
            yield {"run_number": run, "lumisection_number": n, "reco": "express", "golden": n % 9 > 0,
                   "Hits.mean": 14 + n % 5 / 10 - (n == 10), "Hits.rms": 4 + n % 3 / 10}  # fmt: skip


def _flags():
    return ({"run_number": 367094, "lumisection_number": n, "pixel": "GOOD"} for n in LUMIS)


def _per_lumisection():
    axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 10}}
    for n in LUMIS:
        yield {"run_number": 367094, "reco": "express", "lumisection_number": n, "plot": "/a/charge_PXBarrel",
               "name": "charge_PXBarrel",
               "hist": {"type": "TH1", "xaxis": axis, "bins": {"content": [1, 5, n % 7, 2]}}}  # fmt: skip


def _states():
    for n in LUMIS:
        yield {"run_number": 367094, "lumisection_number": n, "bpix_ready": n > 3, "beam1_stable": True}


def _maps():
    axis = {"first": {"id": 1, "value": -2.5}, "last": {"id": 6, "value": 2.5}}
    for run in (317291, 317434):
        for reco in ("express", "prompt"):
            content = [[50 + (run * y + x * 7) % 11 for x in range(6)] for y in range(6)]
            yield {"run_number": run, "reco": reco, "plot": "/a/TrackEtaPhi_ImpactPoint_GenTk",
                   "name": "TrackEtaPhi_ImpactPoint_GenTk", "is_bad": run == 317434,
                   "hist": {"type": "TH2", "xaxis": axis, "yaxis": axis, "bins": {"content": content}}}  # fmt: skip
