"""Who we are to the servers: certificates, SSO tokens, cookies, and the authorities that we trust.

Sources: cernrequests 0.5 for certificate paths, CERN's authorities and tokens; CERN's API access guide for tokens.
"""

from __future__ import annotations

import io
import os
import ssl
import stat
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, LoadError, MozillaCookieJar
from pathlib import Path
from types import ModuleType
from typing import Any

from tkstudies import console
from tkstudies.errors import LoginError, ServiceError
from tkstudies.services.web import pem

_FROM_DOTENV = ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET", "CERN_CERTIFICATE_PATH", "X509_USER_PROXY")

_LONGEST_DOTENV = 1_000_000
_importing = threading.Lock()  # the environment is the whole process's, and so are the filters of warnings

_CERTIFICATE_ADVICE = (
    "put usercert.pem and a passwordless userkey.pem into ~/.globus or ~/private, "
    "or run voms-proxy-init, or set CERN_CERTIFICATE_PATH"
)
SSO_ADVICE = (
    "register an application at https://application-portal.web.cern.ch and set SSO_CLIENT_ID and SSO_CLIENT_SECRET"
    " (environment or a .env file)"
)


def load_dotenv() -> None:
    """Take missing credentials from the nearest ``.env`` file, searched from the working folder upwards.

    One that others may have put there (neither ours nor root's) isn't read, and that is said.

    Raises:
        LoginError: It is no such file.
    """
    folder = Path.cwd()
    for file in (parent / ".env" for parent in (folder, *folder.parents)):
        if not file.is_file() or not os.access(file, os.R_OK):
            continue
        if file.stat().st_uid not in (os.getuid(), 0):
            console.warn(f"{file} belongs to another user: not read (copy it, if you trust it)")
            continue
        for name, value in _assignments(file).items():
            os.environ.setdefault(name, value)
        return


def _assignments(file: Path) -> dict[str, str]:
    """The credentials that a ``.env`` file sets."""
    from dotenv.parser import parse_stream

    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read(_LONGEST_DOTENV + 1)
    except OSError as error:
        raise LoginError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LoginError(f"{file} is not a .env file: expected NAME=VALUE lines in UTF-8") from None
    if len(text) > _LONGEST_DOTENV:
        raise LoginError(f"{file} is not a .env file: it has more than {_LONGEST_DOTENV:,} letters")
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            console.warn(f"{file}, line {binding.original.line}: not NAME=VALUE, left out")
        elif binding.key in _FROM_DOTENV and binding.value:
            if not binding.value.isprintable():
                raise LoginError(f"{file}, line {binding.original.line}: {binding.key} holds a control character")
            found[binding.key] = binding.value
    return found


def _cernrequests(module: str) -> ModuleType:
    """A module of cernrequests, whose import needs HOME and looks for ``.env`` files of its own."""
    import importlib

    missing = {"PYTHON_DOTENV_DISABLED": "1", "HOME": os.path.expanduser("~")}
    with _importing:
        missing = {name: value for name, value in missing.items() if name not in os.environ}
        os.environ.update(missing)
        try:
            return importlib.import_module(f"cernrequests.{module}")
        finally:
            for name in missing:
                del os.environ[name]


# --- certificates


def client_certificate() -> tuple[str, str] | str | None:
    """The certificate to show: (certificate, key), or one file for an X.509 proxy, or None.

    In this order: $X509_USER_PROXY, $CERN_CERTIFICATE_PATH, ~/private, ~/.globus, the proxy that voms-proxy-init
    leaves in the temporary folder.

    Raises:
        LoginError: What the environment names isn't there, or the key has a password.
    """
    proxy = os.environ.get("X509_USER_PROXY")
    if proxy:
        if not os.path.isfile(proxy):
            raise LoginError(f"X509_USER_PROXY names {proxy}, which doesn't exist: run voms-proxy-init or unset it")
        _refuse_foreign_proxy(proxy)
        return proxy
    certs = _cernrequests("certs")
    try:
        certificate, key = certs.default_user_certificate_paths()
    except certs.CertificateNotFound as error:
        if named := os.environ.get("CERN_CERTIFICATE_PATH"):
            raise LoginError(pem.incomplete([named]) or str(error)) from None
        left_by_voms = os.path.join(tempfile.gettempdir(), f"x509up_u{os.getuid()}")
        if not os.path.lexists(left_by_voms):
            return None
        _refuse_foreign_proxy(left_by_voms)
        return left_by_voms
    pem.check_key(key)
    return certificate, key


def _refuse_foreign_proxy(file: str) -> None:
    """A proxy in a folder where all may write is used only if it is ours, and no link."""
    if not os.path.basename(file).startswith("x509up_u"):
        return
    found = os.lstat(file)
    if found.st_uid != os.getuid() or not stat.S_ISREG(found.st_mode):
        what = "isn't ours" if found.st_uid != os.getuid() else "is no file"
        raise LoginError(f"{file} {what}: not used (remove it and run voms-proxy-init, or set X509_USER_PROXY)")


def require_certificate() -> tuple[str, str] | str:
    """As client_certificate, which must be there.

    Raises:
        LoginError: There is none, and what to do; or it can't be used.
    """
    certificate = client_certificate()
    if certificate is None:
        usual = (os.path.expanduser("~/private"), os.path.expanduser("~/.globus"))
        raise LoginError(pem.incomplete(usual) or f"no grid certificate found: {_CERTIFICATE_ADVICE}")
    return certificate


def trusted_authorities() -> ssl.SSLContext:
    """A TLS context that trusts the public authorities, CERN's own and those of $REQUESTS_CA_BUNDLE.

    Raises:
        ServiceError: The bundle that the environment names can't be used.
    """
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.load_verify_locations(_cernrequests("certs").where())
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        bundle = os.environ.get(variable)
        if bundle:
            folder = os.path.isdir(bundle)
            try:
                context.load_verify_locations(None if folder else bundle, bundle if folder else None)
            except (OSError, ssl.SSLError) as error:
                raise ServiceError(f"{variable} names {bundle}, which can't be used: {error}") from None
    return context


# --- cookies


@contextmanager
def _unwarned() -> Iterator[None]:
    """http.cookiejar shows a traceback for a cookie that it can't read."""
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _CookieJar(MozillaCookieJar):
    """Cookies of a file, and those that a server renews."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        with _unwarned():
            super().extract_cookies(response, request)


def cookies(file: str) -> CookieJar:
    """The cookies of a Netscape cookie file, as written by auth-get-sso-cookie.

    Raises:
        LoginError: The file can't be read or isn't one.
    """
    jar = _CookieJar(file)
    try:
        with _unwarned():
            jar.load(ignore_discard=True, ignore_expires=True)
    except (LoadError, UnicodeDecodeError):
        raise LoginError(
            f"{file} is not a Netscape cookie file: make one with auth-get-sso-cookie -u URL -o {file}"
        ) from None
    except OSError as error:
        raise LoginError(f"{file} can't be read: {error.strerror}") from None
    for cookie in jar:
        if not f"{cookie.name}{cookie.value}".isprintable() or not f"{cookie.name}{cookie.value}".isascii():
            raise LoginError(f"{file}: the cookie {cookie.name!r:.40} holds characters that no cookie has")
    return jar
