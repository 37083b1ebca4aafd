"""WBM, the predecessor of OMS: run summaries as XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from requests import Response

from tkstudies import jsonl
from tkstudies.errors import ServiceError
from tkstudies.records import Record
from tkstudies.services.runselection import Range, coarse
from tkstudies.services.web import answers, endpoints
from tkstudies.services.web.connection import Connection

_GAP = 100  # unwanted runs between two wanted ones that cost less than one more request


def runs(ranges: Iterable[Range]) -> Iterator[Record]:
    """Yield the run summaries of these runs by run number: run_number, and the other fields as texts.

    Raises:
        LoginError: No grid certificate, or one that isn't accepted.
        ServiceError: WBM can't be reached, or sends something else than its XML.
    """
    wanted = list(ranges)
    with Connection(endpoints.WBM) as connection:
        for first, last in coarse(wanted, _GAP):
            span = {"RUN": first} if first == last else {"RUN_BEGIN": first, "RUN_END": last}
            found = connection.request("GET", "/RunSummary", params={**span, "FORMAT": "XML"}, parse=parse_summaries)
            for record in sorted(found, key=lambda record: record["run_number"]):
                if any(low <= record["run_number"] <= high for low, high in wanted):
                    yield record


def probe(connection: Connection) -> None:
    """Does WBM let us in? Raises what is wrong."""
    params = {"RUN": 1, "FORMAT": "XML"}
    connection.request("GET", "/RunSummary", params=params, parse=answers.any_content)


def parse_summaries(response: Response) -> list[Record]:
    """The records of one answer, in its order.

    Raises:
        answers.Unusable: It is no XML, or no run summaries.
        ServiceError: It is XML that isn't safe to read.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(response.content)
    except ParseError:
        raise answers.Unusable(f"sent something that isn't XML: {jsonl.quoted(response.content)}") from None
    except DefusedXmlException as error:
        raise ServiceError(f"WBM sent XML that is not safe to read ({type(error).__name__})") from None
    if root.tag != "cmsdb":
        raise answers.Unusable(f"sent <{root.tag}> instead of run summaries: {jsonl.quoted(response.content)}")
    return [_record(info) for info in root.iter("runInfo")]


def _record(info: Any) -> Record:
    fields = {field.tag: field.text for field in info}
    number = fields.pop("run", None) or ""
    if not number.strip().isdecimal():
        raise answers.Unusable("sent a run without its number")
    return {"run_number": int(number), **fields}
