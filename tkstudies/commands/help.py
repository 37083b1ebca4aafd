"""``tkstudies help``: the words that all commands use, and the help of a command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from tkstudies import console, frontdoor, jsonl
from tkstudies.commands import completion, options
from tkstudies.errors import UsageError
from tkstudies.topics import TOPICS as PAGES
from tkstudies.words import WORDS, page

app = options.application()

ALL_WORDS = "words"
TOPICS = f"""
Topics:
  tkstudies help pipe     how commands go together; also: login, records
  tkstudies help columns  what columns mean; filter: the language of conditions
  tkstudies help {ALL_WORDS}    the words that all commands use
  tkstudies help WORD     one of them, such as 'tracking map'
  tkstudies help COMMAND  the help of a command, such as 'oms runs'
"""


@app.command()
def help_on(
    ctx: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOPIC]",
            autocompletion=completion.topics,
            help="pipe, login, records, words, a word, or a command.",
        ),
    ] = None,
) -> None:
    """Explain the words that tkstudies uses, or a command.

    \b
    Examples:
      tkstudies help pipe
      tkstudies help words
      tkstudies help tracking map
      tkstudies help oms runs
    """
    text = _text(ctx, " ".join(topic or ()))
    with jsonl.Writer() as writer:
        writer.write_line(text.rstrip("\n").encode())


def _text(ctx: typer.Context, topic: str) -> str:
    if not topic:
        return frontdoor.help_text() + TOPICS
    if topic == ALL_WORDS:
        return page(WORDS)
    if topic.lower() in PAGES:
        return PAGES[topic.lower()]
    if topic.split()[0] in frontdoor.COMMANDS:
        return _help_of(ctx, topic.split())
    by_lower_case = {word.lower(): word for word in WORDS}
    word = by_lower_case.get(topic.lower())
    if word is None:
        raise _unknown(topic, [*PAGES, ALL_WORDS, *frontdoor.COMMANDS, *WORDS])
    return page({word: WORDS[word]})


def _help_of(ctx: typer.Context, names: list[str]) -> str:
    """What ``--help`` shows of a command, or of a subcommand of it."""
    parent: Any = ctx.parent
    for place, name in enumerate(names):
        members = getattr(parent.command, "commands", {})
        if name not in members:
            before = names[:place]
            known = [" ".join([*before, member]) for member in members] or [" ".join(before)]
            raise _unknown(" ".join(names), known)
        command = parent.command.get_command(parent, name)
        parent = command.make_context(name, [], parent, resilient_parsing=True)
    return str(parent.get_help())


def _unknown(topic: str, known: Iterable[str]) -> UsageError:
    others = console.alternatives(topic, known).replace("columns are", "topics are")
    return UsageError(f"help has no topic {topic!r}; {others}")
