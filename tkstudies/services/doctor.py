"""TkDQMDoctor, where shifters certify run by run, and the Certification Helper, its successor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from tkstudies.records import Record, status
from tkstudies.services.recos import reco_word
from tkstudies.services.web import answers, endpoints
from tkstudies.services.web.connection import Connection

_REFERENCE = ("runtype", "bfield", "beamtype", "beamenergy", "dataset")
NAMES = {
    "type__reco": "reco",
    "type__runtype": "doctor_runtype",
    "type__bfield": "bfield_class",
    "type__beamtype": "beamtype",
    "type__beamenergy": "beamenergy",
    "type__dataset": "dataset",
    "reference_run__reference_run": "reference_run_number",
    "reference_run__reco": "reference_reco",
    **{f"reference_run__{name}": f"reference_{name}" for name in _REFERENCE},
    "pixel": "doctor_pixel",
    "sistrip": "doctor_strip",
    "tracking": "doctor_tracking",
    "pixel_lowstat": "doctor_pixel_lowstat",
    "sistrip_lowstat": "doctor_strip_lowstat",
    "tracking_lowstat": "doctor_tracking_lowstat",
    "date": "certification_date",
}
_CERTHELPER_NAMES = {
    "run_number": "run_number",
    "run_reconstruction_type": "reco",
    "reference_run_number": "reference_run_number",
    "reference_run_reconstruction_type": "reference_reco",
    "dataset": "dataset",
}
_RECO_COLUMNS = ("reco", "reference_reco")
_STATUS_COLUMNS = ("doctor_pixel", "doctor_strip", "doctor_tracking")


def runs(source: Iterable[Record] | None = None, *, cookies: str | None = None) -> Iterator[Record]:
    """Yield the certified runs, one record for each certification.

    Args:
        source: What was saved from the page in a browser; without it the page is fetched.
        cookies: A Netscape cookie file of a session at TkDQMDoctor; by default $TKSTUDIES_COOKIES.

    Raises:
        LoginError: The session has ended, or there is none.
        ServiceError: The page can't be used.
    """
    return map(run_record, _page("/json/runs/", source, cookies))


def problem_runs(source: Iterable[Record] | None = None, *, cookies: str | None = None) -> Iterator[Record]:
    """Yield the runs with problems: as ``runs``, with problem_names and problem_ids."""
    return map(run_record, _page("/json/problem_runs/", source, cookies))


def problems(source: Iterable[Record] | None = None, *, cookies: str | None = None) -> Iterator[Record]:
    """Yield the categories of problems, with the runs that have them, as the service sends them."""
    return iter(_page("/json/problems/", source, cookies))


def references(source: Iterable[Record] | None = None) -> Iterator[Record]:
    """Yield the reference run of each certified run, from the Certification Helper (no login)."""
    if source is None:
        with Connection(endpoints.CERTHELPER) as connection:
            source = connection.get_json("/certify/allRunsRefRuns/", expect=_list_of_records)
    return (_renamed(row, _CERTHELPER_NAMES) for row in source)


def run_record(row: Record) -> Record:
    """A run of TkDQMDoctor under our names; values stay as they were sent, int_luminosity a text.

    Only statuses are written as the Run Registry writes them: ``Bad`` becomes ``BAD``.

    >>> run_record({"run_number": 317591, "tracking": "Bad", "sistrip": None})
    {'run_number': 317591, 'doctor_tracking': 'BAD', 'doctor_strip': None}
    """
    record = _renamed(row, NAMES)
    for column in _STATUS_COLUMNS:
        if isinstance(record.get(column), str):
            record[column] = status(record[column])
    return record


def _renamed(row: Record, names: dict[str, str]) -> Record:
    record = {names.get(key, key): value for key, value in row.items()}
    for column in _RECO_COLUMNS:
        if isinstance(record.get(column), str):
            record[column] = reco_word(record[column])
    return record


def probe(connection: Connection) -> None:
    """Does TkDQMDoctor let us in? Raises what is wrong."""
    connection.request("GET", "/json/problems/", parse=answers.any_content)


def probe_references(connection: Connection) -> None:
    """The same for the Certification Helper."""
    connection.request("GET", "/certify/allRunsRefRuns/", parse=answers.any_content)


def _page(path: str, source: Iterable[Record] | None, cookies: str | None) -> Iterable[Record]:
    if source is not None:
        return source
    cookies = cookies or os.environ.get("TKSTUDIES_COOKIES")
    with Connection(endpoints.DOCTOR, cookies=cookies) as connection:
        return connection.get_json(path, expect=_list_of_records)


def _list_of_records(answer: Any) -> list[Record]:
    return answers.shaped(answer, list[dict[str, Any]])
