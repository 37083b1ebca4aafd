"""What is compared with what: the histograms, and those of their references.

References are in files of their own, or among the histograms. Of histograms in parts the references that are named, by
the user or by the histograms, may be in any part: these are gone through for them. Where each histogram is compared
with its own run in another reco, the run must be in one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tkstudies import console, jsonl
from tkstudies.analysis.histograms.changesfile import from_json
from tkstudies.analysis.histograms.references import Plot, References, read_plot
from tkstudies.analysis.histograms.unusual import Unusual
from tkstudies.errors import InputError, UsageError
from tkstudies.histogramrecord import HistogramRecord

INPUT = "the input"
"""What it is called in a message."""


@dataclass
class Sides:
    """Both sides of a comparison.

    Attributes:
        references: The histograms to compare with.
        plots: Those to compare, among which may be references.
        default: The reference run of a plot that names none.
    """

    references: References
    plots: Iterable[Plot]
    default: int | None = None


def of_one_input(records: jsonl.Records, runs: Sequence[int], reco: str | None) -> Sides:
    """The histograms of one input, with the references that are among them.

    Args:
        runs: Reference runs that were named.
        reco: Compare each run with itself in that reco.

    Raises:
        InputError: A reference isn't there.
        UsageError: Nothing says which run is the reference.
    """
    held = list(plots_of(records))
    named = {plot.reference_run_number for plot in held}
    by_record = not runs and reco is None
    references = References((plot for plot in held if not by_record or plot.row.run_number in named), runs, reco)
    if held and not by_record:
        require(references, INPUT, {plot.row.reco for plot in held})
    elif held:
        _require_reference(named)
    return Sides(references, held)


def references_of(
    files: Sequence[str], readers: Sequence[jsonl.Reader], runs: Sequence[int], reco: str | None
) -> References:
    """The references in files of their own; otherwise as `of_one_input`."""
    runs_of: dict[str, set[int]] = {file: set() for file in files}
    recos: set[str | None] = set()

    def all_plots() -> Iterator[Plot]:
        for file, reader in zip(files, readers, strict=True):
            for plot in plots_of(reader):
                runs_of[file].add(plot.row.run_number)
                recos.add(plot.row.reco)
                yield plot

    references = References(all_plots(), runs, reco)
    require(references, " and ".join(files), recos)
    if len(runs_of) > 1 and not runs and reco is None:
        references.run_numbers = tuple(dict.fromkeys(_only(*pair) for pair in runs_of.items()))
    return references


def references_among(records: jsonl.Reader, runs: Sequence[int]) -> tuple[References, str]:
    """The references that histograms have among themselves, and the hash of their lines.

    Args:
        records: All histograms, which are gone through twice if no run is named: for the runs that they name.
    """
    wanted = set(runs)
    if not runs:
        with records.located():
            named = {record.reference_run_number for record in records.parsed(HistogramRecord)}
        wanted = {run for run in named if run is not None}
    found, held, is_empty = sha256(), [], True
    with records.located():
        for line, record in records.rows(HistogramRecord):
            is_empty = False
            if record.run_number in wanted:
                found.update(line + b"\n")
                held.append(read_plot(record))
    references = References(held, runs)
    if not is_empty and runs:
        require(references, INPUT, ())
    elif not is_empty:
        _require_reference(wanted)
    return references, found.hexdigest()


def unusual_by(file: str, reco: str | None) -> Unusual:
    """How unusual changes are, by a file of ``--learn``.

    Raises:
        InputError: It isn't one.
        UsageError: It tells of other comparisons.
    """
    found = from_json(jsonl.read_value(file, "what tkstudies compare --learn wrote"), jsonl.shown(file))
    learned = found.source.reference_reco
    if learned != reco:
        how = "between runs" if learned is None else f"with --reference-reco {learned}"
        again = "learn anew without it" if reco is None else f"learn anew with --learn --reference-reco {reco}"
        also = again if learned is None else f"give --reference-reco {learned} here too, or {again}"
        raise UsageError(f"{jsonl.shown(file)} was learned {how}: {also}")
    return Unusual(found)


def plots_of(records: jsonl.Records) -> Iterator[Plot]:
    """The plots of histogram records."""
    with records.located():
        for _, record in records.rows(HistogramRecord):
            yield read_plot(record)


def require(references: References, source: str, recos: Iterable[str | None]) -> None:
    """Refuse references of which there is none, or a named one isn't there.

    Args:
        recos: All those of the source.
    """
    if references.reco is not None and not references:
        raise no_reference(source, references.reco, recos)
    present = references.runs()
    for run in references.run_numbers:
        if run not in present:
            raise InputError(f"{jsonl.shown(source)}: no histogram of run {run} to compare with")
    if not references:
        raise InputError(f"{jsonl.shown(source)}: no histogram to compare with")


def no_reference(source: str, reco: str, recos: Iterable[str | None]) -> InputError:
    """The error of a source without a histogram of the reco that is the reference."""
    known = console.listed(sorted(map(str, recos)))
    return InputError(f"{jsonl.shown(source)}: no histogram of reco {reco} to compare with (recos are {known})")


def _require_reference(named: Iterable[int | None]) -> None:
    if all(run is None for run in named):
        raise UsageError(
            "which run is the reference? Name it with --reference-run or its file with --reference, "
            "or merge a table with reference_run_number onto the histograms"
        )


def _only(file: str, runs: set[int]) -> int:
    """The run of a file of references."""
    if len(runs) != 1:
        raise InputError(
            f"{jsonl.shown(file)} has histograms of {console.counted(len(runs), 'run')}: name the references with "
            "--reference-run"
        )
    return next(iter(runs))
