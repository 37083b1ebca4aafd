"""What is said to a person: always on standard error, never in the way of the records."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from tkstudies.settings import current


def clean(text: str) -> str:
    """A text in one line without anything that a terminal obeys: controls, escapes, marks that turn the writing round.

    All that is said goes through here, as texts of files and servers are in it; tables and progress bars use it too.

    >>> clean("HV off"), clean("a\\x1b]52;c;eA==\\x07b\\nc \\u202e \\ud800")
    ('HV off', 'a\\\\x1b]52;c;eA==\\\\x07b\\\\nc \\\\u202e \\\\ud800')
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str) -> None:
    """A summary or hint, silenced by ``--quiet``."""
    if not current.quiet:
        _write(text)


def ask(text: str) -> None:
    """What the person has to do before the command can go on: said with ``--quiet``, too."""
    _write(text)


def say_memory(size: float) -> None:
    """How much memory the next step needs [bytes], where that is more than 1 GB: a shared machine may not have it."""
    if size > 1e9:
        say(f"this takes about {size / 1e9:.1f} GB of memory")


def warn(text: str) -> None:
    """Something the user should know before trusting the result."""
    _write(f"warning: {text}")


def left_out(text: str) -> None:
    """A warning about records that are missing from the output: the command will end with exit code 3."""
    current.partial = True
    warn(text)


def debug(text: str) -> None:
    """A detail for ``--verbose``."""
    if current.verbose:
        _write(text)


def error(text: str) -> None:
    """The last word of a command that failed."""
    _write(f"tkstudies: {text}")


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "match"), counted(2, "category")
    ('1 row', '1,200 rows', '2 matches', '2 categories')
    """
    if noun.endswith("y") and noun[-2] not in "aeiou":
        plural = noun[:-1] + "ies"
    else:
        plural = noun + ("es" if noun.endswith(("ch", "s", "x")) else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def listed(names: Iterable[str], most: int = 12) -> str:
    """A short list for a message, with a count of what it leaves out."""
    names = list(names)
    more = f", ... ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def alternatives(name: str, columns: Iterable[str]) -> str:
    """Which columns may have been meant by a name that isn't one, else which there are.

    >>> alternatives("Tracking", ["run_number", "tracking"]), alternatives("t2", ["run_number", "tracking"])
    ('did you mean tracking?', 'columns are run_number, tracking')
    """
    from difflib import get_close_matches

    columns = list(columns)
    spelling = {column.lower(): column for column in columns}
    close = get_close_matches(name.lower(), spelling, 3)
    if close:
        return f"did you mean {' or '.join(spelling[column] for column in close)}?"
    return f"columns are {listed(columns)}"


@dataclass
class _Loss:
    """One kind of loss; without a noun it has no number."""

    why: str
    advice: str
    number: int = 0
    noun: str = ""
    source: str = ""

    def is_like(self, other: _Loss) -> bool:
        return replace(self, number=0) == replace(other, number=0)

    @property
    def text(self) -> str:
        if not self.noun:
            return self.why
        return f"{f'{self.source}: ' if self.source else ''}{counted(self.number, self.noun)} {self.why}"


@dataclass
class Losses:
    """What was dropped on the way, why and how much of it: noted by whoever does the work, told once.

    A command tells them on standard error, and its exit code says 3 if something is missing that should be there
    (`partial`); a Python function warns of them.

    Example:
        >>> losses = Losses()
        >>> losses.add(2, "row", "without run_number not joined", source="oms.jsonl")
        >>> losses.add(0, "row", "with a repeated key dropped")
        >>> losses.texts(), losses.partial
        (['oms.jsonl: 2 rows without run_number not joined'], False)
    """

    partial: bool = False
    _noted: list[_Loss] = field(default_factory=list)

    def add(
        self, number: int, noun: str, why: str, *, source: str = "", advice: str = "", partial: bool = False
    ) -> None:
        """Note that so many were dropped; none is no loss."""
        if number:
            self._noted.append(_Loss(why, advice, number, noun, source))
            self.partial = self.partial or partial

    def note(self, text: str, *, advice: str = "", partial: bool = False) -> None:
        """Note a loss that has no number; ``advice`` names options and is told at the command line only."""
        self._noted.append(_Loss(text, advice))
        self.partial = self.partial or partial

    def absorb(self, other: Losses) -> None:
        """Take in those of another part of the same work: what was noted in both is told once, with both numbers."""
        for loss in other._noted:
            same = next((mine for mine in self._noted if mine.is_like(loss)), None)
            if same:
                same.number += loss.number
            else:
                self._noted.append(replace(loss))
        self.partial = self.partial or other.partial

    def texts(self) -> list[str]:
        """One sentence for each loss, in the order in which they were noted."""
        return [loss.text for loss in self._noted]

    def tell(self) -> None:
        """Say them to the user of a command, and let it end with exit code 3 if something is missing."""
        current.partial = current.partial or self.partial
        noted, self._noted = self._noted, []
        for loss in noted:
            warn(loss.text + (f" ({loss.advice})" if loss.advice else ""))

    def warn(self, category: type[Warning] = UserWarning, stacklevel: int = 2) -> None:
        """Warn the caller of a Python function."""
        import warnings

        for text in self.texts():
            warnings.warn(text, category, stacklevel=stacklevel + 1)


@contextmanager
def kept() -> Iterator[list[str]]:
    """Keep what is said in here instead of saying it: for a worker, whose standard error nobody reads."""
    global _keeping
    before, _keeping = _keeping, []
    try:
        yield _keeping
    finally:
        _keeping = before


def repeat(sentence: str) -> None:
    """Say what a worker kept."""
    _write(sentence)


_keeping: list[str] | None = None


def _write(text: str) -> None:
    if _keeping is not None:
        _keeping.append(text)
        return
    try:
        sys.stderr.write(clean(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody listens: the exit code still tells


class Progress:
    """Counts records or requests; draws a bar only while a person looks at a terminal."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._bar = None
        if not current.quiet and sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            rate = TextColumn("{task.fields[rate]:.0f}/s")
            self._bar = Bar(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                rate,
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(clean(what), total=total, rate=0.0)
            self._start = time.monotonic()
            self._done = 0
            try:
                self._bar.start()
            except RuntimeError:  # no thread to draw it in
                self._bar = None

    def advance(self, number: int = 1) -> None:
        """Count ``number`` more as done."""
        if self._bar:
            self._done += number
            elapsed = max(time.monotonic() - self._start, 1e-3)
            self._bar.update(self._task, advance=number, rate=self._done / elapsed)

    def expect(self, total: int) -> None:
        """Set the number that will make it complete."""
        if self._bar:
            self._bar.update(self._task, total=total)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar:
            bar, self._bar = self._bar, None
            with suppress(OSError):  # a terminal that has gone
                bar.stop()


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Progress]:
    """A progress display that goes away however the work ends."""
    bar = Progress(what, total)
    try:
        yield bar
    finally:
        bar.stop()
