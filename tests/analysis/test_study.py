import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

import tkstudies
from tests.analysis import studies
from tests.conftest import ROOT, from_lines, to_lines
from tkstudies.analysis.tables.labels import LABELS
from tkstudies.errors import InputError
from tkstudies.study import StudyWarning, load_runs

NOTEBOOK = ROOT / "examples" / "study.ipynb"
DOCTOR = ["dataset", "reference_run_number", "reference_reco", "comment"]


def write(folder, **tables):
    for name, records in tables.items():
        (folder / f"{name}.jsonl").write_text(to_lines(records))
    return folder


def load(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StudyWarning)
        return load_runs(folder)


def doctor_runs(rows):
    """TkDQMDoctor knows most runs, a few of them twice."""
    return [
        {
            "run_number": row["run_number"],
            "reco": row.get("reco"),
            "dataset": f"/{number}",
            "reference_run_number": 315000 if number % 4 else None,
            "comment": "HV scan ☃" if number % 2 else None,
        }
        for number, row in enumerate(rows)
        if number % 5
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with all files of a generated study, and its records by name."""
    rows = [
        {column: value for column, value in row.items() if column not in ("comment", "problem_names")}
        for row in studies.runs(5000)
    ]
    problems = [
        {"run_number": row["run_number"], "reco": row.get("reco"), "problem_names": row["problem_names"], "comment": 1}
        for row in studies.runs(900, seed=9)
        if "problem_names" in row
    ]
    fills = [{**fill, "start_time": "2018-05-01T01:02:03Z", "end_time": None} for fill in studies.fills()]
    runs = [
        {**run, "start_time": f"2018-0{1 + number % 9}-11T00:00:00.5Z", "end_time": "2018-10-11T00:00:00Z"}
        for number, run in enumerate(studies.oms_runs())
    ]
    tables = {
        "runs": [row for row in rows if row.get("workspace") == "tracker"],
        "global_runs": [row for row in rows if row.get("workspace") != "tracker"],
        "doctor": doctor_runs(rows),
        "doctor_problems": problems,
        "oms_runs": runs,
        "oms_fills": fills,
        "features": studies.features(1400),
    }
    return write(tmp_path_factory.mktemp("study"), **tables), tables


# --- the same table by plain pandas and the rules of each label


def frame(records):
    columns = dict.fromkeys(column for record in records for column in record)
    return pd.DataFrame({c: pd.Series([r.get(c) for r in records], dtype=object) for c in columns})


def join(left, right, keys):
    right = right.dropna(subset=keys).drop_duplicates(keys)
    new = [column for column in right if column in keys or column not in left]
    return left.merge(right[new], on=keys, how="left")


def upper(value):
    return value.strip().upper() if isinstance(value, str) and value.strip() else None


def expected_is_bad(row):
    pixel, strip, tracking = upper(row["pixel"]), upper(row["strip"]), upper(row["tracking"])
    if pixel is None:
        return None
    if pixel != "GOOD" and row["runtype"] == "collisions":
        return True
    if pixel != "GOOD" and row["runtype"] is None:
        return None
    for status in (strip, tracking):
        if status != "GOOD":
            return None if status is None else True
    return False


def expected_summary(row):
    pixel, strip, tracking = upper(row["pixel"]), upper(row["strip"]), upper(row["tracking"])
    if pixel is None or strip is None:
        return None
    if pixel == strip == tracking and pixel in ("GOOD", "BAD", "EXCLUDED"):
        return pixel.capitalize()
    if pixel == strip == "STANDBY":
        return "Standby"
    if strip == "GOOD" != pixel:
        return "Pixel " + pixel.capitalize()
    if pixel == "GOOD" != strip:
        return "Strip " + strip.capitalize()
    if pixel == strip == "GOOD" and tracking:
        return "Tracking " + tracking.capitalize()
    return f"Pixel {pixel.capitalize()}, Strip {strip.capitalize()}"


def expected_heavy_ion(row):
    name, run_class = row["rda_name"] or "", row["run_class_name"] or ""
    if "HI" in name + run_class:
        return True
    return None if name in ("", "online") and "Cosmics" not in run_class else False


def expected_table(tables):
    online = [row for row in tables["global_runs"] if row.get("reco") == "online"]
    df = frame([*tables["runs"], *online])
    df = join(df, frame(tables["doctor"]), ["run_number", "reco"])
    df = join(df, frame(tables["doctor_problems"])[["run_number", "reco", "problem_names"]], ["run_number", "reco"])
    df = join(df, frame(tables["oms_runs"]), ["run_number"])
    fills = frame(tables["oms_fills"]).rename(columns=lambda c: c if c == "fill_number" else f"fill__{c}")
    df = join(df, fills, ["fill_number"])
    df = join(df, frame(tables["features"]), ["run_number", "reco"]).astype(object)
    df = df.where(df.notna(), None)

    classes, names = df["run_class_name"].fillna(""), df["rda_name"].fillna("")
    types = ["collisions" if "Collisions" in c else "cosmics" if "Cosmics" in c else None for c in classes]
    df["runtype"] = pd.Series(types, index=df.index, dtype=object)
    commissioning = classes.str.contains("Commissioning") | names.str.contains("Commiss")
    special = classes.str.contains("Special") | names.str.contains("Special")
    bad_runs = set(df.loc[commissioning, "run_number"])
    df = df[~df["run_number"].isin(bad_runs) & ~special & (df["rda_state"] != "OPEN")].copy()

    def tracking(row):
        if row["rda_name"] != "online" and (row["workspace"], row["reco"]) != ("global", "online"):
            return row["tracking"]
        statuses = [upper(row["pixel"]), upper(row["strip"])]
        return None if None in statuses else "GOOD" if statuses == ["GOOD", "GOOD"] else "BAD"

    df["tracking"] = pd.Series([tracking(row) for row in df.to_dict("records")], index=df.index, dtype=object)
    rows = df.to_dict("records")
    df["is_bad"] = pd.Series([expected_is_bad(row) for row in rows], index=df.index, dtype=object)
    df["status_summary"] = pd.Series([expected_summary(row) for row in rows], index=df.index, dtype=object)
    df["is_heavy_ion"] = [expected_heavy_ion(row) for row in rows]
    return df.sort_values(["run_number", "reco"], kind="stable", ignore_index=True)


def plain(series):
    return [None if value is None or (not isinstance(value, list) and pd.isna(value)) else value for value in series]


def test_the_whole_table_against_pandas(whole):
    folder, tables = whole
    found, expected = load(folder), expected_table(tables)
    labels = set(LABELS)
    assert set(expected) | labels == set(found)
    assert 500 < len(found) == len(expected)
    for column in expected:
        mine, other = plain(found[column]), plain(expected[column])
        if column.endswith(("start_time", "end_time")):
            other = [None if value is None else pd.Timestamp(value) for value in other]
        assert mine == other, column
    assert not found["is_special"].any()
    assert not found["is_commissioning"].any()
    assert set(found["bad_reason"].dropna()) > {"hv_scan", "miscellaneous"}
    bad = [upper(status) == "BAD" for status in plain(found["tracking"])]
    assert found["bad_reason"].notna().tolist() == bad


def test_the_types(whole):
    found = load(whole[0])
    types = found.dtypes.astype(str)
    expected = {
        "run_number": "Int64",
        "fill_number": "Int64",
        "reference_run_number": "Int64",
        "reco": "string",
        "fill__era": "string",
        "fill__stable_beams": "boolean",
        "is_bad": "boolean",
        "pixel_good_fraction": "float64",
        "f0.mean": "float64",
        "f0.entries": "Int64",
        "components": "object",
        "l1_triggers_counter": "object",  # beyond 64 bits
    }
    assert {column: types[column] for column in expected} == expected
    for column in ("start_time", "end_time", "fill__start_time", "fill__end_time"):
        assert str(found[column].dt.tz) == "UTC", column
    assert found["start_time"].dropna().iloc[0].microsecond == 500_000


def test_the_pipe_gives_the_same_rows(whole, tkstudies):
    folder, tables = whole
    online = [row for row in tables["global_runs"] if row.get("reco") == "online"]
    right = ("doctor", "oms_runs", "oms_fills", "features")
    merged = tkstudies("merge", *(folder / f"{name}.jsonl" for name in right), input=[*tables["runs"], *online])
    labelled = tkstudies("label", "--exclude-commissioning", "--exclude-special", "--exclude-open", input=merged.stdout)
    piped, found = from_lines(labelled.stdout), load(folder)
    piped.sort(key=lambda row: (row["run_number"], row.get("reco") is None, row.get("reco")))
    for column in ("run_number", "reco", "is_bad", "status_summary", "bad_reason", "fill__era", "f0.mean"):
        assert plain(found[column]) == [row.get(column) for row in piped], column


def test_order_and_both_kinds_of_online_rows(tmp_path):
    tracker = [
        {"run_number": 2, "reco": "online", "workspace": "tracker"},
        {"run_number": 2, "reco": "express", "workspace": "tracker"},
        {"run_number": 1, "reco": "prompt", "workspace": "tracker"},
    ]
    world = [
        {"run_number": 2, "reco": "online", "workspace": "global", "pixel": "GOOD", "strip": "BAD"},
        {"run_number": 1, "reco": "express", "workspace": "global"},
    ]
    found = load(write(tmp_path, runs=tracker, global_runs=world))
    assert found[["run_number", "reco", "workspace"]].values.tolist() == [
        [1, "prompt", "tracker"],
        [2, "express", "tracker"],
        [2, "online", "tracker"],
        [2, "online", "global"],
    ]
    assert plain(found["tracking"]) == [None, None, None, "BAD"]
    assert found.index.tolist() == [0, 1, 2, 3]


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"runs\.jsonl: no such file \(tkstudies runreg"):
        load_runs(tmp_path)
    write(tmp_path, runs=[{"run_number": 1, "reco": "express"}], oms_fills=[{"fill_number": 7, "era": "2018B"}])
    with pytest.warns(StudyWarning) as caught:
        found = load_runs(str(tmp_path))
    assert len(found) == 1
    [warning] = caught
    assert warning.filename == __file__
    for name in ("global_runs", "doctor", "doctor_problems", "oms_runs", "oms_fills", "features"):
        assert f"{name}.jsonl with " in str(warning.message)
    assert "runreg --workspace global" in str(warning.message)


def test_what_is_dropped_is_told(tmp_path):
    rows = [{"run_number": 1, "reco": "express", "fill_number": 5}]
    folder = write(tmp_path, runs=rows, oms_runs=[{"run_number": 1, "fill_number": n} for n in (6, 7)])
    with pytest.warns(StudyWarning) as caught:
        found = load_runs(folder)
    assert found["fill_number"].tolist() == [5]
    told = " ".join(str(warning.message) for warning in caught)
    assert "1 row with a repeated run_number dropped" in told
    assert "fill_number is on both sides: the right one is dropped" in told
    assert "--prefix" not in told and "--many" not in told


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("runs", "{", "runs.jsonl, line 1: not a JSON object"),
        ("doctor_problems", '{"id": 3, "name": "FED error", "runs": []}', "expected problem_names"),
        ("oms_runs", '{"fill": 1}', "expected OMS runs"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, text, message):
    write(tmp_path, runs=[{"run_number": 1, "reco": "express"}])
    (tmp_path / f"{name}.jsonl").write_text(text)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        load(tmp_path)


def test_empty_files(tmp_path):
    write(tmp_path, runs=[], features=[])
    found = load(tmp_path)
    assert (len(found), list(found)) == (0, ["run_number", "reco"])
    write(tmp_path, runs=[{"run_number": 1, "reco": "express"}])
    assert load(tmp_path)["run_number"].tolist() == [1]


def test_unknown_everywhere_still_allows_conditions(tmp_path):
    row = {"run_number": 1, "reco": "express", "pixel": None, "fill_number": None, "Hits.Pixel.mean": None}
    found = load(write(tmp_path, runs=[row]))
    for condition in (
        found["Hits.Pixel.mean"] > 0,
        found["is_bad"],
        found["pixel"] == "GOOD",
        found["fill_number"] > 1,
    ):
        assert len(found[condition.fillna(False)]) == 0


def test_importing_the_package_imports_nothing():
    script = "import sys, tkstudies; print(*sorted({'pandas', 'numpy', 'msgspec', 'typer'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == ""
    assert tkstudies.load_runs is load_runs
    with pytest.raises(AttributeError, match="no attribute 'load_run'"):
        _ = tkstudies.load_run


# --- the notebook


def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def quick_start_folder(folder):
    """What the quick start leaves behind, but small: 80 runs of two eras."""
    runs = [
        {
            "run_number": 317291 + number // 2,
            "reco": ["express", "prompt"][number % 2],
            "run_class_name": "Collisions18",
            "rda_name": "/Express/Collisions2018/DQM",
            "rda_state": "COMPLETED",
            "pixel": "GOOD",
            "strip": "GOOD",
            "tracking": "BAD" if number % 11 == 0 else "GOOD",
        }
        for number in range(160)
    ]
    numbers = sorted({row["run_number"] for row in runs})
    features = [
        {
            **{key: row[key] for key in ("run_number", "reco")},
            **{f"Hits.{part}.mean": row["f1.rms"] + 1e3 for part in ("Pixel", "Strip") if row.get("f1.rms")},
            **{key: value for key, value in row.items() if key.endswith((".mean", ".rms")) and key != "name.mean"},
            "run_number": 317291 + number // 2,
        }
        for number, row in enumerate(studies.features(160))
    ]
    return write(
        folder,
        runs=runs,
        oms_runs=[{"run_number": n, "fill_number": 6700 + n % 7, "recorded_lumi": n % 50} for n in numbers],
        oms_fills=[{"fill_number": 6700 + n, "era": "2018A" if n == 3 else "2018B"} for n in range(7)],
        features=features,
    )


def test_the_notebook_runs(tmp_path):
    (tmp_path / "study").mkdir()
    quick_start_folder(tmp_path / "study")
    cells = ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    after = "assert 60 < len(table) < 150, len(table)\nassert figure.axes[0].collections\nprint(len(features))"
    script = tmp_path / "cells.py"
    script.write_text("\n".join([*cells, after]), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{12 + 2 + 2 + 1}\n"  # generated, constant and offset, hits, luminosity


def test_the_notebook_is_stored_without_outputs():
    cells = notebook()["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert Path(NOTEBOOK).stat().st_size < 10_000
