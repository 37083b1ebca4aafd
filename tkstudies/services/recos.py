"""The reconstructions of a run's data, and how others spell them."""

from __future__ import annotations

RECOS = ("online", "express", "prompt", "rereco", "rerecoul")


def reco_word(text: str) -> str:
    """A reconstruction in our spelling, whether or not we know it.

    >>> reco_word("PromptReco"), reco_word(" Express"), reco_word("reReco")
    ('prompt', 'express', 'rereco')
    """
    word = text.strip().lower()
    return "prompt" if word == "promptreco" else word
