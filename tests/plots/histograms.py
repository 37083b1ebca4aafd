"""Invented histogram records for the tests of figures."""

from __future__ import annotations

import math

MAP = "TrackEtaPhi_ImpactPoint_GenTk"
SIZES = ("", "3.5x2.6", "10x5.6")


def axis(bins, low=0, high=None, **more):
    return {"first": {"id": 1, "value": low}, "last": {"id": bins, "value": bins if high is None else high}, **more}


def record(run=1, content=(10, 40, 30, 20), *, name="Charge", reco="express", hist=None, x=None, **columns):
    """A 1-D histogram; ``hist`` replaces members of it."""
    content = list(content)
    found = {
        "type": "TH1",
        "stats": {
            "entries": sum(content) + 3,
            "mean": {"X": {"value": 1.5}},
            "rms": {"X": {"value": 0.9}},
            "overflow": 3,
        },
        "xaxis": x or axis(len(content), title="Charge (e)"),
        "bins": {"content": content},
    }
    found.update(hist or {})
    return {"run_number": run, "reco": reco, "plot": f"/Pixel/{name}", "name": name, "hist": found, **columns}


def track_map(run=1, scale=1, hole=0.0, *, reco="express", name=MAP, **columns):
    """A map of 6 bins of eta and 8 of phi, with a hole in the bin (2, 3)."""
    content = [[scale * (100 + 10 * eta + 3 * phi) for eta in range(6)] for phi in range(8)]
    content[3][2] = round(content[3][2] * (1 - hole), 6)
    hist = {
        "type": "TH2",
        "xaxis": axis(6, -3, 3, title="Track #eta"),
        "yaxis": axis(8, -math.pi, math.pi, title="Track #phi"),
        "bins": {"content": content},
    }
    return {"run_number": run, "reco": reco, "plot": f"/Tracking/{name}", "name": name, "hist": hist, **columns}
