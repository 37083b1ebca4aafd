"""The application: global options, and commands that are imported when they are called."""

from __future__ import annotations

import importlib
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from tkstudies import __version__, console, frontdoor, jsonl, settings
from tkstudies.commands.groups import LazyGroup, global_options, use_global_option
from tkstudies.errors import ReaderGone, Stopped, TkstudiesError

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
        if name not in frontdoor.SECTIONS["Shape"]:  # those use no library that logs, and start sooner without
            _hide_logs()
        return get_command(importlib.import_module(f"tkstudies.commands.{name}").app)

    def fetches(self, name: str) -> bool:
        return name in frontdoor.SECTIONS["Fetch"]

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(frontdoor.help_text())

    def make_context(self, *arguments: Any, **options: Any) -> Context:
        with _cleaned():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Context) -> Any:
        try:
            try:
                _start(ctx)
                with _cleaned(), jsonl.together():
                    super().invoke(ctx)
            finally:
                _finish_services()
        except ReaderGone:
            raise typer.Exit(0) from None
        except TkstudiesError as error:
            console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as error:
            console.error("stopped by a signal" if isinstance(error, Stopped) else "interrupted")
            raise typer.Exit(getattr(error, "exit_code", 130)) from None
        except (typer.Exit, typer.Abort, CommandLineError):
            raise
        except Exception as error:
            if words := _of_the_system(error):
                console.error(words)
            else:
                _tell_internal(ctx, error)
            raise typer.Exit(1) from None
        if settings.current.partial:
            raise typer.Exit(3)


def _of_the_system(error: BaseException) -> str:
    """What the system, or the one who runs it, refuses to a command, and what may help; empty if it isn't that."""
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {error}' if str(error) else ''}; take fewer rows or columns (filter, select)"
    if isinstance(error, RecursionError):
        return "values are nested too deeply"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}the system refuses: {error.strerror or error}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "the system refuses another thread (ulimit -u): end other programs, or take fewer --workers"
    return ""


def _tell_internal(ctx: Context, error: Exception) -> None:
    """Say that it is our fault."""
    import traceback

    for line in traceback.format_exc().splitlines():
        console.debug(line)
    console.error(
        f"internal error in {ctx.invoked_subcommand}: {type(error).__name__}: {error} "
        "(please report it, with what -v shows)"
    )


def _stop(number: int, _: Any) -> None:
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # once is enough: the cleaning up isn't to be stopped
    raise Stopped(number)


def _catch_signals() -> None:
    """End by a signal as by Ctrl-C; one that is ignored (``nohup``) stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


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
    if "tkstudies.services.web.shared" in sys.modules:
        sys.modules["tkstudies.services.web.shared"].finish()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tkstudies {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Application,
    rich_markup_mode=None,  # rich help costs as much again as typer itself
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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


def _hide_logs() -> None:
    """The same for what libraries log (urllib3 of its connections, matplotlib of fonts)."""
    import logging

    class Details(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.debug(f"{record.name}: {record.getMessage()}")

    logging.lastResort = Details(logging.WARNING)


def run() -> None:
    """Run the command line and exit. What libraries say to programmers stays off standard error."""
    _catch_signals()
    warnings.filterwarnings("ignore", message="http.cookiejar bug")  # a traceback about a cookie that a server sends
    warnings.showwarning = _hide_warning
    app(prog_name="tkstudies")
