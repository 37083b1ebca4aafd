"""``tkstudies plot``: a figure from records; each kind of figure is a file in ``tkstudies.plots``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperOption
from typer.main import get_command

from tkstudies import console, jsonl
from tkstudies.commands import completion, options
from tkstudies.commands.groups import LazyGroup
from tkstudies.commands.signatures import expanded
from tkstudies.errors import InputError, UsageError
from tkstudies.plots import batches, figures, kinds, pages
from tkstudies.plots.forms import form_of
from tkstudies.plots.texts import advice, columns_of
from tkstudies.provenance import provenance
from tkstudies.records import Record

if TYPE_CHECKING:  # typer's own copy of click, for its types only
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter
    from typer._click.shell_completion import CompletionItem

_MOST_TOLD = 5  # losses of single pictures of a batch
_KIND_IS_NAMED = "tkstudies.plot.kind_is_named"


class PlotGroup(LazyGroup):
    """The kinds of figures: one is named by the first word behind the global options, else it is a scatter."""

    def names(self) -> Iterable[str]:
        return kinds.KINDS

    def make(self, name: str) -> Command:
        draw = kinds.KINDS[name].load()
        text = "\n  ".join([f"{kinds.KINDS[name].help}\n\n\b\nExamples:", *kinds.examples(draw)])
        app = options.application()
        app.command(name, help=text)(_drawing_command(name, draw))
        return get_command(app)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        place = self._behind_global_options(args)
        word = args[place] if place < len(args) else None
        ctx.meta[_KIND_IS_NAMED] = word in self.commands
        # nothing follows: the shell completes the kind, or a global option lacks its value
        lacks_a_word = word is None and (ctx.resilient_parsing or place > len(args))
        if not (word in self.commands or word in ("-h", "--help") or lacks_a_word):
            args = [*args[:place], kinds.DEFAULT, *args[place:]]
        return super().parse_args(ctx, args)

    def _behind_global_options(self, args: list[str]) -> int:
        """The place of the first word that is no global option and no value of one."""
        known = [option for option in self.params if isinstance(option, TyperOption)]
        switches = {name for option in known if option.is_flag for name in option.opts}
        with_value = {name for option in known if not option.is_flag for name in option.opts}
        letters = {name[1] for name in switches if len(name) == 2}
        place = 0
        while place < len(args):
            name, is_joined, _ = args[place].partition("=")
            if name in with_value:
                place += 1 if is_joined else 2
            elif args[place] in switches or (name[:1] == "-" and name[1:] and set(name[1:]) <= letters):
                place += 1
            else:
                break
        return place

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        scatter = self.get_command(ctx, kinds.DEFAULT)
        parameters = scatter.get_params(ctx) if scatter else []
        records = [option.get_help_record(ctx) for option in parameters if isinstance(option, TyperOption)]
        with formatter.section("Arguments"):
            formatter.write_dl([(self.subcommand_metavar, "")])
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record])
        with formatter.section("Kinds ('tkstudies plot KIND --help' shows their options)"):
            formatter.write_dl([(name, kind.help) for name, kind in kinds.KINDS.items()])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Kinds, and the options of a scatter."""
        scatter = self.get_command(ctx, kinds.DEFAULT)
        if scatter and incomplete.startswith("-"):
            return scatter.shell_complete(ctx, incomplete)
        return super().shell_complete(ctx, incomplete)


app = options.application(cls=PlotGroup, subcommand_metavar="[KIND] [FILE]...")


@app.callback()
def plot() -> None:
    """Draw a figure; without a kind a scatter of pc1 and pc2 coloured by tracking.

    \b
    Examples:
      tkstudies plot -o pca.png pca.jsonl
      tkstudies pca study.jsonl | tkstudies plot scatter --x pc1 --y pc3 --hue bad_reason -o bad.png
      tkstudies plot --x fill__peak_pileup --y Tracks.mean --facet reco -o pileup.pdf study.jsonl
    """


