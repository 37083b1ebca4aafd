"""``tkstudies trackingmap``: compare the tracking map of each run with that of its reference run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable
from typing import Annotated, Any

import msgspec
import typer

from tkstudies import console, jsonl
from tkstudies.commands import options
from tkstudies.errors import InputError, UsageError

app = options.application()

KEYS = ("run_number", "reco", "lumisection_number")
MAP = "TrackEtaPhi_ImpactPoint_GenTk"


@app.command()
def trackingmap(
    files: options.Files = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--maps", metavar="FILE", help="Histogram records with the maps (repeatable)."),
    ] = None,
    plot: Annotated[
        str, typer.Option("--plot", metavar="NAME", help="Name or path of another 2-D plot to compare.")
    ] = MAP,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="COLUMN", help="Add only these (repeatable, or with commas)."),
    ] = None,
    periodic_phi: Annotated[
        bool, typer.Option("--periodic-phi", help="Measure angles the short way round in the entropy.")
    ] = False,
    inputs: options.Inputs = None,
    output: options.Output = "-",
    skip_bad_lines: options.SkipBadLines = False,
) -> None:
    """Add numbers that compare a run's tracking map with its reference run's.

    \b
    reference_cost         1 - Pearson's r: 0 is the same shape, 2 the inverse
    scaled_reference_cost  the same after scaling by map_scale: holes stand out
    map_scale              most common ratio of reference to map
    angular_entropy        entropy of the angular correlation (of the map alone)
    map_empty              true if one of the maps is constant: no cost
    The reference is the map of reference_run_number in the row's own reco. A row
    without a map gets nulls; one without a reference gets its entropy only. A
    lumisection has its own map if there is one, else that of its run; so has its
    reference.

    \b
    Examples:
      tkstudies dqm --tracking-map study.jsonl > maps.jsonl
      tkstudies trackingmap --maps maps.jsonl study.jsonl | tkstudies filter 'reference_cost > 0.3'
      tkstudies trackingmap --maps maps.jsonl --only angular_entropy --periodic-phi < runs.jsonl
    """
    from tkstudies.analysis.trackingmaps import COLUMNS

    columns = _select(options.words(only), COLUMNS)
    if periodic_phi and "angular_entropy" not in columns:
        raise UsageError("--periodic-phi changes only angular_entropy, which --only leaves out")
    if not maps:
        raise UsageError("name the maps with --maps FILE (as tkstudies dqm --tracking-map writes them)")
    records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="run records")
    if jsonl.STDIN in maps and jsonl.STDIN in records.sources:
        raise UsageError("standard input can't be both rows and maps: name a file for one of them")
    map_records = jsonl.Reader(maps, skip_bad_lines=skip_bad_lines, expected="histogram records")
    comparison = _Comparison(_read_maps(map_records, plot), columns, periodic_phi)
    with jsonl.Writer(output) as writer:
        for record in records:
            record.update(comparison.columns_of(record))
            writer.write(record)
    comparison.report()
    for reader in (records, map_records):
        options.report_skipped(reader)


def _select(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--only: no column {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(column for column in known if column in names) if names else known


class _MapRecord(msgspec.Struct):
    """A histogram record whose bins stay encoded until it is known that they are wanted."""

    run_number: int
    reco: str | None = None
    lumisection_number: int | None = None
    plot: str | None = None
    name: str | None = None
    hist: msgspec.Raw = msgspec.Raw(b"null")


def _read_maps(records: jsonl.Reader, plot: str) -> dict[Hashable, Any]:
    """The maps as arrays by KEYS; the first one that can be read stands for its run or lumisection.

    Raises:
        InputError: No record has a 2-D histogram of that name.
    """
    from tkstudies.analysis.trackingmaps import map_array

    maps: dict[Hashable, Any] = {}
    names: dict[str, None] = {}
    not_maps = repeated = 0
    for _, record in records.lines(msgspec.json.Decoder(_MapRecord).decode):
        if isinstance(record, dict):  # a line that the Struct refused
            key, hist = _key(*map(record.get, KEYS)), record.get("hist")
            labels = (record.get("name"), record.get("plot"))
        else:
            key, hist = (record.run_number, record.reco, record.lumisection_number), record.hist
            labels = (record.name, record.plot)
        label = next((text for text in labels if isinstance(text, str)), "")
        if plot not in (label, *labels, label.rpartition("/")[2]):
            names.setdefault(label)
            continue
        if maps.get(key) is not None:
            repeated += 1
            continue
        array = map_array(jsonl.decode_value(bytes(hist)) if isinstance(hist, msgspec.Raw) else hist)
        not_maps += array is None
        maps[key] = array
    source = " and ".join(jsonl.shown(name) for name in records.sources)
    found = {key: array for key, array in maps.items() if key and array is not None}
    if not found:
        others = f"; it has {console.listed(names)}" if any(names) else ""
        raise InputError(f"{source}: no 2-D histogram {plot}{others}")
    if not_maps:
        console.warn(f"{source}: {console.counted(not_maps, 'record')} of {plot} without a 2-D histogram")
    if repeated:
        console.warn(
            f"{source}: {console.counted(repeated, 'map')} dropped: same run, reco and lumisection as before"
        )
    return found


def _key(run_number: Any, reco: Any, lumisection: Any) -> Hashable:
    """What a map is found by; None for what can't name one."""
    is_number = isinstance(run_number, int | float) and not isinstance(run_number, bool)
    named = is_number and isinstance(reco, str | None) and isinstance(lumisection, int | None)
    return (run_number, reco, lumisection) if named else None


