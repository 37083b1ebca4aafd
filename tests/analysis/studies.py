"""Generated studies for the differential tests: rows with nulls, duplicates, unicode, heavy-ion and special runs."""

from __future__ import annotations

import random

STATUSES = ["GOOD", "BAD", "EXCLUDED", "STANDBY", "NOTSET", None, "good"]
CLASSES = ["Collisions18", "Cosmics18", "Commissioning18", "Collisions18SpecialRun", "HICollisions18", None, ""]
NAMES = ["/Express/Collisions2018A/DQM", "/PromptReco/HICollisions18/DQM", "/Express/Commissioning2018/DQM", None]
COMMENTS = ["HV off for LS 1-21", "hv_scan", "21 LS only", "1 LS", "naïve 日本 ☃", "low stat", "", None, "Plots empty"]
PROBLEMS = [["FED error"], [], None, ["new hole in TIB", "PS problem"], ["Large number of bad components"]]


def runs(rows=2000, seed=1):
    """Run-registry rows with TkDQMDoctor's columns; about three rows a run, some keys twice, some columns absent."""
    rng = random.Random(seed)
    table = []
    for number in range(rows):
        row = {
            "run_number": 315000 + number // 3 + rng.choice([0, 0, 0, 1]),
            "reco": rng.choice(["online", "express", "prompt", "rereco", None]),
            "workspace": rng.choice(["tracker", "tracker", "global"]),
            "rda_name": rng.choice([*NAMES, "online"]),
            "rda_state": rng.choice(["OPEN", "SIGNOFF", "COMPLETED"]),
            "run_class_name": rng.choice(CLASSES[:3] * 5 + CLASSES),
        }
        for component in ("pixel", "strip", "tracking"):
            row[component] = rng.choice(["GOOD"] * 6 + STATUSES)
            row[f"{component}_comment"] = rng.choice(COMMENTS)
            row[f"{component}_good_fraction"] = rng.choice([None, 1.0, 0.96, 0.5])
        if rng.random() < 0.7:
            row["comment"] = rng.choice(COMMENTS)
        if rng.random() < 0.7:
            row["problem_names"] = rng.choice(PROBLEMS)
        if rng.random() < 0.1:
            row["naïve"] = rng.choice(["☃", 'a "quoted" \\ word', "\u2028"])
        table.append({column: value for column, value in row.items() if value is not None or rng.random() < 0.5})
    return table


def oms_runs(seed=2):
    """One row a run with a few repeated; fill numbers partly null."""
    rng = random.Random(seed)
    return [
        {
            "components": rng.sample(["CSC", "DAQ", "PIXEL", "TRACKER"], 2),
            "recorded_lumi": rng.choice([None, round(rng.uniform(0, 300), 6)]),
            "recorded_lumi_unit": rng.choice(["pb^{-1}", "{\\mu}b^{-1}"]),
            "fill_number": rng.choice([None, 6000 + (number - 315000) // 20]),
            "run_number": number,
            "l1_triggers_counter": rng.randrange(2**63, 2**66),
        }
        for number in rng.choices(range(315000, 315700), k=700)
    ]


def fills():
    """One row a fill."""
    return [
        {
            "fill_number": number,
            "era": f"2018{'ABCD'[number % 4]}",
            "stable_beams": number % 2 == 0,
            "peak_pileup": number / 7,
        }
        for number in range(6000, 6040)
        if number % 5
    ]


def features(rows=2000, width=12, seed=3, gaps=0.05):
    """Feature rows: correlated, with gaps, a constant column and one of tiny variation around a large value."""
    rng = random.Random(seed)
    table = []
    for number in range(rows):
        trend, other = rng.gauss(0, 1), rng.gauss(0, 1)
        row = {"run_number": 315000 + number // 2, "reco": ["express", "prompt"][number % 2]}
        for column in range(width):
            value = 100 * column + trend * column + other * (width - column) + rng.gauss(0, 0.3)
            row[f"f{column}.{'rms' if column % 2 else 'mean'}"] = None if rng.random() < gaps else value
        row["constant.mean"] = 7
        row["offset.mean"] = 1e9 + trend
        row["f0.entries"] = number
        row["name.mean"] = "a word"
        if rng.random() < 0.03:
            row = {key: row[key] for key in ("run_number", "reco", "f0.entries", "name.mean")}
        table.append(row)
    return table
