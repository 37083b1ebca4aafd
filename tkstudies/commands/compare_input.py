"""What ``tkstudies compare`` compares with what: the histograms, and those of their references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tkstudies import console, jsonl
from tkstudies.errors import InputError, UsageError

if TYPE_CHECKING:
    from tkstudies.analysis.histograms.references import Plot, References
    from tkstudies.analysis.histograms.unusual import Unusual


@dataclass
class Sides:
    """Both sides of a comparison.

    Attributes:
        references: The histograms to compare with.
        plots: Those to compare, as they are read.
        default: The reference run of a plot that names none.
        readers: All inputs.
    """

    references: References
    plots: Iterable[Plot]
    default: int | None
    readers: list[jsonl.Reader]


def both_sides(
    records: jsonl.Reader, files: Sequence[str], runs: Sequence[int], reco: str | None, skip_bad_lines: bool
) -> Sides:
    """The histograms and their references, from files of their own or from the same input.

    Args:
        files: Files of references.
        runs: Reference runs that were named.
        reco: Compare each run with itself in that reco.

    Raises:
        InputError: A reference isn't there.
        UsageError: Nothing says which run is the reference.
    """
    from tkstudies.analysis.histograms.references import References

    if not files:
        held = list(_plots(records))
        references = References(held, runs, reco)
        if held:
            _require(references, "the input", {plot.row.reco for plot in held})
            _require_reference(held, references)
        return Sides(references, _compared(held, references, in_one_file=True), None, [records])
    readers = [jsonl.Reader([file], skip_bad_lines=skip_bad_lines, expected="histogram records") for file in files]
    runs_of: dict[str, set[int]] = {file: set() for file in files}
    recos: set[str | None] = set()

    def all_plots() -> Iterator[Plot]:
        for file, reader in zip(files, readers, strict=True):
            for plot in _plots(reader):
                runs_of[file].add(plot.row.run_number)
                recos.add(plot.row.reco)
                yield plot

    references = References(all_plots(), runs, reco)
    _require(references, " and ".join(files), recos)
    if len(runs_of) > 1 and not runs and reco is None:
        references.run_numbers = tuple(dict.fromkeys(_only(*pair) for pair in runs_of.items()))
    plots = _compared(_plots(records), references, in_one_file=False)
    return Sides(references, plots, references.only_run(), [records, *readers])


def unusual_by(file: str, reco: str | None) -> Unusual:
    """How unusual changes are, by a file of ``--learn``.

    Raises:
        InputError: It isn't one.
        UsageError: It tells of other comparisons.
    """
    from tkstudies.analysis.histograms.changesfile import from_json
    from tkstudies.analysis.histograms.unusual import Unusual

    found = from_json(jsonl.read_value(file, "what tkstudies compare --learn wrote"), jsonl.shown(file))
    learned = found.source.reference_reco
    if learned != reco:
        how = "between runs" if learned is None else f"with --reference-reco {learned}"
        again = "learn anew without it" if reco is None else f"learn anew with --learn --reference-reco {reco}"
        also = again if learned is None else f"give --reference-reco {learned} here too, or {again}"
        raise UsageError(f"{jsonl.shown(file)} was learned {how}: {also}")
    return Unusual(found)


def _plots(records: jsonl.Reader) -> Iterator[Plot]:
    from tkstudies.analysis.histograms.references import read_plot
    from tkstudies.histogramrecord import HistogramRecord

    with records.located():
        yield from map(read_plot, records.parsed(HistogramRecord))


def _compared(plots: Iterable[Plot], references: References, *, in_one_file: bool) -> Iterator[Plot]:
    """The plots that aren't references themselves."""
    any_other = any_left_out = False
    for plot in plots:
        is_reference = in_one_file and plot.row.run_number in references.run_numbers
        if is_reference or plot.row.reco == references.reco is not None:
            any_left_out = True
        else:
            any_other = True
            yield plot
    if any_left_out and not any_other and references.reco is not None:
        raise InputError(f"all histograms are of reco {references.reco}: there is none to compare with it")


def _require(references: References, source: str, recos: Iterable[str | None]) -> None:
    if references.reco is not None and not references:
        known = console.listed(sorted(map(str, recos)))
        raise InputError(
            f"{jsonl.shown(source)}: no histogram of reco {references.reco} to compare with (recos are {known})"
        )
    present = references.runs()
    for run in references.run_numbers:
        if run not in present:
            raise InputError(f"{jsonl.shown(source)}: no histogram of run {run} to compare with")
    if not references:
        raise InputError(f"{jsonl.shown(source)}: no histogram to compare with")


def _require_reference(plots: Iterable[Plot], references: References) -> None:
    if references.run_numbers or references.reco is not None:
        return
    if all(plot.reference_run_number is None for plot in plots):
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
