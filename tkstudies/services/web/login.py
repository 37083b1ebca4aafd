"""Who we are to the servers: certificates, SSO tokens, cookies, and the authorities that we trust.

Sources: cernrequests 0.5 for certificate paths, CERN's authorities and tokens; CERN's API access guide for tokens.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, LoadError, MozillaCookieJar
from pathlib import Path
from types import ModuleType

from tkstudies import console
from tkstudies.errors import LoginError, ServiceError
from tkstudies.services.web import pem

_TOKEN_SECONDS = 30.0  # patience with the token endpoint
_EARLY_SECONDS = 60.0  # a token is renewed that long before it expires
_FROM_DOTENV = ("SSO_CLIENT_ID", "SSO_CLIENT_SECRET", "CERN_CERTIFICATE_PATH", "X509_USER_PROXY")

_importing = threading.Lock()  # the environment is the whole process's

_CERTIFICATE_ADVICE = (
    "put usercert.pem and a passwordless userkey.pem into ~/.globus or ~/private, "
    "or run voms-proxy-init, or set CERN_CERTIFICATE_PATH"
)
SSO_ADVICE = (
    "register an application at https://application-portal.web.cern.ch and set SSO_CLIENT_ID and SSO_CLIENT_SECRET"
    " (environment or a .env file)"
)


def load_dotenv() -> None:
    """Take missing credentials from the nearest ``.env`` file, searched from the working folder upwards."""
    folder = Path.cwd()
    for file in (parent / ".env" for parent in (folder, *folder.parents)):
        if file.is_file() and os.access(file, os.R_OK):
            from dotenv import dotenv_values

            for name, value in dotenv_values(file, interpolate=False).items():
                if name in _FROM_DOTENV and value:
                    os.environ.setdefault(name, value)
            return


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
        return proxy
    certs = _cernrequests("certs")
    try:
        certificate, key = certs.default_user_certificate_paths()
    except certs.CertificateNotFound as error:
        if named := os.environ.get("CERN_CERTIFICATE_PATH"):
            raise LoginError(pem.incomplete([named]) or str(error)) from None
        left_by_voms = os.path.join(tempfile.gettempdir(), f"x509up_u{os.getuid()}")
        return left_by_voms if os.path.isfile(left_by_voms) else None
    pem.check_key(key)
    return certificate, key


def require_certificate() -> tuple[str, str] | str:
    """As client_certificate, but none at all is an error that says what to do."""
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


# --- tokens


class Tokens:
    """SSO bearer tokens, one for each audience, shared by all threads and renewed before they expire."""

    def __init__(self, endpoint: str):
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}

    def available(self) -> bool:
        """Are there credentials to fetch a token with?"""
        return bool(os.environ.get("SSO_CLIENT_ID") and os.environ.get("SSO_CLIENT_SECRET"))

    def get(self, audience: str) -> str:
        """A token that is valid now.

        Raises:
            LoginError: The endpoint refuses the credentials, or doesn't answer in time.
        """
        with self._lock:
            token, expires = self._known.get(audience, ("", 0.0))
            if time.monotonic() >= expires:
                token, seconds = self._fetch(audience)
                expires = time.monotonic() + max(seconds - _EARLY_SECONDS, seconds / 2)
                self._known[audience] = (token, expires)
            return token

    def expires_in(self, audience: str) -> float:
        """Seconds until ``get`` will fetch another token for ``audience``."""
        return self._known.get(audience, ("", 0.0))[1] - time.monotonic()

    def discard(self, audience: str, token: str) -> bool:
        """Forget a token that the server refuses, so that ``get`` fetches another; False if that was done already."""
        with self._lock:
            is_current = self._known.get(audience, ("",))[0] == token
            if is_current:
                del self._known[audience]
            return is_current

    def _fetch(self, audience: str) -> tuple[str, float]:
        """A new token and its life in seconds, after at most three tries."""
        for delay in (0.5, 1.0, None):
            console.debug(f"token for {audience}: POST {self._endpoint}")
            answer = _call_within(_TOKEN_SECONDS, self._ask, audience)
            if isinstance(answer, tuple):
                token, expiry = answer
                return str(token), max(expiry.timestamp() - time.time(), 1.0)
            if delay is None or answer is None or "unauthorized" in str(answer) or "invalid_" in str(answer):
                break
            time.sleep(delay)
        if answer is None:
            raise LoginError(f"no token for {audience}: {self._endpoint} didn't answer within {_TOKEN_SECONDS:.0f} s")
        if isinstance(answer, OSError):  # as requests' exceptions are
            raise ServiceError(f"no token for {audience}: {self._endpoint} can't be reached: check the network")
        raise LoginError(
            f"no token for {audience}: {self._endpoint} refuses{_words_of(answer)}: "
            f"check SSO_CLIENT_ID and SSO_CLIENT_SECRET; {SSO_ADVICE}"
        )

    def _ask(self, audience: str) -> object:
        module = _cernrequests("token")
        client, secret = os.environ["SSO_CLIENT_ID"], os.environ["SSO_CLIENT_SECRET"]
        with _silenced(module):
            return module.get_api_token(client, secret, audience, token_endpoint=self._endpoint)


def _words_of(answer: object) -> str:
    """The endpoint's own words, without anything that is secret."""
    words = str(answer).partition("ERROR getting token: ")[2][:200]
    for name in ("SSO_CLIENT_SECRET", "SSO_CLIENT_ID"):
        words = words.replace(os.environ.get(name) or "\0", "...")
    return f" ({words})" if words else ""


@contextmanager
def _silenced(module: ModuleType) -> Iterator[None]:
    """Hide what a module logs by the root logger: it is the server's answer, which may hold a secret."""
    import logging

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.pathname != module.__file__

    logging.getLogger().addFilter(is_of_others)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(is_of_others)


def _call_within(seconds: float, function: Callable[..., object], *arguments: object) -> object:
    """The function's result or exception, or None if it takes longer (cernrequests sets no timeout)."""
    results: list[object] = []

    def call() -> None:
        try:
            results.append(function(*arguments))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


# --- cookies


def cookies(file: str) -> CookieJar:
    """The cookies of a Netscape cookie file, as written by auth-get-sso-cookie.

    Raises:
        LoginError: The file can't be read or isn't one.
    """
    jar = MozillaCookieJar(file)
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except (LoadError, UnicodeDecodeError):
        raise LoginError(
            f"{file} is not a Netscape cookie file: make one with auth-get-sso-cookie -u URL -o {file}"
        ) from None
    except OSError as error:
        raise LoginError(f"{file} can't be read: {error.strerror}") from None
    return jar
