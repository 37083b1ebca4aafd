"""How many of the rows that the simulation distorted lie beyond a limit of T2."""

from __future__ import annotations


def t2_by_truth(rows, world, limit):
    """Fraction of rows beyond the limit, by the strength of the distortion."""
    beyond = {}
    for row in rows:
        strength = world.truth(row["run_number"], row["reco"])["strength"]
        beyond.setdefault(strength, []).append(row["t2"] > limit)
    return {strength: sum(flags) / len(flags) for strength, flags in beyond.items()}