def _drawing_command(name: str, draw: kinds.Draw) -> Callable[..., None]:
    """The command of one kind: its own options, then those that all kinds share."""
    look_type = kinds.look_of(draw)
    own, shared = list(kinds.choices(draw)), list(kinds.choices(look_type))

    def command(
        ctx: typer.Context,
        files: options.Files = None,
        *,
        chosen: dict[str, Any],
        batch: Annotated[
            list[str] | None,
            typer.Option(
                "--batch",
                metavar="COLUMN",
                autocompletion=completion.columns,
                help="A picture for each value (of histograms: each record), in folders named by it (repeatable).",
            ),
        ] = None,
        show: Annotated[bool, typer.Option("--show", help="Open a window.")] = False,
        inputs: options.Inputs = None,
        outputs: Annotated[
            list[str] | None,
            typer.Option(
                "-o", "--output", metavar="FILE", help="Picture to write: .png, .pdf, .svg, ... (repeatable)."
            ),
        ] = None,
        skip_bad_lines: options.SkipBadLines = False,
    ) -> None:
        files = _without_first_column(files or [], own, chosen)
        _check_files(files, kind_is_named=ctx.meta[_KIND_IS_NAMED])
        named = outputs or []
        if not named and not show:
            raise UsageError("name a picture with -o FILE.png, or open a window with --show")
        if batch and show:
            raise UsageError("--batch writes many pictures: leave out --show")
        look = look_type(**{choice.name: chosen.pop(choice.name) for choice in shared})
        folders = batches.folders(named) if batch else []
        figures.check_outputs([f"x{folder.ending}" for folder in folders] if batch else named)
        records = options.reader(inputs, files, skip_bad_lines=skip_bad_lines, expected="records to plot")
        rows = list(records)
        options.require_records(records, "nothing to plot: ")
        kinds.check_form(name, form_of(rows), records.name)
        made = provenance(records.sources, (row.get("run_number") for row in rows))
        with figures.style(look):
            if kinds.KINDS[name].one_by_one:
                _warn_of_unknown_columns([*_given(own, chosen), *_given(shared, vars(look)), ("--batch", batch)], rows)
                drawn = draw(rows, look=look, **chosen)
                if batch:
                    pages.save_batch(drawn, batch, folders, made)
                else:
                    pages.save_pages(drawn, named, made, show=show)
            elif batch:
                _warn_of_unknown_columns([*_given(own, chosen), *_given(shared, vars(look)), ("--batch", batch)], rows)
                parts = batches.parts(rows, batch, one_by_one=False)
                _draw_batch(parts, folders, lambda members: draw(members, look=look, **chosen), made)
            else:
                drawing = draw(rows, look=look, **chosen)
                _warn_of_unknown_columns([*_given(own, chosen), *_given(shared, vars(look))], rows)
                drawing.losses.tell()
                for output in named:
                    figures.save(drawing.figure, output, made)
                    console.say(f"{output}: {console.counted(drawing.number, drawing.noun)}")
                if show:
                    figures.show(drawing.figure)
        options.report_skipped(records)

    return expanded(command, "chosen", [_typer_option(choice) for choice in [*own, *shared]], dict)


def _draw_batch(
    parts: Iterable[batches.Part],
    folders: list[batches.Folder],
    draw: Callable[[list[Record]], figures.Drawing],
    origin: Record,
) -> None:
    """Draw a picture of each part of the records; those that can't be drawn are told and left out."""
    made, failed, first = 0, 0, ""
    told: list[str] = []
    for part in parts:
        try:
            drawing = draw(part.records)
        except InputError as error:
            failed, first = failed + 1, first or f"{part.path}: {error}"
            continue
        told += [f"{part.path}: {text}" for text in drawing.losses.texts()]
        for folder in folders:
            figures.save(drawing.figure, folder.file(part.path), origin)
        made += 1
    if failed and not made:
        raise InputError(f"no picture could be drawn; {first}")
    if failed:
        console.left_out(f"{console.counted(failed, 'picture')} could not be drawn, such as {first}")
    for text in told[:_MOST_TOLD]:
        console.warn(text)
    if len(told) > _MOST_TOLD:
        console.warn(f"{len(told) - _MOST_TOLD} more of other pictures")
    for folder in folders:
        console.say(f"{folder.name}: {console.counted(made, 'picture')}")


def _typer_option(choice: kinds.Choice) -> inspect.Parameter:
    option = choice.option
    declared = typer.Option(
        choice.default,
        option.name,
        help=option.help,
        metavar=option.metavar or ("COLUMN" if option.is_column else None),
        min=option.minimum,
        max=option.maximum,
        autocompletion=completion.columns if option.is_column else None,
    )
    return inspect.Parameter(choice.name, inspect.Parameter.KEYWORD_ONLY, annotation=choice.type, default=declared)


def _without_first_column(files: list[str], choices: Iterable[kinds.Choice], chosen: dict[str, Any]) -> list[str]:
    """The files, without a first argument that is no file but the column that the figure is about."""
    first = next((choice for choice in choices if choice.option.is_first), None)
    if first and files and chosen[first.name] == first.default and files[0] != jsonl.STDIN:
        is_file = os.path.exists(files[0]) or {"/"} & set(files[0]) or files[0].endswith(options.ENDINGS)
        if not is_file:
            chosen[first.name] = files[0]
            return files[1:]
    return files


def _check_files(files: list[str], kind_is_named: bool) -> None:
    """Say so if a file is missing that was perhaps meant as a kind."""
    missing = [file for file in files if file != jsonl.STDIN and not os.path.exists(file)]
    for file in missing:
        if file in kinds.KINDS:
            raise UsageError(f"{file}: no such file; the kind comes first: plot {file} ...")
    if missing and missing[0] == files[0] and not kind_is_named:
        wrong = InputError if {"/", "."} & set(files[0]) else UsageError
        raise wrong(f"{files[0]}: neither a kind of plot ({', '.join(kinds.KINDS)}) nor a file")


def _given(choices: Iterable[kinds.Choice], chosen: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The options that name columns, with what was given; those taken by default may be missing."""
    for choice in choices:
        if choice.option.is_column and not choice.option.or_number and chosen[choice.name] != choice.default:
            yield choice.option.name, chosen[choice.name]


def _warn_of_unknown_columns(given: Iterable[tuple[str, Any]], rows: list[Record]) -> None:
    """Tell the names that are columns of no record."""
    for name, value in given:
        for column in value if isinstance(value, list) else [value]:
            if column and not any(column in row for row in rows):
                console.warn(f"{name}: no record has a column {column}; {advice(column, columns_of(rows))}")
