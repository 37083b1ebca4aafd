"""Groups whose commands are made when they are called, and the options that every command takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from tkstudies import frontdoor, settings

if TYPE_CHECKING:  # typer's own copy of click, for its types only
    from typer._click.core import Command, Context


class LazyGroup(TyperGroup):
    """A group that makes a command when it is called: importing all of them takes longer than most runs do."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name) for name in self.names()}  # for lists and guesses
        self._made: dict[str, Command] = {}

    def names(self) -> Iterable[str]:
        """The commands that the group has."""
        raise NotImplementedError

    def make(self, name: str) -> Command:
        """One of them, without the global options."""
        raise NotImplementedError

    def fetches(self, name: str) -> bool:
        """Does a command ask servers?"""
        return False

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in self.commands:
            return None
        if cmd_name not in self._made:
            command = self.make(cmd_name)
            command.name = cmd_name
            _accept_global_options(command, self.fetches(cmd_name))
            self._made[cmd_name] = command
        return self._made[cmd_name]


def global_options(fetches: bool = True, **behaviour: Any) -> list[TyperOption]:
    """The options of ``frontdoor.GLOBAL_OPTIONS`` as typer's.

    Args:
        fetches: Whether servers are asked; if not, options about their answers are taken but not shown.
    """
    return [
        TyperOption(
            param_decls=list(option.names),
            help=option.help,
            metavar=option.metavar or None,
            is_flag=not option.metavar,
            default=None if option.metavar else False,
            hidden=option.of_servers and not fetches,
            **behaviour,
        )
        for option in frontdoor.GLOBAL_OPTIONS
    ]


def use_global_option(name: str, value: Any) -> None:
    """Let a global option take effect if it is given; one that isn't leaves things as they are.

    Raises:
        UsageError: Replay and record exclude each other.
        InputError: The folder to replay from doesn't exist.
    """
    if name == "replay":
        settings.current.use_replay(value)
    elif name == "record":
        settings.current.use_record(value)
    elif value:
        setattr(settings.current, name, True)


def _accept_global_options(command: Command, fetches: bool) -> None:
    """Let a command and its subcommands take the global options too, behind their names."""
    command.params += global_options(fetches, callback=_use, expose_value=False)
    if isinstance(command, TyperGroup) and not isinstance(command, LazyGroup):
        for member in command.commands.values():
            _accept_global_options(member, fetches)


def _use(ctx: Context, param: TyperOption, value: Any) -> None:
    use_global_option(str(param.name), value)
