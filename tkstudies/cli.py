"""The application: global options, and commands that are imported when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from tkstudies import __version__, console, frontdoor, settings
from tkstudies.errors import ReaderGone, TkstudiesError

CommandLineError = typer.BadParameter.__mro__[
    2
]  # the base of all errors of parsing, which typer shows itself


class LazyGroup(TyperGroup):
    """The top level: finds a command in ``tkstudies.commands`` by its name, and ends every run in one place."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(frontdoor.COMMANDS)

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: typer.Context, name: str) -> Any:
        if self.commands.get(name) is None and name in self.commands:
            command = get_command(importlib.import_module(f"tkstudies.commands.{name}").app)
            command.name = name
            _accept_global_options(command)
            self.commands[name] = command
        return self.commands.get(name)

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:
        formatter.write(frontdoor.help_text())

    def invoke(self, ctx: typer.Context) -> Any:
        try:
            try:
                super().invoke(ctx)
            finally:
                _finish_services()
        except ReaderGone:
            raise typer.Exit(0) from None
        except TkstudiesError as error:
            console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            console.error("interrupted")
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, CommandLineError):
            raise
        except Exception as error:
            if settings.current.verbose:
                raise
            console.error(
                f"internal error in {ctx.invoked_subcommand}: {type(error).__name__}: {error} "
                "(please report it, with what -v shows)"
            )
            raise typer.Exit(1) from None
        if settings.current.partial:
            raise typer.Exit(3)


def _finish_services() -> None:
    """Write what was recorded, if anything was asked of a server."""
    if "tkstudies.services.web.connection" in sys.modules:
        sys.modules["tkstudies.services.web.connection"].finish()


def _accept_global_options(command: Any) -> None:
    """Let a command and its subcommands take the global options too, behind their names."""
    command.params.extend(_global_options())
    for member in getattr(command, "commands", {}).values():
        _accept_global_options(member)


def _global_options() -> list[TyperOption]:
    def switch(attribute: str) -> Any:
        def turn_on(value: bool) -> None:
            if value:
                setattr(settings.current, attribute, True)

        return turn_on

    def option(names: list[str], callback: Any, text: str, **kind: Any) -> TyperOption:
        def called(ctx: typer.Context, param: Any, value: Any) -> None:
            callback(value)

        return TyperOption(param_decls=names, callback=called, help=text, expose_value=False, **kind)

    texts = frontdoor.OPTIONS
    return [
        option(["--quiet", "-q"], switch("quiet"), texts["-q, --quiet"], is_flag=True, default=False),
        option(["--verbose", "-v"], switch("verbose"), texts["-v, --verbose"], is_flag=True, default=False),
        option(["--replay"], settings.current.use_replay, texts["--replay DIR"], metavar="DIR"),
        option(["--record"], settings.current.use_record, texts["--record DIR"], metavar="DIR"),
    ]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tkstudies {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,  # rich help costs as much again as typer itself
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help"]},
)


@app.callback()
def tkstudies(
    ctx: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False,
    replay: Annotated[str, typer.Option("--replay", metavar="DIR")] = "",
    record: Annotated[str, typer.Option("--record", metavar="DIR")] = "",
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """CMS tracker data-certification studies as one pipe of JSON Lines."""
    current = settings.current
    current.reset(ctx.invoked_subcommand or "tkstudies")
    current.quiet, current.verbose = quiet, verbose
    current.use_replay(replay)
    current.use_record(record)


def run() -> None:
    """Run the command line and exit."""
    app(prog_name="tkstudies")
