"""The application: global options, and commands that are imported when they are called."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from tkstudies import __version__, console, frontdoor, settings
from tkstudies.commands.groups import LazyGroup, global_options, use_global_option
from tkstudies.errors import ReaderGone, TkstudiesError

if TYPE_CHECKING:  # typer's own copy of click, for its types only
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

# Errors of the command line that typer finds and shows itself. Of click, which it brings along, typer exports
# one of them only: the class they all derive from is found by its name.
CommandLineError = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException" and issubclass(base, Exception)
)


class Application(LazyGroup):
    """The top level: finds a command in ``tkstudies.commands`` by its name, and ends every run in one place."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params += global_options()

    def names(self) -> Iterable[str]:
        return frontdoor.COMMANDS

    def make(self, name: str) -> Command:
        return get_command(importlib.import_module(f"tkstudies.commands.{name}").app)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(frontdoor.help_text())

    def make_context(self, *arguments: Any, **options: Any) -> Context:
        with _cleaned():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Context) -> Any:
        try:
            try:
                _start(ctx)
                with _cleaned():
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
            import traceback

            for line in traceback.format_exc().splitlines():
                console.debug(line)
            console.error(
                f"internal error in {ctx.invoked_subcommand}: {type(error).__name__}: {error} "
                "(please report it, with what -v shows)"
            )
            raise typer.Exit(1) from None
        if settings.current.partial:
            raise typer.Exit(3)


@contextmanager
def _cleaned() -> Iterator[None]:
    """What typer says itself is as clean as what we say: arguments may come from a list that others wrote."""
    try:
        yield
    except CommandLineError as error:
        error.message = console.clean(error.message)  # type: ignore[attr-defined]  # click's, found by its name
        raise


def _start(ctx: Context) -> None:
    """Begin with the environment and the options in front of the command's name."""
    settings.current.reset()
    for option in frontdoor.GLOBAL_OPTIONS:
        use_global_option(option.name, ctx.params.pop(option.name))


def _finish_services() -> None:
    """Write what was recorded, if anything was asked of a server."""
    if "tkstudies.services.web.connection" in sys.modules:
        sys.modules["tkstudies.services.web.connection"].finish()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tkstudies {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Application,
    rich_markup_mode=None,  # rich help costs as much again as typer itself
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help"]},
)


@app.callback()
def tkstudies(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """CMS tracker data-certification studies as one pipe of JSON Lines."""
    settings.current.command = ctx.invoked_subcommand or "tkstudies"


def _hide_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """A library's warning to programmers, which tells a user nothing: with --verbose only."""
    console.debug(f"{category.__name__} of {filename}:{lineno}: {message}")


def run() -> None:
    """Run the command line and exit. What libraries say to programmers stays off standard error."""
    warnings.showwarning = _hide_warning
    app(prog_name="tkstudies")
