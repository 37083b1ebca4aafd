"""As much of an X.509 certificate as a person wants to know: whose it is and when it ends.

The standard library offers no reader for certificates of our own, only for those of a TLS peer.

Source: RFC 5280, 4.1 (Certificate, TBSCertificate, Validity, Name); X.690, 8.1 (identifier and length octets).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import NamedTuple

_UTC_TIME, _OBJECT_IDENTIFIER, _VERSION = 0x17, 0x06, 0xA0
_NAMES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01": "UID",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}


class Certificate(NamedTuple):
    """Subject, written as grid tools do (``/DC=ch/DC=cern/CN=me``), and end of validity."""

    subject: str
    not_after: datetime


def read(der: bytes) -> Certificate:
    """Subject and end of a certificate in DER.

    Raises:
        ValueError: It isn't one.
    """
    try:
        (_, certificate) = next(_members(der))
        (_, signed) = next(_members(certificate))
        fields = [value for tag, value in _members(signed) if tag != _VERSION]
        _, _, _, validity, subject = fields[:5]  # serial number, algorithm and issuer come before
        _, (tag, end) = _members(validity)
        return Certificate(_name(subject), _time(tag, end.decode("ascii")))
    except (StopIteration, IndexError) as error:
        raise ValueError("not a certificate") from error


def _members(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (tag, contents) of the values that follow each other in ``data``."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        if position + length > len(data):
            raise ValueError("cut off")
        yield tag, data[position : position + length]
        position += length


def _name(data: bytes) -> str:
    parts = []
    for _, alternatives in _members(data):
        for _, pair in _members(alternatives):
            (kind, identifier), (_, value) = _members(pair)
            if kind != _OBJECT_IDENTIFIER:
                raise ValueError("not a name")
            parts.append(f"/{_NAMES.get(identifier, identifier.hex())}={value.decode('utf-8', 'replace')}")
    return "".join(parts)


def _time(tag: int, text: str) -> datetime:
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
