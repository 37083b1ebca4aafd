"""Where the services are, and how one logs in to each of them."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import requests

from tkstudies.errors import ServiceError
from tkstudies.services.web.login import SSO_ADVICE
from tkstudies.services.web.secrecy import without_query
from tkstudies.settings import current

_TUNNEL = (
    "inside CERN only: run 'ssh -D 1080 USER@lxplus.cern.ch' and set ALL_PROXY=socks5h://localhost:1080 "
    "(pip install 'tkstudies[socks]')"
)


@dataclass(frozen=True)
class Service:
    """Where a service is and how one logs in to it.

    Attributes:
        title: Its name in messages.
        variable: The environment variable that moves it elsewhere.
        default: Its base URL, without a slash at the end.
        audience: Application name for SSO tokens; empty if the service takes none.
        login: What ``tkstudies login`` calls it; empty if one can't log in to it by browser.
        client: The public application by which people do that.
        token_variable: Environment variable with a ready token.
        certificate: Does it ask for a grid certificate?
        advice: What to do when it doesn't know us.
        route: What to do when it can't be reached.
        patience: Seconds after which one request is given up.
    """

    title: str
    variable: str
    default: str
    audience: str = ""
    login: str = ""
    client: str = ""
    token_variable: str = ""
    certificate: bool = False
    advice: str = SSO_ADVICE
    route: str = "check the network"
    patience: float = 120.0

    def base_url(self) -> str:
        """The base URL in force, spelled as requests spells it; replays know only the default one.

        Raises:
            ServiceError: The environment names something else than an http(s) URL, or a user name in it.
        """
        if current.replay:
            return self.default
        given = os.environ.get(self.variable) or self.default
        if "@" in given:
            raise ServiceError(f"{self.variable} holds a user name, which no service takes: leave it out")
        if ("?" in given or "#" in given) and self is not SSO:
            raise ServiceError(f"{self.variable} holds a query (behind ? or #), which no base URL has: leave it out")
        request = requests.PreparedRequest()
        with suppress(ValueError):  # as those of requests about URLs are
            request.prepare_url(given, None)
        url = request.url or ""
        if not url.startswith(("http://", "https://")):
            raise ServiceError(f"{self.variable} is not an http(s) URL: {without_query(given)}")
        return url.rstrip("/")


_COOKIES = "log in in a browser and save the pages, or pass --cookies FILE (auth-get-sso-cookie -u {} -o FILE)"

RUNREG = Service(
    "Run Registry",
    "TKSTUDIES_RUNREG_URL",
    "https://cmsrunregistry.web.cern.ch/api",
    "cmsrunregistry-sso-proxy",
    advice=f"{SSO_ADVICE}; no login by browser is known for it",
)
RESTHUB = Service(
    "Run Registry v3", "TKSTUDIES_RESTHUB_URL", "http://vocms00170:2113", advice="", route=_TUNNEL, patience=900.0
)
OMS = Service(
    "OMS",
    "TKSTUDIES_OMS_URL",
    "https://cmsoms.cern.ch/agg/api/v1",
    "cmsoms-prod",
    login="oms",
    client="cmsoms-prod-public",
    token_variable="TKSTUDIES_OMS_TOKEN",  # noqa: S106 (a name)
    advice=f"run tkstudies login, or {SSO_ADVICE}",
)
DIALS = Service(
    "DIALS",
    "TKSTUDIES_DIALS_URL",
    "https://cmsdials-api.web.cern.ch/api/v1",
    "cms-dials-prod-confidential-app",
    login="dials",
    client="cms-dials-prod-public-app",
    advice="run tkstudies login dials",
)
_CERTIFICATE = "the grid certificate isn't accepted: renew it, or run voms-proxy-init"
DQM = Service("DQM GUI", "TKSTUDIES_DQM_URL", "https://cmsweb.cern.ch/dqm", certificate=True, advice=_CERTIFICATE)
DOCTOR = Service(
    "TkDQMDoctor",
    "TKSTUDIES_DOCTOR_URL",
    "https://tkdqmdoctor.web.cern.ch",
    advice=_COOKIES.format("https://tkdqmdoctor.web.cern.ch") + "; saved pages are read with --from FILE",
)
CERTHELPER = Service("Certification Helper", "TKSTUDIES_CERTHELPER_URL", "https://certhelper.web.cern.ch", advice="")
WBM = Service(
    "WBM",
    "TKSTUDIES_WBM_URL",
    "https://cmswbm.cern.ch/cmsdb/servlet",
    certificate=True,
    advice=_CERTIFICATE,
    route=_TUNNEL,
)
SSO = Service("CERN SSO", "TKSTUDIES_SSO_URL", "https://auth.cern.ch/auth/realms/cern/api-access/token")

LOGINS = {service.login: service for service in (OMS, DIALS)}
"""The services that one can log in to by browser."""
