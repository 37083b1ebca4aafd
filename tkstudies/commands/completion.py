"""What the shell offers when a column name, or one of a few known words, is being typed.

Shells evaluate what is offered (zsh) or insert it as it is (bash), and whoever presses TAB hasn't chosen the files that
lie in the folder: only plain names are offered, of plain files, from their first bytes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable

import typer

_MOST_FILES = 30
_MOST_BYTES = 1 << 16  # of a file, and of what is packed in it
_PLAIN = re.compile(r"[A-Za-z0-9._:+/][A-Za-z0-9._:+/-]*")  # with a - in front it would be an option
_BLANK = b"\xef\xbb\xbf \t\r\n"
_TOKEN = re.compile(rb'"((?:[^"\\\n]|\\.)*)"([ \t\r\n]*:)?|[{}\n]')


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Columns of the files on the command line so far, else of the record files in this folder, and the labels.

    In a list such as ``pixel,str`` the last name is completed.
    """
    before, comma, name = incomplete.rpartition(",")
    if not all(map(_PLAIN.fullmatch, filter(None, before.split(",")))):
        return []
    found = dict.fromkeys(column for file in _files(ctx) for column in _columns(file))
    if not found:
        import glob

        from tkstudies.analysis.tables.labels import LABELS

        files = sorted(glob.glob("*.jsonl") + glob.glob("*.jsonl.gz"))[:_MOST_FILES]
        found = dict.fromkeys(column for file in files for column in _columns(file))
        found.update(dict.fromkeys(LABELS))
    return [before + comma + column for column in sorted(found) if column.startswith(name)]


def known(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completes what takes some words only, also the last of a list; ``words`` is called when TAB is pressed."""

    def complete(incomplete: str) -> list[str]:
        before, comma, word = incomplete.rpartition(",")
        if not all(map(_PLAIN.fullmatch, filter(None, before.split(",")))):
            return []
        fitting = (one for one in words() if one.startswith(word) and _PLAIN.fullmatch(one))
        return [before + comma + one for one in fitting]

    return complete


@known
def recos() -> Iterable[str]:
    """Reconstructions."""
    from tkstudies.services.recos import RECOS

    return RECOS


@known
def services() -> Iterable[str]:
    """Services that can be checked."""
    from tkstudies.services.health import PROBES

    return PROBES


@known
def logins() -> Iterable[str]:
    """Services that one can log in to by browser."""
    from tkstudies.services.web.endpoints import LOGINS

    return LOGINS


@known
def collections() -> Iterable[str]:
    """Collections of plots."""
    from tkstudies.analysis.histograms.collections import COLLECTIONS

    return COLLECTIONS


@known
def stats() -> Iterable[str]:
    """Numbers of a histogram."""
    from tkstudies.analysis.histograms.statistics import STATISTICS

    return STATISTICS


@known
def states() -> Iterable[str]:
    """States of rows of the Run Registry."""
    from tkstudies.services.registry.fields import STATES

    return (*STATES, "all")


@known
def status_rules() -> Iterable[str]:
    """How many statuses become one."""
    from tkstudies.services.registry.records import RULES

    return [rule for rule in RULES if "=" not in rule]


@known
def labels() -> Iterable[str]:
    """Derived columns."""
    from tkstudies.analysis.tables.labels import LABELS

    return LABELS


@known
def map_columns() -> Iterable[str]:
    """What ``trackingmap`` adds."""
    from tkstudies.analysis.histograms.trackingmaps import COLUMNS

    return COLUMNS


@known
def topics() -> Iterable[str]:
    """What ``help`` explains: of words with blanks the first one."""
    from tkstudies.frontdoor import COMMANDS
    from tkstudies.topics import TOPICS
    from tkstudies.words import WORDS

    return dict.fromkeys([*TOPICS, "words", *COMMANDS, *(word.split()[0] for word in WORDS)])


def _files(ctx: typer.Context) -> list[str]:
    return [*(ctx.params.get("inputs") or ()), *(ctx.params.get("files") or ()), *ctx.args]


def _columns(file: str) -> list[str]:
    """The plain ones among the names at the top of the records, also of a record that is cut."""
    found: dict[str, None] = {}
    depth, start = 0, _beginning(file)
    one_a_line = start.lstrip(_BLANK)[:1] != b"["
    for token in _TOKEN.finditer(start):
        text = token[0]
        if text == b"{":
            depth += 1
        elif text == b"}":
            depth = max(depth - 1, 0)
        elif text == b"\n":
            depth = 0 if one_a_line else depth
        elif depth == 1 and token[2]:
            found[token[1].decode("ascii", "replace")] = None
    return [name for name in found if _PLAIN.fullmatch(name)]


def _beginning(file: str) -> bytes:
    """The first bytes of a plain file, unpacked; nothing of a pipe, a device, or what can't be read."""
    import zlib

    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # opening a pipe must not wait for a writer
    except (OSError, ValueError):
        return b""
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return b""
        start = os.read(number, _MOST_BYTES)
        return zlib.decompressobj(wbits=31).decompress(start, _MOST_BYTES) if start[:1] == b"\x1f" else start
    except (OSError, zlib.error):
        return b""
    finally:
        os.close(number)
