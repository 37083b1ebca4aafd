"""Folders of the older crawler: a folder per plot, in it a file ``<run>_<reco>.json`` per histogram."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from tkstudies import console
from tkstudies.errors import InputError
from tkstudies.records import Record
from tkstudies.services.dqm.repair import Unreadable, loads
from tkstudies.services.recos import reco_word

_FILE = re.compile(r"(\d+)_([A-Za-z]+)\.json")


def histogram_records(folder: str) -> Iterator[Record]:
    """Yield the histograms of a plot's folder, or of all such folders in a folder, run by run.

    The plot's name is that of its folder. A file that can't be read is told and left out (exit code 3).

    Raises:
        InputError: There is no such file in the folder.
    """
    found = sorted(_files(folder))
    if not found:
        raise InputError(
            f"{folder}: no files such as 321012_express.json in it, nor in its folders, and none that end in .jsonl"
        )
    for run, reco, path in found:
        plot = os.path.basename(os.path.dirname(os.path.abspath(path)))
        try:
            with open(path, "rb") as stream:
                hist = _histogram(loads(stream.read()))
        except (OSError, Unreadable) as error:
            console.left_out(f"{path} left out: {getattr(error, 'strerror', None) or error}")
            continue
        yield {"run_number": run, "reco": reco, "plot": plot, "name": plot, "hist": hist}


def _histogram(answer: Record) -> Record | str:
    """The histogram of a jsonfairy answer, or its text ``unsupported type``.

    Raises:
        Unreadable: It is another kind of answer.
    """
    hist = answer.get("hist")
    found = hist if isinstance(hist, dict) else answer
    if "_typename" in found:
        raise Unreadable(
            f"an object of JSROOT ({found['_typename']!s:.40}, as jsrootfairy answers), not an answer of jsonfairy: "
            "fetch the plot with tkstudies dqm"
        )
    if not isinstance(hist, dict | str):
        names = ", ".join(answer) or "nothing"
        raise Unreadable(f"not an answer of jsonfairy: no hist in it, but {names:.80}")
    return hist


def _files(folder: str) -> Iterator[tuple[int, str, str]]:
    """(run, reco, path) of every histogram file, in the folder itself or one level below."""
    try:
        inner = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
        for place in [folder, *inner]:
            for entry in os.scandir(place):
                match = _FILE.fullmatch(entry.name)
                if match:
                    yield int(match[1]), reco_word(match[2]), entry.path
    except OSError as error:
        raise InputError(f"{folder}: can't be read: {error.strerror}") from None
