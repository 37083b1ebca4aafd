"""The week: fills, certified runs and luminosity by reco and type, day by day, and flags that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from tkstudies import console
from tkstudies.analysis.tables.luminosity import total
from tkstudies.records import Record, whole
from tkstudies.report import flags
from tkstudies.report.folder import Folder
from tkstudies.report.judged import key_run
from tkstudies.report.parts import Block, Runs, Section, Sentence, Table
from tkstudies.report.people import RECOS, certified, is_signed, verdicts

DAYS = 7


def week(folder: Folder) -> list[Section]:
    """The sections of the last seven days that the folder has runs of."""
    days = {run: day for row in folder.table("oms_runs.jsonl") if (run := key_run(row)) and (day := day_of(row))}
    if not days:
        text = "Not known: no run of oms_runs.jsonl has a start_time."
        return [Section("days", "Day by day", [Sentence(text)])]
    last = max(days.values())
    first = last - timedelta(days=DAYS - 1)
    runs = {run for run, day in days.items() if first <= day}
    rows = [row for row in folder.table("oms_runs.jsonl") if key_run(row) in runs]
    registry = [row for row in folder.table("runs.jsonl") if key_run(row) in runs]
    span = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return [
        Section("fills", f"Fills, {span}", _fills(rows)),
        Section("certified", "Certified, by reco and type", _certified(registry, rows)),
        Section("days", "Day by day", _days(rows, registry, days)),
        Section("verdicts", "Runs, as people certified them", _verdicts(registry)),
        Section("flags", "Flags that changed", _changed(registry)),
    ]


def day_of(row: Record) -> datetime | None:
    """The day in UTC on which a run began.

    >>> day_of({"start_time": "2018-06-02T23:59:00Z"}), day_of({"start_time": "?"})
    (datetime.datetime(2018, 6, 2, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    text = row.get("start_time")
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _fills(rows: list[Record]) -> list[Block]:
    by_fill: dict[int, list[Record]] = {}
    for row in rows:
        fill = whole(row.get("fill_number"))
        if fill is not None:
            by_fill.setdefault(fill, []).append(row)
    if not by_fill:
        return [Sentence("No run tells its fill.")]
    lines = [
        (fill, len({key_run(row) for row in some}), _pb(some, "delivered_lumi"), _pb(some))
        for fill, some in sorted(by_fill.items())
    ]
    return [Table(("fill", "runs", "delivered [pb⁻¹]", "recorded [pb⁻¹]"), lines)]


def _certified(registry: list[Record], rows: list[Record]) -> list[Block]:
    found: dict[tuple[str, str], dict[str, set[int]]] = {}
    for row in registry:
        if row.get("reco") not in RECOS:
            continue
        decided = certified(row) if is_signed(row) else None
        what = {True: "good", False: "bad", None: "not decided"}[decided]
        kind = str(row.get("run_type") or "unknown").lower()
        found.setdefault((str(row["reco"]), kind), {}).setdefault(what, set()).add(key_run(row))
    if not found:
        return [Sentence("No row of the Run Registry in these days.")]
    lines = [
        (reco, kind, *(cell for what in ("good", "bad", "not decided") for cell in _count(of.get(what, set()), rows)))
        for (reco, kind), of in sorted(found.items(), key=lambda item: (RECOS.index(item[0][0]), item[0][1]))
    ]
    columns = ("reco", "type", "good", "pb⁻¹", "bad", "pb⁻¹", "not decided", "pb⁻¹")
    return [Table(columns, lines), Sentence("Recorded luminosity, online, OMS, no normtag.", is_note=True)]


def _days(rows: list[Record], registry: list[Record], days: dict[int, datetime]) -> list[Block]:
    people = verdicts(registry)
    by_day: dict[datetime, list[Record]] = {}
    for row in rows:
        by_day.setdefault(days[key_run(row)], []).append(row)
    lines = []
    for day, some in sorted(by_day.items()):
        runs = {key_run(row) for row in some}
        counts = Counter(people[run][0] for run in runs if run in people)
        good = [row for row in some if key_run(row) in people and people[key_run(row)][0]]
        lines.append((f"{day:%a %Y-%m-%d}", len(runs), _pb(some), counts[True], counts[False],
                      len(runs) - counts.total(), _pb(good)))  # fmt: skip
    return [Table(("day", "runs", "recorded [pb⁻¹]", "good", "bad", "not decided", "good [pb⁻¹]"), lines)]


def _verdicts(registry: list[Record]) -> list[Block]:
    people = verdicts(registry)
    good = sorted(run for run, (is_good, _) in people.items() if is_good)
    bad = sorted(run for run, (is_good, _) in people.items() if not is_good)
    left = sorted({key_run(row) for row in registry} - set(good) - set(bad))
    named = (("certified good", good), ("certified bad", bad), ("not decided", left))
    return [Runs(what, runs) for what, runs in named if runs] or [Sentence("None.")]


def _changed(registry: list[Record]) -> list[Block]:
    found = flags.changed(registry)
    if not found:
        return [Sentence("None between recos that people signed.")]
    lines = [(run, part, f"{old} ({reco})", f"{new} ({later})") for run, part, reco, old, later, new in found]
    return [Sentence(f"{console.counted(len(found), 'flag')}."), Table(("run", "component", "before", "after"), lines)]


def _count(runs: set[int], rows: Iterable[Record]) -> tuple[int, float]:
    return len(runs), _pb([row for row in rows if key_run(row) in runs])


def _pb(rows: Iterable[Record], column: str = "recorded_lumi") -> float:
    return round(total(rows, column).pb, 3)
