"""``tkstudies help``: words with one meaning, in 80 columns, and the help of every command."""

from __future__ import annotations

import pytest

from tkstudies import frontdoor
from tkstudies.topics import TOPICS
from tkstudies.words import WORDS

EXPECTED = (
    "run", "lumisection", "fill", "reco", "workspace", "era", "reference run", "good", "golden", "certified", "bad",
    "special", "commissioning", "row", "record", "column", "key", "feature", "collection", "plot", "figure",
    "tracking map", "map scale", "Q", "quality", "T2", "component", "loading", "score", "luminosity", "pull", "replay",
    "cassette", "model", "suspect",
)  # fmt: skip


def lines(result):
    assert (result.stderr, result.exit_code) == ("", 0)
    assert not [line for line in result.stdout.splitlines() if len(line) > 80 or line != line.rstrip()]
    return result.stdout.splitlines()


def test_the_words(tkstudies):
    shown = [line for line in lines(tkstudies("help", "words")) if not line.startswith(" ")]
    assert shown == list(WORDS)
    lower = [word.lower() for word in shown]
    assert lower == sorted(set(lower))
    assert set(EXPECTED) <= set(shown)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_a_topic(word, tkstudies):
    if word not in frontdoor.COMMANDS:
        assert lines(tkstudies("help", *word.upper().split()))[0] == word
    assert WORDS[word].endswith((".", ".)")) and WORDS[word].isascii()


@pytest.mark.parametrize("topic", TOPICS)
def test_pages_over_several_commands(topic, tkstudies):
    shown = lines(tkstudies("help", topic.upper()))
    assert len(shown) > 10 and all(line.isascii() for line in shown)
    assert f"help {topic}" in tkstudies("help").stdout or topic in tkstudies("help").stdout


@pytest.mark.parametrize("name", [*sorted(frontdoor.COMMANDS.keys() - TOPICS), "oms runs", "doctor problem-runs"])
def test_the_help_of_a_command(name, tkstudies):
    shown = tkstudies("help", *name.split())
    assert (shown.stderr, shown.exit_code) == ("", 0)
    assert shown.stdout.strip() == tkstudies(*name.split(), "--help").stdout.strip()


def test_help_alone_is_the_front_page_and_the_topics(tkstudies):
    shown = tkstudies("help").stdout
    assert shown.startswith(frontdoor.help_text())
    topics = shown.removeprefix(frontdoor.help_text())
    assert "tkstudies help words" in topics
    assert max(map(len, topics.splitlines())) <= 80


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("goldn", "did you mean golden"),
        ("fliter", "did you mean filter"),
        ("oms rnus", "did you mean oms runs"),
        ("filter runs", "did you mean filter?"),
        ("zzz\x1b", "help has no topic 'zzz\\x1b'; topics are pipe, login, records, words, runreg"),
    ],
)
def test_an_unknown_topic(topic, told, tkstudies):
    result = tkstudies("help", *topic.split())
    assert (result.stdout, result.exit_code) == ("", 2)
    assert told in result.stderr


def test_a_full_disk(shell):
    result = shell("tkstudies help words > /dev/full")
    assert result.stderr == "tkstudies: standard output: can't be written: No space left on device\n"
    assert result.returncode == 1
