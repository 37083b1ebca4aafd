"""The command lines in the help of all commands, taken apart."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.pipe.test_cli import GROUP
from tkstudies import frontdoor

_LINE = re.compile(r"^ *(tkstudies .*)$", re.MULTILINE)


class Stage(NamedTuple):
    """One program of a pipe: its words, what it reads and where it writes; empty if not said."""

    words: list[str]
    source: str = ""
    target: str = ""


def commands(command=GROUP, name=""):
    """All commands and groups of commands by their path."""
    found = {name: command} if name else {}
    for child in getattr(command, "list_commands", lambda context: [])(None):
        found |= commands(command.get_command(None, child), f"{name} {child}".strip())
    return found


def lines():
    """(path of the command, line of its help that is an example), continued lines joined."""
    pages = {"": frontdoor.help_text()} | {path: command.help or "" for path, command in commands().items()}
    for path, text in pages.items():
        behind = re.split(r"Examples?:", text, maxsplit=1)
        for found in _LINE.finditer(re.sub(r"\s*\\\n\s*", " ", behind[-1])):
            yield path, found[1]


def stages(line):
    """A line taken apart as the shell does it.

    >>> stages("tkstudies label < 'a b' | head > x")
    [Stage(words=['tkstudies', 'label'], source='a b', target=''), Stage(words=['head'], source='', target='x')]
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    found, words, ways = [], [], {"<": "", ">": ""}
    rest = iter([*lexer, "|"])
    for word in rest:
        if word == "|":
            found.append(Stage(words, ways["<"], ways[">"]))
            words, ways = [], {"<": "", ">": ""}
        elif word in ways:
            ways[word] = next(rest)
        else:
            words.append(word)
    return found


def parse(words, command=GROUP, parent=None):
    """Read a command line as the command does, without running it; raises what it says of a wrong one."""
    name, *rest = words
    context = command.make_context(name, rest, parent=parent)
    if hasattr(command, "resolve_command"):
        left = [*context._protected_args, *context.args]
        name, child, left = command.resolve_command(context, left)
        parse([name, *left], child, context)


def asks_a_server(line):
    """Does it, other than those that answer off line?"""
    return any(stage.words[1] in frontdoor.SECTIONS["Fetch"] for stage in own(line))


def own(line):
    """The stages up to the first program that isn't ours."""
    return list(itertools.takewhile(lambda stage: stage.words[0] == "tkstudies", stages(line)))


def run(line, tkstudies):
    """Run it in this folder and process; gives the last result. What ``>`` would replace stays as it is."""
    text = result = None
    for stage in own(line):
        text = Path(stage.source).read_text() if stage.source else text
        small = ["--dpi", "20"] if stage.words[1] == "plot" else []
        result = tkstudies(*stage.words[1:], *small, input=text)
        assert result.exit_code == 0 and "internal error" not in result.stderr, (line, result.stderr)
        text = result.stdout
        if stage.target and not Path(stage.target).exists():
            Path(stage.target).write_text(text)
    return result
