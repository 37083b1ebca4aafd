"""What is wrong with the files of a grid certificate, and the openssl lines that mend it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from tkstudies.errors import LoginError

CERTIFICATE, KEY = "usercert.pem", "userkey.pem"
_P12 = (".p12", ".pfx")
_ANY_P12 = "myCertificate.p12"


def openssl_lines(folder: str | Path, p12: str | Path = "") -> str:
    """How the two files are made out of what a browser or CERN's page saves.

    >>> print(openssl_lines("/home/me/.globus", "/home/me/me.p12").replace("; ", "\\n"))
    openssl pkcs12 -in /home/me/me.p12 -clcerts -nokeys -out /home/me/.globus/usercert.pem
    openssl pkcs12 -in /home/me/me.p12 -nocerts -nodes -out /home/me/.globus/userkey.pem
    chmod 400 /home/me/.globus/userkey.pem (-legacy behind pkcs12 if OpenSSL 3 refuses the file)
    """
    source = shlex.quote(str(p12 or _ANY_P12))
    certificate, key = (shlex.quote(str(Path(folder) / name)) for name in (CERTIFICATE, KEY))
    return (
        f"openssl pkcs12 -in {source} -clcerts -nokeys -out {certificate}; "
        f"openssl pkcs12 -in {source} -nocerts -nodes -out {key}; "
        f"chmod 400 {key} (-legacy behind pkcs12 if OpenSSL 3 refuses the file)"
    )


def incomplete(folders: Iterable[str | Path]) -> str:
    """What these folders have of a certificate instead of both files, in words; empty if they have nothing of it."""
    for folder in map(Path, folders):
        there = [name for name in (CERTIFICATE, KEY) if (folder / name).is_file()]
        p12 = _p12_in(folder)
        if len(there) == 1:
            missing = KEY if there == [CERTIFICATE] else CERTIFICATE
            return f"{folder} has {there[0]}, but no {missing}: make both anew: {openssl_lines(folder, p12)}"
        if p12 and not there:
            return f"{p12} alone can't be used, make two files of it: {openssl_lines(folder, p12)}"
    return ""


def _p12_in(folder: Path) -> Path | str:
    try:
        return min((file for file in folder.iterdir() if file.suffix.lower() in _P12), default="", key=str)
    except OSError:
        return ""


def check_key(key: str) -> None:
    """Refuse a file that holds no private key, or one with a password.

    Raises:
        LoginError: What is wrong with it, and how it is made anew.
    """
    text = _text(key)
    folder = os.path.dirname(key)
    anew = f"make it anew: {openssl_lines(folder, _p12_in(Path(folder)))}"
    if not text.strip():
        raise LoginError(f"{key} is empty: {anew}")
    if "PRIVATE KEY-----" not in text:
        what = "a certificate, but no private key" if "BEGIN CERTIFICATE" in text else "no private key in PEM format"
        raise LoginError(f"{key} holds {what}: {anew}")
    if "ENCRYPTED" in text:
        without = shlex.quote(os.path.join(folder, "userkey.nopass.pem"))
        raise LoginError(
            f"{key} has a password, which nobody can type into a pipe: "
            f"openssl rsa -in {shlex.quote(key)} -out {without} makes a key without one"
        )


def no_certificate(certificate: str) -> LoginError:
    """What is in a file that holds no certificate that can be read."""
    text = _text(certificate)
    folder = os.path.dirname(certificate)
    anew = f"make it anew: {openssl_lines(folder, _p12_in(Path(folder)))}"
    if not text.strip():
        return LoginError(f"{certificate} is empty: {anew}")
    what = "holds a private key, but no certificate" if "PRIVATE KEY-----" in text else "holds no certificate"
    return LoginError(f"{certificate} {what} in PEM format: {anew}")


def not_together(certificate: str, key: str, reason: str) -> LoginError:
    """Why a certificate and a key can't be used together."""
    folder = os.path.dirname(key)
    anew = f"make both anew out of one file: {openssl_lines(folder, _p12_in(Path(folder)))}"
    if "MISMATCH" in reason.upper().replace(" ", "_"):
        return LoginError(f"{key} is the key of another certificate than {certificate}: {anew}")
    return LoginError(f"{key} can't be used with {certificate} ({reason}): {anew}")


def _text(file: str) -> str:
    try:
        with open(file, encoding="ascii", errors="replace") as stream:
            return stream.read(1 << 20)
    except OSError as error:
        raise LoginError(f"{file} can't be read: {error.strerror}") from None