class _Comparison:
    """Compares maps, each pair and each map once however many rows ask for it."""

    def __init__(self, maps: dict[Hashable, Any], columns: Collection[str], periodic_phi: bool) -> None:
        self._maps = maps
        self._columns = tuple(columns)
        self._of_pair = tuple(column for column in columns if column != "angular_entropy")
        self._periodic_phi = periodic_phi
        self._results: dict[tuple[Hashable, Hashable], dict[str, Any]] = {}
        self._entropies: dict[Hashable, float | None] = {}
        self._counts: Counter[str] = Counter()

    def columns_of(self, record: dict[str, Any]) -> dict[str, Any]:
        """The columns of one row."""
        run_number, reco, lumisection = map(record.get, KEYS)
        key = self._find(run_number, reco, lumisection)
        if self._maps.get(key) is None:
            self._counts["rows"] += 1
            self._counts["without map"] += 1
            return dict.fromkeys(self._columns)
        reference = self._find(record.get("reference_run_number"), reco, lumisection)
        self._count(key, reference)
        result = self._results.get((key, reference))
        if result is None:
            result = self._results[key, reference] = self._compared(key, reference)
        return result

    def _find(self, run_number: Any, reco: Any, lumisection: Any) -> Hashable:
        """The key of the map of a lumisection, of its run if the lumisection has none; None for no name of one."""
        keys = [_key(run_number, reco, number) for number in (lumisection, None)]
        return next((key for key in keys if self._maps.get(key) is not None), keys[1])

    def _compared(self, key: Hashable, reference: Hashable) -> dict[str, Any]:
        from tkstudies.analysis.trackingmaps import angular_entropy, compare_maps

        occupancy = self._maps[key]
        values = compare_maps(occupancy, self._maps.get(reference), self._of_pair)
        if "angular_entropy" in self._columns:
            if key not in self._entropies:
                self._entropies[key] = angular_entropy(occupancy, self._periodic_phi)
            values["angular_entropy"] = self._entropies[key]
        return {column: values[column] for column in self._columns}

    def _count(self, key: Hashable, reference: Hashable) -> None:
        self._counts["rows"] += 1
        if reference is None:
            self._counts["without reference"] += 1
        elif reference not in self._maps:
            self._counts["without reference map"] += 1
        elif self._maps[reference].shape != self._maps[key].shape:
            self._counts["other shape"] += 1

    def report(self) -> None:
        """Say how many rows could not be compared, and why."""
        reasons = {
            "without map": "without a map: nulls",
            "without reference": "without a reference run: entropy only",
            "without reference map": "whose reference run has no map: entropy only",
            "other shape": "whose reference map has another binning: entropy only",
        }
        for name, text in reasons.items():
            if self._counts[name]:
                console.warn(f"{self._counts[name]} of {console.counted(self._counts['rows'], 'row')} {text}")
